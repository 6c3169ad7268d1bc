"""HistFactory channels and densities of events in one likelihood: told apart, and taken apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from darkstats.provenance import digest_of
from darkstats.workspace.hs3.document import Hs3Analysis, Hs3Document, objects_in
from darkstats.workspace.hs3.histfactory_analysis import HISTFACTORY

__all__ = ["events_part", "has_events", "histfactory_part", "is_combined", "tokens_of"]

Item = dict[str, Any]
_NAME = re.compile(r"[A-Za-z_]\w*")
#: Keys whose text is no name of anything in the document.
_NO_NAMES = ("name", "type")


def has_events(document: object) -> bool:
    """Whether a likelihood of a parsed HS3 document has another channel than HistFactory's."""
    types = {
        item["name"]: item.get("type")
        for item in objects_in(document, "distributions")
        if isinstance(item.get("name"), str)
    }
    return any(
        types.get(name, HISTFACTORY) != HISTFACTORY
        for likelihood in objects_in(document, "likelihoods")
        if isinstance(likelihood.get("distributions"), list)
        for name in likelihood["distributions"]
        if isinstance(name, str)
    )


def is_combined(analysis: Hs3Analysis) -> bool:
    """Whether an analysis has HistFactory channels: beside others, or alone."""
    return any(one.distribution["type"] == HISTFACTORY for one in analysis.channels)


def histfactory_part(document: Hs3Document, analysis: str) -> Hs3Document:
    """A document of the HistFactory channels of an analysis alone, with what constrains them.

    It has no parameter of interest: nothing in it may depend on that.
    """
    entry = document.item("analyses", analysis)
    likelihood = document.item("likelihoods", entry["likelihood"])
    pairs = [
        (name, data)
        for name, data in zip(likelihood["distributions"], likelihood["data"], strict=True)
        if document.item("distributions", name)["type"] == HISTFACTORY
    ]
    own = _parameters_of([document.item("distributions", name) for name, _ in pairs])
    held = [
        name
        for name in likelihood.get("aux_distributions") or []
        if _holds(document, document.item("distributions", name), own)
    ]
    part: Item = {
        "name": likelihood["name"],
        "distributions": [name for name, _ in pairs],
        "data": [data for _, data in pairs],
        "aux_distributions": held,
    }
    alone = {key: value for key, value in entry.items() if key != "parameters_of_interest"}
    found = {**document.document, "likelihoods": [part], "analyses": [alone]}
    return Hs3Document(document=found, source=document.source, digest=digest_of(found))


def events_part(document: Hs3Document, analysis: Hs3Analysis, held: Collection[str]) -> Hs3Analysis:
    """An analysis without its HistFactory channels, and without what constrains ``held``."""
    return replace(
        analysis,
        channels=tuple(one for one in analysis.channels if one.distribution["type"] != HISTFACTORY),
        constraints=tuple(one for one in analysis.constraints if not _holds(document, one, held)),
    )


def tokens_of(value: object) -> set[str]:
    """All names that an item mentions, those within expressions included."""
    if isinstance(value, str):
        return {value, *_NAME.findall(value)}
    if isinstance(value, Mapping):
        parts = [one for key, one in value.items() if key not in _NO_NAMES]
    else:
        parts = list(value) if isinstance(value, (list, tuple)) else []
    return {name for one in parts for name in tokens_of(one)}


def _parameters_of(channels: Collection[Item]) -> set[str]:
    """Parameters that the modifiers of HistFactory channels name."""
    found: set[str] = set()
    for channel in channels:
        for sample in channel.get("samples") or []:
            for modifier in sample.get("modifiers") or []:
                if isinstance(modifier.get("parameter"), str):
                    found.add(modifier["parameter"])
                found.update(name for name in modifier.get("parameters") or ())
    return found


def _holds(document: Hs3Document, constraint: Item, held: Collection[str]) -> bool:
    """Whether an auxiliary distribution constrains one of some parameters."""
    functions = {item["name"]: item for item in document.document.get("functions", [])}
    waiting, seen = [constraint], set[str]()
    while waiting:
        for name in tokens_of(waiting.pop()) - seen:
            if name in held:
                return True
            seen.add(name)
            if name in functions:
                waiting.append(functions[name])
    return False
