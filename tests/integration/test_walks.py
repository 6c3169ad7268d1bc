"""One walk for every verb, through the workflow and through the command line: equal records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darkstats import workflows as w
from darkstats.cli import run

Walk = tuple[list[str], Callable[[w.WorkspaceRequest], w.Outcome[Any]]]


def model(workspace: w.WorkspaceRequest, **options: Any) -> w.ModelRequest:
    return w.ModelRequest(workspace=workspace, **options)


WALKS: dict[str, Walk] = {
    "limit": (["limit"], lambda ws: w.limit(w.LimitRequest(model=model(ws)))),
    "limit at 90 %": (
        ["limit", "--cl", "0.9", "--method", "clsb"],
        lambda ws: w.limit(w.LimitRequest(model=model(ws), cl=0.9, method="clsb")),
    ),
    "power-constrained": (
        ["limit", "--method", "pcl"],
        lambda ws: w.limit(w.LimitRequest(model=model(ws), method="pcl")),
    ),
    "limit by toys": (
        ["limit", "--calculator", "toys", "--toys", "300", "--seed", "4"],
        lambda ws: w.limit(
            w.LimitRequest(
                model=model(ws), calculator="toys", toys=w.ToyRequest(n_toys=300, seed=4)
            )
        ),
    ),
    "blind limit": (
        ["limit", "--blind"],
        lambda ws: w.limit(w.LimitRequest(model=model(ws, blind=True))),
    ),
    "interval": (
        ["limit", "--method", "fc", "--toys", "300", "--seed", "4"],
        lambda ws: w.limit(
            w.LimitRequest(model=model(ws), method="fc", toys=w.ToyRequest(n_toys=300, seed=4))
        ),
    ),
    "hypotest": (
        ["hypotest", "--mu", "1.5"],
        lambda ws: w.hypotest(w.HypoTestRequest(model=model(ws), mu=1.5)),
    ),
    "discovery": (
        ["hypotest", "--test-stat", "q0"],
        lambda ws: w.hypotest(w.HypoTestRequest(model=model(ws), mu=0.0, test_stat="q0")),
    ),
    "significance": (
        ["significance"],
        lambda ws: w.significance(w.SignificanceRequest(model=model(ws))),
    ),
    "gof": (["gof"], lambda ws: w.gof(w.GoodnessRequest(model=model(ws)))),
    "fit": (["fit"], lambda ws: w.fit(w.FitRequest(model=model(ws)))),
    "conditional fit": (
        ["fit", "--mu", "1"],
        lambda ws: w.fit(w.FitRequest(model=model(ws), mu=1.0)),
    ),
    "rank": (["rank"], lambda ws: w.rank(w.RankRequest(model=model(ws)))),
    "scan-poi": (
        ["scan-poi", "--range", "0:3", "--points", "7"],
        lambda ws: w.scan_poi(w.ScanRequest(model=model(ws), ranges=((0.0, 3.0),), points=7)),
    ),
    "inspect": (["inspect"], lambda ws: w.inspect(w.InspectRequest(workspace=ws))),
    "hs3": (["hs3"], lambda ws: w.hs3(w.Hs3Request(workspace=ws))),
    "digest": (["digest"], lambda ws: w.digest(w.DigestRequest(workspace=ws))),
    "rename": (
        ["rename", "-m", "mu=strength"],
        lambda ws: w.rename(w.RenameRequest(workspace=ws, modifiers=(("mu", "strength"),))),
    ),
}


@pytest.mark.parametrize("name", WALKS)
def test_workflow_and_command_line_agree(
    example_workspaces: dict[str, Path], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The record of a verb is the record of its workflow, but for the command line in it."""
    source = str(example_workspaces["two_bins"])
    words, workflow = WALKS[name]
    assert run([words[0], source, *words[1:], "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    outcome = workflow(w.WorkspaceRequest(source=source))
    record = json.loads(json.dumps(outcome.record()))
    for one in (printed, record):
        for key in ("command", "command_reason"):
            one.get("provenance", {}).pop(key, None)
    assert printed == record
    assert run([words[0], source, *words[1:]]) == 0  # the table, too


def test_prune_and_combine_are_inverse(
    example_workspaces: dict[str, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A channel that is cut off and joined again gives the same limit."""
    source = str(example_workspaces["three_channels"])
    rest, part, both = (tmp_path / name for name in ("rest.json", "part.json", "both.json"))
    assert run(["prune", source, "-c", "control_region", "-o", str(rest)]) == 0
    others = ("signal_region", "validation_region")
    cut = [word for name in others for word in ("-c", name)]
    assert run(["prune", source, *cut, "-o", str(part)]) == 0
    joined = ["combine", str(rest), str(part), "--join", "outer", "-o", str(both)]
    capsys.readouterr()
    status = run(joined)
    assert status == 0, capsys.readouterr().err
    limits = []
    for path in (source, str(both)):
        capsys.readouterr()
        assert run(["limit", path, "--json"]) == 0
        limits.append(json.loads(capsys.readouterr().out)["observed"])
    assert limits[1] == pytest.approx(limits[0], rel=1e-6)


def test_written_workspaces_are_read_again(
    example_workspaces: dict[str, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What rename writes is a workspace: the parameter of interest has its new name."""
    path = tmp_path / "renamed.json"
    words = ["rename", str(example_workspaces["two_bins"]), "-m", "mu=strength", "-o", str(path)]
    assert run(words) == 0
    capsys.readouterr()
    assert run(["limit", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["poi"] == "strength"


@pytest.mark.parametrize(
    "words",
    [
        ["limit"],
        ["limit", "--method", "clsb"],
        ["limit", "--cl", "0.9", "--interpolation", "normsys=code1,histosys=code0"],
        ["limit", "--mask", "validation_region"],
        ["hypotest"],
        ["hypotest", "--test-stat", "q0"],
        ["significance"],
        ["fit"],
        ["fit", "--mu", "1"],
    ],
)
def test_the_referee_agrees(
    example_workspaces: dict[str, Path], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """pyhf finds the same numbers on the same file, and its back end is put back."""
    import pyhf

    before = pyhf.get_backend()
    source = str(example_workspaces["three_channels"])
    arguments = [words[0], source, *words[1:], "--referee", "pyhf", "--json"]
    assert run(arguments) == 0
    verdict = json.loads(capsys.readouterr().out)["referee"]
    assert verdict["status"] == "agrees", verdict
    assert verdict["comparisons"]
    assert pyhf.get_backend() == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["hypotest", "--calculator", "toys", "--toys", "50"], "pyhf takes seconds for one toy"),
        (["hypotest", "--test-stat", "t"], "pyhf has no p-value for t"),
        (["limit", "--blind"], "stay closed"),
        (["limit", "--method", "fc", "--toys", "50"], "no Feldman-Cousins construction"),
    ],
)
def test_the_referee_says_what_it_cannot_repeat(
    example_workspaces: dict[str, Path], capsys: pytest.CaptureFixture[str], words: list[str],
    why: str,
) -> None:  # fmt: skip
    """No number of pyhf's is a statement with a reason, never silence."""
    source = str(example_workspaces["on_off"])
    assert run([words[0], source, *words[1:], "--referee", "pyhf", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)["referee"]
    assert verdict["status"] == "not repeated"
    assert why in verdict["reason"]


def test_a_failing_referee_is_reported(
    example_workspaces: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What pyhf raises is shown; our number stands."""
    import pyhf

    def fail(*_: object, **__: object) -> None:
        raise pyhf.exceptions.FailedMinimization(type("R", (), {"message": "no"})())

    monkeypatch.setattr(pyhf.infer, "hypotest", fail)
    source = str(example_workspaces["two_bins"])
    assert run(["hypotest", source, "--referee", "pyhf", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)["referee"]
    assert verdict["status"] == "failed"
    assert verdict["reason"].startswith("FailedMinimization")


def test_toys_are_counted_as_they_are_thrown(example_workspaces: dict[str, Path]) -> None:
    """A shell hears of every toy of both hypotheses, and the record does not change."""
    heard: list[tuple[str, int | None]] = []
    counted: list[int] = []

    class Watching:
        def __enter__(self) -> Watching:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def advance(self, count: int) -> None:
            counted.append(count)

        def now(self, name: str) -> None:
            pass

    def progress(step: str, total: int | None, unit: str) -> Watching:
        assert unit == "toys"
        heard.append((step, total))
        return Watching()

    source = str(example_workspaces["two_bins"])
    request = w.HypoTestRequest(
        model=model(w.WorkspaceRequest(source=source)),
        calculator="toys",
        toys=w.ToyRequest(n_toys=1500, seed=2),
    )
    watched = w.hypotest(request, w.Shell(progress=progress))
    assert heard == [("throwing 1500 toys per hypothesis", 3000)]
    assert sum(counted) == 3000
    assert watched.record() == w.hypotest(request).record()
