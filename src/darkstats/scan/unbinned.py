"""Limits and local p-values of all analyses of an HS3 document, as a job in blocks.

The same points as those of a patch set (:mod:`darkstats.scan.limits`), from events.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import InputError, NotCertifiedError, OptionError
from darkstats.execution.jobs import Job, Task, inputs_bytes
from darkstats.execution.packing import pack_arrays, unpack_arrays
from darkstats.inference.asimov import blinded_observation
from darkstats.model.unbinned.model import compile_hs3
from darkstats.model.unbinned.observed import observed_events, within
from darkstats.provenance import versions
from darkstats.scan.credible_blocks import credible_fields
from darkstats.scan.limits import point_of_model
from darkstats.scan.mass_scan import ScanPoint
from darkstats.scan.settings import ScanSettings
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.event_files import EventTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "UNBINNED_KIND",
    "UNBINNED_LIMITS",
    "EventsOfScan",
    "require_events_somewhere",
    "unbinned_inputs",
    "unbinned_limits_job",
    "unbinned_point",
]

_NO_SPECTRUM = "windows of events have no expected spectrum beside them; global puts one together"

#: Kind of the job.
UNBINNED_KIND = "unbinned-limits"


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

    def packed(self) -> dict[str, Any]:
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


def unbinned_inputs(document: Hs3Document, events: EventsOfScan) -> dict[str, Any]:
    """Return the documents that a scan works on; without events it has expected values only.

    Raises
    ------
    OptionError
        An analysis has no events, or does not say its masses.
    """
    labels = document.search.get("labels")
    if not isinstance(labels, list) or not labels:
        raise OptionError(
            f"{document.source} does not say its masses (labels and points under misc.darkstats): "
            "there is nothing to scan"
        )
    patches = []
    for name in document.analysis_names:
        values = document.values_of(name)
        if tuple(values) != tuple(labels):
            raise OptionError(f"{document.source}: analysis {name!r} does not say its masses")
        if events:
            events.table_of(document, name)
        patches.append({"name": name, "values": list(values.values())})
    return {
        "hs3": dict(document.document),
        "labels": list(labels),
        "patches": patches,
        "events": events.packed(),
        "fill": None,
    }


def unbinned_limits_job(inputs: Mapping[str, Any], settings: ScanSettings) -> Job:
    """Return the job of a scan: what its numbers depend on, versions included."""
    data, digest = inputs_bytes(inputs)
    return Job(
        kind=UNBINNED_KIND,
        settings={**settings.plain(), "versions": versions()},
        n_blocks=-(-len(inputs["patches"]) // settings.hypotheses_per_block),
        inputs=data,
        inputs_digest=digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    document: Hs3Document = field(repr=False)
    events: EventsOfScan
    names: tuple[str, ...] = field(repr=False)
    settings: ScanSettings


def _prepare(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> _Context:
    return _Context(
        document=Hs3Document.from_document(inputs["hs3"]),
        events=EventsOfScan.unpacked(inputs["events"]),
        names=tuple(str(patch["name"]) for patch in inputs["patches"]),
        settings=ScanSettings.from_plain(settings),
    )


def _run(context: _Context, block: int) -> dict[str, Any]:
    size = context.settings.hypotheses_per_block
    names = context.names[block * size : (block + 1) * size]
    points = [
        unbinned_point(context.document, name, context.events, context.settings) for name in names
    ]
    return {"points": [point.plain() for point in points]}


#: The task of a scan of events.
UNBINNED_LIMITS = Task(prepare=_prepare, run=_run)


def unbinned_point(
    document: Hs3Document, name: str, events: EventsOfScan, settings: ScanSettings
) -> ScanPoint:
    """Test one analysis; what cannot be certified, or used, is a failed point with its reason.

    Parameters
    ----------
    document, name
        The analysis.
    events
        Data; an analysis takes the events in its own window, which may be none.
    settings
        How to test it.
    """
    values = tuple(document.values_of(name).values())
    try:
        model = compile_hs3(document, name)
        notes: tuple[str, ...] = ()
        if settings.blind:
            data = blinded_observation(model)
        elif events:
            data, said = observed_events(model, events.table_of(document, name), empty=True)
            notes = tuple(said)
        else:
            data = model.observation
        if settings.method == "bayes":
            (fields,) = credible_fields([model.with_observation(data)], settings)
            if fields.get("status") != "failed":
                fields["warnings"] = (*fields["warnings"], *notes)
            point = ScanPoint(name=name, values=values, **fields)
        else:
            point = point_of_model(name, values, model, data, settings, notes=notes)
        return replace(point, expected_spectrum_significance_reason=_NO_SPECTRUM)
    except (NotCertifiedError, InputError) as error:
        return ScanPoint(name=name, values=values, status="failed", reason=str(error))
