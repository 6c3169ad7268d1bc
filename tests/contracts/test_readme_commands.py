"""The README's commands are what .ci/run runs."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

BLOCK = re.compile(
    r"^<!-- ci: (?P<name>\w+) -->\n```bash\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(repository: Path) -> dict[str, str]:
    text = (repository / "README.md").read_text("utf-8")
    return {match["name"]: match["text"] for match in BLOCK.finditer(text)}


def shell_lines(repository: Path) -> list[str]:
    return (repository / ".ci/run").read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", ["limit", "test"])
def test_ci_runs_the_block_of_the_readme(repository: Path, name: str) -> None:
    """What .ci/run extracts is the fenced block that a reader of the README copies."""
    shown = subprocess.run(
        ["bash", ".ci/run", "--show", name],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == blocks(repository)[name]
    assert f"readme {name}" in shell_lines(repository)


def test_every_marked_block_is_run(repository: Path) -> None:
    """A block that is marked for CI is run by CI, in the order of the README."""
    run = [line.split()[1] for line in shell_lines(repository) if re.fullmatch(r"readme \w+", line)]
    assert run == list(blocks(repository))


@pytest.mark.parametrize(("name", "ends_with"), [("limit", "darkstats"), ("test", "pytest")])
def test_each_block_is_one_line_in_its_own_environment(
    repository: Path, name: str, ends_with: str
) -> None:
    """One line each: chained by &&, with the pinned versions, in the virtual environment."""
    (line,) = blocks(repository)[name].splitlines()
    steps = [shlex.split(step) for step in line.split(" && ")]
    install, last = steps[-2], steps[-1]
    assert install[:4] == [".venv/bin/python", "-m", "pip", "install"]
    assert install[4:6] == ["-c", "constraints.txt"]
    assert any(ends_with in word for word in last)


def test_the_first_line_makes_the_environment_and_a_plot(repository: Path) -> None:
    """The first line starts from nothing, uses a shipped workspace and writes a figure."""
    line = blocks(repository)["limit"]
    assert line.startswith("python3 -m venv .venv && ")
    words = shlex.split(line.split(" && ")[-1])
    assert words[:2] == [".venv/bin/darkstats", "limit"]
    assert (repository / words[2]).is_file()
    assert "--plot" in words
