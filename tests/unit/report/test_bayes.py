"""Bayesian limits as record, table, figure and command."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from darkstats import workflows as w
from darkstats.cli import run


def request(path: Path, **bayes: str) -> w.LimitRequest:
    model = w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path)))
    return w.LimitRequest(model=model, method="bayes", bayes=w.BayesSettings(**bayes))


def test_the_level_of_a_posterior_is_90_percent(example_workspaces: dict[str, Path]) -> None:
    """Without --cl a Bayesian limit has 90 %, the others 95 %."""
    path = example_workspaces["on_off"]
    assert request(path).level == 0.90
    model = w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path)))
    assert w.LimitRequest(model=model).level == 0.95
    assert w.LimitRequest(model=model, method="bayes", cl=0.8).level == 0.8


def test_record_of_a_limit_in_a_coupling(example_workspaces: dict[str, Path]) -> None:
    """Signal strengths and couplings go by the power; prior, engine, gates and p0 are there."""
    outcome = w.limit(request(example_workspaces["on_off"], prior="coupling:2,0.01"))
    record = outcome.record()
    coupling = record["prior"]["coupling"]
    assert coupling["observed"] == pytest.approx(0.01 * math.sqrt(record["observed"]))
    assert coupling["expected"][2] == pytest.approx(0.01 * math.sqrt(record["expected"][2]))
    assert record["schema"] == "darkstats.limit/1"
    assert (record["method"], record["cl"], record["calculator"]) == ("bayes", 0.9, "posterior")
    assert [e["engine"] for e in record["engines"]] == ["quadrature", "laplace"]
    assert record["engines"][1]["diagnostics"]["pareto_k"] < 0.7
    assert record["p0"]["value"] == pytest.approx(0.168, abs=0.002)
    assert record["CLs_obs"] is None
    assert record["log_bayes_factor"] is None
    assert "improper" in record["log_bayes_factor_reason"]
    json.dumps(record, allow_nan=False)
    again = w.limit(request(example_workspaces["on_off"], prior="coupling:2,0.01")).record()
    assert json.dumps(again) == json.dumps(record)


def test_blind_record_has_reasons(example_workspaces: dict[str, Path]) -> None:
    """Every number that the data would give is null, with a reason."""
    model = w.ModelRequest(
        workspace=w.WorkspaceRequest(source=str(example_workspaces["on_off"])), blind=True
    )
    record = w.limit(w.LimitRequest(model=model, method="bayes")).record()
    for name in ("observed", "posterior", "interval", "nuisances", "p0", "predictive"):
        assert record[name] is None
        assert "blind" in record[f"{name}_reason"]
    assert all(x > 0.0 for x in record["expected"])


def test_table_names_prior_engines_and_p0(
    example_workspaces: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """What a reader must know stands in the table."""
    path = str(example_workspaces["on_off"])
    assert run(["limit", path, "--method", "bayes", "--prior", "flat:0,8"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in (
        "at 90 % credibility",
        "flat in the signal strength (cross section) from 0 to 8",
        "quadrature 0.94009",
        "laplace",
        "(frequentist, asymptotic)",
        "ln B =",
        "background_rate",
    ):
        assert words in text


@pytest.mark.parametrize("kind", ["posterior", "limit"])
@pytest.mark.parametrize("engine", ["quadrature", "nuts"])
def test_figures_are_drawn(
    example_workspaces: dict[str, Path], tmp_path: Path, kind: str, engine: str
) -> None:
    """Both figures for a curve and for draws, with their numbers; the same bytes twice."""
    path, files = str(example_workspaces["on_off"]), [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        words = ["--method", "bayes", "--engine", engine, "--expected", "none", "--csv"]
        assert run(["limit", path, *words, "--plot", f"{kind}={file}"]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    if kind == "posterior":
        header, *rows = files[0].with_suffix(".csv").read_text().splitlines()
        assert "posterior" in header
        assert len(rows) >= 60


def test_referee_declines(example_workspaces: dict[str, Path]) -> None:
    """pyhf has no Bayesian limits, and the record says so."""
    model = w.ModelRequest(workspace=w.WorkspaceRequest(source=str(example_workspaces["on_off"])))
    record = w.limit(w.LimitRequest(model=model, method="bayes", referee="pyhf")).record()
    assert "no Bayesian limits" in record["referee"]["reason"]
