"""A channel in two axes has more bins than one of the axes: its sidecar fits all the same."""

from __future__ import annotations

import json
from pathlib import Path

from darkstats.cli import run
from darkstats.report.sidecar import read_sidecar


def test_a_channel_in_two_axes_is_published(
    example_workspaces: dict[str, Path], tmp_path: Path
) -> None:
    """Edges of two axes: the bins are their products, so that neither has one edge more.

    ``workspaces/zprime_invisible_2020`` has such channels, and ``publish`` refused it.
    """
    path = tmp_path / "two_bins.json"
    path.write_bytes(example_workspaces["two_bins"].read_bytes())
    name = json.loads(path.read_text())["channels"][0]["name"]
    labels = {"edges": [0.0, 1.0], "axis": "mass", "theta_edges_deg": [20.0, 90.0, 150.0]}
    sidecar = tmp_path / "two_bins.meta.json"
    sidecar.write_text(json.dumps({"schema": "darkstats.meta/1", "channels": {name: labels}}))
    assert read_sidecar(str(path)).edges == {}
    assert run(["publish", str(path), "-o", str(tmp_path / "bundle")]) == 0
    del labels["theta_edges_deg"]  # with one axis the edges have to fit, as before
    sidecar.write_text(json.dumps({"schema": "darkstats.meta/1", "channels": {name: labels}}))
    assert run(["publish", str(path), "-o", str(tmp_path / "bundle")]) == 2
