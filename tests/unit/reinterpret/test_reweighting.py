"""Weights by a ratio of densities: closed forms of effective events, and what is not covered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import OptionError
from darkstats.reinterpret.reweighting import density_ratio, reweight

N = 200_000


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_a_shifted_gaussian(shift: float) -> None:
    """n_eff / n = exp(-shift^2), and the mean of the events is that of the other density."""
    x = np.random.default_rng(7).normal(size=N)
    found = reweight(np.exp(shift * x - 0.5 * shift**2))
    assert found.effective / N == pytest.approx(math.exp(-(shift**2)), rel=0.03)
    assert found.covered == pytest.approx(1.0, abs=5.0 * found.covered_error + 1e-12)
    mean = float((found.weights * x).sum() / found.weights.sum())
    assert mean == pytest.approx(shift, abs=6.0 / math.sqrt(found.effective))


@pytest.mark.parametrize("lifetime", [0.25, 0.5, 1.5])
def test_another_lifetime(lifetime: float) -> None:
    """From 1 to t: n_eff / n = t (2 - t), as far as t < 2; the survivors are those of t."""
    times = np.random.default_rng(8).exponential(size=N)
    found = reweight(np.exp(times - times / lifetime) / lifetime)
    if lifetime < 1.5:  # beyond, the fourth moment does not exist
        expected = lifetime * (2.0 - lifetime)
        assert found.effective / N == pytest.approx(expected, rel=0.03)
    yields, errors, effective = found.histogram(times, np.array([0.0, 0.5, 1.0, 50.0]))
    edges = np.exp(-np.array([0.0, 0.5, 1.0, 50.0]) / lifetime)
    assert np.all(np.abs(yields - N * -np.diff(edges)) < 5.0 * errors)
    assert effective == pytest.approx(yields**2 / errors**2)


def test_a_lifetime_that_no_number_of_events_covers_is_refused() -> None:
    """From 1 to 20: weights grow exponentially, and few events count or the mean is not one."""
    times = np.random.default_rng(9).exponential(size=2000)
    with pytest.raises(OptionError, match=r"count as|stand for"):
        reweight(np.exp(times - times / 20.0) / 20.0)


def test_what_is_not_covered_is_refused() -> None:
    """Half of the density asked for lies where nothing was simulated: the mean weight is 1/2."""
    with pytest.raises(OptionError, match=r"stand for 0\.5"):
        reweight(np.full(1000, 0.5))


@settings(deadline=None)
@given(
    weights=st.lists(st.floats(0.1, 10.0), min_size=200, max_size=400), scale=st.floats(1e-6, 1e6)
)
def test_effective_events_do_not_depend_on_the_scale(weights: list[float], scale: float) -> None:
    """Ratio 1 changes nothing; n_eff lies between 1 and n, and scales with nothing."""
    before = np.array(weights)
    one = reweight(np.ones(len(before)), before, least_effective=1.0)
    other = reweight(np.ones(len(before)), scale * before, least_effective=1.0)
    assert one.weights == pytest.approx(before)
    assert one.effective == pytest.approx(other.effective, rel=1e-9)
    assert 1.0 <= one.effective <= len(before) * (1.0 + 1e-12)


def test_a_ratio_of_histograms() -> None:
    """Reweighted events have the other histogram, whatever the normalisation of both."""
    rng = np.random.default_rng(3)
    edges = np.array([0.0, 1.0, 2.0, 4.0])
    values = np.concatenate(
        [rng.uniform(0, 1, 500), rng.uniform(1, 2, 300), rng.uniform(2, 4, 200)]
    )
    simulated, wanted = np.array([50.0, 30.0, 20.0]), np.array([1.0, 1.0, 2.0])
    found = reweight(density_ratio(values, edges, simulated, wanted))
    yields, _, _ = found.histogram(values, edges)
    assert yields == pytest.approx([250.0, 250.0, 500.0])
    assert density_ratio(np.array([4.0]), edges, simulated, wanted) == pytest.approx([2.5])


def test_bins_that_were_not_simulated_are_named() -> None:
    """Edges of the bins, and the part of the density that is lost."""
    edges = np.array([0.0, 1.0, 2.0, 4.0])
    values = np.array([0.5, 1.5])
    with pytest.raises(OptionError, match=r"0\.25 of the density asked for: 2 to 4"):
        density_ratio(values, edges, np.array([1.0, 1.0, 0.0]), np.array([1.0, 2.0, 1.0]))
    with pytest.raises(OptionError, match="event 1 lies at 5"):
        density_ratio(np.array([0.5, 5.0]), edges, np.ones(3), np.ones(3))
    with pytest.raises(OptionError, match="rise"):
        density_ratio(values, edges[::-1], np.ones(3), np.ones(3))
    with pytest.raises(OptionError, match="of 3 bins"):
        density_ratio(values, edges, np.ones(2), np.ones(2))
    with pytest.raises(OptionError, match="zero or above"):
        density_ratio(values, edges, np.array([1.0, -1.0, 1.0]), np.ones(3))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_a_ratio_that_is_none_is_named(bad: float) -> None:
    """The first event, and how many more."""
    ratio = np.ones(300)
    ratio[[17, 40]] = bad
    with pytest.raises(OptionError, match=r"event 17.*1 more"):
        reweight(ratio)
    with pytest.raises(OptionError, match="weight of event 17"):
        reweight(np.ones(300), ratio)


def test_shapes_and_empty_samples_are_refused() -> None:
    """One ratio, one weight, one value for each event, and at least one event that counts."""
    with pytest.raises(OptionError, match="one for each event"):
        reweight(np.ones(3), np.ones(2))
    with pytest.raises(OptionError, match="one for each event"):
        reweight(np.ones(0))
    with pytest.raises(OptionError, match="weight zero"):
        reweight(np.ones(300), np.zeros(300))
    with pytest.raises(OptionError, match="values of 300 events"):
        reweight(np.ones(300)).histogram(np.ones(2), np.array([0.0, 1.0]))
