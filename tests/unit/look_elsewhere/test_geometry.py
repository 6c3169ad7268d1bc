"""Complexes of points, edges and faces, and the Euler characteristics of known sets on them."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.look_elsewhere import (
    ExcursionTally,
    ScanField,
    ScanGeometry,
    grid,
    line,
    rows,
    triangulated,
)

RING = ["......", ".####.", ".#..#.", ".#..#.", ".####.", "......"]
SHAPES = {
    "empty": (["....", "....", "...."], 0),
    "one point": (["....", ".#..", "...."], 1),
    "two pieces": (["#..#", "#..#", "...."], 2),
    "corners do not touch": (["#...", ".#..", "...."], 2),
    "disc": (["....", ".##.", ".##."], 1),
    "ring": (RING, 0),
    "ring with a centre": (["#####", "#...#", "#.#.#", "#...#", "#####"], 1),
    "two holes": (["#######", "#..#..#", "#######"], -1),
    "everything": (["####", "####"], 1),
}


def characteristic(geometry: ScanGeometry, inside: np.ndarray) -> int:
    """Euler characteristic of the points marked, counted by the tally at level 0."""
    roots = np.where(inside.ravel(), 1.0, -1.0)
    return int(ExcursionTally.of(ScanField.of(geometry, roots), (0.0,)).sums[0])


def mask(picture: list[str]) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in picture])


@pytest.mark.parametrize("name", SHAPES)
def test_known_sets_on_a_grid(name: str) -> None:
    """Pieces minus holes: discs, rings, figures of eight, on the cubical complex."""
    picture, expected = SHAPES[name]
    inside = mask(picture)
    assert characteristic(grid(range(len(inside)), range(len(inside[0]))), inside) == expected


@pytest.mark.parametrize("name", [name for name in SHAPES if "corners" not in name])
def test_known_sets_on_triangles(name: str) -> None:
    """The same sets on rows joined by triangles, which may tie corners by a diagonal."""
    picture, expected = SHAPES[name]
    inside = mask(picture)
    x, y = np.meshgrid(range(len(inside)), range(len(inside[0])), indexing="ij")
    assert characteristic(rows(x.ravel(), y.ravel()), inside) == expected


def test_a_fat_ring_on_an_irregular_plane() -> None:
    """A ring drawn on rows of changing spacing has characteristic 0, a disc 1, two discs 2."""
    x = np.repeat(np.linspace(-3.0, 3.0, 41), [60 + 2 * i for i in range(41)])
    y = np.concatenate([np.linspace(-3.0, 3.0, 60 + 2 * i) for i in range(41)])
    order = np.random.default_rng(1).permutation(len(x))  # points may come in any order
    x, y = x[order], y[order]
    plane, radius = rows(x, y), np.hypot(x, y)
    assert plane.euler == 1
    assert characteristic(plane, (radius > 1.0) & (radius < 2.0)) == 0
    assert characteristic(plane, radius < 2.0) == 1
    assert characteristic(plane, np.abs(np.abs(x) - 1.5) < 1.0) == 2
    assert characteristic(plane, radius > 1.0) == 0


def test_rows_too_far_apart_are_not_joined() -> None:
    """A vetoed band splits the plane into two pieces."""
    x, y = np.repeat([0.0, 1.0, 5.0, 6.0], 3), np.tile([0.0, 1.0, 2.0], 4)
    assert rows(x, y).euler == 1
    split = rows(x, y, largest_step_x=2.0)
    assert split.euler == 2
    assert characteristic(split, np.ones(12, dtype=bool)) == 2


def test_rows_of_different_reach_tile_the_plane() -> None:
    """A triangular region, as in the plane of two masses, is one piece without holes."""
    x = np.concatenate([np.full(i + 1, float(i)) for i in range(12)])
    y = np.concatenate([np.arange(i + 1.0) for i in range(12)])
    plane = rows(x, y)
    assert plane.euler == 1
    area = 0.0
    for a, b, c, _ in plane.faces:
        area += 0.5 * abs((x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]))
    assert area == pytest.approx(0.5 * 11.0 * 11.0)


def test_triangles_of_the_caller() -> None:
    """A hollow square of eight triangles has a hole; its points in any order."""
    x, y = [0, 1, 2, 2, 2, 1, 0, 0], [0, 0, 0, 1, 2, 2, 2, 1]
    inner = [(0, 1, 7), (1, 2, 3), (3, 4, 5), (5, 6, 7)]
    assert triangulated(x, y, inner).euler == 0
    assert triangulated(x, y, [*inner, (1, 3, 5), (1, 5, 7)]).euler == 1


def test_up_crossings_of_a_line() -> None:
    """Runs above the level are counted, but not one that starts the line, or a piece of it."""
    signs = np.array([True, False, True, True, False, False, True, False, True])
    x = np.arange(9.0)
    assert characteristic(line(x), signs) == 3
    assert characteristic(line(x, gaps_after=[1]), signs) == 2  # the piece starts above
    assert characteristic(line(x, gaps_after=[4]), signs) == 3
    assert line(x, gaps_after=[1, 4]).euler == 3


def test_equal_scans_have_equal_digests() -> None:
    """The digest knows the points and how they are joined, and nothing else."""
    assert line([1, 2, 3]).digest == line([1.0, 2.0, 3.0]).digest
    others = [line([1, 2, 4]), line([1, 2, 3], gaps_after=[0]), grid([1, 2, 3], [0])]
    assert len({line([1, 2, 3]).digest, *(other.digest for other in others)}) == 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: line([1.0, 1.0]), "entry 1 "),
        (lambda: line([]), "finite numbers"),
        (lambda: line([1.0, np.nan]), "finite numbers"),
        (lambda: line([1.0, 2.0], gaps_after=[1]), "gaps follow points 0 to 0"),
        (lambda: grid([0, 1], [1, 0]), "y must rise"),
        (lambda: rows([0, 0], [1, 1]), "same point"),
        (lambda: rows([0, 0], [1]), "differ in length"),
        (lambda: triangulated([0, 1], [0, 1], [(0, 1, 2)]), "three different points"),
        (lambda: triangulated([0, 1, 2], [0, 1, 2], [(0, 1, 1)]), "three different points"),
        (lambda: triangulated(range(5), range(5), [(0, 1, k) for k in (2, 3, 4)]), "3 triangles"),
    ],
)
def test_impossible_scans_are_refused(make, message: str) -> None:
    """What is wrong with the points is said."""
    with pytest.raises(OptionError, match=message):
        make()
