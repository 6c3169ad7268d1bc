"""What the API tells of jobs, documents and answers, in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from darkstats.service.uploads import references_of

if TYPE_CHECKING:
    from darkstats.service.store import Collection, StoredJob

__all__ = [
    "ROOT",
    "Documents",
    "DocumentsList",
    "JobList",
    "JobShown",
    "document_shown",
    "job_path",
    "job_shown",
    "result_path",
]

#: Path that all addresses of the API begin with.
ROOT = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Files that belong together; ``references`` is what questions name them by."""

    digest: str
    title: str
    size: int
    created: str
    files: Mapping[str, str]
    references: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsList:
    """Collections of files, the newest first."""

    documents: list[Documents]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobShown:
    """A question that was asked, and where it stands; times by ISO 8601.

    ``state`` is queued, running, waiting (for its blocks), done, failed or cancelled.
    """

    name: str
    verb: str
    title: str
    options: Mapping[str, Any]
    figures: list[str]
    lane: str
    priority: int
    state: str
    reason: str
    attempt: int
    created: str
    started: str | None
    finished: str | None
    key: str
    job: str
    events: str
    result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """Jobs, the newest first; ``next`` leads to older ones."""

    jobs: list[JobShown]
    next: str | None


def document_shown(collection: Collection) -> Documents:
    """Return what to tell of a collection."""
    return Documents(
        digest=collection.digest,
        title=collection.title,
        size=collection.size,
        created=_moment(collection.created) or "",
        files=collection.manifest,
        references=references_of(collection),
    )


def job_shown(job: StoredJob) -> JobShown:
    """Return what to tell of a job."""
    asked = json.loads(job.question)
    path = job_path(job.name)
    return JobShown(
        name=job.name,
        verb=job.verb,
        title=job.title,
        options=asked["options"],
        figures=asked["figures"],
        lane=job.lane.value,
        priority=job.priority,
        state=job.state.value,
        reason=job.reason,
        attempt=job.attempt,
        created=_moment(job.created) or "",
        started=_moment(job.started),
        finished=_moment(job.finished),
        key=job.key,
        job=path,
        events=f"{path}/events",
        result=result_path(job.key) if job.state == "done" else None,
    )


def job_path(name: str) -> str:
    """Where a job is told of."""
    return f"{ROOT}/jobs/{name}"


def result_path(key: str) -> str:
    """Where an answer lies."""
    return f"{ROOT}/results/{key}"


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
