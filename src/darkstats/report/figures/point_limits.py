"""Scans whose hypotheses are neither on a line nor in a plane: points side by side.

The hypotheses stand in the order of their coordinates. Few have their names below them; many are
grouped by the first coordinate, with its value below each group.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.report.figures.coupling_limits import gaps_note, in_order, limit_columns
from darkstats.report.figures.scan_words import (
    axis_symbol,
    limits_title,
    method_words,
    scan_header,
    typeset,
)
from darkstats.report.figures.style import (
    BAND_1,
    BAND_2,
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    Drawing,
    canvas,
    plain_name,
    style,
)
from darkstats.report.figures.wide import TOO_WIDE
from darkstats.report.scan_exports import hypothesis_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.arrays import FloatArray
    from darkstats.report.scan_table import Limits, ScanTable

__all__ = ["point_limits_figure", "point_p_figure"]

_NAMED = 45  # names that fit below a figure
_ROOM = 1.35  # above the largest limit, in parts of the height of the logarithmic axis
_LONGEST = 28
_NAME_WIDTH = 0.017  # of a name that stands upright, in parts of the axis
_LEVELS = ((1, 0.158655), (2, 0.02275), (3, 1.3499e-3), (4, 3.1671e-5), (5, 2.8665e-7))


@dataclass(frozen=True, slots=True)
class _Groups:
    """Neighbours that share the first coordinate: where each group begins, and its value."""

    starts: list[int] = field(repr=False)
    names: list[str] = field(repr=False)


def _groups(table: ScanTable) -> _Groups | None:
    """Groups by the first coordinate or tag; None where they are as many as the hypotheses."""
    if table.dimension:
        values: list[Any] = table.first_coordinate.tolist()
    elif table.tags:
        values = list(next(iter(table.tags.values())))
    else:
        return None
    starts = [k for k, value in enumerate(values) if k == 0 or value != values[k - 1]]
    if len(starts) > len(values) / 2:
        return None
    names = [v if isinstance(v, str) else f"{v:g}" for v in (values[k] for k in starts)]
    return _Groups(starts, [plain_name(name[:_LONGEST]) for name in names])


def _first_symbol(table: ScanTable) -> str:
    if not table.dimension:
        return plain_name(next(iter(table.tags)).replace("_", " "))
    axis = table.axis_words[0]
    return axis_symbol(axis) + (f" [{plain_name(axis.unit)}]" if axis.unit else "")


def _label(axes: Axes, table: ScanTable) -> None:
    """Names below the points, or the first coordinate below groups of them."""
    n = len(table.points)
    axes.set_xlim(-0.7, n - 0.3)
    axes.tick_params(axis="x", which="both", top=False, bottom=False)
    groups = _groups(table)
    if n <= _NAMED:
        names = [
            plain_name(p if len(p) <= _LONGEST else f"{p[: _LONGEST - 1]}…") for p in table.points
        ]
        axes.set_xticks(range(n), names, rotation=90, fontsize=8.0)
        return
    if groups is None:
        step = -(-n // _NAMED)
        names = [plain_name(table.points[k][:_LONGEST]) for k in range(0, n, step)]
        axes.set_xticks(range(0, n, step), names, rotation=90, fontsize=8.0)
        return
    ends = [*groups.starts[1:], n]
    for start in groups.starts[1:]:
        axes.axvline(start - 0.5, color=GREY, linewidth=0.5, alpha=0.5, zorder=0.5)
    middles = [0.5 * (a + b - 1) for a, b in zip(groups.starts, ends, strict=True)]
    named: list[int] = []  # a group that is too narrow for its name goes without
    for k, middle in enumerate(middles):
        if not named or middle - middles[named[-1]] >= _NAME_WIDTH * n:
            named.append(k)
    names = [groups.names[k] for k in named]
    axes.set_xticks([middles[k] for k in named], names, rotation=90, fontsize=8.0)
    others = [axis_symbol(axis) for axis in table.axis_words[1:]]
    within = f"; within a group by {', '.join(others)}" if others else ""
    axes.set_xlabel(f"hypotheses by {_first_symbol(table)}{within}")


def _lost(axes: Axes, table: ScanTable) -> None:
    lost = np.flatnonzero(table.failed)
    if len(lost):
        axes.plot(
            lost, np.full(len(lost), 0.012), transform=axes.get_xaxis_transform(),
            color=VERMILION, marker="x", markersize=4.0, linestyle="none", clip_on=False,
            label=gaps_note(table),
        )  # fmt: skip


def _too_wide(axes: Axes, limits: Limits) -> None:
    wide = np.flatnonzero(limits.too_wide)
    if len(wide):
        axes.plot(
            wide, np.full(len(wide), 0.035), transform=axes.get_xaxis_transform(), color=GREY,
            marker="d", markersize=4.0, linestyle="none", label=TOO_WIDE,
        )  # fmt: skip


def _bars(axes: Axes, limits: Limits) -> None:
    """Expected bands as bars about each point, the median as a stroke."""
    low2, low1, median, high1, high2 = limits.expected
    for low, high, color, label in (
        (low2, high2, BAND_2, "expected ± 2 σ"), (low1, high1, BAND_1, "expected ± 1 σ"),
    ):  # fmt: skip
        there = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
        if len(there):
            axes.bar(
                there, (high - low)[there], bottom=low[there], width=0.84, color=color,
                linewidth=0.0, label=label, zorder=1.5,
            )  # fmt: skip
    there = np.flatnonzero(np.isfinite(median))
    if len(there):
        axes.hlines(
            median[there], there - 0.42, there + 0.42, color=BLACK, linewidth=1.0,
            label="expected median", zorder=2.5,
        )  # fmt: skip


def point_limits_figure(
    table: ScanTable, limits: Limits, *, label: str | None = None, note: str = ""
) -> Drawing:
    """Observed and expected limits of each hypothesis, side by side.

    Parameters
    ----------
    table, limits
        A scan, and one of its quantities.
    label
        Title of the quantity, in LaTeX.
    note
        What the conversion rests on; a line of the legend.
    """
    with style():
        figure = canvas(9.0 if len(table.points) > _NAMED else 6.8, 5.2)
        axes = figure.add_subplot()
        axes.set_yscale("log")
        _bars(axes, limits)
        there = np.flatnonzero(np.isfinite(limits.observed))
        small = len(table.points) > _NAMED
        if len(there) and table.is_shown(limits):
            axes.plot(
                there, limits.observed[there], color=BLACK, marker="o", linestyle="none",
                markersize=2.2 if small else 4.0, label=table.observed_name, zorder=3.0,
            )  # fmt: skip
        shown = np.concatenate([limits.observed, limits.expected.ravel()])
        shown = shown[np.isfinite(shown) & (shown > 0.0)]
        if shown.size:
            low, high = float(shown.min()) / 1.5, float(shown.max()) * 1.2
            axes.set_ylim(low, low * (high / low) ** _ROOM)
            if limits.key == "signal_strength" and low < 1.0 < high:
                axes.axhline(1.0, color=VERMILION, linewidth=1.0, linestyle=":", zorder=2.2,
                             label=r"$\mu = 1$: excluded below")  # fmt: skip
        _lost(axes, table)
        _too_wide(axes, limits)
        _label(axes, table)
        axes.set_ylabel(limits_title(table, limits, label))
        scan_header(axes, table)
        handles = in_order(axes)
        axes.legend(
            list(handles.values()), list(handles), loc="upper left", ncols=3, frameon=True,
            framealpha=1.0, edgecolor="none",
            title=method_words(table) + (f"\n{typeset(note)}" if note else ""), alignment="left",
            fontsize=9.0, title_fontsize=9.0,
        )  # fmt: skip
    return Drawing(figure=figure, columns=limit_columns(table, limits))


def point_p_figure(table: ScanTable) -> Drawing:
    """Local p-value of each hypothesis, side by side.

    Raises
    ------
    OptionError
        No hypothesis has a p-value.
    """
    p: FloatArray = np.where(table.p0 > 0.0, table.p0, np.nan)
    if not np.isfinite(p).any():
        raise OptionError(f"{table.name}: no hypothesis has a local p-value")
    small = len(table.points) > _NAMED
    with style():
        figure = canvas(9.0 if small else 6.8, 4.6)
        axes = figure.add_subplot()
        axes.set_yscale("log")
        bottom = min(float(np.nanmin(p)) / 4.0, 0.01)
        axes.set_ylim(bottom, 1.6)
        for z, level in _LEVELS:
            if level > bottom:
                axes.axhline(level, color=GREY, linewidth=0.7, linestyle=":", zorder=0.8)
                axes.annotate(
                    f"{z} σ", (1.0, level), xycoords=("axes fraction", "data"), xytext=(-3, 2),
                    textcoords="offset points", ha="right", fontsize=8.0, color=GREY,
                )  # fmt: skip
        axes.plot(
            np.arange(len(p)), p, color=BLUE, marker="o", markersize=2.5 if small else 4.0,
            linestyle="none", label="local p-value",
        )  # fmt: skip
        first = int(np.nanargmin(p))
        axes.plot(
            [first], [p[first]], color=VERMILION, marker="o", markersize=6.0, linestyle="none",
            markerfacecolor="none", label=f"largest excess: {plain_name(table.points[first])}",
        )  # fmt: skip
        _lost(axes, table)
        _label(axes, table)
        axes.set_ylabel("local p-value $p_{0}$")
        scan_header(axes, table)
        axes.legend(loc="lower left", frameon=True, framealpha=1.0, edgecolor="none", fontsize=9.0)
    columns: dict[str, list[Any]] = {"hypothesis": list(table.points)}
    columns |= hypothesis_columns(table)
    columns |= {"p0": p.tolist(), "significance": table.significance.tolist()}
    return Drawing(figure=figure, columns=columns)
