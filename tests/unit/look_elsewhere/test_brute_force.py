"""Global p-values by toys: closed forms, failures, bounds, marked extrapolation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import NotCertifiedError, OptionError
from darkstats.gaussian import survival
from darkstats.look_elsewhere import MaximaTally, ScanField, by_toys, line
from gaussian_scans import cosine_p_global, cosine_scans


def tally_of(values, failed=None) -> MaximaTally:
    array = np.asarray(values, dtype=float)
    return MaximaTally.of_maxima("x", array, np.zeros(len(array)) if failed is None else failed)


@pytest.mark.parametrize("n_points", [1, 5, 40])
def test_independent_points(n_points: int) -> None:
    """1 - (1 - p)^n for n independent points: within 5 standard errors of 200 000 toys."""
    roots = np.random.default_rng(n_points).standard_normal((200_000, n_points))
    tally = MaximaTally.of(ScanField.of(line(range(n_points)), roots))
    for z in (2.0, 2.5, 3.0):
        found = by_toys(tally, z)
        exact = 1.0 - (1.0 - survival(z)) ** n_points
        assert abs(found.p_global.value - exact) < 5.0 * math.sqrt(exact / 200_000)
        assert found.effective_trials == pytest.approx(
            n_points, abs=5.0 * math.sqrt(n_points / survival(z) / 200_000)
        )
        assert found.valid


def test_cosine_process() -> None:
    """The closed form of the cosine process on half a turn, within 5 standard errors."""
    angles = np.linspace(0.0, math.pi, 200)
    tally = MaximaTally.of(ScanField.of(line(angles), cosine_scans(200_000, angles, 1)))
    for z in (1.0, 2.0, 3.0):
        found = by_toys(tally, z).p_global
        assert abs(found.value - cosine_p_global(z, math.pi)) < 5.0 * found.error


def test_value_error_and_significance() -> None:
    """Three of a hundred: p, binomial error, Z and its error, trials factor."""
    found = by_toys(tally_of([3.5, 3.2, 3.0, *([1.0] * 97)]), 3.0)
    assert found.p_global.value == 0.03
    assert found.p_global.error == pytest.approx(math.sqrt(0.03 * 0.97 / 100))
    assert found.z_global == pytest.approx(1.8808, abs=1e-4)
    assert found.z_global_error == pytest.approx(found.p_global.error / 0.0680, rel=1e-3)
    assert found.trials_factor == pytest.approx(0.03 / survival(3.0))
    assert found.notes == ("only 3 toys are as extreme",)
    assert not found.extrapolated
    assert (found.toys.asked, found.toys.ok, found.toys.failed) == (100, 100, 0)


def test_a_local_p_value_of_the_caller() -> None:
    """Where roots are not normal, the local p-value comes from elsewhere."""
    found = by_toys(tally_of([3.0, 1.0]), 3.0, p_local=0.01)
    assert found.p_local == 0.01
    assert found.trials_factor == pytest.approx(50.0)


def test_failed_toys_widen_the_range() -> None:
    """Known and unknown failed toys: the interval if each had gone one way, and the reason."""
    values = [4.0] * 5 + [1.0] * 85 + [4.0] * 2 + [1.0] * 8
    failed = [0] * 90 + [1] * 10
    found = by_toys(tally_of(values, failed), 3.0)
    assert found.p_global.value == pytest.approx(7 / 92)
    assert found.p_global.low == pytest.approx(7 / 100)
    assert found.p_global.high == pytest.approx(15 / 100)
    assert not found.valid
    assert "10 of 100 toys have a failed fit" in found.reasons[0]


def test_no_toy_as_extreme_gives_a_bound() -> None:
    """p < bound at 95 % confidence: a p at the bound gives no toy with a probability of 5 %."""
    found = by_toys(tally_of([1.0] * 1000), 4.0)
    assert found.p_global is None
    assert (1.0 - found.p_global_below) ** 1000 == pytest.approx(0.05)
    assert found.trials_factor is None
    assert found.valid
    assert "p_global < 0.00299" in str(found)
    worse = by_toys(tally_of([1.0] * 1000, [0] * 998 + [1] * 2), 4.0)
    assert worse.p_global_below == pytest.approx(found.p_global_below + 2 / 1000, abs=2e-5)


def test_all_toys_above_have_an_error() -> None:
    """Never an error of zero."""
    found = by_toys(tally_of([3.0] * 50), 1.0)
    assert found.p_global.value == 1.0
    assert found.p_global.error > 0.0


def test_extrapolation_follows_an_exponential_tail() -> None:
    """P(max > z) = exp(-z^2 / 2), 100 000 toys: right at 6 sigma within its error, and marked.

    Over 40 samples the pull of log p has a standard deviation below 1.3 (expected at most 1, since
    the error holds the change with the threshold, too), a mean below 0.8 (5 standard errors of
    1 / sqrt(40)), and no pull exceeds 4.
    """
    pulls = []
    for seed in range(40):
        values = np.sqrt(2.0 * np.random.default_rng(seed).exponential(size=100_000))
        found = by_toys(tally_of(values), 6.0, extrapolate=True)
        assert found.extrapolated
        assert found.valid
        assert "400 largest of 100000" in found.extrapolation
        relative = found.p_global.error / found.p_global.value
        pulls.append((math.log(found.p_global.value) + 18.0) / relative)
    assert np.std(pulls) < 1.3
    assert abs(np.mean(pulls)) < 0.8
    assert np.abs(pulls).max() < 4.0


def test_extrapolation_only_when_asked_and_needed() -> None:
    """Not by default, not where toys reach, and refused where they are too few."""
    values = np.sqrt(2.0 * np.random.default_rng(0).exponential(size=10_000))
    tally = tally_of(values)
    assert by_toys(tally, 6.0).p_global is None
    assert not by_toys(tally, 2.0, extrapolate=True).extrapolated
    few = by_toys(tally_of(values[:500]), 6.0, extrapolate=True)
    assert not few.extrapolated
    assert few.p_global is None
    assert "too few" in few.reasons[0]


@pytest.mark.parametrize("z", [-0.1, math.nan, math.inf, 40.0])
def test_impossible_significances_are_refused(z: float) -> None:
    """The largest local significance of a scan is not negative."""
    with pytest.raises(OptionError, match="local significance"):
        by_toys(tally_of([1.0]), z)


def test_no_certified_toy_is_an_error() -> None:
    """Nothing is known then."""
    with pytest.raises(NotCertifiedError, match="none of 2 toys"):
        by_toys(tally_of([1.0, 1.0], [1, 1]), 2.0)
