"""Importance sampling about a Gaussian approximation: points, weights, and whether to trust them.

Points come in pairs of opposite sign, which cancels what is odd in the logarithm of the weight, and
in low dimension from a shifted lattice, whose error falls faster than that of random points. They
are the same for all signal strengths, so that errors of a likelihood ratio nearly cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.streams import keyed_generator

__all__ = [
    "Proposal",
    "effective_size",
    "normal_quantile",
    "pareto_k",
    "proposal",
    "tempered",
]

_MOST_LATTICE = 10  # dimensions up to which the lattice is used
_WIDER = (0.0, 1.5, 0.0, 3.0)  # excess width of each kind in one dimension
_STREAM = 7  # word of the random stream's key: never renumber


def normal_quantile(p: FloatArray) -> FloatArray:
    """Quantiles of the standard normal distribution; M. J. Wichura, AS 241 (PPND7), to 1e-7.

    Precise enough to place points; their density is computed from where they are.
    """
    q = p - 0.5
    central = np.abs(q) <= 0.425
    r = 0.180625 - q * q
    middle = q * (
        ((5.9109374720e1 * r + 1.5929113202e2) * r + 5.0434271938e1) * r + 3.3871327179
    ) / (((6.7187563600e1 * r + 7.8757757664e1) * r + 1.7895169469e1) * r + 1.0)  # fmt: skip
    tail = np.sqrt(-np.log(np.clip(np.minimum(p, 1.0 - p), 1e-300, 0.5)))
    r = tail - 1.6
    near = (
        ((1.7023821103e-1 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
    ) / ((1.2021132975e-1 * r + 7.3700164250e-1) * r + 1.0)  # fmt: skip
    r = tail - 5.0
    far = (
        ((1.7337203997e-2 * r + 4.2868294337e-1) * r + 3.0812263860) * r + 6.6579051150
    ) / ((1.2258202635e-2 * r + 2.4197894225e-1) * r + 1.0)  # fmt: skip
    outer = np.where(tail <= 5.0, near, far)
    return np.where(central, middle, np.where(q < 0.0, -outer, outer))


@dataclass(frozen=True, slots=True)
class Proposal:
    """Points about 0 with unit covariance, and the logarithm of what their weight is divided by.

    ``points`` [replicate, point, z]; ``log_density`` [replicate, point], relative to
    ``(2 pi)^(-n/2)``.
    """

    points: FloatArray
    log_density: FloatArray


def proposal(
    dimensions: int, points: int, *, replicates: int, seed: int, digest: str, purpose: int = 0
) -> Proposal:
    """Points from a mixture of normal laws: half of unit width, the others wider.

    Parameters
    ----------
    dimensions
        Number of coordinates.
    points
        Points of each replicate, a multiple of 8.
    replicates
        Independent sets, whose scatter gives the error.
    seed, digest, purpose
        Key of the random stream: points that shape a proposal are not those that use it.
    """
    rng = keyed_generator(seed, digest, _STREAM, purpose)
    half = points // 2
    if dimensions == 0:
        return Proposal(np.zeros((replicates, points, 0)), np.zeros((replicates, points)))
    if dimensions <= _MOST_LATTICE:
        root = 2.0  # of x^(n+1) = x + 1: the lattice that generalises the golden ratio
        for _ in range(60):
            root = (1.0 + root) ** (1.0 / (dimensions + 1.0))
        steps = root ** -np.arange(1.0, dimensions + 1.0)
        shift = rng.uniform(size=(replicates, 1, dimensions))
        uniform = (shift + np.arange(1, half + 1)[:, np.newaxis] * steps) % 1.0
        normal = normal_quantile(np.clip(uniform, 1e-12, 1.0 - 1e-12))
    else:
        normal = rng.standard_normal((replicates, half, dimensions))
    wide = 1.0 + np.array(_WIDER) * dimensions**-0.75
    scale = wide[np.arange(half) % len(_WIDER)][:, np.newaxis]
    both = np.concatenate([normal * scale, -normal * scale], axis=1)
    square = (both * both).sum(axis=2)
    parts = -0.5 * square[..., np.newaxis] / wide**2 - dimensions * np.log(wide)
    peak = parts.max(axis=-1)
    log_density = peak + np.log(np.exp(parts - peak[..., np.newaxis]).mean(axis=-1))
    return Proposal(both, log_density)


def tempered(log_weight: FloatArray, wanted: float) -> FloatArray:
    """Weights to a power that leaves an effective number of points, normalised. Shape [point]."""
    low, high = 0.0, 1.0
    if effective_size(log_weight) < wanted:
        for _ in range(30):
            middle = 0.5 * (low + high)
            enough = effective_size(middle * log_weight) >= wanted
            low, high = (middle, high) if enough else (low, middle)
    weight = np.exp(high * (log_weight - np.max(log_weight)))
    result: FloatArray = weight / weight.sum()
    return result


def effective_size(log_weight: FloatArray) -> FloatArray:
    """Effective number of points, (sum w)^2 / sum w^2, over the last axis; 0 if a weight is none.

    Minus infinity is a weight of zero; not a number, or plus infinity, is a failure.
    """
    peak = np.max(log_weight, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        weight = np.exp(log_weight - np.where(np.isfinite(peak), peak, 0.0))
    weight = np.where(np.isfinite(peak), weight, 0.0)
    square = (weight**2).sum(axis=-1)
    return np.where(square > 0.0, weight.sum(axis=-1) ** 2 / np.where(square > 0, square, 1.0), 0.0)


def pareto_k(log_weight: FloatArray) -> float:
    """Shape of the generalised Pareto tail of the weights; above 0.7 they are not to be trusted.

    A. Vehtari et al., arXiv:1507.02646; the estimate of J. Zhang, M. A. Stephens, Technometrics 51
    (2009) 316, with their weak prior. Shape [point]. Infinite where the weights are no numbers.
    """
    n = len(log_weight)
    if not np.isfinite(np.max(log_weight)):
        return math.inf  # no weight at all, or one that failed
    m = int(min(0.2 * n, 3.0 * math.sqrt(n)))
    ordered = np.sort(np.exp(log_weight - np.max(log_weight)))
    x = ordered[n - m :] - ordered[n - m - 1]
    if m < 5 or not x[-1] > 0.0:
        return 0.0
    x = np.maximum(x, 1e-300)
    grid = 20 + int(math.sqrt(m))
    quartile = x[int(m / 4 + 0.5) - 1]
    j = np.arange(1, grid + 1)
    theta = 1.0 / x[-1] + (1.0 - np.sqrt(grid / (j - 0.5))) / (3.0 * max(float(quartile), 1e-300))
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.log1p(-theta[:, np.newaxis] * x).mean(axis=1)
        log_likelihood = m * (np.log(-theta / k) - k - 1.0)
        weight = 1.0 / np.exp(
            np.minimum(log_likelihood[np.newaxis, :] - log_likelihood[:, np.newaxis], 700.0)
        ).sum(axis=1)
    usable = np.isfinite(weight)
    if not usable.any():
        return 1.0
    best = float((theta[usable] * weight[usable]).sum() / weight[usable].sum())
    shape = float(np.log1p(-best * x).mean())
    if not math.isfinite(shape):
        return math.inf
    return (m * shape + 10.0 * 0.5) / (m + 10.0)
