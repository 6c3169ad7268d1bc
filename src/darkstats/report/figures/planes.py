"""Scans over two masses: maps of the plane, and slices through it.

Colours are values of hypotheses, each in its cell, and a slice shows, for each column, the
hypothesis in whose cell it runs, and says how far off these are. What the search left out stays
white, and no line crosses it. Only the line where a limit crosses a signal strength of 1 is
interpolated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError, UnknownNameError
from darkstats.report.figures.coupling_limits import draw_limits, gaps_note, in_order, limit_columns
from darkstats.report.figures.plane_cells import (
    Cells,
    cells_of,
    is_plane,
    plane_axes,
    scale_axis,
    without_notches,
)
from darkstats.report.figures.scan_words import (
    at_axis,
    axis_symbol,
    axis_title,
    limits_title,
    method_words,
    scan_header,
    significance_words,
    typeset,
)
from darkstats.report.figures.style import (
    BLACK,
    GREY,
    VERMILION,
    Drawing,
    canvas,
    style,
)
from darkstats.report.figures.wide import draw_wide
from darkstats.scan.contours import contour
from darkstats.scan.triangulation import exact, triangulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.report.scan_table import Limits, ScanTable

__all__ = ["MAPS", "Cells", "cells_of", "is_plane", "map_figure", "slice_masses", "slices_figure"]

#: What a map can show.
MAPS: Mapping[str, str] = MappingProxyType(
    {
        "expected": "median expected limit",
        "observed": "observed limit",
        "significance": "local significance, signed",
    }
)
_FAILED = "#f3f3f3"
_ROOM, _ROOM_FOR_ENTRY = 0.16, 0.03  # above the plane, for the legend


def _exclusion(axes: Axes, table: ScanTable, limits: Limits, what: str) -> list[Any]:
    """Lines where limits on the signal strength cross 1, as entries of the legend.

    The logarithm of the limit is interpolated linearly in triangles of hypotheses; there is no line
    in a triangle with a hypothesis without a limit. Nor is there one where a signal strength of 1
    is not what a model predicts but a unit, a reference cross section.
    """
    is_unit = table.reference_cross_section_pb is not None
    if limits.key != "signal_strength" or what == "significance" or is_unit:
        return []
    low1, median, high1 = limits.expected[1], limits.median, limits.expected[3]
    lines = [
        (median, "--", 1.6, "expected"),
        (low1, ":", 1.2, "expected ± 1 σ"),
        (high1, ":", 1.2, ""),
    ]
    if what == "observed":
        lines = [(limits.observed, "-", 1.8, table.observed_name), lines[0]]
    handles: list[Any] = []
    for values, dashes, width, words in lines:
        if _cross(axes, table.coordinates, values, dashes, width) and words:
            handles += axes.plot(
                [], [], color=BLACK, linestyle=dashes, linewidth=width,
                label=rf"$\mu$ = 1, {words} (interpolated)",
            )  # fmt: skip
    return handles


def _cross(axes: Axes, places: FloatArray, values: FloatArray, dashes: str, width: float) -> bool:
    """Draw the line on which positive values cross 1; whether there is one."""
    from matplotlib.patheffects import withStroke

    try:
        grid = triangulate(*([exact(value) for value in axis] for axis in places.T.tolist()))
    except OptionError:  # all on one line
        return False
    values = values[grid.order]
    good = np.isfinite(values) & (values > 0.0)
    known = replace(grid, triangles=grid.triangles[good[grid.triangles].all(axis=1)])
    pieces = contour(known, np.log(np.where(good, values, 1.0)))
    for piece in pieces:
        vertices = np.vstack([piece.vertices, piece.vertices[: int(piece.closed)]])
        axes.plot(
            vertices[:, 0], vertices[:, 1], color=BLACK, linestyle=dashes, linewidth=width,
            zorder=3.0, path_effects=[withStroke(linewidth=width + 1.4, foreground="white")],
        )  # fmt: skip
    return bool(pieces)


def _values(table: ScanTable, limits: Limits, what: str) -> FloatArray:
    if what not in MAPS:
        raise UnknownNameError("map", what, tuple(MAPS))
    if what == "significance":
        return table.signed_significance
    return limits.median if what == "expected" else limits.observed


def map_figure(
    table: ScanTable, limits: Limits, what: str, *, label: str | None = None, note: str = ""
) -> Drawing:
    """A quantity of each hypothesis in the plane of two masses, as colour.

    Parameters
    ----------
    table, limits
        A scan over two masses, and one of its quantities.
    what
        One of :data:`MAPS`.
    label
        Title of the quantity, in LaTeX.
    note
        What the conversion rests on.

    Raises
    ------
    OptionError
        The scan is no plane, or has no value of this kind.
    UnknownNameError
        There is no such map.
    """
    everywhere = np.vstack([table.coordinates, table.left_out])
    cells = without_notches(cells_of(table, places=everywhere), everywhere)
    values = _values(table, limits, what)
    if not np.isfinite(values).any():
        raise OptionError(f"{table.name}: no hypothesis has a value for the map {what!r}")
    with style():
        figure = canvas(7.0, 5.2)
        axes = figure.add_subplot()
        drawn, handles = fill_cells(
            axes, cells.first(len(values)), values, symmetric=what == "significance"
        )
        handles += _exclusion(axes, table, limits, what)
        if what == "significance":
            if np.nanmax(values) > 0.0:
                handles += _mark_largest(axes, table, values)
            title = f"signed local significance, {significance_words(table)}"
        else:
            title = method_words(table) + (f"\n{typeset(note)}" if note else "")
        if len(table.left_out):
            handles.append(_left_out(len(table.left_out)))
        plane_axes(axes, cells, room=_ROOM + _ROOM_FOR_ENTRY * (len(handles) > 0))
        axes.set_xlabel(axis_title(table.axis_words[0]))
        axes.set_ylabel(axis_title(table.axis_words[1]))
        bar = figure.colorbar(drawn, ax=axes, pad=0.02)
        name = MAPS[what].replace("observed", table.observed_name)
        if what == "observed" and table.is_asimov:
            name = f"limit of {table.observed_name},"
        quantity = f"{name} on {limits_title(table, limits, label)}"
        bar.set_label("local significance [σ]" if what == "significance" else quantity)
        scan_header(axes, table)
        axes.legend(
            handles=handles, loc="upper left", title=title, alignment="left", frameon=False,
            fontsize=9.0, title_fontsize=9.0,
        )  # fmt: skip
    columns = limit_columns(table, limits) | {"shown": values.tolist()}
    return Drawing(figure=figure, columns=columns)


def _left_out(n: int) -> Any:  # noqa: ANN401 -- an entry of a legend
    from matplotlib.patches import Patch

    return Patch(facecolor="white", edgecolor=GREY, label=f"no sensitivity, left out: {n}")


def fill_cells(
    axes: Axes, cells: Cells, values: FloatArray, *, symmetric: bool
) -> tuple[PolyCollection, list[Any]]:
    """Colour the cells; those without a value are hatched, and counted for the legend."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patches import Patch

    x0, y0 = cells.low.T
    x1, y1 = cells.high.T
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]).transpose(2, 0, 1)
    good = np.isfinite(values)
    low, high = float(values[good].min()), float(values[good].max())
    reach = max(abs(low), abs(high), 1.0)
    norm = Normalize(-reach, reach) if symmetric else LogNorm(low, max(high, 1.001 * low))
    colours = "RdBu_r" if symmetric else "viridis"
    drawn = PolyCollection(
        list(corners[good]), array=values[good], cmap=colours, norm=norm, edgecolors="face",
        linewidths=0.15, rasterized=True,
    )  # fmt: skip
    axes.add_collection(drawn)
    if good.all():
        return drawn, []
    look: dict[str, Any] = {"edgecolor": GREY, "facecolor": _FAILED, "hatch": "xxxx"}
    axes.add_collection(PolyCollection(list(corners[~good]), linewidths=0.3, **look))
    words = f"no result: {int((~good).sum())} of {len(good)}"
    return drawn, [Patch(label=words, **look)]


def _mark_largest(axes: Axes, table: ScanTable, values: FloatArray) -> list[Any]:
    top = int(np.nanargmax(values))
    x, y = table.coordinates[top]
    words = (
        f"largest: {values[top]:.1f} σ at {at_axis(table.axis_words[0], x, 3)}, "
        f"{at_axis(table.axis_words[1], y, 3)}"
    )
    ring: dict[str, Any] = {
        "marker": "o", "markersize": 9.0, "markerfacecolor": "none", "linestyle": "none",
    }  # fmt: skip
    axes.plot([x], [y], markeredgecolor="white", markeredgewidth=3.2, **ring)
    return axes.plot([x], [y], markeredgecolor=BLACK, markeredgewidth=1.4, label=words, **ring)


_WIDEST = 50  # characters that fit below a panel


def slice_masses(table: ScanTable, axis: int, n: int = 4) -> tuple[float, ...]:
    """Masses that cut a plane into about equal parts: slices where none are asked for.

    All that hypotheses have, where these are few; otherwise round ones, no two of which meet the
    same hypotheses.
    """
    masses = np.sort(table.coordinates[:, axis])
    known = np.unique(masses)
    if len(known) <= n:
        return tuple(map(float, known))
    wanted = np.quantile(masses, (np.arange(n) + 0.5) / n)
    cells = cells_of(table)
    rounded = dict.fromkeys(float(f"{mass:.2g}") for mass in wanted)
    slices = {tuple(cells.containing(axis, mass).tolist()): mass for mass in reversed(rounded)}
    return tuple(sorted(slices.values()))


def slices_figure(
    table: ScanTable,
    limits: Limits,
    *,
    fixed: int,
    at: Sequence[float],
    label: str | None = None,
    note: str = "",
) -> Drawing:
    """Limits against one mass for fixed values of the other, a panel each.

    Parameters
    ----------
    table, limits
        A scan over two masses, and one of its quantities.
    fixed
        Which mass is fixed: 0 or 1.
    at
        Its values in GeV.
    label, note
        Title of the quantity in LaTeX, and what the conversion rests on.

    Raises
    ------
    OptionError
        The scan is no plane, or a slice meets none of its hypotheses.
    """
    cells = cells_of(table)
    if not at:
        raise OptionError("a slice needs a mass: give one with --slice")
    members = [cells.containing(fixed, mass) for mass in at]
    for mass, chosen in zip(at, members, strict=True):
        if not len(chosen):
            low, high = table.coordinates[:, fixed].min(), table.coordinates[:, fixed].max()
            raise OptionError(
                f"no hypothesis lies at {table.axes[fixed]} = {mass:g}: choose between {low:g} and "
                f"{high:g}"
            )
    free = 1 - fixed
    columns: dict[str, list[Any]] = {}
    with style():
        across = min(2, len(at))
        down = -(-len(at) // across)
        figure = canvas(0.9 + 3.6 * across, 1.3 + 2.5 * down)
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        shown = np.concatenate([np.concatenate([limits.expected[:, c].ravel(), limits.observed[c]])
                                for c in members])  # fmt: skip
        shown = shown[np.isfinite(shown) & (shown > 0.0)]
        for k, (mass, chosen) in enumerate(zip(at, members, strict=True)):
            axes = panels.flat[k]
            _draw_slice(axes, table, limits, fixed=fixed, chosen=chosen)
            axes.set_yscale("log")
            scale_axis(axes, "x", cells.scales[free])
            words = _slice_words(table, fixed, mass, chosen)
            axes.text(0.5, 0.95, words, transform=axes.transAxes, va="top", ha="center")
            columns |= {
                f"slice{k + 1}_{name}": values
                for name, values in _slice_columns(table, limits.of(chosen), chosen).items()
            }
        for spare in panels.flat[len(at) :]:
            spare.set_visible(False)
        lowest = [column[max(k for k in range(down) if column[k].get_visible())]
                  for column in panels.T]  # fmt: skip
        if shown.size:
            panels[0, 0].set_ylim(float(shown.min()) / 2.0, float(shown.max()) * 4.0)
        for axes in lowest:
            axes.set_xlabel(axis_title(table.axis_words[free]))
            axes.tick_params(axis="x", labelbottom=True)
        for row in panels:
            row[0].set_ylabel(limits_title(table, limits, label))
        scan_header(panels[0, 0], table, right_axes=panels[0, across - 1])
        handles = in_order(*panels.flat)
        join = "\n" if across == 1 else "; "  # one panel is narrow
        title = method_words(table)
        if note and len(title) + len(note) > _WIDEST * across:  # a line for each part
            title = "\n".join([title, *map(typeset, note.split("; "))])
        elif note:
            title += f"{join}{typeset(note)}"
        total = len(np.unique(table.coordinates[:, fixed]))
        if total > len(at):
            title += f"{join}{len(at)} of {total} values of {axis_symbol(table.axis_words[fixed])}"
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center",
            ncols=min(len(handles), 2 * across, 4), title=title, fontsize=9.0, title_fontsize=9.0,
        )  # fmt: skip
    return Drawing(figure=figure, columns=columns)


def _draw_slice(
    axes: Axes, table: ScanTable, limits: Limits, *, fixed: int, chosen: IndexArray
) -> None:
    """Draw the limits of some hypotheses, and which of these have none."""
    where = table.coordinates[chosen, 1 - fixed]
    name = table.observed_name if table.is_shown(limits) else None
    seen, part = _torn(table, where, limits.of(chosen), fixed, chosen)
    draw_limits(axes, seen, part.only(~part.too_wide), observed=name, thin=True)
    draw_wide(axes, seen, part, observed=name is not None)
    lost = table.failed[chosen]
    if lost.any():
        axes.plot(
            where[lost], np.full(int(lost.sum()), 0.03), marker="x", color=VERMILION,
            linestyle="none", transform=axes.get_xaxis_transform(), clip_on=False,
            label=gaps_note(table),
        )  # fmt: skip


def _torn(
    table: ScanTable, where: FloatArray, part: Limits, fixed: int, chosen: IndexArray
) -> tuple[FloatArray, Limits]:
    """Places and limits of a slice, with a hole at each hypothesis of it that was left out."""
    beside = np.isin(table.left_out[:, fixed], table.coordinates[chosen, fixed])
    holes = np.setdiff1d(table.left_out[beside, 1 - fixed], where)
    holes = holes[(holes > where.min()) & (holes < where.max())]
    if not len(holes):
        return where, part
    order = np.argsort(np.concatenate([where, holes]), kind="stable")
    found = part.padded(len(holes)).of(order)
    return np.concatenate([where, holes])[order], found


def _slice_words(table: ScanTable, fixed: int, at: float, chosen: IndexArray) -> str:
    """At which value of the fixed mass a slice is, or from where to where its hypotheses lie."""
    axis = table.axis_words[fixed]
    fixed_at = table.coordinates[chosen, fixed]
    low, high = float(fixed_at.min()), float(fixed_at.max())
    if f"{low:.3g}" == f"{high:.3g}":
        return at_axis(axis, low, 3)
    ends = f"{low:.3g} to {at_axis(axis, high, 3).rpartition('= ')[2]}"
    return f"{at_axis(axis, at)}\n(hypotheses at {ends})"


def _slice_columns(table: ScanTable, part: Limits, chosen: IndexArray) -> dict[str, list[Any]]:
    names = ("minus2", "minus1", "median", "plus1", "plus2")
    found: dict[str, list[Any]] = {"hypothesis": [table.points[k] for k in chosen]}
    found |= {axis: table.coordinates[chosen, j].tolist() for j, axis in enumerate(table.axes)}
    found["observed"] = part.observed.tolist()
    return found | {
        f"expected_{name}": row.tolist() for name, row in zip(names, part.expected, strict=True)
    }
