"""Bayesian projections of a built search against brute force, mass by mass.

    python -m tests.soak.projected_posteriors SEARCH STRIDE LUMINOSITY ...

Every STRIDE-th hypothesis of the search (a folder; one bin each) is projected to luminosities in
1/fb. The blinded limit's median comes from the package; the same count is given to the brute force
of ``credible_oracle``. Printed: deviation over stated error, worst first, and what was refused.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from scipy import stats

from credible_oracle import Factor, OneBin
from darkstats.scan.limits import base_of, scan_point, workspace_of_point
from darkstats.scan.results import ScanSettings


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


def main(folder: str, stride: int, luminosities: list[float]) -> int:
    """Compare, and return how many deviate by more than three errors and half a per mille."""
    search = Path(folder)
    document = json.loads((search / "background_only.json").read_text("utf-8"))
    patches = [
        {"name": p["metadata"]["name"], "values": p["metadata"]["values"], "patch": p["patch"]}
        for p in json.loads((search / "patchset.json").read_text("utf-8"))["patches"]
    ]
    now = json.loads((search / "record.json").read_text("utf-8"))["luminosity_ipb"]
    base, wrong = base_of(document, patches), 0
    for luminosity in luminosities:
        settings = ScanSettings(
            method="bayes",
            cl=0.9,
            calculator="posterior",
            blind=True,
            interpolation="normsys=code4,histosys=code4p",
            luminosity_factor=1e3 * luminosity / now,
        )
        seen, refused = [], []
        for patch in patches[::stride]:
            point = scan_point(base, patch, settings)
            if point.status == "failed":
                refused.append((patch["name"], point.reason))
                continue
            made = workspace_of_point(base, patch, settings).document
            rate = one_bin(made, 0.0).background
            median = float(stats.poisson.ppf(0.5, rate))
            truth = one_bin(made, median).limit()
            value, error = point.expected[2], point.expected_error[2]
            seen.append(((value - truth) / error, value / truth - 1.0, patch["name"], value, truth))
            wrong += abs(value - truth) > max(3.0 * error, 5e-4 * truth)
        seen.sort(key=lambda row: -abs(row[1]))
        sys.stdout.write(
            f"{luminosity:g} /fb: {len(seen)} compared, {len(refused)} refused {refused[:3]}\n"
        )
        for pull, off, name, value, truth in seen[:5]:
            sys.stdout.write(
                f"  {name}: {value:.6g}, brute force {truth:.6g}, {pull:+.2f} errors, {off:+.2e}\n"
            )
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], int(sys.argv[2]), [float(x) for x in sys.argv[3:]]) else 0)
