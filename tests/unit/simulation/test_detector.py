"""Response and selections: numbers of the design, vetoes, empty samples."""

import numpy as np
import pytest

from darkstats.errors import OptionError, UnknownNameError
from darkstats.simulation.axion_strahlung import AxionStrahlung
from darkstats.simulation.detector import Detector
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import M_MU, massless, to_cm
from darkstats.simulation.selection import (
    DILEPTON_COLUMNS,
    PHOTON_COLUMNS,
    DileptonRecoilSelection,
    ThreePhotonSelection,
)


def generator(seed=1):
    return np.random.Generator(np.random.Philox(seed))


@pytest.mark.parametrize(
    ("energy", "percent"), [(0.1, 3.7), (0.5, 2.3), (1.0, 2.0), (4.0, 1.65), (8.0, 1.53)]
)
def test_energy_resolution_is_the_design(energy, percent):
    found = Detector().energy_resolution(np.array([energy]))[0]
    assert 100 * found == pytest.approx(percent, rel=0.02)


def test_photons_are_smeared_by_that_resolution():
    photons = np.tile(massless(np.array([2.0]), np.array([[0.6, 0.0, 0.8]])), (40_000, 1))
    measured = Detector().smear_photons(photons, generator())
    expected = Detector().energy_resolution(np.array([2.0]))[0]
    assert measured[:, 0].std() / 2.0 == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(measured[:, 0], np.linalg.norm(measured[:, 1:], axis=1), rtol=1e-12)


def test_transverse_momentum_resolution():
    track = np.array([[np.hypot(3.0, M_MU), 3.0, 0.0, 0.0]])
    detector = Detector(track_smearing=1.0)
    measured = detector.smear_tracks(
        np.tile(track, (40_000, 1)), np.full(40_000, M_MU), generator()
    )
    assert np.hypot(measured[:, 1], measured[:, 2]).std() == pytest.approx(0.0127, rel=0.03)


def test_gaps_of_the_calorimeter_see_nothing():
    angles = np.radians([10.0, 20.0, 31.8, 90.0, 129.5, 140.0, 160.0])
    np.testing.assert_array_equal(
        Detector().in_ecl(angles), [False, True, False, True, False, True, False]
    )


def test_unknown_parameters_and_impossible_values_are_refused():
    with pytest.raises(UnknownNameError, match="photon_eficiency"):
        Detector.from_settings({"photon_eficiency": 0.9})
    with pytest.raises(OptionError, match="outside"):
        Detector(photon_efficiency=1.2)


def test_three_rows_an_event_and_the_signal_peaks_in_the_true_one():
    block = AxionStrahlung(mass_gev=1.0, isr=False).generate(20_000, generator())
    found = ThreePhotonSelection().apply(block, Detector(), generator(2))
    assert set(found.columns) == set(PHOTON_COLUMNS)
    true = found["truth"] > 0.5
    assert true.sum() * 3 == len(found)
    mass = np.sqrt(found["mgg_squared_gev2"][true])
    assert np.median(mass) == pytest.approx(1.0, abs=0.005)
    width = 0.5 * np.subtract(*np.quantile(mass, [0.84, 0.16]))
    assert width == pytest.approx(0.015, rel=0.1)  # computed by a prototype for the same design
    recoil = found["recoil_mass_squared_gev2"][true]
    assert np.median(recoil) == pytest.approx(1.0, abs=0.4)


def muon_event(extra=()):
    """Two muons with a large opening angle, and more particles given in the laboratory."""
    muons = [(13, [3.0, 0.5, -0.5]), (-13, [-2.5, 0.2, 0.8])]
    particles = [*muons, *extra]
    masses = {13: M_MU, 22: 0.0, 11: 0.000511, 211: 0.13957}
    momenta = [[np.hypot(np.linalg.norm(p), masses[abs(k)]), *p] for k, p in particles]
    return EventBlock(
        event=np.zeros(len(particles), dtype=np.int64),
        pdg_id=np.array([kind for kind, _ in particles]),
        momentum=to_cm(np.array(momenta)),
        weight_pb=np.array([2.0]),
    )


def test_a_photon_in_the_calorimeter_leaves_its_inefficiency():
    detector = Detector(lepton_efficiency=1.0)
    selection = DileptonRecoilSelection()
    clean = selection.apply(muon_event(), detector, generator())
    assert clean.weight_pb[0] == pytest.approx(2.0)
    photon = (22, [1.0, 1.0, 0.0])
    vetoed = selection.apply(muon_event([photon]), detector, generator())
    assert vetoed.weight_pb[0] == pytest.approx(2.0 * 3e-3)
    lost = (22, [0.01, 0.0, 2.0])  # along the beam
    unseen = selection.apply(muon_event([lost]), detector, generator())
    assert unseen.weight_pb[0] == pytest.approx(2.0)


def test_a_third_track_vetoes_and_flavours_are_told_apart():
    selection = DileptonRecoilSelection()
    assert len(selection.apply(muon_event([(211, [0.5, 0.5, 0.2])]), Detector(), generator())) == 0
    other = DileptonRecoilSelection(flavours="emu")
    assert len(other.apply(muon_event(), Detector(), generator())) == 0


def test_recoil_columns_follow_from_momenta():
    detector = Detector(track_smearing=0.0)
    found = DileptonRecoilSelection().apply(muon_event(), detector, generator())
    assert set(found.columns) == set(DILEPTON_COLUMNS)
    energy = 11.0 - np.hypot(np.linalg.norm([3.0, 0.5, -0.5]), M_MU)
    energy -= np.hypot(np.linalg.norm([-2.5, 0.2, 0.8]), M_MU)
    missing = np.array([0.0, 0.0, 3.0]) - [0.5, 0.7, 0.3]
    assert found["recoil_mass_squared_gev2"][0] == pytest.approx(energy**2 - missing @ missing)


def test_no_survivor_is_an_empty_sample():
    block = AxionStrahlung(mass_gev=1.0).generate(50, generator())
    found = ThreePhotonSelection(min_energy_gev=50.0).apply(block, Detector(), generator())
    assert len(found) == 0
    assert found.n_generated == 50
    assert found.cross_section_pb > 0.9


def test_photons_are_missed_by_their_energy():
    """Logarithms are linear between the rows, constant beyond."""
    detector = Detector(veto_inefficiency=((0.15, 1e-2), (0.6, 1e-3), (2.0, 1.5e-4)))
    found = detector.missed(np.array([0.05, 0.15, 0.3, 0.6, 2.0, 7.0]))
    middle = np.sqrt(1e-2 * 1e-3)  # 0.3 GeV halves the logarithms of 0.15 and 0.6
    np.testing.assert_allclose(found, [1e-2, 1e-2, middle, 1e-3, 1.5e-4, 1.5e-4], rtol=1e-12)
    np.testing.assert_array_equal(Detector(veto_inefficiency=0.2).missed(found), np.full(6, 0.2))


@pytest.mark.parametrize(
    "rows", [((0.5, 0.1), (0.2, 0.1)), ((0.0, 0.1),), ((0.5, 1.2),), ((0.5, 0.0),), (), (0.5, 0.1)]
)
def test_impossible_tables_of_missed_photons_are_refused(rows):
    with pytest.raises(OptionError, match="veto_inefficiency"):
        Detector(veto_inefficiency=rows)


def test_each_photon_is_missed_by_its_own_energy():
    """The weight is the product over the photons of an event; gaps and soft ones count nothing."""
    n = 3
    muons = massless(np.full(2 * n, 3.0), np.array([[0.96, 0.0, 0.28], [-0.96, 0.0, -0.28]] * n))
    muons[:, 0] = np.hypot(3.0, M_MU)
    photons = massless(np.array([0.5, 2.0, 0.05]), np.array([[0.0, 1.0, 0.0]] * 3))
    momentum = to_cm(np.concatenate([muons, photons]))
    event = np.array([0, 0, 1, 1, 2, 2, 0, 0, 1])
    order = np.argsort(event, kind="stable")
    block = EventBlock(
        event=event[order],
        pdg_id=np.array([13, -13] * n + [22, 22, 22])[order],
        momentum=momentum[order],
        weight_pb=np.ones(n),
    )
    detector = Detector(
        veto_inefficiency=((0.5, 1e-2), (2.0, 1e-4)), lepton_efficiency=1.0
    )  # fmt: skip
    found = DileptonRecoilSelection(max_recoil_mass_squared_gev2=1e9).apply(
        block, detector, generator()
    )
    np.testing.assert_allclose(found.weight_pb, [1e-6, 1.0, 1.0], rtol=1e-9)
