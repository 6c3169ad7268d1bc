"""Data against prediction: stacked samples with uncertainty, and the ratio, for each channel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from darkstats.errors import OptionError
from darkstats.report.figures.style import (
    BLACK,
    PALETTE,
    VERMILION,
    Drawing,
    canvas,
    header,
    plain_name,
    style,
    typeset,
)
from darkstats.report.sidecar import ChannelLabels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from darkstats.arrays import FloatArray
    from darkstats.fit import Covariance
    from darkstats.model import ChannelBins, Model, Observation
    from darkstats.model.base import BinnedModel
    from darkstats.report.provenance import Inputs
    from darkstats.report.sidecar import Sidecar

__all__ = ["Parameters", "Predicted", "prediction_columns", "prediction_figure", "rate_errors"]

_LONGEST_NAME = 60  # letters of a channel, which stand beside each other on a page

_MOST_CHANNELS = 12
_FROM_ZERO = -0.5  # the lower edge of a bin that is numbered, not measured


class Predicted(Protocol):
    """A model at some parameters, beside data: a fit, or what was never fitted."""

    @property
    def model(self) -> Model:
        """What predicts."""

    @property
    def observation(self) -> Observation:
        """What was counted."""

    @property
    def parameters(self) -> FloatArray:
        """Values of all parameters. Shape [par]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """A model at parameters that nobody fitted, beside data; see :class:`Predicted`."""

    model: Model
    observation: Observation
    parameters: FloatArray


def rate_errors(fit: Predicted, covariance: Covariance) -> FloatArray:
    """Standard deviations of the expected rates, from the covariance by linear propagation. [bin].

    Derivatives are central differences of a tenth of a standard deviation.
    """
    import numpy as np

    n = len(covariance.names)
    if n == 0:
        return np.zeros(fit.model.n_bins)
    steps = 0.1 * np.sqrt(np.diag(covariance.matrix))
    points = np.repeat(fit.parameters[np.newaxis, :], 2 * n, axis=0)
    for i, name in enumerate(covariance.names):
        index = fit.model.parameter_index(name)
        points[2 * i, index] += steps[i]
        points[2 * i + 1, index] -= steps[i]
    rates = fit.model.expected_rates(points)
    jacobian = (rates[0::2] - rates[1::2]) / (2.0 * steps[:, np.newaxis])
    variances = np.einsum("ib,ij,jb->b", jacobian, covariance.matrix, jacobian)
    errors: FloatArray = np.sqrt(np.maximum(variances, 0.0))
    return errors


def _prefit_errors(fit: Predicted, parameters: FloatArray) -> FloatArray:
    """Standard deviations of the rates from the constraints alone. Shape [bin]."""
    import numpy as np

    total = np.zeros(fit.model.n_bins)
    for index, parameter in enumerate(fit.model.parameters):
        width = parameter.prefit_error
        if not width or parameter.fixed:
            continue
        points = np.repeat(parameters[np.newaxis, :], 2, axis=0)
        points[0, index] += width
        points[1, index] -= width
        rates = fit.model.expected_rates(points)
        total += (0.5 * (rates[0] - rates[1])) ** 2
    errors: FloatArray = np.sqrt(total)
    return errors


def _in_bins(fit: Predicted) -> BinnedModel:
    """The model, where it is one of bins.

    Raises
    ------
    OptionError
        It is unbinned.
    """
    if fit.model.in_bins is None:
        raise OptionError("an unbinned model has no bins to draw: choose another kind of figure")
    return fit.model.in_bins


def prediction_columns(
    fit: Predicted, covariance: Covariance | None, sidecar: Sidecar, *, prefit: bool = False
) -> dict[str, list[Any]]:
    """Counts, expected events of each sample and their uncertainty: a row for each bin.

    Columns are ``channel, bin, low, high, data``, those of the samples from the bottom of a stack
    to its top, ``total`` and ``error``; bins without edges in the sidecar are numbered.

    Raises
    ------
    OptionError
        The model is unbinned.
    """
    import numpy as np

    model = _in_bins(fit)
    parameters = np.array(model.inits) if prefit else fit.parameters
    samples = model.expected_by_sample(parameters)
    if prefit:
        errors = _prefit_errors(fit, parameters)
    else:
        errors = np.zeros(model.n_bins) if covariance is None else rate_errors(fit, covariance)
    order = _stacking_order(fit, samples)
    columns: dict[str, list[Any]] = {"channel": [], "bin": [], "low": [], "high": [], "data": []}
    columns |= {model.samples[s]: [] for s in order}
    columns |= {"total": [], "error": []}
    for channel in model.channels:
        edges = _edges(channel, sidecar.channels.get(channel.name, ChannelLabels()))
        columns["low"] += edges[:-1].tolist()
        columns["high"] += edges[1:].tolist()
        for number, b in enumerate(range(channel.start, channel.stop)):
            columns["channel"].append(channel.name)
            columns["bin"].append(number)
            columns["data"].append(float(fit.observation.counts[b]))
            for s in order:
                columns[model.samples[s]].append(float(samples[s, b]))
            columns["total"].append(float(samples[:, b].sum()))
            columns["error"].append(float(errors[b]))
    return columns


def prediction_figure(
    fit: Predicted,
    covariance: Covariance | None,
    inputs: Inputs,
    sidecar: Sidecar,
    *,
    prefit: bool = False,
) -> Drawing:
    """Stacked samples against data in each channel, with a ratio panel.

    Post-fit: rates at the best fit, errors from the full covariance. Pre-fit: rates at the initial
    parameters, errors from the constraints.
    """
    import numpy as np

    columns = prediction_columns(fit, covariance, sidecar, prefit=prefit)
    model = _in_bins(fit)
    parameters = np.array(model.inits) if prefit else fit.parameters
    samples = model.expected_by_sample(parameters)
    errors = np.array(columns["error"])
    shown = model.channels[:_MOST_CHANNELS]
    order = _stacking_order(fit, samples)
    label = "Asimov data" if inputs.blind else "simulated data" if inputs.simulated else "data"
    with style():
        across = min(3, len(shown))
        down = -(-len(shown) // across)
        figure = canvas(
            1.2 + (5.4 if across == 1 else 4.2) * across, (5.4 if down == 1 else 4.6) * down + 0.5
        )
        grid = figure.add_gridspec(2 * down, across, height_ratios=[3.0, 1.0] * down)
        handles: dict[str, Any] = {}
        for k, channel in enumerate(shown):
            row, column = 2 * (k // across), k % across
            main = figure.add_subplot(grid[row, column])
            ratio = figure.add_subplot(grid[row + 1, column], sharex=main)
            labels = sidecar.channels.get(channel.name, ChannelLabels())
            bins = slice(channel.start, channel.stop)
            panel = _Panel(
                channel=channel,
                edges=_edges(channel, labels),
                samples=samples[:, bins],
                errors=errors[bins],
                data=fit.observation.counts[bins],
                data_label=label,
                mu=None if model.poi_index is None else float(parameters[model.poi_index]),
            )
            _stack(main, fit, panel, order)
            _ratio(ratio, panel)
            main.tick_params(axis="x", labelbottom=False)
            ratio.set_xlabel(typeset(_axis_title(panel.edges, labels)))
            main.set_ylabel(_counts_title(panel.edges, labels))
            ratio.set_ylabel("data / pred.", fontsize=10.0)
            _channel_name(main, channel, labels)
            for handle, name in zip(*main.get_legend_handles_labels(), strict=True):
                handles.setdefault(name, handle)
        last = figure.axes[2 * (across - 1)]
        header(figure.axes[0], inputs, "pre-fit" if prefit else "post-fit", right_axes=last)
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center",
            ncols=min(len(handles), 3 if across == 1 else 6),
        )  # fmt: skip
    return Drawing(figure=figure, columns=columns)


def _stacking_order(fit: Predicted, samples: FloatArray) -> list[int]:
    """Samples from the smallest to the largest, those that the POI scales on top."""
    import numpy as np

    model = _in_bins(fit)
    signal = np.zeros(len(model.samples), dtype=np.bool_)
    if model.poi_index is not None:
        moved = np.array(fit.parameters)
        moved[model.poi_index] += 1.0
        signal = np.abs(model.expected_by_sample(moved) - model.expected_by_sample(fit.parameters)
                        ).sum(axis=1) > 0.0  # fmt: skip
    sums = samples.sum(axis=1)
    return sorted(range(len(model.samples)), key=lambda s: (bool(signal[s]), float(sums[s])))


def _edges(channel: ChannelBins, labels: ChannelLabels) -> FloatArray:
    import numpy as np

    n = channel.stop - channel.start
    if labels.edges is not None and len(labels.edges) == n + 1:
        return np.array(labels.edges)
    numbered: FloatArray = np.arange(n + 1, dtype=np.float64) - 0.5  # as tables and messages count
    return numbered


def _axis_title(edges: FloatArray, labels: ChannelLabels) -> str:
    """What the sidecar says; edges without a title are values, not numbers of bins."""
    if labels.axis:
        return labels.axis
    return "bin (the first is 0)" if edges[0] == _FROM_ZERO else "observable of the channel"


def _counts_title(edges: FloatArray, labels: ChannelLabels) -> str:
    """Title of the axis of counts, with the bin width where all bins have the same one."""
    import numpy as np

    widths = np.diff(edges)
    if labels.edges is None or not np.allclose(widths, widths[0], rtol=1e-6):
        return "events per bin"
    unit = re.search(r"[(\[]([^()\[\]]*)[)\]]\s*$", labels.axis or "")
    return f"events / {widths[0]:.4g}" + (f" {typeset(unit[1])}" if unit else "")


def _poisson_bars(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lengths below and above of the central 68.3 % Poisson intervals. Shapes [bin].

    Wilson and Hilferty's approximation of the chi-square quantiles, good to 1 % from n = 0 on.
    """
    import numpy as np

    n = np.maximum(counts, 0.0)
    safe, more = np.maximum(n, 1e-9), n + 1.0
    cube = np.maximum(1.0 - 1.0 / (9.0 * safe) - 1.0 / (3.0 * np.sqrt(safe)), 0.0) ** 3
    below: FloatArray = n - np.where(n > 0.0, n * cube, 0.0)
    above: FloatArray = more * (1.0 - 1.0 / (9.0 * more) + 1.0 / (3.0 * np.sqrt(more))) ** 3 - n
    return below, above


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Panel:
    """One channel: bin edges [bin + 1], samples [sample, bin], errors and data [bin]."""

    channel: ChannelBins
    edges: FloatArray
    samples: FloatArray
    errors: FloatArray
    data: FloatArray
    data_label: str
    mu: float | None

    @property
    def total(self) -> FloatArray:
        """Prediction of all samples. Shape [bin]."""
        total: FloatArray = self.samples.sum(axis=0)
        return total

    @property
    def centres(self) -> FloatArray:
        """Centres of the bins. Shape [bin]."""
        centres: FloatArray = 0.5 * (self.edges[1:] + self.edges[:-1])
        return centres


def _steps(values: FloatArray) -> FloatArray:
    """Values for ``fill_between(step="post")``: the last one twice."""
    import numpy as np

    return np.append(values, values[-1])


def _stack(axes: Axes, fit: Predicted, panel: _Panel, order: list[int]) -> None:
    import mplhep
    import numpy as np

    edges, data, total, error = panel.edges, panel.data, panel.total, panel.errors
    present = [s for s in order if np.any(panel.samples[s] != 0.0)]
    model = _in_bins(fit)
    backgrounds = order[:-1] if model.poi_index is not None else order
    colors = {s: PALETTE[k % len(PALETTE)] for k, s in enumerate(reversed(backgrounds))}
    colors.update({s: VERMILION for s in order if s not in colors})
    if present:
        mplhep.histplot(
            [panel.samples[s] for s in present], edges, ax=axes, stack=True, histtype="fill",
            color=[colors[s] for s in present], edgecolor=BLACK, linewidth=0.5,
            label=[_sample_name(fit, panel, s, order) for s in present],
        )  # fmt: skip
    if np.any(error > 0.0):
        axes.fill_between(
            edges, _steps(total - error), _steps(total + error), step="post", facecolor="none",
            edgecolor=BLACK, hatch="/////", linewidth=0.0, alpha=0.5, label="uncertainty",
        )  # fmt: skip
    below, above = _poisson_bars(data)
    axes.errorbar(
        panel.centres, data, yerr=[below, above], color=BLACK, marker="o", markersize=4.5,
        linestyle="none", linewidth=1.2, label=panel.data_label, zorder=6,
    )  # fmt: skip
    axes.set_xlim(float(edges[0]), float(edges[-1]))
    axes.set_ylim(0.0, 1.35 * float(np.max(np.maximum(total + error, data + above))))
    if len(data) <= 12 and edges[0] == _FROM_ZERO:
        axes.set_xticks(range(len(data)))
        axes.xaxis.set_minor_locator(_no_ticks())


def _sample_name(fit: Predicted, panel: _Panel, sample: int, order: list[int]) -> str:
    """Name of a sample; that of the signal says at which strength it is drawn."""
    model = _in_bins(fit)
    name = plain_name(model.samples[sample])
    if model.poi_index is None or panel.mu is None or sample != order[-1]:
        return name
    return f"{name}, {plain_name(model.parameters[model.poi_index].name)} = {panel.mu:.3g}"


def _no_ticks() -> Any:  # noqa: ANN401 -- an untyped locator
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _ratio(axes: Axes, panel: _Panel) -> None:
    import numpy as np

    edges, data, total, error = panel.edges, panel.data, panel.total, panel.errors
    good = total > 0.0
    safe = np.where(good, total, 1.0)
    ratio = np.where(good, data / safe, np.nan)
    bars = [np.where(good, part / safe, np.nan) for part in _poisson_bars(data)]
    width = np.where(good, error / safe, 0.0)
    axes.axhline(1.0, color=BLACK, linewidth=0.8)
    if np.any(width > 0.0):
        axes.fill_between(
            edges, _steps(1.0 - width), _steps(1.0 + width), step="post", facecolor="none",
            edgecolor=BLACK, hatch="/////", linewidth=0.0, alpha=0.5,
        )  # fmt: skip
    axes.errorbar(
        panel.centres, ratio, yerr=bars, color=BLACK, marker="o", markersize=4.5, linestyle="none",
        linewidth=1.2,
    )  # fmt: skip
    reach = np.nanmax(
        np.abs(np.concatenate([ratio + bars[1] - 1.0, ratio - bars[0] - 1.0, width, [0.1]]))
    )
    reach = min(1.25 * float(reach), 2.0)
    axes.set_ylim(max(1.0 - reach, 0.0), 1.0 + reach)
    above = ratio > 1.0 + reach
    if above.any():  # an arrow where the point lies beyond the frame
        axes.plot(
            panel.centres[above], np.full(int(above.sum()), 1.0 + 0.93 * reach), color=BLACK,
            marker="^", markersize=5.0, linestyle="none", zorder=6,
        )  # fmt: skip


def _channel_name(axes: Axes, channel: ChannelBins, labels: ChannelLabels) -> None:
    words = labels.label or channel.name
    words = words if len(words) <= _LONGEST_NAME else f"{words[: _LONGEST_NAME - 1]}…"
    name = typeset(words) if labels.label else plain_name(words)
    text = f"{name} (masked)" if channel.masked else name
    axes.text(0.04, 0.95, text, transform=axes.transAxes, ha="left", va="top", fontsize=11.0)
