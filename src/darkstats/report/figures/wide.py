"""Limits on couplings at which the boson is too wide for them to hold: dotted, without bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.report.figures.gaps import torn
from darkstats.report.figures.style import BLACK, GREY
from darkstats.signals.constants import NARROW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.report.scan_table import Limits

__all__ = ["TOO_WIDE", "draw_wide", "draw_wide_line", "with_neighbours"]

#: Of what does not hold, for legends.
TOO_WIDE = f"width above {NARROW:g} of the mass: does not hold"


def with_neighbours(wide: BoolArray) -> BoolArray:
    """The same and the hypotheses beside them, so that a line goes on where another one ends."""
    found = wide.copy()
    found[1:] |= wide[:-1]
    found[:-1] |= wide[1:]
    return found


def draw_wide_line(
    axes: Axes, mass: FloatArray, values: FloatArray, wide: BoolArray, *, color: str
) -> None:
    """Draw what does not hold of a curve; nothing where all of it holds. Shapes [point]."""
    shown = np.where(with_neighbours(wide), values, np.nan)
    if np.isfinite(shown[wide]).any():
        axes.plot(
            *torn(mass, shown),
            color=color,
            linestyle=":",
            linewidth=1.3,
            label=TOO_WIDE,
            zorder=2.9,
        )


def draw_wide(axes: Axes, mass: FloatArray, limits: Limits, *, observed: bool) -> None:
    """Draw the median, and the observed limit if it is shown, where the coupling does not hold."""
    wide = limits.too_wide
    draw_wide_line(axes, mass, limits.median, wide, color=GREY)
    if observed:
        draw_wide_line(axes, mass, limits.observed, wide, color=BLACK)
