"""Excluded couplings of a recast against the mass: intervals, as they were found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.report.figures.coupling_limits import (
    draw_limits,
    mass_axis,
    mass_range_of,
    mass_scale,
    outside_legend,
)
from darkstats.report.figures.overlay import constraint_columns, draw_regions, name_regions
from darkstats.report.figures.style import (
    BAND_1,
    BLACK,
    BLUE,
    VERMILION,
    Drawing,
    canvas,
    header_words,
    style,
    typeset,
)
from darkstats.report.recasts import CURVES, recast_columns
from darkstats.report.scan_table import Limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.arrays import FloatArray
    from darkstats.reinterpret.recasts import RecastPoint
    from darkstats.report.recasts import Recast

__all__ = ["interval_ends", "interval_lines", "recast_figure"]


def recast_figure(found: Recast) -> Drawing:
    """Draw excluded couplings at each mass, with published recasts.

    Between masses nothing is computed: the filled bars reach half way to the next one.

    Parameters
    ----------
    found
        The recast.
    """
    points = found.first
    mass = np.array([point.mass_gev for point in points])
    published = [one.constraint for one in found.comparisons]
    with style():
        figure = canvas(6.8, 5.8)
        axes = figure.add_subplot()
        across = mass_range_of(mass, room=1.15, usual=True)
        mass_axis(axes, across, mass, usual=True)
        axes.set_yscale("log")
        axes.set_ylim(*_range(found))
        overlay = draw_regions(axes, published)
        one_sided = all(len(p.intervals) <= 1 for p in points) and all(
            one.upper is None for p in points for one in p.intervals
        )
        artists: list[Any] = []
        if one_sided:
            artists = draw_limits(
                axes, mass, _limits(found), thin=len(mass) > 120,
                observed="observed" + (" (simulated data)" if found.limit.simulated else ""),
            )  # fmt: skip
        else:
            _draw_intervals(axes, points, found)
        _draw_lost(axes, points)
        axes.set_xlabel(f"{found.target.mass_label} [GeV]")
        axes.set_ylabel(found.target.label)
        header_words(
            axes, typeset(found.title), simulated=found.limit.simulated is True,
            right=found.limit.level,
        )  # fmt: skip
        title = "\n".join(
            typeset(f"{key}: {words}")
            for key, words in found.search.items()
            if key not in {"hadrons", "decays"}
        )
        name_regions(axes, overlay, lambda: outside_legend(axes, title), avoid=artists)
    return Drawing(
        figure=figure, columns=recast_columns(found) | constraint_columns(overlay.constraints)
    )


def _lowest(points: tuple[RecastPoint, ...]) -> FloatArray:
    return np.array([p.intervals[0].lower if p.intervals else math.nan for p in points])


def _limits(found: Recast) -> Limits:
    none = np.full(len(found.first), math.nan)
    values = [_lowest(found.curves[n]) if n in found.curves else none for n in CURVES]
    return Limits(
        key=found.target.name, symbol=found.target.symbol, unit=found.target.unit,
        observed=values[0], expected=np.array(values[1:]),
    )  # fmt: skip


def _range(found: Recast) -> tuple[float, float]:
    """Range that shows all ends."""
    ends = [
        end
        for points in found.curves.values()
        for point in points
        for one in point.intervals
        for end in (one.lower, one.upper)
        if end is not None
    ]
    if not ends:
        return 1e-6, 1.0
    two_sided = any(one.upper for point in found.first for one in point.intervals)
    return min(ends) / 3.0, max(ends) * (3.0 if two_sided else 10.0)


def _draw_intervals(axes: Axes, points: tuple[RecastPoint, ...], found: Recast) -> None:
    """Bars for the excluded couplings, and lines along their ends where neighbours are alike."""
    from matplotlib.collections import PolyCollection

    mass = np.array([point.mass_gev for point in points])
    edges = _edges(mass, axes.get_xlim())
    top = min(axes.get_ylim()[1], found.target.largest)
    bars = [
        [(edges[k], one.lower), (edges[k + 1], one.lower), (edges[k + 1], one.upper or top),
         (edges[k], one.upper or top)]
        for k, point in enumerate(points)
        for one in point.intervals
    ]  # fmt: skip
    name = "excluded" if "observed" in found.curves else "expected to be excluded"
    axes.add_collection(
        PolyCollection(bars, facecolors=BAND_1, edgecolors="none", zorder=1.5, label=name)
    )
    for x, y, known in interval_lines(points):
        axes.plot(
            x, y, color=BLACK if known else VERMILION, linestyle="-" if known else ":",
            linewidth=1.0, zorder=3.0,
        )  # fmt: skip
    if len(mass) < 41:
        for known, color in ((True, BLACK), (False, VERMILION)):
            x, y = interval_ends(points, known=known)
            axes.plot(
                x, y, color=color, marker="o", markersize=2.5, linestyle="none", zorder=3.1
            )  # fmt: skip
    if "observed" in found.curves and "median" in found.curves:
        words: str | None = "the same of the median expected limit"
        for x, y, _ in interval_lines(found.curves["median"]):
            axes.plot(x, y, color=BLUE, linestyle="--", linewidth=1.0, zorder=2.5, label=words)
            words = None
    axes.plot([], [], color=BLACK, label="end of the excluded couplings")
    if any(one.lower_reason or (one.upper and one.upper_reason) for p in points
           for one in p.intervals):  # fmt: skip
        axes.plot([], [], color=VERMILION, linestyle=":", label="end of what is known")


def interval_lines(points: tuple[RecastPoint, ...]) -> list[tuple[list[float], list[float], bool]]:
    """Lines along ends of intervals: through neighbours with as many, of one kind each.

    Where the kind changes, the new line begins at the last end of the other kind, so that the
    two meet: which kind each end is of, :func:`interval_ends` says.

    Returns
    -------
    list
        Masses, couplings, and whether the last ends are those of the exclusion.
    """
    found: list[tuple[list[float], list[float], bool]] = []
    open_: dict[tuple[int, str], tuple[list[float], list[float], bool]] = {}
    before = 0
    for point in points:
        if len(point.intervals) != before:
            open_ = {}
        before = len(point.intervals)
        for j, one in enumerate(point.intervals):
            for side, end, reason in (
                ("lower", one.lower, one.lower_reason), ("upper", one.upper, one.upper_reason),
            ):  # fmt: skip
                if end is None:
                    open_.pop((j, side), None)
                    continue
                line = open_.get((j, side))
                if line is None or line[2] != (reason is None):
                    start = ([line[0][-1]], [line[1][-1]]) if line else ([], [])
                    line = (*start, reason is None)
                    found.append(line)
                    open_[j, side] = line
                line[0].append(point.mass_gev)
                line[1].append(end)
    return found


def interval_ends(
    points: tuple[RecastPoint, ...], *, known: bool
) -> tuple[list[float], list[float]]:
    """Masses and couplings of all ends of one kind, for markers.

    Parameters
    ----------
    points
        Excluded couplings by mass.
    known
        Ends of the exclusion; otherwise those of what is known.
    """
    found = [
        (point.mass_gev, end)
        for point in points
        for one in point.intervals
        for end, reason in ((one.lower, one.lower_reason), (one.upper, one.upper_reason))
        if end is not None and (reason is None) == known
    ]
    return [mass for mass, _ in found], [end for _, end in found]


def _edges(mass: FloatArray, ends: tuple[float, float]) -> FloatArray:
    """Where the bar of each mass begins and ends, on the scale of the axis."""
    if len(mass) == 1:
        return np.array(ends)
    middle = np.sqrt(mass[1:] * mass[:-1])
    if mass_scale(mass, ends, usual=True) == "linear":
        middle = 0.5 * (mass[1:] + mass[:-1])
    return np.concatenate([[mass[0]], middle, [mass[-1]]])


def _draw_lost(axes: Axes, points: tuple[RecastPoint, ...]) -> None:
    """Mark masses that have no number, and masses at which nothing is excluded."""
    for status, marker, words in (
        ("refused", "x", "no number"), ("not excluded", "|", "nothing excluded")
    ):  # fmt: skip
        lost = [point.mass_gev for point in points if point.status == status]
        if lost:
            axes.plot(
                lost, np.full(len(lost), 0.015), transform=axes.get_xaxis_transform(),
                color=VERMILION, marker=marker, markersize=5.0, linestyle="none", zorder=4.0,
                label=f"{words} ({len(lost)})",
            )  # fmt: skip
