"""HS3 documents of events: what one holds, and two likelihoods in one (inspect, combine)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import DocumentError, OptionError
from darkstats.report.sidecar import read_sidecar
from darkstats.workflows.inputs import read
from darkstats.workflows.outcome import Outcome
from darkstats.workflows.requests import WorkspaceRequest
from darkstats.workflows.unbinned_inputs import holds_hs3

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.workflows.document_requests import CombineRequest
    from darkstats.workspace import Workspace
    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.json_values import JsonObject

__all__ = ["inspect_events", "joined_events"]

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


def joined_events(request: CombineRequest) -> Outcome[Hs3Document]:
    """One HS3 document out of two likelihoods, of which one at least is of events.

    Raises
    ------
    InputError
        A file cannot be read, or the two do not fit together.
    """
    from darkstats.workspace.correlations import read_correlations
    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.hs3.joining import join_documents

    if request.join != "none" or request.merge_channels:
        raise OptionError(
            "--join and --merge-channels are for two workspaces: a likelihood of events keeps its "
            "channels, and they are put beside those of the other one"
        )
    left, first = _side(request.left, request.left_patchset, request.left_point)
    right, second = _side(request.right, request.right_patchset, request.right_point)
    correlations = None
    if request.correlations is not None:
        correlations = read_correlations(request.correlations)
    made, notes = join_documents(left, right, analyses=(first, second), correlations=correlations)
    found = Hs3Document.from_document(made, f"{left.source} + {right.source}")

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import joined_sheet

        return joined_sheet(made, notes)

    return Outcome(result=found, record=lambda: made, sheet=sheet)


def _side(
    source: str | Workspace, patchset: str | None, point: str | None
) -> tuple[Hs3Document, str | None]:
    """A document of either kind as HS3, and the analysis that is meant."""
    from darkstats.model.hs3_writing import hs3_document
    from darkstats.workspace.hs3 import Hs3Document, read_hs3

    if isinstance(source, str) and holds_hs3(source):
        if patchset is not None:
            raise OptionError(
                f"{source} is an HS3 document of events, and takes no patch set; its hypotheses "
                "are analyses: choose one with the point alone"
            )
        document = read_hs3(source)
        return document, None if point is None else document.select(point)
    workspace = read(WorkspaceRequest(source=source, patchset=patchset, point=point))
    sidecar = read_sidecar(source if isinstance(source, str) else "")
    observed = workspace.document["observations"]
    sidecar.require_edges({one["name"]: len(one["data"]) for one in observed})
    made = hs3_document(workspace, edges=sidecar.edges, description=sidecar.title)
    said = {
        "simulated": sidecar.simulated,
        "reference_cross_section_pb": sidecar.reference_cross_section_pb,
    }
    made["misc"]["darkstats"] |= {key: one for key, one in said.items() if one is not None}
    return Hs3Document.from_document(made, workspace.source), None
