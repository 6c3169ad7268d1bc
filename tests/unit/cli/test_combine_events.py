"""``combine`` of bins and events: one document that all verbs answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from combined_models import binned_document, events_document

Call = Callable[..., Any]


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """A document of simulated events, and a workspace whose sidecar says that it is, too."""
    events, bins = tmp_path / "events.json", tmp_path / "bins.json"
    document = events_document()
    document["misc"] = {"darkstats": {"simulated": True}}
    events.write_text(json.dumps(document))
    bins.write_text(json.dumps(binned_document()))
    facts = {"schema": "darkstats.meta/1", "simulated": True, "title": "Bins"}
    (tmp_path / "bins.meta.json").write_text(json.dumps(facts))
    return events, bins


def test_verbs_answer_a_combination(call: Call, both: tuple[Path, Path], tmp_path: Path) -> None:
    """The limit is below those of the parts; fit and significance know every parameter."""
    out = tmp_path / "both.json"
    done = call("combine", *both, "-o", out)
    assert done.status == 0, done.err
    assert "shared: mu, alpha" in done.out
    limits = [call("limit", path, "--json").record["observed"] for path in (*both, out)]
    assert limits[2] < min(limits[:2])
    fit = call("fit", out, "--json").record
    assert {one["name"] for one in fit["parameters"]} >= {"mu", "nb", "alpha", "tilt", "bins_1"}
    record = call("significance", out, "--json").record
    assert record["fits"]["failed"] == 0
    channels = record["provenance"].get("unbinned") or call("limit", out, "--json").record
    assert json.dumps(channels).count('"SR"') == 1
    assert call("inspect", out).status == 0


def test_what_cannot_be_done_is_said(call: Call, both: tuple[Path, Path], tmp_path: Path) -> None:
    """Options of workspaces, referees, and engines that know one part alone."""
    out = tmp_path / "both.json"
    assert call("combine", *both, "-o", out).status == 0
    for arguments, words in (
        (("combine", *both, "--join", "outer"), "keeps its channels"),
        (("combine", *both, "--left-patchset", "p.json", "--left-point", "m"), "no patch set"),
        (
            ("limit", out, "--referee", "pyhf"),
            "pyhf reads no events: ask pyhf and zfit",
        ),
        (("gof", out), "test the workspace that was combined"),
        (("limit", out, "--referee", "zfit"), "no referee reads HistFactory channels"),
        (("limit", out, "--engine", "zfit"), "is for events alone"),
        (("limit", out, "--mask", "SR"), "--mask goes with"),
        (("combine", out, both[0]), "would count twice"),
    ):
        done = call(*arguments)
        assert done.status == 2, arguments
        assert words in done.err


def test_data_stay_closed_where_one_side_does_not_say(
    call: Call, both: tuple[Path, Path], tmp_path: Path
) -> None:
    """Bins without a sidecar may be real: the combination is opened by the user alone."""
    (tmp_path / "bins.meta.json").unlink()
    out = tmp_path / "both.json"
    assert call("combine", *both, "-o", out).status == 0
    assert call("limit", out, "--json").record["observed"] is None
    assert call("limit", out, "--unblind", "--json").record["observed"] > 0.0
