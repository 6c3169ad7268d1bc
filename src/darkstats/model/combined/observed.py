"""The events of a file as data of a model of either kind; bins keep what the document holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.model.unbinned.observed import observed_events

if TYPE_CHECKING:
    from darkstats.model.combined.model import CombinedModel
    from darkstats.model.observation import Observation
    from darkstats.model.unbinned.model import UnbinnedModel
    from darkstats.workspace.hs3.event_files import EventTable

__all__ = ["opened_events"]


def opened_events(
    model: UnbinnedModel | CombinedModel, table: EventTable, *, empty: bool = False
) -> tuple[Observation, list[str]]:
    """The events of a table as an observation, and notes on what was left out.

    As :func:`darkstats.model.unbinned.observed.observed_events`, also beside HistFactory channels.

    Raises
    ------
    DocumentError, OptionError
        As there.
    """
    observation, notes = observed_events(model.event_part, table, empty=empty)
    return model.of_events(observation), notes
