"""B -> K X and B -> K* X for a light scalar by mixing, B -> K a for a particle coupled to W bosons.

Scalar (arXiv:0911.4938, arXiv:1809.01876):
``h = (m_b / v) 3 sqrt(2) G_F m_t^2 V_ts* V_tb / (16 pi^2) sin(theta)``,
``Gamma = |h|^2 / (64 pi m_B^3) ((m_B^2 - m_K^2) / (m_b - m_s))^2 f0^2 lam^(1/2)``.

Axion-like particle (arXiv:1611.09355):
``g_bs = -3 sqrt(2) G_F m_W^2 g_aW / (16 pi^2) V_tb V_ts* f(m_t^2 / m_W^2)``,
``f(x) = x (1 + x (ln x - 1)) / (1 - x)^2``,
``Gamma = m_B^3 / (64 pi) |g_bs|^2 (1 - m_K^2 / m_B^2)^2 f0^2 lam^(1/2)``.

Form factor ``f0(q^2) = 0.33 / (1 - q^2 / 38.46 GeV^2)``. Against published conversions the scalar
rate is low by up to 20 %, and the coupling of the axion-like particle within 35 %.

With a K*(892) in the place of the kaon, and ``lam = lam(m_B^2, m_K*^2, m^2)`` in GeV^4,
``Gamma = |h|^2 / (64 pi m_B^3) A0^2 lam^(3/2) / (m_b + m_s)^2`` (arXiv:1809.01876), and
``A0(q^2) = 1.364 / (1 - q^2 / m_B^2) - 0.990 / (1 - q^2 / 36.78 GeV^2)`` (hep-ph/0412079, table 8,
from memory, certainty B; its value 0.374 at q^2 = 0 has an error of 9 %, so the rate one of 18 %).
"""

from __future__ import annotations

import math

from darkstats.errors import OptionError
from darkstats.signals.constants import HBAR_C_GEV_MM

__all__ = [
    "M_B_GEV",
    "M_KAON_GEV",
    "M_KSTAR_GEV",
    "axion_branching",
    "scalar_branching",
    "scalar_branching_kstar",
]

M_B_GEV, M_KAON_GEV, M_KSTAR_GEV = 5.27941, 0.493677, 0.89555
_M_BOTTOM_GEV, _M_STRANGE_GEV, _M_TOP_GEV, _M_W_GEV = 4.8, 0.095, 165.0, 80.362
_FERMI_IGEV2, _V_TS = 1.1663788e-5, 0.0405
_LIFE_GEV = 0.2998 * 1.638 / HBAR_C_GEV_MM  # c tau of the B+ in mm: 1.638 ps (PDG)
_LIFE_NEUTRAL_GEV = 0.2998 * 1.517 / HBAR_C_GEV_MM  # of the B0: 1.517 ps (PDG)
_POLE_GEV2, _FORM_0 = 38.46, 0.33


def _triangle(mass_gev: float) -> float:
    """Square root of lam(1, m_K^2 / m_B^2, m^2 / m_B^2).

    Raises
    ------
    OptionError
        The mass is not above zero, or out of reach.
    """
    if not 0.0 < mass_gev < M_B_GEV - M_KAON_GEV:
        raise OptionError(f"{mass_gev:g} GeV cannot be made in B -> K X")
    y, x = (M_KAON_GEV / M_B_GEV) ** 2, (mass_gev / M_B_GEV) ** 2
    return math.sqrt(1.0 + x**2 + y**2 - 2.0 * (x + y + x * y))


def _form_factor(mass_gev: float) -> float:
    return _FORM_0 / (1.0 - mass_gev**2 / _POLE_GEV2)


def _mixing_loop() -> float:
    """Coupling h of the scalar to b and s quarks, for sin(theta) = 1."""
    loop = 3.0 * math.sqrt(2.0) * _FERMI_IGEV2 * _M_TOP_GEV**2 * _V_TS / (16.0 * math.pi**2)
    return _M_BOTTOM_GEV * math.sqrt(math.sqrt(2.0) * _FERMI_IGEV2) * loop  # 1/v^2 = sqrt(2) G_F


def scalar_branching(mass_gev: float) -> float:
    """BR(B+ -> K+ S) for sin(theta) = 1.

    Raises
    ------
    OptionError
        The mass is out of reach.

    Examples
    --------
    >>> round(scalar_branching(1.0), 2)
    0.4
    """
    root = _triangle(mass_gev)
    scale = (M_B_GEV**2 - M_KAON_GEV**2) / (_M_BOTTOM_GEV - _M_STRANGE_GEV)
    size = (_mixing_loop() * scale * _form_factor(mass_gev)) ** 2
    return size / (64.0 * math.pi * M_B_GEV) * root * _LIFE_GEV


def scalar_branching_kstar(mass_gev: float) -> float:
    """BR(B0 -> K*(892)0 S) for sin(theta) = 1, K*0 decays of all kinds.

    Raises
    ------
    OptionError
        The mass is out of reach.

    Examples
    --------
    >>> round(scalar_branching_kstar(1.0), 2)
    0.41
    """
    if not 0.0 < mass_gev < M_B_GEV - M_KSTAR_GEV:
        raise OptionError(f"{mass_gev:g} GeV cannot be made in B -> K* X")
    q2 = mass_gev**2
    form = 1.364 / (1.0 - q2 / M_B_GEV**2) - 0.990 / (1.0 - q2 / 36.78)
    sum_, difference = M_KSTAR_GEV + mass_gev, M_KSTAR_GEV - mass_gev
    lam = (M_B_GEV**2 - sum_**2) * (M_B_GEV**2 - difference**2)
    size = (_mixing_loop() * form / (_M_BOTTOM_GEV + _M_STRANGE_GEV)) ** 2
    return float(size * lam**1.5 / (64.0 * math.pi * M_B_GEV**3) * _LIFE_NEUTRAL_GEV)


def axion_branching(mass_gev: float) -> float:
    """BR(B+ -> K+ a) for g_aW = 1/GeV.

    Raises
    ------
    OptionError
        The mass is out of reach.

    Examples
    --------
    >>> round(axion_branching(0.3), -1)
    1750.0
    """
    root = _triangle(mass_gev)
    x = (_M_TOP_GEV / _M_W_GEV) ** 2
    loop = x * (1.0 + x * (math.log(x) - 1.0)) / (1.0 - x) ** 2
    size = 3.0 * math.sqrt(2.0) * _FERMI_IGEV2 * _M_W_GEV**2 / (16.0 * math.pi**2) * _V_TS * loop
    share = (1.0 - (M_KAON_GEV / M_B_GEV) ** 2) ** 2
    width = M_B_GEV**3 / (64.0 * math.pi) * size**2 * share * _form_factor(mass_gev) ** 2 * root
    return width * _LIFE_GEV
