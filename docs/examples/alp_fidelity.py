"""Compare the simulated ALP search with the published one, and close its fits on themselves.

    python docs/examples/alp_fidelity.py workspaces/alp fidelity.json [--toys 5000]

Prints the tables of docs/studies/fidelity.md. The published curve is read from the folder that
DARKSTATS_DATA names, where there is one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import darkstats
from darkstats.signals.axion_like_particle import coupling_igev

# Expected limits (pb) of a prototype with photon efficiency 1, and geometric means of the published
# curve near each mass: PHYSICS_ALP, computed.
PROTOTYPE = {
    0.25: (0.32, 8, 0.045, 0.129), 0.3: (0.32, 10, 0.053, 0.085), 0.5: (0.31, 18, 0.074, 0.133),
    0.8: (0.30, 32, 0.099, 0.193), 1.0: (0.29, 43, 0.116, 0.194), 1.5: (0.28, 76, 0.161, 0.247),
    2.0: (0.26, 118, 0.207, 0.400), 3.0: (0.25, 209, 0.292, 0.543), 4.0: (0.25, 327, 0.355, 0.588),
    5.0: (0.29, 420, 0.346, 0.603), 6.0: (0.30, 380, 0.322, 0.551), 6.85: (0.30, 394, 0.327, 0.564),
    7.5: (0.31, 324, 0.366, 0.560), 8.0: (0.31, 293, 0.331, 0.537), 8.5: (0.32, 278, 0.323, 0.519),
    9.0: (0.32, 275, 0.323, 0.500), 9.5: (0.31, 288, 0.335, 0.455), 9.7: (0.30, 297, 0.281, 0.432),
}  # fmt: skip


def signed_root(model, counts, auxdata, mu):
    """Signed root of the likelihood ratio at the true signal, and the estimates."""
    index = model.parameter_index("mu")
    free = darkstats.fit_batch(model, counts, auxdata, poi_lower=-np.inf, poi_upper=np.inf)
    fixed = darkstats.fit_batch(model, counts, auxdata, poi_values=np.full(len(counts), mu))
    good = free.converged & fixed.converged
    ratio = np.maximum(fixed.twice_nll - free.twice_nll, 0.0)
    estimate = free.parameters[:, index]
    return good, np.sign(estimate - mu) * np.sqrt(ratio), estimate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--toys", type=int, default=5000)
    asked = parser.parse_args()
    base = asked.folder / "background_only.json"
    patches = asked.folder / "patchset.json.gz"
    sidecar = json.loads((asked.folder / "background_only.meta.json").read_text("utf-8"))
    document = json.loads(base.read_text("utf-8"))
    smooth = {
        channel["name"]: np.array(
            next(s["data"] for s in channel["samples"] if s["name"] == "continuum")
        )
        for channel in document["channels"]
    }
    rows, closure = [], []
    for mass, (efficiency, entries, prototype, published) in PROTOTYPE.items():
        name, window = min(
            sidecar["windows"].items(), key=lambda item: abs(item[1]["mass_gev"] - mass)
        )
        workspace = darkstats.read_workspace(str(base), patchset=str(patches), point=name)
        model = darkstats.compile_workspace(workspace)
        edges = np.array(sidecar["channels"][window["spectrum"]]["edges"])
        inside = np.searchsorted(edges, np.array(window["edges_gev2"]) * (1 - 1e-6) - 1e-6)
        total = np.concatenate(([0.0], np.cumsum(smooth[window["spectrum"]])))
        background = np.diff(total[inside])
        auxdata = model.observation.auxdata
        limit = darkstats.upper_limit(model, model.observation, cl=0.95)
        median = limit.expected[2]
        # Spurious signal: the simulated continuum itself, without fluctuations.
        index = model.parameter_index("mu")
        _, root, spurious = signed_root(model, background[None], auxdata[None], 0.0)
        rows.append(
            {
                "mass_gev": window["mass_gev"],
                "spectrum": window["spectrum"],
                "efficiency": window["efficiency"],
                "efficiency_ratio": window["efficiency"] / (efficiency * 0.95**3),
                "entries_within_2_sigma_model": window["background_events_within_2_sigma"],
                "prototype_entries": entries,
                "expected_pb": median,
                "expected_ratio_prototype": median / prototype,
                "published_mean_pb": published,
                "expected_coupling_igev": coupling_igev(window["mass_gev"], median),
                "coupling_ratio_published": float(np.sqrt(median / published)),
                "spurious_pb": float(spurious[0]),
                "spurious_sigma": float(root[0]),
                "order": window["order"],
            }
        )
        # Closure: toys of the fitted background with a signal of the size of the limit.
        fitted = darkstats.fit_batch(model, background[None], auxdata[None], poi_values=[0.0])
        truth = fitted.parameters[0].copy()
        truth[index] = 1.5 * median
        rng = np.random.Generator(np.random.Philox(int(1e4 * window["mass_gev"])))
        rates = model.expected_rates(truth)
        counts = rng.poisson(rates, (asked.toys, model.n_bins)).astype(float)
        constrained = np.array([p.constraint == "gaussian" for p in model.parameters])
        widths = np.array([p.width for p in model.parameters])
        noise = rng.standard_normal((asked.toys, model.n_parameters))
        aux = np.where(constrained, truth + widths * noise, auxdata)
        good, pulls, estimates = signed_root(model, counts, aux, truth[index])
        pulls, estimates = pulls[good], estimates[good]
        spread = float(np.std(estimates))
        closure.append(
            {
                "mass_gev": window["mass_gev"],
                "events": float(rates.sum()),
                "signal_events": float(truth[index] * window["signal_events_per_pb"]),
                "toys": asked.toys,
                "failed": int((~good).sum()),
                "pull_mean": float(np.mean(pulls)),
                "pull_mean_error": float(np.std(pulls) / np.sqrt(len(pulls))),
                "pull_width": float(np.std(pulls)),
                "bias_over_spread": float((np.mean(estimates) - truth[index]) / spread),
                "coverage_68": float(np.mean(np.abs(pulls) < 1.0)),
            }
        )
    asked.output.write_text(
        json.dumps({"alp": rows, "closure": closure}, indent=1, sort_keys=True) + "\n", "utf-8"
    )
    print(
        "| m [GeV] | efficiency | / prototype | expected [pb] | / prototype | g [1e-3/GeV] "
        "| g / published | order | spurious [sigma] |\n|---|---|---|---|---|---|---|---|---|"
    )
    for r in rows:
        print(
            f"| {r['mass_gev']:.3f} | {r['efficiency']:.3f} | {r['efficiency_ratio']:.2f} "
            f"| {r['expected_pb']:.3f} | {r['expected_ratio_prototype']:.2f} "
            f"| {1e3 * r['expected_coupling_igev']:.2f} | {r['coupling_ratio_published']:.2f} "
            f"| {r['order']} | {r['spurious_sigma']:+.2f} |"
        )
    median = np.median([r["coupling_ratio_published"] for r in rows if r["mass_gev"] > 0.29])
    print(f"\nmedian of g / published above 0.3 GeV: {median:.3f}\n")
    print(
        "| m [GeV] | signal events | failed | pull mean | pull width | bias / spread "
        "| 68 % interval covers |\n|---|---|---|---|---|---|---|"
    )
    for r in closure:
        print(
            f"| {r['mass_gev']:.3f} | {r['signal_events']:.1f} | {r['failed']} of {r['toys']} "
            f"| {r['pull_mean']:+.3f} ± {r['pull_mean_error']:.3f} | {r['pull_width']:.3f} "
            f"| {r['bias_over_spread']:+.3f} | {100 * r['coverage_68']:.1f} % |"
        )


if __name__ == "__main__":
    main()
