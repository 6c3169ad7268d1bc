"""Starts far from a minimum, where it may not be the only one.

An ordinary likelihood has one minimum, and a second start confirms it. Five kinds may not: data so
far from the model that nuisance parameters compete to explain them, templates for up and down on
one side of the nominal one, variations that empty a part of the model or multiply it, two nuisance
parameters of nearly the same effect, and a shape that a few events leave open. These get
starts all over their ranges; an ordinary fit gets none and is not touched.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.fit.lanes import Problem
from darkstats.gaussian import quantile
from darkstats.model import Observation
from darkstats.streams import keyed_generator

__all__ = ["affordable", "far_from_model", "most_starts", "starts_elsewhere"]

_RARE = 0.01  # of ordinary fits, that have one pull as large as is asked for
_FAR = 5.0  # standard deviations of chi-square beyond the number of bins
_FEW = 10.0  # of deviance, that a handful of bins may have in any case
_LARGE = 10.0  # factor by which one standard deviation changes a yield: the linter's, too
_MANY_PARAMETERS = 60  # beyond, rates at so many points and fits from so many starts are dear
_SMALL = 12  # parameters of a model whose fits cost next to nothing
_ALIKE = 0.8  # of two nuisance parameters whose effects are the same but for a fifth
_FEW_EVENTS = 50  # that may leave a minimum at an end of a shape's range beside one within
_FROM_END = 0.02  # of a range, inside which a fit starts to look at its end
_COMBINED = 4  # nuisance parameters whose signs are combined
#: Standard deviations: where a large variation has nearly emptied its part, inside, and near the
#: end of the usual range of 5.
_SIZES = (0.95, 1.5, 4.0)
_RANDOM = 8
_BUDGET = 1e10  # sums of products that a look may take in a large model: a few seconds
_STEPS = 50  # of an ordinary fit from so far away
_STRENGTHS = (0.0, 1.0, 5.0, 50.0, 1000.0)  # in units of the background's own fluctuation


def _pulls(problem: Problem, point: FloatArray) -> FloatArray:
    """Distances from the auxiliary data in pre-fit errors, 0 without a constraint. Shape [par]."""
    model = problem.model
    errors = np.array(
        [p.prefit_error if p.constrained and p.prefit_error else math.inf for p in model.parameters]
    )
    return np.where(problem.free == 1, np.abs(point - model.nominal) / errors, 0.0)


def far_from_model(
    problem: Problem, observation: Observation, point: FloatArray, twice_nll: float
) -> bool:
    """Whether a best fit misses the data, or pulls more than an ordinary one ever does.

    Parameters
    ----------
    problem, observation
        What was fitted.
    point, twice_nll
        The minimum [par] and its deviance.
    """
    pulls = _pulls(problem, point)
    n_constrained = max(1, sum(p.constrained for p in problem.model.parameters))
    if pulls.max(initial=0.0) > quantile(1.0 - 0.5 * _RARE / n_constrained):
        return True
    if observation.events is not None:
        return False  # relative to no saturated model
    n = int(np.count_nonzero(~problem.model.masked_bins))
    return twice_nll > n + _FAR * math.sqrt(2.0 * n) + _FEW


def _signal(problem: Problem, point: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rates without signal, and those of one unit of signal alone: [..., par] -> [..., bin]."""
    model = problem.model
    used = ~model.masked_bins
    without, unit = np.array(point), np.array(point)
    without[..., model.require_poi()], unit[..., model.require_poi()] = 0.0, 1.0
    with np.errstate(all="ignore"):
        background = np.asarray(model.expected_rates(without))[..., used]
        return background, np.asarray(model.expected_rates(unit))[..., used] - background


def _large(problem: Problem) -> IndexArray:
    """Nuisance parameters that empty a part of the model, or multiply it, within their error."""
    model = problem.model
    few = model.n_parameters <= _MANY_PARAMETERS and model.poi_index is not None
    chosen = [
        p
        for p, parameter in enumerate(model.parameters)
        if few and problem.free[p] == 1 and parameter.constraint == "gaussian"
    ]
    if not chosen:
        return np.zeros(0, dtype=np.int64)
    nominal = model.nominal
    points = np.repeat(nominal[np.newaxis], 2 * len(chosen), axis=0)
    for k, p in enumerate(chosen):
        error = model.parameters[p].prefit_error or 0.0
        points[2 * k : 2 * k + 2, p] += -error, error
    found = np.zeros(len(chosen), dtype=bool)
    for varied, at_nominal in zip(_signal(problem, points), _signal(problem, nominal), strict=True):
        seen = np.abs(at_nominal) > 0.0
        with np.errstate(all="ignore"):
            ratio = varied[:, seen] / at_nominal[seen]
        beyond = ((ratio < 1.0 / _LARGE) | (ratio > _LARGE)).any(axis=1)
        found |= beyond.reshape(-1, 2).any(axis=1)
    return np.array(chosen, dtype=np.int64)[found]


def _alike(problem: Problem, observation: Observation, point: FloatArray) -> list[int]:
    """Nuisance parameters of a small model with nearly the same effect as another one.

    They trade for each other along a valley, which may have a minimum on either side of the kink
    that a variation has at zero.
    """
    model = problem.model
    chosen = [
        p
        for p, parameter in enumerate(model.parameters)
        if problem.free[p] == 1 and parameter.constraint == "gaussian"
    ]
    if observation.events is not None or len(chosen) < 2 or model.n_parameters > _SMALL:
        return []
    data, auxdata = model.stack([observation])
    hessian = model.derivatives(point, data, auxdata[0])[2][np.ix_(chosen, chosen)]
    root = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    if not np.isfinite(hessian).all() or not (root > 0.0).all():
        return []
    shared = np.abs(hessian / np.outer(root, root)) > _ALIKE
    np.fill_diagonal(shared, val=False)
    return [chosen[k] for k in np.flatnonzero(shared.any(axis=1))]


def _open_shapes(problem: Problem, observation: Observation) -> list[int]:
    """Free parameters without constraint of a model of few events, but for the signal strength."""
    model = problem.model
    if observation.events is None or float(np.sum(observation.counts)) > _FEW_EVENTS:
        return []
    span = problem.upper - problem.lower
    return [
        p
        for p, parameter in enumerate(model.parameters)
        if problem.free[p] == 1
        and not parameter.constrained
        and p != model.poi_index
        and math.isfinite(span[p])
    ]


def _at_ends(problem: Problem, point: FloatArray, chosen: list[int]) -> FloatArray:
    """Starts near both ends of the range of each chosen parameter. Shape [2 chosen, par]."""
    starts = np.repeat(point[np.newaxis], 2 * len(chosen), axis=0)
    for k, p in enumerate(chosen):
        inside = _FROM_END * (problem.upper[p] - problem.lower[p])
        starts[2 * k : 2 * k + 2, p] = problem.lower[p] + inside, problem.upper[p] - inside
    return starts


def _strengths(problem: Problem, observation: Observation, point: FloatArray) -> FloatArray:
    """Signal strengths to start at: from none to far too many, and what the total asks for."""
    model = problem.model
    poi = model.require_poi()
    background, signal = _signal(problem, point)
    expected, size = float(np.maximum(background, 0.0).sum()), float(np.abs(signal).sum())
    if not (math.isfinite(expected) and math.isfinite(size) and size > 0.0):
        return np.array([point[poi]])
    if observation.events is None:
        seen = float(np.asarray(observation.counts)[~model.masked_bins].sum())
    else:
        seen = expected
    unit = math.sqrt(max(expected, seen, 1.0)) / size
    wanted = [unit * k for k in _STRENGTHS]
    if float(signal.sum()) != 0.0:
        wanted.insert(1, (seen - expected) / float(signal.sum()))
    return np.unique(np.clip(wanted, problem.lower[poi], problem.upper[poi]))


def most_starts(problem: Problem) -> int | None:
    """How many starts a look for other minima may take; None for a model of usual size: all.

    What a step costs is counted, not timed, so that the same fit ends in the same way everywhere.
    """
    step = problem.model.products_per_step
    if problem.model.n_parameters <= _MANY_PARAMETERS or step is None:
        return None
    return math.floor(_BUDGET / (_STEPS * step))


def affordable(problem: Problem, starts: FloatArray) -> FloatArray:
    """Those of the starts [start, par] that a look for other minima may take, evenly chosen."""
    most = most_starts(problem)
    if most is None or most >= len(starts):
        return starts
    return starts[np.linspace(0, len(starts) - 1, most).astype(np.int64)]


def starts_elsewhere(
    problem: Problem, observation: Observation, point: FloatArray, twice_nll: float
) -> FloatArray:
    """Starts from which a fit would find another minimum, if there is one. Shape [start, par].

    None for an ordinary fit. Nuisance parameters that may stand on either side do so in all
    combinations, near and far, the others at their auxiliary data and at the best fit in turn; a
    free signal strength starts between none and a thousand times the background's fluctuation.

    Parameters
    ----------
    problem, observation
        What was fitted.
    point, twice_nll
        The minimum found so far [par], and its deviance.
    """
    model = problem.model
    poi = model.poi_index
    free_poi = poi is not None and problem.free[poi] == 1
    far = far_from_model(problem, observation, point, twice_nll)
    sides = [p for p in model.one_sided if problem.free[p] == 1] if free_poi or far else []
    large = list(map(int, _large(problem))) if observation.events is None else []
    pulls = _pulls(problem, point)
    alike = [] if far or sides or large else _alike(problem, observation, point)
    ends = _at_ends(problem, point, _open_shapes(problem, observation))
    if not (far or sides or large or alike):
        return ends
    ranked = list(map(int, np.argsort(-pulls, kind="stable")[: 2 * _COMBINED]))
    pulled = [p for p in ranked if pulls[p] > 0.0] if far else []
    order = list(dict.fromkeys([*large, *sides, *alike, *pulled]))[:_COMBINED]
    strengths = _strengths(problem, observation, point) if free_poi else np.array([np.nan])
    few = model.n_parameters <= _MANY_PARAMETERS
    errors = np.array([p.prefit_error or 0.0 for p in model.parameters])
    constrained = [p for p, one in enumerate(model.parameters) if one.constraint == "gaussian"]
    rng = keyed_generator(4, model.digest, 0x57A27)
    nominal = np.where(problem.free == 1, model.nominal, point)
    starts: list[FloatArray] = []
    for size in _SIZES[0 if large else 1 :] if few else _SIZES[2:]:
        for k, signs in enumerate(itertools.product((1.0, -1.0), repeat=len(order))):
            for strength in strengths if few else strengths[k % len(strengths) :][:1]:
                start = (nominal if (k + len(starts)) % 2 else point).copy()
                start[order] = model.nominal[order] + np.array(signs) * size * errors[order]
                if free_poi:
                    start[poi] = strength
                starts.append(start)
    for k in range(_RANDOM):
        start = nominal.copy()
        start[constrained] += rng.uniform(-5.0, 5.0, len(constrained)) * errors[constrained]
        if free_poi:
            start[poi] = strengths[k % len(strengths)]
        starts.append(start)
    points = np.clip(np.vstack([*starts, ends]), problem.lower, problem.upper)
    return np.where(problem.free == 1, points, point)
