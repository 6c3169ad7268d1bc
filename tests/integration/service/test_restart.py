"""A service that is killed and started again: who watched a job misses nothing."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from darkstats.service.client import Client, JobEvent


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_events_go_on_through_a_kill_of_the_server(
    tmp_path: Path, repository: Path, serve: Callable[..., Any]
) -> None:
    """Killed while toys are thrown; each event comes once, in order, and the job ends."""
    port, store = str(free_port()), tmp_path / "service.db"
    seen: list[JobEvent] = []
    half = threading.Event()

    def watch(url: str, job: str) -> None:
        with Client(url) as client:
            for event in client.events(job):
                seen.append(event)
                if event.body.get("state") == "running":
                    half.set()

    with serve(store, "--port", port, "--workers", "1") as (url, pid):
        with Client(url) as client:
            job = client.ask(
                "gof", source=repository / "workspaces/examples/two_bins.json",
                calculator="toys", n_toys=20_000, seed=1,
            )  # fmt: skip
        watcher = threading.Thread(target=watch, args=(url, job.name))
        watcher.start()
        assert half.wait(60)
        os.kill(pid, signal.SIGKILL)
    with serve(store, "--port", port, "--workers", "1") as (url, _):
        watcher.join(120)
        assert not watcher.is_alive()
        with Client(url) as client:
            assert client.wait(job.name, timeout=60).exit_status == 0
            kept = list(client.events(job.name))
    numbers = [event.id for event in seen]
    assert numbers == sorted(set(numbers))
    assert seen[-1].body == {"state": "done"}
    states = [event for event in kept if event.kind == "state"]
    assert {event.id for event in states} <= set(numbers)


def test_a_signal_ends_it_with_what_it_did(tmp_path: Path, serve: Callable[..., Any]) -> None:
    """Streams that are open do not keep it."""
    running = serve(tmp_path / "service.db", "--port", "0", "--workers", "0")
    with running as (url, pid), Client(url) as client:
        job = client.ask("digest", source={"channels": []})
        events = client.events(job)
        assert next(events).body == {"state": "queued"}
        os.kill(pid, signal.SIGTERM)
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert ended.si_status == 0
