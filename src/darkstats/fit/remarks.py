"""What a reader of a fit has to know: warnings of a minimum, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from darkstats.arrays import BoolArray, FloatArray
from darkstats.errors import FitFailedError, ImpossibleDataError
from darkstats.fit.batch import BatchFit
from darkstats.fit.elsewhere import most_starts, starts_elsewhere
from darkstats.fit.feasible import feasible_point
from darkstats.fit.lanes import FitStatus, Problem
from darkstats.fit.minima import AGREEMENT
from darkstats.model import Model, Observation

__all__ = [
    "RANGE_END",
    "bound_warnings",
    "failure",
    "held_in_words",
    "loose_parameters",
    "untried_starts",
    "warnings_of",
]

PRESSING = 1e-3  # half a deviance over the whole range, below which a bound holds nothing back
RANGE_END = "the end of the range that the workspace declares"
SAME_PLACE = 1e-2  # relative difference of a parameter between two starts at one minimum
ONE_MINIMUM = 1e-4  # squared distance, in standard deviations, of two ends at one minimum
FLAT = 1e-8  # least curvature along any direction, of a Hessian with a unit diagonal


def loose_parameters(
    problem: Problem, observation: Observation, here: FloatArray, there: FloatArray
) -> BoolArray:
    """Parameters [par] whose values two starts leave open, although the deviance is the same.

    What is asked depends on no unit of a parameter: the distance counts in standard deviations, and
    the curvature after a scaling of the Hessian to a unit diagonal.
    """
    model = problem.model
    own = [p.prefit_error if p.constrained else None for p in model.parameters]
    unit = np.array([0.0 if error is None else error for error in own])
    size = np.maximum(np.maximum(np.abs(here), np.abs(there)), unit)
    apart: BoolArray = np.abs(here - there) > SAME_PLACE * size
    if not apart.any():
        return apart
    data, auxdata = model.stack([observation])
    hessian = model.derivatives(here, data, auxdata[0])[2]
    free = np.flatnonzero(problem.free)
    hessian, step = hessian[np.ix_(free, free)], (there - here)[free]
    if not np.isfinite(hessian).all() or step @ hessian @ step > ONE_MINIMUM:
        return apart  # two minima of one depth, or no curvature that could tell
    root = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    scale = np.where(root > 0.0, root, 1.0)
    curvature, directions = np.linalg.eigh(hessian / np.outer(scale, scale))
    flat = (np.abs(directions[:, curvature < FLAT]) > SAME_PLACE).any(axis=1)
    apart[free] &= flat
    return apart


def untried_starts(
    problem: Problem, observation: Observation, point: FloatArray, twice_nll: float
) -> tuple[str, ...]:
    """Words for a minimum that others may lie below, where not all was tried that could tell."""
    most = most_starts(problem)
    if most is None:
        return ()
    starts = starts_elsewhere(problem, observation, point, twice_nll)
    tried = min(most, len(starts))
    if tried == len(starts):
        return ()
    return (
        f"the likelihood may have further minima, for which {tried} of {len(starts)} starts were "
        "tried, as fits of a model of this size are dear; check the data and the largest pulls",
    )


def warnings_of(
    problem: Problem, batch: BatchFit, best: int, loose: BoolArray, spread: float
) -> tuple[str, ...]:
    """Words for parameters that are left open, for other minima and for negative rates."""
    notes = []
    if loose.any():
        names = [problem.model.parameters[p].name for p in np.flatnonzero(loose)]
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        notes.append(
            f"the likelihood hardly changes with {shown}: two starts found the same deviance at "
            "different values, which mean nothing by themselves"
        )
    if spread > AGREEMENT:
        notes.append(
            f"the likelihood has more than one minimum (deviances {spread:.3g} apart); "
            "the lowest was taken"
        )
    if batch.min_rate[best] < 0.0:
        notes.append(problem.model.negative_rates)
    return tuple(notes)


def held_in_words(model: Model, poi_value: float | None, fixed: Mapping[str, float] | None) -> str:
    """What a caller holds, in words."""
    held = {} if poi_value is None else {model.poi_name or "": poi_value}
    return ", ".join(f"{name} = {value:g}" for name, value in {**held, **(fixed or {})}.items())


def failure(
    problem: Problem, observation: Observation, start: FloatArray, batch: BatchFit, held: str
) -> FitFailedError:
    """A fit without a minimum: where the data are impossible, with the place."""
    n, status = len(batch.status), FitStatus(int(batch.status[0]))
    if status is FitStatus.NOT_FINITE:
        data, auxdata = problem.model.stack([observation])
        found = feasible_point(problem, problem.model.lanes_of(data), auxdata[0], start)
        if not found.reached:
            return ImpossibleDataError(
                "no point was found within the ranges of the parameters that has a positive, "
                "finite expected rate wherever there are events; the best one has "
                f"{found.rate:.3g} for {problem.model.place_of_datum(data, found.datum)}; widen "
                "the ranges of the parameters that act there",
                held=held,
            )
    return FitFailedError(
        f"no minimum could be certified from {n} starts ({status.name}, EDM "
        f"{batch.edm[0]:.3g}, smallest rate {batch.min_rate[0]:.3g}); check that every "
        "bin with events has a positive expected rate within the ranges of the parameters",
        spent=bool(batch.spent.any()),
    )


def bound_warnings(
    model: Model,
    observation: Observation,
    point: FloatArray,
    resting: BoolArray,
    *,
    lower: bool,
    upper: bool,
) -> tuple[str, ...]:
    """Words for parameters that rest at the end of a range that only serves a minimiser.

    ``lower``, ``upper``: whether that end of the POI's range comes from the workspace. Zero is a
    boundary of physics, and a constraint holds its parameter by itself.
    """
    found = []
    for p in map(int, np.flatnonzero(resting)):
        parameter = model.parameters[p]
        above = bool(point[p] >= parameter.upper)
        end = parameter.upper if above else parameter.lower
        if p == model.poi_index:
            if upper if above else lower and end != 0.0:
                found.append(parameter.name)
        elif not parameter.constrained and end != 0.0 and _presses(model, observation, point, p):
            found.append(parameter.name)
    return tuple(
        f"{name} rests at {point[model.parameter_index(name)]:g}, {RANGE_END}: the likelihood is "
        "larger beyond it; widen the range"
        for name in found
    )


def _presses(model: Model, observation: Observation, point: FloatArray, p: int) -> bool:
    """Whether the likelihood rises beyond the end of a range at which a parameter rests."""
    data, auxdata = model.stack([observation])
    slope = float(model.derivatives(point, data, auxdata[0])[1][p])
    parameter = model.parameters[p]
    outwards = -slope if point[p] >= parameter.upper else slope
    return outwards * (parameter.upper - parameter.lower) > PRESSING
