"""Limits on a coupling, or a cross section, against one mass."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from darkstats.report.figures.gaps import torn
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
from darkstats.report.figures.wide import draw_wide
from darkstats.report.scan_exports import hypothesis_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from darkstats.arrays import FloatArray
    from darkstats.report.constraints.curve import Constraint
    from darkstats.report.scan_table import Limits, ScanTable

__all__ = [
    "Favoured",
    "draw_favoured",
    "draw_limits",
    "evenness",
    "gaps_note",
    "in_order",
    "limit_columns",
    "markers",
    "mass_axis",
    "mass_limits_figure",
    "mass_range_of",
    "mass_scale",
    "outside_legend",
]

#: Hypotheses up to which each is marked on its curve.
_FEW = 40
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
    if limits.low_counts is not None:
        names = ("observed", *(f"expected_{name}" for name in _BAND_NAMES))
        columns |= {
            f"{name}_low_counts": values.tolist()
            for name, values in zip(names, limits.low_counts, strict=True)
        }
    if limits.width_over_mass is not None:
        columns["width_over_mass"] = limits.width_over_mass.tolist()
    columns["failed"] = [int(failed) for failed in table.failed]
    return columns


def _alone(values: FloatArray) -> Any:  # noqa: ANN401 -- a mask
    """Points between two gaps, which no line shows."""
    there = np.isfinite(values)
    before = np.concatenate([[False], there[:-1]])
    after = np.concatenate([there[1:], [False]])
    return there & ~before & ~after


def markers(mass: FloatArray, values: FloatArray) -> dict[str, Any]:
    """Marks of the hypotheses on a curve where they are few, and it is a guess between them."""
    few = len(np.unique(mass[np.isfinite(values)])) <= _FEW
    return {"marker": "o", "markersize": 3.5} if few else {}


def draw_limits(
    axes: Axes, mass: FloatArray, limits: Limits, *, observed: str | None, thin: bool
) -> list[Any]:
    """Draw observed and expected limits; points without a number are gaps.

    Parameters
    ----------
    axes, mass, limits
        Where, at which masses in GeV (shape [point]), and what.
    observed
        Name of the observed limit in the legend; None leaves the limit out.
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
    for values, dashes, name, face in (
        (median, "--", "expected median", "white"), (limits.observed, "-", observed, BLACK),
    ):  # fmt: skip
        if name is None or not np.isfinite(values).any():
            continue
        axes.plot(
            mass, values, color=BLACK, linestyle=dashes, linewidth=0.9 if thin else 1.3,
            label=name, zorder=3.0, markerfacecolor=face, markeredgewidth=0.8,
            **markers(mass, values),
        )  # fmt: skip
        alone = _alone(values)
        if alone.any():
            axes.plot(mass[alone], values[alone], color=BLACK, marker="o", markersize=2.5,
                      linestyle="none", zorder=3.0)  # fmt: skip
    _draw_low_counts(axes, mass, limits, observed=observed)
    return artists


def _torn(mass: FloatArray, limits: Limits) -> tuple[FloatArray, Limits]:
    """The same with gaps where there are no hypotheses."""
    held = limits.low_counts
    low = np.empty((0, len(mass))) if held is None else held
    there, observed, expected, low = torn(mass, limits.observed, limits.expected, low)
    limits = replace(
        limits, observed=observed, expected=expected, low_counts=None if held is None else low
    )
    return there, limits


def _draw_low_counts(axes: Axes, mass: FloatArray, limits: Limits, *, observed: str | None) -> None:
    """Mark what holds where asymptotic limits lie below that of no event at all."""
    if limits.low_counts is None:
        return
    for values, face, name in (
        (limits.low_counts[3], "white", "expected median"), (limits.low_counts[0], BLACK, observed),
    ):  # fmt: skip
        if name is not None and np.isfinite(values).any():
            axes.plot(
                mass, values, color=BLACK, marker="v", markersize=4.0, linestyle="none",
                markerfacecolor=face, markeredgewidth=0.8, zorder=3.2,
                label=f"{name}, valid at low counts",
            )  # fmt: skip


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


#: Scales of an axis of masses: where a mass stands, and which mass stands there.
_SCALES: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = MappingProxyType(
    {
        "linear": (lambda x: x, lambda x: x),
        "log": (np.log, np.exp),
        "root": (lambda x: np.sqrt(np.maximum(x, 0.0)), np.square),
    }
)
#: The root is the least usual scale: taken where hypotheses lie unevenly by less than this part.
_MUCH_BETTER = 0.8


def evenness(mass: FloatArray, ends: Range, scale: str) -> float:
    """Largest distance between the hypotheses' distribution and an even one along the axis."""
    to = _SCALES[scale][0]
    places, (low, high) = to(np.sort(np.unique(mass))), to(np.array(ends))
    along = (places - low) / (high - low)
    steps = np.arange(len(places) + 1) / len(places)
    return float(max(np.max(steps[1:] - along), np.max(along - steps[:-1])))


def mass_scale(mass: FloatArray, ends: Range, *, usual: bool = False) -> str:
    """Scale on which masses lie most evenly: ``"linear"``, ``"log"`` or ``"root"``.

    Hypotheses are as dense as the resolution asks for, so that none are squeezed where they lie
    evenly. The root of the mass is taken only where it is much better than the usual two, and never
    where ``usual`` asks for one of these.
    """
    if not _spans(np.array(ends)):
        return "linear"
    if len(np.unique(mass)) < 2:
        return "log"
    found = {scale: evenness(mass, ends, scale) for scale in _SCALES}
    better = min(("log", "linear"), key=found.__getitem__)
    return "root" if not usual and found["root"] < _MUCH_BETTER * found[better] else better


def mass_range_of(mass: FloatArray, *, room: float = 1.0, usual: bool = False) -> Range:
    """Ends of an axis of masses: those of the hypotheses, and some room where it is asked for."""
    low, high = float(mass.min()), float(mass.max())
    if low == high:
        return low - 0.05 * (abs(low) or 1.0), high + 0.05 * (abs(high) or 1.0)
    if room == 1.0:
        return low, high
    scale = mass_scale(mass, (low, high), usual=usual)
    if scale == "log":
        return low / room, high * room
    to, back = _SCALES[scale]
    more = 0.2 * (room - 1.0) * float(to(high) - to(low))
    near_zero = scale == "linear" and 0.0 <= low < 0.1 * high
    return (0.0 if near_zero else float(back(to(low) - more))), float(back(to(high) + more))


def _value_range(
    mass: FloatArray,
    limits: Limits,
    mass_range: Range,
    favoured: Sequence[Favoured],
    *,
    legend: bool,
) -> tuple[Range, bool]:
    """Range that shows all limits and bands, and whether it asks for a logarithmic axis.

    Where the legend is in the picture, it has room above the limits at low mass.
    """
    held = () if limits.low_counts is None else limits.low_counts[[0, 3]]
    values = np.array([limits.observed, *limits.expected, *held])
    values = np.where(np.isfinite(values) & (values > 0.0), values, np.nan)
    if not np.isfinite(values).any():
        return (0.1, 10.0), True
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    for one in favoured:
        within = (one.mass_gev >= mass_range[0]) & (one.mass_gev <= mass_range[1])
        edges = np.concatenate([one.low[within], one.high[within]])
        if np.isfinite(edges).any():
            low = min(low, 1.3 * float(np.nanmin(edges)))
    # The values of less than a decade have no power of ten between them to be read off.
    logarithmic = high > 10.0 * low or not legend
    bottom, top = (low / 1.8, 1.3 * high) if logarithmic else (0.0, 1.1 * high)
    if legend:
        to, back = _SCALES[mass_scale(mass, mass_range)]
        middle = float(back(np.mean(to(np.array(mass_range)))))
        left = values[:, mass < middle]
        if np.isfinite(left).any():
            highest = float(np.nanmax(left))
            top = max(
                top,
                bottom * (highest / bottom) ** (1.0 / _BELOW_LEGEND)
                if logarithmic
                else highest / _BELOW_LEGEND,
            )
    return (bottom, top), logarithmic


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
        figure = canvas(6.8, 5.8 if constraints or favoured else 5.2)
        axes = figure.add_subplot()
        mass = table.first_coordinate
        across = mass_range or mass_range_of(mass, room=1.3 if constraints else 1.15)
        mass_axis(axes, across, mass)
        outside = bool(constraints or favoured)
        up, logarithmic = _value_range(mass, limits, across, favoured, legend=not outside)
        axes.set_yscale("log" if logarithmic or value_range else "linear")
        axes.set_ylim(*(value_range or up))
        overlay = draw_regions(axes, constraints)
        shown = [drawn for k, one in enumerate(favoured) for drawn in draw_favoured(axes, one, k)]
        observed = table.observed_name if table.is_shown(limits) else None
        held = limits.only(~limits.too_wide)
        artists = draw_limits(axes, *_torn(mass, held), observed=observed, thin=len(mass) > 120)
        draw_wide(axes, mass, limits, observed=observed is not None)
        _failures(axes, table)
        axes.set_xlabel(axis_title(table.axis_words[0]))
        axes.set_ylabel(limits_title(table, limits, label))
        scan_header(axes, table)
        title = method_words(table) + (f"\n{typeset(note)}" if note else "")
        legend = outside_legend if outside else _legend
        name_regions(axes, overlay, lambda: legend(axes, title), avoid=[*artists, *shown])
    columns = limit_columns(table, limits)
    for k, one in enumerate(favoured, 1):
        columns |= {
            f"favoured{k}_mass_gev": one.mass_gev.tolist(),
            f"favoured{k}_low": one.low.tolist(),
            f"favoured{k}_high": one.high.tolist(),
        }
    return Drawing(figure=figure, columns=columns | constraint_columns(overlay.constraints))


_TICKS = (2, 5)
#: First digits in the order in which they get a number, and how far apart these are, in the width.
_DIGITS, _APART = (1, 5, 2, 3, 4, 6, 8, 7, 9), 0.065
_TICK_PAD = 7.0  # points: the first number keeps clear of that of the other axis
#: Part of the height that limits keep to where the legend is above them.
_BELOW_LEGEND = 0.66


def mass_axis(
    axes: Axes, ends: Range, mass: FloatArray | None = None, *, usual: bool = False
) -> None:
    """Scale and ticks of an axis of masses.

    The scale is the one of :func:`mass_scale` for the hypotheses ``mass``, or without any a
    logarithmic one where the axis spans much; with plain numbers in any case.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator

    axes.set_xlim(*ends)
    axes.tick_params(axis="x", which="both", pad=_TICK_PAD)
    everywhere = np.geomspace(*ends, 99) if ends[0] > 0.0 else np.linspace(*ends, 99)
    scale = mass_scale(everywhere if mass is None else mass, ends, usual=usual)
    if scale == "linear":
        return
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    if scale == "root":
        axes.set_xscale("function", functions=_SCALES["root"])
        named, others = _root_ticks(ends)
        axes.xaxis.set_major_locator(FixedLocator(named))
        axes.xaxis.set_minor_locator(FixedLocator(others))
        axes.xaxis.set_major_formatter(plain)
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(plain)
    if ends[1] < 1e3 * ends[0]:
        axes.xaxis.set_minor_locator(LogLocator(subs=range(2, 10)))

        def some(value: float, _: object) -> str:
            return f"{value:g}" if _first_digit(value) in _TICKS else ""

        axes.xaxis.set_minor_formatter(FuncFormatter(some))


def _root_ticks(ends: Range) -> tuple[list[float], list[float]]:
    """Ticks with a number, as many as have room, and ticks without, on an axis of roots."""
    powers = range(int(np.floor(np.log10(ends[1]))) - 2, int(np.floor(np.log10(ends[1]))) + 1)
    ticks = [
        float(f"{digit}e{power}")
        for digit in _DIGITS
        for power in reversed(powers)
        if ends[0] <= float(f"{digit}e{power}") <= ends[1]
    ]
    span = np.sqrt(ends[1]) - np.sqrt(ends[0])
    named: list[float] = []
    for tick in ticks:
        if all(abs(np.sqrt(tick) - np.sqrt(one)) > _APART * span for one in named):
            named.append(tick)
    return sorted(named), sorted(set(ticks) - set(named))


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


def _wrapped(text: str, width: int) -> str:
    """Lines of at most so many characters, no formula broken."""
    kept = re.sub(r"\$[^$]*\$", lambda formula: formula.group().replace(" ", "\0"), text)
    lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


#: Characters of a line above the entries; words in mathematics are narrower than they are written.
_LINE_PER_INCH = 13.0


def outside_legend(axes: Axes, title: str) -> Any:  # noqa: ANN401 -- a legend
    """Write the legend below the axes, where it covers no excluded region; instead of one before.

    Parameters
    ----------
    axes, title
        The only axes of their figure, and lines above the entries.
    """
    figure = cast("Figure", axes.figure)
    for earlier in list(figure.legends):
        earlier.remove()
    handles = in_order(axes)
    line = int(_LINE_PER_INCH * figure.get_figwidth())
    title = "\n".join(_wrapped(one, line) for one in title.split("\n"))
    return figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", title=title,
        alignment="left", ncols=3 if len(handles) > 4 else 2, fontsize=9.0, title_fontsize=9.0,
    )  # fmt: skip
