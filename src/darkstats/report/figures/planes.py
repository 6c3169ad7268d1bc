"""Scans over two masses: maps of the plane, and slices through it.

A hypothesis stands for the cell around it, half-way to its neighbours. Nothing is interpolated: a
slice shows, for each column of the plane, the hypothesis in whose cell it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError, UnknownNameError
from darkstats.report.figures.coupling_limits import draw_limits, limit_columns
from darkstats.report.figures.scan_words import (
    limits_title,
    mass_symbol,
    mass_title,
    method_words,
    scan_header,
    typeset,
)
from darkstats.report.figures.style import BLACK, GREY, VERMILION, Drawing, canvas, style
from darkstats.report.scan_table import Limits

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.report.scan_table import ScanTable

__all__ = ["MAPS", "Cells", "cells_of", "map_figure", "slice_masses", "slices_figure"]

#: What a map can show.
MAPS: Mapping[str, str] = MappingProxyType(
    {
        "expected": "median expected limit",
        "observed": "observed limit",
        "significance": "local significance, signed",
    }
)
_FAILED = "#f3f3f3"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Rectangles about the hypotheses of a plane, in columns.

    Parameters
    ----------
    column_axis
        Which mass the hypotheses of a column share: 0 or 1.
    column
        Column of each hypothesis. Shape [point].
    low, high
        Corners of the rectangle of each hypothesis. Shape [point, 2].
    """

    column_axis: int
    column: IndexArray = field(repr=False)
    low: FloatArray = field(repr=False)
    high: FloatArray = field(repr=False)

    def containing(self, axis: int, at: float) -> IndexArray:
        """Hypotheses in whose cell ``at`` lies on an axis, in the order of the other mass."""
        inside = (self.low[:, axis] <= at) & (at < self.high[:, axis])
        chosen = np.flatnonzero(inside)
        order = np.argsort(self.low[chosen, 1 - axis], kind="stable")
        return np.asarray(chosen[order])


def _edges(centres: FloatArray, alone: float) -> tuple[FloatArray, FloatArray]:
    """Ends of cells half-way between sorted centres; ``alone`` is the width of a lonely one."""
    if len(centres) == 1:
        return centres - 0.5 * alone, centres + 0.5 * alone
    middle = 0.5 * (centres[1:] + centres[:-1])
    low = np.concatenate([[1.5 * centres[0] - 0.5 * centres[1]], middle])
    high = np.concatenate([middle, [1.5 * centres[-1] - 0.5 * centres[-2]]])
    return np.maximum(low, 0.0), high


def cells_of(table: ScanTable) -> Cells:
    """Cells of a scan over two masses.

    Raises
    ------
    OptionError
        The scan is over another number of masses, or its hypotheses are in no columns.
    """
    if table.dimension != 2:
        raise OptionError(
            f"{table.name} is a scan over {table.dimension} mass(es); a map needs two"
        )
    masses = table.masses_gev
    numbers = [len(np.unique(masses[:, axis])) for axis in (0, 1)]
    axis = int(np.argmin(numbers))
    if 2 * numbers[axis] > len(masses) and len(masses) > 4:
        raise OptionError(f"the hypotheses of {table.name} are in no columns: no map can be drawn")
    values, column = np.unique(masses[:, axis], return_inverse=True)
    low, high = np.empty_like(masses), np.empty_like(masses)
    start, stop = _edges(values, 0.1 * float(values[0]))
    low[:, axis], high[:, axis] = start[column], stop[column]
    other = masses[:, 1 - axis]
    gaps = [np.diff(np.sort(other[column == k])) for k in range(len(values))]
    typical = float(np.median(np.concatenate(gaps))) if any(len(g) for g in gaps) else 0.1
    for k in range(len(values)):
        members = np.flatnonzero(column == k)
        members = members[np.argsort(other[members], kind="stable")]
        low[members, 1 - axis], high[members, 1 - axis] = _edges(other[members], typical)
    return Cells(column_axis=axis, column=column, low=low, high=high)


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
    cells = cells_of(table)
    values = _values(table, limits, what)
    good = np.isfinite(values)
    if not good.any():
        raise OptionError(f"{table.name}: no hypothesis has a value for the map {what!r}")
    with style():
        from matplotlib.collections import PolyCollection
        from matplotlib.colors import LogNorm, Normalize
        from matplotlib.patches import Patch

        figure = canvas(7.0, 5.2)
        axes = figure.add_subplot()
        x0, y0 = cells.low.T
        x1, y1 = cells.high.T
        corners = np.stack(
            [np.stack([x0, y0], 1), np.stack([x1, y0], 1), np.stack([x1, y1], 1),
             np.stack([x0, y1], 1)], axis=1,
        )  # fmt: skip
        if what == "significance":
            reach = max(float(np.abs(values[good]).max()), 1.0)
            norm, colours = Normalize(-reach, reach), "RdBu_r"
        else:
            low, high = float(values[good].min()), float(values[good].max())
            norm, colours = LogNorm(low, max(high, 1.001 * low)), "viridis"
        drawn = PolyCollection(
            corners[good], array=values[good], cmap=colours, norm=norm, edgecolors="face",
            linewidths=0.15, rasterized=True,
        )  # fmt: skip
        axes.add_collection(drawn)
        handles: list[Any] = []
        if not good.all():
            missing = PolyCollection(
                corners[~good], facecolors=_FAILED, edgecolors=GREY, linewidths=0.3, hatch="xxxx",
            )  # fmt: skip
            axes.add_collection(missing)
            words = f"no result: {int((~good).sum())} of {len(good)}"
            handles.append(Patch(facecolor=_FAILED, edgecolor=GREY, hatch="xxxx", label=words))
        if what == "significance":
            top = int(np.flatnonzero(good)[np.argmax(values[good])])
            masses = table.masses_gev[top]
            words = (
                f"largest: {values[top]:.1f} σ at {mass_symbol(table.axes[0])} = {masses[0]:.3g}, "
                f"{mass_symbol(table.axes[1])} = {masses[1]:.3g} GeV"
            )
            handles += axes.plot(
                [masses[0]], [masses[1]], marker="o", markersize=9.0, markerfacecolor="none",
                markeredgecolor=BLACK, markeredgewidth=1.4, linestyle="none", label=words,
            )  # fmt: skip
        axes.set_xlim(float(x0.min()), float(x1.max()))
        height = float(y1.max()) - float(y0.min())
        axes.set_ylim(
            float(y0.min()), float(y1.max()) + (0.16 if handles or note else 0.02) * height
        )
        axes.set_xlabel(mass_title(table.axes[0]))
        axes.set_ylabel(mass_title(table.axes[1]))
        bar = figure.colorbar(drawn, ax=axes, pad=0.02)
        if what == "significance":
            bar.set_label("local significance, signed [σ]")
        else:
            bar.set_label(f"{MAPS[what]} on {limits_title(table, limits, label)}")
        scan_header(axes, table)
        title = "local significance" if what == "significance" else method_words(table)
        if note and what != "significance":
            title += f"\n{typeset(note)}"
        legend = axes.legend(
            handles=handles, loc="upper left", title=title, alignment="left", frameon=False,
            fontsize=9.0, title_fontsize=9.0,
        )  # fmt: skip
        legend.set_zorder(5.0)
    columns = limit_columns(table, limits) | {"shown": values.tolist()}
    return Drawing(figure=figure, columns=columns)


def slice_masses(table: ScanTable, axis: int, n: int = 4) -> tuple[float, ...]:
    """Round masses that cut a plane into about equal parts: slices where none are asked for."""
    masses = np.sort(table.masses_gev[:, axis])
    wanted = np.quantile(masses, (np.arange(n) + 0.5) / n)
    return tuple(dict.fromkeys(float(f"{mass:.2g}") for mass in wanted))


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
            low, high = table.masses_gev[:, fixed].min(), table.masses_gev[:, fixed].max()
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
            part = Limits(
                key=limits.key, symbol=limits.symbol, unit=limits.unit,
                observed=limits.observed[chosen], expected=limits.expected[:, chosen],
            )  # fmt: skip
            where = table.masses_gev[chosen, free]
            draw_limits(axes, where, part)
            lost = table.failed[chosen]
            if lost.any():
                axes.plot(
                    where[lost], np.full(int(lost.sum()), 0.03), marker="x", color=VERMILION,
                    linestyle="none", transform=axes.get_xaxis_transform(), clip_on=False,
                    label=f"no result: {int(table.failed.sum())} of {len(table.points)}",
                )  # fmt: skip
            axes.set_yscale("log")
            words = f"{mass_symbol(table.axes[fixed])} = {mass:g} GeV"
            axes.text(0.05, 0.93, words, transform=axes.transAxes, va="top")
            columns |= {
                f"slice{k + 1}_{name}": values
                for name, values in _slice_columns(table, part, chosen).items()
            }
        for axes in panels.flat[len(at) :]:
            axes.set_visible(False)
        if shown.size:
            panels[0, 0].set_ylim(float(shown.min()) / 2.0, float(shown.max()) * 4.0)
        for axes in panels[-1]:
            axes.set_xlabel(mass_title(table.axes[free]))
        for row in panels:
            row[0].set_ylabel(limits_title(table, limits, label))
        scan_header(panels[0, 0], table)
        handles: dict[str, Any] = {}
        for axes in panels.flat:
            handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
        title = method_words(table) + (f"; {typeset(note)}" if note else "")
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles),
            title=title, fontsize=9.0, title_fontsize=9.0,
        )  # fmt: skip
    return Drawing(figure=figure, columns=columns)


def _slice_columns(table: ScanTable, part: Limits, chosen: IndexArray) -> dict[str, list[Any]]:
    names = ("minus2", "minus1", "median", "plus1", "plus2")
    found: dict[str, list[Any]] = {"hypothesis": [table.points[k] for k in chosen]}
    found |= {axis: table.masses_gev[chosen, j].tolist() for j, axis in enumerate(table.axes)}
    found["observed"] = part.observed.tolist()
    return found | {
        f"expected_{name}": row.tolist() for name, row in zip(names, part.expected, strict=True)
    }
