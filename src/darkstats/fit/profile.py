"""Profile scans in one and two parameters, and the impact of nuisance parameters on the POI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from darkstats.arrays import BoolArray, FloatArray
from darkstats.errors import FitFailedError, OptionError
from darkstats.fit.batch import fit_batch
from darkstats.fit.lanes import FitOptions
from darkstats.fit.mle import AGREEMENT, FitResult, fit
from darkstats.fit.uncertainty import covariance
from darkstats.model import Model, Observation

__all__ = ["Impact", "ProfileScan", "impacts", "profile_scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileScan:
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

    names: tuple[str, ...]
    grids: tuple[FloatArray, ...]
    delta: FloatArray
    certified: BoolArray
    result: FitResult = field(repr=False)


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
    shape = tuple(len(axis) for axis in axes)
    delta, certified = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    # The first parameter plays the POI, so that one batch covers its whole axis.
    scanned = model.with_poi(names[0])
    n = shape[0]
    counts, auxdata = model.stack([observation] * n)
    for j in range(shape[1] if len(shape) == 2 else 1):
        fixed = {names[1]: float(axes[1][j])} if len(shape) == 2 else {}
        batch = fit_batch(
            scanned,
            counts,
            auxdata,
            start=result.parameters,
            poi_values=axes[0],
            fixed=fixed,
            options=options,
        )
        rise = batch.twice_nll - result.twice_nll
        deepest = batch.lowest()
        if deepest is not None and rise[deepest.lane] < -AGREEMENT:
            raise FitFailedError(
                f"the scan found a lower minimum than the free fit, by "
                f"{-rise[deepest.lane]:.3g} in deviance, at "
                f"{names[0]} = {axes[0][deepest.lane]:.6g}"
            )
        rise = np.maximum(rise, 0.0)
        column = (slice(None), j) if len(shape) == 2 else (slice(None),)
        delta[column] = rise
        certified[column] = batch.converged
    if not certified.any():
        raise FitFailedError(
            f"none of the {certified.size} points of the scan of {', '.join(names)} could be "
            "certified: there is no profile to show"
        )
    return ProfileScan(names=names, grids=axes, delta=delta, certified=certified, result=result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
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


def impacts(
    model: Model,
    observation: Observation,
    *,
    result: FitResult | None = None,
    options: FitOptions | None = None,
) -> tuple[Impact, ...]:
    """Impacts of all free nuisance parameters on the POI, largest first.

    The POI may be negative here: a POI resting at a bound would hide the impacts.

    Parameters
    ----------
    model, observation
        The likelihood and its data.
    result
        The free fit with an unbounded parameter of interest, if it is at hand already.

    Raises
    ------
    OptionError
        The model has no parameter of interest.
    FitFailedError
        The free fit could not be certified.
    """
    options = options or FitOptions(edm_tolerance=1e-10)
    poi = model.require_poi()
    model = model.with_range(model.parameters[poi].name, -np.inf, np.inf)
    result = result or fit(model, observation, options=options)
    errors = covariance(result).errors
    found = []
    for name in result.free:
        p = model.parameter_index(name)
        if p == poi:
            continue
        parameter = model.parameters[p]
        best, error, prefit = float(result.parameters[p]), errors[p], parameter.prefit_error
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
            # The parameter plays the POI, whose value may differ from lane to lane.
            scanned = model.with_poi(name)
            data, auxdata = model.stack([observation] * len(wanted))
            batch = fit_batch(
                scanned,
                data,
                auxdata,
                start=result.parameters,
                poi_values=values,
                options=options,
            )
            failed = batch.n_failed
            for lane, i in enumerate(wanted):
                if batch.converged[lane]:
                    changes[i] = float(batch.parameters[lane, poi] - result.parameters[poi])
        found.append(
            Impact(
                name=name,
                best=best,
                error=error,
                pull=None if not prefit else (best - _centre(model, observation, p)) / prefit,
                constraint=None if not prefit or error is None else error / prefit,
                prefit_up=changes[0],
                prefit_down=changes[1],
                postfit_up=changes[2],
                postfit_down=changes[3],
                failed=failed,
            )
        )
    return tuple(sorted(found, key=lambda impact: -impact.largest))


def _centre(model: Model, observation: Observation, p: int) -> float:
    """Value of a constrained parameter that its auxiliary datum alone prefers."""
    parameter = model.parameters[p]
    datum = float(observation.auxdata[p])
    return datum / parameter.width if parameter.constraint == "poisson" else datum
