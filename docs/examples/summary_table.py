"""All searches of models/ in one table: built, scanned, and set beside what was published.

    python docs/examples/summary_table.py                     # everything, into docs/studies
    python docs/examples/summary_table.py --quick --cards b_to_k_scalar,single_photon --output /tmp
    python docs/examples/summary_table.py --committed         # workspaces/ where there is one

Writes summary.md and summary.json. Expected limits are medians; the range is that over all certified
hypotheses. Published ranges, their sources and how sure they are stand in PUBLISHED; the ratio is
that of the quantity in ``what``: lowest over lowest, or what the entry says. Nothing is fitted,
but two choices were made by published ranges, which the page says.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from darkstats.searches.card import read_card

REPOSITORY = Path(__file__).resolve().parents[2]
START = "import sys; from darkstats.cli import main; sys.argv[0] = 'darkstats'; sys.exit(main())"
#: A ratio beyond this either way needs a reason.
FACTOR = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a search is set beside: range of the observed limits, and why ours differ."""

    what: str
    unit: str
    low: float | None = None
    high: float | None = None
    source: str = "none at hand"
    mark: str = "-"
    masses_gev: tuple[float, float] | None = None
    recast: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One search."""

    card: str
    title: str
    hypotheses: int
    certified: int
    luminosity_ifb: float
    seconds: float
    how: str
    what: str
    unit: str
    expected: tuple[float, float]
    published: tuple[float | None, float | None]
    source: str
    mark: str
    ratio: float | None
    reason: str
    digest: str = field(repr=False)


_BKS = "arXiv:2306.02830 by ALPaca, observed, 95 %"
_BKS_REASON = (
    "published limits of neighbouring masses lie within 2 to 7 % of a floor, as windows without an "
    "event do, so that it is the efficiency: {share} of ours, with a factor of 0.7 for the K*0{more}"
)
PUBLISHED = {
    "alp": Published(
        what="alp_photon", unit="1/GeV", low=8.5e-4, high=2.99e-2, masses_gev=(0.3, 9.7),
        source="arXiv:2007.13071 digitised, observed, 95 %", mark="digitised",
    ),
    "zprime_invisible_2018": Published(
        what="lmu_ltau_invisible", unit="", low=0.05, high=1.0, masses_gev=(0.5, 6.0),
        source="arXiv:1912.11276 read from its figure by others, observed, 90 %; couplings without "
        "vacuum polarisation; the lowest is at 0.5 GeV, the highest ratio 1.26 at 1.16 GeV",
        mark="digitised",
    ),
    "zprime_lfv_2018": Published(
        what="lfv_efficiency", unit="fb", low=10.0, high=10.0,
        source="arXiv:1912.11276, of the order of", mark="lit B",
    ),
    "zprime_invisible_2020": Published(
        what="lmu_ltau_invisible", unit="", low=3e-3, high=1.0,
        source="arXiv:2212.03066, 90 %, low mass to 8 GeV; couplings without vacuum polarisation",
        mark="published",
        masses_gev=(0.1, 8.0),
    ),
    "zprime_tautau": Published(
        what="cross_section", unit="fb", low=0.69, high=24.2, masses_gev=(3.6, 10.0),
        source="arXiv:2306.12294, observed, 90 %, 3.6 to 10 GeV; ours to 9.0 GeV", mark="published",
        reason="a simplified selection takes the place of the published networks",
    ),
    "zprime_tautau_high": Published(
        what="cross_section", unit="fb", masses_gev=(9.0, 10.0), mark="published",
        source="arXiv:2306.12294, observed, 90 %: 24 fb at most, to 10 GeV; no row of these masses "
        "was at hand",
    ),
    "zprime_mumu": Published(
        what="lmu_ltau_mumu", unit="", low=8e-4, high=0.039, masses_gev=(0.212, 6.0),
        source="arXiv:2403.02841, observed, 90 %, up to 6 GeV", mark="lit B",
    ),
    "zprime_mumu_cuts": Published(
        what="lmu_ltau_mumu", unit="", low=8e-4, high=0.039, masses_gev=(0.212, 6.0),
        source="arXiv:2403.02841, observed, 90 %, up to 6 GeV", mark="lit B",
    ),
    "muonphilic_scalar": Published(
        what="muonphilic_scalar_mumu", unit="", low=1.8e-3, high=0.040, masses_gev=(0.212, 6.0),
        source="arXiv:2403.02841, observed, 90 %, up to 6 GeV", mark="lit B",
        reason="the lowest are below 0.2145 GeV, where windows have one to five events of background; above "
        "they begin at 1.48e-3, 0.82 of the published lowest",
    ),
    "dark_higgsstrahlung": Published(
        what="cross_section", unit="fb", low=1.7, high=5.0, masses_gev=(4.0, 9.7),
        source="arXiv:2207.00509, 90 %, 4.0 to 9.7 GeV", mark="published",
        reason="the upper end is set by hypotheses of low efficiency at the edge of the plane, "
        "which the quoted range does not have",
    ),
    "inelastic_dark_matter": Published(
        what="epsilon", unit="", low=1e-4, source="proceedings of Belle II, reach with 100 fb⁻¹",
        mark="published",
        recast=("--to", "inelastic_dark_matter", "--production", "radiative", "--final-state", "ee"),
    ),
    "single_photon": Published(
        what="dark_photon", unit="", low=3e-4, high=1e-3, mark="lit B",
        source="arXiv:1808.10567, sensitivity, a few 1e-4 up to 7-8 GeV", masses_gev=(0.1, 8.0),
        reason="a few 1e-4 is read as 3e-4; if crystals lost 4e-6 of hard photons and not 1.5e-4, the "
        "lowest would be 3.0e-4; errors of rates and efficiency are worth 5 %, see the page",
    ),
    "b_to_k_scalar": Published(
        what="b_to_k_branching", unit="", low=2.8e-8, source=_BKS, mark="published",
    ),
    "b_to_k_scalar_ee": Published(
        what="b_to_k_branching", unit="", low=4.5e-8, source=_BKS, mark="published",
    ),
    "b_to_kstar_scalar": Published(
        what="b_to_kstar_branching", unit="", low=6.1e-8, source=_BKS, mark="published",
        reason=_BKS_REASON.format(share=0.48, more=""),
    ),
    "b_to_kstar_scalar_ee": Published(
        what="b_to_kstar_branching", unit="", low=1.1e-7, source=_BKS, mark="published",
        reason=_BKS_REASON.format(share=0.42, more=" and 0.8 to 0.9 for electrons"),
    ),
    **{
        name: Published(what=f"{name.rsplit('_', 2)[0]}_branching", unit="", low=1e-7,
                        source="arXiv:2306.02830, order of", mark="lit B",
                        reason="the published number is the order of magnitude of all channels; "
                        "no table of this one was at hand")
        for name in ("b_to_k_scalar_pipi", "b_to_k_scalar_kk", "b_to_kstar_scalar_pipi",
                     "b_to_kstar_scalar_kk")
    },
    "b_to_k_alp": Published(
        what="b_to_k_branching", unit="", low=4.6e-8,
        source="BaBar, arXiv:2111.01800 by ALPaca, observed, 90 %, 4.5 times the B mesons",
        mark="published",
        reason="BaBar had 4.5 times the B mesons: at as many the prompt limits are 0.65 of its, mass "
        "by mass",
    ),
}  # fmt: skip


def darkstats(*words: str) -> None:
    """Run one command; its errors end the table."""
    done = subprocess.run(
        [sys.executable, "-c", START, *words], capture_output=True, text=True, check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"darkstats {' '.join(words)}\n{done.stderr}")


def limits(scan: dict, what: str, masses: tuple[float, float] | None) -> np.ndarray:
    """Median expected limits of the certified hypotheses on a quantity."""
    found = []
    for point in scan["points"]:
        if point["status"] != "ok" or (
            masses and not masses[0] * 0.999 <= float(point["values"][0]) <= masses[1] * 1.001
        ):
            continue
        if what == "cross_section":
            held = point.get("low_counts", point)["cross_section_fb"]
        else:
            held = point["couplings"][what]
            held = held.get("low_counts", held)
        if held["expected"][2] is not None:
            found.append(held["expected"][2])
    return np.array(found)


def cpu_seconds() -> float:
    """CPU time of the commands that were run: others may use the machine, too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def recast(scan: Path, words: tuple[str, ...], output: Path) -> np.ndarray:
    """Lower ends of the excluded couplings, of the median expected limits."""
    darkstats("recast", str(scan), *words, "-o", str(output))
    record = json.loads(output.read_text("utf-8"))
    (median,) = (curve for curve in record["curves"] if curve["name"] == "median")
    return np.array(
        [point["intervals"][0]["lower"] for point in median["points"] if point.get("intervals")]
    )


def row(name: str, asked: argparse.Namespace, work: Path) -> Row:
    path = REPOSITORY / f"models/{name}.yaml"
    card, shipped = read_card(path), REPOSITORY / "workspaces" / name
    output, clock = work / f"{name}-scan", work / f"{name}-seconds.json"
    start = cpu_seconds()
    folder, how = work / name, "quick build, scanned" if asked.quick else "built, scanned"
    if asked.committed and shipped.is_dir():
        folder, how = shipped, "committed workspace, scanned"
    if not (asked.keep and clock.is_file()):
        if folder != shipped:
            quick = ("--quick",) if asked.quick else ()
            cache = ("--cache", str(work / "cache"))  # of this table: times are those of all events
            darkstats("build", str(path), "-o", str(folder), *cache, *quick)
        darkstats("scan", str(folder), "-o", str(output))
        clock.write_text(json.dumps(cpu_seconds() - start), "utf-8")
    seconds = json.loads(clock.read_text("utf-8"))
    scan = json.loads((output / "scan.json").read_text("utf-8"))
    build = json.loads((folder / "record.json").read_text("utf-8"))
    first = (card.benchmarks or ("cross_section",))[0]
    entry = PUBLISHED.get(name, Published(what=first, unit="fb" if not card.benchmarks else ""))
    if entry.recast:
        found = recast(output / "scan.json", entry.recast, work / f"{name}-recast.json")
    else:
        found = limits(scan, entry.what, entry.masses_gev)
    if not len(found):
        raise SystemExit(f"{name}: no certified limit on {entry.what}")
    ratio = None if entry.low is None else float(found.min() / entry.low)
    beyond = ratio is not None and not 1.0 / FACTOR <= ratio <= FACTOR
    reason = entry.reason if beyond or ratio is None else ""
    return Row(
        card=name, title=card.title, hypotheses=len(scan["points"]),
        certified=sum(point["status"] == "ok" for point in scan["points"]),
        luminosity_ifb=card.luminosity_ipb / 1e3, seconds=seconds, how=how, what=entry.what,
        unit=entry.unit, expected=(float(found.min()), float(found.max())),
        published=(entry.low, entry.high), source=entry.source, mark=entry.mark, ratio=ratio,
        reason=reason or ("not known" if beyond else ""), digest=build["card"]["digest"],
    )  # fmt: skip


def wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, 128, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def markdown(rows: list[Row]) -> str:
    head = (
        "<!-- diataxis: explanation -->\n# All searches in one table\n\n"
        + wrapped(
            "**Everything expected here is simulated.** Expected limits are medians over the certified "
            "hypotheses in the masses of the published range, lowest and highest; published limits are "
            "observed ones, but for a reach and a sensitivity, which are called so below. The ratio is lowest over lowest: where curves can be compared mass by mass, "
            "the page of the search does. Nothing is fitted to a published limit, but two choices of the cards "
            "were made by what is published: `least_efficiency` of the plane (`dark_higgsstrahlung`) from the upper end of its limits, "
            "5.0 fb, and `emptiness` of the windows of the plane and of the Z′ of 2018 by the published composition "
            "of the background. Time is CPU time "
            "of building and scanning; that of a committed workspace "
            "is the scan's. Written by "
            "`python docs/examples/summary_table.py`, as is `docs/studies/summary.json`."
        )
        + "\n\n| search | hypotheses | L [fb⁻¹] | CPU [s] | limit on | expected | published | whose | ratio |\n"
        + "|---" * 9 + "|\n"
    )  # fmt: skip
    lines, notes = [], []
    for one in rows:
        low, high = one.published
        theirs = (
            "-" if low is None else f"{low:.2g}" + ("" if high in {None, low} else f" – {high:.2g}")
        )
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        what = one.what.replace("_", r"\_") + (f" [{one.unit}]" if one.unit else "")
        seconds = f"{one.seconds:.0f}"
        count = str(one.hypotheses)
        if one.certified < one.hypotheses:
            count = f"{one.certified} of {one.hypotheses}"
        lines.append(
            f"| `{one.card}` | {count} | {one.luminosity_ifb:g} | {seconds} | {what} | "
            f"{one.expected[0]:.2g} – {one.expected[1]:.2g} | {theirs} | {one.mark} | {ratio} |"
        )
        how = f"* `{one.card}`: {one.source}; {one.how}."
        notes.append(f"{how} Why: {one.reason}." if one.reason else how)
    marks = (
        "*published* marks a number of the paper, *digitised* one that was read from its figure, *lit A, "
        "B, C* one from the literature that is still to be checked (sure, probable, plausible)."
    )
    return (
        f"{head}{chr(10).join(lines)}\n\n## Sources, and what differs by more than a factor of 1.5\n\n"
        f"{wrapped(marks)}\n\n{chr(10).join(wrapped(note, '  ') for note in notes)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cards", help="names, with commas; all of models/ without")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--committed", action="store_true")
    parser.add_argument("--keep", action="store_true", help="take finished scans of --work")
    parser.add_argument("--work", type=Path, help="folder of builds and scans")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs/studies")
    asked = parser.parse_args()
    known = sorted(path.stem for path in (REPOSITORY / "models").glob("*.yaml"))
    names = asked.cards.split(",") if asked.cards else known
    if unknown := set(names) - set(known):
        parser.error(f"no card {', '.join(sorted(unknown))}: choose among {', '.join(known)}")
    with tempfile.TemporaryDirectory() as temporary:
        work = asked.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        rows = []
        for name in names:
            rows.append(row(name, asked, work))
            print(f"{name}: {rows[-1].expected[0]:.3g} to {rows[-1].expected[1]:.3g}", flush=True)
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "summary.md").write_text(markdown(rows), "utf-8")
    record = {"simulated": True, "quick": asked.quick, "rows": [asdict(one) for one in rows]}
    (asked.output / "summary.json").write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
