"""Bayesian projections of built searches against brute force, mass by mass.

    python -m tests.soak.projected_posteriors SEARCH:STRIDE,... OUTPUT.json LUMINOSITY ...

Every STRIDE-th hypothesis of each search (a folder; one bin each) is projected to luminosities in
1/fb. The blinded limit's median comes from the package; the same count is given to the brute force
of ``credible_oracle``, whose own error is how far it moves at another resolution. Written and
printed: deviation over the errors of both, worst first, and what was refused. The exit status is 1
if a deviation is larger than three errors.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from scipy import stats

from credible_oracle import Factor, OneBin
from darkstats.scan.limits import base_of, scan_point, workspace_of_point
from darkstats.scan.mass_hypotheses import MassHypothesis
from darkstats.scan.settings import ScanSettings
from darkstats.workspace import read_patchset

Record = dict[str, Any]


def one_bin(document: dict[str, Any], count: float) -> OneBin:
    """The brute-force model of a workspace of one bin, at a count."""
    (channel,) = document["channels"]
    signal = next(
        s for s in channel["samples"] if any(m["type"] == "normfactor" for m in s["modifiers"])
    )
    rest = [s for s in channel["samples"] if s is not signal]
    on_signal = _normsys(signal)
    backgrounds = [_normsys(sample) for sample in rest]
    assert all(b == backgrounds[0] for b in backgrounds)
    total = sum(s["data"][0] for s in rest)
    stat = math.hypot(
        *(m["data"][0] for s in rest for m in s["modifiers"] if m["type"] == "staterror"), 0.0
    )
    common = {n: f for n, f in on_signal.items() if backgrounds[0].get(n) == f}
    return OneBin(
        observed=count,
        signal=signal["data"][0],
        background=total,
        common=tuple(common.values()),
        on_signal=tuple(f for n, f in on_signal.items() if n not in common),
        on_background=(
            *(f for n, f in backgrounds[0].items() if n not in common),
            *([("gauss", stat / total, 0.0)] if stat > 0.0 else []),
        ),
    )


def _normsys(sample: dict[str, Any]) -> dict[str, Factor]:
    return {
        m["name"]: ("normsys", m["data"]["lo"], m["data"]["hi"])
        for m in sample["modifiers"]
        if m["type"] == "normsys"
    }


def compared(folder: Path, stride: int, luminosity: float) -> tuple[list[Record], list[Record]]:
    """Hypotheses of a search at one luminosity: those that were compared, and the refused."""
    document = json.loads((folder / "background_only.json").read_text("utf-8"))
    patches = [MassHypothesis.of_point(p) for p in read_patchset(folder / "patchset.json")]
    now = json.loads((folder / "record.json").read_text("utf-8"))["luminosity_ipb"]
    base = base_of(document, patches)
    settings = ScanSettings(
        method="bayes",
        cl=0.9,
        calculator="posterior",
        blind=True,
        interpolation="normsys=code4,histosys=code4p",
        luminosity_factor=1e3 * luminosity / now,
    )
    seen: list[Record] = []
    refused: list[Record] = []
    for patch in patches[::stride]:
        name = {"search": folder.name, "point": patch.name}
        point = scan_point(base, patch, settings)
        if point.status == "failed":
            refused.append({**name, "reason": point.reason})
            continue
        made = workspace_of_point(base, patch, settings).document
        rate = one_bin(made, 0.0).background
        median = float(stats.poisson.ppf(0.5, rate))
        truth, unsure = one_bin(made, median).limit_and_error()
        value, error = point.expected[2], point.expected_error[2]
        if value is None or error is None:
            refused.append({**name, "reason": "no median of the expected limit"})
            continue
        seen.append(
            {
                **name,
                "engine": point.engine,
                "limit": value,
                "error": error,
                "brute_force": truth,
                "brute_force_error": unsure,
                "errors_off": abs(value - truth) / (math.hypot(error, unsure) + 1e-6 * truth),
            }
        )
    return seen, refused


def main(searches: dict[str, int], output: str, luminosities: list[float]) -> int:
    """Compare, and return how many deviate by more than three errors of both."""
    rows = []
    for luminosity in luminosities:
        parts = [compared(Path(at), stride, luminosity) for at, stride in searches.items()]
        seen = [row for some, _ in parts for row in some]
        seen.sort(key=lambda row: -row["errors_off"])
        outside = [f"{r['search']} {r['point']}" for r in seen if r["errors_off"] > 3.0]
        engines = Counter(row["engine"] for row in seen)
        rows.append(
            {
                "luminosity_ifb": luminosity,
                "searches": [
                    {"search": Path(at).name, "stride": stride} for at, stride in searches.items()
                ],
                "compared": len(seen),
                "engines": dict(sorted(engines.items())),
                "outside": outside,
                "beyond_one_error": sum(row["errors_off"] > 1.0 for row in seen),
                "largest_difference": max(
                    (abs(r["limit"] / r["brute_force"] - 1.0) for r in seen), default=0.0
                ),
                "largest_brute_force_error": max(
                    (r["brute_force_error"] / r["brute_force"] for r in seen), default=0.0
                ),
                "refused": [row for _, some in parts for row in some],
                "worst": seen[:5],
            }
        )
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
        record = {
            "schema": "darkstats.projected-posteriors/1",
            "cl": 0.9,
            "luminosities": rows,
        }
        Path(output).write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", "utf-8")
    return sum(len(row["outside"]) for row in rows)


if __name__ == "__main__":
    pairs = (one.rsplit(":", 1) for one in sys.argv[1].split(","))
    chosen = {at: int(stride) for at, stride in pairs}
    sys.exit(1 if main(chosen, sys.argv[2], [float(x) for x in sys.argv[3:]]) else 0)
