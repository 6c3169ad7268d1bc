"""How fast a service answers, from another process on the same machine.

    python -m tests.benchmarks.service --seconds 600

A real service with its workers; requests go out at their times whether or not earlier ones have
come back, so that a slow answer delays no measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.service.asking import ask
from darkstats.service.client import Client
from darkstats.service.questions import Question
from darkstats.service.store import Lane, Store

WORKSPACE = Path(__file__).parents[2] / "workspaces/examples/three_channels.json"
CONNECTIONS = 32
WARMING_S = 100.0
"""Requests of each kind go out for so long before anything is measured."""
Made = Callable[[int], tuple[str, str, bytes]]
START = "import sys; from darkstats.cli import main; sys.argv[0] = 'darkstats'; sys.exit(main())"


@contextmanager
def serving(store: Path, workers: int) -> Iterator[tuple[str, int]]:
    """A service of its own process tree."""
    words = ["serve", "--port", "0", "--store", str(store), "--workers", str(workers),
             "--jobs", "1000000"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"serving at (http://\S+?)/ ", line):
                yield found[1], process.pid
                break
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


class Connections:
    """Connections that are kept open; each has one request at a time."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._place = (host, int(port))
        self._free: asyncio.Queue[Any] = asyncio.Queue()

    async def open(self) -> None:
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection(*self._place))

    async def send(self, method: str, path: str, body: bytes = b"") -> int:
        """Send a request and read its answer; return the status."""
        reader, writer = await self._free.get()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        status = int((await reader.readline()).split()[1])
        length = 0
        while line := (await reader.readline()).strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        await reader.readexactly(length)
        self._free.put_nowait((reader, writer))
        return status


async def paced(
    url: str, rate: float, seconds: float, made: Made
) -> tuple[np.ndarray, dict[int, int]]:
    """Send requests at a rate; return times from when each was due, and statuses."""
    connections = Connections(url)
    await connections.open()
    times: list[float] = []
    statuses: dict[int, int] = {}

    async def one(number: int, due: float) -> None:
        status = await connections.send(*made(number))
        times.append(time.perf_counter() - due)
        statuses[status] = statuses.get(status, 0) + 1

    begun = time.perf_counter()
    running = []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0.0))
        running.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*running)
    return np.array(times), statuses


def told(times: np.ndarray, **more: Any) -> dict[str, Any]:
    quantiles = {f"p{q:g}_ms": round(float(np.quantile(times, q / 100)) * 1e3, 2)
                 for q in (50, 95, 99, 99.9)}  # fmt: skip
    return {"requests": len(times), **quantiles, **more}


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def processor_s(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Found(dict[str, Any]):
    """Measurements, each printed when it is there."""

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        sys.stdout.write(json.dumps({name: value}) + "\n")
        sys.stdout.flush()


def measure(seconds: float, queued: int) -> dict[str, Any]:
    """All measurements, on stores of their own."""
    found = Found()
    found["machine"] = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "service.db"
        with serving(store, 1) as (url, pid), Client(url) as client:
            reference = client.upload(WORKSPACE)[WORKSPACE.name]
            result = client.wait(client.ask("limit", source=reference))
            path = f"/api/v1/results/{result.key}"
            body = json.dumps({"source": reference}).encode()
            kinds: dict[str, tuple[float, float, Made]] = {
                "cached result": (300.0, seconds, lambda _: ("GET", path, b"")),
                "cached question": (
                    100.0, min(seconds, 60.0), lambda _: ("POST", "/api/v1/limit", body)
                ),
            }  # fmt: skip
            for rate, _, made in kinds.values():
                asyncio.run(paced(url, rate, WARMING_S, made))
            memory = [memory_mib(pid)]
            for name, (rate, long, made) in kinds.items():
                used = processor_s(pid)
                times, statuses = asyncio.run(paced(url, rate, long, made))
                each = (processor_s(pid) - used) / len(times) * 1e3
                found[name] = told(times, rate=rate, processor_ms=round(each, 2), statuses=statuses)
                memory.append(memory_mib(pid))
            found["memory"] = {"mib": [round(size, 1) for size in memory]}
        with serving(Path(folder) / "two.db", 1) as (url, pid), Client(url) as client:
            reference = client.upload(WORKSPACE)[WORKSPACE.name]

            def new(number: int) -> tuple[str, str, bytes]:
                options = {"source": reference, "mu": 1.0 + number * 1e-4}
                return "POST", "/api/v1/hypotest", json.dumps(options).encode()

            used = processor_s(pid)
            times, statuses = asyncio.run(paced(url, 20.0, min(seconds, 60.0), new))
            each = (processor_s(pid) - used) / len(times) * 1e3
            found["submit"] = told(times, rate=20.0, processor_ms=round(each, 2), statuses=statuses)
        found["claim"] = claims(Path(folder) / "three.db", queued)
        found["behind"] = behind(Path(folder) / "four.db")
    return found


def claims(place: Path, queued: int) -> dict[str, Any]:
    """Claims while so many jobs wait, of several owners."""
    store = Store(f"sqlite:///{place}")
    kept = store.documents.collect({"w.json": WORKSPACE.read_bytes()}, owner="a", title="w")
    for number in range(queued):
        options = {"source": f"sha256:{kept.digest}/w.json", "mu": 1.0 + number * 1e-5}
        ask(store, Question(verb="hypotest", options=options), owner=f"owner{number % 20}")
    times = []
    for _ in range(500):
        begun = time.perf_counter()
        assert store.queue.claim("bench", lanes=[Lane.QUICK, Lane.LONG], lease_s=600.0) is not None
        times.append(time.perf_counter() - begun)
    store.close()
    return told(np.array(times), queued=queued)


def behind(place: Path) -> dict[str, Any]:
    """A job of one fit, asked while a million toys are thrown."""
    with serving(place, 1) as (url, _), Client(url) as client:
        reference = client.upload(WORKSPACE)[WORKSPACE.name]
        long = client.ask("gof", source=reference, calculator="toys", n_toys=1_000_000, seed=1)
        while client.job(long).state == "queued":
            time.sleep(0.05)
        waits = []
        for number in range(10):
            begun = time.perf_counter()
            client.wait(client.ask("hypotest", source=reference, mu=1.0 + 0.01 * number))
            waits.append(time.perf_counter() - begun)
        state = client.job(long).state
        client.cancel(long)
    return {
        "longest_to_answer_s": round(max(waits), 3),
        "median_s": round(float(np.median(waits)), 3),
        "toys_state": state,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--report", type=Path, help="file for the figures, as JSON")
    given = parser.parse_args()
    found = measure(given.seconds, given.queued)
    text = json.dumps(found, indent=2) + "\n"
    if given.report is not None:
        given.report.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
