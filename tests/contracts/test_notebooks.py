"""The notebooks of the tutorials show what they show when they are run again."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from example_scripts import example_script

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((REPOSITORY / "docs/tutorials").glob("*.ipynb"))
LARGEST = 250_000  # bytes: outputs are kept in the repository


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """The script that runs notebooks without Jupyter."""
    return example_script("run_notebooks")


def kept(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_there_are_two() -> None:
    """A theorist's and an analyst's, both in the table of contents."""
    assert [path.stem for path in NOTEBOOKS] == ["analyst", "theorist"]
    contents = (REPOSITORY / "docs/tutorials/index.md").read_text("utf-8").split()
    assert {"analyst", "theorist"} <= set(contents)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_a_fresh_run_shows(path: Path, runner: ModuleType) -> None:
    """All text and tables are equal; figures are drawn where they were."""
    pytest.importorskip("matplotlib")
    assert runner.in_words(runner.executed(path)) == runner.in_words(kept(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_a_page(path: Path) -> None:
    """Quadrant, one title, small; cells in order, without errors, with whole figures."""
    cells = kept(path)["cells"]
    text = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert text[0].splitlines()[0] == "<!-- diataxis: tutorial -->"
    assert sum(line.startswith("# ") for part in text for line in part.splitlines()) == 1
    assert "simulated" in text[0]
    assert path.stat().st_size < LARGEST
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"execute_result", "stream"}
    figures = [output["data"]["image/png"] for output in outputs
               if "image/png" in output.get("data", {})]  # fmt: skip
    assert len(figures) == 2
    for figure in figures:
        assert base64.b64decode(figure).startswith(b"\x89PNG")


def test_a_value_is_shown_as_jupyter_shows_it(runner: ModuleType) -> None:
    """The last expression of a cell, unless it is None; what is printed before it."""
    names: dict[str, Any] = {}
    assert runner.run_cell("x = 2", names, 1) == []
    assert runner.run_cell("print('a')\nNone", names, 2) == [
        {"name": "stdout", "output_type": "stream", "text": ["a\n"]}
    ]
    (shown,) = runner.run_cell("x + 1", names, 3)
    assert shown["data"] == {"text/plain": ["3"]}
    assert shown["execution_count"] == 3
    with pytest.raises(ZeroDivisionError):
        runner.run_cell("1 / 0", names, 4)


def test_a_changed_number_is_seen(runner: ModuleType) -> None:
    """The comparison looks at text, at tables, and at whether there is a figure."""
    notebook, before = kept(NOTEBOOKS[1]), runner.in_words(kept(NOTEBOOKS[1]))
    (printed,) = (
        output
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "mu <" in "".join(output.get("text", ""))
    )
    printed["text"][0] = printed["text"][0].replace("0", "1")
    assert runner.in_words(notebook) != before
