"""From the marginal likelihood at a few signal strengths to a limit, or to what is amiss."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError, NotCertifiedError, PosteriorError
from darkstats.inference.bayes.gate import Diagnosis, refusal
from darkstats.inference.bayes.laplace.importance import effective_size, pareto_k
from darkstats.inference.bayes.posterior import PoiPosterior
from darkstats.inference.bayes.problem import (
    PosteriorProblem,
    chebyshev,
    interpolate,
    log_height,
    posterior_from,
    resolved,
    strengths,
)
from darkstats.inference.bayes.rules import legendre_panels

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = [
    "LANES",
    "CoarseError",
    "LaplaceAnswer",
    "LaplaceOptions",
    "answer_at_nodes",
    "log_mean",
    "nodes_from",
]

LANES = 60_000  # points that are evaluated in one call
_REFINEMENTS = (1, 2, 4, 8)  # factors on the number of nodes
_NEAR = 12.0  # fall of the logarithm of the posterior up to which nodes have to follow it
_BEND = 0.01  # what half of them may be off between them; all of them are off by far less
_LEAST_ERROR = 5e-6  # of the limit: less than that replicates tell of one another by chance only
_ORDER = 8  # Gauss-Legendre nodes on each panel for integrals of differences


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


def log_mean(log_weight: FloatArray, axis: int | tuple[int, ...]) -> FloatArray:
    """Logarithm of the mean of weights."""
    peak = np.max(log_weight, axis=axis, keepdims=True)
    safe = np.where(np.isfinite(peak), peak, 0.0)
    with np.errstate(divide="ignore"):
        mean = np.log(np.mean(np.exp(log_weight - safe), axis=axis))
    result: FloatArray = mean + np.squeeze(safe, axis=axis)
    return result


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
