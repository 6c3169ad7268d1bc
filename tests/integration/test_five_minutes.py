"""The ways of a new user: as many commands as they may need, and what they end with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.studies.five_minutes import Way, go, reference_folder, ways, write_histograms

MOST = {"own ROOT histograms to a limit": 4, "own table of couplings to an exclusion plot": 1}


@pytest.mark.parametrize("way", ways(reference_folder()), ids=lambda way: way.title)
def test_a_new_user_arrives(way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands as typed, in an empty folder; kernels are those of this machine's cache."""
    pytest.importorskip("uproot", reason="the histograms are in a ROOT file")
    pytest.importorskip("matplotlib", reason="each way ends with a figure")
    write_histograms(tmp_path)
    found = go(way, tmp_path, Path(sys.executable).parent, cold=False)
    assert found["commands"] <= MOST.get(way.title, 1)
    record = json.loads((tmp_path / way.record).read_text("utf-8"))
    if "points" in record:
        couplings = [point["couplings"] for point in record["points"]]
        assert len(couplings) == 6
        assert all(one["mine"]["observed"] > 0.0 for one in couplings)
    else:
        assert record.get("limit", record)["observed"] > 0.0
