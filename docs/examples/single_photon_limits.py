"""What decides the limits of the search for single photons: the card, changed in one choice a time.

    python docs/examples/single_photon_limits.py CACHE docs/studies/single-photon-limits.json

Median expected limits on the kinetic mixing, simulated. Efficiencies scale all events alike, so
that another one is another luminosity. Vetoes and what crystals lose are simulated again, with a
fifth of the events, which costs up to 9 % of the limit above 6.8 GeV and nothing below.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from darkstats import workflows as w
from darkstats.searches.card import read_card

REPOSITORY = Path(__file__).resolve().parents[2]
CARD = REPOSITORY / "models/single_photon.yaml"
MASSES_GEV = (0.1, 2.03, 3.93, 5.31, 6.08, 7.04, 7.51, 7.99)
EFFICIENCY, BETTER = 0.95 * 0.70 * 0.95, 0.75
LOSSES = ("gap", "crystals", "three_photons", "three_photons_gap")


def card() -> dict[str, Any]:
    return yaml.safe_load(CARD.read_text("utf-8"))


def losses(error: float) -> dict[str, Any]:
    """One error, for all rates of lost photons, each with a parameter of its own."""
    found = card()
    systematics = found["recoil_hunt"]["systematics"]
    for name in LOSSES:
        (parameter,) = systematics[name]
        if error > 0.0:
            systematics[name][parameter] = error
        else:
            del systematics[name]
    return found


def common() -> dict[str, Any]:
    """Crystals and gaps with one parameter: the gaps in a window measure the crystals."""
    found = card()
    systematics = found["recoil_hunt"]["systematics"]
    systematics["crystals"] = systematics["gap"]
    return found


def efficient(found: dict[str, Any]) -> dict[str, Any]:
    found["luminosity_ipb"] *= BETTER / EFFICIENCY
    return found


def without(sample: str) -> dict[str, Any]:
    found = card()
    found["backgrounds"] = [b for b in found["backgrounds"] if b["name"] != sample]
    del found["recoil_hunt"]["systematics"][sample]
    return found


def with_detector(**changes: Any) -> dict[str, Any]:
    """Without the entries that are None."""
    found = card()
    found["detector"] |= changes
    found["detector"] = {k: v for k, v in found["detector"].items() if v is not None}
    for background in found["backgrounds"]:
        background["events"]["full"] //= 5
    return found


def passed_crystals() -> dict[str, Any]:
    found = card()
    rows = found["detector"]["veto_inefficiency"]
    return with_detector(veto_inefficiency=[[energy, 4e-6] for energy, _ in rows])


VARIATIONS = {
    "card": card,
    "loss errors 0": lambda: losses(0.0),
    "loss errors 10 %": lambda: losses(0.10),
    "loss errors 30 %": lambda: losses(0.30),
    "loss errors 50 %": lambda: losses(0.50),
    "one error for crystals and gaps": common,
    "efficiency 0.75": lambda: efficient(card()),
    "efficiency 0.75, loss errors 0": lambda: efficient(losses(0.0)),
    "no Bhabha scattering": lambda: without("radiative_bhabha"),
    "no photons lost in gaps": lambda: without("gap"),
    "crystals lose 4e-6": passed_crystals,
    "no veto beyond the calorimeter": lambda: with_detector(
        klm_range_deg=None, klm_inefficiency=None
    ),
}


def limits(document: dict[str, Any], cache: Path) -> list[list[float]]:
    """Mass and median expected limit on epsilon of every hypothesis."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "card.yaml"
        path.write_text(yaml.safe_dump(document), "utf-8")
        w.build(w.BuildRequest(card=str(path), output=Path(temporary) / "built", cache=cache))
        scanned = Path(temporary) / "scanned"
        w.scan(w.MassScanRequest(source=str(Path(temporary) / "built"), output=scanned))
        points = json.loads((scanned / "scan.json").read_text("utf-8"))["points"]
    return [
        [p["values"][0], float(f"{p['couplings']['dark_photon']['expected'][2]:.4g}")]
        for p in points
    ]


def table(found: dict[str, Any]) -> str:
    """One line for each change: the hypotheses nearest to some masses."""
    lines = ["| ε [10⁻⁴] at M [GeV] | " + " | ".join(f"{mass:g}" for mass in MASSES_GEV) + " |"]
    lines.append("|---" * (len(MASSES_GEV) + 1) + "|")
    for name, rows in found["limits"].items():
        near = [min(rows, key=lambda row: abs(row[0] - mass))[1] for mass in MASSES_GEV]
        lines.append(f"| {name} | " + " | ".join(f"{1e4 * limit:.3g}" for limit in near) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", help="names, with commas; the others stay")
    asked = parser.parse_args()
    cache, output = asked.cache, asked.output
    found = {"simulated": True, "card": read_card(CARD).digest, "limits": {}}
    if asked.only:
        found["limits"] = json.loads(output.read_text("utf-8"))["limits"]
    for name in asked.only.split(",") if asked.only else VARIATIONS:
        make = VARIATIONS[name]
        found["limits"][name] = limits(make(), cache)
        output.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
