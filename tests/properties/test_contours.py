"""Any grid, any values: triangles are of Delaunay, contours are theirs, and bands are nested."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.scan.contours import between, contour
from darkstats.scan.triangulation import Triangulation, exact, triangulate

COORDINATES = st.one_of(
    st.integers(0, 6).map(float),  # many points on lines and circles
    st.decimals(-5, 5, places=1).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: float(f"{x:.6g}")),
)
GRIDS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=25, unique=True)
VALUES = st.integers(-50_000, 50_000).map(lambda k: k / 1000.0)


def of(places: list[tuple[float, float]]) -> Triangulation | None:
    try:
        return triangulate([exact(x) for x, _ in places], [exact(y) for _, y in places])
    except OptionError:  # all on one line
        return None


def scaled(grid: Triangulation) -> list[tuple[Fraction, Fraction]]:
    """Positions on axes of length 1, exact."""
    columns = []
    for k in (0, 1):
        values = [exact(v) for v in grid.places[:, k].tolist()]
        size = max(values) - min(values)
        columns.append([(v - min(values)) / size for v in values])
    return list(zip(*columns, strict=True))


def turn(a: tuple[Fraction, ...], b: tuple[Fraction, ...], c: tuple[Fraction, ...]) -> Fraction:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@given(places=GRIDS)
@settings(max_examples=150, deadline=None)
def test_no_point_lies_in_the_circle_of_a_triangle(places: list[tuple[float, float]]) -> None:
    """By exact arithmetic and another formula: circles are empty, triangles fill the hull once."""
    grid = of(places)
    if grid is None:
        return
    at = scaled(grid)
    total = Fraction(0)
    for corners in grid.triangles.tolist():
        a, b, c = (at[k] for k in corners)
        area = turn(a, b, c)
        assert area > 0
        total += area
        # centre of the circle, from the two equations of equal distance
        norms = [p[0] ** 2 + p[1] ** 2 for p in (a, b, c)]
        x = sum(n * (q[1] - r[1]) for n, q, r in zip(norms, (b, c, a), (c, a, b), strict=True))
        y = sum(n * (r[0] - q[0]) for n, q, r in zip(norms, (b, c, a), (c, a, b), strict=True))
        x, y = x / (2 * area), y / (2 * area)
        radius = (a[0] - x) ** 2 + (a[1] - y) ** 2
        assert all((p[0] - x) ** 2 + (p[1] - y) ** 2 >= radius for p in at)
    edge = {a: b for b, a in grid.edge_of_the_grid}  # the hull, round to the left or the right
    loop = [next(iter(edge))]
    while edge[loop[-1]] != loop[0]:
        loop.append(edge[loop[-1]])
    assert len(loop) == len(edge)
    hull = sum(
        (at[p][0] * at[q][1] - at[q][0] * at[p][1]
         for p, q in itertools.pairwise([*loop, loop[0]])), Fraction(0),
    )  # fmt: skip
    assert abs(hull) == total
    assert {int(k) for k in grid.triangles.ravel()} == set(range(len(places)))


@given(places=GRIDS, seed=st.integers(0, 2**32 - 1), powers=st.tuples(*[st.integers(-6, 6)] * 2))
@settings(max_examples=100, deadline=None)
def test_order_and_units_change_nothing(
    places: list[tuple[float, float]], seed: int, powers: tuple[int, int]
) -> None:
    """The same points in another order, or in other units, have the same triangles."""
    grid = of(places)
    if grid is None:
        return
    order = np.random.default_rng(seed).permutation(len(places))
    units = [Fraction(10) ** power for power in powers]
    turned = triangulate(
        *([exact(places[k][axis]) * units[axis] for k in order] for axis in (0, 1))
    )
    assert (turned.triangles == grid.triangles).all()
    assert [int(order[k]) for k in turned.order] == grid.order.tolist()


@given(places=GRIDS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_pieces_lie_where_the_quantity_is_zero(
    places: list[tuple[float, float]], data: st.DataObject
) -> None:
    """Each vertex is on an edge across which the sign changes; open pieces end on the hull."""
    grid = of(places)
    if grid is None:
        return
    n = len(places)
    values = np.array(data.draw(st.lists(VALUES, min_size=n, max_size=n)))
    pieces = contour(grid, values)
    hull = {frozenset(edge) for edge in grid.edge_of_the_grid}
    low, high = grid.places.min(axis=0), grid.places.max(axis=0)
    for piece in pieces:
        assert len(piece.vertices) >= (3 if piece.closed else 2)
        assert (piece.vertices >= low).all()
        assert (piece.vertices <= high).all()
        if piece.ends is not None:
            for below, above in piece.ends:
                assert frozenset((below, above)) in hull
                assert values[below] < 0.0 <= values[above]
    if (values != 0.0).all():  # the same line, run the other way
        mirrored = contour(grid, -values)
        assert len(mirrored) == len(pieces)
        ours = sorted(tuple(v) for p in pieces for v in np.round(p.vertices, 6).tolist())
        theirs = sorted(tuple(v) for p in mirrored for v in np.round(p.vertices, 6).tolist())
        assert len(ours) == len(theirs)


@given(places=GRIDS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_bands_are_nested(places: list[tuple[float, float]], data: st.DataObject) -> None:
    """Where one quantity is nowhere below another, no part of the plane says the opposite."""
    grid = of(places)
    if grid is None:
        return
    n = len(places)
    lower = np.array(data.draw(st.lists(VALUES, min_size=n, max_size=n)))
    rise = np.array(data.draw(st.lists(st.floats(0.0, 9.0), min_size=n, max_size=n)))
    parts = between(grid, lower, lower + rise)  # excluded at the higher, not at the lower one
    size = np.ptp(grid.places, axis=0).prod()
    for part in parts:
        x, y = (part - part[0]).T
        area = 0.5 * abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))
        assert area <= 1e-12 * size
