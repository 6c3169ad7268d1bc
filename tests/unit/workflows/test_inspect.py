"""What ``inspect`` writes beside its record: yields of bins, and members of archives."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from darkstats import workflows
from darkstats.errors import DocumentError
from darkstats.options import request_from
from darkstats.workflows import InspectRequest, Outcome


def inspect(source: Path, **given: object) -> Outcome:
    options = {"source": str(source), **given}
    return workflows.inspect(request_from(InspectRequest, options, called="inspect"))


def test_yields_are_counts_and_what_the_document_expects(
    tmp_path: Path, example_workspaces: dict[str, Path]
) -> None:
    path = tmp_path / "yields.csv"
    outcome = inspect(example_workspaces["two_bins"], yields=str(path))
    for name, write in outcome.files.items():
        write(name)
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["data"] for row in rows] == ["52.0", "41.0"]
    assert [row["background"] for row in rows] == ["45.0", "38.0"]
    assert [row["signal"] for row in rows] == ["6.0", "9.0"]
    assert [float(row["total"]) for row in rows] == [51.0, 47.0]
    assert all(float(row["error"]) > 0.0 for row in rows)
    assert [(row["low"], row["high"]) for row in rows] == [("-0.5", "0.5"), ("0.5", "1.5")]


def test_members_of_an_archive_are_listed(
    tmp_path: Path, example_workspaces: dict[str, Path]
) -> None:
    path = tmp_path / "record.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.write(example_workspaces["two_bins"], "A/BkgOnly.json")
        target.writestr("A/patch.json", '[{"op": "remove", "path": "/channels/0"}]')
        target.writestr("notes.json", '{"a": 1}')
        target.writestr("README.md", "text")
    record = inspect(path, members=True).to_dict()
    assert record["schema"] == "darkstats.members/1"
    assert [(one["name"], one["kind"]) for one in record["documents"]] == [
        ("A/BkgOnly.json", "workspace"), ("A/patch.json", "patch"), ("notes.json", None),
    ]  # fmt: skip
    with pytest.raises(DocumentError, match="not a tar or zip archive"):
        inspect(example_workspaces["two_bins"], members=True)
