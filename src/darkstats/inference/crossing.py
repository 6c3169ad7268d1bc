"""Where monotone curves cross zero: several of them at once, from shared evaluations.

Every target proposes one point a round, all points of a round are evaluated together (one call of
the batched fit), and each target may use all points that exist. Brackets only ever shrink; steps
are inverse interpolation, with bisection as the safeguard, so the search cannot leave a bracket
nor stall.
"""

from __future__ import annotations

import math
from bisect import insort
from itertools import pairwise

from darkstats.errors import LimitNotFoundError

__all__ = ["Crossing"]

_MAX_NODES = 4


class Crossing:
    """Search for the zero of one function that falls with ``mu`` (the last one, if several).

    Parameters
    ----------
    name
        What is searched for, for messages.
    start
        First guess, positive.
    tolerance
        Relative accuracy asked of the crossing.
    floor
        Where the value is still not positive at or below this point, the crossing counts as 0.
    """

    def __init__(self, name: str, start: float, *, tolerance: float = 1e-10, floor: float) -> None:
        self.name = name
        self.floor = floor
        self.start = start
        self.tolerance = tolerance
        self.points: list[tuple[float, float]] = []  # (mu, value), sorted
        self._known: set[float] = set()
        self._last_width = math.inf
        self._slow = 0

    def add(self, mu: float, value: float) -> None:
        """Tell the value at ``mu``, once.

        Raises
        ------
        ValueError
            The value is not a number: a point whose fit failed has none, and is not told.
        """
        if math.isnan(value):
            raise ValueError(f"{self.name}: the value at {mu:g} is not a number")
        if mu in self._known:
            return
        self._known.add(mu)
        insort(self.points, (mu, value))

    def clear(self) -> None:
        """Forget all values."""
        self.points.clear()
        self._known.clear()

    @property
    def bracket(self) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
        """Points around the last crossing: positive at the first, not so at the second."""
        below = None
        above = None
        for point in reversed(self.points):
            if point[1] > 0.0:
                below = point
                break
            above = point
        return below, above

    @property
    def monotone(self) -> bool:
        """Whether the values change sign once only."""
        signs = [value > 0.0 for _, value in self.points]
        return sum(a != b for a, b in pairwise(signs)) <= 1

    def estimate(self) -> tuple[float, float] | None:
        """Best guess of the crossing and its relative uncertainty; None without a bracket."""
        below, above = self.bracket
        if above is not None and below is None and above[0] <= self.floor:
            return 0.0, 0.0
        if below is None or above is None:
            return None
        if above[1] == 0.0:
            return above[0], 0.0
        guess = self._interpolated(below, above)
        width = (above[0] - below[0]) / guess
        nearest = min((below, above), key=lambda point: abs(point[1]))
        return guess, min(width, abs(nearest[0] - guess) / guess)

    def finished(self) -> bool:
        """Whether the crossing is known to the tolerance."""
        found = self.estimate()
        return found is not None and found[1] <= self.tolerance

    def proposals(self, limit: float) -> list[float]:
        """Points to evaluate next, none when finished.

        Raises
        ------
        LimitNotFoundError
            The curve stays positive up to ``limit``; carries the largest point tested.
        """
        if not self.points:
            return [self.start]
        below, above = self.bracket
        if above is None:
            highest = self.points[-1][0]
            if highest >= limit:
                raise LimitNotFoundError(
                    f"{self.name}: no crossing up to a signal strength of {highest:.3g}",
                    lower_bound=highest,
                )
            return [2.0 * highest, 8.0 * highest]
        if below is None:
            lowest = self.points[0][0]
            return [] if lowest <= self.floor else [lowest / 3.0, lowest / 30.0]
        if self.finished():
            return []
        return [self._safeguarded(below, above)]

    def _safeguarded(self, below: tuple[float, float], above: tuple[float, float]) -> float:
        width = above[0] - below[0]
        self._slow = self._slow + 1 if width > 0.5 * self._last_width else 0
        self._last_width = width
        if self._slow >= 3:  # interpolation creeps along one side: halve instead
            self._slow = 0
            return 0.5 * (below[0] + above[0])
        guess = self._interpolated(below, above)
        # A step that lands on top of a known point brings nothing: go to its other side.
        margin = 0.25 * self.tolerance * guess
        return min(max(guess, below[0] + margin), above[0] - margin)

    def _interpolated(self, below: tuple[float, float], above: tuple[float, float]) -> float:
        """Inverse Lagrange interpolation at zero by the nearest points, kept in the bracket."""
        nodes = [below, above]
        others = sorted(
            (point for point in self.points if point not in nodes and math.isfinite(point[1])),
            key=lambda point: abs(point[1]),
        )
        finite = math.isfinite(below[1]) and math.isfinite(above[1])
        if not finite:
            return 0.5 * (below[0] + above[0])
        for n_extra in range(min(_MAX_NODES - 2, len(others)), -1, -1):
            chosen = nodes + others[:n_extra]
            values = [value for _, value in chosen]
            if len(set(values)) < len(values):
                continue
            guess = 0.0
            for i, (mu, value) in enumerate(chosen):
                weight = 1.0
                for j, other in enumerate(values):
                    if j != i:
                        weight *= other / (other - value)
                guess += weight * mu
            if below[0] < guess < above[0]:
                return guess
        return 0.5 * (below[0] + above[0])
