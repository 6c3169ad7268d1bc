"""Cells about the hypotheses of a scan over two masses, or a mass and a lifetime.

A hypothesis stands for the cell around it, half-way to its neighbours; where a column of the plane
ends between longer ones, its last cell reaches as far as they do. Half-way is meant along the axis,
which is logarithmic where hypotheses lie much more evenly so, as lifetimes do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.report.figures.coupling_limits import evenness

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.report.scan_table import ScanTable

__all__ = ["Cells", "cells_of", "is_plane", "plane_axes", "scale_axis", "without_notches"]

#: [choice] An axis of a plane is logarithmic where hypotheses lie unevenly by less than this part.
_MUCH_BETTER = 0.5
#: Ends of a logarithmic axis up to which it has plain numbers.
_PLAIN = (1e-3, 5e4)


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
    scales
        Of the two axes: ``"linear"`` or ``"log"``.
    """

    column_axis: int
    column: IndexArray = field(repr=False)
    low: FloatArray = field(repr=False)
    high: FloatArray = field(repr=False)
    scales: tuple[str, str] = ("linear", "linear")

    def containing(self, axis: int, at: float) -> IndexArray:
        """Hypotheses in whose cell ``at`` lies on an axis, in the order of the other mass."""
        inside = (self.low[:, axis] <= at) & (at < self.high[:, axis])
        chosen = np.flatnonzero(inside)
        order = np.argsort(self.low[chosen, 1 - axis], kind="stable")
        return np.asarray(chosen[order])

    def first(self, n: int) -> Cells:
        """The cells of the first ``n`` hypotheses."""
        return replace(self, column=self.column[:n], low=self.low[:n], high=self.high[:n])

    @property
    def ends(self) -> tuple[FloatArray, FloatArray]:
        """Ends of both axes. Shapes [2]."""
        return self.low.min(axis=0), self.high.max(axis=0)


def _edges(
    centres: FloatArray, alone: float, scale: str = "linear", typical: float = np.inf
) -> tuple[FloatArray, FloatArray]:
    """Ends of cells half-way between sorted centres; ``alone`` is the width of a lonely one.

    On a logarithmic scale, widths are ratios, and the outer cells reach no farther outwards than
    half of a ``typical`` step.
    """
    if scale == "log":
        at = np.log(centres)
        if len(at) == 1:
            return np.exp(at - 0.5 * alone), np.exp(at + 0.5 * alone)
        steps = np.diff(at)
        first, last = min(float(steps[0]), typical), min(float(steps[-1]), typical)
        middle = np.exp(0.5 * (at[1:] + at[:-1]))
        return (
            np.concatenate([[np.exp(at[0] - 0.5 * first)], middle]),
            np.concatenate([middle, [np.exp(at[-1] + 0.5 * last)]]),
        )
    floor = 0.0 if centres[0] >= 0.0 else -np.inf  # masses are not negative
    if len(centres) == 1:
        return np.maximum(centres - 0.5 * alone, floor), centres + 0.5 * alone
    middle = 0.5 * (centres[1:] + centres[:-1])
    low = np.concatenate([[1.5 * centres[0] - 0.5 * centres[1]], middle])
    high = np.concatenate([middle, [1.5 * centres[-1] - 0.5 * centres[-2]]])
    return np.maximum(low, floor), high


def is_plane(table: ScanTable) -> bool:
    """Whether a scan is over two coordinates, and its hypotheses stand in columns."""
    return table.dimension == 2 and table.is_told_apart and _column_axis(table) is not None


def _column_axis(table: ScanTable) -> int | None:
    """Which coordinate the hypotheses of a column share; None where they are in no columns."""
    numbers = [len(np.unique(table.coordinates[:, axis])) for axis in (0, 1)]
    axis = int(np.argmin(numbers))
    in_columns = 2 * numbers[axis] <= len(table.points) or len(table.points) <= 4
    return axis if in_columns else None


def _scale(values: FloatArray) -> str:
    """Scale of an axis of a plane: the usual one, or one that is much more even."""
    known = np.unique(values)
    if len(known) < 3 or known[0] <= 0.0:
        return "linear"
    ends = float(known[0]), float(known[-1])
    better = evenness(known, ends, "log") < _MUCH_BETTER * evenness(known, ends, "linear")
    return "log" if better else "linear"


def scale_axis(axes: Axes, which: str, scale: str) -> None:
    """Make the axis ``"x"`` or ``"y"`` logarithmic, with plain numbers where these are short."""
    if scale != "log":
        return
    from matplotlib.ticker import FuncFormatter, LogFormatterMathtext

    axis: Axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    powers = LogFormatterMathtext()
    powers.set_axis(axis)

    def words(value: float, position: int | None) -> str:
        low, high = sorted(axis.get_view_interval())
        if _PLAIN[0] <= low and high <= _PLAIN[1]:
            return f"{value:g}"
        return str(powers(value, position))

    axis.set_major_formatter(FuncFormatter(words))


def plane_axes(axes: Axes, cells: Cells, *, room: float = 0.0) -> None:
    """Scales and ends of the axes of a map, with room above as a part of the height."""
    low, high = cells.ends
    for which, scale in zip("xy", cells.scales, strict=True):
        scale_axis(axes, which, scale)
    axes.set_xlim(float(low[0]), float(high[0]))
    top = high[1] + room * (high[1] - low[1])
    if cells.scales[1] == "log":
        top = high[1] * (high[1] / low[1]) ** room
    axes.set_ylim(float(low[1]), float(top))


def cells_of(table: ScanTable, *, places: FloatArray | None = None) -> Cells:
    """Cells of a scan over two masses.

    Parameters
    ----------
    table
        The scan.
    places
        Hypotheses that have cells, where they are not those with a result alone. Shape [point, 2].

    Raises
    ------
    OptionError
        The scan is over another number of masses, or its hypotheses are in no columns.
    """
    if table.dimension != 2:
        raise OptionError(
            f"{table.name} is a scan over {table.dimension} mass(es); a map needs two"
        )
    masses = table.coordinates if places is None else places
    axis = _column_axis(table)
    if axis is None:
        raise OptionError(f"the hypotheses of {table.name} are in no columns: no map can be drawn")
    scales = _scale(masses[:, 0]), _scale(masses[:, 1])
    to: list[Callable[[Any], Any]] = [np.log if scale == "log" else np.asarray for scale in scales]
    values, column = np.unique(masses[:, axis], return_inverse=True)
    low, high = np.empty_like(masses), np.empty_like(masses)
    step = float(np.median(np.diff(to[axis](values)))) if len(values) > 1 else np.inf
    start, stop = _edges(values, 0.1 * float(values[0]), scales[axis], step)
    low[:, axis], high[:, axis] = start[column], stop[column]
    other = masses[:, 1 - axis]
    along = to[1 - axis]
    gaps = [np.diff(along(np.sort(other[column == k]))) for k in range(len(values))]
    typical = float(np.median(np.concatenate(gaps))) if any(len(g) for g in gaps) else 0.1
    for k in range(len(values)):
        members = np.flatnonzero(column == k)
        members = members[np.argsort(other[members], kind="stable")]
        low[members, 1 - axis], high[members, 1 - axis] = _edges(
            other[members], typical, scales[1 - axis], typical
        )
    return Cells(column_axis=axis, column=column, low=low, high=high, scales=scales)


def without_notches(cells: Cells, places: FloatArray) -> Cells:
    """The same cells, without white strips between columns that reach farther.

    The last cell of a column grows to where the nearer-ending one of its two neighbours ends. A
    lonely hypothesis takes the height of the cell beside it.
    """
    along, across = 1 - cells.column_axis, cells.column_axis
    low, high = cells.low.copy(), cells.high.copy()
    n = int(cells.column.max()) + 1
    members = [np.flatnonzero(cells.column == k) for k in range(n)]
    crowded = [k for k in range(n) if len(members[k]) > 1]
    for k in range(n):
        if len(members[k]) == 1 and crowded:
            one = members[k][0]
            near = min(crowded, key=lambda j: abs(low[members[j][0], across] - low[one, across]))
            at = places[one, along]
            beside = members[near]
            holding = beside[(cells.low[beside, along] <= at) & (at < cells.high[beside, along])]
            if len(holding):
                low[one, along] = min(low[one, along], cells.low[holding[0], along])
                high[one, along] = max(high[one, along], cells.high[holding[0], along])
    bottoms = [float(low[m, along].min()) for m in members]
    tops = [float(high[m, along].max()) for m in members]
    for k in range(1, n - 1):
        first = members[k][np.argmin(cells.low[members[k], along])]
        last = members[k][np.argmax(cells.high[members[k], along])]
        low[first, along] = min(bottoms[k], max(bottoms[k - 1], bottoms[k + 1]))
        high[last, along] = max(tops[k], min(tops[k - 1], tops[k + 1]))
    return replace(cells, low=low, high=high)
