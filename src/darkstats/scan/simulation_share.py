"""How much of a sensitivity rests on bins whose background simulation hardly reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.workspace.simulation_modes import is_simulation_mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.model import HistFactoryModel
    from darkstats.scan.settings import ScanSettings

__all__ = ["LARGEST_ERROR", "projection_warnings", "uncertain_share"]

#: Relative error of simulation beyond which a bin's background is not known: four events.
LARGEST_ERROR = 0.5

_SHARE = 0.2  # of the sensitivity, from which on a projection says what it rests on


def _variance(sample: Mapping[str, Any]) -> FloatArray:
    """Of the simulation of a background, events squared. Shape [bin]."""
    content = np.asarray(sample["data"], dtype=np.float64)
    variance = np.zeros(len(content))
    moved: dict[str, FloatArray] = {}
    for modifier in sample["modifiers"]:
        name, kind, data = modifier["name"], modifier["type"], modifier["data"]
        if kind == "staterror":
            variance += np.square(data)
        elif is_simulation_mode(sample["name"], name) and kind in {"normsys", "histosys"}:
            shift = (
                (data["hi"] - data["lo"]) * content
                if kind == "normsys"
                else np.subtract(data["hi_data"], data["lo_data"])
            )
            moved[name] = moved.get(name, 0.0) + 0.5 * shift
    return variance + sum(shift**2 for shift in moved.values())


def uncertain_share(document: Mapping[str, Any], poi: str, mu: float) -> float:
    """Share of the sensitivity in bins whose background has no well-known simulation, 0 to 1.

    Each bin counts by its Asimov significance squared, ``2 [(s + b) ln(1 + s/b) - s]``, nuisance
    parameters left aside (arXiv:1007.1727, equation 97). Errors of simulation are those of
    ``staterror`` and of what smoothed processes move together
    (:func:`~darkstats.workspace.simulation_modes.is_simulation_mode`); workspaces without them give
    0.

    Parameters
    ----------
    document
        A workspace.
    poi
        Name of the parameter of interest: samples that it scales are signal.
    mu
        Signal strength.
    """
    total = uncertain = 0.0
    for channel in document["channels"]:
        n_bins = len(channel["samples"][0]["data"])
        signal, background, variance = (np.zeros(n_bins) for _ in range(3))
        for sample in channel["samples"]:
            if any(m["name"] == poi for m in sample["modifiers"]):
                signal += mu * np.asarray(sample["data"], dtype=np.float64)
                continue
            background += sample["data"]
            variance += _variance(sample)
        used = (signal > 0.0) & (background > 0.0)
        s, b = signal[used], background[used]
        weight = 2.0 * ((s + b) * np.log1p(s / b) - s)
        total += float(weight.sum())
        uncertain += float(weight[np.sqrt(variance[used]) > LARGEST_ERROR * b].sum())
    return uncertain / total if total > 0.0 else 0.0


def projection_warnings(
    document: Mapping[str, Any],
    model: HistFactoryModel,
    median: float | None,
    settings: ScanSettings,
) -> tuple[str, ...]:
    """Say where a projection rests on backgrounds that were not simulated.

    Parameters
    ----------
    document, model
        Of the hypothesis, at the luminosity of the settings; the document with its errors of
        simulation, also where the model has no systematic errors.
    median
        Expected limit.
    """
    exact = settings.systematics == "none"  # the model takes the simulation as it is
    if (settings.luminosity_factor == 1.0 and not exact) or median is None:
        return ()
    poi = model.parameters[model.require_poi()].set_name
    share = uncertain_share(document, poi, median)
    if share < _SHARE:
        return ()
    ending = "simulate more for this luminosity"
    if exact:
        ending = f"it is taken as exact here, without systematic errors; {ending}"
    return (
        f"{100.0 * share:.0f} % of the sensitivity comes from bins whose background has a "
        f"simulation error above {100.0 * LARGEST_ERROR:.0f} %: {ending}",
    )
