"""The retries of fits that missed their certificate.

Cold start, strong damping, iminuit with the analytic gradient, many jittered starts: each rung ends
in the kernel, so that whatever it finds is certified in the same way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from darkstats.arrays import FloatArray, IndexArray, frozen_floats
from darkstats.fit.lanes import FitOptions, FitStatus, Lanes, Problem, run_kernel
from darkstats.fit.starts import jittered_starts
from darkstats.model import LaneData

__all__ = ["climb"]

N_JITTERED = 8
MOST_MINUIT_LANES = 200  # a batch that fails wholesale is not rescued lane by lane


def _minuit_point(
    problem: Problem, data: LaneData, auxdata: FloatArray, start: FloatArray
) -> FloatArray:
    """Where iminuit's Migrad ends, with the analytic gradient. Shape [par]."""
    from iminuit import Minuit  # a fallback: not worth its import time otherwise

    model = problem.model
    free = np.flatnonzero(problem.free)

    def full(values: FloatArray) -> FloatArray:
        point = start.copy()
        point[free] = values
        return frozen_floats(point)

    def value(values: FloatArray) -> float:
        result = model.derivatives(full(values), data, auxdata)[0]
        return float(result) if np.isfinite(result) else 1e300

    def gradient(values: FloatArray) -> FloatArray:
        result = model.derivatives(full(values), data, auxdata)[1]
        return np.nan_to_num(np.asarray(result)[free])

    minuit = Minuit(value, start[free], grad=gradient)
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.limits = [
        (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
        for low, high in zip(problem.lower[free], problem.upper[free], strict=True)
    ]
    minuit.strategy = 1
    minuit.migrad(ncall=2000 + 200 * len(free))
    point = start.copy()
    point[free] = np.asarray(minuit.values)
    return np.clip(
        point,
        np.where(problem.free, problem.lower, -np.inf),
        np.where(problem.free, problem.upper, np.inf),
    )


def climb(
    problem: Problem,
    data: LaneData,
    auxdata: FloatArray,
    held: FloatArray,
    lanes: Lanes,
    *,
    status: IndexArray,
    rung: IndexArray,
    options: FitOptions,
) -> None:
    """Retry failed lanes in place. Shapes: [lane, bin], [lane, par], [lane, par]."""
    patient = FitOptions(
        edm_tolerance=options.edm_tolerance,
        max_steps=10 * options.max_steps,
        threads=options.threads,
    )

    def retry(number: int, starts: Callable[[IndexArray], FloatArray], damping: float) -> None:
        failed = np.flatnonzero(status != FitStatus.CONVERGED)
        if len(failed) == 0:
            return
        again = run_kernel(
            problem,
            problem.model.lanes_of(data[failed]),
            frozen_floats(auxdata[failed]),
            starts(failed),
            patient,
            damping=damping,
        )
        good = again.status(options.edm_tolerance) == FitStatus.CONVERGED
        chosen = failed[good]
        lanes.parameters[chosen] = again.parameters[good]
        lanes.value[chosen] = again.value[good]
        lanes.edm[chosen] = again.edm[good]
        lanes.min_rate[chosen] = again.min_rate[good]
        lanes.report[chosen] = again.report[good]
        status[chosen] = FitStatus.CONVERGED
        rung[chosen] = number

    retry(1, lambda failed: held[failed], 0.0)
    retry(2, lambda failed: held[failed], 1.0)

    def from_minuit(failed: IndexArray) -> FloatArray:
        points = held[failed].copy()
        for i, lane in enumerate(failed[:MOST_MINUIT_LANES]):
            points[i] = _minuit_point(
                problem, data[lane : lane + 1], frozen_floats(auxdata[lane]), held[lane]
            )
        return points

    retry(3, from_minuit, 0.0)
    for key in range(N_JITTERED):

        def jittered(failed: IndexArray, key: int = key) -> FloatArray:
            return np.array(
                [jittered_starts(problem, held[lane], 1, key=key)[0] for lane in failed]
            )

        retry(4, jittered, 0.1)
