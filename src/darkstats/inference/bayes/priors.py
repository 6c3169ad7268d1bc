"""Priors of the parameter of interest: explicit, printed, and exact under a change of variables.

Use :class:`Flat` for a prior that is flat in the cross section (the default, as in the published
searches), :class:`FlatInCoupling` where ``mu = (g/g0)^n`` and the coupling g is what one is
ignorant of, :class:`LogFlat` with explicit edges, :class:`Jeffreys` for the reference prior of the
counting information, :class:`Tabulated` or :class:`Custom` for a prior of one's own.

A range of the workspace is a range of the minimiser and never the edge of a prior. A prior without
an upper edge is integrated until less than 1e-6 of the posterior is left beyond.

Each prior names the *coordinate* v in which it is smooth, so that no quadrature ever sees a
singularity: ``mu = v^p``, or ``mu = exp(v)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from darkstats.errors import PriorError

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.model import Model

__all__ = [
    "BoundPrior",
    "Coordinate",
    "Custom",
    "Flat",
    "FlatInCoupling",
    "LogFlat",
    "PoiPrior",
    "Tabulated",
]


@dataclass(frozen=True, slots=True)
class Coordinate:
    """The variable of integration: ``mu = v^power``, or ``mu = exp(v)`` where power is 0."""

    power: float = 1.0

    def to_mu(self, v: FloatArray | float) -> FloatArray:
        """Signal strength at ``v``."""
        values = np.asarray(v, dtype=np.float64)
        return np.exp(values) if self.power == 0.0 else np.maximum(values, 0.0) ** self.power

    def of_mu(self, mu: FloatArray | float) -> FloatArray:
        """Coordinate of a signal strength."""
        values = np.asarray(mu, dtype=np.float64)
        if self.power == 0.0:
            with np.errstate(divide="ignore"):
                return np.log(values)
        result: FloatArray = values ** (1.0 / self.power)
        return result

    def log_jacobian(self, v: FloatArray) -> FloatArray:
        """Natural logarithm of d mu / d v."""
        if self.power == 0.0:
            return np.asarray(v, dtype=np.float64)
        if self.power == 1.0:
            return np.zeros_like(v)
        with np.errstate(divide="ignore"):
            result: FloatArray = math.log(self.power) + (self.power - 1.0) * np.log(v)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPrior:
    """What an engine needs of a prior: a density on a range, smooth in a coordinate.

    Parameters
    ----------
    function
        Natural logarithm of the density in the signal strength, inside the range; any shape.
    lower, upper
        Edges in the signal strength; the upper one may be infinite.
    proper
        Whether the density integrates to 1.
    coordinate
        Variable in which it is smooth.
    breaks
        Points inside where it has a kink.
    """

    function: Callable[[FloatArray], FloatArray] = field(repr=False, compare=False)
    lower: float = 0.0
    upper: float = math.inf
    proper: bool = False
    coordinate: Coordinate = Coordinate(1.0)
    breaks: tuple[float, ...] = ()

    def log_density(self, mu: FloatArray) -> FloatArray:
        """Natural logarithm of the density in the signal strength, minus infinity outside."""
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.function(np.asarray(mu, dtype=np.float64))
        return np.where((mu >= self.lower) & (mu <= self.upper), values, -np.inf)


class PoiPrior(Protocol):
    """A choice of prior, before a model is known."""

    @property
    def name(self) -> str:
        """The name by which the command line knows it."""

    @property
    def of_model(self) -> bool:
        """Whether the density depends on the model."""

    def describe(self) -> str:
        """What it is, in words, with its numbers."""

    def bind(self, model: Model) -> BoundPrior:
        """Return the density for one model.

        Raises
        ------
        PriorError
            The prior does not suit the model.
        """


def _edges(lower: float, upper: float, *, positive: bool = False) -> None:
    if not (math.isfinite(lower) and lower >= 0.0) or (positive and lower <= 0.0):
        raise PriorError(
            f"the lower edge of the prior must be {'positive' if positive else 'at or above 0'}, "
            f"got {lower:g}: a signal strength below 0 is outside the physical range"
        )
    if not upper > lower:
        raise PriorError(f"the prior is empty: its edges are {lower:g} and {upper:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """Flat in the signal strength, that is in the cross section, from ``lower`` to ``upper``.

    Without an upper edge it is improper, and the posterior is proper if the likelihood falls.
    """

    lower: float = 0.0
    upper: float = math.inf
    name: str = field(default="flat", init=False)
    of_model: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        _edges(self.lower, self.upper)

    def bind(self, model: Model) -> BoundPrior:
        """Return the density, which is the same for any model."""
        proper = math.isfinite(self.upper)
        height = -math.log(self.upper - self.lower) if proper else 0.0
        return BoundPrior(
            function=lambda mu: np.full_like(mu, height),
            lower=self.lower,
            upper=self.upper,
            proper=proper,
        )

    def describe(self) -> str:
        """What it is."""
        top = f" to {self.upper:g}" if math.isfinite(self.upper) else " without upper edge"
        return f"flat in the signal strength (cross section) from {self.lower:g}{top}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatInCoupling:
    """Flat in a coupling g, where the signal strength is ``mu = (g / reference)^power``.

    The density in the signal strength is ``mu^(1/power - 1)``, by the change of variables and not
    by relabelling an axis: limits in g from this prior and from :class:`Flat` differ.

    Parameters
    ----------
    power
        Power of the coupling in the rate, positive: 2 for a rate that goes as g^2.
    reference
        Coupling at which the signal strength is 1, positive.
    upper_coupling
        Upper edge in the coupling, if any.
    """

    power: float
    reference: float = 1.0
    upper_coupling: float = math.inf
    name: str = field(default="coupling", init=False)
    of_model: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not (self.power > 0.0 and math.isfinite(self.power)):
            raise PriorError(f"the power of the coupling must be positive, got {self.power:g}")
        if not (self.reference > 0.0 and math.isfinite(self.reference)):
            raise PriorError(f"the reference coupling must be positive, got {self.reference:g}")
        _edges(0.0, self.upper_coupling)

    def coupling(self, mu: float) -> float:
        """Coupling at a signal strength."""
        return float(self.reference * mu ** (1.0 / self.power))

    def bind(self, model: Model) -> BoundPrior:
        """Return the density, which is the same for any model."""
        proper = math.isfinite(self.upper_coupling)
        exponent, height = 1.0 / self.power - 1.0, -math.log(self.power)
        if proper:
            height -= math.log(self.upper_coupling / self.reference)
        return BoundPrior(
            function=lambda mu: height + (exponent * np.log(mu) if exponent else 0.0 * mu),
            upper=(self.upper_coupling / self.reference) ** self.power,
            proper=proper,
            coordinate=Coordinate(self.power),
        )

    def describe(self) -> str:
        """What it is."""
        proper = math.isfinite(self.upper_coupling)
        top = f" up to {self.upper_coupling:g}" if proper else ", without upper edge"
        return (
            f"flat in the coupling g{top}, with signal strength = (g/{self.reference:g})^"
            f"{self.power:g}: density ~ mu^{1.0 / self.power - 1.0:.4g} in the signal strength"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFlat:
    """Flat in the logarithm of the signal strength, between two explicit edges."""

    lower: float
    upper: float
    name: str = field(default="log-flat", init=False)
    of_model: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        _edges(self.lower, self.upper, positive=True)
        if not math.isfinite(self.upper):
            raise PriorError("a log-flat prior needs a finite upper edge: it cannot be normalised")

    def bind(self, model: Model) -> BoundPrior:
        """Return the density, which is the same for any model."""
        height = -math.log(math.log(self.upper / self.lower))
        return BoundPrior(
            function=lambda mu: height - np.log(mu),
            lower=self.lower,
            upper=self.upper,
            proper=True,
            coordinate=Coordinate(0.0),
        )

    def describe(self) -> str:
        """What it is."""
        return (
            f"flat in the logarithm of the signal strength from {self.lower:g} to {self.upper:g}; "
            "the limit depends on both edges"
        )


MOST_KNOTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabulated:
    """A density given at points of the signal strength, linear between them, and normalised.

    Parameters
    ----------
    mu, density
        Two to 64 rising points, none negative, and the density there. Shapes [point].
    source
        Where it comes from, for the record.
    """

    mu: tuple[float, ...]
    density: tuple[float, ...]
    source: str = "given"
    name: str = field(default="table", init=False)
    of_model: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if not 2 <= len(self.mu) <= MOST_KNOTS or len(self.mu) != len(self.density):
            raise PriorError(
                f"a tabulated prior needs 2 to {MOST_KNOTS} points and as many densities, got "
                f"{len(self.mu)} and {len(self.density)}"
            )
        if not all(map(math.isfinite, (*self.mu, *self.density))):
            raise PriorError("a tabulated prior has a number that is not finite")
        if self.mu[0] < 0.0:
            raise PriorError(
                f"the tabulated prior begins at {self.mu[0]:g}: a signal strength below 0 is "
                "outside the physical range"
            )
        if any(b <= a for a, b in pairwise(self.mu)):
            raise PriorError("the points of a tabulated prior must rise")
        if min(self.density) < 0.0 or not max(self.density) > 0.0:
            raise PriorError("the density of a prior must not be negative, and not zero everywhere")

    def bind(self, model: Model) -> BoundPrior:
        """Return the density, which is the same for any model."""
        x, y = np.array(self.mu), np.array(self.density)
        area = float(np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(x)))
        return BoundPrior(
            function=lambda mu: np.log(np.interp(mu, x, y, left=0.0, right=0.0) / area),
            lower=self.mu[0],
            upper=self.mu[-1],
            proper=True,
            breaks=self.mu[1:-1],
        )

    def describe(self) -> str:
        """What it is."""
        return (
            f"tabulated ({self.source}): {len(self.mu)} points from {self.mu[0]:g} to "
            f"{self.mu[-1]:g}, linear between them"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A density of one's own, as a function.

    Parameters
    ----------
    function
        Natural logarithm of the density in the signal strength; arrays to arrays.
    label
        What it is, for the record.
    lower, upper
        Edges, at or above 0; the upper one may be infinite.
    proper
        Whether the density integrates to 1; only then is a Bayes factor given.
    power
        Singular at 0 like ``mu^(1/power - 1)``; 1 for a density that is finite there.
    """

    function: Callable[[FloatArray], FloatArray] = field(compare=False)
    label: str
    lower: float = 0.0
    upper: float = math.inf
    proper: bool = False
    power: float = 1.0
    name: str = field(default="custom", init=False)
    of_model: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        _edges(self.lower, self.upper)

    def bind(self, model: Model) -> BoundPrior:
        """Return the density, which is the same for any model."""
        return BoundPrior(
            function=self._checked,
            lower=self.lower,
            upper=self.upper,
            proper=self.proper,
            coordinate=Coordinate(self.power),
        )

    def _checked(self, mu: FloatArray) -> FloatArray:
        values = np.asarray(self.function(mu), dtype=np.float64)
        if values.shape != np.shape(mu) or np.isnan(values).any():
            raise PriorError(
                f"the prior {self.label!r} gives numbers of shape {values.shape} for "
                f"{np.shape(mu)}, or one that is not a number"
            )
        return values

    def describe(self) -> str:
        """What it is."""
        return f"{self.label}, from {self.lower:g} to {self.upper:g}"
