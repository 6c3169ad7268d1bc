"""Jobs as they go, and the history of what was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from darkstats.service.api.access import guest_of, require_scope
from darkstats.service.api.parts import Parts
from darkstats.service.api.problems import ProblemError
from darkstats.service.pages.here import (
    ALL_FILES,
    PageRoute,
    file_address,
    readable,
    subject_of,
)
from darkstats.service.pages.rendering import page
from darkstats.service.pages.shown import JobView, job_view, rows_of
from darkstats.service.questions import Question
from darkstats.service.store.rows import StoredJob

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
File = Annotated[str, Query(max_length=300)]
_PAGE = 50
_LARGEST_ID = 2**63 - 1
_LAST_EVENTS = 400  # a few a second: enough to tell how fast it goes


def _mine(request: Request, name: str) -> tuple[Parts, StoredJob]:
    parts, owner = readable(request)
    found = parts.store.queue.job(name[:64])
    if found is None or (found.owner != owner and not guest_of(request).is_admin):
        raise ProblemError(404, "There is no such question; it may have been removed.")
    return parts, found


def _view(parts: Parts, job: StoredJob, file: str) -> JobView:
    """How far a job is; at its end it leads to its answer, or to the file that is waited for."""
    shown = job_view(job, parts.store.queue.events(job.id, limit=_LAST_EVENTS, newest=True))
    if not (file and shown.result):
        return shown
    found = parts.store.results.get(job.key)
    is_there = found is not None and (file in found.artefacts or file == ALL_FILES)
    if found is None or found.exit_status or not is_there:
        return shown
    return replace(shown, result=file_address(job.key, file), file=file)


@router.get("/jobs/{name}")
def job(request: Request, name: str, file: File = "") -> Response:
    """A job: how far it is; it leads to the answer when it is there."""
    parts, found = _mine(request, name)
    shown = _view(parts, found, file)
    if shown.result and not shown.file:
        return RedirectResponse(shown.result, 303)
    source = subject_of(Question.from_text(found.question).plain())
    return page("job.html", here="history", shown=shown, source=source, file=file)


@router.get("/jobs/{name}/panel")
def panel(request: Request, name: str, file: File = "") -> Response:
    """What of the page changes as the job goes on."""
    return page("job_panel.html", shown=_view(*_mine(request, name), file))


@router.post("/jobs/{name}/cancel")
def cancel(request: Request, name: str) -> Response:
    """Stop it."""
    require_scope(request, "submit")
    parts, found = _mine(request, name)
    parts.store.queue.cancel(found.name)
    return RedirectResponse(f"/jobs/{found.name}", 303)


@router.get("/history")
def history(
    request: Request, before: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None
) -> Response:
    """What was asked, the newest first."""
    parts, owner = readable(request)
    found = parts.store.queue.jobs(owner, limit=_PAGE, before=before)
    rows = rows_of(parts.store, (one for one in found if one.verb != "inspect"))
    older = found[-1].id if len(found) == _PAGE else None
    return page("history.html", here="history", rows=rows, older=older)
