"""A workspace at another luminosity, with a statement of what becomes of the systematic errors."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError, UnknownNameError
from darkstats.workspace.names import modifier_of
from darkstats.workspace.nominal import CONSTRAINED_TYPES, nominal_values, settings_of

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["SYSTEMATICS", "projected"]

#: What becomes of relative errors at a luminosity that is larger by a factor f.
SYSTEMATICS: Mapping[str, str] = MappingProxyType(
    {
        "same": "relative systematic errors stay as they are",
        "statistical": "relative systematic errors fall with the square root of the luminosity, "
        "those of simulation included",
        "none": "no systematic errors",
    }
)


def projected(document: Mapping[str, Any], factor: float, *, systematics: str) -> JsonObject:
    """Return a workspace with all expected and observed events multiplied by ``factor``.

    Parameters
    ----------
    document
        A workspace without lint errors; it is not changed. Observed counts are scaled, too: they
        are good for nothing but Asimov data.
    factor
        Luminosity over that of the document, positive.
    systematics
        A key of :data:`SYSTEMATICS`. Widths are scaled wherever they stand: in a modifier, or in
        a measurement. Without systematic errors each parameter stays at its nominal value. The
        parameter of interest (of the first measurement) is none of them: its modifiers stay.

    Raises
    ------
    UnknownNameError
        There is no such statement on systematic errors.
    OptionError
        A yield would vary by 100% or more, which a normsys cannot say.
    """
    if systematics not in SYSTEMATICS:
        raise UnknownNameError("statement on systematics", systematics, tuple(SYSTEMATICS))
    result = copy.deepcopy(dict(document))
    measurement = next(iter(result["measurements"]), None)
    poi = None if measurement is None else _interest(result, measurement)
    dropped: set[str] = set()
    if systematics == "none" and measurement is not None:
        dropped = _hold_at_nominal(result, poi)
    shrink = 1.0 / math.sqrt(factor) if systematics == "statistical" else 1.0
    for channel in result["channels"]:
        for sample in channel["samples"]:
            nominal = [factor * value for value in sample["data"]]
            sample["data"] = nominal
            sample["modifiers"] = [
                _scaled(modifier, nominal, factor, 1.0 if modifier["name"] == poi else shrink)
                for modifier in sample["modifiers"]
                if modifier["name"] not in dropped
            ]
    for observation in result["observations"]:
        observation["data"] = [factor * value for value in observation["data"]]
    if shrink != 1.0:
        _scale_settings(result, poi, shrink)
    return result


def _interest(document: Mapping[str, Any], measurement: Mapping[str, Any]) -> str:
    """Name of the modifiers behind the parameter of interest."""
    modifiers = {
        modifier["name"]
        for channel in document["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    return modifier_of(measurement["config"]["poi"], modifiers)


def _hold_at_nominal(document: JsonObject, poi: str | None) -> set[str]:
    """Hold constrained parameters; return the names of those that do nothing there.

    Their modifiers are left out, which is the same and needs no place in the fit.
    """
    held = []
    for measurement in document["measurements"]:
        found = nominal_values(document, measurement).values()
        held.append({n.name: n for n in found if n.types <= CONSTRAINED_TYPES and n.name != poi})
    dropped = {name for name in held[0] if not any(found[name].has_effect for found in held)}
    for measurement, nominals in zip(document["measurements"], held, strict=True):
        config = measurement["config"]
        kept = [entry for entry in config["parameters"] if entry["name"] not in nominals]
        for name, nominal in nominals.items():
            if name not in dropped:
                old = settings_of(measurement).get(name, {"name": name})
                kept.append({**old, "inits": list(nominal.values), "fixed": True})
        config["parameters"] = [_with_room(entry) for entry in kept]
    return dropped


def _with_room(entry: JsonObject) -> JsonObject:
    """Let a held value lie within its bounds, as the linter wants it."""
    if not entry.get("fixed") or not {"inits", "bounds"} <= entry.keys():
        return entry
    bounds = [
        [min(low, value), max(high, value)]
        for (low, high), value in zip(entry["bounds"], entry["inits"], strict=True)
    ]
    return {**entry, "bounds": bounds}


def _scaled(modifier: JsonObject, nominal: list[float], factor: float, shrink: float) -> JsonObject:
    """A modifier at the new luminosity, its relative error multiplied by ``shrink``."""
    kind, data = modifier["type"], modifier["data"]
    if kind == "normsys":
        data = {side: 1.0 + shrink * (data[side] - 1.0) for side in ("lo", "hi")}
        worst = min(data.values())
        if worst <= 0.0:
            raise OptionError(
                f"the normsys {modifier['name']!r} would vary a yield by {100 * (worst - 1.0):.0f} "
                f"% at {factor:g} times the luminosity, and nothing is left of it; let relative "
                "errors stay: --systematics same"
            )
    elif kind == "histosys":
        data = {
            side: [n + shrink * (factor * v - n) for n, v in zip(nominal, data[side], strict=True)]
            for side in ("lo_data", "hi_data")
        }
    elif kind in {"shapesys", "staterror"}:
        data = [shrink * factor * value for value in data]
    return {**modifier, "data": data}


def _scale_settings(document: JsonObject, poi: str | None, shrink: float) -> None:
    """Multiply by ``shrink`` the relative errors that stand in measurements."""
    types: dict[str, set[str]] = {}
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                types.setdefault(modifier["name"], set()).add(modifier["type"])
    for measurement in document["measurements"]:
        config = measurement["config"]
        config["parameters"] = [
            entry if entry["name"] == poi else _scaled_entry(entry, types, shrink)
            for entry in config["parameters"]
        ]


def _scaled_entry(entry: JsonObject, types: Mapping[str, set[str]], shrink: float) -> JsonObject:
    kinds = types.get(entry["name"], set())
    found = dict(entry)
    if kinds & {"lumi", "staterror"} and "sigmas" in entry:
        found["sigmas"] = [shrink * value for value in entry["sigmas"]]
    if "shapesys" in kinds:  # auxiliary counts: the relative error is the inverse of their root
        for key in ("factors", "auxdata"):
            if key in entry:
                found[key] = [value / shrink**2 for value in entry[key]]
    if shrink > 1.0 and kinds & {"lumi", "staterror", "shapesys"} and "bounds" in entry:
        found["bounds"] = [_widened(pair, shrink) for pair in entry["bounds"]]
    return found


def _widened(bounds: list[float], shrink: float) -> list[float]:
    """The range of a factor as many standard deviations wide as before, but not below zero."""
    low, high = bounds
    middle, half = 0.5 * (low + high), 0.5 * shrink * (high - low)
    return [max(middle - half, min(low, 0.0)), middle + half]
