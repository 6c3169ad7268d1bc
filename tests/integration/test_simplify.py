"""``darkstats simplify`` writes a workspace with its price, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from darkstats import workflows as w
from darkstats.errors import NotCertifiedError, OptionError
from darkstats.workspace import read_workspace


def request(path: Path, **options: Any) -> w.SimplifyRequest:
    return w.SimplifyRequest(
        model=w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path))), **options
    )


def test_a_document_and_its_record(example_workspaces: dict[str, Path], tmp_path: Path) -> None:
    """The record on its own says what the document changes, of which workspace, by which digest."""
    report = tmp_path / "fidelity.json"
    found = w.simplify(request(example_workspaces["three_channels"], report=str(report)))
    for path, write in found.files.items():
        write(path)
    record = json.loads(report.read_text("utf-8"))
    written = tmp_path / "simplified.json"
    written.write_text(json.dumps(found.record()), encoding="utf-8")
    again = read_workspace(written)
    assert record["simplified_sha256"] == again.digest
    assert record["provenance"]["workspace"]["sha256"] != again.digest
    assert record["fidelity"]["largest_change"] < 0.01
    full = w.limit(w.LimitRequest(model=request(example_workspaces["three_channels"]).model))
    assert record["fidelity"]["full"]["observed"] == pytest.approx(full.result.observed, rel=1e-9)
    small = w.limit(w.LimitRequest(model=request(written).model))
    assert record["fidelity"]["simplified"]["observed"] == pytest.approx(
        small.result.observed, rel=1e-9
    )


def test_too_large_a_change_writes_nothing(example_workspaces: dict[str, Path]) -> None:
    """Nothing within a millionth: the message has the change that was measured."""
    with pytest.raises(NotCertifiedError, match="more than"):
        w.simplify(request(example_workspaces["three_channels"], tolerance=1e-6))


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -0.1, float("nan")])
def test_a_tolerance_is_a_fraction(example_workspaces: dict[str, Path], tolerance: float) -> None:
    """Zero, one and what is no number are refused before the work."""
    with pytest.raises(OptionError, match="--tolerance"):
        request(example_workspaces["two_bins"], tolerance=tolerance)


def test_another_signal_takes_the_place_of_the_first(
    example_workspaces: dict[str, Path], tmp_path: Path
) -> None:
    """By name: the limit is that of the full likelihood with the same signal, within a percent."""
    path = example_workspaces["three_channels"]
    written = tmp_path / "simplified.json"
    written.write_text(json.dumps(w.simplify(request(path)).record()), encoding="utf-8")
    n_bins = {one["name"]: len(one["data"]) for one in read_workspace(path).document["channels"][0]
              ["samples"]}  # fmt: skip
    signal = (f"signal_region={','.join(['1.5'] * n_bins['signal'])}",)

    def limit(source: Path) -> float:
        asked = w.ReinterpretRequest(
            limit=w.LimitRequest(model=request(source).model), signal=signal, missing="keep"
        )
        return float(w.reinterpret(asked).result.observed)

    assert limit(written) == pytest.approx(limit(path), rel=0.01)
