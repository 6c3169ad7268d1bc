"""Pieces of HistFactory documents that all searches use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray

__all__ = [
    "background_document",
    "histosys",
    "normfactor",
    "normsys",
    "parameter",
    "replacement",
    "rounded",
    "significant",
    "staterror",
]


def significant(value: float) -> float:
    """Six significant digits: what a reader needs, and half the size."""
    return float(f"{value:.6g}")


def rounded(values: FloatArray) -> list[float]:
    """Six significant digits of each. Shape [bin]."""
    return [significant(value) for value in values]


def normfactor(name: str) -> dict[str, Any]:
    """Free factor."""
    return {"name": name, "type": "normfactor", "data": None}


def normsys(name: str, relative: float) -> dict[str, Any]:
    """Symmetric relative error of a yield."""
    return {
        "name": name,
        "type": "normsys",
        "data": {"lo": significant(1.0 - relative), "hi": significant(1.0 + relative)},
    }


def histosys(name: str, low: FloatArray, high: FloatArray) -> dict[str, Any]:
    """Correlated variation of all bins."""
    data = {"lo_data": rounded(low), "hi_data": rounded(high)}
    return {"name": name, "type": "histosys", "data": data}


def staterror(name: str, variances: FloatArray) -> dict[str, Any]:
    """Statistical error of simulation, from sums of squared weights. Shape [bin]."""
    return {"name": name, "type": "staterror", "data": rounded(np.sqrt(variances))}


def parameter(name: str, low: float, high: float, start: float) -> dict[str, Any]:
    """Bounds and starting value of a parameter."""
    return {"name": name, "bounds": [[low, high]], "inits": [start]}


def replacement(
    channels: Mapping[str, Sequence[Mapping[str, Any]]],
    observations: Mapping[str, FloatArray],
    parameters: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], ...]:
    """Patch that puts windows in the place of the whole spectrum; the POI is ``mu``.

    Parameters
    ----------
    channels
        Samples by name of the channel.
    observations
        Counts by name of the channel. Shape of each [bin].
    parameters
        Bounds and starting values.
    """
    return (
        {
            "op": "replace",
            "path": "/channels",
            "value": [{"name": n, "samples": list(s)} for n, s in channels.items()],
        },
        {
            "op": "replace",
            "path": "/observations",
            "value": [{"name": n, "data": rounded(observations[n])} for n in channels],
        },
        {
            "op": "replace",
            "path": "/measurements/0/config",
            "value": {"poi": "mu", "parameters": list(parameters)},
        },
    )


def background_document(
    channels: Mapping[str, Sequence[Mapping[str, Any]]], observations: Mapping[str, FloatArray]
) -> dict[str, Any]:
    """Background-only workspace, without a parameter of interest."""
    return {
        "channels": [{"name": n, "samples": list(s)} for n, s in channels.items()],
        "observations": [{"name": n, "data": rounded(observations[n])} for n in channels],
        "measurements": [{"name": "search", "config": {"poi": "", "parameters": []}}],
        "version": "1.0.0",
    }
