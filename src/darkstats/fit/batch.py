"""Many fits at once: lanes of data in, minima with a status each out.

Certification level 1, for every lane, toys included: the projected gradient's estimated distance
to the minimum (EDM) is below tolerance with positive curvature on the free parameters.  A lane that
misses it climbs a ladder of retries; one that still misses it stays marked as failed.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from darkstats.arrays import BoolArray, FloatArray, IndexArray, frozen_floats, frozen_indices
from darkstats.errors import FitFailedError, OptionError
from darkstats.fit.minimise import CODE_NOT_FINITE, CODE_STALLED, Box, fit_lanes, make_memory
from darkstats.kernel import default_threads, run_blocks
from darkstats.model import HistFactoryModel

__all__ = ["RUNGS", "BatchFit", "FitOptions", "FitStatus", "Problem", "fit_batch"]


class FitStatus(enum.IntEnum):
    """What became of a fit."""

    CONVERGED = 0
    MAX_STEPS = 1
    NOT_FINITE = 2
    STALLED = 3


RUNGS = ("first start", "cold start", "strong damping", "iminuit", "many starts")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How to minimise.

    Parameters
    ----------
    edm_tolerance
        Estimated distance to the minimum in half the deviance, below which a fit has converged.
    max_steps
        Newton steps at most, per start.
    threads
        Threads at most; None: the processors of this process. Results do not depend on it.
    """

    edm_tolerance: float = 1e-9
    max_steps: int = 200
    threads: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFit:
    """Minima of many lanes.

    Parameters
    ----------
    parameters
        Shape [lane, par].
    twice_nll
        Deviance relative to the saturated model, constraint terms included; differences are
        likelihood ratios. Shape [lane].
    edm, min_rate
        Estimated distance to the minimum; smallest expected rate of a bin. Shape [lane].
    steps, flat, rung, status
        Newton steps, directions without curvature, place in :data:`RUNGS` of the retry that
        delivered, :class:`FitStatus`. Shape [lane].
    """

    parameters: FloatArray
    twice_nll: FloatArray
    edm: FloatArray
    min_rate: FloatArray
    steps: IndexArray
    flat: IndexArray
    rung: IndexArray
    status: IndexArray

    @property
    def converged(self) -> BoolArray:
        """Which lanes reached a certified minimum. Shape [lane]."""
        return np.asarray(self.status == FitStatus.CONVERGED)

    @property
    def n_failed(self) -> int:
        """Number of lanes without a certified minimum."""
        return int(np.count_nonzero(~self.converged))

    def require_converged(self) -> BatchFit:
        """Return self.

        Raises
        ------
        FitFailedError
            A lane failed; the message names the first.
        """
        if self.n_failed:
            lane = int(np.flatnonzero(~self.converged)[0])
            raise FitFailedError(
                f"{self.n_failed} of {len(self.status)} fits failed after every retry; first: "
                f"lane {lane}, {FitStatus(int(self.status[lane])).name}, EDM {self.edm[lane]:.3g}; "
                "look at it with `darkstats fit` and check the ranges of free parameters"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is free, what is fixed, and the box; shared by all lanes of a batch."""

    model: HistFactoryModel
    free: IndexArray
    lower: FloatArray
    upper: FloatArray
    values: FloatArray = field(repr=False)  # [par] starting or fixed values

    @classmethod
    def of(
        cls,
        model: HistFactoryModel,
        *,
        fix_poi: bool,
        fixed: Mapping[str, float],
        poi_lower: float | None,
        poi_upper: float | None,
    ) -> Problem:
        """Build the problem from a model and what a caller fixes."""
        free = ~model.fixed
        lower, upper, values = model.lower, model.upper, model.inits
        if fix_poi or poi_lower is not None or poi_upper is not None:
            poi = model.require_poi()
            if fix_poi:
                free[poi] = False
            else:
                lower[poi] = lower[poi] if poi_lower is None else poi_lower
                upper[poi] = upper[poi] if poi_upper is None else poi_upper
                if not lower[poi] < upper[poi]:
                    raise OptionError(
                        f"empty range for {model.poi_name}: [{lower[poi]}, {upper[poi]}]"
                    )
                values[poi] = min(max(values[poi], lower[poi]), upper[poi])
        for name, value in fixed.items():
            if not np.isfinite(value):
                raise OptionError(f"cannot fix {name} at {value}: not a finite number")
            index = model.parameter_index(name)
            free[index] = False
            values[index] = value
        return cls(
            model=model,
            free=frozen_indices(free),
            lower=frozen_floats(lower),
            upper=frozen_floats(upper),
            values=frozen_floats(values),
        )


@dataclass(slots=True)
class _Lanes:
    """Arrays that the kernel fills."""

    parameters: FloatArray
    value: FloatArray
    edm: FloatArray
    min_rate: FloatArray
    report: IndexArray

    @classmethod
    def starting_at(cls, parameters: FloatArray) -> _Lanes:
        n = len(parameters)
        return cls(
            np.array(parameters, order="C"),
            np.empty(n),
            np.empty(n),
            np.empty(n),
            np.empty((n, 3), dtype=np.int64),
        )

    def status(self, tolerance: float) -> IndexArray:
        """Classify lanes with strict arithmetic, outside the fast kernel."""
        finite = np.isfinite(self.value) & np.isfinite(self.parameters).all(axis=1)
        at_minimum = (self.edm >= 0.0) & (self.edm <= tolerance) & (self.report[:, 0] == 0)
        code = np.where(
            self.report[:, 0] == CODE_STALLED, int(FitStatus.STALLED), int(FitStatus.MAX_STEPS)
        )
        bad = ~finite | (self.report[:, 0] == CODE_NOT_FINITE)
        return np.where(
            bad, int(FitStatus.NOT_FINITE), np.where(at_minimum, int(FitStatus.CONVERGED), code)
        )


def run_kernel(
    problem: Problem,
    counts: FloatArray,
    auxdata: FloatArray,
    starts: FloatArray,
    options: FitOptions,
    *,
    damping: float = 0.0,
) -> _Lanes:
    """One pass of the minimiser over all lanes. Shapes: [lane, bin], [lane, par], [lane, par]."""
    model = problem.model
    numbers = model.likelihood_numbers()
    lanes = _Lanes.starting_at(starts)
    threads = options.threads or default_threads()
    n_lanes = len(starts)
    box = Box(problem.lower, problem.upper, problem.free)

    def work(first: int, stop: int) -> None:
        fit_lanes(
            model.layout,
            numbers,
            first,
            stop,
            counts,
            auxdata,
            box,
            damping,
            options.max_steps,
            options.edm_tolerance,
            make_memory(model.layout, numbers),
            lanes.parameters,
            lanes.value,
            lanes.edm,
            lanes.min_rate,
            lanes.report,
        )

    block = max(1, min(1024, -(-n_lanes // (4 * threads)))) if threads > 1 else max(1, n_lanes)
    run_blocks(work, n_lanes, threads=threads, block=block)
    return lanes


def fit_batch(
    model: HistFactoryModel,
    counts: npt.ArrayLike,
    auxdata: npt.ArrayLike,
    *,
    start: npt.ArrayLike | None = None,
    poi_values: npt.ArrayLike | None = None,
    fixed: Mapping[str, float] | None = None,
    poi_lower: float | None = None,
    poi_upper: float | None = None,
    options: FitOptions | None = None,
) -> BatchFit:
    """Minimise many lanes, each with data of its own.

    Parameters
    ----------
    model
        The likelihood.
    counts, auxdata
        Shapes [lane, bin] and [lane, par].
    start
        Starting values, shape [par] or [lane, par]; the model's by default.
    poi_values
        Fixes the parameter of interest, at one value or at one per lane.
    fixed
        Further parameters to fix, by name.
    poi_lower, poi_upper
        Range of a free parameter of interest; the workspace's by default. Infinity is allowed.
    options
        How to minimise.

    Raises
    ------
    OptionError
        Shapes do not fit, a value is not finite, or a range is empty.
    """
    options = options or FitOptions()
    counts = np.atleast_2d(np.asarray(counts, dtype=float))
    auxdata = np.atleast_2d(np.asarray(auxdata, dtype=float))
    n_lanes = len(counts)
    if counts.shape != (n_lanes, model.n_bins) or auxdata.shape != (n_lanes, model.n_parameters):
        raise OptionError(
            f"need counts [lane, {model.n_bins}] and auxdata [lane, {model.n_parameters}], "
            f"got {counts.shape} and {auxdata.shape}"
        )
    if any(channel.masked for channel in model.channels):
        counts = np.where(model.masked_bins, 0.0, counts)
    problem = Problem.of(
        model,
        fix_poi=poi_values is not None,
        fixed=fixed or {},
        poi_lower=poi_lower,
        poi_upper=poi_upper,
    )
    held = np.broadcast_to(problem.values, (n_lanes, model.n_parameters)).copy()
    if poi_values is not None:
        values = np.broadcast_to(np.asarray(poi_values, dtype=float), (n_lanes,))
        if not np.isfinite(values).all():
            raise OptionError("a value of the parameter of interest is not a finite number")
        held[:, model.require_poi()] = values
    starts = held
    if start is not None:
        free = problem.free.astype(bool)
        starts = np.where(free, np.broadcast_to(np.asarray(start, dtype=float), held.shape), held)

    frozen_counts, frozen_auxdata = frozen_floats(counts), frozen_floats(auxdata)
    lanes = run_kernel(problem, frozen_counts, frozen_auxdata, starts, options)
    status = lanes.status(options.edm_tolerance)
    rung = np.zeros(n_lanes, dtype=np.int64)
    if (status != FitStatus.CONVERGED).any():
        from darkstats.fit.ladder import climb  # only failures pay for it

        climb(
            problem,
            frozen_counts,
            frozen_auxdata,
            held,
            lanes,
            status=status,
            rung=rung,
            options=options,
        )
    return BatchFit(
        parameters=lanes.parameters,
        twice_nll=2.0 * lanes.value,
        edm=lanes.edm,
        min_rate=lanes.min_rate,
        steps=lanes.report[:, 1],
        flat=lanes.report[:, 2],
        rung=rung,
        status=status,
    )
