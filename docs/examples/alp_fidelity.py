"""Compare the simulated ALP search with a prototype and with the published one.

    python docs/examples/alp_fidelity.py workspaces/alp fidelity.json

Prints the table of docs/studies/fidelity.md. Expected limits are for the simulated spectrum itself,
without the fluctuations of the pseudo-data.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import darkstats
from darkstats.model import Observation
from darkstats.scan.spectrum import SpectrumMap, read_fill
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


def signed_root(model, counts, mu):
    """Signed root of the likelihood ratio at a signal, and the estimate."""
    index = model.parameter_index("mu")
    auxdata = model.observation.auxdata
    free = darkstats.fit_batch(model, counts, auxdata, poi_lower=-np.inf, poi_upper=np.inf)
    fixed = darkstats.fit_batch(model, counts, auxdata, poi_values=[mu])
    free.require_converged(), fixed.require_converged()
    ratio = max(float(fixed.twice_nll[0] - free.twice_nll[0]), 0.0)
    estimate = float(free.parameters[0, index])
    return np.sign(estimate - mu) * np.sqrt(ratio), estimate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    base = asked.folder / "background_only.json"
    patches = asked.folder / "patchset.json.gz"
    sidecar = json.loads((asked.folder / "background_only.meta.json").read_text("utf-8"))
    document = json.loads(base.read_text("utf-8"))
    spectra = SpectrumMap.of(document, read_fill(asked.folder / "fill.json"))
    smooth = np.concatenate(
        [np.sum([s["data"] for s in c["samples"]], axis=0) for c in document["channels"]]
    )
    rows = []
    for mass, (efficiency, entries, prototype, published) in PROTOTYPE.items():
        name, window = min(
            sidecar["windows"].items(), key=lambda item: abs(item[1]["mass_gev"] - mass)
        )
        workspace = darkstats.read_workspace(str(base), patchset=str(patches), point=name)
        model = darkstats.compile_workspace(workspace)
        background = spectra.window(name).gather(smooth)
        data = Observation(counts=background, auxdata=model.observation.auxdata)
        limit = darkstats.upper_limit(model, data, cl=0.95, probe=False)
        median = limit.expected[2]
        # Spurious signal: the simulated spectrum itself, without fluctuations.
        root, spurious = signed_root(model, background, 0.0)
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
                "spurious_pb": spurious,
                "spurious_sigma": float(root),
                "order": window["order"],
            }
        )
    asked.output.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "utf-8")
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


if __name__ == "__main__":
    main()
