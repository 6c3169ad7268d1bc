"""Tau pairs: what a floating quadratic for the background does to the expected limit.

    python docs/examples/tautau_threshold.py workspaces/zprime_tautau OUTPUT.json

The card takes simulated templates whose rates are known to 10 to 30 %; the published fit floats a
quadratic in the recoil mass [lit B]. Here the background of a window is that quadratic, fitted to
the simulated spectrum and free after that, in windows of 6, 10 and 20 resolutions either side. The
last two have no bin below the threshold of tau pairs, 2 m_tau. Signals are those of the card, and
nothing is fitted to a published number.
"""

from __future__ import annotations

import argparse
import json
from math import comb
from pathlib import Path

import numpy as np

import darkstats
from darkstats.scan.spectrum import read_fill
from darkstats.simulation.kinematics import M_TAU
from darkstats.workspace import Workspace

MASSES_GEV = (3.6, 3.7, 3.8, 3.9, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0)
#: Half width in resolutions, and whether bins below 2 m_tau are left out.
FITS = (
    ("6 sigma", 6.0, False), ("10 sigma", 10.0, False), ("20 sigma", 20.0, False),
    ("6 sigma above 2 m_tau", 6.0, True), ("10 sigma above 2 m_tau", 10.0, True),
    ("20 sigma above 2 m_tau", 20.0, True),
)  # fmt: skip
ORDER = 2
THRESHOLD_GEV2 = 4.0 * M_TAU**2
PUBLISHED_FB = {3.6: 2.31}  # [lit B] expected, arXiv:2306.12294 by a public repository


def median(document: dict, cl: float) -> float:
    """Median expected limit on mu."""
    model = darkstats.compile_workspace(Workspace.from_document(document))
    return darkstats.upper_limit(
        model, model.observation, cl=cl, scan_points=0, probe=False
    ).expected[2]


def floating(signal: dict, edges: np.ndarray, counts: np.ndarray, *, order: int = ORDER) -> dict:
    """A workspace of the signal on a free Bernstein polynomial fitted to the counts. [bin]."""
    middles, widths = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    place = (middles - edges[0]) / (edges[-1] - edges[0])
    basis = np.array(
        [
            comb(order, k) * place**k * (1.0 - place) ** (order - k) * widths / widths.mean()
            for k in range(order + 1)
        ]
    )
    errors = np.sqrt(np.maximum(counts, 1e-3))
    found = np.linalg.lstsq((basis / errors).T, counts / errors, rcond=None)[0]
    parts = np.maximum(found, 1e-3)[:, None] * basis
    samples = [signal] + [
        {"name": f"part_{k}", "data": part.tolist(),
         "modifiers": [{"name": f"c{k}", "type": "normfactor", "data": None}]}
        for k, part in enumerate(parts)
    ]  # fmt: skip
    parameters = [{"name": "mu", "bounds": [[0.0, 1e3]], "inits": [1.0]}]
    parameters += [
        {"name": f"c{k}", "bounds": [[0.0, 100.0]], "inits": [1.0]} for k in range(order + 1)
    ]
    return {
        "channels": [{"name": "window", "samples": samples}],
        "observations": [{"name": "window", "data": parts.sum(axis=0).tolist()}],
        "measurements": [{"name": "window", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


def around(inner: np.ndarray, grid: np.ndarray, low: float, high: float) -> np.ndarray:
    """Fine edges of a window and of bins as wide on either side; middles lie in the range."""
    step = int(np.median(np.diff(inner)))
    below = np.arange(inner[0] % step, inner[0], step)
    beyond = np.arange(inner[-1] + step, len(grid), step)
    places = np.concatenate([below, inner, beyond])
    middles = 0.5 * (grid[places[1:]] + grid[places[:-1]])
    first, last = np.searchsorted(middles, (low, high))
    return places[first : last + 1]


def placed(values: list[float], inner: np.ndarray, places: np.ndarray) -> list[float]:
    """Contents of the bins of a window, in other bins that hold some or all of them."""
    held = dict(zip(inner[:-1].tolist(), values, strict=True))
    return [held.get(place, 0.0) for place in places[:-1].tolist()]


def rows(folder: Path) -> list[dict[str, float]]:
    """One row for each mass."""
    base = next(folder.glob("background_only.json*"))
    patches = next(folder.glob("patchset.json*"))
    meta = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
    fill = read_fill(next(folder.glob("fill.json*")))
    record = json.loads((folder / "record.json").read_text("utf-8"))
    cl, unit_fb = record["statistics"]["cl"], 1e3 * meta["reference_cross_section_pb"]
    (channel,) = darkstats.read_workspace(str(base)).document["channels"]
    spectrum = np.sum([sample["data"] for sample in channel["samples"]], axis=0)
    grid = np.array(meta["channels"][channel["name"]]["edges"])
    windows = meta["windows"]
    found = []
    for mass in MASSES_GEV:
        name = min(windows, key=lambda n: abs(windows[n]["mass_gev"] - mass))
        document = darkstats.read_workspace(str(base), patchset=str(patches), point=name).document
        (rule,) = fill["windows"][name].values()
        inner = np.array(rule["edges"])
        centre, sigma = windows[name]["mass_gev"] ** 2, windows[name]["resolution_gev2"]
        (signal,) = (s for s in document["channels"][0]["samples"] if s["name"] == "signal")
        templates = median(document, cl)
        row = {"mass_gev": windows[name]["mass_gev"], "templates_fb": unit_fb * templates}
        for words, reach, above in FITS:
            low = max(centre - reach * sigma, THRESHOLD_GEV2 if above else 0.0)
            places = around(inner, grid, low, centre + reach * sigma)
            counts = np.add.reduceat(spectrum, places)[: len(places) - 1]
            one = {**signal, "data": placed(signal["data"], inner, places), "modifiers": []}
            for modifier in signal["modifiers"]:
                shape = modifier["type"] == "histosys"
                data = modifier["data"]
                if shape:
                    data = {k: placed(v, inner, places) for k, v in data.items()}
                one["modifiers"].append({**modifier, "data": data})
            limit = median(floating(one, grid[places], counts), cl)
            row[words] = limit / templates
        if mass in PUBLISHED_FB:
            row["published_fb"] = PUBLISHED_FB[mass]
        found.append({k: float(f"{v:.4g}") for k, v in row.items()})
    return found


def table(found: list[dict[str, float]]) -> str:
    """The rows as the page shows them."""
    lines = ["| M [GeV] | templates [fb] | ±6 σ | ±10 σ | ±20 σ | above 2 m_τ: 6 σ | 10 σ | 20 σ |"]
    lines.append("|---" * 8 + "|")
    for row in found:
        cells = " | ".join(f"{row[words]:.2f}" for words, _, _ in FITS)
        lines.append(f"| {row['mass_gev']:.2f} | {row['templates_fb']:.2f} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    found = rows(asked.folder)
    record = {"simulated": True, "order": ORDER, "rows": found}
    asked.output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
