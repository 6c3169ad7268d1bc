"""Whose turn it is: what a worker gets next, found inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from darkstats.service.store.rows import JobState, Lane
from darkstats.service.store.schema import BLOCK, JOB, NEED, OWNER, WORK

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

__all__ = ["is_any_block", "is_anything_to_do", "least_served", "lost_in", "next_block", "next_job"]

_LONGEST_LEASE_S = 3_600.0  # a lease beyond this was given before the clock was set back
_IS_WANTED = (
    sa.select(NEED.c.job).where(NEED.c.work == WORK.c.digest, ~NEED.c.is_met).exists()
)  # by a job that waits


def _waiting(lane: Lane) -> sa.Column[int]:
    return OWNER.c.queued_quick if lane is Lane.QUICK else OWNER.c.queued_long


def lost_in(table: sa.Table, now: float) -> sa.Select[Any]:
    """Jobs or blocks whose leases are over."""
    return sa.select(table).where(
        table.c.state == JobState.RUNNING.value,
        (table.c.lease_until < now) | (table.c.lease_until > now + _LONGEST_LEASE_S),
    )


def is_anything_to_do(connection: Connection, lanes: Sequence[Lane]) -> bool:
    """Whether a claim has any prospect; without a lock."""
    waiting = sa.or_(*(_waiting(lane) > 0 for lane in lanes))
    if connection.execute(sa.select(OWNER.c.name).where(waiting).limit(1)).first() is not None:
        return True
    return Lane.LONG in lanes and is_any_block(connection)


def is_any_block(connection: Connection) -> bool:
    """Whether a block is queued that a job waits for; without a lock."""
    work = sa.select(WORK.c.digest).where(WORK.c.queued > 0, _IS_WANTED).limit(1)
    return connection.execute(work).first() is not None


def next_job(connection: Connection, lanes: Sequence[Lane]) -> tuple[Row[Any], float] | None:
    """The next job of these lanes, locked, and how much of the machine its owner had."""
    found = [one for lane in lanes if (one := _next_of(connection, lane)) is not None]
    if not found:
        return None
    return min(found, key=lambda one: (one[1], one[0].lane != Lane.QUICK.value))


def _next_of(connection: Connection, lane: Lane) -> tuple[Row[Any], float] | None:
    owners = connection.execute(
        sa.select(OWNER.c.name, OWNER.c.served)
        .where(_waiting(lane) > 0)
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


def next_block(connection: Connection) -> tuple[Row[Any], float] | None:
    """The next block that a job waits for, locked, and how much of the machine its owner had."""
    works = connection.execute(
        sa.select(WORK.c.digest, OWNER.c.served)
        .join(OWNER, OWNER.c.name == WORK.c.owner)
        .where(WORK.c.queued > 0, _IS_WANTED)
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


def least_served(connection: Connection) -> float:
    """What the owner had who had least of the machine, among those who wait for something."""
    unfinished = [
        JobState.QUEUED.value, JobState.RUNNING.value, JobState.WAITING.value,
    ]  # fmt: skip
    waits = (
        sa.select(JOB.c.id).where(JOB.c.owner == OWNER.c.name, JOB.c.state.in_(unfinished)).exists()
    )
    return float(
        connection.execute(sa.select(sa.func.min(OWNER.c.served)).where(waits)).scalar() or 0.0
    )
