"""The n-th call of the database fails, for every n: the state is before or after, never between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from darkstats.errors import ServiceError
from darkstats.execution.jobs import Job, inputs_bytes
from darkstats.service.store import Answer, BlockClaim, JobClaim, JobState, Lane, Store
from darkstats.service.store.queue import Queue
from darkstats.service.store.schema import METADATA

BOTH = (Lane.QUICK, Lane.LONG)
CALLS = ("do_execute", "do_execute_no_params", "do_executemany")
LASTS = "disk I/O error"
PASSES = "database is locked"


class Clock:
    """A clock that tests set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Failing:
    """Fails one call of the database, statements and commits alike."""

    def __init__(self, store: Store) -> None:
        self.calls, self.at, self.words = 0, 0, LASTS
        self._dialect = store.database.engine.dialect
        self._commit = self._dialect.do_commit
        for name in CALLS:
            sa.event.listen(store.database.engine, name, self._count)
        self._dialect.do_commit = self._commit_or_fail

    def _count(self, *_: object) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise self._dialect.dbapi.OperationalError(self.words)

    def _commit_or_fail(self, connection: object) -> None:
        self._count()
        self._commit(connection)

    @contextmanager
    def failing(self, at: int, words: str) -> Iterator[None]:
        self.calls, self.at, self.words = 0, at, words
        try:
            yield
        finally:
            self.at = 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[Store]:
    made = Store(store_url)
    made.queue = Queue(made.database, clock)
    yield made
    made.close()


def contents(store: Store) -> dict[str, list[Any]]:
    with store.database.engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
            for table in METADATA.sorted_tables
        }


def work(n_blocks: int = 3) -> Job:
    inputs, digest = inputs_bytes({"seed": 1})
    return Job(kind="limits", settings={}, n_blocks=n_blocks, inputs_digest=digest, inputs=inputs)


def ask(store: Store, key: str, owner: str = "ana", lane: Lane = Lane.LONG):
    return store.queue.submit(
        owner=owner, key=key.ljust(64, "0"), verb="scan", question="{}", title=key, lane=lane
    )


def take(store: Store, lease_s: float = 60.0):
    return store.queue.claim("w", lanes=BOTH, lease_s=lease_s)


def waiting(store: Store) -> None:
    ask(store, "a")
    claim = take(store)
    assert isinstance(claim, JobClaim)
    assert store.queue.wait(claim, work())


def submitted(store: Store, clock: Clock):
    ask(store, "b", owner="ben")
    return lambda: ask(store, "a")


def cancelled(store: Store, clock: Clock):
    job = ask(store, "a")
    return lambda: store.queue.cancel(job.name)


def claimed(store: Store, clock: Clock):
    ask(store, "a")
    return lambda: take(store)


def block_claimed(store: Store, clock: Clock):
    waiting(store)
    return lambda: take(store)


def waited(store: Store, clock: Clock):
    ask(store, "a")
    claim = take(store)
    return lambda: store.queue.wait(claim, work())


def last_block_finished(store: Store, clock: Clock):
    waiting(store)
    for _ in range(2):
        store.queue.finish_block(take(store), "{}", seconds=1.0)
    claim = take(store)
    assert isinstance(claim, BlockClaim)
    return lambda: store.queue.finish_block(claim, json.dumps({"n": 1}), seconds=1.0)


def finished(store: Store, clock: Clock):
    ask(store, "a")
    claim = take(store)
    answer = Answer(exit_status=0, record="{}", artefacts={"a.svg": b"<svg/>", "b.csv": b"1"})
    return lambda: store.queue.finish_job(claim, answer)


def failed(store: Store, clock: Clock):
    ask(store, "a")
    claim = take(store)
    return lambda: store.queue.fail_job(claim, "no")


def taken_back(store: Store, clock: Clock):
    waiting(store)
    take(store, lease_s=5.0)
    ask(store, "b", lane=Lane.QUICK)
    take(store, lease_s=5.0)
    clock.now += 10.0
    return store.queue.take_back


def released(store: Store, clock: Clock):
    waiting(store)
    take(store)
    return lambda: store.queue.release("w", reason="too long")


def put_back(store: Store, clock: Clock):
    waiting(store)
    claim = take(store)
    return lambda: store.queue.put_back(claim)


def collected(store: Store, clock: Clock):
    files = {"a.json": b"1", "b.json": b"2"}
    return lambda: store.documents.collect(files, owner="ana", title="t").digest


ALL = (
    submitted, cancelled, claimed, block_claimed, waited, last_block_finished, finished, failed,
    taken_back, released, put_back, collected,
)  # fmt: skip


@pytest.mark.parametrize("prepare", ALL)
def test_a_call_that_fails_changes_nothing(
    store: Store, clock: Clock, prepare: Callable[..., Callable[[], object]]
) -> None:
    operation = prepare(store, clock)
    before, failing = contents(store), Failing(store)
    for at in range(1, 200):
        with failing.failing(at, LASTS):
            try:
                found = operation()
            except ServiceError:
                assert contents(store) == before, at
                continue
        assert found
        assert contents(store) != before
        assert at > 3
        return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("prepare", [claimed, last_block_finished, finished, taken_back])
@pytest.mark.parametrize("at", [1, 3, 5, 7])
def test_a_call_that_fails_for_a_moment_is_made_again(
    store: Store, clock: Clock, prepare: Callable[..., Callable[[], object]], at: int
) -> None:
    operation = prepare(store, clock)
    failing = Failing(store)
    with failing.failing(at, PASSES):
        assert operation()
    job = store.queue.jobs("ana")[-1]
    assert job.state in {JobState.RUNNING, JobState.QUEUED, JobState.DONE, JobState.WAITING}
    assert not store.queue.jobs("ana")[-1].reason
