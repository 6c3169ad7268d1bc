"""What is asked of large tables goes by an index, however many jobs and blocks there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from darkstats.execution.jobs import Job, inputs_bytes
from darkstats.service.store import Answer, BlockClaim, JobClaim, Lane, Store

BOTH = (Lane.QUICK, Lane.LONG)
LARGE = ("job", "block", "event", "need", "result", "blob", "artefact", "work")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/store.db")
    yield made
    made.close()


def use(store: Store) -> None:
    """All that happens to a job from its question to its answer."""
    inputs, digest = inputs_bytes({})
    asked = Job(kind="limits", settings={}, n_blocks=2, inputs_digest=digest, inputs=inputs)
    job = store.queue.submit(
        owner="ana", key="a" * 64, verb="scan", question="{}", title="t", lane=Lane.LONG
    )
    claim = store.queue.claim("w", lanes=BOTH, lease_s=900.0)
    assert isinstance(claim, JobClaim)
    store.queue.progress(claim, {})
    store.queue.has_waited(claim, asked)
    store.queue.wait(claim, asked)
    store.queue.claim("w", lanes=BOTH, lease_s=-1.0)
    assert store.queue.take_back() == 1
    store.queue.claim("lost", lanes=BOTH, lease_s=900.0)
    assert store.queue.workers() == ("lost",)
    assert store.queue.release("lost") == 1
    assert store.queue.has_blocks()
    for _ in range(2):
        block = store.queue.claim("w", lanes=BOTH, lease_s=900.0)
        assert isinstance(block, BlockClaim)
        store.queue.holds(block)
        store.queue.renew(block, lease_s=900.0)
        store.queue.renew_blocks([block], lease_s=900.0)
        store.queue.finish_block(block, "{}", seconds=1.0)
    again = store.queue.claim("w", lanes=BOTH, lease_s=900.0)
    assert isinstance(again, JobClaim)
    store.queue.blocks(asked)
    store.queue.finish_job(again, Answer(exit_status=0, record="{}", artefacts={"a": b"1"}))
    store.queue.job(job.name)
    store.queue.jobs("ana")
    store.queue.events(job.id, after=1)
    assert [one.id for one in store.queue.events(job.id, limit=2, newest=True)] == [
        one.id for one in store.queue.events(job.id)[-2:]
    ]
    assert store.results.exit_statuses(["a" * 64, "b" * 64]) == {"a" * 64: 0}
    store.queue.unfinished()
    store.queue.unfinished("ana")
    store.results.get("a" * 64)
    store.results.artefact("a" * 64, "a")


def test_no_large_table_is_read_as_a_whole(store: Store) -> None:
    seen: dict[str, object] = {}

    def note(
        connection: object, cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            seen.setdefault(statement, parameters)

    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    use(store)
    sa.event.remove(store.database.engine, "before_cursor_execute", note)
    assert len(seen) > 30
    bad, sorts = [], []
    with store.database.engine.connect() as connection:
        for statement, parameters in seen.items():
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            lines = [str(row[-1]) for row in plan]
            bad += [
                f"{line}: {statement}"
                for line in lines
                if line.startswith("SCAN") and line.split()[1] in LARGE
            ]
            if 'job."key" = ' in statement:
                assert any("INDEX job_key" in line for line in lines)  # not all jobs of an owner
            elif any("TEMP B-TREE" in line for line in lines):
                sorts.append(statement)
    assert not bad
    assert len(sorts) <= 3, sorts  # of the few owners by lane, and the few works that wait
