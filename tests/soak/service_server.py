"""Workers of a service without its doors, to be killed.

A job may lose any number of workers here: it is not the job that kills them.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.soak.forks import HERE, Forked

import darkstats
from darkstats import workflows
from darkstats.service.questions import numerics_version
from darkstats.service.store import changes
from darkstats.service.workers import process, supervisor
from darkstats.service.workers.limits import Limits

ROOT = Path(__file__).resolve().parents[2]


def warm() -> None:
    """Load what workers need, and compute a little of all."""
    examples = ROOT / "workspaces/examples"
    toys: dict[str, Any] = {"calculator": "toys", "n_toys": 100, "method": "cls"}
    darkstats.limit(str(examples / "two_bins.json"), threads=1, **toys)
    workflows.scan(workflows.MassScanRequest(source=str(examples / "mass_scan"), workers=1))
    numerics_version()


def work(arguments: list[str]) -> None:
    """The program of a worker."""
    process.main()


def serve(arguments: list[str]) -> None:
    """The program of a server: a supervisor whose workers are forked as well."""

    def popen(command: object, **settings: Any) -> Forked:
        os.environ.update({k: v for k, v in settings["env"].items() if os.environ.get(k) != v})
        return HERE[0].run("work", [])

    supervisor.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=popen, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired
    )
    changes.MOST_ATTEMPTS = 1_000_000
    url, workers = arguments[0], int(arguments[1])
    found = supervisor.Supervisor(url, workers=workers, limits=Limits(lease_s=15.0, nice=0))
    found.start()
    while found.alive() < workers + 1:
        threading.Event().wait(0.005)
    os.write(1, b"ready\n")
    parent = os.getppid()
    while os.getppid() == parent:  # or the whole run was ended
        threading.Event().wait(1.0)


PROGRAMS = {"work": work, "serve": serve}
