"""The parameters of a model: names, ranges, constraints."""

from __future__ import annotations

from dataclasses import dataclass

from darkstats.model.structure import (
    CONSTRAINT_GAUSSIAN,
    CONSTRAINT_NONE,
    CONSTRAINT_POISSON,
)

__all__ = ["CONSTRAINT_KINDS", "Parameter"]

CONSTRAINT_KINDS = {
    "none": CONSTRAINT_NONE,
    "gaussian": CONSTRAINT_GAUSSIAN,
    "poisson": CONSTRAINT_POISSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One scalar parameter of a HistFactory model. All numbers are dimensionless.

    Parameters
    ----------
    name
        ``"mu"``, or ``"gamma[3]"`` for member 3 of a parameter set with one parameter a bin.
    set_name
        Name of the modifier(s) that it belongs to.
    modifier_types
        The HistFactory modifier types that it serves, sorted.
    init, lower, upper
        Starting value and range of the minimiser. Statistics set the range of the parameter of
        interest themselves.
    fixed
        Whether the workspace holds it at ``init`` (or a zero uncertainty does).
    constraint
        ``"none"``, ``"gaussian"`` or ``"poisson"``.
    auxdata
        Observed auxiliary datum; 0 without constraint.
    width
        Standard deviation of a Gaussian constraint; for a Poisson one the number tau of
        auxiliary events expected at parameter value 1; 1 without constraint.
    channels
        Channels in which it acts.
    """

    name: str
    set_name: str
    modifier_types: tuple[str, ...]
    init: float
    lower: float
    upper: float
    fixed: bool
    constraint: str
    auxdata: float
    width: float
    channels: tuple[str, ...]

    @property
    def constrained(self) -> bool:
        """Whether an auxiliary measurement constrains it."""
        return self.constraint != "none"

    @property
    def prefit_error(self) -> float | None:
        """Standard deviation from the constraint alone; None without constraint."""
        if self.constraint == "gaussian":
            return self.width
        if self.constraint == "poisson":
            return float(self.width**-0.5)
        return None
