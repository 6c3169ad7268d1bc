"""The quadrature engine for models with at most two nuisance parameters, whatever their bins.

The marginal likelihood at a few signal strengths is a sum over a dense grid of the nuisance
parameters, which sees every mode there is. A number counts where two resolutions agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError, NotCertifiedError, PosteriorError
from darkstats.inference.bayes.posterior import TAIL, PoiPosterior, require_falling
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
from darkstats.inference.bayes.rules import legendre_panels

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import LaneData

__all__ = ["MOST_DIMENSIONS", "GridAnswer", "grid_posterior"]

MOST_DIMENSIONS = 2
TOLERANCE = 1e-6
_REACH = 9.0  # of the coordinates, which are about standard normal variables
_DROP = 40.0  # fall of the log-density at which the grid ends
_LEVELS = (
    (17, (6, 5)),
    (33, (14, 9)),
    (65, (36, 17)),
    (97, (90, 24)),
)  # nodes, panels by dimension
_ATOMS = 12
_SCAN = {1: 361, 2: 61}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAnswer:
    """Credible limit and posterior of one observation; ``problem`` is why there is none.

    ``points`` is the size of the last grid at one signal strength.
    """

    limit: float | None = None
    error: float = 0.0
    problem: DarkstatsError | None = None
    posterior: PoiPosterior | None = field(default=None, repr=False)
    log_empty: float | None = None
    points: int = 0
    fits_attempted: int = 0
    fits_certified: int = 0


def _box(
    problem: PosteriorProblem, counts: LaneData, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """Region of the coordinates that holds the density at all signal strengths. Shapes [z]."""
    d = problem.density.n
    mu = strengths(np.array([low]), np.array([high]), chebyshev(9))
    _, lanes = gaussian_at(problem, counts, mu)
    spread = _REACH * np.sqrt((lanes.factor**2).sum(axis=2))
    good = lanes.good
    corners = [lanes.z[good] - spread[good], lanes.z[good] + spread[good]]
    axis = np.linspace(-_REACH, _REACH, _SCAN[d])
    grid = np.stack(np.meshgrid(*[axis] * d, indexing="ij"), axis=-1).reshape(-1, d)
    step = axis[1] - axis[0]
    for strength in mu[0, ::2]:
        value = problem.density.value(np.full(len(grid), strength), grid, counts)
        seen = grid[value > np.max(value) - _DROP]
        corners += [seen - step, seen + step]
    points = np.concatenate(corners)
    return np.maximum(points.min(axis=0), -1.5 * _REACH), np.minimum(
        points.max(axis=0), 1.5 * _REACH
    )


def grid_posterior(problem: PosteriorProblem, counts: LaneData, *, cl: float) -> GridAnswer:
    """Posterior and credible limit of one observation.

    Parameters
    ----------
    problem
        Model and priors, with at most two nuisance parameters.
    counts
        Shape [bin].
    cl
        Posterior probability below the limit.
    """
    d = problem.density.n
    if d > MOST_DIMENSIONS:
        return GridAnswer(
            problem=NotCertifiedError(f"{d} nuisance parameters are too many for a grid")
        )
    row = rows_of(problem.density.model, counts)
    ranges = Ranges.of(problem, row)
    if ranges.problem[0] is not None:
        return GridAnswer(problem=ranges.problem[0])
    low, high = float(ranges.low[0]), float(ranges.high[0])
    box = _box(problem, row, low, high) if d else (np.zeros(0), np.zeros(0))
    before: float | None = None
    error = np.inf
    for nodes, panels in _LEVELS:
        z, log_weight = _grid(box, panels[d - 1] if d else 1)
        y = chebyshev(nodes)
        mu = strengths(np.array([low]), np.array([high]), y)[0]
        value = np.array([_log_sum(problem, row, strength, z, log_weight) for strength in mu])
        try:
            posterior = posterior_from(problem.prior, low, high, y, value)
            require_falling(posterior, problem.prior)
        except PosteriorError as failure:
            return GridAnswer(problem=failure)
        if not resolved(log_height(problem, mu, value)):
            return GridAnswer(problem=NotCertifiedError("too few nodes where the posterior lies"))
        limit = posterior.quantile(cl)
        if before is not None:
            error = abs(limit - before)
            if error <= TOLERANCE * limit and posterior.left_out <= TAIL:
                return GridAnswer(
                    limit=limit,
                    error=error,
                    posterior=posterior,
                    log_empty=float(value[0]) if low == 0.0 else None,
                    points=len(z),
                    fits_attempted=ranges.attempted,
                    fits_certified=ranges.certified,
                )
        before = limit
    return GridAnswer(
        problem=NotCertifiedError(
            f"two resolutions of the grid do not agree: the limit moves by {error:.2g}"
        )
    )


def _grid(box: tuple[FloatArray, FloatArray], panels: int) -> tuple[FloatArray, FloatArray]:
    """Points [point, z] and logarithms of their weights [point]."""
    steps = np.linspace(0.0, 1.0, panels + 1)
    rules = [
        legendre_panels(low + (high - low) * steps, _ATOMS) for low, high in zip(*box, strict=True)
    ]
    if not rules:
        return np.zeros((1, 0)), np.zeros(1)
    z = np.stack(np.meshgrid(*[x for x, _ in rules], indexing="ij"), axis=-1)
    weight = np.prod(np.meshgrid(*[w for _, w in rules], indexing="ij"), axis=0)
    return z.reshape(-1, len(rules)), np.log(weight.ravel())


def _log_sum(
    problem: PosteriorProblem,
    counts: LaneData,
    mu: float,
    z: FloatArray,
    log_weight: FloatArray,
) -> float:
    value = problem.density.value(np.full(len(z), mu), z, counts) + log_weight
    peak = float(np.max(value))
    if not np.isfinite(peak):
        return -np.inf
    return peak + float(np.log(np.sum(np.exp(value - peak))))
