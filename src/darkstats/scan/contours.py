"""Lines on which a quantity of the hypotheses of a scan is zero, in the plane of two masses.

The quantity is linear in each triangle, so the line is a straight segment there, and exact. Nothing
lies outside the triangles: a line that reaches the edge of the grid ends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, frozen_floats
from darkstats.scan.triangulation import Triangulation

__all__ = ["Piece", "between", "contour"]

Crossing = tuple[int, int]  # an edge: from its corner below zero to the one that is not


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """One connected piece of a contour; values below zero lie on its left.

    Parameters
    ----------
    vertices
        Shape [vertex, 2]. The first vertex of a closed piece is not repeated at its end.
    closed
        Whether it runs into itself; else it begins and ends on the edge of the grid.
    ends
        Of an open piece: the two points between which it begins, and those between which it ends,
        as indices of the triangulation; those below zero first. None of a closed one.
    """

    vertices: FloatArray = field(repr=False)
    closed: bool
    ends: tuple[Crossing, Crossing] | None

    @property
    def area(self) -> float:
        """Area that a closed piece encloses; negative where values below zero lie outside."""
        x, y = (self.vertices - self.vertices[0]).T
        return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def contour(grid: Triangulation, values: FloatArray) -> tuple[Piece, ...]:
    """Return the pieces of the line on which a quantity is zero, those that are open first.

    Parameters
    ----------
    grid
        Triangles between points.
    values
        The quantity, finite. Shape [point], in the order of the triangulation. Zero counts as not
        below: a point at zero is the edge of the region.

    Returns
    -------
    tuple of Piece
        Empty where all values are below zero, or none is. What has no extension, such as a ring
        about a single point at zero, is left out.
    """
    if values.shape != (len(grid.places),) or not np.isfinite(values).all():
        raise ValueError("a contour needs a finite value for each point")
    below = values < 0.0
    after: dict[Crossing, Crossing] = {}
    for corners in grid.triangles[_crossed(grid, below)].tolist():
        start = end = (0, 0)
        for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
            if below[a] and not below[b]:
                start = (a, b)
            elif below[b] and not below[a]:
                end = (b, a)
        after[start] = end
    found = []
    for closed, chain in _chains(after):
        piece = _piece(grid, values, chain, closed=closed)
        if piece is not None:
            found.append(piece)
    return tuple(found)


def _crossed(grid: Triangulation, below: BoolArray) -> BoolArray:
    of_corners = below[grid.triangles]
    return np.asarray(of_corners.any(axis=1) & ~of_corners.all(axis=1))


def _chains(after: dict[Crossing, Crossing]) -> Iterator[tuple[bool, list[Crossing]]]:
    """Follow segments from edge to edge: first from the edge of the grid, then round."""
    left = dict(after)
    for first in sorted(after.keys() - set(after.values())):
        chain = [first]
        while chain[-1] in left:
            chain.append(left.pop(chain[-1]))
        yield False, chain
    while left:
        chain = [min(left)]
        while (following := left.pop(chain[-1])) != chain[0]:
            chain.append(following)
        yield True, chain


def _piece(
    grid: Triangulation, values: FloatArray, chain: list[Crossing], *, closed: bool
) -> Piece | None:
    """Return the crossings of a chain of edges as a line, None where it has no extension."""
    low, high = np.array(chain).T
    part = (values[low] / (values[low] - values[high]))[:, np.newaxis]
    start, stop = grid.places[low], grid.places[high]
    vertices = np.where(part == 1.0, stop, start + part * (stop - start))
    moved = np.append(True, (vertices[1:] != vertices[:-1]).any(axis=1))
    vertices = vertices[moved]
    if closed and len(vertices) > 1 and (vertices[0] == vertices[-1]).all():
        vertices = vertices[:-1]
    if len(vertices) < (3 if closed else 2):
        return None
    return Piece(
        vertices=frozen_floats(vertices, ndim=2),
        closed=closed,
        ends=None if closed else (chain[0], chain[-1]),
    )


def between(grid: Triangulation, above: FloatArray, below: FloatArray) -> tuple[FloatArray, ...]:
    """Return the region in which one quantity is below zero and another is not.

    Parameters
    ----------
    grid
        Triangles between points.
    above, below
        The quantity that is not below zero in the region, and the one that is. Shape [point] each.

    Returns
    -------
    tuple of arrays
        Convex polygons, each in one triangle. Shape [vertex, 2] each.
    """
    found = []
    for corners in grid.triangles.tolist():
        rows = np.column_stack([grid.places[corners], -above[corners], below[corners]])
        for column in (2, 3):
            rows = _clipped(rows, column)
        if len(rows) > 2:
            found.append(rows[:, :2])
    return tuple(found)


def _clipped(rows: FloatArray, column: int) -> FloatArray:
    """Part of a convex polygon in which a linear quantity, one of its columns, is negative."""
    kept: list[FloatArray] = []
    for k, here in enumerate(rows):
        last = rows[k - 1]
        if (here[column] < 0.0) != (last[column] < 0.0):
            part = last[column] / (last[column] - here[column])
            kept.append(last + part * (here - last))
        if here[column] < 0.0:
            kept.append(here)
    return np.array(kept).reshape(-1, rows.shape[1])
