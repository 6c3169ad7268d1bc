"""Let several commands compile into one empty cache at once, and kill some of them.

    python -m tests.soak.compilers --rounds 3 --at-once 3 --output docs/studies/compilers.json

In each round the cache is empty. Commands start within a second; each odd one is killed after a
random time. Those that were not killed have to end with status 0 and the same record, and so has a
last command, after which the cache is to hold what it held before: nothing is compiled again. The
exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORKSPACE = Path(__file__).parents[2] / "workspaces/examples/two_bins.json"
LAST_S = 600.0


def _begin(cache: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "darkstats", "limit", str(WORKSPACE), "--json"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "SOURCE_DATE_EPOCH": "0"}
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def _files(cache: Path) -> dict[str, int]:
    return {str(p.relative_to(cache)): p.stat().st_mtime_ns for p in cache.rglob("*.nb*")}


def one_round(at_once: int, rng: random.Random) -> dict[str, Any]:
    """Commands that compile at once, and one after them."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        running = []
        for _ in range(at_once):
            running.append(_begin(cache))
            time.sleep(rng.uniform(0.0, 1.0))
        killed = 0
        for process in running[1::2]:
            time.sleep(rng.uniform(2.0, 20.0))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
            process.communicate()
        ends = [process.communicate(timeout=LAST_S) for process in running[::2]]
        records = [out for out, _ in ends]
        bad = [err.decode() for (_, err), p in zip(ends, running[::2], strict=True) if p.returncode]
        before = _files(cache)
        last = _begin(cache)
        out, err = last.communicate(timeout=LAST_S)
        bad += [err.decode()] if last.returncode else []
        return {
            "killed": killed,
            "ended": len(ends) + 1,
            "failed": bad,
            "different_records": len({*records, out}) - 1,
            "compiled_again": len(_files(cache).items() - before.items()),
        }


def main() -> int:
    """Run the rounds and write what became of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    rounds = [one_round(asked.at_once, rng) for _ in range(asked.rounds)]
    record = {"schema": "darkstats.compilers/1", "at_once": asked.at_once, "rounds": rounds}
    text = json.dumps(record, indent=1)
    sys.stdout.write(text + "\n")
    if asked.output:
        asked.output.write_text(text + "\n", "utf-8")
    keys = ("failed", "different_records", "compiled_again")
    return 1 if any(one[key] for one in rounds for key in keys) else 0


if __name__ == "__main__":
    sys.exit(main())
