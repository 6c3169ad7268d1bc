"""Minima handed on along a line of points."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.fit.neighbours import hand_on


def test_a_well_found_at_one_end_reaches_the_other_end() -> None:
    """One point a round, and none is asked again that has nothing new beside it."""
    depth = dict.fromkeys("abcde", 0.0) | {"a": -1.0}
    asked: list[list[tuple[str, str]]] = []

    def refit(pairs: list[tuple[str, str]]) -> set[str]:
        asked.append(pairs)
        lower = {point for point, giver in pairs if depth[giver] < depth[point]}
        depth.update(dict.fromkeys(lower, -1.0))
        return lower

    hand_on("abcde", refit, moved={"a"}, rounds=5)
    assert depth == dict.fromkeys("abcde", -1.0)
    assert asked == [
        [("b", "a")],
        [("c", "b"), ("a", "b")],
        [("d", "c"), ("b", "c")],
        [("e", "d"), ("c", "d")],
        [("d", "e")],
    ]


def test_nothing_is_fitted_where_nothing_has_moved() -> None:
    """Without news, without neighbours, or without rounds, no fit is asked for."""

    def refit(pairs: list[tuple[int, int]]) -> set[int]:
        raise AssertionError(pairs)

    hand_on([1, 2, 3], refit, moved=(), rounds=3)
    hand_on([1], refit, moved=[1], rounds=3)
    hand_on([1, 2, 3], refit, moved=[1], rounds=0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-5.0, 5.0), st.floats(0.0, 2.0)), min_size=1, max_size=12))
def test_every_point_ends_in_the_best_well_that_can_be_carried_to_it(
    points: list[tuple[float, float]],
) -> None:
    """A well has a depth, and a change of it along the line: the lowest one known wins."""
    wells = [depth for depth, _ in points]
    slopes = [slope for _, slope in points]

    def value(point: int, well: int) -> float:
        return wells[well] + slopes[well] * abs(point - well)

    line = list(range(len(points)))
    holds = {point: point for point in line}

    def refit(pairs: list[tuple[int, int]]) -> set[int]:
        before = {point: value(point, holds[point]) for point, _ in pairs}
        starts = [(point, holds[giver]) for point, giver in pairs]
        for point, well in starts:
            if value(point, well) < value(point, holds[point]):
                holds[point] = well
        return {point for point, low in before.items() if value(point, holds[point]) < low}

    hand_on(line, refit, moved=line, rounds=len(line) ** 2)
    for point in line:
        for other in (point - 1, point + 1):
            if other in holds:  # no neighbour holds a better one
                assert value(point, holds[point]) <= value(point, holds[other])
    assert math.isclose(min(wells), min(value(p, holds[p]) for p in line))
