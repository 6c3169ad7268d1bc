"""Small models whose coverage is studied: counting, on/off, and a bump on a falling spectrum.

In each, the signal strength counts signal events.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import read_workspace

__all__ = ["COVERAGE_MODELS", "CoverageModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageModel:
    """A model of the study.

    Parameters
    ----------
    name, document
        Name, and pyhf workspace.
    n_nuisances
        Free nuisance parameters: p-values of toys are tabulated over them.
    """

    name: str
    document: dict[str, Any]
    n_nuisances: int

    def compile(self) -> HistFactoryModel:
        """Return the compiled model."""
        return compile_workspace(read_workspace(json.dumps(self.document).encode()))


def _document(
    channels: list[dict[str, Any]], parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    observations = [
        {
            "name": channel["name"],
            "data": [
                float(round(sum(bins)))
                for bins in zip(*(sample["data"] for sample in channel["samples"]), strict=True)
            ],
        }
        for channel in channels
    ]
    config = {"poi": "mu", "parameters": parameters or []}
    return {
        "version": "1.0.0",
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "study", "config": config}],
    }


def _signal(data: list[float]) -> dict[str, Any]:
    modifier = {"name": "mu", "type": "normfactor", "data": None}
    return {"name": "signal", "data": data, "modifiers": [modifier]}


def _one_bin(background: float, uncertainty: float) -> CoverageModel:
    modifiers = []
    if uncertainty > 0.0:
        width = uncertainty * background
        modifiers = [{"name": "background", "type": "shapesys", "data": [width]}]
    samples = [
        _signal([1.0]),
        {"name": "background", "data": [background], "modifiers": modifiers},
    ]
    return CoverageModel(
        name=f"one bin, b = {background:g} ± {100 * uncertainty:g} %",
        document=_document([{"name": "on", "samples": samples}]),
        n_nuisances=int(uncertainty > 0.0),
    )


def _on_off(tau: float, background: float = 5.0) -> CoverageModel:
    def sample(events: float) -> dict[str, Any]:
        modifier = {"name": "level", "type": "normfactor", "data": None}
        return {"name": "background", "data": [events], "modifiers": [modifier]}

    channels = [
        {"name": "on", "samples": [_signal([1.0]), sample(background)]},
        {"name": "off", "samples": [sample(tau * background)]},
    ]
    level = {"name": "level", "inits": [1.0], "bounds": [[0.0, 100.0]]}
    return CoverageModel(
        name=f"on/off, tau = {tau:g}, b = {background:g}",
        document=_document(channels, [level]),
        n_nuisances=1,
    )


def _bump(n_bins: int = 20) -> CoverageModel:
    x = [(i + 0.5) / n_bins for i in range(n_bins)]
    background = [40.0 * math.exp(-2.5 * point) for point in x]
    peak = [math.exp(-0.5 * ((point - 0.6) / 0.05) ** 2) for point in x]
    total = sum(peak)
    tilt = [0.15 * (point - 0.5) for point in x]
    modifiers = [
        {"name": "norm", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
        {
            "name": "slope",
            "type": "histosys",
            "data": {
                "hi_data": [b * (1.0 + t) for b, t in zip(background, tilt, strict=True)],
                "lo_data": [b * (1.0 - t) for b, t in zip(background, tilt, strict=True)],
            },
        },
    ]
    samples = [
        _signal([p / total for p in peak]),
        {"name": "background", "data": background, "modifiers": modifiers},
    ]
    return CoverageModel(
        name=f"bump on a falling spectrum, {n_bins} bins",
        document=_document([{"name": "spectrum", "samples": samples}]),
        n_nuisances=2,
    )


COVERAGE_MODELS: tuple[CoverageModel, ...] = (
    *(_one_bin(b, 0.0) for b in (0.5, 3.0, 10.0)),
    *(_one_bin(b, 0.3) for b in (0.5, 3.0, 10.0)),
    *(_one_bin(b, 1.0) for b in (0.5, 3.0, 10.0)),
    *(_on_off(tau) for tau in (0.1, 1.0, 4.0)),
    _bump(),
)
