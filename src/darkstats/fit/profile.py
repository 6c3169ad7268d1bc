"""Profile scans in one and two parameters, and the impact of nuisance parameters on the POI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from darkstats.arguments import checked
from darkstats.arrays import BoolArray, FloatArray, IndexArray, frozen_indices
from darkstats.errors import FitFailedError, OptionError
from darkstats.fit.batch import BatchFit, fit_batch
from darkstats.fit.lanes import FitOptions
from darkstats.fit.mle import AGREEMENT, fit
from darkstats.fit.result import FitResult
from darkstats.fit.surface import Surface
from darkstats.fit.uncertainty import Covariance, covariance
from darkstats.kernel import default_threads, run_blocks
from darkstats.model import Model, Observation
from darkstats.shown import Shown

__all__ = ["Impact", "ProfileScan", "impacts", "profile_scan"]

_BLOCK = 8  # parameters that a thread works on before it can be interrupted


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProfileScan(Shown):
    """Deviance above the minimum on a grid, all other parameters profiled.

    Parameters
    ----------
    names, grids
        The scanned parameters and their values, one or two of each.
    delta
        -2 log likelihood ratio to the global minimum, NaN where a fit failed. Shape [value] or
        [value, value].
    certified
        Which points were certified. Same shape.
    """

    in_a_line: ClassVar = "names grids certified_points"

    names: tuple[str, ...]
    grids: tuple[FloatArray, ...]
    delta: FloatArray
    certified: BoolArray
    result: FitResult = field(repr=False)

    @property
    def certified_points(self) -> str:
        """How many points were certified, in words."""
        return f"{np.count_nonzero(self.certified)} of {self.certified.size}"


@checked
def profile_scan(
    model: Model,
    observation: Observation,
    grids: Mapping[str, npt.ArrayLike],
    *,
    options: FitOptions | None = None,
) -> ProfileScan:
    """Scan the profile likelihood over one or two parameters.

    Parameters
    ----------
    model, observation
        The likelihood and its data.
    grids
        Values by parameter name; one or two parameters.

    Notes
    -----
    The minimum is that over the ranges widened to the grid; a parameter of interest has no upper
    end.

    Raises
    ------
    OptionError
        Not one or two parameters, or an empty grid.
    FitFailedError
        The free fit or every point of the scan could not be certified, or a point lies below it.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> scan = darkstats.profile_scan(model, model.observation, {"mu": [0, 1, 2]})
    >>> scan.delta.round(3)
    array([0.593, 0.297, 3.271])
    """
    if not 1 <= len(grids) <= 2:
        raise OptionError(f"scan one or two parameters, not {len(grids)}")
    names = tuple(grids)
    axes = tuple(np.asarray(grids[name], dtype=float).ravel() for name in names)
    if any(len(axis) == 0 for axis in axes) or not all(np.isfinite(axis).all() for axis in axes):
        raise OptionError("a grid needs at least one value, all of them finite numbers")
    options = options or FitOptions(edm_tolerance=1e-10)
    for name, axis in zip(names, axes, strict=True):
        p = model.parameter_index(name)
        end = np.inf if p == model.poi_index else model.parameters[p].upper
        lower = min(model.parameters[p].lower, float(axis.min()))
        model = model.with_range(name, lower, max(end, float(axis.max())))
    result = fit(model, observation, options=options)
    surface = Surface(model, observation, names, axes, options)
    surface.fill(result.parameters)
    surface.look_elsewhere()
    rise = surface.values - result.twice_nll
    certified = surface.certified
    if not certified.any():
        raise FitFailedError(
            f"none of the {certified.size} points of the scan of {', '.join(names)} could be "
            "certified: there is no profile to show"
        )
    deepest = np.unravel_index(int(np.argmin(np.where(certified, rise, np.inf))), rise.shape)
    if rise[deepest] < -AGREEMENT:
        place = ", ".join(
            f"{name} = {axis[k]:.6g}" for name, axis, k in zip(names, axes, deepest, strict=True)
        )
        raise FitFailedError(
            f"the scan found a lower minimum than the free fit, by {-rise[deepest]:.3g} in "
            f"deviance, at {place}"
        )
    delta = np.maximum(rise, 0.0)
    return ProfileScan(names=names, grids=axes, delta=delta, certified=certified, result=result)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Impact(Shown):
    """What moving one nuisance parameter by its uncertainty does to the POI.

    Parameters
    ----------
    name
        The nuisance parameter.
    best, error
        Its best-fit value and post-fit standard deviation (None at a bound).
    pull, constraint
        (best - auxiliary datum) / pre-fit error, and post-fit over pre-fit error; None for a free
        parameter.
    prefit_up, prefit_down, postfit_up, postfit_down
        Change of the POI with the parameter fixed at best +- its pre-fit or post-fit error; None
        where that fit could not be certified or there is no such error.
    failed
        How many of these fits could not be certified.
    """

    in_a_line: ClassVar = "name best pull constraint postfit_up postfit_down failed"

    name: str
    best: float
    error: float | None
    pull: float | None
    constraint: float | None
    prefit_up: float | None
    prefit_down: float | None
    postfit_up: float | None
    postfit_down: float | None
    failed: int = 0

    @property
    def largest(self) -> float:
        """Largest post-fit change of the POI, in absolute value; 0 where there is none."""
        changes = (self.postfit_up, self.postfit_down)
        return max((abs(change) for change in changes if change is not None), default=0.0)


@checked
def impacts(
    model: Model,
    observation: Observation,
    *,
    result: FitResult | None = None,
    matrix: Covariance | None = None,
    options: FitOptions | None = None,
) -> tuple[Impact, ...]:
    """Impacts of all free nuisance parameters on the POI, largest first.

    The POI may be negative here: a POI resting at a bound would hide the impacts.

    Parameters
    ----------
    model, observation
        The likelihood and its data.
    result, matrix
        The free fit with an unbounded parameter of interest, and its covariance, if they are at
        hand already.

    Raises
    ------
    OptionError
        The model has no parameter of interest.
    FitFailedError
        The free fit could not be certified.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> largest, *_ = darkstats.impacts(model, model.observation)
    >>> largest.name, round(largest.postfit_up, 3)
    ('background_bins[1]', -0.396)
    """
    options = options or FitOptions(edm_tolerance=1e-10)
    poi = model.require_poi()
    model = model.with_range(model.parameters[poi].name, -np.inf, np.inf)
    result = result or fit(model, observation, options=options)
    matrix = matrix or covariance(result)
    row_of = {name: row for row, name in enumerate(matrix.names)}
    rows = frozen_indices([row_of.get(name, -1) for name in model.parameter_names])
    shifted = _Shifted(model, observation, result, matrix, rows, options)
    free = set(result.free)
    chosen = [
        p for p, parameter in enumerate(model.parameters) if p != poi and parameter.name in free
    ]
    found: list[Impact | None] = [None] * len(chosen)

    def work(first: int, stop: int) -> None:
        for i in range(first, stop):
            found[i] = shifted.impact(chosen[i])

    run_blocks(work, len(chosen), threads=shifted.threads, block=_BLOCK)
    known = [impact for impact in found if impact is not None]
    return tuple(sorted(known, key=lambda impact: -impact.largest))


@dataclass(frozen=True, slots=True)
class _Shifted:
    """Fits with one nuisance parameter held beside its best fit."""

    model: Model
    observation: Observation
    result: FitResult
    matrix: Covariance
    rows: IndexArray  # [par] row in the matrix, -1 without one
    options: FitOptions

    @property
    def threads(self) -> int:
        """Threads that work on parameters."""
        return 1 if self.model.has_threads else self.options.threads or default_threads()

    def impact(self, p: int) -> Impact:
        """Impact of one parameter."""
        model, poi = self.model, self.model.require_poi()
        parameter, error = model.parameters[p], self.matrix.errors[p]
        best, prefit = float(self.result.parameters[p]), parameter.prefit_error
        shifts = [
            prefit,
            None if prefit is None else -prefit,
            error,
            None if error is None else -error,
        ]
        changes: list[float | None] = [None] * 4
        failed = 0
        wanted = [i for i, shift in enumerate(shifts) if shift is not None]
        values = [
            min(max(best + (shifts[i] or 0.0), parameter.lower), parameter.upper) for i in wanted
        ]
        if wanted:
            batch = self.fits(p, np.array(values))
            failed = batch.n_failed
            for lane, i in enumerate(wanted):
                if batch.converged[lane]:
                    changes[i] = float(batch.parameters[lane, poi] - self.result.parameters[poi])
        return Impact(
            name=parameter.name,
            best=best,
            error=error,
            pull=None if not prefit else (best - _centre(model, self.observation, p)) / prefit,
            constraint=None if not prefit or error is None else error / prefit,
            prefit_up=changes[0],
            prefit_down=changes[1],
            postfit_up=changes[2],
            postfit_down=changes[3],
            failed=failed,
        )

    def fits(self, p: int, values: FloatArray) -> BatchFit:
        """Fit with a parameter at each of some values [lane].

        They start where a parabola has its minimum, mostly a step from the end. Where one fails
        from there, all of them start at the best fit and may climb the ladder.
        """
        # The parameter plays the POI, whose value may differ from lane to lane.
        scanned = self.model.with_poi(self.model.parameters[p].name)
        data, auxdata = self.model.stack([self.observation] * len(values))
        options = self.options if self.threads == 1 else replace(self.options, threads=1)
        starts = self.parabolic(p, values)
        if starts is not None:
            quick = fit_batch(
                scanned,
                data,
                auxdata,
                start=starts,
                poi_values=values,
                options=replace(options, fallback=False),
            )
            if quick.converged.all() and not quick.rung.any():
                return quick
        return fit_batch(
            scanned,
            data,
            auxdata,
            start=self.result.parameters,
            poi_values=values,
            options=options,
        )

    def parabolic(self, p: int, values: FloatArray) -> FloatArray | None:
        """Minima [lane, par] of the parabola at the best fit, within the ranges; None without."""
        row = self.rows[p]
        if row < 0:
            return None
        best, inside = self.result.parameters, np.flatnonzero(self.rows >= 0)
        moved = np.zeros(len(best))
        moved[inside] = self.matrix.matrix[row, self.rows[inside]] / self.matrix.matrix[row, row]
        points = best + np.outer(values - best[p], moved)
        found: FloatArray = np.clip(points, self.model.lower, self.model.upper)
        return found


def _centre(model: Model, observation: Observation, p: int) -> float:
    """Value of a constrained parameter that its auxiliary datum alone prefers."""
    parameter = model.parameters[p]
    datum = float(observation.auxdata[p])
    return datum / parameter.width if parameter.constraint == "poisson" else datum
