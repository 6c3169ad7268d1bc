"""Jobs and blocks: one transaction for each change, leases with fences, fair turns."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

pytest.importorskip("sqlalchemy")

from darkstats.execution.jobs import Job, inputs_bytes
from darkstats.service.store import Answer, BlockClaim, JobClaim, JobState, Lane, Store
from darkstats.service.store.queue import MOST_ATTEMPTS, Queue

BOTH = (Lane.QUICK, Lane.LONG)


class Clock:
    """A clock that tests set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[Store]:
    made = Store(store_url)
    made.queue = Queue(made.database, clock)
    yield made
    made.close()


def ask(store: Store, key: str, owner: str = "ana", lane: Lane = Lane.LONG, priority: int = 0):
    return store.queue.submit(
        owner=owner, key=key.ljust(64, "0"), verb="limit", question="{}", title=key, lane=lane,
        priority=priority,
    )  # fmt: skip


def work(n_blocks: int, seed: int = 1) -> Job:
    inputs, digest = inputs_bytes({"seed": seed})
    return Job(
        kind="limits", settings={"seed": seed}, n_blocks=n_blocks, inputs_digest=digest,
        inputs=inputs,
    )  # fmt: skip


def take(store: Store, worker: str = "w", lanes: tuple[Lane, ...] = BOTH, lease_s: float = 10.0):
    return store.queue.claim(worker, lanes=lanes, lease_s=lease_s)


def test_a_job_is_answered_once_and_for_all(store: Store) -> None:
    job = ask(store, "a")
    assert job.state is JobState.QUEUED
    assert ask(store, "a").id == job.id  # who asks again gets the same job
    claim = take(store)
    assert isinstance(claim, JobClaim)
    assert claim.job.id == job.id
    assert take(store, "other") is None
    answer = Answer(exit_status=0, record='{"x": 1}\n', artefacts={"f.svg": b"<svg/>"}, seconds=2.0)
    assert store.queue.finish_job(claim, answer)
    assert store.queue.job(job.name).state is JobState.DONE
    found = store.results.get(job.key)
    assert found is not None
    assert found.record == b'{"x": 1}\n'
    assert store.results.artefact(job.key, "f.svg") == b"<svg/>"
    again = ask(store, "a", owner="ben")  # the answer is anyone's
    assert again.state is JobState.DONE
    states = [json.loads(e.body)["state"] for e in store.queue.events(job.id)]
    assert states == ["queued", "running", "done"]


def test_a_late_twin_commits_nothing(store: Store, clock: Clock) -> None:
    ask(store, "a")
    late = take(store, "first", lease_s=5.0)
    clock.now += 6.0
    fresh = take(store, "second")
    assert isinstance(late, JobClaim)
    assert isinstance(fresh, JobClaim)
    assert fresh.fence > late.fence
    assert not store.queue.renew(late, lease_s=5.0)
    assert not store.queue.finish_job(late, Answer(exit_status=0, record="late"))
    assert store.results.get(late.job.key) is None
    assert store.queue.finish_job(fresh, Answer(exit_status=0, record="good"))
    assert store.results.get(late.job.key).record == b"good"


@pytest.mark.parametrize("step_s", [3_600.0, -36_000.0])
def test_a_clock_that_jumps_doubles_nothing(store: Store, clock: Clock, step_s: float) -> None:
    """Forwards a lease is over early, backwards it would never be: the fence decides."""
    ask(store, "a")
    held = take(store, "first", lease_s=60.0)
    clock.now += step_s
    fresh = take(store, "second")
    assert isinstance(held, JobClaim)
    assert isinstance(fresh, JobClaim)
    assert not store.queue.finish_job(held, Answer(exit_status=0, record="late"))
    assert store.queue.finish_job(fresh, Answer(exit_status=0, record="good"))


def test_blocks_wake_the_job_that_waits_for_them(store: Store, clock: Clock) -> None:
    job = ask(store, "a")
    claim, asked = take(store), work(3)
    assert isinstance(claim, JobClaim)
    assert store.queue.blocks(asked).missing == (0, 1, 2)
    assert store.queue.wait(claim, asked)
    assert store.queue.job(job.name).state is JobState.WAITING
    for number in range(3):
        block = take(store)
        assert isinstance(block, BlockClaim)
        assert block.number == number
        clock.now += 0.3
        assert store.queue.finish_block(block, json.dumps({"n": number}), seconds=0.1)
    assert store.queue.job(job.name).state is JobState.QUEUED
    assert store.queue.blocks(asked).missing == ()
    again = take(store)
    assert isinstance(again, JobClaim)
    assert [e.kind for e in store.queue.events(job.id)].count("blocks") == 4


def test_more_blocks_go_on_from_those_that_are_there(store: Store) -> None:
    ask(store, "a")
    claim = take(store)
    assert isinstance(claim, JobClaim)
    store.queue.wait(claim, work(1))
    block = take(store)
    assert isinstance(block, BlockClaim)
    store.queue.finish_block(block, "{}", seconds=0.1)
    more = take(store)
    assert isinstance(more, JobClaim)
    assert store.queue.blocks(work(3)).missing == (1, 2)


def test_a_cancelled_job_has_no_more_blocks_run(store: Store) -> None:
    job = ask(store, "a")
    claim = take(store)
    assert isinstance(claim, JobClaim)
    store.queue.wait(claim, work(2))
    assert store.queue.cancel(job.name).state is JobState.CANCELLED
    assert take(store) is None
    assert store.queue.cancel(job.name).state is JobState.CANCELLED


def test_a_job_that_kills_its_workers_fails(store: Store) -> None:
    job = ask(store, "a")
    for attempt in range(MOST_ATTEMPTS):
        claim = take(store, f"w{attempt}")
        assert isinstance(claim, JobClaim)
        assert store.queue.release(f"w{attempt}") == 1
    assert take(store) is None
    found = store.queue.job(job.name)
    assert found.state is JobState.FAILED
    assert "died 5 times" in found.reason


def test_owners_take_turns(store: Store) -> None:
    """One who asked a hundred things does not keep another one waiting."""
    for number in range(5):
        ask(store, f"a{number}", owner="ana")
    order = []
    for turn in range(6):
        if turn == 1:
            ask(store, "b0", owner="ben")
        claim = take(store)
        assert isinstance(claim, JobClaim)
        order.append(claim.job.title)
        store.queue.finish_job(claim, Answer(exit_status=0, record="{}", seconds=1.0))
    assert order.index("b0") <= 2


def test_priorities_and_lanes(store: Store) -> None:
    ask(store, "long")
    ask(store, "later", lane=Lane.QUICK)
    ask(store, "sooner", lane=Lane.QUICK, priority=1)
    assert take(store, lanes=(Lane.QUICK,)).job.title == "sooner"
    assert take(store, lanes=(Lane.QUICK,)).job.title == "later"
    assert take(store, lanes=(Lane.QUICK,)) is None
    assert take(store).job.title == "long"
