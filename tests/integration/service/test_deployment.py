"""The unit of systemd and the container file of the documentation, as far as tests can try them.

That they start a service and stop it was tried by hand: docs/studies/service.md.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from darkstats.options import named_choices
from darkstats.service.commands import ServeRequest


def block(repository: Path, heading: str, kind: str) -> str:
    """The first block of text below a heading of the page about running a service."""
    page = (repository / "docs/how-to/serve.md").read_text("utf-8")
    section = page.partition(f"\n### {heading}\n")[2]
    return section.partition(f"```{kind}\n")[2].partition("```")[0]


@pytest.fixture
def unit(repository: Path) -> str:
    return block(repository, "systemd", "ini")


@pytest.fixture
def containerfile(repository: Path) -> str:
    return block(repository, "Container", "text")


def known_flags() -> set[str]:
    choices = named_choices(ServeRequest)
    return {flag for one in choices.values() for flag in one[0].option.flags}


def test_systemd_takes_the_unit(unit: str, tmp_path: Path) -> None:
    """All its settings are known, and none has a value that is not taken."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here: apt-get install systemd")
    program = re.search(r"^ExecStart=(\S+)", unit, re.MULTILINE)[1]
    path = tmp_path / "darkstats.service"
    for text, is_taken in ((unit, True), (unit.replace("ProtectHome", "ProtectHomes"), False)):
        path.write_text(text.replace(program, sys.executable), "utf-8")
        done = subprocess.run(
            [analyze, "verify", str(path)], capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert ("darkstats.service" in said) != is_taken, said


def test_their_commands_are_those_of_the_program(unit: str, containerfile: str) -> None:
    started = re.search(r"^ExecStart=(.*)", unit, re.MULTILINE)[1]
    run = re.search(r"^CMD (.*)", containerfile, re.MULTILINE)[1]
    for words in (shlex.split(started), json.loads(run)):
        assert words[0].rpartition("/")[2] == "darkstats"
        assert words[1] == "serve"
        assert {one for one in words if one.startswith("--")} <= known_flags()


def test_what_the_store_needs_is_there_and_kept(unit: str, containerfile: str) -> None:
    """Both keep the store in a folder that outlives the service, and that others do not read."""
    for text in (unit, containerfile):
        assert "DARKSTATS_STORE=/var/lib/darkstats/service.db" in text
    assert "StateDirectory=darkstats\n" in unit
    assert "VOLUME /var/lib/darkstats\n" in containerfile
    order = [containerfile.index(one) for one in ("install -d -o darkstats", "USER", "CMD")]
    assert order == sorted(order)  # nothing is served as root
