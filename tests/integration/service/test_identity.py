"""Every verb, asked over HTTP: the record of the command line, byte for byte."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import public_datacards
import scan_records
from darkstats.cli import run
from darkstats.report.writing import json_text
from darkstats.service.questions import ASKED

#: Names the process, and nothing else.
COMMAND = re.compile(r'^( *"command": )"(?:[^"\\]|\\.)*"', re.MULTILINE)
TEMPLATE = """name: tiny
simulated: true
file: histograms.csv
channels:
  sr:
    data: {counts: [12, 9]}
    samples:
      signal: {histogram: signal, free: mu}
      background: {histogram: background, yields: {scale: 0.1}}
"""
HISTOGRAMS = """histogram,low,high,value,error
signal,0,1,2.0,0.1
signal,1,2,3.0,0.1
background,0,1,10.0,0.5
background,1,2,8.0,0.5
"""
TWO, THREE, SEARCH = "two_bins.json", "three_channels.json", "mass_scan"

#: A command of each verb, in a folder of examples; ``+`` one that makes what others read.
COMMANDS: dict[str, list[str]] = {
    "limit": ["limit", TWO, "--cl", "0.9"],
    "hypotest": ["hypotest", TWO, "--mu", "1.5"],
    "significance": ["significance", TWO],
    "gof": ["gof", TWO, "--calculator", "toys", "--toys", "200", "--seed", "3"],
    "fit": ["fit", THREE],
    "rank": ["rank", THREE],
    "scan-poi": ["scan-poi", TWO, "--range", "0:2"],
    "template build": ["template", "build", "template.yaml", "-o", "made"],
    "simulate": ["simulate", "alp.yaml", "--quick"],
    "build": ["build", "alp.yaml", "-o", "alp-built", "--quick"],
    "scan": ["scan", SEARCH],
    "global": ["global", "scan", "--toys", "300", "--seed", "5"],
    "project": ["project", SEARCH, "--luminosity", "5", "--lumi", "10,20"],
    "reinterpret": ["reinterpret", TWO, "--signal", "signal_region=6,5"],
    "recast": ["recast", "photon.csv", "--from", "dark_photon", "--to", "b_minus_l",
               "--production", "electron", "--final-state", "ee", "--cl", "0.9"],
    "dark-higgs": ["dark-higgs", "dark.json", "--escapes-beyond", "1250", "--product", "1e-6",
                   "--decays", "ctau=ctau.csv"],
    "plot": ["plot", "scan.json"],
    "contour": ["contour", "plane.json"],
    "export": ["export", "scan.json", "--csv", "numbers.csv"],
    "publish": ["publish", SEARCH, "-o", "bundle"],
    "verify": ["verify", "bundle"],
    "inspect": ["inspect", THREE],
    "patchset create": ["patchset", "create", "mass_scan/background_only.json", "-p", "p.json"],
    "combine": ["combine", TWO, "renamed.json", "--join", "outer"],
    "prune": ["prune", THREE, "-c", "validation_region"],
    "simplify": ["simplify", THREE],
    "rename": ["rename", TWO, "-m", "mu=signal_strength"],
    "convert": ["convert", "card.txt", "-o", "converted"],
    "digest": ["digest", TWO],
    "hs3": ["hs3", TWO],
    "citation": ["citation"],
}  # fmt: skip


#: Folders that a command writes anew.
WRITTEN = {"template build": ["made"], "convert": ["converted"], "publish": ["bundle"],
           "build": ["alp-built"]}  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder with all that the commands read."""
    folder = tmp_path_factory.mktemp("here")
    shutil.copytree(repository / "workspaces/examples", folder, dirs_exist_ok=True)
    card = (repository / "models/alp.yaml").read_text()
    for old, new in (("1000000", "100000"), ("50000", "5000"), ("20000", "5000")):
        card = card.replace(f"quick: {old}", f"quick: {new}")
    (folder / "alp.yaml").write_text(card)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "histograms.csv").write_text(HISTOGRAMS)
    (folder / "card.txt").write_text(public_datacards.CARDS["realistic"])
    (folder / "photon.csv").write_text("mass_gev,epsilon\n0.05,1e-3\n0.1,2e-3\n0.2,3e-3\n")
    (folder / "ctau.csv").write_text("mass_gev,ctau_mm\n1.0,1e-3\n2.5,1e-4\n")
    for name, record in (("plane", scan_records.predicted_plane()), ("dark", scan_records.plane())):
        (folder / f"{name}.json").write_text(json_text(record))
    patchset = json.loads((folder / "mass_scan/patchset.json").read_text())
    (folder / "p.json").write_text(json.dumps(patchset["patches"][0]["patch"]))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run(["scan", SEARCH, "-o", "scan"]) == 0
        shutil.copy("scan/scan.json", "scan.json")
        assert run(["publish", SEARCH, "--scan", "scan", "-o", "bundle"]) == 0
        assert run(["rename", TWO, "-c", "signal_region=other", "-o", "renamed.json"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[str]:
    store = tmp_path_factory.mktemp("store") / "service.db"
    with serve(store, "--port", "0", "--workers", "1") as (url, _):
        yield url


def test_there_is_a_command_for_each_verb() -> None:
    assert set(COMMANDS) == set(ASKED)


@pytest.mark.parametrize("verb", ASKED)
def test_the_record_is_that_of_the_command_line(
    verb: str,
    here: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A refusal, too: the exit status and the message are the same."""
    monkeypatch.chdir(here)
    monkeypatch.delenv("DARKSTATS_SERVER", raising=False)
    command = [*COMMANDS[verb], "--json"]
    found = []
    for more in ([], ["--server", address]):
        for name in WRITTEN.get(verb, ()):
            shutil.rmtree(name, ignore_errors=True)
        status = run([*command, *more])
        printed = capsys.readouterr()
        errors = [line for line in printed.err.splitlines() if "error" in line]
        found.append((status, COMMAND.sub(r'\1"-"', printed.out), errors))
    here_, there = found
    assert there == here_
    assert here_[1]
