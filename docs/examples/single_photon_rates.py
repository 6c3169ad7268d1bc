"""Rates of single photons: collinear radiation beside the exact amplitude of three photons.

    python docs/examples/single_photon_rates.py docs/studies/single-photon-rates.json

Two photons and collinear radiation (`two_photons`) are compared with three photons by the exact
massless amplitude, of which one is seen and one is lost in a gap of the calorimeter (`gap`) or
outside of it (`beam`). The third is radiated: it leaves outside of the calorimeter, or (`anywhere`)
at any angle, seen or not, as collinear radiation has it. The electron mass is its least angle,
sqrt(e) m / E, with which the collinear logarithm is ln(s / m^2) - 1, as of the structure function.
No detector but its acceptance, no efficiency. Everything is simulated.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from darkstats.signals.constants import M_ELECTRON_GEV
from darkstats.simulation.kinematics import (
    CM_ENERGY_GEV,
    PB_GEV2,
    boost_to,
    massless,
    to_lab,
    unit_vectors,
)
from darkstats.simulation.three_photons import squared_amplitude
from darkstats.simulation.two_photons import TwoPhotons

GAPS_DEG = ((31.4, 32.2), (128.7, 130.7))
COVERED_DEG, SEEN_DEG = (12.4, 155.1), (37.3, 123.7)
LEAST_ENERGY_CM_GEV, LEAST_RADIATED_GEV = 2.0, 0.05
EDGES_GEV2 = {"gap": (5.0, 15.0, 30.0, 45.0, 60.0, 68.0), "beam": (65.0, 68.0, 69.5)}
PER_BLOCK, BLOCKS = 500_000, 20


def three_photons(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Momenta, the photon closest to the beams first, and weights in pb. [event, 3, 4], [event].

    Its energy and pseudorapidity are drawn flat in both logarithms, up to the least angle; the pair
    of the others has almost no transverse momentum then, and is drawn in its own frame.
    """
    angle = math.sqrt(math.e) * M_ELECTRON_GEV / (0.5 * CM_ENERGY_GEV)
    reach, pair_reach = math.atanh(math.cos(angle)), 4.0
    span = math.log(0.5 * CM_ENERGY_GEV * (1.0 - 1e-3) / LEAST_RADIATED_GEV)
    energy = LEAST_RADIATED_GEV * np.exp(span * rng.random(n))
    rapidity = rng.uniform(-reach, reach, n)
    sine, cosine = 1.0 / np.cosh(rapidity), np.tanh(rapidity)
    phi = rng.uniform(0.0, 2.0 * np.pi, (2, n))
    axis = np.stack([sine * np.cos(phi[0]), sine * np.sin(phi[0]), cosine], axis=-1)
    first = massless(energy, axis)
    pair = -first
    pair[:, 0] = CM_ENERGY_GEV - energy
    half = 0.5 * np.sqrt(CM_ENERGY_GEV * (CM_ENERGY_GEV - 2.0 * energy))
    pair_cosine = np.tanh(rng.uniform(-pair_reach, pair_reach, n))
    one = massless(half, unit_vectors(pair_cosine, phi[1]))
    others = [boost_to(p, pair) for p in (one, one * np.array([1.0, -1.0, -1.0, -1.0]))]
    photons = np.stack([first, *others], axis=1)
    space = energy**2 * span * 2.0 * reach * sine**2 * 2.0 * np.pi / (2.0 * (2.0 * np.pi) ** 3)
    space *= 2.0 * pair_reach * (1.0 - pair_cosine**2) * 2.0 * np.pi / (32.0 * np.pi**2)
    forward = np.abs(photons[..., 3]) / photons[..., 0]
    good = forward[:, 0] > forward[:, 1:].max(axis=1)
    weight = np.zeros(n)
    weight[good] = squared_amplitude(photons[good], np.full(good.sum(), CM_ENERGY_GEV**2))
    # 3 orderings of who is closest, 1 / 3! for identical photons
    return photons, weight * space / (4.0 * CM_ENERGY_GEV**2) * PB_GEV2


def two_photons(lost: str) -> TwoPhotons:
    """Collinear radiation, with a photon where it is lost."""
    ranges = {"gap": GAPS_DEG, "beam": ((5.0, COVERED_DEG[0]), (COVERED_DEG[1], 175.0))}
    return TwoPhotons(enriched_ranges_deg=ranges[lost], part="inside", hard_share=0.5)


def rates(photons: np.ndarray, weight: np.ndarray, lost: str, radiated: str) -> np.ndarray:
    """Sums of weights, and of their squares, in bins of the squared recoil mass. Shape [2, bin].

    Parameters
    ----------
    photons, weight
        Two photons that are not radiated, after the one that is where ``radiated`` is not
        ``collinear``; momenta in the frame of the beams. Shapes [event, photon, 4] and [event].
    lost, radiated
        Where one photon is lost, and where the radiated one is.
    """
    lab = to_lab(photons)
    theta = np.degrees(np.arctan2(np.hypot(lab[..., 1], lab[..., 2]), lab[..., 3]))
    outside = (theta < COVERED_DEG[0]) | (theta > COVERED_DEG[1])
    gone = outside
    if lost == "gap":
        gone = np.any([(theta > low) & (theta < high) for low, high in GAPS_DEG], axis=0)
    seen = (theta > SEEN_DEG[0]) & (theta < SEEN_DEG[1])
    seen &= photons[..., 0] > LEAST_ENERGY_CM_GEV
    allowed = np.ones(len(weight), dtype=bool)
    if radiated == "outside":
        allowed = outside[:, 0]
    pair = photons.shape[1] - 2
    found = np.zeros((2, len(EDGES_GEV2[lost]) - 1))
    for one, other in ((pair, pair + 1), (pair + 1, pair)):
        kept = seen[:, one] & gone[:, other] & allowed
        squared = CM_ENERGY_GEV * (CM_ENERGY_GEV - 2.0 * photons[kept, one, 0])
        for k in (0, 1):
            found[k] += np.histogram(squared, EDGES_GEV2[lost], weights=weight[kept] ** (k + 1))[0]
    return found


def main() -> None:
    total = {
        (lost, radiated): np.zeros((2, len(edges) - 1))
        for lost, edges in EDGES_GEV2.items()
        for radiated in ("collinear", "outside", "anywhere")
    }
    rng = np.random.Generator(np.random.Philox(1))
    for _ in range(BLOCKS):
        photons, weight = three_photons(PER_BLOCK, rng)
        for lost in EDGES_GEV2:
            block = two_photons(lost).generate(PER_BLOCK, rng)
            pairs = block.momentum.reshape(-1, 2, 4), block.weight_pb[block.event[::2]]
            total[lost, "collinear"] += rates(*pairs, lost, "collinear")
            for radiated in ("outside", "anywhere"):
                total[lost, radiated] += rates(photons, weight, lost, radiated)
    rows = []
    for (lost, radiated), (sums, squares) in total.items():
        for k, low in enumerate(EDGES_GEV2[lost][:-1]):
            base, base_squares = total[lost, "collinear"][:, k]
            error = math.hypot(math.sqrt(squares[k]) / sums[k], math.sqrt(base_squares) / base)
            row = {
                "lost": lost, "radiated": radiated, "from_gev2": low,
                "to_gev2": EDGES_GEV2[lost][k + 1], "pb": float(sums[k] / BLOCKS / PER_BLOCK),
                "over_collinear": round(float(sums[k] / base), 4),
                "relative_error": round(error, 4),
            }  # fmt: skip
            rows.append(row)
            print(row)
    Path(sys.argv[1]).write_text(
        json.dumps({"simulated": True, "rows": rows}, indent=1) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
