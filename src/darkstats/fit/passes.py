"""One pass of a minimiser over all lanes: the compiled one, or Newton's over an evaluator."""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.fit.lanes import FitOptions, Lanes, Problem
from darkstats.fit.minimise import fit_lanes
from darkstats.fit.slots import Box, Data
from darkstats.kernel import default_threads, run_blocks
from darkstats.kernel.simd import LANES
from darkstats.model import LaneData

__all__ = ["run_kernel"]


def run_kernel(
    problem: Problem,
    data: LaneData,
    auxdata: FloatArray,
    starts: FloatArray,
    options: FitOptions,
    *,
    damping: float = 0.0,
    most_rounds: int | None = None,
) -> Lanes:
    """One pass of the minimiser over all lanes. Shapes: [lane, bin], [lane, par], [lane, par].

    A model that brings an evaluator of its own is minimised by :mod:`darkstats.fit.newton`, where
    ``most_rounds`` ends it: a step may be tried at many lengths.
    """
    model = problem.model
    evaluator = model.lane_evaluator(data, auxdata, threads=options.threads or default_threads())
    if evaluator is not None:
        from darkstats.fit.newton import newton_lanes  # no fit of bins waits for it

        return newton_lanes(
            problem, evaluator, starts, options, damping=damping, most_rounds=most_rounds
        )
    binned = model.in_bins
    if binned is None:
        raise OptionError("a model that has no bins has to bring an evaluator")
    counts = np.asarray(data)
    layout, numbers = binned.layout, binned.likelihood_numbers()
    words = binned.likelihood_words(numbers)
    lanes = Lanes.starting_at(starts)
    threads = options.threads or default_threads()
    n_lanes = len(starts)
    box = Box(problem.lower, problem.upper, problem.free)
    arrays = Data(
        counts, auxdata, lanes.parameters, lanes.value, lanes.edm, lanes.min_rate, lanes.report
    )

    def work(first: int, stop: int) -> None:
        fit_lanes(
            layout,
            numbers,
            words,
            box,
            arrays,
            first=first,
            stop=stop,
            damping=damping,
            max_steps=options.max_steps,
            edm_tolerance=options.edm_tolerance,
        )

    # Blocks that fill whole vectors, small enough to spread and for an interrupt to come through.
    block = LANES * max(1, min(128, -(-n_lanes // (4 * threads * LANES))))
    run_blocks(work, n_lanes, threads=threads, block=block)
    return lanes
