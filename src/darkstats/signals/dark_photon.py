"""Dark photon A' with kinetic mixing epsilon.

``Gamma(A' -> ll) = alpha eps^2 m / 3 (1 + 2 r) sqrt(1 - 4 r)``; hadrons as R times massless muons.
e+e- -> gamma A' within ``abs(cos theta*) < c``:
``sigma = (2 pi alpha^2 eps^2 / s) (1 - x) (2 (1 + x^2) / (1 - x)^2 L - 2 c)`` with ``x = m^2/s``,
``L = ln((1 + c)/(1 - c))`` (Essig, Schuster, Toro, arXiv:0903.3941).
"""

from __future__ import annotations

import math

from darkstats.errors import OptionError
from darkstats.signals.constants import (
    ALPHA,
    M_ELECTRON_GEV,
    M_MUON_GEV,
    M_TAU_GEV,
    PB_GEV2,
    S_GEV2,
)

__all__ = ["R_HADRONS", "cross_section_pb", "lepton_width_gev", "mixing", "muon_fraction"]

#: R far from resonances between 4 and 10 GeV: an approximation, some 10 %.
R_HADRONS = 3.6


def lepton_width_gev(mass_gev: float, mixing: float, lepton_mass_gev: float) -> float:
    """Partial width to a pair of charged leptons, GeV; zero below threshold."""
    ratio = (lepton_mass_gev / mass_gev) ** 2
    if ratio >= 0.25:
        return 0.0
    size = ALPHA * mixing**2 * mass_gev / 3.0
    return size * (1.0 + 2.0 * ratio) * math.sqrt(1.0 - 4.0 * ratio)


def muon_fraction(mass_gev: float, r_hadrons: float = R_HADRONS) -> float:
    """Branching fraction A' -> mu mu if it cannot decay to dark matter; approximate.

    ``r_hadrons`` is the ratio of hadrons to massless muons at this energy: resonances and the
    thresholds below 4 GeV need another value than the default.

    Examples
    --------
    >>> round(muon_fraction(8.0), 2)
    0.15
    """
    muons = lepton_width_gev(mass_gev, 1.0, M_MUON_GEV)
    others = lepton_width_gev(mass_gev, 1.0, M_ELECTRON_GEV)
    others += lepton_width_gev(mass_gev, 1.0, M_TAU_GEV)
    return muons / (muons + others + r_hadrons * ALPHA * mass_gev / 3.0)


def _unit_cross_section_pb(mass_gev: float, cosine_max: float) -> float:
    x = mass_gev**2 / S_GEV2
    if not (0.0 <= x < 1.0 and 0.0 < cosine_max < 1.0):
        raise OptionError(
            f"e+e- -> gamma A' has no rate for a mass of {mass_gev} GeV and abs(cos) < {cosine_max}"
        )
    log = math.log((1.0 + cosine_max) / (1.0 - cosine_max))
    bracket = 2.0 * (1.0 + x**2) / (1.0 - x) ** 2 * log - 2.0 * cosine_max
    return 2.0 * math.pi * ALPHA**2 / S_GEV2 * (1.0 - x) * bracket * PB_GEV2


def cross_section_pb(mass_gev: float, mixing: float, *, cosine_max: float = 0.95) -> float:
    """Born cross section of e+e- -> gamma A' with the photon inside the cosine, pb.

    Raises
    ------
    OptionError
        The mass is out of reach.
    """
    return mixing**2 * _unit_cross_section_pb(mass_gev, cosine_max)


def mixing(mass_gev: float, cross_section_pb: float, *, cosine_max: float = 0.95) -> float:
    """Mixing epsilon of a cross section: the inverse of :func:`cross_section_pb`.

    Raises
    ------
    OptionError
        The mass is out of reach, or the cross section is negative.
    """
    if cross_section_pb < 0.0:
        raise OptionError(f"a cross section of {cross_section_pb} pb has no coupling")
    return math.sqrt(cross_section_pb / _unit_cross_section_pb(mass_gev, cosine_max))
