"""pyhf repeats points of a scan: its own limits, by its own root finding, from the same files.

    python -m tests.peers.scan_points workspaces/zprime_invisible_2018 --cl 0.90 --points 12
    python -m tests.peers.scan_points workspaces/alp --points 3 --output alp.json

Every limit, observed and expected, is the root of pyhf's CLs, found with SciPy's brentq in a
bracket of 30 % on both sides of ours. The time of both programs is printed: ours for the whole
scan, divided by its points.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import pyhf
from scipy.optimize import brentq

from darkstats import workflows
from darkstats.searches.output import read_build
from darkstats.workspace.patch import apply_patch

BAND = ("observed", "-2", "-1", "0", "+1", "+2")


def pyhf_limits(document, patch, guesses, cl):
    """Limits by pyhf, and the seconds they took."""
    begin = time.perf_counter()
    plain = apply_patch({**document, "channels": [], "observations": []}, patch, source="patch")
    plain = copy.deepcopy(plain)
    for parameter in plain["measurements"][0]["config"]["parameters"]:
        if parameter["name"] == "mu":
            parameter["bounds"] = [[0.0, 20.0 * max(guesses)]]
    workspace = pyhf.Workspace(plain)
    model = workspace.model(
        modifier_settings={"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
    )
    data = workspace.data(model)
    found = []
    seen = {}

    def cls(mu, k):
        if mu not in seen:
            observed, expected = pyhf.infer.hypotest(
                mu, data, model, test_stat="qtilde", return_expected_set=True
            )
            seen[mu] = [float(observed), *map(float, expected)]
        return np.log(max(seen[mu][k], 1e-300)) - np.log(1.0 - cl)

    for k, guess in enumerate(guesses):
        found.append(brentq(cls, 0.7 * guess, 1.3 * guess, args=(k,), xtol=1e-7 * guess, rtol=1e-7))
    return found, time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cl", type=float, default=0.95)
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-10))
    build = read_build(asked.folder)
    begin = time.perf_counter()
    scan = workflows.scan(
        workflows.MassScanRequest(source=str(asked.folder), method="cls", cl=asked.cl)
    ).result
    ours = (time.perf_counter() - begin) / len(scan.points)
    data = build.patch_set_path.read_bytes()
    patches = json.loads(gzip.decompress(data) if build.patch_set_path.suffix == ".gz" else data)
    by_name = {p["metadata"]["name"]: p["patch"] for p in patches["patches"]}
    at = np.linspace(0, len(scan.points) - 1, asked.points).astype(int)
    rows = []
    for point in [scan.points[k] for k in at]:
        guesses = [point.observed, *point.expected]
        theirs, seconds = pyhf_limits(build.workspace, by_name[point.name], guesses, asked.cl)
        difference = [b / a - 1.0 for a, b in zip(guesses, theirs, strict=True)]
        rows.append(
            {
                "name": point.name,
                "darkstats": guesses,
                "pyhf": theirs,
                "largest_difference": max(map(abs, difference)),
                "pyhf_seconds": seconds,
                "darkstats_seconds": ours,
            }
        )
        sys.stdout.write(
            f"{point.name:28s} largest relative difference {rows[-1]['largest_difference']:.1e} "
            f"({BAND[int(np.argmax(np.abs(difference)))]}), pyhf {seconds:.1f} s, "
            f"darkstats {ours:.4f} s\n"
        )
    worst = max(row["largest_difference"] for row in rows)
    ratio = float(np.median([row["pyhf_seconds"] / ours for row in rows]))
    sys.stdout.write(f"worst {worst:.2e}; median ratio of times {ratio:.0f}\n")
    if asked.output:
        asked.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
