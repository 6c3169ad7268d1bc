"""Figures of recasts: each end of an interval has one marker, in the colour of its kind."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from darkstats.reinterpret.excluded_couplings import Interval
from darkstats.reinterpret.recasts import RecastPoint
from darkstats.report.figures.recasts import _draw_intervals, interval_ends, interval_lines
from darkstats.report.figures.style import BLACK, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.report.recasts import Recast

_WHY = "efficiencies of the table end here"
#: Masses, upper ends, and whether each is a crossing: alternating, as of inelastic dark matter.
_ENDS = ((0.5, 0.04, False), (0.7, 0.03, True), (1.0, 0.017, False), (1.25, 0.01, True),
         (1.75, 0.007, False), (2.0, 0.0055, True), (2.5, 0.004, True))  # fmt: skip


def _points(ends: tuple[tuple[float, float, bool], ...]) -> tuple[RecastPoint, ...]:
    return tuple(
        RecastPoint(
            mass_gev=mass, given=1.0, status="excluded",
            intervals=(Interval(lower=2e-4, upper=end, upper_reason=None if known else _WHY),),
        )
        for mass, end, known in ends
    )  # fmt: skip


def _markers(axes: Axes) -> dict[Any, list[tuple[float, float]]]:
    """Where markers stand, by colour, whatever lines they belong to."""
    found: dict[Any, list[tuple[float, float]]] = {BLACK: [], VERMILION: []}
    for line in axes.lines:
        if line.get_marker() == "o":
            x, y = line.get_data()
            every = line.get_markevery()
            assert every is None
            found[line.get_color()] += zip(map(float, x), map(float, y), strict=True)
    return found


def _drawn(points: tuple[RecastPoint, ...]) -> Axes:
    axes = Figure().add_subplot()
    axes.set_xlim(0.1, 3.0)
    axes.set_ylim(1e-5, 1.0)
    axes.set_yscale("log")
    recast: Any = SimpleNamespace(curves={"observed": points}, target=SimpleNamespace(largest=1.0))
    found: Recast = recast
    _draw_intervals(axes, points, found)
    return axes


def test_markers_of_each_kind_stand_at_the_ends_of_that_kind_alone() -> None:
    markers = _markers(_drawn(_points(_ENDS)))
    assert sorted(markers[VERMILION]) == [(m, end) for m, end, known in _ENDS if not known]
    crossings = [(m, end) for m, end, known in _ENDS if known] + [(m, 2e-4) for m, _, _ in _ENDS]
    assert sorted(markers[BLACK]) == sorted(crossings)


@given(st.lists(st.tuples(st.floats(1e-6, 1.0), st.booleans()), min_size=1, max_size=12))
def test_every_end_is_of_one_kind_and_lines_meet(ends: list[tuple[float, bool]]) -> None:
    points = _points(tuple((1.0 + k, end, known) for k, (end, known) in enumerate(ends)))
    upper = [(1.0 + k, end, known) for k, (end, known) in enumerate(ends)]
    for kind in (True, False):
        x, y = interval_ends(points, known=kind)
        wanted = [(m, e) for m, e, known in upper if known == kind]
        wanted += [(m, 2e-4) for m, _, _ in upper] if kind else []
        assert sorted(zip(x, y, strict=True)) == sorted(wanted)
    for x, y, kind in interval_lines(points):
        assert len(x) == len(y)
        assert all(math.isfinite(value) for value in y)
        last = next((known for m, e, known in upper if (m, e) == (x[-1], y[-1])), True)
        assert kind == last


@pytest.mark.parametrize("count", [40, 41])
def test_markers_are_left_out_of_many_masses(count: int) -> None:
    points = _points(tuple((0.1 + 0.05 * k, 0.01, k % 2 == 0) for k in range(count)))
    assert any(_markers(_drawn(points)).values()) == (count < 41)
