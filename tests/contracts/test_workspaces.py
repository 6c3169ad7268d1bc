"""The shipped workspaces are what their script writes, and pyhf accepts them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pyhf
import pytest

from darkstats.report.sidecar import read_sidecar
from darkstats.workspace import lint, read_workspace
from example_scripts import example_script

COMPLETE = ("bump_hunt", "on_off", "three_channels", "two_bins")
NAMES = {
    *(f"{name}.{ending}" for name in COMPLETE for ending in ("json", "meta.json")),
    *(f"mass_scan/background_only.{ending}" for ending in ("json", "meta.json")),
    "mass_scan/patchset.json",
}


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    return example_script("make_workspaces")


def load(repository: Path, name: str) -> dict[str, Any]:
    return json.loads((repository / "workspaces/examples" / name).read_text("utf-8"))


def test_files_are_what_the_script_writes(script: ModuleType, repository: Path) -> None:
    """Nobody edits an example by hand: every file equals the output of its script."""
    folder = repository / "workspaces/examples"
    shipped = {
        str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.json")
    }
    made = {name: script.text_of(document) for name, document in script.documents().items()}
    assert shipped == made
    assert set(made) == NAMES


@pytest.mark.parametrize("name", COMPLETE)
def test_pyhf_accepts_the_example(name: str, repository: Path) -> None:
    """Every complete example validates against the schema and becomes a model with a POI."""
    workspace = pyhf.Workspace(load(repository, f"{name}.json"))
    model = workspace.model()
    assert model.config.poi_name == "mu"
    assert len(workspace.data(model)) > 0


@pytest.mark.parametrize("name", COMPLETE)
def test_darkstats_finds_nothing_to_complain_about(name: str, repository: Path) -> None:
    """The linter has neither an error nor a warning for a shipped example."""
    assert lint(load(repository, f"{name}.json")) == ()


def test_pyhf_accepts_the_patch_set(repository: Path) -> None:
    """The patch set belongs to its workspace, and every patch makes a valid model."""
    background_only = load(repository, "mass_scan/background_only.json")
    patchset = pyhf.PatchSet(load(repository, "mass_scan/patchset.json"))
    patchset.verify(background_only)
    for patch in patchset.patches:
        model = pyhf.Workspace(patchset.apply(background_only, patch.name)).model()
        assert model.config.poi_name == "mu"


def test_the_patch_of_one_mass_gives_the_bump_hunt(repository: Path) -> None:
    """The example of one mass hypothesis is the same model as its point of the mass scan."""
    folder = repository / "workspaces/examples"
    patched = read_workspace(
        folder / "mass_scan/background_only.json",
        patchset=folder / "mass_scan/patchset.json",
        point="mass_1p8",
    )
    alone = read_workspace(folder / "bump_hunt.json")
    assert patched.canonical_digest == alone.canonical_digest


@pytest.mark.parametrize("name", [*COMPLETE, "mass_scan/background_only"])
def test_sidecar_fits_its_workspace(name: str, repository: Path) -> None:
    """A sidecar calls the counts simulated, and has one more edge than its channel has bins."""
    sidecar = read_sidecar(str(repository / f"workspaces/examples/{name}.json"))
    assert sidecar.simulated is True
    observed = load(repository, f"{name}.json")["observations"]
    assert {channel["name"] for channel in observed} == set(sidecar.channels)
    for channel in observed:
        edges = sidecar.channels[channel["name"]].edges
        assert edges is None or len(edges) == len(channel["data"]) + 1
