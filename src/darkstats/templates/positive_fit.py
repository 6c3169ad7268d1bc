"""Fits of non-negative sums of templates to an expected spectrum, while a search is built.

They judge a background before there are data. No number of a result comes from here: limits and
significances are those of the certified fits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["PositiveFit", "expected_limit", "fit_positive", "spurious_signal"]

_MOST_STEPS = 200
_ENOUGH = 1e-9  # of what a step can still gain, in units of the logarithm of the likelihood


@dataclass(frozen=True, slots=True, kw_only=True)
class PositiveFit:
    """Best sum of templates.

    Parameters
    ----------
    factors
        Of the templates. Shape [template].
    rates
        Their sum, and what is fixed. Shape [bin].
    deviance
        Twice the logarithm of the likelihood ratio to rates that equal the contents.
    """

    factors: FloatArray = field(repr=False)
    rates: FloatArray = field(repr=False)
    deviance: float


def fit_positive(
    rows: FloatArray, contents: FloatArray, *, fixed: FloatArray | None = None
) -> PositiveFit:
    """Maximise the Poisson likelihood over non-negative factors.

    Newton's method: each step is a non-negative least-squares problem, shortened where it must be.

    Parameters
    ----------
    rows
        Templates; those without sign are given twice, with both. Shape [template, bin].
    contents
        Of the bins, not necessarily whole. Shape [bin].
    fixed
        Rates beside the templates. Shape [bin].

    Raises
    ------
    NotCertifiedError
        The steps do not converge.
    """
    offset = np.zeros(len(contents)) if fixed is None else fixed
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-300)
    basis = rows / scale[:, None]

    weighted = basis / np.maximum(contents, 1e-3 * max(float(contents.max()), 1e-9))
    factors = _least_squares(weighted @ basis.T, weighted @ (contents - offset))
    rates = offset + factors @ basis
    if np.any(rates <= 0.0):  # begin with all templates there
        factors = np.full(len(rows), max(float((contents - offset).sum()), 1e-3) / basis.sum())
        rates = offset + factors @ basis
        if np.any(rates <= 0.0):
            raise _failed(rows, contents)
    value = _deviance(contents, rates)
    for _ in range(_MOST_STEPS):
        slope = 1.0 - contents / rates
        curvature = np.maximum(contents / rates**2, 1e-9 / rates)
        better = _least_squares(
            (basis * curvature) @ basis.T, basis @ (curvature * (rates - offset) - slope)
        )
        change = (better - factors) @ basis
        gain = -2.0 * float(change @ slope)
        if gain < _ENOUGH:
            return PositiveFit(factors=factors / scale, rates=rates, deviance=value)
        step, moved = 1.0, False
        for _ in range(60):
            trial = rates + step * change
            if np.all(trial > 0.0):
                new = _deviance(contents, trial)
                if new <= value - 1e-4 * step * gain:
                    factors, rates, value = factors + step * (better - factors), trial, new
                    moved = True
                    break
            step *= 0.5
        if not moved:
            if gain < 1e-6:  # rounding
                return PositiveFit(factors=factors / scale, rates=rates, deviance=value)
            break
    raise _failed(rows, contents)


def _failed(rows: FloatArray, contents: FloatArray) -> NotCertifiedError:
    return NotCertifiedError(
        f"a background of {len(rows)} templates cannot be fitted to an expected spectrum of "
        f"{contents.sum():.4g} events in {len(contents)} bins; try other orders or ranges"
    )


def _least_squares(gram: FloatArray, target: FloatArray) -> FloatArray:
    """Non-negative x with the least x.G.x / 2 - x.t (Lawson, Hanson, 1974, chapter 23)."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(gram), 1e-300))
    gram, target = gram * scale[:, None] * scale, target * scale
    n = len(target)
    x, free = np.zeros(n), np.zeros(n, dtype=bool)
    enough = 1e-12 * max(float(np.abs(target).max()), 1e-300)
    for _ in range(10 * n):
        slope = np.where(free, -np.inf, target - gram @ x)
        if slope.max() <= enough:
            break
        free[int(slope.argmax())] = True
        while True:
            best = np.zeros(n)
            index = np.flatnonzero(free)
            best[index] = _solved(gram[np.ix_(index, index)], target[index])
            if best[index].min() > 0.0:
                x = best
                break
            below = index[best[index] <= 0.0]
            step = float((x[below] / np.maximum(x[below] - best[below], 1e-300)).min())
            x = x + step * (best - x)
            free &= x > 1e-14 * max(float(x.max()), 1e-300)
            x[~free] = 0.0
            if not free.any():
                break
    return np.asarray(x * scale)


def _solved(matrix: FloatArray, target: FloatArray) -> FloatArray:
    try:
        found = np.linalg.solve(matrix, target)
    except np.linalg.LinAlgError:  # templates that depend on each other
        found = np.linalg.lstsq(matrix, target, rcond=1e-13)[0]
    return np.asarray(found)


def _deviance(contents: FloatArray, rates: FloatArray) -> float:
    some = contents > 0.0
    found = (rates - contents).sum()
    found += (contents[some] * np.log(contents[some] / rates[some])).sum()
    return float(2.0 * found)


def spurious_signal(
    background: FloatArray, signal: FloatArray, contents: FloatArray
) -> tuple[float, float]:
    """Signal that a fit finds in an expected spectrum without one.

    Parameters
    ----------
    background, signal
        Templates, and the signal of one unit. Shapes [template, bin], [bin].
    contents
        Expected contents without signal. Shape [bin].

    Returns
    -------
    tuple
        The estimate, in units of the signal, of either sign; and the signed root of the likelihood
        ratio to no signal, in standard deviations.
    """
    null = fit_positive(background, contents)
    free = fit_positive(np.vstack([background, signal, -signal]), contents)
    estimate = float(free.factors[-2] - free.factors[-1])
    root = np.sqrt(max(null.deviance - free.deviance, 0.0))
    return estimate, float(np.copysign(root, estimate))


def expected_limit(
    background: FloatArray, signal: FloatArray, contents: FloatArray, *, sigma: float = 1.959964
) -> float:
    """Signal at which the fitted background alone disagrees by so many standard deviations.

    The median upper limit with CLs at 95 %, without systematic errors; units of the signal.

    Raises
    ------
    NotCertifiedError
        No signal disagrees so much.
    """
    alone = fit_positive(background, contents).rates
    variance = np.maximum(alone, 1e-12)
    found = float(sigma / np.sqrt(max(float((signal**2 / variance).sum()), 1e-300)))
    for _ in range(60):
        deviance = fit_positive(background, alone, fixed=found * signal).deviance
        if deviance <= 0.0:
            found *= 2.0
            continue
        factor = float(np.clip(sigma / np.sqrt(deviance), 0.25, 4.0))
        found *= factor
        if abs(factor - 1.0) < 1e-4:
            return found
    raise NotCertifiedError(
        "no signal disagrees with the background that is fitted to the expected spectrum"
    )
