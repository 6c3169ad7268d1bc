"""Bad requests fail, with this message and this exit status."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from darkstats.cli import running

W = "{workspace}"

Z2018 = str(Path(__file__).parents[3] / "workspaces/zprime_invisible_2018")

BAD = {
    "no such verb": (["limt"], "No such command 'limt'"),
    "no such option": (["limit", W, "--methd", "cls"], "No such option: --methd"),
    "no such file": (["limit", "nowhere.json"], r"nowhere.json"),
    "a folder": (["limit", "."], "this is a folder; name a file in it"),
    "no value": (["limit", W, "--toys"], "try: darkstats limit --help"),
    "no number": (["limit", W, "--cl", "high"], "Invalid value for '--cl'"),
    "level above 1": (["limit", W, "--cl", "95"], "between 0.5 and 1 (did you mean 0.95?)"),
    "level of no use as per cent": (["limit", W, "--cl", "2"], "between 0.5 and 1\n"),
    "level 1": (["limit", W, "--cl", "1"], "--cl 1: the confidence level must lie between"),
    "no such method": (["limit", W, "--method", "best"], "choose one of: cls, clsb, pcl, fc"),
    "bayes by toys": (
        ["limit", W, "--method", "bayes", "--calculator", "toys"],
        "a Bayesian limit comes from the posterior",
    ),
    "bayes and a statistic": (
        ["limit", W, "--method", "bayes", "--test-stat", "q"],
        "belong to frequentist limits",
    ),
    "no such prior": (
        ["limit", W, "--method", "bayes", "--prior", "cauchy:1"],
        "unknown prior 'cauchy:1'; write one of: flat | ",
    ),
    "prior below zero": (
        ["limit", W, "--method", "bayes", "--prior", "flat:-1,2"],
        "outside the physical range",
    ),
    "prior range": (
        ["limit", W, "--method", "bayes", "--prior-range", "level"],
        "write NAME=LOW,HIGH",
    ),
    "prior": (["limit", W, "--prior", "jeffreys"], "a prior goes with --method bayes"),
    "scan: bayes by toys": (
        ["scan", Z2018, "--calculator", "toys"],
        "a Bayesian limit comes from the posterior",
    ),
    "scan: bayes and a band": (["scan", Z2018, "--band", "fixed-sigma"], "frequentist limits"),
    "scan: no such prior": (["scan", Z2018, "--prior", "cauchy:1"], "unknown prior 'cauchy:1'"),
    "scan: table": (["scan", Z2018, "--prior", "table:p.json"], "knows priors by their formulas"),
    "scan: prior and cls": (
        ["scan", Z2018, "--method", "cls", "--prior", "jeffreys"],
        "a prior goes with --method bayes",
    ),
    "scan: toys unasked": (
        ["scan", Z2018, "--method", "cls", "--toys", "9"],
        "--toys goes with --calculator toys",
    ),
    "scan: level": (["scan", Z2018, "--method", "cls", "--cl", "0.4"], "between 0.5 and 1"),
    "scan: credibility": (["scan", Z2018, "--method", "bayes", "--cl", "1"], "between 0 and 1"),
    "project: table": (
        ["project", Z2018, "--lumi", "1", "--prior", "table:p.json"],
        "knows priors by their formulas",
    ),
    "engine": (["limit", W, "--engine", "steam"], "unknown engine 'steam'; choose one of: auto"),
    "statistic": (["limit", W, "--test-stat", "q0"], "choose one of: qtilde, q"),
    "calculator": (["limit", W, "--calculator", "fast"], "choose one of: auto, asymptotic, toys"),
    "band": (["limit", W, "--band", "wide"], "choose one of: root, fixed-sigma"),
    "referee": (["limit", W, "--referee", "root"], "unknown referee 'root'; choose one of: pyhf"),
    "toys unasked": (["limit", W, "--toys", "10"], "go with --calculator toys, not with auto"),
    "no toys": (["limit", W, "--calculator", "toys", "--toys", "0"], "--toys 0: give a whole"),
    "seed": (["limit", W, "--seed", "-1"], "--seed -1: give a whole number, at least 0"),
    "threads": (["limit", W, "--threads", "0"], "--threads 0: give a whole number, at least 1"),
    "poi": (["limit", W, "--poi", "nu"], "unknown parameter"),
    "measurement": (["limit", W, "--measurement", "m"], "unknown measurement 'm'"),
    "mask": (["limit", W, "--mask", "SR9"], "unknown channel 'SR9'"),
    "interpolation": (["limit", W, "--interpolation", "code1"], "write normsys=...,histosys="),
    "point alone": (["limit", W, "--point", "a"], "a patch set and a point go together"),
    "blind data": (["limit", W, "--blind", "--data", "d.json"], "do not give --data with it"),
    "blind fc": (["limit", W, "--blind", "--method", "fc"], "needs data: it cannot be blind"),
    "poi lower": (["limit", W, "--poi-lower", "-1"], "is part of qtilde"),
    "poi lower above": (
        ["limit", W, "--test-stat", "q", "--poi-lower", "1"], "must be negative, got 1",
    ),
    "figure format": (["limit", W, "--plot", "limit.jpeg"], "cannot tell the format"),
    "figure kind": (["limit", W, "--plot", "pulls=a.png"], "unknown figure 'pulls'"),
    "csv alone": (["limit", W, "--csv"], "give --plot with it"),
    "output folder": (["limit", W, "-o", "/no/such/folder/x.json"], "there is no folder /no/such"),
    "figure folder": (["limit", W, "--plot", "/no/such/x.png"], "there is no folder /no/such"),
    "output is a folder": (["limit", W, "-o", "/"], "it is a folder"),
    "fix": (["fit", W, "--fix", "mu"], "write NAME=VALUE"),
    "fix unknown": (["fit", W, "--fix", "nu=1"], "unknown parameter 'nu'"),
    "minos": (["fit", W, "--minos", "nu"], "unknown parameter 'nu'"),
    "range": (["scan-poi", W, "--range", "1"], "write LOW:HIGH"),
    "range falling": (["scan-poi", W, "--range", "2:1"], "two finite rising numbers"),
    "three": (
        ["scan-poi", W, "--parameter", "a", "--parameter", "b", "--parameter", "c"],
        "one or two parameters, not 3",
    ),
    "prune nothing": (["prune", W], "say what to prune"),
    "prune unknown": (["prune", W, "-c", "nowhere"], "unknown channel 'nowhere'"),
    "rename": (["rename", W, "-c", "a"], "write OLD=NEW"),
    "rename nothing": (["rename", W], "say what to rename"),
    "combine": (["combine", W, W], "hold the same likelihood"),
    "join": (["combine", W, W, "--join", "inner"], "choose one of: none, outer"),
    "blind gof": (["gof", W, "--blind"], "No such option: --blind"),
    "host": (["download", "https://example.org/x.json"], "not on the allow-list"),
    "q0 at 1": (["hypotest", W, "--test-stat", "q0", "--mu", "1"], "mu must be 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_fail_with_this_message(
    call: Any, two_bins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Exit status 2, one message on standard error, nothing on standard output, no file."""
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD[name]
    done = call(*(str(two_bins) if word == W else word for word in arguments))
    assert done.status == 2, done
    assert message in done.err
    progress = (" ...", "(once per installation)")
    lines = [line for line in done.err.splitlines() if not line.endswith(progress)]
    assert lines[0].startswith("darkstats: error: ")
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said_before_anything_is_computed(
    call: Any, two_bins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for hours of toys to read that a folder is missing."""
    monkeypatch.setattr("darkstats.workflows.limit", None)
    assert "there is no folder" in call("limit", two_bins, "--plot", "/no/such/x.png").err
    monkeypatch.setattr("darkstats.cli.output.find_spec", lambda name: None)
    assert "pip install 'darkstats[plot]'" in call("limit", two_bins, "--plot", "x.png").err


@pytest.mark.parametrize("name", ["level above 1", "no such option", "mask", "no such file"])
def test_errors_are_records_if_records_are_wanted(call: Any, two_bins: Path, name: str) -> None:
    """With --json standard output holds exactly one document, for errors as well."""
    arguments, message = BAD[name]
    done = call(*(str(two_bins) if word == W else word for word in arguments), "--json")
    assert done.status == done.record["exit_status"] == 2
    assert done.record["schema"] == "darkstats.error/1"
    assert done.record["kind"] == "input"
    assert message in done.record["message"]


def test_an_invalid_workspace_is_told_place_by_place(call: Any, tmp_path: Path) -> None:
    """The record of a bad workspace lists its findings with their JSON pointers."""
    broken = tmp_path / "broken.json"
    broken.write_text('{"channels": [], "observations": [], "measurements": [], "version": "2"}')
    done = call("inspect", broken, "--json")
    assert done.status == 2
    assert "/version" in {finding["pointer"] for finding in done.record["findings"]}


def test_an_uncertified_answer_is_status_1(
    call: Any, two_bins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be vouched for is no result."""
    from darkstats.errors import FitFailedError

    def fail(*_: object, **__: object) -> None:
        raise FitFailedError("no minimum could be certified")

    module = import_module("darkstats.inference.upper_limit")
    monkeypatch.setattr(module, "upper_limit", fail)
    done = call("limit", two_bins, "--json")
    assert done.status == 1
    assert done.record["kind"] == "not-certified"
    assert done.record["error"] == "FitFailedError"


def test_an_internal_error_asks_to_be_reported(
    call: Any, two_bins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback for a fault of ours, unless it is asked for."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("darkstats.report.tables.limit_sheet", fail)
    done = call("limit", two_bins)
    assert done.status == 1
    assert "internal error (ZeroDivisionError: oops)" in done.err
    assert "report it" in done.err
    assert "Traceback" not in done.err
    with pytest.raises(ZeroDivisionError, match="oops"):
        call("limit", two_bins, "--debug")


def test_the_most_specific_class_decides_the_status() -> None:
    """The table of exit statuses is read along the classes of an error."""
    from darkstats import errors

    assert running.exit_status(errors.DigestMismatchError(expected="a", found="b")) == 2
    assert running.exit_status(errors.LimitNotFoundError("none")) == 1
    assert running.exit_status(errors.DarkstatsError("x")) == 1
    assert running.exit_status(KeyboardInterrupt()) == 130
    assert running.exit_status(RuntimeError("x")) == 1
