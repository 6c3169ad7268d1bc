"""Blocks of a service on a Dask cluster that is killed: it owned nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("distributed")

import foreign_searches
from darkstats.errors import ShardError
from darkstats.service.asking import ask
from darkstats.service.questions import Question
from darkstats.service.store import JobState, Lane, Store
from darkstats.service.workers.cluster import DaskBlocks
from darkstats.service.workers.worker import Desk, work_once

POINTS = 64
CLUSTER = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, scheduler_port=int(sys.argv[1]),
        dashboard_address=None,
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
def cluster(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    path = folder / "cluster.py"
    path.write_text(CLUSTER, "utf-8")
    with subprocess.Popen(
        [sys.executable, str(path), str(port)], stdout=subprocess.PIPE, text=True, cwd=folder,
        stderr=subprocess.DEVNULL,
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
    remote = DaskBlocks(store, f"dask://127.0.0.1:{port}", name="dask", most=2, lease_s=5.0)
    with cluster(tmp_path, port) as process:
        assert remote.work_once()
        process.kill()
    remote._executor = type(remote._executor)(
        address=f"tcp://127.0.0.1:{port}", patience_s=1.0
    )  # nobody answers there: no need to wait long
    with pytest.raises(ShardError, match="no Dask scheduler"):
        remote.work_once()
    assert not store.queue.workers()  # what was leased is queued again
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
    remote = DaskBlocks(store, "dask://127.0.0.1:1", name="dask")
    assert not remote.work_once()
    store.queue.submit(
        owner="ana", key="a" * 64, verb="limit", question="{}", title="t", lane=Lane.LONG
    )
    assert not remote.work_once()  # a job is no block: the cluster is not even asked
