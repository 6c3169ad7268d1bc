"""Calls of the command line in this process, and in others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from darkstats.cli import run


@dataclass(frozen=True)
class Done:
    """What a command left: exit status and both streams."""

    status: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Call = Callable[..., Done]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command here."""

    def invoke(*arguments: object) -> Done:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return invoke


@pytest.fixture
def command() -> Callable[..., subprocess.Popen[str]]:
    """Start a command in a process of its own."""

    def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "darkstats", *(str(argument) for argument in arguments)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            **options,
        )  # fmt: skip

    return start


@pytest.fixture
def two_bins(example_workspaces: dict[str, Path]) -> Path:
    """A small workspace."""
    return example_workspaces["two_bins"]


@pytest.fixture
def on_off(example_workspaces: dict[str, Path]) -> Path:
    """A counting experiment with few events."""
    return example_workspaces["on_off"]
