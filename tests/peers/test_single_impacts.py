"""Impacts of single nuisance parameters against the ranking of cabinetry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darkstats import workflows as w


def test_ranking_against_cabinetry(example_workspaces: dict[str, Path]) -> None:
    """Post-fit impacts agree within 0.012, some 2 % of the error: its minimiser stops earlier."""
    cabinetry = pytest.importorskip("cabinetry")
    path = example_workspaces["three_channels"]
    document = json.loads(path.read_text("utf-8"))
    parameters = document["measurements"][0]["config"]["parameters"]
    parameters[:] = [one for one in parameters if one["name"] != "mu"]
    parameters.append({"name": "mu", "bounds": [[-10.0, 10.0]], "inits": [1.0]})
    model, data = cabinetry.model_utils.model_and_data(document)
    theirs = cabinetry.fit.ranking(model, data, fit_results=cabinetry.fit.fit(model, data))
    request = w.RankRequest(model=w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path))))
    found = w.rank(request).result
    ours = {impact.name: impact for impact in found.impacts}
    assert found.poi_error is not None
    assert set(theirs.labels) == set(ours)
    for name, up, down in zip(theirs.labels, theirs.postfit_up, theirs.postfit_down, strict=True):
        assert ours[name].postfit_up == pytest.approx(up, abs=0.012)
        assert ours[name].postfit_down == pytest.approx(down, abs=0.012)
