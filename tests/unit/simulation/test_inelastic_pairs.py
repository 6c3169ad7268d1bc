"""Events of inelastic dark matter: conservation, masses, spectrum, boosts, and their selection."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import CM_ENERGY_GEV, M_ELECTRON_GEV
from darkstats.signals.inelastic_dark_matter import InelasticDarkMatter
from darkstats.simulation.detector import Detector
from darkstats.simulation.displaced_pairs import DisplacedPairSelection
from darkstats.simulation.inelastic_dark_matter import LONG_LIVED_ID, InelasticPairs
from darkstats.simulation.kinematics import BOOST_BETA, boost_z, invariant_mass_squared


def events(mass: float = 1.0, n: int = 20_000, *, isr: bool = False, seed: int = 1) -> np.ndarray:
    block = InelasticPairs(mass_gev=mass, isr=isr).generate(n, np.random.default_rng(seed))
    assert block.pdg_id[:4].tolist() == [22, 11, -11, LONG_LIVED_ID]
    return block.momentum.reshape(-1, 4, 4)


def test_masses_and_momenta() -> None:
    """chi2, what is left of it (chi1), A' and the beams have their masses, all momenta add up."""
    photon, electron, positron, excited = events().transpose(1, 0, 2)
    model = InelasticDarkMatter.benchmark(1.0)
    squared = invariant_mass_squared
    for lepton in (electron, positron):
        # differences of squares of up to 25 GeV^2: rounding is 1e-14
        np.testing.assert_allclose(squared(lepton), M_ELECTRON_GEV**2, atol=3e-13)
    np.testing.assert_allclose(squared(excited), model.excited_gev**2, rtol=1e-10)
    stable = excited - electron - positron
    np.testing.assert_allclose(squared(stable), 1.0, rtol=1e-9)
    beams = np.array([CM_ENERGY_GEV, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(squared(beams - photon), 9.0, rtol=1e-9)
    np.testing.assert_allclose(squared(beams - photon - excited), 1.0, rtol=1e-8)


def test_the_weights_are_those_of_the_production() -> None:
    """1 pb within the cosine (5 sigma)."""
    block = InelasticPairs(mass_gev=1.0, isr=False).generate(20_000, np.random.default_rng(2))
    weights = block.weight_pb
    assert abs(weights.mean() - 1.0) < 5.0 * weights.std() / math.sqrt(len(weights))


def test_pairs_have_the_exact_spectrum() -> None:
    """Shares below masses are integrals of dGamma/dq^2 (5 sigma); most pairs are light."""
    momenta = events(n=40_000, seed=3)
    pair = np.sqrt(invariant_mass_squared(momenta[:, 1] + momenta[:, 2]))
    model = InelasticDarkMatter.benchmark(1.0)
    q2 = np.geomspace(4.0 * M_ELECTRON_GEV**2, model.splitting_gev**2, 200_001)
    size = model.spectrum(q2, M_ELECTRON_GEV)
    steps = 0.5 * (size[1:] + size[:-1]) * np.diff(q2)
    total = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    for limit in (0.01, 0.05, 0.15, 0.3):
        share = float(np.interp(limit**2, q2, total))
        error = math.sqrt(share * (1.0 - share) / len(pair))
        assert (pair < limit).mean() == pytest.approx(share, abs=5.0 * error)
    assert pair.max() <= model.splitting_gev * (1.0 + 1e-9)


def test_energies_of_the_excited_state_fill_their_range() -> None:
    """Without spins its energy is flat between the ends that a boost of A' gives (5 sigma)."""
    excited = events(n=40_000, seed=4)[:, 3]
    model = InelasticDarkMatter.benchmark(1.0)
    s, m = CM_ENERGY_GEV**2, model.mediator_gev
    energy, momentum = (s + m**2) / (2.0 * CM_ENERGY_GEV), (s - m**2) / (2.0 * CM_ENERGY_GEV)
    rest = math.hypot(model.excited_gev, model.momentum_gev)
    low, high = ((energy * rest + k * momentum * model.momentum_gev) / m for k in (-1.0, 1.0))
    place = (excited[:, 0] - low) / (high - low)
    assert -1e-9 < place.min() < place.max() < 1.0 + 1e-9
    assert place.mean() == pytest.approx(0.5, abs=5.0 / math.sqrt(12.0 * len(place)))
    assert (place < 0.25).mean() == pytest.approx(0.25, abs=5.0 * math.sqrt(0.1875 / len(place)))


def test_selection_measures_what_there_is() -> None:
    """With a perfect detector columns are those of the events, boosts those of chi2 in the lab."""
    perfect = Detector(
        energy_terms=(0.0, 0.0, 0.0), position_rad=0.0, track_terms=(0.0, 0.0),
        track_angle_rad=0.0, photon_efficiency=0.9, lepton_efficiency=0.8, trigger_efficiency=0.5,
    )  # fmt: skip
    block = InelasticPairs(mass_gev=1.0).generate(5_000, np.random.default_rng(6))
    rows = DisplacedPairSelection(min_photon_energy_gev=1.0, min_momentum_gev=0.2).apply(
        block, perfect, np.random.default_rng(1)
    )
    lab = boost_z(block.momentum.reshape(-1, 4, 4), BOOST_BETA)
    theta = np.degrees(np.arctan2(np.hypot(lab[..., 1], lab[..., 2]), lab[..., 3]))
    sizes = np.linalg.norm(lab[:, 1:3, 1:], axis=2).min(axis=1)
    crystals = ((12.4, 31.4), (32.2, 128.7), (130.7, 155.1))
    kept = np.any([(theta[:, 0] > a) & (theta[:, 0] < b) for a, b in crystals], axis=0)
    kept &= ((theta[:, 1:3] > 17.0) & (theta[:, 1:3] < 150.0)).all(axis=1)
    kept &= (lab[:, 0, 0] > 1.0) & (sizes > 0.2)
    assert len(rows) == kept.sum() > 500
    chi2 = lab[kept, 3]
    mass = InelasticDarkMatter.benchmark(1.0).excited_gev
    np.testing.assert_allclose(
        rows["boost_transverse"], np.hypot(chi2[:, 1], chi2[:, 2]) / mass, rtol=1e-9
    )
    np.testing.assert_allclose(rows["boost_along"], chi2[:, 3] / mass, rtol=1e-9)
    np.testing.assert_allclose(rows["photon_energy_gev"], lab[kept, 0, 0], rtol=1e-9)
    np.testing.assert_allclose(rows["p_min_gev"], sizes[kept], rtol=1e-6)
    pair = lab[kept, 1] + lab[kept, 2]
    np.testing.assert_allclose(rows["m_ee_gev"] ** 2, invariant_mass_squared(pair), atol=1e-6)
    generated = block.weight_pb[block.event[::4]][kept]
    np.testing.assert_allclose(rows.weight_pb, generated * 0.9 * 0.8**2 * 0.5, rtol=1e-12)


def test_closed_decays_are_refused() -> None:
    """A' heavier than the beams is refused as one that cannot decay."""
    with pytest.raises(OptionError, match="does not decay to chi1 chi2"):
        InelasticPairs(mass_gev=1.0, splitting_ratio=1.1)
    with pytest.raises(OptionError, match="cannot be made"):
        InelasticPairs(mass_gev=4.0)
