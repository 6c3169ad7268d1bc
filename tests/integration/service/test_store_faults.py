"""A full disk, and a database that is gone and comes back: nothing acknowledged is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

from darkstats.errors import ServiceError
from darkstats.service.store import Answer, JobClaim, JobState, Lane, Store
from darkstats.service.store.maintenance import check

BOTH = (Lane.QUICK, Lane.LONG)

FILL = """
import json, resource, signal, sys
from darkstats.errors import ServiceError
from darkstats.service.store import Lane, Store
store = Store(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
kept, number, words = [], 0, ""
while not words:
    number += 1
    try:
        kept.append(store.documents.collect(
            {"x": bytes([number % 256]) * 20_000}, owner="ana", title=str(number)
        ).digest)
        kept.append(store.queue.submit(
            owner="ana", key=f"{number:064x}", verb="limit", question="{}", title="t",
            lane=Lane.QUICK,
        ).name)
    except ServiceError as error:
        words = str(error)
print(json.dumps([kept, words]))
"""


def ask(store: Store, number: int):
    return store.queue.submit(
        owner=f"o{number % 3}", key=f"{number:064x}", verb="limit", question="{}", title="t",
        lane=Lane.QUICK,
    )  # fmt: skip


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    done = subprocess.run(
        [sys.executable, "-c", FILL, url, "1000000"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kept, words = json.loads(done.stdout)
    assert "nothing was changed" in words
    assert len(kept) > 10
    store = Store(url)  # and there is room again
    assert check(store) == ()
    for name in kept:
        found = store.documents.collection(name) if len(name) == 64 else store.queue.job(name)
        assert found is not None
    assert ask(store, 10_000).state is JobState.QUEUED
    store.close()


@pytest.fixture
def cluster() -> Iterator[object]:
    pytest.importorskip("psycopg")
    from postgres_clusters import Cluster

    made = Cluster(durable=True)
    yield made
    made.remove()


def test_a_database_that_crashes_and_comes_back(cluster) -> None:
    store = Store(cluster.url)
    acknowledged, over = [], threading.Event()
    refused: list[str] = []

    def ask_on() -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                acknowledged.append(ask(store, number).name)
            except ServiceError as error:
                refused.append(str(error))

    def work_on(name: str) -> None:
        while True:
            try:
                claim = store.queue.claim(name, lanes=BOTH, lease_s=2.0)
                if claim is None and over.is_set():
                    return
                if isinstance(claim, JobClaim):
                    store.queue.finish_job(claim, Answer(exit_status=0, record=claim.job.key))
            except ServiceError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=ask_on)]
    threads += [threading.Thread(target=work_on, args=(f"w{k}",)) for k in range(2)]
    for thread in threads:
        thread.start()
    try:
        for crash in range(4):
            end = time.monotonic() + 60.0
            while len(acknowledged) < 10 * (crash + 1) and time.monotonic() < end:
                time.sleep(0.05)
            if crash < 3:
                cluster.stop("immediate")
                time.sleep(0.5)
                cluster.start()
    finally:
        over.set()
        for thread in threads:
            thread.join(120.0)
    end = time.monotonic() + 60.0
    while store.queue.unfinished() and time.monotonic() < end:
        work_on("last")  # what was claimed when it crashed: its lease runs out
    jobs = [store.queue.job(name) for name in acknowledged]
    assert len(jobs) > 20
    assert {job.state for job in jobs} == {JobState.DONE}
    for job in jobs:
        states = [json.loads(event.body)["state"] for event in store.queue.events(job.id)]
        assert states.count("done") == 1
        assert store.results.get(job.key).record == job.key.encode()
    assert check(store) == ()
    store.close()
