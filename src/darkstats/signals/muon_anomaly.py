"""The anomalous magnetic moment of the muon, and what a Z' adds to it.

``Delta a = (g'^2 / 8 pi^2) int_0^1 dx 2 m^2 x^2 (1 - x) / (x^2 m^2 + (1 - x) M^2)``
(Endo, Hamaguchi, Mishima, arXiv:1209.2558): ``g'^2 / 8 pi^2`` for M << m, and
``g'^2 m^2 / (12 pi^2 M^2)`` for M >> m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.constants import M_MUON_GEV

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray

__all__ = ["INPUTS", "MuonAnomaly", "contribution", "coupling_band", "coupling_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MuonAnomaly:
    """Measured minus predicted anomaly, with its standard error and where they come from."""

    difference: float
    error: float
    source: str


#: By year. The 2025 prediction agrees with the measurement: no band is favoured any more.
INPUTS: Mapping[int, MuonAnomaly] = MappingProxyType(
    {
        2021: MuonAnomaly(
            difference=251e-11,
            error=59e-11,
            source="measurement 2021 against the prediction of 2020 (arXiv:2104.03281)",
        ),
        2023: MuonAnomaly(
            difference=249e-11,
            error=48e-11,
            source="measurement 2023 (arXiv:2308.06230) against the prediction of 2020",
        ),
        2025: MuonAnomaly(
            difference=38e-11,
            error=63e-11,
            source="average of 2025 (arXiv:2506.03069) against the prediction of 2025, "
            "116592033(62)e-11 (arXiv:2505.21476)",
        ),
    }
)


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    return nodes, weights


def contribution(mass_gev: float, coupling: float) -> float:
    """Delta a of the muon from a Z' with vector coupling g'.

    Raises
    ------
    OptionError
        The mass is negative.
    """
    if mass_gev < 0.0:
        raise OptionError(f"a mass of {mass_gev} GeV is negative")
    nodes, weights = _nodes()
    # x = 1 - exp(-t): resolves the end at x = 1 that a heavy Z' leaves, and the one of a light Z'.
    top = 40.0
    t = 0.5 * top * (nodes + 1.0)
    rest = np.exp(-t)
    x = -np.expm1(-t)
    integrand = 2.0 * M_MUON_GEV**2 * x**2 * rest / (x**2 * M_MUON_GEV**2 + rest * mass_gev**2)
    total = float((weights * integrand * rest).sum()) * 0.5 * top
    return coupling**2 / (8.0 * math.pi**2) * total


def coupling_for(mass_gev: float, difference: float) -> float:
    """Coupling g' that adds ``difference``.

    Raises
    ------
    OptionError
        The difference is negative: a vector coupling adds.
    """
    if difference < 0.0:
        raise OptionError(f"a vector coupling cannot lower the anomaly by {-difference:g}")
    return math.sqrt(difference / contribution(mass_gev, 1.0))


def coupling_band(
    mass_gev: float, year: int, n_sigma: float = 2.0
) -> tuple[float | None, float | None]:
    """Lower and upper edge of g' at ``n_sigma``; None where an edge does not exist.

    Raises
    ------
    OptionError
        There are no inputs of that year.
    """
    if year not in INPUTS:
        raise OptionError(f"no inputs of {year}: choose one of {', '.join(map(str, INPUTS))}")
    inputs = INPUTS[year]
    low, high = (inputs.difference + sign * n_sigma * inputs.error for sign in (-1.0, 1.0))
    lower = coupling_for(mass_gev, low) if low > 0.0 else None
    return lower, coupling_for(mass_gev, high) if high > 0.0 else None
