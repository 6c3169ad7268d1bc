"""Blocks of a service on a Dask cluster that is killed: it owned nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("distributed")

import sqlalchemy as sa

import foreign_searches
from darkstats.errors import OptionError, ShardError
from darkstats.execution.run import dask_cluster_of
from darkstats.execution.worker import Worker
from darkstats.service.asking import ask
from darkstats.service.questions import Question
from darkstats.service.store import JobState, Lane, Store
from darkstats.service.store.schema import BLOCK
from darkstats.service.workers.cluster import DaskBlocks
from darkstats.service.workers.worker import Desk, work_once
from darkstats.workflows.scans import task_of

POINTS = 64
CLUSTER = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(
        n_workers=int(sys.argv[2]), threads_per_worker=1, processes=True,
        scheduler_port=int(sys.argv[1]), dashboard_address=None,
    )
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/store.db")
    yield made
    made.close()


def question(store: Store, folder: Path) -> Question:
    foreign_searches.write(folder / "b.json", foreign_searches.background())
    points = foreign_searches.patch_set(["mass"], [[k] for k in range(POINTS)])
    foreign_searches.write(folder / "s.json", points)
    files = {name: (folder / name).read_bytes() for name in ("b.json", "s.json")}
    base = f"sha256:{store.documents.collect(files, owner='ana', title='t').digest}"
    return Question(verb="scan", options={"source": f"{base}/b.json", "patchset": f"{base}/s.json"})


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def cluster(folder: Path, port: int, *, n_workers: int = 1) -> Iterator[subprocess.Popen[str]]:
    path = folder / "cluster.py"
    path.write_text(CLUSTER, "utf-8")
    with subprocess.Popen(
        [sys.executable, str(path), str(port), str(n_workers)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_cluster_that_is_killed_loses_nothing(store: Store, tmp_path: Path) -> None:
    asked, port = question(store, tmp_path), free_port()
    job = ask(store, asked, owner="ana")
    assert work_once(store)  # up to its blocks
    assert store.queue.job(job.name).state is JobState.WAITING
    remote = DaskBlocks(store, dask_cluster_of(f"dask://127.0.0.1:{port}"), name="dask")
    with cluster(tmp_path, port) as process:
        assert remote.work_once()
        process.kill()
    hasty = replace(dask_cluster_of(f"dask://127.0.0.1:{port}"), patience_s=1.0)
    with pytest.raises(ShardError, match="no Dask scheduler"):
        DaskBlocks(store, hasty, name="hasty").work_once()
    assert not store.queue.workers()  # nothing is leased for a cluster that is not there
    with cluster(tmp_path, port):
        end = time.monotonic() + 120.0
        while store.queue.job(job.name).state is JobState.WAITING:
            assert time.monotonic() < end
            remote.work_once()
    desk = Desk(store, name="here")
    claim = desk.claim()
    desk.work(claim)
    assert store.queue.job(job.name).state is JobState.DONE
    by_dask = store.results.get(job.key).record

    other = Store(f"sqlite:///{tmp_path}/other.db")
    again = ask(other, question(other, tmp_path), owner="ana")
    while work_once(other):
        pass
    assert other.results.get(again.key).record == by_dask
    attempts = [json.loads(e.body).get("state") for e in store.queue.events(job.id)]
    assert attempts.count("done") == 1
    other.close()


def test_only_blocks_of_long_jobs_are_taken(store: Store, tmp_path: Path) -> None:
    remote = DaskBlocks(store, dask_cluster_of("dask://127.0.0.1:1"), name="dask")
    assert not remote.work_once()
    store.queue.submit(
        owner="ana", key="a" * 64, verb="limit", question="{}", title="t", lane=Lane.LONG
    )
    assert not remote.work_once()  # a job is no block: the cluster is not even asked


def test_a_cluster_without_workers_is_given_nothing(store: Store, tmp_path: Path) -> None:
    port = free_port()
    ask(store, question(store, tmp_path), owner="ana")
    assert work_once(store)
    remote = DaskBlocks(store, dask_cluster_of(f"dask://127.0.0.1:{port}"), name="dask")
    with cluster(tmp_path, port, n_workers=0):
        with pytest.raises(ShardError, match="has no worker"):
            remote.work_once()
        assert not store.queue.workers()


class OneByOne:
    """A cluster of one thread in this process, with what a test does before each block."""

    def __init__(self, before: Any) -> None:
        self.address, self.threads, self._before = "here", lambda: 40, before

    def run(self, task: Any, job: Any, blocks: Any, on_block: Any) -> None:
        worker = Worker(task, job)
        for number, block in enumerate(blocks):
            self._before(number)
            on_block(block, worker.run(block))


def here(store: Store, before: Any = lambda number: None) -> DaskBlocks:
    made = DaskBlocks(store, dask_cluster_of("dask://127.0.0.1:1"), name="dask", lease_s=0.3)
    made._executor = OneByOne(before)
    return made


def states_of_blocks(store: Store) -> list[str]:
    with store.database.engine.connect() as connection:
        return list(connection.execute(sa.select(BLOCK.c.state).order_by(BLOCK.c.number)).scalars())


def test_what_nobody_waits_for_is_not_computed(store: Store, tmp_path: Path) -> None:
    job = ask(store, question(store, tmp_path), owner="ana")
    assert work_once(store)
    n_blocks = len(states_of_blocks(store))

    def before(number: int) -> None:
        if number == 1:
            store.queue.cancel(job.name)
            time.sleep(1.0)  # longer than between looks

    assert here(store, before).work_once()
    states = states_of_blocks(store)
    assert n_blocks > 3
    assert states == ["done"] * 2 + ["queued"] * (n_blocks - 2)
    assert not store.queue.workers()


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (ZeroDivisionError("of nothing"), (JobState.FAILED, "ZeroDivisionError: of nothing")),
        (MemoryError(), (JobState.FAILED, "not enough memory")),
        (OptionError("no such sample"), (JobState.DONE, "")),
    ],
)
@pytest.mark.parametrize("where", ["prepare", "run"])
def test_a_block_that_breaks_ends_its_job(
    store: Store, tmp_path: Path, where: str, error: Exception, ends: tuple[JobState, str]
) -> None:
    """And is not tried for ever."""

    def breaks(*_: object) -> Any:
        raise error

    job = ask(store, question(store, tmp_path), owner="ana")
    assert work_once(store)
    task = replace(task_of("limits"), **{where: breaks})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("darkstats.service.workers.cluster.task_of", lambda kind: task)
        while here(store).work_once():
            pass
    state, words = ends
    assert set(states_of_blocks(store)) == {"failed" if state is JobState.DONE else "lost"}
    assert work_once(store)
    found = store.queue.job(job.name)
    assert (found.state, words in found.reason) == (state, True)


@pytest.mark.filterwarnings("ignore")
def test_a_service_has_its_blocks_computed_by_a_cluster(
    serve: Any, store: Store, tmp_path: Path
) -> None:
    """`darkstats serve --cluster`, and one of two workers killed in the middle: same bytes."""
    asked, port = question(store, tmp_path), free_port()
    job = ask(store, asked, owner="local")
    assert work_once(store)  # up to its blocks; no server of this machine computes any of them
    url = f"dask://127.0.0.1:{port}"
    with (
        cluster(tmp_path, port, n_workers=2),
        serve(tmp_path / "store.db", "--port", "0", "--workers", "0", "--cluster", url),
    ):
        kills = threading.Thread(target=kill_a_worker, args=(store, port))
        kills.start()
        end = time.monotonic() + 240.0
        while store.queue.job(job.name).state is JobState.WAITING:
            assert time.monotonic() < end, (tmp_path / "store.db.log").read_text()
            time.sleep(0.05)
        kills.join()
    desk = Desk(store, name="here")
    desk.work(desk.claim())
    assert store.queue.job(job.name).state is JobState.DONE
    assert set(states_of_blocks(store)) == {"done"}

    other = Store(f"sqlite:///{tmp_path}/other.db")
    again = ask(other, question(other, tmp_path), owner="local")
    while work_once(other):
        pass
    assert other.results.get(again.key).record == store.results.get(job.key).record
    other.close()


def kill_a_worker(store: Store, port: int) -> None:
    """As soon as the first blocks are there."""
    from distributed import Client

    while not any(state == "done" for state in states_of_blocks(store)):
        time.sleep(0.02)
    assert any(state != "done" for state in states_of_blocks(store))
    with Client(f"tcp://127.0.0.1:{port}", set_as_default=False) as client:
        pids = client.run(os.getpid)
    with suppress(ProcessLookupError):
        os.kill(min(pids.values()), signal.SIGKILL)
