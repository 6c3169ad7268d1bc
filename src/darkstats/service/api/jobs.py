"""Jobs: see them, stop them, and watch what happens to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from darkstats.errors import ServiceError
from darkstats.service.api.access import Guest
from darkstats.service.api.parts import PROBLEMS, Parts, Reader, Submitter, parts_of
from darkstats.service.api.problems import ProblemError, unknown
from darkstats.service.api.shapes import ROOT, JobList, JobShown, job_shown
from darkstats.service.store import StoredJob

if TYPE_CHECKING:
    from darkstats.service.store import Event

__all__ = ["router"]

router = APIRouter(tags=["jobs"], responses=PROBLEMS)
_SHORT_PAUSE_S, _LONG_PAUSE_S = 0.1, 0.5
_KEEP_ALIVE_S = 15.0
_LARGEST_ID = 2**63 - 1
_LONGEST_NAME = 32


@router.get("/jobs", summary="Your jobs")
def jobs(
    request: Request,
    guest: Reader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None,
) -> JobList:
    """The newest first; `next` leads to older ones."""
    found = parts_of(request).store.queue.jobs(guest.owner, limit=limit, before=before)
    more = len(found) == limit
    following = f"{ROOT}/jobs?limit={limit}&before={found[-1].id}" if more else None
    return JobList(jobs=[job_shown(one) for one in found], next=following)


@router.get("/jobs/{name}", summary="One job")
def job(request: Request, guest: Reader, name: str) -> JobShown:
    """Where it stands."""
    return job_shown(_mine(parts_of(request), guest, name))


@router.delete("/jobs/{name}", summary="Stop a job")
def cancel(request: Request, guest: Submitter, name: str) -> JobShown:
    """One that is at its end stays as it is."""
    parts = parts_of(request)
    return job_shown(parts.store.queue.cancel(_mine(parts, guest, name).name))


@router.get(
    "/jobs/{name}/events", summary="What happens to a job, as it happens",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events: `state`, `progress` and `blocks`, each with an id.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The job is at its end, and its last event was seen."},
    },
)  # fmt: skip
async def events(
    request: Request,
    guest: Reader,
    name: str,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="Go on after this event."),
    ] = None,
) -> Response:
    """The stream ends with the job; a client that was cut off goes on after `Last-Event-ID`."""
    parts = parts_of(request)
    found = await asyncio.to_thread(_mine, parts, guest, name)
    seen = _number(last_event_id)
    if found.state.is_final and not await asyncio.to_thread(_after, parts, found, seen):
        return Response(status_code=204)
    if parts.streams >= parts.settings.quotas.streams:
        raise ProblemError(
            429, "too many streams of events are open; ask for the job itself now and then",
            headers={"Retry-After": "10"},
        )  # fmt: skip
    return StreamingResponse(
        _stream(parts, found, seen), media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )  # fmt: skip


def _number(last: str | None) -> int:
    """Number of the last event that was seen; 0 where the client says none that could be."""
    usable = last is not None and last.isascii() and last.isdigit() and len(last) < 20
    return min(int(last), _LARGEST_ID) if last is not None and usable else 0


def _mine(parts: Parts, guest: Guest, name: str) -> StoredJob:
    """The job of this name, where the user may see it; to others it is not there."""
    found = parts.store.queue.job(name) if len(name) <= _LONGEST_NAME else None
    if found is None or (found.owner != guest.owner and not guest.is_admin):
        raise unknown("job", name)
    return found


def _after(parts: Parts, job: StoredJob, seen: int) -> tuple[Event, ...]:
    return tuple(parts.store.queue.events(job.id, after=seen))


async def _stream(parts: Parts, job: StoredJob, seen: int) -> AsyncIterator[bytes]:
    parts.streams += 1
    said, pause = time.monotonic(), _SHORT_PAUSE_S
    try:
        yield b"retry: 1000\n\n"
        while not parts.stopping.is_set():
            try:
                now = await asyncio.to_thread(parts.store.queue.job, job.name)
                found = await asyncio.to_thread(_after, parts, job, seen)
            except ServiceError:
                return  # the client comes back, and goes on after what it saw
            for one in found:
                seen = one.id
                yield f"id: {one.id}\nevent: {one.kind}\ndata: {one.body}\n\n".encode()
            if not found and (now is None or now.state.is_final):
                return
            pause = _SHORT_PAUSE_S if found else min(1.5 * pause, _LONG_PAUSE_S)
            said = time.monotonic() if found else said
            if time.monotonic() - said > _KEEP_ALIVE_S:
                said = time.monotonic()
                yield b": still there\n\n"
            await asyncio.sleep(pause)
    finally:
        parts.streams -= 1
