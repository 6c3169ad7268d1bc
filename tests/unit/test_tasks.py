"""What the command line does, from Python: the same requests, the same records."""

from __future__ import annotations

import inspect
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

import darkstats
from darkstats import tasks, workflows
from darkstats.cli import run
from darkstats.errors import NotCertifiedError, OptionError, UnknownNameError
from darkstats.options import choices_of, sharing
from darkstats.report.writing import json_text
from darkstats.workflows import Outcome
from darkstats.workflows.verbs import VERBS

TASKS = sorted(tasks.__all__)
TAKEN = {"fit", "hypotest", "significance"}  # names of packages, and of functions on models
REQUESTS = {
    name: getattr(workflows, inspect.unwrap(getattr(tasks, name)).__annotations__["request"][10:])
    for name in TASKS
}


@pytest.mark.parametrize("name", TASKS)
def test_the_signature_is_what_a_request_offers(name: str) -> None:
    """Every choice of the request, and nothing else, with its default and its help."""
    task = getattr(tasks, name)
    assert getattr(darkstats, name, task) is task or name in TAKEN
    parameters = inspect.signature(task).parameters
    asked = {one.path[-1]: one for one in choices_of(REQUESTS[name])}
    assert parameters.keys() == asked.keys()
    text = " ".join(task.__doc__.split())
    for key, one in asked.items():
        placed = parameters[key].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert placed is not bool(one.option.flags)
        if parameters[key].default is not inspect.Parameter.empty:
            assert parameters[key].default == one.default
        assert " ".join(one.option.text.split()) in text.replace("\\", "")


def test_every_task_is_a_verb() -> None:
    """The command line has the same request: no function does what no verb does."""
    assert {kind.__name__ for kind in REQUESTS.values()} <= {
        verb.request for verb in VERBS.values()
    }


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("limit", {"cl": 0.9, "method": "clsb"}, ["--cl", "0.9", "--method", "clsb"]),
        ("limit", {"method": "bayes", "engine": "laplace"},
         ["--method", "bayes", "--engine", "laplace"]),
        ("limit", {"calculator": "toys", "n_toys": 200, "seed": 3},
         ["--calculator", "toys", "--toys", "200", "--seed", "3"]),
        ("limit", {"blind": True}, ["--blind"]),
        ("hypotest", {"mu": 1.5}, ["--mu", "1.5"]),
        ("fit", {"fixed": {"mu": 1.0}}, ["--fix", "mu=1"]),
        ("fit", {"minos": ["mu", "background_bins[0]"]},
         ["--minos", "mu", "--minos", "background_bins[0]"]),
        ("rank", {"groups": {"all": "*"}}, ["--group", "all=*"]),
        ("gof", {}, []),
        ("rename", {"modifiers": {"mu": "r"}}, ["-m", "mu=r"]),
    ],
)  # fmt: skip
def test_python_and_the_command_line_give_one_record(
    example_workspaces: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    task: str,
    options: dict[str, object],
    words: list[str],
) -> None:
    """The same bytes, but for the command line that only one of them has."""
    path = example_workspaces["two_bins"]
    assert run([task, str(path), *words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = getattr(tasks, task)(path, **options)
    assert capsys.readouterr() == ("", "")  # nothing is printed
    record = found.to_dict()
    assert json.loads(json_text(found.record())) == json.loads(json.dumps(record))
    for one in (printed, record):
        for key in ("command", "command_reason"):
            one.get("provenance", {}).pop(key, None)
    assert printed == record


def test_objects_do_as_well_as_files(example_workspaces: dict[str, Path]) -> None:
    """A workspace that was read gives the record of its file, sidecar included."""
    path = example_workspaces["two_bins"]
    workspace = darkstats.read_workspace(path)
    found, same = (darkstats.limit(one, cl=0.9).to_dict() for one in (workspace, path))
    calls = [one["provenance"].pop("command") for one in (found, same)]
    assert found == same
    assert calls == [
        "darkstats.limit(source=Workspace, cl=0.9)",
        f"darkstats.limit(source={str(path)!r}, cl=0.9)",
    ]


def test_a_point_of_a_patch_set_that_was_read(repository: Path) -> None:
    """Workspace and patch set as objects; the digest of the workspace is verified there, too."""
    folder = repository / "workspaces/examples/mass_scan"
    base, patches = folder / "background_only.json", folder / "patchset.json"
    files = darkstats.limit(base, patchset=patches, point="mass_1p8")
    workspace = darkstats.read_workspace(base, usable=False)
    objects = darkstats.limit(
        workspace, patchset=darkstats.read_patchset(patches), point="mass_1p8"
    )
    assert objects.result == files.result
    other = repository / "workspaces/examples/two_bins.json"
    with pytest.raises(darkstats.InputError, match="belongs to the workspace"):
        darkstats.limit(other, patchset=darkstats.read_patchset(patches), point="mass_1p8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cl": "0.9"}, "limit: cl is '0.9'; pass a number or None"),
        ({"n_toys": 1.5}, "limit: n_toys is 1.5; pass a whole number or None"),
        ({"blind": 1}, "limit: blind is 1; pass True or False or None"),
        ({"masked": 3}, "limit: masked is 3; pass a list of text or a path"),
        ({"ranges": {"mu": 1}}, "limit: ranges is {'mu': 1}; pass a list of"),
        ({"levels": 0.9}, "limit: got an unexpected keyword argument 'levels'; it takes source"),
    ],
)
def test_wrong_types_say_what_to_pass(
    example_workspaces: dict[str, Path], options: dict[str, object], words: str
) -> None:
    """An error of ours that is a TypeError, too; nothing is read before."""
    with pytest.raises(darkstats.ArgumentTypeError) as caught:
        darkstats.limit(example_workspaces["two_bins"], **options)
    assert str(caught.value).startswith(words)
    assert isinstance(caught.value, TypeError)


def test_the_checks_of_a_request_are_those_of_the_command_line() -> None:
    """What contradicts is refused alike, before a file is read."""
    with pytest.raises(OptionError, match="--cl 95"):
        darkstats.limit("no.json", cl=95)
    with pytest.raises(UnknownNameError, match="unknown method 'cl'"):
        darkstats.limit("no.json", method="cl")
    with pytest.raises(UnknownNameError, match="auto, newton, zfit, quadrature"):
        darkstats.limit("no.json", engine="steam")
    with pytest.raises(OptionError, match="zfit is for unbinned models"):
        darkstats.reinterpret_likelihood("no.json", signal="sr=1", engine="zfit")


def test_two_fields_of_one_keyword_share_a_flag() -> None:
    """A keyword is one option: nothing is hidden behind another one's name."""
    for name in TASKS:
        groups = sharing(choices_of(REQUESTS[name]))
        assert len({shared[0].path[-1] for shared in groups}) == len(groups)


@pytest.mark.parametrize(
    ("task", "options", "line"),
    [
        ("fit", {}, "Outcome(Fitted(values=('mu 0.5811 ± 0.76', "),
        ("rank", {}, "Outcome(Ranking(largest='background_bins[1] by 0.403', "),
        ("simplify", {}, "Outcome(Simplified(parameters='3 -> 3', largest_change="),
        ("limit", {"method": "bayes"}, "Outcome(CredibleLimit(poi='mu', cl=0.9, engine='quadratu"),
        ("limit", {"calculator": "toys", "n_toys": 200, "seed": 1},
         "Outcome(UpperLimit(poi='mu', cl=0.95, method='cls', calculator='toys', "
         "observed=1.963 ± 0.11, expected=(None, None, "),
    ],
)  # fmt: skip
def test_the_line_says_what_and_how_sure(
    example_workspaces: dict[str, Path], task: str, options: dict[str, object], line: str
) -> None:
    """Number, error, certification: no line is longer than a few hundred characters."""
    found = getattr(tasks, task)(example_workspaces["two_bins"], **options)
    assert repr(found).startswith(line), repr(found)
    assert len(repr(found)) < 300


def test_nothing_certified_is_an_error_for_who_asks() -> None:
    """What the exit status of a verb says, and the line of the outcome."""
    good = Outcome(result=1, record=dict, sheet=str)
    assert good.require_certified() is good
    with pytest.raises(NotCertifiedError, match="no fit"):
        replace(good, uncertified="no fit").require_certified()
    with pytest.raises(darkstats.InputError, match="a hole"):
        replace(good, malformed="a hole").require_certified()
    assert repr(replace(good, uncertified="no fit")) == "Outcome(1, no fit)"


def test_a_document_has_to_be_named() -> None:
    """Nobody waits for standard input in Python."""
    with pytest.raises(darkstats.ArgumentTypeError, match="missing a required argument: 'source'"):
        darkstats.limit(cl=0.9)


def test_outcomes_show_themselves(example_workspaces: dict[str, Path], tmp_path: Path) -> None:
    """One line with the number and how sure it is; a table; the record in a file."""
    found = darkstats.limit(example_workspaces["two_bins"])
    assert repr(found) == f"Outcome({found.result!r})"
    assert "observed=1.965" in repr(found)
    assert "certified" in repr(found)
    assert len(repr(found)) < 200
    assert found._repr_html_().startswith("<table><caption>UpperLimit</caption>")
    found.save(tmp_path / "limit.json")
    assert json.loads((tmp_path / "limit.json").read_text("utf-8")) == found.to_dict()


def test_finished_results_are_drawn_from_python(repository: Path, tmp_path: Path) -> None:
    """An outcome, and the file of its record, give the same figures."""
    pytest.importorskip("matplotlib")
    scan = darkstats.mass_scan(repository / "workspaces/examples/mass_scan", workers=1)
    scan.save(tmp_path / "scan.json")
    at_hand = darkstats.plot(scan, constraints="none")
    of_file = darkstats.plot(tmp_path / "scan.json", constraints="none")
    ours, theirs = at_hand.figure("limits"), of_file.figure("limits")
    assert ours.columns == theirs.columns
    assert ours._repr_png_().startswith(b"\x89PNG")


def test_the_log_is_silent_by_default(
    example_workspaces: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps are told to children of the logger darkstats, and to nobody else."""
    # pyhs3, which other tests import, disables the loggers that exist, and has a root that prints.
    monkeypatch.setattr(logging.getLogger(), "handlers", [caplog.handler])
    for name in ("darkstats", "darkstats.workflows", "darkstats.workspace"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
    assert any(isinstance(h, logging.NullHandler) for h in logging.getLogger("darkstats").handlers)
    with caplog.at_level("INFO", logger="darkstats"):
        darkstats.limit(example_workspaces["two_bins"], cl=0.9)
    assert {record.name for record in caplog.records} == {
        "darkstats.workflows",
        "darkstats.workspace",
    }
    assert "fitting" in caplog.messages
    assert capsys.readouterr() == ("", "")
