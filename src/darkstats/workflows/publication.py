"""A search as a bundle for others, and a bundle verified: publish, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.characters import as_text
from darkstats.errors import DocumentError, InputError, OptionError
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.plot_requests import Record, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from darkstats.publication.documents import Documents
    from darkstats.workflows.publication_requests import PublishRequest
    from darkstats.workspace.json_values import JsonObject

__all__ = ["conversion_notes", "manifest_facts", "publish"]

Files = dict[str, bytes]


def publish(request: PublishRequest, shell: Shell | None = None) -> Outcome[JsonObject]:
    """Write a bundle: likelihood, signals, labels, limits if given, tables, README, checksums.

    Raises
    ------
    InputError
        A file cannot be used, a patch does not fit, or the limits belong to something else.
    OptionError
        The folder holds something else, or cannot be written.
    """
    from darkstats.publication.derived import derived_files
    from darkstats.publication.documents import LIMITS, Documents, try_hypotheses
    from darkstats.publication.folder import require_free, write_bundle
    from darkstats.publication.hypotheses import limited
    from darkstats.publication.manifest import sealed
    from darkstats.publication.texts import (
        authors_of,
        citation_text,
        lacking_of,
        readme_text,
        title_of,
    )
    from darkstats.report.provenance import stated_date
    from darkstats.report.records import SCHEMAS
    from darkstats.workflows.scans import first_kernel

    shell = shell or Shell()
    output = Path(request.output)
    replaced = require_free(output)  # said before the work
    date, no_date = stated_date()
    name, files = _source_files(request)
    if request.scan is not None:
        files[LIMITS] = _record_bytes(request.scan)
    documents = Documents.read(files)
    if documents.limits is not None:
        _require_own_limits(documents, request)
    first_kernel(shell)
    total = 0 if documents.patch_set is None else len(documents.patch_set)
    with shell.step(f"checking {request.source}", total or None, "hypotheses") as step:
        tried, signals = try_hypotheses(documents, step.advance)
    if tried.problems:
        lines = [f"{request.source} is not published:", *map(str, limited(tried.problems))]
        raise InputError("\n  ".join(lines))
    title = title_of(documents, name)
    with shell.step("writing HS3"):
        no_hs3 = _add_hs3(files, documents, title)
    made = derived_files(documents, signals, title, conversion_notes(documents), carried=files)
    files |= {one: text.encode() for one, text in made.items()}
    authors = authors_of(documents, request.authors)
    lacking = (
        *_no_signal(documents),
        *tried.remarks,
        *lacking_of(documents, authors, no_hs3=no_hs3),
    )
    files["CITATION.cff"] = citation_text(documents, title, authors, date=date).encode()
    names = sorted({*files, "README.md"} - {"README.md"})
    files["README.md"] = readme_text(documents, title, names, lacking, date=date).encode()
    facts = manifest_facts(documents, title, lacking, request.authors, no_hs3)
    facts |= {"date": date} | ({} if no_date is None else {"date_reason": no_date})
    complete = sealed(files, facts)
    with shell.step(f"writing {output}"):
        write_bundle(output, complete)
    record = {
        "schema": SCHEMAS["publish"],
        "bundle": request.output,
        "title": title,
        "simulated": documents.facts.get("simulated"),
        "hypotheses": total,
        "limits": documents.limits is not None,
        "files": sorted(complete),
        "lacking": list(lacking),
    }
    if record["simulated"] is None:
        record["simulated_reason"] = "neither a sidecar nor a record says"

    def sheet() -> RenderableType:
        from darkstats.report.tables import sheet as table

        hypotheses = (
            "none" if _no_signal(documents) else str(total or "the signal of the workspace")
        )
        stated = f"of {name_of(request.scan)}" if request.scan else "none: no --scan was given"
        notes = [
            ("files", f"{len(complete)}, {sum(map(len, complete.values())) / 1e6:.3g} MB"),
            ("hypotheses", hypotheses),
            ("limits", stated),
            *([("replaced", "the bundle that was there, which was unchanged")] if replaced else []),
            *(("lacking", words) for words in lacking),
            ("use", f"darkstats verify {request.output}"),
        ]
        return table(f"Bundle {request.output}", subtitle=title, notes=notes)

    return Outcome(result=record, record=lambda: record, sheet=sheet)


def _no_signal(documents: Documents) -> tuple[str, ...]:
    """What is lacking where neither the workspace nor a patch set has a signal, in words."""
    if documents.patch_set is not None or documents.has_signal:
        return ()
    return ("signal: the workspace has none; give its patch set with --patchset",)


def _add_hs3(files: Files, documents: Documents, title: str) -> str:
    """Add the likelihood as HS3, and what a submission carries; return why there is no HS3."""
    from darkstats.publication.hs3 import hs3_file, hs3_name
    from darkstats.publication.resources import ARCHIVE, HS3_RESOURCE, likelihood_archive

    submitted = documents.limits is not None
    if submitted:
        files[ARCHIVE] = likelihood_archive(documents, files, title)
    try:
        data = hs3_file(documents, title)
    except InputError as error:
        return str(error)
    files[hs3_name(documents)] = data
    if submitted:
        files[HS3_RESOURCE] = data
    return ""


def manifest_facts(
    documents: Documents,
    title: str,
    lacking: tuple[str, ...],
    authors: tuple[str, ...],
    no_hs3: str,
) -> JsonObject:
    """What the manifest says beside the files."""
    from darkstats.provenance import package_version
    from darkstats.publication.documents import LIMITS
    from darkstats.publication.hs3 import HS3_VERSION, hs3_name
    from darkstats.publication.texts import authors_of

    workspace, points = documents.workspace, documents.patch_set
    found: JsonObject = {
        "darkstats": package_version("darkstats"),
        "title": title,
        "authors": list(authors_of(documents, authors)),
        "simulated": documents.facts.get("simulated"),
        "workspace": {
            "file": documents.workspace_file,
            "sha256": workspace.digest,
            "canonical_sha256": workspace.canonical_digest,
        },
        "patch_set": None,
        "limits": None,
        "hs3": None if no_hs3 else {"file": hs3_name(documents), "version": HS3_VERSION},
        "lacking": list(lacking),
    }
    if no_hs3:
        found["hs3_reason"] = no_hs3
    if found["simulated"] is None:
        found["simulated_reason"] = "neither a sidecar nor a record says"
    if points is None:
        found["patch_set_reason"] = "the workspace has its own signal"
    else:
        found["patch_set"] = {
            "file": documents.patch_set_file,
            "points": len(points),
            "labels": list(points.labels),
        }
    if documents.limits is None:
        found["limits_reason"] = "no record of a scan was given"
    else:
        stated = documents.limits.get("provenance")
        provenance = stated if isinstance(stated, dict) else {}
        found["limits"] = {
            "file": LIMITS,
            "inputs_sha256": provenance.get("inputs_sha256"),
            "versions": provenance.get("versions"),
        }
    return found


def conversion_notes(documents: Documents) -> dict[str, str]:
    """What the couplings of the stated limits rest on, by key."""
    from darkstats.report.scan_reading import read_scan
    from darkstats.workflows.plot_subjects import benchmark_words

    if documents.limits is None:
        return {}
    keys = documents.limits.get("benchmarks") or ()
    own = {key: one.conversion for key, one in read_scan(documents.limits).limits.items()}
    found = {key: words for key in keys if (words := benchmark_words(key)[1])}
    return found | {key: one.words for key, one in own.items() if one is not None}


def _record_bytes(source: str | Record) -> bytes:
    """The text of a scan record, of a file or of the folder of a scan; or of one at hand."""
    from darkstats.report.scan_table import SCAN_FILE
    from darkstats.report.writing import json_text
    from darkstats.workspace.sources import Opener

    if not isinstance(source, str):
        return json_text(source).encode()
    path = Path(source)
    where = str(path / SCAN_FILE) if path.is_dir() else source
    return Opener().read(where, "record")[1]


def _require_own_limits(documents: Documents, request: PublishRequest) -> None:
    """Check that limits were made of these documents.

    Raises
    ------
    DocumentError
        They are no record of a scan, or one of another likelihood.
    OptionError
        The source has no hypotheses.
    """
    from darkstats.provenance import digest_of
    from darkstats.publication.documents import scanned_by
    from darkstats.publication.recomputation import check_points, settings_of
    from darkstats.report.scan_reading import read_scan

    if documents.patch_set is None and not documents.has_signal:
        raise OptionError(
            f"{request.source} has no patch set and no signal, and limits of a scan are those of "
            "hypotheses: name the patch set with --patchset, or the folder that holds both files"
        )
    source = "" if request.scan is None else name_of(request.scan)
    limits: Mapping[str, Any] = documents.limits or {}
    read_scan(limits, source=source)
    check_points(limits)
    settings_of(limits)
    provenance = limits.get("provenance")
    stated = provenance.get("inputs_sha256") if isinstance(provenance, dict) else None
    if stated != digest_of(scanned_by(documents, limits).plain()):
        raise DocumentError(
            "is no scan of this source: the digest of its inputs is another one", source=source,
            pointer="/provenance/inputs_sha256",
            remedy="scan the source as it is, or name the source that was scanned",
        )  # fmt: skip
    for key, said, other, where in documents.contradictions:
        raise DocumentError(
            f"says {said!r}, and {where} says {other!r}", source=source, pointer=f"/{key}",
            remedy="correct the one that is wrong, or scan the source as it is",
        )  # fmt: skip


def _source_files(request: PublishRequest) -> tuple[str, Files]:
    """Name of the source, and its documents under the names that they have in a bundle.

    Raises
    ------
    InputError
        A file is missing, damaged, or of another kind.
    """
    from darkstats.workflows.unbinned_inputs import holds_hs3

    path = Path(request.source)
    if path.is_dir():
        if request.patchset is not None:
            raise OptionError(f"{request.source} has a patch set of its own: drop --patchset")
        name = as_text(path.resolve().name)
        if (path / "record.json").is_file():
            return name, _build_files(path)
        base = path / "background_only.json"
        if base.is_file():
            sets = [path / one for one in ("patchset.json", "patchset.json.gz")]
            found = next((str(one) for one in sets if one.is_file()), None)
            return name, _workspace_files(str(base), found)
        if (path / "workspace.json").is_file():
            return name, _workspace_files(str(path / "workspace.json"), None)
        raise OptionError(
            f"{request.source} is no folder of a search: it has no record.json, "
            "background_only.json or workspace.json; name the workspace"
        )
    if holds_hs3(request.source):
        raise OptionError(
            f"{request.source} is an HS3 document of unbinned likelihoods: publish takes "
            "HistFactory workspaces; an HS3 document can be published as it is"
        )
    name = as_text(path.name.removesuffix(".gz").removesuffix(".json"))
    return name, _workspace_files(request.source, request.patchset)


def _build_files(folder: Path) -> Files:
    """All documents of a built search, bytes as they are: its record names their digests."""
    from darkstats.searches.output import RECORD_NAME, read_build

    build = read_build(folder)  # checks the digests
    documents = ("background_only.json", "background_only.meta.json", "patchset.json", "fill.json")
    names = [name for name in build.record["files"] if name.removesuffix(".gz") in documents]
    return {name: (folder / name).read_bytes() for name in (*names, RECORD_NAME)}


def _workspace_files(source: str, patchset: str | None) -> Files:
    """A workspace with what belongs to it; a pallet is taken apart."""
    import json

    from darkstats.report.sidecar import read_sidecar, with_own_signal
    from darkstats.workspace.containers import kind_of, patch_set_in, workspace_in
    from darkstats.workspace.documents import parse_json
    from darkstats.workspace.hs3 import Hs3Document, looks_like_hs3
    from darkstats.workspace.hs3.histfactory import histfactory_workspace
    from darkstats.workspace.patchset import PatchSet
    from darkstats.workspace.sources import Opener

    opener = Opener()
    label, data = opener.read(source, "workspace")
    whole = parse_json(data, source=label)
    signals: bytes | None = None
    if looks_like_hs3(whole):
        whole = histfactory_workspace(Hs3Document.from_document(whole, label))
        data = json.dumps(whole).encode() + b"\n"
    if kind_of(whole) == "pallet":
        if patchset is None:
            signals = json.dumps(patch_set_in(whole, label)).encode() + b"\n"
        data = json.dumps(workspace_in(whole)).encode() + b"\n"
    elif kind_of(whole) != "workspace":
        raise DocumentError(
            f"this is a {kind_of(whole)}, no workspace", source=label,
            remedy="name the workspace, and this file with --patchset",
        )  # fmt: skip
    if patchset is not None:
        name, raw = opener.read(patchset, "patch set")
        found = parse_json(raw, source=name)
        alone = patch_set_in(found, name)
        signals = raw if alone is found else json.dumps(alone).encode() + b"\n"
    stem = "workspace" if signals is None else "background_only"
    files = {f"{stem}.json": data}
    if signals is not None:
        files["patchset.json"] = signals
    sidecar = read_sidecar(source)
    if sidecar.source:
        said = Path(sidecar.source).read_bytes()
        own = None
        if signals is not None:
            alone = parse_json(signals, source="patchset.json")
            own = PatchSet.from_document(alone, "patchset.json").own_signal
        if own is not None:  # what the sidecar says of the signal is not of this one
            whole = with_own_signal(parse_json(said, source=sidecar.source), own)
            said = json.dumps(whole, indent=1).encode() + b"\n"
        files[f"{stem}.meta.json"] = said
    return files
