"""Cross sections as tables of masses, and what holds between their rows."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from darkstats.errors import OptionError
from darkstats.scan.triangulation import Triangulation, exact, triangulate

__all__ = ["ROUNDING", "PlaneTable", "Table", "at_row"]

ROUNDING = 1e-12  # relative: 100 MeV are 0.1 GeV
_ON_EDGE = 1e-9  # share of a corner: a place on the edge of a triangle, rounded
_FLAT = 1e-10  # area of a triangle, relative: its corners lie on a line, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cross sections at masses; between them, their logarithm is linear in that of the mass.

    Parameters
    ----------
    masses
        Rising, in the unit of the name. Shape [row].
    cross_sections_fb, couplings
        Cross section in fb at the coupling beside it. Shapes [row].
    signal_fb
        Cross section that the signal was generated with, in fb; None where the table has none.
    """

    masses: tuple[float, ...]
    cross_sections_fb: tuple[float, ...]
    couplings: tuple[float, ...]
    signal_fb: tuple[float, ...] | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest mass."""
        return self.masses[0], self.masses[-1]

    def at(self, mass: float, values: tuple[float, ...]) -> float | None:
        """Value at a mass: that of the row, or between two rows; None outside."""
        low, high = self.ends
        if not low * (1.0 - ROUNDING) <= mass <= high * (1.0 + ROUNDING):
            return None
        k = bisect_left(self.masses, mass)
        for near in (k - 1, k):
            if 0 <= near < len(values) and abs(self.masses[near] - mass) <= ROUNDING * mass:
                return values[near]
        a, b = self.masses[k - 1], self.masses[k]
        part = math.log(mass / a) / math.log(b / a)
        return float(values[k - 1] * (values[k] / values[k - 1]) ** part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneTable:
    """Cross sections at pairs of masses.

    Between them, the logarithm of the cross section is linear in the logarithms of both masses, in
    the triangles of a Delaunay triangulation of these.

    Parameters
    ----------
    masses
        Pairs, in the units of the names, each once. Shape [row].
    cross_sections_fb, couplings, signal_fb
        As for :class:`Table`.
    """

    masses: tuple[tuple[float, float], ...]
    cross_sections_fb: tuple[float, ...]
    couplings: tuple[float, ...]
    signal_fb: tuple[float, ...] | None = None

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest value of each mass."""
        first, second = zip(*self.masses, strict=True)
        return (min(first), max(first)), (min(second), max(second))

    def at(self, masses: tuple[float, float], values: tuple[float, ...]) -> float | None:
        """Value at two masses: that of the row, or within a triangle of rows; None outside."""
        for row, value in zip(self.masses, values, strict=True):
            if all(abs(a - b) <= ROUNDING * b for a, b in zip(row, masses, strict=True)):
                return value
        found = _triangle(self.masses, masses)
        if found is None:
            return None
        return math.exp(sum(share * math.log(values[row]) for row, share in found))


def _triangle(
    rows: tuple[tuple[float, float], ...], masses: tuple[float, float]
) -> list[tuple[int, float]] | None:
    """Rows at the corners of the triangle about two masses, and their shares; None outside."""
    grid = _triangulated(rows)
    if grid is None:
        return None
    corners = grid.places[grid.triangles]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    to = np.log(masses) - a
    (u, v), (w, x) = (b - a).T, (c - a).T
    area = u * x - v * w
    wide = np.abs(area) > _FLAT * np.maximum(u * u + v * v, w * w + x * x)
    if not wide.any():
        return None
    area = np.where(wide, area, np.inf)
    second = (to[:, 0] * x - to[:, 1] * w) / area
    third = (u * to[:, 1] - v * to[:, 0]) / area
    shares = np.stack([1.0 - second - third, second, third], axis=1)
    best = int(np.argmax(np.where(wide, shares.min(axis=1), -np.inf)))
    if not shares[best].min() >= -_ON_EDGE:
        return None
    points = grid.order[grid.triangles[best]].tolist()
    return list(zip(points, shares[best].tolist(), strict=True))


@lru_cache(maxsize=8)  # one for all hypotheses of a scan
def _triangulated(rows: tuple[tuple[float, float], ...]) -> Triangulation | None:
    """Triangles of the logarithms; None where all rows lie on one line."""
    x, y = ([exact(math.log(row[k])) for row in rows] for k in (0, 1))
    try:
        return triangulate(x, y)
    except OptionError:
        return None


def at_row(
    rule: Table | PlaneTable, masses: Mapping[str, float], values: tuple[float, ...]
) -> float | None:
    """Value of a table of either kind at the masses of a hypothesis; None outside."""
    if isinstance(rule, Table):
        return rule.at(next(iter(masses.values())), values)
    first, second = masses.values()
    return rule.at((first, second), values)
