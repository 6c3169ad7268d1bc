"""Expected limits by enumeration, against all outcomes one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bayes_models import answer, normsys, window
from darkstats.inference.bayes.quadrature.enumeration import count_range, enumeration
from darkstats.inference.results import N_SIGMA
from darkstats.model import HistFactoryModel
from small_models import counting, on_off


def quantiles(limits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(limits)
    below = np.cumsum(weights[order]) / weights.sum()
    return np.array(
        [limits[order][np.searchsorted(below, stats.norm.cdf(n) - 1e-12)] for n in N_SIGMA]
    )


def with_counts(model: HistFactoryModel, counts: list[float]) -> HistFactoryModel:
    return replace(model, observation=replace(model.observation, counts=np.array(counts)))


@pytest.mark.parametrize("rate", [1e-4, 0.3, 5.0, 80.0, 3000.0])
def test_count_range_holds_the_poisson_law(rate: float) -> None:
    """The enumerated counts hold all but 2e-9, with the right probabilities."""
    low, probability = count_range(rate)
    counts = np.arange(low, low + len(probability))
    np.testing.assert_allclose(probability, stats.poisson.pmf(counts, rate), rtol=1e-9)
    assert 1.0 - probability.sum() < 3e-9


def test_band_of_one_bin_is_that_of_all_outcomes() -> None:
    """Background known: the band from every count, one limit each."""
    model = counting(4.0, 1.0, 3.0)
    found = answer(model, expected="conditional-mle")
    counts = np.arange(0, 25)
    limits = np.array([answer(with_counts(model, [float(n)])).limit for n in counts])
    np.testing.assert_allclose(
        found.expected, quantiles(limits, stats.poisson.pmf(counts, 3.0)), rtol=1e-5
    )


def test_band_of_two_bins_is_that_of_all_outcomes() -> None:
    """On/off: interpolated in the count of the off bin, exact at the outcomes that are quoted."""
    model = on_off(2.0, 12.0, 6.0)
    found = answer(model, expected="conditional-mle")
    level = 14.0 / 7.0  # the conditional fit without signal: all events over all exposure
    grid = [(n, m) for n in range(16) for m in range(40)]
    limits = np.array([answer(with_counts(model, [float(n), float(m)])).limit for n, m in grid])
    weights = np.array(
        [stats.poisson.pmf(n, level) * stats.poisson.pmf(m, 6.0 * level) for n, m in grid]
    )
    np.testing.assert_allclose(found.expected, quantiles(limits, weights), rtol=2e-4)


def test_prior_predictive_outcomes_carry_the_prior_of_the_background() -> None:
    """Gamma background: outcomes follow a negative binomial, and the band is wider."""
    model, shape = counting(0.0, 1.0, 4.0, 1.5), (4.0 / 1.5) ** 2
    found = answer(model, expected="prior-predictive")
    counts = np.arange(0, 60)
    limits = np.array([answer(with_counts(model, [float(n)])).limit for n in counts])
    weights = stats.nbinom.pmf(counts, shape, shape / (shape + 4.0))
    np.testing.assert_allclose(found.expected, quantiles(limits, weights), rtol=1e-4)


def test_prior_predictive_needs_proper_priors() -> None:
    """Nothing can be thrown from a flat prior without edges: a reason stands in place."""
    found = answer(on_off(2.0, 12.0, 6.0), expected="prior-predictive")
    assert found.expected == (None,) * 5
    assert "improper" in (found.expected_reason or "")
    assert found.limit is not None


def test_band_rises_and_blinding_hides_the_data() -> None:
    """-2 to +2 sigma in rising order; blinded, only expected limits are left."""
    model = window(7.0, background=6.0, on_background=[normsys("b", 0.2)])
    open_, blind = (answer(model, expected="conditional-mle", blind=b) for b in (False, True))
    assert all(a <= b for a, b in zip(open_.expected, open_.expected[1:], strict=False))
    assert blind.limit is None
    assert blind.posterior is None
    assert blind.expected == pytest.approx(open_.expected)


def test_many_counts_are_interpolated_and_found_again() -> None:
    """At 900 events the limit is taken at 17 counts; the quoted ones are exact."""
    model = counting(900.0, 1.0, 900.0)
    found = answer(model, expected="conditional-mle")
    expected_counts = stats.poisson.ppf(stats.norm.cdf(np.array(N_SIGMA)), 900.0)
    limits = [answer(with_counts(model, [n])).limit for n in expected_counts]
    np.testing.assert_allclose(found.expected, limits, rtol=1e-5)


def test_too_many_outcomes_are_not_enumerated() -> None:
    """Three bins, or too many counts: the enumeration declines."""
    laws = [count_range(2.0)] * 3
    assert enumeration(laws, np.ones(3), whole=False) is None
    assert enumeration([count_range(1e6)] * 2, np.ones(2), whole=False) is None
