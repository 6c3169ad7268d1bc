"""One of two likelihoods that are to be joined: what its analysis reaches, renamed as one whole."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from darkstats.workspace.hs3.constraints import GAUSSIAN, Constraint, Constraints
from darkstats.workspace.hs3.document import Hs3Document, Hs3Parameter
from darkstats.workspace.hs3.histfactory_analysis import HISTFACTORY
from darkstats.workspace.hs3.parts import tokens_of

__all__ = ["Side", "free_name"]

Item = dict[str, Any]
_TOKEN = re.compile(r"[A-Za-z_]\w*")
_PULLS = ("normsys", "histosys")


def _renamed(value: Any, new: Mapping[str, str], key: str = "") -> Any:  # noqa: ANN401 -- JSON
    """A JSON value in which names are replaced; ``name`` and ``type`` within it stay."""
    if isinstance(value, str):
        if key == "expression":
            return _TOKEN.sub(lambda match: new.get(match.group(), match.group()), value)
        return value if key in ("name", "type") else new.get(value, value)
    if isinstance(value, Mapping):
        return {one: _renamed(part, new, one) for one, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, new, key) for part in value]
    return value


def free_name(name: str, taken: set[str]) -> str:
    """A name that nothing has, which is taken then."""
    k = 2
    while f"{name}_{k}" in taken:
        k += 1
    taken.add(f"{name}_{k}")
    return f"{name}_{k}"


def _given(document: Hs3Document, analysis: str, name: str) -> Item:
    """Data of a document; those that come from elsewhere are not an empty set of events."""
    item = document.item("data", name)
    if document.spectrum_of(analysis) is None or item.get("entries"):
        return item
    return {key: value for key, value in item.items() if key != "entries"}


def _scaled_channel(channel: Item, poi: str, scale: float) -> Item:
    """A HistFactory channel with the samples that a parameter multiplies times a factor."""
    samples = []
    for sample in channel["samples"]:
        modifiers = sample.get("modifiers", [])
        if not any(modifier.get("parameter") == poi for modifier in modifiers):
            samples.append(sample)
            continue
        data = {key: [scale * float(v) for v in row] for key, row in sample["data"].items()}
        changed = [
            modifier
            if modifier.get("type") != "histosys"
            else modifier
            | {
                "data": {
                    end: {"contents": [scale * float(v) for v in part["contents"]]}
                    for end, part in modifier["data"].items()
                }
            }
            for modifier in modifiers
        ]
        samples.append({**sample, "data": data, "modifiers": changed})
    return {**channel, "samples": samples}


@dataclass(slots=True)
class Side:
    """What one analysis reaches of its document.

    Parameters
    ----------
    label
        ``"left"`` or ``"right"``, for messages.
    distributions, functions, data
        Items by name.
    channels, auxiliary
        Pairs of distribution and data; names of auxiliary distributions.
    parameters, poi
        Parameters that are reached, by name; that of interest.
    """

    label: str
    document: Hs3Document
    analysis: str
    distributions: dict[str, Item]
    functions: dict[str, Item]
    data: dict[str, Item]
    channels: list[tuple[str, str]]
    auxiliary: list[str]
    parameters: dict[str, Hs3Parameter]
    poi: str | None
    renamed: dict[str, str] = field(default_factory=dict)  # channels: new -> old
    scale: float = 1.0  # of the signal

    @classmethod
    def of(cls, document: Hs3Document, analysis: str | None, label: str) -> Side:
        """What an analysis reaches; the first one by default.

        Raises
        ------
        DocumentError
            A reference leads nowhere, or a part is missing.
        UnknownNameError
            There is no such analysis.
        """
        chosen = document.analysis(analysis)
        entry = document.item("analyses", chosen.name)
        likelihood = document.item("likelihoods", entry["likelihood"])
        sections = {
            key: {item["name"]: item for item in document.document.get(key, [])}
            for key in ("distributions", "functions")
        }
        auxiliary = list(likelihood.get("aux_distributions") or [])
        waiting = [*likelihood["distributions"], *auxiliary]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for items in sections.values():
                if name in items:
                    waiting += tokens_of(items[name]) - seen
        return cls(
            label=label,
            document=document,
            analysis=chosen.name,
            distributions={k: v for k, v in sections["distributions"].items() if k in seen},
            functions={k: v for k, v in sections["functions"].items() if k in seen},
            data={name: _given(document, chosen.name, name) for name in likelihood["data"]},
            channels=list(zip(likelihood["distributions"], likelihood["data"], strict=True)),
            auxiliary=auxiliary,
            parameters={p.name: p for p in chosen.parameters if p.name in seen},
            poi=chosen.poi,
        )

    @property
    def items(self) -> set[str]:
        """Names of all that is no parameter."""
        return {*self.distributions, *self.functions, *self.data}

    @property
    def floating(self) -> dict[str, Hs3Parameter]:
        """Parameters that are not constant."""
        return {name: one for name, one in self.parameters.items() if not one.constant}

    def rename(self, new: Mapping[str, str]) -> None:
        """Give parameters and items other names, wherever they are mentioned."""
        if not new:
            return
        for section in ("distributions", "functions", "data"):
            items: dict[str, Item] = getattr(self, section)
            found = {}
            for name, item in items.items():
                own = new.get(name, name)
                found[own] = {**_renamed(item, new), "name": own}
            setattr(self, section, found)
        for name, _ in self.channels:
            if name in new:
                self.renamed[new[name]] = self.renamed.pop(name, name)
        self.channels = [(new.get(a, a), new.get(b, b)) for a, b in self.channels]
        self.auxiliary = [new.get(name, name) for name in self.auxiliary]
        self.parameters = {new.get(name, name): one for name, one in self.parameters.items()}
        self.poi = None if self.poi is None else new.get(self.poi, self.poi)

    def replace_in_densities(self, parameter: str, function: str, expression: str) -> None:
        """Put a function in the place of a parameter, wherever no HistFactory channel has it."""
        used = False
        for section in ("distributions", "functions"):
            items: dict[str, Item] = getattr(self, section)
            for key, item in items.items():
                if item["type"] != HISTFACTORY and parameter in tokens_of(item):
                    items[key] = _renamed(item, {parameter: function}) | {"name": key}
                    used = True
        if used:
            self.functions[function] = {
                "name": function, "type": "generic_function", "expression": expression,
            }  # fmt: skip

    def scale_signal(self, scale: float) -> None:
        """Make signal strength 1 mean so many times the signal that it did."""
        poi = self.poi
        if poi is None:
            return
        name = free_name(f"{poi}_{self.label}", {*self.items, *self.parameters})
        for key, item in self.distributions.items():
            if item["type"] == HISTFACTORY:
                self.distributions[key] = _scaled_channel(item, poi, scale)
        self.replace_in_densities(poi, name, f"{scale!r} * {poi}")
        one = self.parameters[poi]
        self.parameters[poi] = replace(
            one, value=one.value / scale, lower=one.lower / scale, upper=one.upper / scale
        )
        self.scale = scale

    def rotate(self, name: str, coefficient: float, rest: str) -> None:
        """Make a pull a mixture of the one of that name and of a new one, ``rest``."""
        _, item = self.constraints()[name]
        if item is not None:
            self.drop(item)
        taken = {*self.items, *self.parameters}
        rest = free_name(rest, taken) if rest in taken else rest
        taken.add(rest)
        share = math.sqrt(max(1.0 - coefficient * coefficient, 0.0))
        text = f"{coefficient!r} * {name}" + (f" + {share!r} * {rest}" if share else "")
        self.replace_in_densities(name, free_name(f"{name}_rotated", taken), text)
        if share:
            self.parameters[rest] = replace(self.parameters[name], name=rest)
            held = free_name(f"{rest}_constraint", taken)
            self.distributions[held] = {
                "name": held, "type": "gaussian_dist", "x": 0.0, "mean": rest, "sigma": 1.0,
            }  # fmt: skip
            self.auxiliary.append(held)

    def drop(self, constraint: str) -> None:
        """Leave out an auxiliary distribution."""
        self.auxiliary.remove(constraint)
        del self.distributions[constraint]

    def in_bins(self) -> set[str]:
        """Parameters of HistFactory channels."""
        found: set[str] = set()
        for modifier in self._modifiers():
            found.update(modifier.get("parameters") or [str(modifier.get("parameter"))])
        return found

    def _modifiers(self) -> list[Item]:
        return [
            modifier
            for item in self.distributions.values()
            if item["type"] == HISTFACTORY
            for sample in item["samples"]
            for modifier in sample.get("modifiers", [])
        ]

    def errors_of_bins(self) -> set[str]:
        """Floating parameters of single bins that a constraint holds."""
        found = {name for one in self._modifiers() for name in one.get("parameters") or ()}
        return found & set(self.constraints()) & set(self.floating)

    def constraints(self) -> dict[str, tuple[Constraint, str | None]]:
        """What holds each parameter, and by which item; None where modifiers imply it.

        Raises
        ------
        DocumentError
            A constraint holds something else than one parameter.
        """
        taker = Constraints(
            distributions={name: (0, item) for name, item in self.distributions.items()},
            functions={name: (0, item) for name, item in self.functions.items()},
            values={k: p.value for k, p in self.parameters.items() if p.constant},
            parameters=set(self.floating),
            source=self.document.source,
        )
        found: dict[str, tuple[Constraint, str | None]] = {}
        for modifier in self._modifiers():
            named = modifier.get("constraint_name", modifier.get("constraint"))
            if modifier.get("type") in _PULLS and named not in self.distributions:
                implied = Constraint(kind=GAUSSIAN, auxdata=0.0, width=1.0)
                found[modifier["parameter"]] = (implied, None)
        for name in self.auxiliary:
            held = taker.of(name)
            if held is not None:
                found[held[0]] = (held[1], name)
        return found
