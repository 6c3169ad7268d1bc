"""Expected limits on B -> K S beside the published ones, by lifetime.

    for c in b_to_k_scalar b_to_k_scalar_ee b_to_kstar_scalar b_to_kstar_scalar_ee; do
      darkstats build models/$c.yaml -o build/$c && darkstats scan build/$c -o build/$c-scan; done
    python docs/examples/b_mesons.py build DATA docs/studies/fidelity-b-mesons.json --plot FIGURE

DATA holds the observed limits of arXiv:2306.02830 at 95 %, as collected by ALPaca
(BelleII_BKS_mumu_2023.csv and three others). Prints the tables of docs/how-to/b-mesons.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

TABLES = {
    "b_to_k_scalar": "BelleII_BKS_mumu_2023", "b_to_k_scalar_ee": "BelleII_BKS_ee_2023",
    "b_to_kstar_scalar": "BelleII_BKstarS_mumu_2023",
    "b_to_kstar_scalar_ee": "BelleII_BKstarS_ee_2023",
}  # fmt: skip
WORDS = {
    "b_to_k_scalar": "K⁺μμ", "b_to_k_scalar_ee": "K⁺ee", "b_to_kstar_scalar": "K*⁰μμ",
    "b_to_kstar_scalar_ee": "K*⁰ee",
}  # fmt: skip
CTAU_MM = (0.1, 1.0, 10.0, 100.0, 1000.0)
#: Masses within this part of a hypothesis: the median of the published limits stands beside it.
NEAR = 0.03


def published(path: Path) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Masses in GeV, and limits by c tau in mm."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line[0] != "#"]
    names = lines[0].split(",")[1:]
    rows = np.genfromtxt(lines[1:], delimiter=",")
    times = [10.0 * float(name.split("_")[2].removesuffix("cm")) for name in names]
    return rows[:, 0], {t: rows[:, k + 1] for k, t in enumerate(times)}


def expected(folder: Path) -> list[tuple[float, float, float, float]]:
    """Mass, c tau, expected limit on the branching fractions, and its events."""
    scan = json.loads((folder.with_name(folder.name + "-scan") / "scan.json").read_text("utf-8"))
    meta = json.loads((folder / "background_only.meta.json").read_text("utf-8"))
    parents = scan["parent_cross_section_pb"]
    (key,) = scan["benchmarks"]
    found = []
    for point in scan["points"]:
        if point["status"] == "ok":
            limit = point["couplings"][key]["expected"][2]
            events = parents * meta["windows"][point["name"]]["signal_events_per_pb"]
            found.append((*point["values"], limit, events))
    return found


def compared(folder: Path, table: Path) -> list[dict[str, float]]:
    """One row for each hypothesis that the published table has, too."""
    masses, limits = published(table)
    rows = []
    for mass, ctau, limit, events in expected(folder):
        near = np.abs(masses - mass) < NEAR * max(mass, 0.3)
        if ctau not in limits or near.sum() < 3:
            continue
        theirs = float(np.median(limits[ctau][near]))
        rows.append(
            {
                "mass_gev": mass, "ctau_mm": ctau, "expected": limit, "published": theirs,
                "ratio": limit / theirs, "events_of_published": theirs * events,
            }
        )  # fmt: skip
    return rows


def spread(values: list[float]) -> str:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def figure(rows: dict[str, list[dict[str, float]]], builds: Path, data: Path, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.0, 3.3), sharey=True, layout="constrained")
    colours = {0.1: "#D55E00", 10.0: "#0072B2", 1000.0: "#009E73"}
    styles = {0.1: ":", 10.0: "-", 1000.0: "--"}
    words = {0.1: "0.1 mm", 10.0: "1 cm", 1000.0: "1 m"}
    for axis, name, title in zip(
        axes, ("b_to_k_scalar", "b_to_k_scalar_ee"), ("μ⁺μ⁻", "e⁺e⁻"), strict=True
    ):
        masses, limits = published(data / f"{TABLES[name]}.csv")
        for ctau, colour in colours.items():
            grid = np.linspace(masses[0], masses[-1], 130)
            bins = np.digitize(masses, grid)
            steps = [np.median(limits[ctau][bins == k]) if (bins == k).any() else np.nan
                     for k in range(1, len(grid))]  # fmt: skip
            axis.plot(0.5 * (grid[1:] + grid[:-1]), steps, color=colour, lw=0.7, alpha=0.55)
            ours = np.array(
                [row[0:3] for row in expected(builds / name) if row[1] == ctau]
            )  # fmt: skip
            axis.plot(
                ours[:, 0], ours[:, 2], styles[ctau], color=colour, marker="o", ms=2.5, lw=1.4,
                label=f"expected, cτ = {words[ctau]}",
            )  # fmt: skip
        axis.plot([], [], color="0.5", lw=0.7, label="published, observed")
        axis.set(yscale="log", xlabel="m(S) [GeV]", ylim=(1e-8, 3e-4), xlim=(0, 4.9))
        axis.set_title(f"B⁺ → K⁺S, S → {title}", fontsize=9)
        axis.grid(alpha=0.2)
    axes[0].set_ylabel("95 % limit on the BR product")
    axes[0].legend(fontsize=6.5, loc="upper left")
    axes[1].text(0.97, 0.66, "simulated, 189 fb⁻¹", transform=axes[1].transAxes, ha="right",
                 va="top", fontsize=8)  # fmt: skip
    fig.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("builds", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    rows = {
        name: compared(asked.builds / name, asked.data / f"{table}.csv")
        for name, table in TABLES.items()
    }
    short = {
        name: [{k: float(f"{v:.4g}") for k, v in row.items()} for row in found]
        for name, found in rows.items()
    }
    kept = {
        name: [row for row in found if row["ctau_mm"] in CTAU_MM] for name, found in short.items()
    }
    text = json.dumps({"simulated": True, "rows": kept}).replace("}, ", "},\n")
    asked.output.write_text(text + "\n", "utf-8")
    times = " | ".join(f"cτ = {t:g} mm" for t in CTAU_MM)
    print(f"| | lowest, expected | lowest, published | {times} |")
    print("|---" * (3 + len(CTAU_MM)) + "|")
    for name, found in rows.items():
        _, limits = published(asked.data / f"{TABLES[name]}.csv")
        cells = [
            spread([r["ratio"] for r in found if r["ctau_mm"] == t]) for t in CTAU_MM
        ]  # fmt: skip
        lowest = (
            min(row[2] for row in expected(asked.builds / name)),
            min(np.nanmin(one) for one in limits.values()),
        )
        print(f"| {WORDS[name]} | {lowest[0]:.1e} | {lowest[1]:.1e} | {' | '.join(cells)} |")
    for name, found in rows.items():
        chosen = [r["events_of_published"] for r in found if 1.0 <= r["ctau_mm"] <= 100.0]
        print(f"{WORDS[name]}: published limits, 1 to 100 mm, are {spread(chosen)} of our events")
    if asked.plot:
        figure(rows, asked.builds, asked.data, asked.plot)


if __name__ == "__main__":
    main()
