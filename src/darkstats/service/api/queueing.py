"""Putting a question into the store on behalf of a user, within what they may ask; and waiting."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from darkstats.errors import OptionError
from darkstats.service.answering import check
from darkstats.service.api.problems import ProblemError
from darkstats.service.asking import ask

if TYPE_CHECKING:
    from darkstats.service.api.access import Guest
    from darkstats.service.api.parts import Parts
    from darkstats.service.questions import Question
    from darkstats.service.store import StoredJob

__all__ = ["LONGEST_WAIT_S", "put_question", "wait_for"]

#: Longest time that a request waits for an answer.
LONGEST_WAIT_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25
_BUSY_S = "5"


def put_question(
    parts: Parts,
    guest: Guest,
    question: Question,
    *,
    priority: int = 0,
    idempotency_key: str | None = None,
) -> StoredJob:
    """Ask on behalf of a user, within what they may ask.

    Raises
    ------
    InputError
        The question would be refused whatever its documents hold, or names one that is not here.
    ProblemError
        It is too long, or the user has too many jobs in the queue.
    """
    quotas, store = parts.settings.quotas, parts.store
    if len(question.text) > quotas.question:
        raise ProblemError(
            413, f"the question has more than {quotas.question} bytes; send long values as files",
            kind="too-large",
        )  # fmt: skip
    check(question)
    _check_documents(parts, question)
    if idempotency_key is not None:
        known = store.requests.job(guest.owner, idempotency_key, key=question.key)
        first = store.queue.job(known) if known is not None else None
        if first is not None:
            return first
    if parts.results.get(question.key) is None and _is_full(parts, guest):
        raise ProblemError(
            429, f"{guest.owner!r} has {quotas.queued} unfinished jobs; wait for some, or cancel "
            "them", kind="quota", headers={"Retry-After": _BUSY_S},
        )  # fmt: skip
    job = ask(store, question, owner=guest.owner, priority=priority)
    if idempotency_key is not None:
        store.requests.keep(guest.owner, idempotency_key, key=job.key, job=job.name)
    return job


def _is_full(parts: Parts, guest: Guest) -> bool:
    return parts.store.queue.unfinished(guest.owner) >= parts.settings.quotas.queued


def _check_documents(parts: Parts, question: Question) -> None:
    """Refuse documents that are not here, and names that their collections lack."""
    for one in question.references:
        if one.key:
            if parts.results.get(one.key) is None:
                raise OptionError(f"{one.text}: there is no such answer; ask the question first")
            continue
        collection = parts.store.documents.collection(one.digest)
        if collection is None:
            raise OptionError(f"{one.text}: there is no such document; upload it first")


async def wait_for(parts: Parts, job: StoredJob, seconds: float) -> StoredJob:
    """Return the job when it is at its end, or as it is after so many seconds."""
    over, pause = time.monotonic() + seconds, _FIRST_PAUSE_S
    while not job.state.is_final and time.monotonic() < over and not parts.stopping.is_set():
        await asyncio.sleep(min(pause, max(over - time.monotonic(), 0.0)))
        pause = min(2 * pause, _LONGEST_PAUSE_S)
        now = await asyncio.to_thread(parts.store.queue.job, job.name)
        job = job if now is None else now
    return job
