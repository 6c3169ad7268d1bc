"""The events of a scan: which file holds those of which hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.execution.packing import pack_arrays, unpack_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.hs3.event_files import EventTable
    from darkstats.workspace.json_values import JsonObject

__all__ = ["EventsOfScan", "require_events_somewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsOfScan:
    """Events of a scan by spectrum; one table without a name serves every hypothesis."""

    tables: Mapping[str, EventTable] = field(repr=False)

    @classmethod
    def of(cls, tables: Sequence[EventTable]) -> EventsOfScan:
        """Return the tables by the spectrum that each says it holds.

        Raises
        ------
        OptionError
            Two hold the same, or one of several does not say what it holds.
        """
        found: dict[str, EventTable] = {}
        for table in tables:
            name = table.spectrum or ""
            if name in found:
                raise OptionError(
                    f"{table.source} and {found[name].source} hold the same spectrum: give one "
                    "file for each"
                )
            found[name] = table
        if "" in found and len(found) > 1:
            raise OptionError(f"{found[''].source} does not say which spectrum it holds")
        return cls(tables=found)

    def __bool__(self) -> bool:
        return bool(self.tables)

    @property
    def simulated(self) -> bool:
        """Whether all files say that their events are simulated."""
        return bool(self.tables) and all(t.simulated is True for t in self.tables.values())

    def table_of(self, document: Hs3Document, name: str) -> EventTable:
        """Return the table that an analysis looks at.

        Raises
        ------
        OptionError
            No file holds its spectrum.
        """
        wanted = document.spectrum_of(name)
        if "" in self.tables:
            return self.tables[""]
        if wanted is None and len(self.tables) == 1:
            return next(iter(self.tables.values()))
        if wanted not in self.tables:
            raise OptionError(
                f"hypothesis {name} is in the spectrum {wanted!r}, and the events given are those "
                f"of {', '.join(self.tables)}: give them all, or the folder of the build"
            )
        return self.tables[str(wanted)]

    def packed(self) -> JsonObject:
        """As JSON data."""
        return {
            name: {
                "source": table.source,
                "sha256": table.sha256,
                "columns": pack_arrays(table.columns),
                "channel": None if table.channel is None else list(table.channel),
                "simulated": table.simulated,
            }
            for name, table in self.tables.items()
        }

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> EventsOfScan:
        """Inverse of :meth:`packed`."""
        from darkstats.workspace.hs3.event_files import EventTable

        return cls(
            tables={
                name: EventTable(
                    source=one["source"],
                    sha256=one["sha256"],
                    columns={
                        column: np.asarray(values, dtype=float)
                        for column, values in unpack_arrays(one["columns"]).items()
                    },
                    channel=None if one["channel"] is None else tuple(one["channel"]),
                    simulated=one["simulated"],
                    spectrum=name or None,
                )
                for name, one in packed.items()
            }
        )


def require_events_somewhere(document: Hs3Document, events: EventsOfScan) -> None:
    """Check that each table has an event in the window of one hypothesis at least.

    Raises
    ------
    OptionError
        A table has events, and none lies in any window.
    """
    from darkstats.model.unbinned.observed import within

    used: dict[str, bool] = {}
    sizes: dict[str, int] = {}
    for name in document.analysis_names:
        table = events.table_of(document, name)
        for channel in document.analysis(name).channels:
            axes = [axis for axis in channel.axes if axis[0] in table.columns]
            if channel.data.get("type") == "binned" or len(axes) != len(channel.axes):
                continue  # a missing column is told by the point
            rows = np.array([table.columns[x] for x, *_ in axes])
            inside = within(rows, [(low, high) for _, low, high in axes])
            sizes[table.source] = len(inside)
            used[table.source] = used.get(table.source, False) or bool(inside.any())
    for source, found in used.items():
        if sizes[source] and not found:
            raise OptionError(
                f"{source}: none of {sizes[source]} events lies in the window of any hypothesis: "
                "check the units, and that the file belongs to this search"
            )
