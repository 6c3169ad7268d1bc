"""What an HS3 document of unbinned likelihoods holds: ``inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import DocumentError
from darkstats.workflows.outcome import Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.json_values import JsonObject

__all__ = ["inspect_events"]

_SHOWN = 20


def _channels(document: Hs3Document, likelihood: str) -> list[JsonObject]:
    asked = document.item("likelihoods", likelihood)
    found = []
    for name, data in zip(asked["distributions"], asked["data"], strict=True):
        held = document.item("data", data)
        contents = held.get("entries" if held["type"] == "unbinned" else "contents")
        found.append(
            {
                "name": name,
                "data": data,
                "kind": held["type"],
                "axes": [
                    {"name": axis["name"], "min": axis.get("min"), "max": axis.get("max")}
                    for axis in held["axes"]
                ],
                "entries": None if contents is None else len(contents),
            }
        )
    return found


def inspect_events(source: str) -> Outcome[Hs3Document]:
    """Analyses of an HS3 document, with their channels, observables and parameters.

    Raises
    ------
    DocumentError
        It cannot be read.
    """
    from darkstats.workspace.hs3 import read_hs3

    found = read_hs3(source)
    try:
        return _inspected(found, source)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DocumentError(
            f"an analysis, or what it names, is not as HS3 has it: {error!r}",
            source=source, remedy="fit it: that names the place",
        ) from error  # fmt: skip


def _inspected(found: Hs3Document, source: str) -> Outcome[Hs3Document]:
    from darkstats.report.records import SCHEMAS

    analyses = []
    for name in found.analysis_names:
        asked = found.item("analyses", name)
        domains = [found.item("domains", domain) for domain in asked["domains"]]
        analyses.append(
            {
                "name": name,
                "poi": list(asked["parameters_of_interest"]),
                "parameters": sorted({axis["name"] for one in domains for axis in one["axes"]}),
                "channels": _channels(found, asked["likelihood"]),
            }
        )
    record: JsonObject = {
        "schema": SCHEMAS["events"],
        "source": source,
        "sha256": found.digest,
        "description": found.description,
        "simulated": found.simulated,
        "analyses": analyses,
    }
    if found.description is None:
        record["description_reason"] = "the document says nothing of itself"
    if found.simulated is None:
        record["simulated_reason"] = "the document does not say"

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import events_sheet

        return events_sheet(record, _SHOWN)

    return Outcome(result=found, record=lambda: record, sheet=sheet)
