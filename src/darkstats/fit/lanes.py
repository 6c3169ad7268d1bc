"""What a minimiser is asked, and the arrays that it fills: lanes of data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray, IndexArray, frozen_floats, frozen_indices
from darkstats.errors import OptionError
from darkstats.fit.slots import CODE_NOT_FINITE, CODE_STALLED
from darkstats.model import Model

__all__ = ["FitOptions", "FitStatus", "Lanes", "Problem"]


class FitStatus(enum.IntEnum):
    """What became of a fit."""

    CONVERGED = 0
    MAX_STEPS = 1
    NOT_FINITE = 2
    STALLED = 3


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
    fallback
        Whether a fit that fails may be tried by other means than Newton steps from the model's
        own start. Their budget is counted, not timed.
    from_own_start
        Whether a fit of events that fails may be tried again from the model's own start. False
        where that is known to lead nowhere.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> options = darkstats.FitOptions(threads=1)
    >>> round(darkstats.fit_model(model, model.observation, options=options).poi, 3)
    0.581
    """

    edm_tolerance: float = 1e-9
    max_steps: int = 200
    threads: int | None = None
    fallback: bool = True
    from_own_start: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is free, what is fixed, and the box; shared by all lanes of a batch."""

    model: Model
    free: IndexArray
    lower: FloatArray
    upper: FloatArray
    values: FloatArray = field(repr=False)  # [par] starting or fixed values

    @classmethod
    def of(
        cls,
        model: Model,
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
class Lanes:
    """Arrays that the kernel fills."""

    parameters: FloatArray
    value: FloatArray
    edm: FloatArray
    min_rate: FloatArray
    report: IndexArray
    rounds: int = 0  # looks at the data of all lanes, where Python leads them

    @classmethod
    def starting_at(cls, parameters: FloatArray) -> Lanes:
        """Copy the starting points [lane, par]; leave room for the rest."""
        n = len(parameters)
        return cls(
            np.array(parameters, order="C"),
            np.empty(n),
            np.empty(n),
            np.empty(n),
            np.empty((n, 3), dtype=np.int64),
        )

    def taken(self, lanes: IndexArray) -> Lanes:
        """Copies of some lanes, any of them as often as it is named."""
        return Lanes(
            self.parameters[lanes],
            self.value[lanes],
            self.edm[lanes],
            self.min_rate[lanes],
            self.report[lanes],
            self.rounds,
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
