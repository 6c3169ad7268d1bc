"""Expected events of each channel by sample, with errors from the constraints, before any fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.model import HistFactoryModel
from darkstats.publication.latex import table, tex_text, tex_with_error
from darkstats.report.writing import csv_text
from darkstats.workspace import SignalPoint, Workspace
from darkstats.workspace.shared_parts import SharedParts

__all__ = ["SignalRow", "Yields", "signal_csv", "signal_rows", "yield_files", "yields_of"]

_STATEMENT = (
    "Expected events with all parameters at their initial values; errors are the changes by one "
    "standard deviation of each constrained parameter, added in quadrature, before any fit. Free "
    "factors carry no error."
)
_CHANNELS_BESIDE = 5
#: Hypothesis, values of its labels, channel, sample, events, error.
SignalRow = tuple[str, tuple[float | int | str, ...], str, str, float, float]
TOTAL, OBSERVED = "total", "observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Yields:
    """Yields of a model before any fit.

    Parameters
    ----------
    channels, samples
        Names, in the order of the model; the last row, behind the samples, is their sum.
    values, errors
        Events and standard deviations. Shape [sample + 1, channel].
    present
        Whether a channel has a sample. Shape [sample, channel].
    observed
        Events in the data. Shape [channel].
    free
        Parameters without constraint that scale yields.
    """

    channels: tuple[str, ...]
    samples: tuple[str, ...]
    values: FloatArray = field(repr=False)
    errors: FloatArray = field(repr=False)
    present: tuple[tuple[bool, ...], ...] = field(repr=False)
    observed: FloatArray = field(repr=False)
    free: tuple[str, ...] = ()


def yields_of(model: HistFactoryModel) -> Yields:
    """Return the yields of a model at its initial parameters.

    The error of a sum is that of the sum: what moves several samples moves them together.
    """
    inits = model.inits
    variances = np.zeros((len(model.samples) + 1, len(model.channels)))
    for index, parameter in enumerate(model.parameters):
        width = parameter.prefit_error
        if not width or parameter.fixed:
            continue
        up, down = inits.copy(), inits.copy()
        up[index] += width
        down[index] -= width
        variances += (0.5 * (_by_channel(model, up) - _by_channel(model, down))) ** 2
    layout = model.layout
    present = np.zeros((len(model.samples), len(model.channels)), dtype=bool)
    for k, sample in enumerate(model.component_samples):
        start = layout.component_start[k]
        present[sample] |= [one.start <= start < one.stop for one in model.channels]
    counts = model.observation.counts
    return Yields(
        channels=tuple(channel.name for channel in model.channels),
        samples=model.samples,
        values=_by_channel(model, inits),
        errors=np.sqrt(variances),
        present=tuple(tuple(map(bool, row)) for row in present),
        observed=np.array([counts[one.start : one.stop].sum() for one in model.channels]),
        free=tuple(
            dict.fromkeys(
                one.set_name for one in model.parameters if not one.constrained and not one.fixed
            )
        ),
    )


def _by_channel(model: HistFactoryModel, parameters: FloatArray) -> FloatArray:
    """Events by sample, and their sum. Shapes: [par] -> [sample + 1, channel]."""
    in_bins = model.expected_by_sample(parameters)
    starts = [channel.start for channel in model.channels]
    by_sample = np.add.reduceat(in_bins, starts, axis=1)
    return np.vstack([by_sample, by_sample.sum(axis=0)])


def yield_files(yields: Yields, title: str) -> dict[str, str]:
    """Return the yields as CSV, a row for each channel and sample, and as LaTeX tables."""
    rows = list(_rows(yields))
    names = ("channel", "sample", "events", "error")
    columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
    head = f"# {' '.join(title.split())}\n# {_STATEMENT}\n"
    if yields.free:
        head += f"# free: {', '.join(yields.free)}\n"
    return {"yields.csv": head + csv_text(columns), "yields.tex": _latex(yields, title)}


def _rows(yields: Yields) -> Iterator[tuple[str, str, float, float | None]]:
    for c, channel in enumerate(yields.channels):
        for s, sample in enumerate(yields.samples):
            if yields.present[s][c]:
                yield channel, sample, _digits(yields.values[s, c]), _digits(yields.errors[s, c])
        yield channel, TOTAL, _digits(yields.values[-1, c]), _digits(yields.errors[-1, c])
        yield channel, OBSERVED, _digits(yields.observed[c]), None


def _digits(value: float) -> float:
    """Ten digits: the last ones depend on the order in which a machine adds."""
    return float(f"{value:.10g}")


def signal_rows(
    point: SignalPoint, workspace: Workspace, model: HistFactoryModel, shared: SharedParts
) -> Iterator[SignalRow]:
    """Yield the events of what a hypothesis brings: samples that the background has not as such.

    Parameters
    ----------
    point
        The hypothesis.
    workspace, model
        The background with its signal.
    shared
        Samples of the background.
    """
    yields: Yields | None = None
    for channel in workspace.document["channels"]:
        for sample in channel["samples"]:
            if shared.holds(sample):
                continue
            yields = yields or yields_of(model)
            s, c = yields.samples.index(sample["name"]), yields.channels.index(channel["name"])
            numbers = _digits(yields.values[s, c]), _digits(yields.errors[s, c])
            yield point.name, point.values, channel["name"], sample["name"], *numbers


def signal_csv(rows: Sequence[SignalRow], labels: Sequence[str], title: str) -> str:
    """Return the events that each hypothesis brings, as CSV."""
    taken = {"hypothesis", "channel", "sample", "events", "error"}
    columns: dict[str, list[Any]] = {"hypothesis": [row[0] for row in rows]}
    for k, label in enumerate(labels):
        name = f"label_{label}" if label in taken else label
        columns[name] = [row[1][k] for row in rows]
    columns |= {
        name: [row[k] for row in rows]
        for k, name in enumerate(("channel", "sample", "events", "error"), 2)
    }
    return f"# {' '.join(title.split())}\n# {_STATEMENT}\n" + csv_text(columns)


def _latex(yields: Yields, title: str) -> str:
    """Samples below each other, channels beside each other, a few in each table."""
    comments = [title, _STATEMENT]
    if yields.free:
        comments.append(f"Free: {', '.join(yields.free)}.")
    parts: list[str] = []
    for first in range(0, len(yields.channels), _CHANNELS_BESIDE):
        some = range(first, min(first + _CHANNELS_BESIDE, len(yields.channels)))
        rows = [
            [
                tex_text(sample),
                *(
                    tex_with_error(float(yields.values[s, c]), float(yields.errors[s, c]))
                    if yields.present[s][c]
                    else "--"
                    for c in some
                ),
            ]
            for s, sample in enumerate(yields.samples)
            if any(yields.present[s][c] for c in some)
        ]
        rows.append(
            [
                TOTAL,
                *(
                    tex_with_error(float(yields.values[-1, c]), float(yields.errors[-1, c]))
                    for c in some
                ),
            ]
        )
        rows.append([OBSERVED, *(f"${yields.observed[c]:.10g}$" for c in some)])
        head = ["", *(tex_text(yields.channels[c]) for c in some)]
        parts.append(table(head, rows, comments=comments if not parts else ()))
    return "\n".join(parts)
