"""Where each parameter of a measurement stands before any fit: the value of its modifiers.

A width or a nominal value may stand in the modifier or in the measurement (``auxdata``, ``sigmas``,
``factors``, ``inits``, ``fixed``). Whoever takes a modifier away has to know what it did there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        One for each component. A fixed parameter stands at its initial value, a constrained one at
        what its auxiliary data say, a free factor at 1.
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
    types: dict[str, set[str]] = {}
    first: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    n_bins: dict[str, dict[str, int]] = {}
    for channel, sample, modifier in _modifiers(document):
        name = modifier["name"]
        types.setdefault(name, set()).add(modifier["type"])
        first.setdefault(name, (sample, modifier))
        n_bins.setdefault(name, {})[channel["name"]] = len(sample["data"])
    found = {}
    for name, kinds in types.items():
        size = 1 if kinds <= _SINGLE else next(iter(n_bins[name].values()))
        if "staterror" in kinds:
            size = sum(n_bins[name].values())
        found[name] = Nominal(
            name=name,
            types=frozenset(kinds),
            values=_values(kinds, size, settings.get(name, {}), *first[name]),
        )
    return found


def _modifiers(
    document: Mapping[str, Any],
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]]:
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                yield channel, sample, modifier


def _values(
    kinds: set[str],
    size: int,
    settings: Mapping[str, Any],
    sample: Mapping[str, Any],
    modifier: Mapping[str, Any],
) -> tuple[float, ...]:
    neutral = 0.0 if kinds <= _ADDITIVE else 1.0
    if settings.get("fixed"):
        return tuple(map(float, settings.get("inits", [neutral] * size)))
    if "auxdata" not in settings and "factors" not in settings:
        return (neutral,) * size
    if "shapesys" not in kinds:
        return tuple(map(float, settings["auxdata"]))
    # Auxiliary counts over the number that is expected at 1, as the model has them.
    expected = [
        (y / e) ** 2 if y > 0 and e > 0 else 1.0
        for y, e in zip(sample["data"], modifier["data"], strict=True)
    ]
    factors = settings.get("factors", expected)
    counts = settings.get("auxdata", expected)
    return tuple(count / factor for count, factor in zip(counts, factors, strict=True))
