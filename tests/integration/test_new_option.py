"""The worked example of the page for contributors: a new option is one declaration, in one file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from darkstats.workflows.verbs import VERBS

LOOK = """
import inspect, json, sys
import darkstats
from darkstats.cli import run

assert darkstats.__file__.startswith(sys.argv[1]), darkstats.__file__
path, found = sys.argv[2], {}
for name in ("limit", "mass_scan", "reinterpret_likelihood"):
    task = getattr(darkstats, name)
    found[name] = [str(inspect.signature(task).parameters["digits"]), task.__doc__]
found["call"] = darkstats.limit(path, digits=6).to_dict()["provenance"]["command"]
found["refused"] = []
for value in (0, 16, "six"):
    try:
        darkstats.limit(path, digits=value)
    except darkstats.InputError as error:
        found["refused"].append(str(error))
assert run(["limit", path, "--digits", "6", "-o", "limit.json"]) == 0
found["command"] = json.load(open("limit.json"))["provenance"]["command"]
found["status"] = run(["limit", path, "--digits", "16"])
json.dump(found, open("found.json", "w"))
"""


def pieces(page: Path) -> dict[str, str]:
    """Code of the page, by the name above each block."""
    text = page.read_text("utf-8")
    return dict(re.findall(r"^<!-- example: (\w+) -->\n```python\n(.*?)```$", text, re.M | re.S))


@pytest.fixture(scope="module")
def changed(
    tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> tuple[Path, dict[str, str]]:
    """A folder with a copy of the package, to which the page was applied; and its environment."""
    folder = tmp_path_factory.mktemp("changed")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(repository / "src", folder / "src", ignore=ignored)
    code = pieces(repository / "docs/contributing.md")
    file = folder / "src/darkstats/workflows/requests.py"
    text = file.read_text("utf-8")
    head, field = "@dataclass(frozen=True, slots=True, kw_only=True)\nclass LimitOptions:", ""
    assert text.count(head) == 1
    text = text.replace(head, f"{code['declaration']}\n\n{head}")
    body = text.index("class LimitOptions:")
    field = re.compile(r"^    \w+: .* = .*\n(?!    \w+:)", re.MULTILINE).search(text, body)
    assert field is not None
    file.write_text(text[: field.end()] + code["field"] + text[field.end() :], "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "100",
                   "TERM": "dumb", "NO_COLOR": "1"}  # fmt: skip
    return folder, environment


def python(changed: tuple[Path, dict[str, str]], *words: str) -> str:
    folder, environment = changed
    done = subprocess.run(
        [sys.executable, "-c", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("verb", ["limit", "scan", "shards plan", "reinterpret"])
def test_the_verbs_have_the_option(changed: tuple[Path, dict[str, str]], verb: str) -> None:
    """Flag, word for the value, help and default stand in the help, and nobody wrote them there."""
    start = "import sys; from darkstats.cli import main; main()"
    shown = " ".join(python(changed, start, *verb.split(), "--help").split())
    assert re.search(r"--digits N Significant digits\. \[default: 4\]", shown), shown


def test_no_other_verb_has_it(changed: tuple[Path, dict[str, str]]) -> None:
    """It went to those that were meant."""
    folder, _ = changed
    script = (
        "from darkstats import workflows; from darkstats.workflows.verbs import VERBS\n"
        "from darkstats.options import choices_of\n"
        "print(*(v for v, d in VERBS.items() if any(c.path[-1] == 'digits'"
        " for c in choices_of(getattr(workflows, d.request)))), sep=',')"
    )
    found = python(changed, script).strip().split(",")
    assert found == ["limit", "scan", "shards plan", "reinterpret"]
    assert not (folder / "limit.json").exists()


def test_python_record_and_refusals_follow(
    changed: tuple[Path, dict[str, str]], example_workspaces: dict[str, Path]
) -> None:
    """The parameter, its docstring, the record, and what is refused; one file was touched."""
    folder, _ = changed
    path = str(example_workspaces["two_bins"])
    python(changed, LOOK, str(folder), path)
    found = json.loads((folder / "found.json").read_text("utf-8"))
    for name in ("limit", "mass_scan", "reinterpret_likelihood"):
        parameter, text = found[name]
        assert parameter == "digits: int = 4"
        assert "    digits\n        Significant digits." in text
    assert found["call"] == f"darkstats.limit(source={path!r}, digits=6)"
    assert found["command"].startswith(f"darkstats limit {path} --digits 6")
    assert found["refused"] == [
        "--digits 0: give a whole number, at least 1, at most 15",
        "--digits 16: give a whole number, at least 1, at most 15",
        "limit: digits is 'six'; pass a whole number",
    ]
    assert found["status"] == 2


def test_the_pages_are_made_from_the_code(repository: Path) -> None:
    """The help of each verb, and the docstring of each function, are all that the pages show."""
    page = (repository / "docs/reference/cli.md").read_text("utf-8")
    for verb in VERBS:
        assert f"cli-help:: {verb}" in page or f"{{cli-help}} {verb}" in page, verb
    page = (repository / "docs/reference/api.md").read_text("utf-8")
    for name in ("limit", "mass_scan", "reinterpret_likelihood"):
        assert f".. autofunction:: {name}\n" in page
