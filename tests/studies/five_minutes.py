"""Time the three doors as a new user meets them: own histograms, own yields, own couplings.

    python -m tests.studies.five_minutes --output docs/studies/five-minutes

Each way starts in an empty folder with an empty cache of compiled kernels, in processes of its own,
and is done when its limit and its figure are there. The record of ATLAS is looked for as in the
tests. ``--install`` installs darkstats in a fresh virtual environment first, from this checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
MASS_SCAN = "workspaces/examples/mass_scan"
ARCHIVE = "atlas_susy_2018_31/pyhf-ins1748602-probability-models.tar.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a user wants, has and types.

    Parameters
    ----------
    title
        In words.
    commands
        As they are typed, in the folder that holds the files.
    edits
        Texts of files that the user writes or edits before a command, by the number of commands
        that have run and by name.
    figure, record
        Files that show that it is done.
    """

    title: str
    commands: tuple[str, ...]
    figure: str
    record: str
    edits: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


_YIELDS = """channel,bin,yield,stat
SR_metsigST,0,1.2,0.1
SR_metsigST,1,3.1,0.2
SR_metsigST,2,2.4,0.2
SR_metsigST,3,1.9,0.2
"""
_COUPLINGS = """# coupling: g_D
# unit_signal: reference
mass_gev,cross_section_fb,reference_coupling,power
1.0,0.123,0.1,2
2.0,0.0308,0.1,2
3.5,0.0101,0.1,2
"""
_CARD = """name: my_search
title: "My search, 50 fb^-1"
simulated: true
file: mine.root
luminosity: {value_ifb: 50, relative_error: 0.01}
collision: {sqrt_s_gev: 10.58, beams: "e+ e-"}
channels:
  signal_region:
    axis: "m (GeV)"
    data: h_data
    samples:
      signal: {histogram: h_alp, free: mu, lumi: true, yields: {trigger: 0.02}}
      background:
        histogram: h_bkg
        free: mu_background
        variations: {energy_scale: {up: h_bkg_up, down: h_bkg_down}}
  control_region:
    data: {counts: [2105]}
    samples:
      background: {counts: [2100], free: mu_background}
"""


def ways(records: Path | None) -> tuple[Way, ...]:
    """The ways that can be gone here: that of ATLAS needs its record."""
    found = [
        Way(
            title="own ROOT histograms to a limit",
            commands=(
                "darkstats template init -o template.yaml",
                "darkstats template build template.yaml -o my-search",
                "darkstats limit my-search/workspace.json --plot limit.png -o limit.json",
            ),
            edits={1: {"template.yaml": _CARD}},
            figure="limit.png",
            record="limit.json",
        )
    ]
    if records is not None:
        archive = shlex.quote(f"{records / ARCHIVE}:RegionC/BkgOnly.json")
        found.append(
            Way(
                title="own yields on the record of ATLAS SUSY-2018-31",
                commands=(
                    f"darkstats reinterpret {archive} --signal mine.csv --missing keep "
                    "--plot limit.png -o limit.json",
                ),
                edits={0: {"mine.csv": _YIELDS}},
                figure="limit.png",
                record="limit.json",
            )
        )
    mass_scan = shlex.quote(str(REPOSITORY / MASS_SCAN))
    found.append(
        Way(
            title="own table of couplings to an exclusion plot",
            commands=(
                f"darkstats scan {mass_scan} --cross-sections mine.csv -o scan --plot coupling.png",
            ),
            edits={0: {"mine.csv": _COUPLINGS}},
            figure="coupling.png",
            record="scan/scan.json",
        )
    )
    return tuple(found)


def write_histograms(folder: Path) -> None:
    """A bump on a falling background, with weights and an energy scale: what the user has."""
    import uproot

    rng = np.random.default_rng(11)
    edges = np.linspace(0.2, 4.2, 21)
    centres = 0.5 * (edges[1:] + edges[:-1])
    background = 4000.0 * np.exp(-1.2 * centres)
    signal = 60.0 * np.exp(-0.5 * ((centres - 2.1) / 0.15) ** 2)
    with uproot.recreate(folder / "mine.root") as file:
        file["h_data"] = (rng.poisson(background + 0.2 * signal).astype(float), edges)
        file["h_alp"] = (signal, edges)
        file["h_bkg"] = (background, edges)
        file["h_bkg_up"] = (background * (1.0 + 0.02 * (centres - 2.2)), edges)
        file["h_bkg_down"] = (background * (1.0 - 0.02 * (centres - 2.2)), edges)


def install(folder: Path) -> tuple[Path, float]:
    """A fresh environment with darkstats, its figures and ROOT files; where, and seconds."""
    started = time.monotonic()
    venv.create(folder, with_pip=True)
    constraints = REPOSITORY / "constraints.txt"
    package = f"{REPOSITORY}[plot,templates]"
    subprocess.run(
        [folder / "bin/python", "-m", "pip", "install", "-q", "-c", constraints, package],
        check=True,
    )
    return folder / "bin", time.monotonic() - started


def go(way: Way, folder: Path, programs: Path, *, cold: bool = True) -> dict[str, Any]:
    """Type the commands of a way; seconds of each, and what they end with.

    ``cold``: no kernel is compiled yet.

    Raises
    ------
    RuntimeError
        A command fails, or what should be there is not.
    """
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    if cold:
        empty = str(folder / ".cache")
        environment |= {"XDG_CACHE_HOME": empty, "HOME": str(folder)}
    seconds = []
    for number, command in enumerate(way.commands):
        for name, text in way.edits.get(number, {}).items():
            (folder / name).write_text(text, "utf-8")
        started = time.monotonic()
        done = subprocess.run(
            shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        seconds.append(time.monotonic() - started)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: exit status {done.returncode}\n{done.stderr}")
    record = json.loads((folder / way.record).read_text("utf-8"))
    size = (folder / way.figure).stat().st_size
    if size < 10_000:
        raise RuntimeError(f"{way.figure} has {size} bytes only")
    return {
        "title": way.title, "commands": len(way.commands),
        "seconds": [round(value, 1) for value in seconds], "total_s": round(sum(seconds), 1),
        "observed": record.get("limit", record).get("observed"),
        "points": len(record.get("points", ())) or None,
    }  # fmt: skip


def reference_folder() -> Path | None:
    """Folder of the published likelihoods, as the tests look for it."""
    named = os.environ.get("DARKSTATS_DATA")
    for root in [Path(named)] if named else [REPOSITORY.parent / "shared" / "data"]:
        for folder in (root, root / "likelihoods"):
            if (folder / ARCHIVE).exists():
                return folder
    return None


def main() -> int:
    """Go all ways, and write what they took."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--install", action="store_true", help="in a fresh environment")
    parser.add_argument("--output", type=Path, help="write .json with this stem")
    asked = parser.parse_args()
    found: dict[str, Any] = {"schema": "darkstats.five-minutes/1", "ways": []}
    with tempfile.TemporaryDirectory() as root:
        programs = Path(sys.executable).parent
        if asked.install:
            programs, seconds = install(Path(root) / "environment")
            found["install_s"] = round(seconds, 1)
        for number, way in enumerate(ways(reference_folder())):
            folder = Path(root) / str(number)
            folder.mkdir()
            if number == 0:
                write_histograms(folder)
            row = go(way, folder, programs)
            found["ways"].append(row)
            sys.stdout.write(f"{json.dumps(row)}\n")
    if asked.output:
        text = json.dumps(found, indent=1) + "\n"
        asked.output.with_suffix(".json").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
