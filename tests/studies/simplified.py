"""Limits of simplified likelihoods beside those of the full ones: fidelity, parameters, time.

``python -m tests.studies.simplified --output docs/studies/simplified`` simplifies every example,
hypotheses of every shipped search, pyhf's validation workspaces and published likelihoods below
``$DARKSTATS_DATA`` (skipped, and said so, where it is not set), and writes a page and a record.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from darkstats.errors import DarkstatsError, NotCertifiedError
from darkstats.inference.simplified import (
    RESPONSES,
    TimedLimit,
    comparison,
    simplify,
    timed_limit,
)
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import Workspace, read_workspace

Row = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
SEARCHES = (
    "alp", "zprime_invisible_2018", "zprime_lfv_2018", "zprime_invisible_2020",
    "dark_higgsstrahlung", "examples/mass_scan",
)  # fmt: skip
SBOTTOM = "atlas_susy_2018_31/pyhf-ins1748602-probability-models.tar.gz"
POINTS = ("A/1300_205_60", "A/1400_950_60", "A/1500_850_60", "B/1400_550_60", "C/1600_850_60")
PUBLIC = (
    "atlas_susy_2hadtau_2020__high_mass_bkg", "atlas_susy_2L0J_2019__bkg",
    "atlas_susy_3L_2021__onshell_bkg", "atlas_susy_4L_2021__bkg",
    "atlas_susy_compressed_2020__sleptons_bkg", "ATLAS-SUSY-2018-16_EWKinos_SR2lOnly_bkg",
)  # fmt: skip
WITHIN = 0.1
SIGNAL = 0.1  # of the background of one signal region, where a publication has no signal


def cases(per_search: int) -> Iterator[tuple[str, str, Callable[[], Workspace]]]:
    """Group, name and reader of each case."""
    for path in sorted((ROOT / "workspaces/examples").glob("*.json")):
        if not path.name.endswith(".meta.json"):
            yield "examples", path.stem, partial(read_workspace, path)
    for search in SEARCHES:
        folder = ROOT / "workspaces" / search
        (source,) = (p for p in folder.glob("background_only.json*"))
        (patches,) = folder.glob("patchset.json*")
        raw = patches.read_bytes()
        text = gzip.decompress(raw) if patches.suffix == ".gz" else raw
        names = [patch["metadata"]["name"] for patch in json.loads(text)["patches"]]
        for name in names[:: max(1, len(names) // per_search)][:per_search]:
            yield search, name, partial(read_workspace, source, patchset=patches, point=name)
    data = Path(os.environ["DARKSTATS_DATA"]) / "likelihoods" if _has_data() else None
    if data is None:
        return
    for path in sorted((data / "pyhf_validation").glob("*bin*.json")):
        yield "pyhf validation", path.stem, partial(read_workspace, path)
    for point in POINTS:
        region, signal = point.split("/")
        inside = f"{data / SBOTTOM}:Region{region}"
        yield (
            "ATLAS-SUSY-2018-31",
            point,
            partial(
                read_workspace,
                f"{inside}/BkgOnly.json",
                patches=[f"{inside}/patch.sbottom_{signal}.json"],
            ),
        )
    for name in PUBLIC:
        yield "published backgrounds", name, partial(_with_signal, data, name)


def _has_data() -> bool:
    return "DARKSTATS_DATA" in os.environ


def _with_signal(data: Path, name: str) -> Workspace:
    """Put a signal into the signal region of middle size: a tenth of its background."""
    with gzip.open(data / "public" / f"{name}.json.gz") as stream:
        document: Row = json.load(stream)
    regions = [one for one in document["channels"] if "SR" in one["name"]]
    regions.sort(key=lambda one: sum(sum(sample["data"]) for sample in one["samples"]))
    chosen = regions[len(regions) // 2]
    rates = [sum(values) for values in zip(*(s["data"] for s in chosen["samples"]), strict=True)]
    poi = document["measurements"][0]["config"]["poi"]
    chosen["samples"].append(
        {
            "name": "signal",
            "data": [SIGNAL * rate for rate in rates],
            "modifiers": [{"name": poi, "type": "normfactor", "data": None}],
        }
    )
    return Workspace.from_document(document, name)


def measured(workspace: Workspace, model: HistFactoryModel, response: str, full: TimedLimit) -> Row:
    """What one response does to the limits; or why there is none."""
    try:
        begin = time.perf_counter()
        found = simplify(workspace, model, response=response)
        made = time.perf_counter() - begin
        compared = comparison(full, timed_limit(compile_workspace(found.workspace)))
    except NotCertifiedError as error:
        return {"refused": str(error)}
    return {
        "parameters": [found.parameters_before, found.parameters_after],
        "observed": compared.first.observed,
        "changes": list(compared.changes),
        "largest": compared.largest,
        "seconds": [compared.first_seconds, compared.second_seconds],
        "seconds_to_make": made,
        "warnings": list(found.warnings),
    }


def run(per_search: int, kept: Path) -> list[Row]:
    """All cases, linear and quadratic, and the better of the two; goes on where it was stopped."""
    rows: list[Row] = json.loads(kept.read_text("utf-8")) if kept.exists() else []
    done = {(row["group"], row["name"]) for row in rows}
    for group, name, read in cases(per_search):
        if (group, name) in done:
            continue
        row: Row = {"group": group, "name": name}
        try:
            workspace = read()
            model = compile_workspace(workspace)
            full = timed_limit(model)
            row |= {one: measured(workspace, model, one, full) for one in RESPONSES}
        except DarkstatsError as error:
            row["error"] = f"{type(error).__name__}: {error}"
        known = [r for r in RESPONSES if row.get(r, {}).get("largest") is not None]
        row["best"] = min(known, key=lambda r: row[r]["largest"]) if known else None
        rows.append(row)
        kept.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


def page(rows: list[Row], command: str) -> str:
    """The page of the study."""
    within = [r for r in rows if r["best"] and r[r["best"]]["largest"] <= WITHIN]
    beyond = [r for r in rows if r["best"] and r[r["best"]]["largest"] > WITHIN]
    refused = [r for r in rows if not r["best"]]
    lines = [
        "<!-- diataxis: explanation -->",
        "# Simplified likelihoods",
        "",
        "How far limits move when a likelihood is [simplified](../how-to/simplify.md), and what "
        "that saves. Made by",
        "",
        "```bash",
        command,
        "```",
        "",
        f"{len(rows)} likelihoods: in {len(within)} the observed limit and all five expected ones "
        f"stay within {WITHIN:.0%}; in {len(beyond)} one moves by more, and `simplify` refuses "
        f"them; {len(refused)} cannot be simplified at all, because a parameter rests at the end "
        "of its range. All channels are kept. `largest` is the largest change of the six limits.",
        "",
        "| group | likelihoods | within 10 % | moved by more | refused | largest change, median | "
        "parameters | time of a limit, median ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for group in dict.fromkeys(row["group"] for row in rows):
        ours = [row for row in rows if row["group"] == group]
        best = [row[row["best"]] for row in ours if row["best"]]
        largest = _median([one["largest"] for one in best])
        ratio = _median([one["seconds"][1] / one["seconds"][0] for one in best])
        before = sorted({one["parameters"][0] for one in best})
        after = sorted({one["parameters"][1] for one in best})
        lines.append(
            f"| {group} | {len(ours)} | {sum(row in within for row in ours)} | "
            f"{sum(row in beyond for row in ours)} | {sum(row in refused for row in ours)} | "
            f"{largest:.2%} | {_span(before)} → {_span(after)} | {ratio:.2g} |"
        )
    lines += [
        "",
        "## Published likelihoods",
        "",
        "| likelihood | parameters | response | observed | median | largest | time of a limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["group"] not in ("ATLAS-SUSY-2018-31", "published backgrounds") or not row["best"]:
            continue
        one = row[row["best"]]
        lines.append(
            f"| {row['name']} | {one['parameters'][0]} → {one['parameters'][1]} | {row['best']} | "
            f"{one['changes'][0]:+.2%} | {one['changes'][3]:+.2%} | {one['largest']:.2%} | "
            f"{_ms(one['seconds'][0])} → {_ms(one['seconds'][1])} |"
        )
    lines += [
        "",
        "The signal of the published backgrounds is ours: a tenth of the background of one signal "
        "region.",
        "",
        "## Where it does not hold",
        "",
    ]
    for row in beyond:
        one = row[row["best"]]
        lines.append(
            f"* {row['group']}, {row['name']}: {one['largest']:.0%} ({row['best']}; observed limit "
            f"{one['observed']:.4g}, changed by {one['changes'][0]:+.1%})."
        )
    for row in refused:
        said = row.get("error") or row[RESPONSES[0]].get("refused", "one limit does not exist")
        lines.append(f"* {row['group']}, {row['name']}: {said}.")
    lines += ["", "Times are of one machine under other load, the shortest of two or three.", ""]
    return "\n".join(lines)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else float("nan")


def _span(values: list[int]) -> str:
    if not values:
        return "–"
    return str(values[0]) if len(values) == 1 else f"{values[0]}–{values[-1]}"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def main() -> None:
    """Run the study and write its page and its record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, help="page and record without their endings")
    parser.add_argument("--per-search", type=int, default=3, help="hypotheses of each search")
    asked = parser.parse_args()
    rows = run(asked.per_search, Path(f"{asked.output}.json"))
    command = (
        f"DARKSTATS_DATA=data python -m tests.studies.simplified --output {asked.output} "
        f"--per-search {asked.per_search}"
    )
    Path(f"{asked.output}.md").write_text(page(rows, command), encoding="utf-8")


if __name__ == "__main__":
    main()
