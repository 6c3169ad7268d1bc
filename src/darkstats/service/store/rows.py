"""What the store hands out: frozen, and free of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkstats.execution.jobs import Job

__all__ = [
    "Answer",
    "BlockClaim",
    "Blocks",
    "Claim",
    "Collection",
    "Event",
    "JobClaim",
    "JobState",
    "Lane",
    "StoredJob",
    "StoredResult",
    "job_of",
]


class JobState(StrEnum):
    """Where a job stands.

    ``QUEUED`` → ``RUNNING`` → ``WAITING`` (for its blocks) → ``QUEUED`` → … → ``DONE`` (it has a
    result, certified or refused), ``FAILED`` (it has none; the reason says why) or ``CANCELLED``.
    """

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing changes any more."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class Lane(StrEnum):
    """How long a question may take; quick ones have a worker of their own."""

    QUICK = "quick"
    LONG = "long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Files that belong together, such as a workspace and its sidecar.

    Parameters
    ----------
    digest
        SHA-256 of the manifest.
    title
        What its owner calls it.
    manifest
        Digests of the files by their relative names.
    size
        Bytes in all.
    created
        Seconds since 1970.
    """

    digest: str
    title: str
    manifest: Mapping[str, str]
    size: int
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A question that somebody asked, and where it stands.

    Parameters
    ----------
    id, name
        Number in the store, and name for users, which cannot be guessed.
    owner
        Who asked.
    key
        Digest of all that the answer depends on.
    verb, question, title
        What was asked, as JSON text, and in words.
    lane, priority
        Where it queues; higher priorities first.
    state, reason
        Where it stands, and why it failed.
    attempt
        How often it was begun.
    created, started, finished
        Seconds since 1970.
    """

    id: int
    name: str
    owner: str
    key: str
    verb: str
    question: str
    title: str
    lane: Lane
    priority: int
    state: JobState
    reason: str
    attempt: int
    created: float
    started: float | None
    finished: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease: who holds it may commit, until somebody else has claimed the same.

    Parameters
    ----------
    worker
        Who claimed.
    fence
        Number of the claim; a commit with an older one is refused.
    """

    worker: str
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaim(Claim):
    """A lease on a job."""

    job: StoredJob


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockClaim(Claim):
    """A lease on a block; ``work`` is the digest of its job, ``inputs`` that of a blob."""

    work: str
    kind: str
    settings: str
    inputs: str
    inputs_digest: str
    number: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question.

    Parameters
    ----------
    exit_status
        That of the command line: 0 done, 1 not certified, 2 refused.
    record
        JSON text of the record, as the command line writes it.
    artefacts
        Figures and other files by name.
    seconds
        Time that the last run took.
    """

    exit_status: int
    record: str
    artefacts: Mapping[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult:
    """An answer in the store; ``digest`` is the SHA-256 of the record, ``artefacts`` are sizes."""

    key: str
    verb: str
    question: str
    exit_status: int
    record: bytes
    digest: str
    artefacts: Mapping[str, int]
    seconds: float
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job; ``body`` is JSON text."""

    id: int
    job: int
    kind: str
    body: str
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """How far the blocks of a job are.

    Parameters
    ----------
    done
        Texts of finished ones.
    failed
        Why others cannot be computed, by anyone at any time.
    lost
        Why others were given up: they ended their workers, or met a limit.
    missing
        Those that are still to be computed.
    """

    done: Mapping[int, str]
    failed: Mapping[int, str]
    lost: Mapping[int, str]
    missing: tuple[int, ...]


def job_of(claim: BlockClaim, inputs: bytes) -> Job:
    """The job that a claimed block belongs to, as :mod:`darkstats.execution` has it."""
    import json

    from darkstats.execution.jobs import Job

    return Job(
        kind=claim.kind,
        settings=json.loads(claim.settings),
        n_blocks=claim.number + 1,
        inputs_digest=claim.inputs_digest,
        inputs=inputs,
    )
