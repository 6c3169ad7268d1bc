"""Whether a bundle is whole, and whether what it states is found again: verify."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError, ShardError
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from darkstats.publication.contents import Contents
    from darkstats.publication.documents import Documents
    from darkstats.publication.findings import Findings, Problem
    from darkstats.publication.manifest import Manifest
    from darkstats.publication.yields import SignalRow
    from darkstats.scan.mass_hypotheses import BinnedHypotheses, MassHypotheses
    from darkstats.scan.settings import ScanSettings
    from darkstats.workflows.publication_requests import VerifyRequest
    from darkstats.workspace.json_values import JsonObject

__all__ = ["verify"]


def verify(request: VerifyRequest, shell: Shell | None = None) -> Outcome[Findings]:
    """Read all files of a bundle again, check them, and compute stated limits again.

    Raises
    ------
    InputError
        There is no such folder or archive, or it is too large.
    """
    from darkstats.publication.contents import read_contents
    from darkstats.publication.findings import Findings
    from darkstats.publication.manifest import is_bundle

    shell = shell or Shell()
    contents = read_contents(request.bundle)
    findings = Findings()
    if is_bundle(contents):
        kind = "bundle"
        _verify_bundle(contents, request, findings, shell)
    else:
        from darkstats.publication.foreign import verify_foreign

        kind = "foreign"
        with shell.step(f"checking {request.bundle}", None, "patches") as step:
            verify_foreign(contents, findings, step.advance)
    return _outcome(request, kind, findings)


def _verify_bundle(
    contents: Contents, request: VerifyRequest, findings: Findings, shell: Shell
) -> None:
    from darkstats.publication.documents import Documents, try_hypotheses
    from darkstats.publication.findings import MALFORMED, Problem
    from darkstats.publication.hypotheses import limited
    from darkstats.publication.manifest import MANIFEST, check_files, read_manifest
    from darkstats.workflows.scans import first_kernel

    def broken(what: str, error: InputError) -> None:
        findings.fail(what, "not readable", Problem(kind=MALFORMED, place="", text=str(error)))

    try:
        manifest = read_manifest(contents.files[MANIFEST])
    except InputError as error:
        broken("manifest", error)
        return
    check_files(contents, manifest, findings)
    named = {name: contents.files[name] for name in manifest.files if name in contents.files}
    try:
        documents = Documents.read(named)
    except InputError as error:
        broken("documents", error)
        return
    findings.lacking += [str(words) for words in manifest.document.get("lacking") or ()]
    findings.check(
        "documents", _documents_in_words(documents), _stated_problems(documents, manifest)
    )
    first_kernel(shell)
    total = 0 if documents.patch_set is None else len(documents.patch_set)
    with shell.step("applying patches", total or None, "hypotheses") as step:
        tried, signals = try_hypotheses(documents, step.advance)
    words = f"{total} applied, linted and compiled" if total else "the workspace is compiled"
    findings.check("hypotheses", words, limited(tried.problems))
    findings.lacking += tried.remarks
    _verify_hs3(named, documents, manifest, findings)
    _verify_tables(named, documents, signals, manifest, findings)
    _verify_limits(documents, request, findings, shell)


def _documents_in_words(documents: Documents) -> str:
    parts = [f"workspace {documents.workspace.digest[:12]}"]
    if documents.patch_set is not None:
        parts.append("the patch set has its digest")
    if documents.limits is not None:
        parts.append("limits")
    return ", ".join(parts)


def _stated_problems(documents: Documents, manifest: Manifest) -> list[Problem]:
    """Where the manifest, or a sidecar, says another thing of the documents than they are."""
    from darkstats.publication.documents import LIMITS
    from darkstats.publication.findings import MALFORMED, Problem
    from darkstats.publication.manifest import MANIFEST
    from darkstats.workflows.publication import manifest_facts

    def of(key: str) -> JsonObject:
        found = manifest.document.get(key)
        return found if isinstance(found, dict) else {}

    points = documents.patch_set
    pairs = [
        ("/workspace/sha256", of("workspace").get("sha256"), documents.workspace.digest),
        ("/patch_set/points", of("patch_set").get("points"), points and len(points)),
        ("/limits/file", of("limits").get("file"), None if documents.limits is None else LIMITS),
    ]
    found_again = manifest_facts(documents, "", (), (), "")
    pairs.append(("/simulated", manifest.document.get("simulated"), found_again["simulated"]))
    for key in ("workspace", "patch_set", "limits"):
        made, known = found_again[key] or {}, {pointer for pointer, _, _ in pairs}
        pairs += [
            (f"/{key}/{name}", stated, made[name])
            for name, stated in of(key).items()
            if name in made and f"/{key}/{name}" not in known
        ]
    problems = [
        Problem(
            kind=MALFORMED,
            place=f"{MANIFEST}: {pointer}",
            text=f"states {str(stated)[:70]}; the documents have {found}",
        )
        for pointer, stated, found in pairs
        if stated != found
    ]
    problems += [
        Problem(
            kind=MALFORMED,
            place=f"{where}: /{key}",
            text=f"states {other!r}; {LIMITS} has {said!r}",
        )
        for key, said, other, where in documents.contradictions
    ]
    return problems


def _verify_hs3(
    files: dict[str, bytes], documents: Documents, manifest: Manifest, findings: Findings
) -> None:
    """Read the likelihood again as HS3, and what a submission carries; compare."""
    from darkstats.publication.findings import MALFORMED, Problem
    from darkstats.publication.hs3 import compare_hs3, hs3_name
    from darkstats.publication.resources import ARCHIVE, HS3_RESOURCE, compare_archive

    name = hs3_name(documents)
    if manifest.document.get("hs3") is None and name not in files:
        findings.check("HS3", "none is stated")
    elif name not in files:
        problem = Problem(kind=MALFORMED, place=name, text="is stated, and not there")
        findings.fail("HS3", "missing", problem)
    else:
        problems = compare_hs3(files[name], name, documents)
        findings.check("HS3", "the same likelihood as the workspace", problems)
    carried = []
    if HS3_RESOURCE in files and files[HS3_RESOURCE] != files.get(name):
        text = f"is not {name}"
        carried.append(Problem(kind=MALFORMED, place=HS3_RESOURCE, text=text))
    if ARCHIVE in files:
        title = str(manifest.document.get("title") or "")
        try:
            carried += compare_archive(files[ARCHIVE], documents, files, title)
        except InputError as error:
            carried.append(Problem(kind=MALFORMED, place=ARCHIVE, text=str(error)))
    if ARCHIVE in files or HS3_RESOURCE in files:
        findings.check("resources", "the submission carries the same documents", carried)


def _verify_tables(
    files: dict[str, bytes],
    documents: Documents,
    signals: Sequence[SignalRow],
    manifest: Manifest,
    findings: Findings,
) -> None:
    from darkstats.publication.derived import compare_derived, derived_files
    from darkstats.publication.findings import MALFORMED, Problem
    from darkstats.workflows.publication import conversion_notes

    title = str(manifest.document.get("title") or "")
    try:
        made = derived_files(documents, signals, title, conversion_notes(documents), carried=files)
    except InputError as error:
        problem = Problem(kind=MALFORMED, place="", text=str(error))
        findings.fail("tables", "cannot be made", problem)
        return
    problems = compare_derived(files, made | _texts(files, documents, title, manifest))
    findings.check("tables", f"{len(made)} made again from the documents", problems)


def _texts(
    files: Mapping[str, bytes], documents: Documents, title: str, manifest: Manifest
) -> dict[str, str]:
    """README and CITATION made again; none where another version of darkstats worded them."""
    from darkstats.provenance import package_version
    from darkstats.publication.texts import citation_text, readme_text

    def listed(key: str) -> list[str]:
        found = manifest.document.get(key)
        return [str(one) for one in found] if isinstance(found, list) else []

    if manifest.document.get("darkstats") != package_version("darkstats"):
        return {}
    date = manifest.document.get("date")
    said = date if isinstance(date, str) else None
    names = sorted({*manifest.files} - {"README.md"})
    made = {
        "README.md": readme_text(documents, title, names, listed("lacking"), date=said),
        "CITATION.cff": citation_text(documents, title, listed("authors"), date=said),
    }
    return {name: text for name, text in made.items() if name in files}


def _verify_limits(
    documents: Documents, request: VerifyRequest, findings: Findings, shell: Shell
) -> None:
    """Compare the stated limits with what the documents give."""
    from darkstats.provenance import digest_of
    from darkstats.publication.documents import LIMITS, scanned_by
    from darkstats.publication.findings import MALFORMED, Problem
    from darkstats.publication.recomputation import check_points, settings_of
    from darkstats.report.scan_reading import read_scan

    limits = documents.limits
    if limits is None:
        findings.check("limits", "none are stated")
        return
    try:
        read_scan(limits, source=LIMITS)
        check_points(limits)
        settings = settings_of(limits)
        hypotheses = scanned_by(documents, limits)
    except InputError as error:
        problem = Problem(kind=MALFORMED, place="", text=str(error))
        findings.fail("limits", "not readable", problem)
        return
    provenance = limits.get("provenance")
    stated = provenance.get("inputs_sha256") if isinstance(provenance, dict) else None
    problems = []
    if stated != digest_of(hypotheses.plain()):
        text = "the digest of their inputs is not that of these documents"
        problems.append(
            Problem(kind=MALFORMED, place=f"{LIMITS}: /provenance/inputs_sha256", text=text)
        )
    names = [str(point["name"]) for point in limits["points"]]
    known = [one.name for one in hypotheses.members]
    if names != known:
        lost = sorted(set(known) ^ set(names))[:3]
        text = f"are not the hypotheses of the patch set: {', '.join(lost) or 'another order'}"
        problems.append(Problem(kind=MALFORMED, place=f"{LIMITS}: /points", text=text))
    findings.check("limits", f"{len(names)}, bound to these documents by digest", problems)
    if problems:
        return
    try:
        problems = _in_units(limits, hypotheses, settings)
    except (InputError, KeyError, TypeError, AttributeError) as error:
        place = f"{LIMITS}: /conversions"
        text = f"does not say how its couplings were made ({error})"
        problems = [Problem(kind=MALFORMED, place=place, text=text)]
    findings.check("summary and units", "those of all points follow from the strengths", problems)
    if any(problem.kind == MALFORMED for problem in problems):
        return
    _verify_again(limits, hypotheses, settings, request=request, findings=findings, shell=shell)


def _verify_again(
    limits: Mapping[str, Any],
    hypotheses: BinnedHypotheses,
    settings: ScanSettings,
    *,
    request: VerifyRequest,
    findings: Findings,
    shell: Shell,
) -> None:
    """Compute some of the stated limits, or all, and compare them."""
    from darkstats.publication.recomputation import evenly, same_arithmetic, tolerance_words

    total = len(limits["points"])
    same = settings.bayes is None and same_arithmetic(limits)  # chains part at a last digit
    chosen = evenly(total, total if request.every else request.points)
    if chosen:
        some = replace(hypotheses, members=tuple(hypotheses.members[k] for k in chosen))
        stated_points = {k: limits["points"][k] for k in chosen}
        own = limits.get("conversions") or ()
        differ = _computed_again(
            some, stated_points, settings, request.workers, shell, conversions=own, same=same
        )
        within = tolerance_words(toys=settings.n_toys is not None, same=same)
        findings.check("computed again", f"{len(chosen)} of {total}; {within}", differ)
        findings.agree = not differ
    findings.computed_again = (len(chosen), total)
    if len(chosen) < total:
        findings.lacking.append(
            f"{total - len(chosen)} stated limits were not computed again: --all does"
        )


def _in_units(
    limits: Mapping[str, Any], hypotheses: MassHypotheses, settings: ScanSettings
) -> list[Problem]:
    """Convert all stated strengths again: without a fit, so that it costs nothing."""
    from darkstats.publication.recomputation import (
        compare_summary,
        compare_units,
        same_arithmetic,
    )
    from darkstats.report.scan_records import scan_record
    from darkstats.scan.mass_scan import MassScan, ScanPoint
    from darkstats.workflows.coupling_records import restated
    from darkstats.workflows.scan_sources import couplings_of

    points = [
        ScanPoint.from_plain({**point, "values": one.values})
        for point, one in zip(limits["points"], hypotheses.members, strict=True)
    ]
    scan = MassScan(labels=hypotheses.labels, settings=settings, points=tuple(points))
    found = scan_record(
        scan, facts=hypotheses.facts, couplings=couplings_of(hypotheses), job_digest="", versions={}
    )
    own = limits.get("conversions") or ()
    summary = limits.get("summary")
    told = summary if isinstance(summary, dict) else {}
    problems = list(compare_summary(told, found["summary"], same=same_arithmetic(limits)))
    for index, (stated, made) in enumerate(zip(limits["points"], found["points"], strict=True)):
        problems += compare_units(stated, restated(made, stated, own), index)
    return problems


def _computed_again(
    hypotheses: MassHypotheses,
    stated: Mapping[int, Mapping[str, Any]],
    settings: ScanSettings,
    workers: int | None,
    shell: Shell,
    *,
    conversions: Sequence[Mapping[str, Any]],
    same: bool,
) -> list[Problem]:
    """Compute limits of all hypotheses, and compare them with points of the record, by position.

    Couplings of ``conversions``, models of the user's, are converted as the record states it.
    """
    from darkstats.publication.documents import LIMITS
    from darkstats.publication.findings import UNCERTIFIED, Problem
    from darkstats.publication.recomputation import compare_point
    from darkstats.scan.job import limits_job
    from darkstats.workflows.coupling_records import restated
    from darkstats.workflows.scans import record_of_scan, run_limits

    job = limits_job(hypotheses, settings)
    try:
        scan = run_limits(
            hypotheses, job, settings, None, cluster=None, workers=workers, shell=shell,
            step="computing limits again",
        )  # fmt: skip
    except ShardError as error:
        return [Problem(kind=UNCERTIFIED, place=LIMITS, text=str(error))]
    points = record_of_scan(scan, job, hypotheses)["points"]
    return [
        problem
        for (index, point), found in zip(stated.items(), points, strict=True)
        for problem in compare_point(point, restated(found, point, conversions), index, same=same)
    ]


def _in_words(findings: Findings) -> str:
    """How many of the stated limits the verdict rests on; empty where none are stated."""
    if findings.computed_again is None:
        return ""
    done, total = findings.computed_again
    agree = "" if done == 0 else ": agree" if findings.agree else ": differences"
    rest = f"; {total - done} not computed" if done < total else ""
    return f" · {done} of {total} limits computed again{agree}{rest}"


def _outcome(request: VerifyRequest, kind: str, findings: Findings) -> Outcome[Findings]:
    from darkstats.publication.findings import DIFFERS, MALFORMED, UNCERTIFIED
    from darkstats.report.records import SCHEMAS

    malformed = findings.of_kind(MALFORMED)
    numbers = findings.of_kind(DIFFERS, UNCERTIFIED)
    good = "verified" if kind == "bundle" else "no fault found"
    state = "malformed" if malformed else "differs" if numbers else good
    record = {
        "schema": SCHEMAS["verify"],
        "bundle": request.bundle,
        "kind": kind,
        "state": state,
        "checks": [{"name": name, "statement": words} for name, words in findings.checks],
        "problems": [
            {"kind": one.kind, "place": one.place, "text": one.text} for one in findings.problems
        ],
        "lacking": list(findings.lacking),
    }

    def sheet() -> RenderableType:
        from darkstats.report.tables import sheet as table

        name = Path(request.bundle).name or request.bundle
        return table(
            f"{name}: {state}{_in_words(findings)}",
            subtitle="" if Path(request.bundle) == Path(name) else request.bundle,
            notes=[*findings.checks, *(("lacking", words) for words in findings.lacking)],
            warnings=[f"{one.kind}: {one}" for one in findings.problems],
        )

    def said(words: str, problems: list[Problem]) -> str:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return f"{request.bundle} {words}: {problems[0]}{more}" if problems else ""

    return Outcome(
        result=findings,
        record=lambda: record,
        sheet=sheet,
        uncertified="" if malformed else said("is not found again", numbers),
        malformed=said("is malformed", malformed),
    )
