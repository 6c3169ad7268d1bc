"""Where a mediator is visible, invisible or long-lived, in the plane of its mass and coupling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.report.figures.coupling_limits import mass_axis, outside_legend
from darkstats.report.figures.recasts import interval_lines
from darkstats.report.figures.regimes import FILLS
from darkstats.report.figures.style import (
    BLACK,
    BLUE,
    VERMILION,
    Drawing,
    canvas,
    header_words,
    style,
    typeset,
)
from darkstats.report.recasts import regime_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.arrays import BoolArray
    from darkstats.reinterpret.regimes import Boundaries, RegimeMap
    from darkstats.report.recasts import Recast

__all__ = ["decay_map_figure"]

_LEAST = 0.03  # part of the picture that a regime takes to have its name in it


def decay_map_figure(
    found: Recast, drawn: RegimeMap, edges: Sequence[Boundaries], names: Sequence[str]
) -> Drawing:
    """Colour the regime with the largest share, with the excluded couplings of a recast.

    Parameters
    ----------
    found
        The recast, with its boundaries of regimes, which are the numbers of the figure.
    drawn
        Shares on a grid of masses and couplings.
    edges
        Couplings between the regimes at the masses of the grid.
    names
        Of the regimes, in the order of the shares.
    """
    from matplotlib.colors import ListedColormap

    with style():
        figure = canvas(6.8, 6.0)
        axes = figure.add_subplot()
        mass_axis(axes, (float(drawn.masses_gev[0]), float(drawn.masses_gev[-1])), None)
        axes.set_yscale("log")
        axes.set_ylim(float(drawn.couplings[0]), float(drawn.couplings[-1]))
        known = np.isfinite(drawn.shares).all(axis=0)
        largest = np.argmax(np.where(known, drawn.shares, -1.0), axis=0)
        axes.pcolormesh(
            drawn.masses_gev, drawn.couplings, np.where(known, largest, np.nan).T,
            cmap=ListedColormap([FILLS[name] for name in names]), vmin=-0.5, vmax=len(names) - 0.5,
            shading="nearest", rasterized=True, zorder=0.5,
        )  # fmt: skip
        for k, name in enumerate(names):
            _name(axes, drawn, (largest == k) & known, name)
        near, far = drawn.geometry.near_mm, drawn.geometry.far_mm
        for pick, dashes, words in (
            ("visible_from", "-", f"half of what can be seen decays within {near:g} mm"),
            ("escapes_to", "--", f"half of what can be seen decays beyond {far:g} mm"),
            ("invisible_to", ":", "half of all decays are invisible"),
        ):
            _boundary(axes, edges, pick, dashes, words)
        labels = {True: "end of the excluded couplings", False: "end of what is known"}
        for x, y, known_end in interval_lines(found.first):
            axes.plot(
                x, y, color=VERMILION, linewidth=1.6, linestyle="-" if known_end else ":",
                zorder=3.0, label=labels.pop(known_end, None),
            )  # fmt: skip
        axes.set_xlabel(f"{found.target.mass_label} [GeV]")
        axes.set_ylabel(found.target.label)
        header_words(
            axes, typeset(found.target.words), simulated=found.limit.simulated is True,
            right=found.limit.level,
        )  # fmt: skip
        outside_legend(axes, typeset(f"production: {found.search['production']}"))
    return Drawing(figure=figure, columns=regime_columns(found.boundaries))


def _boundary(axes: Axes, rows: Sequence[Boundaries], pick: str, dashes: str, words: str) -> None:
    values = np.array(
        [math.nan if (v := getattr(row, pick)) is None or v == 0.0 else v for row in rows]
    )
    values[~np.isfinite(values)] = math.nan
    low, high = axes.get_ylim()
    if not np.any((values > low) & (values < high)):
        return
    color = BLUE if pick == "invisible_to" else BLACK
    mass = [row.mass_gev for row in rows]
    axes.plot(mass, values, color=color, linestyle=dashes, linewidth=1.2, zorder=2.0, label=words)


def _name(axes: Axes, drawn: RegimeMap, inside: Any, name: str) -> None:  # noqa: ANN401 -- a mask
    """Write the name of a regime where it has most room."""
    if inside.mean() < _LEAST:
        return
    place = _middle(inside)
    axes.text(
        float(drawn.masses_gev[place[0]]), float(drawn.couplings[place[1]]), name, ha="center",
        va="center", fontsize=12.0, color=BLACK, zorder=2.5,
        bbox={"facecolor": FILLS[name], "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _middle(inside: Any) -> tuple[int, int]:  # noqa: ANN401 -- a mask
    """Cell of a region that is farthest from its edge, by eroding it."""
    left: BoolArray = np.pad(np.asarray(inside, dtype=bool), 1)
    last = left
    while left.any():
        last = left
        inner = left[1:-1, 1:-1] & left[:-2, 1:-1] & left[2:, 1:-1]
        left = np.pad(inner & left[1:-1, :-2] & left[1:-1, 2:], 1)
    cells = np.argwhere(last) - 1
    first, second = cells[len(cells) // 2]
    return int(first), int(second)
