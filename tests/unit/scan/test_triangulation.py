"""Triangulations of grids: of Delaunay, whatever the order and the units; refused where none is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from darkstats.errors import OptionError
from darkstats.scan.triangulation import Triangulation, exact, triangulate

Places = NDArray[np.float64]


def of(places: Places) -> Triangulation:
    return triangulate([exact(x) for x in places[:, 0]], [exact(y) for y in places[:, 1]])


def corners(grid: Triangulation) -> set[frozenset[tuple[float, float]]]:
    return {frozenset(map(tuple, grid.places[t].tolist())) for t in grid.triangles}


def test_random_points_have_the_triangles_that_qhull_finds() -> None:
    """Of points in general position there is one Delaunay triangulation: that of SciPy's Qhull."""
    from scipy.spatial import Delaunay

    rng = np.random.default_rng(1)
    for n in (3, 4, 10, 200):
        places = rng.random((n, 2))
        low, size = places.min(axis=0), np.ptp(places, axis=0)
        grid = of(places)
        found = {frozenset(t) for t in grid.triangles.tolist()}
        peer = Delaunay((grid.places - low) / size).simplices
        assert found == {frozenset(t) for t in peer.tolist()}


def test_a_rectangular_grid_has_one_triangulation_in_any_order_and_unit() -> None:
    """All cells of a grid are on circles: the diagonals depend on neither order nor units."""
    places = np.array([(50.0 * i, 0.25 * j) for i in range(7) for j in range(5)])
    grid = of(places)
    assert len(grid.triangles) == 2 * 6 * 4
    order = np.random.default_rng(2).permutation(len(places))
    assert corners(of(places[order])) == corners(grid)
    assert (of(places[order]).triangles == grid.triangles).all()
    assert (of(places * [1e-3, 1e3]).triangles == grid.triangles).all()
    assert (places[grid.order] == grid.places).all()


def test_ties_are_broken_by_the_first_point() -> None:
    """Each cell of a grid is cut by the diagonal from its first corner, as it is documented."""
    grid = of(np.array([(float(i), float(j)) for i in range(4) for j in range(3)]))
    for triangle in corners(grid):
        low = tuple(min(place[k] for place in triangle) for k in (0, 1))
        assert {low, (low[0] + 1.0, low[1] + 1.0)} <= triangle


def test_tenths_are_tenths() -> None:
    """Diamonds in steps of 0.1, which are on no circle in binary, are those of whole numbers."""
    found = []
    for x, y, radius in itertools.product(range(3, 7), range(3, 7), range(1, 4)):
        whole = [(x - radius, y), (x, y - radius), (x, y + radius), (x + radius, y)]
        tenths = of(np.array([(float(f"0.{a}"), float(f"0.{b}")) for a, b in whole]))
        found.append(tenths.triangles.tolist())
    assert found == [[[0, 1, 3], [0, 3, 2]]] * 48


def test_triangles_turn_left_and_fill_the_hull() -> None:
    """The triangles of a column grid with points on its edges fill the trapezium, each once."""
    places = np.array([(float(x), float(y)) for x in range(5) for y in range(3 + x)])
    grid = of(places)
    a, b, c = (grid.places[grid.triangles[:, k]] for k in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    assert (area > 0.0).all()
    assert area.sum() == pytest.approx(4.0 * (2.0 + 6.0) / 2.0, abs=1e-12)
    edge = grid.edge_of_the_grid
    assert len(edge) == 4 + 2 + 4 + 6  # points on the hull are ends of its edges


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ([(0.0, 0.0), (1.0, 1.0)], "2 points on one line"),
        ([(0.0, 0.1), (0.0, 0.2), (0.0, 0.3)], "3 points on one line"),
        ([(0.1, 0.1), (0.2, 0.2), (0.7, 0.7)], "3 points on one line"),
        ([(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (1.0, 1.0)], r"two points lie at \(1, 1\)"),
    ],
)
def test_what_makes_no_triangle_is_refused(places: list[tuple[float, float]], words: str) -> None:
    """Points on a line, by exact arithmetic, and points on each other, are said to be."""
    with pytest.raises(OptionError, match=words):
        of(np.array(places))


def test_no_points_are_refused() -> None:
    """An empty list is no grid."""
    with pytest.raises(OptionError, match="0 points"):
        triangulate([], [])
