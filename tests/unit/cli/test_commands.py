"""Options are declared once: what every verb offers follows from the fields of its request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from darkstats import workflows
from darkstats.cli import commands, output
from darkstats.cli.commands import command
from darkstats.errors import OptionError, UnknownNameError
from darkstats.options import Choice, check_choices, choices_of, option
from darkstats.workflows import LimitRequest, MassScanRequest, ModelRequest
from darkstats.workflows.verbs import VERBS, Verb

#: Flags whose meaning is of their verb; the help of each says which.
OF_THEIR_VERB = {
    "--output": {"FILE", "DIR"},  # a file for a record, a folder for work that resumes
    "--data": {"FILE"},  # one file of counts, or events of several spectra
    "--mu": {"VALUE"},  # tested, or held
    "--toys": {"N"},  # of each hypothesis, or of the whole spectrum
    "--csv": {None, "FILE"},  # numbers of a figure, or a table
    "--hepdata": {"INS", "DIR"},  # which record, or where to
    "--measurement": {"NAME", "OLD=NEW"},
    "--channel": {"NAME", "OLD=NEW"},
    "--sample": {"NAME", "OLD=NEW"},
    "--modifier": {"NAME", "OLD=NEW"},
    "--patch": {"FILE"},  # one after the other, or each a hypothesis
    "--cache": {"DIR"},
    "--lumi": {"LIST", "IFB"},  # those to project to, or that of the table
}


def asked_of(verb: str) -> dict[str, Choice]:
    """Options of a verb by their longest flag."""
    declared = VERBS[verb]
    hidden = declared.without.split()
    found = choices_of(getattr(workflows, declared.request))
    return {
        one.option.name: one for one in found if one.option.flags and one.path[-1] not in hidden
    }


def test_an_option_is_one_thing_everywhere() -> None:
    """The same flags and word for the value; a flag of several meanings is on the list."""
    for one, other in combinations(VERBS, 2):
        mine, theirs = asked_of(one), asked_of(other)
        for name in mine.keys() & theirs.keys():
            a, b = mine[name].option, theirs[name].option
            if name in OF_THEIR_VERB:
                assert {a.metavar, b.metavar} <= OF_THEIR_VERB[name]
            else:
                assert (a.flags, a.metavar, a.kind) == (b.flags, b.metavar, b.kind), (one, other)


def test_whoever_scans_takes_the_options_of_scan() -> None:
    """A plan leaves out who works, and the model, which merge takes; a projection more."""
    scan = asked_of("scan")
    later = {"--cross-sections", "--unit-signal"}
    assert asked_of("shards plan") == {
        name: one for name, one in scan.items() if name not in {"--cluster", "--workers"} | later
    }
    assert later <= asked_of("shards merge").keys()
    project = asked_of("project")
    assert scan.keys() - project.keys() == {
        "--patch", "--name-pattern", "--data", "--calculator", "--test-stat", "--band", "--toys",
        "--seed", "--blind",
    }  # fmt: skip
    for name in scan.keys() & project.keys():
        assert project[name].option == scan[name].option
    for name in asked_of("global").keys() & scan.keys() - {"--toys", "--seed"}:
        assert asked_of("global")[name].option == scan[name].option


def test_a_limit_and_a_scan_take_the_same_priors() -> None:
    """One set of options of posteriors, with the same defaults."""
    bayes = {one.path[-1]: one for one in choices_of(workflows.BayesSettings)}
    for request in (LimitRequest, MassScanRequest, workflows.ProjectRequest):
        inside = [one for one in choices_of(request) if one.path[0] == "bayes"]
        assert {one.path[-1]: (one.option, one.default) for one in inside} == {
            name: (one.option, one.default) for name, one in bayes.items()
        }


def test_every_choice_can_be_read_in_the_help() -> None:
    """No word is accepted that the help does not name."""
    for verb in VERBS:
        for one in asked_of(verb).values():
            if one.path[-1] != "engine":
                for word in one.option.choices:
                    assert word in one.option.text, (verb, one.option.name)


def test_a_verb_may_say_what_an_option_means_to_it() -> None:
    """Words of its own are of fields that its request has, and stand in its help."""
    for name, verb in VERBS.items():
        fields = {one.path[-1] for one in choices_of(getattr(workflows, verb.request))}
        assert verb.words.keys() <= fields, name
    patches = called(VERBS["patchset create"], "--help").output
    assert "one for each hypothesis; repeatable" in " ".join(patches.split())
    assert "in the place of a patch set" not in " ".join(patches.split())


def called(verb: Verb, *words: str) -> Any:
    """What typer says, and does, with these words."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    app.command("verb")(command("verb", verb))
    return CliRunner().invoke(app, ["verb", *words], obj=workflows.Shell())


def test_one_new_field_is_one_new_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worked example of the page for contributors: nothing else is written anywhere."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Request:
        """A request with a field of its own."""

        model: ModelRequest
        digits: Annotated[
            int,
            option("--digits", metavar="N", help="Significant digits.", least=1, most=15),
        ] = 4

        def __post_init__(self) -> None:
            check_choices(self)

    seen: list[Request] = []
    monkeypatch.setitem(vars(workflows), "Request", Request)
    monkeypatch.setitem(vars(workflows), "task", lambda request, _: seen.append(request))
    monkeypatch.setattr(commands, "deliver", lambda task, *_: task())
    monkeypatch.setitem(globals(), "ModelRequest", ModelRequest)
    verb = Verb(request="Request", task="task", panel="Statistics", help="Example: darkstats verb")
    help_text = called(verb, "--help").output
    assert "--digits" in help_text
    assert "Significant digits." in help_text
    assert "[default: 4]" in help_text
    assert called(verb, "w.json", "--digits", "7").exit_code == 0
    assert called(verb).exit_code == 0
    assert [one.digits for one in seen] == [7, 4]
    assert seen[0].model.workspace.source == "w.json"
    refused = called(verb, "--digits", "0")
    assert isinstance(refused.exception, OptionError)
    assert str(refused.exception) == "--digits 0: give a whole number, at least 1, at most 15"


@pytest.mark.parametrize(
    ("word", "newton", "posterior"),
    [("zfit", "zfit", "auto"), ("nuts", "auto", "nuts"), ("auto", "auto", "auto")],
)
def test_a_word_goes_to_the_field_that_knows_it(
    monkeypatch: pytest.MonkeyPatch, word: str, newton: str, posterior: str
) -> None:
    """--engine names what evaluates a likelihood, or what integrates a posterior."""
    seen: list[LimitRequest] = []
    monkeypatch.setitem(vars(workflows), "limit", lambda request, _: seen.append(request))
    monkeypatch.setattr(commands, "deliver", lambda task, *_: task())
    done = called(VERBS["limit"], "w.json", "--method", "bayes", "--engine", word)
    assert done.exit_code == 0, done.exception
    assert (seen[0].model.engine, seen[0].bayes.engine) == (newton, posterior)
    refused = called(VERBS["limit"], "w.json", "--engine", "steam").exception
    assert isinstance(refused, UnknownNameError)
    assert "auto, newton, zfit, quadrature, laplace, nuts" in str(refused)


def test_output_options_follow_the_verb() -> None:
    """A verb with a folder of its own has no file for the record; one without figures no --csv."""
    offered = {
        verb: {one.option.name for one in choices_of(output.Output)
               if commands._is_offered(VERBS[verb], one)}
        for verb in ("limit", "scan", "digest", "build")
    }  # fmt: skip
    assert offered["limit"] == {"--json", "--output", "--plot", "--csv"}
    assert offered["scan"] == {"--json", "--plot", "--csv"}
    assert offered["digest"] == {"--json", "--output"}
    assert offered["build"] == {"--json"}


EXAMPLES = Path(__file__).resolve().parents[3] / "workspaces/examples"


@pytest.mark.parametrize(
    "words",
    [
        "limit two_bins.json",
        "limit two_bins.json --method fc --toys 100",
        "limit two_bins.json --method bayes",
        "hypotest two_bins.json",
        "significance two_bins.json",
        "gof two_bins.json",
        "fit two_bins.json",
        "rank two_bins.json",
        "scan-poi two_bins.json --points 3",
        "reinterpret two_bins.json --signal signal_region=1,2",
        "scan mass_scan",
    ],
)
def test_a_figure_that_a_verb_never_draws_is_refused_before_the_work(
    words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each verb says all that it may draw: nothing else, and nothing that it does not."""
    name, source, *options = words.split()
    monkeypatch.chdir(tmp_path)
    figure = tmp_path / "f.png"
    arguments = [str(EXAMPLES / source), *options, "--json"]
    seen = []

    def watched(task: Callable[[], Any], *_: Any) -> None:
        seen.append(set(task().figures))

    monkeypatch.setattr(commands, "deliver", watched)
    assert called(VERBS[name], *arguments, "--plot", f"nix={figure}").exit_code != 0
    assert seen == []
    assert called(VERBS[name], *arguments).exit_code == 0
    (found,) = seen
    assert found
    assert found <= set(VERBS[name].kinds.split())
