"""Events of many data sets, laid out for the kernel: a lane is one data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.kernel.simd import LANES

__all__ = ["ChannelEvents", "EventLanes", "padded", "stacked"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelEvents:
    """Events of one channel, lane after lane, each padded to whole vectors by weights of 0.

    Parameters
    ----------
    columns, x, weights
        Shapes [column, event], [dim, event], [event].
    first_vector, n_vectors
        Where each lane stands, in units of eight events. Shapes [lane].
    total
        Sum of the weights of each lane. Shape [lane].
    reference
        Sum of w log(reference density over the mean density) of each lane: what twice the negative
        log-likelihood is relative to, 0 for a uniform density. Shape [lane].
    """

    columns: FloatArray = field(repr=False)
    x: FloatArray = field(repr=False)
    weights: FloatArray = field(repr=False)
    first_vector: IndexArray
    n_vectors: IndexArray
    total: FloatArray
    reference: FloatArray

    def take(self, lanes: npt.NDArray[np.intp] | IndexArray | slice | BoolArray) -> ChannelEvents:
        """The same events seen through other lanes."""
        return ChannelEvents(
            columns=self.columns,
            x=self.x,
            weights=self.weights,
            first_vector=np.ascontiguousarray(self.first_vector[lanes]),
            n_vectors=np.ascontiguousarray(self.n_vectors[lanes]),
            total=self.total[lanes],
            reference=self.reference[lanes],
        )

    def events_of(self, lane: int) -> tuple[FloatArray, FloatArray]:
        """Observables [dim, event] and weights [event] of one lane, padding included."""
        begin = int(self.first_vector[lane]) * LANES
        stop = begin + int(self.n_vectors[lane]) * LANES
        return self.x[:, begin:stop], self.weights[begin:stop]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventLanes:
    """Events of many data sets, in all channels. Indexing selects lanes and copies no event."""

    channels: tuple[ChannelEvents, ...]

    def __len__(self) -> int:
        return len(self.channels[0].total)

    def __getitem__(
        self, lanes: npt.NDArray[np.intp] | IndexArray | slice | BoolArray | int
    ) -> EventLanes:
        chosen = np.array([lanes]) if isinstance(lanes, (int, np.integer)) else lanes
        return EventLanes(channels=tuple(channel.take(chosen) for channel in self.channels))

    @property
    def totals(self) -> FloatArray:
        """Sum of the weights. Shape [lane, channel]."""
        return np.stack([channel.total for channel in self.channels], axis=1)

    @property
    def places(self) -> IndexArray:
        """Where the events of each lane stand, alike in lanes that share them. Shape [lane, k]."""
        parts = [(channel.first_vector, channel.n_vectors) for channel in self.channels]
        return np.stack([one for part in parts for one in part], axis=1)


def padded(counts: IndexArray) -> tuple[IndexArray, IndexArray]:
    """First vector and number of vectors of lanes with these numbers of events."""
    n_vectors = -(-counts // LANES)
    first = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(n_vectors)[:-1]])
    return first.astype(np.int64), n_vectors.astype(np.int64)


def stacked(parts: Sequence[EventLanes]) -> EventLanes:
    """All lanes of several, in order; what is shared is stored once."""
    distinct: dict[int, int] = {}
    kept: list[EventLanes] = []
    for part in parts:
        key = id(part.channels[0].weights)
        if key not in distinct:
            distinct[key] = len(kept)
            kept.append(part)
    channels = []
    for c in range(len(parts[0].channels)):
        sizes = [len(part.channels[c].weights) // LANES for part in kept]
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        own = [part.channels[c] for part in parts]
        moved = [
            one.first_vector + offsets[distinct[id(part.channels[0].weights)]]
            for one, part in zip(own, parts, strict=True)
        ]
        base = [part.channels[c] for part in kept]
        single = len(base) == 1
        channels.append(
            ChannelEvents(
                columns=base[0].columns
                if single
                else np.concatenate([one.columns for one in base], axis=1),
                x=base[0].x if single else np.concatenate([one.x for one in base], axis=1),
                weights=base[0].weights
                if single
                else np.concatenate([one.weights for one in base]),
                first_vector=np.concatenate(moved),
                n_vectors=np.concatenate([one.n_vectors for one in own]),
                total=np.concatenate([one.total for one in own]),
                reference=np.concatenate([one.reference for one in own]),
            )
        )
    return EventLanes(channels=tuple(channels))
