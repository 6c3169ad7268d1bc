"""Kill the workers and the main process of a scan, again and again, and compare the result.

    python -m tests.soak.killed_scans workspaces/alp --kills 100 --output kills.json

An undisturbed scan gives the digest. Then the same scan runs into another folder; every few seconds
one of its processes is killed with SIGKILL, every third time the main one, which is started again.
Nothing may be lost or doubled, and the result has to have the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(folder: str, output: Path, toys: int) -> list[str]:
    return [
        sys.executable, "-m", "darkstats", "scan", folder, "-o", str(output), "--workers", "2",
        "--method", "cls", "--calculator", "toys", "--toys", str(toys), "--json",
    ]  # fmt: skip


def start(folder: str, output: Path, toys: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(folder, output, toys),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def children(pid: int) -> list[int]:
    """Worker processes of a scan."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid and b"spawn_main" in line:
            found.append(int(entry.name))
    return found


def digest(output: Path) -> str:
    return hashlib.sha256((output / "scan.json").read_bytes()).hexdigest()


def finished(output: Path) -> int:
    return len(list((output / "blocks").glob("*.json")))


class Killer:
    """Kills processes of scans, every third time the main one, and counts."""

    def __init__(self, folder: str, toys: int, kills: int, seed: int) -> None:
        self.folder, self.toys, self.kills = folder, toys, kills
        self.rng = random.Random(seed)
        self.killed = {"workers": 0, "main": 0}

    @property
    def enough(self) -> bool:
        return sum(self.killed.values()) >= self.kills

    def scan(self, output: Path) -> None:
        """Run one scan to its end, killing on the way."""
        process = start(self.folder, output, self.toys)
        while True:
            time.sleep(self.rng.uniform(0.5, 1.5))
            if process.poll() is not None:
                if process.returncode == 0:
                    return
                process = start(self.folder, output, self.toys)
                time.sleep(2.0)
            elif self.enough:
                process.wait()
                return
            else:
                self.kill(process, output)

    def kill(self, process: subprocess.Popen[bytes], output: Path) -> None:
        workers = children(process.pid)
        if workers and sum(self.killed.values()) % 3:
            os.kill(self.rng.choice(workers), signal.SIGKILL)
            self.killed["workers"] += 1
        elif (output / "blocks").exists():
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            self.killed["main"] += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--toys", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    killer = Killer(asked.folder, asked.toys, asked.kills, asked.seed)
    root = Path(tempfile.mkdtemp())
    try:
        begin = time.monotonic()
        whole = command(asked.folder, root / "whole", asked.toys)
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL)
        undisturbed = time.monotonic() - begin
        wanted, blocks = digest(root / "whole"), finished(root / "whole")
        rounds, begin = 0, time.monotonic()
        while not killer.enough:
            output = root / f"killed_{rounds}"
            rounds += 1
            killer.scan(output)
            found, kept = digest(output), finished(output)
            if (found, kept) != (wanted, blocks):
                sys.exit(f"round {rounds}: {kept} of {blocks} blocks, digest {found} not {wanted}")
            sys.stdout.write(
                f"round {rounds}: same digest, {kept} blocks; killed so far {killer.killed}\n"
            )
            sys.stdout.flush()
        result = {
            "kills": killer.killed, "rounds": rounds, "blocks": blocks, "digest": wanted,
            "lost": 0, "doubled": 0, "seconds_undisturbed": round(undisturbed, 1),
            "seconds_killed": round(time.monotonic() - begin, 1),
        }  # fmt: skip
        sys.stdout.write(json.dumps(result) + "\n")
        if asked.output:
            asked.output.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
