"""The events of a file as the observation of a model: cut to its range, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import DocumentError, OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.model.observation import Observation
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.workspace.hs3.event_files import EventTable

__all__ = ["observed_events", "within"]


def observed_events(
    model: UnbinnedModel, table: EventTable, *, empty: bool = False
) -> tuple[Observation, list[str]]:
    """The events of a table as an observation, and notes on what was left out.

    Events outside the range of an observable belong to another window, and are left out; binned
    channels keep the contents that the document holds. ``empty`` allows that no event is left, as
    it happens in a scan of many windows.

    Raises
    ------
    DocumentError
        Columns are missing, a value is no finite number, events have weights, they are of
        another spectrum, rows name a channel that the document does not have, or rows that name
        none lie in two channels.
    OptionError
        The table has events, and none lies in the range.
    """
    wanted = model.spectrum
    if wanted is not None and table.spectrum not in {None, wanted}:
        raise DocumentError(
            f"holds the spectrum {table.spectrum!r}, and hypothesis {model.analysis} is in "
            f"{wanted!r}",
            source=table.source,
            remedy=f"give the events of {wanted!r}",
        )
    notes = _foreign(model, table)
    events: list[Any] = []
    taken: list[tuple[str, set[str], BoolArray]] = []
    for c, channel in enumerate(model.channels):
        if channel.bin_edges is not None:
            x, weights = _lanes(model.observation, c)
            events.append(weights[: x.shape[1]][: len(channel.bin_edges) - 1])
            continue
        found = table.events(channel.observables, channel.name)
        inside = within(found, channel.ranges)
        if table.channel is None:
            _require_once(channel.name, channel.observables, inside, taken, table.source)
        n = found.shape[1]
        outside = n - int(inside.sum())
        names = " and ".join(channel.observables)
        if n and outside == n and not empty:
            raise OptionError(
                f"{table.source}: none of {n} events lies in the range of {names} of channel "
                f"{channel.name!r}: check the units, and that the file belongs to this model"
            )
        if outside:
            notes.append(
                f"{outside} of {n} events lie outside the range of {names} of this hypothesis and "
                "are left out"
            )
        if n == 0:
            notes.append(f"the file holds no event for channel {channel.name!r}")
        events.append(found[:, inside])
    return model.observe(events), notes


def within(rows: FloatArray, ranges: Sequence[tuple[float, float]]) -> BoolArray:
    """Which events lie in all ranges, ends included. Shapes [dim, event] -> [event]."""
    low, high = np.array(ranges).T[:, :, None]
    return np.asarray(((rows >= low) & (rows <= high)).all(axis=0))


def _require_once(
    name: str,
    observables: Sequence[str],
    inside: BoolArray,
    taken: list[tuple[str, set[str], BoolArray]],
    source: str,
) -> None:
    """Refuse rows that an earlier channel with one of these columns has, too; add to ``taken``."""
    for other, columns, rows in taken:
        if columns.isdisjoint(observables):
            continue
        twice = int((rows & inside).sum())
        if twice:
            raise DocumentError(
                f"has {twice} events in the ranges of both channels {other!r} and {name!r}, and "
                "each would count twice",
                source=source,
                remedy="say in a column 'channel' to which one each event belongs",
            )
    taken.append((name, set(observables), inside))


def _foreign(model: UnbinnedModel, table: EventTable) -> list[str]:
    """Refuse rows of channels that nobody knows; note those of other analyses."""
    named = table.channel or ()
    own = [channel.name for channel in model.channels if channel.bin_edges is None]
    known = {*own, *model.event_channels}
    unknown = [name for name in named if name not in known]
    if unknown:
        raise DocumentError(
            f"names the channels {_quoted(unknown)} in {len(unknown)} of {len(named)} rows, and "
            f"the channels of events of the model are {_quoted(sorted(known)) or '(none)'}",
            source=table.source,
            remedy="write the names as the model does, or leave these rows out and say why",
        )
    others = [name for name in named if name not in own]
    if not others:
        return []
    return [
        f"{len(others)} of {len(named)} events are of the channels {_quoted(others)} of other "
        "analyses"
    ]


def _quoted(names: Sequence[str], most: int = 10) -> str:
    found = list(dict.fromkeys(names))
    more = f", ... ({len(found)} in all)" if len(found) > most else ""
    return ", ".join(repr(name)[:60] for name in found[:most]) + more


def _lanes(observation: Observation, c: int) -> tuple[Any, Any]:
    assert observation.events is not None
    return observation.events.channels[c].events_of(0)
