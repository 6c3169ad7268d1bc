"""Expected limits on B -> K S beside the published ones, by lifetime.

    for c in b_to_k_scalar b_to_k_scalar_ee b_to_kstar_scalar b_to_kstar_scalar_ee; do
      darkstats build models/$c.yaml -o build/$c && darkstats scan build/$c -o build/$c-scan; done
    python docs/examples/b_mesons.py build DATA docs/studies/fidelity-b-mesons.json --plot FIGURE

DATA holds the observed limits of arXiv:2306.02830 at 95 %, as collected by ALPaca
(BelleII_BKS_mumu_2023.csv and three others). Prints the tables of docs/how-to/b-mesons.md.

With build/b_to_k_alp and its scan, too, and --alp FIGURE: the same of B -> K a beside the limits of
BaBar, arXiv:2111.01800 (BaBar_BKa_prompt_2022_BR.csv and BaBar_BKa_displaced_2022_BR.csv).
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
#: Published limits without an event are alike: the place of this quantile among their neighbours.
FLOOR = 0.1
NO_EVENT = 3.0  # events excluded at 95 % by a count without one
#: Pairs of channels that differ by the kaon, or by the leptons.
FACTORS = {
    "K*0 over K+, muons": ("b_to_kstar_scalar", "b_to_k_scalar"),
    "K*0 over K+, electrons": ("b_to_kstar_scalar_ee", "b_to_k_scalar_ee"),
    "electrons over muons, K+": ("b_to_k_scalar_ee", "b_to_k_scalar"),
    "electrons over muons, K*0": ("b_to_kstar_scalar_ee", "b_to_kstar_scalar"),
}
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
        floor = float(np.quantile(limits[ctau][near], FLOOR))
        rows.append(
            {
                "mass_gev": mass, "ctau_mm": ctau, "expected": limit, "published": theirs,
                "ratio": limit / theirs, "events_of_published": theirs * events,
                "published_over_floor": theirs / floor,
                "efficiency_share": NO_EVENT / (floor * events),
            }
        )  # fmt: skip
    return rows


def shares(rows: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """Efficiency that published limits without an event ask for, over that of the simulation.

    By channel and by ratio of two channels: 5, 50 and 95 % over the masses above 0.2 GeV, at each
    lifetime from 1 to 100 mm; and how far the median published limit lies above one without event.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for ctau in (1.0, 10.0, 100.0):
        here = {
            name: {r["mass_gev"]: r for r in held if r["ctau_mm"] == ctau and r["mass_gev"] > 0.2}
            for name, held in rows.items()
        }
        columns = {
            name: [r["efficiency_share"] for r in held.values()] for name, held in here.items()
        }
        columns |= {
            words: [
                here[one][mass]["efficiency_share"] / here[other][mass]["efficiency_share"]
                for mass in here[one].keys() & here[other].keys()
            ]
            for words, (one, other) in FACTORS.items()
        }
        columns |= {
            f"{name}, published over floor": [r["published_over_floor"] for r in held.values()]
            for name, held in here.items()
        }
        found[f"{ctau:g}"] = {
            words: [float(f"{q:.3g}") for q in np.quantile(values, [0.05, 0.5, 0.95])]
            for words, values in columns.items()
        }
    return found


def babar(data: Path) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Masses and limits at 90 % by c tau in mm; prompt is 0.001."""
    found = {}
    for name, times in (("prompt", (0.001,)), ("displaced", (1.0, 10.0, 100.0))):
        path = data / f"BaBar_BKa_{name}_2022_BR.csv"
        lines = [line for line in path.read_text("utf-8").splitlines() if line[0] != "#"]
        rows = np.genfromtxt(lines[1:], delimiter=",")
        for k, ctau in enumerate(times, start=1):
            known = np.isfinite(rows[:, k])
            found[ctau] = (rows[known, 0], rows[known, k])
    return found


#: Number of B mesons of BaBar over that of the card: 4.72e8 pairs over 1.048e8.
BABAR = 4.72e8 / (198e6 / 189.0 * 100.0)


def alp(builds: Path, data: Path, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    ours = expected(builds / "b_to_k_alp")
    theirs = babar(data)
    print("| cτ [mm] | expected | over BaBar | at the B mesons of BaBar |\n|---|---|---|---|")
    fig, axis = plt.subplots(figsize=(6.0, 3.6), layout="constrained")
    colours = {0.001: "#0072B2", 10.0: "#E69F00", 100.0: "#009E73", 400.0: "#CC79A7"}
    styles = {0.001: "-", 10.0: "--", 100.0: "-.", 400.0: ":"}
    for ctau in (0.001, 1.0, 10.0, 100.0, 400.0):
        mine = np.array([row[0:3] for row in ours if row[1] == ctau])
        cells = f"{mine[:, 2].min():.1e} to {mine[:, 2].max():.1e}"
        if ctau in theirs:
            masses, limits = theirs[ctau]
            ratios = []
            for mass, _, limit in mine:
                near = np.abs(masses - mass) < NEAR * max(mass, 0.6)
                if near.any():
                    ratios.append(limit / float(np.median(limits[near])))
            scaled = [ratio / np.sqrt(BABAR) for ratio in ratios]
            print(f"| {ctau:g} | {cells} | {spread(ratios)} | {spread(scaled)} |")
        else:
            print(f"| {ctau:g} | {cells} | | |")
        if ctau not in colours:
            continue
        label = "prompt" if ctau == 0.001 else f"cτ = {ctau / 10:g} cm"
        axis.plot(mine[:, 0], mine[:, 2], styles[ctau], color=colours[ctau], lw=1.5, marker="o",
                  ms=2.5, label=f"expected, {label}")  # fmt: skip
        if ctau in theirs:
            axis.plot(*theirs[ctau], color=colours[ctau], lw=0.6, alpha=0.5)
    axis.plot([], [], color="0.5", lw=0.6, label="BaBar 424 fb⁻¹, observed")
    for low, high in ((0.11, 0.16), (0.52, 0.575), (0.915, 1.0)):
        axis.axvspan(low, high, color="0.88", lw=0)
    axis.set(yscale="log", xlabel="m(a) [GeV]", xlim=(0, 4.9), ylim=(2e-8, 1e-4))
    axis.set_ylabel("90 % limit on BR(B⁺ → K⁺a) × BR(a → γγ)", fontsize=8)
    axis.legend(fontsize=7, loc="upper right")
    axis.text(0.25, 0.94, "simulated, 100 fb⁻¹", transform=axis.transAxes, fontsize=8, va="top")
    fig.savefig(path, dpi=110)


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
    parser.add_argument("--alp", type=Path)
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
    share = shares(rows)
    record = {"simulated": True, "efficiency_shares": share, "rows": kept}
    text = json.dumps(record).replace("}, ", "},\n")
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
    print("| cτ [mm] | " + " | ".join(share["1"]) + " |\n|---" + "|---" * len(share["1"]) + "|")
    for ctau, columns in share.items():
        cells = (
            f"{middle:.2f} ({low:.2f} to {high:.2f})" for low, middle, high in columns.values()
        )
        print(f"| {ctau} | {' | '.join(cells)} |")
    if asked.alp:
        alp(asked.builds, asked.data, asked.alp)
    if asked.plot:
        figure(rows, asked.builds, asked.data, asked.plot)


if __name__ == "__main__":
    main()
