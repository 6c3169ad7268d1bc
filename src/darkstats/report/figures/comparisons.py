"""Several scans in one figure: projections to other luminosities, ratios to published limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.report.figures.coupling_limits import (
    Favoured,
    draw_favoured,
    markers,
    mass_axis,
    mass_range_of,
    outside_legend,
)
from darkstats.report.figures.gaps import torn
from darkstats.report.figures.overlay import constraint_columns, draw_regions, name_regions
from darkstats.report.figures.scan_words import (
    axis_title,
    limits_title,
    luminosity,
    method_words,
    scan_header,
    typeset,
)
from darkstats.report.figures.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    Drawing,
    canvas,
    header_words,
    plain_name,
    style,
)
from darkstats.report.figures.wide import draw_wide_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.arrays import FloatArray
    from darkstats.report.constraints.curve import Constraint
    from darkstats.report.scan_table import ScanTable

__all__ = [
    "LINE_LOOKS",
    "LUMINOSITY_WORDS",
    "RatioCurve",
    "projections_figure",
    "ratios_figure",
]

#: Colour and dashes of curves, in their order.
LINE_LOOKS = (
    (BLACK, "-"), (BLUE, (0, (6, 2))), ("#56b4e9", (0, (6, 1.5, 1, 1.5))),
    (ORANGE, (0, (4, 1, 1, 1, 1, 1))), ("#882255", (0, (1, 1))), ("#44aa99", (0, (10, 2))),
)  # fmt: skip
#: What a title says of one luminosity, where the figure has several.
LUMINOSITY_WORDS = re.compile(r"; projected to .*$|,? *[\d.]+ [fpa]b\^-1")
_MARKERS = ("o", "s", "^", "D", "v", "P")


def median_range(
    tables: Sequence[ScanTable], coupling: str | None, favoured: Sequence[Favoured]
) -> tuple[float, float]:
    """Lowest and highest of the median expected limits, and of the lower edges of bands.

    Raises
    ------
    OptionError
        There are no expected limits.
    """
    values = np.concatenate([table.limits_on(coupling).median for table in tables])
    values = values[np.isfinite(values)]
    if not values.size:
        raise OptionError("there are no expected limits to draw")
    edges = np.concatenate([np.empty(0), *(band.low for band in favoured)])
    return min([float(values.min()), *edges[np.isfinite(edges)].tolist()]), float(values.max())


def draw_medians(axes: Axes, tables: Sequence[ScanTable], coupling: str | None) -> None:
    """Draw a median expected limit for each luminosity, in the order of the scans."""
    for table, (color, dashes) in zip(tables, LINE_LOOKS, strict=False):
        limits = table.limits_on(coupling)
        wide = limits.too_wide
        median = np.where(wide, np.nan, limits.median)
        name = f"expected, {luminosity(table.luminosity_ipb or 0.0)}"
        axes.plot(*torn(table.first_coordinate, median), color=color, linestyle=dashes,
                  linewidth=1.5, label=name, zorder=3.0,
                  **markers(table.first_coordinate, median))  # fmt: skip
        draw_wide_line(axes, table.first_coordinate, limits.median, wide, color=color)


def projections_figure(
    tables: Sequence[ScanTable],
    *,
    coupling: str | None = None,
    label: str | None = None,
    notes: Sequence[str] = (),
    observed: bool = True,
    constraints: Sequence[Constraint] = (),
    favoured: Sequence[Favoured] = (),
) -> Drawing:
    """Median expected limits of one search at several luminosities.

    Parameters
    ----------
    tables
        Scans over one mass, each with its luminosity.
    coupling
        Key of the quantity; by default the first coupling.
    label
        Its title, in LaTeX.
    notes
        What the conversion rests on, how systematic uncertainties scale: a line of the legend each.
    observed
        Whether to draw the observed limit of the scan with the smallest luminosity.
    constraints, favoured
        As in :func:`~darkstats.report.figures.coupling_limits.mass_limits_figure`.

    Raises
    ------
    OptionError
        Fewer than two scans, scans over different masses or at different levels, a scan without
        its luminosity, or no expected limit.
    """
    if len(tables) < 2:
        raise OptionError("projections need two scans or more, at different luminosities")
    same = {(table.axes, table.method, table.cl) for table in tables}
    if len(same) > 1 or tables[0].dimension != 1:
        raise OptionError("projections compare scans over the same one mass, method and level")
    if any(table.luminosity_ipb is None for table in tables):
        raise OptionError("a scan without luminosity_ipb has no place among projections")
    ordered = sorted(tables, key=lambda table: table.luminosity_ipb or 0.0)
    limits = [table.limits_on(coupling) for table in ordered]
    mass = np.concatenate([table.first_coordinate for table in ordered])
    low, high = median_range(ordered, coupling, favoured)
    columns: dict[str, list[Any]] = {}
    with style():
        figure = canvas(6.8, 6.0)
        axes = figure.add_subplot()
        mass_axis(axes, mass_range_of(mass, room=1.15), mass)
        axes.set_yscale("log")
        axes.set_ylim(low / 1.6, 2.0 * high)
        overlay = draw_regions(axes, constraints)
        draw_medians(axes, ordered, coupling)
        for table, one in zip(ordered, limits, strict=True):
            key = f"{table.luminosity_ipb:g}_ipb"
            columns[f"{table.axes[0]}_{key}"] = table.first_coordinate.tolist()
            columns[f"expected_median_{key}"] = one.median.tolist()
        observed = observed and ordered[0].is_shown(limits[0])
        if observed and np.isfinite(limits[0].observed).any():
            wide = limits[0].too_wide
            held = limits[0].only(~wide)
            axes.plot(
                *torn(ordered[0].first_coordinate, held.observed), color=GREY,
                linewidth=0.8, zorder=2.8,
                label=f"{ordered[0].observed_name}, {luminosity(ordered[0].luminosity_ipb or 0.0)}",
            )  # fmt: skip
            draw_wide_line(axes, ordered[0].first_coordinate, limits[0].observed, wide, color=GREY)
            columns["observed"] = limits[0].observed.tolist()
        for k, band in enumerate(favoured):
            draw_favoured(axes, band, k)
        axes.set_xlabel(axis_title(ordered[0].axis_words[0]))
        axes.set_ylabel(limits_title(ordered[0], limits[0], label))
        title = re.sub(LUMINOSITY_WORDS, "", ordered[0].title)
        scan_header(axes, replace(ordered[0], title=title))
        title = "\n".join([method_words(ordered[0]), *map(typeset, notes)])
        name_regions(axes, overlay, lambda: outside_legend(axes, title))
    return Drawing(figure=figure, columns=columns | constraint_columns(overlay.constraints))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RatioCurve:
    """Expected over published limit of one search.

    Parameters
    ----------
    search, label
        The panel it goes to, and its name in the legend.
    mass_gev, ratio
        Shape [point]; ``nan`` is a gap.
    calibrated
        Whether a factor was fitted to the published limit.
    """

    search: str
    label: str
    mass_gev: FloatArray = field(repr=False)
    ratio: FloatArray = field(repr=False)
    calibrated: bool = False


def ratios_figure(
    curves: Sequence[RatioCurve], *, quantity: str, simulated: bool, title: str = ""
) -> Drawing:
    """Ratios of expected to published limits against mass, a panel for each search.

    Parameters
    ----------
    curves
        Curves of all searches.
    quantity
        What the ratio is of, for the axis.
    simulated
        Whether the expected limits come from simulation.
    title
        Above the first panel.

    Raises
    ------
    OptionError
        There is no curve, or none with a number.
    """
    searches = list(dict.fromkeys(curve.search for curve in curves))
    finite = np.concatenate([np.empty(0), *(curve.ratio for curve in curves)])
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        raise OptionError("there are no ratios to draw")
    columns: dict[str, list[Any]] = {
        key: [] for key in ("search", "curve", "calibrated", "mass_gev", "ratio")
    }
    low = min(0.5, 0.9 * float(finite.min()))
    high = max(1.25, 1.05 * float(finite.max()))
    with style():
        figure = canvas(1.2 + 3.2 * len(searches), 4.2)
        figure.set_layout_engine("constrained", w_pad=0.09)  # numbers of two panels keep apart
        panels = figure.subplots(1, len(searches), sharey=True, squeeze=False)[0]
        for axes, search in zip(panels, searches, strict=True):
            mine = [curve for curve in curves if curve.search == search]
            mass = np.concatenate([curve.mass_gev for curve in mine])
            mass_axis(axes, mass_range_of(mass, room=1.2), mass)
            axes.axhspan(
                0.8, 1.2, color="#eeeeee", linewidth=0.0, zorder=0.4,
                label="± 20 %" if axes is panels[0] else None,
            )  # fmt: skip
            axes.axhline(1.0, color=GREY, linewidth=0.8, zorder=0.5)
            for k, curve in enumerate(mine):
                color = LINE_LOOKS[k % len(LINE_LOOKS)][0]
                axes.plot(
                    curve.mass_gev, curve.ratio, color=color, marker=_MARKERS[k % len(_MARKERS)],
                    markersize=4.0, markerfacecolor="white" if curve.calibrated else color,
                    linestyle="--" if curve.calibrated else "-", linewidth=1.0,
                    label=plain_name(curve.label),
                )  # fmt: skip
                columns["search"] += [search] * len(curve.ratio)
                columns["curve"] += [curve.label] * len(curve.ratio)
                columns["calibrated"] += [int(curve.calibrated)] * len(curve.ratio)
                columns["mass_gev"] += curve.mass_gev.tolist()
                columns["ratio"] += curve.ratio.tolist()
            axes.set_ylim(low, high + 0.35 * (high - low))
            axes.set_xlabel("mass [GeV]")
            axes.legend(
                loc="upper left", title=typeset(search), alignment="left", fontsize=9.0,
                title_fontsize=9.5,
            )  # fmt: skip
        panels[0].set_ylabel(f"expected / published, {quantity}")
        header_words(panels[0], typeset(title), simulated=simulated, right_axes=panels[-1])
    return Drawing(figure=figure, columns=columns)
