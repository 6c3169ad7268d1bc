"""A real service: the command line's own process, its workers, and a socket."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START = "import sys; from darkstats.cli import main; sys.argv[0] = 'darkstats'; sys.exit(main())"


@contextmanager
def serving(store: Path | str, *more: str, timeout_s: float = 120.0) -> Iterator[tuple[str, int]]:
    """Start a service, and stop it at the end; gives its address and process number."""
    log = Path(str(store) + ".log")
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", START, "serve", "--store", str(store), *more],
            stdout=subprocess.DEVNULL, stderr=errors,
            env={**os.environ, "MPLBACKEND": "agg"},
        )  # fmt: skip
        begun, seen = time.monotonic(), log.stat().st_size
        try:
            while True:
                text = log.read_bytes()[seen:].decode()
                found = re.search(r"serving at (http://\S+?)/ ", text)
                if found:
                    yield found[1], process.pid
                    break
                assert process.poll() is None, log.read_text()
                assert time.monotonic() - begun < timeout_s, log.read_text()
                time.sleep(0.05)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


@pytest.fixture(scope="session")
def serve() -> Callable[..., object]:
    return serving
