"""Somebody's folder or archive of workspaces and patches: what it holds, and what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, InputError
from darkstats.publication.contents import Contents
from darkstats.publication.findings import MALFORMED, Findings, Problem
from darkstats.publication.hypotheses import WITHOUT_SIGNAL, Hypotheses, limited
from darkstats.workspace import PatchSet, Workspace, pyhf_digest
from darkstats.workspace.archives import looks_like, unpacked, walk_members
from darkstats.workspace.containers import patch_set_in, workspace_in
from darkstats.workspace.documents import parse_json
from darkstats.workspace.shared_parts import SharedParts

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["verify_foreign"]

_JSON = (".json", ".json.gz", ".json.xz", ".json.bz2")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".zip")


@dataclass(slots=True)
class _Found:
    """Documents by name; patch sets and patches wait for their workspace."""

    workspaces: dict[str, Workspace] = field(default_factory=dict)
    patch_sets: dict[str, PatchSet] = field(default_factory=dict)
    patches: dict[str, list[JsonObject]] = field(default_factory=dict)
    sidecars: list[Mapping[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def verify_foreign(
    contents: Contents, findings: Findings, progress: Callable[[int], object]
) -> None:
    """Check what can be checked without a manifest: parse, lint, digests, patches; say what lacks.

    Raises
    ------
    DocumentError
        There is neither a workspace nor a patch.
    """
    found = _documents(contents)
    if not found.workspaces and not found.problems:
        raise DocumentError(
            "holds no workspace", source=contents.source,
            remedy="name the folder or the archive of a published likelihood",
        )  # fmt: skip
    findings.check("files", f"{len(contents.files)}, no manifest", contents.refused)
    names = _few(list(found.workspaces))
    findings.check(
        "workspaces", f"{len(found.workspaces)} parsed and linted: {names}", found.problems
    )
    if found.patch_sets:
        total = sum(len(points) for points in found.patch_sets.values())
        tried = _patch_sets_tried(found, progress)
        words = f"{len(found.patch_sets)} with {total} points, by digest; each applied and compiled"
        findings.check("patch sets", words, limited(tried.problems))
        findings.lacking += tried.remarks
    if found.patches:
        tried = _patches_tried(found, progress)
        words = f"{len(found.patches)}, each applied to the workspace beside it and compiled"
        findings.check("patches", words, limited(tried.problems))
        findings.lacking += tried.remarks
    findings.lacking += _lacking(contents, found)


def _texts(contents: Contents) -> Iterator[tuple[str, bytes]]:
    """Name and text of all JSON, that of archives within included."""
    for name, data in contents.files.items():
        lower = name.lower()
        if lower.endswith(_JSON):
            yield name, unpacked(data, name)
        elif lower.endswith(_ARCHIVES):
            for inner, read in walk_members(unpacked(data, name), name):
                yield f"{name}:{inner}", unpacked(read(), f"{name}:{inner}")


def _documents(contents: Contents) -> _Found:
    found = _Found()
    try:
        for name, text in _texts(contents):
            try:
                _sort(name, text, found)
            except InputError as error:
                found.problems.append(_malformed(name, error))
    except InputError as error:
        found.problems.append(_malformed("", error))
    return found


def _sort(name: str, text: bytes, found: _Found) -> None:
    kind = looks_like(text)
    if kind is None and b"darkstats.meta" not in text[:4096]:
        parse_json(text, source=name)  # says where it is damaged
        return
    document = parse_json(text, source=name)
    if kind in {"workspace", "pallet"}:
        found.workspaces[name] = Workspace.from_document(
            workspace_in(document), name, accept=WITHOUT_SIGNAL, usable=False
        )
    if kind in {"patch set", "pallet"}:
        found.patch_sets[name] = PatchSet.from_document(patch_set_in(document, name), name)
    elif kind == "patch":
        found.patches[name] = document
    elif kind is None and isinstance(document, dict):
        found.sidecars.append(document)


def _patch_sets_tried(found: _Found, progress: Callable[[int], object]) -> Hypotheses:
    """Each patch set on the workspace that has its digests."""
    tried = Hypotheses()
    digests = {
        name: {key: pyhf_digest(one.document, key) for key in ("sha256", "md5")}
        for name, one in found.workspaces.items()
    }
    for name, points in found.patch_sets.items():
        wanted = {key: value.lower() for key, value in points.digests.items()}
        home = next((one for one, has in digests.items() if wanted.items() <= has.items()), None)
        if home is None:
            listed = ", ".join(f"{key} {value[:12]}" for key, value in wanted.items())
            text = f"no workspace here has its digest ({listed})"
            tried.problems.append(Problem(kind=MALFORMED, place=name, text=text))
            continue
        base = found.workspaces[home].document
        shared = SharedParts(base)
        for point in points:
            tried.add(base, shared, point.operations, f"{name}, point {point.name}")
            progress(1)
    return tried


def _patches_tried(found: _Found, progress: Callable[[int], object]) -> Hypotheses:
    """Patches in files of their own belong to the one workspace of their folder."""
    tried = Hypotheses()
    shared = {name: SharedParts(one.document) for name, one in found.workspaces.items()}
    for name, operations in found.patches.items():
        beside = [one for one in found.workspaces if _folder(one) == _folder(name)]
        if len(beside) == 1:
            tried.add(found.workspaces[beside[0]].document, shared[beside[0]], operations, name)
        else:
            many = f"{len(beside)} workspaces lie" if beside else "no workspace lies"
            text = f"{many} beside it: which one it belongs to is open"
            tried.problems.append(Problem(kind=MALFORMED, place=name, text=text))
        progress(1)
    return tried


def _folder(name: str) -> str:
    return name[: max(name.rfind("/"), name.rfind(":")) + 1]


def _lacking(contents: Contents, found: _Found) -> list[str]:
    """What a reader would want of a published likelihood, and does not find here."""
    names = {name.rpartition("/")[2].lower() for name in contents.files}
    tables = b"\n".join(
        data for name, data in contents.files.items() if name.endswith((".yaml", ".yml"))
    )
    channels = [
        labels
        for sidecar in found.sidecars
        for labels in (sidecar.get("channels") or {}).values()
        if isinstance(labels, dict)
    ]
    cited = {"citation.cff", "citation.bib", "submission.yaml"} & names
    wanted = (
        (False, "manifest: nothing says which files belong to it, and with what checksums"),
        (bool(found.patch_sets), "patch set: no digest binds the signals to a workspace"),
        (bool(cited), "citation: no CITATION.cff and no submission.yaml"),
        (b"LUMINOSITY" in tables, "luminosity: no table states it"),
        (any(one.get("edges") for one in channels), "axes: no bin edges of the channels"),
        (any(one.get("axis") for one in channels), "units: no axis titles of the channels"),
        (b"upper limit" in tables.lower(), "limits: none are stated that could be computed again"),
    )
    return [words for there, words in wanted if not there]


def _malformed(place: str, error: InputError) -> Problem:
    text = " ".join(str(error).split()).removeprefix(f"{place}: ")
    return Problem(kind=MALFORMED, place=place, text=text)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f", ... ({len(names)} in all)" if len(names) > 3 else "")
