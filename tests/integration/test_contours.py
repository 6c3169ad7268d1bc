"""From published patches through scans of regions to one contour; needs the reference data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats import workflows as w

X, Y = "m_sb_gev", "m_n2_gev"


@pytest.fixture(scope="module")
def scans(reference_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Scans of regions A and C at four published points, two of which have stated answers."""
    (record,) = (reference_data / "atlas_susy_2018_31").glob("*.tar.gz")
    folder = tmp_path_factory.mktemp("scans")
    for region in ("A", "C"):
        archive = f"{record}:Region{region}"
        w.scan(
            w.MassScanRequest(
                source=f"{archive}/BkgOnly.json",
                patches=(f"{archive}/patch.sbottom_1[45]00_[89]50_60.json",),
                name_pattern="patch.sbottom_{m_sb_gev}_{m_n2_gev}_{m_n1_gev}",
                output=str(folder / region),
                workers=1,
            )
        )
    return {region: folder / region / "scan.json" for region in ("A", "C")}


def test_published_points_make_a_contour(reference_data: Path, scans: dict[str, Path]) -> None:
    """CLs are as stated, region A is chosen, and the line crosses edges where its log is linear."""
    answers = json.loads((reference_data / "atlas_susy_2018_31/ANSWERS.json").read_text())
    results = tuple(f"{name}={path}" for name, path in scans.items())
    asked: dict[str, Any] = {"results": results, "x": X, "y": Y}
    found = w.contour(w.ContourRequest(interpolate="cls", **asked)).result
    assert len(found.points) == 4
    points = {point.place: point for point in found.points}
    for place in ((1400.0, 950.0), (1500.0, 850.0)):
        stated = answers[f"RegionA/{place[0]:.0f}_{place[1]:.0f}_60"]["stated"]
        assert points[place].region == 0
        assert points[place].observed == pytest.approx(stated["obs"], rel=1.5e-5)
        assert points[place].expected[2] == pytest.approx(stated["exp"][2], rel=1e-4)
    (piece,) = found.curves[0].pieces
    on_row = [v for v in piece.vertices.tolist() if v[1] == 950.0]
    logs = [np.log((points[x, 950.0].observed or np.nan) / 0.05) for x in (1400.0, 1500.0)]
    assert logs[0] < 0.0 < logs[1]
    assert [x for x, _ in on_row] == [pytest.approx(1400.0 - 100.0 * logs[0] / (logs[1] - logs[0]))]
    of_mu = w.contour(w.ContourRequest(**asked)).result
    assert [c.excluded for c in of_mu.curves] == [c.excluded for c in found.curves]
