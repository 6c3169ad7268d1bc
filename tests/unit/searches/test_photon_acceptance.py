"""What the selection accepts of smooth spectra: closed forms against throws of their kinematics."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.searches.bump_settings import BumpHunt
from darkstats.searches.bump_spectra import spectra_of
from darkstats.searches.photon_acceptance import pair_acceptance, recoil_acceptance
from darkstats.searches.windows import DiphotonResolution, window_of
from darkstats.signals.constants import BOOST_BETA, CM_ENERGY_GEV
from darkstats.templates.bernstein import bernstein_averages
from darkstats.templates.smoothing import smoothed

ANGLES_DEG = (37.3, 123.7)
GAMMA = 1.0 / np.sqrt(1.0 - BOOST_BETA**2)
HUNT = BumpHunt(follow_acceptance=True, merging_rad=0.07)


def recoil(squared, threshold_gev=0.65):
    return recoil_acceptance(
        np.asarray(squared, dtype=float),
        cm_energy_gev=CM_ENERGY_GEV,
        threshold_gev=threshold_gev,
        theta_range_deg=ANGLES_DEG,
    )


def pairs(squared, *, threshold_gev=1.0, merging_rad=0.07, resolution=None):
    return pair_acceptance(
        np.asarray(squared, dtype=float),
        cm_energy_gev=CM_ENERGY_GEV,
        threshold_gev=threshold_gev,
        theta_range_deg=ANGLES_DEG,
        merging_rad=merging_rad,
        resolution=resolution or DiphotonResolution(),
    )


def recoil_mass_at(angle_deg, threshold_gev=0.65):
    """Squared recoil mass of a photon at the threshold in the laboratory, at an angle there."""
    energy = GAMMA * threshold_gev * (1.0 - BOOST_BETA * np.cos(np.radians(angle_deg)))
    return CM_ENERGY_GEV**2 - 2.0 * CM_ENERGY_GEV * energy


def test_the_photon_threshold_begins_backward_and_ends_forward():
    """Below the mass of the backward edge all is accepted, above that of the forward edge nothing.

    A photon loses most energy in the laboratory where it goes backward.
    """
    first, last = recoil_mass_at(ANGLES_DEG[1]), recoil_mass_at(ANGLES_DEG[0])
    assert first < last
    assert np.sqrt([first, last]) == pytest.approx([9.774, 10.040], abs=1e-3)
    found = recoil([0.0, first - 1e-6, first + 0.01, last - 0.01, last + 1e-6, CM_ENERGY_GEV**2])
    assert found[:2] == pytest.approx(1.0, abs=1e-12)
    assert 0.99 < found[2] < 1.0
    assert 0.0 < found[3] < 0.01
    assert found[4:] == pytest.approx(0.0, abs=1e-12)


def test_the_threshold_accepts_what_thrown_photons_say():
    """Soft photons thrown with 1 / sin^2 between the angles, boosted, and cut."""
    rng = np.random.default_rng(1)
    lab = np.cos(np.radians(ANGLES_DEG))
    ends = np.arctanh((lab - BOOST_BETA) / (1.0 - BOOST_BETA * lab))
    cosine = np.tanh(rng.uniform(ends[1], ends[0], 200_000))
    for mass in (9.80, 9.9, 10.0):
        energy = (CM_ENERGY_GEV**2 - mass**2) / (2.0 * CM_ENERGY_GEV)
        thrown = np.mean(GAMMA * energy * (1.0 + BOOST_BETA * cosine) > 0.65)
        assert recoil([mass**2])[0] == pytest.approx(thrown, abs=0.005)


def test_merging_accepts_what_thrown_pairs_say():
    """Light pairs thrown in direction, sharing of energy and measured mass, cut in their angle."""
    rng, n = np.random.default_rng(2), 400_000
    low, high = np.cos(np.radians(ANGLES_DEG[::-1]))
    lab = rng.uniform(low, high, n)
    at_cm = (lab - BOOST_BETA) / (1.0 - BOOST_BETA * lab)
    density = (1.0 + at_cm**2) / (1.0 - at_cm**2) / (1.0 - BOOST_BETA * lab) ** 2
    energy = CM_ENERGY_GEV / (2.0 * GAMMA * (1.0 - BOOST_BETA * lab))
    edge = np.log((energy - 1.0) / 1.0)  # the logit of z at the threshold of 1 GeV
    share = 1.0 / (1.0 + np.exp(-rng.uniform(-edge, edge)))
    resolution = DiphotonResolution()
    for squared in (0.02, 0.03, 0.04, 0.06):
        sigma = resolution.squared_gev2(np.array([np.sqrt(squared)]))[0]
        true = np.maximum(squared + sigma * rng.standard_normal(n), 0.0)
        apart = np.sqrt(true / (share * (1.0 - share))) / energy > 0.07
        assert pairs([squared])[0] == pytest.approx(np.average(apart, weights=density), abs=0.006)


@settings(max_examples=30)
@given(st.floats(0.01, 0.15), st.floats(0.1, 1.9))
def test_shares_rise_with_the_mass_of_a_pair_from_none_to_all(merging_rad, threshold_gev):
    found = pairs(np.linspace(0.0, 1.5, 60), threshold_gev=threshold_gev, merging_rad=merging_rad)
    assert np.all(found >= 0.0)
    assert np.all(np.diff(found) > -1e-9)
    assert found[-1] == pytest.approx(1.0, abs=1e-9)
    assert np.all(pairs([0.3], merging_rad=1e-4) > 0.999)


def test_spectra_end_where_hardly_anything_is_accepted():
    """Both grids hold what is accepted, and no more; without the option they are what they were."""
    hard, soft, high = spectra_of(HUNT)
    assert 0.05 <= hard.acceptance[0] < 0.15
    np.testing.assert_array_equal(hard.edges, soft.edges)
    assert np.all(soft.acceptance >= hard.acceptance - 1e-12)
    assert 9.8 < np.sqrt(high.edges[-1]) < 10.04
    assert high.acceptance[-1] >= 0.05
    plain = spectra_of(BumpHunt())
    assert all(np.all(spectrum.acceptance == 1.0) for spectrum in plain)
    assert plain[0].edges[0] == 0.0
    no_merging = spectra_of(replace(HUNT, merging_rad=0.0))
    assert np.all(no_merging[0].acceptance == 1.0)


def window_in(spectrum, mass):
    return window_of(
        mass, spectrum.resolution, spectrum.edges, below_sigma=20, above_sigma=30, n_bins=100
    )


@pytest.mark.parametrize("order", [2, 5])
def test_the_background_is_a_polynomial_times_what_is_accepted(order):
    spectrum = spectra_of(HUNT)[0]
    window = window_in(spectrum, 0.22)
    rows = spectrum.background_rows(window, order)
    assert rows.shape == (order + 1, len(window.edges) - 1)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=1e-12)
    # Each row is a factor times the polynomial with the mean acceptance of the bins.
    widths = np.diff(spectrum.edges)
    accepted = window.gather(spectrum.acceptance * widths) / window.gather(widths)
    alone = bernstein_averages(window.edges, order) * accepted
    near = alone > 0.02 * alone.max(axis=1, keepdims=True)
    factor = rows / np.where(near, alone, np.inf)
    middle = np.array([np.median(one[some]) for one, some in zip(factor, near, strict=True)])
    np.testing.assert_allclose(np.where(near, factor / middle[:, None], 1.0), 1.0, atol=0.03)


def test_where_all_is_accepted_the_background_is_the_polynomial():
    spectrum = spectra_of(HUNT)[0]
    window = window_in(spectrum, 1.5)
    np.testing.assert_array_equal(
        spectrum.background_rows(window, 4), bernstein_averages(window.edges, 4)
    )


def test_a_known_edge_stays_sharp_in_smoothing():
    """A constant times a step is smoothed to itself; without the step it leaks over the edge."""
    edges = np.linspace(0.0, 4.0, 201)
    shape = np.where(edges[:-1] < 1.0, 0.2, 1.0)
    counts = 30.0 * shape * np.diff(edges)
    np.testing.assert_allclose(smoothed(counts, edges, 6.0, shape=shape), counts, rtol=1e-12)
    assert np.abs(smoothed(counts, edges, 6.0) / counts - 1.0).max() > 0.5
    np.testing.assert_array_equal(
        smoothed(counts, edges, 6.0, shape=np.ones(200)), smoothed(counts, edges, 6.0)
    )
