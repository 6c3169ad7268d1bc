"""Generators of the recoil searches against closed forms, known cross sections and each other."""

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.signals.constants import S_GEV2
from darkstats.signals.dirac import GAMMA, METRIC, adjoint, slash, spinors_u, spinors_v
from darkstats.signals.hadronic_ratio import M_PION_GEV
from darkstats.simulation.dark_higgsstrahlung import DarkHiggsstrahlung
from darkstats.simulation.filters import pass_muon_filter
from darkstats.simulation.kinematics import ALPHA, M_MU, M_TAU, PB_GEV2, dot, to_lab
from darkstats.simulation.muon_pair_vector import MuonPairVector
from darkstats.simulation.processes import make_process
from darkstats.simulation.pythia import PythiaLeptonPairs
from darkstats.simulation.radiative_muons import RadiativeMuons, squared_amplitudes
from darkstats.simulation.tau_pairs import TauPairs
from darkstats.simulation.two_photon_muons import TwoPhotonMuons


def rng(seed=1):
    return np.random.default_rng(seed)


def error(weights):
    return float(np.std(weights) / math.sqrt(len(weights)))


def test_gamma_matrices_anticommute():
    for mu in range(4):
        for nu in range(4):
            total = GAMMA[mu] @ GAMMA[nu] + GAMMA[nu] @ GAMMA[mu]
            expected = 2.0 * METRIC[mu] * (mu == nu) * np.eye(4)
            np.testing.assert_allclose(total, expected, atol=1e-15)


def test_spinors_complete_the_propagator():
    p = np.array([[math.sqrt(0.3**2 + 14.0), 1.0, -2.0, 3.0]])
    for spinors, mass in ((spinors_u, 0.3), (spinors_v, -0.3)):
        states = spinors(p, 0.3)[0]
        total = sum(np.outer(state, adjoint(state)) for state in states)
        np.testing.assert_allclose(total, slash(p)[0] + mass * np.eye(4), atol=1e-13)


def test_two_photon_cross_section_is_the_known_one():
    """18.57 +- 0.14 nb for W > 0.5 GeV by an independent program."""
    process = TwoPhotonMuons(min_mass_gev=0.5, max_electron_theta_deg=180.0)
    weights = process.generate(120_000, rng(3)).weight_pb
    spread = math.hypot(error(weights), 140.0)
    assert abs(weights.mean() - 18570.0) < 3.0 * spread
    assert error(weights) < 0.03 * weights.mean()


def test_a_filter_and_points_thrown_at_it_keep_the_cross_section():
    """What passes the filter has the same cross section, thrown at it or not (3 sigma of both)."""
    limits = {
        "theta_range_deg": (42.0, 128.0), "min_momentum_gev": 0.6, "min_recoil_pt_gev": 0.5,
    }  # fmt: skip
    plain = TwoPhotonMuons().generate(1_500_000, rng(5))
    muons = plain.momentum.reshape(-1, 4, 4)
    passed = pass_muon_filter(muons[:, 0], muons[:, 1], **limits)
    weights = np.zeros(len(plain.weight_pb))
    kept = plain.event[::4][passed]
    weights[kept] = plain.weight_pb[kept]
    thrown = TwoPhotonMuons(
        muon_theta_range_deg=limits["theta_range_deg"],
        min_muon_momentum_gev=limits["min_momentum_gev"],
        min_recoil_pt_gev=limits["min_recoil_pt_gev"],
    ).generate(400_000, rng(6))

    def integral(w):
        return w.mean(), w.std() / math.sqrt(len(w))

    (one, error_one), (two, error_two) = integral(weights), integral(thrown.weight_pb)
    assert abs(one - two) < 3.0 * math.hypot(error_one, error_two)
    assert error_two * math.sqrt(400_000) < 0.5 * error_one * math.sqrt(1_500_000)


def test_four_momentum_is_conserved():
    block = TwoPhotonMuons().generate(5000, rng(7))
    total = block.momentum.reshape(-1, 4, 4).sum(axis=1)
    np.testing.assert_allclose(
        total, np.tile([math.sqrt(S_GEV2), 0, 0, 0], (len(total), 1)), atol=1e-8
    )


@pytest.mark.parametrize(("energy", "known"), [(0.5, 47.1), (1.0, 29.4), (2.0, 14.3)])
def test_final_state_radiation_integrates_to_the_analytic_rate(energy, known):
    """(alpha/pi) ((1 + (1-x)^2)/x) (ln(s (1-x)/m^2) - 1), integrated; exact values."""
    process = RadiativeMuons(min_energy_gev=energy, max_cosine=0.999999, isr=False)
    block = process.generate(20_000, rng(11))
    photons = block.momentum.reshape(-1, 3, 4)
    _, final, everything = squared_amplitudes(
        photons[:, 0], photons[:, 1], photons[:, 2], np.full(len(photons), S_GEV2)
    )
    weights = block.weight_pb[block.event[::3]] * final / everything
    weights = np.concatenate([weights, np.zeros(block.n_events - len(weights))])
    assert abs(weights.mean() - known) < 4.0 * error(weights) + 0.1


def test_photon_amplitude_is_gauge_invariant():
    """The sum over polarisations may use -g only if the photon's momentum decouples."""
    block = RadiativeMuons(isr=False).generate(200, rng(13))
    p = block.momentum.reshape(-1, 3, 4)
    s = np.full(len(p), S_GEV2)
    whole = squared_amplitudes(p[:, 0], p[:, 1], p[:, 2], s)
    assert np.all(whole[0] > 0.0)
    assert np.all(whole[1] > 0.0)
    # interference changes sign when the muons are exchanged, the two squares do not
    swapped = squared_amplitudes(p[:, 1], p[:, 0], p[:, 2], s)
    np.testing.assert_allclose(swapped[0], whole[0], rtol=1e-9)
    np.testing.assert_allclose(swapped[1], whole[1], rtol=1e-9)
    between = whole[2] - whole[0] - whole[1]
    np.testing.assert_allclose(
        swapped[2] - swapped[0] - swapped[1], -between, rtol=1e-5, atol=1e-9 * whole[2].max()
    )


@pytest.mark.parametrize("mass", [0.5, 2.0, 7.0])
def test_zprime_signal_is_one_picobarn_at_born_level(mass):
    weights = MuonPairVector(mass_gev=mass, isr=False).generate(20_000, rng(17)).weight_pb
    assert abs(weights.mean() - 1.0) < 4.0 * error(weights) + 2e-3


def test_zprime_recoils_with_its_mass():
    block = MuonPairVector(mass_gev=3.0, isr=False).generate(2000, rng(19))
    pair = block.momentum.reshape(-1, 2, 4).sum(axis=1)
    recoil = np.array([math.sqrt(S_GEV2), 0.0, 0.0, 0.0]) - pair
    np.testing.assert_allclose(dot(recoil, recoil), 9.0, rtol=1e-8)


@pytest.mark.parametrize("masses", [(4.0, 0.5), (6.0, 3.0)])
def test_dark_higgsstrahlung_is_one_picobarn_at_born_level(masses):
    process = DarkHiggsstrahlung(mass_gev=masses[0], higgs_mass_gev=masses[1], isr=False)
    block = process.generate(40_000, rng(23))
    assert abs(block.weight_pb.mean() - 1.0) < 4.0 * error(block.weight_pb)
    pair = block.momentum.reshape(-1, 2, 4).sum(axis=1)
    np.testing.assert_allclose(np.sqrt(dot(pair, pair)), masses[0], rtol=1e-9)


def test_dark_photon_direction_follows_the_known_law():
    """d sigma / d cos ~ 8 m_A'^2 / s + lam sin^2."""
    m, h = 5.0, 2.0
    block = DarkHiggsstrahlung(mass_gev=m, higgs_mass_gev=h, isr=False).generate(200_000, rng(29))
    pair = block.momentum.reshape(-1, 2, 4).sum(axis=1)
    cosine = pair[:, 3] / np.linalg.norm(pair[:, 1:], axis=1)
    x, y = m**2 / S_GEV2, h**2 / S_GEV2
    lam = 1 + x**2 + y**2 - 2 * (x + y + x * y)
    mean = (8 * x / 3 + lam * (2 / 3 - 2 / 5) / 2) / (8 * x + lam * 2 / 3)
    found = np.average(cosine**2, weights=block.weight_pb)
    assert found == pytest.approx(mean, abs=4.0 * 0.3 / math.sqrt(200_000))


def test_tau_pairs_have_the_born_cross_section():
    block = TauPairs(isr=False).generate(100_000, rng(31))
    gamma2 = S_GEV2 / (4.0 * M_TAU**2)
    beta = math.sqrt(1.0 - 1.0 / gamma2)
    born = 4.0 * math.pi * ALPHA**2 / (3.0 * S_GEV2) * PB_GEV2 * beta * (1.0 + 0.5 / gamma2)
    assert abs(block.weight_pb.mean() - born * 0.1739**2) < 4.0 * error(block.weight_pb)


def test_muon_of_a_tau_carries_the_michel_spectrum():
    """Mean of x = 2 E / m_tau in the rest frame is 7/10 for massless leptons."""
    block = TauPairs(isr=False).generate(100_000, rng(37))
    energy = block.momentum[:, 0].reshape(-1, 2).mean(axis=1)
    mean = float(np.average(energy, weights=block.weight_pb[block.event[::2]]))
    # boosted by gamma = sqrt(s) / 2 m; the mass of the muon adds 1.5 %
    assert mean == pytest.approx(0.5 * math.sqrt(S_GEV2) * 0.35, rel=0.02)


def pion_pairs(n, seed):
    """Energies in units of the beam's, and weights, of pairs that are both pions; f = 1."""
    block = TauPairs(isr=False, pion_misidentification=1.0).generate(n, rng(seed))
    p = block.momentum.reshape(-1, 2, 4)
    mass_squared = p[..., 0] ** 2 - (p[..., 1:] ** 2).sum(axis=2)
    both = (np.abs(mass_squared - M_PION_GEV**2) < 1e-4).all(axis=1)
    assert set(np.unique(np.abs(block.pdg_id))) == {13}
    weight = block.weight_pb[block.event[::2]]
    return p[both, :, 0] / (0.5 * math.sqrt(S_GEV2)), weight[both], block


def test_pions_of_taus_have_their_rate():
    """(0.1739 + f 0.1082)^2 of the pairs; of those both pions in (0.1082 f)^2."""
    _, weight, block = pion_pairs(200_000, 71)
    gamma2 = S_GEV2 / (4.0 * M_TAU**2)
    beta = math.sqrt(1.0 - 1.0 / gamma2)
    born = 4.0 * math.pi * ALPHA**2 / (3.0 * S_GEV2) * PB_GEV2 * beta * (1.0 + 0.5 / gamma2)
    expected = born * (0.1739 + 0.1082) ** 2
    assert abs(block.weight_pb.mean() - expected) < 4.0 * error(block.weight_pb)
    share = weight.sum() / block.weight_pb.sum()
    known = (0.1082 / (0.1739 + 0.1082)) ** 2
    # effective number of pairs: weights vary by 1 + cos^2 and the spins
    spread = math.sqrt(known * (1.0 - known) * 1.4 / 200_000)
    assert abs(share - known) < 4.0 * spread


def test_pions_of_taus_are_correlated_by_their_spins():
    """z is the cosine to the flight, flat for each pion; its product averages to R / 9.

    ``R = (1 - 1 / (2 gamma^2)) / (1 + 1 / (2 gamma^2))`` from the spin-averaged and the
    longitudinal part of the amplitude, integrated over the angle of the taus.
    """
    energy, weight, _ = pion_pairs(400_000, 73)
    gamma = math.sqrt(S_GEV2) / (2.0 * M_TAU)
    beta = math.sqrt(1.0 - 1.0 / gamma**2)
    rest_energy = (M_TAU**2 + M_PION_GEV**2) / (2.0 * M_TAU)
    momentum = (M_TAU**2 - M_PION_GEV**2) / (2.0 * M_TAU)
    z = (energy * 0.5 * math.sqrt(S_GEV2) / gamma - rest_energy) / (beta * momentum)
    assert np.abs(z).max() < 1.0 + 1e-9
    effective = weight.sum() ** 2 / (weight**2).sum()
    for column in z.T:
        assert abs(np.average(column, weights=weight)) < 4.0 * math.sqrt(1.0 / 3.0 / effective)
    known = (1.0 - 0.5 / gamma**2) / (1.0 + 0.5 / gamma**2) / 9.0
    found = np.average(z[:, 0] * z[:, 1], weights=weight)
    assert abs(found - known) < 4.0 * (1.0 / 3.0) / math.sqrt(effective)
    assert known > 20.0 * (1.0 / 3.0) / math.sqrt(effective) / 4.0  # the sign is told


def test_without_pions_the_events_of_taus_are_the_same():
    one, other = (TauPairs(**more).generate(1000, rng(5)) for more in ({}, {"decays": "mumu"}))
    assert (one.momentum == other.momentum).all()
    electrons = TauPairs(decays="emu", isr=False, pion_misidentification=0.5)
    block = electrons.generate(1000, rng(5))
    assert set(np.unique(np.abs(block.pdg_id))) == {11, 13}


def test_spins_of_taus_are_correlated_as_in_pythia():
    pythia8mc = pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    assert pythia8mc is not None
    means = []
    for process, n in (
        (TauPairs(), 200_000),
        (PythiaLeptonPairs(lepton="tau"), 2000),
    ):
        block = process.generate(n, rng(41))
        muon = np.abs(block.pdg_id) == 13
        event, charge = block.event[muon], block.pdg_id[muon] > 0
        p = block.momentum[muon]
        minus, plus = p[charge], p[~charge]
        weight = block.weight_pb[event[charge]]
        angle = (minus[:, 1:] * plus[:, 1:]).sum(axis=1) / (minus[:, 0] * plus[:, 0])
        means.append(np.average(angle, weights=weight))
    assert means[0] == pytest.approx(means[1], abs=4.0 * 0.4 / math.sqrt(2000))


def test_pythia_muons_include_the_radiative_return():
    """1.08 nb; with the default least mass of 10 GeV it would be 0.74 nb."""
    pytest.importorskip("pythia8mc", reason="PYTHIA 8 is an optional extra")
    block = PythiaLeptonPairs(lepton="mu").generate(5000, rng(43))
    assert block.cross_section_pb == pytest.approx(1082.0, rel=0.02)
    assert set(np.unique(np.abs(block.pdg_id))) == {13, 22}
    again = PythiaLeptonPairs(lepton="mu").generate(5000, rng(43))
    np.testing.assert_array_equal(block.momentum, again.momentum)


def test_pythia_weights_hold_the_branching_fractions():
    both = PythiaLeptonPairs(lepton="tau")
    assert both.branching_fraction == pytest.approx(0.1739**2)
    assert PythiaLeptonPairs(lepton="tau", tau_decays="leptons").branching_fraction == (
        pytest.approx((0.1739 + 0.1782) ** 2)
    )
    assert PythiaLeptonPairs(lepton="mu").branching_fraction == 1.0


def test_settings_that_cannot_be_are_refused():
    for bad in (
        lambda: PythiaLeptonPairs(lepton="e"),
        lambda: PythiaLeptonPairs(lepton="tau", tau_decays="none"),
        lambda: TauPairs(decays="ee"),
        lambda: TauPairs(pion_misidentification=1.5),
        lambda: DarkHiggsstrahlung(mass_gev=8.0, higgs_mass_gev=4.0),
        lambda: make_process("tau_pairs", {"decay": "mumu"}),
    ):
        with pytest.raises(OptionError):
            bad()


def test_lists_of_a_card_become_values():
    process = make_process("two_photon_muons", {"muon_theta_range_deg": [40.0, 130.0]})
    assert hash(process) == hash(TwoPhotonMuons(muon_theta_range_deg=(40.0, 130.0)))
    assert pytest.approx(0.1056583755) == M_MU


def test_enriched_photons_keep_the_cross_section_and_fill_the_gaps():
    gaps = ((31.4, 32.2), (128.7, 130.7))
    plain = RadiativeMuons().generate(60_000, rng(47))
    enriched = RadiativeMuons(enriched_ranges_deg=gaps).generate(60_000, rng(53))
    spread = math.hypot(error(plain.weight_pb), error(enriched.weight_pb))
    assert abs(plain.weight_pb.mean() - enriched.weight_pb.mean()) < 4.0 * spread

    def lost(block):
        photon = to_lab(block.momentum[2::3])
        theta = np.degrees(np.arccos(photon[:, 3] / photon[:, 0]))
        inside = np.zeros(len(theta), bool)
        for low, high in gaps:
            inside |= (theta > low) & (theta < high)
        weights = np.zeros(block.n_events)
        weights[block.event[::3][inside]] = block.weight_pb[block.event[::3][inside]]
        return weights

    one, two = lost(plain), lost(enriched)
    assert abs(one.mean() - two.mean()) < 4.0 * math.hypot(error(one), error(two))
    assert error(two) < 0.4 * error(one)
