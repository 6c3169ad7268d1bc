"""What the first environment of CI skips, the second runs; there nothing may be skipped again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_runs():
    pass

def test_needs_an_extra():
    pytest.importorskip({package!r}, reason="an extra is not installed")

def test_needs_data():
    pytest.skip("the reference likelihoods are not here")
"""
MODULE = """
import pytest

pytest.importorskip({package!r}, reason="an extra is not installed")

def test_of_a_module_that_was_skipped():
    pass
"""


def pytest_in(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def suite(repository: Path, tmp_path: Path) -> Path:
    """A small suite with the conftest of the real one; its optional package is absent."""
    shutil.copy(repository / "tests/conftest.py", tmp_path / "conftest.py")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n", "utf-8")
    write(tmp_path, package="no_such_package")
    return tmp_path


def write(folder: Path, *, package: str) -> None:
    (folder / "test_some.py").write_text(TESTS.format(package=package), "utf-8")
    (folder / "test_module.py").write_text(MODULE.format(package=package), "utf-8")


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_skipped_tests_are_run_again_where_the_extra_is(suite: Path, processes: str) -> None:
    """Skipped tests and modules are listed with their reasons, and run; those that ran are not."""
    assert pytest_in(suite, processes, "--skips-to=skipped.json").returncode == 0
    assert json.loads((suite / "skipped.json").read_text("utf-8")) == {
        "test_module.py": "an extra is not installed",
        "test_some.py::test_needs_an_extra": "an extra is not installed",
        "test_some.py::test_needs_data": "the reference likelihoods are not here",
    }
    write(suite, package="json")
    again = pytest_in(suite, processes, "--only-skips-of=skipped.json")
    assert again.returncode == 0, again.stdout
    assert "2 passed, 1 skipped" in again.stdout


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_second_skip_fails(suite: Path, processes: str) -> None:
    """Without the extra the second run fails, although no test of it failed, and names the test."""
    assert pytest_in(suite, processes, "--skips-to=skipped.json").returncode == 0
    again = pytest_in(suite, processes, "--only-skips-of=skipped.json")
    assert again.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_some.py::test_needs_an_extra: an extra is not installed" in again.stdout
    assert "test_needs_data: the" not in again.stdout.partition("skipped although")[2]


def test_ci_makes_the_second_environment_from_all_extras(repository: Path) -> None:
    """One run writes what it skips, the other has every extra and reads it."""
    script = (repository / ".ci/run").read_text("utf-8")
    assert 'export PYTEST_ADDOPTS="--skips-to=$skipped --durations=25"\nreadme test\n' in script
    assert "-c constraints.txt '.[all,test,browser]'" in script
    assert '.venv-all/bin/python -m pytest -n auto --only-skips-of="$skipped"' in script
