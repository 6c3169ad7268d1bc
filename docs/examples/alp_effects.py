"""What each effect does to the expected limits of the ALP search, and how far they are published.

    python docs/examples/alp_effects.py BEFORE.yaml AFTER.yaml alp-effects.json

BEFORE and AFTER are two cards of the search. Everything in which they differ must belong to one of
the effects below; each is switched on alone in the first card, and all of them are in the second.
Expected limits are for the simulated spectrum itself. Nothing is fitted to the published limits.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import darkstats
from darkstats.searches.build import simulate
from darkstats.searches.bump_hunt import BumpHunt, build_bump_hunt
from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.signals.axion_like_particle import coupling_igev
from darkstats.simulation.production import default_cache
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

# Geometric means of the published curve (observed, arXiv:2007.13071, as digitised by others) within
# 12 % of each mass below 4 GeV and 0.6 GeV above, pb.
PUBLISHED_PB = {
    0.2: 0.180, 0.25: 0.129, 0.3: 0.085, 0.4: 0.103, 0.5: 0.133, 0.6: 0.128, 0.8: 0.193,
    1.0: 0.194, 1.25: 0.238, 1.5: 0.247, 2.0: 0.400, 2.5: 0.449, 3.0: 0.543, 3.5: 0.558,
    4.0: 0.588, 4.5: 0.601, 5.0: 0.603, 5.5: 0.601, 6.0: 0.551, 6.5: 0.605, 6.85: 0.564,
    7.5: 0.560, 8.0: 0.537, 8.5: 0.519, 9.0: 0.500, 9.5: 0.455, 9.7: 0.432,
}  # fmt: skip
#: Keys of a card that belong to each effect.
EFFECTS = {
    "position resolution": ("detector.position_rad",),
    "tails of the calorimeter": ("detector.energy_tail",),
    "photon efficiency": ("detector.photon_efficiency",),
    "cut against conversions": ("selection.conversion_rad",),
    "radiative Bhabha": ("detector.track_loss", "backgrounds"),
    "least favourable background, spurious term": (
        "bump_hunt.background_choice", "bump_hunt.orders", "bump_hunt.recoil_orders",
        "bump_hunt.spurious_term",
    ),
}  # fmt: skip
BESIDE = ("name", "title", "bump_hunt.efficiency_reference")
SHAPE_FROM_GEV = 0.29


def flat(card: dict[str, Any]) -> dict[str, Any]:
    """Values of a card by section and key."""
    found: dict[str, Any] = {}
    for name, value in card.items():
        if isinstance(value, dict) and name in ("detector", "selection", "bump_hunt"):
            found |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            found[name] = value
    return found


def with_values(card: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A card with other values; None takes a key away."""
    found = json.loads(json.dumps(card))
    for path, value in values.items():
        section, _, key = path.rpartition(".")
        place = found[section] if section else found
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    return found


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
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--quick", action="store_true", help="the smaller numbers of events")
    parser.add_argument("--cache", type=Path, default=None)
    asked = parser.parse_args()
    before, after = (
        yaml.safe_load(path.read_text("utf-8")) for path in (asked.before, asked.after)
    )
    old, new = flat(before), flat(after)
    differ = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    known = {*BESIDE, *(key for keys in EFFECTS.values() for key in keys)}
    if differ - known:
        raise SystemExit(f"no effect has {', '.join(sorted(differ - known))}: add it to EFFECTS")
    stages = {"before": before}
    for name, keys in EFFECTS.items():
        if changed := {key: new.get(key) for key in keys if key in differ}:
            stages[name] = with_values(before, changed)
    stages["all"] = after
    stages["all, efficiency with radiation"] = with_values(
        after, {"bump_hunt.efficiency_reference": "isr"}
    )
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
