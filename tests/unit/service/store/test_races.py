"""Many at once on one store: nothing lost, nothing doubled, no deadlock that is seen outside."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from darkstats.execution.jobs import Job, inputs_bytes
from darkstats.service.store import Answer, BlockClaim, JobClaim, JobState, Lane, Store
from darkstats.service.store.schema import BLOCK, OWNER, WORK

BOTH = (Lane.QUICK, Lane.LONG)
N_WORKERS = 6


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url)
    yield made
    made.close()


def work(n_blocks: int, seed: int) -> Job:
    inputs, digest = inputs_bytes({"seed": seed})
    return Job(
        kind="limits", settings={"seed": seed}, n_blocks=n_blocks, inputs_digest=digest,
        inputs=inputs,
    )  # fmt: skip


def together(*runs: Callable[[], object]) -> None:
    """Run in threads that begin at once; raise what any of them raised."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(runs))

    def run(one: Callable[[], object]) -> None:
        gate.wait()
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def ask(store: Store, key: str, owner: str = "ana"):
    return store.queue.submit(
        owner=owner, key=key.ljust(64, "0"), verb="scan", question="{}", title=key, lane=Lane.LONG
    )


def test_who_asks_the_same_at_the_same_time_gets_one_job(store: Store) -> None:
    found = []
    together(*(lambda: found.append(ask(store, "a").id) for _ in range(8)))
    assert len(set(found)) == 1


def test_two_answers_to_one_question_are_kept_once(store: Store) -> None:
    ask(store, "a", "ana")
    ask(store, "a", "ben")
    claims = [store.queue.claim(f"w{k}", lanes=BOTH, lease_s=60.0) for k in range(2)]
    answer = Answer(exit_status=0, record="{}", artefacts={"x.csv": b"1", "y.csv": b"2"})
    together(*(lambda c=c: store.queue.finish_job(c, answer) for c in claims))
    assert [store.queue.job(c.job.name).state for c in claims] == [JobState.DONE] * 2
    assert store.results.artefact(claims[0].job.key, "y.csv") == b"2"


def test_the_same_documents_brought_by_many(store: Store) -> None:
    files = {f"{k}.json": bytes([k]) * 10 for k in range(8)}
    backwards = {f"{9 - k}.json": body for k, body in enumerate(files.values())}
    together(
        *(
            lambda k=k: store.documents.collect(
                files if k % 2 else backwards, owner=f"o{k}", title="t"
            )
            for k in range(8)
        )
    )


def test_jobs_that_share_their_blocks_are_all_woken(store: Store) -> None:
    """The last two blocks of a work end at the same time, again and again."""
    jobs = [ask(store, f"{k:x}", owner=f"o{k % 3}") for k in range(12)]
    runs: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()

    def worker(name: str) -> None:
        idle = 0
        while idle < 30:
            claim = store.queue.claim(name, lanes=BOTH, lease_s=60.0)
            if claim is None:
                idle += 1
                threading.Event().wait(0.02)
                continue
            idle = 0
            if isinstance(claim, BlockClaim):
                with lock:
                    runs[claim.work, claim.number] += 1
                assert store.queue.finish_block(claim, json.dumps({"n": 1}), seconds=0.01)
                continue
            asked = work(4, seed=claim.job.id % 4)
            if store.queue.blocks(asked).missing:
                assert store.queue.wait(claim, asked)
            else:
                assert store.queue.finish_job(claim, Answer(exit_status=0, record="{}"))

    together(*(lambda k=k: worker(f"w{k}") for k in range(N_WORKERS)))
    assert {store.queue.job(job.name).state for job in jobs} == {JobState.DONE}
    assert set(runs.values()) == {1}
    assert len(runs) == 16
    with store.database.engine.connect() as connection:
        assert set(connection.execute(sa.select(WORK.c.queued)).scalars()) == {0}
        assert set(connection.execute(sa.select(OWNER.c.queued_long)).scalars()) == {0}
        assert set(connection.execute(sa.select(BLOCK.c.state)).scalars()) == {"done"}


def test_cancelling_beside_claiming_loses_no_count(store: Store) -> None:
    jobs = [ask(store, f"{k:x}") for k in range(30)]

    def cancel() -> None:
        for job in jobs:
            store.queue.cancel(job.name)

    def work_on(name: str) -> None:
        while (claim := store.queue.claim(name, lanes=BOTH, lease_s=60.0)) is not None:
            assert isinstance(claim, JobClaim)
            store.queue.finish_job(claim, Answer(exit_status=0, record="{}"))

    together(cancel, lambda: work_on("a"), lambda: work_on("b"))
    assert all(store.queue.job(job.name).state.is_final for job in jobs)
    with store.database.engine.connect() as connection:
        assert connection.execute(sa.select(OWNER.c.queued_long)).scalar() == 0
