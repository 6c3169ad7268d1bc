"""Spurious signal of the ALP search against the order of its background, from its card.

    python docs/examples/alp_orders.py models/alp.yaml orders.json [--cache DIR]

Fits the simulated spectrum itself, without fluctuations and without signal: what the fit calls
signal is a bias. Prints, for each mass and order in the range of the card, its signed root and, in
brackets, the expected limit relative to that of what the card chooses, order and range; its order
is in bold.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import darkstats
from darkstats.searches.build import simulate
from darkstats.searches.bump_hunt import build_bump_hunt
from darkstats.searches.card import read_card
from darkstats.searches.products import SimulatedSamples
from darkstats.simulation.production import default_cache
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

sys.path.insert(0, str(Path(__file__).parent))
from built_searches import add_effort

MASSES_GEV = (
    0.2, 0.22, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 6.8, 6.9, 7.5,
    8.0, 8.5, 9.0, 9.2, 9.4, 9.5, 9.6, 9.7,
)  # fmt: skip
ORDERS = (2, 3, 4, 5, 6)


def spurious(model) -> tuple[float, float]:
    """Signed root at no signal, and the expected limit."""
    data, index = model.observation, model.parameter_index("mu")
    free = darkstats.fit_batch(
        model, data.counts, data.auxdata, poi_lower=-np.inf, poi_upper=np.inf
    ).require_converged()
    null = darkstats.fit_batch(
        model, data.counts, data.auxdata, poi_values=[0.0]
    ).require_converged()
    root = np.sqrt(max(float(null.twice_nll[0] - free.twice_nll[0]), 0.0))
    limit = darkstats.upper_limit(model, data, cl=0.95, scan_points=0, probe=False)
    return float(np.sign(free.parameters[0, index]) * root), limit.expected[2]


def table(rows: list[dict[str, Any]]) -> str:
    """The table of the page."""
    lines = [
        "| m [GeV] | " + " | ".join(f"order {n}" for n in ORDERS) + " |",
        "|---" * (len(ORDERS) + 1) + "|",
    ]
    for row in rows:
        cells = []
        for n in map(str, ORDERS):
            cell = f"{row['spurious_sigma'][n]:+.2f} ({row['limit_ratio'][n]:.2f})"
            cells.append(f"**{cell}**" if n == str(row["order"]) else cell)
        lines.append(f"| {row['mass_gev']:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    add_effort(parser)
    asked = parser.parse_args()
    card = read_card(asked.card)
    samples = simulate(card, cache=asked.cache or default_cache(), quick=asked.quick)
    signals = {m: samples[f"signal_{m[0]:g}"] for m in card.signal.masses_gev}
    simulated = SimulatedSamples(
        backgrounds={b.name: samples[b.name] for b in card.backgrounds}, signals=signals
    )
    found = {}
    for order in (None, *ORDERS):
        orders = (
            {}
            if order is None
            else {
                "orders": ((99.0, order),),
                "recoil_orders": ((99.0, order),),
                "background_choice": None,
                "spurious_term": False,
            }
        )
        hunt = dataclasses.replace(card.settings, asimov=True, **orders)
        product = build_bump_hunt(hunt, simulated, rng=np.random.default_rng(1))
        windows = product.sidecar["windows"]
        patches = {patch.name: patch for patch in product.patches}
        for mass in MASSES_GEV:
            name = min(windows, key=lambda n: abs(windows[n]["mass_gev"] - mass))
            document = apply_patch(product.workspace, list(patches[name].operations), source=name)
            model = darkstats.compile_workspace(Workspace.from_document(document))
            found[mass, order] = (*spurious(model), windows[name]["order"])
    rows = [
        {
            "mass_gev": mass,
            "order": found[mass, None][2],
            "spurious_sigma": {str(n): found[mass, n][0] for n in ORDERS},
            "limit_ratio": {str(n): found[mass, n][1] / found[mass, None][1] for n in ORDERS},
        }
        for mass in MASSES_GEV
    ]
    asked.output.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
