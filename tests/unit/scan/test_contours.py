"""Zero lines in triangles: closed forms, matplotlib's lines, ends, orientation, odd values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from darkstats.scan.contours import Piece, between, contour
from darkstats.scan.triangulation import Triangulation, exact, triangulate

Places = NDArray[np.float64]


def of(places: Places) -> Triangulation:
    return triangulate([exact(x) for x in places[:, 0]], [exact(y) for y in places[:, 1]])


def square(n: int, size: float = 1.0) -> Triangulation:
    return of(np.array(list(itertools.product(np.linspace(-size, size, n).round(12), repeat=2))))


def length(pieces: tuple[Piece, ...]) -> float:
    total = 0.0
    for piece in pieces:
        line = np.vstack([piece.vertices, piece.vertices[:1]]) if piece.closed else piece.vertices
        total += float(np.hypot(*np.diff(line, axis=0).T).sum())
    return total


def test_a_linear_field_gives_the_exact_line_on_an_irregular_grid() -> None:
    """The zero line of a linear field is straight, and ends where it leaves the hull."""
    rng = np.random.default_rng(3)
    places = np.vstack([rng.random((60, 2)), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]])
    grid = of(places)
    x, y = grid.places.T
    (piece,) = contour(grid, x + 2.0 * y - 1.3)
    assert not piece.closed
    assert np.abs(piece.vertices @ [1.0, 2.0] - 1.3).max() < 1e-14
    ends = sorted(piece.vertices[[0, -1]].tolist())
    assert ends == [pytest.approx([0.0, 0.65]), pytest.approx([1.0, 0.15])]
    first, second = (grid.places[list(end)] for end in piece.ends or ())
    for end, vertex in ((first, piece.vertices[0]), (second, piece.vertices[-1])):
        assert np.ptp(end[:, 0]) == 0.0  # an edge of the hull, on which the piece ends
        assert end[:, 1].min() <= vertex[1] <= end[:, 1].max()


def test_values_below_zero_lie_on_the_left() -> None:
    """Going along a piece, what is below zero is on the left: rings tell inside from outside."""
    grid = square(21)
    radius = np.hypot(*grid.places.T)
    (inside,) = contour(grid, radius - 0.6)
    (outside,) = contour(grid, 0.6 - radius)
    assert inside.closed
    assert outside.closed
    assert inside.area > 0.0 > outside.area
    (line,) = contour(grid, grid.places[:, 0] - 0.33)
    assert line.vertices[0, 1] < line.vertices[-1, 1]  # upwards: smaller x is on the left


def test_a_circle_converges_with_the_square_of_the_step() -> None:
    """The contour of log r is a circle: distances from it fall by 4 where the step is halved."""
    worst = []
    for n in (9, 17, 33, 65):
        grid = square(n + 1)  # an even number of columns: no point at r = 0
        (ring,) = contour(grid, np.log(np.hypot(*grid.places.T) / 0.7))
        worst.append(np.abs(np.hypot(*ring.vertices.T) - 0.7).max() * n**2)
        assert ring.area == pytest.approx(np.pi * 0.49, rel=4.0 / n**2)
    assert max(worst) < 1.5 * min(worst)


def test_lines_are_those_of_matplotlib() -> None:
    """On the same triangles matplotlib draws the same lines, vertex for vertex."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure
    from matplotlib.tri import Triangulation as Peer

    rng = np.random.default_rng(4)
    grid = of(rng.random((150, 2)) * [1000.0, 3.0])
    x, y = grid.places.T
    values = np.sin(x / 120.0) * np.cos(2.5 * y) + 0.2
    ours = contour(grid, values)
    drawn = Figure().add_subplot().tricontour(Peer(x, y, grid.triangles), values, levels=[0.0])
    (path,) = drawn.get_paths()
    parts = path.to_polygons(closed_only=False)
    assert len(ours) == len(parts) > 3
    assert sum(piece.closed for piece in ours) >= 1

    def rounded(lines: list[Places]) -> set[tuple[float, ...]]:
        return {tuple(row) for line in lines for row in np.round(line, 8).tolist()}

    assert rounded([piece.vertices for piece in ours]) == rounded([np.asarray(p) for p in parts])
    peer = sum(float(np.hypot(*np.diff(part, axis=0).T).sum()) for part in parts)
    assert length(ours) == pytest.approx(peer, rel=1e-12)


def test_each_island_is_a_piece_of_its_own() -> None:
    """Two islands and a line that runs off the grid: three pieces, the open one first."""
    grid = square(41)
    x, y = grid.places.T
    islands = np.minimum(np.hypot(x - 0.4, y - 0.4), np.hypot(x - 0.4, y + 0.4)) - 0.2
    pieces = contour(grid, np.minimum(islands, x + 0.55))
    assert [piece.closed for piece in pieces] == [False, True, True]
    assert all(piece.area > 0.0 for piece in pieces[1:])


def test_there_is_no_line_where_no_sign_changes() -> None:
    """Nothing is drawn outside the hull, nor along it, where all values have one sign."""
    grid = square(5)
    assert contour(grid, np.full(25, -1.0)) == ()
    assert contour(grid, np.full(25, 1.0)) == ()
    assert contour(grid, np.zeros(25)) == ()


def test_points_at_zero_are_on_the_edge_of_the_region() -> None:
    """A contour through points of the grid goes through them, once each; a lone one is no ring."""
    grid = square(5)
    x, _ = grid.places.T
    (line,) = contour(grid, x)
    assert line.vertices.tolist() == [[0.0, y] for y in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    assert contour(grid, np.maximum(x, 0.0)) == ()  # a plateau at zero is not below it
    alone = np.where((grid.places == 0.0).all(axis=1), 0.0, -1.0)
    assert contour(grid, alone) == ()


def test_a_value_that_is_none_is_refused() -> None:
    """A field with a gap has no contour: who calls takes the point out before."""
    grid = square(3)
    with pytest.raises(ValueError, match="finite"):
        contour(grid, np.where(np.arange(9) == 4, np.nan, 1.0))


def test_the_region_between_two_circles_has_its_area() -> None:
    """Polygons of a band add up to the area between its contours."""
    grid = square(60)
    radius = np.hypot(*grid.places.T)
    outer, inner = radius - 0.8, radius - 0.5
    parts = between(grid, inner, outer)
    total = sum(Piece(vertices=p, closed=True, ends=None).area for p in parts)
    (big,), (small,) = contour(grid, outer), contour(grid, inner)
    assert total == pytest.approx(big.area - small.area, rel=1e-12)
    assert between(grid, outer, inner) == ()
