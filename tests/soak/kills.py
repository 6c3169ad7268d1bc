"""Kill scans, global significances, builds and shards at random times, and compare their bytes.

    python -m tests.soak.kills --kills 300 --output docs/studies/kills.json

Each verb runs once undisturbed. Then it begins in fresh folders again and again, and its process is
killed with SIGKILL at a random time of its course and started again until it ends by itself.
Nothing may be lost: every file that it leaves has to have the bytes of the undisturbed run, no file
may be there that the undisturbed run did not leave.

Commands run in forks of a process that has loaded the package and computed nothing, so that a kill
costs no start-up. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import foreign_searches

ROOT = Path(__file__).resolve().parents[2]
POINTS = 40
FEWER = {
    "quick: 1000000}": "quick: 20000}",
    "quick: 2000000}": "quick: 20000}",
    "step_sigma: 1.3 ": "step_sigma: 9.0 ",
}
SHARE = {"scan": 10, "global": 10, "shards": 7, "build": 3}
"""Of the kills: a build takes longest."""
MOST = 12
"""Kills of one command; then it may end: a block may take longer than the waits."""

Command = list[str]


@dataclass
class Work:
    """A verb: what makes its folder ready, its commands in order, and where its results lie."""

    name: str
    commands: Callable[[Path], list[Command]]
    begin: Callable[[Path], None] = lambda folder: None
    results: str = "out"
    seconds: float = 0.0
    wanted: dict[str, str] = field(default_factory=dict)


def fork(arguments: Command) -> int:
    """Start a command in a process group of its own; its process."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        from darkstats.cli.running import run

        status = run(arguments)
    finally:
        os._exit(status)


def finish(arguments: Command) -> None:
    """Run a command to its end."""
    _, state = os.waitpid(fork(arguments), 0)
    if state != 0:
        sys.exit(f"{' '.join(arguments)}: status {os.waitstatus_to_exitcode(state)}")


def disturbed(arguments: Command, seconds: float, rng: random.Random, most: int) -> int:
    """Run a command to its end, killed at random times on the way; the number of kills."""
    kills = 0
    while True:
        pid = fork(arguments)
        end = time.monotonic() + rng.uniform(0.0, 0.8 * seconds)
        done, state = os.waitpid(pid, os.WNOHANG)
        while not done and (time.monotonic() < end or kills >= most):
            time.sleep(0.005)
            done, state = os.waitpid(pid, os.WNOHANG)
        if done:
            if state != 0:
                sys.exit(f"{' '.join(arguments)}: status {os.waitstatus_to_exitcode(state)}")
            return kills
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder, by its name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def works(made: Path) -> list[Work]:
    """The four kinds of long work, each of a second or two."""
    foreign_searches.write(made / "b.json", foreign_searches.background())
    points = foreign_searches.patch_set(["mass"], [[k] for k in range(POINTS)])
    foreign_searches.write(made / "s.json", points)
    source = [str(made / "b.json"), "--patchset", str(made / "s.json")]
    scanned = made / "scanned"
    finish(["scan", *source, "-o", str(scanned), "--workers", "1"])
    card = made / "card.yaml"
    text = (ROOT / "models/dark_higgsstrahlung.yaml").read_text("utf-8")
    for old, new in FEWER.items():
        text = text.replace(old, new)
    card.write_text(text, "utf-8")

    def shards(folder: Path) -> list[Command]:
        out = str(folder / "out")
        one, two = (["shards", "run", out, "--shard", str(k), "--of", "2"] for k in (0, 1))
        plan = ["shards", "plan", *source, "-o", out]
        return [plan, one, two, ["shards", "merge", out]]

    def build(folder: Path) -> list[Command]:
        words = ["--cache", str(folder / "cache"), "--quick", "--workers", "1"]
        return [["build", str(card), "-o", str(folder / "out"), *words]]

    return [
        Work(
            "scan",
            lambda folder: [["scan", *source, "-o", str(folder / "out"), "--workers", "1"]],
        ),
        Work(
            "global",
            lambda folder: [
                ["global", str(folder / "out"), "--toys", "1024", "--workers", "1", "--seed", "3"]
            ],
            begin=lambda folder: shutil.copytree(scanned, folder / "out") and None,
        ),
        Work("build", build),
        Work("shards", shards),
    ]


def undisturbed(work: Work, root: Path) -> None:
    """Time a work, and keep what it leaves."""
    folder = root / work.name
    folder.mkdir()
    work.begin(folder)
    begin = time.monotonic()
    for arguments in work.commands(folder):
        finish(arguments)
    work.seconds = time.monotonic() - begin
    work.wanted = digests(folder / work.results)


def one_round(work: Work, root: Path, rng: random.Random, most: int) -> dict[str, Any]:
    """One work, killed on the way; what differs."""
    folder = Path(tempfile.mkdtemp(dir=root))
    work.begin(folder)
    commands = work.commands(folder)
    kills = sum(
        disturbed(arguments, work.seconds / len(commands), rng, min(MOST, most))
        for arguments in commands
    )
    found = digests(folder / work.results)
    shutil.rmtree(folder)
    differing = sorted(k for k in {*found, *work.wanted} if found.get(k) != work.wanted.get(k))
    return {"kills": kills, "differing": differing}


def main() -> int:
    """Run, and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="scan, global, build or shards")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    import darkstats.cli.app
    import darkstats.workflows  # noqa: F401 -- loaded once, before the first fork

    rng, rows = random.Random(asked.seed), []
    root = Path(tempfile.mkdtemp(prefix="kills_"))
    try:
        chosen = [w for w in works(root) if not asked.only or w.name in asked.only]
        for work in chosen:
            undisturbed(work, root)
            row: dict[str, Any] = {
                "work": work.name, "files": len(work.wanted), "rounds": 0, "kills": 0,
                "differing": [], "seconds_undisturbed": round(work.seconds, 2),
            }  # fmt: skip
            wanted = -(-asked.kills * SHARE[work.name] // sum(SHARE[w.name] for w in chosen))
            while row["kills"] < wanted:
                found = one_round(work, root, rng, wanted - row["kills"])
                row["rounds"] += 1
                row["kills"] += found["kills"]
                row["differing"] += found["differing"]
                sys.stderr.write(
                    f"{work.name}: {row['kills']} kills, {row['rounds']} rounds, "
                    f"{row['differing']} differ\n"
                )
            rows.append(row)
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    result = {
        "schema": "darkstats.kills/1",
        "seed": asked.seed,
        "kills": sum(row["kills"] for row in rows),
        "works": rows,
    }
    if asked.output:
        asked.output.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return int(any(row["differing"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
