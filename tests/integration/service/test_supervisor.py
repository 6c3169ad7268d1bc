"""Workers as processes: killed, too long, left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy")

from darkstats.service.asking import ask
from darkstats.service.questions import Question
from darkstats.service.store import JobState, Store
from darkstats.service.workers.limits import Limits
from darkstats.service.workers.supervisor import Supervisor

EXAMPLES = Path(__file__).resolve().parents[3] / "workspaces/examples"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/store.db")
    yield made
    made.close()


@pytest.fixture
def supervise(store: Store) -> Iterator[Callable[..., Supervisor]]:
    made = []

    def start(**settings) -> Supervisor:
        found = Supervisor(store.database.url, **settings)
        found.start()
        made.append(found)
        return found

    yield start
    for one in made:
        one.stop(grace_s=0.5)


def limit(store: Store, **options) -> Question:
    path = EXAMPLES / "two_bins.json"
    kept = store.documents.collect({path.name: path.read_bytes()}, owner="ana", title="two")
    return Question(
        verb="limit", options={"source": f"sha256:{kept.digest}/{path.name}", **options}
    )


def until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def state(store: Store, name: str) -> JobState:
    return store.queue.job(name).state


def test_jobs_are_answered_by_processes(store, supervise) -> None:
    supervisor = supervise(workers=1)
    job = ask(store, limit(store), owner="ana")
    until(lambda: state(store, job.name) is JobState.DONE)
    assert supervisor.alive() == 2
    supervisor.stop()
    assert supervisor.alive() == 0


def test_a_killed_worker_is_replaced_and_its_job_done(store, supervise) -> None:
    supervisor = supervise(workers=1)
    job = ask(store, limit(store, calculator="toys", n_toys=300_000), owner="ana")
    until(lambda: state(store, job.name) is JobState.RUNNING)
    for pid in supervisor.pids():
        os.kill(pid, signal.SIGKILL)
    until(lambda: store.queue.job(job.name).attempt == 2)
    store.queue.cancel(job.name)
    until(lambda: supervisor.alive() == 2)


def test_a_job_that_takes_too_long_fails_and_says_so(store, supervise) -> None:
    supervise(workers=1, limits=Limits(wall_s=1.0))
    job = ask(store, limit(store, calculator="toys", n_toys=100_000_000), owner="ana")
    until(lambda: state(store, job.name) is JobState.FAILED)
    assert "longer than 1 s" in store.queue.job(job.name).reason


def test_a_cancelled_job_ends_its_worker(store, supervise) -> None:
    supervisor = supervise(workers=1)
    job = ask(store, limit(store, calculator="toys", n_toys=100_000_000), owner="ana")
    until(lambda: state(store, job.name) is JobState.RUNNING)
    before = supervisor.pids()
    store.queue.cancel(job.name)
    until(lambda: supervisor.alive() == 2 and supervisor.pids() != before, 60.0)
    other = ask(store, limit(store), owner="ana")
    until(lambda: state(store, other.name) is JobState.DONE)


def test_what_needs_too_much_memory_fails_and_says_so(store, supervise) -> None:
    supervise(workers=1, limits=Limits(memory_bytes=1_500_000_000))
    job = ask(store, limit(store, calculator="toys", n_toys=1_000_000_000), owner="ana")
    until(lambda: store.queue.job(job.name).state.is_final, 60.0)
    assert "memory" in store.queue.job(job.name).reason


def test_figures_are_drawn_under_all_limits(store, supervise) -> None:
    supervise(workers=1)
    plain = limit(store)
    drawn = ("cls.svg", "cls.pdf", "cls.png")
    asked = Question(verb="limit", options=plain.options, figures=drawn)
    job = ask(store, asked, owner="ana")
    until(lambda: state(store, job.name).is_final, 60.0)
    assert store.queue.job(job.name).state is JobState.DONE, store.queue.job(job.name).reason
    shown = {name for name in store.results.get(job.key).artefacts if not name.startswith(".")}
    assert shown == set(drawn)


def test_workers_of_a_server_that_is_killed_end(store, tmp_path) -> None:
    program = (
        "import sys, time\n"
        "from darkstats.service.workers.supervisor import Supervisor\n"
        "found = Supervisor(sys.argv[1], workers=1)\n"
        "found.start()\n"
        "while found.alive() < 2: time.sleep(0.05)\n"
        "print(*found.pids(), flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, store.database.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        pids = list(map(int, server.stdout.readline().split()))
        job = ask(store, limit(store, calculator="toys", n_toys=50_000), owner="ana")
        until(lambda: state(store, job.name) is JobState.RUNNING)
        server.kill()
    until(lambda: state(store, job.name) is JobState.DONE, 60.0)  # what is begun is finished
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 60.0)
