"""Global significance of the unbinned search for axion-like particles, from full-spectrum toys.

    python docs/examples/unbinned_global.py OUT [--toys N] [--step K]

One toy is thrown of the whole spectrum (what passes the hard photon threshold passes the soft one,
too) and refitted at every mass: the largest local significance of each toy is the distribution that
the observed one is compared with. Everything is simulated.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from darkstats.model.unbinned.model import UnbinnedModel, compile_hs3
from darkstats.searches.build import _signal_name
from darkstats.searches.card import read_card
from darkstats.searches.output import read_build
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.searches.unbinned import bump_hunt_document
from darkstats.streams import keyed_generator
from darkstats.workflows.unbinned_scan import spectrum_significances

sys.path.insert(0, str(Path(__file__).parent))
from make_unbinned_models import samples

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = 50  # toys of one stream


def positions(edges: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Events spread within their fine bins."""
    place = np.repeat(np.arange(len(counts)), counts)
    return edges[place] + np.diff(edges)[place] * rng.random(len(place))


def thrown(
    expected: dict[str, np.ndarray], edges: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """One toy of all spectra, background only."""
    hard = positions(edges["diphoton_hard"], rng.poisson(expected["diphoton_hard"]), rng)
    extra = np.maximum(expected["diphoton_soft"] - expected["diphoton_hard"], 0.0)
    more = positions(edges["diphoton_soft"], rng.poisson(extra), rng)
    recoil = positions(edges["recoil"], rng.poisson(expected["recoil"]), rng)
    return {
        "diphoton_hard": hard,
        "diphoton_soft": np.concatenate([hard, more]),
        "recoil": recoil,
    }


def local(models: dict[str, list[UnbinnedModel]], sets: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Signed local significances [data set, mass]."""
    return np.concatenate(
        [
            spectrum_significances(found, [events[spectrum] for events in sets])
            for spectrum, found in models.items()
        ],
        axis=1,
    )


def main() -> None:
    """Observed maximum, toys, global p-value; written as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--toys", type=int, default=1000)
    parser.add_argument("--step", type=int, default=1, help="take every K-th mass")
    args = parser.parse_args()
    card = read_card(ROOT / "models" / "alp.yaml")
    made = samples(card)
    assert card.signal is not None
    build = read_build(ROOT / "workspaces" / "alp")
    signals = {key[0]: made[_signal_name(key)] for key in card.signal.masses_gev}
    names = list(build.sidecar["windows"])[:: args.step]
    document = bump_hunt_document(card.settings, build, signals, names, title=card.title)
    models: dict[str, list[UnbinnedModel]] = {}
    for name in names:
        spectrum = build.sidecar["windows"][name]["spectrum"]
        models.setdefault(spectrum, []).append(compile_hs3(document, name))
    expected, edges = {}, {}
    for channel in build.workspace["channels"]:
        expected[channel["name"]] = np.sum([s["data"] for s in channel["samples"]], axis=0)
        edges[channel["name"]] = np.array(build.sidecar["channels"][channel["name"]]["edges"])
    digest = build.record["card"]["digest"]
    data = pseudo_events(build.workspace, build.sidecar, seed=1, digest=digest)
    observed = local(models, [{s: next(iter(columns.values())) for s, columns in data.items()}])[0]
    order = [model for found in models.values() for model in found]
    begin = time.perf_counter()
    maxima, failed = [], 0
    for block in range(-(-args.toys // _BLOCK)):
        rng = keyed_generator(1, document.digest, 31, block)
        sets = [thrown(expected, edges, rng) for _ in range(_BLOCK)]
        z = local(models, sets[: args.toys - block * _BLOCK])
        failed += int(np.isnan(z).sum())
        # A mass without a certified fit might have been the largest: such a toy counts as above.
        maxima += list(np.where(np.isnan(z).any(axis=1), np.inf, np.nanmax(z, axis=1)))
    seconds = time.perf_counter() - begin
    best = int(np.nanargmax(observed))
    z_local = float(observed[best])
    above = int(np.sum(np.array(maxima) >= z_local))
    p_global = above / len(maxima)
    smoothed = (above + 1) / (len(maxima) + 2) if above in (0, len(maxima)) else p_global
    record: dict[str, Any] = {
        "schema": "darkstats.unbinned-global/1",
        "simulated": True,
        "masses": len(order),
        "toys": len(maxima),
        "fits_failed": failed,
        "fits": 2 * len(order) * len(maxima),
        "fits_per_s": 2 * len(order) * len(maxima) / seconds,
        "mass_gev": dict(order[best].values)["m_a_gev"],
        "z_local": z_local,
        "p_local": 1.0 - NormalDist().cdf(z_local),
        "p_global": p_global,
        "p_global_error": math.sqrt(smoothed * (1.0 - smoothed) / len(maxima)),
        "z_global": NormalDist().inv_cdf(1.0 - smoothed),
        "median_maximum": float(np.median(maxima)),
    }
    text = json.dumps(record, indent=1, sort_keys=True)
    print(text)
    args.output.with_suffix(".json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
