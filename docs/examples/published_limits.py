"""Compare expected limits of the simulated searches with published ones: table, page and figure.

    for search in alp zprime_invisible_2018; do
        darkstats scan workspaces/$search --method cls --blind -o scans/$search
    done
    darkstats scan workspaces/alp --method clsb --blind -o scans/alp-clsb
    for method in cls clsb; do
        darkstats scan workspaces/alp --method $method -o scans/alp-$method-observed
    done
    darkstats scan workspaces/zprime_invisible_2018 --blind -o scans/zprime_invisible_2018-bayes
    darkstats scan workspaces/dark_higgsstrahlung -o scans/dark_higgsstrahlung-bayes
    python docs/examples/published_limits.py scans CURVE docs/studies docs/images

Writes published-limits.json and .md into the third folder, and .png into the fourth. The published
curves are those of the catalogue: observed limits, averaged or as read. CURVE is the published ALP
limit step by step, ``BelleII_ALP_3gamma_2020_xsec_ALPaca.csv`` of the reference data: its scatter
tells CLs from CLs+b. Where no method is named it is that of the card: Bayesian, 90 % credibility.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.report.constraints.catalogue import catalogue
from darkstats.report.figures.comparisons import RatioCurve, ratios_figure
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import ScanTable

Record = dict[str, Any]

#: Masses from which ratios are summed up: below, merging photons are not simulated well.
FIRST_GEV = {"alp": 0.3, "zprime": 1.0}
#: Published range of the cross section of dark Higgsstrahlung, arXiv:2207.00509.
PUBLISHED_FB = (1.7, 5.0)
#: Published ranges of the invisible Z' of 2018, 0.5 to 6 GeV, arXiv:1912.11276.
PUBLISHED_ZPRIME = {"cross_section": (220.0, 680.0), "lmu_ltau_invisible": (0.05, 1.0)}
#: Quantiles by which the scatter of limits is described.
SCATTER = (0.05, 0.25, 0.5, 0.75, 0.95)
SCATTERED = {
    "published": "published",
    "cls": "pseudo-data, CLs",
    "clsb": "pseudo-data, CLs+b",
}
METHODS = ("CLs", "Bayesian")
TITLES = {"alp": "axion-like particle", "zprime": "invisible Z'"}


def at(table: ScanTable, key: str, mass: float) -> float:
    """Median expected limit of the hypothesis next to a mass."""
    return float(table.limits_on(key).median[np.argmin(np.abs(table.first_coordinate - mass))])


def smoothed(mass: float, low: FloatArray, high: FloatArray, limit: FloatArray) -> float:
    """Geometric mean of steps around a mass: within 12 % (at least 30 MeV) below 4 GeV, else 0.6.

    The window is that of the averaged curve in the catalogue.
    """
    half = max(0.12 * mass, 0.03) if mass < 4.0 else 0.6
    weight = np.clip(np.minimum(high, mass + half) - np.maximum(low, mass - half), 0.0, None)
    return float(np.exp(np.sum(weight * np.log(limit)) / weight.sum()))


def scatter(scans: Path, curve: Path) -> Record:
    """How much observed limits on the cross section scatter around their smooth value."""
    lines = [line for line in curve.read_text("utf-8").splitlines() if not line.startswith("#")]
    low, high, limit = np.array([line.split(",") for line in lines[1:]], dtype=float).T
    smooth = np.array([smoothed(m, low, high, limit) for m in (low + high) / 2.0])
    ratios_ = {"published": limit / smooth}
    for method in ("cls", "clsb"):
        name = f"alp-{method}-observed"
        record = json.loads((scans / name / "scan.json").read_text("utf-8"))
        limits = read_scan(record, source=name).limits_on("cross_section")
        ratios_[method] = limits.observed / limits.median
    return {
        name: {
            "quantiles": [float(q) for q in np.quantile(values, SCATTER)],
            "smallest": float(values.min()),
            "below_half": float(np.mean(values < 0.5)),
        }
        for name, values in ratios_.items()
    }


def compare(scans: Path, steps: Path) -> Record:
    """Ratios of expected to published limits at the masses of the published curves."""

    def table(name: str) -> ScanTable:
        return read_scan(json.loads((scans / name / "scan.json").read_text("utf-8")), source=name)

    alp, clsb = table("alp"), table("alp-clsb")
    zprime = table("zprime_invisible_2018")
    bayes = table("zprime_invisible_2018-bayes")
    if bayes.method != "bayes":
        raise SystemExit(f"{bayes.source}: the limits are not Bayesian")
    found: Record = {"searches": {}}
    for search, key, shipped in (
        ("alp", "alp_photon", "belle2_alp_2020"),
        ("zprime", "lmu_ltau_invisible", "belle2_zprime_2018"),
    ):
        (curve,) = (one for one in catalogue(key) if one.key == shipped)
        rows = []
        for mass, published in zip(curve.mass_gev, curve.lower, strict=True):
            here = alp if search == "alp" else zprime
            row = {"mass_gev": mass, "published": published, "expected": at(here, key, mass)}
            if search == "alp":
                row["clsb"] = at(clsb, key, mass)
            else:
                row["bayes"] = at(bayes, key, mass)
            rows.append(row)
        found["searches"][search] = {
            "source": f"{curve.source.citation}, arXiv:{curve.source.arxiv}",
            "rows": rows,
        }
    found["scatter"] = scatter(scans, steps)
    found["zprime_ranges"] = {"CLs": ranges(zprime), "Bayesian": ranges(bayes)}
    found["dark_higgsstrahlung"] = higgs(table("dark_higgsstrahlung-bayes"))
    return found


def ranges(table: ScanTable) -> Record:
    """Smallest and largest median limit in the published range of masses of the Z'."""
    inside = (table.first_coordinate >= 0.5) & (table.first_coordinate <= 6.0)
    values = {key: table.limits_on(key).median[inside] for key in PUBLISHED_ZPRIME}
    return {key: [float(found.min()), float(found.max())] for key, found in values.items()}


def higgs(table: ScanTable) -> Record:
    """Range of expected limits where the published range holds."""
    heavy, light = table.coordinates.T
    inside = (heavy > 4.0) & (heavy < 9.7) & (light < heavy)
    above = inside & (table.limits_on("cross_section").median > PUBLISHED_FB[1])
    found: Record = {
        "hypotheses": int(inside.sum()),
        "above_published": int(above.sum()),
        "floor": float(np.nanmin(table.limits_on("cross_section").expected[0][inside])),
        "sum_of_masses_above_gev": float(np.quantile((heavy + light)[above], 0.05)),
    }
    for key in ("cross_section", "dark_higgsstrahlung"):
        values = table.limits_on(key).median[inside]
        found[key] = [float(v) for v in np.quantile(values, (0.0, 0.025, 0.5, 0.975, 1.0))]
    return found


def ratios(record: Record, search: str, column: str) -> list[float]:
    """Expected over published couplings where they are summed up."""
    rows = record["searches"][search]["rows"]
    first = FIRST_GEV[search]
    return [row[column] / row["published"] for row in rows if row["mass_gev"] >= first]


def summary(values: list[float], power: int = 1) -> str:
    """Median and range of ratios, or of their squares."""
    raised = [value**power for value in values]
    return f"{median(raised):.2f} ({min(raised):.2f} to {max(raised):.2f})"


def page(record: Record) -> str:
    """The page in Markdown; nothing on it is written by hand."""
    text = """<!-- diataxis: explanation -->
# Expected and published limits

Median expected limits of the **simulated** searches over published **observed** ones. These are the curves of the
[catalogue](../reference/constraints.md): averaged (axion-like particle), or as read from the figure (Z′). The coupling
goes as the root of the cross section. Written by `docs/examples/published_limits.py`, whose first lines name the commands
that come before it.

![Expected over published limits against mass](../images/published-limits.png)

The cards have all their effects, and nothing in them is fitted to these limits.

| search | in | expected, CLs | expected, Bayesian |
|---|---|---|---|"""  # noqa: E501 -- lines of the page
    lines = text.splitlines()
    for search, symbol in (("alp", "g"), ("zprime", "g′")):
        for power, quantity in ((1, symbol), (2, "σ")):
            cells = (
                f"{TITLES[search]}, from {FIRST_GEV[search]} GeV", quantity,
                summary(ratios(record, search, "expected"), power),
                summary(ratios(record, search, "bayes"), power) if search == "zprime" else "–",
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    alp = record["searches"]["alp"]["rows"]
    apart = median((row["expected"] / row["clsb"]) ** 2 for row in alp)
    higgs_ = record["dark_higgsstrahlung"]
    zprime = record["searches"]["zprime"]["rows"]
    above = [(row["bayes"] / row["expected"]) ** 2 for row in zprime]
    lines += [
        "",
        "Median, and in brackets smallest and largest. CLs of the Z′ is the asymptotic median",
        "here, which goes below the 2.303 events that no event at all gives and does not hold",
        "there. On the page on the [fidelity of the recoil searches](fidelity-recoil.md) no",
        "median is below: 0.89 (0.86 to 1.16) in g′ from 1.0 GeV, and 0.876 at 5 GeV, where the",
        "table below has 0.74.",
        "",
        "## Axion-like particle, 445 pb⁻¹, 95 % CL",
        "",
        f"Published: {record['searches']['alp']['source']}. The expected CLs limit on the cross",
        f"section is {100.0 * (apart - 1.0):.0f} % above that of CLs+b. What each effect of the",
        "detector does is told on the page on [fidelity](fidelity.md).",
        "",
        _head("g [1/GeV]", ("", "CLs+b")),
        "|---|---|---|---|---|---|---|",
        *(_row(row, ("expected", "clsb")) for row in alp),
        "",
        "### CLs or CLs+b?",
        "",
        "The limit on the cross section over its smooth value: the published observed limit, step",
        "by step, over its mean around the mass; that of pseudo-data over its median expectation.",
        "",
        "| | " + " | ".join(f"{100 * q:g} %" for q in SCATTER) + " | smallest | below 0.5 |",
        "|---|---|---|---|---|---|---|---|",
        *(_scattered(record["scatter"][name], title) for name, title in SCATTERED.items()),
        "",
        "A limit from CLs+b falls to nothing where the data fluctuate down; the published one",
        "never does. It scatters as limits from CLs do.",
        "",
        "## Invisible Z', 276 pb⁻¹, 90 %",
        "",
        f"Published: {record['searches']['zprime']['source']}, Bayesian with a flat",
        "prior in the cross section. Expected: the same, and CLs beside it.",
        "",
        _head("g′", ("", "Bayesian")),
        "|---|---|---|---|---|---|---|",
        *(_row(row, ("expected", "bayes")) for row in zprime),
        "",
        f"The Bayesian limit on the cross section is {min(above):.2f} to {max(above):.2f} times "
        f"that of CLs, {median(above):.2f} in the middle:",
        "a flat prior on the cross section pulls limits up where few events are expected, and the",
        "asymptotic formula of CLs goes below 2.3 events, which is the limit at 90 % of both",
        "methods if none is seen and counted exactly. Ratios of the Bayesian limits:",
        f"{summary(ratios(record, 'zprime', 'bayes'))} in g′ from {FIRST_GEV['zprime']} GeV.",
        "",
        "Ranges of the median limits from 0.5 to 6 GeV:",
        "",
        "| | cross section [fb] | g′ |",
        "|---|---|---|",
        "| published, observed | 220 to 680 | 0.05 to 1 |",
        *(
            f"| {name} | " + " | ".join(f"{a:.3g} to {b:.3g}" for a, b in found.values()) + " |"
            for name, found in ((name, record["zprime_ranges"][name]) for name in METHODS)
        ),
        "",
        "What the comparison is worth: published limits are observed ones, of few events in each",
        "window, so that a point may lie a third above or below its expectation. Median limits of",
        "few events come in steps, of one event more or less.",
        "",
        "## Dark Higgsstrahlung, 8.34 fb⁻¹, 90 %",
        "",
        "Published for 4.0 < M(A′) < 9.7 GeV and M(h′) < M(A′), Bayesian: 1.7 to 5.0 fb, ε²α_D",
        "from 1.7e-8 to 2.0e-6 (arXiv:2207.00509). Expected there, Bayesian, with the background",
        "of the fit to the pseudo-data:",
        "",
        "| | smallest | 2.5 % | median | 97.5 % | largest |",
        "|---|---|---|---|---|---|",
        *_plane(higgs_),
        "",
        f"{higgs_['above_published']} of {higgs_['hypotheses']} hypotheses have an expected limit "
        "above the largest published one; 95 % of",
        f"these have M(A′) + M(h′) > {higgs_['sum_of_masses_above_gev']:.1f} GeV, at the edge of "
        "the plane where the efficiency falls. Toys",
        "of CLs are on the page on the [fidelity of the recoil searches](fidelity-recoil.md).",
        "",
        f"The lowest end of a band, of a window that sees no event, is {higgs_['floor']:.3g} fb: "
        "2.3 events over luminosity",
        "and efficiency, a little more for its error. The published range begins at "
        f"{PUBLISHED_FB[0]:g} fb. Ours goes as",
        "far as a hypothesis can be simulated; inside, 95 % of the limits lie in the range that",
        "the table shows.",
        "",
    ]
    return "\n".join(lines)


def _plane(found: Record) -> list[str]:
    sigma = " | ".join(f"{value:.3g}" for value in found["cross_section"])
    product = " | ".join(f"{value:.2e}" for value in found["dark_higgsstrahlung"])
    return [f"| cross section [fb] | {sigma} |", f"| ε²α_D | {product} |"]


def _head(symbol: str, columns: tuple[str, ...]) -> str:
    names = ["m [GeV]", f"published {symbol}", "expected, CLs"]
    for column in columns:
        before = f"{column}: " if column else "ratio "
        names += [f"{before}in {symbol.partition(' ')[0]}", "in σ"]
    return "| " + " | ".join(names) + " |"


def _scattered(found: Record, title: str) -> str:
    values = (*found["quantiles"], found["smallest"])
    cells = [title, *(f"{value:.2f}" for value in values), f"{100.0 * found['below_half']:.1f} %"]
    return "| " + " | ".join(cells) + " |"


def _row(row: Record, columns: tuple[str, ...]) -> str:
    cells = [f"{row['mass_gev']:g}", f"{row['published']:.3g}", f"{row['expected']:.3g}"]
    for column in columns:
        ratio = row[column] / row["published"]
        cells += [f"{ratio:.2f}", f"{ratio**2:.2f}"]
    return "| " + " | ".join(cells) + " |"


def figure(record: Record, path: Path) -> None:
    """Ratios in the coupling against mass, a panel for each search."""
    curves = []
    for search, found in record["searches"].items():
        rows = found["rows"]
        mass = np.array([row["mass_gev"] for row in rows])
        columns = {"expected": "CLs"}
        if search == "zprime":
            columns["bayes"] = "Bayesian, the published method"
        for column, label in columns.items():
            ratio = np.array([row[column] / row["published"] for row in rows])
            curves.append(
                RatioCurve(search=TITLES[search], label=label, mass_gev=mass, ratio=ratio)
            )
    ratios_figure(curves, quantity="coupling", simulated=True, title="median expected limit").save(
        path
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("scans", "curve", "studies", "images"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    record = compare(asked.scans, asked.curve)
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    (asked.studies / "published-limits.json").write_text(text, "utf-8")
    (asked.studies / "published-limits.md").write_text(page(record), "utf-8")
    figure(record, asked.images / "published-limits.png")
    print(page(record))


if __name__ == "__main__":
    main()
