"""Expected limits of the simulated searches beside published ones, uncalibrated and calibrated.

    python docs/examples/limit_curves.py workspaces CURVES --output docs/studies/limit-curves

Writes OUTPUT.json and OUTPUT.png, and prints the tables of docs/studies/limit-curves.md. CURVES is
the folder of published curves (``DARKSTATS_DATA``/curves). Expected limits are blind scans: medians
for Asimov data of the simulated background.
"""

from __future__ import annotations

import argparse
import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.execution.processes import LocalProcesses
from darkstats.execution.run import run_job
from darkstats.scan.limits import LIMITS, collect_scan, limits_job
from darkstats.scan.projection import projected
from darkstats.scan.results import MassScan, ScanSettings
from darkstats.workflows.scans import couplings_of, read_source
from darkstats.workspace.patch import apply_patch

XSEC = "BelleII_ALP_3gamma_2020_xsec_ALPaca.csv"

#: Global factors (signal, background), declared as calibrated: PHYSICS_ALP (k = 2.5, fitted to the
#: published curve) and PHYSICS_RECOIL (0.6 on everything for 2018, empirical, of which radiation of
#: the signal, simulated here and not there, explains 0.72).
CALIBRATED = {"alp": (1.0, 2.5), "zprime_invisible_2018": (0.6 / 0.72, 0.6 / 0.72)}

#: What was published: limits in fb, couplings, and the masses (GeV) that the ranges are for.
PUBLISHED = {
    "zprime_invisible_2018": {
        "source": "arXiv:1912.11276, 90 % credibility, observed",
        "mass_gev": (0.5, 6.0),
        "limit_fb": (220.0, 680.0),
        "coupling": ("lmu_ltau_invisible", 0.05, 1.0),
    },
    "dark_higgsstrahlung": {
        "source": "arXiv:2207.00509, 90 % credibility, observed",
        "mass_gev": (4.0, 9.7),
        "limit_fb": (1.7, 5.0),
        "coupling": ("dark_higgsstrahlung", 1.7e-8, 2e-6),
    },
}


def with_factors(document: dict, signal: float, background: float) -> dict:
    """A workspace whose signal and background are multiplied by factors, errors with them."""
    few, many = (projected(document, f, systematics="same") for f in (signal, background))
    for channel, other in zip(many["channels"], few["channels"], strict=True):
        channel["samples"] = [
            mine if any(m["name"] == "mu" for m in theirs["modifiers"]) else theirs
            for mine, theirs in zip(other["samples"], channel["samples"], strict=True)
        ]
    return many


def calibrated(inputs: dict, signal: float, background: float) -> dict:
    """Inputs of a scan, each hypothesis with factors."""
    patches = []
    for patch in inputs["patches"]:
        document = apply_patch(dict(inputs["workspace"]), list(patch["patch"]), source="a patch")
        scaled = with_factors(document, signal, background)
        operations = [
            {"op": "replace", "path": f"/{key}", "value": scaled[key]}
            for key in ("channels", "observations", "measurements")
        ]
        patches.append({**patch, "patch": operations})
    return {**inputs, "patches": patches}


def scan(inputs: dict, *, method: str, cl: float, blind: bool = True) -> MassScan:
    settings = ScanSettings(method=method, cl=cl, blind=blind)
    job = limits_job(inputs, settings)
    blocks = run_job(LIMITS, job, LocalProcesses(workers=2))
    return collect_scan(inputs, job, settings, [blocks[b] for b in range(job.n_blocks)])


class PublishedSteps:
    """A published limit, constant between the edges of steps."""

    def __init__(self, path: Path) -> None:
        lines = [line for line in path.read_text("utf-8").splitlines() if line[:1] != "#"]
        rows = [tuple(map(float, row)) for row in csv.reader(lines[1:])]
        self.low, self.high, self.limit_pb = (
            np.array(column) for column in zip(*rows, strict=True)
        )

    def near(self, mass: float) -> float:
        """Geometric mean around a mass: within 12 % below 4 GeV, 30 MeV at least; 0.6 GeV above."""
        half = max(0.12 * mass, 0.03) if mass < 4.0 else 0.6
        weight = np.minimum(self.high, mass + half) - np.maximum(self.low, mass - half)
        weight = np.maximum(weight, 0.0)
        return float(np.exp(np.sum(weight * np.log(self.limit_pb)) / weight.sum()))

    def scatter(self) -> np.ndarray:
        """Each step over the smoothed curve."""
        middle = 0.5 * (self.low + self.high)
        return self.limit_pb / np.array([self.near(m) for m in middle])


def alp(folder: Path, curves: Path) -> dict:
    steps = PublishedSteps(curves / XSEC)
    inputs = read_source(str(folder), None).inputs
    reference = inputs["facts"]["reference_cross_section_pb"]
    with_k = calibrated(inputs, *CALIBRATED["alp"])
    masses = np.array([p["values"][0] for p in inputs["patches"]])
    published = np.array([steps.near(m) for m in masses])
    found = {"mass_gev": masses.tolist(), "published_smoothed_pb": published.tolist()}
    for name, documents, method in (
        ("cls", inputs, "cls"), ("clsb", inputs, "clsb"), ("cls_calibrated", with_k, "cls"),
    ):  # fmt: skip
        points = scan(documents, method=method, cl=0.95).points
        bands = reference * np.array([p.expected for p in points], dtype=float)
        found[name] = {
            "expected_pb": bands.tolist(),
            "ratio_cross_section": (bands[:, 2] / published).tolist(),
            "ratio_coupling": np.sqrt(bands[:, 2] / published).tolist(),
        }
    scatter = {"published": steps.scatter()}
    for method in ("cls", "clsb"):
        points = scan(inputs, method=method, cl=0.95, blind=False).points
        ratios = [p.observed / p.expected[2] for p in points]
        scatter[f"pseudo-data, {method}"] = np.array(ratios)
    found["scatter"] = {
        name: {
            "quantiles_5_25_50_75_95": np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist(),
            "smallest": float(values.min()),
            "share_below_half": float(np.mean(values < 0.5)),
        }
        for name, values in scatter.items()
    }
    return found


def recoil(folder: Path, method: str, factors: tuple[float, float] | None) -> dict:
    source = read_source(str(folder), None)
    inputs = source.inputs if factors is None else calibrated(source.inputs, *factors)
    reference = inputs["facts"]["reference_cross_section_pb"]
    published = PUBLISHED[inputs["facts"]["name"]]
    key, *_ = published["coupling"]
    convert = couplings_of(inputs)[key][1]
    low, high = published["mass_gev"]
    limits, couplings, failed = [], [], 0
    for point in scan(inputs, method=method, cl=0.90).points:
        at = [
            v
            for v, label in zip(point.values, inputs["labels"], strict=True)
            if label.endswith("_gev")
        ]
        if not low <= at[0] <= high:
            continue
        if point.status != "ok" or point.expected[2] is None:
            failed += 1
            continue
        limits.append(1e3 * reference * point.expected[2])
        couplings.append(convert(point.values, point.expected[2]))
    return {
        "hypotheses": len(limits),
        "failed": failed,
        "limit_fb": np.quantile(limits, [0.0, 0.5, 1.0]).tolist(),
        "coupling": np.quantile(couplings, [0.0, 0.5, 1.0]).tolist(),
    }


def draw(found: dict, path: Path) -> None:
    import matplotlib.pyplot as plt

    curves = found["alp"]
    mass = np.array(curves["mass_gev"])
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.0, 6.2), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    published = np.array(curves["published_smoothed_pb"])
    top.plot(
        mass, published, color="black", label="published, observed, smoothed (arXiv:2007.13071)"
    )
    bands = np.array(curves["cls"]["expected_pb"])
    top.fill_between(
        mass,
        bands[:, 1],
        bands[:, 3],
        color="#56B4E9",
        alpha=0.35,
        lw=0,
        label="±1σ, CLs, uncalibrated",
    )
    style = {"cls": ("#0072B2", "-", "CLs, uncalibrated"), "clsb": ("#009E73", "--", "CLs+b, uncalibrated"),
             "cls_calibrated": ("#D55E00", "-.", "CLs, background × 2.5 (calibrated)")}  # fmt: skip
    for key, (color, line, label) in style.items():
        top.plot(mass, np.array(curves[key]["expected_pb"])[:, 2], line, color=color, label=label)
        bottom.plot(mass, curves[key]["ratio_coupling"], line, color=color)
    top.set_yscale("log")
    top.set_ylabel(r"95 % CL limit on $\sigma(e^+e^-\to\gamma a)$ [pb]")
    top.legend(fontsize=8, frameon=False, loc="lower right")
    top.set_title(
        "Simulated search for axion-like particles, 445 pb$^{-1}$: expected limits", fontsize=10
    )
    bottom.axhline(1.0, color="black", lw=0.8)
    bottom.set_ylim(0.5, 1.3)
    bottom.set_ylabel(r"$g$ / published $g$")
    bottom.set_xlabel(r"$m_a$ [GeV]")
    bottom.set_xlim(0.2, 9.72)
    figure.savefig(path, dpi=130)


def spread(values: list[float]) -> str:
    """Smallest, median and largest."""
    return " – ".join(f"{value:.3g}" for value in values)


def tell_alp(curves: dict) -> None:
    """Ratios of the expected limits to the published curve, by mass, and the scatter of both."""
    mass = np.array(curves["mass_gev"])
    kinds = {"cls": "CLs", "clsb": "CLs+b", "cls_calibrated": "CLs, calibrated"}
    coupling = {key: np.array(curves[key]["ratio_coupling"]) for key in kinds}
    edges = [0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 6.85, 8.0, 9.0, 9.71]
    print("| m [GeV] | hypotheses |", *(f"{name}: g, σ |" for name in kinds.values()))
    print("|---|---|---|---|---|")
    for low, high in [*pairwise(edges), (0.3, 9.71)]:
        chosen = (mass >= low) & (mass < high)
        medians = {key: float(np.median(ratios[chosen])) for key, ratios in coupling.items()}
        cells = [f"{g:.2f}, {g**2:.2f}" for g in medians.values()]
        print(f"| {low:g} – {min(high, 9.7):g} | {chosen.sum()} |", " | ".join(cells), "|")
    for key, name in kinds.items():
        values = coupling[key][mass >= 0.3]
        print(f"{name}, g above 0.3 GeV: {np.median(values):.3f}, spread {np.std(values):.3f}")
    middle = [np.array(curves[key]["expected_pb"])[:, 2] for key in ("clsb", "cls")]
    print(f"CLs+b over CLs in σ: {np.median(middle[0] / middle[1]):.3f}\n")
    print(
        "| limit over its smooth value | 5 % | 25 % | 50 % | 75 % | 95 % | smallest | below 0.5 |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, numbers in curves["scatter"].items():
        cells = [f"{q:.2f}" for q in (*numbers["quantiles_5_25_50_75_95"], numbers["smallest"])]
        print(f"| {name} |", " | ".join(cells), f"| {100 * numbers['share_below_half']:.1f} % |")


def tell_recoil(searches: dict) -> None:
    """Smallest, median and largest limits beside the published ranges."""
    print("\n| search | limit | hypotheses | failed | fb | published | coupling | published |")
    print("|---|---|---|---|---|---|---|---|")
    for name, kinds in searches.items():
        published = PUBLISHED[name]
        ranges = [f"{a:g} – {b:g}" for a, b in (published["limit_fb"], published["coupling"][1:])]
        for kind, numbers in kinds.items():
            print(
                f"| {name} | {kind} | {numbers['hypotheses']} | {numbers['failed']} "
                f"| {spread(numbers['limit_fb'])} | {ranges[0]} "
                f"| {spread(numbers['coupling'])} | {ranges[1]} |"
            )


def rounded(found: Any) -> Any:
    """Numbers with four digits."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    if isinstance(found, list):
        return [rounded(value) for value in found]
    return float(f"{found:.4g}") if isinstance(found, float) else found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workspaces", type=Path)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=["cls", "bayes"])
    asked = parser.parse_args()
    found = {"alp": alp(asked.workspaces / "alp", asked.curves), "recoil": {}}
    for name in PUBLISHED:
        kinds = found["recoil"].setdefault(name, {})
        for method in asked.methods:
            kinds[f"{method}, uncalibrated"] = recoil(asked.workspaces / name, method, None)
            if name in CALIBRATED:
                kinds[f"{method}, calibrated"] = recoil(
                    asked.workspaces / name, method, CALIBRATED[name]
                )
    asked.output.with_suffix(".json").write_text(
        json.dumps(rounded(found), sort_keys=True) + "\n", "utf-8"
    )
    draw(found, asked.output.with_suffix(".png"))
    tell_alp(found["alp"])
    tell_recoil(found["recoil"])


if __name__ == "__main__":
    main()
