"""The retries of fits that missed their certificate.

Cold start, strong damping, a start at which the data are possible, iminuit with the analytic
gradient, many jittered starts: each rung ends in the kernel, so that whatever it finds is certified
in the same way.

Every command has to end. What a lane may spend is counted, in steps and in calls of the likelihood,
and follows from the size of the model and of its data; it never depends on a clock, so that a fit
that fails here fails everywhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray, frozen_floats
from darkstats.fit.feasible import feasible_point
from darkstats.fit.lanes import FitOptions, FitStatus, Lanes, Problem
from darkstats.fit.passes import run_kernel
from darkstats.fit.starts import jittered_starts
from darkstats.logs import logger
from darkstats.minuit import silenced
from darkstats.model import LaneData
from darkstats.model.event_lanes import EventLanes

__all__ = ["climb"]

_log = logger(__name__)

N_JITTERED = 8
_PATIENCE = 10  # times the ordinary number of steps, where the budget allows it
#: Nominal seconds that the retries of one batch may take, and iminuit's part of it. A verb refuses
#: after a handful of batches that failed.
_BUDGET_S = 4.0
_MINUIT_S = 1.0
_PROBE_S = 0.25  # of a batch without fallback
_EVENTS_SHARE = 0.5  # of these, for events: their verbs fit three to six batches before they refuse
_CALL_S = 5e-5  # of the likelihood, from Python
_ROUND_S = 2.5e-3  # of a look at all lanes of events, which Python leads, on a busy machine
_FEWEST_STEPS = 20  # in fewer, hardly any fit ends
#: Lanes that are rescued one by one. Where more fail, the batch fails as a whole: of a block of
#: toys a hundredth may.
_MOST_SINGLE_LANES = 32


def _step_seconds(problem: Problem, data: LaneData) -> float:
    """Nominal cost of one step of one lane on one core, of the size of the problem alone."""
    n = problem.model.n_parameters
    return 2e-6 + 2.5e-8 * n * problem.model.terms_of(data) + 4e-10 * float(n) ** 3


def _minuit_point(
    problem: Problem, data: LaneData, auxdata: FloatArray, start: FloatArray, *, most_calls: int
) -> tuple[FloatArray, int]:
    """Where iminuit's Migrad ends, with the analytic gradient [par], and the calls it took."""
    from iminuit import Minuit  # a fallback: not worth its import time otherwise

    model = problem.model
    free = np.flatnonzero(problem.free)

    def full(values: FloatArray) -> FloatArray:
        point = start.copy()
        point[free] = values
        return frozen_floats(point)

    last: tuple[bytes, tuple[float, FloatArray, FloatArray]] | None = None

    def look(values: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """All derivatives; Migrad asks for value and gradient of one point in turn."""
        nonlocal last
        key = np.asarray(values).tobytes()
        if last is None or last[0] != key:
            last = (key, model.derivatives(full(values), data, auxdata))
        return last[1]

    def value(values: FloatArray) -> float:
        result = look(values)[0]
        return float(result) if np.isfinite(result) else 1e300

    def gradient(values: FloatArray) -> FloatArray:
        return np.nan_to_num(np.asarray(look(values)[1])[free])

    minuit = Minuit(value, start[free], grad=gradient)
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.limits = [
        (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
        for low, high in zip(problem.lower[free], problem.upper[free], strict=True)
    ]
    minuit.strategy = 1
    with silenced(minuit):
        minuit.migrad(ncall=min(2000 + 200 * len(free), most_calls), iterate=1)
    point = start.copy()
    point[free] = np.asarray(minuit.values)
    clipped = np.clip(
        point,
        np.where(problem.free, problem.lower, -np.inf),
        np.where(problem.free, problem.upper, np.inf),
    )
    return clipped, int(minuit.nfcn + minuit.ngrad)


class _Climb:
    """Failed lanes, and what is left to spend on them."""

    def __init__(
        self,
        problem: Problem,
        data: LaneData,
        auxdata: FloatArray,
        *,
        lanes: Lanes,
        status: IndexArray,
        rung: IndexArray,
        options: FitOptions,
    ) -> None:
        self.problem, self.data, self.auxdata = problem, data, auxdata
        self.lanes, self.status, self.rung, self.options = lanes, status, rung, options
        self.left = _BUDGET_S if options.fallback else _PROBE_S
        self.step_s = _step_seconds(problem, data)
        self.round_s = 0.0
        if problem.model.in_bins is None:
            self.round_s, self.left = _ROUND_S, _EVENTS_SHARE * self.left

    @property
    def failed(self) -> IndexArray:
        """Lanes without a certified minimum."""
        return np.flatnonzero(self.status != FitStatus.CONVERGED)

    def lane(self, lane: int) -> tuple[LaneData, FloatArray]:
        """Data and auxiliary data of one lane."""
        return self.data[lane : lane + 1], frozen_floats(self.auxdata[lane])

    def retry(
        self, number: int, chosen: IndexArray, starts: FloatArray, *, damping: float, least: int
    ) -> None:
        """Fit some lanes again from [lane, par]; ``least``: steps that they get in any case."""
        step_s = len(chosen) * self.step_s + self.round_s
        dear = least * step_s > self.left
        if len(chosen) == 0 or (dear and not self.options.fallback):
            return
        patient = _PATIENCE * self.options.max_steps if self.options.fallback else least
        allowed = int(min(patient, 0.5 * self.left / step_s))
        steps = max(least, allowed)
        if steps < min(_FEWEST_STEPS, patient):
            return
        one, of = self._distinct(chosen, starts)
        again = run_kernel(
            self.problem,
            self.problem.model.lanes_of(self.data[chosen[one]]),
            frozen_floats(self.auxdata[chosen[one]]),
            starts[one],
            replace(self.options, max_steps=steps),
            damping=damping,
            most_rounds=max(steps, int(0.5 * self.left / self.round_s)) if self.round_s else None,
        ).taken(of)
        steps_taken = again.report[:, 1]
        self.left -= float(steps_taken.sum()) * self.step_s
        self.left -= again.rounds * self.round_s
        good = again.status(self.options.edm_tolerance) == FitStatus.CONVERGED
        there = chosen[good]
        self.lanes.parameters[there] = again.parameters[good]
        self.lanes.value[there] = again.value[good]
        self.lanes.edm[there] = again.edm[good]
        self.lanes.min_rate[there] = again.min_rate[good]
        self.lanes.report[there] = again.report[good]
        self.status[there] = FitStatus.CONVERGED
        self.rung[there] = number

    def _distinct(self, chosen: IndexArray, starts: FloatArray) -> tuple[IndexArray, IndexArray]:
        """Which of some lanes differ, and which of these each lane is.

        Many starts of one fit that failed are all tried again from the model's own start.
        """
        if len(chosen) == 1:
            return np.arange(1), np.arange(1)
        data = self.data.places if isinstance(self.data, EventLanes) else np.asarray(self.data)
        rows = np.hstack([data[chosen], self.auxdata[chosen], starts])
        _, one, of = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return one, of.reshape(-1)

    def alike(self, lanes: BoolArray, held: FloatArray) -> BoolArray:
        """All lanes of events whose data and own start are those of one of some lanes."""
        if self.round_s == 0.0 or not lanes.any():
            return np.zeros(len(lanes), dtype=np.bool_)
        _, of = self._distinct(np.arange(len(lanes)), held)
        return np.isin(of, of[lanes])

    def repeated(self, held: FloatArray, starts: FloatArray) -> BoolArray:
        """Lanes of events that an undamped retry would lead where one has ended. Shape [lane].

        It began at the model's own start, and ended for another reason than the number of steps.
        """
        ended = (self.status == FitStatus.STALLED) | (self.status == FitStatus.NOT_FINITE)
        return self.alike(ended & (starts == held).all(axis=1), held)

    def feasible(self, starts: FloatArray) -> IndexArray:
        """Fit lanes whose start has no likelihood from where they have one; return the others.

        Those are impossible: nothing else is tried on them.
        """
        lost = self.failed[self.status[self.failed] == FitStatus.NOT_FINITE]
        reached, points, impossible = [], [], []
        for lane in lost[:_MOST_SINGLE_LANES]:
            if self.round_s > 0.0 and self.left <= 0.0:
                break  # searches among events take a tenth of a second each
            found = feasible_point(self.problem, *self.lane(lane), starts[lane])
            self.left -= found.evaluations * (self.step_s + self.round_s)
            if found.reached:
                reached.append(int(lane))
                points.append(found.parameters)
            else:
                impossible.append(int(lane))
        if reached:
            self.retry(
                3,
                np.array(reached, dtype=np.int64),
                np.array(points),
                damping=0.0,
                least=self.options.max_steps,
            )
        return np.array(impossible, dtype=np.int64)

    def minuit(self, held: FloatArray, left_out: BoolArray) -> None:
        """Fit lanes from where iminuit ends, but for some."""
        if not self.problem.free.any():
            return  # one point, which the kernel looked at: iminuit wants something to vary
        calls = int(_MINUIT_S / (_CALL_S + self.step_s + self.round_s))
        lanes = self.failed[~left_out[self.failed]]
        if not len(lanes):
            return
        one, of = self._distinct(lanes, held[lanes])
        points: dict[int, FloatArray] = {}  # of a lane, and of all that are the same fit
        for which in of:
            if which in points:
                continue
            if calls < _FEWEST_STEPS or len(points) == _MOST_SINGLE_LANES:
                break
            lane = int(lanes[one[which]])
            points[which], used = _minuit_point(
                self.problem, *self.lane(lane), held[lane], most_calls=calls
            )
            calls -= used
        tried = np.isin(of, list(points))
        chosen = lanes[tried]
        ends = np.array([points[which] for which in of[tried]])
        self.retry(4, chosen, ends, damping=0.0, least=0)


def climb(
    problem: Problem,
    data: LaneData,
    auxdata: FloatArray,
    *,
    held: FloatArray,
    starts: FloatArray,
    lanes: Lanes,
    status: IndexArray,
    rung: IndexArray,
    options: FitOptions,
    spent: BoolArray,
) -> None:
    """Retry failed lanes in place. Shapes: [lane, bin], then [lane, par] thrice.

    ``held`` are the model's own starts, ``starts`` those that failed; ``spent`` says of which
    lanes of events it is known that the own start leads nowhere, also in the end.
    """
    run = _Climb(problem, data, auxdata, lanes=lanes, status=status, rung=rung, options=options)
    _log.debug("%d of %d fits are tried again", len(run.failed), len(status))
    for number, damping, left_out in (
        (1, 0.0, spent | run.repeated(held, starts)),
        (2, 1.0, spent),
    ):
        failed = run.failed[~left_out[run.failed]]
        run.retry(number, failed, held[failed], damping=damping, least=options.max_steps)
    if not options.fallback:
        return
    left_out = spent.copy()
    left_out[run.feasible(starts)] = True
    run.minuit(held, left_out)
    for key in range(N_JITTERED):
        failed = run.failed[~left_out[run.failed]]
        points = [jittered_starts(problem, held[lane], 1, key=key)[0] for lane in failed]
        run.retry(5, failed, np.array(points), damping=0.1, least=0)
    spent |= run.alike(~left_out & (status != FitStatus.CONVERGED), held)
