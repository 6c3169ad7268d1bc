"""Limits of thousands of toys: Laplace's approximation with little or no correction.

They rank toys and are quoted nowhere by themselves: the toys at the quantiles of a band go through
the certified engine and its gate, see :mod:`darkstats.inference.bayes.expected`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError, PosteriorError
from darkstats.inference.bayes.laplace.approximation import log_weights
from darkstats.inference.bayes.laplace.from_nodes import LaplaceOptions, log_mean
from darkstats.inference.bayes.laplace.importance import effective_size, proposal
from darkstats.inference.bayes.laplace.ridges import Ridges, ridge_weights
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

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.inference.bayes.laplace.importance import Proposal
    from darkstats.inference.bayes.problem import Lanes
    from darkstats.model import LaneData

__all__ = ["quick_limits"]

_QUICK = LaplaceOptions(points=16, replicates=4, nodes=13)
_MOST_QUICK = 12  # nuisance parameters with which few points still help
_RELEVANT = 7.0  # fall of the log-posterior within which weights must be even
_LEAST_SHARE = 0.1  # effective share of points below which they are not


def quick_limits(
    problem: PosteriorProblem, counts: LaneData, *, cl: float, seed: int = 0
) -> FloatArray:
    """Limits that rank toys: Gaussian at the mode, and few points in few dimensions.

    NaN where there is none. Shapes: [obs, bin] -> [obs].
    """
    counts = problem.density.model.lanes_of(counts)
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
        weights = weights.reshape(*total.shape, _QUICK.replicates, _QUICK.points)
        for i in _uneven(problem, mu, total, weights):
            mine = np.arange(i * _QUICK.nodes, (i + 1) * _QUICK.nodes)
            along = _along_the_ridge(problem, rows, lanes.chosen(mine), thrown, total[i])
            weights[i] = weights[i] if along is None else along
        total = total + log_mean(weights, (2, 3))
    for i, row in enumerate(usable):
        if not np.isfinite(total[i]).all() or not resolved(log_height(problem, mu[i], total[i])):
            continue
        try:
            found = posterior_from(problem.prior, ranges.low[row], ranges.high[row], y, total[i])
            limits[row] = found.quantile(cl)
        except (PosteriorError, NotCertifiedError):
            continue  # stays NaN, and is counted as a failed toy
    return limits


def _uneven(
    problem: PosteriorProblem, mu: FloatArray, gaussian: FloatArray, weights: FloatArray
) -> list[int]:
    """Toys whose weights are uneven where their posterior lies; weights [obs, node, ...]."""
    size = effective_size(weights.reshape(*gaussian.shape, -1))
    found = []
    for i, values in enumerate(gaussian):
        height = log_height(problem, mu[i], values)
        if not np.isfinite(height).any():
            continue
        matters = height > np.max(height[np.isfinite(height)]) - _RELEVANT
        if np.min(size[i][matters]) < _LEAST_SHARE * _QUICK.points * _QUICK.replicates:
            found.append(i)
    return found


def _along_the_ridge(
    problem: PosteriorProblem,
    rows: LaneData,
    lanes: Lanes,
    thrown: Proposal,
    gaussian: FloatArray,
) -> FloatArray | None:
    """Weights of one toy [node, replicate, point] along its ridge; None where there is none."""
    if not lanes.good.all():
        return None
    ridges = Ridges.of(lanes.factor[int(np.argmax(log_height(problem, lanes.mu, gaussian)))])
    if not 0 < ridges.stiff < problem.density.n:
        return None
    return ridge_weights(problem, rows, lanes, thrown, ridges)
