"""How a mediator decays, in the plane of its mass and the mass of the dark matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.report.figures.style import BLACK, Drawing, canvas, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FILLS", "regimes_figure"]

#: Colours of the regimes.
FILLS = {"invisible": "#d6e6f2", "visible": "#f7e3c4", "long-lived": "#e4e4e4"}


def regimes_figure(
    electron_mass_gev: float,
    *,
    dark_matter_range_gev: tuple[float, float] = (1e-4, 10.0),
    mediator_range_gev: tuple[float, float] = (1e-4, 20.0),
) -> Drawing:
    """Invisible, visible and long-lived regimes.

    A mediator heavier than twice the dark matter decays to it. A lighter one decays to particles of
    the Standard Model if it is heavier than two electrons, and lives long if it is not.

    Parameters
    ----------
    electron_mass_gev
        Mass of the electron.
    dark_matter_range_gev, mediator_range_gev
        Ends of the axes.

    Raises
    ------
    OptionError
        An axis that does not rise from a positive number.
    """
    for low, high in (dark_matter_range_gev, mediator_range_gev):
        if not 0.0 < low < high:
            raise OptionError(f"an axis from {low:g} to {high:g} GeV cannot be logarithmic")
    threshold = 2.0 * electron_mass_gev
    x = np.geomspace(*dark_matter_range_gev, 400)
    bottom, top = mediator_range_gev
    with style():
        figure = canvas(6.0, 5.2)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*dark_matter_range_gev)
        axes.set_ylim(*mediator_range_gev)
        axes.tick_params(axis="x", which="both", pad=7.0)
        edges = (
            ("invisible", 2.0 * x, np.full_like(x, top)),
            ("visible", np.full_like(x, threshold), 2.0 * x),
            ("long-lived", np.full_like(x, bottom), np.minimum(2.0 * x, threshold)),
        )
        for name, below, above in edges:
            axes.fill_between(
                x, below, above, where=above > below, color=FILLS[name], linewidth=0.0,
            )  # fmt: skip
        axes.plot(x, 2.0 * x, color=BLACK)
        closed = x[2.0 * x >= threshold]
        axes.plot(closed, np.full_like(closed, threshold), color=BLACK, linestyle="--")
        axes.set_xlabel(r"dark-matter mass $m_{\mathrm{DM}}$ [GeV]")
        axes.set_ylabel(r"mediator mass $m_{A^{\prime}}$ [GeV]")
        _name(axes, 0.30, 0.80, r"$A^{\prime}$ → dark matter" + "\ninvisible")
        _name(axes, 0.76, 0.46, r"$A^{\prime}$ → SM particles" + "\nvisible")
        _name(axes, 0.66, 0.09, "long-lived: escapes or decays displaced")
        _along(axes, r"$m_{A^{\prime}} = 2\, m_{\mathrm{DM}}$", 0.3)
        axes.annotate(
            r"$m_{A^{\prime}} = 2\, m_{e}$", (dark_matter_range_gev[1], threshold),
            xytext=(-6.0, 4.0), textcoords="offset points", ha="right", va="bottom",
        )  # fmt: skip
    columns = {
        "m_dm_gev": x.tolist(),
        "invisible_above_gev": (2.0 * x).tolist(),
        "visible_above_gev": np.where(2.0 * x > threshold, threshold, np.nan).tolist(),
        "long_lived_below_gev": np.minimum(2.0 * x, threshold).tolist(),
    }
    return Drawing(figure=figure, columns=columns)


def _name(axes: Axes, x: float, y: float, words: str) -> None:
    axes.text(x, y, words, transform=axes.transAxes, ha="center", va="center", fontsize=11.0)


def _along(axes: Axes, words: str, x_gev: float) -> None:
    """Write along the line m_A' = 2 m_DM, above a point of it."""
    axes.annotate(
        words, (x_gev, 2.0 * x_gev), xytext=(-4.0, 4.0), textcoords="offset points", rotation=45.0,
        rotation_mode="anchor", transform_rotates_text=True, ha="center", va="bottom",
    )  # fmt: skip
