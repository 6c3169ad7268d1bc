"""Limits of thousands of toys: Laplace's approximation with little or no correction, no gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError, PosteriorError
from darkstats.inference.bayes.importance import proposal
from darkstats.inference.bayes.laplace import LaplaceOptions, log_mean, log_weights
from darkstats.inference.bayes.problem import (
    PosteriorProblem,
    Ranges,
    chebyshev,
    gaussian_at,
    log_height,
    posterior_from,
    resolved,
    strengths,
)
from darkstats.inference.bayes.rows import rows_of

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import LaneData

__all__ = ["quick_limits"]

_QUICK = LaplaceOptions(points=16, replicates=4, nodes=13)
_MOST_QUICK = 12  # nuisance parameters with which few points still help


def quick_limits(
    problem: PosteriorProblem, counts: LaneData, *, cl: float, seed: int = 0
) -> FloatArray:
    """Limits without gates, for toys: Gaussian at the mode, and few points in few dimensions.

    NaN where there is none. Shapes: [obs, bin] -> [obs].
    """
    counts = rows_of(problem.density.model, counts)
    ranges = Ranges.of(problem, counts)
    limits = np.full(len(counts), np.nan)
    usable = np.flatnonzero([found is None for found in ranges.problem])
    if not len(usable):
        return limits
    y = chebyshev(_QUICK.nodes)
    mu = strengths(ranges.low[usable], ranges.high[usable], y)
    rows = counts[usable]
    total, lanes = gaussian_at(problem, rows, mu)
    if 0 < problem.density.n <= _MOST_QUICK:
        thrown = proposal(
            problem.density.n,
            _QUICK.points,
            replicates=_QUICK.replicates,
            seed=seed,
            digest=problem.density.model.digest,
        )
        weights = log_weights(problem, rows, lanes, thrown)
        total = total + log_mean(weights, (1, 2)).reshape(total.shape)
    for i, row in enumerate(usable):
        if not np.isfinite(total[i]).all() or not resolved(log_height(problem, mu[i], total[i])):
            continue
        try:
            found = posterior_from(problem.prior, ranges.low[row], ranges.high[row], y, total[i])
            limits[row] = found.quantile(cl)
        except (PosteriorError, NotCertifiedError):
            continue  # stays NaN, and is counted as a failed toy
    return limits
