"""Close the fits of a built search on themselves, and say what moves its limits.

    python docs/examples/closure.py workspaces/alp closure.json [--toys 5000]

For a dozen hypotheses: toys of the background, as the window's model describes the simulated one,
with a signal of 1.5 expected limits give pulls, bias and coverage; the expected limit without the
statistical error of simulation says how much that error costs.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import numpy as np

import darkstats
from darkstats.scan.spectrum import SpectrumMap, read_fill
from darkstats.workspace import Workspace


def without_simulation_error(document: dict) -> dict:
    """The same workspace with infinite simulation."""
    document = copy.deepcopy(document)
    for channel in document["channels"]:
        for sample in channel["samples"]:
            sample["modifiers"] = [
                m
                for m in sample["modifiers"]
                if m["type"] != "staterror" and m["name"] != "signal_simulation"
            ]
    return document


def close(
    model: darkstats.Model, expected: np.ndarray, mu: float, toys: int, seed: int
) -> dict[str, float]:
    """Pulls of the signed root and bias of the estimate, auxiliary data drawn and fixed."""
    index = model.parameter_index("mu")
    data = model.observation
    fitted = darkstats.fit_batch(model, expected, data.auxdata, poi_values=[0.0])
    truth = fitted.require_converged().parameters[0].copy()
    truth[index] = mu
    rates = model.expected_rates(truth)
    zero = truth.copy()
    zero[index] = 0.0
    background = model.expected_rates(zero)
    signal = (rates - background) / mu
    inside = signal > 0.01 * signal.max()
    # The rate stays positive: the estimate of an empty window is bounded, not minus infinity.
    lowest = -0.98 * float(np.min(background[inside] / signal[inside]))
    rng = np.random.Generator(np.random.Philox(seed))
    counts = rng.poisson(rates, (toys, model.n_bins)).astype(float)
    widths = np.array([p.width for p in model.parameters])
    gaussian = np.array([p.constraint == "gaussian" for p in model.parameters])
    noise = rng.standard_normal((toys, model.n_parameters))
    auxdata = np.where(gaussian, truth + widths * noise, data.auxdata)
    result = {"events": float(rates.sum()), "signal_events": float((mu * signal).sum())}
    for name, aux in (("fixed", np.broadcast_to(data.auxdata, auxdata.shape)), ("drawn", auxdata)):
        free = darkstats.fit_batch(model, counts, aux, poi_lower=lowest, poi_upper=np.inf)
        held = darkstats.fit_batch(model, counts, aux, poi_values=np.full(toys, mu))
        good = free.converged & held.converged
        ratio = np.maximum(held.twice_nll - free.twice_nll, 0.0)
        estimate = free.parameters[:, index]
        pulls = (np.sign(estimate - mu) * np.sqrt(ratio))[good]
        spread = float(np.std(estimate[good]))
        result |= {
            f"{name}_failed": int((~good).sum()),
            f"{name}_bias_over_spread": float((estimate[good].mean() - mu) / spread),
            f"{name}_coverage_68": float(np.mean(np.abs(pulls) < 1.0)),
            f"{name}_pull_mean": float(pulls.mean()),
            f"{name}_pull_width": float(pulls.std()),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--toys", type=int, default=5000)
    parser.add_argument("--hypotheses", type=int, default=14)
    asked = parser.parse_args()
    base = next(asked.folder.glob("background_only.json*"))
    document = darkstats.read_workspace(str(base)).document
    spectra = SpectrumMap.of(document, read_fill(next(asked.folder.glob("fill.json*"))))
    fine = np.concatenate(
        [np.sum([s["data"] for s in c["samples"]], axis=0) for c in document["channels"]]
    )
    patches = next(asked.folder.glob("patchset.json*"))
    windows = json.loads((asked.folder / "background_only.meta.json").read_text("utf-8"))["windows"]
    cl = json.loads((asked.folder / "record.json").read_text("utf-8"))["statistics"]["cl"]
    names = [n for n, w in windows.items() if w.get("set", "nominal") == "nominal"]
    chosen = [names[i] for i in np.linspace(0, len(names) - 1, asked.hypotheses).astype(int)]
    rows = []
    for number, name in enumerate(chosen):
        workspace = darkstats.read_workspace(str(base), patchset=str(patches), point=name)
        model = darkstats.compile_workspace(workspace)
        limit = darkstats.upper_limit(model, model.observation, cl=cl)
        ideal_model = darkstats.compile_workspace(
            Workspace.from_document(without_simulation_error(workspace.document))
        )
        ideal = darkstats.upper_limit(ideal_model, ideal_model.observation, cl=cl)
        mu = 1.5 * limit.expected[2]
        row = {
            "name": name,
            "mass_gev": windows[name]["mass_gev"],
            "efficiency": windows[name]["efficiency"],
            "background_events": windows[name].get("background_events"),
            "expected_mu": limit.expected[2],
            "simulation_error_moves_limit": limit.expected[2] / ideal.expected[2] - 1.0,
        } | close(model, spectra.window(name).gather(fine), mu, asked.toys, number)
        rows.append(row)
    asked.output.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "utf-8")
    print(
        "| masses [GeV] | events | signal | failed | pull mean | pull width | bias/spread "
        "| (aux fixed) | 68 % covers | simulation moves limit |\n" + "|---" * 10 + "|"
    )
    for r in rows:
        print(
            f"| {r['mass_gev']} | {r['events']:.3g} | {r['signal_events']:.3g} "
            f"| {r['drawn_failed'] + r['fixed_failed']} | {r['drawn_pull_mean']:+.3f} "
            f"| {r['drawn_pull_width']:.3f} | {r['drawn_bias_over_spread']:+.3f} "
            f"| {r['fixed_bias_over_spread']:+.3f} "
            f"| {100 * r['drawn_coverage_68']:.1f} % "
            f"| {100 * r['simulation_error_moves_limit']:+.1f} % |"
        )


if __name__ == "__main__":
    main()
