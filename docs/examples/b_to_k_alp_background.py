"""Continuum background of B+ -> K+ a, a -> gamma gamma: simulated e+e- -> quarks by PYTHIA 8.

    python docs/examples/b_to_k_alp_background.py models/b_to_k_alp.yaml A.json --events 250000
    python docs/examples/b_to_k_alp_background.py models/b_to_k_alp.yaml OUT.json --add A.json ...

The second line adds the counts of runs with other --seed; both print the rows of the card.

Candidates are a charged kaon and two photons, as the card selects them. Few are in the signal
region, so the spectrum of the mass is that of a loose one, |p*| < 1.4 GeV and |delta E| < 0.3 GeV,
in the mean over 0.1 GeV either side without the vetoed windows. The share of it in the momenta of
the signal region is counted over all masses; in delta E it is taken for flat. Photons that make a
pi0 with another photon are left out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from darkstats.searches.card import read_card
from darkstats.searches.counting import Counting
from darkstats.searches.cuts import passing
from darkstats.signals.b_to_k import M_KAON_GEV
from darkstats.simulation.kinematics import CM_ENERGY_GEV, to_cm, to_lab
from darkstats.simulation.pythia import _block, _started

CONTINUUM_PB = 3690.0  # [lit B] uubar, ddbar, ssbar, ccbar at 10.58 GeV (arXiv:1808.10567)
LOOSE_P_GEV, LOOSE_DELTA_E_GEV = 1.4, 0.3
PI0_GEV = (0.115, 0.150)  # [choice]
MISIDENTIFIED = 0.05  # [choice] pions taken for kaons
KEPT = 0.03  # [lit C] of the continuum, by a suppression that keeps the share of the card's signal
EDGES_GEV = np.linspace(0.0, 5.0, 1001)  # so that vetoes begin and end at edges
REACH_GEV = 0.1
VETOED_GEV = ((0.11, 0.16), (0.52, 0.575), (0.915, 1.0))  # of the card
SWITCHES = (
    "Print:quiet = on", "Beams:idA = 11", "Beams:idB = -11", "PDF:lepton = off",
    "WeakSingleBoson:ffbar2gmZ = on", "23:onMode = off", "23:onIfAny = 1 2 3 4",
    "23:mMin = 9.0", "PhaseSpace:mHatMin = 9.0", "Random:setSeed = on",
    f"Beams:eCM = {CM_ENERGY_GEV:.8f}",
)  # fmt: skip


def candidates(card, n_events: int, seed: int) -> np.ndarray:
    """Weighted counts, squares, counts in the momenta of the signal, and counts by scaled mass.

    Shape [4, bin of the mass].
    """
    rng = np.random.default_rng(seed)
    total, squares, inner, by_scaled = np.zeros((4, len(EDGES_GEV) - 1))
    p_max, _ = signal_region(card)
    generator = _started([*SWITCHES, f"Random:seed = {seed}"])
    for _ in range(max(n_events // 5000, 1)):
        batch = generator.nextBatch(5000, "skip")
        block = _block(batch, np.ones(len(batch)))
        kinds, event = np.abs(block.pdg_id), block.event
        lab = to_lab(block.momentum)
        theta = np.arctan2(np.hypot(lab[:, 1], lab[:, 2]), lab[:, 3])
        size = np.linalg.norm(lab[:, 1:], axis=1)
        detector, selection = card.detector, card.selection
        is_track = np.isin(kinds, (211, 321)) & detector.in_cdc(theta)
        is_track &= size > selection.min_momentum_gev
        is_photon = (kinds == 22) & detector.in_ecl(theta)
        measured = np.zeros_like(lab)
        measured[is_photon] = detector.smear_photons(lab[is_photon], rng)
        tracks = detector.smear_tracks(lab[is_track], np.full(is_track.sum(), M_KAON_GEV), rng)
        measured[is_track] = tracks
        measured[is_track, 0] = np.hypot(np.linalg.norm(tracks[:, 1:], axis=1), M_KAON_GEV)
        is_photon &= measured[:, 0] > selection.min_photon_energy_gev
        cm = to_cm(measured)
        for n in range(block.n_events):
            here = slice(*np.searchsorted(event, (n, n + 1)))
            photons = cm[here][is_photon[here]]
            kaons = cm[here][is_track[here]]
            if len(photons) < 2 or not len(kaons):
                continue
            share = np.where(kinds[here][is_track[here]] == 321, 1.0, MISIDENTIFIED)
            masses, scaled, weights, p = pairs(photons, kaons, share, detector)
            total += np.histogram(masses, EDGES_GEV, weights=weights)[0]
            squares += np.histogram(masses, EDGES_GEV, weights=weights**2)[0]
            by_scaled += np.histogram(scaled, EDGES_GEV, weights=weights)[0]
            near = weights * (p < p_max)
            inner += np.histogram(masses, EDGES_GEV, weights=near)[0]
    return np.stack([total, squares, inner, by_scaled])


def pairs(photons, kaons, share, detector) -> tuple[np.ndarray, ...]:
    """Mass of both photons, the same scaled, weight and momentum of each candidate."""
    one, two = np.triu_indices(len(photons), 1)
    both = photons[one] + photons[two]
    squared = both[:, 0] ** 2 - (both[:, 1:] ** 2).sum(axis=1)
    mass = np.sqrt(np.maximum(squared, 0.0))
    pi0 = (mass > PI0_GEV[0]) & (mass < PI0_GEV[1])
    taken = np.zeros(len(photons), dtype=bool)
    taken[one[pi0]] = taken[two[pi0]] = True
    good = ~taken[one] & ~taken[two] & (both[:, 0] > 1.5)
    both, mass, one, two = both[good], mass[good], one[good], two[good]
    kaon, pair = np.meshgrid(np.arange(len(kaons)), np.arange(len(both)), indexing="ij")
    sum_ = kaons[kaon.ravel()] + both[pair.ravel()]
    p = np.linalg.norm(sum_[:, 1:], axis=1)
    near = (p < LOOSE_P_GEV) & (np.abs(sum_[:, 0] - 0.5 * CM_ENERGY_GEV) < LOOSE_DELTA_E_GEV)
    kaon, pair = kaon.ravel()[near], pair.ravel()[near]
    left = 0.5 * CM_ENERGY_GEV - kaons[kaon, 0]
    weight = share[kaon] * detector.lepton_efficiency
    weight *= detector.found(photons[one[pair], 0]) * detector.found(photons[two[pair], 0])
    return mass[pair], mass[pair] * left / both[pair, 0], weight, p[near]


def signal_region(card) -> tuple[float, float]:
    """Largest momentum of a candidate, and width in delta E, GeV."""
    bounds = {cut.variable: cut for cut in card.settings.cuts if cut.where is None}
    p_max = np.sqrt(0.25 * CM_ENERGY_GEV**2 - bounds["m_bc_gev"].above ** 2)
    return float(p_max), bounds["delta_e_gev"].below - bounds["delta_e_gev"].above


def outside_of_vetoes(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Bins that no vetoed window reaches into. Shape [bin]."""
    return np.all([(high < a + 1e-9) | (low > b - 1e-9) for a, b in VETOED_GEV], axis=0)


def rows(card, total, squares, share: float, n_events: int) -> list[dict[str, float]]:
    """Expected events in the window of each simulated mass, and their statistical error."""
    search = card.settings
    assert isinstance(search, Counting)
    _, delta_e = signal_region(card)
    scale = share * delta_e / (2.0 * LOOSE_DELTA_E_GEV)
    scale *= CONTINUUM_PB * card.luminosity_ipb / n_events * KEPT
    low, high = EDGES_GEV[:-1], EDGES_GEV[1:]
    open_ = outside_of_vetoes(low, high)
    found = []
    for (mass,), process in zip(card.signal.masses_gev, card.signal.processes, strict=True):
        rng = np.random.default_rng(1)
        sample = card.selection.apply(process.generate(20_000, rng), card.detector, rng)
        sample = sample.select(passing(sample, search.cuts))
        if len(sample) < 1000:  # vetoed
            continue
        near = open_ & (np.abs(0.5 * (low + high) - mass) < REACH_GEV)
        first, last = search.window.edges_gev(sample)
        sum_ = float(total[near].sum())
        events = sum_ * scale * (last - first) / float((high - low)[near].sum())
        error = float(np.sqrt(squares[near].sum()) / max(sum_, 1e-9))
        found.append(
            {
                "mass_gev": mass, "width_gev": last - first, "events": events,
                "relative_error": error,
            }
        )  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--add", type=Path, nargs="*")
    asked = parser.parse_args()
    card = read_card(asked.card)
    if asked.add:
        parts = [json.loads(path.read_text("utf-8")) for path in asked.add]
        n_events = sum(part["generated_events"] for part in parts)
        keys = ("counts", "squares", "inner", "scaled")
        total, squares, inner, scaled = (
            np.sum([part[key] for part in parts], axis=0) for key in keys
        )
    else:
        n_events = asked.events
        total, squares, inner, scaled = candidates(card, n_events, asked.seed)
    share = float(inner.sum() / total.sum())
    found = rows(card, total, squares, share, n_events)
    record = {
        "simulated": True, "generated_events": n_events, "edges_gev": EDGES_GEV.round(3).tolist(),
        "counts": total.round(3).tolist(), "squares": squares.round(4).tolist(),
        "inner": inner.round(3).tolist(), "scaled": scaled.round(3).tolist(),
        "suppression": KEPT, "share_of_momenta": share,
        "rows": found,
    }  # fmt: skip
    asked.output.write_text(json.dumps(record) + "\n", "utf-8")
    print(", ".join(f"[{r['mass_gev']:g}, {r['events']:.3g}]" for r in found))
    print(f"{total.sum():.0f} loose candidates, {inner.sum():.0f} with the momenta of the signal")
    print("relative errors", [round(r["relative_error"], 2) for r in found])


if __name__ == "__main__":
    main()
