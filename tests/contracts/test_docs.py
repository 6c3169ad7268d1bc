"""The documentation: quadrants, decisions, links, and examples that run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
QUADRANTS = ("tutorial", "how-to", "reference", "explanation")
FOLDERS = {
    "tutorials": "tutorial",
    "how-to": "how-to",
    "reference": "reference",
    "explanation": "explanation",
    "decisions": "explanation",
    "studies": "explanation",
    "changelog.d": "reference",
}
PAGES = sorted(
    path for path in DOCS.rglob("*.md") if not {"_build", "changelog.d"} & set(path.parts)
)
FRAGMENTS = sorted((DOCS / "changelog.d").glob("*.md"))
EXAMPLES = sorted((DOCS / "examples").glob("example_*.py"))
ADR_SECTIONS = ("Status", "Context", "Decision", "Consequences", "Alternatives")


def relative(path: Path) -> str:
    return str(path.relative_to(DOCS))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_first_line_declares_the_quadrant(page: Path) -> None:
    """Each page says what it is: a tutorial, a how-to, reference or explanation."""
    first = page.read_text("utf-8").splitlines()[0]
    match = re.fullmatch(r"<!-- diataxis: ([\w-]+) -->", first)
    assert match, first
    assert match[1] in QUADRANTS
    folder = page.relative_to(DOCS).parts[0]
    assert match[1] == FOLDERS.get(folder, match[1])


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_page_has_one_title(page: Path) -> None:
    """A page has exactly one first-level heading, outside code."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# \S", text, re.MULTILINE)) == 1


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_to_files_exist(page: Path) -> None:
    """Relative links lead to files of this repository."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"\w+:", target):
            assert (page.parent / target).exists(), target


def test_decisions_are_numbered_and_complete() -> None:
    """Decisions are numbered without a gap; each has the five sections."""
    decisions = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [int(path.name[:4]) for path in decisions]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in decisions:
        headings = re.findall(r"^## (.+)$", path.read_text("utf-8"), re.MULTILINE)
        assert tuple(headings) == ADR_SECTIONS, path.name


def test_changelog_fragments_are_named_by_kind() -> None:
    """A fragment is named TOPIC.KIND.md; ``physics`` says that a number may move."""
    kinds = {path.name.split(".")[-2] for path in FRAGMENTS if path.name != "README.md"}
    assert kinds <= {"added", "changed", "fixed", "removed", "physics"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    """An example that the documentation shows runs as it stands, without a warning."""
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=REPOSITORY,
        env={**environment, "DARKSTATS_EXAMPLE_OUTPUT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/use-from-python.md"])
def test_python_blocks_run(page: str, tmp_path: Path) -> None:
    """The Python lines of these pages run beside the shipped workspaces, in order."""
    pytest.importorskip("matplotlib")
    (tmp_path / "workspaces").symlink_to(REPOSITORY / "workspaces", target_is_directory=True)
    text = (REPOSITORY / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("limit*.p*"))
