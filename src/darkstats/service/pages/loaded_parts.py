"""Parts of pages that are loaded after them: yields, signals, earlier constraints."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from darkstats.report.numbers import number
from darkstats.service.api.parts import parts_of
from darkstats.service.api.problems import ProblemError
from darkstats.service.pages.here import (
    PageRoute,
    Source,
    answer_within,
    ask_address,
    part_address,
    source_of,
)
from darkstats.service.pages.offers import naming_rule, patches_beside
from darkstats.service.pages.rendering import page
from darkstats.service.pages.results import found_result
from darkstats.service.pages.views.constraints import constraints_plot
from darkstats.service.pages.views.scans import axis_words
from darkstats.service.pages.views.yields import yield_plots
from darkstats.service.questions import Question

if TYPE_CHECKING:
    from darkstats.service.pages.views import Plot
    from darkstats.service.store import StoredJob, StoredResult

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
Key = Annotated[str, Query(pattern="^[0-9a-f]{64}$")]
Reference = Annotated[str, Query(max_length=1200)]
_WAIT_S = 8.0
_MOST_POINTS = 2_000
_YIELDS, _AFTER, _NUMBERS = "yields.csv", "data.csv", "figure.csv"


async def _rows(request: Request, found: StoredResult, name: str) -> list[dict[str, str]]:
    """Rows of a file of an answer; none where it is not there."""
    store = parts_of(request).store
    body = await asyncio.to_thread(store.results.artefact, found.key, name)
    return [] if body is None else list(csv.DictReader(io.StringIO(body.decode())))


def _plots_page(plots: Sequence[Plot], *, error: str = "") -> Response:
    return page("yields.html", pending=False, address="", error=error, plots=plots)


def _pending(job: StoredJob, address: str) -> Response:
    """The part looks again, unless its job is at its end."""
    error = (job.reason or "it was cancelled") if job.state.is_final else ""
    return page("yields.html", pending=not error, address=address, error=error, plots=())


@router.get("/parts/yields")
async def yields(request: Request, source: Reference) -> Response:
    """Yields of all channels before any fit, stacked."""
    about, address = source_of(source), part_address("yields", source=source)
    if about is None:
        raise ProblemError(404, "This names no document.")
    options = {"source": about.reference, "yields": _YIELDS}
    found, job = await answer_within(request, Question(verb="inspect", options=options), _WAIT_S)
    if found is None:
        return _pending(job, address)
    record = json.loads(found.record)
    rows = await _rows(request, found, _YIELDS)
    if not rows:
        wrong = str(record.get("problem") or record.get("message") or "it has no bins")
        return _plots_page((), error=wrong)
    return _plots_page(yield_plots(rows, record))


@router.get("/parts/postfit")
async def postfit(request: Request, key: Key) -> Response:
    """Counts beside the prediction at the best fit."""
    fit = await asyncio.to_thread(found_result, request, key)
    asked = json.loads(fit.question)["options"]
    question = Question(verb="fit", options=asked, figures=(_AFTER,))
    found, job = await answer_within(request, question, _WAIT_S)
    if found is None:
        return _pending(job, part_address("postfit", key=key))
    rows = await _rows(request, found, _AFTER)
    plots = yield_plots(rows, json.loads(found.record), when="after the fit")
    return _plots_page(plots, error="" if rows else "it has no bins")


@router.get("/parts/constraints")
async def constraints(request: Request, key: Key) -> Response:
    """A scan of a coupling beside earlier constraints."""
    scan = await asyncio.to_thread(found_result, request, key)
    options = {"results": [f"result:{key}"]}
    question = Question(verb="plot", options=options, figures=("csv",))
    found, job = await answer_within(request, question, _WAIT_S)
    if found is None:
        return _pending(job, part_address("constraints", key=key))
    rows = await _rows(request, found, _NUMBERS)
    plot = constraints_plot(rows, json.loads(scan.record))
    return _plots_page(() if plot is None else (plot,))


@router.get("/parts/points")
async def points(
    request: Request,
    source: Reference,
    patchset: Reference,
    form: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Signals of a patch set: a part of a page, loaded after it."""
    about = source_of(patchset)
    if about is None:
        raise ProblemError(404, "This names no document.")
    found, job = await answer_within(
        request, Question(verb="inspect", options={"source": about.reference}), _WAIT_S
    )
    address = part_address("points", source=source, patchset=patchset, form=form)
    values: dict[str, Any] = {
        "pending": False, "address": address, "error": "", "rows": (), "labels": (),
        "description": "", "form": form, "scan_address": "",
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


@router.get("/parts/patches")
async def patches(request: Request, source: Reference) -> Response:
    """Signals that lie as patches beside a document of an archive: a part of a page."""
    about = source_of(source)
    if about is None or ":" not in about.name:
        raise ProblemError(404, "This names no document of an archive.")
    archive, _, member = about.name.partition(":")
    whole = Source(digest=about.digest, name=archive)
    options = {"source": whole.reference, "members": True}
    question = Question(verb="inspect", options=options)
    found, job = await answer_within(request, question, _WAIT_S)
    values: dict[str, Any] = {
        "pending": False, "address": part_address("patches", source=source), "error": "",
        "rows": (), "labels": (), "description": "", "form": "", "scan_address": "",
    }  # fmt: skip
    if found is None:
        error = job.reason if job.state.is_final else ""
        return page("points.html", **values | {"pending": not error, "error": error})
    names = patches_beside(json.loads(found.record).get("documents", ()), member)
    if not names:
        words = "The archive has no patch beside this document."
        return page("points.html", **values | {"error": words})
    rows = [
        {"name": name, "values": (),
         "address": ask_address("limit", source=source, patches=f"{whole.reference}:{name}")}
        for name in names[:_MOST_POINTS]
    ]  # fmt: skip
    glob, rule = naming_rule(names)
    if rule:
        values["scan_address"] = ask_address(
            "scan", source=source, patches=f"{whole.reference}:{glob}", name_pattern=rule
        )
    return page("points.html", **values | {"rows": rows})
