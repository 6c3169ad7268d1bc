"""No event is a result: an empty list in the document, and files with nothing but a header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats.cli import run
from unbinned_models import bump

CLOSED = ("no data were given", "stay closed")


def limit(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    capsys.readouterr()
    status = run(["limit", *map(str, words), "--json"])
    captured = capsys.readouterr()
    return status, json.loads(captured.out), captured.err


def written(folder: Path, entries: list[list[float]] | None) -> Path:
    path = folder / f"model_{'none' if entries is None else len(entries)}.json"
    path.write_text(json.dumps(bump(entries=entries)), "utf-8")
    return path


@pytest.fixture
def empty_files(tmp_path: Path) -> dict[str, Path]:
    """The same data set of no event in every format."""
    found = {name: tmp_path / f"events.{name}" for name in ("csv", "npz", "parquet")}
    found["csv"].write_text("x\n", "utf-8")
    np.savez(found["npz"], x=np.array([]))
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an optional extra")
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"x": pyarrow.array([], pyarrow.float64())}), found["parquet"]
    )
    return found


def test_an_empty_list_is_no_event_and_no_file_is_no_data(tmp_path, capsys, empty_files):
    """Zero events have one limit, whoever says so; an absent list is no data."""
    status, record, _ = limit(capsys, written(tmp_path, []), "--unblind")
    assert status == 0
    assert record["observed"] is not None
    assert record["unbinned"]["channels"][0]["events"] == 0
    for name, path in empty_files.items():
        absent = written(tmp_path, None)
        status, other, _ = limit(capsys, absent, "--data", path, "--unblind")
        assert status == 0, name
        assert other["observed"] == pytest.approx(record["observed"], rel=1e-9), name
    status, _, err = limit(capsys, written(tmp_path, None), "--unblind")
    assert status == 2
    assert "no events were given for" in err


def test_events_that_are_not_marked_stay_closed_even_if_there_are_none(tmp_path, capsys):
    _, record, _ = limit(capsys, written(tmp_path, []))
    assert record["observed"] is None
    assert any(CLOSED[1] in note for note in record["workspace_warnings"])
    _, record, _ = limit(capsys, written(tmp_path, None))
    assert any(CLOSED[0] in note for note in record["workspace_warnings"])


def test_a_search_whose_events_come_in_files_has_none_of_its_own(tmp_path, capsys):
    """An empty list beside the spectrum of a search: events are in the files of its build."""
    document = bump(entries=[])
    name = document["analyses"][0]["name"]
    document.setdefault("misc", {})["darkstats"] = {"spectra": {name: "recoil"}}
    path = tmp_path / "search.json"
    path.write_text(json.dumps(document), "utf-8")
    _, record, _ = limit(capsys, path)
    assert any(CLOSED[0] in note for note in record["workspace_warnings"])
