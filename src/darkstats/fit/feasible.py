"""Phase one: a point at which the data are possible.

Where a signal interferes, or a yield or a coefficient is negative, rates are positive in part of
the parameter space only, and a fit that starts elsewhere has nothing to go by: its likelihood is
zero. Here every rate is raised by an offset that makes the start possible; the likelihood with the
offset is minimised, and the offset lowered, until none is left. The logarithms of the raised rates
count for more from stage to stage, so that yields and constraints hold up nothing. What is found is
a start and nothing else: the fit from it is certified like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.fit.lanes import Problem
from darkstats.fit.newton_steps import newton_steps
from darkstats.model import LaneData
from darkstats.model.base import DataRates

__all__ = ["Feasible", "feasible_point"]

_MOST_STAGES = 40  # offsets
_URGENCY = 4.0  # factor of the weight of the logarithms from stage to stage
_URGENT = 1e6  # weight from which on an offset that does not fall has no way to
_STEPS = 3  # Newton steps at one offset
_LOWERING = 0.8  # part of the least raised rate by which the offset falls
_ENOUGH = 1e-9  # of the size of its terms: above it, a rate is positive whoever computes it
_STUCK = 1e-4  # of the offset: when it falls by less, there is no way on
_DIFFERENCE = 1e-6  # step of the differences, in units of a parameter's size
_LENGTHS = 0.5 ** np.arange(12)  # parts of a step that are tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasible:
    """The point that was reached.

    Parameters
    ----------
    parameters
        Shape [par].
    reached
        Whether every rate where there are data is positive there.
    datum, rate
        Which of them is least compared with its terms, and its value.
    evaluations
        Points at which rates were computed.
    """

    parameters: FloatArray
    reached: bool
    datum: int
    rate: float
    evaluations: int


class _Stage(NamedTuple):
    """Sizes of the rates [datum], the offset in units of them, the weight of each logarithm."""

    size: FloatArray
    offset: float
    weight: float


class _Search:
    """One lane: its rates, and their slopes by differences."""

    def __init__(self, problem: Problem, data: LaneData, auxdata: FloatArray) -> None:
        model = problem.model
        self.model, self.data, self.auxdata = model, data, auxdata
        self.free = np.flatnonzero(problem.free)
        self.lower, self.upper = problem.lower[self.free], problem.upper[self.free]
        parameters = [model.parameters[p] for p in self.free]
        gaussian = np.array([one.constraint == "gaussian" for one in parameters], dtype=bool)
        width = np.array([one.width for one in parameters])
        with np.errstate(divide="ignore", over="ignore"):  # a tiny width weighs infinitely much
            self.weight = np.where(gaussian, 1.0 / np.where(gaussian, width, 1.0) ** 2, 0.0)
        self.width = np.array([one.prefit_error or 0.0 for one in parameters])
        self.evaluations = 0

    def rates(self, points: FloatArray) -> DataRates:
        """Rates where there are data, at full points [point, par]."""
        self.evaluations += len(points)
        return self.model.rates_at_data(points, self.data)

    def slopes(self, x: FloatArray, here: DataRates) -> tuple[FloatArray, FloatArray]:
        """Derivatives of the rates [free, datum] and of the total [free], from inside the box."""
        size = np.maximum(np.abs(x[self.free]), self.width)
        size = np.where(size > 0.0, size, np.minimum(1.0, self.upper - self.lower))
        step = _DIFFERENCE * size
        step = np.where(x[self.free] + step <= self.upper, step, -step)
        points = np.repeat(x[None], len(self.free), axis=0)
        points[np.arange(len(self.free)), self.free] += step
        there = self.rates(points)
        slope = (there.rates - here.rates) / step[:, None]
        return slope, (there.total - here.total) / step

    def value(self, points: FloatArray, at: DataRates, stage: _Stage) -> FloatArray:
        """The likelihood with the offset; infinite where a raised rate is not positive. [point]."""
        raised = at.rates / stage.size + stage.offset
        possible = (raised > 0.0).all(axis=1)
        logs = np.log(np.where(raised > 0.0, raised, 1.0)).sum(axis=1)
        away = points[:, self.free] - self.auxdata[self.free]
        total = at.total + 0.5 * (away**2) @ self.weight - stage.weight * logs
        return np.where(possible & np.isfinite(total), total, np.inf)


def feasible_point(
    problem: Problem, data: LaneData, auxdata: FloatArray, start: FloatArray
) -> Feasible:
    """Look for a point with positive rates where there are data, in the box.

    Parameters
    ----------
    problem
        What is free, and the box.
    data, auxdata
        One lane, and its auxiliary data [par].
    start
        Shape [par].
    """
    search = _Search(problem, data, auxdata)
    free = search.free
    x = np.array(start, dtype=float)
    x[free] = np.clip(x[free], search.lower, search.upper)
    with np.errstate(all="ignore"):
        here = search.rates(x[None])
        if not here.rates.size or not free.size or not np.isfinite(here.rates).all():
            return _ended(search, x, here, np.ones(here.rates.shape[1]))
        slope, rise = search.slopes(x, here)
        reach = np.maximum(np.abs(x[free]), search.width)
        size = np.abs(here.rates[0]) + reach @ np.abs(slope)
        size = np.where((size > 0.0) & np.isfinite(size), size, 1.0)
        least = float((here.rates[0] / size).min())
        offset = max(0.0, -least) + max(0.1, 0.5 * abs(least))
        mean, urgency = max(float(here.weights.mean()), 1.0), 1.0
        for _ in range(_MOST_STAGES):
            stage = _Stage(size, offset, urgency * mean)
            for _ in range(_STEPS):
                if float((here.rates[0] / size).min()) > _ENOUGH:
                    return _ended(search, x, here, size)
                moved = _step(search, x, here, slopes=(slope, rise), stage=stage)
                if moved is None:
                    break
                x, here = moved
                slope, rise = search.slopes(x, here)
            least = float((here.rates[0] / size).min())
            fall = _LOWERING * (least + offset)
            if urgency > _URGENT and not fall > _STUCK * offset:
                break
            offset, urgency = max(offset - fall, 0.0), _URGENCY * urgency
        return _ended(search, x, here, size)


def _step(
    search: _Search,
    x: FloatArray,
    here: DataRates,
    *,
    slopes: tuple[FloatArray, FloatArray],
    stage: _Stage,
) -> tuple[FloatArray, DataRates] | None:
    """A step down with this offset, and the rates there; None if there is none.

    The curvature is that of the logarithm, exact where rates are linear.
    """
    free = search.free
    slope = slopes[0] / stage.size
    if not np.isfinite(slope).all() or not np.isfinite(slopes[1]).all():
        return None
    raised = here.rates[0] / stage.size + stage.offset
    away = x[free] - search.auxdata[free]
    gradient = slopes[1] - stage.weight * (slope / raised).sum(axis=1) + search.weight * away
    scaled = slope / raised
    hessian = stage.weight * (scaled @ scaled.T) + np.diag(search.weight)
    step, _, _ = newton_steps(
        x[None, free],
        gradient[None],
        hessian[None],
        lower=search.lower,
        upper=search.upper,
        free=np.ones(len(free), dtype=bool),
        damping=np.zeros(1),
        tolerance=0.0,
        threads=1,
    )
    points = np.repeat(x[None], len(_LENGTHS), axis=0)
    points[:, free] = np.clip(x[free] + _LENGTHS[:, None] * step, search.lower, search.upper)
    there = search.rates(points)
    value = search.value(points, there, stage)
    now = float(search.value(x[None], here, stage)[0])
    best = int(np.argmin(value))
    if not value[best] < now:
        return None
    return points[best], there.at(best)


def _ended(search: _Search, x: FloatArray, here: DataRates, size: FloatArray) -> Feasible:
    compared = np.where(np.isfinite(here.rates[0]), here.rates[0] / size, -np.inf)
    datum = int(np.argmin(compared)) if compared.size else 0
    return Feasible(
        parameters=x,
        reached=bool(compared.size == 0 or compared[datum] > 0.0),
        datum=datum,
        rate=float(here.rates[0, datum]) if compared.size else np.inf,
        evaluations=search.evaluations,
    )
