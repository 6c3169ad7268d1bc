"""Commands that the documentation shows exist, and those on shipped files run."""

from __future__ import annotations

import functools
import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from darkstats.service.verbs import GROUPS as SERVICE
from darkstats.workflows.verbs import GROUPS

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BASH = re.compile(r"^```(?:bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
START = "import sys; from darkstats.cli import main; sys.argv[0] = 'darkstats'; sys.exit(main())"


def commands() -> list[str]:
    """Every ``darkstats ...`` line of the documentation, without comments and pipes, once each."""
    found: set[str] = set()
    for page in PAGES:
        if "_build" in page.parts:
            continue
        for block in BASH.findall(page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                match = re.search(r"(?:^|[/ ])darkstats ((?:[a-z-]+|--version)\b[^|>#&]*)", line)
                if match and "pip install" not in line and "clone" not in line:
                    found.add(" ".join(match[1].split()))
    return sorted(found)


PUBLISHED = "sbottom.tar.gz"
OUTPUT = re.compile(r"^<!-- output: (.+?) -->\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def outputs() -> list[tuple[str, str, str]]:
    """Blocks that show what a command prints: page, command, lines."""
    return [
        (page.name, command, text)
        for page in PAGES
        if "_build" not in page.parts
        for command, text in OUTPUT.findall(page.read_text("utf-8"))
    ]


def on_shipped_files(command: str) -> bool:
    """Whether a command reads nothing but what the repository holds."""
    words = re.sub(r"(-o|--plot) \S+", "", command).split()
    inputs = [word for word in words if re.search(r"\.json|\.gz$|/", word)]
    return bool(inputs) and all(word.startswith("workspaces/examples/") for word in inputs)


def darkstats(arguments: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1", "MPLBACKEND": "agg"},
    )


@functools.cache
def help_of(verb: str) -> str:
    done = darkstats([*verb.split(), "--help"])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", commands())
def test_options_exist(command: str) -> None:
    """A documented verb exists, and its help names every option that is shown with it."""
    verb, *words = shlex.split(command)
    if verb.startswith("-"):
        assert verb in help_of("--help")
        return
    options = [word for word in words if re.match(r"-{1,2}[a-z]", word)]
    steps = words and not words[0].startswith("-")  # serve itself is a verb, too
    text = help_of(f"{verb} {words[0]}" if steps and verb in {*GROUPS, *SERVICE} else verb)
    assert [o for o in options if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", text)] == []


@pytest.mark.parametrize("command", [c for c in commands() if on_shipped_files(c)])
def test_command_runs(command: str, tmp_path: Path) -> None:
    """A documented command on a shipped workspace exits with 0, and writes what it was asked to."""
    (tmp_path / "workspaces").symlink_to(REPOSITORY / "workspaces", target_is_directory=True)
    words = shlex.split(command)
    done = darkstats(words, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for option, name in itertools.pairwise(words):
        if option in {"--plot", "-o"}:
            assert (tmp_path / name.rpartition("=")[2]).stat().st_size > 0


@pytest.mark.parametrize(("page", "command", "text"), outputs())
def test_shown_output_is_what_is_printed(
    request: pytest.FixtureRequest, tmp_path: Path, page: str, command: str, text: str
) -> None:
    """Each line of a shown output is a line that the command prints, in the same order."""
    folder = REPOSITORY
    if PUBLISHED in command:  # skips where the record is absent
        (record,) = (request.getfixturevalue("reference_data") / "atlas_susy_2018_31").glob("*.gz")
        (tmp_path / PUBLISHED).symlink_to(record)
        folder = tmp_path
    printed = iter(
        line.strip() for line in darkstats(shlex.split(command), folder).stdout.splitlines()
    )
    assert [line for line in text.splitlines() if line.strip() not in printed] == []


def test_every_verb_of_the_reference_is_a_verb() -> None:
    """The reference has a section for each verb of the command line, and for nothing else."""
    text = (REPOSITORY / "docs/reference/cli.md").read_text("utf-8")
    sections = re.findall(r"^## (\S+)$", text, re.MULTILINE)
    listed = re.findall(r"^[│|\s]*([a-z][a-z0-9-]+)\s{2,}\S", help_of("--help"), re.MULTILINE)
    assert sorted(sections) == sorted(set(listed))


FINDS_MODULES = """
import importlib, sys
from pathlib import Path
path, ours = list(sys.path), {file.stem for file in Path("tests").glob("*.py")}
for name in sys.argv[1:]:
    sys.path[:] = path
    for known in [one for one in sys.modules if one in ours or one.partition(".")[0] == "tests"]:
        del sys.modules[known]
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name in ours:
            print(f"{name} does not find {error.name}")
"""


def test_studies_find_the_modules_that_tests_share() -> None:
    """``python -m tests...`` runs at the root of the repository, where no test runner helps."""
    named = {
        name
        for page in PAGES
        for name in re.findall(r"python -m (tests\.[a-z_.]+)", page.read_text("utf-8"))
    }
    assert len(named) > 10
    done = subprocess.run(
        [sys.executable, "-c", FINDS_MODULES, *sorted(named)],
        cwd=REPOSITORY,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
