"""Dark Higgsstrahlung e+e- -> A' h': rate and coupling product eps^2 alpha_D.

``sigma = (pi alpha alpha_D eps^2 / 3 s) (1 - x)^-2 sqrt(lam) (lam + 12 x)`` with ``x = m_A'^2/s``
and ``lam = lam(1, m_A'^2/s, m_h'^2/s)`` (Batell, Pospelov, Ritz, arXiv:0903.0363).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import overload

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, PB_GEV2, S_GEV2
from darkstats.signals.dark_photon import muon_fraction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = [
    "coupling_product",
    "cross_section_pb",
    "higgs_momentum_gev",
    "pair_width_gev",
    "unit_cross_section_pb",
]


@overload
def unit_cross_section_pb(masses_gev: tuple[float, float], s_gev2: float = ...) -> float: ...
@overload
def unit_cross_section_pb(masses_gev: tuple[float, float], s_gev2: FloatArray) -> FloatArray: ...
def unit_cross_section_pb(
    masses_gev: tuple[float, float], s_gev2: float | FloatArray = S_GEV2
) -> float | FloatArray:
    """Born cross section for eps^2 alpha_D = 1, pb; zero below threshold.

    Parameters
    ----------
    masses_gev
        Of A' and h'.
    s_gev2
        Squared energy, one or many.

    Examples
    --------
    >>> float(f"{1e3 * unit_cross_section_pb((6.0, 1.0)):.2g}")
    160000000.0
    """
    s = np.asarray(s_gev2, dtype=np.float64)
    x, y = masses_gev[0] ** 2 / s, masses_gev[1] ** 2 / s
    triangle = np.maximum(1.0 + x**2 + y**2 - 2.0 * (x + y + x * y), 0.0)
    open_ = np.sqrt(s) > sum(masses_gev)
    size = math.pi * ALPHA / (3.0 * s) * PB_GEV2 / (1.0 - x) ** 2
    value = np.where(open_, size * np.sqrt(triangle) * (triangle + 12.0 * x), 0.0)
    return float(value) if value.ndim == 0 else value


@lru_cache(maxsize=1024)  # the same for all limits of a hypothesis
def _visible_pb(masses_gev: tuple[float, float], *, muons: bool) -> float:
    total = unit_cross_section_pb(masses_gev)
    if not (min(masses_gev) > 0.0 and total > 0.0):
        raise OptionError(
            f"A' of {masses_gev[0]} GeV with h' of {masses_gev[1]} GeV cannot be made at "
            f"sqrt(s) = {math.sqrt(S_GEV2):.3f} GeV"
        )
    return total * (muon_fraction(masses_gev[0]) if muons else 1.0)


def cross_section_pb(
    masses_gev: tuple[float, float], coupling_product: float, *, muons: bool = True
) -> float:
    """Cross section in pb of eps^2 alpha_D, times BR(A' -> mu mu) where ``muons`` is true.

    Raises
    ------
    OptionError
        The masses are out of reach.
    """
    return coupling_product * _visible_pb(masses_gev, muons=muons)


def coupling_product(
    masses_gev: tuple[float, float], cross_section_pb: float, *, muons: bool = True
) -> float:
    """eps^2 alpha_D of a cross section: the inverse of :func:`cross_section_pb`.

    The cross section limited in arXiv:2207.00509 includes the branching fraction: without it, at
    most 5 fb up to a mass of 9.7 GeV would reach 3e-9 there, and the abstract has 1.7e-8 at best.
    ``muons`` states the choice.

    Raises
    ------
    OptionError
        The masses are out of reach, or the cross section is negative.
    """
    if cross_section_pb < 0.0:
        raise OptionError(f"a cross section of {cross_section_pb} pb has no coupling")
    return cross_section_pb / _visible_pb(masses_gev, muons=muons)


def pair_width_gev(masses_gev: tuple[float, float], alpha_dark: float) -> float:
    """Width of h' -> A' A', GeV; zero below threshold.

    ``alpha_D m_h^3 / (8 m_A^2) sqrt(1 - 4 x) (1 - 4 x + 12 x^2)`` with ``x = m_A^2 / m_h^2``: that
    of a Higgs boson of charge 1 whose vertex with two A' is ``2 g_D m_A``, as for H -> Z Z.

    Parameters
    ----------
    masses_gev
        Of A' and h'.
    alpha_dark
        g_D^2 / (4 pi).
    """
    photon, higgs = masses_gev
    x = (photon / higgs) ** 2
    if x >= 0.25:
        return 0.0
    size = alpha_dark * higgs**3 / (8.0 * photon**2)
    return size * math.sqrt(1.0 - 4.0 * x) * (1.0 - 4.0 * x + 12.0 * x**2)


def higgs_momentum_gev(masses_gev: tuple[float, float]) -> float:
    """Momentum of h' beside A' in the centre of mass, GeV.

    Raises
    ------
    OptionError
        The masses are out of reach.
    """
    photon, higgs = masses_gev
    root = math.sqrt(S_GEV2)
    if not (min(masses_gev) > 0.0 and photon + higgs < root):
        raise OptionError(
            f"A' of {photon} GeV with h' of {higgs} GeV cannot be made at sqrt(s) = {root:.3f} GeV"
        )
    product = (S_GEV2 - (photon + higgs) ** 2) * (S_GEV2 - (photon - higgs) ** 2)
    return math.sqrt(product) / (2.0 * root)
