"""Tiny models for the tests of inference."""

from __future__ import annotations

import json
from typing import Any

from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import read_workspace


def compiled(document: dict[str, Any], masked: tuple[str, ...] = ()) -> HistFactoryModel:
    return compile_workspace(read_workspace(json.dumps(document).encode()), masked=masked)


def _workspace(channels: list[dict[str, Any]], observed: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": [{"name": name, "data": data} for name, data in observed.items()],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }


def _signal(data: list[float]) -> dict[str, Any]:
    modifier = {"name": "mu", "type": "normfactor", "data": None}
    return {"name": "signal", "data": data, "modifiers": [modifier]}


def counting(
    n: float, signal: float, background: float, width: float | None = None
) -> HistFactoryModel:
    """One bin; ``width`` is the absolute uncertainty of the background (Poisson constraint)."""
    modifiers = [] if width is None else [{"name": "u", "type": "shapesys", "data": [width]}]
    samples = [
        _signal([signal]),
        {"name": "background", "data": [background], "modifiers": modifiers},
    ]
    return compiled(_workspace([{"name": "c", "samples": samples}], {"c": [n]}))


def on_off(
    n_on: float, n_off: float, tau: float, *, masked: tuple[str, ...] = ()
) -> HistFactoryModel:
    """A signal region, and a control region that is ``tau`` times as large."""

    def sample(events: float) -> dict[str, Any]:
        modifier = {"name": "level", "type": "normfactor", "data": None}
        return {"name": "background", "data": [events], "modifiers": [modifier]}

    channels = [
        {"name": "on", "samples": [_signal([1.0]), sample(1.0)]},
        {"name": "off", "samples": [sample(tau)]},
    ]
    document = _workspace(channels, {"on": [n_on], "off": [n_off]})
    level = {"name": "level", "inits": [1.0], "bounds": [[0.0, 1000.0]]}
    document["measurements"][0]["config"]["parameters"] = [level]
    return compiled(document, masked)


def two_bins_one_empty() -> HistFactoryModel:
    """Two bins, in the second of which nothing is ever expected."""
    background = {"name": "background", "data": [3.0, 0.0], "modifiers": []}
    samples = [_signal([2.0, 0.0]), background]
    return compiled(_workspace([{"name": "c", "samples": samples}], {"c": [5.0, 0.0]}))


def spectrum(observed: list[float], background: list[float], width: float) -> HistFactoryModel:
    """Several bins, signal in all, one common uncertainty of the background."""
    scale = {"name": "norm", "type": "normsys", "data": {"hi": 1.0 + width, "lo": 1.0 - width}}
    samples = [
        _signal([1.0] * len(background)),
        {"name": "background", "data": background, "modifiers": [scale]},
    ]
    return compiled(_workspace([{"name": "c", "samples": samples}], {"c": observed}))
