"""How CMS Combine interpolates, and how far HistFactory's codes are from it.

Sources: arXiv:2404.06614, section 2.3, and Combine's documentation, "Template shape uncertainties".
All curves agree with HistFactory's at -1, 0 and +1 standard deviation and beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray

__all__ = [
    "Distance",
    "asymmetric_power",
    "lognormal_distance",
    "smooth_step",
    "vertical_distance",
    "vertical_logarithmic",
]

_INSIDE = np.linspace(-1.0, 1.0, 401)


@dataclass(frozen=True, slots=True)
class Distance:
    """Largest relative difference to Combine within one standard deviation, by normsys code."""

    code1: float
    code4: float


def smooth_step(theta: FloatArray, region: float = 1.0) -> FloatArray:
    """Odd polynomial (3 x^5 - 10 x^3 + 15 x) / 8 of x = theta / region, and the sign beyond."""
    x = np.clip(theta / region, -1.0, 1.0)
    return x * (x * x * (3.0 * x * x - 10.0) + 15.0) / 8.0


def asymmetric_power(theta: FloatArray, low: float, high: float) -> FloatArray:
    """``lnN`` with two numbers: exp(theta log kappa(theta)), smooth within half a deviation.

    Parameters
    ----------
    theta
        Nuisance parameter in standard deviations. Shape [point].
    low, high
        Ratio of the yield at -1 and at +1.
    """
    up, down = np.log(high), -np.log(low)
    mean, half = 0.5 * (up + down), 0.5 * (up - down)
    return np.asarray(np.exp(theta * (mean + half * smooth_step(theta, 0.5))), dtype=np.float64)


def lognormal_distance(low: float, high: float) -> Distance:
    """Return how far both codes of a ``normsys`` are from ``lnN`` of the same two numbers."""
    wanted = asymmetric_power(_INSIDE, low, high)
    exponential = np.where(_INSIDE >= 0.0, high**_INSIDE, low ** (-_INSIDE))
    return Distance(
        code1=float(np.max(np.abs(exponential / wanted - 1.0))),
        code4=float(np.max(np.abs(_polynomial(low, high) / wanted - 1.0))),
    )


def _polynomial(low: float, high: float) -> FloatArray:
    """Code 4 within one standard deviation."""
    from darkstats.model.interpolation import normsys_coefficients

    coefficients = normsys_coefficients(high, low)[2:]
    powers = _INSIDE[:, None] ** np.arange(1, len(coefficients) + 1)
    return np.asarray(1.0 + powers @ coefficients, dtype=np.float64)


def vertical_distance(
    nominal: FloatArray, low: FloatArray, high: FloatArray, *, scale: float, region: float
) -> float:
    """Return how far code 4p of a ``histosys`` is from ``shape``, relative to the nominal yields.

    Zero unless templates that are not symmetric have another scale than the smallest of their
    process, or one above 1; or a bin falls below zero, where Combine cuts it.

    Parameters
    ----------
    nominal, low, high
        Yields, all of one sum. Shapes [bin].
    scale
        Factor on the nuisance parameter.
    region
        Smallest scale of the process, within which Combine smooths all its templates.
    """
    x = scale * _INSIDE[:, None]
    linear, bent = 0.5 * (high - low), 0.5 * (high + low - 2.0 * nominal)
    theirs = x * (linear + bent * smooth_step(x, region))
    ours = x * (linear + bent * smooth_step(_INSIDE[:, None]))
    cut = np.maximum(-nominal - theirs, 0.0)  # bins that Combine holds at zero
    return _relative(np.abs(ours - theirs - cut), nominal)


def vertical_logarithmic(
    nominal: FloatArray, low: FloatArray, high: FloatArray, *, scale: float, region: float
) -> float:
    """Return how far code 4p of a ``histosys`` is from ``shapeN``, relative to the nominal yields.

    ``shapeN`` interpolates logarithms of fractions. Bins that are empty in one of the templates are
    left out.
    """
    filled = (nominal > 0.0) & (low > 0.0) & (high > 0.0)
    if not filled.any():
        return 0.0
    logs = [np.log(one[filled] / one[filled].sum()) for one in (nominal, low, high)]
    middle, down, up = logs
    x = (scale * _INSIDE)[:, None]
    odd, even = up - down, up + down - 2.0 * middle
    exponent = middle + 0.5 * x * (odd + even * smooth_step(x, region))
    fractions = np.exp(exponent)
    fractions /= fractions.sum(axis=1, keepdims=True)
    total = nominal[filled].sum()
    inside = _INSIDE[:, None]
    ends = [fractions[0], fractions[-1]]
    base = nominal[filled] / total
    linear, bent = 0.5 * (ends[1] - ends[0]), 0.5 * (ends[1] + ends[0]) - base
    ours = base + inside * (linear + bent * smooth_step(inside))
    return _relative(np.abs(ours - fractions), base)


def _relative(shift: FloatArray, nominal: FloatArray) -> float:
    filled = nominal > 0.0
    return float(np.max(shift[:, filled] / nominal[filled])) if filled.any() else 0.0
