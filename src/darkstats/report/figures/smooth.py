"""A smooth curve through computed points, for the eye; the numbers stay those of the points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray

__all__ = ["p_curve"]

_BETWEEN = 12  # points drawn between two computed ones


def p_curve(
    mu: Sequence[float], p: Sequence[float], kink: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """A curve of p-values against signal strength that can be drawn on a logarithmic axis.

    The logarithm is interpolated by a monotone cubic: the curve runs through all points, and rises
    or falls between two of them as they do. Points at 0, below any floating-point number, are left
    out, so that the curve ends there.

    Parameters
    ----------
    mu, p
        Rising signal strengths and their p-values. Shapes [point].
    kink
        Where the curve has a corner, as a p-value that is bounded at the best fit has: the two
        sides are interpolated apart, and joined by a straight line.

    Returns
    -------
    tuple
        Signal strengths and p-values, denser. Shapes [more].
    """
    x, y = np.asarray(mu, dtype=float), np.asarray(p, dtype=float)
    good = np.isfinite(y) & (y > 0.0)
    x, y = x[good], np.log(y[good])
    if kink is None or not (x.size and x[0] < kink < x[-1]):
        pieces = [(x, y)]
    else:
        pieces = [(x[x <= kink], y[x <= kink]), (x[x > kink], y[x > kink])]
    curves = [_monotone(*piece) for piece in pieces]
    return np.concatenate([c[0] for c in curves]), np.exp(np.concatenate([c[1] for c in curves]))


def _monotone(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Piecewise cubic of Fritsch and Carlson (SIAM J. Numer. Anal. 17 (1980) 238) on a finer grid.

    Slopes at inner points are weighted harmonic means of those beside them, 0 at a turn (Fritsch
    and Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300); at the ends, those of the chords.
    """
    if len(x) < 3:
        return x, y
    h, chord = np.diff(x), np.diff(y) / np.diff(x)
    left, right = chord[:-1], chord[1:]
    slope = np.concatenate([chord[:1], np.zeros(len(x) - 2), chord[-1:]])
    same = left * right > 0.0
    one, two = h[:-1] + 2.0 * h[1:], 2.0 * h[:-1] + h[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (one + two) / (two / left + one / right)
    slope[1:-1] = np.where(same, mean, 0.0)
    t = np.arange(_BETWEEN) / _BETWEEN
    k = np.repeat(np.arange(len(h)), _BETWEEN)
    u = np.tile(t, len(h))
    value = (
        y[k] * (1.0 + 2.0 * u) * (1.0 - u) ** 2
        + h[k] * slope[k] * u * (1.0 - u) ** 2
        + y[k + 1] * u**2 * (3.0 - 2.0 * u)
        + h[k] * slope[k + 1] * u**2 * (u - 1.0)
    )
    return np.append(x[k] + h[k] * u, x[-1]), np.append(value, y[-1])
