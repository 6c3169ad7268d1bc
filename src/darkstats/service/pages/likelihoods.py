"""What a document holds: channels, samples, yields, parameters, findings, signals."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from darkstats.report.numbers import number
from darkstats.service.api.parts import Parts, parts_of
from darkstats.service.api.problems import ProblemError
from darkstats.service.pages.here import (
    Link,
    PageRoute,
    Source,
    answer_within,
    ask_address,
    likelihood_address,
    main_document,
    readable,
    source_of,
)
from darkstats.service.pages.rendering import page
from darkstats.service.pages.results import Tag
from darkstats.service.pages.shown import wrong_of
from darkstats.service.pages.views import Fact, Headline, Table
from darkstats.service.pages.views.scans import axis_words
from darkstats.service.pages.views.yields import yield_plots
from darkstats.service.questions import Question

if TYPE_CHECKING:
    from darkstats.service.store import Collection, StoredJob

__all__ = ["channels_of", "patch_sets", "router"]

router = APIRouter(route_class=PageRoute)
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_WAIT_S, _PART_WAIT_S = 4.0, 8.0
_MOST_POINTS = 2_000
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip", ".tar.xz", ".tar.bz2")


def _collection(parts: Parts, digest: str) -> Collection:
    found = parts.store.documents.collection(digest)
    if found is None:
        raise ProblemError(404, "There is no such document here; open it again.")
    return found


def patch_sets(collection: Collection, source: Source) -> list[Source]:
    """Patch sets that go with a document: those beside it first."""
    found = [
        Source(digest=source.digest, name=name)
        for name in collection.manifest
        if re.search(r"patch_?set", name.lower()) and name != source.file
    ]
    return sorted(found, key=lambda one: (one.folder != source.folder, one.name))


def search_of(collection: Collection, source: Source) -> Source:
    """What a scan is asked of: the folder of a search, or the document itself."""
    beside = [one for one in patch_sets(collection, source) if one.folder == source.folder]
    is_main = source.file.rpartition("/")[2].startswith("background_only.")
    return source.folder if beside and is_main else source


@router.get("/likelihoods/{digest}")
def collection(request: Request, digest: Digest) -> Response:
    """Lead to the document to look at first."""
    parts, _ = readable(request)
    names = list(_collection(parts, digest).manifest)
    main = Source(digest=digest, name=main_document(names))
    return RedirectResponse(likelihood_address(main), 303)


@router.get("/likelihoods/{digest}/{name:path}")
async def likelihood(request: Request, digest: Digest, name: str) -> Response:
    """What a document holds."""
    parts, _ = readable(request)
    kept = _collection(parts, digest)
    source = Source(digest=digest, name=name.rstrip("/"))
    found, job = await answer_within(
        request, Question(verb="inspect", options={"source": source.reference}), _WAIT_S
    )
    values = _values(kept, source)
    if found is None:
        values |= _waiting(job)
    else:
        record = json.loads(found.record)
        values |= _told(record, found.exit_status, kept, source)
    return page("likelihood.html", **values)


def _values(kept: Collection, source: Source) -> dict[str, Any]:
    files = [
        Link(address=likelihood_address(Source(digest=kept.digest, name=name)), title=name)
        for name in kept.manifest
    ]
    return {
        "here": "start", "title": _title(source), "name": source.name, "collection": kept.title,
        "here_address": likelihood_address(source), "pending": False, "waiting": "", "wrong": None,
        "members": (), "questions": (), "yields_address": "", "headlines": (), "findings": (),
        "clean": False, "tables": (), "points_address": "", "files": files[:400], "facts": (),
        "tags": (),
    }  # fmt: skip


def _title(source: Source) -> str:
    *above, last = source.name.split("/")
    return above[-1] if above and last.startswith(("background_only", "BkgOnly")) else last


def _waiting(job: StoredJob) -> dict[str, Any]:
    if job.state.is_final:
        words = job.reason or "The document could not be looked at; it was cancelled."
        return {"wrong": wrong_of({"schema": "darkstats.error/1", "message": words}, 1)}
    return {"pending": True, "waiting": "It waits for a worker of the service."}


def _told(
    record: Mapping[str, Any], status: int, kept: Collection, source: Source
) -> dict[str, Any]:
    kind = str(record.get("schema", "")).partition("/")[0].removeprefix("darkstats.")
    members = _members(record, source)
    if members:
        return {"members": members}
    if kind == "error":
        return {"wrong": wrong_of(record, status), "questions": ()}
    if kind == "patches":
        return _patches_told(record, source)
    if kind == "inspect":
        return _workspace_told(record, kept, source)
    return _other_told(record, kept, source)


def _members(record: Mapping[str, Any], source: Source) -> list[Link]:
    """Documents of an archive, where it holds several: the refusal names them."""
    if ":" in source.name or not source.name.lower().endswith(_ARCHIVES):
        return []
    listed = str(record.get("remedy", "")).partition("name one of them: ")[2]
    last = source.name.rpartition("/")[2]
    found = re.findall(re.escape(last) + r":(.+?)(?:, |$)", listed)
    return [
        Link(address=likelihood_address(Source(digest=source.digest, name=f"{source.name}:{one}")),
             title=one, note="workspace")
        for one in found
    ]  # fmt: skip


def _workspace_told(record: Mapping[str, Any], kept: Collection, source: Source) -> dict[str, Any]:
    said = record.get("provenance", {}).get("workspace", {})
    simulated = said.get("simulated")
    has_signal = not any(one["code"] == "poi-unknown" for one in record["findings"])
    sets = patch_sets(kept, source)
    headlines = [
        Headline(label="Channels", value=str(len(record["channels"])),
                 note=f"{record['n_bins']} bins"),
        Headline(label="Parameters", value=str(record["n_parameters"]),
                 note=f"of interest: {record['poi'] or 'none'}"),
        Headline(label="Modifiers", value=str(sum(record["modifiers_by_type"].values())),
                 note=", ".join(f"{n} {k}" for k, n in record["modifiers_by_type"].items())),
    ]  # fmt: skip
    facts = [
        Fact(label="SHA-256, by pyhf's rule", value=str(said.get("sha256", "")), code=True),
        Fact(label="Canonical SHA-256", value=str(said.get("canonical_sha256", "")), code=True),
        Fact(label="Reference in questions", value=source.reference, code=True),
    ]
    return {
        "headlines": headlines, "findings": record["findings"], "clean": True, "facts": facts,
        "tags": [Tag(words="simulated data", look="simulated")] if simulated else [],
        "tables": [_channel_table(record), _parameter_table(record)],
        "yields_address": _part("yields", source=source.reference),
        "points_address": _part("points", source=source.reference, patchset=sets[0].reference)
        if sets
        else "",
        "questions": _questions(kept, source, has_signal=has_signal, sets=sets),
    }  # fmt: skip


def _part(name: str, **given: str) -> str:
    return ask_address(name, **given).replace("/ask/", "/parts/", 1)


_ABOUT = {
    "limit": ("Upper limit", "how strong may the signal be at most"),
    "hypotest": ("Test one strength", "CLs of a signal of given strength"),
    "significance": ("Significance", "how unlikely is the excess"),
    "scan": ("Scan all signals", "limits and local p-values at each mass"),
    "global": ("Global significance", "of the largest excess of the scan"),
    "project": ("Other luminosities", "what the search will reach"),
    "reinterpret": ("A signal of your own", "by expected events in each bin"),
    "fit": ("Fit", "best values, errors, pulls"),
    "rank": ("Ranking", "which uncertainties matter"),
    "gof": ("Goodness of fit", "does the model describe the data"),
    "scan-poi": ("Profile likelihood", "along one parameter"),
}


def _questions(
    kept: Collection, source: Source, *, has_signal: bool, sets: Sequence[Source]
) -> list[Link]:
    patched = sets[0].reference if sets else ""
    signal = has_signal or bool(sets)
    links = []
    for verb, (title, note) in _ABOUT.items():
        if verb in {"scan", "global", "project"}:
            wanted = bool(sets) or ":" in source.name
            about = search_of(kept, source).reference
            beside = "" if about != source.reference else patched
            if verb != "scan" and (not sets or about == source.reference):
                wanted = False
        elif verb in {"reinterpret", "fit", "gof"}:
            wanted, about, beside = True, source.reference, ""
        else:
            wanted, about = signal, source.reference
            beside = "" if has_signal else patched
        if wanted:
            address = ask_address(verb, source=about, patchset=beside)
            links.append(Link(address=address, title=title, note=note))
    return links


def _channel_table(record: Mapping[str, Any]) -> Table:
    rows = []
    for channel in record["channels"]:
        samples = ", ".join(f"{one['name']} {number(one['events'])}" for one in channel["samples"])
        rows.append(
            [channel["name"], str(channel["n_bins"]), number(channel["observed"]),
             number(channel["background"]), samples]
        )  # fmt: skip
    columns = ["channel", "bins", "observed", "background", "samples"]
    return Table(title="Channels", columns=columns, rows=rows, note="events")


def _parameter_table(record: Mapping[str, Any]) -> Table:
    rows = [
        [one["name"], ", ".join(one["types"]), str(one["size"]),
         "fixed" if one["fixed"] else "constrained" if one["constrained"] else "free",
         _listed(one["channels"]), _listed(one["samples"])]
        for one in record["parameters"]
    ]  # fmt: skip
    columns = ["parameter", "modifier", "size", "", "channels", "samples"]
    return Table(title="Parameters", columns=columns, rows=rows)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown}, … ({len(names)})" if len(names) > 4 else shown


def _patches_told(record: Mapping[str, Any], source: Source) -> dict[str, Any]:
    labels = [axis_words(str(one)) for one in record.get("labels", ())]
    rows = [[str(one["name"]), *map(number, one["values"])]
            for one in record.get("points", ())[:_MOST_POINTS]]  # fmt: skip
    return {
        "headlines": [Headline(label="Signals", value=str(len(record.get("points", ()))))],
        "tables": [Table(title="Signals", columns=["signal", *labels], rows=rows)],
        "facts": [Fact(label="Description", value=str(record.get("description", "")))],
    }


def _other_told(record: Mapping[str, Any], kept: Collection, source: Source) -> dict[str, Any]:
    """A built search, or a likelihood of events."""
    from darkstats.service.pages.views import view_of

    view = view_of(record, "inspect")
    is_build = "background_only.json" in str(record.get("files", ""))
    names = [name for name in kept.manifest if name.startswith(f"{source.name}/background_only.")]
    if is_build and names:
        inner = Source(digest=source.digest, name=names[0])
        questions = [Link(address=likelihood_address(inner), title="Open its likelihood")]
    else:
        questions = [
            Link(address=ask_address(verb, source=source.reference), title=_ABOUT[verb][0],
                 note=_ABOUT[verb][1])
            for verb in ("limit", "hypotest", "significance", "fit", "scan")
        ]  # fmt: skip
    return {"tables": view.tables, "facts": view.facts, "questions": questions}


@router.get("/parts/yields")
async def yields(request: Request, source: Annotated[str, Query(max_length=1200)]) -> Response:
    """Yields of all channels, stacked: a part of a page, loaded after it."""
    about, address = source_of(source), _part("yields", source=source)
    if about is None:
        raise ProblemError(404, "This names no document.")
    asked = {"source": about.reference}
    found, job = await answer_within(
        request, Question(verb="inspect", options=asked, figures=("yields.csv",)), _PART_WAIT_S
    )
    if found is None:
        error = job.reason if job.state.is_final else ""
        return page("yields.html", pending=not error, address=address, error=error, plots=())
    record = json.loads(found.record)
    body = parts_of(request).store.results.artefact(found.key, "yields.csv")
    if body is None:
        wrong = str(record.get("problem") or record.get("message") or "it has no bins")
        return page("yields.html", pending=False, address="", error=wrong, plots=())
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    plots = yield_plots(rows, record)
    return page("yields.html", pending=False, address="", error="", plots=plots)


@router.get("/parts/points")
async def points(
    request: Request,
    source: Annotated[str, Query(max_length=1200)],
    patchset: Annotated[str, Query(max_length=1200)],
    form: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Signals of a patch set: a part of a page, loaded after it."""
    about = source_of(patchset)
    if about is None:
        raise ProblemError(404, "This names no document.")
    found, job = await answer_within(
        request, Question(verb="inspect", options={"source": about.reference}), _PART_WAIT_S
    )
    address = _part("points", source=source, patchset=patchset, form=form)
    values: dict[str, Any] = {
        "pending": False, "address": address, "error": "", "rows": (), "labels": (),
        "description": "", "form": form,
    }  # fmt: skip
    if found is None:
        error = job.reason if job.state.is_final else ""
        return page("points.html", **values | {"pending": not error, "error": error})
    record = json.loads(found.record)
    if "points" not in record:
        return page("points.html", **values | {"error": str(record.get("message", ""))})
    rows = [
        {"name": one["name"], "values": [number(value) for value in one["values"]],
         "address": ask_address("limit", source=source, patchset=patchset, point=one["name"])}
        for one in record["points"][:_MOST_POINTS]
    ]  # fmt: skip
    labels = [axis_words(str(one)) for one in record.get("labels", ())]
    described = str(record.get("description", ""))
    return page(
        "points.html", **values | {"rows": rows, "labels": labels, "description": described}
    )


async def channels_of(request: Request, source: str) -> list[Mapping[str, Any]]:
    """Channels of a document, with their bins; empty where they are not known yet."""
    about = source_of(source)
    if about is None:
        return []
    question = Question(verb="inspect", options={"source": about.reference})
    found, _ = await answer_within(request, question, _WAIT_S)
    record = {} if found is None else json.loads(found.record)
    channels = record.get("channels") if isinstance(record, Mapping) else None
    return [one for one in channels or () if "n_bins" in one]
