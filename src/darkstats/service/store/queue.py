"""Jobs and their blocks: who asked, who works on what, and what came of it.

Every change of state is one transaction, with the event that tells of it. A claim is a lease with a
fence, a number that grows with each claim of the same job or block: a worker that was thought dead
and comes back too late commits nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from darkstats.errors import UnknownNameError
from darkstats.service.store.changes import MOST_ATTEMPTS, Change, row_of, stored_job
from darkstats.service.store.results import has_result, keep_answer
from darkstats.service.store.rows import (
    Answer,
    BlockClaim,
    Blocks,
    Claim,
    Event,
    JobClaim,
    JobState,
    Lane,
    StoredJob,
)
from darkstats.service.store.schema import BLOCK, EVENT, JOB, NEED
from darkstats.service.store.turns import (
    is_any_block,
    is_anything_to_do,
    lost_in,
    next_block,
    next_job,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from darkstats.execution.jobs import Job
    from darkstats.service.store.database import Database

__all__ = ["MOST_ATTEMPTS", "Queue"]

T = TypeVar("T")
_UNFINISHED = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)


class Queue:
    """Jobs of one store.

    Parameters
    ----------
    database
        Where they are kept.
    clock
        Seconds since 1970; another one for tests.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    def _change(self, run: Callable[[Change], T]) -> T:
        return self._database.write(lambda connection: run(Change(connection, self._clock)))

    # what users do

    def submit(
        self,
        *,
        owner: str,
        key: str,
        verb: str,
        question: str,
        title: str,
        lane: Lane,
        priority: int = 0,
    ) -> StoredJob:
        """Ask a question; who asks again gets the same job, and a known answer at once.

        Parameters
        ----------
        owner
            Who asks.
        key
            Digest of all that the answer depends on.
        verb, question, title
            What is asked: as JSON text, and in words.
        lane, priority
            Where it queues; higher priorities of one owner go first.
        """

        def run(change: Change) -> StoredJob:
            connection = change.connection
            change.know(owner)
            answered = has_result(connection, key)
            states = (JobState.DONE,) if answered else _UNFINISHED
            known = connection.execute(
                sa.select(JOB)
                .where(JOB.c.key == key, JOB.c.owner == owner, JOB.c.state.in_(_values(states)))
                .order_by((JOB.c.id + 0).desc())  # or SQLite reads all jobs of the owner in order
                .limit(1)
            ).first()
            if known is not None:
                return stored_job(known)
            now = self._clock()
            state = JobState.DONE if answered else JobState.QUEUED
            inserted = connection.execute(
                JOB.insert().values(
                    name=secrets.token_urlsafe(12), owner=owner, key=key, verb=verb,
                    question=question, title=title, lane=lane.value, priority=priority,
                    state=state.value, reason="", attempt=0, fence=0, worker="", lease_until=0.0,
                    created=now, started=None, finished=now if answered else None,
                )
            ).inserted_primary_key  # fmt: skip
            number = int(inserted[0]) if inserted else 0
            if not answered:
                change.count(owner, lane, +1)
            change.tell_state(number, state)
            return stored_job(connection.execute(sa.select(JOB).where(JOB.c.id == number)).one())

        return self._change(run)

    def job(self, name: str) -> StoredJob | None:
        """The job of this name; ``None`` if there is none."""
        query = sa.select(JOB).where(JOB.c.name == name)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else stored_job(row)

    def jobs(
        self, owner: str, *, limit: int = 100, before: int | None = None
    ) -> Sequence[StoredJob]:
        """Jobs of a user, the newest first; ``before`` is the id of the last one of a page."""
        query = sa.select(JOB).where(JOB.c.owner == owner)
        if before is not None:
            query = query.where(JOB.c.id < before)
        query = query.order_by(JOB.c.id.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(stored_job, rows))

    def unfinished(self, owner: str | None = None) -> int:
        """Number of jobs that are not at their end, of a user or of all."""
        query = sa.select(sa.func.count()).where(JOB.c.state.in_(_values(_UNFINISHED)))
        if owner is not None:
            query = query.where(JOB.c.owner == owner)
        return int(self._database.read(lambda connection: connection.execute(query).scalar()) or 0)

    def cancel(self, name: str) -> StoredJob:
        """Stop a job; one that is at its end stays as it is.

        Raises
        ------
        UnknownNameError
            There is no such job.
        """

        def run(change: Change) -> StoredJob:
            connection = change.connection
            row = connection.execute(
                sa.select(JOB).where(JOB.c.name == name).with_for_update()
            ).first()
            if row is None:
                raise UnknownNameError("job", name, None)
            job = stored_job(row)
            if not job.state.is_final:
                change.end(job, JobState.CANCELLED, "cancelled")
            return stored_job(connection.execute(sa.select(JOB).where(JOB.c.id == job.id)).one())

        return self._change(run)

    def events(
        self, job: int, *, after: int = 0, limit: int = 500, newest: bool = False
    ) -> Sequence[Event]:
        """Events of a job in order, those after an id; of many the first ones, or the newest."""
        query = (
            sa.select(EVENT)
            .where(EVENT.c.job == job, EVENT.c.id > after)
            .order_by(EVENT.c.id.desc() if newest else EVENT.c.id)
            .limit(limit)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(
            Event(id=row.id, job=row.job, kind=row.kind, body=row.body, created=row.created)
            for row in (reversed(rows) if newest else rows)
        )

    # what workers do

    def claim(
        self, worker: str, *, lanes: Sequence[Lane], lease_s: float
    ) -> JobClaim | BlockClaim | None:
        """Take the next thing to do: of the owner who had least of the machine so far.

        Parameters
        ----------
        worker
            Who takes it.
        lanes
            Which jobs; blocks go to workers that take long ones.
        lease_s
            How long nobody else may have it, unless :meth:`renew` is called.
        """

        def run(change: Change) -> JobClaim | BlockClaim | None:
            job = next_job(change.connection, lanes)
            block = next_block(change.connection) if Lane.LONG in lanes else None
            if job is not None and (block is None or job[1] <= block[1]):
                return change.claim_job(job[0], worker, lease_s)
            if block is not None:
                return change.claim_block(block[0], worker, lease_s)
            return None

        return self._change(run) if self._has_prospects(lanes) else None

    def claim_blocks(self, worker: str, *, most: int, lease_s: float) -> Sequence[BlockClaim]:
        """Take several blocks of one work, for an executor of many workers."""

        def run(change: Change) -> Sequence[BlockClaim]:
            found: list[BlockClaim] = []
            while len(found) < most:
                block = next_block(change.connection)
                if block is None or (found and block[0].work != found[0].work):
                    break
                found.append(change.claim_block(block[0], worker, lease_s))
            return tuple(found)

        return self._change(run) if self._has_prospects((Lane.LONG,)) else ()

    def has_blocks(self) -> bool:
        """Whether a block may be there to be claimed."""

        def look(connection: Connection) -> bool:
            lost = connection.execute(lost_in(BLOCK, self._clock()).limit(1)).first()
            return lost is not None or is_any_block(connection)

        return self._database.read(look)

    def _has_prospects(self, lanes: Sequence[Lane]) -> bool:
        """Whether there may be something to claim; who finds nothing has locked nobody out."""
        now = self._clock()

        def is_any_lost(connection: Connection) -> bool:
            rows = (connection.execute(lost_in(table, now).limit(1)) for table in (JOB, BLOCK))
            return any(found.first() is not None for found in rows)

        def look(connection: Connection) -> tuple[bool, bool]:
            return is_any_lost(connection), is_anything_to_do(connection, lanes)

        is_lost, is_there = self._database.read(look)
        if is_lost:
            self.take_back()
        return is_lost or is_there

    def renew(self, claim: Claim, *, lease_s: float) -> bool:
        """Keep a claim for longer; false where it was lost or cancelled: stop working on it."""
        table, here = row_of(claim)
        change = sa.update(table).where(*here).values(lease_until=self._clock() + lease_s)
        return self._database.write(lambda connection: connection.execute(change).rowcount == 1)

    def renew_blocks(self, claims: Sequence[BlockClaim], *, lease_s: float) -> None:
        """Keep several claims for longer; those that were lost stay so."""

        def run(change: Change) -> None:
            for claim in sorted(claims, key=lambda one: one.number):
                table, here = row_of(claim)
                kept = sa.update(table).where(*here).values(lease_until=self._clock() + lease_s)
                change.connection.execute(kept)

        self._change(run)

    def holds(self, claim: Claim) -> bool:
        """Whether a claim is still the last one, and somebody waits for what comes of it."""
        table, here = row_of(claim)
        query = sa.select(sa.literal(1)).select_from(table).where(*here)
        if isinstance(claim, BlockClaim):
            query = query.where(
                sa.select(NEED.c.job).where(NEED.c.work == claim.work, ~NEED.c.is_met).exists()
            )
        return self._database.read(lambda connection: connection.execute(query).first()) is not None

    def put_back(self, claim: Claim, *, blamed: bool = False) -> bool:
        """Give up a claim, and queue its work again; false if it was lost.

        Parameters
        ----------
        claim
            What to give up.
        blamed
            Whether this counts among the deaths that the work may have to do with.
        """

        def run(change: Change) -> bool:
            table, here = row_of(claim)
            query = sa.select(table).where(*here).with_for_update()
            row = change.connection.execute(query).first()
            if row is None:
                return False
            if isinstance(claim, BlockClaim):
                change.requeue_block(row.work, row.number, row.attempt, blamed=blamed)
            else:
                change.requeue_job(stored_job(row), blamed=blamed)
            return True

        return self._change(run)

    def release(self, worker: str, *, reason: str = "", blamed: bool = True) -> int:
        """Give up all claims of a worker that is known to be dead; returns their number.

        Parameters
        ----------
        worker
            Who is dead.
        reason
            What its work is to blame for, such as a limit: then nobody tries again.
        blamed
            Whether its death counts among those that its work may have to do with.
        """

        def run(change: Change) -> int:
            found = 0
            for table in (JOB, BLOCK):
                held = sa.select(table).where(
                    table.c.worker == worker, table.c.state == JobState.RUNNING.value
                )
                for row in change.connection.execute(held.with_for_update()).all():
                    found += 1
                    if table is BLOCK and reason:
                        change.lose_block(row.work, row.number, reason)
                    elif table is BLOCK:
                        change.requeue_block(row.work, row.number, row.attempt, blamed=blamed)
                    elif reason:
                        change.end(stored_job(row), JobState.FAILED, reason)
                    else:
                        change.requeue_job(stored_job(row), blamed=blamed)
            return found

        return self._change(run)

    def take_back(self) -> int:
        """Queue again what nobody holds any more, its lease being over; returns how much."""
        now = self._clock()

        def run(change: Change) -> int:
            found = 0
            for table in (JOB, BLOCK):
                lost = lost_in(table, now).with_for_update(skip_locked=True)
                for row in change.connection.execute(lost).all():
                    found += 1
                    if table is JOB:
                        change.requeue_job(stored_job(row))
                    else:
                        change.requeue_block(row.work, row.number, row.attempt)
            return found

        return self._change(run)

    def workers(self) -> Sequence[str]:
        """Names of all who hold a claim."""
        names = sa.union_all(
            *(
                sa.select(table.c.worker).where(table.c.state == JobState.RUNNING.value)
                for table in (JOB, BLOCK)
            )
        )
        found = self._database.read(lambda connection: connection.execute(names).scalars().all())
        return tuple(dict.fromkeys(found))

    def progress(self, claim: JobClaim, body: dict[str, Any]) -> None:
        """Tell of a step of a job; of a claim that was lost nothing is told."""

        def run(change: Change) -> None:
            if change.holds(claim):
                change.tell(claim.job.id, "progress", body)

        self._change(run)

    def finish_job(self, claim: JobClaim, answer: Answer) -> bool:
        """Keep the answer and end the job; false where the claim was lost: nothing is kept."""

        def run(change: Change) -> bool:
            if not change.holds(claim):
                return False
            job = claim.job
            keep_answer(
                change.connection, key=job.key, verb=job.verb, question=job.question, answer=answer
            )
            change.charge(job.owner, answer.seconds)
            change.end(job, JobState.DONE, "")
            return True

        return self._change(run)

    def fail_job(self, claim: JobClaim, reason: str) -> bool:
        """End a job without an answer; false where the claim was lost."""

        def run(change: Change) -> bool:
            if not change.holds(claim):
                return False
            change.end(claim.job, JobState.FAILED, reason)
            return True

        return self._change(run)

    def blocks(self, job: Job) -> Blocks:
        """How far the blocks of a job of :mod:`darkstats.execution` are."""
        query = sa.select(BLOCK.c.number, BLOCK.c.state, BLOCK.c.body).where(
            BLOCK.c.work == job.digest, BLOCK.c.number < job.n_blocks
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        ended = {
            state: {row.number: row.body for row in rows if row.state == state}
            for state in ("done", "failed", "lost")
        }
        known = set().union(*ended.values())
        missing = tuple(n for n in range(job.n_blocks) if n not in known)
        return Blocks(**ended, missing=missing)

    def has_waited(self, claim: JobClaim, job: Job) -> bool:
        """Whether the blocks of ``job`` came to their end while the claimed job waited for them."""
        query = sa.select(NEED.c.job).where(
            NEED.c.job == claim.job.id,
            NEED.c.work == job.digest,
            NEED.c.n_blocks >= job.n_blocks,
            NEED.c.is_met,
        )
        return self._database.read(lambda connection: connection.execute(query).first()) is not None

    def wait(self, claim: JobClaim, job: Job) -> bool:
        """Have the missing blocks computed, and let the job wait for them; false if it was lost.

        Blocks that failed before are tried again.
        """
        digest = job.digest

        def run(change: Change) -> bool:
            if not change.holds(claim):
                return False
            connection, number = change.connection, claim.job.id
            change.keep_work(digest, job, claim.job.owner)
            change.queue_blocks(digest, job.n_blocks)
            connection.execute(sa.delete(NEED).where(NEED.c.job == number, NEED.c.work == digest))
            connection.execute(
                NEED.insert().values(job=number, work=digest, n_blocks=job.n_blocks, is_met=False)
            )
            connection.execute(
                sa.update(JOB)
                .where(JOB.c.id == number)
                .values(state=JobState.WAITING.value, worker="", lease_until=0.0, attempt=0)
            )
            change.tell_state(number, JobState.WAITING)
            change.wake(digest)  # another job may have had the last block meanwhile
            change.tell_blocks(digest)
            return True

        return self._change(run)

    def finish_block(self, claim: BlockClaim, text: str, *, seconds: float) -> bool:
        """Keep a block, and wake jobs that waited for the last one; false if the claim was lost."""
        return self._end_block(claim, "done", text, seconds)

    def fail_block(
        self, claim: BlockClaim, reason: str, *, seconds: float, lost: bool = False
    ) -> bool:
        """Say why a block cannot be computed; the jobs that wait for it say so.

        Parameters
        ----------
        claim
            Of the block.
        reason
            Why.
        seconds
            That it took.
        lost
            Whether that may be different at another time, or elsewhere.
        """
        return self._end_block(claim, "lost" if lost else "failed", reason, seconds)

    def _end_block(self, claim: BlockClaim, state: str, body: str, seconds: float) -> bool:
        def run(change: Change) -> bool:
            owner = change.lock_work(claim.work)
            _, here = row_of(claim)
            ended = sa.update(BLOCK).where(*here).values(state=state, body=body, worker="")
            if change.connection.execute(ended).rowcount != 1:
                return False
            change.charge(str(owner), seconds)
            change.wake(claim.work)
            change.tell_blocks(claim.work)
            return True

        return self._change(run)


def _values(states: Iterable[JobState]) -> tuple[str, ...]:
    return tuple(state.value for state in states)
