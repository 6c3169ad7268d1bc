"""Yields of the channels of a likelihood, stacked, with uncertainties and counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from darkstats.report.numbers import number
from darkstats.service.pages.rendering import count
from darkstats.service.pages.views.parts import Axis, Band, Plot, Series, Table

__all__ = ["yield_plots"]

_FIXED = ("channel", "bin", "low", "high", "data")
_COLOURS = 10
_LOG_REACH = 1_000.0
_MOST_CHANNELS = 60
_MOST_BINS = 120

Row = Mapping[str, str]


def yield_plots(
    rows: Sequence[Row], record: Mapping[str, Any], *, when: str = "before any fit"
) -> list[Plot]:
    """A plot for each channel.

    Parameters
    ----------
    rows
        Numbers of the figure ``yields`` of ``inspect``: one row a bin.
    record
        Its record, which says what is signal.
    when
        What the expectation is made of.
    """
    if not rows:
        return []
    samples = [name for name in rows[0] if name not in {*_FIXED, "total", "error"}]
    signals = {
        str(one["name"]) for channel in record.get("channels", ())
        for one in channel["samples"] if one.get("signal")
    }  # fmt: skip
    if not record.get("channels") and record.get("poi") and samples:
        signals = {samples[-1]}  # the figure stacks what the parameter of interest scales on top
    backgrounds = [name for name in samples if name not in signals]
    colours = {
        name: f"c{k % _COLOURS}" for k, name in enumerate(reversed(backgrounds))
    } | dict.fromkeys(signals & set(samples), "signal")
    by_channel: dict[str, list[Row]] = {}
    for row in rows:
        by_channel.setdefault(row["channel"], []).append(row)
    simulated = record.get("provenance", {}).get("workspace", {}).get("simulated")
    label = "simulated data" if simulated else "data"
    return [
        _plot(f"yields-{k}", channel, bins, colours, (label, when))
        for k, (channel, bins) in enumerate(list(by_channel.items())[:_MOST_CHANNELS])
    ]


def _grouped(rows: Sequence[Row]) -> Sequence[Row]:
    """Neighbouring bins together where there are too many to see each of them."""
    size = -(-len(rows) // _MOST_BINS)
    if size < 2:
        return rows
    found = []
    for k in range(0, len(rows), size):
        group = rows[k : k + size]
        summed = {
            name: repr(sum(float(row[name] or 0.0) for row in group))
            for name in rows[0] if name not in _FIXED or name == "data"
        }  # fmt: skip
        found.append({**group[0], **summed, "high": group[-1]["high"]})
    return found


def _told(n_bins: int, n_drawn: int) -> str:
    if n_drawn == n_bins:
        return ""
    return f"; drawn in {n_drawn} groups of them, their uncertainties added up"


def _numbers(rows: Sequence[Row], name: str) -> list[float]:
    return [float(f"{float(row[name] or 0.0):.7g}") for row in rows]


def _plot(
    name: str,
    channel: str,
    rows: Sequence[Row],
    colours: Mapping[str, str],
    words: tuple[str, str],
) -> Plot:
    label, when = words
    n_bins, rows = len(rows), _grouped(rows)
    present = [one for one in rows[0] if one in colours and any(_numbers(rows, one))]
    base = [0.0] * len(rows)
    bands = []
    for one in present:
        shown = _numbers(rows, one)
        top = [a + b for a, b in zip(base, shown, strict=True)]
        bands.append(Band(label=one, low=base, high=top, look=colours[one], shown=shown))
        base = top
    total, error, data = (_numbers(rows, key) for key in ("total", "error", "data"))
    if any(error):
        low = [max(t - e, 0.0) for t, e in zip(total, error, strict=True)]
        high = [t + e for t, e in zip(total, error, strict=True)]
        bands.append(Band(label="uncertainty ±", low=low, high=high, look="error", shown=error))
    edges = [*_numbers(rows, "low"), float(rows[-1]["high"])]
    numbered = edges[0] == -0.5 and all((b - a).is_integer() for a, b in pairwise(edges))
    positive = [one for one in total if one > 0.0]
    log = len(rows) > 1 and bool(positive) and max(positive) > _LOG_REACH * min(positive)
    floor = 0.3 * min([*positive, *(d for d in data if d > 0.0)], default=0.1) if log else 0.0
    return Plot(
        name=name, title=channel,
        summary=f"{count(sum(data))} events counted, {number(sum(total))} expected {when}, "
        f"in {n_bins} bin{'s' if n_bins > 1 else ''}{_told(n_bins, len(rows))}.",
        x_axis=Axis(
            label="bin (the first is 0)" if numbered else "observable of the channel",
            whole=numbered,
        ),
        y_axis=Axis(label="events per bin", log=log, low=floor), x=edges, steps=True,
        bands=bands,
        series=[
            Series(label=label, values=data, look="observed", points=True, line=False,
                   low=[n - _down(n) for n in data], high=[n + _up(n) for n in data])
        ],
        table=Table(
            title=f"Yields of {channel}", columns=["bin", *present, "total", "uncertainty", label],
            rows=[
                [_bin_words(edges[k], edges[k + 1], numbered=numbered),
                 *(number(float(row[one] or 0.0)) for one in present), number(total[k]),
                 number(error[k], 3), number(data[k])]
                for k, row in enumerate(rows)
            ],
        ),
    )  # fmt: skip


def _bin_words(low: float, high: float, *, numbered: bool) -> str:
    if not numbered:
        return f"{number(low)} to {number(high)}"
    first, last = int(low + 0.5), int(high - 0.5)
    return str(first) if first == last else f"{first} to {last}"


def _down(n: float) -> float:
    """Length below of the central 68.3 % Poisson interval, after Wilson and Hilferty."""
    if n <= 0.0:
        return 0.0
    return n - n * max(1.0 - 1.0 / (9.0 * n) - 1.0 / (3.0 * math.sqrt(n)), 0.0) ** 3


def _up(n: float) -> float:
    """Length above of it."""
    more = max(n, 0.0) + 1.0
    return more * (1.0 - 1.0 / (9.0 * more) + 1.0 / (3.0 * math.sqrt(more))) ** 3 - max(n, 0.0)
