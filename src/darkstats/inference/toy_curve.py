"""Where a curve that is known with Monte Carlo errors crosses a level."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from darkstats.gaussian import density, quantile

__all__ = ["NoisyCrossing", "NoisyPoint", "noisy_crossing"]

_APART = 1e-6  # relative distance of points that tell something about a slope
_STEEP = 1.0  # |log(value / level)| from which on a logarithm is not straight, but Gaussian tails
_FAR = 2.0  # standard deviations from the level beyond which toys tell little of it


@dataclass(frozen=True, slots=True)
class NoisyPoint:
    """``value`` of a probability at ``mu``: standard error, and range that failed toys allow."""

    mu: float
    value: float
    error: float
    low: float
    high: float

    def log_ratio(self, level: float, floor: float) -> tuple[float, float]:
        """Logarithm of value / level, and its error; values below ``floor`` count as ``floor``."""
        value = max(self.value, floor)
        return math.log(value / level), max(self.error, floor) / value

    def in_sigma(self, level: float, floor: float) -> tuple[float, float]:
        """Standard deviations of a Gaussian above the level, and their error; 1 is out of reach."""
        value = min(max(self.value, floor), 1.0 - floor)
        z = quantile(value)
        return z - quantile(level), max(self.error, floor) / density(z)


@dataclass(frozen=True, slots=True)
class NoisyCrossing:
    """A crossing with its error, the range failed toys allow, and whether points surround it."""

    mu: float
    error: float
    low: float
    high: float
    settled: bool


def _rough(points: list[tuple[float, float]], *, falling: bool) -> float | None:
    """Crossing by straight lines between neighbours: the last one for a falling curve."""
    pairs = list(pairwise(points))
    for (mu, value), (next_mu, next_value) in reversed(pairs) if falling else pairs:
        inside = value > 0.0 >= next_value if falling else value <= 0.0 < next_value
        if inside:
            return mu + (next_mu - mu) * value / (value - next_value)
    return None


def _neighbours(ordered: list[NoisyPoint], root: float) -> list[NoisyPoint]:
    """The nearest points on both sides of ``root``; the two outermost where all are on one side."""
    distinct = [ordered[0]]
    for point in ordered[1:]:
        if point.mu - distinct[-1].mu >= _APART * abs(root):
            distinct.append(point)
    above = next((k for k, p in enumerate(distinct) if p.mu > root), len(distinct))
    first = min(max(above - 1, 0), max(len(distinct) - 2, 0))
    return distinct[first : first + 2]


def _is_steep(
    ordered: list[NoisyPoint], logs: dict[float, tuple[float, float]], reach: float, root: float
) -> bool:
    """Whether points around a crossing span more than a logarithm follows in a straight line."""
    return any(
        abs(logs[p.mu][0]) > _STEEP for p in ordered if abs(p.mu - root) <= reach and p.value > 0.0
    )


def noisy_crossing(
    points: list[NoisyPoint],
    level: float,
    *,
    floor: float,
    falling: bool = True,
    window: float = 0.15,
) -> NoisyCrossing | None:
    """Crossing of ``level`` by a weighted straight line through the points around it.

    The line is one of logarithms, as few events give, unless they fall so steeply that the points
    around the crossing are those of a large excess: then one of standard deviations.

    Parameters
    ----------
    points
        Points of the curve, in any order.
    level, floor
        Level in (0, 1); smallest value that toys can tell from 0.
    falling
        Whether the last falling or the first rising crossing is sought.
    window
        Relative distance from the crossing within which points enter the line.

    Returns
    -------
    NoisyCrossing or None
        None if the points do not bracket the level. The errors of the points are taken as fully
        correlated, because toys at different signal strengths share their random numbers.
    """
    ordered = sorted(points, key=lambda point: point.mu)
    logs = {point.mu: point.log_ratio(level, floor) for point in ordered}
    root = _rough([(point.mu, logs[point.mu][0]) for point in ordered], falling=falling)
    if root is None:
        return None
    told, straight, steep = logs, set(logs), _is_steep(ordered, logs, window * abs(root), root)
    if steep:
        told = {point.mu: point.in_sigma(level, floor) for point in ordered}
        straight = {mu for mu, (away, _) in told.items() if abs(away) <= _FAR}
    near: list[NoisyPoint] = []
    slope = error = 0.0
    for _ in range(3):
        near = [
            p for p in ordered
            if abs(p.mu - root) <= window * abs(root) and p.value > 0.0 and p.mu in straight
        ]  # fmt: skip
        if len(near) < 3 or near[-1].mu - near[0].mu < _APART * abs(root):
            near = _neighbours(ordered, root)
        if len(near) < 2:  # all at one place: no slope is known
            return NoisyCrossing(root, math.inf, 0.0, math.inf, settled=False)
        x = np.array([point.mu - root for point in near])
        y = np.array([told[point.mu][0] for point in near])
        sigma = np.array([told[point.mu][1] for point in near])
        coefficients = np.polyfit(x, y, 1, w=1.0 / sigma)
        slope, offset = float(coefficients[0]), float(coefficients[1])
        error = float(np.average(sigma, weights=1.0 / sigma**2))
        if slope == 0.0 or (slope < 0.0) is not falling:
            return NoisyCrossing(root, math.inf, 0.0, math.inf, settled=False)
        step = -offset / slope
        reach = max(abs(float(x.max())), abs(float(x.min())))
        root += min(max(step, -reach), reach)

    # how far the failed toys could move the crossing
    def shifted(name: str) -> float:
        if steep:
            ends = [replace(p, value=getattr(p, name)).in_sigma(level, floor)[0] for p in near]
            return root - float(np.mean(ends) - np.mean([told[p.mu][0] for p in near])) / slope
        ratios = [max(getattr(p, name), floor) / max(p.value, floor) for p in near]
        return root - float(np.mean(np.log(ratios))) / slope

    ends = sorted((shifted("low"), shifted("high")))
    inside = [p for p in ordered if abs(p.mu - root) <= window * abs(root)]
    settled = (
        len(inside) >= 3
        and (len(near) >= 3 or not steep)
        and min(p.mu for p in inside) <= root * 1.02
        and max(p.mu for p in inside) >= root * 0.98
    )
    return NoisyCrossing(root, error / abs(slope), ends[0], ends[1], settled)
