"""A scalar that couples to muons alone, ``L = -g_S S mu mu``, in e+e- -> mu+mu- S.

It is radiated off a muon and decays to two, BR = 1: photons by loops are left out. Cross sections
are those of :func:`darkstats.signals.lmu_ltau.tree_cross_section_pb`, tree level.
"""

from __future__ import annotations

import math

from darkstats.errors import OptionError
from darkstats.signals.constants import M_MUON_GEV
from darkstats.signals.lmu_ltau import tree_cross_section_pb

__all__ = ["coupling", "cross_section_pb", "width_gev"]


def cross_section_pb(mass_gev: float, coupling: float) -> float:
    """Cross section of e+e- -> mu+mu- S, S -> mu+mu-, pb.

    Parameters
    ----------
    mass_gev
        Above that of two muons.
    coupling
        g_S.

    Raises
    ------
    OptionError
        The mass is out of reach, or the decay is closed.

    Examples
    --------
    >>> round(cross_section_pb(1.0, 1.0), 1)
    13.4
    """
    if mass_gev <= 2.0 * M_MUON_GEV:
        raise OptionError(f"a scalar of {mass_gev:g} GeV does not decay to two muons")
    return coupling**2 * tree_cross_section_pb(mass_gev, boson="scalar")


def coupling(mass_gev: float, cross_section_pb_: float) -> float:
    """Coupling g_S of a cross section in pb: the inverse of :func:`cross_section_pb`.

    Raises
    ------
    OptionError
        As there, or the cross section is negative.
    """
    if cross_section_pb_ < 0.0:
        raise OptionError(f"a cross section of {cross_section_pb_} pb has no coupling")
    return math.sqrt(cross_section_pb_ / cross_section_pb(mass_gev, 1.0))


def width_gev(mass_gev: float, coupling: float) -> float:
    """Width to two muons, ``g_S^2 M / (8 pi) beta^3``, GeV; zero below threshold."""
    square = max(1.0 - 4.0 * (M_MUON_GEV / mass_gev) ** 2, 0.0)
    return float(coupling**2 * mass_gev / (8.0 * math.pi) * square**1.5)
