"""Photon conversions and vertex tails as backgrounds of B -> K S and B -> K* S.

    python docs/examples/b_to_k_conversions.py models docs/studies/b-to-k-conversions.json

Conversions look like S -> e+e- from a vertex in the beam pipe or the silicon. Two sources:
B0 -> K*0 gamma, which has the mass and the energy of a B, and e+e- -> quarks (PYTHIA 8), a kaon, or
a pion taken for one, beside a hard photon. Pairs share the energy of the photon as Bethe and
Heitler say, with transverse momenta m_e u, u distributed as 2 u / (1 + u^2)^2, and are measured as
the electrons of the signal are. Given are events in the window of each mass.

--scattering PART lets each electron scatter in that part of the material, beyond what the detector
has: 0.5 is the mean that lies outside of a conversion, as if none of the silicon measured it.

Vertex tails: prompt decays B -> K x x, flat in the mass of the pair or as three-body phase space,
of which a part is measured beyond 0.5 mm.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from darkstats.searches.card import SearchCard, read_card
from darkstats.searches.counting import Counting
from darkstats.searches.cuts import passing
from darkstats.signals.b_to_k import M_B_GEV, M_KAON_GEV, M_KSTAR_GEV
from darkstats.signals.constants import M_MUON_GEV
from darkstats.simulation.b_to_kaon import M_PION_GEV, BToKaon
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import CM_ENERGY_GEV, M_E, to_cm, to_lab
from darkstats.simulation.pythia import _block, _started

sys.path.insert(0, str(Path(__file__).parent))
from b_to_k_alp_background import CONTINUUM_PB, MISIDENTIFIED, SWITCHES

MATERIAL_X0 = 0.04  # [memory, B] beam pipe 0.8 %, pixels 0.4 %, strips 2.8 %, at right angles
KSTAR_GAMMA = 4.18e-5 * 2.0 / 3.0  # [memory, A] BR(B0 -> K*0 gamma), K*0 -> K+ pi-
KEPT = 0.2  # [choice] of the continuum, by event shape
DAUGHTERS_GEV = {"_ee": M_E, "_pipi": M_PION_GEV, "_kk": M_KAON_GEV}  # others are muons
TAIL = 0.01  # [choice] of prompt vertices that are measured beyond 0.5 mm
#: [memory, A] prompt branching fractions, those of K*0 -> K+ pi- included, and pairs in each.
PROMPT = {
    "b_to_k_scalar": (4.5e-7, 1), "b_to_k_scalar_ee": (5.5e-7, 1),
    "b_to_k_scalar_pipi": (5.1e-5, 1), "b_to_k_scalar_kk": (3.4e-5, 2),
    "b_to_kstar_scalar": (6.3e-7, 1), "b_to_kstar_scalar_ee": (6.9e-7, 1),
    "b_to_kstar_scalar_pipi": (3.7e-5, 1), "b_to_kstar_scalar_kk": (1.8e-5, 1),
}  # fmt: skip
LIGHT_GEV = 1.1e-3  # of the X that stands for a photon
COPIES = 40  # pairs made of each photon: few are in a window
HARD_GEV = (1.8, 3.4)  # energies of photons, c.m.


def pairs(
    photon: np.ndarray, rng: np.random.Generator, scattering: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Momenta of the electron and the positron of conversions. Shapes [n, 4].

    With ``scattering``, each is turned as Highland says, in this part of the material.
    """
    n = len(photon)
    share = np.empty(0)
    while len(share) < n:  # 1 - 4/3 x (1 - x), at most 1
        drawn = rng.random(2 * n)
        kept = rng.random(2 * n) < 1.0 - 4.0 / 3.0 * drawn * (1.0 - drawn)
        share = np.concatenate([share, drawn[kept]])
    share = share[:n]
    size = np.linalg.norm(photon[:, 1:], axis=1)
    along = photon[:, 1:] / size[:, None]
    uniform = rng.random(n)
    across = M_E * np.sqrt(uniform / (1.0 - uniform))
    one = np.cross(along, rng.standard_normal((n, 3)))
    one /= np.linalg.norm(one, axis=1)[:, None]
    found = []
    for part, sign in ((share, 1.0), (1.0 - share, -1.0)):
        momentum = (part * size)[:, None] * along + (sign * across)[:, None] * one
        if scattering > 0.0:
            depth = scattering * MATERIAL_X0 / np.maximum(np.hypot(*along[:, :2].T), 0.2)
            kick = 0.0136 * np.sqrt(depth) * (1.0 + 0.038 * np.log(depth))
            momentum += kick[:, None] * rng.standard_normal((n, 3))  # along p it is nothing
        energy = np.sqrt((momentum**2).sum(axis=1) + M_E**2)
        found.append(np.concatenate([energy[:, None], momentum], axis=1))
    return found[0], found[1]


def converted(lab: np.ndarray) -> np.ndarray:
    """Probability that photons convert in the material, from their directions. [n]."""
    sine = np.hypot(lab[:, 1], lab[:, 2]) / np.linalg.norm(lab[:, 1:], axis=1)
    return np.minimum(7.0 / 9.0 * MATERIAL_X0 / np.maximum(sine, 0.2), 1.0)


def windows(card: SearchCard) -> dict[float, tuple[float, float, float]]:
    """Ends of the window of each mass, and the efficiency of its cuts."""
    search = card.settings
    assert isinstance(search, Counting)
    found = {}
    for (mass,), process in zip(card.signal.masses_gev, card.signal.processes, strict=True):
        rng = np.random.default_rng(1)
        sample = card.selection.apply(process.generate(20_000, rng), card.detector, rng)
        sample = sample.select(passing(sample, search.cuts))
        if len(sample) > 400:
            low, high = search.window.edges_gev(sample)
            found[mass] = (low, high, float(sample.weight_pb.sum() / sample.n_generated))
    return found


def with_pairs(
    block: EventBlock, n_particles: int, rng: np.random.Generator, scattering: float = 0.0
) -> EventBlock:
    """The light X of each event decays as a converted photon does, weighted with its chance."""
    momentum = block.momentum.reshape(-1, n_particles, 4).copy()
    lab = to_lab(momentum[:, -1])
    first, second = pairs(lab, rng, scattering)
    momentum[:, -3], momentum[:, -2] = to_cm(first), to_cm(second)
    return dataclasses.replace(
        block, momentum=momentum.reshape(-1, 4), weight_pb=block.weight_pb * converted(lab)
    )


def of_kstar_gamma(
    card: SearchCard, ends: dict, n_events: int, scattering: float = 0.0
) -> dict[float, float]:
    """Events of B0 -> K*0 gamma in each window."""
    rng = np.random.default_rng(2)
    process = BToKaon(mass_gev=LIGHT_GEV, kaon="Kstar", decay="ee")
    found = dict.fromkeys(ends, 0.0)
    for _ in range(COPIES):
        block = with_pairs(process.generate(n_events, rng), 5, rng, scattering)
        sample = card.selection.apply(block, card.detector, rng)
        sample = sample.select(passing(sample, card.settings.cuts))
        mass = sample["m_x_gev"]
        for key, (low, high, _) in ends.items():
            inside = (mass > low) & (mass < high)
            found[key] += float(sample.weight_pb[inside].sum() / n_events / COPIES)
    scale = card.settings.parent_pb * card.luminosity_ipb * KSTAR_GAMMA
    return {key: scale * value for key, value in found.items()}


def of_continuum(card: SearchCard, ends: dict, n_events: int, kaon: str) -> dict[float, float]:
    """Events of e+e- -> quarks in each window."""
    rng = np.random.default_rng(3)
    detector, selection, cuts = card.detector, card.selection, card.settings.cuts
    plain = {cut.variable: cut for cut in cuts if cut.where is None}
    beam = 0.5 * CM_ENERGY_GEV
    found = dict.fromkeys(ends, 0.0)
    generator = _started([*SWITCHES, "Random:seed = 11"])
    for _ in range(max(n_events // 5000, 1)):
        batch = generator.nextBatch(5000, "skip")
        block = _block(batch, np.ones(len(batch)))
        kinds, lab = np.abs(block.pdg_id), to_lab(block.momentum)
        hard = (kinds == 22) & (block.momentum[:, 0] > HARD_GEV[0])
        hard &= block.momentum[:, 0] < HARD_GEV[1]
        theta = np.arctan2(np.hypot(lab[:, 1], lab[:, 2]), lab[:, 3])
        track = np.isin(kinds, (211, 321)) & detector.in_cdc(theta)
        track &= np.linalg.norm(lab[:, 1:], axis=1) > selection.min_momentum_gev
        for photon in np.flatnonzero(hard):
            here = np.flatnonzero(track & (block.event == block.event[photon]))
            if not len(here):
                continue
            charge = np.sign(block.pdg_id[here])
            share = np.where(kinds[here] == 321, 1.0, MISIDENTIFIED)
            prompt, weight = _as_kaon(lab[here]), share * detector.lepton_efficiency
            if kaon == "Kstar":
                one, two = np.nonzero(charge[:, None] * charge[None, :] < 0)
                both = prompt[one] + _as(lab[here[two]], M_PION_GEV)
                mass = np.sqrt(np.maximum(both[:, 0] ** 2 - (both[:, 1:] ** 2).sum(axis=1), 0.0))
                cut = plain["m_prompt_gev"]
                kept = (mass > cut.above) & (mass < cut.below)
                prompt = both[kept]
                weight = weight[one][kept] * detector.lepton_efficiency
            if not len(prompt):
                continue
            total = to_cm(prompt + lab[photon])
            size = np.linalg.norm(total[:, 1:], axis=1)
            bound = plain["delta_e_gev"]
            energy = total[:, 0] - beam
            near = (size < np.sqrt(beam**2 - plain["m_bc_gev"].above ** 2)) & (
                energy > bound.above
            ) & (energy < bound.below)  # fmt: skip
            if near.any():
                parts = _in_windows(lab[photon], ends, card, rng)
                for key, part in parts.items():
                    found[key] += part * float(weight[near].sum())
    scale = CONTINUUM_PB * card.luminosity_ipb / n_events * KEPT * detector.trigger_efficiency
    return {key: scale * value for key, value in found.items()}


def _as(lab: np.ndarray, mass_gev: float) -> np.ndarray:
    energy = np.sqrt((lab[:, 1:] ** 2).sum(axis=1) + mass_gev**2)
    return np.concatenate([energy[:, None], lab[:, 1:]], axis=1)


def _as_kaon(lab: np.ndarray) -> np.ndarray:
    return _as(lab, M_KAON_GEV)


def _in_windows(
    photon: np.ndarray, ends: dict, card: SearchCard, rng: np.random.Generator
) -> dict[float, float]:
    """Chance that a photon converts, and that its pair is found in each window."""
    many = np.repeat(photon[None, :], 50 * COPIES, axis=0)
    measured, seen = [], np.ones(len(many), dtype=bool)
    for one in pairs(many, rng):
        smeared = card.detector.smear_tracks(one, np.full(len(many), M_E), rng)
        size = np.linalg.norm(smeared[:, 1:], axis=1)
        theta = np.arctan2(np.hypot(one[:, 1], one[:, 2]), one[:, 3])
        seen &= card.detector.in_cdc(theta) & (size > card.selection.min_momentum_gev)
        measured.append(smeared)
    both = measured[0] + measured[1]
    mass = np.sqrt(np.maximum(both[:, 0] ** 2 - (both[:, 1:] ** 2).sum(axis=1), 0.0))
    chance = float(converted(photon[None, :])[0]) * card.detector.lepton_efficiency**2
    return {
        key: chance * float(np.mean(seen & (mass > low) & (mass < high)))
        for key, (low, high, _) in ends.items()
    }


def tails(card: SearchCard, ends: dict) -> dict[float, float]:
    """Prompt decays with a vertex measured too far out, in each window."""
    branching, n_pairs = PROMPT[card.name]
    first, last = min(ends), max(ends)
    scale = card.settings.parent_pb * card.luminosity_ipb * branching * n_pairs * TAIL
    return {
        mass: scale * efficiency * (high - low) / (last - first)
        for mass, (low, high, efficiency) in ends.items()
    }


def phase_space_over_flat(name: str, mass_gev: float, first: float, last: float) -> float:
    """Density in the mass of the pair, over one that is flat between two masses, at a mass.

    Three-body phase space of B -> K x x is the momentum of the kaon in the frame of the B times
    that of x in the frame of the pair.
    """
    kaon = M_KSTAR_GEV if "kstar" in name else M_KAON_GEV
    least = 2.0 * next((m for end, m in DAUGHTERS_GEV.items() if name.endswith(end)), M_MUON_GEV)

    def density(mass: np.ndarray) -> np.ndarray:
        room = (M_B_GEV**2 - (kaon + mass) ** 2) * (M_B_GEV**2 - (kaon - mass) ** 2)
        return np.sqrt(np.maximum(room, 0.0) * np.maximum(mass**2 - least**2, 0.0))

    grid = np.linspace(least, M_B_GEV - kaon, 4001)
    whole = float(np.trapezoid(density(grid), grid))
    return float(density(np.array(mass_gev))) * (last - first) / whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scattering", type=float, help="of conversions of B0 -> K*0 gamma, alone")
    parser.add_argument("--events", type=int, default=200_000, help="of the continuum")
    parser.add_argument("--signal-events", type=int, default=20_000, help="of B0 -> K*0 gamma")
    asked = parser.parse_args()
    if asked.scattering is not None:
        card = read_card(asked.models / "b_to_kstar_scalar_ee.yaml")
        light = {mass: end for mass, end in windows(card).items() if mass < 0.35}
        both = [of_kstar_gamma(card, light, asked.signal_events, part)
                for part in (0.0, asked.scattering)]  # fmt: skip
        rows = [{"mass_gev": m, "without": both[0][m], "with": both[1][m]} for m in light]
        found = {"simulated": True, "scattering": asked.scattering, "rows": rows}
        asked.output.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        print(rows)
        return
    record: dict[str, object] = {
        "simulated": True, "continuum_events": asked.events, "kept": KEPT, "tail": TAIL,
        "material_x0": MATERIAL_X0,
    }  # fmt: skip
    for name in PROMPT:
        card = read_card(asked.models / f"{name}.yaml")
        ends = windows(card)
        flat, (first, last) = tails(card, ends), (min(ends), max(ends))
        parts = {"vertex_tails": flat, "vertex_tails_phase_space": {
            mass: tail * phase_space_over_flat(name, mass, first, last)
            for mass, tail in flat.items()
        }}  # fmt: skip
        if name.endswith("_ee"):
            kaon = "Kstar" if "kstar" in name else "K"
            light = {mass: end for mass, end in ends.items() if mass < 0.35}
            parts["continuum_conversions"] = of_continuum(card, light, asked.events, kaon)
            if kaon == "Kstar":
                parts["kstar_gamma"] = of_kstar_gamma(card, light, asked.signal_events)
        record[name] = [
            {"mass_gev": mass, "window_gev": [round(low, 5), round(high, 5)]}
            | {key: float(f"{found[mass]:.3g}") for key, found in parts.items() if mass in found}
            for mass, (low, high, _) in ends.items()
        ]
        print(name)
        for row in record[name]:
            print("  ", row, flush=True)
    asked.output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
