"""What the published limits of the Z' search of 2018 say of its counts and efficiencies.

    python docs/examples/zprime_2018_causes.py models workspaces causes.json [--cache DIR]

At each published mass: the published limit in fb and in events at the simulated efficiency, beside
the Bayesian limits of 0, 1 and 2 events; and the efficiency that each count would need. Then the
softest cuts: of all combinations of bounds that reach the lowest published efficiency, the one with
the least background, and what the limit would be. Everything is simulated but the published limits,
which others read from a figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.searches.build import simulate
from darkstats.searches.card import read_card
from darkstats.searches.cuts import Cut, passing
from darkstats.searches.optimise import Windowed, expected_poisson_limit, halves
from darkstats.signals.benchmarks import benchmark
from darkstats.simulation.production import default_cache

sys.path.insert(0, str(Path(__file__).parent))
import recoil_effects
from built_searches import add_effort

NAME = "zprime_invisible_2018"
PUBLISHED = recoil_effects.ZPRIME_2018
#: Ends of the published efficiencies, 0.5 to 7 GeV [lit B].
PUBLISHED_EFFICIENCY = (0.026, 0.049)
COUNTS = (0, 1, 2)
MASSES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


def needed(card: Any, folder: Path) -> list[dict[str, Any]]:
    """Published limits in events, and the efficiency that each count needs."""
    windows = json.loads((folder / "background_only.meta.json").read_text("utf-8"))["windows"]
    to_cross_section = benchmark("lmu_ltau_invisible_dressed").to_cross_section_pb
    errors = recoil_effects._errors(card)
    rows = []
    for mass, coupling in PUBLISHED.items():
        _, facts = recoil_effects.nearest(windows, (mass,))
        background = float(facts["background_events"])
        limit_fb = 1e3 * float(to_cross_section((mass,), coupling))
        per_fb = 1e-3 * card.luminosity_ipb
        limits = recoil_effects.counting_limits(
            [(n, background) for n in COUNTS], cl=card.cl, errors=errors
        )
        chances = [float(np.exp(-background))]
        for n in COUNTS[1:]:
            chances.append(chances[-1] * background / n)
        rows.append(
            {
                "mass_gev": mass,
                "published_fb": limit_fb,
                "efficiency": facts["efficiency"],
                "background": background,
                "published_events": limit_fb * per_fb * facts["efficiency"],
                "limit_events": dict(zip(map(str, COUNTS), limits, strict=True)),
                "chance": dict(zip(map(str, COUNTS), chances, strict=True)),
                "efficiency_needed": {
                    str(n): limit / (limit_fb * per_fb)
                    for n, limit in zip(COUNTS, limits, strict=True)
                },
            }
        )
    return rows


def softest(card: Any, cache: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Least background of the cuts that reach the lowest published efficiency, by mass."""
    samples = simulate(card, cache=cache, quick=quick)
    hunt, optimise = card.settings, card.settings.optimise
    combinations = optimise.combinations
    rows = []
    for mass in MASSES:
        half = hunt.window_sigma * hunt.widths.at_squared(mass**2)
        window = Cut(variable=hunt.variable, above=mass**2 - half, below=mass**2 + half)
        places = []
        for which in (0, 1):  # the half that chooses, and the half that is counted in
            signal = halves(samples[f"signal_{mass:g}"])[which]
            backgrounds = [halves(samples[b.name])[which] for b in card.backgrounds]
            places.append(
                Windowed(
                    signal=signal.select(passing(signal, (*hunt.cuts, window))),
                    backgrounds=tuple(
                        b.select(passing(b, (*hunt.cuts, window))) for b in backgrounds
                    ),
                ).numbers(optimise, combinations, card.luminosity_ipb)
            )
        first, second = places
        found: dict[str, Any] = {"mass_gev": mass}
        enough = first.efficiencies >= PUBLISHED_EFFICIENCY[0]
        for label, allowed in (("punzi", first.efficiencies > 0.0), ("published", enough)):
            if not allowed.any():
                found[label] = None
                continue
            merits = first.figures if label == "punzi" else first.backgrounds
            at = int(np.argmin(np.where(allowed, merits, np.inf)))
            efficiency, background = (
                float(second.efficiencies[at]), float(second.backgrounds[at])
            )  # fmt: skip
            found[label] = {
                "bounds": dict(zip(optimise.scan, combinations[at].tolist(), strict=True)),
                "efficiency": efficiency,
                "background": background,
                "mean_limit_fb": 1e3
                * expected_poisson_limit(background)
                / (efficiency * card.luminosity_ipb),
            }
        found["largest_efficiency"] = float(second.efficiencies.max())
        rows.append(found)
    return rows


def tables(record: dict[str, Any]) -> str:
    """The tables of the page."""
    lines = [
        "| m [GeV] | published [fb] | efficiency [%] | background | published, in events "
        "| limit of 0, 1, 2 events | chance of 0, 1, 2 | efficiency needed with 0, 1, 2 [%] |",
        "|---" * 8 + "|",
    ]
    for r in record["counts"]:
        limits, chances, needs = (
            ", ".join(form.format(scale * x) for x in r[key].values())
            for key, form, scale in (
                ("limit_events", "{:.2f}", 1.0), ("chance", "{:.2g}", 1.0),
                ("efficiency_needed", "{:.1f}", 100.0),
            )
        )  # fmt: skip
        lines.append(
            f"| {r['mass_gev']:g} | {r['published_fb']:.0f} | {100 * r['efficiency']:.2f} "
            f"| {r['background']:.3g} | {r['published_events']:.2f} | {limits} | {chances} "
            f"| {needs} |"
        )
    lines += [
        "",
        "| m [GeV] | Punzi: efficiency [%] | background | limit [fb] "
        "| efficiency of 2.6 %: efficiency [%] | background | limit [fb] "
        "| without bounds: efficiency [%] |",
        "|---" * 8 + "|",
    ]
    for r in record["softest"]:
        cells = []
        for label in ("punzi", "published"):
            one = r[label]
            cells += (
                ["-", "-", "-"]
                if one is None
                else [
                    f"{100 * one['efficiency']:.2f}",
                    f"{one['background']:.3g}",
                    f"{one['mean_limit_fb']:.0f}",
                ]
            )
        lines.append(
            f"| {r['mass_gev']:g} | "
            + " | ".join(cells)
            + f" | {100 * r['largest_efficiency']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path)
    parser.add_argument("workspaces", type=Path)
    parser.add_argument("output", type=Path)
    add_effort(parser)
    asked = parser.parse_args()
    card = read_card(asked.models / f"{NAME}.yaml")
    record = {
        "counts": needed(card, asked.workspaces / NAME),
        "softest": softest(card, asked.cache or default_cache(), quick=asked.quick),
    }
    asked.output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(tables(record))


if __name__ == "__main__":
    main()
