"""Where the hypotheses of a scan lie, and which of them are neighbours.

Use :func:`line` for a scan over one mass, :func:`grid` for a rectangular plane, :func:`rows` for a
plane whose spacing changes from row to row, :func:`triangulated` for any other set of points.

A scan is a *complex*: points, edges between neighbours, and faces (triangles or rectangles).  What
is counted on it is the Euler characteristic of the part above a level: points minus edges plus
faces, of those whose corners all lie above.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkstats.arrays import FloatArray, IndexArray, frozen_floats, frozen_indices
from darkstats.errors import OptionError

__all__ = ["ScanGeometry", "grid", "line", "rows", "triangulated"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanGeometry:
    """Points of a scan, and the cells between them.

    Parameters
    ----------
    kind
        ``"line"``, ``"grid"``, ``"rows"`` or ``"triangles"``.
    coordinates
        Masses of the hypotheses, in the caller's units. Shape [point, 1] or [point, 2].
    edges
        Pairs of neighbouring points. Shape [edge, 2].
    faces
        Corners of the faces; a triangle names its last corner twice. Shape [face, 4].
    counted
        1 where a point counts, 0 where it starts a piece of a line: what remains on a line are its
        up-crossings. Shape [point].
    digest
        SHA-256 of all this: tallies of other scans are not added to this one.
    """

    kind: str
    coordinates: FloatArray
    edges: IndexArray
    faces: IndexArray
    counted: IndexArray
    digest: str

    @property
    def dimension(self) -> int:
        """1 or 2."""
        return int(self.coordinates.shape[1])

    @property
    def n_points(self) -> int:
        """Number of hypotheses."""
        return len(self.coordinates)

    @property
    def euler(self) -> int:
        """Euler characteristic of the whole scan: 1 for a piece without holes."""
        return self.n_points - len(self.edges) + len(self.faces)


def _geometry(
    kind: str,
    coordinates: FloatArray,
    edges: npt.ArrayLike,
    faces: npt.ArrayLike,
    starts: Sequence[int] = (),
) -> ScanGeometry:
    counted = np.ones(len(coordinates), dtype=np.int64)
    counted[list(starts)] = 0
    arrays = (
        frozen_floats(coordinates, ndim=2),
        frozen_indices(np.asarray(edges, dtype=np.int64).reshape(-1, 2), ndim=2),
        frozen_indices(np.asarray(faces, dtype=np.int64).reshape(-1, 4), ndim=2),
        frozen_indices(counted),
    )
    digest = hashlib.sha256(kind.encode())
    for array in arrays:
        digest.update(repr(array.shape).encode() + array.tobytes())
    return ScanGeometry(
        kind=kind,
        coordinates=arrays[0],
        edges=arrays[1],
        faces=arrays[2],
        counted=arrays[3],
        digest=digest.hexdigest(),
    )


def _finite(name: str, values: npt.ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise OptionError(f"{name} must be a list of finite numbers, got shape {array.shape}")
    return array


def _rising(name: str, values: npt.ArrayLike) -> FloatArray:
    array = _finite(name, values)
    if not (np.diff(array) > 0.0).all():
        at = int(np.flatnonzero(np.diff(array) <= 0.0)[0])
        raise OptionError(f"{name} must rise; entry {at + 1} ({array[at + 1]:g}) does not")
    return array


def line(positions: npt.ArrayLike, *, gaps_after: Sequence[int] = ()) -> ScanGeometry:
    """A scan over one mass.

    Parameters
    ----------
    positions
        Masses, rising. Shape [point].
    gaps_after
        Points after which the scan is interrupted (a vetoed resonance): no crossing is counted
        between such a point and the next one.

    Raises
    ------
    OptionError
        Positions do not rise, or a gap is none of the points but the last.

    Examples
    --------
    >>> line([0.5, 0.6, 0.7, 1.2, 1.3], gaps_after=[2]).euler
    2
    """
    array = _rising("positions", positions)
    n = len(array)
    gaps = sorted(set(gaps_after))
    if gaps and (gaps[0] < 0 or gaps[-1] >= n - 1):
        raise OptionError(f"gaps follow points 0 to {n - 2}, got {gaps}")
    edges = [(i, i + 1) for i in range(n - 1) if i not in set(gaps)]
    starts = [0, *(gap + 1 for gap in gaps)]
    return _geometry("line", array[:, np.newaxis], edges, [], starts)


def grid(x: npt.ArrayLike, y: npt.ArrayLike) -> ScanGeometry:
    """A rectangular plane: rectangles between the points (a cubical complex).

    Parameters
    ----------
    x, y
        Rising coordinates of columns and rows. Point ``i * len(y) + j`` lies at (x[i], y[j]), the
        order of ``roots.reshape(n_toys, -1)`` for roots [toy, x, y].

    Examples
    --------
    >>> plane = grid([0, 1, 2], [0, 1])
    >>> plane.n_points, len(plane.edges), len(plane.faces), plane.euler
    (6, 7, 2, 1)
    """
    first, second = _rising("x", x), _rising("y", y)
    number = np.arange(len(first) * len(second)).reshape(len(first), len(second))
    along_x = np.stack([number[:-1], number[1:]], axis=-1).reshape(-1, 2)
    along_y = np.stack([number[:, :-1], number[:, 1:]], axis=-1).reshape(-1, 2)
    faces = np.stack(
        [number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]], axis=-1
    ).reshape(-1, 4)
    points = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    return _geometry("grid", points, np.concatenate([along_x, along_y]), faces)


def triangulated(x: npt.ArrayLike, y: npt.ArrayLike, triangles: npt.ArrayLike) -> ScanGeometry:
    """Any set of points with triangles between them, as a triangulation library makes them.

    Parameters
    ----------
    x, y
        Coordinates. Shape [point].
    triangles
        Corners, each a number of a point. Shape [triangle, 3]. Edges are those of the triangles.

    Raises
    ------
    OptionError
        A triangle names a point that does not exist, or one twice; or an edge has more than two
        triangles, so that the triangles do not tile a surface.
    """
    first, second = _finite("x", x), _finite("y", y)
    corners = np.asarray(triangles, dtype=np.int64).reshape(-1, 3)
    return _from_triangles("triangles", first, second, corners, np.empty((0, 2), dtype=np.int64))


def _from_triangles(
    kind: str, x: FloatArray, y: FloatArray, corners: IndexArray, lone_edges: IndexArray
) -> ScanGeometry:
    if len(x) != len(y):
        raise OptionError(f"x and y differ in length: {len(x)} and {len(y)}")
    ordered = np.sort(corners, axis=1)
    if corners.size and not (
        ordered.min() >= 0 and ordered.max() < len(x) and (np.diff(ordered, axis=1) > 0).all()
    ):
        raise OptionError(f"each triangle needs three different points out of 0 to {len(x) - 1}")
    ordered = np.unique(ordered, axis=0)
    sides = np.concatenate([ordered[:, [0, 1]], ordered[:, [0, 2]], ordered[:, [1, 2]]])
    edges, shared = np.unique(sides, axis=0, return_counts=True)
    if shared.size and shared.max() > 2:
        a, b = edges[int(np.argmax(shared))]
        raise OptionError(f"the edge between points {a} and {b} has {shared.max()} triangles")
    edges = np.unique(np.concatenate([edges, np.sort(lone_edges, axis=1)]), axis=0)
    faces = ordered[:, [0, 1, 2, 2]]
    return _geometry(kind, np.stack([x, y], axis=1), edges, faces)


def rows(
    x: npt.ArrayLike, y: npt.ArrayLike, *, largest_step_x: float | None = None
) -> ScanGeometry:
    """A plane scanned row by row, where the spacing along a row changes from row to row.

    Points with equal ``x`` form a row; neighbouring rows are joined by a strip of triangles.

    Parameters
    ----------
    x, y
        Coordinates, in any order. Shape [point].
    largest_step_x
        Rows further apart than this are not joined; all are by default.

    Raises
    ------
    OptionError
        Two hypotheses lie at the same point.

    Examples
    --------
    >>> plane = rows([0, 0, 0, 1, 1, 2], [0.0, 1.0, 2.0, 0.3, 1.6, 0.9])
    >>> plane.n_points, len(plane.edges), len(plane.faces), plane.euler
    (6, 9, 4, 1)
    """
    first, second = _finite("x", x), _finite("y", y)
    if len(first) != len(second):
        raise OptionError(f"x and y differ in length: {len(first)} and {len(second)}")
    order = np.lexsort((second, first))
    values, begins = np.unique(first[order], return_index=True)
    members = np.split(order, begins[1:])
    triangles: list[tuple[int, int, int]] = []
    along: list[tuple[int, int]] = []
    for row in members:
        if not (np.diff(second[row]) > 0.0).all():
            raise OptionError(f"two hypotheses at the same point of the row x = {first[row[0]]:g}")
        along += [(int(a), int(b)) for a, b in itertools.pairwise(row)]
    for step, lower, upper in zip(np.diff(values), members[:-1], members[1:], strict=True):
        if largest_step_x is None or step <= largest_step_x:
            strip, rungs = _strip(second, lower, upper)
            triangles += strip
            along += rungs
    return _from_triangles(
        "rows",
        first,
        second,
        np.array(triangles, dtype=np.int64).reshape(-1, 3),
        np.array(along, dtype=np.int64).reshape(-1, 2),
    )


def _strip(
    y: FloatArray, lower: IndexArray, upper: IndexArray
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """Triangles between two rows, each given as points with rising y, and the rungs."""
    i = j = 0
    triangles: list[tuple[int, int, int]] = []
    rungs = [(int(lower[0]), int(upper[0]))]
    while i < len(lower) - 1 or j < len(upper) - 1:
        advance_lower = j == len(upper) - 1 or (
            i < len(lower) - 1 and y[lower[i + 1]] <= y[upper[j + 1]]
        )
        here = (int(lower[i]), int(upper[j]))
        if advance_lower:
            i += 1
            triangles.append((*here, int(lower[i])))
        else:
            j += 1
            triangles.append((*here, int(upper[j])))
        rungs.append((int(lower[i]), int(upper[j])))
    return triangles, rungs
