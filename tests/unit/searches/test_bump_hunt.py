"""Mass grids, windows and background templates of a bump hunt."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.searches.bump_settings import BumpHunt
from darkstats.searches.windows import (
    DiphotonResolution,
    RecoilResolution,
    fine_edges,
    mass_hypotheses,
    place_between,
    place_between_simulated,
    window_of,
)
from darkstats.templates.bernstein import bernstein_averages


def test_the_published_numbers_of_hypotheses():
    low, high = BumpHunt().masses_gev()
    assert (len(low), len(high)) == (378, 124)
    assert (low[0], high[0], high[-1]) == (0.2, 6.85, 9.7)
    assert np.all(np.diff(np.concatenate([low, high])) > 0)


def test_steps_are_half_a_resolution():
    masses = mass_hypotheses(DiphotonResolution(), 0.2, 6.85)
    middle = 0.5 * (masses[1:] + masses[:-1])
    ratio = np.diff(masses) / DiphotonResolution().mass_gev(middle)
    np.testing.assert_allclose(ratio, 0.5, rtol=0.02)


@pytest.mark.parametrize(("mass", "known"), [(6.85, 0.100), (9.0, 0.036), (9.7, 0.019)])
def test_recoil_resolution(mass, known):
    assert RecoilResolution().mass_gev(np.array([mass]))[0] == pytest.approx(known, rel=0.05)


@given(st.floats(0.2, 6.8), st.integers(20, 120))
def test_windows_are_whole_fine_bins(mass, n_bins):
    resolution = DiphotonResolution()
    edges = fine_edges(resolution, 0.0, 82.0)
    window = window_of(mass, resolution, edges, below_sigma=20, above_sigma=30, n_bins=n_bins)
    assert window.edges[0] < mass**2 < window.edges[-1]
    np.testing.assert_array_equal(edges[window.first], window.edges)
    counts = np.arange(len(edges) - 1, dtype=float)
    gathered = window.gather(counts)
    first, last = window.first[0], window.first[-1]
    assert gathered.sum() == counts[first:last].sum()
    assert gathered[0] == counts[window.first[0] : window.first[1]].sum()


def test_masses_outside_the_grid_are_refused():
    edges = fine_edges(DiphotonResolution(), 0.0, 10.0)
    with pytest.raises(OptionError, match="outside the grid"):
        window_of(5.0, DiphotonResolution(), edges, below_sigma=1, above_sigma=1)


@given(st.integers(1, 6), st.lists(st.floats(0.05, 1.0), min_size=2, max_size=30))
def test_bernstein_templates_are_exact_positive_and_sum_to_the_window(order, widths):
    edges = 3.0 + np.concatenate(([0.0], np.cumsum(widths)))
    rows = bernstein_averages(edges, order)
    assert rows.shape == (order + 1, len(widths))
    assert np.all(rows >= 0.0)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, rtol=1e-9)
    # All together are a constant: (n + 1) times the fraction of the window in each bin.
    fraction = np.diff(edges) / (edges[-1] - edges[0])
    np.testing.assert_allclose(rows.sum(axis=0), (order + 1) * fraction, rtol=1e-9)
    u = (edges - edges[0]) / (edges[-1] - edges[0])
    nodes, weights = np.polynomial.legendre.leggauss(8)
    x = u[0] + (u[1] - u[0]) * 0.5 * (nodes + 1)
    numeric = [
        (order + 1)
        * 0.5
        * (u[1] - u[0])
        * (weights * comb(order, k) * x**k * (1 - x) ** (order - k)).sum()
        for k in range(order + 1)
    ]
    np.testing.assert_allclose(rows[:, 0], numeric, rtol=1e-7, atol=1e-13)


@given(st.lists(st.floats(0.1, 10.0), min_size=2, max_size=9, unique=True), st.floats(0.0, 11.0))
def test_a_place_between_points_gives_the_value_back(axis, value):
    axis = np.sort(axis)
    lower, fraction = place_between(axis, value)
    back = axis[lower] + fraction * (axis[lower + 1] - axis[lower])
    assert back == pytest.approx(np.clip(value, axis[0], axis[-1]), rel=1e-12)


def test_masses_outside_the_simulated_ones_are_refused():
    simulated = np.array([1.0, 2.0, 4.0])
    assert place_between_simulated(simulated, 4.0) == (1, 1.0)
    for mass in (0.99, 4.01):
        with pytest.raises(OptionError, match=r"no signal was simulated around .*1 to 4 GeV"):
            place_between_simulated(simulated, mass)
