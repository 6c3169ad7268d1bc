"""Mixing up to which limits of dark Higgsstrahlung hold, in the plane of both masses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.report.dark_higgs import dark_higgs_columns
from darkstats.report.figures.coupling_limits import outside_legend
from darkstats.report.figures.plane_cells import cells_of, plane_axes, without_notches
from darkstats.report.figures.planes import fill_cells
from darkstats.report.figures.scan_words import axis_title, scan_header
from darkstats.report.figures.style import BLACK, BLUE, Drawing, canvas, style
from darkstats.report.numbers import level_words

if TYPE_CHECKING:
    from darkstats.report.dark_higgs import DarkHiggs

__all__ = ["MAPS", "dark_higgs_figure"]

#: What may be drawn, and its title.
MAPS = {
    "holds": r"half of h′ or more escape up to $\sin\theta$ of",
    "excluded": r"excluded up to $\sin\theta$ of",
}


def dark_higgs_figure(found: DarkHiggs, what: str) -> Drawing:
    """Colour the mixing at each hypothesis, with the boundaries of h' -> A' A'.

    Parameters
    ----------
    found
        What was read, with a number at one hypothesis or more.
    what
        One of :data:`MAPS`.
    """
    table = found.table
    picked = [one.holds_to if what == "holds" else one.excluded_to for one in found.points]
    values = np.array([math.nan if value is None else value for value in picked])
    cells = without_notches(cells_of(table), table.coordinates)
    with style():
        figure = canvas(7.0, 5.8)
        axes = figure.add_subplot()
        drawn, _ = fill_cells(axes, cells, values, symmetric=False)
        plane_axes(axes, cells)
        low, high = cells.ends
        ends = np.array([float(low[0]), float(high[0])])
        for times, color, dashes, words in (
            (1.0, BLACK, "--", r"$M_{h^{\prime}} = M_{A^{\prime}}$: long-lived below"),
            (2.0, BLUE, ":", r"$M_{h^{\prime}} = 2 M_{A^{\prime}}$: visible above"),
        ):
            if times * ends[0] < high[1]:
                axes.plot(ends, times * ends, color=color, linestyle=dashes, label=words)
        axes.set_xlabel(axis_title(table.axis_words[0]))
        axes.set_ylabel(axis_title(table.axis_words[1]))
        figure.colorbar(drawn, ax=axes, pad=0.02).set_label(MAPS[what])
        scan_header(axes, table)
        lines = [
            f"{level_words(table.method, table.cl)}, {found.curve} limits; h′ decays by mixing, "
            f"unseen beyond {found.far_mm:g} mm"
        ]
        if what == "excluded" and found.product is not None:
            lines.append(rf"for $\varepsilon^2 \alpha_D$ = {found.product:g}")
        lost = int(np.isnan(values).sum())
        if lost:
            lines.append(f"hatched: {lost} of {len(values)} without a number")
        outside_legend(axes, "\n".join(lines))
    return Drawing(figure=figure, columns=dark_higgs_columns(found))
