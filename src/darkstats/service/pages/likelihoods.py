"""What a document holds: channels, samples, yields, parameters, findings, signals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from darkstats.report.numbers import number
from darkstats.service.api.parts import Parts
from darkstats.service.api.problems import ProblemError
from darkstats.service.pages.here import (
    Link,
    PageRoute,
    Source,
    answer_within,
    ask_address,
    likelihood_address,
    main_document,
    part_address,
    readable,
    source_of,
)
from darkstats.service.pages.offers import ABOUT, is_archive, offers, patch_sets
from darkstats.service.pages.rendering import page
from darkstats.service.pages.results import Tag
from darkstats.service.pages.shown import wrong_of
from darkstats.service.pages.views import Fact, Headline, Table
from darkstats.service.pages.views.scans import axis_words
from darkstats.service.questions import Question

if TYPE_CHECKING:
    from darkstats.service.store import Collection, StoredJob

__all__ = ["channels_of", "router"]

router = APIRouter(route_class=PageRoute)
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_WAIT_S = 4.0
_MOST_POINTS = 2_000


def _collection(parts: Parts, digest: str) -> Collection:
    found = parts.store.documents.collection(digest)
    if found is None:
        raise ProblemError(404, "There is no such document here; open it again.")
    return found


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
    options = {"source": source.reference} | ({"members": True} if is_archive(source.name) else {})
    found, job = await answer_within(request, Question(verb="inspect", options=options), _WAIT_S)
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
    if kind == "error":
        return {"wrong": wrong_of(record, status), "questions": ()}
    if kind == "members":
        return _members_told(record, source)
    if kind == "patches":
        return _patches_told(record)
    if kind == "inspect":
        return _workspace_told(record, kept, source)
    return _other_told(record, kept, source)


def _members_told(record: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Documents of an archive to open."""
    kinds: dict[str, int] = {}
    members = []
    for one in record["documents"]:
        kinds[one["kind"] or "other"] = kinds.get(one["kind"] or "other", 0) + 1
        if one["kind"] in {"workspace", "pallet", "patch set"}:
            inner = Source(digest=source.digest, name=f"{source.name}:{one['name']}")
            members.append(
                Link(address=likelihood_address(inner), title=one["name"], note=one["kind"])
            )
    words = ", ".join(f"{n} × {kind}" for kind, n in kinds.items())
    return {
        "members": sorted(members, key=lambda one: one.note == "patch set")[:200],
        "headlines": [Headline(label="Documents", value=str(len(record["documents"])), note=words)],
    }


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
        "yields_address": part_address("yields", source=source.reference),
        "points_address": _points_address(source, sets),
        "questions": offers(kept, source, has_signal=has_signal),
    }  # fmt: skip


def _points_address(source: Source, sets: Sequence[Source]) -> str:
    if sets:
        return part_address("points", source=source.reference, patchset=sets[0].reference)
    return part_address("patches", source=source.reference) if ":" in source.name else ""


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


def _patches_told(record: Mapping[str, Any]) -> dict[str, Any]:
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
            Link(address=ask_address(verb, source=source.reference), title=ABOUT[verb][0],
                 note=ABOUT[verb][1])
            for verb in ("limit", "hypotest", "significance", "fit", "scan")
        ]  # fmt: skip
    return {"tables": view.tables, "facts": view.facts, "questions": questions}


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
