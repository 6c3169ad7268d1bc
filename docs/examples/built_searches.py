"""What the scripts beside this one share: a built search as they read it, and common options."""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.scan.spectrum import SpectrumMap, read_fill
from darkstats.workspace import Workspace
from darkstats.workspace.simulation_modes import is_simulation_mode

__all__ = ["OpenedSearch", "add_effort", "without_simulation_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSearch:
    """A built search with the expected background of its fine bins.

    Parameters
    ----------
    base, patches
        Files of the workspace and the patch set.
    spectra
        How windows are filled.
    fine
        Expected background. Shape [fine bin].
    windows
        What the sidecar says of each hypothesis, by name.
    cl
        Level of its limits.
    """

    base: Path
    patches: Path
    spectra: SpectrumMap
    fine: np.ndarray
    windows: dict[str, Any]
    cl: float

    @classmethod
    def read(cls, folder: Path) -> OpenedSearch:
        """Open the folder of a build."""
        base = next(folder.glob("background_only.json*"))
        document = darkstats.read_workspace(str(base)).document
        sidecar = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
        record = json.loads((folder / "record.json").read_text("utf-8"))
        return cls(
            base=base,
            patches=next(folder.glob("patchset.json*")),
            spectra=SpectrumMap.of(document, read_fill(next(folder.glob("fill.json*")))),
            fine=np.concatenate(
                [np.sum([s["data"] for s in c["samples"]], axis=0) for c in document["channels"]]
            ),
            windows=sidecar["windows"],
            cl=record["statistics"]["cl"],
        )

    def workspace(self, name: str) -> Workspace:
        """The likelihood of one hypothesis."""
        return darkstats.read_workspace(str(self.base), patchset=str(self.patches), point=name)

    def expected(self, name: str) -> np.ndarray:
        """Expected background in the bins of one hypothesis. Shape [bin]."""
        return self.spectra.window(name).gather(self.fine)


def without_simulation_error(document: dict[str, Any], *, signal: bool = True) -> dict[str, Any]:
    """The same workspace with infinite simulation: of backgrounds, and of the signal, too."""
    document = copy.deepcopy(document)
    for channel in document["channels"]:
        for sample in channel["samples"]:
            sample["modifiers"] = [
                one
                for one in sample["modifiers"]
                if one["type"] != "staterror"
                and not is_simulation_mode(sample["name"], one["name"])
                and not (signal and one["name"] == "signal_simulation")
            ]
    return document


def add_effort(parser: argparse.ArgumentParser) -> None:
    """Add the options of how many events are simulated, and where they are kept."""
    parser.add_argument("--quick", action="store_true", help="the smaller numbers of events")
    parser.add_argument("--cache", type=Path, default=None, help="folder of simulated blocks")
