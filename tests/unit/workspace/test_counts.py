"""Observed counts that are no whole numbers are legal, and told by limit and inspect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darkstats.cli import run
from darkstats.workspace.counts import fractional_counts


def observations(*data: float) -> dict[str, object]:
    return {"observations": [{"name": "SR", "data": list(data)}]}


@pytest.mark.parametrize("data", [(0.0, 3), (1e15,), (12.000000001,), (1234567.0000001,)])
def test_whole_numbers_need_no_word(data: tuple[float, ...]) -> None:
    assert fractional_counts(observations(*data)) is None


def test_the_first_bin_is_named_and_others_are_counted() -> None:
    said = fractional_counts(observations(3, 13.4, 0.5, 1e-3))
    assert said is not None
    assert said.startswith(
        "13.4 events in bin 1 of channel 'SR' are no whole number (nor are those"
    )
    assert "of 2 more bins" in said


@pytest.mark.parametrize("verb", ["limit", "inspect"])
def test_verbs_say_it_and_go_on(
    verb: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((repository / "workspaces/examples/two_bins.json").read_text("utf-8"))
    path = tmp_path / "asimov.json"
    for change, told in ((0.0, False), (0.4, True)):
        document["observations"][0]["data"][0] += change
        path.write_text(json.dumps(document), "utf-8")
        assert run([verb, str(path)]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert ("events in bin 0 of channel 'signal_region' are no whole number" in shown) is told
    if verb == "limit":
        assert run([verb, str(path), "--blind"]) == 0
        assert "no whole number" not in capsys.readouterr().out
