"""Tables, records, files, progress, interruption."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from darkstats.cli.app import build
from darkstats.cli.commands import command
from darkstats.cli.progress import Waiting
from darkstats.service.verbs import VERBS as SERVICE_VERBS
from darkstats.workflows.verbs import VERBS

ALL = {**VERBS, **SERVICE_VERBS}

Start = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize("verb", ALL)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    """Help needs no workspace, and shows one whole command line."""
    words = verb.split()
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    app.command(words[-1])(command(verb, ALL[verb]))
    done = CliRunner().invoke(app, [words[-1], "--help"], env={"COLUMNS": "100"})
    assert done.exit_code == 0
    assert f"Example: darkstats {verb}" in done.output


def test_the_help_lists_every_verb(call: Any) -> None:
    """Nothing is hidden."""
    done = call("--help")
    assert done.status == 0
    for verb in (*ALL, "submit"):
        assert verb.split()[0] in done.out


def test_only_the_module_of_the_verb_is_loaded() -> None:
    """The table of verbs and what is built from it agree."""
    assert list(build(["digest", "x"]).commands) == ["digest"]
    assert list(build(["shards", "run", "x"]).commands) == ["shards"]
    assert list(build(["submit", "limit", "x"]).commands) == ["submit"]
    every = {verb.split()[0] for verb in ALL}
    assert set(build([]).commands) == {*every, "submit"}


def test_version(call: Any) -> None:
    """One line, name and version."""
    done = call("--version")
    assert done.status == 0
    assert done.out.startswith("darkstats ")
    assert done.out.count("\n") == 1


def test_citation_is_bibtex(call: Any) -> None:
    """darkstats, pyhf and the papers behind the numbers."""
    text = call("citation").out
    for word in ("@software{darkstats", "10.21105/joss.02823", "1007.1727", "physics/9711021"):
        assert word in text
    assert text.count("{") == text.count("}")
    assert call("citation", "--json").record["references"][0]["key"] == "darkstats"


def test_file_and_standard_output_hold_the_same_record(
    call: Any, two_bins: Path, tmp_path: Path
) -> None:
    """-o writes the bytes that --json prints."""
    path = tmp_path / "limit.json"
    done = call("limit", two_bins, "--json", "-o", path)
    assert done.status == 0
    assert path.read_text("utf-8") == done.out
    assert done.err == ""
    assert done.record["provenance"]["command"].startswith("darkstats limit ")


def test_the_same_request_gives_the_same_bytes(call: Any, on_off: Path) -> None:
    """Toys included, whatever the number of threads."""
    words = ("hypotest", on_off, "--calculator", "toys", "--toys", 1500, "--seed", 3, "--json")
    first = call(*words)
    assert call(*words).out == first.out
    one = call(*words, "--threads", 1).record
    two = call(*words, "--threads", 2).record
    for record in (one, two):
        del record["provenance"]["command"]
    assert one == two


def test_standard_input_is_read(call: Any, two_bins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """- is the default, as with pyhf."""
    for words in (("hypotest", "--json"), ("hypotest", "-", "--json")):
        stream = io.TextIOWrapper(io.BytesIO(two_bins.read_bytes()))
        monkeypatch.setattr(sys, "stdin", stream)
        assert call(*words).record["CLs_obs"] == pytest.approx(0.3767, abs=1e-4)


def test_blind_looks_at_no_data(call: Any, two_bins: Path, tmp_path: Path) -> None:
    """Other data, same blind record; no observed value in it."""
    document = json.loads(two_bins.read_text())
    document["observations"][0]["data"] = [1.0, 400.0]
    other = tmp_path / "two_bins.json"
    other.write_text(json.dumps(document))
    records = [call("limit", path, "--blind", "--json").record for path in (two_bins, other)]
    assert records[0]["observed"] is None
    assert records[0]["observed_reason"].startswith("blinded")
    assert records[0]["scan"]["observed"] is None
    assert records[0]["CLs_obs"] is None
    assert records[0]["expected"] == records[1]["expected"]


def test_other_data_are_taken_from_a_file(call: Any, two_bins: Path, tmp_path: Path) -> None:
    """--data replaces the counts; every channel has to be there."""
    document = json.loads(two_bins.read_text())
    name = document["channels"][0]["name"]
    data = tmp_path / "data.json"
    data.write_text(json.dumps({name: [40, 60]}))
    record = call("limit", two_bins, "--data", data, "--json").record
    assert record["provenance"]["data"] == str(data)
    assert record["observed"] != call("limit", two_bins, "--json").record["observed"]
    for bad, message in (
        ({}, f"no counts for channel {name!r}"),
        ({name: [40, 60], "x": [1]}, "counts for unknown channels"),
        ({name: [40]}, "/observations/0/data"),
        ([1], "holds no observed counts"),
    ):
        data.write_text(json.dumps(bad))
        done = call("limit", two_bins, "--data", data)
        assert (done.status, message in done.err) == (2, True), done.err


def test_toys_are_added_to_an_earlier_result(call: Any, on_off: Path, tmp_path: Path) -> None:
    """1000 toys and 500 more are 1500 toys; another seed, model or test is refused."""
    path = tmp_path / "first.json"
    words = ("hypotest", on_off, "--calculator", "toys", "--json")
    call(*words, "--toys", 1000, "--seed", 5, "-o", path)
    added = call(*words, "--toys", 500, "--add-toys", path)
    assert added.record["toys_of_earlier_result"] == 1000
    whole = call(*words, "--toys", 1500, "--seed", 5)
    for key in ("cls", "clsb", "clb", "expected", "toys", "seed"):
        assert added.record[key] == whole.record[key]
    for more, message in (
        (("--seed", 6), "has seed 5, not 6"),
        (("--mu", 2), "has mu 1.0, not 2.0"),
        (("--interpolation", "normsys=code1,histosys=code0"), "another model"),
    ):
        done = call(*words, "--toys", 500, "--add-toys", path, *more)
        assert (done.status, message in done.err) == (2, True), done.err


def test_nothing_is_shown_in_the_first_second(capsys: pytest.CaptureFixture[str]) -> None:
    """A short step stays silent, a long one speaks on standard error."""
    with Waiting("quick"):
        pass
    assert capsys.readouterr().err == ""
    with Waiting("slow"):
        time.sleep(1.2)
    captured = capsys.readouterr()
    assert captured.err == "darkstats: slow ...\n"
    assert captured.out == ""


def test_on_a_terminal_toys_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar shows how many toys are done, of how many, and takes counts from any thread."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with Waiting("throwing", 4000) as step:
        step.advance(1024)
        time.sleep(1.2)
        step.advance(1024)
        time.sleep(0.3)
    assert "2048/4000 toys" in screen.getvalue()
    assert "throwing" in screen.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interrupted_it_leaves_soon_and_leaves_no_file(
    command: Start, on_off: Path, tmp_path: Path
) -> None:
    """Ctrl-C during toys: status 130, within seconds, old file untouched, nothing half-written."""
    target = tmp_path / "limit.json"
    target.write_text("old")
    process = command(
        "limit", on_off, "--calculator", "toys", "--toys", 30_000_000, "-o", target, "--json"
    )
    assert process.stderr is not None
    line = process.stderr.readline()  # it says so after a second
    while "throwing" not in line:
        assert line, process.communicate()
        line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)  # 30 million toys take an hour
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    assert json.loads(out)["kind"] == "interrupted"


def test_interrupted_in_python_it_is_a_status(
    call: Any, two_bins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever calls the command from Python gets 130 and a record, not an exception."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("darkstats.report.tables.limit_sheet", interrupt)
    monkeypatch.setattr("darkstats.report.records.limit_record", interrupt)
    assert call("limit", two_bins).status == 130
    assert call("limit", two_bins, "--json").record["kind"] == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_goes_away_is_no_error(command: Start, two_bins: Path) -> None:
    """``darkstats ... | head -c 1`` ends quietly."""
    process = command("inspect", two_bins, "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.parametrize(
    "words",
    [
        ("fit", "--plot", "a.png", "--plot", "prefit=./a.png"),
        ("fit", "--covariance", "a.npz", "-o", "a.npz"),
        ("limit", "--plot", "a.svg", "-o", "b/../a.svg"),
        ("simplify", "--report", "a.json", "-o", "a.json"),
        ("reinterpret", "--signal", "SR=1,2", "--write-patch", "a.json", "-o", "a.json"),
    ],
)
def test_one_file_is_not_two_things(
    call: Any, two_bins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    """The second would replace the first; nothing is computed and nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    verb, *more = words
    done = call(verb, str(two_bins), *more)
    assert done.status == 2
    assert "both write" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
