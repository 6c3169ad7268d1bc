"""Gross-Vitells: Rice's formula, the exact cosine process, errors by bootstrap, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from darkstats.arrays import frozen_indices
from darkstats.errors import OptionError
from darkstats.gaussian import survival
from darkstats.look_elsewhere import (
    ExcursionTally,
    GaussianField,
    ScanField,
    by_up_crossings,
    fit_levels,
    grid,
    line,
)
from gaussian_scans import cosine_p_global, cosine_scans, smooth_factor

X = np.linspace(0.0, 30.0, 301)


FACTOR = smooth_factor(X, 1.0)


def smooth_tally(n_toys: int = 5000, seed: int = 1, levels=(0.0, 0.5, 1.0, 1.5), x=X):
    factor = FACTOR if x is X else smooth_factor(x, 1.0)
    normal = np.random.default_rng(seed).standard_normal((n_toys, len(factor)))
    return ExcursionTally.of(ScanField.of(line(x), normal @ factor), levels)


def test_rice_formula() -> None:
    """Up-crossings of a stationary process: T sqrt(lambda2) / (2 pi) exp(-u^2 / 2).

    Length 30 correlation lengths; 5 standard errors, plus what a step of 0.1 loses at level 1.5
    (a crossing pair within one step; below 0.5 %).
    """
    tally = smooth_tally(20_000)
    for k, level in enumerate(tally.levels):
        exact = 30.0 / (2.0 * math.pi) * math.exp(-0.5 * level**2)
        error = math.sqrt(tally.covariance[k, k])
        assert abs(tally.means[k] - exact) < 5.0 * error + 0.005 * exact
    assert fit_levels(tally).coefficients[0] == pytest.approx(30.0 / (2.0 * math.pi), rel=0.01)


def test_cosine_process_exactly() -> None:
    """On half a turn the formula of Gross and Vitells is exact, at every level."""
    angles = np.linspace(0.0, math.pi, 400)
    tally = ExcursionTally.of(ScanField.of(line(angles), cosine_scans(50_000, angles, 7)))
    for z in (2.0, 3.0, 4.0):
        found = by_up_crossings(tally, z)
        assert abs(found.p_global.value - cosine_p_global(z, math.pi)) < 5.0 * found.p_global.error
        assert found.valid
        assert found.references == ("arXiv:1005.1891",)


def test_each_piece_of_a_line_starts_anew() -> None:
    """The starts of two pieces count twice the local p-value."""
    x = np.concatenate([np.linspace(0.0, 3.0, 61), np.linspace(50.0, 53.0, 61)])
    factor = smooth_factor(x, 1.0)
    roots = np.random.default_rng(2).standard_normal((50_000, len(factor))) @ factor
    tally = ExcursionTally.of(ScanField.of(line(x, gaps_after=[60]), roots))
    found = by_up_crossings(tally, 3.0)
    exact = 2.0 * survival(3.0) + 6.0 / (2.0 * math.pi) * math.exp(-4.5)
    assert found.p_global.value == pytest.approx(exact, rel=0.02)


def test_error_is_that_of_a_bootstrap_over_toys() -> None:
    """500 bootstrap replicas of the fitted coefficient scatter as the stated error says (15 %)."""
    factor = smooth_factor(X, 1.0)
    roots = np.random.default_rng(5).standard_normal((400, len(factor))) @ factor
    parts = [ExcursionTally.of(ScanField.of(line(X), root)) for root in roots]
    numbers = np.array([part.sums for part in parts])
    tally = ExcursionTally.of(ScanField.of(line(X), roots))
    law = fit_levels(tally)
    rng = np.random.default_rng(6)
    found = []
    for _ in range(500):
        chosen = numbers[rng.integers(400, size=400)]
        replica = replace(
            tally,
            sums=frozen_indices(chosen.sum(axis=0)),
            products=frozen_indices(chosen.T @ chosen, ndim=2),
        )
        found.append(fit_levels(replica).coefficients[0])
    assert np.std(found) == pytest.approx(math.sqrt(law.covariance[0][0]), rel=0.15)
    single = numbers[:, 0]
    plain = [single[rng.integers(400, size=400)].mean() for _ in range(2000)]
    assert np.std(plain) == pytest.approx(law.errors[0], rel=0.08)


def test_pull_of_the_coefficient_is_standard() -> None:
    """40 samples of 200 toys: pulls against Rice have mean 0 and width 1 (5 standard errors)."""
    pulls = []
    for seed in range(40):
        law = fit_levels(smooth_tally(200, seed=100 + seed))
        pulls.append((law.coefficients[0] - 30.0 / (2.0 * math.pi)) / law.covariance[0][0] ** 0.5)
    assert abs(np.mean(pulls)) < 5.0 / math.sqrt(40) + 0.3  # a step of 0.1 loses some crossings
    assert np.std(pulls) == pytest.approx(1.0, abs=5.0 / math.sqrt(80))


def test_levels_agree_on_the_law() -> None:
    """The chi-square of four levels is that of three degrees of freedom: mean 3 over 40 samples."""
    values = [fit_levels(smooth_tally(500, seed=300 + seed)).chi2 for seed in range(40)]
    assert np.mean(values) == pytest.approx(3.0, abs=5.0 * math.sqrt(6.0 / 40.0))


def test_few_toys_use_the_lowest_level_alone() -> None:
    """Ten toys cannot weigh four levels; the answer stands on the lowest, with its error."""
    found = by_up_crossings(smooth_tally(40), 3.5)
    assert found.law.used == (True, False, False, False)
    assert found.law.chi2 is None
    n, p = found.law.means[0], found.p_global.value
    assert p == pytest.approx(survival(3.5) + n * math.exp(-0.5 * 3.5**2))


def test_the_observed_scan_alone() -> None:
    """One long scan gives the coefficient with a Poisson error; one short scan is not enough."""
    x = np.linspace(0.0, 400.0, 2001)
    factor = smooth_factor(x, 1.0)
    root = np.random.default_rng(8).standard_normal(len(factor)) @ factor
    found = by_up_crossings(ExcursionTally.of(ScanField.of(line(x), root)), 4.0)
    n = found.law.means[0]
    assert found.law.errors[0] == pytest.approx(math.sqrt(n))
    assert abs(n - 400.0 / (2.0 * math.pi)) < 3.0 * found.law.errors[0]
    assert found.valid
    assert "one scan alone" in found.notes[0]
    short = by_up_crossings(smooth_tally(1), 4.0)
    assert not short.valid
    assert "up-crossings of the level 0 were counted, 25 are needed" in short.reasons[0]


def test_thresholds_invert_the_law() -> None:
    """The local significance of a global p-value, there and back."""
    law = fit_levels(smooth_tally(2000))
    for p in (0.1, 1e-3, 1e-7):
        assert law.p_global(law.threshold(p)) == pytest.approx(p, rel=1e-9)
    with pytest.raises(OptionError, match="global p-value"):
        law.threshold(0.0)


def test_failed_toys_widen_the_range() -> None:
    """Failed toys without crossings, or with as many as any: low and high."""
    factor = smooth_factor(X, 1.0)
    roots = np.random.default_rng(9).standard_normal((2000, len(factor))) @ factor
    roots[:10, 5] = np.nan
    found = by_up_crossings(ExcursionTally.of(ScanField.of(line(X), roots)), 3.0)
    assert found.valid
    assert found.toys.failed == 10
    fall = math.exp(-4.5)
    n = found.law.coefficients[0]
    assert found.p_global.low == pytest.approx(survival(3.0) + 0.995 * n * fall, rel=1e-6)
    assert found.p_global.high > found.p_global.value
    roots[:30, 5] = np.nan
    worse = by_up_crossings(ExcursionTally.of(ScanField.of(line(X), roots)), 3.0)
    assert "30 of 2000 toys have a failed fit" in worse.reasons[0]


def test_a_frequent_excess_is_only_bounded() -> None:
    """Where many excursions are expected the formula exceeds the probability, and says so."""
    found = by_up_crossings(smooth_tally(), 2.0)
    assert found.valid
    assert "upper bound" in found.notes[-1]
    assert found.p_global.value <= 1.0


def reasons(tally: ExcursionTally, z: float = 3.5) -> str:
    found = by_up_crossings(tally, z)
    assert found.valid == (not found.reasons)
    return "; ".join(found.reasons)


def test_a_coarse_grid_is_seen() -> None:
    """Steps of 0.4 correlation lengths pass, of 0.6 do not; neither do unrelated points."""
    assert reasons(smooth_tally(x=np.arange(0.0, 30.0, 0.4))) == ""
    assert "too coarse" in reasons(smooth_tally(x=np.arange(0.0, 30.0, 0.6)))
    assert "too coarse" in reasons(smooth_tally(n_toys=100, x=np.arange(0.0, 90.0, 0.65)))
    independent = np.random.default_rng(0).standard_normal((2000, 50))
    block = ScanField.of(line(range(50)), independent)
    assert "too coarse" in reasons(ExcursionTally.of(block))


def test_steps_are_measured_in_correlation_lengths() -> None:
    """The distance of neighbours from the signs of their roots, to 3 %."""
    tally = smooth_tally(20_000, x=np.arange(0.0, 30.0, 0.25))
    assert tally.mean_step() == pytest.approx(0.25, rel=0.01)
    assert tally.steps() == pytest.approx(np.full(len(tally.changes), 0.25), rel=0.1)


def test_levels_too_high_are_seen() -> None:
    """A level of 2.5, and levels at or above the observed significance."""
    assert "a level of 2.5 is too high" in reasons(smooth_tally(levels=(0.5, 2.5)))
    assert "nothing to follow upwards" in reasons(smooth_tally(levels=(0.5, 1.5)), z=1.4)


def test_too_few_crossings_are_seen() -> None:
    """A high level and few toys leave no crossings; none at all leave no number."""
    few = smooth_tally(20, levels=(1.9,))
    assert "are needed" in reasons(few)
    none = ExcursionTally.of(ScanField.of(line([0, 1]), np.full((50, 2), -1.0)), (1.0,))
    found = by_up_crossings(none, 3.0)
    assert found.p_global is None
    assert found.p_global_below == 1.0
    assert "do not determine" in found.reasons[0]


def test_low_counts_are_seen() -> None:
    """A window that holds two events on average is nothing like a normal field."""
    edges = np.arange(0, 60)
    counts = np.random.default_rng(3).poisson(0.2, (20_000, 70))
    window = np.stack([counts[:, k : k + 10].sum(axis=1) for k in edges], axis=1)
    ratio = 2.0 * (np.where(window > 0, window * np.log(np.maximum(window, 1) / 2.0), 0.0)
                   - window + 2.0)  # fmt: skip
    roots = np.copysign(np.sqrt(np.maximum(ratio, 0.0)), window - 2.0)
    text = reasons(ExcursionTally.of(ScanField.of(line(edges), roots)))
    assert "low or discrete counts" in text


def test_discrete_roots_are_seen_point_by_point() -> None:
    """Roots rounded to whole numbers: P(root > 0) is that of 1/2, 0.19 off."""
    roots = np.random.default_rng(4).standard_normal((1000, len(FACTOR))) @ FACTOR
    text = reasons(ExcursionTally.of(ScanField.of(line(X), np.round(roots))))
    assert "at 301 of 301 points the distribution of the root lies further than 0.08" in text


def test_heavy_tails_are_seen_but_normal_ones_pass() -> None:
    """Roots 15 % too wide are 1.9 times too often above 2.5: not normal."""
    factor = smooth_factor(X, 1.0)
    roots = np.random.default_rng(4).standard_normal((5000, len(factor))) @ factor
    assert reasons(ExcursionTally.of(ScanField.of(line(X), roots))) == ""
    text = reasons(ExcursionTally.of(ScanField.of(line(X), 1.15 * roots)))
    assert "not normal" in text


def test_only_the_tail_up_to_the_excess_matters() -> None:
    """Roots stretched above 2: wrong for an excess of 3.5, no matter for one of 2."""
    roots = np.random.default_rng(4).standard_normal((5000, len(FACTOR))) @ FACTOR
    stretched = np.where(roots > 2.0, 2.0 + 1.6 * (roots - 2.0), roots)
    tally = ExcursionTally.of(ScanField.of(line(X), stretched))
    assert "not normal" in reasons(tally, z=3.5)
    assert reasons(tally, z=2.0) == ""


def test_a_quarter_of_wrong_points_is_seen() -> None:
    """Roots that are wrong at some points only, too weak for the average over the scan."""
    factor = smooth_factor(X, 1.0)
    roots = np.random.default_rng(4).standard_normal((20_000, len(factor))) @ factor
    roots[:, :30] *= 1.4
    text = reasons(ExcursionTally.of(ScanField.of(line(X), roots)), z=2.0)
    assert "P(root > 2) differs" in text


def test_capped_roots_are_not_mistaken_for_wrong_ones() -> None:
    """q0 sets deficits to zero: the part above zero is normal, crossings of 0.5 are the same."""
    factor = smooth_factor(X, 1.0)
    roots = np.random.default_rng(4).standard_normal((5000, len(factor))) @ factor
    capped = ExcursionTally.of(ScanField.of(line(X), np.maximum(roots, 0.0)))
    signed = ExcursionTally.of(ScanField.of(line(X), roots))
    assert reasons(capped) == ""
    assert capped.sums.tolist() == signed.sums.tolist()


def test_a_broken_law_is_seen() -> None:
    """Twice the crossings at the upper levels: the levels contradict each other."""
    tally = smooth_tally(5000)
    factors = np.array([1, 1, 2, 2])
    bent = replace(
        tally,
        sums=frozen_indices(tally.sums * factors),
        products=frozen_indices(tally.products * np.outer(factors, factors), ndim=2),
    )
    assert "do not fall with the level as the law says" in reasons(bent)
    assert reasons(tally) == ""


def test_a_plane_has_no_up_crossings() -> None:
    """The right method is named."""
    block = ScanField.of(grid([0, 1], [0, 1]), np.zeros((1, 4)))
    with pytest.raises(OptionError, match="Euler"):
        by_up_crossings(ExcursionTally.of(block), 3.0)


def test_up_crossings_agree_with_the_covariance_of_the_same_field() -> None:
    """Two methods, one field: within 3 % at 4 sigma, where the bound is tight on a fine grid."""
    field = GaussianField.from_responses(smooth_factor(X, 1.0))
    found = by_up_crossings(smooth_tally(20_000), 4.0).p_global
    tail = field.tail(4.0)
    assert found.value == pytest.approx(tail.value, rel=0.03)
