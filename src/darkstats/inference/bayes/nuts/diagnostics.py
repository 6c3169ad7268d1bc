"""Whether chains have forgotten where they began, and how much their draws are worth.

Rank-normalised split R-hat, and effective sample sizes of bulk and tails: A. Vehtari et al.,
Bayesian Analysis 16 (2021) 667 (arXiv:1903.08008). Arrays have shape [chain, draw].
"""

from __future__ import annotations

import math

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.inference.bayes.laplace.importance import normal_quantile

__all__ = ["bulk_size", "quantile_error", "r_hat", "split", "tail_size"]


def split(draws: FloatArray) -> FloatArray:
    """Each chain as two halves."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _normalised(draws: FloatArray) -> FloatArray:
    """Ranks (means of tied ones), as normal scores."""
    flat = draws.ravel()
    values, place, number = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(number)
    rank = (last - 0.5 * (number - 1))[place]
    if len(values) == 1:
        return np.zeros_like(draws)
    score = normal_quantile((rank - 0.375) / (len(flat) + 0.25))
    return score.reshape(draws.shape)


def _plain_r_hat(draws: FloatArray) -> float:
    n = draws.shape[1]
    within = float(draws.var(axis=1, ddof=1).mean())
    between = float(n * draws.mean(axis=1).var(ddof=1))
    if not within > 0.0:
        return math.inf  # chains that stand still have shown nothing, least of all agreement
    return math.sqrt(((n - 1) / n * within + between / n) / within)


def r_hat(draws: FloatArray) -> float:
    """Rank-normalised split R-hat: of the draws, or of their distance to the median if larger.

    Infinite where a draw is no number, or no chain moved.
    """
    if not np.isfinite(draws).all():
        return math.inf
    halves = split(draws)
    folded = np.abs(halves - np.median(halves))
    return max(_plain_r_hat(_normalised(halves)), _plain_r_hat(_normalised(folded)))


def _effective(draws: FloatArray) -> float:
    """Effective sample size, from autocorrelations by Geyer's initial monotone sequence.

    Draws that are all the same, or no numbers, are worth nothing.
    """
    chains, n = draws.shape
    if n < 4 or not np.isfinite(draws).all():
        return 0.0
    centred = draws - draws.mean(axis=1, keepdims=True)
    size = 2 ** math.ceil(math.log2(2 * n))
    spectrum = np.fft.rfft(centred, size, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, :n].mean(axis=0) / n
    within = covariance[0] * n / (n - 1.0)
    total = within * (n - 1.0) / n
    if chains > 1:
        total += float(draws.mean(axis=1).var(ddof=1))
    if not total > 0.0:
        return 0.0
    rho = 1.0 - (within - covariance * n / (n - 1.0)) / total
    rho[0] = 1.0
    pairs = rho[0 : 2 * (n // 2) : 2] + rho[1 : 2 * (n // 2) : 2]
    negative = np.flatnonzero(pairs < 0.0)
    stop = int(negative[0]) if len(negative) else len(pairs)
    kept = np.minimum.accumulate(pairs[: max(stop, 1)])
    time = max(-1.0 + 2.0 * float(kept.sum()), 1.0 / math.log10(chains * n))
    return float(chains * n / time)


def bulk_size(draws: FloatArray) -> float:
    """Effective number of draws for the centre of the distribution."""
    if not np.isfinite(draws).all():
        return 0.0  # ranks would hide it
    return _effective(_normalised(split(draws)))


def tail_size(draws: FloatArray) -> float:
    """Effective number of draws for the 5 % and 95 % quantiles, the smaller."""
    if not np.isfinite(draws).all():
        return 0.0
    halves = split(draws)
    return min(
        _effective((halves <= np.quantile(halves, p)).astype(np.float64)) for p in (0.05, 0.95)
    )


def quantile_error(draws: FloatArray, probability: float) -> float:
    """Monte Carlo standard error of a quantile: half the width of its central 68 % interval."""
    halves = split(draws)
    at = np.quantile(halves, probability)
    size = max(_effective((halves <= at).astype(np.float64)), 1.0)
    spread = math.sqrt(probability * (1.0 - probability) / size)
    low, high = np.quantile(
        halves, [max(probability - spread, 0.0), min(probability + spread, 1.0)]
    )
    return 0.5 * float(high - low)
