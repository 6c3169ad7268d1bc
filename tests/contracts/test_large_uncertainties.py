"""The remedies for an uncertainty of 100 %: each one in the how-to is carried out."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from darkstats.errors import WorkspaceError
from darkstats.inference import upper_limit
from darkstats.model import compile_workspace
from darkstats.workspace import Workspace, lint

MU = {"name": "mu", "type": "normfactor", "data": None}
OTHER = {"name": "o", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}


def document(*modifiers: dict[str, Any]) -> dict[str, Any]:
    samples = [
        {"name": "sig", "data": [6.0, 3.0], "modifiers": [MU]},
        {"name": "bkg", "data": [20.0, 12.0], "modifiers": list(modifiers)},
        {"name": "oth", "data": [4.0, 5.0], "modifiers": [OTHER]},
    ]
    return {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": [23.0, 14.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.fixture(scope="module")
def blocks(repository: Path) -> list[dict[str, Any]]:
    """What the how-to says to write: three modifiers, a channel, settings of a parameter."""
    text = (repository / "docs/how-to/fix-a-workspace.md").read_text("utf-8")
    found = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert len(found) == 5
    return found


@pytest.mark.parametrize(
    ("data", "key", "events"),
    [
        ({"lo": 0.0, "hi": 2.0}, "lo", "1 event(s)"),
        ({"lo": -0.5, "hi": 1.5}, "lo", "0.444 event(s)"),
        ({"lo": 1.5, "hi": 0.0}, "hi", "1 event(s)"),
    ],
)
def test_a_factor_of_zero_is_refused_with_all_ways_out(data, key, events):
    made = document({"name": "bkg_norm", "type": "normsys", "data": data})
    with pytest.raises(WorkspaceError) as error:
        Workspace.from_document(made)
    (finding,) = error.value.findings
    assert finding.code == "bad-normsys"
    assert finding.pointer.endswith(f"/data/{key}")
    for words in ("factor of two", "normfactor", events, "truncated Gaussian", "Mend a workspace"):
        assert words in finding.remedy
    assert "0.95" not in finding.remedy


@pytest.mark.parametrize(
    ("way", "limit"), [("factor", 2.88304), ("gamma", 3.63436), ("cut off", 4.41732)]
)
def test_every_way_out_works(blocks, way, limit):
    factor, free, channel, lumi, settings = copy.deepcopy(blocks)
    made = document({"factor": factor, "gamma": free, "cut off": lumi}[way])
    if way == "gamma":
        made["channels"].append(channel["channel"])
        made["observations"].append(channel["observation"])
    if way == "cut off":
        made["measurements"][0]["config"]["parameters"].append(settings)
    assert not [finding for finding in lint(made) if finding.severity == "error"]
    model = compile_workspace(Workspace.from_document(made))
    found = upper_limit(model, model.observation, scan_points=0, probe=False)
    assert found.observed == pytest.approx(limit, rel=1e-4)


def test_the_numbers_of_the_page_are_these(repository: Path):
    text = (repository / "docs/how-to/fix-a-workspace.md").read_text("utf-8")
    assert "are 2.88, 3.63 and 4.42" in text
