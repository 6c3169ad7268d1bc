"""Limits of two likelihoods beside each other, and what they cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from darkstats.fit import FitOptions, fit_batch
from darkstats.inference.results import UpperLimit
from darkstats.inference.upper_limit import upper_limit
from darkstats.model import HistFactoryModel
from darkstats.shown import Shown

__all__ = ["LimitComparison", "TimedLimit", "compare_limits", "comparison", "timed_limit"]

_SHORT_S, _LONG_S = 0.5, 5.0  # a limit is computed three times to be timed, two or one if longer


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedLimit:
    """A limit, and the shortest time that it took, in seconds."""

    limit: UpperLimit
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LimitComparison(Shown):
    """Limits of one signal in two likelihoods.

    Parameters
    ----------
    first, second
        The limits.
    changes
        Second over first, minus 1, of the observed limit and of the expected ones at -2 .. +2
        sigma; ``None`` where one of the two has no limit. Shape [6].
    first_seconds, second_seconds
        Time that each took, in seconds.
    """

    in_a_line: ClassVar = "first second largest"

    first: UpperLimit
    second: UpperLimit
    changes: tuple[float | None, ...]
    first_seconds: float
    second_seconds: float

    @property
    def largest(self) -> float | None:
        """Largest change in absolute value; ``None`` where a limit is missing on one side only."""
        ours = (self.first.observed, *self.first.expected)
        theirs = (self.second.observed, *self.second.expected)
        if any((a is None) != (b is None) for a, b in zip(ours, theirs, strict=True)):
            return None
        known = [abs(change) for change in self.changes if change is not None]
        return max(known) if known else None


def compare_limits(
    first: HistFactoryModel,
    second: HistFactoryModel,
    *,
    cl: float = 0.95,
    options: FitOptions | None = None,
) -> LimitComparison:
    """Asymptotic CLs limits of the observations of two models, with their times.

    Raises
    ------
    OptionError
        The level is out of range, or a model has no parameter of interest.
    NotCertifiedError
        A limit could not be certified.
    """
    return comparison(
        timed_limit(first, cl=cl, options=options), timed_limit(second, cl=cl, options=options)
    )


def comparison(first: TimedLimit, second: TimedLimit) -> LimitComparison:
    """Changes between two limits."""
    ours = (first.limit.observed, *first.limit.expected)
    theirs = (second.limit.observed, *second.limit.expected)
    return LimitComparison(
        first=first.limit,
        second=second.limit,
        changes=tuple(
            None if a is None or b is None or a == 0.0 else b / a - 1.0
            for a, b in zip(ours, theirs, strict=True)
        ),
        first_seconds=first.seconds,
        second_seconds=second.seconds,
    )


def timed_limit(
    model: HistFactoryModel, *, cl: float = 0.95, options: FitOptions | None = None
) -> TimedLimit:
    """Asymptotic CLs limit of the observation of a model, with the time that it took.

    Raises
    ------
    OptionError
        The level is out of range, or the model has no parameter of interest.
    NotCertifiedError
        The limit could not be certified.
    """
    one_step = FitOptions(max_steps=1, fallback=False)
    observed = model.observation
    fit_batch(model, observed.counts, observed.auxdata, options=one_step)  # loads what is compiled
    times: list[float] = []
    while True:
        begin = time.perf_counter()
        found = upper_limit(
            model, model.observation, cl=cl, scan_points=0, probe=False, options=options
        )
        times.append(time.perf_counter() - begin)
        if len(times) == 3 or times[-1] > _LONG_S or (len(times) == 2 and times[-1] > _SHORT_S):
            return TimedLimit(limit=found, seconds=min(times))
