"""Rates of a HistFactory model with first and second derivatives, compiled; nothing of darkstats.

Products are built factor by factor: each factor depends on one parameter, so that value, gradient
and Hessian of a product follow from the rule for ``u v``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from tests.peers.plain_likelihoods import Array

FACTOR, NORMSYS, HISTOSYS, BINWISE = 0, 1, 2, 3


@numba.njit(cache=True)
def normsys(alpha: float, numbers: Array) -> tuple[float, float, float]:
    """Code 4: ``numbers`` are the six coefficients, hi and lo."""
    if abs(alpha) >= 1.0:
        rate = math.log(numbers[6]) if alpha > 0.0 else -math.log(numbers[7])
        value = math.exp(alpha * rate)
        return value, value * rate, value * rate * rate
    value, first, second = 0.0, 0.0, 0.0
    for k in range(5, -1, -1):
        second = second * alpha + 2.0 * first
        first = first * alpha + value
        value = value * alpha + numbers[k]
    # value is the sum c_k alpha^(k-1): multiply by alpha
    return 1.0 + value * alpha, value + first * alpha, 2.0 * first + second * alpha


@numba.njit(cache=True)
def histosys(alpha: float, nominal: float, hi: float, lo: float) -> tuple[float, float, float]:
    """Code 4p: shift and two derivatives."""
    if alpha >= 1.0:
        return alpha * (hi - nominal), hi - nominal, 0.0
    if alpha <= -1.0:
        return alpha * (nominal - lo), nominal - lo, 0.0
    s, a, q = 0.5 * (hi - lo), (hi + lo - 2.0 * nominal) / 16.0, alpha * alpha
    return (
        alpha * (s + alpha * a * (15.0 + q * (3.0 * q - 10.0))),
        s + a * alpha * (30.0 + q * (18.0 * q - 40.0)),
        a * (30.0 + q * (90.0 * q - 120.0)),
    )


@numba.njit(cache=True)
def rates(
    theta: Array,
    samples: Array,
    nominal: Array,
    steps: Array,
    numbers: Array,
    n_bins: int,
    order: int,
) -> tuple[Array, Array, Array]:
    """Rates [bin], gradients [bin, par], Hessians [bin, par, par]; empty above ``order``.

    ``samples`` rows: first bin, last bin, place in ``nominal``, first and last step. ``steps``
    rows: kind, parameter, place in ``numbers``.
    """
    n = len(theta)
    m = n if order else 0
    total, slopes = np.zeros(n_bins), np.zeros((n_bins, m))
    curves = np.zeros((n_bins, m, m))
    for row in samples:
        for b in range(row[0], row[1]):
            i = b - row[0]
            base = nominal[row[2] + i]
            v = base
            g, h = np.zeros(m), np.zeros((m, m))
            for k in range(row[3], row[4]):
                if steps[k, 0] == HISTOSYS:
                    p, at = steps[k, 1], steps[k, 2]
                    width = row[1] - row[0]
                    d0, d1, d2 = histosys(theta[p], base, numbers[at + i], numbers[at + width + i])
                    v += d0
                    if order:
                        g[p] += d1
                        h[p, p] += d2
            for k in range(row[3], row[4]):
                kind, p, at = steps[k, 0], steps[k, 1], steps[k, 2]
                if kind == HISTOSYS:
                    continue
                f0, f1, f2 = theta[p], 1.0, 0.0
                if kind == BINWISE:
                    p += i
                    f0 = theta[p]
                elif kind == NORMSYS:
                    f0, f1, f2 = normsys(theta[p], numbers[at : at + 8])
                if order:
                    for r in range(m):
                        for c in range(m):
                            h[r, c] *= f0
                    for r in range(m):
                        h[r, p] += f1 * g[r]
                        h[p, r] += f1 * g[r]
                    h[p, p] += f2 * v
                    for r in range(m):
                        g[r] *= f0
                    g[p] += f1 * v
                v *= f0
            total[b] += v
            if order:
                slopes[b] += g
                curves[b] += h
    return total, slopes, curves


@numba.njit(cache=True)
def poisson_term(mean: float, n: float) -> float:
    """Half a Poisson deviance without cancellation; infinite where impossible."""
    if n <= 0.0:
        return max(mean, 0.0)
    if not mean > 0.0:
        return math.inf
    d = (mean - n) / n
    if abs(d) < 1e-3:
        return n * d * d * (0.5 + d * (-1.0 / 3.0 + d * (0.25 + d * (-0.2 + d / 6.0))))
    return n * (d - math.log(mean / n))


@numba.njit(cache=True)
def objective(
    theta: Array,
    counts: Array,
    auxdata: Array,
    kinds: Array,
    widths: Array,
    stiffness: float,
    samples: Array,
    nominal: Array,
    steps: Array,
    numbers: Array,
    order: int,
) -> tuple[float, Array, Array]:
    """Minus log of the likelihood ratio to saturation, gradient [par], Hessian [par, par]."""
    n = len(theta)
    m = n if order else 0
    mean, slopes, curves = rates(theta, samples, nominal, steps, numbers, len(counts), order)
    value, g, h = 0.0, np.zeros(m), np.zeros((m, m))
    for b in range(len(counts)):
        if not math.isfinite(mean[b]):
            return math.inf, g, h
        value += poisson_term(mean[b], counts[b])
        if not math.isfinite(value):
            return math.inf, g, h
        below = counts[b] <= 0.0 and mean[b] < 0.0
        if below:
            value += 0.5 * stiffness * mean[b] ** 2
        if order:
            if below:
                first, second = stiffness * mean[b], stiffness
            elif counts[b] > 0.0:
                first, second = (mean[b] - counts[b]) / mean[b], counts[b] / mean[b] ** 2
            else:
                first, second = 1.0, 0.0
            for r in range(m):
                g[r] += first * slopes[b, r]
                for c in range(m):
                    h[r, c] += first * curves[b, r, c] + second * slopes[b, r] * slopes[b, c]
    for p in range(n):
        if kinds[p] == 1:
            pull = (theta[p] - auxdata[p]) / widths[p]
            value += 0.5 * pull * pull
            if order:
                g[p] += pull / widths[p]
                h[p, p] += 1.0 / widths[p] ** 2
        elif kinds[p] == 2:
            value += poisson_term(widths[p] * theta[p], auxdata[p])
            if order:
                g[p] += widths[p] - auxdata[p] / theta[p]
                h[p, p] += auxdata[p] / theta[p] ** 2
    return value, g, h
