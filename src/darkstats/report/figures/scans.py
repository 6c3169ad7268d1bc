"""Profile scans in one and two parameters, and the discovery scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.report.figures.style import (
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
from darkstats.report.numbers import number, p_with_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.fit import ProfileScan
    from darkstats.inference.results import Significance
    from darkstats.report.provenance import Inputs

__all__ = ["discovery_figure", "scan_figure"]

_OPAQUE: dict[str, Any] = {"frameon": True, "framealpha": 1.0, "edgecolor": "none"}
_DELTA = r"$-2\,\Delta\,\ln L$"
#: Two-parameter regions of 68.3 % and 95.4 % (chi-square with two degrees of freedom).
_LEVELS = (2.2957, 6.1801)
#: Part of the height that curves and lines keep to; the legend is above.
_BELOW_LEGEND = 0.81


def scan_figure(scan: ProfileScan, inputs: Inputs, *, poi_label: str | None = None) -> Drawing:
    """Deviance above the minimum against one parameter, or in the plane of two."""
    return (
        _plane(scan, inputs, poi_label) if len(scan.names) == 2 else _line(scan, inputs, poi_label)
    )


def _curve(axes: Axes, scan: ProfileScan) -> dict[str, Any]:
    good = scan.certified
    axes.plot(scan.grids[0][good], scan.delta[good], color=BLUE, label="profile likelihood")
    if not good.all():
        missing = scan.grids[0][~good]
        axes.plot(
            missing, [0.0] * len(missing), color=VERMILION, marker="x", linestyle="none",
            label="not certified", clip_on=False,
        )  # fmt: skip
    return {
        scan.names[0]: scan.grids[0].tolist(),
        "delta_twice_nll": [
            float(value) if ok else None for value, ok in zip(scan.delta, good, strict=True)
        ],
    }


def _sigma_lines(axes: Axes, top: float) -> None:
    left, right = axes.get_xlim()
    for n in range(1, 6):
        if n * n < _BELOW_LEGEND * top:
            axes.axhline(n * n, color=GREY, linewidth=0.8, linestyle=":")
            axes.text(
                right - 0.012 * (right - left), n * n + 0.008 * top, f"{n} σ", ha="right",
                va="bottom", color=GREY, fontsize=9.0,
            )  # fmt: skip


def _line(scan: ProfileScan, inputs: Inputs, poi_label: str | None) -> Drawing:
    name, grid = scan.names[0], scan.grids[0]
    model = scan.result.model
    with style():
        figure = canvas()
        axes = figure.add_subplot()
        columns = _curve(axes, scan)
        best = scan.result.value(name)
        finite = scan.delta[scan.certified]
        top = max(1.25 * float(finite.max()) if finite.size else 1.0, 1.3)
        axes.set_xlim(float(grid.min()), float(grid.max()))
        axes.set_ylim(0.0, top)
        if grid.min() <= best <= grid.max():
            axes.plot(
                [best, best], [0.0, _BELOW_LEGEND * top], color=BLACK, linewidth=1.0,
                linestyle="--", label=f"best fit {number(best)}", clip_on=False,
            )  # fmt: skip
        _sigma_lines(axes, top)
        is_poi = model.poi_name == name
        axes.set_xlabel(poi_text(name, poi_label if is_poi else None))
        axes.set_ylabel(_DELTA)
        header(axes, inputs, "profile scan")
        axes.legend(loc="upper center", **_OPAQUE)
    return Drawing(figure=figure, columns=columns)


def _plane(scan: ProfileScan, inputs: Inputs, poi_label: str | None) -> Drawing:
    import numpy as np

    poi = scan.result.model.poi_name
    x, y = scan.grids
    heights = np.ma.masked_array(scan.delta, mask=~scan.certified).T
    with style():
        figure = canvas(6.6, 5.2)
        axes = figure.add_subplot()
        image = axes.pcolormesh(
            x, y, heights, cmap="Blues_r", shading="gouraud", vmin=0.0,
            vmax=min(float(heights.max()), 16.0), rasterized=True,
        )  # fmt: skip
        lines = axes.contour(
            x, y, heights, levels=_LEVELS, colors=[BLACK, BLACK], linestyles=["-", "--"],
            linewidths=1.5,
        )  # fmt: skip
        axes.plot(
            [scan.result.value(scan.names[0])], [scan.result.value(scan.names[1])], color=VERMILION,
            marker="P", markersize=9.0, linestyle="none", label="best fit",
        )  # fmt: skip
        handles, _ = lines.legend_elements()
        point, label = axes.get_legend_handles_labels()
        axes.set_xlim(float(x.min()), float(x.max()))
        axes.set_ylim(float(y.min()), float(y.max()))
        axes.set_xlabel(poi_text(scan.names[0], poi_label if scan.names[0] == poi else None))
        axes.set_ylabel(poi_text(scan.names[1], poi_label if scan.names[1] == poi else None))
        bar = figure.colorbar(image, ax=axes, pad=0.02, extend="max")
        bar.set_label(_DELTA)
        header(axes, inputs, "profile scan")
        axes.legend(
            [*handles, *point], ["68.3 %", "95.4 %", *label], loc="upper right", frameon=True,
            framealpha=0.85, edgecolor="none",
        )  # fmt: skip
    grid_x, grid_y = np.meshgrid(x, y, indexing="ij")
    columns: dict[str, Any] = {
        scan.names[0]: grid_x.ravel().tolist(),
        scan.names[1]: grid_y.ravel().tolist(),
        "delta_twice_nll": [
            float(value) if ok else None
            for value, ok in zip(scan.delta.ravel(), scan.certified.ravel(), strict=True)
        ],
    }
    return Drawing(figure=figure, columns=columns)


def discovery_figure(
    found: Significance, scan: ProfileScan, inputs: Inputs, *, poi_label: str | None = None
) -> Drawing:
    """Profile likelihood down to the background-only hypothesis: its height there is Z squared."""
    with style():
        figure = canvas()
        axes = figure.add_subplot()
        columns = _curve(axes, scan)
        finite = scan.delta[scan.certified]
        top = max(1.25 * float(finite.max()), 1.3)
        axes.set_xlim(float(scan.grids[0].min()), float(scan.grids[0].max()))
        axes.set_ylim(0.0, top)
        _sigma_lines(axes, top)
        if found.statistic is not None and found.statistic > 0.0:
            axes.plot(
                [0.0], [found.statistic], color=VERMILION, marker="o", linestyle="none",
                clip_on=False, zorder=5, label="background only",
            )  # fmt: skip
        axes.set_xlabel(poi_text(found.poi, poi_label))
        axes.set_ylabel(_DELTA)
        header(axes, inputs, f"discovery, {found.calculator}")
        p0 = p_with_error(found.p0)
        excess = rf"$p_{{0}}$ {p0}" if p0.startswith("<") else rf"$p_{{0}}$ = {p0}"
        words = (
            f"expected Z = {number(found.expected[2], 3)}"
            if found.observed is None
            else f"Z = {number(found.observed, 3)}, {excess}"
        )
        axes.legend(loc="upper center", title=words, **_OPAQUE)
    return Drawing(figure=figure, columns=columns)
