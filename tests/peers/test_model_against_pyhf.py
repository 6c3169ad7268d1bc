"""pyhf is the referee: expected data and log-density agree on every workspace at hand."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from darkstats.workspace import read_workspace
from pyhf_comparison import CODES, RELATIVE, disagreement
from strategies import random_workspace


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("pyhf").setLevel(logging.ERROR)


@pytest.mark.parametrize("block", range(8))
def test_generated_workspaces(block: int) -> None:
    """240 random workspaces with every modifier type agree with pyhf to 1e-10, at two points each.

    ``python -m tests.soak.model_against_pyhf`` does the same for thousands.
    """
    for seed in range(30 * block, 30 * (block + 1)):
        rng = np.random.default_rng(seed)
        document = random_workspace(rng)
        assert disagreement(document, CODES[seed % 3], rng) < RELATIVE, seed


def test_example_workspaces(example_workspaces: dict[str, Path]) -> None:
    """The shipped examples agree with pyhf to 1e-10 for all interpolation codes."""
    assert example_workspaces
    for path in example_workspaces.values():
        document = json.loads(path.read_text("utf-8"))
        if "channels" not in document:
            continue
        for codes in CODES:
            assert disagreement(document, codes, np.random.default_rng(1)) < RELATIVE


def test_validation_workspaces(reference_data: Path) -> None:
    """pyhf's validation workspaces agree to 1e-10 for all interpolation codes."""
    paths = [
        p
        for p in sorted((reference_data / "pyhf_validation").glob("*.json"))
        if p.stem != "ANSWERS"
    ]
    assert len(paths) == 9
    for path in paths:
        document = json.loads(path.read_text("utf-8"))
        for codes in CODES:
            assert disagreement(document, codes, np.random.default_rng(1)) < RELATIVE


@pytest.mark.parametrize(
    "point", ["RegionA/1300_205_60", "RegionB/1400_550_60", "RegionC/1600_850_60"]
)
def test_published_likelihood(reference_data: Path, point: str) -> None:
    """The ATLAS sbottom likelihood, 60 to 66 parameters, agrees to 1e-10."""
    archive = next((reference_data / "atlas_susy_2018_31").glob("*.tar.gz"))
    region, name = point.split("/")
    workspace = read_workspace(
        f"{archive}:{region}/BkgOnly.json",
        patches=[f"{archive}:{region}/patch.sbottom_{name}.json"],
    )
    assert disagreement(workspace.document, CODES[0], np.random.default_rng(1)) < RELATIVE
