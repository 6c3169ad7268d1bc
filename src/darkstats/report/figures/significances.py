"""How surprising an excess is: local p-values, up-crossings, global significance by method."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.gaussian import survival
from darkstats.inference.p_values import SMALLEST_P
from darkstats.report.figures.coupling_limits import (
    gaps_note,
    markers,
    mass_axis,
    mass_range_of,
)
from darkstats.report.figures.gaps import torn
from darkstats.report.figures.scan_words import at_axis, axis_title, scan_header, typeset
from darkstats.report.figures.style import (
    BAND_2,
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    VERMILION,
    Drawing,
    canvas,
    header_words,
    plain_name,
    style,
)
from darkstats.report.numbers import number, p_and_error, p_number
from darkstats.report.scan_table import is_asimov
from darkstats.scan.expected_spectrum import LARGEST_BIAS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from darkstats.arrays import FloatArray
    from darkstats.report.global_table import GlobalTable, MethodResult, WindowToys
    from darkstats.report.scan_table import ScanTable

__all__ = ["crossings_figure", "local_p_figure", "methods_figure"]

_SIZE = 9.0
#: Part of a decade between two lines whose names would run into each other.
_CLOSE = 0.16
#: Part of the height of a scan of p-values that the curve and the levels take.
_ABOVE_LEGEND = 0.80
#: Height of an arrow to a p-value below the picture, in that of the picture: above the legend.
_ARROW_AT = 0.26


def _header(axes: Axes, table: GlobalTable, *, right_axes: Axes | None = None) -> None:
    title = re.sub(r",? *simulated$", "", table.title or table.name, flags=re.IGNORECASE)
    header_words(axes, typeset(title), simulated=table.simulated is True, right_axes=right_axes,
                 asimov=is_asimov(table.data))  # fmt: skip


def local_p_figure(
    table: ScanTable,
    levels: Mapping[float, float] | None = None,
    windows: Mapping[str, WindowToys] | None = None,
) -> Drawing:
    """Local p-value of each hypothesis of a scan over one mass, with local and global levels.

    Where the expected spectrum of the search biases windows, what it gives alone is drawn, too, and
    the local p-values of toys of the spectrum beside those of the windows alone.

    Parameters
    ----------
    table
        A scan over one mass.
    levels
        Local p-value by global significance, such as ``{1.0: 4e-3, 2.0: 2e-4}``.
    windows
        Local p-values in toys of the spectrum, by name of the hypothesis.

    Raises
    ------
    OptionError
        No hypothesis has a p-value.
    """
    p = np.where(table.p0 > 0.0, table.p0, np.nan)
    if not np.isfinite(table.p0).any():
        raise OptionError(f"{table.name}: no hypothesis has a local p-value")
    mass = table.first_coordinate
    levels = dict(sorted((levels or {}).items()))
    smallest = min([*p[np.isfinite(p)].tolist(), *levels.values()], default=1e-2)
    top = 1.6
    bottom = top * min(smallest / top, 1e-2) ** (1.0 / _ABOVE_LEGEND)
    with style():
        figure = canvas(6.8, 4.6)
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.set_ylim(bottom, top)
        mass_axis(axes, mass_range_of(mass, room=1.1), mass)
        _local_levels(axes, bottom)
        _global_levels(axes, levels)
        alone, toys = _spectrum_p(table, windows or {})
        name = "local p-value"
        if np.isfinite(toys[0]).any():
            name += " of the window alone"
        axes.plot(
            *torn(mass, p), color=BLUE, linewidth=0.9 if len(mass) > 120 else 1.3, label=name,
            **markers(mass, p),
        )  # fmt: skip
        _draw_spectrum(axes, mass, alone, toys)
        _mark_smallest(axes, table, mass, p)
        _mark_others(axes, table, mass, p)
        axes.set_xlabel(axis_title(table.axis_words[0]))
        axes.set_ylabel("local p-value $p_{0}$")
        scan_header(axes, table)
        axes.legend(
            loc="lower left", frameon=True, framealpha=1.0, edgecolor="none", fontsize=_SIZE
        )
    columns: dict[str, Any] = {
        "hypothesis": list(table.points),
        table.axes[0]: mass.tolist(),
        "p0": p.tolist(),
        "significance": table.significance.tolist(),
        "expected_spectrum_significance": table.expected_spectrum_significance.tolist(),
        "p0_toys_of_spectrum": toys[0].tolist(),
        "p0_toys_of_spectrum_error": toys[1].tolist(),
        "global_significance": list(levels),
        "global_level_p_local": list(levels.values()),
    }
    return Drawing(figure=figure, columns=columns)


def _largest(table: ScanTable) -> int:
    """Hypothesis with the largest excess: p-values too small for a number do not rank."""
    z = table.significance
    return int(np.nanargmax(z)) if np.isfinite(z).any() else int(np.nanargmin(table.p0))


def _mark_smallest(axes: Axes, table: ScanTable, mass: FloatArray, p: FloatArray) -> None:
    """Mark the largest excess, by a point, or by an arrow where it has no p-value to draw."""
    first = _largest(table)
    z = float(table.significance[first])
    words = f"largest excess at {at_axis(table.axis_words[0], mass[first], 4)}"
    if np.isfinite(z):
        words += f": {z:.1f} σ local"
    look: dict[str, Any] = {"color": VERMILION, "linestyle": "none", "label": words, "zorder": 4.0}
    if np.isfinite(p[first]):
        axes.plot([mass[first]], [p[first]], marker="o", markersize=5.0, **look)
    else:
        axes.plot(
            [mass[first]], [_ARROW_AT], transform=axes.get_xaxis_transform(),
            marker=r"$\downarrow$", markersize=11.0, **look,
        )  # fmt: skip


def _mark_others(axes: Axes, table: ScanTable, mass: FloatArray, p: FloatArray) -> None:
    """Mark p-values that are below the picture, and hypotheses that have none."""
    below = (table.p0 == 0.0) & (np.arange(len(mass)) != _largest(table))
    if below.any():
        axes.plot(
            mass[below], np.full(int(below.sum()), _ARROW_AT), color=BLUE, marker=r"$\downarrow$",
            markersize=9.0, transform=axes.get_xaxis_transform(), linestyle="none",
            label=f"p-value below {SMALLEST_P:g}",
        )  # fmt: skip
    missing = ~np.isfinite(p) & (table.p0 != 0.0)
    if missing.any():
        axes.plot(
            mass[missing], np.full(int(missing.sum()), 0.012), color=VERMILION, marker="x",
            transform=axes.get_xaxis_transform(), linestyle="none", clip_on=False,
            label=gaps_note(table) or "no p-value",
        )  # fmt: skip


def _spectrum_p(
    table: ScanTable, windows: Mapping[str, WindowToys]
) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    """p-value of the expected spectrum alone [point]; of toys of it, and its error [point].

    Both are ``nan`` where the spectrum biases no window, those of toys where none is as extreme.
    """
    bias = table.expected_spectrum_significance
    alone = np.full(len(bias), np.nan)
    values, errors = alone.copy(), alone.copy()
    if np.isfinite(bias).any() and float(np.nanmax(np.abs(bias))) > LARGEST_BIAS:
        good = np.isfinite(bias)
        alone[good] = [survival(float(z)) for z in bias[good]]
    top = _largest(table)
    for k, name in enumerate(table.points):
        found = windows.get(name)
        if found is None or not found.above:
            continue
        if k == top or abs(bias[k]) > LARGEST_BIAS:
            values[k], errors[k] = found.p, found.error
    return alone, (values, errors)


def _draw_spectrum(
    axes: Axes, mass: FloatArray, alone: FloatArray, toys: tuple[FloatArray, FloatArray]
) -> None:
    if np.isfinite(alone).any():
        axes.plot(
            mass, alone, color=ORANGE, linewidth=1.5, linestyle="-", zorder=1.5,
            label="expected spectrum without fluctuations",
        )  # fmt: skip
    values, errors = toys
    if np.isfinite(values).any():
        low = np.minimum(errors, 0.9 * values)
        axes.errorbar(
            mass, values, yerr=[low, errors], color=BLACK, marker="o", markersize=3.0,
            markerfacecolor="white", linestyle="none", linewidth=0.8, zorder=3.5,
            label="local p-value in toys of the whole spectrum",
        )  # fmt: skip


def _local_levels(axes: Axes, bottom: float) -> None:
    for n in range(9):
        p = survival(float(n))
        if p > bottom:
            axes.axhline(p, color=GREY, linewidth=0.7, linestyle=":", zorder=0.5)
            axes.annotate(
                f"{n} σ", (1.0, p), xycoords=("axes fraction", "data"), xytext=(4.0, 0.0),
                textcoords="offset points", va="center", color=GREY, fontsize=_SIZE,
            )  # fmt: skip


def _global_levels(axes: Axes, levels: Mapping[float, float]) -> None:
    """Lines of global significance; a name that would run into the last one is left out."""
    last = np.inf
    for z, p in levels.items():
        axes.axhline(p, color=BLACK, linewidth=1.0, linestyle="--", zorder=0.6)
        if last / p > 10.0**_CLOSE:
            axes.annotate(
                f"{z:g} σ global", (0.985, p), xycoords=("axes fraction", "data"),
                xytext=(0.0, 2.0), textcoords="offset points", ha="right", va="bottom",
                color=BLACK, fontsize=_SIZE,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
            )  # fmt: skip
            last = p


def crossings_figure(table: GlobalTable) -> Drawing:
    """Mean number of up-crossings against the level, with the fitted law.

    Raises
    ------
    OptionError
        The record counted none.
    """
    found = table.crossings
    if found is None:
        raise OptionError(f"{table.name}: the record has no up-crossings")
    u, means, errors = (np.array(v) for v in (found.levels_u, found.means, found.errors))
    used = np.array(found.used)
    with style():
        figure = canvas()
        axes = figure.add_subplot()
        axes.set_yscale("log")
        if found.curve_low:
            axes.fill_between(
                found.curve_u, found.curve_low, found.curve_high, color=BAND_2, linewidth=0.0,
                label="error of the law",
            )  # fmt: skip
        if found.curve_u:
            law = (
                r"fitted law, $\propto e^{-u/2}$"
                if _is_exponential(found.curve_u, found.curve)
                else "fitted law"
            )
            axes.plot(found.curve_u, found.curve, color=BLUE, label=law)
        for mask, face, words in ((used, BLACK, "counted, fitted"), (~used, "white", "counted")):
            good = mask & (means > 0.0)
            if good.any():
                low = np.minimum(errors[good], 0.999 * means[good])
                axes.errorbar(
                    u[good], means[good], yerr=[low, errors[good]], color=BLACK, marker="o",
                    markersize=5.0, markerfacecolor=face, linestyle="none", linewidth=1.1,
                    label=words, zorder=4.0,
                )  # fmt: skip
        if found.observed_u is not None:
            axes.axvline(
                found.observed_u, color=VERMILION, linewidth=1.2, linestyle="--",
                label=f"largest excess, {np.sqrt(found.observed_u):.1f} σ local",
            )  # fmt: skip
        shown = np.concatenate([means[means > 0.0], np.array(found.curve)])
        axes.set_ylim(0.4 * float(shown[shown > 0.0].min()), 6.0 * float(shown.max()))
        axes.set_xlabel("level $u = z^{2}$")
        number_of = "number of " if found.quantity == "up-crossings" else ""
        axes.set_ylabel(f"mean {number_of}{plain_name(found.quantity)}")
        _header(axes, table)
        handles, labels = axes.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda k: not labels[k].startswith("counted"))
        axes.legend(
            [handles[k] for k in order], [labels[k] for k in order], loc="upper right",
            frameon=True, framealpha=1.0, edgecolor="none",
        )  # fmt: skip
    columns: dict[str, Sequence[Any]] = {
        "level_u": list(found.levels_u),
        "mean": list(found.means),
        "error": list(found.errors),
        "fitted": [int(one) for one in found.used],
        "curve_u": list(found.curve_u),
        "curve": list(found.curve),
        "curve_low": list(found.curve_low),
        "curve_high": list(found.curve_high),
    }
    return Drawing(figure=figure, columns=columns)


def _is_exponential(u: tuple[float, ...], curve: tuple[float, ...]) -> bool:
    """Whether a curve is the law of up-crossings on a line."""
    scaled = np.array(curve) * np.exp(0.5 * np.array(u))
    return bool(scaled.size > 1 and np.ptp(scaled) < 1e-6 * scaled.max())


def methods_figure(table: GlobalTable) -> Drawing:
    """Global p-value by each method, with error bars, and the numbers beside them.

    Raises
    ------
    OptionError
        The record compares no methods.
    """
    methods = table.methods
    if not methods:
        raise OptionError(f"{table.name}: the record compares no methods")
    values = [_shown(one) for one in methods]
    low = min(value - min(error, 0.9 * value) for value, error in values)
    high = max(1.02 * low, *(value + error for value, error in values))
    with style():
        rows = [_cells(one) for one in methods]
        figure = canvas(8.4, 1.9 + 0.42 * len(methods))
        widths = _column_widths(figure, [_HEADS, *rows])
        names = max(_width(figure, plain_name(one.method), 11.0) for one in methods)
        plot = max(8.4 - names - sum(widths) - _MARGINS, 2.2)
        axes, table_axes = figure.subplots(1, 2, width_ratios=[plot, sum(widths)], sharey=True)
        if high < 8.0 * low:
            axes.set_xlim(max(0.0, low - 0.6 * (high - low)), min(1.0, high + 0.6 * (high - low)))
            axes.locator_params(axis="x", nbins=4)
        else:
            axes.set_xscale("log")
            axes.set_xlim(0.3 * low, min(3.0 * high, 1.5))
            axes.xaxis.set_minor_formatter("")
        axes.set_ylim(len(methods) + 0.2, -1.2)
        starts = np.cumsum([0.0, *widths[:-1]]) / sum(widths)
        for row, (one, (value, error)) in enumerate(zip(methods, values, strict=True)):
            _bar(axes, row, one, value, error)
            for x, text in zip(starts, rows[row], strict=True):
                table_axes.text(
                    x, row, text, transform=table_axes.get_yaxis_transform(), va="center",
                    color=BLACK if one.valid else GREY, fontsize=_SIZE, in_layout=False,
                )  # fmt: skip
        axes.set_yticks(range(len(methods)), [plain_name(one.method) for one in methods])
        axes.tick_params(axis="y", which="both", length=0.0)
        axes.yaxis.set_tick_params(which="minor", left=False, right=False)
        axes.set_xlabel("global p-value")
        table_axes.set_axis_off()
        for x, words in zip(starts, _HEADS, strict=True):
            table_axes.text(x, 0.985, words, transform=table_axes.transAxes, va="top",
                            fontsize=_SIZE, color=GREY, in_layout=False)  # fmt: skip
        excess = _excess_words(table)
        if _width(figure, excess) > sum(widths):
            excess = excess.replace("; ", ";\n")
        table_axes.text(
            0.0, 0.02, excess, transform=table_axes.transAxes, va="bottom",
            fontsize=_SIZE, in_layout=False,
        )  # fmt: skip
        _header(axes, table, right_axes=table_axes)
    columns: dict[str, Sequence[Any]] = {
        "method": [one.method for one in methods],
        "p_global": [one.p_global for one in methods],
        "error": [one.error for one in methods],
        "below_95": [one.below for one in methods],
        "z_global": [one.z_global for one in methods],
        "valid": [int(one.valid) for one in methods],
        "extrapolated": [int(one.extrapolated) for one in methods],
    }
    return Drawing(figure=figure, columns=columns)


_HEADS = ("global p-value", "significance", "conditions")
#: Inches that edges, ticks and the gap beside the table take, and those between its columns.
_MARGINS, _BETWEEN = 0.55, 0.22


def _width(figure: Figure, words: str, size: float = _SIZE) -> float:
    """Width of words, inches."""
    text = figure.text(0.0, 0.0, words, fontsize=size)
    width = text.get_window_extent().width / figure.dpi
    text.remove()
    return float(width)


def _column_widths(figure: Figure, rows: Sequence[Sequence[str]]) -> list[float]:
    """Widths of the columns of a table that its words ask for, inches."""
    found = [max(_width(figure, words) for words in column) for column in zip(*rows, strict=True)]
    return [*(width + _BETWEEN for width in found[:-1]), found[-1]]


def _excess_words(table: GlobalTable) -> str:
    """The largest excess, by its window alone and in toys of the spectrum."""
    words = f"largest excess: {number(table.z_local, 3)} σ local, p = {p_number(table.p_local)}"
    toys = table.windows.get(table.point)
    if toys is None or not toys.certified:
        return words
    if not toys.above:
        return f"{words}; in toys < {p_number(3.0 / toys.certified)}"
    return f"{words}; in toys {p_and_error(toys.p, toys.error)}"


def _shown(one: MethodResult) -> tuple[float, float]:
    value = one.p_global if one.p_global is not None else one.below
    if value is None or value <= 0.0:
        raise OptionError(f"{one.method}: neither a global p-value nor a bound")
    return value, one.error or 0.0


def _bar(axes: Axes, row: int, one: MethodResult, value: float, error: float) -> None:
    color = BLACK if one.valid else GREY
    if one.p_global is None:
        axes.annotate(
            "", (0.45 * value, row), xytext=(value, row),
            arrowprops={"arrowstyle": "->", "color": color, "linewidth": 1.3},
        )  # fmt: skip
        axes.plot([value], [row], marker="|", markersize=9.0, color=color)
        return
    axes.errorbar(
        [value], [row], xerr=[[min(error, 0.95 * value)], [error]], color=color, linestyle="none",
        capsize=3.0, linewidth=1.3,
    )  # fmt: skip
    axes.plot(
        [value], [row], color=color, marker="o", markersize=5.5, linestyle="none", zorder=4,
        markerfacecolor="white" if one.extrapolated or not one.valid else color, clip_on=False,
    )  # fmt: skip


def _cells(one: MethodResult) -> tuple[str, str, str]:
    """What the table says of a method: p-value, significance, whether its conditions hold."""
    if one.p_global is None:
        p, z = f"< {p_number(one.below)}, 95 %", f"> {_z(one.z_global)}"
    else:
        p, z = p_and_error(one.p_global, one.error), _z(one.z_global)
    words = "met" if one.valid else "not met"
    return p, z, f"{words}, extrapolated" if one.extrapolated else words


def _z(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2f} σ".replace("-", "−")
