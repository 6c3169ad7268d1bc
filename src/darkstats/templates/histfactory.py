"""Pieces of HistFactory documents: modifiers, symmetrised and pruned variations, patches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray

__all__ = [
    "Pruned",
    "background_document",
    "histosys",
    "normfactor",
    "normsys",
    "parameter",
    "prune",
    "replacement",
    "rounded",
    "significant",
    "staterror",
    "symmetrise",
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


def symmetrise(
    nominal: FloatArray, low: FloatArray | None, high: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return a variation that is the same in both directions.

    Parameters
    ----------
    nominal
        Contents. Shape [bin].
    low, high
        Varied contents, or None for a variation known in one direction. Shapes [bin].

    Returns
    -------
    tuple of FloatArray
        Low and high: the nominal minus and plus half the difference of both directions, or the
        one direction and its mirror image; never below zero.

    Raises
    ------
    OptionError
        Neither direction is given.
    """
    if low is None and high is None:
        raise OptionError("a variation needs at least one direction")
    if low is not None and high is not None:
        half = 0.5 * (high - low)
    else:
        half = high - nominal if high is not None else nominal - low  # type: ignore[operator]  # one is there
    return np.maximum(nominal - half, 0.0), np.maximum(nominal + half, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A variation split into its yield and its shape, without what is negligible.

    Parameters
    ----------
    modifiers
        At most one normsys and one histosys.
    dropped
        What was dropped and how large it was, for reports.
    """

    modifiers: tuple[dict[str, Any], ...] = field(repr=False)
    dropped: tuple[str, ...]


def prune(
    name: str,
    nominal: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    yield_threshold: float = 0.002,
    shape_threshold: float = 0.005,
) -> Pruned:
    """Split a variation into a normsys and a histosys of the same name, and drop small parts.

    Parameters
    ----------
    name
        Name of the nuisance parameter.
    nominal, low, high
        Contents. Shapes [bin].
    yield_threshold
        Relative change of the total below which the normsys goes.
    shape_threshold
        Largest relative change of a bin, at fixed total, below which the histosys goes.

    Raises
    ------
    OptionError
        The nominal contents add up to nothing.
    """
    total = float(nominal.sum())
    if not total > 0.0:
        raise OptionError(f"variation {name}: the nominal contents add up to {total}")
    ratios = [float(varied.sum()) / total for varied in (low, high)]
    shapes = [v / r if r > 0.0 else v for v, r in zip((low, high), ratios, strict=True)]
    filled = nominal > 0.0
    change = max(float(np.max(np.abs(s - nominal)[filled] / nominal[filled])) for s in shapes)
    modifiers: list[dict[str, Any]] = []
    dropped: list[str] = []
    if max(abs(ratio - 1.0) for ratio in ratios) >= yield_threshold:
        data = {"lo": significant(ratios[0]), "hi": significant(ratios[1])}
        modifiers.append({"name": name, "type": "normsys", "data": data})
    else:
        dropped.append(f"{name}: yield, {max(abs(r - 1.0) for r in ratios):.2g}")
    if change >= shape_threshold:
        modifiers.append(histosys(name, shapes[0], shapes[1]))
    else:
        dropped.append(f"{name}: shape, {change:.2g}")
    return Pruned(modifiers=tuple(modifiers), dropped=tuple(dropped))


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
