"""Data of both kinds in one set of lanes: counts of bins stand as one more channel of events."""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError
from darkstats.kernel.simd import LANES
from darkstats.model.event_lanes import ChannelEvents, EventLanes, padded

__all__ = ["beside_counts", "counts_of", "events_of"]


def beside_counts(events: EventLanes, counts: FloatArray) -> EventLanes:
    """Lanes of events with the counts [lane, bin] of each: a bin is an event of that weight."""
    n_lanes, n_bins = counts.shape
    first, n_vectors = padded(np.full(n_lanes, n_bins, dtype=np.int64))
    weights = np.zeros((n_lanes, int(n_vectors[0]) * LANES if n_lanes else 0))
    weights[:, :n_bins] = counts
    flat = weights.reshape(-1)
    bins = ChannelEvents(
        columns=np.zeros((0, len(flat))),
        x=np.zeros((0, len(flat))),
        weights=flat,
        first_vector=first,
        n_vectors=n_vectors,
        total=counts.sum(axis=1),
        reference=np.zeros(n_lanes),
    )
    return EventLanes(channels=(*events.channels, bins))


def counts_of(data: EventLanes, n_bins: int) -> FloatArray:
    """Counts of each lane. Shape [lane, bin]."""
    bins = data.channels[-1]
    places = bins.first_vector[:, np.newaxis] * LANES + np.arange(n_bins)
    counts: FloatArray = bins.weights[places]
    return counts


def events_of(data: EventLanes, n_channels: int) -> EventLanes:
    """The channels of events, without the counts.

    Raises
    ------
    OptionError
        There are other channels than these and the counts.
    """
    if len(data.channels) != n_channels + 1:
        raise OptionError("a combined model needs the events and the counts of its channels")
    return EventLanes(channels=data.channels[:-1])
