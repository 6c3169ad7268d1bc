"""A simplified likelihood as a HistFactory document."""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.inference.simplified.parabola import NOTHING, View
from darkstats.inference.simplified.shape import Quadratic, Reduced, Shape
from darkstats.workspace.json_values import JsonValue

__all__ = ["BACKGROUND", "SIGNAL", "document_of"]

BACKGROUND, SIGNAL = "background", "signal_eigen"
_REACH = 30.0  # range of a free direction, in standard deviations of the fit


def document_of(
    view: View, shape: Shape, reduced: Reduced, quadratic: Quadratic | None
) -> dict[str, JsonValue]:
    """The simplified likelihood as a workspace."""
    whole = view.workspace.document
    model = view.model
    poi = model.parameters[model.require_poi()].name
    stem = _free_stem({poi, *(sample for _, sample in view.signals)})
    observations = {one["name"]: one for one in whole["observations"]}
    base = shape.background - shape.counted - shape.scaled.sum(axis=1)
    base = np.where(np.abs(base) < NOTHING * np.abs(shape.background), 0.0, base)
    even = np.zeros_like(reduced.background) if quadratic is None else quadratic.background
    if shape.drawn is not None:  # its mean is that of the toys, even terms included
        base = base - even.sum(axis=1)
    signal_even = np.zeros_like(reduced.signal) if quadratic is None else quadratic.signal
    channels = []
    for name in view.kept:
        at = np.array([b for b, place in enumerate(view.places) if place[0] == name])
        modifiers = _shifts(f"{stem}_eigen", base[at], reduced.background[at], even[at])
        if (shape.bin_error[at] > 0.0).any():
            modifiers.append(
                {
                    "name": f"{stem}_bins_{name}",
                    "type": "staterror",
                    "data": shape.bin_error[at].tolist(),
                }
            )
        samples = [{"name": stem, "data": base[at].tolist(), "modifiers": modifiers}]
        if (shape.counted_error[at] > 0.0).any():
            errors = shape.counted_error[at].tolist()
            samples.append(
                {
                    "name": f"{stem}_counted",
                    "data": shape.counted[at].tolist(),
                    "modifiers": [
                        {"name": f"{stem}_counts_{name}", "type": "shapesys", "data": errors}
                    ],
                }
            )
        for k, events in enumerate(np.hstack([shape.scaled, reduced.free])[at].T):
            if not np.any(events):
                continue
            free = f"{stem}_free_{k + 1}"
            factor: list[dict[str, JsonValue]] = [
                {"name": free, "type": "normfactor", "data": None}
            ]
            if k < shape.scaled.shape[1] and (shape.bin_error[at] > 0.0).any():
                none = [0.0] * len(at)  # the error of the sum stands in the first sample
                factor.append({"name": f"{stem}_bins_{name}", "type": "staterror", "data": none})
            samples.append({"name": free, "data": events.tolist(), "modifiers": factor})
        begin = 0
        for (channel, sample), (_, where) in zip(view.signals, view.owners, strict=True):
            rows = slice(begin, begin + len(where))
            begin += len(where)
            if channel != name:
                continue
            signal, only = shape.signal[rows], reduced.signal_only[rows]
            samples.append(
                {
                    "name": sample,
                    "data": signal.tolist(),
                    "modifiers": [
                        {"name": poi, "type": "normfactor", "data": None},
                        *_shifts(f"{stem}_eigen", signal, reduced.signal[rows], signal_even[rows]),
                        *_shifts(SIGNAL, signal, only, np.zeros_like(only)),
                    ],
                }
            )
        channels.append({"name": name, "samples": samples})
    settings = [
        *((1.0, low, high) for low, high in shape.factors),
        *((0.0, -_REACH, _REACH) for _ in range(reduced.free.shape[1])),
    ]
    parameters = [
        {"name": f"{stem}_free_{k + 1}", "inits": [start], "bounds": [[low, high]]}
        for k, (start, low, high) in enumerate(settings)
    ]
    ours = next(one for one in whole["measurements"] if one["name"] == model.measurement)
    parameters += [one for one in ours["config"]["parameters"] if one["name"] == poi]
    return {
        "channels": channels,
        "observations": [observations[name] for name in view.kept],
        "measurements": [
            {"name": model.measurement, "config": {"poi": poi, "parameters": parameters}}
        ],
        "version": whole["version"],
    }


def _free_stem(taken: set[str]) -> str:
    """A name for the background that begins no name of the signal, so that none is used twice.

    Raises
    ------
    OptionError
        The parameter of interest has a name of ours.
    """
    if any(name.startswith(f"{SIGNAL}_") for name in taken):
        raise OptionError(
            f"names that begin with {SIGNAL}_ are those of the result: rename the signal"
        )
    stem = BACKGROUND
    while any(name.startswith(stem) for name in taken):
        stem = f"total_{stem}"
    return stem


def _shifts(
    name: str, nominal: FloatArray, odd: FloatArray, even: FloatArray
) -> list[dict[str, JsonValue]]:
    """One histosys for each column that moves anything."""
    return [
        {
            "name": f"{name}_{k + 1}",
            "type": "histosys",
            "data": {
                "hi_data": (nominal + odd[:, k] + even[:, k]).tolist(),
                "lo_data": (nominal - odd[:, k] + even[:, k]).tolist(),
            },
        }
        for k in range(odd.shape[1])
        if np.any(odd[:, k]) or np.any(even[:, k])
    ]
