"""What each effect does to the expected limits of the ALP search, and how far they are published.

    python docs/examples/alp_effects.py models/alp.yaml alp-effects.json

The card has all effects. *Before* is the same card with all of them switched off, as ``OFF`` says;
then each is on alone. Expected limits are for the simulated spectrum itself. Nothing is fitted to
the published limits.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import darkstats
from darkstats.searches.build import simulate
from darkstats.searches.bump_hunt import build_bump_hunt
from darkstats.searches.bump_settings import BumpHunt
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.signals.axion_like_particle import coupling_igev
from darkstats.simulation.production import default_cache
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

sys.path.insert(0, str(Path(__file__).parent))
from built_searches import add_effort

# Geometric means of the published curve (observed, arXiv:2007.13071, as digitised by others) within
# 12 % of each mass below 4 GeV and 0.6 GeV above, pb.
PUBLISHED_PB = {
    0.2: 0.180, 0.25: 0.129, 0.3: 0.085, 0.4: 0.103, 0.5: 0.133, 0.6: 0.128, 0.8: 0.193,
    1.0: 0.194, 1.25: 0.238, 1.5: 0.247, 2.0: 0.400, 2.5: 0.449, 3.0: 0.543, 3.5: 0.558,
    4.0: 0.588, 4.5: 0.601, 5.0: 0.603, 5.5: 0.601, 6.0: 0.551, 6.5: 0.605, 6.85: 0.564,
    7.5: 0.560, 8.0: 0.537, 8.5: 0.519, 9.0: 0.500, 9.5: 0.455, 9.7: 0.432,
}  # fmt: skip


def one_higher(orders: list[list[float]]) -> list[list[float]]:
    """The usual order, where the card has the lowest one to try."""
    return [[upper, order + 1] for upper, order in orders]


#: What a card without each effect has, in the order in which it is put there: a value, None for a
#: key that is not there, or a function of the value.
OFF: dict[str, dict[str, Any]] = {
    "position resolution": {"detector.position_rad": 0.004},
    "tails of the calorimeter": {"detector.energy_tail": None},
    "photon efficiency": {"detector.photon_efficiency": 0.95},
    "cut against conversions": {"selection.conversion_rad": None},
    "radiative Bhabha": {"detector.track_loss": None, "backgrounds.radiative_bhabha": None},
    # Without it windows must end where the photon threshold begins, and take lower orders there.
    "background follows the acceptance": {
        "bump_hunt.follow_acceptance": None,
        "bump_hunt.recoil_ceiling_gev": 9.8,
        "bump_hunt.recoil_orders": [[9.4, 4], [9.71, 2]],
    },
    "least favourable background, spurious term": {
        "bump_hunt.background_choice": None,
        "bump_hunt.spurious_term": None,
        "bump_hunt.orders": [[0.7, 2], [6.85, 4]],
        "bump_hunt.recoil_orders": one_higher,
    },
}
SHAPE_FROM_GEV = 0.29


def with_values(card: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A card with other values, as :data:`OFF` has them; backgrounds go by their names."""
    found = json.loads(json.dumps(card))
    for path, value in values.items():
        section, _, key = path.rpartition(".")
        if section == "backgrounds":
            found[section] = [item for item in found[section] if item["name"] != key]
        elif value is None:
            found[section].pop(key, None)
        else:
            found[section][key] = value(found[section][key]) if callable(value) else value
    return found


def with_effects(card: dict[str, Any], on: Collection[str]) -> dict[str, Any]:
    """The card with only some of the effects."""
    for name, values in OFF.items():
        if name not in on:
            card = with_values(card, values)
    return card


def stages_of(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Cards by the name of the stage: none of the effects, each alone, all."""
    return {
        "before": with_effects(card, ()),
        **{name: with_effects(card, (name,)) for name in OFF},
        "all": card,
        "all, efficiency with radiation": with_values(
            card, {"bump_hunt.efficiency_reference": "isr"}
        ),
    }


def read_as_card(content: dict[str, Any]) -> SearchCard:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.yaml"
        path.write_text(yaml.safe_dump(content), "utf-8")
        return read_card(path)


class NearThem(BumpHunt):
    """The hypotheses next to the masses of the table, and two on either side."""

    def masses_gev(self) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for masses in BumpHunt.masses_gev(self):
            index = np.arange(len(masses))
            near = [np.abs(masses - mass).argmin() for mass in PUBLISHED_PB]
            found.append(masses[[np.abs(k - near).min() <= 2 for k in index]])
        return found[0], found[1]


def built(card: SearchCard, cache: Path, *, quick: bool) -> SearchProduct:
    """The search with the expected spectrum for data."""
    samples = simulate(card, cache=cache, quick=quick)
    signals = {m: samples[f"signal_{m[0]:g}"] for m in card.signal.masses_gev}
    backgrounds = {b.name: samples[b.name] for b in card.backgrounds}
    settings = {f.name: getattr(card.settings, f.name) for f in dataclasses.fields(card.settings)}
    return build_bump_hunt(
        NearThem(**{**settings, "asimov": True}),
        SimulatedSamples(backgrounds=backgrounds, signals=signals),
        rng=np.random.default_rng(1),
    )


def measured(product: SearchProduct) -> dict[float, dict[str, float]]:
    """Expected limit, spurious signal and facts of the hypothesis next to each mass."""
    windows = product.sidecar["windows"]
    patches = {patch.name: patch for patch in product.patches}
    found = {}
    for mass in PUBLISHED_PB:
        name = min(windows, key=lambda n: abs(windows[n]["mass_gev"] - mass))
        document = apply_patch(product.workspace, list(patches[name].operations), source=name)
        model = darkstats.compile_workspace(Workspace.from_document(document))
        data, index = model.observation, model.parameter_index("mu")
        limit = darkstats.upper_limit(model, data, cl=0.95, scan_points=0, probe=False)
        free, null = (
            darkstats.fit_batch(model, data.counts, data.auxdata, **bounds).require_converged()
            for bounds in ({"poi_lower": -np.inf, "poi_upper": np.inf}, {"poi_values": [0.0]})
        )
        root = np.sqrt(max(float(null.twice_nll[0] - free.twice_nll[0]), 0.0))
        facts = windows[name]
        found[mass] = {
            "expected_pb": float(limit.expected[2]),
            "spurious_sigma": float(np.copysign(root, free.parameters[0, index])),
            **{k: facts[k] for k in ("efficiency", "order", "background_events_within_2_sigma")},
            "extent": facts.get("extent", 1.0),
        }
    return found


def coupling_ratios(found: dict[float, dict[str, float]]) -> dict[float, float]:
    """Expected coupling over the published one."""
    return {m: float(np.sqrt(one["expected_pb"] / PUBLISHED_PB[m])) for m, one in found.items()}


def told(ratios: dict[float, float]) -> dict[str, float]:
    """Median of the ratio, and what is left of its shape where both are smooth."""
    some = np.array([ratio for mass, ratio in ratios.items() if mass > SHAPE_FROM_GEV])
    return {
        "median": float(np.median(some)),
        "rms_of_shape": float(np.std(np.log(some))),
        "largest": float(some.max()),
        "smallest": float(some.min()),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    add_effort(parser)
    asked = parser.parse_args()
    stages = stages_of(yaml.safe_load(asked.card.read_text("utf-8")))
    found = {}
    for name, content in stages.items():
        card = read_as_card(content)
        found[name] = measured(built(card, asked.cache or default_cache(), quick=asked.quick))
        print(f"{name}: done", flush=True)
    report = {
        "quick": asked.quick,
        "published_pb": {f"{m:g}": value for m, value in PUBLISHED_PB.items()},
        "stages": {n: {f"{m:g}": one for m, one in s.items()} for n, s in found.items()},
        "coupling_over_published": {n: told(coupling_ratios(s)) for n, s in found.items()},
    }
    asked.output.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(tables(report))


def tables(report: dict[str, Any]) -> str:
    """Tables of docs/studies/fidelity.md: by mass, and by stage."""
    found = {
        name: {float(mass): one for mass, one in stage.items()}
        for name, stage in report["stages"].items()
    }
    effects = [name for name in found if name != "before" and not name.startswith("all")]
    head = [
        "m [GeV]", "published [pb]", "before [pb]", *effects, "all [pb]", "efficiency", "order",
        "range", "g [1e-3/GeV]", "g / published, before", "all", "spurious, before [sigma]", "all",
    ]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    ratios = {name: coupling_ratios(stage) for name, stage in found.items()}
    for mass, published in PUBLISHED_PB.items():
        first, last = found["before"][mass], found["all"][mass]
        cells = [
            f"{mass:g}", f"{published:.3f}", f"{first['expected_pb']:.3f}",
            *(f"{found[n][mass]['expected_pb'] / first['expected_pb']:.2f}" for n in effects),
            f"{last['expected_pb']:.3f}", f"{last['efficiency']:.3f}", str(last["order"]),
            f"{last['extent']:g}", f"{1e3 * coupling_igev(mass, last['expected_pb']):.2f}",
            f"{ratios['before'][mass]:.2f}", f"{ratios['all'][mass]:.2f}",
            f"{first['spurious_sigma']:+.2f}", f"{last['spurious_sigma']:+.2f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "| switched on | cross section / before | g / published | rms of its shape | range |",
        "|---" * 5 + "|",
    ]
    for name, stage in found.items():
        facts = report["coupling_over_published"][name]
        sigma = np.median(
            [one["expected_pb"] / found["before"][m]["expected_pb"] for m, one in stage.items()]
        )
        lines.append(
            f"| {name} | {sigma:.2f} | {facts['median']:.2f} | {facts['rms_of_shape']:.3f} "
            f"| {facts['smallest']:.2f} to {facts['largest']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
