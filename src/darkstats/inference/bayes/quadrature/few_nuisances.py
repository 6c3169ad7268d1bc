"""The quadrature engine for models with at most two nuisance parameters, whatever their bins.

The marginal likelihood is a sum over a dense grid of the nuisance parameters, which sees every mode
there is, taken at the nodes of panels of the signal strength that are split until they follow it. A
number counts where two resolutions agree; they share neither grid, nor its ends, nor panels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import DarkstatsError, NotCertifiedError, PosteriorError
from darkstats.gaussian import cdf
from darkstats.inference.bayes.posterior import TAIL, PoiPosterior, finer
from darkstats.inference.bayes.problem import (
    PosteriorProblem,
    Ranges,
    chebyshev,
    gaussian_at,
    log_height,
    range_panels,
    strengths,
)
from darkstats.inference.bayes.rules import legendre_panels

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import LaneData

__all__ = ["MOST_DIMENSIONS", "GridAnswer", "grid_posterior"]

MOST_DIMENSIONS = 2
TOLERANCE = 1e-6
LARGEST = 1e-4  # relative error of a limit that counts, all of it together
_REACH = 9.0  # of the coordinates, which are about standard normal variables
_FORGOTTEN = 45.0  # fall of the log-density beyond which a point of the grid has no weight
_SEEN = 30.0  # the same for the region of finer grids
_DROP = 40.0  # fall of the log-density at which the grid ends
_LEVELS = ((6, 5), (14, 9), (36, 17), (90, 24))  # panels by dimension
_SETTLED = (1e-5, 1e-6, 1e-7, 1e-7)  # what a panel may leave out: coarse grids are rough themselves
_MOST_VALUES = 20_000_000  # points of the grid times nodes of the signal strength at one resolution
_WIDER = 0.04  # each level reaches so much further on each side, as part of the region's width
_ATOMS = 12
#: Least widths of the posterior in a step of the finest grid from which no sum settles.
_COARSEST = 1.5
_SMALLER = 0.7  # a region so much smaller is worth a change
_MARGIN = 3.0  # steps of the grid by which points with weight are surrounded
_LANES = 60_000  # points that are evaluated in one call
_SCAN = {1: 361, 2: 61}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAnswer:
    """Credible limit and posterior of one observation; ``problem`` is why there is none.

    ``error`` is the difference between two resolutions, and what the panels leave out, between
    their nodes and beyond the last.
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
) -> tuple[FloatArray, FloatArray, float]:
    """Region of the coordinates that holds the density at all signal strengths. Shapes [z].

    The last is the least width of the Gaussian about a conditional mode, where it is largest.

    Raises
    ------
    NotCertifiedError
        A mode lies so far from the prior that no grid is laid there.
    """
    d = problem.density.n
    mu = strengths(np.array([low]), np.array([high]), chebyshev(9))
    value, lanes = gaussian_at(problem, counts, mu)
    height = log_height(problem, mu[0], value[0])
    relevant = lanes.good & (height > np.max(height, initial=-np.inf, where=lanes.good) - _DROP)
    pull = float(np.abs(lanes.z[relevant]).max(initial=0.0))
    if pull > 1.5 * _REACH:
        raise NotCertifiedError(
            f"the data pull a nuisance parameter {pull:.3g} widths of its prior away: no grid goes "
            "there"
        )
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
    width = np.linalg.svd(lanes.factor[good], compute_uv=False).min(axis=1).max(initial=0.0)
    return (
        np.maximum(points.min(axis=0), -1.5 * _REACH),
        np.minimum(points.max(axis=0), 1.5 * _REACH),
        float(width) if good.any() else math.inf,
    )


def _region(
    problem: PosteriorProblem, row: LaneData, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """Ends of the first grid in each coordinate. Shapes [z].

    Raises
    ------
    NotCertifiedError
        No grid goes to the posterior, or follows it.
    """
    d = problem.density.n
    if not d:
        return np.zeros(0), np.zeros(0)
    first, last, width = _box(problem, row, low, high)
    step = float((last - first).min()) / (_LEVELS[-1][d - 1] * _ATOMS)
    if step > _COARSEST * width:
        raise NotCertifiedError(
            f"the posterior is {step / width:.2g} times as narrow as the steps of the finest grid"
        )
    return first, last


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
    row = problem.density.model.lanes_of(counts)
    ranges = Ranges.of(problem, row)
    if ranges.problem[0] is not None:
        return GridAnswer(problem=ranges.problem[0])
    low, high = float(ranges.low[0]), float(ranges.high[0])
    try:
        box = _region(problem, row, low, high)
    except NotCertifiedError as failure:
        return GridAnswer(problem=failure)
    before: float | None = None
    posterior: PoiPosterior | None = None
    error = np.inf
    edges = range_panels(problem.prior, low, high, 6)
    for level, panels in enumerate(_LEVELS):
        reach = level * _WIDER * (box[1] - box[0])
        z, log_weight = _grid((box[0] - reach, box[1] + reach), panels[d - 1] if d else 1)
        if posterior is not None and d > 1:
            below = _below_peak(problem, row, _looks(posterior, low, high), z, log_weight)
            box = _narrower(box, z[below < _SEEN], panels[d - 1])
            kept = below < _FORGOTTEN
            z, log_weight = z[kept], log_weight[kept]

        def log_likelihood(
            mu: FloatArray, z: FloatArray = z, log_weight: FloatArray = log_weight
        ) -> FloatArray:
            return _log_sums(problem, row, mu, z, log_weight)

        try:
            posterior = PoiPosterior.settled(
                problem.prior,
                edges,
                log_likelihood,
                allowed=_SETTLED[level],
                most=max(16, min(100, _MOST_VALUES // (16 * len(z)))),
            )
        except (PosteriorError, NotCertifiedError) as failure:
            return GridAnswer(problem=failure)
        limit = posterior.quantile(cl)
        left = posterior.left_out + posterior.unsettled
        if before is not None:
            apart = abs(limit - before)
            error = apart + posterior.quantile_error(limit, left)
            if apart <= TOLERANCE * limit and left <= TAIL and error <= LARGEST * limit:
                return GridAnswer(
                    limit=limit,
                    error=error,
                    posterior=posterior,
                    log_empty=float(log_likelihood(np.zeros(1))[0]) if low == 0.0 else None,
                    points=len(z),
                    fits_attempted=ranges.attempted,
                    fits_certified=ranges.certified,
                )
        if level and posterior.left_out > TAIL:
            break  # no grid, however fine, sees what lies beyond
        before, edges = limit, finer(posterior.edges)
    if posterior is not None and posterior.left_out > TAIL:
        why = (
            f"up to {posterior.left_out:.2g} of the posterior lies outside signal strengths "
            f"{low:.3g} to {high:.3g}, where it seemed to end"
        )
    else:
        why = f"two resolutions of the grid do not agree: the limit moves by {error:.2g}"
    return GridAnswer(problem=NotCertifiedError(why))


def _narrower(
    box: tuple[FloatArray, FloatArray], seen: FloatArray, panels: int
) -> tuple[FloatArray, FloatArray]:
    """Region of the points that have weight and a few steps more, if it is much smaller.

    What is seen at a few signal strengths only, where the posterior is nothing, widens the first
    region; grids are the finer without it. Shapes [z], [point, z].
    """
    if not len(seen):
        return box
    margin = _MARGIN * (box[1] - box[0]) / (panels * _ATOMS)
    low = np.maximum(seen.min(axis=0) - margin, box[0])
    high = np.minimum(seen.max(axis=0) + margin, box[1])
    return (low, high) if (high - low).prod() < _SMALLER * (box[1] - box[0]).prod() else box


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


def _looks(posterior: PoiPosterior, low: float, high: float) -> FloatArray:
    """Signal strengths over the range, and through the posterior of a coarser grid."""
    inside = [posterior.quantile(cdf(sigma)) for sigma in np.linspace(-6.0, 6.0, 25)]
    whole = strengths(np.array([low]), np.array([high]), chebyshev(13))[0]
    return np.concatenate([whole, inside])


def _below_peak(
    problem: PosteriorProblem,
    counts: LaneData,
    mu: FloatArray,
    z: FloatArray,
    log_weight: FloatArray,
) -> FloatArray:
    """How far a point of the grid lies below the peak at the signal strength that suits it best.

    Few lie near, on a narrow ridge. Shape [point].
    """
    best = np.full(len(z), -np.inf)
    for one in mu:
        best = np.maximum(best, problem.density.value(np.full(len(z), one), z, counts))
    best += log_weight
    result: FloatArray = best.max() - best
    return result


def _log_sums(
    problem: PosteriorProblem,
    counts: LaneData,
    mu: FloatArray,
    z: FloatArray,
    log_weight: FloatArray,
) -> FloatArray:
    """Logarithm of the sum over the grid at each signal strength. Shape [mu]."""
    found = np.empty(len(mu))
    step = max(1, _LANES // len(z))
    for first in range(0, len(mu), step):
        part = mu[first : first + step]
        value = problem.density.value(
            np.repeat(part, len(z)), np.tile(z, (len(part), 1)), counts
        ).reshape(len(part), -1)
        value = value + log_weight
        peak = value.max(axis=1)
        safe = np.where(np.isfinite(peak), peak, 0.0)
        with np.errstate(divide="ignore"):
            found[first : first + step] = safe + np.log(
                np.exp(value - safe[:, np.newaxis]).sum(axis=1)
            )
    return found
