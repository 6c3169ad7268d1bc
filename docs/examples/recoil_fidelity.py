"""Compare the committed workspaces of the recoil searches with published numbers.

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

# g' of figure 3 of arXiv:1912.11276 (BR = 1), observed, read by others; None beyond the figure.
ZPRIME = {
    0.5: 0.051, 1.15: 0.051, 1.64: 0.070, 2.29: 0.100, 3.02: 0.144, 3.3: 0.180, 4.0: 0.278,
    5.0: 0.52, 5.42: 0.723, 5.97: 0.994, 7.0: None, 7.95: None,
}  # fmt: skip
#: Headings of the page that the tables stand below.
HEADINGS = {
    "zprime_invisible_2018": "Invisible Z′, 276 pb⁻¹",
    "zprime_lfv_2018": "Lepton-flavour violation, 276 pb⁻¹",
    "zprime_invisible_2020": "Invisible Z′, 79.7 fb⁻¹",
    "dark_higgsstrahlung": "Dark Higgsstrahlung, 8.34 fb⁻¹",
}
# (mass of A', mass of h').
HIGGS = (
    (4, 0.5), (4, 2), (5, 1), (5, 3), (6, 1), (6, 3), (7, 0.5), (7, 2), (8, 0.5), (8, 2), (9, 0.5),
)  # fmt: skip


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
    for mass, published in ZPRIME.items():
        name, window = min(found.items(), key=lambda item: abs(item[1]["mass_gev"] - mass))
        limit_pb, _ = expected(folder, name)
        coupling = benchmark("lmu_ltau_invisible_dressed").to_coupling(
            (window["mass_gev"],), limit_pb
        )
        rows.append(
            {
                "mass_gev": window["mass_gev"],
                "efficiency": window["efficiency"],
                "background": window["background_events"],
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
    for masses in HIGGS:
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
                "background": window["background_events"],
                "limit_fb": 1e3 * limit_pb,
                "coupling": benchmark("dark_higgsstrahlung_dressed").to_coupling(
                    tuple(window["mass_gev"]), limit_pb
                ),
                "by_process": window["background_by_process"],
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
                "coupling": benchmark("lmu_ltau_invisible_dressed").to_coupling((mass,), limit_pb),
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


def table(rows: list[dict]) -> str:
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines += ["| " + " | ".join(cell(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines)


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
    asked.output.write_text(json.dumps(tables, indent=1) + "\n", "utf-8")
    for name, rows in tables.items():
        print(f"\n## {name}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
