"""Impact of a group: what its freezing takes off the error of the parameter of interest."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkstats import workflows as w
from darkstats.errors import DocumentError, OptionError
from darkstats.fit import covariance, error_budget, fit
from darkstats.fit.groups import members
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.report.sidecar import sidecar_of
from darkstats.workspace import Workspace, read_workspace

MU = {"name": "mu", "type": "normfactor", "data": None}


def unbounded(model: HistFactoryModel) -> HistFactoryModel:
    return model.with_range("mu", -np.inf, np.inf)


def counting() -> HistFactoryModel:
    """One bin, 100 ± 6 ± 8 events of background: errors add up in quadrature."""
    moves = [
        {"name": name, "type": "histosys", "data": {"lo_data": [100.0 - d], "hi_data": [100.0 + d]}}
        for name, d in (("jets_scale", 6.0), ("tracks[x]", 8.0))
    ]
    samples = [
        {"name": "s", "data": [10.0], "modifiers": [MU]},
        {"name": "b", "data": [100.0], "modifiers": moves},
    ]
    document = {
        "channels": [{"name": "A", "samples": samples}],
        "observations": [{"name": "A", "data": [100.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    return unbounded(compile_workspace(Workspace.from_document(document)))


def test_one_bin_by_hand() -> None:
    """sigma = sqrt(100 + 36 + 64) / 10; the groups make 0.6 and 0.8, and the statistics 1."""
    best = fit(counting(), counting().observation)
    budget = error_budget(
        best,
        covariance(best),
        {"jets": ["jets_*"], "tracks": ["tracks[x]"], "all": ["jets_*", "tracks[x]"]},
    )
    assert budget is not None
    assert budget.total == pytest.approx(math.sqrt(2.0), rel=1e-6)
    assert budget.statistical == pytest.approx(1.0, rel=1e-6)
    assert budget.systematic == pytest.approx(1.0, rel=1e-6)
    assert [g.impact for g in budget.groups] == pytest.approx([0.6, 0.8, 1.0], rel=1e-6)
    assert budget.groups[0].frozen_error == pytest.approx(math.sqrt(2.0 - 0.36), rel=1e-6)


def test_freezing_is_what_a_fit_says(example_workspaces: dict[str, Path]) -> None:
    """A fit with the group held at its best fit has the error that the budget says."""
    workspace = read_workspace(example_workspaces["three_channels"])
    model = unbounded(compile_workspace(workspace))
    best = fit(model, model.observation)
    free = [p.set_name for p in model.parameters if p.name in best.free and p.name != "mu"]
    groups = {"one": [free[0]], "two": free[:2], "gammas": ["*stat*"], "everything": ["*"]}
    budget = error_budget(best, covariance(best), groups)
    assert budget is not None
    for group in budget.groups:
        held = {name: best.value(name) for name in group.parameters}
        again = fit(model, model.observation, fixed=held)
        assert again.value("mu") == pytest.approx(best.value("mu"), abs=1e-5)
        frozen = covariance(again).error("mu")
        assert group.frozen_error == pytest.approx(frozen, rel=1e-5)
        assert group.impact == pytest.approx(math.sqrt(budget.total**2 - frozen**2), rel=1e-3)
    held = {p.name: best.value(p.name) for p in model.parameters if p.constrained and not p.fixed}
    statistical = covariance(fit(model, model.observation, fixed=held)).error("mu")
    assert budget.statistical == pytest.approx(statistical, rel=1e-5)


def test_patterns() -> None:
    """By parameter and by modifier; brackets of a whole name are letters; nothing is an error."""
    model = counting()
    assert members(model, ["*"], group="g") == ("jets_scale", "tracks[x]")
    assert members(model, ["tracks[x]", "jets_scale"], group="g") == ("tracks[x]", "jets_scale")
    for pattern in ("mu", "jet", "Jets_*"):
        with pytest.raises(OptionError, match="names no free nuisance"):
            members(model, [pattern], group="g")


def test_a_poi_without_error_has_no_budget() -> None:
    """At the end of its range the parabola says nothing: None, not a number."""
    model = counting().with_range("mu", 1.0, 10.0)
    best = fit(model, model.observation)
    assert error_budget(best, covariance(best), {}) is None


def request(path: Path, *groups: tuple[str, str]) -> w.RankRequest:
    model = w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path)))
    return w.RankRequest(model=model, groups=groups)


def test_groups_in_record_table_and_figure(example_workspaces: dict[str, Path]) -> None:
    """Patterns of one name are one group; all three places have it."""
    pytest.importorskip("matplotlib")
    path = example_workspaces["three_channels"]
    names = [row["name"] for row in w.rank(request(path)).record()["impacts"]]
    found = w.rank(request(path, ("a", names[0]), ("a", names[1]), ("rest", "*")))
    record: dict[str, Any] = found.record()
    assert [group["name"] for group in record["groups"]] == ["a", "rest"]
    assert record["groups"][0]["parameters"] == [names[0], names[1]]
    total = record["poi_error_statistical"] ** 2 + record["poi_error_systematic"] ** 2
    assert total == pytest.approx(record["poi_error"] ** 2, rel=1e-9)
    drawing = found.figure("ranking")
    assert drawing.columns["group"][-2:] == ["a", "rest"]
    assert {len(column) for column in drawing.columns.values()} == {len(names) + 2}


def test_groups_of_the_sidecar(example_workspaces: dict[str, Path], tmp_path: Path) -> None:
    """They stand in for --group, which replaces them; a typing error names its place."""
    path = tmp_path / "here.json"
    path.write_bytes(example_workspaces["three_channels"].read_bytes())
    (tmp_path / "here.meta.json").write_text(
        '{"schema": "darkstats.meta/1", "groups": {"all": ["*"]}}', encoding="utf-8"
    )
    assert [g["name"] for g in w.rank(request(path)).record()["groups"]] == ["all"]
    assert [g["name"] for g in w.rank(request(path, ("x", "*"))).record()["groups"]] == ["x"]
    for wrong in ({"a": "JES"}, {"a": []}, {"a": [1]}, {"": ["x"]}):
        with pytest.raises(DocumentError, match="/groups/"):
            sidecar_of({"schema": "darkstats.meta/1", "groups": wrong}, "here")
    with pytest.raises(DocumentError, match="/groups"):
        sidecar_of({"schema": "darkstats.meta/1", "groups": []}, "here")
