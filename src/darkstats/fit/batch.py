"""Many fits at once: lanes of data in, minima with a status each out.

Certification level 1, for every lane, toys included: the projected gradient's estimated distance
to the minimum (EDM) is below tolerance with positive curvature on the free parameters.  A lane that
misses it climbs a ladder of retries; one that still misses it stays marked as failed, and what it
found cannot be read: minima among several starts are asked of :meth:`BatchFit.lowest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from darkstats.arguments import checked
from darkstats.arrays import BoolArray, FloatArray, IndexArray, frozen_floats
from darkstats.errors import FitFailedError, OptionError
from darkstats.fit.faces import off_the_face
from darkstats.fit.ladder import climb
from darkstats.fit.lanes import FitOptions, FitStatus, Problem
from darkstats.fit.minima import Minimum
from darkstats.fit.passes import run_kernel
from darkstats.model import LaneData, Model
from darkstats.model.base import LEAST_RATE
from darkstats.shown import Shown

__all__ = ["RUNGS", "BatchFit", "fit_batch"]

RUNGS = (
    "first start",
    "cold start",
    "strong damping",
    "feasible start",
    "iminuit",
    "many starts",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchFit(Shown):
    """Minima of many lanes. What a failed lane found is not there to be read.

    Parameters
    ----------
    parameters
        NaN in a failed lane. Shape [lane, par].
    twice_nll
        Deviance relative to the saturated model, constraint terms included; differences are
        likelihood ratios. NaN in a failed lane. Infinite in a certified one whose data are
        impossible whatever the free parameters are: events in a bin where nothing is expected.
        Shape [lane].
    limiting
        The same, but finite at impossible data: what the deviance of a vanishing rate tends to, up
        to a constant. It says which of several minima is the lowest, and is no deviance. Shape
        [lane].
    ends
        Where each lane ended, failed or not: good for starting another fit, and for nothing else.
        Shape [lane, par].
    first_ends
        The same of the first attempt: a retry from another start hides where a start has led. Shape
        [lane, par].
    edm, min_rate
        Estimated distance to the minimum; smallest expected rate of a bin. Shape [lane].
    steps, flat, rung, status
        Newton steps, directions without curvature, place in :data:`RUNGS` of the retry that
        delivered, :class:`FitStatus`. Shape [lane].
    spent
        Whether it is known that no fit of these events ends from the model's own start, by any
        means. Never, for bins. Shape [lane].
    """

    in_a_line: ClassVar = "status n_failed twice_nll"

    parameters: FloatArray
    twice_nll: FloatArray
    limiting: FloatArray
    ends: FloatArray
    first_ends: FloatArray
    edm: FloatArray
    min_rate: FloatArray
    steps: IndexArray
    flat: IndexArray
    rung: IndexArray
    status: IndexArray
    spent: BoolArray

    @property
    def converged(self) -> BoolArray:
        """Which lanes reached a certified minimum. Shape [lane]."""
        return np.asarray(self.status == FitStatus.CONVERGED)

    def lowest(self, lanes: slice = slice(None)) -> Minimum | None:
        """Lowest certified minimum of lanes that start the same fit; None where all failed.

        The one place where a minimum over lanes is taken.

        Parameters
        ----------
        lanes
            Those that differ in their start alone; all by default.
        """
        deviances = self.twice_nll[lanes]
        compared = np.where(np.isposinf(deviances), self.limiting[lanes], deviances)
        found = Minimum.of(self.parameters[lanes], compared)
        if found is None:
            return None
        return replace(found, twice_nll=float(deviances[found.lane]))

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


@checked
def fit_batch(
    model: Model,
    counts: LaneData,
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
        Shapes [lane, bin] and [lane, par]; the events of each lane for an unbinned model.
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

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> auxdata = [model.observation.auxdata] * 3
    >>> fits = darkstats.fit_batch(model, [[52, 41], [45, 38], [60, 47]], auxdata)
    >>> fits.parameters[:, model.poi_index].round(3)
    array([0.581, 0.   , 1.451])
    >>> fits.n_failed
    0
    """
    options = options or FitOptions()
    data = model.lanes_of(counts)
    auxdata = np.atleast_2d(np.asarray(auxdata, dtype=float))
    n_lanes = len(data)
    if auxdata.shape != (n_lanes, model.n_parameters):
        raise OptionError(
            f"need auxdata [lane, {model.n_parameters}] for {n_lanes} lanes, got {auxdata.shape}"
        )
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

    found = _from_starts(
        problem,
        data,
        frozen_floats(auxdata),
        held=held,
        starts=starts,
        options=options,
        spent=np.full(n_lanes, model.in_bins is None and not options.from_own_start),
    )
    poi = model.poi_index
    if poi is None or not problem.free[poi]:
        return found
    lower, upper = float(problem.lower[poi]), float(problem.upper[poi])
    other = off_the_face(model, starts, poi=poi, lower=lower, upper=upper)
    if other is None:
        return found
    at_face, moved = other
    again = np.flatnonzero(at_face)
    second = _from_starts(
        problem,
        model.lanes_of(data[again]),
        frozen_floats(auxdata[again]),
        held=held[again],
        starts=moved[again],
        options=options,
        spent=found.spent[again],
    )
    return _lower_of(found, second, again)


def _lower_of(found: BatchFit, second: BatchFit, lanes: IndexArray) -> BatchFit:
    """Minima with those of second starts in the lanes where these are lower, or alone there."""
    kept = found.converged[lanes] & (found.limiting[lanes] <= second.limiting)
    better = second.converged & ~kept
    into, of = lanes[better], np.flatnonzero(better)
    columns = {one.name: getattr(found, one.name).copy() for one in fields(BatchFit)}
    for name, column in columns.items():
        if name != "first_ends":
            column[into] = getattr(second, name)[of]
    return BatchFit(**columns)


def _from_starts(
    problem: Problem,
    data: LaneData,
    frozen_auxdata: FloatArray,
    *,
    held: FloatArray,
    starts: FloatArray,
    options: FitOptions,
    spent: BoolArray,
) -> BatchFit:
    """Minimise from one start in each lane, with the ladder of retries."""
    model, n_lanes = problem.model, len(data)
    lanes = run_kernel(problem, data, frozen_auxdata, starts, options)
    status = lanes.status(options.edm_tolerance)
    rung = np.zeros(n_lanes, dtype=np.int64)
    first_ends = lanes.parameters
    if (status != FitStatus.CONVERGED).any():
        first_ends = first_ends.copy()
        climb(
            problem,
            data,
            frozen_auxdata,
            held=held,
            starts=starts,
            lanes=lanes,
            status=status,
            rung=rung,
            options=options,
            spent=spent,
        )
    good = status == FitStatus.CONVERGED
    with np.errstate(over="ignore"):  # infinite is what it is, then
        twice_nll = 2.0 * np.where(good, lanes.value, np.nan)
    limiting = twice_nll.copy()
    # Where a factor is held at zero the kernel puts a tiny number: with events in such a bin the
    # deviance would be that of the tiny number.
    empty = np.flatnonzero(good & (lanes.min_rate < LEAST_RATE))
    if empty.size:
        touched = model.impossible(lanes.parameters[empty], model.lanes_of(data[empty]))
        twice_nll[empty[touched]] = np.inf
    return BatchFit(
        parameters=np.where(good[:, np.newaxis], lanes.parameters, np.nan),
        twice_nll=twice_nll,
        limiting=limiting,
        ends=lanes.parameters,
        first_ends=first_ends,
        edm=lanes.edm,
        min_rate=lanes.min_rate,
        steps=lanes.report[:, 1],
        flat=lanes.report[:, 2],
        rung=rung,
        status=status,
        spent=spent,
    )
