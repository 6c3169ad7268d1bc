"""Jobs and their blocks: who asked, who works on what, and what came of it.

Every change of state is one transaction, with the event that tells of it. A claim is a lease with a
fence, a number that grows with each claim of the same job or block: a worker that was thought dead
and comes back too late commits nothing.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from darkstats.errors import UnknownNameError
from darkstats.service.store.documents import keep_blob
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
from darkstats.service.store.schema import BLOCK, EVENT, JOB, NEED, OWNER, WORK

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from darkstats.execution.jobs import Job
    from darkstats.service.store.database import Database

__all__ = ["MOST_ATTEMPTS", "Queue"]

#: Claims of one job or block, before it is blamed for the deaths of its workers.
MOST_ATTEMPTS = 5
_LONGEST_LEASE_S = 3_600.0  # a lease beyond this was given before the clock was set back
_DIED = (
    f"its worker died {MOST_ATTEMPTS} times, perhaps for want of memory or time; ask for less, or "
    "let the operator raise the limits"
)
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

        def run(connection: Connection) -> StoredJob:
            answered = has_result(connection, key)
            states = (JobState.DONE,) if answered else _UNFINISHED
            known = connection.execute(
                sa.select(JOB)
                .where(JOB.c.key == key, JOB.c.owner == owner, JOB.c.state.in_(_values(states)))
                .order_by(JOB.c.id.desc())
                .limit(1)
            ).first()
            if known is not None:
                return _job(known)
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
            self._know(connection, owner)
            if not answered:
                _count(connection, owner, lane, +1)
            self._tell(connection, number, "state", {"state": state.value})
            return _job(connection.execute(sa.select(JOB).where(JOB.c.id == number)).one())

        return self._database.write(run)

    def job(self, name: str) -> StoredJob | None:
        """The job of this name; ``None`` if there is none."""
        query = sa.select(JOB).where(JOB.c.name == name)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _job(row)

    def jobs(
        self, owner: str, *, limit: int = 100, before: int | None = None
    ) -> Sequence[StoredJob]:
        """Jobs of a user, the newest first; ``before`` is the id of the last one of a page."""
        query = sa.select(JOB).where(JOB.c.owner == owner)
        if before is not None:
            query = query.where(JOB.c.id < before)
        query = query.order_by(JOB.c.id.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(_job, rows))

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

        def run(connection: Connection) -> StoredJob:
            row = connection.execute(
                sa.select(JOB).where(JOB.c.name == name).with_for_update()
            ).first()
            if row is None:
                raise UnknownNameError("job", name, ())
            job = _job(row)
            if not job.state.is_final:
                self._end(connection, job, JobState.CANCELLED, "cancelled")
            return _job(connection.execute(sa.select(JOB).where(JOB.c.id == job.id)).one())

        return self._database.write(run)

    def events(self, job: int, *, after: int = 0, limit: int = 500) -> Sequence[Event]:
        """Events of a job in order, those after an id."""
        query = (
            sa.select(EVENT)
            .where(EVENT.c.job == job, EVENT.c.id > after)
            .order_by(EVENT.c.id)
            .limit(limit)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(
            Event(id=row.id, job=row.job, kind=row.kind, body=row.body, created=row.created)
            for row in rows
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

        def run(connection: Connection) -> JobClaim | BlockClaim | None:
            self._take_back(connection)
            job = self._next_job(connection, lanes)
            block = self._next_block(connection) if Lane.LONG in lanes else None
            if job is not None and (block is None or job[1] <= block[1]):
                return self._claim_job(connection, job[0], worker, lease_s)
            if block is not None:
                return self._claim_block(connection, block[0], worker, lease_s)
            return None

        return self._database.write(run)

    def renew(self, claim: Claim, *, lease_s: float) -> bool:
        """Keep a claim for longer; false where it was lost or cancelled: stop working on it."""
        table, here = _row_of(claim)
        change = sa.update(table).where(*here).values(lease_until=self._clock() + lease_s)
        return self._database.write(lambda connection: connection.execute(change).rowcount == 1)

    def release(self, worker: str) -> int:
        """Give up all claims of a worker that is known to be dead; returns their number."""

        def run(connection: Connection) -> int:
            found = 0
            for table in (JOB, BLOCK):
                change = (
                    sa.update(table)
                    .where(table.c.worker == worker, table.c.state == JobState.RUNNING.value)
                    .values(lease_until=0.0)
                )
                found += connection.execute(change).rowcount
            self._take_back(connection)
            return found

        return self._database.write(run)

    def progress(self, claim: JobClaim, body: dict[str, Any]) -> None:
        """Tell of a step of a job; of a claim that was lost nothing is told."""

        def run(connection: Connection) -> None:
            if self._holds(connection, claim):
                self._tell(connection, claim.job.id, "progress", body)

        self._database.write(run)

    def finish_job(self, claim: JobClaim, answer: Answer) -> bool:
        """Keep the answer and end the job; false where the claim was lost: nothing is kept."""

        def run(connection: Connection) -> bool:
            if not self._holds(connection, claim):
                return False
            job = claim.job
            keep_answer(
                connection, key=job.key, verb=job.verb, question=job.question, answer=answer
            )
            self._charge(connection, job.owner, answer.seconds)
            self._end(connection, job, JobState.DONE, "")
            return True

        return self._database.write(run)

    def fail_job(self, claim: JobClaim, reason: str) -> bool:
        """End a job without an answer; false where the claim was lost."""

        def run(connection: Connection) -> bool:
            if not self._holds(connection, claim):
                return False
            self._end(connection, claim.job, JobState.FAILED, reason)
            return True

        return self._database.write(run)

    def blocks(self, job: Job) -> Blocks:
        """How far the blocks of a job of :mod:`darkstats.execution` are."""
        query = sa.select(BLOCK.c.number, BLOCK.c.state, BLOCK.c.body).where(
            BLOCK.c.work == job.digest, BLOCK.c.number < job.n_blocks
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        done = {row.number: row.body for row in rows if row.state == "done"}
        failed = {row.number: row.body for row in rows if row.state == "failed"}
        missing = tuple(n for n in range(job.n_blocks) if n not in done and n not in failed)
        return Blocks(done=done, failed=failed, missing=missing)

    def wait(self, claim: JobClaim, job: Job) -> bool:
        """Have the missing blocks computed, and let the job wait for them; false if it was lost.

        Blocks that failed before are tried again.
        """
        digest = job.digest

        def run(connection: Connection) -> bool:
            if not self._holds(connection, claim):
                return False
            self._keep_work(connection, digest, job, claim.job.owner)
            self._queue_blocks(connection, digest, job.n_blocks)
            connection.execute(
                sa.delete(NEED).where(NEED.c.job == claim.job.id, NEED.c.work == digest)
            )
            connection.execute(
                NEED.insert().values(job=claim.job.id, work=digest, n_blocks=job.n_blocks)
            )
            connection.execute(
                sa.update(JOB)
                .where(JOB.c.id == claim.job.id)
                .values(state=JobState.WAITING.value, worker="", lease_until=0.0, attempt=0)
            )
            self._tell(connection, claim.job.id, "state", {"state": JobState.WAITING.value})
            self._tell_blocks(connection, claim.job.id, digest, job.n_blocks)
            self._wake(connection, digest)  # another job may have had the last block meanwhile
            return True

        return self._database.write(run)

    def finish_block(self, claim: BlockClaim, text: str, *, seconds: float) -> bool:
        """Keep a block, and wake jobs that waited for the last one; false if the claim was lost."""
        return self._end_block(claim, "done", text, seconds)

    def fail_block(self, claim: BlockClaim, reason: str, *, seconds: float) -> bool:
        """Say why a block cannot be computed; the jobs that wait for it say so."""
        return self._end_block(claim, "failed", reason, seconds)

    # inside a transaction

    def _end_block(self, claim: BlockClaim, state: str, body: str, seconds: float) -> bool:
        def run(connection: Connection) -> bool:
            _, here = _row_of(claim)
            change = sa.update(BLOCK).where(*here).values(state=state, body=body, worker="")
            if connection.execute(change).rowcount != 1:
                return False
            owner = sa.select(WORK.c.owner).where(WORK.c.digest == claim.work)
            self._charge(connection, str(connection.execute(owner).scalar()), seconds)
            needs = connection.execute(sa.select(NEED).where(NEED.c.work == claim.work)).all()
            for need in needs:
                self._tell_blocks(connection, need.job, claim.work, need.n_blocks)
            self._wake(connection, claim.work)
            return True

        return self._database.write(run)

    def _keep_work(self, connection: Connection, digest: str, job: Job, owner: str) -> None:
        known = sa.select(WORK.c.digest).where(WORK.c.digest == digest)
        if connection.execute(known).first() is not None:
            return
        inputs = keep_blob(connection, job.inputs)
        connection.execute(
            WORK.insert().values(
                digest=digest, owner=owner, kind=job.kind,
                settings=json.dumps(dict(job.settings), sort_keys=True), inputs=inputs,
                inputs_digest=job.inputs_digest, queued=0, served=0.0, created=self._clock(),
            )
        )  # fmt: skip

    @staticmethod
    def _queue_blocks(connection: Connection, digest: str, n_blocks: int) -> None:
        known = dict(
            connection.execute(
                sa.select(BLOCK.c.number, BLOCK.c.state).where(
                    BLOCK.c.work == digest, BLOCK.c.number < n_blocks
                )
            ).all()
        )
        fresh = [
            {"work": digest, "number": n, "state": "queued", "attempt": 0, "fence": 0,
             "worker": "", "lease_until": 0.0, "body": ""}
            for n in range(n_blocks) if n not in known
        ]  # fmt: skip
        if fresh:
            connection.execute(BLOCK.insert(), fresh)
        again = connection.execute(
            sa.update(BLOCK)
            .where(BLOCK.c.work == digest, BLOCK.c.number < n_blocks, BLOCK.c.state == "failed")
            .values(state="queued", attempt=0, body="")
        ).rowcount
        connection.execute(
            sa.update(WORK)
            .where(WORK.c.digest == digest)
            .values(queued=WORK.c.queued + len(fresh) + again)
        )

    def _wake(self, connection: Connection, work: str) -> None:
        """Queue the jobs whose blocks are all at their end."""
        open_ = (
            sa.select(sa.literal(1))
            .where(
                BLOCK.c.work == work,
                BLOCK.c.state.in_(("queued", "running")),
                BLOCK.c.number < NEED.c.n_blocks,
            )
            .correlate(NEED)
            .exists()
        )
        ready = connection.execute(sa.select(NEED.c.job).where(NEED.c.work == work, ~open_)).all()
        for (number,) in ready:
            connection.execute(sa.delete(NEED).where(NEED.c.job == number, NEED.c.work == work))
            change = (
                sa.update(JOB)
                .where(JOB.c.id == number, JOB.c.state == JobState.WAITING.value)
                .values(state=JobState.QUEUED.value)
                .returning(JOB.c.owner, JOB.c.lane)
            )
            woken = connection.execute(change).first()
            if woken is not None:
                _count(connection, woken.owner, Lane(woken.lane), +1)
                self._tell(connection, number, "state", {"state": JobState.QUEUED.value})

    def _take_back(self, connection: Connection) -> None:
        """Queue again what nobody holds any more; blame what killed its workers again and again."""
        now = self._clock()
        for table in (JOB, BLOCK):
            lost = sa.select(table).where(
                table.c.state == JobState.RUNNING.value,
                (table.c.lease_until < now) | (table.c.lease_until > now + _LONGEST_LEASE_S),
            )
            for row in connection.execute(lost.with_for_update(skip_locked=True)).all():
                if table is JOB:
                    self._requeue_job(connection, _job(row))
                else:
                    self._requeue_block(connection, row)

    def _requeue_job(self, connection: Connection, job: StoredJob) -> None:
        if job.attempt >= MOST_ATTEMPTS:
            self._end(connection, job, JobState.FAILED, _DIED)
            return
        connection.execute(
            sa.update(JOB)
            .where(JOB.c.id == job.id)
            .values(state=JobState.QUEUED.value, worker="", fence=JOB.c.fence + 1)
        )
        _count(connection, job.owner, job.lane, +1)
        self._tell(
            connection, job.id, "state", {"state": JobState.QUEUED.value, "attempt": job.attempt}
        )

    def _requeue_block(self, connection: Connection, row: Row[Any]) -> None:
        here = (BLOCK.c.work == row.work, BLOCK.c.number == row.number)
        fence = BLOCK.c.fence + 1
        if row.attempt >= MOST_ATTEMPTS:
            words = f"block {row.number}: {_DIED}"
            connection.execute(
                sa.update(BLOCK).where(*here).values(state="failed", body=words, fence=fence)
            )
            self._wake(connection, row.work)
            return
        connection.execute(
            sa.update(BLOCK).where(*here).values(state="queued", worker="", fence=fence)
        )
        connection.execute(
            sa.update(WORK).where(WORK.c.digest == row.work).values(queued=WORK.c.queued + 1)
        )

    def _next_job(
        self, connection: Connection, lanes: Sequence[Lane]
    ) -> tuple[Row[Any], float] | None:
        """The next job of these lanes, and how much of the machine its owner had."""
        for lane in sorted(lanes, key=lambda lane: lane is Lane.LONG):
            waiting = OWNER.c.queued_quick if lane is Lane.QUICK else OWNER.c.queued_long
            owners = connection.execute(
                sa.select(OWNER.c.name, OWNER.c.served)
                .where(waiting > 0)
                .order_by(OWNER.c.served, OWNER.c.name)
            ).all()
            for owner in owners:
                row = connection.execute(
                    sa.select(JOB)
                    .where(
                        JOB.c.state == JobState.QUEUED.value,
                        JOB.c.owner == owner.name,
                        JOB.c.lane == lane.value,
                    )
                    .order_by(JOB.c.priority.desc(), JOB.c.id)
                    .limit(1)
                    .with_for_update(skip_locked=True)
                ).first()
                if row is not None:
                    return row, owner.served
        return None

    @staticmethod
    def _next_block(connection: Connection) -> tuple[Row[Any], float] | None:
        """The next block that a job waits for, and how much of the machine its owner had."""
        wanted = sa.select(NEED.c.job).where(NEED.c.work == WORK.c.digest).exists()
        works = connection.execute(
            sa.select(WORK.c.digest, OWNER.c.served)
            .join(OWNER, OWNER.c.name == WORK.c.owner)
            .where(WORK.c.queued > 0, wanted)
            .order_by(OWNER.c.served, WORK.c.served, WORK.c.digest)
        ).all()
        for work in works:
            row = connection.execute(
                sa.select(BLOCK)
                .where(BLOCK.c.work == work.digest, BLOCK.c.state == "queued")
                .order_by(BLOCK.c.number)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).first()
            if row is not None:
                return row, work.served
        return None

    def _claim_job(
        self, connection: Connection, row: Row[Any], worker: str, lease_s: float
    ) -> JobClaim:
        now = self._clock()
        connection.execute(
            sa.update(JOB)
            .where(JOB.c.id == row.id)
            .values(
                state=JobState.RUNNING.value,
                worker=worker,
                fence=row.fence + 1,
                attempt=row.attempt + 1,
                lease_until=now + lease_s,
                started=row.started or now,
            )
        )
        _count(connection, row.owner, Lane(row.lane), -1)
        self._tell(connection, row.id, "state", {"state": JobState.RUNNING.value})
        fresh = connection.execute(sa.select(JOB).where(JOB.c.id == row.id)).one()
        return JobClaim(worker=worker, fence=row.fence + 1, job=_job(fresh))

    def _claim_block(
        self, connection: Connection, row: Row[Any], worker: str, lease_s: float
    ) -> BlockClaim:
        connection.execute(
            sa.update(BLOCK)
            .where(BLOCK.c.work == row.work, BLOCK.c.number == row.number)
            .values(
                state="running",
                worker=worker,
                fence=row.fence + 1,
                attempt=row.attempt + 1,
                lease_until=self._clock() + lease_s,
            )
        )
        work = connection.execute(
            sa.update(WORK)
            .where(WORK.c.digest == row.work)
            .values(queued=WORK.c.queued - 1, served=WORK.c.served + 1.0)
            .returning(WORK)
        ).one()
        return BlockClaim(
            worker=worker,
            fence=row.fence + 1,
            work=row.work,
            kind=work.kind,
            settings=work.settings,
            inputs=work.inputs,
            inputs_digest=work.inputs_digest,
            number=row.number,
            attempt=row.attempt + 1,
        )

    @staticmethod
    def _holds(connection: Connection, claim: JobClaim) -> bool:
        """Whether a claim on a job is still the last one; locks the job if it is."""
        _, here = _row_of(claim)
        row = connection.execute(sa.select(JOB.c.id).where(*here).with_for_update()).first()
        return row is not None

    def _end(self, connection: Connection, job: StoredJob, state: JobState, reason: str) -> None:
        """Bring a job to its end. Its state is read anew: the caller's may be older."""
        before = connection.execute(sa.select(JOB.c.state).where(JOB.c.id == job.id)).scalar()
        connection.execute(
            sa.update(JOB)
            .where(JOB.c.id == job.id)
            .values(
                state=state.value, reason=reason, worker="", fence=JOB.c.fence + 1,
                finished=self._clock(),
            )
        )  # fmt: skip
        if before == JobState.QUEUED.value:
            _count(connection, job.owner, job.lane, -1)
        connection.execute(sa.delete(NEED).where(NEED.c.job == job.id))
        told: dict[str, Any] = {"state": state.value}
        self._tell(connection, job.id, "state", told | ({"reason": reason} if reason else {}))

    def _tell(self, connection: Connection, job: int, kind: str, body: dict[str, Any]) -> None:
        text = json.dumps(body, sort_keys=True, allow_nan=False)
        connection.execute(
            EVENT.insert().values(job=job, kind=kind, body=text, created=self._clock())
        )

    def _tell_blocks(self, connection: Connection, job: int, work: str, n_blocks: int) -> None:
        count = sa.select(sa.func.count()).where(
            BLOCK.c.work == work, BLOCK.c.state.in_(("done", "failed")), BLOCK.c.number < n_blocks
        )
        done = connection.execute(count).scalar()
        self._tell(connection, job, "blocks", {"done": done, "of": n_blocks})

    @staticmethod
    def _know(connection: Connection, owner: str) -> None:
        """Know an owner; a new one had as much of the machine as the least served of those here."""
        if connection.execute(sa.select(OWNER.c.name).where(OWNER.c.name == owner)).first():
            return
        busy = (OWNER.c.queued_quick > 0) | (OWNER.c.queued_long > 0)
        least = connection.execute(sa.select(sa.func.min(OWNER.c.served)).where(busy)).scalar()
        connection.execute(
            OWNER.insert().values(
                name=owner, queued_quick=0, queued_long=0, served=least or 0.0, stored=0
            )
        )

    @staticmethod
    def _charge(connection: Connection, owner: str, seconds: float) -> None:
        connection.execute(
            sa.update(OWNER)
            .where(OWNER.c.name == owner)
            .values(served=OWNER.c.served + max(seconds, 0.0))
        )


def _values(states: Iterable[JobState]) -> tuple[str, ...]:
    return tuple(state.value for state in states)


def _row_of(claim: Claim) -> tuple[sa.Table, tuple[sa.ColumnElement[bool], ...]]:
    """Where a claim stands in the store, as long as nobody else has claimed the same."""
    table: sa.Table
    which: tuple[sa.ColumnElement[bool], ...]
    if isinstance(claim, JobClaim):
        table, which = JOB, (JOB.c.id == claim.job.id,)
    elif isinstance(claim, BlockClaim):
        table, which = BLOCK, (BLOCK.c.work == claim.work, BLOCK.c.number == claim.number)
    else:
        raise TypeError(claim)
    return table, (
        *which,
        table.c.fence == claim.fence,
        table.c.worker == claim.worker,
        table.c.state == JobState.RUNNING.value,
    )


def _count(connection: Connection, owner: str, lane: Lane, change: int) -> None:
    column = OWNER.c.queued_quick if lane is Lane.QUICK else OWNER.c.queued_long
    connection.execute(
        sa.update(OWNER).where(OWNER.c.name == owner).values({column: column + change})
    )


def _job(row: Row[Any]) -> StoredJob:
    return StoredJob(
        id=row.id,
        name=row.name,
        owner=row.owner,
        key=row.key,
        verb=row.verb,
        question=row.question,
        title=row.title,
        lane=Lane(row.lane),
        priority=row.priority,
        state=JobState(row.state),
        reason=row.reason,
        attempt=row.attempt,
        created=row.created,
        started=row.started,
        finished=row.finished,
    )
