"""What was observed, and where the bins of a channel stand."""

from __future__ import annotations

from dataclasses import dataclass

from darkstats.arrays import FloatArray
from darkstats.model.event_lanes import EventLanes

__all__ = ["ChannelBins", "Observation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelBins:
    """Where the bins of a channel stand: ``start`` to ``stop - 1``; masked ones do not count."""

    name: str
    start: int
    stop: int
    masked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Counts and auxiliary data.

    Parameters
    ----------
    counts
        Events per bin, whole numbers in data, any non-negative number in Asimov data. Shape [bin].
        Of an unbinned model: the number of events of each channel [channel].
    auxdata
        Auxiliary datum of each parameter, 0 for one without constraint. Shape [par].
    events
        The events themselves, of an unbinned model.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> model.observation.counts
    array([52., 41.])
    """

    counts: FloatArray
    auxdata: FloatArray
    events: EventLanes | None = None
