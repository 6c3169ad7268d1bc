"""Figures that a result will not have are refused before the work, and nothing is lost."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

import darkstats
import scan_records
from darkstats.errors import OptionError, UnknownNameError
from darkstats.report.figures.planes import map_figure
from darkstats.report.scan_reading import read_scan
from darkstats.workflows import scans, statistics
from darkstats.workflows.outcome import Shell

EXAMPLE = Path(__file__).parents[2] / "workspaces/examples/mass_scan"
TWO_BINS = EXAMPLE.parent / "two_bins.json"
MAPS = "against_first, against_second, expected"


@pytest.fixture
def plane(tmp_path: Path) -> Path:
    """A workspace with signals of two masses, each at three lifetimes."""
    folder = tmp_path / "plane"
    folder.mkdir()
    for name in ("background_only.json", "background_only.meta.json"):
        if (EXAMPLE / name).exists():
            (folder / name).write_bytes((EXAMPLE / name).read_bytes())
    points = json.loads((EXAMPLE / "patchset.json").read_text("utf-8"))
    made = []
    for one in points["patches"][:2]:
        for ctau in (1.0, 10.0, 100.0):
            patch = copy.deepcopy(one)
            patch["metadata"]["name"] += f"_{ctau:g}"
            patch["metadata"]["values"] = [patch["metadata"]["values"][0], ctau]
            made.append(patch)
    points["metadata"]["labels"] = [points["metadata"]["labels"][0], "ctau_mm"]
    points["patches"] = made
    (folder / "patchset.json").write_text(json.dumps(points), "utf-8")
    return folder


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins to compute limits fails the test."""

    def begun(*args, **options):
        raise AssertionError("the work was begun")

    monkeypatch.setattr(scans, "run_limits", begun)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("scan", "--plot", "limits"), f"unknown figure 'limits'; choose one of: {MAPS}"),
        (("scan", "--plot", "p_values"), MAPS),
        (("scan", "--plot", "projections"), MAPS),
        (("scan", "--blind", "--plot", "observed"), f"choose one of: {MAPS}"),
        (("project", "--lumi", "2", "--luminosity", "1", "--plot", "limits"), MAPS),
        (("project", "--lumi", "2,4", "--luminosity", "1", "--plot", "projections"), "one mass"),
    ],
)
def test_a_plane_refuses_figures_of_one_mass(call, plane, tmp_path, words, says) -> None:
    *rest, kind = words
    out = tmp_path / "out"
    status, _, said = call(rest[0], plane, *rest[1:], f"{kind}={tmp_path / 'x.png'}", "-o", out)
    assert status == 2
    assert says in " ".join(said.split())
    assert not out.exists()


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("kind", ["observed", "projections", "against_first"])
def test_one_mass_refuses_figures_of_a_plane(call, tmp_path, kind) -> None:
    status, _, said = call("scan", EXAMPLE, "--plot", f"{kind}={tmp_path / 'x.png'}")
    assert status == 2
    assert f"unknown figure {kind!r}; choose one of: limits, p_values" in " ".join(said.split())


def test_a_plane_draws_what_it_says(call, plane, tmp_path) -> None:
    picture = tmp_path / "x.png"
    status, _, _ = call("scan", plane, "--plot", f"expected={picture}", "-o", tmp_path / "out")
    assert status == 0
    assert picture.stat().st_size > 0


def test_a_projection_of_a_plane_offers_nothing_that_it_refuses(call, plane, tmp_path) -> None:
    out = tmp_path / "out"
    assert call("project", plane, "--lumi", "2,4", "--luminosity", "1", "-o", out)[0] == 0
    status, shown, _ = call("plot", out / "projection.json")
    assert status == 0
    assert "none of several luminosities" in shown
    status, _, said = call("plot", out / "projection.json", "-o", tmp_path / "x.png")
    assert status == 2
    assert "give --lumi one luminosity" in " ".join(said.split())


@pytest.mark.parametrize(
    ("method", "kinds"), [("cls", ("cls",)), ("fc", ("p",)), ("bayes", ("posterior", "limit"))]
)
def test_a_limit_knows_its_figures_before_it_is_computed(method, kinds) -> None:
    assert tuple(darkstats.limit(str(TWO_BINS), method=method).figures) == kinds
    assert statistics.LIMIT_FIGURES.get(method, ("cls",)) == kinds


def test_a_shell_refuses_what_is_not_there() -> None:
    Shell(kinds=(None, "a")).require_figures(("a", "b"), "")
    with pytest.raises(UnknownNameError, match="'c'; choose one of: a, b"):
        Shell(kinds=("c",)).require_figures(("a", "b"), "")
    with pytest.raises(OptionError, match="for no reason"):
        Shell(kinds=(None,)).require_figures((), "for no reason")


@pytest.mark.parametrize(
    ("record", "words", "says"),
    [
        ("plane", ("--mass-range", "1", "2"), "--mass-range is for figures of one scan over one"),
        ("plane", ("--value-range", "1", "2"), "--value-range is for figures of one scan over one"),
        ("alp", ("--slice", "1"), "--slice is for one scan over two masses"),
    ],
)
def test_options_that_no_figure_heeds_are_refused(call, tmp_path, record, words, says) -> None:
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(getattr(scan_records, record)()), "utf-8")
    status, _, said = call("plot", path, *words, "-o", tmp_path / "x.png")
    assert status == 2
    assert says in " ".join(said.split())


def test_no_excess_is_marked_where_there_is_none() -> None:
    record = scan_records.plane()
    for point in record["points"]:
        point["signed_significance"] = -abs(point["signed_significance"])
    table = read_scan(record)
    drawing = map_figure(table, table.limits_on(), "significance")
    assert not drawing.figure.axes[0].lines
