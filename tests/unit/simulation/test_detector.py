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
    HELICITY,
    PHOTON_COLUMNS,
    DileptonRecoilSelection,
    ThreePhotonSelection,
)
from darkstats.simulation.tau_pairs import TauPairs


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


def test_a_tail_of_the_energy_has_the_declared_fraction_and_mean():
    """Without resolution the loss is seen alone: an exponential for a fraction of the photons."""
    n = 200_000
    photons = np.tile(massless(np.array([2.0]), np.array([[0.6, 0.0, 0.8]])), (n, 1))
    sharp = Detector(energy_terms=(0.0, 0.0, 0.0), energy_tail=(0.3, 0.04))
    lost = 1.0 - sharp.smear_photons(photons, generator())[:, 0] / 2.0
    hit = lost > 1e-12
    assert hit.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / n))
    assert lost[hit].mean() == pytest.approx(0.04, abs=4 * 0.04 / np.sqrt(0.3 * n))
    assert (lost > 0.08).mean() == pytest.approx(0.3 * np.exp(-2), abs=4 * np.sqrt(0.04 / n))
    plain, tailed = (
        detector.smear_photons(photons[:2000], generator(3))
        for detector in (Detector(), Detector(energy_tail=(0.3, 0.04)))
    )
    assert np.all(tailed[:, 0] <= plain[:, 0])  # the same core
    np.testing.assert_allclose(tailed[:, 3] / tailed[:, 0], plain[:, 3] / plain[:, 0], rtol=1e-9)


def three_particles(energies, directions, kinds=(22, 22, 22)):
    """One event of three particles, given in the laboratory."""
    return EventBlock(
        event=np.zeros(3, dtype=np.int64),
        pdg_id=np.array(kinds),
        momentum=to_cm(massless(np.array(energies), np.array(directions))),
        weight_pb=np.array([2.0]),
    )


SHARP = {"energy_terms": (0.0, 0.0, 0.0), "position_rad": 0.0}
STAR = [[np.cos(a), np.sin(a), 0.0] for a in (0.0, 2.0, 4.0)]
ANY_MASS = {"total_mass_range": (0.1, 2.0)}


def test_each_wanted_photon_has_the_efficiency_of_its_energy():
    """Linear in the logarithm between rows: 1 GeV lies in the middle of 0.5 and 2 GeV."""
    detector = Detector(**SHARP, photon_efficiency=((0.5, 0.8), (2.0, 0.9)))
    np.testing.assert_allclose(
        detector.found(np.array([0.1, 0.5, 1.0, 2.0, 7.0])), [0.8, 0.8, 0.85, 0.9, 0.9]
    )
    block = three_particles([1.0, 2.0, 5.0], STAR)
    found = ThreePhotonSelection(**ANY_MASS).apply(block, detector, generator())
    np.testing.assert_allclose(found.weight_pb, np.full(3, 2.0 * 0.85 * 0.9 * 0.9), rtol=1e-12)


@pytest.mark.parametrize("rows", [((0.5, 0.1), (0.2, 0.1)), ((0.5, 1.2),), (), (0.5, 0.1), 1.2])
def test_impossible_tables_of_efficiencies_are_refused(rows):
    with pytest.raises(OptionError, match="photon_efficiency"):
        Detector(photon_efficiency=rows)


@pytest.mark.parametrize(
    "change",
    [{"energy_tail": (0.3,)}, {"energy_tail": (1.2, 0.1)}, {"track_loss": -0.1},
     {"electron_bend_gev": -1.0}],
)  # fmt: skip
def test_impossible_losses_are_refused(change):
    with pytest.raises(OptionError, match=next(iter(change))):
        Detector(**change)


@pytest.mark.parametrize(
    ("theta", "phi", "kept"),
    [(0.010, 0.30, False), (0.020, 0.30, True), (0.010, 0.45, True), (-0.010, -0.30, False)],
)
def test_pairs_that_look_like_a_conversion_are_rejected(theta, phi, kept):
    """Both differences must be small; azimuths are compared across the seam at pi."""
    angles = [(1.2, 3.1), (1.2 + theta, 3.1 + phi), (1.5, 0.0)]
    directions = [[np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)] for t, p in angles]
    block = three_particles([3.0, 2.0, 4.0], directions)
    cut = ThreePhotonSelection(**ANY_MASS, conversion_rad=(0.014, 0.40))
    assert (len(cut.apply(block, Detector(**SHARP), generator())) == 3) is kept
    assert len(ThreePhotonSelection(**ANY_MASS).apply(block, Detector(**SHARP), generator())) == 3


def test_electrons_are_photons_with_the_probability_that_their_tracks_are_lost():
    """The weight has a factor for each track; showers lie beside the directions of the tracks."""
    block = three_particles([2.0, 3.0, 4.0], STAR, kinds=(11, -11, 22))
    detector = Detector(**SHARP, photon_efficiency=1.0, track_loss=0.05)
    found = ThreePhotonSelection(**ANY_MASS).apply(block, detector, generator())
    np.testing.assert_allclose(found.weight_pb, np.full(3, 2.0 * 0.05**2), rtol=1e-12)
    turns = np.arcsin(0.281 / np.array([2.0, 3.0])) * [1.0, -1.0]  # an electron turns upwards
    azimuths = np.array([0.0, 2.0]) + turns
    mass_squared = 2.0 * 2.0 * 3.0 * (1.0 - np.cos(azimuths[1] - azimuths[0]))
    assert found["mgg_squared_gev2"][2] == pytest.approx(mass_squared, rel=1e-9)
    sure = ThreePhotonSelection(**ANY_MASS).apply(block, Detector(**SHARP), generator())
    np.testing.assert_array_equal(sure.weight_pb, 0.0)  # no track is lost by default


def test_effects_that_are_off_leave_the_key_of_the_cache():
    """Detectors and selections from before them simulate the same events."""
    assert not {"energy_tail", "track_loss", "electron_bend_gev"} & set(Detector().settings())
    assert Detector(track_loss=0.05).settings()["track_loss"] == 0.05
    assert "conversion_rad" not in ThreePhotonSelection().settings()
    cut = ThreePhotonSelection(conversion_rad=(0.014, 0.40))
    assert cut.settings()["conversion_rad"] == (0.014, 0.40)


def test_extra_energy_takes_its_share_of_the_events():
    selection = DileptonRecoilSelection()
    found = selection.apply(
        muon_event(), Detector(lepton_efficiency=1.0, extra_energy_efficiency=0.96), generator()
    )
    assert found.weight_pb[0] == pytest.approx(2.0 * 0.96)
    with pytest.raises(OptionError, match="extra_energy_efficiency"):
        Detector(extra_energy_efficiency=1.1)


def test_options_that_are_off_leave_the_samples_as_they_were():
    """The streams of a sample are keyed by its settings: those of old samples stay."""
    assert "extra_energy_efficiency" not in Detector().settings()
    assert Detector(extra_energy_efficiency=0.96).settings()["extra_energy_efficiency"] == 0.96
    assert "helicity" not in DileptonRecoilSelection().settings()
    assert DileptonRecoilSelection(helicity=True).settings()["helicity"] is True
    assert "pion_misidentification" not in TauPairs().settings()
    assert TauPairs(pion_misidentification=0.1).settings()["pion_misidentification"] == 0.1


def test_helicity_is_that_of_the_muons_in_the_frame_of_their_pair():
    """Against an explicit boost of the positive muon into the rest frame of the pair."""
    detector = Detector(track_smearing=0.0)
    selection = DileptonRecoilSelection(
        helicity=True, min_momentum_gev=0.1, theta_range_deg=(18.0, 149.0)
    )
    plus, minus = np.array([3.0, 0.5, -0.5]), np.array([-2.5, 0.2, 0.8])  # of muon_event
    found = selection.apply(muon_event(), detector, generator())
    assert set(found.columns) == {*DILEPTON_COLUMNS, HELICITY}
    first, second = (
        to_cm(np.array([[np.hypot(np.linalg.norm(p), M_MU), *p]]))[0] for p in (plus, minus)
    )
    pair = first + second
    mass = np.sqrt(pair[0] ** 2 - pair[1:] @ pair[1:])
    direction = pair[1:] / np.linalg.norm(pair[1:])
    along = first[1:] @ direction
    gamma, boost = pair[0] / mass, np.linalg.norm(pair[1:]) / mass
    along_rest = gamma * along - boost * first[0]
    across = np.linalg.norm(first[1:] - along * direction)
    assert found[HELICITY][0] == pytest.approx(across / np.hypot(across, along_rest), rel=1e-9)
