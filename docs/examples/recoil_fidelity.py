"""Compare the simulated recoil searches with a prototype and with published numbers.

    python docs/examples/recoil_fidelity.py workspaces fidelity_recoil.json

Prints the tables of docs/studies/fidelity-recoil.md. Expected limits are medians, CLs, 90 % CL, for
the simulated spectrum itself, without the fluctuations of the pseudo-data; by toys where the
asymptotic band reaches below the limit that no event at all gives.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import darkstats
from darkstats.model import Observation
from darkstats.scan.spectrum import SpectrumMap, read_fill
from darkstats.signals.benchmarks import benchmark

# PHYSICS_RECOIL, computed with cuts "med": efficiency in +-2 sigma (%), background in the window,
# without the empirical 0.6; and g' of figure 3 of arXiv:1912.11276 (BR = 1), read by others.
ZPRIME = {
    0.5: (5.6, 2.4, 0.051), 1.15: (7.9, 1.1, 0.051), 1.64: (8.8, 1.5, 0.070),
    2.29: (9.0, 2.0, 0.100), 3.02: (8.5, 2.9, 0.144), 3.3: (8.4, 2.7, 0.180),
    4.0: (8.0, 3.4, 0.278),
    5.0: (6.8, 3.6, 0.52), 5.42: (6.2, 3.0, 0.723), 5.97: (5.4, 2.0, 0.994), 7.0: (3.3, 0.8, None),
    7.95: (0.8, 0.3, None),
}  # fmt: skip
# Efficiency in the ellipse (%), background in it (None: no simulated event), expected limit (fb).
HIGGS = {
    (4, 0.5): (7.6, None, 3.8), (4, 2): (9.7, None, 3.0), (5, 1): (16, 0.1, 1.8),
    (5, 3): (16, None, 1.7), (6, 1): (17, 0.2, 1.8), (6, 3): (17, None, 1.7),
    (7, 0.5): (17, 0.3, 1.9), (7, 2): (17, None, 1.7), (8, 0.5): (17, 0.5, 2.1),
    (8, 2): (11, None, 2.6), (9, 0.5): (12, 0.5, 3.2),
}  # fmt: skip


def expected(folder: Path, name: str) -> tuple[float, float]:
    """Expected limit (pb, and in mu) of one hypothesis, for the simulated spectrum itself."""
    base = next(folder.glob("background_only.json*"))
    patches = next(folder.glob("patchset.json*"))
    document = darkstats.read_workspace(str(base)).document
    spectra = SpectrumMap.of(document, read_fill(next(folder.glob("fill.json*"))))
    fine = np.concatenate(
        [np.sum([s["data"] for s in c["samples"]], axis=0) for c in document["channels"]]
    )
    model = darkstats.compile_workspace(
        darkstats.read_workspace(str(base), patchset=str(patches), point=name)
    )
    sidecar = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
    counts = np.maximum(spectra.window(name).gather(fine), 1e-4)
    data = Observation(counts=counts, auxdata=model.observation.auxdata)
    limit = darkstats.upper_limit(model, data, cl=0.90, probe=False)
    median, held = limit.expected[2], limit.low_counts
    # where an entry of the asymptotic band lies below the limit of no event, toys hold; models that
    # are too large for toys at once have such an entry at the lower edge of the band at most
    if held is not None and held.expected[2] is not None:
        median = held.expected[2]
    return median * sidecar["reference_cross_section_pb"], median


def windows(folder: Path) -> dict[str, dict]:
    return json.loads((folder / "background_only.meta.json").read_text("utf-8"))["windows"]


def zprime(folder: Path) -> list[dict]:
    found = windows(folder)
    rows = []
    for mass, (efficiency, background, published) in ZPRIME.items():
        name, window = min(found.items(), key=lambda item: abs(item[1]["mass_gev"] - mass))
        limit_pb, _ = expected(folder, name)
        coupling = benchmark("lmu_ltau_invisible").to_coupling((window["mass_gev"],), limit_pb)
        rows.append(
            {
                "mass_gev": window["mass_gev"],
                "efficiency": window["efficiency"],
                "efficiency_ratio_prototype": window["efficiency"] / (0.01 * efficiency),
                "background": window["background_events"],
                "background_ratio_prototype": window["background_events"] / background,
                "limit_fb": 1e3 * limit_pb,
                "coupling": coupling,
                "coupling_ratio_published": coupling / published if published else None,
                "by_process": window["background_by_process"],
            }
        )
    return rows


def higgs(folder: Path) -> list[dict]:
    found = windows(folder)
    rows = []
    for masses, (efficiency, background, limit_fb) in HIGGS.items():
        name, window = min(
            found.items(),
            key=lambda item: (
                ((item[1]["mass_gev"][0] - masses[0]) / 0.02) ** 2
                + ((item[1]["mass_gev"][1] ** 2 - masses[1] ** 2) / 0.3) ** 2
            ),
        )
        limit_pb, _ = expected(folder, name)
        rows.append(
            {
                "mass_gev": window["mass_gev"],
                "efficiency": window["efficiency"],
                "efficiency_ratio_prototype": window["efficiency"] / (0.01 * efficiency),
                "background": window["background_events"],
                "prototype_background": background,
                "limit_fb": 1e3 * limit_pb,
                "limit_ratio_prototype": 1e3 * limit_pb / limit_fb,
                "coupling": benchmark("dark_higgsstrahlung").to_coupling(
                    tuple(window["mass_gev"]), limit_pb
                ),
            }
        )
    return rows


def angle_fit(folder: Path) -> list[dict]:
    found = windows(folder)
    names = list(found)
    rows = []
    for name in [names[i] for i in np.linspace(0, len(names) - 1, 10).astype(int)]:
        limit_pb, _ = expected(folder, name)
        mass = found[name]["mass_gev"]
        rows.append(
            {
                "mass_gev": mass,
                "efficiency": found[name]["efficiency"],
                "background": found[name]["background_events"],
                "limit_fb": 1e3 * limit_pb,
                "coupling": benchmark("lmu_ltau_invisible").to_coupling((mass,), limit_pb),
            }
        )
    return rows


def flavour(folder: Path) -> list[dict]:
    found = windows(folder)
    names = [n for n, w in found.items() if w["set"] == "nominal"]
    return [
        {
            "mass_gev": found[name]["mass_gev"],
            "background": found[name]["background_events"],
            "limit_fb": 1e3 * expected(folder, name)[0],
        }
        for name in [names[i] for i in np.linspace(0, len(names) - 1, 8).astype(int)]
    ]


def cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part:.2g}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(f"{part:.3g}" for part in value)
    return "-" if value is None else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workspaces", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    tables = {
        "zprime_invisible_2018": zprime(asked.workspaces / "zprime_invisible_2018"),
        "zprime_lfv_2018": flavour(asked.workspaces / "zprime_lfv_2018"),
        "zprime_invisible_2020": angle_fit(asked.workspaces / "zprime_invisible_2020"),
        "dark_higgsstrahlung": higgs(asked.workspaces / "dark_higgsstrahlung"),
    }
    asked.output.write_text(json.dumps(tables, indent=1, sort_keys=True) + "\n", "utf-8")
    for name, rows in tables.items():
        print(f"\n## {name}\n\n| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
        for row in rows:
            print("| " + " | ".join(cell(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
