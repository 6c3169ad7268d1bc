"""Patch sets and patches as documents: what they hold, and one made out of loose patches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.workflows.document_requests import PatchSetRequest
    from darkstats.workspace import PatchSet
    from darkstats.workspace.json_values import JsonObject, JsonValue

__all__ = ["create_patch_set", "inspect_patches"]

_SHOWN = 20


def _targets(patches: list[JsonValue]) -> list[JsonObject]:
    """What patches do to which part of a workspace, most frequent first."""
    counted: Counter[tuple[str, str]] = Counter()
    for operations in patches:
        for one in operations if isinstance(operations, list) else ():
            if isinstance(one, dict):
                counted[str(one.get("op")), str(one.get("path"))] += 1
    return [{"op": op, "path": path, "count": count} for (op, path), count in counted.most_common()]


def inspect_patches(document: JsonValue, source: str, kind: str) -> Outcome[JsonObject]:
    """What a patch set, a list of them, or a patch holds: points, labels, targets.

    Raises
    ------
    PatchError
        It is no valid patch set.
    """
    from darkstats.report.records import SCHEMAS
    from darkstats.workspace import PatchSet
    from darkstats.workspace.containers import patch_set_in

    record: JsonObject = {"schema": SCHEMAS["patches"], "source": source, "kind": kind}
    if kind == "patch":
        record |= {"labels": [], "digests": {}, "description": "", "hepdata": None, "points": []}
        record["hepdata_reason"] = "a patch has none"
        record["targets"] = _targets([document])
    else:
        found = PatchSet.from_document(patch_set_in(document, source), source=source)
        record |= {
            "labels": list(found.labels),
            "digests": dict(found.digests),
            "description": found.description,
            "hepdata": found.references["hepdata"],
            "points": [{"name": one.name, "values": list(one.values)} for one in found],
            "targets": _targets([list(one.operations) for one in found]),
        }

    def sheet() -> RenderableType:
        from darkstats.report.document_tables import patches_sheet

        return patches_sheet(record, _SHOWN)

    return Outcome(result=record, record=lambda: record, sheet=sheet)


def create_patch_set(request: PatchSetRequest, shell: Shell | None = None) -> Outcome[PatchSet]:
    """A patch set of loose patches, each of which fits its workspace.

    Raises
    ------
    InputError
        A file cannot be read, a name does not follow the rule, or a patch does not fit.
    """
    from darkstats.workspace import PatchSet, apply_patch, read_workspace
    from darkstats.workspace.loose_patches import (
        PLACEHOLDER,
        NamingRule,
        find_patches,
        make_patch_set,
    )
    from darkstats.workspace.sources import Opener

    shell = shell or Shell()
    opener = Opener()
    document = read_workspace(request.workspace, accept=("poi-unknown", "poi-no-effect")).document
    patches = find_patches(request.patches, opener)
    made = make_patch_set(
        document,
        patches,
        None if request.name_pattern is None else NamingRule(request.name_pattern),
        description=request.description,
        hepdata=PLACEHOLDER if request.hepdata is None else request.hepdata,
    )
    found = PatchSet.from_document(made, source=", ".join(request.patches))
    with shell.step("applying patches", len(patches)) as step:
        for one in patches:
            apply_patch(document, one.operations, source=one.source)
            step.advance(1)

    def sheet() -> RenderableType:
        shown = inspect_patches(made, f"of {len(patches)} patches", "patch set")
        return shown.sheet()

    return Outcome(result=found, record=lambda: made, sheet=sheet)
