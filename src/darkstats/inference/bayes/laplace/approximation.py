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

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError, NotCertifiedError, PosteriorError
from darkstats.inference.bayes.gate import Diagnosis, ImpreciseError, refusal
from darkstats.inference.bayes.laplace.importance import (
    Proposal,
    effective_size,
    pareto_k,
    proposal,
)
from darkstats.inference.bayes.posterior import PoiPosterior
from darkstats.inference.bayes.problem import (
    Lanes,
    PosteriorProblem,
    Ranges,
    chebyshev,
    gaussian_at,
    interpolate,
    log_height,
    posterior_from,
    resolved,
    strengths,
)
from darkstats.inference.bayes.rows import rows_of
from darkstats.inference.bayes.rules import legendre_panels

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray, IndexArray
    from darkstats.model import LaneData

__all__ = [
    "LANES",
    "CoarseError",
    "LaplaceAnswer",
    "LaplaceOptions",
    "answer_at_nodes",
    "laplace_posteriors",
    "log_mean",
    "log_weights",
    "nodes_from",
]

LANES = 60_000  # points that are evaluated in one call
_RELEVANT = 1e-3  # posterior density relative to its peak where weights must be good
_OTHER_MODE = 12.0  # a second mode counts if the logarithm of its volume is so close to the first
_APART = 0.3  # distance of modes, in widths
_REFINEMENTS = (1, 2, 4, 8)  # factors on the number of nodes
_NEAR = 12.0  # fall of the logarithm of the posterior up to which nodes have to follow it
_BEND = 0.01  # what half of them may be off between them; all of them are off by far less
_LEAST_ERROR = 5e-6  # of the limit: less than that replicates tell of one another by chance only
_ORDER = 8  # Gauss-Legendre nodes on each panel for integrals of differences
_MOST_SIDES = 8  # parameters that are tried on both sides


@dataclass(frozen=True, slots=True, kw_only=True)
class LaplaceOptions:
    """How much is thrown, and when an answer counts.

    Parameters
    ----------
    points, replicates
        Points of each replicate at each signal strength, and replicates.
    nodes
        Signal strengths at which the nuisance parameters are integrated.
    most_points
        Where only the error is too large, points are multiplied by four up to this number.
    tolerance
        Largest relative error of the limit.
    least_effective
        Smallest effective number of points, all replicates together.
    largest_k
        Largest Pareto shape of the weights.
    """

    points: int = 64
    replicates: int = 8
    nodes: int = 17
    most_points: int = 1024
    tolerance: float = 1e-2
    least_effective: float = 100.0
    largest_k: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class LaplaceAnswer:
    """What the engine says of one observation.

    ``problem`` is why there is no certified limit. ``log_empty`` is the logarithm of the marginal
    likelihood without signal, of the same constant as the evidence of the posterior. ``adapted``
    says that the proposal was fitted to the posterior, ``stiff`` in how many directions the points
    were thrown about conditional modes of their own.
    """

    limit: float | None = None
    error: float = 0.0
    problem: DarkstatsError | None = None
    posterior: PoiPosterior | None = field(default=None, repr=False)
    log_empty: float | None = None
    effective: float = 0.0
    pareto_k: float = 0.0
    points: int = 0
    adapted: bool = False
    stiff: int = 0
    fits_attempted: int = 0
    fits_certified: int = 0


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
    from darkstats.inference.bayes.laplace.adaptive import adaptive_posterior
    from darkstats.inference.bayes.laplace.ridge_posterior import ridge_posterior

    options = options or LaplaceOptions()
    most = options.most_points
    counts = rows_of(problem.density.model, counts)
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


def nodes_from(nodes: int) -> list[int]:
    """Numbers of signal strengths that are tried in turn."""
    return [(nodes - 1) * factor + 1 for factor in _REFINEMENTS]


class CoarseError(NotCertifiedError):
    """The marginal likelihood bends more than the nodes follow."""


def _require_followed(
    y: FloatArray, total: FloatArray, each: FloatArray, height: FloatArray
) -> None:
    """Check that nodes enough lie in the posterior, and that every other one predicts the rest.

    Parameters
    ----------
    y, total
        Nodes, and the marginal log-likelihood there. Shapes [node].
    each
        The same from each replicate, for its scatter. Shape [node, replicate].
    height
        Logarithm of the posterior. Shape [node].

    Raises
    ------
    CoarseError
        There are too few, or a prediction is off by more than a hundredth and four times the
        scatter.
    """
    if not resolved(height):
        raise CoarseError("too few nodes where the posterior lies")
    scatter = np.std(each, axis=1, ddof=1) / math.sqrt(each.shape[1])
    near = height > np.max(height[np.isfinite(height)]) - _NEAR
    off = np.abs(interpolate(y[::2], total[::2], y[1::2]) - total[1::2])[near[1::2]]
    worst = float(np.max(off, initial=0.0)) - 4.0 * float(np.max(scatter[near], initial=0.0))
    if not worst <= _BEND:
        raise CoarseError(
            f"the marginal likelihood bends more than {len(y)} signal strengths follow: between "
            f"them its logarithm is off by up to {worst:.2g}"
        )


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


def log_mean(log_weight: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Logarithm of the mean of weights."""
    peak = np.max(log_weight, axis=axis, keepdims=True)
    safe = np.where(np.isfinite(peak), peak, 0.0)
    with np.errstate(divide="ignore"):
        mean = np.log(np.mean(np.exp(log_weight - safe), axis=axis))
    result: FloatArray = mean + np.squeeze(safe, axis=axis)
    return result


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


def answer_at_nodes(
    problem: PosteriorProblem,
    span: tuple[float, float],
    total: FloatArray,
    each: FloatArray,
    weights: FloatArray,
    *,
    cl: float,
    relevant: float,
    options: LaplaceOptions,
) -> LaplaceAnswer:
    """Posterior and limit from the marginal log-likelihood at Chebyshev points, or what is amiss.

    Parameters
    ----------
    problem, span
        Model and priors; range of the signal strength.
    total, each
        Marginal log-likelihood, and that of each replicate. Shapes [node], [node, replicate].
    weights
        Logarithms of the weights behind it. Shape [node, ...].
    cl
        Posterior probability below the limit.
    relevant
        Posterior density relative to its peak where weights must be good.
    options
        The gates.
    """
    y, prior = chebyshev(len(total)), problem.prior
    mu = strengths(np.array([span[0]]), np.array([span[1]]), y)[0]
    try:
        posterior = posterior_from(prior, *span, y, total)
        limit = posterior.quantile(cl)
        fewer = posterior_from(prior, *span, y[::2], total[::2]).quantile(cl)
        height = log_height(problem, mu, total)
        _require_followed(y, total, each, height)
    except (PosteriorError, NotCertifiedError) as failure:
        return LaplaceAnswer(problem=failure)
    scatter = _scatter(problem, span, (total, each, weights), posterior, limit)
    # Halving the nodes changes the limit far more than leaving them: a sixth of it is generous.
    error = math.hypot(scatter, abs(fewer - limit) / 6.0, _LEAST_ERROR * limit)
    error += posterior.quantile_error(limit, posterior.left_out + posterior.unsettled)
    matters = height > np.max(height[np.isfinite(height)]) + math.log(relevant)
    return _verdict(
        posterior,
        limit,
        error,
        weights.reshape(len(weights), -1)[matters],
        log_empty=float(total[0]) if span[0] == 0.0 else None,
        options=options,
    )


def _scatter(
    problem: PosteriorProblem,
    span: tuple[float, float],
    values: tuple[FloatArray, FloatArray, FloatArray],
    posterior: PoiPosterior,
    limit: float,
) -> float:
    """Error of a limit from the scatter of replicates, to first order in what they differ by.

    ``values`` are the marginal log-likelihood [node], that of each replicate [node, replicate], and
    the weights behind it [node, ...]. Half as much again, because eight replicates know their own
    scatter to a quarter only; they may agree by chance, so that their halves are asked, too.
    """
    total, each, weights = values
    shaped = weights.reshape(*each.shape, -1)
    place = np.arange(shaped.shape[2])
    first = place % (len(place) // 2) < len(place) // 4  # points and their mirror images
    base = each - log_mean(shaped, 2)
    halves = [base + log_mean(shaped[:, :, part], 2) for part in (first, ~first)]
    end = float(posterior.coordinate.of_mu(limit))
    edges = np.unique(np.append(posterior.edges, end))
    v, weight = legendre_panels(edges, _ORDER)
    mu = posterior.coordinate.to_mu(v)
    mass = weight * posterior.density_at(mu) * np.exp(posterior.coordinate.log_jacobian(v))
    y = np.sqrt(np.clip((mu - span[0]) / (span[1] - span[0]), 0.0, 1.0))
    worst = 0.0
    for some in (each, np.concatenate(halves, axis=1)):
        apart = interpolate(chebyshev(len(total)), (some - total[:, np.newaxis]).T, y)
        changed = mass * np.exp(apart - apart.max(axis=1, keepdims=True))
        below = changed[:, v < end].sum(axis=1) / changed.sum(axis=1)
        spread = float(np.std(below, ddof=1)) / math.sqrt(len(below))
        worst = max(worst, posterior.quantile_error(limit, 1.5 * spread))
    return worst


def _verdict(
    posterior: PoiPosterior,
    limit: float,
    error: float,
    weights: FloatArray,
    *,
    log_empty: float | None,
    options: LaplaceOptions,
) -> LaplaceAnswer:
    """Put the answer through the gate; weights [node, point] of the nodes that matter."""
    effective = float(np.min(effective_size(weights)))
    shape = float(np.max([pareto_k(row) for row in weights]))
    problem = refusal(
        Diagnosis(
            limit=limit,
            error=error,
            tolerance=options.tolerance,
            left_out=posterior.left_out,
            effective=effective,
            least_effective=options.least_effective,
            pareto_k=shape,
            largest_k=options.largest_k,
        )
    )
    return LaplaceAnswer(
        limit=limit,
        error=error,
        problem=problem,
        posterior=posterior,
        log_empty=log_empty,
        effective=effective,
        pareto_k=shape,
    )
