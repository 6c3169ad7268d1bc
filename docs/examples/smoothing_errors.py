"""What it changes that smoothed bins of a search move together, and what simulation costs.

    python docs/examples/smoothing_errors.py workspaces/zprime_tautau smoothing-errors.json

Of some hypotheses: the median expected limit over that of a model with an error of its own for
each bin (of the right size for that bin), and over that without errors of simulation; and the
relative error of the background of the window in both models. Results of other searches in the
file stay.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent))
from built_searches import without_simulation_error
from spurious_signal import shifts

Document = dict[str, Any]


def independent(document: Document) -> Document:
    """The same workspace with an error for each bin alone."""
    document = copy.deepcopy(document)
    for channel in document["channels"]:
        for sample in channel["samples"]:
            together, alone = shifts(sample)
            total = np.sqrt(alone**2 + sum(one**2 for one in together.values()))
            sample["modifiers"] = [m for m in sample["modifiers"] if m["name"] not in together]
            for modifier in sample["modifiers"]:
                if modifier["type"] == "staterror":
                    modifier["data"] = total.tolist()
    return document


def error_of_sum(document: Document) -> float:
    """Relative error of the background of a window by the errors of its simulation."""
    (channel,) = document["channels"]
    variance, content = 0.0, 0.0
    for sample in channel["samples"]:
        if sample["name"] == "signal":
            continue
        together, alone = shifts(sample)
        variance += float((alone**2).sum() + sum(one.sum() ** 2 for one in together.values()))
        content += sum(sample["data"])
    return float(np.sqrt(variance) / content)


def median(document: Document, cl: float) -> float:
    """Median expected limit on mu."""
    model = darkstats.compile_workspace(Workspace.from_document(document))
    found = darkstats.upper_limit(model, model.observation, cl=cl, scan_points=0, probe=False)
    return float(found.expected[2])


def rows(folder: Path, hypotheses: int) -> list[dict[str, float]]:
    """Some hypotheses of a built search."""
    base = next(folder.glob("background_only.json*"))
    patches = next(folder.glob("patchset.json*"))
    windows = json.loads((folder / "background_only.meta.json").read_text("utf-8"))["windows"]
    cl = json.loads((folder / "record.json").read_text("utf-8"))["statistics"]["cl"]
    names = list(windows)
    found = []
    for place in np.linspace(0, len(names) - 1, hypotheses).astype(int):
        name = names[place]
        document = darkstats.read_workspace(str(base), patchset=str(patches), point=name).document
        limit = median(document, cl)
        numbers = {
            "mass_gev": windows[name]["mass_gev"],
            "ratio": limit / median(independent(document), cl),
            "cost": limit / median(without_simulation_error(document), cl),
            "error_of_sum": error_of_sum(document),
            "error_of_sum_independent": error_of_sum(independent(document)),
        }
        found.append({key: float(f"{value:.4g}") for key, value in numbers.items()})
    return found


def line(name: str, found: list[dict[str, float]]) -> str:
    """One line of the page."""
    ratio, cost = (np.array([row[key] for row in found]) for key in ("ratio", "cost"))
    one, other = (
        np.array([100 * row[key] for row in found])
        for key in ("error_of_sum_independent", "error_of_sum")
    )
    return (
        f"| `{name}` | {one.min():.2g} to {one.max():.2g} % | {other.min():.2g} to "
        f"{other.max():.2g} % | {100 * (np.median(ratio) - 1):+.1f} % | "
        f"{100 * (ratio.min() - 1):+.1f} to {100 * (ratio.max() - 1):+.1f} % | "
        f"{100 * (np.median(cost) - 1):.1f} % | {100 * (cost.max() - 1):.1f} % |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--hypotheses", type=int, default=25)
    asked = parser.parse_args()
    name = json.loads((asked.folder / "record.json").read_text("utf-8"))["name"]
    found = rows(asked.folder, asked.hypotheses)
    held = json.loads(asked.output.read_text("utf-8")) if asked.output.is_file() else {}
    held[name] = {"simulated": True, "rows": found}
    asked.output.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", "utf-8")
    print(line(name, found))


if __name__ == "__main__":
    main()
