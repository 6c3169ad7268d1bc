"""How much expected limits move if the errors of smoothed simulation are those of the whole window.

    python docs/examples/smoothing_errors.py workspaces/zprime_tautau 3.3 smoothing-errors.json

A kernel makes neighbouring bins move together; the model has an error of its own for each bin. As
much as the error of the sum over a window is larger with the correlations (see the page on
closure), so much larger are the errors of all bins here: right for the sum, too loose for its
shape. An upper bound, therefore. Results of other searches in the file stay.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.workspace import Workspace

#: An error that is larger than this part of the content of a bin is cut there: rates stay positive.
LARGEST = 0.9


def with_errors(document: dict[str, Any], factor: float) -> dict[str, Any]:
    """The same workspace with all errors of simulation times a factor."""
    document = copy.deepcopy(document)
    for channel in document["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] == "staterror":
                    modifier["data"] = [
                        min(factor * error, max(LARGEST * rate, error))
                        for error, rate in zip(modifier["data"], sample["data"], strict=True)
                    ]
    return document


def median(document: dict[str, Any], cl: float) -> float:
    """Median expected limit on mu."""
    model = darkstats.compile_workspace(Workspace.from_document(document))
    found = darkstats.upper_limit(model, model.observation, cl=cl, scan_points=0, probe=False)
    return float(found.expected[2])


def rows(folder: Path, factor: float, hypotheses: int) -> list[dict[str, float]]:
    """Limits with the larger errors over those of the model, at some hypotheses."""
    base = next(folder.glob("background_only.json*"))
    patches = next(folder.glob("patchset.json*"))
    windows = json.loads((folder / "background_only.meta.json").read_text("utf-8"))["windows"]
    cl = json.loads((folder / "record.json").read_text("utf-8"))["statistics"]["cl"]
    names = list(windows)
    found = []
    for place in np.linspace(0, len(names) - 1, hypotheses).astype(int):
        name = names[place]
        document = darkstats.read_workspace(str(base), patchset=str(patches), point=name).document
        ratio = median(with_errors(document, factor), cl) / median(document, cl)
        found.append({"mass_gev": windows[name]["mass_gev"], "ratio": float(f"{ratio:.4g}")})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("factor", type=float)
    parser.add_argument("output", type=Path)
    parser.add_argument("--hypotheses", type=int, default=25)
    asked = parser.parse_args()
    found = rows(asked.folder, asked.factor, asked.hypotheses)
    held = json.loads(asked.output.read_text("utf-8")) if asked.output.is_file() else {}
    held[asked.folder.name] = {"simulated": True, "factor": asked.factor, "rows": found}
    asked.output.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", "utf-8")
    ratios = np.array([row["ratio"] for row in found])
    print(f"{asked.folder.name}: median {np.median(ratios):.3f}, largest {ratios.max():.3f}")


if __name__ == "__main__":
    main()
