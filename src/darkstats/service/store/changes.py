"""Changes of jobs and blocks inside one transaction, each with the event that tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from darkstats.service.store.documents import keep_blob
from darkstats.service.store.inserting import insert_once
from darkstats.service.store.rows import BlockClaim, Claim, JobClaim, JobState, Lane, StoredJob
from darkstats.service.store.schema import BLOCK, EVENT, JOB, NEED, OWNER, WORK
from darkstats.service.store.turns import least_served

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from darkstats.execution.jobs import Job

__all__ = ["MOST_ATTEMPTS", "Change", "row_of", "stored_job"]

#: Claims of one job or block, before it is blamed for the deaths of its workers.
MOST_ATTEMPTS = 5
_DIED = (
    f"its worker died {MOST_ATTEMPTS} times, perhaps for want of memory or time; ask for less, or "
    "let the operator raise the limits"
)
_TELL_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Change:
    """One transaction that goes on.

    Parameters
    ----------
    connection, clock
        Of the transaction, and of the store.
    """

    connection: Connection
    clock: Callable[[], float]

    # jobs

    def holds(self, claim: JobClaim) -> bool:
        """Whether a claim on a job is still the last one; locks the job if it is."""
        _, here = row_of(claim)
        row = self.connection.execute(sa.select(JOB.c.id).where(*here).with_for_update()).first()
        return row is not None

    def claim_job(self, row: Row[Any], worker: str, lease_s: float) -> JobClaim:
        """Give a queued job to a worker."""
        now = self.clock()
        self.connection.execute(
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
        self.count(row.owner, Lane(row.lane), -1)
        self.tell_state(row.id, JobState.RUNNING)
        fresh = self.connection.execute(sa.select(JOB).where(JOB.c.id == row.id)).one()
        return JobClaim(worker=worker, fence=row.fence + 1, job=stored_job(fresh))

    def requeue_job(self, job: StoredJob, *, blamed: bool = True) -> None:
        """Queue a running job again, unless its workers died too often."""
        if blamed and job.attempt >= MOST_ATTEMPTS:
            self.end(job, JobState.FAILED, _DIED)
            return
        self.connection.execute(
            sa.update(JOB)
            .where(JOB.c.id == job.id)
            .values(
                state=JobState.QUEUED.value,
                worker="",
                fence=JOB.c.fence + 1,
                attempt=job.attempt if blamed else max(job.attempt - 1, 0),
            )
        )
        self.count(job.owner, job.lane, +1)
        self.tell_state(job.id, JobState.QUEUED, attempt=job.attempt)

    def end(self, job: StoredJob, state: JobState, reason: str) -> None:
        """Bring a job to its end. Its state is read anew: the caller's may be older."""
        before = self.connection.execute(sa.select(JOB.c.state).where(JOB.c.id == job.id)).scalar()
        self.connection.execute(
            sa.update(JOB)
            .where(JOB.c.id == job.id)
            .values(
                state=state.value, reason=reason, worker="", fence=JOB.c.fence + 1,
                finished=self.clock(),
            )
        )  # fmt: skip
        if before == JobState.QUEUED.value:
            self.count(job.owner, job.lane, -1)
        self.connection.execute(sa.delete(NEED).where(NEED.c.job == job.id))
        self.tell_state(job.id, state, **({"reason": reason} if reason else {}))

    # blocks

    def lock_work(self, digest: str) -> str | None:
        """Let blocks of a work end one after the other; returns its owner, if it is there.

        Of two that end at the same time, neither would see that the other was the last but one.
        """
        owner = sa.select(WORK.c.owner).where(WORK.c.digest == digest).with_for_update()
        found = self.connection.execute(owner).scalar()
        return None if found is None else str(found)

    def keep_work(self, digest: str, job: Job, owner: str) -> None:
        """Know a job of :mod:`darkstats.execution`, and lock it."""
        if self.lock_work(digest) is not None:
            return
        inputs = keep_blob(self.connection, job.inputs)
        row = {
            "digest": digest, "owner": owner, "kind": job.kind,
            "settings": json.dumps(dict(job.settings), sort_keys=True), "inputs": inputs,
            "inputs_digest": job.inputs_digest, "queued": 0, "served": 0.0, "created": self.clock(),
        }  # fmt: skip
        insert_once(self.connection, WORK, row)
        self.lock_work(digest)

    def queue_blocks(self, digest: str, n_blocks: int) -> None:
        """Queue those that are not there, and those that failed."""
        here = (BLOCK.c.work == digest, BLOCK.c.number < n_blocks)
        known = set(self.connection.execute(sa.select(BLOCK.c.number).where(*here)).scalars())
        fresh = [
            {"work": digest, "number": n, "state": "queued", "attempt": 0, "fence": 0,
             "worker": "", "lease_until": 0.0, "body": ""}
            for n in range(n_blocks) if n not in known
        ]  # fmt: skip
        if fresh:
            self.connection.execute(BLOCK.insert(), fresh)
        again = self.connection.execute(
            sa.update(BLOCK)
            .where(*here, BLOCK.c.state.in_(("failed", "lost")))
            .values(state="queued", attempt=0, body="")
        ).rowcount
        self.connection.execute(
            sa.update(WORK)
            .where(WORK.c.digest == digest)
            .values(queued=WORK.c.queued + len(fresh) + again)
        )

    def claim_block(self, row: Row[Any], worker: str, lease_s: float) -> BlockClaim:
        """Give a queued block to a worker."""
        self.connection.execute(
            sa.update(BLOCK)
            .where(BLOCK.c.work == row.work, BLOCK.c.number == row.number)
            .values(
                state="running",
                worker=worker,
                fence=row.fence + 1,
                attempt=row.attempt + 1,
                lease_until=self.clock() + lease_s,
            )
        )
        work = self.connection.execute(
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

    def requeue_block(self, work: str, number: int, attempt: int, *, blamed: bool = True) -> None:
        """Queue a running block again, unless its workers died too often."""
        if blamed and attempt >= MOST_ATTEMPTS:
            self.lose_block(work, number, _DIED)
            return
        self.connection.execute(
            sa.update(BLOCK)
            .where(BLOCK.c.work == work, BLOCK.c.number == number)
            .values(
                state="queued",
                worker="",
                fence=BLOCK.c.fence + 1,
                attempt=attempt if blamed else max(attempt - 1, 0),
            )
        )
        self.connection.execute(
            sa.update(WORK).where(WORK.c.digest == work).values(queued=WORK.c.queued + 1)
        )

    def lose_block(self, work: str, number: int, reason: str) -> None:
        """Give up a block."""
        self.lock_work(work)
        self.connection.execute(
            sa.update(BLOCK)
            .where(BLOCK.c.work == work, BLOCK.c.number == number)
            .values(state="lost", worker="", body=reason, fence=BLOCK.c.fence + 1)
        )
        self.wake(work)

    def wake(self, work: str) -> None:
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
        ready = self.connection.execute(
            sa.select(NEED.c.job, NEED.c.n_blocks).where(
                NEED.c.work == work, ~NEED.c.is_met, ~open_
            )
        ).all()
        for need in ready:
            counted = {"done": need.n_blocks, "of": need.n_blocks, **self._of_each(work)}
            self.tell(need.job, "blocks", counted)
            self.connection.execute(
                sa.update(NEED)
                .where(NEED.c.job == need.job, NEED.c.work == work)
                .values(is_met=True)
            )
            change = (
                sa.update(JOB)
                .where(JOB.c.id == need.job, JOB.c.state == JobState.WAITING.value)
                .values(state=JobState.QUEUED.value)
                .returning(JOB.c.owner, JOB.c.lane)
            )
            woken = self.connection.execute(change).first()
            if woken is not None:
                self.count(woken.owner, Lane(woken.lane), +1)
                self.tell_state(need.job, JobState.QUEUED)

    # events

    def tell(self, job: int, kind: str, body: dict[str, Any]) -> None:
        """Write an event."""
        text = json.dumps(body, sort_keys=True, allow_nan=False)
        self.connection.execute(
            EVENT.insert().values(job=job, kind=kind, body=text, created=self.clock())
        )

    def tell_state(self, job: int, state: JobState, **facts: Any) -> None:  # noqa: ANN401 -- JSON
        """Write where a job stands."""
        self.tell(job, "state", {"state": state.value, **facts})

    def tell_blocks(self, work: str) -> None:
        """Tell the jobs that wait for a work how far it is, a few times a second at most."""
        open_ = sa.select(NEED.c.job, NEED.c.n_blocks).where(NEED.c.work == work, ~NEED.c.is_met)
        for need in self.connection.execute(open_).all():
            last = self.connection.execute(
                sa.select(EVENT.c.kind, EVENT.c.created)
                .where(EVENT.c.job == need.job)
                .order_by(EVENT.c.id.desc())
                .limit(1)
            ).first()
            fresh = last is not None and 0.0 <= self.clock() - last.created < _TELL_EVERY_S
            if fresh and last is not None and last.kind == "blocks":
                continue
            count = sa.select(sa.func.count()).where(
                BLOCK.c.work == work,
                BLOCK.c.state.in_(("done", "failed", "lost")),
                BLOCK.c.number < need.n_blocks,
            )
            done = self.connection.execute(count).scalar()
            counted = {"done": done, "of": need.n_blocks, **self._of_each(work)}
            self.tell(need.job, "blocks", counted)

    def _of_each(self, work: str) -> dict[str, Any]:
        """What one block of a work has, and how many of it, where that is known."""
        query = sa.select(WORK.c.settings).where(WORK.c.digest == work)
        settings = json.loads(self.connection.execute(query).scalar() or "{}")
        for unit in ("toys", "hypotheses"):
            each = settings.get(f"{unit}_per_block")
            if isinstance(each, int):
                return {"each": each, "unit": unit}
        return {}

    # owners

    def know(self, owner: str) -> None:
        """Know an owner, and lock the row: of one owner's questions, one at a time is put.

        Who comes, or comes back, begins with as much of the machine as the least served of those
        who wait had: nobody saves up turns.
        """
        row = {"name": owner, "queued_quick": 0, "queued_long": 0, "served": 0.0, "stored": 0}
        insert_once(self.connection, OWNER, row)
        here = OWNER.c.name == owner
        found = self.connection.execute(sa.select(OWNER).where(here).with_for_update()).one()
        if found.queued_quick or found.queued_long:
            return
        least = least_served(self.connection)
        if least > found.served:
            self.connection.execute(sa.update(OWNER).where(here).values(served=least))

    def count(self, owner: str, lane: Lane, change: int) -> None:
        """Count the queued jobs of an owner."""
        column = OWNER.c.queued_quick if lane is Lane.QUICK else OWNER.c.queued_long
        self.connection.execute(
            sa.update(OWNER).where(OWNER.c.name == owner).values({column: column + change})
        )

    def charge(self, owner: str, seconds: float) -> None:
        """Count what an owner had of the machine."""
        self.connection.execute(
            sa.update(OWNER)
            .where(OWNER.c.name == owner)
            .values(served=OWNER.c.served + max(seconds, 0.0))
        )


def row_of(claim: Claim) -> tuple[sa.Table, tuple[sa.ColumnElement[bool], ...]]:
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


def stored_job(row: Row[Any]) -> StoredJob:
    """A row of the table of jobs as what the store hands out."""
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
