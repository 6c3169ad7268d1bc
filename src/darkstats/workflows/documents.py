"""Workspaces as documents: inspect, combine, prune, rename, digest, hs3, download.

Nothing is fitted, unless a threshold of ``prune`` asks for limits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import DocumentError, OptionError
from darkstats.report.sidecar import read_sidecar
from darkstats.workflows.inputs import all_findings, read, workspace_inputs
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.requests import WorkspaceRequest
from darkstats.workflows.unbinned_inputs import holds_hs3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from darkstats.report.figures.prediction import Parameters
    from darkstats.report.figures.style import Drawing
    from darkstats.report.summaries import WorkspaceSummary
    from darkstats.workflows.document_requests import (
        CombineRequest,
        DigestRequest,
        DownloadRequest,
        Hs3Request,
        InspectRequest,
        PruneRequest,
        RenameRequest,
    )
    from darkstats.workflows.likelihoods import Likelihood
    from darkstats.workspace import Workspace
    from darkstats.workspace.download import Download
    from darkstats.workspace.hs3 import Hs3Document
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Digests", "combine", "digest", "download", "hs3", "inspect", "prune", "rename"]


def inspect(
    request: InspectRequest, shell: Shell | None = None
) -> Outcome[WorkspaceSummary] | Outcome[Hs3Document] | Outcome[JsonObject]:
    """Summary of a workspace, a patch set or a patch, an HS3 document, or a built search.

    Raises
    ------
    InputError
        The workspace cannot be read, or has errors: they are all listed.
    """
    from darkstats.report.summaries import summarise, summary_record

    shell = shell or Shell()
    if request.members:
        from darkstats.workflows.archive_members import inspect_members

        return inspect_members(request.workspace.source)
    if request.workspace.file != "-" and Path(request.workspace.file).is_dir():
        from darkstats.workflows.builds import inspect_build

        return inspect_build(Path(request.workspace.file))
    if holds_hs3(request.workspace.source):
        from darkstats.workflows.event_documents import inspect_events

        return inspect_events(request.workspace.file)
    patches = _patches(request.workspace)
    if patches is not None:
        return patches
    workspace = read(request.workspace, as_document=True, measurement=request.measurement)
    if request.measurement is not None:
        workspace.measurement(request.measurement)
    sidecar = read_sidecar(request.workspace.file)
    observed = workspace.document.get("observations", ())
    sidecar.require_edges({one["name"]: len(one["data"]) for one in observed})
    summary = summarise(workspace, request.measurement)
    if request.findings == "all":
        summary = replace(summary, findings=all_findings(workspace))
    inputs = workspace_inputs(workspace, shell, simulated=sidecar.simulated)

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import summary_sheet

        return summary_sheet(summary, inputs)

    def variations() -> Drawing:
        from darkstats.report.figures.templates import variations_figure

        return variations_figure(
            workspace.document, name=inputs.source, simulated=bool(sidecar.simulated)
        )

    def yields() -> Drawing:
        from darkstats.report.figures.prediction import prediction_figure

        found, nominal = _nominal(request, shell)
        return prediction_figure(nominal, None, found.inputs, found.sidecar, prefit=True)

    def yields_file(path: str) -> None:
        from darkstats.report.figures.prediction import prediction_columns
        from darkstats.report.writing import csv_text, write_text

        found, nominal = _nominal(request, shell)
        write_text(path, csv_text(prediction_columns(nominal, None, found.sidecar, prefit=True)))

    return Outcome(
        result=summary,
        record=lambda: summary_record(summary, inputs),
        sheet=sheet,
        figures={"variations": variations, "yields": yields},
        files={} if request.yields is None else {request.yields: yields_file},
    )


def _nominal(request: InspectRequest, shell: Shell) -> tuple[Likelihood, Parameters]:
    """The likelihood of a request, at the parameters that the document begins with."""
    import numpy as np

    from darkstats.report.figures.prediction import Parameters
    from darkstats.workflows.inputs import load
    from darkstats.workflows.requests import ModelRequest

    asked = ModelRequest(workspace=request.workspace, measurement=request.measurement)
    found = load(asked, shell, needs_poi=False)
    nominal = Parameters(
        model=found.model, observation=found.observation, parameters=np.array(found.model.inits)
    )
    return found, nominal


def _patches(request: WorkspaceRequest) -> Outcome[JsonObject] | None:
    """What patches hold; None where the source is no patch set and no patch."""
    from darkstats.workspace.containers import kind_of
    from darkstats.workspace.documents import parse_json
    from darkstats.workspace.sources import Opener

    if not isinstance(request.source, str) or request.source == "-":
        return None
    label, data = Opener().read(request.source, "workspace")
    document = parse_json(data, source=label)
    kind = kind_of(document)
    if kind in {"workspace", "pallet"}:
        return None
    from darkstats.workflows.patch_sets import inspect_patches

    return inspect_patches(document, label, kind)


def _document(
    workspace: Workspace, notes: tuple[str, ...] = (), *, sidecar: JsonObject
) -> Outcome[Workspace]:
    """A workspace as result: its record *is* the workspace, ready for the next command."""

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import workspace_sheet

        return workspace_sheet(workspace, notes)

    return Outcome(
        result=workspace, record=lambda: workspace.document, sheet=sheet, sidecar=sidecar
    )


def combine(
    request: CombineRequest, shell: Shell | None = None
) -> Outcome[Workspace] | Outcome[Hs3Document]:
    """One workspace out of two; or one HS3 document, where one of the two is of events.

    Raises
    ------
    InputError
        A document cannot be read, or the two do not fit together.
    """
    if holds_hs3(request.left) or holds_hs3(request.right):
        from darkstats.workflows.event_documents import joined_events

        return joined_events(request)
    from darkstats.report.sidecar_carrying import joined as joined_sidecars
    from darkstats.report.sidecar_carrying import other_signals, sidecar_document
    from darkstats.workspace import combine as join
    from darkstats.workspace.combine import JOINS, left_out
    from darkstats.workspace.shared_settings import require_same_settings

    if request.left == "-" and request.right == "-":
        raise OptionError("standard input can be read only once")
    chosen = next((name for name in JOINS if name == request.join), None)
    if chosen is None:
        raise OptionError(f"unknown join {request.join!r}; choose one of: {', '.join(JOINS)}")
    asked = (
        WorkspaceRequest(
            source=request.left, patchset=request.left_patchset, point=request.left_point
        ),
        WorkspaceRequest(
            source=request.right, patchset=request.right_patchset, point=request.right_point
        ),
    )
    left, right = (read(one, as_document=True) for one in asked)
    owns = (left.own_signal, right.own_signal)
    if left.digest == right.digest:
        raise OptionError(
            f"{request.left} and {request.right} hold the same likelihood: together they would "
            "count the same data twice, or be what one of them is"
        )
    notes: tuple[str, ...] = ()
    scales: Mapping[str, float] = {}
    if request.correlations is not None:
        from darkstats.workspace.correlations import read_correlations, with_correlations

        correlations = read_correlations(request.correlations)
        left, right, notes = with_correlations(left, right, correlations)
        scales = correlations.signal_scale
    notes += require_same_settings(left, right, chosen)
    joined = join(left, right, join=chosen, merge_channels=request.merge_channels)
    notes += left_out(left, right, join=chosen, merge_channels=request.merge_channels)
    ours, theirs = (sidecar_document(one.file, own) for one, own in zip(asked, owns, strict=True))
    notes += other_signals(ours, theirs, scales=scales)
    if chosen == "right outer":
        ours, theirs = theirs, ours
        scales = {"left": scales.get("right", 1.0), "right": scales.get("left", 1.0)}
    labels = joined_sidecars(ours, theirs, joined, scales=scales)
    return _document(joined, notes, sidecar=labels)


def prune(request: PruneRequest, shell: Shell | None = None) -> Outcome[Workspace]:
    """A workspace without some of its parts.

    Raises
    ------
    InputError
        The workspace cannot be read, has no part of that name, or cannot do without it.
    NotCertifiedError
        A limit that a threshold asks for cannot be certified.
    """
    from darkstats.report.sidecar_carrying import carried, sidecar_document
    from darkstats.workspace import prune as cut

    groups = {
        "channels": request.channels,
        "samples": request.samples,
        "modifiers": request.modifiers,
        "modifier_types": request.modifier_types,
        "measurements": request.measurements,
    }
    if not any(groups.values()) and request.threshold is None:
        raise OptionError(
            "say what to prune: --channel, --sample, --modifier, --modifier-type, --measurement or "
            "--threshold"
        )
    whole = read(request.workspace, as_document=True)
    workspace = whole
    if any(groups.values()):
        workspace = replace(cut(whole, **groups), own_signal=whole.own_signal)
    if request.threshold is None:
        kept = carried(sidecar_document(request.workspace.file, whole.own_signal), workspace)
        return _document(workspace, _lost_pois(whole, workspace), sidecar=kept)
    from darkstats.workflows.simplification import prune_small

    return prune_small(request, workspace, shell or Shell())


def _lost_pois(before: Workspace, after: Workspace) -> tuple[str, ...]:
    """Which measurements have no parameter of interest any more, in words."""
    from darkstats.workspace.names import modifier_of

    names = [{name for name, _ in one.modifiers} for one in (before, after)]
    found = []
    for one in after.document["measurements"]:
        poi = one["config"]["poi"]
        had, has = (modifier_of(poi, known) in known for known in names)
        if had and not has:
            found.append(
                f"the measurement {one['name']!r} has lost its parameter of interest {poi!r}: "
                "limits need another one, --poi; fit and gof do without"
            )
    return tuple(found)


def rename(request: RenameRequest, shell: Shell | None = None) -> Outcome[Workspace]:
    """A workspace with other names.

    Raises
    ------
    InputError
        The workspace cannot be read, has no part of that name, or the new names clash.
    """
    from darkstats.report.sidecar_carrying import carried, sidecar_document
    from darkstats.workspace import rename as call

    groups = {
        "channels": dict(request.channels),
        "samples": dict(request.samples),
        "modifiers": dict(request.modifiers),
        "measurements": dict(request.measurements),
    }
    if not any(groups.values()):
        raise OptionError(
            "say what to rename: --channel, --sample, --modifier or --measurement OLD=NEW"
        )
    whole = read(request.workspace, as_document=True)
    named = call(whole, **groups)
    known = sidecar_document(request.workspace.file, whole.own_signal)
    kept = carried(known, named, channels=groups["channels"], modifiers=groups["modifiers"])
    return _document(named, sidecar=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Digests of a workspace: by pyhf's rule, and canonical."""

    source: str
    sha256: str
    md5: str
    canonical_sha256: str
    is_sorted: bool


def digest(request: DigestRequest, shell: Shell | None = None) -> Outcome[Digests]:
    """Digests of a workspace, which patch sets and records carry.

    Raises
    ------
    InputError
        The workspace cannot be read.
    """
    from darkstats.report.records import SCHEMAS
    from darkstats.workspace import pyhf_digest
    from darkstats.workspace import sort as ordered

    workspace = read(request.workspace, as_document=True)
    if request.sort:
        workspace = ordered(workspace)
    found = Digests(
        source=workspace.source,
        sha256=workspace.digest,
        md5=pyhf_digest(workspace.document, "md5"),
        canonical_sha256=workspace.canonical_digest,
        is_sorted=request.sort,
    )

    def record() -> JsonObject:
        return {
            "schema": SCHEMAS["digest"],
            "source": found.source,
            "sha256": found.sha256,
            "md5": found.md5,
            "canonical_sha256": found.canonical_sha256,
            "sorted": found.is_sorted,
        }

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import digest_sheet

        return digest_sheet(found.source, record())

    return Outcome(result=found, record=record, sheet=sheet)


def hs3(request: Hs3Request, shell: Shell | None = None) -> Outcome[JsonObject]:
    """A workspace as an HS3 document: its record is the document.

    Raises
    ------
    InputError
        The workspace cannot be read, or makes no model.
    """
    from darkstats.model.hs3_writing import hs3_document

    workspace = read(request.workspace, needs_poi=False)
    sidecar = read_sidecar(request.workspace.file)
    observed = workspace.document["observations"]
    sidecar.require_edges({one["name"]: len(one["data"]) for one in observed})
    document = hs3_document(workspace, edges=sidecar.edges, description=sidecar.title)

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import hs3_sheet

        return hs3_sheet(document, workspace.source)

    return Outcome(result=document, record=lambda: document, sheet=sheet)


def download(request: DownloadRequest, shell: Shell | None = None) -> Outcome[Download]:
    """A published likelihood by DOI or URL: the only task that uses the network.

    Raises
    ------
    DownloadError
        The host is not on the allow-list, or the download failed.
    """
    from darkstats.workspace.download import DEFAULT_ALLOW_LIST
    from darkstats.workspace.download import download as fetch

    shell = shell or Shell()
    folder = _folder(request.folder)
    with shell.step(f"downloading {request.source}"):
        found = fetch(
            request.source, folder, allow_hosts=(*DEFAULT_ALLOW_LIST, *request.allowed_hosts)
        )

    def record() -> JsonObject:
        from darkstats.report.records import SCHEMAS

        return {
            "schema": SCHEMAS["download"],
            "path": str(found.path),
            "url": found.url,
            "size_bytes": found.size,
            "sha256": found.sha256,
            "workspaces": [{"member": w.member, "sha256": w.digest} for w in found.workspaces],
        }

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import download_sheet

        return download_sheet(record())

    return Outcome(result=found, record=record, sheet=sheet)


def _folder(name: str) -> Path:
    from pathlib import Path

    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DocumentError(f"cannot be made: {error.strerror}", source=str(folder)) from error
    return folder
