"""Small inputs, and commands in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.cli import run
from unbinned_models import bump, outline


@dataclass(frozen=True)
class Done:
    """What a command left: exit status, record (None without one), and messages."""

    status: int
    record: dict[str, Any] | None
    messages: str


Call = Callable[..., Done]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command here and read its record."""

    def invoke(*words: object) -> Done:
        capsys.readouterr()
        status = run([*map(str, words), "--json"])
        captured = capsys.readouterr()
        record = json.loads(captured.out) if captured.out.strip() else None
        return Done(status, record, captured.err)

    return invoke


def _two_bins(folder: Path, *, efficiency: bool) -> Path:
    signal: list[dict[str, Any]] = [{"name": "mu", "type": "normfactor", "data": None}]
    if efficiency:
        signal.append({"name": "eff", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}})
    shape = {"lo_data": [18.5, 11.5], "hi_data": [21.5, 12.6]}
    background = [
        {"name": "shape", "type": "histosys", "data": shape},
        {"name": "bkg", "type": "normsys", "data": {"lo": 0.92, "hi": 1.08}},
    ]
    samples = [
        {"name": "signal", "data": [3.0, 6.0], "modifiers": signal},
        {"name": "background", "data": [20.0, 12.0], "modifiers": background},
    ]
    poi = {"name": "mu", "bounds": [[0.0, 20.0]], "inits": [1.0]}
    document = {
        "version": "1.0.0",
        "channels": [{"name": "sr", "samples": samples}],
        "observations": [{"name": "sr", "data": [24.0, 16.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": [poi]}}],
    }
    path = folder / "binned.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


@pytest.fixture(scope="session")
def binned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bins with an error of the efficiency, of the background, and of its shape."""
    return _two_bins(tmp_path_factory.mktemp("faults"), efficiency=True)


@pytest.fixture(scope="session")
def two_nuisances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without the error of the efficiency."""
    return _two_bins(tmp_path_factory.mktemp("faults"), efficiency=False)


@pytest.fixture(scope="session")
def unbinned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bump on a rising exponential, sixty events."""
    u = (np.arange(55) + 0.5) / 55
    x = np.concatenate([np.log1p(u * np.expm1(2.0)) / 2.0, np.linspace(0.45, 0.55, 5)])
    path = tmp_path_factory.mktemp("faults") / "unbinned.json"
    path.write_text(json.dumps(bump(entries=[[float(value)] for value in x])), "utf-8")
    return path


@pytest.fixture(scope="session")
def interference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signal that takes events away beside its peak: positive in part of the space only."""
    u = (np.arange(80) + 0.5) / 80
    x = np.concatenate([np.log1p(u * np.expm1(1.2)) / 1.2, np.linspace(0.44, 0.56, 8)])
    document = outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": 0.05},
            {"name": "inter", "type": "exponential_dist", "x": "x", "c": 1.0},
            {"name": "bkg", "type": "exponential_dist", "x": "x", "c": 1.2},
        ],
        [("mu", 1.0, 0.0, 50.0), ("nb", 90.0, 0.0, 1000.0)],
        yields={"sig": "nsig", "inter": "nint", "bkg": "nb"},
        functions=[
            {"name": "nsig", "type": "generic_function", "expression": "2 * mu"},
            {"name": "nint", "type": "generic_function", "expression": "-10 * mu"},
        ],
        entries=[[float(value)] for value in x],
    )
    path = tmp_path_factory.mktemp("faults") / "interference.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


@pytest.fixture(scope="session")
def few_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bump of known shape on a flat exponential, 52 events: cheap toys."""
    x = [*np.linspace(0.01, 0.99, 48), 0.47, 0.49, 0.5, 0.52]
    document = outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": 0.05},
            {"name": "bkg", "type": "exponential_dist", "x": "x", "c": 1.0},
        ],
        [("mu", 1.0, 0.0, 50.0), ("nb", 48.0, 0.0, 1000.0)],
        yields={"sig": "nsig", "bkg": "nb"},
        functions=[{"name": "nsig", "type": "generic_function", "expression": "5 * mu"}],
        entries=[[float(value)] for value in x],
    )
    path = tmp_path_factory.mktemp("faults") / "few_events.json"
    path.write_text(json.dumps(document), "utf-8")
    return path
