"""The Laplace engine: profile, curvature, and what both leave out by importance sampling.

At each of a few signal strengths the nuisance parameters are integrated about their conditional
mode: by the Gaussian there (L. Tierney, J. B. Kadane, JASA 81 (1986) 82), times the mean weight of
points thrown from it. The same points serve all signal strengths, so that what the finite number
of them leaves is a smooth, nearly common factor. Replicates of the points give the error.

Where weights are uneven, or there are several modes, the Gaussian at a mode is the wrong one: see
:mod:`darkstats.inference.bayes.laplace.ridges` for many events, whose posterior is a thin curved
sheet, and :mod:`darkstats.inference.bayes.laplace.adaptive` for the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes.gate import ImpreciseError
from darkstats.inference.bayes.laplace.adaptive import adaptive_posterior
from darkstats.inference.bayes.laplace.from_nodes import (
    LANES,
    CoarseError,
    LaplaceAnswer,
    LaplaceOptions,
    answer_at_nodes,
    log_mean,
    nodes_from,
)
from darkstats.inference.bayes.laplace.importance import Proposal, proposal
from darkstats.inference.bayes.laplace.ridge_posterior import ridge_posterior
from darkstats.inference.bayes.problem import (
    Lanes,
    PosteriorProblem,
    Ranges,
    chebyshev,
    gaussian_at,
    strengths,
)

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray, IndexArray
    from darkstats.model import LaneData

__all__ = ["laplace_posteriors", "log_weights"]

_RELEVANT = 1e-3  # posterior density relative to its peak where weights must be good
_OTHER_MODE = 12.0  # a second mode counts if the logarithm of its volume is so close to the first
_APART = 0.3  # distance of modes, in widths
_MOST_SIDES = 8  # parameters that are tried on both sides


def laplace_posteriors(
    problem: PosteriorProblem,
    counts: LaneData,
    *,
    cl: float,
    seed: int = 0,
    options: LaplaceOptions | None = None,
) -> list[LaplaceAnswer]:
    """Posteriors and credible limits of many observations of one model.

    Parameters
    ----------
    problem
        Model and priors.
    counts
        Shape [obs, bin].
    cl
        Posterior probability below the limit.
    seed
        Of the points.
    options
        Points, and the gates.
    """
    options = options or LaplaceOptions()
    most = options.most_points
    counts = problem.density.model.lanes_of(counts)
    ranges = Ranges.of(problem, counts)
    several = _several_modes(problem, counts, ranges)
    answers = [LaplaceAnswer(problem=problem) for problem in ranges.problem]
    usable = np.flatnonzero([problem is None for problem in ranges.problem])
    todo = usable[~several[usable]]
    adapt = list(usable[several[usable]])
    points = options.points
    # Nodes are doubled where the likelihood bends more than they follow: near a background of
    # next to nothing its logarithm is nearly singular.
    for nodes in nodes_from(options.nodes):
        finer, coarse = replace(options, nodes=nodes), []
        points = options.points
        while len(todo):
            chunk = max(8, LANES // (nodes * points * options.replicates))
            again = []
            for first in range(0, len(todo), chunk):
                members = todo[first : first + chunk]
                found = _integrate(
                    problem, counts, ranges, members, cl=cl, seed=seed, points=points, options=finer
                )
                for i, answer in zip(members, found, strict=True):
                    answers[i] = answer
                    if isinstance(answer.problem, CoarseError):
                        coarse.append(i)
                    elif isinstance(answer.problem, ImpreciseError) and points < most:
                        again.append(i)
                    elif isinstance(answer.problem, NotCertifiedError):
                        adapt.append(i)
            points *= 4
            todo = np.array(again, dtype=np.int64)
        todo = np.array(coarse, dtype=np.int64)
    if problem.density.n == 0:  # nothing to adapt to
        adapt = []
    for i in adapt:
        row, span = counts[i : i + 1], (float(ranges.low[i]), float(ranges.high[i]))
        ridge = None
        if not several[i]:
            ridge = ridge_posterior(problem, row, span, cl=cl, seed=seed, options=options)
        if ridge is not None and ridge.problem is None:
            answers[i] = ridge
            continue
        answers[i] = adaptive_posterior(problem, row, span, cl=cl, seed=seed, options=options)
    return [
        replace(
            answer,
            fits_attempted=answer.fits_attempted + ranges.attempted,
            fits_certified=answer.fits_certified + ranges.certified,
        )
        for answer in answers
    ]


def _several_modes(problem: PosteriorProblem, counts: LaneData, ranges: Ranges) -> BoolArray:
    """Whether the nuisance parameters have a second mode that counts, at two signal strengths.

    Fits start on both sides of zero of the parameters whose variations up and down go the same
    way, and of every other one where there are few. Shape [obs].
    """
    model = problem.density.model
    few = [p for p in problem.density.free if model.parameters[p].constraint == "gaussian"]
    sides = list(dict.fromkeys([*model.one_sided, *few]))[:_MOST_SIDES]
    sides = [p for p in sides if p in problem.density.free]
    n, levels = len(counts), np.array([0.0, 0.4])
    if not sides:
        return np.zeros(n, dtype=bool)
    tries = 1 + 2 * len(sides)
    mu = np.repeat(strengths(ranges.low, ranges.high, levels), tries, axis=1)
    start = np.tile(problem.density.reference, (n, len(levels), tries, 1))
    for i, p in enumerate(sides):
        shift = 1.5 * model.parameters[p].width
        centre = float(model.observation.auxdata[p])
        for j, value in enumerate((centre - shift, centre + shift)):
            start[:, :, 1 + 2 * i + j, p] = max(value, model.parameters[p].lower)
    value, lanes = gaussian_at(problem, counts, mu, start.reshape(mu.size, -1))
    shaped = value.reshape(n, len(levels), tries)
    z = lanes.z.reshape(n, len(levels), tries, -1)
    best = np.argmax(shaped, axis=2)
    top = np.take_along_axis(shaped, best[:, :, np.newaxis], axis=2)
    first = np.arange(mu.size).reshape(shaped.shape)
    at = np.take_along_axis(first, best[:, :, np.newaxis], axis=2)[:, :, 0]
    apart = z - np.take_along_axis(z, best[:, :, np.newaxis, np.newaxis], axis=2)
    inverse = np.linalg.pinv(lanes.factor[at.ravel()]).reshape(*at.shape, z.shape[-1], z.shape[-1])
    distance = np.linalg.norm(np.einsum("okij,oktj->okti", inverse, apart), axis=3)
    other = (shaped > top - _OTHER_MODE) & (distance > _APART)
    # Where no start found a mode, nothing is known of a second one.
    result: BoolArray = other.any(axis=(1, 2)) | ~np.isfinite(top).all(axis=(1, 2))
    return result


def log_weights(
    problem: PosteriorProblem, counts: LaneData, lanes: Lanes, thrown: Proposal
) -> FloatArray:
    """Logarithms of the weights, relative to the Gaussian at the mode. [lane, replicate, point]."""
    n, (replicates, size, d) = len(lanes.mu), thrown.points.shape
    flat = thrown.points.reshape(replicates * size, d)
    log_q = thrown.log_density.ravel()
    weights = np.empty((n, len(flat)))
    step = max(1, LANES // len(flat))
    for first in range(0, n, step):
        part = slice(first, min(first + step, n))
        m = part.stop - part.start
        value = problem.density.value(
            np.repeat(lanes.mu[part], len(flat)),
            lanes.points(part, flat).reshape(m * len(flat), d),
            counts,
            np.repeat(lanes.row[part], len(flat)),
        ).reshape(m, len(flat))
        weights[part] = value - lanes.value[part, np.newaxis] - log_q
    return weights.reshape(n, replicates, size)


def _integrate(
    problem: PosteriorProblem,
    counts: LaneData,
    ranges: Ranges,
    members: IndexArray,
    *,
    cl: float,
    seed: int,
    points: int,
    options: LaplaceOptions,
) -> list[LaplaceAnswer]:
    n, nodes = len(members), options.nodes
    y = chebyshev(nodes)
    low, high = ranges.low[members], ranges.high[members]
    rows = counts[members]
    gaussian, lanes = gaussian_at(problem, rows, strengths(low, high, y))
    thrown = proposal(
        problem.density.n,
        points,
        replicates=options.replicates,
        seed=seed,
        digest=problem.density.model.digest,
    )
    weights = log_weights(problem, rows, lanes, thrown)
    weights = weights.reshape(n, nodes, options.replicates, points)
    answers = []
    for i in range(n):
        answer = _one(
            problem,
            (float(low[i]), float(high[i])),
            gaussian[i],
            weights[i],
            cl=cl,
            options=options,
        )
        answers.append(
            replace(
                answer,
                points=points * options.replicates,
                fits_attempted=len(y),
                fits_certified=round(lanes.certified / n),
            )
        )
    return answers


def _one(
    problem: PosteriorProblem,
    span: tuple[float, float],
    gaussian: FloatArray,
    weights: FloatArray,
    *,
    cl: float,
    options: LaplaceOptions,
) -> LaplaceAnswer:
    """Posterior of one observation from values at nodes; weights [node, replicate, point]."""
    if not np.isfinite(gaussian).all():
        return LaplaceAnswer(problem=NotCertifiedError("a conditional mode was not found"))
    # Gaussian and correction have kinks where a mode passes those of an interpolation code; their
    # sum, the integral, has none, and only that is interpolated.
    total = gaussian + log_mean(weights, (1, 2))
    each = gaussian[:, np.newaxis] + log_mean(weights, 2)
    if not np.isfinite(each).all():
        return LaplaceAnswer(problem=NotCertifiedError("all points have zero weight"))
    return answer_at_nodes(
        problem, span, total, each, weights, cl=cl, relevant=_RELEVANT, options=options
    )
