"""Limits on a coupling, or a cross section, against one mass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.report.figures.overlay import constraint_columns, draw_regions, name_regions
from darkstats.report.figures.scan_words import (
    axis_title,
    limits_title,
    method_words,
    scan_header,
    typeset,
)
from darkstats.report.figures.style import (
    BAND_1,
    BAND_2,
    BLACK,
    GREEN,
    PURPLE,
    VERMILION,
    Drawing,
    canvas,
    style,
)
from darkstats.report.scan_exports import hypothesis_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.arrays import FloatArray
    from darkstats.report.constraints.curve import Constraint
    from darkstats.report.scan_table import Limits, ScanTable

__all__ = [
    "Favoured",
    "draw_favoured",
    "draw_limits",
    "gaps_note",
    "in_order",
    "limit_columns",
    "mass_axis",
    "mass_limits_figure",
]

_BAND_NAMES = ("minus2", "minus1", "median", "plus1", "plus2")
#: Looks of favoured bands: filled, between lines, below a line.
_FAVOURED = ((VERMILION, "-"), (PURPLE, "--"), (GREEN, ":"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Favoured:
    """A band of couplings that something else favours, such as the muon's anomaly.

    Parameters
    ----------
    label
        For the legend.
    mass_gev, low, high
        Shape [point]; ``low`` is ``nan`` where every coupling below ``high`` is favoured.
    """

    label: str
    mass_gev: FloatArray = field(repr=False)
    low: FloatArray = field(repr=False)
    high: FloatArray = field(repr=False)


def gaps_note(table: ScanTable) -> str:
    """How many hypotheses have no result, for a legend; empty if all have one."""
    failed = int(table.failed.sum())
    return f"no result: {failed} of {len(table.points)}" if failed else ""


def limit_columns(table: ScanTable, limits: Limits) -> dict[str, list[Any]]:
    """Limits and what they are of, as columns: one row for each hypothesis."""
    columns: dict[str, list[Any]] = {"hypothesis": list(table.points)}
    columns |= hypothesis_columns(table)
    columns["observed"] = limits.observed.tolist()
    columns |= {
        f"expected_{name}": values.tolist()
        for name, values in zip(_BAND_NAMES, limits.expected, strict=True)
    }
    columns["failed"] = [int(failed) for failed in table.failed]
    return columns


def _alone(values: FloatArray) -> Any:  # noqa: ANN401 -- a mask
    """Points between two gaps, which no line shows."""
    there = np.isfinite(values)
    before = np.concatenate([[False], there[:-1]])
    after = np.concatenate([there[1:], [False]])
    return there & ~before & ~after


def draw_limits(
    axes: Axes, mass: FloatArray, limits: Limits, *, observed: str, thin: bool
) -> list[Any]:
    """Draw observed and expected limits; points without a number are gaps.

    Parameters
    ----------
    axes, mass, limits
        Where, at which masses in GeV (shape [point]), and what.
    observed
        Name of the observed limit in the legend.
    thin
        Thin lines, for very many hypotheses.

    Returns
    -------
    list
        Bands, for labels to keep clear of.
    """
    artists: list[Any] = []
    low2, low1, median, high1, high2 = limits.expected
    if np.isfinite(limits.expected).any():
        for low, high, color, label in (
            (low2, high2, BAND_2, "expected ± 2 σ"),
            (low1, high1, BAND_1, "expected ± 1 σ"),
        ):
            filled = axes.fill_between(
                mass, low, high, where=np.isfinite(low) & np.isfinite(high), color=color,
                linewidth=0.0, zorder=1.5, label=label,
            )  # fmt: skip
            artists.append(filled)
    for values, dashes, label, color in (
        (median, "--", "expected median", BLACK), (limits.observed, "-", observed, BLACK),
    ):  # fmt: skip
        if not np.isfinite(values).any():
            continue
        axes.plot(
            mass, values, color=color, linestyle=dashes, linewidth=0.9 if thin else 1.3,
            label=label, zorder=3.0,
        )  # fmt: skip
        alone = _alone(values)
        if alone.any():
            axes.plot(mass[alone], values[alone], color=color, marker="o", markersize=2.5,
                      linestyle="none", zorder=3.0)  # fmt: skip
    return artists


def draw_favoured(axes: Axes, one: Favoured, k: int) -> list[Any]:
    """Draw the ``k``-th band: filled, or its edges as lines; one without lower edge as a line."""
    color, dashes = _FAVOURED[k % len(_FAVOURED)]
    both = np.isfinite(one.low) & np.isfinite(one.high)
    if dashes == "-" and both.any():
        filled = axes.fill_between(
            one.mass_gev, one.low, one.high, where=both, color=color, alpha=0.35, linewidth=0.0,
            zorder=1.2, label=one.label,
        )  # fmt: skip
        return [filled]
    label: str | None = one.label if both.any() else f"{one.label}, upper edge"
    for edge in (one.high, one.low):
        if np.isfinite(edge).any():
            axes.plot(one.mass_gev, edge, color=color, linestyle=dashes, linewidth=1.3,
                      zorder=2.3, label=label)  # fmt: skip
            label = None
    return []


def _failures(axes: Axes, table: ScanTable) -> None:
    if table.failed.any():
        axes.plot(
            table.first_coordinate[table.failed], np.full(int(table.failed.sum()), 0.012),
            transform=axes.get_xaxis_transform(), color=VERMILION, marker="x", markersize=5.0,
            linestyle="none", clip_on=False, zorder=4.0, label=gaps_note(table),
        )  # fmt: skip


def _spans(values: FloatArray) -> bool:
    """Whether values ask for a logarithmic axis."""
    return float(values.min()) > 0.0 and float(values.max()) > 6.0 * float(values.min())


Range = tuple[float, float]


def _mass_range(mass: FloatArray, *, room: float) -> Range:
    if not _spans(mass):
        return float(mass.min()), float(mass.max())
    return float(mass.min()) / room, float(mass.max()) * room


def _value_range(
    mass: FloatArray, limits: Limits, mass_range: Range, favoured: Sequence[Favoured]
) -> Range:
    """Range that shows all limits and bands, with room for a legend above those at low mass."""
    values = np.array([limits.observed, *limits.expected])
    values = np.where(np.isfinite(values) & (values > 0.0), values, np.nan)
    if not np.isfinite(values).any():
        return 0.1, 10.0
    bottom, top = float(np.nanmin(values)) / 1.8, 1.3 * float(np.nanmax(values))
    for one in favoured:
        within = (one.mass_gev >= mass_range[0]) & (one.mass_gev <= mass_range[1])
        edges = np.concatenate([one.low[within], one.high[within]])
        if np.isfinite(edges).any():
            bottom = min(bottom, float(np.nanmin(edges)) / 1.4)
    logarithmic = _spans(np.array(mass_range))
    middle = np.sqrt(np.prod(mass_range)) if logarithmic else 0.5 * sum(mass_range)
    left = values[:, mass < middle]
    if np.isfinite(left).any():
        height = float(np.nanmax(left)) / bottom
        top = max(top, bottom * height ** (1.0 / _BELOW_LEGEND))
    return bottom, top


def mass_limits_figure(
    table: ScanTable,
    limits: Limits,
    *,
    label: str | None = None,
    note: str = "",
    constraints: Sequence[Constraint] = (),
    favoured: Sequence[Favoured] = (),
    mass_range: Range | None = None,
    value_range: Range | None = None,
) -> Drawing:
    """Observed and expected limits of a scan over one mass.

    Parameters
    ----------
    table, limits
        A scan over one mass, and one of its quantities.
    label
        Axis title of the quantity, in LaTeX.
    note
        What the conversion rests on; a line of the legend.
    constraints
        Earlier constraints on the same coupling.
    favoured
        Bands that are favoured.
    mass_range, value_range
        Ends of the axes; by default, those of the scan with some room.
    """
    with style():
        figure = canvas(6.8, 5.2)
        axes = figure.add_subplot()
        mass = table.first_coordinate
        across = mass_range or _mass_range(mass, room=1.3 if constraints else 1.15)
        mass_axis(axes, across)
        axes.set_yscale("log")
        axes.set_ylim(*(value_range or _value_range(mass, limits, across, favoured)))
        overlay = draw_regions(axes, constraints)
        shown = [drawn for k, one in enumerate(favoured) for drawn in draw_favoured(axes, one, k)]
        artists = draw_limits(
            axes, mass, limits, observed=table.observed_name, thin=len(mass) > 120
        )
        _failures(axes, table)
        axes.set_xlabel(axis_title(table.axis_words[0]))
        axes.set_ylabel(limits_title(table, limits, label))
        scan_header(axes, table)
        title = method_words(table) + (f"\n{typeset(note)}" if note else "")
        name_regions(axes, overlay, lambda: _legend(axes, title), avoid=[*artists, *shown])
    columns = limit_columns(table, limits)
    for k, one in enumerate(favoured, 1):
        columns |= {
            f"favoured{k}_mass_gev": one.mass_gev.tolist(),
            f"favoured{k}_low": one.low.tolist(),
            f"favoured{k}_high": one.high.tolist(),
        }
    return Drawing(figure=figure, columns=columns | constraint_columns(overlay.constraints))


_TICKS = (2, 5)
_TICK_PAD = 7.0  # points: the first number keeps clear of that of the other axis
#: Part of the height that limits keep to where the legend is above them.
_BELOW_LEGEND = 0.66


def mass_axis(axes: Axes, ends: Range) -> None:
    """Scale and ticks of an axis of masses: logarithmic where it spans much, plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xlim(*ends)
    axes.tick_params(axis="x", which="both", pad=_TICK_PAD)
    if not _spans(np.array(ends)):
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if ends[1] < 1e3 * ends[0]:
        axes.xaxis.set_minor_locator(LogLocator(subs=range(2, 10)))

        def some(value: float, _: object) -> str:
            return f"{value:g}" if _first_digit(value) in _TICKS else ""

        axes.xaxis.set_minor_formatter(FuncFormatter(some))


def _first_digit(value: float) -> int:
    return int(f"{value:.0e}"[0])


_ORDER = ("observed", "expected median", "expected ± 1 σ", "expected ± 2 σ")


def in_order(*panels: Axes) -> dict[str, Any]:
    """Handles of a legend by label: observed, expected, then the rest."""
    found: dict[str, Any] = {}
    for axes in panels:
        found |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    first = [label for name in _ORDER for label in found if label.startswith(name)]
    return {label: found[label] for label in (*first, *(x for x in found if x not in first))}


def _legend(axes: Axes, title: str) -> Any:  # noqa: ANN401 -- a legend
    handles = in_order(axes)
    labels = list(handles)
    return axes.legend(
        list(handles.values()), labels, loc="upper left", title=title,
        alignment="left", ncols=2 if len(labels) > 5 else 1, frameon=True, framealpha=1.0,
        edgecolor="none", fontsize=9.0, title_fontsize=9.0,
    )  # fmt: skip
