"""Eight small models on which credible limits are calibrated; the signal strength counts events."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.model import compile_workspace
from darkstats.workspace import read_workspace

if TYPE_CHECKING:
    from darkstats.model import HistFactoryModel

__all__ = ["CALIBRATION_MODELS", "CalibrationModel"]

Modifiers = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationModel:
    """A model of the study.

    Parameters
    ----------
    name, document
        Name, and pyhf workspace.
    upper
        Edge of the flat prior that truths are drawn from, and that they are inferred with.
    engine
        Which engine is calibrated.
    nuisances
        Priors of the nuisance parameters.
    """

    name: str
    document: dict[str, Any] = field(repr=False)
    upper: float
    engine: str = "quadrature"
    nuisances: NuisancePriors = field(default_factory=NuisancePriors)

    def compile(self) -> HistFactoryModel:
        """Return the compiled model."""
        return compile_workspace(read_workspace(json.dumps(self.document).encode()))


def _sample(name: str, data: list[float], modifiers: Modifiers) -> dict[str, Any]:
    if name == "signal":
        modifiers = [{"name": "mu", "type": "normfactor", "data": None}, *modifiers]
    return {"name": name, "data": data, "modifiers": modifiers}


def _normsys(name: str, width: float) -> dict[str, Any]:
    return {"name": name, "type": "normsys", "data": {"hi": 1.0 + width, "lo": 1.0 - width}}


def _document(
    channels: dict[str, list[dict[str, Any]]], parameters: Modifiers | None = None
) -> dict[str, Any]:
    totals = {
        name: [float(round(sum(bins))) for bins in zip(*(s["data"] for s in samples), strict=True)]
        for name, samples in channels.items()
    }
    config = {"poi": "mu", "parameters": parameters or []}
    return {
        "version": "1.0.0",
        "channels": [{"name": name, "samples": samples} for name, samples in channels.items()],
        "observations": [{"name": name, "data": data} for name, data in totals.items()],
        "measurements": [{"name": "study", "config": config}],
    }


def _one_bin(
    background: float, on_signal: Modifiers | None = None, on_background: Modifiers | None = None
) -> dict[str, Any]:
    samples = [
        _sample("signal", [1.0], on_signal or []),
        _sample("background", [background], on_background or []),
    ]
    return _document({"window": samples})


def _on_off() -> dict[str, Any]:
    level = {"name": "level", "type": "normfactor", "data": None}
    channels = {
        "on": [_sample("signal", [1.0], []), _sample("background", [4.0], [level])],
        "off": [_sample("background", [8.0], [level])],
    }
    return _document(channels, [{"name": "level", "inits": [1.0], "bounds": [[0.0, 10.0]]}])


def _ellipse_and_ring() -> dict[str, Any]:
    """Two bins with leakage of signal, a common yield, and simulation errors of their own."""
    efficiency, common = _normsys("efficiency", 0.1), _normsys("yield", 0.2)
    channels = {}
    for name, signal, background, error in (("ellipse", 0.9, 1.5, 0.3), ("ring", 0.1, 10.0, 1.0)):
        simulation = {"name": f"stat_{name}", "type": "staterror", "data": [error]}
        channels[name] = [
            _sample("signal", [signal], [efficiency]),
            _sample("background", [background], [common, simulation]),
        ]
    return _document(channels)


def _bump(n_bins: int) -> dict[str, Any]:
    """A peak on a falling spectrum whose norm and slope are uncertain."""
    x = [(i + 0.5) / n_bins for i in range(n_bins)]
    background = [800.0 / n_bins * math.exp(-2.5 * point) for point in x]
    peak = [math.exp(-0.5 * ((point - 0.6) / 0.05) ** 2) for point in x]
    tilt = [0.15 * (point - 0.5) for point in x]
    slope = {
        "name": "slope",
        "type": "histosys",
        "data": {
            "hi_data": [b * (1.0 + t) for b, t in zip(background, tilt, strict=True)],
            "lo_data": [b * (1.0 - t) for b, t in zip(background, tilt, strict=True)],
        },
    }
    signal = [p / sum(peak) for p in peak]
    samples = [
        _sample("signal", signal, [_normsys("efficiency", 0.1)]),
        _sample("background", background, [_normsys("norm", 0.1), slope]),
    ]
    return _document({"spectrum": samples})


CALIBRATION_MODELS: tuple[CalibrationModel, ...] = (
    CalibrationModel(name="one bin, b = 3", document=_one_bin(3.0), upper=20.0),
    CalibrationModel(
        name="one bin, b = 3 ± 30 %, efficiency ± 10 %, log-normal",
        document=_one_bin(3.0, [_normsys("efficiency", 0.1)], [_normsys("yield", 0.3)]),
        upper=25.0,
    ),
    CalibrationModel(
        name="one bin, b = 1, efficiency ± 30 %, gamma",
        document=_one_bin(1.0, [_normsys("efficiency", 0.3)]),
        upper=25.0,
        nuisances=NuisancePriors(efficiency="gamma"),
    ),
    CalibrationModel(
        name="one bin, b = 5 from 10 auxiliary events",
        document=_one_bin(
            5.0,
            on_background=[{"name": "control", "type": "shapesys", "data": [5.0 / math.sqrt(10)]}],
        ),
        upper=25.0,
    ),
    CalibrationModel(
        name="on/off, level flat from 0 to 4",
        document=_on_off(),
        upper=25.0,
        nuisances=NuisancePriors(ranges={"level": (0.0, 4.0)}),
    ),
    CalibrationModel(
        name="ellipse and ring, five errors", document=_ellipse_and_ring(), upper=15.0
    ),
    CalibrationModel(
        name="ellipse and ring, by Laplace",
        document=_ellipse_and_ring(),
        upper=15.0,
        engine="laplace",
    ),
    CalibrationModel(
        name="bump, 20 bins, by Laplace", document=_bump(20), upper=60.0, engine="laplace"
    ),
)
