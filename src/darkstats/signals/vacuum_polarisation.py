"""Vacuum polarisation of the virtual photon: what dresses a Born cross section of e+e- -> gamma*.

``1 / (1 - Delta alpha)^2`` with the one-loop contribution of the leptons,

    Delta alpha_l = (alpha / 3 pi) (-8/3 + b^2 + b (3 - b^2) / 2 ln((1 + b) / (1 - b))),

``b^2 = 1 - 4 m_l^2 / s``, and that of the hadrons as a number. It is part of cross sections that
are measured, and of no Born formula here. Collinear radiation has the opposite sign.
"""

from __future__ import annotations

import math

from darkstats.errors import OptionError
from darkstats.signals.constants import ALPHA, M_ELECTRON_GEV, M_MUON_GEV, M_TAU_GEV, S_GEV2

__all__ = ["HADRONIC_SHIFT", "HADRONIC_SHIFT_ERROR", "dressing", "dressing_error", "leptonic_shift"]

#: Hadronic Delta alpha at 10.58 GeV, recalled, not checked: plausible default and its error.
HADRONIC_SHIFT, HADRONIC_SHIFT_ERROR = 0.0155, 0.002


def leptonic_shift(s_gev2: float = S_GEV2) -> float:
    """Delta alpha of electrons, muons and taus above the threshold of the taus, one loop.

    Raises
    ------
    OptionError
        The energy is below the threshold of the taus.

    Examples
    --------
    >>> round(leptonic_shift(), 4)
    0.0213
    """
    if s_gev2 <= 4.0 * M_TAU_GEV**2:
        raise OptionError(f"s = {s_gev2:g} GeV^2 lies below the threshold of tau pairs")
    total = 0.0
    for mass in (M_ELECTRON_GEV, M_MUON_GEV, M_TAU_GEV):
        ratio = 4.0 * mass**2 / s_gev2
        b = math.sqrt(1.0 - ratio)
        logarithm = math.log((1.0 + b) ** 2 / ratio)  # ln((1 + b) / (1 - b)) without cancellation
        total += -8.0 / 3.0 + b**2 + 0.5 * b * (3.0 - b**2) * logarithm
    return ALPHA / (3.0 * math.pi) * total


def dressing(s_gev2: float = S_GEV2, *, hadronic_shift: float = HADRONIC_SHIFT) -> float:
    """Factor on a Born cross section through one virtual photon, dimensionless.

    Parameters
    ----------
    s_gev2
        Squared energy.
    hadronic_shift
        Hadronic Delta alpha; 0 for leptons alone.

    Examples
    --------
    >>> round(dressing(hadronic_shift=0.0), 3), round(dressing(), 3)
    (1.044, 1.078)
    """
    return (1.0 - leptonic_shift(s_gev2) - hadronic_shift) ** -2


def dressing_error() -> float:
    """Relative error of :func:`dressing` from the hadronic part.

    Examples
    --------
    >>> round(dressing_error(), 4)
    0.0042
    """
    return 2.0 * HADRONIC_SHIFT_ERROR * math.sqrt(dressing())
