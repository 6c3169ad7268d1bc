"""Projections of one search under several assumptions on its systematic errors, side by side."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.report.figures.comparisons import (
    LUMINOSITY_WORDS,
    draw_medians,
    median_range,
)
from darkstats.report.figures.coupling_limits import (
    Favoured,
    draw_favoured,
    mass_axis,
    mass_range_of,
    outside_legend,
)
from darkstats.report.figures.overlay import constraint_columns, draw_regions, name_regions
from darkstats.report.figures.scan_words import (
    axis_title,
    limits_title,
    method_words,
    scan_header,
    typeset,
)
from darkstats.report.figures.style import Drawing, canvas, style

if TYPE_CHECKING:
    from darkstats.report.constraints.curve import Constraint
    from darkstats.report.scan_table import ScanTable

__all__ = ["scenarios_figure"]

_LINE = 44  # characters of a statement in a panel
_ROOM = 6.0  # of the axis below all curves, for the statements


def scenarios_figure(
    scenarios: Mapping[str, Sequence[ScanTable]],
    *,
    coupling: str | None = None,
    label: str | None = None,
    notes: Sequence[str] = (),
    constraints: Sequence[Constraint] = (),
    favoured: Sequence[Favoured] = (),
) -> Drawing:
    """Median expected limits at the same luminosities, a panel for each statement.

    Parameters
    ----------
    scenarios
        Scans over one mass, each with its luminosity, by what becomes of systematic errors.
    coupling, label, notes, constraints, favoured
        As in :func:`~darkstats.report.figures.comparisons.projections_figure`.

    Raises
    ------
    OptionError
        Fewer than two scenarios, other luminosities in one than in another, or scans over
        different masses or at different levels, or no expected limit.
    """
    tables = [table for scans in scenarios.values() for table in scans]
    if len(scenarios) < 2:
        raise OptionError("scenarios side by side need two or more, of different --systematics")
    if len({(one.name, one.axes, one.method, one.cl) for one in tables}) > 1 or any(
        one.dimension != 1 for one in tables
    ):
        raise OptionError("scenarios are those of one search over one mass, at one level")
    luminosities = {tuple(sorted(one.luminosity_ipb or 0.0 for one in scans))
                    for scans in scenarios.values()}  # fmt: skip
    if len(luminosities) > 1 or 0.0 in next(iter(luminosities)):
        raise OptionError("scenarios need the same luminosities, each of them said")
    mass = np.concatenate([one.first_coordinate for one in tables])
    low, high = median_range(tables, coupling, favoured)
    columns: dict[str, list[Any]] = {
        key: [] for key in ("systematics", "luminosity_ipb", "mass_gev", "expected_median")
    }
    with style():
        figure = canvas(1.6 + 3.6 * len(scenarios), 5.6)
        panels = figure.subplots(1, len(scenarios), sharey=True, squeeze=False)[0]
        overlays = []
        for axes, (statement, scans) in zip(panels, scenarios.items(), strict=True):
            mass_axis(axes, mass_range_of(mass, room=1.15), mass)
            axes.set_yscale("log")
            axes.set_ylim(low / _ROOM, 2.0 * high)
            overlays.append(draw_regions(axes, constraints))
            ordered = sorted(scans, key=lambda one: one.luminosity_ipb or 0.0)
            draw_medians(axes, ordered, coupling)
            for table in ordered:
                median = table.limits_on(coupling).median
                columns["systematics"] += [statement] * len(median)
                columns["luminosity_ipb"] += [table.luminosity_ipb] * len(median)
                columns["mass_gev"] += table.first_coordinate.tolist()
                columns["expected_median"] += median.tolist()
            for k, band in enumerate(favoured):
                draw_favoured(axes, band, k)
            axes.set_xlabel(axis_title(table.axis_words[0]))
            words = "\n".join(textwrap.wrap(typeset(statement), _LINE))
            axes.text(0.5, 0.03, words, transform=axes.transAxes, ha="center", va="bottom",
                      fontsize=9.0, zorder=5.0)  # fmt: skip
        first = tables[0]
        panels[0].set_ylabel(limits_title(first, first.limits_on(coupling), label))
        title = re.sub(LUMINOSITY_WORDS, "", first.title)
        scan_header(panels[0], replace(first, title=title), right_axes=panels[-1])
        words = "\n".join([method_words(first), *map(typeset, notes)])
        name_regions(panels[0], overlays[0], lambda: outside_legend(panels[0], words))
    return Drawing(figure=figure, columns=columns | constraint_columns(overlays[0].constraints))
