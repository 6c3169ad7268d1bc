"""What a JSON document of a published likelihood is, and what it holds.

Besides workspaces, patch sets and patches there are *pallets*: objects that hold a workspace and
its patch sets, as the extractor of HEPData records writes them; and lists of patch sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.errors import PatchError
from darkstats.workspace.findings import shown

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonValue

__all__ = ["KINDS", "kind_of", "patch_set_in", "workspace_in"]

#: What :func:`kind_of` tells apart.
KINDS = ("workspace", "pallet", "patch set", "patch sets", "patch")

_PATCH_SETS = ("patchsets", "patchset")


def kind_of(document: JsonValue) -> str:
    """Return one of :data:`KINDS`; ``"workspace"`` for what is nothing else."""
    if isinstance(document, list) and document:
        for key, kind in (("op", "patch"), ("patches", "patch sets")):
            if all(isinstance(item, dict) and key in item for item in document):
                return kind
    if isinstance(document, dict) and "channels" not in document:
        if "workspace" in document:
            return "pallet"
        if "patches" in document and "metadata" in document:
            return "patch set"
    return "workspace"


def workspace_in(document: JsonValue) -> JsonValue:
    """Return the workspace of a pallet; any other document as it is."""
    if kind_of(document) == "pallet":
        found: dict[str, Any] = document
        return found["workspace"]
    return document


def patch_set_in(document: JsonValue, source: str = "") -> JsonValue:
    """Return the one patch set that a document is, or holds.

    Several patch sets of the same workspace with the same labels are joined, in their order; the
    first one says description and references.

    Raises
    ------
    PatchError
        There is none, or there are several that cannot be joined.
    """
    kind = kind_of(document)
    if kind == "pallet":
        held: dict[str, Any] = document
        key = next((key for key in _PATCH_SETS if key in held), None)
        if key is None:
            raise PatchError(
                "the document holds a workspace and no patch sets", source=source,
                remedy="name the patch set with --patchset, or patches with --patch",
            )  # fmt: skip
        inner = held[key]
        return _joined(inner, source, f"/{key}") if isinstance(inner, list) else inner
    return _joined(document, source, "") if kind == "patch sets" else document


def _joined(several: list[JsonValue], source: str, place: str) -> JsonValue:
    if not several:
        raise PatchError("there is no patch set in the list", source=source, pointer=place)
    first = several[0]
    if len(several) == 1 or kind_of(first) != "patch set":
        return first
    points: list[JsonValue] = []
    for index, one in enumerate(several):
        for key in ("labels", "digests"):
            if kind_of(one) != "patch set" or _said(one, key) != _said(first, key):
                raise PatchError(
                    f"the {key} of this patch set are {shown(_said(one, key), limit=200)}, those "
                    f"of the first one {shown(_said(first, key), limit=200)}",
                    source=source, pointer=f"{place}/{index}",
                    remedy="write the patch set that you need into a file of its own",
                )  # fmt: skip
        points += one["patches"] if isinstance(one["patches"], list) else [one["patches"]]
    return {**first, "patches": points}


def _said(one: JsonValue, key: str) -> JsonValue:
    metadata = one.get("metadata") if isinstance(one, dict) else None
    return metadata.get(key) if isinstance(metadata, dict) else None
