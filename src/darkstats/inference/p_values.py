"""P-values with the errors of their toys, and how many toys and fits failed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from darkstats.errors import FitFailedError, OptionError

__all__ = [
    "SMALLEST_P",
    "Calculator",
    "ExpectedPValues",
    "FitCounts",
    "PValue",
    "ToyCounts",
    "ToyOptions",
    "none_beyond",
]

Calculator = Literal["asymptotic", "toys"]

#: Smallest p-value that is quoted: what underflows lies below it.
SMALLEST_P = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyOptions:
    """How many toys, from which seed, by how many threads.

    Parameters
    ----------
    n_toys
        Toys per hypothesis (signal plus background, and background only), at least 1.
    seed
        Non-negative integer below 2**63. Toys are keyed by (seed, model digest, hypothesis, block).
    threads
        Worker threads over blocks of toys; ``None`` means one per available core. The numbers do
        not depend on it.
    first_toy
        Index of the first toy. Toys of other indices are other toys, so that a sample can be
        continued: 1000 toys from 0 and 1000 toys from 1000 are 2000 toys from 0.
    max_failed_fraction
        Above this fraction of failed toys the answer is refused.
    fallback
        Whether a toy that Newton's method cannot fit is tried by other means; else it has failed.
    on_toys
        Told, block by block, how many toys were done; called from the worker threads. It shows
        progress and changes no number.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> toys = darkstats.ToyOptions(n_toys=500, seed=1)
    >>> test = darkstats.hypotest(model, model.observation, 1.0, calculator="toys", toys=toys)
    >>> test.toys
    ToyCounts(asked=1000, ok=1000, failed=0)
    """

    n_toys: int = 10_000
    seed: int = 0
    threads: int | None = None
    first_toy: int = 0
    max_failed_fraction: float = 0.01
    fallback: bool = True
    on_toys: Callable[[int], object] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.n_toys < 1:
            raise OptionError(f"the number of toys must be at least 1, got {self.n_toys}")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"the seed must be in [0, 2**63), got {self.seed}")
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"the number of threads must be at least 1, got {self.threads}")
        if self.first_toy < 0:
            raise OptionError(f"the first toy must not be negative, got {self.first_toy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyCounts:
    """Pseudo-experiments asked for, certified and failed, over all hypotheses tested."""

    asked: int
    ok: int
    failed: int

    def __str__(self) -> str:
        return f"{self.ok} of {self.asked} certified"

    def __add__(self, other: ToyCounts) -> ToyCounts:
        return ToyCounts(
            asked=self.asked + other.asked,
            ok=self.ok + other.ok,
            failed=self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FitCounts:
    """Fits behind a number (toys apart): attempted, certified, and certified by a second start.

    ``level`` is the certification level of the quoted numbers: 2 means that each minimum behind
    them was found again from another start and that free and fixed fits are consistent.
    """

    attempted: int
    certified: int
    second_start: int = 0
    level: int = 2

    def __str__(self) -> str:
        return f"{self.certified} of {self.attempted} certified"

    @property
    def failed(self) -> int:
        """Fits that were not certified; none of them entered a quoted number."""
        return self.attempted - self.certified

    def __add__(self, other: FitCounts) -> FitCounts:
        return FitCounts(
            attempted=self.attempted + other.attempted,
            certified=self.certified + other.certified,
            second_start=self.second_start + other.second_start,
            level=min(self.level, other.level),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PValue:
    """A p-value, or the ratio CLs of two of them, in [0, 1].

    ``error`` is the binomial standard error; ``low`` and ``high`` bound the value if every failed
    toy had gone the worst way. All three collapse onto ``value`` for an asymptotic number.
    ``bound`` is given where the value is 0 because none of the toys is as extreme, or because it is
    too small for a floating-point number: then it is known to lie below ``bound`` (for toys at
    95 % CL), and 0 is not to be quoted.

    Raises
    ------
    FitFailedError
        A value is not a probability: a fit behind it failed.
    """

    value: float
    error: float = 0.0
    low: float
    high: float
    bound: float | None = None

    def __post_init__(self) -> None:
        if not all(0.0 <= part <= 1.0 for part in (self.low, self.value, self.high)):
            raise FitFailedError(
                f"{self.value:g} (from {self.low:g} to {self.high:g}) is no probability: a fit "
                "behind it failed"
            )

    def __str__(self) -> str:
        if self.value == 0.0 and self.bound is not None:
            return f"< {self.bound:.2g}"
        return f"{self.value:.4g}" + (f" ± {self.error:.2g}" if self.error > 0.0 else "")

    @classmethod
    def exact(cls, value: float) -> PValue:
        """Return a p-value without Monte Carlo error."""
        bound = SMALLEST_P if value == 0.0 else None
        return cls(value=value, error=0.0, low=value, high=value, bound=bound)


def none_beyond(n_toys: int) -> float:
    """Upper limit at 95 % CL on a probability that none of so many toys fell into.

    Examples
    --------
    >>> round(none_beyond(3000), 6)
    0.000998
    """
    return -math.expm1(math.log(0.05) / n_toys)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPValues:
    """Expected CLs, CLs+b and CLb for background-only outcomes at -2 .. +2 sigma, five each.

    ``bound`` is given with toys: an entry of 0 means less than this, at 95 % CL; and where an
    asymptotic value is too small for a floating-point number.
    """

    cls: tuple[float, ...]
    clsb: tuple[float, ...]
    clb: tuple[float, ...]
    bound: float | None = None
