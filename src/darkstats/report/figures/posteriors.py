"""The posterior of the signal strength, and the credible limit in its expected band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.report.figures.coupling_axis import (
    CouplingAxis,
    coupling_columns,
    draw_coupling,
)
from darkstats.report.figures.style import (
    BAND_1,
    BAND_2,
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    Drawing,
    canvas,
    header,
    poi_text,
    style,
)
from darkstats.report.numbers import number, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray
    from darkstats.inference.bayes.answers import CredibleLimit
    from darkstats.report.provenance import Inputs

__all__ = ["credible_figure", "posterior_figure"]


def posterior_figure(
    limit: CredibleLimit,
    inputs: Inputs,
    *,
    draws: FloatArray | None = None,
    prior_density: tuple[FloatArray, FloatArray] | None = None,
    poi_label: str | None = None,
    coupling: CouplingAxis | None = None,
) -> Drawing:
    """Posterior density with the credible limit and, where it is proper, the prior.

    Parameters
    ----------
    limit, inputs
        Result, and what it was computed from.
    draws
        Draws of the signal strength, where the engine made draws and no curve.
    prior_density
        Signal strengths, and the density of a proper prior there.
    poi_label
        Axis title.
    coupling
        Coupling for an axis of its own.
    """
    import numpy as np

    with style():
        import mplhep

        figure = canvas()
        axes = figure.add_subplot()
        columns: dict[str, Sequence[Any]] = {}
        top = 0.0
        if limit.posterior is not None:
            mu, density = limit.posterior.curve(400)
            axes.plot(mu, density, color=BLACK, label="posterior")
            if limit.observed is not None:
                inside = mu <= limit.observed
                axes.fill_between(
                    mu[inside], density[inside], color=BAND_1, linewidth=0.0,
                    label="below the limit",
                )  # fmt: skip
            columns["mu"], columns["posterior"] = mu.tolist(), density.tolist()
            right = float(mu[-1])
            top = float(np.max(density[mu > 0.02 * right]))
        elif draws is not None:
            right = float(np.quantile(draws, 0.9995))
            edges = np.linspace(0.0, right, 61)
            counts = np.histogram(draws, bins=edges)[0]
            heights = counts / (len(draws) * (edges[1] - edges[0]))
            mplhep.histplot(
                heights, edges, ax=axes, histtype="fill", color=BAND_1, edges=False,
                label="posterior draws",
            )  # fmt: skip
            columns["low_edge"], columns["high_edge"] = edges[:-1].tolist(), edges[1:].tolist()
            columns["posterior"] = heights.tolist()
            top = float(np.max(heights))
        else:
            right = 1.0
        if prior_density is not None:
            x, y = prior_density
            axes.plot(x, y, color=GREY, linestyle=":", label="prior")
        if limit.observed is not None:
            axes.axvline(
                limit.observed, color=VERMILION, linewidth=1.3,
                label=f"limit {number(limit.observed)}",
            )  # fmt: skip
        axes.set_xlim(0.0, right)
        axes.set_ylim(0.0, 1.25 * top if top > 0.0 else 1.0)
        axes.set_xlabel(poi_text(limit.poi, poi_label))
        draw_coupling(axes, coupling)
        axes.set_ylabel("posterior density")
        header(axes, inputs, f"{limit.prior.name} prior, {limit.engine}")
        axes.legend(loc="upper right", title=f"{percent(limit.cl)} credibility", alignment="left")
    return Drawing(figure=figure, columns=coupling_columns(columns, coupling))


def credible_figure(
    limit: CredibleLimit,
    inputs: Inputs,
    *,
    poi_label: str | None = None,
    coupling: CouplingAxis | None = None,
) -> Drawing:
    """Posterior probability beyond a signal strength, and the limit in its expected band."""
    import numpy as np

    alpha = 1.0 - limit.cl
    with style():
        figure = canvas()
        axes = figure.add_subplot()
        columns: dict[str, Sequence[Any]] = {}
        known = [x for x in (limit.observed, *limit.expected) if x is not None]
        right = 1.35 * max(known, default=1.0)
        if limit.posterior is not None:
            mu = np.linspace(0.0, right, 301)
            beyond = np.array([1.0 - limit.posterior.cdf(float(x)) for x in mu])
            axes.plot(mu, beyond, color=BLACK, label="observed")
            columns["mu"], columns["posterior_beyond"] = mu.tolist(), beyond.tolist()
        axes.axhline(alpha, color=VERMILION, linewidth=1.0)
        low2, low1, median, high1, high2 = limit.expected
        height = 0.035
        if low2 is not None and high2 is not None and low1 is not None and high1 is not None:
            for low, high, color, words in (
                (low2, high2, BAND_2, "expected ± 2 σ"),
                (low1, high1, BAND_1, "expected ± 1 σ"),
            ):
                axes.fill_between(
                    [low, high], alpha - height, alpha + height, color=color, linewidth=0.0,
                    label=words, zorder=1,
                )  # fmt: skip
        if median is not None:
            axes.plot(
                [median, median], [alpha - height, alpha + height], color=BLUE, linestyle="--",
                label=f"expected {number(median)}",
            )  # fmt: skip
            columns["expected"] = [*limit.expected]
        if limit.observed is not None:
            axes.plot(
                [limit.observed], [alpha], color=BLACK, marker="o", markersize=5.0,
                linestyle="none", label=f"limit {number(limit.observed)}", zorder=5,
            )  # fmt: skip
        axes.text(
            right * 0.985, alpha + height + 0.01, percent(alpha), color=VERMILION, ha="right",
            va="bottom", fontsize=9.5,
        )  # fmt: skip
        axes.set_xlim(0.0, right)
        axes.set_ylim(0.0, 1.05)
        axes.set_xlabel(poi_text(limit.poi, poi_label))
        draw_coupling(axes, coupling)
        axes.set_ylabel("posterior probability beyond")
        header(axes, inputs, f"{limit.prior.name} prior, {limit.engine}")
        axes.legend(loc="upper right", title=f"{percent(limit.cl)} credibility", alignment="left")
    return Drawing(figure=figure, columns=coupling_columns(columns, coupling))
