"""Posterior and limit of one observation by importance sampling along a ridge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes.gate import ImpreciseError
from darkstats.inference.bayes.laplace.from_nodes import (
    CoarseError,
    LaplaceAnswer,
    LaplaceOptions,
    answer_at_nodes,
    log_mean,
    nodes_from,
)
from darkstats.inference.bayes.laplace.importance import proposal
from darkstats.inference.bayes.laplace.ridges import Ridges, ridge_weights
from darkstats.inference.bayes.problem import (
    PosteriorProblem,
    chebyshev,
    gaussian_at,
    log_height,
    strengths,
)

if TYPE_CHECKING:
    from darkstats.model import LaneData

__all__ = ["ridge_posterior"]

_RELEVANT = 1e-3  # posterior density relative to its peak where weights must be good


def ridge_posterior(
    problem: PosteriorProblem,
    counts: LaneData,
    span: tuple[float, float],
    *,
    cl: float,
    seed: int = 0,
    options: LaplaceOptions | None = None,
) -> LaplaceAnswer | None:
    """Posterior and credible limit of one observation; None where no direction is stiff.

    Parameters
    ----------
    problem, counts
        Model and priors, and one row of counts [1, bin]; or one lane of events.
    span
        Range of the signal strength.
    cl, seed, options
        As of :func:`~darkstats.inference.bayes.laplace.approximation.laplace_posteriors`.
    """
    options = options or LaplaceOptions()
    answer: LaplaceAnswer | None = None
    for nodes in nodes_from(options.nodes):
        finer, points = replace(options, nodes=nodes), options.points
        while True:
            answer = _at_nodes(
                problem, counts, span, cl=cl, seed=seed, points=points, options=finer
            )
            if answer is None:
                return None
            if not isinstance(answer.problem, ImpreciseError) or points >= options.most_points:
                break
            points *= 4
        if not isinstance(answer.problem, CoarseError):
            break
    return answer


def _at_nodes(
    problem: PosteriorProblem,
    counts: LaneData,
    span: tuple[float, float],
    *,
    cl: float,
    seed: int,
    points: int,
    options: LaplaceOptions,
) -> LaplaceAnswer | None:
    mu = strengths(np.array([span[0]]), np.array([span[1]]), chebyshev(options.nodes))
    gaussian, lanes = gaussian_at(problem, counts, mu)
    if not lanes.good.all():
        return LaplaceAnswer(problem=NotCertifiedError("a conditional mode was not found"))
    peak = int(np.argmax(log_height(problem, mu[0], gaussian[0])))
    ridges = Ridges.of(lanes.factor[peak])
    if not 0 < ridges.stiff < problem.density.n:
        return None
    thrown = proposal(
        problem.density.n,
        points,
        replicates=options.replicates,
        seed=seed,
        digest=problem.density.model.digest,
    )
    weights = ridge_weights(problem, counts, lanes, thrown, ridges)
    each = gaussian[0][:, np.newaxis] + log_mean(weights, 2)
    bare = LaplaceAnswer(
        points=points * options.replicates,
        stiff=ridges.stiff,
        fits_attempted=len(lanes.mu),
        fits_certified=lanes.certified,
    )
    if not np.isfinite(each).all():
        return replace(bare, problem=NotCertifiedError("all points have zero weight"))
    total = gaussian[0] + log_mean(weights, (1, 2))
    answer = answer_at_nodes(
        problem, span, total, each, weights, cl=cl, relevant=_RELEVANT, options=options
    )
    return replace(
        answer,
        points=bare.points,
        stiff=bare.stiff,
        fits_attempted=bare.fits_attempted,
        fits_certified=bare.fits_certified,
    )
