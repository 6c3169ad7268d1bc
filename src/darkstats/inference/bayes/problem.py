"""A model with its priors, as the engines for any model see it.

What they share: coordinates, the range of the signal strength that holds the posterior, conditional
modes at points of that range, and the way from values at a few points to a posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.errors import (
    DarkstatsError,
    EmptySupportError,
    ImproperPosteriorError,
    InsensitiveError,
    NotCertifiedError,
    OptionError,
)
from darkstats.fit import FitOptions, FitStatus, fit_batch
from darkstats.inference.bayes.modes import Modes, conditional_modes, starts, widened
from darkstats.inference.bayes.nuisance_density import NuisanceDensity
from darkstats.inference.bayes.posterior import SLOWEST, PoiPosterior
from darkstats.inference.bayes.propriety import require_proper
from darkstats.inference.unprofiled import unprofiled_scale

if TYPE_CHECKING:
    from darkstats.inference.bayes.nuisances import ParameterPrior
    from darkstats.inference.bayes.priors import BoundPrior
    from darkstats.model import LaneData, Model

__all__ = [
    "Lanes",
    "PosteriorProblem",
    "Ranges",
    "chebyshev",
    "gaussian_at",
    "interpolate",
    "log_height",
    "posterior_from",
    "range_panels",
    "resolved",
    "strengths",
]

_DROP = 30.0  # fall of the log-posterior at which the range of the signal strength ends
_COARSE = np.array([0.0, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
_AROUND = np.array([-7.0, -4.5, -2.5, -1.0, 0.0, 1.0, 2.5, 4.5, 7.0])
_EXTENSIONS = 6
_FURTHER = np.array([2.0, 4.0, 8.0])  # times the largest signal strength looked at
_BETWEEN = np.array([0.125, 0.25, 0.5])  # of the way to where no mode was found
#: By so much the log-posterior has fallen at an end that was looked at, and looks at most.
_FALLEN, _LOOKS = 18.0, 24
#: By so much the log-density at the mode of a neighbour is higher where that is another mode: a
#: mode is found to far less.
_HIGHER = 1e-3
_BULK, _ENOUGH = 15.0, 5  # fall within which so many nodes must lie


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorProblem:
    """One model with its priors; make one with :meth:`of`.

    ``scale`` is a signal strength of about two standard deviations.
    """

    density: NuisanceDensity
    prior: BoundPrior
    scale: float
    options: FitOptions | None = None

    @classmethod
    def of(
        cls,
        model: Model,
        nuisances: tuple[ParameterPrior | None, ...],
        prior: BoundPrior,
        *,
        counts: LaneData,
        threads: int | None = None,
        options: FitOptions | None = None,
    ) -> PosteriorProblem:
        """Choose coordinates and the scale of the signal strength.

        Parameters
        ----------
        model, nuisances, prior
            The likelihood, the prior of each nuisance parameter, and that of the signal strength.
        counts
            Observed counts, which set scales, shape [bin]; or events.
        threads, options
            Threads at most, and options of the fits.

        Raises
        ------
        InsensitiveError
            The parameter of interest changes no rate.
        EmptySupportError
            The data are impossible.
        ImproperPosteriorError
            The priors cannot make a proper posterior.
        """
        require_proper(model, nuisances, prior.upper)
        wide = widened(model, nuisances)
        try:
            scale = unprofiled_scale(wide, wide.inits, target=2.0)
        except OptionError as error:
            raise InsensitiveError(str(error)) from error
        start = wide.inits
        start[wide.require_poi()] = max(prior.lower, min(scale, prior.upper))
        data = wide.lanes_of(counts)
        batch = fit_batch(
            wide,
            data,
            wide.observation.auxdata,
            start=start,
            poi_lower=0.0,
            poi_upper=math.inf,
            options=options,
        )
        if batch.status[0] == FitStatus.NOT_FINITE:
            _require_possible(wide, data, start)
        reference = batch.parameters[0] if batch.converged[0] else start
        density = NuisanceDensity.of(
            wide, nuisances, reference=reference, counts=data, threads=threads
        )
        return cls(density=density, prior=prior, scale=scale, options=options)


def _require_possible(model: Model, data: LaneData, point: FloatArray) -> None:
    """Refuse counts in a bin whose rate is zero at every parameter value."""
    if model.in_bins is None:
        return
    (counts,) = np.asarray(data)
    impossible = (model.expected_rates(point) <= 0.0) & (counts > 0.0)
    if impossible.any():
        b = int(np.flatnonzero(impossible)[0])
        raise EmptySupportError(
            f"bin {b} has {counts[b]:g} events, and its expected rate is zero at every "
            "parameter value: the data are impossible"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Conditional modes at signal strengths, with the Gaussian about each.

    Fields as in :class:`~darkstats.inference.bayes.modes.Modes`; ``row`` is the observation of a
    lane, ``attempted`` and ``certified`` count the fits behind.
    """

    mu: FloatArray
    row: IndexArray
    z: FloatArray
    factor: FloatArray
    value: FloatArray
    good: BoolArray
    attempted: int
    certified: int

    def chosen(self, index: IndexArray) -> Lanes:
        """Some of the lanes."""
        return replace(
            self,
            mu=self.mu[index],
            row=self.row[index],
            z=self.z[index],
            factor=self.factor[index],
            value=self.value[index],
            good=self.good[index],
        )

    def points(self, part: slice, standard: FloatArray) -> FloatArray:
        """Coordinates of standard points [point, z] about some modes. [lane, point, z]."""
        spread = standard @ np.swapaxes(self.factor[part], -1, -2)
        result: FloatArray = self.z[part, np.newaxis, :] + spread
        return result


def gaussian_at(
    problem: PosteriorProblem,
    counts: LaneData,
    mu: FloatArray,
    start: FloatArray | None = None,
) -> tuple[FloatArray, Lanes]:
    """Laplace's approximation of the marginal log-likelihood, and the modes behind it.

    Parameters
    ----------
    problem, counts
        Model and priors; rows of counts [obs, bin].
    mu
        Signal strengths of each observation. Shape [obs, node].
    start
        Parameters at which fits start. Shape [obs node, par].

    Returns
    -------
    tuple
        Values [obs, node], minus infinity where no mode was found, and the lanes.
    """
    n_obs, n_nodes = mu.shape
    row = np.repeat(np.arange(n_obs), n_nodes)
    flat = mu.ravel()
    z, certified = starts(problem.density, flat, counts, row, options=problem.options, near=start)
    modes = conditional_modes(problem.density, flat, counts, row, z)
    modes = _best_of_neighbours(problem.density, mu, counts, modes)
    value = np.where(modes.good, modes.value + modes.log_volume, -np.inf)
    lanes = Lanes(
        mu=flat,
        row=row,
        z=modes.z,
        factor=modes.factor,
        value=modes.value,
        good=modes.good,
        attempted=len(flat),
        certified=certified,
    )
    return value.reshape(mu.shape), lanes


def _best_of_neighbours(
    density: NuisanceDensity, mu: FloatArray, counts: LaneData, modes: Modes
) -> Modes:
    """Modes that no mode at the next smaller or larger signal strength lies above.

    Where there are several, each lane found the one that its start led to; a density that is higher
    at the mode of a neighbour has a higher mode there, and the search starts again from it. A mode
    spreads by one place in each round. Signal strengths have shape [obs, node].
    """
    if not density.n:
        return modes
    n_obs, n_nodes = mu.shape
    flat, row = mu.ravel(), np.repeat(np.arange(n_obs), n_nodes)
    order = np.argsort(mu, axis=1, kind="stable") + n_nodes * np.arange(n_obs)[:, np.newaxis]
    lanes = np.concatenate([order[:, 1:].ravel(), order[:, :-1].ravel()])
    beside = np.concatenate([order[:, :-1].ravel(), order[:, 1:].ravel()])
    changed = np.ones(len(flat), dtype=bool)
    for _ in range(n_nodes):
        asked = changed[beside] & modes.good[beside]
        if not asked.any():
            break
        here, there = lanes[asked], beside[asked]
        height = density.value(flat[here], modes.z[there], counts, row[here])
        floor = np.where(modes.good[here], modes.value[here], -np.inf)
        higher = height > floor + _HIGHER
        changed[:] = False
        if not higher.any():
            break
        best = np.lexsort((height[higher], here[higher]))  # the last of each lane is its highest
        again, start = here[higher][best], there[higher][best]
        last = np.append(np.diff(again) > 0, True)
        again, start = again[last], start[last]
        found = conditional_modes(density, flat[again], counts, row[again], modes.z[start])
        good = found.good
        modes = modes.replaced(again[good], found.chosen(good))
        changed[again[good]] = True
    return modes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Where the posterior of each observation lies.

    Parameters
    ----------
    low, high
        Ends in the signal strength. Shapes [obs].
    problem
        Why there is none, else None.
    attempted, certified
        Fits, per observation.
    """

    low: FloatArray
    high: FloatArray
    problem: tuple[DarkstatsError | None, ...]
    attempted: int
    certified: int

    @classmethod
    def of(cls, problem: PosteriorProblem, counts: LaneData) -> Ranges:
        """Look at Laplace's approximation on a coarse grid and about the best fit."""
        n, prior = len(counts), problem.prior
        mu, attempted, certified = _first_grid(problem, counts)
        ends = np.zeros((2, n))
        problems: list[DarkstatsError | None] = [None] * n
        seen: dict[int, tuple[FloatArray, FloatArray]] = {}
        todo = np.arange(n)
        values, grid = np.empty((n, 0)), np.empty((n, 0))
        for attempt in range(_EXTENSIONS):
            mu = np.clip(mu, prior.lower, prior.upper)
            new, lanes = gaussian_at(problem, counts[todo], mu)
            attempted, certified = attempted + lanes.attempted, certified + lanes.certified
            grid = np.concatenate([grid, mu], axis=1)
            values = np.concatenate([values, new], axis=1)
            keep = np.ones(len(todo), dtype=bool)
            last = attempt == _EXTENSIONS - 1
            for i, w in enumerate(todo):
                total = log_height(problem, grid[i], values[i])
                keep[i] = False
                if not np.isfinite(total).any():
                    problems[w] = NotCertifiedError("no conditional mode was found")
                    continue
                low, high, ended = _ends(grid[i], total, prior.lower)
                if not ended and grid[i].max() >= prior.upper * (1.0 - 1e-9):
                    high, ended = prior.upper, True
                ends[:, w], keep[i] = (low, high), not ended and not last
                if ended:
                    seen[int(w)] = grid[i], total
                elif last:
                    problems[w] = _endless(grid[i], total)
            todo, grid, values = todo[keep], grid[keep], values[keep]
            if not len(todo):
                break
            mu = _further(grid, values)
        more = _confirm(problem, counts, ends, seen, problems)
        attempted, certified = attempted + more[0], certified + more[1]
        return cls(
            low=ends[0],
            high=ends[1],
            problem=tuple(problems),
            attempted=attempted // n,
            certified=certified // n,
        )


def _further(mu: FloatArray, values: FloatArray) -> FloatArray:
    """Signal strengths [obs, 3] at which to look on for the end of each posterior.

    Far beyond it a mode may not be found: what lies between there and the last one found is nearer.
    """
    further = mu.max(axis=1, keepdims=True) * _FURTHER
    found = np.where(np.isfinite(values), mu, -np.inf).max(axis=1, keepdims=True)
    lost = np.where(np.isfinite(values) | (mu <= found), np.inf, mu).min(axis=1, keepdims=True)
    between = found + (np.where(np.isfinite(lost), lost, found) - found) * _BETWEEN
    return np.asarray(np.where(np.isfinite(lost), between, further), dtype=np.float64)


def _confirm(
    problem: PosteriorProblem,
    counts: LaneData,
    ends: FloatArray,
    seen: dict[int, tuple[FloatArray, FloatArray]],
    problems: list[DarkstatsError | None],
) -> tuple[int, int]:
    """Look at the ends that chords gave, and move those where the posterior has not fallen yet.

    The logarithm of a posterior bends downwards: between a place where much of it is and one where
    it is nothing, a chord ends too soon. ``ends`` [2, obs] and ``problems`` are changed in place;
    ``seen`` has signal strengths and heights of each observation that has ends. Returns fits that
    were attempted and certified.
    """
    prior = problem.prior
    attempted, certified = 0, 0
    open_ = list(seen)
    for turn in range(_LOOKS):
        if not open_:
            break
        places = np.empty((len(open_), 2 if turn == 0 else 4))
        for i, w in enumerate(open_):
            (low, high), mu = ends[:, w], seen[w][0]
            places[i, :2] = low, high
            if turn:  # halfway to where it was seen to be nothing
                outer = max(mu[mu < low], default=low), min(mu[mu > high], default=high)
                places[i, 2:] = 0.5 * (low + outer[0]), 0.5 * (high + outer[1])
        values, lanes = gaussian_at(problem, counts[np.array(open_)], places)
        attempted, certified = attempted + lanes.attempted, certified + lanes.certified
        rest = []
        for i, w in enumerate(open_):
            height = log_height(problem, places[i], values[i])
            mu = np.concatenate([seen[w][0], places[i]])
            total = np.concatenate([seen[w][1], height])
            floor = np.max(total[np.isfinite(total)]) - _FALLEN
            cut = np.array([ends[0, w] > prior.lower, ends[1, w] < prior.upper * (1.0 - 1e-9)])
            if not (cut & (height[:2] > floor)).any():
                continue
            seen[w] = mu, total
            low, high, ended = _ends(mu, total, prior.lower)
            ends[:, w] = low, high if ended else ends[1, w]
            rest.append(w)
        open_ = rest
    for w in open_:
        problems[w] = NotCertifiedError(
            f"no end of the posterior was found about signal strengths {ends[0, w]:.3g} to "
            f"{ends[1, w]:.3g}"
        )
    return attempted, certified


def _first_grid(problem: PosteriorProblem, counts: LaneData) -> tuple[FloatArray, int, int]:
    """Signal strengths on all scales, and about the best fit of each observation."""
    n, model = len(counts), problem.density.model
    auxdata = np.broadcast_to(model.observation.auxdata, (n, model.n_parameters))
    free = fit_batch(
        model, counts, auxdata, poi_lower=0.0, poi_upper=math.inf, options=problem.options
    )
    best = np.where(free.converged, free.parameters[:, model.require_poi()], 0.0)
    z = problem.density.coordinates(free.ends)
    step = 1e-3 * np.maximum(problem.scale, best)
    here, beside = (
        problem.density.derivatives(mu, z, counts, np.arange(n), hessian=False).by_mu
        for mu in (best, best + step)
    )
    curvature = np.nan_to_num((here - beside) / step)
    width = np.minimum(1.0 / np.sqrt(np.maximum(curvature, 1e-300)), 32.0 * problem.scale)
    around = np.maximum(best[:, np.newaxis] + width[:, np.newaxis] * _AROUND, 0.0)
    scales = np.broadcast_to(problem.scale * _COARSE, (n, len(_COARSE)))
    return np.concatenate([scales, around], axis=1), n, int(np.count_nonzero(free.converged))


def _ends(mu: FloatArray, value: FloatArray, lower: float) -> tuple[float, float, bool]:
    """Where the log-posterior lies within the drop of its peak, and whether its end was seen.

    It may rise again beyond a fall: what counts is where it is seen last, not where it falls first.
    """
    usable = np.flatnonzero(np.isfinite(value))
    order = usable[np.argsort(mu[usable], kind="stable")]
    mu, value = mu[order], value[order]
    peak = int(np.argmax(value))
    floor = value[peak] - _DROP
    inside = np.flatnonzero(value >= floor)
    first, last = int(inside[0]), int(inside[-1])

    def crossing(inside: int, outside: int) -> float:
        part = (value[inside] - floor) / (value[inside] - value[outside])
        return float(mu[inside] + part * (mu[outside] - mu[inside]))

    start = crossing(first, first - 1) if first else lower
    if first and mu[first - 1] <= lower and value[first - 1] < floor - _DROP:
        start = lower  # no background: a cliff, of which a chord says nothing
    if last + 1 == len(mu):
        return start, float(mu[-1]), False
    return start, crossing(last, last + 1), True


def _endless(mu: FloatArray, value: FloatArray) -> DarkstatsError:
    """What to say of a log-posterior that has not fallen at the largest signal strength."""
    usable = np.isfinite(value)
    places, first = np.unique(mu[usable], return_index=True)
    places, heights = places[-3:], value[usable][first][-3:]
    far = float(places[-1])
    if (mu > far).any():
        return NotCertifiedError(
            f"no conditional mode was found beyond signal strength {far:.3g}: where the posterior "
            "ends is not known"
        )
    if len(places) > 1 and places[0] > 0.0:
        power = float(heights[0] - heights[-1]) / math.log(far / places[0])
        if power < SLOWEST:
            return ImproperPosteriorError(
                f"the posterior falls only like mu^-{max(power, 0.0) + 0.0:.2g} at mu = {far:.3g} "
                "and cannot be normalised: give the prior an upper edge (--prior flat:0,EDGE), or "
                "constrain the efficiency"
            )
    return NotCertifiedError(f"no end of the posterior up to signal strength {far:.3g}")


def log_height(problem: PosteriorProblem, mu: FloatArray, values: FloatArray) -> FloatArray:
    """Marginal log-likelihood plus the log-prior in its coordinate, where neither is infinite."""
    coordinate = problem.prior.coordinate
    inside = np.maximum(mu, 1e-12 * problem.scale)
    with np.errstate(invalid="ignore"):
        log_prior = problem.prior.log_density(inside) + coordinate.log_jacobian(
            coordinate.of_mu(inside)
        )
    return values + np.where(np.isfinite(log_prior), log_prior, -np.inf)


def resolved(height: FloatArray) -> bool:
    """Whether enough nodes lie where the posterior does. Log-posterior, shape [node]."""
    finite = height[np.isfinite(height)]
    return bool(len(finite) and np.count_nonzero(finite > finite.max() - _BULK) >= _ENOUGH)


def chebyshev(n: int) -> FloatArray:
    """Chebyshev points of [0, 1], ends included."""
    result: FloatArray = 0.5 - 0.5 * np.cos(np.pi * np.arange(n) / (n - 1))
    return result


def strengths(low: FloatArray, high: FloatArray, y: FloatArray) -> FloatArray:
    """Signal strengths at points of [0, 1], denser at the low end. Shapes [obs] x2, [node]."""
    result: FloatArray = low[:, np.newaxis] + (high - low)[:, np.newaxis] * y**2
    return result


def interpolate(y: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Values at Chebyshev points of [0, 1] taken to other points. Shapes [node], [..., node]."""
    weight = (-1.0) ** np.arange(len(y))
    weight[[0, -1]] *= 0.5
    difference = at[:, np.newaxis] - y[np.newaxis, :]
    exact = difference == 0.0
    terms = weight / np.where(exact, 1.0, difference)
    hit = exact.any(axis=1, keepdims=True)
    matrix = np.where(hit, exact, terms / np.where(hit, 1.0, terms.sum(axis=1, keepdims=True)))
    result: FloatArray = values @ matrix.T
    return result


def posterior_from(
    prior: BoundPrior, low: float, high: float, y: FloatArray, values: FloatArray
) -> PoiPosterior:
    """Posterior from a marginal log-likelihood that is interpolated, on panels that follow it.

    Parameters
    ----------
    prior
        Of the signal strength.
    low, high
        Range that is integrated.
    y, values
        Chebyshev points of [0, 1], and values at the signal strengths there. Shapes [node].

    Raises
    ------
    EmptySupportError
        The likelihood is zero throughout.
    """
    edges = range_panels(prior, low, high, 5)

    def log_likelihood(mu: FloatArray) -> FloatArray:
        return interpolate(y, values, np.sqrt(np.clip((mu - low) / (high - low), 0.0, 1.0)))

    return PoiPosterior.settled(prior, edges, log_likelihood)


def range_panels(prior: BoundPrior, low: float, high: float, panels: int) -> FloatArray:
    """Edges in the coordinate of the prior over a range, to begin with; kinks become edges."""
    coordinate = prior.coordinate
    mu = np.maximum(low + (high - low) * np.linspace(0.0, 1.0, panels + 1) ** 2, prior.lower)
    kinks = [float(coordinate.of_mu(b)) for b in prior.breaks if low < b < high]
    edges = coordinate.of_mu(mu)
    if coordinate.power == 0.0:  # the logarithm needs more panels where the range is wide
        count = max(panels, math.ceil((edges[-1] - edges[0]) / 1.2))
        edges = np.linspace(edges[0], edges[-1], count + 1)
    return np.unique(np.concatenate([edges, kinks]))
