"""Write the study of Bayesian limits: calibration, coverage, agreement of the engines.

    python -m tests.studies.bayes_calibration --output bayes-calibration.json
    python -m tests.benchmarks.bayes_speed --output bayes-speed.json
    python docs/examples/bayesian_study.py bayes-calibration.json bayes-speed.json DATA docs/studies

DATA is the folder of the reference likelihoods, ``pyhf_validation`` and ``atlas_susy_2018_31``.
Writes bayes.json and bayes.md into the last folder. ``--again TITLE ...`` compares the engines on
the workspaces of these titles alone, and keeps the rows of the others from the bayes.json there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from darkstats.errors import DarkstatsError
from darkstats.inference.bayes import Flat, NuisancePriors, NutsOptions
from darkstats.inference.bayes.credible import DISAGREEMENT
from darkstats.inference.bayes.engines import RUNNERS, Bench
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import read_patchset, read_workspace

Record = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("quadrature", "laplace", "nuts")
#: What is compared: title, file (``DATA/...`` of the reference data), and hypothesis or patch.
SHIPPED = (
    ("on/off", "examples/on_off.json", ""),
    ("two bins", "examples/two_bins.json", ""),
    ("three channels", "examples/three_channels.json", ""),
    ("bump, 30 bins", "examples/bump_hunt.json", ""),
    ("Z′ 2018, 1.94 GeV", "zprime_invisible_2018", "m_1p9396"),
    ("Z′ 2018, lepton-flavour violating, 7.99 GeV", "zprime_lfv_2018", "m_7p9900"),
    ("dark Higgsstrahlung, (5.22, 3.57) GeV", "dark_higgsstrahlung", "ma_5p2202_mh_3p5706"),
)
VALIDATION = (
    ("pyhf, one bin, shapesys", "1bin_shapesys.json"),
    ("pyhf, two bins, histosys", "2bin_histosys.json"),
)
SBOTTOM = (
    ("ATLAS sbottom, region A", "RegionA", "sbottom_1300_205_60"),
    ("ATLAS sbottom, region B", "RegionB", "sbottom_500_400_60"),
    ("ATLAS sbottom, region B, hardly any signal", "RegionB", "sbottom_1000_205_60"),
    ("ATLAS sbottom, region C", "RegionC", "sbottom_1600_850_60"),
)


def _only(folder: Path, pattern: str) -> Path:
    (found,) = sorted(folder.glob(pattern))
    return found


def shipped(file: str, point: str) -> HistFactoryModel:
    """Model of a workspace of the repository, with a point of its patch set if it has one."""
    folder = ROOT / "workspaces" / file
    if not point:
        return compile_workspace(read_workspace(folder))
    workspace = read_workspace(_only(folder, "background_only.json*"))
    patches = read_patchset(_only(folder, "patchset.json*"))
    (chosen,) = (one for one in patches.points if one.name == point)
    return compile_workspace(workspace.patched(list(chosen.operations)))


def sbottom(data: Path, region: str, point: str) -> HistFactoryModel:
    """Model of one signal point of the published likelihood."""
    archive = _only(data / "atlas_susy_2018_31", "*.tar.gz")
    patch = f"{archive}:{region}/patch.{point}.json"
    return compile_workspace(read_workspace(f"{archive}:{region}/BkgOnly.json", patches=[patch]))


def models(data: Path | None) -> dict[str, HistFactoryModel]:
    """All that is compared, by title; without reference data only what the repository holds."""
    found = {title: shipped(file, point) for title, file, point in SHIPPED}
    if data is not None:
        for title, file in VALIDATION:
            found[title] = compile_workspace(read_workspace(data / "pyhf_validation" / file))
        for title, region, point in SBOTTOM:
            found[title] = sbottom(data, region, point)
    return found


def answers(model: HistFactoryModel, engines: tuple[str, ...] = ENGINES) -> list[Record]:
    """What each engine says of the observed limit: 90 %, flat prior, default nuisance priors."""
    rows = []
    for name in engines:
        bench = Bench(
            model=model,
            nuisances=NuisancePriors().resolve(model),
            prior=Flat().bind(model),
            cl=0.9,
            seed=1,
            expected="none",
            nuts=NutsOptions(enough_steps=1),  # the first draws that pass the gates
        )
        begin = time.perf_counter()
        try:
            answer = RUNNERS[name](bench).answer
            row = {"limit": answer.limit, "error": answer.error, "reason": answer.reason}
        except DarkstatsError as error:
            row = {"limit": None, "error": None, "reason": str(error)}
        rows.append({"engine": name, **row, "seconds": time.perf_counter() - begin})
    return rows


def apart(one: Record, other: Record) -> float | None:
    """Difference of two answers over their errors in quadrature; None where one is missing."""
    if one["limit"] is None or other["limit"] is None:
        return None
    allowed = math.hypot(one["error"], other["error"]) + 1e-4 * one["limit"] / DISAGREEMENT
    return float(abs(one["limit"] - other["limit"]) / allowed)


def largest_pull(rows: list[Record]) -> float | None:
    """Largest difference between two engines, in errors."""
    found = [apart(a, b) for k, a in enumerate(rows) for b in rows[:k]]
    return max((pull for pull in found if pull is not None), default=None)


def today() -> str:
    """The date."""
    return f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}"


def compare(data: Path, earlier: list[Record], again: list[str]) -> list[Record]:
    """The engines on all workspaces; where some are named, on these, and the others stay."""
    kept = {row["workspace"]: row for row in earlier} if again else {}
    rows = []
    for title, model in models(data).items():
        if title in kept and title not in again:
            rows.append(kept[title])
            continue
        found = answers(model)
        sys.stderr.write(
            f"{title}: " + ", ".join(f"{a['limit']} in {a['seconds']:.2g} s" for a in found) + "\n"
        )
        rows.append(
            {
                "workspace": title,
                "bins": model.n_bins,
                "parameters": model.n_parameters,
                "answers": found,
                "largest_pull": largest_pull(found),
                "made": today(),
            }
        )
    return rows


def _cell(answer: Record) -> str:
    if answer["limit"] is None:
        return "declines"
    limit, error = answer["limit"], answer["error"]
    digits = 6 if error < 1e-5 * limit else 4
    return f"{limit:.{digits}g} ± {error:.1g}"


def _agreement(rows: list[Record]) -> list[str]:
    lines = [
        "| workspace | bins | parameters | quadrature | Laplace | NUTS | largest pull |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        pull = row["largest_pull"]
        cells = (
            row["workspace"], str(row["bins"]), str(row["parameters"]),
            *(_cell(answer) for answer in row["answers"]),
            "–" if pull is None else f"{pull:.1f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _ranks(rows: list[Record]) -> list[str]:
    lines = [
        "| model | engine | prior of the signal | failed | χ² (19) | p | repeat | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        first, *others = row["runs"]
        cells = (
            first["model"], first["engine"], f"flat, 0 to {first['upper']:g}",
            str(first["failed"]), f"{first['chi_square']:.1f}", f"{first['p_value']:.2g}",
            *([f"p = {one['p_value']:.2g}" for one in others] or ["not needed"]),
            "uniform" if row["calibrated"] else "**not uniform**",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _coverage(cells: list[Record]) -> list[str]:
    signals = list(dict.fromkeys(cell["signal"] for cell in cells))
    lines = [
        "| model | engine | toys | failed | " + " | ".join(f"s = {s:g}" for s in signals) + " |",
        "|---" * (4 + len(signals)) + "|",
    ]
    for model in dict.fromkeys(cell["model"] for cell in cells):
        found = [cell for cell in cells if cell["model"] == model]
        shown = [f"{100 * c['coverage']:.1f} ± {100 * c['error']:.1f}" for c in found]
        failed = str(sum(cell["failed"] for cell in found))
        head = (model, found[0]["engine"], str(found[0]["toys"]), failed)
        lines.append("| " + " | ".join((*head, *shown)) + " |")
    return lines


def page(record: Record) -> str:
    """The page in Markdown; nothing on it is written by hand."""
    study, agreement = record["calibration"], record["agreement"]
    pulls = [row["largest_pull"] for row in agreement if row["largest_pull"] is not None]
    failed = [row for row in study["ranks"] if not row["calibrated"]]
    level = study["family_level"] / len(study["ranks"])
    power = study["power"]
    covered = [cell["coverage"] for cell in study["coverage"]]
    low = [c for c in study["coverage"] if c["coverage"] < c["cl"] - 3.0 * c["error"]]
    lines = [
        "<!-- diataxis: explanation -->",
        "# Bayesian limits: calibration, coverage, engines, speed",
        "",
        "Are posteriors what they say they are, how often do credible limits contain the truth,",
        "do the engines agree, and how fast are they? This page and `bayes.json` beside it are",
        "made by",
        "",
        "```console",
        "$ python -m tests.studies.bayes_calibration --output bayes-calibration.json",
        "$ python -m tests.benchmarks.bayes_speed --output bayes-speed.json",
        "$ python docs/examples/bayesian_study.py \\",
        "    bayes-calibration.json bayes-speed.json DATA docs/studies",
        "```",
        "",
        "in ten minutes on two cores; seeds are fixed. The first command exits with status 1 if",
        "the ranks of a model are not uniform. DATA is the folder of the reference likelihoods.",
        f"Ranks and coverage are of the code of {record['made']['calibration']}, speed is of "
        f"{record['speed']['machine']['date']},",
        "the agreement of the engines of",
        f"{_dates(agreement)}.",
        "",
        "## Ranks of the truth",
        "",
        "Truths are drawn from the priors, data from the truths, and inferred with the same",
        "priors: then the posterior probability below the true signal strength is uniform",
        "between 0 and 1 (arXiv:1804.06788). The prior of the signal strength is flat and cut at",
        "an edge, in drawing and in inference alike. All choices were made before the first run:",
        f"{len(study['ranks'])} models, {study['replicas']:,} replicas each, {study['bins']} bins, "
        "χ² against a flat histogram, a family-wise",
        f"level of {100 * study['family_level']:g} % (Bonferroni: {100 * level:.3g} % each), seed "
        f"{study['seeds'][0]}, and one repeat with seed {study['seeds'][1]} for a model that",
        "fails.",
        "",
        *_ranks(study["ranks"]),
        "",
        f"{len(failed)} of {len(study['ranks'])} models fail. The power of one study to see a "
        "posterior whose width is wrong:",
        f"{power['0.8']:.2f} at 20 % too narrow, {power['0.9']:.2f} at 10 % too narrow, "
        f"{power['1.1']:.2f} at 10 % too wide, {power['1.2']:.2f} at 20 % too wide.",
        "NUTS is not in this table: 2,000 posteriors take it hours. It is compared below.",
        "",
        "## Coverage",
        "",
        "How often the 90 % credible limit lies above a fixed true signal, in %. Data and",
        "auxiliary data are thrown at the truth, nuisance parameters at their nominal values; the",
        "prior is flat without an edge, and free levels have the edges of the table above. A",
        "failure counts as a limit below the truth. Nobody promises coverage here: a credible",
        "limit speaks of one data set, and its prior keeps it above zero. At zero signal it is",
        "100 % by construction.",
        "",
        *_coverage(study["coverage"]),
        "",
        f"From {100 * min(covered):.1f} % to {100 * max(covered):.1f} %; {len(low)} of "
        f"{len(covered)} cells lie below 90 % by more than three standard errors.",
        "The steps of one-bin models are those of a count: with few events coverage jumps where",
        "the limit of one more event passes the truth.",
        "",
        "## Agreement of the engines",
        "",
        "Observed 90 % limits on the signal strength with the default priors, flat in the cross",
        "section. An error is what the engine says of its own: the last change of the resolution",
        "(quadrature), the scatter of replicates (Laplace with importance sampling), of chains",
        "(NUTS; these are its first draws that pass the gates, by default it draws on to 0.3 %).",
        "A pull is the largest difference between two engines over their errors in",
        "quadrature; a warning is given above 4. *Declines*: the engine says that it cannot vouch",
        "for an answer, and `--engine auto` asks the next one.",
        "",
        *_agreement(agreement),
        "",
        f"Largest pull: {max(pulls):.1f}. Of {len(agreement)} workspaces all have at least two "
        "engines that answer."
        if pulls and all(_answered(row) > 1 for row in agreement)
        else f"Largest pull: {max(pulls, default=math.nan):.1f}. Workspaces with fewer than two "
        "answers: " + ", ".join(r["workspace"] for r in agreement if _answered(r) < 2) + ".",
        "",
        *_speed(record["speed"]),
    ]
    return "\n".join(lines)


def _speed(record: Record) -> list[str]:
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "## Speed",
        "",
        "Medians over rounds, and medians of ratios of one round. A Markov chain gets as good as",
        "one waits: its time is the one to the error of ours, extrapolated from the scatter of 16",
        "ensembles of 32 walkers × 2,000 steps with the root of the number of steps, burn-in left",
        "aside. *Our density*: all walkers in one compiled call of darkstats, which flatters",
        "emcee; *pyhf*: its density, one walker at a time, which is what a user has.",
        "",
        "| what | time | certified | peer | its time | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        certified = f"{100.0 * min(row['certified']):.4g} %"
        peers = sorted(row["peers"]) or ["–"]
        for peer in peers:
            theirs = median(row["peers"][peer]) if row["peers"] else None
            cells = (
                row["name"], f"{row['median']:.3g} s", certified, peer,
                "–" if theirs is None else f"{theirs:,.0f} s",
                "–" if theirs is None else f"{row['ratios'][peer]:,.0f} ×",
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    note = next(row["note"] for row in record["rows"] if row["note"])
    return [
        *lines,
        "",
        f"First rows: {note}.",
        "The ratios are of one run, all programs in turn; the model is made for it. The dark-Higgs",
        "rows are seconds alone, of the search of that day, which had more",
        "windows than the shipped one (9,181). Last row: the whole command, in two processes:",
        "files read and written, models compiled, best fits, p-values and couplings besides the",
        "limits; on 2026-12-01 it took 55 s of a processor on the shipped windows.",
        "",
        f"Measured on {machine['date']}, {machine['cpus']} cores of an {machine['processor']} "
        f"(shared, load {machine['load']:.1f}), {machine['rounds']} rounds;",
        f"{versions}.",
        "",
    ]


def _dates(rows: list[Record]) -> str:
    """Dates of the rows, the most frequent one first; the rows of others by their names."""
    dates = [row["made"] for row in rows]
    first, *others = sorted(set(dates), key=dates.count, reverse=True)
    named = [
        f"{date} ({'; '.join(row['workspace'] for row in rows if row['made'] == date)})"
        for date in others
    ]
    return ", ".join([first, *named])


def _answered(row: Record) -> int:
    return sum(answer["limit"] is not None for answer in row["answers"])


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("calibration", "speed", "data", "studies"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--again", nargs="*", default=[], help="workspaces; the others stay")
    asked = parser.parse_args()
    written = asked.calibration.stat().st_mtime
    earlier = []
    if asked.again:
        earlier = json.loads((asked.studies / "bayes.json").read_text("utf-8"))["agreement"]
    record = {
        "schema": "darkstats.bayes-study/1",
        "calibration": json.loads(asked.calibration.read_text("utf-8")),
        "speed": json.loads(asked.speed.read_text("utf-8")),
        "agreement": compare(asked.data, earlier, asked.again),
        "made": {"calibration": f"{dt.datetime.fromtimestamp(written, tz=dt.UTC):%Y-%m-%d}"},
    }
    for row in record["agreement"]:
        for answer in row["answers"]:
            answer.pop("seconds", None)  # the speed of engines is measured in tests/benchmarks
    text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n"
    (asked.studies / "bayes.json").write_text(text, "utf-8")
    (asked.studies / "bayes.md").write_text(page(record), "utf-8")


if __name__ == "__main__":
    main()
