"""Scalars and axion-like particles that couple to leptons by their masses, beside two muons.

``L = -xi sum_l (m_l / v) S l l`` with v = 246.22 GeV, and ``L = -i sum_l (c_ll m_l / Lambda) P l
gamma5 l``. Widths: ``Gamma(ll) = g_l^2 M / (8 pi) beta^3`` of the scalar, and ``beta`` of the other
one. Decays to photons by loops are left out, and so are electrons, whose share is below 1e-6.

The width grows with the square of the coupling, and is no longer narrow where limits are weak:
published conversions (arXiv:2306.12294) agree to some 8 % up to 6 GeV, are 1.14 times as large at 7
GeV and 1.9 to 94 times from 8 to 9.5 GeV. Nothing is said above 6.5 GeV.
"""

from __future__ import annotations

import math

from darkstats.errors import OptionError
from darkstats.signals.constants import M_MUON_GEV, M_TAU_GEV
from darkstats.signals.lmu_ltau import tree_cross_section_pb

__all__ = ["MASS_RANGE_GEV", "cross_section_pb", "size", "tau_fraction", "width_gev"]

#: Masses with open tau pairs and a narrow width.
MASS_RANGE_GEV = (2.0 * M_TAU_GEV, 6.5)
_VACUUM_GEV = 246.22
#: Of both models: spin and parity, power of beta in the width, muon coupling at coupling 1.
_MODELS = {
    "scalar": ("scalar", 3, M_MUON_GEV / _VACUUM_GEV),
    "alp": ("pseudoscalar", 1, M_MUON_GEV / 1000.0),
}


def _of(model: str) -> tuple[str, int, float]:
    if model not in _MODELS:
        raise OptionError(f"model {model!r}: choose one of {', '.join(_MODELS)}")
    return _MODELS[model]


def tau_fraction(mass_gev: float, model: str) -> float:
    """Branching fraction to two taus of ``"scalar"`` or ``"alp"``; zero below threshold.

    Examples
    --------
    >>> round(tau_fraction(5.0, "scalar"), 3)
    0.99
    """
    power = _of(model)[1]
    taus = _part(mass_gev, M_TAU_GEV, power)
    return taus / (taus + _part(mass_gev, M_MUON_GEV, power))


def _part(mass_gev: float, lepton_gev: float, power: int) -> float:
    """Squared mass of a lepton times the velocity to a power; zero below threshold, GeV^2."""
    square = 1.0 - 4.0 * (lepton_gev / mass_gev) ** 2
    return float(lepton_gev**2 * max(square, 0.0) ** (0.5 * power))


def width_gev(mass_gev: float, coupling: float, model: str) -> float:
    """Width to muons and taus, GeV, of ``"scalar"`` or ``"alp"``.

    ``coupling`` is xi of the scalar; c_ll / Lambda of the axion-like particle, 1/TeV.
    """
    _, power, muon = _of(model)
    of_muons = (coupling * muon) ** 2 * mass_gev / (8.0 * math.pi)
    leptons = (M_MUON_GEV, M_TAU_GEV)
    return of_muons * sum(_part(mass_gev, one, power) for one in leptons) / M_MUON_GEV**2


def cross_section_pb(mass_gev: float, coupling: float, model: str) -> float:
    """Cross section of e+e- -> mu+mu- X times BR(X -> tau tau), pb.

    Parameters
    ----------
    mass_gev
        Within :data:`MASS_RANGE_GEV`.
    coupling
        xi of the scalar; c_ll / Lambda of the axion-like particle, 1/TeV.
    model
        ``"scalar"`` or ``"alp"``.

    Raises
    ------
    OptionError
        The mass lies outside, or the model is unknown.
    """
    boson, _, muon = _of(model)
    low, high = MASS_RANGE_GEV
    if not low < mass_gev <= high:
        raise OptionError(
            f"a leptophilic {model} of {mass_gev:g} GeV: conversions hold from {low:.3f} to "
            f"{high:g} GeV"
        )
    rate = tree_cross_section_pb(mass_gev, boson=boson)
    return (coupling * muon) ** 2 * rate * tau_fraction(mass_gev, model)


def size(mass_gev: float, cross_section_pb_: float, model: str) -> float:
    """Coupling of a cross section in pb: the inverse of :func:`cross_section_pb`.

    Raises
    ------
    OptionError
        As there, or the cross section is negative.
    """
    if cross_section_pb_ < 0.0:
        raise OptionError(f"a cross section of {cross_section_pb_} pb has no coupling")
    return math.sqrt(cross_section_pb_ / cross_section_pb(mass_gev, 1.0, model))
