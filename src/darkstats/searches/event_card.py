"""What a card of histograms says of events: files, variable, selection, weight; filled at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.arrays import frozen_floats
from darkstats.errors import OptionError
from darkstats.searches.card_file import Entry
from darkstats.searches.histogram_files import OwnHistogram
from darkstats.templates.expressions import Expression
from darkstats.templates.filling import Filled, Filling, fill_all

__all__ = ["OF_EVENTS", "OF_EVENTS_SIDE", "EventHistograms"]

#: Keys of a sample, and of a side of a variation, that speak of events.
OF_EVENTS = ("tree", "weight", "selection", "columns", "normalisation")
OF_EVENTS_SIDE = ("file", "tree", "weight", "columns", "normalisation")

_MOST_BINS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One histogram of events: where it stands in the card, and how it is made."""

    entry: Entry
    filling: Filling
    factor: float
    of_data: bool


class EventHistograms:
    """Histograms of events that a card asks for, by the place in the card.

    Raises
    ------
    CardError
        Something in the card cannot be used, or no event is left: with line and key.
    DocumentError
        A file cannot be read, or what is in it cannot be used: with event and key.
    """

    def __init__(self, card: Entry, folder: Path) -> None:
        self.card, self.folder = card, folder
        self.asked = {one.entry.key: one for one in self._all()}
        self.filled = fill_all([one.filling for one in self.asked.values()])
        self.told = tuple(self._told())

    def __contains__(self, entry: Entry) -> bool:
        return entry.key in self.asked

    def __getitem__(self, entry: Entry) -> OwnHistogram:
        asked = self.asked[entry.key]
        found = self.filled[asked.filling]
        names = ", ".join(str(path) for path in asked.filling.files)
        place = f"{entry.key} ({names}, {asked.filling.variable.text})"
        self._require_events(asked, found, names)
        scaled = found.histogram.scaled(asked.factor)
        return OwnHistogram(
            values=scaled.values,
            errors=None if asked.of_data else frozen_floats(np.sqrt(scaled.variances)),
            edges=scaled.edges[0],
            place=place,
            outside=scaled.outside,
        )

    def _require_events(self, asked: _Asked, found: Filled, names: str) -> None:
        if asked.of_data:  # no event is a result
            return
        if found.n_selected == 0:
            asked.entry.fail(
                f"none of the {found.n_read} events of {names} passes the selection",
                "look at the selection, or leave the sample out of this channel",
            )
        if found.n_selected == found.n_outside:
            asked.entry.fail(
                f"all of the {found.n_selected} selected events of {names} lie beyond the edges",
                "look at the unit of the variable",
            )

    def _told(self) -> Iterator[dict[str, Any]]:
        """What went into each histogram, for the record."""
        for key, asked in self.asked.items():
            found = self.filled[asked.filling]
            yield {
                "place": key,
                "files": [path.name for path in asked.filling.files],
                "variable": asked.filling.variable.text,
                "events": found.n_read,
                "selected": found.n_selected,
                "outside": found.n_outside,
                "empty_bins": np.flatnonzero(found.histogram.variances == 0.0).tolist(),
            }

    # ------------------------------------------------------------------- walking over the card

    def _all(self) -> Iterator[_Asked]:
        channels = self.card["channels"].mapping()
        for channel in channels.values():
            if "variable" not in channel:
                for key in ("edges", "selection"):
                    if key in channel:
                        channel[key].fail("goes with a 'variable' of events", "add 'variable'")
                continue
            if "data" in channel and self._is_of_events(channel["data"]):
                entry = channel["data"]
                entry.keys(optional=("file", "tree", "selection", "columns"))
                yield self._one(channel, (entry,), of_data=True)
            if "samples" in channel:
                for sample in channel["samples"].mapping().values():
                    yield from self._of_sample(channel, sample)
        if "signals" in self.card:
            for signal in self.card["signals"].mapping().values():
                for name, sample in signal["channels"].mapping().items():
                    if name in channels and "variable" in channels[name]:
                        yield from self._of_sample(channels[name], sample)

    def _of_sample(self, channel: Entry, sample: Entry) -> Iterator[_Asked]:
        if not isinstance(sample.value, dict):
            return
        if self._is_of_events(sample):
            yield self._one(channel, (sample,))
        if "variations" in sample:
            for variation in sample["variations"].mapping().values():
                for side in ("up", "down"):
                    if side in variation and self._is_of_events(variation[side]):
                        entry = variation[side]
                        entry.keys(optional=OF_EVENTS_SIDE)
                        if not entry.mapping():
                            entry.fail("says nothing", f"give one of {', '.join(OF_EVENTS_SIDE)}")
                        yield self._one(channel, (entry, variation, sample))

    @staticmethod
    def _is_of_events(entry: Entry) -> bool:
        return isinstance(entry.value, dict) and not {"histogram", "counts"} & set(entry.value)

    def _one(self, channel: Entry, chain: tuple[Entry, ...], *, of_data: bool = False) -> _Asked:
        """A histogram; ``chain`` is where its keys are looked for, the nearest first."""
        entry, sample = chain[0], chain[-1]

        def nearest(key: str, *more: Entry) -> Entry | None:
            return next((one[key] for one in (*chain, *more) if key in one), None)

        files, tree = self._files(nearest("file", self.card), entry), nearest("tree", self.card)
        if tree is not None and files[0].suffix.lower() != ".root" and "tree" not in entry:
            tree = None  # that of ROOT files elsewhere in the card
        selections = [
            _expression(part, condition=True)
            for place in (channel, sample)
            if "selection" in place
            for part in _parts(place["selection"])
        ]
        weight, columns = nearest("weight"), self._columns(chain)
        filling = Filling(
            files=files,
            tree=None if tree is None else tree.text(),
            variable=_expression(channel["variable"]),
            edges=_edges(channel),
            selections=tuple(selections),
            weight=None if weight is None else _expression(weight),
            columns=columns,
            place=f"line {entry.line}: {entry.key}",
        )
        used = frozenset[str]().union(*(one.names for one in filling.expressions))
        for one in chain:
            for name in one["columns"].mapping() if "columns" in one else ():
                if name not in used:
                    one["columns"][name].fail(
                        f"no variable, selection or weight uses the column {name!r}",
                        f"they use {', '.join(sorted(used)) or 'none'}",
                    )
        return _Asked(
            entry=entry,
            filling=filling,
            factor=self._factor(nearest("normalisation")),
            of_data=of_data,
        )

    def _files(self, file: Entry | None, entry: Entry) -> tuple[Path, ...]:
        """Files of one kind."""
        if file is None:
            entry.fail("names no file", "add 'file' here, or at the top of the card")
        names = file.items() if isinstance(file.value, list) else (file,)
        found = tuple(self.folder / one.text() for one in names)
        if len({path.suffix.lower() for path in found}) != 1:
            file.fail("names no file, or files of several kinds", "give files of one kind")
        return found

    @staticmethod
    def _columns(chain: tuple[Entry, ...]) -> tuple[tuple[str, Expression], ...]:
        """What stands for columns: the nearest says it."""
        found: dict[str, Expression] = {}
        for one in reversed(chain):
            if "columns" in one:
                found |= {
                    name: _expression(item) for name, item in one["columns"].mapping().items()
                }
        return tuple(sorted(found.items(), key=lambda item: item[0]))

    def _factor(self, entry: Entry | None) -> float:
        """Events of the luminosity for one unit of weight."""
        if entry is None:
            return 1.0
        entry.keys(required=("cross_section_pb", "sum_of_weights"))
        if "luminosity" not in self.card:
            entry.fail("the card has no 'luminosity'", "add value_ifb, relative_error")
        luminosity_ipb = 1000.0 * self.card["luminosity"]["value_ifb"].number(above=0.0)
        cross_section_pb = entry["cross_section_pb"].number(above=0.0)
        return cross_section_pb * luminosity_ipb / entry["sum_of_weights"].number(above=0.0)


def _parts(entry: Entry) -> tuple[Entry, ...]:
    return entry.items() if isinstance(entry.value, list) else (entry,)


def _expression(entry: Entry, *, condition: bool = False) -> Expression:
    number = isinstance(entry.value, (int, float)) and not isinstance(entry.value, bool)
    text = repr(entry.number()) if number else entry.text()
    try:
        return Expression.parse(text, condition=condition)
    except OptionError as error:
        entry.fail(str(error))


def _edges(channel: Entry) -> tuple[float, ...]:
    """Edges as a list, or so many bins of one width."""
    if "edges" not in channel:
        channel.fail("has a 'variable' and no 'edges'", "add edges: [0, 1, 2], or bins, low, high")
    entry = channel["edges"]
    if isinstance(entry.value, dict):
        entry.keys(required=("bins", "low", "high"))
        n = entry["bins"].whole(low=1)
        if n > _MOST_BINS:
            entry["bins"].fail(f"is more than {_MOST_BINS}")
        low, high = entry["low"].number(), entry["high"].number()
        found = np.linspace(low, high, n + 1)
    else:
        found = np.array([one.number() for one in entry.items()])
    if len(found) < 2 or not np.all(np.diff(found) > 0.0):
        entry.fail("edges ascend, and there are at least two")
    return tuple(float(edge) for edge in found)
