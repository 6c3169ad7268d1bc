"""Where the covariance of a fit goes: the record, a file of its own, or nowhere with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from large_models import large_document


@pytest.fixture
def few_in_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two parameters be too many for a record."""
    monkeypatch.setattr("darkstats.report.fit_records.LARGEST_MATRIX", 2)


def test_a_large_matrix_stays_out_of_the_record(call: Any, tmp_path: Path) -> None:
    """Beyond 500 parameters: null with a reason that names the option; all errors are there."""
    source = tmp_path / "large.json"
    source.write_text(json.dumps(large_document(480, 22)))
    record = call("fit", source, "--json").record
    found = record["covariance"]
    assert found["matrix"] is None
    n = len(found["names"])
    assert n > 500
    assert found["matrix_reason"].startswith(f"{n} parameters, more than 500")
    assert "--covariance FILE.npz" in found["matrix_reason"]
    assert found["condition"] > 1.0
    assert "file" not in found
    assert all(p["error"] for p in record["parameters"] if not (p["fixed"] or p["at_bound"]))


def test_the_option_adds_nothing_but_the_name_of_its_file(
    call: Any, two_bins: Path, tmp_path: Path
) -> None:
    """An ordinary record keeps its matrix, which is that of the file."""
    path = tmp_path / "matrix.npz"
    plain = call("fit", two_bins, "--json").record
    record = call("fit", two_bins, "--json", "--covariance", path).record
    assert record["covariance"].pop("file") == str(path)
    assert record["covariance"] == plain["covariance"]
    assert record["parameters"] == plain["parameters"]
    with np.load(path) as stored:
        assert stored["names"].tolist() == plain["covariance"]["names"]
        assert stored["matrix"].tolist() == plain["covariance"]["matrix"]
        values = {row["name"]: row["value"] for row in plain["parameters"]}
        assert stored["values"].tolist() == [values[name] for name in stored["names"].tolist()]
        assert str(stored["model_sha256"]) == plain["provenance"]["model"]["sha256"]


@pytest.mark.usefixtures("few_in_records")
def test_a_large_matrix_stands_in_the_file(call: Any, two_bins: Path, tmp_path: Path) -> None:
    """The record says where, and the file has the same bytes each time."""
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path in paths:
        found = call("fit", two_bins, "--json", "--covariance", path).record["covariance"]
        assert (found["matrix"], found["file"]) == (None, str(path))
        assert found["matrix_reason"].endswith(f"it stands in {path}")
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "words"), [("matrix.csv", "end with .npz"), ("none/matrix.npz", "no folder")]
)
def test_a_file_that_cannot_be_is_refused_before_the_fit(
    call: Any, two_bins: Path, tmp_path: Path, name: str, words: str
) -> None:
    """Exit status 2, with what to do, and nothing written."""
    done = call("fit", two_bins, "--covariance", tmp_path / name)
    assert done.status == 2
    assert words in done.err
    assert list(tmp_path.iterdir()) == []


def test_without_uncertainties_there_is_no_file(call: Any, tmp_path: Path) -> None:
    """Two factors that cannot be told apart have no covariance: exit status 1, nothing written."""
    factors = [{"name": name, "type": "normfactor", "data": None} for name in ("mu", "same")]
    document = {
        "channels": [
            {"name": "c", "samples": [{"name": "s", "data": [10.0], "modifiers": factors}]}
        ],
        "observations": [{"name": "c", "data": [12.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    source, path = tmp_path / "w.json", tmp_path / "matrix.npz"
    source.write_text(json.dumps(document))
    done = call("fit", source, "--covariance", path)
    assert done.status == 1
    assert "there are no uncertainties" in done.err
    assert not path.exists()
