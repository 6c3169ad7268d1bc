"""Close the fits of built searches on themselves, and say what moves their limits.

    python docs/examples/closure.py workspaces/alp closure.json [--toys 5000]
    python docs/examples/closure.py BUILDS/* closure.json --spurious spurious.json --cache DIR

For a dozen hypotheses of each search: toys of the background, as the window's model describes the
simulated one, with a signal of 1.5 expected limits give pulls, bias and coverage; the expected
limit without the statistical error of simulation says how much that error costs.

With --spurious, the model of every window is fitted to simulated background that it was not made
of: see spurious_signal.py. Results of other searches in the files stay.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent))
from built_searches import OpenedSearch, add_effort, without_simulation_error
from spurious_signal import at_no_signal, least_mu, spurious_signals


def close(
    model: darkstats.Model, expected: np.ndarray, mu: float, toys: int, seed: int
) -> dict[str, float]:
    """Pulls of the signed root and bias of the estimate, auxiliary data drawn and fixed."""
    index = model.parameter_index("mu")
    data = model.observation
    truth, background, signal = at_no_signal(model, expected)
    truth[index] = mu
    rates = model.expected_rates(truth)
    lowest = least_mu(background, signal)
    rng = np.random.Generator(np.random.Philox(seed))
    counts = rng.poisson(rates, (toys, model.n_bins)).astype(float)
    # Mean of the signed root to leading order, of the skewness of counts alone.
    s, n = signal[rates > 0.0], rates[rates > 0.0]
    skewness = (s**3 / n**2).sum() / (s**2 / n).sum() ** 1.5
    result = {
        "events": float(rates.sum()),
        "signal_events": float((mu * signal).sum()),
        "pull_mean_of_skewness": float(-skewness / 6.0),
    }
    total = float(rates.sum())
    result["counts_off_over_spread"] = float((counts.sum(axis=1).mean() - total) / np.sqrt(total))
    widths = np.array([p.width for p in model.parameters])
    gaussian = np.array([p.constraint == "gaussian" for p in model.parameters])
    noise = rng.standard_normal((toys, model.n_parameters))
    auxdata = np.where(gaussian, truth + widths * noise, data.auxdata)
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


def closed(folder: Path, toys: int, hypotheses: int) -> list[dict[str, Any]]:
    """One row for each of some hypotheses of a built search."""
    search = OpenedSearch.read(folder)
    windows = search.windows
    names = [n for n, w in windows.items() if w.get("set", "nominal") == "nominal"]
    chosen = [names[i] for i in np.linspace(0, len(names) - 1, hypotheses).astype(int)]
    rows = []
    for number, name in enumerate(chosen):
        workspace = search.workspace(name)
        model = darkstats.compile_workspace(workspace)
        limit = darkstats.upper_limit(model, model.observation, cl=search.cl)
        ideal_model = darkstats.compile_workspace(
            Workspace.from_document(without_simulation_error(workspace.document))
        )
        ideal = darkstats.upper_limit(ideal_model, ideal_model.observation, cl=search.cl)
        mu = 1.5 * limit.expected[2]
        row = {
            "name": name,
            "mass_gev": windows[name]["mass_gev"],
            "efficiency": windows[name]["efficiency"],
            "background_events": windows[name].get("background_events"),
            "expected_mu": limit.expected[2],
            "simulation_error_moves_limit": limit.expected[2] / ideal.expected[2] - 1.0,
        } | close(model, search.expected(name), mu, toys, number)
        if "ctau_mm" in windows[name]:
            row["ctau_mm"] = windows[name]["ctau_mm"]
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of one search, as the page shows them."""
    lines = [
        "| masses [GeV] | events | signal | failed | pull mean | pull width | bias/spread "
        "| (aux fixed) | 68 % covers | simulation moves limit |\n" + "|---" * 10 + "|"
    ]
    lines += [
        (
            f"| {r['mass_gev']} | {r['events']:.3g} | {r['signal_events']:.3g} "
            f"| {r['drawn_failed'] + r['fixed_failed']} | {r['drawn_pull_mean']:+.3f} "
            f"| {r['drawn_pull_width']:.3f} | {r['drawn_bias_over_spread']:+.3f} "
            f"| {r['fixed_bias_over_spread']:+.3f} "
            f"| {100 * r['drawn_coverage_68']:.1f} % "
            f"| {100 * r['simulation_error_moves_limit']:+.1f} % |"
        )
        for r in rows
    ]
    return "\n".join(lines)


def summary(searches: dict[str, list[dict[str, Any]]]) -> str:
    """One line for each search: ends of what its rows have."""
    columns = (
        ("events", "{:.3g}"), ("drawn_pull_mean", "{:+.3f}"), ("pull_mean_of_skewness", "{:+.3f}"),
        ("drawn_pull_width", "{:.3f}"),
        ("drawn_bias_over_spread", "{:+.3f}"), ("fixed_bias_over_spread", "{:+.3f}"),
        ("drawn_coverage_68", "{:.3f}"),
    )  # fmt: skip
    lines = [
        "| search | hypotheses | failed | events | pull mean | of skewness | pull width "
        "| bias/spread | (aux fixed) | 68 % covers |\n" + "|---" * 10 + "|"
    ]
    for name, rows in searches.items():
        failed = sum(r["drawn_failed"] + r["fixed_failed"] for r in rows)
        cells = []
        for key, form in columns:
            low, high = (form.format(end(r[key] for r in rows)) for end in (min, max))
            cells.append(low if low == high else f"{low} to {high}")
        lines.append(f"| `{name}` | {len(rows)} | {failed} | {' | '.join(cells)} |")
    return "\n".join(lines)


def updated(path: Path, name: str, found: Any) -> None:
    """Write what was found of one search; that of others stays."""
    held = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    held[name] = found
    path.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("output", type=Path)
    parser.add_argument("--toys", type=int, default=5000)
    parser.add_argument("--hypotheses", type=int, default=14)
    parser.add_argument("--spurious", type=Path, help="file of the spurious signals")
    parser.add_argument("--cards", type=Path, default=Path(__file__).parents[2] / "models")
    add_effort(parser)  # of the spurious signals
    asked = parser.parse_args()
    for folder in asked.folders:
        name = json.loads((folder / "record.json").read_text("utf-8"))["name"]
        rows = closed(folder, asked.toys, asked.hypotheses)
        updated(asked.output, name, rows)
        print(f"\n{name}\n\n{table(rows)}", flush=True)
        if asked.spurious:
            found = spurious_signals(asked.cards / f"{name}.yaml", asked.cache, quick=asked.quick)
            updated(asked.spurious, name, found)
            print(f"\nSpurious signal: {found['words']}", flush=True)


if __name__ == "__main__":
    main()
