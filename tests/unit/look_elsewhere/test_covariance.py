"""The scan as a Gaussian field: closed forms at any level, factors, skewness, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.gaussian import survival
from darkstats.look_elsewhere import (
    ExcursionTally,
    GaussianField,
    ScanField,
    by_covariance,
    line,
)
from darkstats.look_elsewhere.covariance import _normal_tail
from gaussian_scans import cosine_p_global, smooth_factor

MANY = np.full(3, 1e6)


@pytest.mark.parametrize("z", [0.0, 1.0, 3.0, 5.0, 8.0])
@pytest.mark.parametrize("n_points", [2, 30])
def test_independent_points(n_points: int, z: float) -> None:
    """1 - (1 - p)^n, at 8 sigma as at 1: within 5 standard errors, never zero."""
    found = GaussianField.from_responses(np.eye(n_points)).tail(z, samples=20_000)
    exact = -math.expm1(n_points * math.log1p(-survival(z)))
    assert found.error > 0.0
    assert abs(found.value - exact) < 5.0 * found.error


@pytest.mark.parametrize("z", [1.0, 3.0, 6.0])
def test_cosine_process(z: float) -> None:
    """Rank two, 300 points: the closed form to 5 standard errors and 0.1 % for the step."""
    angles = np.linspace(0.0, math.pi, 300)
    field = GaussianField.from_responses(np.stack([np.cos(angles), np.sin(angles)]))
    found = field.tail(z)
    exact = cosine_p_global(z, math.pi)
    assert abs(found.value - exact) < 5.0 * found.error + 1e-3 * exact
    assert found.error < 0.01 * exact


def test_one_point_many_times() -> None:
    """Fully correlated points are one: the global p-value is the local one."""
    field = GaussianField.from_responses(np.ones((3, 50)), expected=MANY)
    result = by_covariance(field, 3.0)
    assert result.p_global.value == pytest.approx(survival(3.0), rel=1e-12)
    assert result.effective_trials == pytest.approx(1.0, rel=1e-6)
    assert result.p_global.value >= result.p_local


def test_error_of_the_estimate_is_honest() -> None:
    """60 seeds: the pull against plain sampling of the same field has width 1."""
    field = GaussianField.from_responses(smooth_factor(np.linspace(0.0, 20.0, 60), 1.0))
    found = [field.tail(3.0, samples=2048, seed=seed) for seed in range(60)]
    values = np.array([tail.value for tail in found])
    assert values.std() == pytest.approx(np.mean([t.error for t in found]), rel=0.35)
    plain = [(field.sample(20_000, block=b).max(axis=1) > 3.0).mean() for b in range(20)]
    error = math.hypot(np.std(plain) / math.sqrt(20), values.std() / math.sqrt(60))
    assert abs(values.mean() - np.mean(plain)) < 5.0 * error


def test_samples_have_the_covariance() -> None:
    """Correlations of 100 000 drawn scans, to 5 standard errors."""
    factor = smooth_factor(np.linspace(0.0, 3.0, 6), 1.0)
    field = GaussianField.from_responses(factor)
    drawn = np.corrcoef(field.sample(100_000).T)
    exact = factor.T @ factor
    assert np.abs(drawn - exact).max() < 5.0 / math.sqrt(100_000)


def test_responses_and_covariance_give_the_same_field() -> None:
    """The factor need not be that of the responses, but the correlations are."""
    responses = np.random.default_rng(1).standard_normal((40, 12)) * np.linspace(0.5, 2.0, 12)
    first = GaussianField.from_responses(responses)
    second = GaussianField.from_covariance(responses.T @ responses)
    assert first.factor.shape == (12, 12)  # reduced by QR: more bins than points
    assert first.factor.T @ first.factor == pytest.approx(second.factor.T @ second.factor)
    assert first.scale == pytest.approx(second.scale)
    low = GaussianField.from_covariance(responses[:5].T @ responses[:5])
    assert low.factor.shape == (5, 12)
    assert low.dropped < 1e-10


def test_a_sample_is_defined_by_seed_field_and_block() -> None:
    """The same key gives the same bits; another block, seed or field others."""
    field = GaussianField.from_responses(np.eye(3))
    other = GaussianField.from_responses(np.ones((3, 3)))
    first = field.sample(4, seed=1, block=2)
    assert np.array_equal(first, field.sample(4, seed=1, block=2))
    drawn = [first, field.sample(4, seed=1, block=3), field.sample(4, seed=2, block=2)]
    assert len({array.tobytes() for array in (*drawn, other.sample(4, seed=1, block=2))}) == 4
    assert field.tail(2.0, samples=10) == field.tail(2.0, samples=1024)
    assert field.tail(2.0, seed=0) != field.tail(2.0, seed=1)


@pytest.mark.parametrize("z", [0.0, 0.7, 3.0, 10.0])
def test_normal_tail(z: float) -> None:
    """Draws above z have the mean of the truncated normal distribution, to 5 standard errors."""
    drawn = _normal_tail(np.random.default_rng(2), z, 50_000)
    assert drawn.min() > z
    mean = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) / survival(z)
    assert abs(drawn.mean() - mean) < 5.0 * drawn.std() / math.sqrt(50_000)


def test_skewness_of_the_response() -> None:
    """One bin of n events has skewness 1 / sqrt(n); a difference of two equal bins none."""
    field = GaussianField.from_responses(
        np.array([[1.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 2.0]]), expected=[4.0, 4.0, np.inf]
    )
    assert field.skewness == pytest.approx([0.5, 0.0, 0.0])


def test_low_counts_are_seen() -> None:
    """A signal over two events of background is not normal, over 100 it is."""
    responses = np.eye(20) * np.linspace(0.95, 1.05, 20)
    few = by_covariance(GaussianField.from_responses(responses, expected=np.full(20, 2.0)), 3.0)
    many = by_covariance(GaussianField.from_responses(responses, expected=np.full(20, 100.0)), 3.0)
    assert "background under the signal is too small" in few.reasons[0]
    assert many.valid
    assert many.toys is None


def test_responses_off_one_are_seen() -> None:
    """Standard deviations far from one: not linear, capped, or bins forgotten."""
    field = GaussianField.from_responses(0.7 * np.eye(10), expected=np.full(10, 1e4))
    assert "outside 0.9 to 1.1 (median 0.70)" in by_covariance(field, 3.0).reasons[0]
    wide = GaussianField.from_responses(1.2 * np.eye(10), expected=np.full(10, 1e4))
    assert "outside 0.9 to 1.1 (median 1.20)" in by_covariance(wide, 3.0).reasons[0]


def test_normality_has_to_be_shown() -> None:
    """Without expected counts or toys nothing is known of the tails; toys can show it."""
    field = GaussianField.from_responses(np.eye(10))
    assert "nothing shows" in by_covariance(field, 3.0).reasons[0]
    roots = np.random.default_rng(0).standard_normal((5000, 10))
    tally = ExcursionTally.of(ScanField.of(line(range(10)), roots))
    good = by_covariance(field, 3.0, tally=tally)
    assert good.valid, good.reasons
    assert good.toys.asked == 5000
    wide = ExcursionTally.of(ScanField.of(line(range(10)), 1.3 * roots))
    assert "not normal" in by_covariance(field, 3.0, tally=wide).reasons[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianField.from_responses([[1.0, np.nan]]), "finite responses"),
        (lambda: GaussianField.from_responses([[1.0, 0.0]]), "point 1 responds to no bin"),
        (lambda: GaussianField.from_responses(np.eye(2), expected=[1.0]), "2 expected counts"),
        (lambda: GaussianField.from_covariance(np.ones((2, 3))), "point, point"),
        (lambda: GaussianField.from_covariance([[1.0, 0.5], [0.1, 1.0]]), "not symmetric"),
        (lambda: GaussianField.from_covariance([[1.0, 2.0], [2.0, 1.0]]), "not positive"),
        (lambda: GaussianField.from_covariance([[1.0, 0.0], [0.0, 0.0]]), "variance"),
        (lambda: GaussianField.from_responses(np.eye(2)).tail(-1.0), "at least 0"),
    ],
)
def test_impossible_fields_are_refused(make, message: str) -> None:
    """What is wrong is said."""
    with pytest.raises(OptionError, match=message):
        make()
