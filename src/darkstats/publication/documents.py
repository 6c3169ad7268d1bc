"""The documents of a bundle: workspace, patch set, sidecar, fill, record of the build and limits.

The same reader serves whoever writes a bundle and whoever verifies one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, InputError
from darkstats.publication.findings import MALFORMED, Problem
from darkstats.publication.hypotheses import WITHOUT_SIGNAL, Hypotheses, compiled
from darkstats.publication.yields import SignalRow, signal_rows
from darkstats.report.sidecar import sidecar_of
from darkstats.scan.limits import base_of
from darkstats.scan.mass_hypotheses import BinnedHypotheses, MassHypothesis
from darkstats.workspace import PatchSet, Workspace
from darkstats.workspace.archives import unpacked
from darkstats.workspace.documents import parse_json
from darkstats.workspace.shared_parts import SharedParts

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject, JsonValue

__all__ = ["LIMITS", "Documents", "scanned_by", "try_hypotheses"]

#: Name of the record of the limits.
LIMITS = "limits.json"
_WORKSPACES = ("background_only.json", "background_only.json.gz", "workspace.json")
#: What a scan record repeats of its search; its inputs are named by a digest of this, too.
_FACTS = (
    "name", "title", "simulated", "data", "luminosity_ipb", "reference_cross_section_pb",
    "poi_label", "collision", "label_words", "parent_cross_section_pb",
    "searched", "without_sensitivity",
)  # fmt: skip
#: What limits and the labels beside the workspace must say alike.
_SAID_ALIKE = (
    "simulated", "luminosity_ipb", "reference_cross_section_pb", "parent_cross_section_pb",
    "poi_label", "searched",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What a bundle is about.

    Parameters
    ----------
    workspace_file
        Name of the file of the workspace.
    workspace
        It is linted; one that waits for its signal has no parameter of interest.
    patch_set_file, patch_set
        Signals; None where the workspace has its own.
    sidecar
        Labels, axes, units; empty where there is none.
    fill
        Which bins fill the windows of a built search; None for other sources.
    build
        Record of a built search; empty for other sources.
    limits
        Record of a scan; None where no limits are stated.
    """

    workspace_file: str
    workspace: Workspace = field(repr=False)
    patch_set_file: str | None = None
    patch_set: PatchSet | None = field(default=None, repr=False)
    sidecar: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fill: Mapping[str, Any] | None = field(default=None, repr=False)
    build: Mapping[str, Any] = field(default_factory=dict, repr=False)
    limits: Mapping[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> Documents:
        """Return the documents out of the files of a bundle.

        Raises
        ------
        InputError
            One is damaged, or is not what its name says; or the patch set belongs to another
            workspace.
        """
        name = next((name for name in _WORKSPACES if name in files), None)
        if name is None:
            raise DocumentError(f"there is no workspace: none of {', '.join(_WORKSPACES)}")
        workspace = Workspace.from_document(
            _json(files, name), name, accept=WITHOUT_SIGNAL, usable=False
        )
        signals = _one_of(files, "patchset.json")
        points = None
        if signals is not None:
            points = PatchSet.from_document(_json(files, signals), signals)
            points.verify(workspace.document)
        labels = _sidecar_file(name)
        sidecar = _object(files, labels)
        if sidecar is not None:
            bins = {c["name"]: len(c["samples"][0]["data"]) for c in workspace.document["channels"]}
            sidecar_of(sidecar, labels).require_edges(bins)
        return cls(
            workspace_file=name,
            workspace=workspace,
            patch_set_file=signals,
            patch_set=points,
            sidecar=sidecar or {},
            fill=_object(files, _one_of(files, "fill.json")),
            build=_object(files, "record.json") or {},
            limits=_object(files, LIMITS),
        )

    @property
    def has_signal(self) -> bool:
        """Whether the workspace has a signal of its own."""
        return not {one.code for one in self.workspace.warnings} & set(WITHOUT_SIGNAL)

    @property
    def sidecar_file(self) -> str:
        """Name of the file of the sidecar."""
        return _sidecar_file(self.workspace_file)

    @property
    def contradictions(self) -> tuple[tuple[str, JsonValue, JsonValue, str], ...]:
        """Where limits say one thing and the sidecar another: key, both, name of the sidecar."""
        limits = self.limits or {}
        return tuple(
            (key, limits[key], self.sidecar[key], self.sidecar_file)
            for key in _SAID_ALIKE
            if limits.get(key) is not None
            and self.sidecar.get(key) is not None
            and self.sidecar[key] != limits[key]
        )

    @property
    def facts(self) -> JsonObject:
        """What is known of the search: from the build, the sidecar, or the record of the limits."""
        found: JsonObject = {}
        for source in (self.limits or {}, self.sidecar, self.build):
            found |= {key: source[key] for key in _FACTS if source.get(key) is not None}
        return found


def _sidecar_file(workspace_file: str) -> str:
    return f"{workspace_file.removesuffix('.gz').removesuffix('.json')}.meta.json"


def _one_of(files: Mapping[str, bytes], name: str) -> str | None:
    return next((one for one in (name, f"{name}.gz") if one in files), None)


def _json(files: Mapping[str, bytes], name: str) -> Any:  # noqa: ANN401 -- a JSON document
    return parse_json(unpacked(files[name], name), source=name)


def _object(files: Mapping[str, bytes], name: str | None) -> JsonObject | None:
    if name is None or name not in files:
        return None
    found = _json(files, name)
    if not isinstance(found, dict):
        raise DocumentError("is no object", source=name)
    return found


def scanned_by(documents: Documents, record: Mapping[str, Any]) -> BinnedHypotheses:
    """Return what a scan record must have been made from, facts as the record has them.

    Raises
    ------
    InputError
        The documents have no hypotheses.
    """
    facts = {key: record[key] for key in _FACTS if key in record}
    benchmarks = tuple(record.get("benchmarks") or ())
    if documents.patch_set is not None:
        return BinnedHypotheses.of_patches(
            documents.workspace.document, documents.patch_set, documents.fill,
            facts=facts, benchmarks=benchmarks,
        )  # fmt: skip
    if not documents.has_signal:
        raise InputError(
            f"{documents.workspace_file} has no signal and no patch set that could be scanned"
        )
    return BinnedHypotheses.of_signal(
        documents.workspace.document, facts=facts, benchmarks=benchmarks
    )


def try_hypotheses(
    documents: Documents, progress: Callable[[int], object] = lambda _: None
) -> tuple[Hypotheses, list[SignalRow]]:
    """Compile the workspace; apply, lint and compile each hypothesis; return its yields, too."""
    found, rows = Hypotheses(), list[SignalRow]()
    workspace = documents.workspace
    try:
        compiled(workspace)
    except InputError as error:
        place = documents.workspace_file
        found.problems.append(Problem(kind=MALFORMED, place=place, text=str(error)))
        return found, rows
    if documents.patch_set is None:
        return found, rows
    points = documents.patch_set
    base = base_of(workspace.document, [MassHypothesis.of_point(point) for point in points])
    shared = SharedParts(base)
    for point in points:
        place = f"{documents.patch_set_file}, point {point.name}"
        made = found.add(base, shared, point.operations, place)
        if made is not None:
            rows += signal_rows(point, *made, shared)
        progress(1)
    return found, rows
