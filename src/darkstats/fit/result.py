"""A certified minimum, and how far it was checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from darkstats.arrays import FloatArray
from darkstats.model import Model, Observation
from darkstats.shown import Shown

__all__ = ["Certification", "FitResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """How far a minimum has been checked.

    Parameters
    ----------
    level
        1: gradient, EDM and curvature; 2: found again from another start besides.
    starts
        Number of starts.
    failed
        Fits from them that ended without a certified minimum; they count for nothing.
    agreement
        Difference in deviance between the best two minima.
    rung
        Which retry delivered the minimum (``"first start"`` if none was needed).
    """

    level: int
    starts: int
    failed: int
    agreement: float
    rung: str

    def __str__(self) -> str:
        return f"level {self.level}, {self.starts} starts"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FitResult(Shown):
    """A certified minimum.

    Parameters
    ----------
    parameters
        Best-fit values, fixed ones included. Shape [par].
    twice_nll
        Deviance relative to the saturated model: differences are likelihood ratios.
    edm, steps
        Estimated distance to the minimum, Newton steps.
    free
        Names of the parameters that were fitted.
    at_bound
        Names of fitted parameters that rest at a bound of their range.
    certification, warnings
        How the minimum was checked; what a reader has to know.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> darkstats.fit_model(model, model.observation)
    FitResult(parameters=(0.5811, 1.023, 0.9785), twice_nll=0.2488, ..., certification=level 2, ...
    """

    in_a_line: ClassVar = "parameters twice_nll edm at_bound certification"

    model: Model = field(repr=False)
    observation: Observation = field(repr=False)
    parameters: FloatArray
    twice_nll: float
    edm: float
    steps: int
    free: tuple[str, ...] = field(repr=False)
    at_bound: tuple[str, ...]
    certification: Certification
    warnings: tuple[str, ...]

    @property
    def minus_two_log_density(self) -> float:
        """-2 log of the probability density with all constants, as pyhf's ``twice_nll``."""
        return -2.0 * self.model.log_density(self.parameters, self.observation)

    def value(self, name: str) -> float:
        """Best-fit value of a parameter.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> round(darkstats.fit_model(model, model.observation).value("mu"), 3)
        0.581
        """
        return float(self.parameters[self.model.parameter_index(name)])

    @property
    def poi(self) -> float:
        """Best-fit (or fixed) value of the parameter of interest."""
        return float(self.parameters[self.model.require_poi()])
