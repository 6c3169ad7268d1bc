"""Kill workers and servers of the service, again and again, and compare every byte.

    python -m tests.soak.service_kills --worker-kills 1000 --server-kills 200 --output kills.json

Scans, toys of whole spectra and limits with toys are answered once undisturbed. Then the same
questions are put to fresh stores, while workers and servers are killed with SIGKILL at random
times. Every question that was acknowledged has to be answered, once, with the same bytes; every
block has to be kept once, with the same bytes; who follows the events has to see each of them once.
The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.soak.forks import HERE, Forked, Zygote
from tests.soak.service_server import PROGRAMS, warm

import foreign_searches
from darkstats.service.asking import ask
from darkstats.service.questions import Question
from darkstats.service.store import JobState, Store
from darkstats.service.store.schema import BLOCK, JOB, RESULT

ROOT = Path(__file__).resolve().parents[2]
POINTS = 96
OWNERS = ("ana", "ben", "cara")
PATIENCE_S = 900.0
"""For one round."""
MOST = 100
"""Kills of one round."""


def make_documents(folder: Path) -> dict[str, Path]:
    """What is asked about: a small scan, a foreign one, and its finished folder."""
    foreign_searches.write(folder / "b.json", foreign_searches.background())
    points = foreign_searches.patch_set(["mass"], [[k] for k in range(POINTS)])
    foreign_searches.write(folder / "s.json", points)
    command = [
        sys.executable, "-m", "darkstats", "scan", str(folder / "b.json"), "--patchset",
        str(folder / "s.json"), "-o", str(folder / "scanned"), "--workers", "1",
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.copytree(ROOT / "workspaces/examples/mass_scan", folder / "mass_scan")
    return {"foreign": folder, "mass_scan": folder / "mass_scan", "scanned": folder / "scanned"}


def questions(store: Store, folder: Path) -> list[Question]:
    """Put the documents into a store, and ask about them."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    base = f"sha256:{store.documents.collect(files, owner='ana', title='soak').digest}"
    foreign = {"source": f"{base}/b.json", "patchset": f"{base}/s.json"}
    toys = {"calculator": "toys", "method": "cls"}
    return [
        Question(verb="scan", options={"source": f"{base}/mass_scan", "n_toys": 100, **toys}),
        Question(verb="scan", options=foreign),
        Question(verb="global", options={"source": f"{base}/scanned", "n_toys": 8192, "seed": 3}),
        Question(verb="limit", options={**foreign, "point": "point_3", "n_toys": 1000, **toys}),
        Question(verb="significance", options={**foreign, "point": "point_7"}),
    ]


class Server:
    """A process that has workers, and can be killed."""

    def __init__(self, url: str, workers: int) -> None:
        self.url, self.workers = url, workers
        self.starts: list[float] = []
        self.process = self.start()

    def start(self) -> Forked:
        begun = time.monotonic()
        process = HERE[0].run("serve", [self.url, str(self.workers)])
        process.stdout.readline()
        self.starts.append(time.monotonic() - begun)
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self.start()


@dataclass
class Follower:
    """Reads the events of jobs as a browser does: those after the last one that it has seen."""

    store: Store
    seen: dict[int, list[int]] = field(default_factory=dict)

    def look(self, jobs: list[int]) -> None:
        for job in jobs:
            known = self.seen.setdefault(job, [])
            known += [e.id for e in self.store.queue.events(job, after=known[-1] if known else 0)]

    def faults(self, job: int) -> list[str]:
        with self.store.database.engine.connect() as connection:
            event = sa.table("event", sa.column("id"), sa.column("job"))
            query = sa.select(event.c.id).where(event.c.job == job).order_by(event.c.id)
            there = list(connection.execute(query).scalars())
        return [] if there == self.seen.get(job) else [f"job {job}: events lost or doubled"]


@dataclass
class Round:
    """What one store holds at the end."""

    records: dict[str, str]
    blocks: dict[str, str]
    faults: list[str]
    seconds: float


def state_of(store: Store, follower: Follower, jobs: dict[int, str]) -> Round:
    """Digests of all answers and blocks, and what is wrong without comparing."""
    faults = [fault for job in jobs for fault in follower.faults(job)]
    with store.database.engine.connect() as connection:
        if store.database.is_sqlite:
            said = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
            faults += [] if said == "ok" else [f"integrity: {said}"]
        rows = connection.execute(sa.select(JOB)).all()
        faults += [f"{r.title}: {r.state} {r.reason}" for r in rows if r.state != "done"]
        faults += [f"{len(rows)} jobs of {len(jobs)}"] if len(rows) != len(jobs) else []
        for row in rows:
            events = store.queue.events(row.id)
            ends = [e for e in events if json.loads(e.body).get("state") == "done"]
            faults += [] if len(ends) == 1 else [f"{row.title}: done {len(ends)} times"]
        records = {
            row.verb + row.key[:8]: row.digest for row in connection.execute(sa.select(RESULT))
        }
        blocks = {
            f"{row.work[:8]}/{row.number}": hashlib.sha256(row.body.encode()).hexdigest()
            for row in connection.execute(sa.select(BLOCK))
        }
    return Round(records=records, blocks=blocks, faults=faults, seconds=0.0)


@contextmanager
def fresh_store(root: Path, cluster: Any) -> Iterator[Store]:
    folder = Path(tempfile.mkdtemp(dir=root))
    url = f"sqlite:///{folder}/store.db" if cluster is None else cluster.emptied()
    store = Store(url)
    try:
        yield store
    finally:
        store.close()
        shutil.rmtree(folder)


class Killer:
    """Puts all questions to fresh stores, and kills who answers."""

    def __init__(self, asked: argparse.Namespace, root: Path, cluster: Any) -> None:
        self.asked, self.root, self.cluster = asked, root, cluster
        self.rng = random.Random(asked.seed)
        self.killed = {"workers": 0, "servers": 0}
        self.starts: list[float] = []
        self.rounds = 0

    @property
    def left(self) -> dict[str, int]:
        wanted = {"workers": self.asked.worker_kills, "servers": self.asked.server_kills}
        return {kind: wanted[kind] - self.killed[kind] for kind in wanted}

    @property
    def enough(self) -> bool:
        return max(self.left.values()) <= 0

    def kill(self, server: Server, store: Store) -> None:
        left = self.left
        total = sum(max(n, 0) for n in left.values())
        if total == 0:
            return
        if self.rng.random() * total < max(left["servers"], 0):
            server.kill()
            self.killed["servers"] += 1
            return
        names = store.queue.workers()
        if names:
            with suppress(OSError):
                os.kill(int(self.rng.choice(names).split("/")[1]), signal.SIGKILL)
                self.killed["workers"] += 1

    def round(self, documents: Path, *, disturbed: bool) -> Round:
        begun = time.monotonic()
        with fresh_store(self.root, self.cluster) as store:
            server, follower = Server(store.database.url, self.asked.workers), Follower(store)
            try:
                jobs, kills = {}, 0
                for number, question in enumerate(questions(store, documents)):
                    job = ask(store, question, owner=OWNERS[number % len(OWNERS)])
                    jobs[job.id] = job.name
                following = time.monotonic() + self.rng.uniform(*self.asked.every)
                while not all(store.queue.job(n).state.is_final for n in jobs.values()):
                    assert time.monotonic() - begun < PATIENCE_S, "a round does not end"
                    follower.look(list(jobs))
                    time.sleep(0.02)
                    if disturbed and kills < MOST and time.monotonic() > following:
                        kills += 1
                        self.kill(server, store)
                        following = time.monotonic() + self.rng.uniform(*self.asked.every)
                follower.look(list(jobs))
                assert all(store.queue.job(n).state is JobState.DONE for n in jobs.values())
                found = state_of(store, follower, jobs)
                found.seconds = time.monotonic() - begun
                return found
            finally:
                self.starts += server.starts
                server.process.kill()
                server.process.wait()


def differing(found: Round, wanted: Round) -> list[str]:
    """What is not as in the undisturbed round."""
    faults = list(found.faults)
    for name in ("records", "blocks"):
        one, other = getattr(found, name), getattr(wanted, name)
        faults += [
            f"{name} {k}: lost, doubled or different"
            for k in sorted({*one, *other})
            if one.get(k) != other.get(k)
        ]
    return faults


def main() -> int:
    """Run, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worker-kills", type=int, default=1000)
    parser.add_argument("--server-kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=float, nargs=2, default=(0.05, 0.4), metavar="S")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true", help="in a cluster of its own")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    cluster = None
    if asked.postgresql:
        from postgres_clusters import Cluster

        cluster = Cluster(durable=True)
    root = Path(tempfile.mkdtemp(prefix="service_kills_"))
    killer, faults = Killer(asked, root, cluster), []
    Zygote(PROGRAMS, warm)  # before anything here has threads or a database
    begun = time.monotonic()
    try:
        documents = root / "documents"
        documents.mkdir()
        make_documents(documents)
        wanted = killer.round(documents, disturbed=False)
        faults += differing(wanted, wanted)
        while not killer.enough and not faults:
            found = killer.round(documents, disturbed=True)
            killer.rounds += 1
            faults += differing(found, wanted)
            line = (
                f"round {killer.rounds}: {found.seconds:.1f} s, killed {killer.killed}, {faults}\n"
            )
            sys.stderr.write(line)
            sys.stderr.flush()
            write(asked, killer, wanted, faults, time.monotonic() - begun)
    finally:
        HERE[0].end()
        shutil.rmtree(root, ignore_errors=True)
        if cluster is not None:
            cluster.remove()
    return int(bool(faults))


def write(
    asked: argparse.Namespace, killer: Killer, wanted: Round, faults: list[str], seconds: float
) -> None:
    """Write what was done so far, and what was found."""
    starts = sorted(killer.starts)
    result = {
        "schema": "darkstats.service_kills/1",
        "store": "postgresql" if asked.postgresql else "sqlite",
        "seed": asked.seed,
        "killed": killer.killed,
        "rounds": killer.rounds,
        "questions": killer.rounds * len(wanted.records),
        "blocks": killer.rounds * len(wanted.blocks),
        "faults": faults,
        "seconds_undisturbed": round(wanted.seconds, 1),
        "seconds": round(seconds, 1),
        "restart_s": {
            "median": round(statistics.median(starts), 2), "largest": round(starts[-1], 2),
        },
    }  # fmt: skip
    if asked.output:
        asked.output.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
