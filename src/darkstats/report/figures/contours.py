"""Exclusion contours in the plane of two masses: observed, expected, and the bands of these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.report.contour_exports import contour_columns
from darkstats.report.contour_plane import difference_of
from darkstats.report.figures.coupling_limits import outside_legend
from darkstats.report.figures.scan_words import at_axis, axis_symbol, axis_title
from darkstats.report.figures.style import (
    BAND_1,
    BAND_2,
    BLACK,
    GREY,
    VERMILION,
    Drawing,
    canvas,
    header_words,
    plain_name,
    style,
    typeset,
)
from darkstats.report.methods import method_name
from darkstats.report.numbers import level_words
from darkstats.scan.contours import between

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.report.contour_results import Contours

__all__ = ["contours_figure"]

#: Lower and upper curve of each band, by index; colour, words.
_BANDS = ((1, 5, BAND_2, "expected ± 2 σ"), (2, 4, BAND_1, "expected ± 1 σ"))
#: Curves that are lines, by index; their look.
_LINES = ((3, {"linestyle": "--", "linewidth": 1.4}), (0, {"linestyle": "-", "linewidth": 1.9}))
_MARKERS = (".", "+", "^", "v", "s", "D")


def contours_figure(contours: Contours) -> Drawing:
    """Draw contours over the hypotheses that they are made from.

    Parameters
    ----------
    contours
        Of one or several scans.
    """
    with style():
        figure = canvas(6.4, 5.6)
        axes = figure.add_subplot()
        _draw_bands(axes, contours)
        _draw_hypotheses(axes, contours)
        for k, look in _LINES:
            _draw_line(axes, contours, k, look, ticks=[k] == _drawn(contours)[-1:])
        axes.set_xlabel(axis_title(contours.axes[0].words))
        axes.set_ylabel(axis_title(contours.axes[1].words))
        low, high = contours.grid.places.min(axis=0), contours.grid.places.max(axis=0)
        room = 0.03 * (high - low)
        axes.set_xlim(float(low[0] - room[0]), float(high[0] + room[0]))
        axes.set_ylim(float(low[1] - room[1]), float(high[1] + room[1]))
        title = re.sub(r",? *simulated(?=$|;)", "", contours.title, flags=re.IGNORECASE)
        simulated = contours.simulated is True
        header_words(axes, typeset(title), simulated=simulated, right=_where(contours))
        outside_legend(axes, "\n".join(_title(contours)))
    return Drawing(figure=figure, columns=contour_columns(contours))


def _where(contours: Contours) -> str:
    words = contours.table.label_words
    found = []
    for one in contours.where:
        axis = words[one.label]
        if one.minus is not None:
            axis = difference_of(axis, words[one.minus])
        if isinstance(one.value, str):
            found.append(f"{axis_symbol(axis)} = {plain_name(one.value)}")
        else:
            found.append(at_axis(axis, float(one.value)))
    return ", ".join(found)


def _title(contours: Contours) -> list[str]:
    """Level, method, what is interpolated, which scans: lines above the entries of the legend."""
    table = contours.table
    what = r"log $\mu$ limit, contour at $\mu$ = 1"
    if contours.quantity == "cls":
        what = rf"log CL$_{{s}}$, contour at CL$_{{s}}$ = {contours.level:.3g}"
    words = [level_words(table.method, table.cl), method_name(table.method).figure]
    if table.method != "bayes":
        words.append(plain_name(table.calculator))
    lines = [
        ", ".join(words),
        *(["ticks on the side that is excluded"] if _drawn(contours) else []),
        f"interpolated on a Delaunay triangulation: {what}",
    ]
    if len(contours.regions) > 1:
        names = ", ".join(plain_name(typeset(one.name)) for one in contours.regions)
        lines.append(f"at each hypothesis the strongest expected of {names}")
    if contours.undecided:
        n = len({one.place for one in contours.undecided})
        lines.append(f"a scan without a number is passed over at {n} hypotheses")
    if any(curve.reason for curve in contours.curves):
        lines += [f"no contour {c.words}: {c.reason}" for c in contours.curves if c.reason]
    return lines


def _draw_bands(axes: Axes, contours: Contours) -> None:
    from matplotlib.collections import PolyCollection

    for low, high, colour, words in _BANDS:
        parts = between(contours.grid, contours.logs[high], contours.logs[low])
        if not parts:
            continue
        axes.add_collection(
            PolyCollection(
                [np.asarray(part) for part in parts], facecolors=colour, edgecolors=colour,
                linewidths=0.8, zorder=1.0 + 0.1 * (low == 2), label=words,
            )
        )  # fmt: skip


def _drawn(contours: Contours) -> list[int]:
    """Which of the lines there are, the observed one last."""
    return [k for k, _ in _LINES if contours.curves[k].pieces]


def _draw_line(
    axes: Axes, contours: Contours, k: int, look: Mapping[str, Any], *, ticks: bool
) -> None:
    """Draw a curve; what is excluded lies on the left of its pieces, and so do the ticks."""
    from matplotlib.patheffects import withTickedStroke

    curve = contours.curves[k]
    effects = [withTickedStroke(spacing=9.0, angle=90.0, length=0.5, linewidth=0.8)]
    for n, piece in enumerate(curve.pieces):
        vertices = piece.vertices
        if piece.closed:
            vertices = np.vstack([vertices, vertices[:1]])
        label = curve.words.replace(",", "") if n == 0 else None
        axes.plot(
            vertices[:, 0],
            vertices[:, 1],
            color=BLACK,
            zorder=3.0,
            label=label,
            path_effects=effects if ticks else None,
            **look,
        )


def _draw_hypotheses(axes: Axes, contours: Contours) -> None:
    """Mark hypotheses by the scan that was chosen, those left out, and the edge of the grid."""
    places = contours.grid.places
    look: dict[str, Any] = {"linestyle": "none", "zorder": 2.0}
    several = len(contours.regions) > 1
    for k, region in enumerate(contours.regions):
        chosen = places[[point.region == k for point in contours.points]]
        if not len(chosen):
            continue
        marker: dict[str, Any] = {"marker": _MARKERS[k % len(_MARKERS)], "markersize": 4.0}
        words = plain_name(typeset(region.name)) if several else "hypotheses"
        axes.plot(
            chosen[:, 0], chosen[:, 1], color=GREY, markeredgewidth=0.7, label=words, **marker,
            **look,
        )  # fmt: skip
    lost = np.array(list(dict.fromkeys(one.place for one in contours.left_out)))
    if len(lost):
        axes.plot(
            lost[:, 0], lost[:, 1], marker="x", color=VERMILION, label=f"left out: {len(lost)}",
            **look,
        )  # fmt: skip
    for n, edge in enumerate(contours.grid.edge_of_the_grid):
        ends = places[list(edge)]
        axes.plot(
            ends[:, 0], ends[:, 1], color=GREY, linestyle=":", linewidth=0.8, zorder=1.5,
            label="edge of the grid" if n == 0 else None,
        )  # fmt: skip
