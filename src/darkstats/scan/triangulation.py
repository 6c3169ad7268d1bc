"""Delaunay triangulations of the hypotheses of a scan, by exact arithmetic.

Points of a grid lie on common circles, where rounding would decide between two triangulations, and
so where a contour runs. Coordinates are therefore rational numbers, and every decision is exact:
the result depends on neither the order of the points nor the units of the axes.

The triangulation is that of Delaunay (1934): no point lies inside the circle through the corners of
a triangle. It is found by a sweep and by flips of edges (Lawson 1977). Where four points lie on one
circle, the diagonal is taken that ends at the first of them, in the order of the coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from darkstats.arrays import FloatArray, IndexArray, frozen_floats
from darkstats.errors import OptionError

__all__ = ["Triangulation", "exact", "triangulate"]

Point = tuple[int, int]


def exact(value: float) -> Fraction:
    """Return the shortest decimal number that reads as ``value``, which is what a grid means.

    Examples
    --------
    >>> exact(0.1)
    Fraction(1, 10)
    """
    return Fraction(repr(float(value)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Triangulation:
    """Triangles between points.

    Parameters
    ----------
    order
        Which of the given points each point is: they are sorted by their coordinates. Shape
        [point].
    places
        Coordinates of the points. Shape [point, 2].
    triangles
        Corners, counter-clockwise. Shape [triangle, 3].
    """

    order: IndexArray = field(repr=False)
    places: FloatArray = field(repr=False)
    triangles: IndexArray = field(repr=False)

    @property
    def edge_of_the_grid(self) -> tuple[tuple[int, int], ...]:
        """Edges that belong to one triangle only: the convex hull, counter-clockwise in pairs."""
        edges = {(int(t[k]), int(t[k - 2])) for t in self.triangles for k in range(3)}
        return tuple(sorted((a, b) for a, b in edges if (b, a) not in edges))


def _turn(a: Point, b: Point, c: Point) -> int:
    """Twice the signed area of a triangle: positive where its corners go round to the left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _in_circle(a: Point, b: Point, c: Point, d: Point) -> int:
    """Positive where ``d`` lies inside the circle through ``a, b, c`` (which turn left)."""
    ax, ay, bx, by = a[0] - d[0], a[1] - d[1], b[0] - d[0], b[1] - d[1]
    cx, cy = c[0] - d[0], c[1] - d[1]
    return (
        (ax * ax + ay * ay) * (bx * cy - cx * by)
        - (bx * bx + by * by) * (ax * cy - cx * ay)
        + (cx * cx + cy * cy) * (ax * by - bx * ay)
    )


def _whole(values: Sequence[Fraction]) -> list[int]:
    """Return numbers times their common denominator, from zero on."""
    scale = math.lcm(*(value.denominator for value in values))
    found = [int(value * scale) for value in values]
    least = min(found)
    return [value - least for value in found]


def triangulate(x: Sequence[Fraction], y: Sequence[Fraction]) -> Triangulation:
    """Return the Delaunay triangulation of points, on axes that are scaled to equal length.

    Parameters
    ----------
    x, y
        Coordinates, exact; see :func:`exact`.

    Raises
    ------
    OptionError
        Two points coincide, or all lie on one line: there is no triangle.
    """
    order = sorted(range(len(x)), key=lambda k: (x[k], y[k]))
    across, along = (_whole([axis[k] for k in order]) if order else [] for axis in (x, y))
    width, height = max(across, default=0), max(along, default=0)
    points = [(a * height, b * width) for a, b in zip(across, along, strict=True)]
    for k in range(1, len(order)):
        if (across[k], along[k]) == (across[k - 1], along[k - 1]):
            at = ", ".join(f"{float(axis[order[k]]):g}" for axis in (x, y))
            raise OptionError(f"two points lie at ({at}): there is no triangulation")
    edges = _swept(points)
    if not edges:
        raise OptionError(
            f"{len(order)} points on one line make no triangle: a contour needs three that are not"
        )
    _flip(edges, points)
    triangles = sorted({_first_corner_first(a, b, c) for (a, b), c in edges.items()})
    places = [(float(x[k]), float(y[k])) for k in order]
    return Triangulation(
        order=np.array(order, dtype=np.int64),
        places=frozen_floats(places, ndim=2),
        triangles=np.array(triangles, dtype=np.int64),
    )


def _first_corner_first(a: int, b: int, c: int) -> tuple[int, int, int]:
    least = min(a, b, c)
    return (a, b, c) if a == least else (b, c, a) if b == least else (c, a, b)


#: Third corner of the triangle to the left of each directed edge.
Edges = dict[tuple[int, int], int]


def _add(edges: Edges, a: int, b: int, c: int) -> None:
    edges[a, b], edges[b, c], edges[c, a] = c, a, b


def _swept(points: Sequence[Point]) -> Edges:
    """Return any triangulation: each point is joined to the part of the hull that it sees."""
    edges: Edges = {}
    n = len(points)
    apex = next((k for k in range(2, n) if _turn(points[0], points[1], points[k])), n)
    if apex == n:
        return edges
    left = _turn(points[0], points[1], points[apex]) > 0
    for k in range(1, apex):
        a, b = (k - 1, k) if left else (k, k - 1)
        _add(edges, a, b, apex)
    line = [*range(apex), apex] if left else [*reversed(range(apex)), apex]
    following = dict(zip(line, [*line[1:], line[0]], strict=True))
    before = {b: a for a, b in following.items()}
    for new in range(apex + 1, n):
        first = last = new - 1  # the last point is a corner of the hull, and seen
        while _turn(points[last], points[following[last]], points[new]) < 0:
            _add(edges, following[last], last, new)
            last = following[last]
        while _turn(points[before[first]], points[first], points[new]) < 0:
            _add(edges, first, before[first], new)
            first = before[first]
        following[first], following[new] = new, last
        before[new], before[last] = first, new
    return edges


def _flip(edges: Edges, points: Sequence[Point]) -> None:
    """Flip edges until no point lies inside the circle of a triangle."""
    waiting = [edge for edge in sorted(edges) if edge[0] < edge[1]]
    while waiting:
        a, b = waiting.pop()
        c, d = edges.get((a, b)), edges.get((b, a))
        if c is None or d is None:
            continue
        inside = _in_circle(points[a], points[b], points[c], points[d])
        if inside < 0 or (inside == 0 and min(a, b) < min(c, d)):
            continue
        del edges[a, b], edges[b, a]
        _add(edges, a, d, c)
        _add(edges, d, b, c)
        waiting += [(a, d), (d, b), (b, c), (c, a)]
