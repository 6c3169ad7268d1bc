"""Couplings at which a signal reaches its limit: edges of intervals, found to rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.reinterpret.lifetimes import LifetimeTable
from darkstats.reinterpret.recast_searches import Limit, Search
from darkstats.signals.constants import NARROW
from darkstats.signals.mediators import Decays

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["NARROW_ONLY", "Interval", "SignalOverLimit", "excluded_intervals"]

_PER_DECADE = 100
_TINY = 1e-12  # relative accuracy of an edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Excluded couplings.

    Parameters
    ----------
    lower, upper
        Ends; no upper one where all couplings above are excluded that give a narrow width.
    lower_reason, upper_reason
        Why an end is no crossing of the limit; None where it is one.
    """

    lower: float
    upper: float | None
    lower_reason: str | None = None
    upper_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalOverLimit:
    """Where the logarithm of signal over limit is above zero."""

    decays: Decays
    rate: float
    search: Search
    threshold: Limit
    largest: float = math.inf

    def log_ratio(self, u: FloatArray) -> FloatArray:
        """At logarithms of couplings; ``-inf`` without signal, ``nan`` where unknown."""
        couplings = np.exp(u)
        signal = self.rate * self.search.fraction(self.decays, couplings)
        limit: FloatArray | float = 0.0
        if isinstance(self.threshold, LifetimeTable):
            limit = np.log(self.threshold.at(self.decays.ctau(couplings)))
        else:
            limit = math.log(self.threshold)
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * u + np.log(signal) - limit)

    def unknown(self, u: FloatArray) -> str:
        """Lifetimes that matter and that no table has, in words; empty where there are none.

        Where the table of efficiencies ends, all signals may be kept: a coupling at which not even
        they reach the limit is known not to be excluded.

        Parameters
        ----------
        u
            Logarithms of couplings.
        """
        lost = np.isnan(self.log_ratio(u))
        table = self.search.efficiency
        if isinstance(self.threshold, LifetimeTable):
            table = self.threshold
        else:
            all_kept = replace(self, search=replace(self.search, efficiency=None))
            lost &= ~(all_kept.log_ratio(u) < 0.0)
        if table is None or not lost.any():
            return ""
        ctau = self.decays.ctau(np.exp(u[lost]))
        return (
            f"c tau of {np.min(ctau):.3g} to {np.max(ctau):.3g} mm lies beyond the table of "
            f"lifetimes, from {table.ctau_mm[0]:g} to {table.ctau_mm[-1]:g} mm"
        )

    def one(self, u: float) -> float:
        """The same at one logarithm of a coupling."""
        return float(self.log_ratio(np.array([u]))[0])

    @property
    def is_closed(self) -> bool:
        """Whether no decay can be seen at any coupling."""
        if self.search.final_state == "invisible" and self.search.window is not None:
            return False
        return self.decays.branching(self.search.final_state, 1.0) == 0.0

    @property
    def least(self) -> float:
        """Logarithm of a coupling below which nothing can be excluded: all signals kept."""
        least = self.threshold
        smallest = min(least.values) if isinstance(least, LifetimeTable) else least
        return 0.5 * math.log(smallest / self.rate)

    @property
    def most(self) -> float:
        """Logarithm of the largest coupling, or of the largest with a narrow width."""
        room = NARROW * self.decays.mass_gev - self.decays.dark_gev
        if room <= 0.0:
            raise OptionError(
                f"the width to dark matter is {self.decays.dark_gev / self.decays.mass_gev:.2g} "
                "of the mass: not narrow"
            )
        narrow = math.inf
        if self.decays.unit_gev > 0.0:
            narrow = 0.5 * math.log(room / self.decays.unit_gev)
        return min(narrow, math.log(self.largest))

    def knots(self) -> list[float]:
        """Logarithms of couplings at which a table of lifetimes has a row."""
        tables = (self.threshold, self.search.efficiency)
        rows = [t.ctau_mm for t in tables if isinstance(t, LifetimeTable)]
        found = []
        for ctau in (one for row in rows for one in row):
            room = self.decays.width_gev(1.0) * self.decays.ctau_mm(1.0) / ctau
            room -= self.decays.dark_gev
            if room > 0.0 and self.decays.unit_gev > 0.0:
                middle = 0.5 * math.log(room / self.decays.unit_gev)
                found += [middle - 1e-9, middle, middle + 1e-9]
        return found


def _bisect(problem: SignalOverLimit, outside: float, inside: float) -> tuple[float, bool]:
    """Edge between a place that is not excluded and one that is; whether the first is unknown."""
    unknown = math.isnan(problem.one(outside))
    while abs(inside - outside) > _TINY * max(1.0, abs(inside)):
        middle = 0.5 * (inside + outside)
        if middle in {inside, outside}:
            break
        value = problem.one(middle)
        if value >= 0.0:
            inside = middle
        else:
            outside, unknown = middle, math.isnan(value)
    return inside, unknown


def _peak(problem: SignalOverLimit, low: float, high: float) -> float:
    """Place of the largest value between two places, by golden section."""
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if problem.one(left) >= problem.one(right):
            high = right
        else:
            low = left
    return 0.5 * (low + high)


NARROW_ONLY = f"excluded as far as the width is below {NARROW:g} of the mass, and a mixing below 1"

_BEYOND = "end of the table of lifetimes"


def excluded_intervals(
    problem: SignalOverLimit, low: float, high: float
) -> tuple[list[Interval], float, str]:
    """Excluded couplings between two logarithms, and the largest ratio of signal and limit.

    The last is what is not known between them, in words; empty where everything is.
    """
    n = max(int((high - low) / math.log(10.0) * _PER_DECADE), 8) + 1
    inside = [u for u in problem.knots() if low < u < high]
    places = np.unique(np.concatenate([np.linspace(low, high, n), inside]))
    values = problem.log_ratio(places)
    # A narrow top between two places would be missed: look for it.
    extra = [
        _peak(problem, float(places[k - 1]), float(places[k + 1]))
        for k in range(1, len(places) - 1)
        if -1.0 < values[k] < 0.0 and values[k] >= max(values[k - 1], values[k + 1])
    ]
    if extra:
        places = np.unique(np.concatenate([places, extra]))
        values = problem.log_ratio(places)
    above = values >= 0.0
    largest = float(np.exp(np.nanmax(values))) if not np.isnan(values).all() else 0.0
    found = []
    k = 0
    while k < len(places):
        if not above[k]:
            k += 1
            continue
        start = k
        while k + 1 < len(places) and above[k + 1]:
            k += 1
        lower, lower_reason = float(places[start]), None
        if start > 0:
            lower, unknown = _bisect(problem, float(places[start - 1]), lower)
            lower_reason = _BEYOND if unknown else None
        upper: float | None = None
        upper_reason: str | None = NARROW_ONLY
        if k + 1 < len(places):
            edge, unknown = _bisect(problem, float(places[k + 1]), float(places[k]))
            upper, upper_reason = math.exp(edge), _BEYOND if unknown else None
        found.append(
            Interval(
                lower=math.exp(lower), upper=upper, lower_reason=lower_reason,
                upper_reason=upper_reason,
            )
        )  # fmt: skip
        k += 1
    return found, largest, problem.unknown(places)
