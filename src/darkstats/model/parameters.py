"""The parameters of a model: names, ranges, constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import UnknownNameError
from darkstats.model.structure import (
    CONSTRAINT_GAUSSIAN,
    CONSTRAINT_NONE,
    CONSTRAINT_POISSON,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import BoolArray, FloatArray

__all__ = ["CONSTRAINT_KINDS", "Parameter", "ParameterTable", "parameter_place"]

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


class ParameterTable:
    """What every model says of its parameters, in their order."""

    __slots__ = ()

    parameters: tuple[Parameter, ...]
    poi_index: int | None

    @property
    def n_parameters(self) -> int:
        """Number of scalar parameters, fixed ones included."""
        return len(self.parameters)

    @property
    def poi_name(self) -> str | None:
        """Name of the parameter of interest; None if the model has none."""
        return None if self.poi_index is None else self.parameters[self.poi_index].name

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def inits(self) -> FloatArray:
        """Starting values. Shape [par]."""
        return np.array([parameter.init for parameter in self.parameters])

    @property
    def nominal(self) -> FloatArray:
        """Where the parameters stand without data, within their ranges. Shape [par].

        A constrained parameter stands at what its auxiliary datum says, wherever the minimiser is
        told to start; any other one, and one that is held, at its starting value.
        """
        found = [
            p.init
            if p.fixed or not p.constrained
            else min(
                max(p.auxdata / p.width if p.constraint == "poisson" else p.auxdata, p.lower),
                p.upper,
            )
            for p in self.parameters
        ]
        return np.array(found, dtype=float)

    @property
    def lower(self) -> FloatArray:
        """Lower ends of the ranges. Shape [par]."""
        return np.array([parameter.lower for parameter in self.parameters])

    @property
    def upper(self) -> FloatArray:
        """Upper ends of the ranges. Shape [par]."""
        return np.array([parameter.upper for parameter in self.parameters])

    @property
    def fixed(self) -> BoolArray:
        """Which parameters are held fixed. Shape [par]."""
        return np.array([parameter.fixed for parameter in self.parameters], dtype=bool)

    def parameter_index(self, name: str) -> int:
        """Place of a parameter; see :func:`parameter_place`.

        Raises
        ------
        UnknownNameError
            There is no such parameter.
        """
        return parameter_place(self.parameters, name)


def parameter_place(parameters: Sequence[Parameter], name: str) -> int:
    """Place of a parameter by its name, or by that of its set where this has one member.

    Raises
    ------
    UnknownNameError
        There is no such parameter; of a set with several members, these are named.
    """
    members = []
    for i, parameter in enumerate(parameters):
        if parameter.name == name:
            return i
        if parameter.set_name == name:
            members.append(i)
    if len(members) == 1:
        return members[0]
    known = [parameters[i].name for i in members] or [one.name for one in parameters]
    raise UnknownNameError("parameter", name, known)
