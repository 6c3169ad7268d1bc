"""Decays of taus: spectra in closed form, masses, shares of the decays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.signals.hadronic_ratio import M_PION_GEV
from darkstats.simulation.kinematics import M_E, M_MU, M_TAU, dot
from darkstats.simulation.tau_decays import (
    ONE_PRONG,
    TAU_TO_PION,
    leptonic_decay,
    one_prong,
    three_pions,
)

N = 200_000


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def test_shares_are_branching_fractions() -> None:
    """Electrons, muons, pions of a negative tau, within 4 sigma; 0.81 of the 0.852 to one prong."""
    momenta, codes = one_prong(N, rng())
    assert pytest.approx(0.808, abs=0.001) == ONE_PRONG
    for code, share in ((11, 0.1782), (13, 0.1739), (-211, 0.1082 + 0.2549 + 0.0926)):
        expected = share / ONE_PRONG
        error = math.sqrt(expected * (1.0 - expected) / N)
        assert abs((codes == code).mean() - expected) < 4.0 * error
    for code, mass in ((13, M_MU), (-211, M_PION_GEV)):
        chosen = momenta[codes == code]
        np.testing.assert_allclose(dot(chosen, chosen), mass**2, atol=1e-9)
    monochromatic = np.abs(momenta[:, 0] - (M_TAU**2 + M_PION_GEV**2) / (2.0 * M_TAU)) < 1e-9
    expected = TAU_TO_PION / ONE_PRONG
    assert abs((monochromatic & (codes == -211)).mean() - expected) < 5.0 * math.sqrt(expected / N)


def test_leptons_have_the_spectrum_of_michel() -> None:
    """Mean of 2 E / m: 7/10 for a massless lepton."""
    momenta, _ = leptonic_decay(N, M_E, rng(2))
    energy = 2.0 * momenta[:, 0] / M_TAU
    assert abs(energy.mean() - 0.7) < 4.0 * energy.std() / math.sqrt(N) + 1e-4
    assert (energy <= 1.0 + 1e-9).all()


def test_pions_of_a_rho_remember_its_spin() -> None:
    """Slow and fast ones are more than in the middle: longitudinal rhos have cos^2."""
    momenta, codes = one_prong(N, rng(3))
    top = (M_TAU**2 + M_PION_GEV**2) / (2.0 * M_TAU)
    energy = momenta[(codes == -211) & (np.abs(momenta[:, 0] - top) > 1e-9), 0]
    counts = np.histogram(energy, bins=[0.2, 0.4, 0.6, 0.8])[0]
    assert (energy < M_TAU / 2.0 + 0.02).all()
    assert counts[1] < counts[0]


def test_three_pions_fit_into_a_tau() -> None:
    momenta, codes = three_pions(20_000, rng(4))
    np.testing.assert_allclose(dot(momenta, momenta), M_PION_GEV**2, atol=1e-8)
    total = momenta.sum(axis=1)
    mass = np.sqrt(dot(total, total))
    assert (mass < M_TAU).all()
    assert 1.0 < np.median(mass) < 1.4
    # the neutrino takes what is left
    left = np.array([M_TAU, 0.0, 0.0, 0.0]) - total
    np.testing.assert_allclose(dot(left, left), 0.0, atol=1e-7)
    assert codes.sum() == -211
    pair = momenta[:, 1] + momenta[:, 2]
    rho = np.sqrt(dot(pair, pair))
    assert 0.7 < np.median(rho) < 0.8
