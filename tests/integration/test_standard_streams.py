"""Standard streams that fail: full, closed, or of few letters. Files are written all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKSPACE = "workspaces/examples/two_bins.json"
COMMAND = f"{sys.executable} -m darkstats limit {WORKSPACE}"


def shell(line: str, repository: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=repository,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("options", ["", " --json", " --help"])
@pytest.mark.parametrize(
    ("where", "why"), [("> /dev/full", "No space left"), (">&-", "it is closed")]
)
def test_output_that_takes_nothing(
    repository: Path, tmp_path: Path, options: str, where: str, why: str
) -> None:
    """One sentence, exit status 2, no traceback; the record asked for with -o is whole."""
    record = tmp_path / "record.json"
    done = shell(f"{COMMAND} -o {record}{options} {where}", repository)
    said = done.stderr.decode()
    assert done.returncode == 2
    assert "cannot write the result to standard output" in said
    assert why in said
    assert "Traceback" not in said
    assert "internal error" not in said
    if "help" not in options:
        assert json.loads(record.read_text("utf-8"))["poi"] == "mu"


@pytest.mark.parametrize("where", ["2> /dev/full", "2>&-", "<&-"])
def test_other_streams_do_not_matter(repository: Path, where: str) -> None:
    """Whoever closes standard error or input gets the result all the same."""
    done = shell(f"{COMMAND} --json {where}", repository)
    assert done.returncode == 0
    assert json.loads(done.stdout)["poi"] == "mu"


def test_all_streams_closed_keep_their_numbers(repository: Path, tmp_path: Path) -> None:
    """No file that is written takes the number of a closed stream, so none is mixed with output."""
    record = tmp_path / "record.json"
    done = shell(f"{COMMAND} -o {record} <&- >&- 2>&-", repository)
    assert done.returncode == 2
    assert json.loads(record.read_text("utf-8"))["schema"].startswith("darkstats.limit/")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_tables_in_few_letters(repository: Path, encoding: str) -> None:
    """A table is spelled in the letters that there are; its numbers stay."""
    done = shell(COMMAND, repository, PYTHONIOENCODING=encoding)
    text = done.stdout.decode(encoding)
    assert done.returncode == 0, done.stderr
    assert "-2sigma" in text
    assert "1.965" in text
    assert "\\u" not in text


def test_records_in_few_letters_are_the_same_json(repository: Path, tmp_path: Path) -> None:
    """JSON escapes say the same as letters: the record is equal to that in UTF-8."""
    workspace = json.loads((repository / WORKSPACE).read_text("utf-8"))
    path = tmp_path / "σ-μ.json"
    path.write_text(json.dumps(workspace), "utf-8")
    line = f"{sys.executable} -m darkstats inspect {path} --json"
    ascii_only = shell(line, repository, PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    usual = shell(line, repository, PYTHONIOENCODING="utf-8", PYTHONUTF8="1")
    assert ascii_only.stdout.isascii()
    assert "σ" in usual.stdout.decode()
    assert json.loads(ascii_only.stdout) == json.loads(usual.stdout)


def test_a_name_that_is_no_text(repository: Path, tmp_path: Path) -> None:
    """A file whose name is no UTF-8 is read, and its name told in escapes."""
    path = os.fsencode(tmp_path) + b"/w\xff.json"
    Path(os.fsdecode(path)).write_bytes((repository / WORKSPACE).read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "darkstats", "limit", os.fsdecode(path), "--json"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["poi"] == "mu"
