"""Lint pass over names: two that look the same, and are not, are one too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.workspace.names import same_to_the_eye
from darkstats.workspace.report import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from darkstats.workspace.report import Report
    from darkstats.workspace.structure import Sound

__all__ = ["check_names"]


def check_names(sound: Sound, report: Report) -> None:
    """Report names of one kind that differ only in what nobody sees, or in case."""
    _kind("channel", _channels(sound), report)
    _kind("sample", ((s.name, s.place) for c in sound.channels for s in c.samples), report)
    _kind("parameter", _parameters(sound), report)
    _kind("measurement", ((name, place) for place, name, *_ in sound.measurements), report)


def _channels(sound: Sound) -> Iterator[tuple[str, Place]]:
    for channel in sound.channels:
        yield channel.name, channel.place
    for place, name, _ in sound.observations:
        yield name, place


def _parameters(sound: Sound) -> Iterator[tuple[str, Place]]:
    seen: set[str] = set()
    for channel in sound.channels:
        for sample in channel.samples:
            for modifier in sample.modifiers:
                if modifier.name in seen:  # most are, and a place takes time
                    continue
                seen.add(modifier.name)
                place = sample.place
                pointer = f"{place.pointer}/modifiers/{modifier.index}"
                yield modifier.name, Place(pointer, place.channel, place.sample)
    for place, _, poi, parameters in sound.measurements:
        for index, parameter in enumerate(parameters):
            yield parameter["name"], place.at("config", "parameters", index)
        if poi:
            yield poi, place.at("config", "poi")


def _kind(what: str, named: Iterable[tuple[str, Place]], report: Report) -> None:
    known: set[str] = set()
    looks: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name, place in named:
        if name in known:
            continue
        known.add(name)
        look = same_to_the_eye(name)
        first = looks.setdefault(look, name)
        if first != name:
            report.error(
                "lookalike-names",
                place,
                f"the {what} {_escaped(name)} looks like the {what} {_escaped(first)}, and is "
                "another one",
                "write both in one way if they are meant to be the same, else rename one",
            )
            continue
        other = folded.setdefault(look.casefold(), name)
        if other != name:
            report.gather(
                "names-by-case",
                place,
                f"the {what} {_escaped(name)} and the {what} {_escaped(other)} differ in case only",
                "write both in one way if they are meant to be the same",
            )


def _escaped(name: str, limit: int = 60) -> str:
    """A name with everything spelled out that is not plain ASCII."""
    text = ascii(name)
    return text if len(text) <= limit else text[: limit - 3] + "..."
