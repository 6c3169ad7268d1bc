"""Where each parameter of a measurement stands before any fit: the value of its modifiers.

A width or a nominal value may stand in the modifier or in the measurement (``auxdata``, ``sigmas``,
``factors``, ``inits``, ``fixed``). Whoever takes a modifier away has to know what it did there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    _Place = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]

__all__ = ["CONSTRAINED_TYPES", "Nominal", "nominal_values", "settings_of"]

#: Modifier types whose parameter an auxiliary measurement constrains.
CONSTRAINED_TYPES = frozenset({"normsys", "histosys", "shapesys", "staterror", "lumi"})
_ADDITIVE = frozenset({"normsys", "histosys"})  # pulls, without effect at 0; all others are factors
_SINGLE = frozenset({"normfactor", "lumi", "normsys", "histosys"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Nominal:
    """Where the parameter of some modifiers stands without data.

    Parameters
    ----------
    name
        Name of the modifiers.
    types
        Their types.
    values
        One for each component. A fixed parameter stands at its initial value, and so does the
        component of a bin in which a width is zero; a constrained one stands at what its auxiliary
        data say, a free factor at 1.
    """

    name: str
    types: frozenset[str]
    values: tuple[float, ...]

    @property
    def neutral(self) -> float:
        """Value at which the modifiers change nothing: 0 for pulls, 1 for factors."""
        return 0.0 if self.types <= _ADDITIVE else 1.0

    @property
    def has_effect(self) -> bool:
        """Whether the expectation changes where the modifiers are taken away."""
        return any(value != self.neutral for value in self.values)


def settings_of(measurement: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What a measurement says of parameters, by name."""
    return {entry["name"]: entry for entry in measurement["config"]["parameters"]}


def nominal_values(
    document: Mapping[str, Any], measurement: Mapping[str, Any]
) -> dict[str, Nominal]:
    """Where all parameters of a workspace stand in one of its measurements.

    Parameters
    ----------
    document
        A workspace document without lint errors.
    measurement
        One of its measurements.
    """
    settings = settings_of(measurement)
    places: dict[str, list[_Place]] = {}
    for place in _modifiers(document):
        places.setdefault(place[2]["name"], []).append(place)
    return {
        name: Nominal(
            name=name,
            types=frozenset(modifier["type"] for _, _, modifier in used),
            values=_values(used, settings.get(name, {})),
        )
        for name, used in places.items()
    }


def _modifiers(document: Mapping[str, Any]) -> Iterator[_Place]:
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                yield channel, sample, modifier


def _values(places: list[_Place], settings: Mapping[str, Any]) -> tuple[float, ...]:
    kinds = {modifier["type"] for _, _, modifier in places}
    neutral = 0.0 if kinds <= _ADDITIVE else 1.0
    _, sample, modifier = places[0]
    size = 1 if kinds <= _SINGLE else len(sample["data"])
    frozen = [False] * size
    if kinds & {"shapesys", "staterror"}:
        frozen = _without_width(places)
        size = len(frozen)
    inits = [float(value) for value in settings.get("inits", [neutral] * size)]
    if settings.get("fixed"):
        return tuple(inits)
    if "auxdata" not in settings and "factors" not in settings:
        found = [neutral] * size
    elif "shapesys" not in kinds:
        found = [float(value) for value in settings["auxdata"]]
    else:  # auxiliary counts over the number that is expected at 1, as the model has them
        expected = [
            (y / e) ** 2 if y > 0 and e > 0 else 1.0
            for y, e in zip(sample["data"], modifier["data"], strict=True)
        ]
        factors = settings.get("factors", expected)
        counts = settings.get("auxdata", expected)
        found = [count / factor for count, factor in zip(counts, factors, strict=True)]
    if "fixed" in settings:  # said not to be fixed: then no component is
        return tuple(found)
    return tuple(
        init if held else value for held, init, value in zip(frozen, inits, found, strict=True)
    )


def _without_width(places: list[_Place]) -> list[bool]:
    """Which components of a shapesys or staterror are held, as their width is zero.

    The width in a bin is relative to the sum of its samples; channels are in the order of their
    names, as the components are.
    """
    used: dict[str, list[tuple[Sequence[float], Sequence[float]]]] = {}
    for channel, sample, modifier in places:
        used.setdefault(channel["name"], []).append((sample["data"], modifier["data"]))
    held = []
    for name in sorted(used):
        in_channel = used[name]
        for i in range(len(in_channel[0][0])):
            total = sum(events[i] for events, _ in in_channel)
            held.append(
                total <= 0.0 or all((errors[i] / total) ** 2 == 0.0 for _, errors in in_channel)
            )
    return held
