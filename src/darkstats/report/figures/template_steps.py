"""What declared steps did to templates: signals between simulated ones, smoothed variations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.report.figures.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    Drawing,
    canvas,
    header_words,
    plain_name,
    style,
    typeset,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

__all__ = ["interpolation_figure", "steps_figure"]

_MOST_CHECKS = 6
_MOST_STEPS = 9
_ACROSS = 3


def interpolation_figure(
    found: Mapping[str, Any], sidecar: Mapping[str, Any], *, name: str, simulated: bool
) -> Drawing:
    """Yields against the mass, and each simulated signal beside what its neighbours predict.

    Parameters
    ----------
    found
        The field ``interpolation`` of a record.
    sidecar
        Axes, edges and labels of the channels.
    name
        Of the search.
    simulated
        Whether the figure says so.
    """
    channels = list(dict.fromkeys(one["channel"] for one in found["yields"]))
    ranked = sorted(found["leave_one_out"], key=lambda one: -float(one["size"]))
    checks = sorted(ranked[:_MOST_CHECKS], key=lambda one: float(one["value"]))
    n = len(channels) + len(checks)
    columns: dict[str, list[Any]] = {
        key: [] for key in ("channel", "value", "bin", "simulated", "error", "predicted")
    }
    with style():
        across = min(_ACROSS, n)
        down = -(-n // across)
        figure = canvas(0.6 + 4.0 * across, 3.3 * down + 0.4)
        for k, channel in enumerate(channels):
            axes = figure.add_subplot(down, across, k + 1)
            _yields(axes, [one for one in found["yields"] if one["channel"] == channel],
                    found["label"], _label(sidecar, channel))  # fmt: skip
            if k == 0:
                header_words(axes, typeset(name), simulated=simulated)
        for k, check in enumerate(checks, start=len(channels)):
            axes = figure.add_subplot(down, across, k + 1)
            _check(axes, check, sidecar, found["label"])
        for check in found["leave_one_out"]:
            size = len(check["simulated"])
            columns["channel"] += [check["channel"]] * size
            columns["value"] += [check["value"]] * size
            columns["bin"] += list(range(size))
            columns["simulated"] += check["simulated"]
            columns["error"] += check["errors"] or [None] * size
            columns["predicted"] += check["predicted"]
        words = f"{found['method']} interpolation in {_axis_of(found['label']).partition(' [')[0]}"
        if len(ranked) > len(checks):
            words += f"; the {len(checks)} largest of {len(ranked)} differences are shown"
        figure.supxlabel(plain_name(words), fontsize=10.0, color=GREY)
    return Drawing(figure=figure, columns=columns)


def _label(sidecar: Mapping[str, Any], channel: str) -> str:
    words = sidecar["channels"].get(channel, {})
    return typeset(words["label"]) if "label" in words else plain_name(channel)


def _axis_of(label: str) -> str:
    """``mass_gev`` as words with a unit."""
    stem, _, unit = label.rpartition("_")
    units = {"gev": "GeV", "mev": "MeV", "tev": "TeV"}
    if stem and unit in units:
        return f"{plain_name(stem.replace('_', ' '))} [{units[unit]}]"
    return plain_name(label)


def _value(label: str, value: float) -> str:
    words = _axis_of(label)
    stem, bracket, unit = words.partition(" [")
    return f"{stem} {value:g}{' ' + unit.rstrip(']') if bracket else ''}"


def _yields(axes: Axes, yields: Sequence[Mapping[str, Any]], label: str, channel: str) -> None:
    for simulated, marker, color, words in (
        (False, ".", BLUE, "interpolated"), (True, "o", BLACK, "simulated"),
    ):  # fmt: skip
        chosen = [one for one in yields if one["simulated"] == simulated]
        axes.plot(
            [one["value"] for one in chosen], [one["yield"] for one in chosen], linestyle="none",
            marker=marker, color=color, markersize=5.0, label=words,
        )  # fmt: skip
    values = [float(one["yield"]) for one in yields]
    if max(values) > 10.0 * min(values):
        axes.set_yscale("log")
        axes.set_ylim(0.6 * min(values), 4.0 * max(values))
    else:
        axes.set_ylim(0.0, 1.4 * max(values))
    axes.set_xlabel(_axis_of(label))
    axes.set_ylabel(f"signal events, {channel}")
    axes.legend(loc="upper right", ncols=2)


def _check(axes: Axes, check: Mapping[str, Any], sidecar: Mapping[str, Any], label: str) -> None:
    import numpy as np

    words = sidecar["channels"].get(check["channel"], {})
    truth = np.array(check["simulated"])
    edges = np.array(words.get("edges", np.arange(len(truth) + 1) - 0.5))
    axes.stairs(check["predicted"], edges, color=VERMILION, linewidth=1.6, label="from neighbours")
    errors = None if check["errors"] is None else np.array(check["errors"])
    axes.errorbar(
        0.5 * (edges[1:] + edges[:-1]), truth, yerr=errors, color=BLACK, marker="o",
        markersize=3.0, linewidth=0.8, linestyle="none", label="own simulation",
    )  # fmt: skip
    filled = np.flatnonzero((truth > 1e-4 * truth.max()) | (np.array(check["predicted"]) > 0.0))
    axes.set_xlim(edges[filled[0]], edges[filled[-1] + 1])
    axes.set_ylim(0.0, 1.75 * max(*truth, *check["predicted"]))
    axes.set_xlabel(typeset(words["axis"]) if "axis" in words else "bin")
    axes.set_ylabel("events in a bin")
    axes.legend(loc="upper left", fontsize=9.0)
    axes.text(
        0.96, 0.95,
        f"{_value(label, check['value'])}\nyield ratio {check['yield_ratio']:.3f}\n"
        f"distance {check['distance']:.3f}",
        transform=axes.transAxes, ha="right", va="top", fontsize=9.0,
    )  # fmt: skip


def steps_figure(steps: Sequence[Mapping[str, Any]], *, name: str, simulated: bool) -> Drawing:
    """Ratio to nominal of each changed variation, before and after its step.

    Parameters
    ----------
    steps
        The field ``steps`` of a record.
    name
        Of the search.
    simulated
        Whether the figure says so.
    """
    import numpy as np

    panels: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for step in steps:
        if "before" in step:
            panels.setdefault((step["place"], step["step"]), []).append(step)
    ranked = sorted(panels, key=lambda key: -max(one["largest_change"] for one in panels[key]))
    shown = [key for key in panels if key in ranked[:_MOST_STEPS]]
    columns: dict[str, list[Any]] = {
        key: [] for key in ("place", "step", "side", "bin", "nominal", "before", "after")
    }
    with style():
        across = min(_ACROSS, len(shown))
        down = -(-len(shown) // across)
        figure = canvas(0.6 + 4.2 * across, 3.3 * down + 0.5)
        for k, key in enumerate(shown):
            axes = figure.add_subplot(down, across, k + 1)
            reach = 0.02
            for step in panels[key]:
                nominal = np.array(step["nominal"])
                safe = np.where(nominal > 0.0, nominal, np.nan)
                edges = np.arange(len(nominal) + 1) - 0.5
                color = VERMILION if step["side"] == "up" else BLUE
                before, after = (np.array(step[when]) / safe for when in ("before", "after"))
                axes.stairs(before, edges, baseline=None, color=color, linewidth=0.9,
                            linestyle=":", label=f"{step['side']}, before")  # fmt: skip
                axes.stairs(after, edges, baseline=None, color=color, linewidth=1.7,
                            linestyle="-" if step["side"] == "up" else "--",
                            label=f"{step['side']}, after")  # fmt: skip
                reach = max(reach, float(np.nanmax(np.abs(np.stack([before, after]) - 1.0))))
            axes.axhline(1.0, color=GREY, linewidth=0.6)
            axes.set_ylim(1.0 - 1.2 * reach, 1.0 + 2.2 * reach)
            axes.set_xlim(-0.5, len(nominal) - 0.5)
            axes.set_xlabel("bin")
            if k % across == 0:
                axes.set_ylabel("variation / nominal")
            axes.legend(loc="upper left", ncols=2, fontsize=8.5)
            _, channel, _, sample, _, variation = key[0].split(".", 5)
            axes.text(
                0.04, 0.8, plain_name(f"{variation} of {sample} in {channel}: {key[1]}"),
                transform=axes.transAxes, va="top", fontsize=9.0,
            )  # fmt: skip
            if k == 0:
                header_words(axes, typeset(name), simulated=simulated)
        for step in (one for key in panels for one in panels[key]):
            size = len(step["nominal"])
            for field in ("place", "step", "side"):
                columns[field] += [step[field]] * size
            columns["bin"] += list(range(size))
            for field in ("nominal", "before", "after"):
                columns[field] += step[field]
        if len(panels) > len(shown):
            words = f"the {len(shown)} largest of {len(panels)} changes are shown"
            figure.supxlabel(words, fontsize=10.0, color=GREY)
    return Drawing(figure=figure, columns=columns)
