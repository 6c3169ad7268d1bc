"""What is scanned of an HS3 document: its analyses, the events, and what its search says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

from darkstats.characters import as_text
from darkstats.scan.mass_hypotheses import EventHypotheses

__all__ = ["unbinned_source"]


def unbinned_source(
    source: str, data: Sequence[str], *, blind: bool | None
) -> tuple[EventHypotheses, str, float, bool]:
    """Hypotheses of a scan, method and level that its search asks for; whether data stay closed.

    Raises
    ------
    InputError
        The document or the events cannot be used.
    """
    from darkstats.report.sidecar import read_sidecar
    from darkstats.scan.event_tables import EventsOfScan, require_events_somewhere
    from darkstats.scan.mass_hypotheses import EventHypotheses
    from darkstats.workflows.unbinned_inputs import (
        CLOSED,
        NONE_GIVEN,
        event_files,
        simulated_together,
        stay_closed,
    )
    from darkstats.workspace.hs3 import read_hs3
    from darkstats.workspace.hs3.event_files import read_events

    document = read_hs3(source)
    events = EventsOfScan.of([read_events(name) for name in event_files(data)])
    simulated = document.simulated is True
    if events:
        binned = any(entry.get("type") == "binned" for entry in document.document.get("data", []))
        simulated = bool(simulated_together(events.simulated, simulated, binned=binned))
    given = bool(events) or not any(map(document.without_events, document.analysis_names))
    closed = stay_closed(blind, simulated=simulated, missing=not given)
    said, sidecar = document.search, read_sidecar(source)
    path = Path(source)
    stem = path.name.removesuffix(".gz").removesuffix(".json")
    reference = said.get("reference_cross_section_pb")
    kind = "simulated events" if simulated else "measured events"
    facts = {
        "name": as_text(f"{path.resolve().parent.name}_unbinned" if stem == "unbinned" else stem),
        "title": sidecar.title or document.description or as_text(path.name),
        "simulated": simulated,
        "data": kind if not closed else (CLOSED if given else NONE_GIVEN),
        "luminosity_ipb": said.get("luminosity_ipb"),
        "reference_cross_section_pb": reference,
        "poi_label": "signal strength"
        if reference is None
        else f"cross section / {reference:g} pb",
        **({"searched": said["searched"]} if "searched" in said else {}),
    }
    found = EventHypotheses.of_document(
        document, events, facts=facts, benchmarks=tuple(said.get("benchmarks", ()))
    )
    if events and not closed:
        require_events_somewhere(document, events)
    statistics = said.get("statistics", {})
    return found, str(statistics.get("method", "cls")), float(statistics.get("cl", 0.95)), closed
