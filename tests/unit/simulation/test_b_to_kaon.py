"""Events of B -> K X: conservation, masses, angles; and what the selection measures of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.b_to_k import M_B_GEV, M_KAON_GEV
from darkstats.signals.constants import CM_ENERGY_GEV, M_MUON_GEV
from darkstats.simulation.b_candidates import SLOPE, BCandidateSelection
from darkstats.simulation.b_to_kaon import LONG_LIVED_ID, M_PION_GEV, BToKaon
from darkstats.simulation.detector import Detector
from darkstats.simulation.inelastic_dark_matter import InelasticPairs
from darkstats.simulation.kinematics import boost_z, invariant_mass_squared, to_lab

PERFECT = Detector(
    energy_terms=(0.0, 0.0, 0.0), position_rad=0.0, track_terms=(0.0, 0.0), track_angle_rad=0.0,
    photon_efficiency=0.9, lepton_efficiency=0.8, trigger_efficiency=0.5, merging_rad=0.0,
)  # fmt: skip


def events(process: BToKaon, n: int = 20_000, seed: int = 1) -> np.ndarray:
    """Momenta by event and particle."""
    block = process.generate(n, np.random.default_rng(seed))
    assert block.weight_pb.tolist() == [1.0] * n
    return block.momentum.reshape(n, -1, 4)


def mean(values: np.ndarray, expected: float) -> None:
    """Within 5 standard deviations."""
    error = values.std() / math.sqrt(len(values))
    assert values.mean() == pytest.approx(expected, abs=5.0 * error)


def test_two_body_decays_add_up() -> None:
    """B has half of the energy of the beams; B, X, kaon and muons have their masses."""
    kaon, minus, plus, x = events(BToKaon(mass_gev=1.0)).transpose(1, 0, 2)
    b_meson = kaon + x
    np.testing.assert_allclose(b_meson[:, 0], 0.5 * CM_ENERGY_GEV, rtol=1e-12)
    for momentum, mass in ((b_meson, M_B_GEV), (x, 1.0), (kaon, M_KAON_GEV), (plus, M_MUON_GEV)):
        squared = invariant_mass_squared(momentum)
        np.testing.assert_allclose(squared, mass**2, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(minus + plus, x, atol=1e-12)


def test_b_mesons_follow_sine_squared_and_all_else_is_flat() -> None:
    """Means of squared cosines: 1/5 of B, 1/3 of what has no spin."""
    momenta = events(BToKaon(mass_gev=0.5, decay="pipi"), 50_000)
    b_meson = momenta[:, 0] + momenta[:, -1]
    cosine = b_meson[:, 3] / np.linalg.norm(b_meson[:, 1:], axis=1)
    mean(cosine**2, 0.2)
    mean(cosine, 0.0)
    x = momenta[:, -1]
    mean((x[:, 3] / np.linalg.norm(x[:, 1:], axis=1)) ** 2, 1.0 / 3.0)


def rest_cosine(of: np.ndarray, frame: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Cosine to minus the parent in the rest frame of ``frame``, by invariants."""

    def dot(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return p[:, 0] * q[:, 0] - (p[:, 1:] * q[:, 1:]).sum(axis=1)

    mass = np.sqrt(dot(frame, frame))
    energies = [dot(p, frame) / mass for p in (of, parent)]
    sizes = [np.sqrt(e**2 - dot(p, p)) for e, p in zip(energies, (of, parent), strict=True)]
    return -(energies[0] * energies[1] - dot(of, parent)) / (sizes[0] * sizes[1])


def test_kstar_has_helicity_zero_and_its_width() -> None:
    """The kaon follows cos^2 of its angle to the flight of K*: the mean square is 3/5."""
    momenta = events(BToKaon(mass_gev=1.0, kaon="Kstar"), 50_000)
    kaon, pion, x = momenta[:, 0], momenta[:, 1], momenta[:, -1]
    kstar = kaon + pion
    mass = np.sqrt(invariant_mass_squared(kstar))
    assert 0.7 <= mass.min() < mass.max() <= 1.1
    assert np.median(mass) == pytest.approx(0.8955, abs=0.002)
    # half width of a Breit and Wigner
    assert np.mean(np.abs(mass - 0.89555) < 0.5 * 0.0473) == pytest.approx(0.55, abs=0.02)
    np.testing.assert_allclose(invariant_mass_squared(pion), M_PION_GEV**2, atol=1e-10)
    mean(rest_cosine(kaon, kstar, kstar + x) ** 2, 0.6)


def test_selection_measures_what_there_is() -> None:
    """With a perfect detector: masses, beam-constrained mass, boosts, weights of what is seen."""
    block = BToKaon(mass_gev=0.6, decay="pipi").generate(5_000, np.random.default_rng(2))
    rows = BCandidateSelection(min_momentum_gev=0.2).apply(block, PERFECT, np.random.default_rng(1))
    lab = to_lab(block.momentum).reshape(-1, 4, 4)
    theta = np.degrees(np.arctan2(np.hypot(lab[..., 1], lab[..., 2]), lab[..., 3]))[:, :3]
    sizes = np.linalg.norm(lab[:, :3, 1:], axis=2)
    seen = ((theta > 17.0) & (theta < 150.0) & (sizes > 0.2)).all(axis=1)
    assert len(rows) == seen.sum() > 2_000
    np.testing.assert_allclose(rows.weight_pb, 0.8**3 * 0.5)
    np.testing.assert_allclose(rows["m_x_gev"], 0.6, rtol=1e-6)
    np.testing.assert_allclose(rows["m_x_constrained_gev"], 0.6, rtol=1e-6)
    np.testing.assert_allclose(rows["m_pipi_gev"], 0.6, rtol=1e-6)
    np.testing.assert_allclose(rows["m_bc_gev"], M_B_GEV, rtol=1e-6)
    np.testing.assert_allclose(rows["delta_e_gev"], 0.0, atol=1e-6)
    np.testing.assert_allclose(rows["m_prompt_gev"], M_KAON_GEV, rtol=1e-6)
    x = lab[seen, -1]
    np.testing.assert_allclose(rows["boost_transverse"], np.hypot(x[:, 1], x[:, 2]) / 0.6)
    np.testing.assert_allclose(rows["boost_along"], x[:, 3] / 0.6)
    np.testing.assert_allclose(rows[SLOPE], 0.0)


def test_photons_of_a_displaced_decay_lower_the_mass() -> None:
    """Showers of a decay after 20 mm, seen from the collision point: m (1 - slope d)."""
    block = BToKaon(mass_gev=0.3, decay="gammagamma").generate(2_000, np.random.default_rng(3))
    rows = BCandidateSelection().apply(block, PERFECT, np.random.default_rng(1))
    lab = to_lab(block.momentum).reshape(-1, 4, 4)
    theta = np.degrees(np.arctan2(np.hypot(lab[..., 1], lab[..., 2]), lab[..., 3]))
    crystals = ((12.4, 31.4), (32.2, 128.7), (130.7, 155.1))
    ecl = np.any([(theta > low) & (theta < high) for low, high in crystals], axis=0)
    seen = (theta[:, 0] > 17.0) & (theta[:, 0] < 150.0) & ecl[:, 1] & ecl[:, 2]
    seen &= (np.linalg.norm(lab[:, 0, 1:], axis=1) > 0.1) & (lab[:, 1:3, 0] > 0.05).all(axis=1)
    assert seen.sum() == len(rows)
    flight = lab[seen, 3, 1:]
    vertex = 20.0 * flight / np.linalg.norm(flight, axis=1)[:, None]
    # the first ones, and some that the ends of the calorimeter catch
    ends = np.flatnonzero((theta[seen, 1] < 30.0) | (theta[seen, 1] > 132.0))
    taken = np.concatenate([np.arange(40), ends[:40]])
    assert len(ends) > 40
    ways = []
    for photon in (lab[seen, 1], lab[seen, 2]):
        step = np.linspace(0.0, 2500.0, 100_001)[:, None]  # walk until the cylinder is left
        shower = []
        for start, towards in zip(
            vertex[taken], (photon[:, 1:] / photon[:, :1])[taken], strict=True
        ):
            path = start + step * towards
            inside = (np.hypot(path[:, 0], path[:, 1]) < 1250.0) & (np.abs(path[:, 2] - 470) < 1490)
            shower.append(path[np.flatnonzero(~inside)[0]])
        found = np.array(shower)
        ways.append(found / np.linalg.norm(found, axis=1)[:, None])
    energies = lab[seen, 1, 0] * lab[seen, 2, 0]
    mass = np.sqrt(2.0 * energies[taken] * (1.0 - (ways[0] * ways[1]).sum(axis=1)))
    np.testing.assert_allclose(1.0 - mass / 0.3, 20.0 * rows[SLOPE][taken], rtol=0.03, atol=2e-4)


def test_what_cannot_be_is_refused() -> None:
    """Closed decays, unknown names, and events of another process."""
    for more, problem in (
        ({"mass_gev": 0.2}, "is not between"),
        ({"mass_gev": 4.5, "kaon": "Kstar"}, "is not between"),
        ({"mass_gev": 1.0, "kaon": "K_S"}, "kaon 'K_S'"),
        ({"mass_gev": 1.0, "decay": "tautau"}, "decay 'tautau'"),
    ):
        with pytest.raises(OptionError, match=problem):
            BToKaon(**more)  # type: ignore[arg-type]
    block = InelasticPairs(mass_gev=1.0).generate(100, np.random.default_rng(1))
    with pytest.raises(OptionError, match="process b_to_kaon"):
        BCandidateSelection().apply(block, PERFECT, np.random.default_rng(1))


def test_x_moves_with_the_beams() -> None:
    """The mean velocity along the electron beam is that of the beams."""
    x = boost_z(events(BToKaon(mass_gev=2.0), 50_000)[:, -1], 3.0 / 11.0)
    gamma = 11.0 / math.sqrt(112.0)
    mean(x[:, 3], gamma * 3.0 / 11.0 * (M_B_GEV**2 + 4.0 - M_KAON_GEV**2) / (2 * M_B_GEV)
         * 0.5 * CM_ENERGY_GEV / M_B_GEV)  # fmt: skip
    assert LONG_LIVED_ID == 54
