"""Tests and limits from the likelihood: closed forms, invariances, refusals."""

from __future__ import annotations

import math

import pytest
from scipy.stats import chi2

from darkstats.errors import OptionError, UnknownNameError
from darkstats.fit import fit
from darkstats.gaussian import cdf, quantile
from darkstats.inference import (
    POWER_THRESHOLD,
    ToyOptions,
    goodness_of_fit,
    hypotest,
    significance,
    upper_limit,
)
from darkstats.inference.asymptotics import observed_p_values
from small_models import counting, on_off, spectrum


def deviance(n: float, mean: float) -> float:
    """Twice the Poisson log-likelihood ratio to the saturated model."""
    return 2.0 * (mean - n + (n * math.log(n / mean) if n > 0 else 0.0))


def closed_form_q(n: float, s: float, b: float) -> float:
    """q-tilde of a counting experiment with known background."""
    best = max(n - b, 0.0)
    return 0.0 if best > s else deviance(n, s + b) - deviance(n, best + b)


@pytest.mark.parametrize("n", [1, 4, 9, 30])
@pytest.mark.parametrize("s", [0.5, 4.0, 20.0])
def test_counting_follows_its_closed_form(n: int, s: float) -> None:
    """One bin, known background: q-tilde, its Asimov value and CLs to 1e-9."""
    model = counting(n, 1.0, 4.0)
    result = hypotest(model, model.observation, s)
    q, qa = closed_form_q(n, s, 4.0), closed_form_q(4.0, s, 4.0)
    assert result.statistic == pytest.approx(q, abs=1e-9)
    assert result.statistic_asimov == pytest.approx(qa, rel=1e-9)
    p = observed_p_values("qtilde", q, qa)
    assert result.cls is not None
    assert result.cls.value == pytest.approx(p.cls, rel=1e-7)


def closed_form_limit(n: float, b: float, alpha: float) -> float:
    """Asymptotic CLs limit by bisection on the closed form."""
    low, high = 0.0, 1e3
    for _ in range(200):
        s = 0.5 * (low + high)
        q, qa = closed_form_q(n, s, b), closed_form_q(b, s, b)
        low, high = (s, high) if observed_p_values("qtilde", q, qa).cls > alpha else (low, s)
    return low


@pytest.mark.parametrize("cl", [0.68, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 10, 16])
def test_the_limit_solves_the_closed_form_at_any_level(n: int, cl: float) -> None:
    """Observed limits to 1e-8 relative; 90 % is as good as 95 %."""
    model = counting(n, 1.0, 10.0)
    result = upper_limit(model, model.observation, cl=cl, probe=False)
    assert result.observed == pytest.approx(closed_form_limit(n, 10.0, 1.0 - cl), rel=1e-8)
    median = closed_form_limit(10.0, 10.0, 1.0 - cl)
    assert result.expected[2] == pytest.approx(median, rel=1e-8)


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9])
def test_the_limit_scales_with_the_signal(scale: float) -> None:
    """Signal times k: every limit divided by k, over eighteen decades, far beyond [0, 10]."""
    reference = counting(4, 1.0, 3.0, 0.6)
    scaled = counting(4, scale, 3.0, 0.6)
    first = upper_limit(reference, reference.observation, probe=False)
    second = upper_limit(scaled, scaled.observation, probe=False)
    assert first.observed is not None
    assert second.observed == pytest.approx(first.observed / scale, rel=1e-7)
    for a, b in zip(first.expected, second.expected, strict=True):
        assert a is not None
        assert b == pytest.approx(a / scale, rel=1e-7)


def test_the_band_is_ordered_and_each_edge_is_a_root() -> None:
    """-2 to +2 sigma rise; the test at each gives back 1 - CL at its position."""
    model = counting(12, 1.0, 10.0, 2.0)
    result = upper_limit(model, model.observation, probe=False)
    assert list(result.expected) == sorted(x for x in result.expected if x is not None)
    for position, mu in enumerate(result.expected):
        assert mu is not None
        again = hypotest(model, model.observation, mu)
        assert again.expected.cls[position] == pytest.approx(0.05, rel=1e-7)
    assert result.observed is not None
    observed = hypotest(model, model.observation, result.observed)
    assert observed.cls is not None
    assert observed.cls.value == pytest.approx(0.05, rel=1e-7)


def test_observed_equals_median_on_asimov_data() -> None:
    """On the background-only Asimov data set the observed limit is the median."""
    model = counting(10, 1.0, 10.0, 2.0)
    result = upper_limit(model, model.observation, probe=False)
    assert result.observed == pytest.approx(result.expected[2], rel=1e-8)


def test_fixed_sigma_band_shares_the_median() -> None:
    """One width for the whole band: same median, edges by eq. 89 with alpha Phi(N)."""
    model = counting(12, 1.0, 10.0, 2.0)
    root = upper_limit(model, model.observation, probe=False)
    fixed = upper_limit(model, model.observation, band="fixed-sigma", probe=False)
    assert fixed.expected[2] == pytest.approx(root.expected[2], rel=1e-8)
    assert fixed.sigma is not None
    plus = fixed.sigma * (1.0 - quantile(0.05 * cdf(1.0)))
    assert fixed.expected[3] == pytest.approx(plus, rel=1e-9)
    assert fixed.expected_definition != root.expected_definition


def test_clsb_is_stronger_than_cls_and_pcl_lies_between() -> None:
    """A deficit: CLs+b excludes all, pcl quotes the -1 sigma edge of its band, CLs more."""
    model = counting(2, 1.0, 12.0, 1.0)
    limits = {
        method: upper_limit(model, model.observation, method=method, probe=False)
        for method in ("cls", "clsb", "pcl")
    }
    observed = {method: limit.observed for method, limit in limits.items()}
    assert observed["clsb"] == 0.0
    assert [note[:29] for note in limits["clsb"].warnings] == ["CLs+b excludes every positive"]
    assert limits["pcl"].power_constrained
    assert limits["pcl"].power_threshold == POWER_THRESHOLD
    assert observed["pcl"] == pytest.approx(limits["clsb"].expected[1], rel=1e-8)
    floor = limits["clsb"].expected[1]
    assert limits["pcl"].expected[:2] == pytest.approx((floor, floor), rel=1e-8)
    assert limits["pcl"].expected[3] == pytest.approx(limits["clsb"].expected[3], rel=1e-8)
    assert observed["cls"] is not None
    assert observed["pcl"] is not None
    assert observed["cls"] > observed["pcl"] > 0.0


def test_pcl_without_constraint_is_clsb() -> None:
    """An excess has power: the constraint does not act."""
    model = counting(15, 1.0, 12.0, 1.0)
    pcl = upper_limit(model, model.observation, method="pcl", probe=False)
    clsb = upper_limit(model, model.observation, method="clsb", probe=False)
    assert pcl.power_constrained is False
    assert pcl.observed == pytest.approx(clsb.observed, rel=1e-9)


def test_blinding_hides_everything_observed() -> None:
    """Expected values do not depend on the data; observed ones are missing, with the reason."""
    few, many = counting(1, 1.0, 10.0, 2.0), counting(40, 1.0, 10.0, 2.0)
    blind = [upper_limit(m, m.observation, blind=True) for m in (few, many)]
    assert blind[0].expected == pytest.approx(blind[1].expected)
    for result in blind:
        assert result.observed is None
        assert result.mu_hat is None
        assert result.observed_reason is not None
        assert result.scan is not None
        assert result.scan.observed is None
    test = hypotest(few, few.observation, 1.0, blind=True)
    assert test.cls is None
    assert test.statistic is None
    assert significance(few, few.observation, blind=True).observed is None


@pytest.mark.parametrize(("n_on", "n_off", "tau"), [(20, 10, 1.0), (9, 20, 4.0), (3, 1, 0.5)])
def test_on_off_significance_is_that_of_li_and_ma(n_on: int, n_off: int, tau: float) -> None:
    """Z of on/off has a closed form (Astrophys. J. 272 (1983) 317, eq. 17)."""
    model = on_off(n_on, n_off, tau)
    alpha, total = 1.0 / tau, n_on + n_off
    z = math.sqrt(
        2.0
        * (
            n_on * math.log((1 + alpha) / alpha * n_on / total)
            + n_off * math.log((1 + alpha) * n_off / total)
        )
    )
    found = significance(model, model.observation)
    assert found.observed == pytest.approx(z, rel=1e-8)
    assert found.p0 is not None
    assert found.p0.value == pytest.approx(cdf(-z), rel=1e-6)


def test_a_deficit_is_capped_or_signed() -> None:
    """Capped: Z = 0 and p0 = 1/2; uncapped: negative, with the same size as in closed form."""
    model = counting(4, 1.0, 9.0)
    capped = significance(model, model.observation)
    assert capped.observed == 0.0
    signed = significance(model, model.observation, uncapped=True)
    assert signed.observed == pytest.approx(-math.sqrt(deviance(4, 9.0)), rel=1e-8)
    assert signed.mu_hat == pytest.approx(-5.0, rel=1e-6)
    excess = counting(16, 1.0, 9.0)
    both = [significance(excess, excess.observation, uncapped=u).observed for u in (False, True)]
    assert both[0] == pytest.approx(both[1], rel=1e-9)


def test_expected_significance_uses_asimov_data_at_unit_signal() -> None:
    """Known background: Z_A = sqrt(2 ((s + b) log(1 + s/b) - s)) (eq. 97)."""
    model = counting(9, 5.0, 9.0)
    found = significance(model, model.observation)
    z = math.sqrt(2.0 * (14.0 * math.log(14.0 / 9.0) - 5.0))
    assert found.expected[2] == pytest.approx(z, rel=1e-8)
    assert found.expected[3] == pytest.approx(z + 1.0, rel=1e-8)
    signed = significance(model, model.observation, uncapped=True)
    assert signed.expected == pytest.approx([z - 2.0, z - 1.0, z, z + 1.0, z + 2.0], rel=1e-8)


def test_a_limit_on_a_constrained_parameter_says_what_is_expected() -> None:
    """Background only means a value of 0 and an auxiliary datum that agrees: hardly meant."""
    model = spectrum([101.0, 95.0], [100.0, 90.0], 0.1)
    found = upper_limit(model.with_poi("norm"), model.observation, probe=False)
    assert any("no signal strength" in note for note in found.warnings)
    assert upper_limit(model, model.observation, probe=False).warnings == ()


def test_q_keeps_the_declared_range_and_says_so() -> None:
    """q with mu-hat at the declared lower bound carries a warning; freed, mu-hat is negative."""
    model = counting(4, 1.0, 9.0)
    declared = hypotest(model, model.observation, 3.0, test_stat="q")
    assert declared.mu_hat == 0.0
    assert any("lower bound" in note for note in declared.warnings)
    free = hypotest(model, model.observation, 3.0, test_stat="q", poi_lower=-math.inf)
    assert free.mu_hat == pytest.approx(-5.0, rel=1e-6)
    assert free.statistic == pytest.approx(deviance(4, 12.0), rel=1e-8)
    assert free.warnings == ()


def test_tilde_statistics_ignore_the_declared_range() -> None:
    """A statistic sets its own bounds: an inconsistent one is refused."""
    model = counting(4, 1.0, 9.0)
    with pytest.raises(OptionError, match="contradicts"):
        hypotest(model, model.observation, 1.0, poi_lower=-1.0)


def test_cls_of_zero_signal_is_one() -> None:
    """mu = 0 cannot be excluded by CLs, whatever the data."""
    for n in (0, 3, 30):
        model = counting(n, 1.0, 3.0, 0.6)
        result = hypotest(model, model.observation, 0.0)
        assert result.cls is not None
        assert result.cls.value == pytest.approx(1.0, abs=1e-6)


def test_no_events_are_no_obstacle() -> None:
    """n = 0 with known background: the minimum lies on the bound, without any curvature."""
    model = counting(0, 1.0, 0.3)
    result = upper_limit(model, model.observation, probe=False)
    assert result.observed == pytest.approx(closed_form_limit(0.0, 0.3, 0.05), rel=1e-8)


def test_blind_expected_significance_is_that_of_data_equal_to_the_expectation() -> None:
    """Blind, no nuisance parameter is pulled: as on data that agree with signal plus background."""
    blind, agreeing = spectrum([0.0], [100.0], 0.1), spectrum([101.0], [100.0], 0.1)
    found = significance(blind, blind.observation, blind=True)
    assert found.expected[2] == pytest.approx(
        significance(agreeing, agreeing.observation).expected[2], rel=1e-6
    )
    test = hypotest(blind, blind.observation, 0.0, test_stat="q0", blind=True)
    assert math.sqrt(test.statistic_asimov) == pytest.approx(found.expected[2], rel=1e-9)


def test_a_signed_significance_says_that_a_declared_bound_binds() -> None:
    """A deficit beyond the lower bound that the workspace declares: Z is too small, and warned."""
    model = counting(4, 1.0, 9.0).with_range("mu", -1.0, 10.0)
    bound = significance(model, model.observation, uncapped=True)
    assert any("lower bound" in note for note in bound.warnings)
    free = significance(model, model.observation, uncapped=True, poi_lower=-math.inf)
    assert free.warnings == ()
    assert free.observed is not None
    assert bound.observed is not None
    assert free.observed < bound.observed < 0.0


@pytest.mark.parametrize("cl", [0.0, 0.3, 0.5, 1.0, -1.0, math.nan])
def test_levels_without_a_meaning_are_refused(cl: float) -> None:
    """A confidence level of a one-sided limit lies strictly between 0.5 and 1."""
    model = counting(4, 1.0, 3.0)
    with pytest.raises(OptionError, match="confidence level"):
        upper_limit(model, model.observation, cl=cl)


def test_impossible_requests_are_named() -> None:
    """Unknown names list the choices; contradictions say what contradicts."""
    model = counting(4, 1.0, 3.0)
    data = model.observation
    with pytest.raises(UnknownNameError, match="pcl"):
        upper_limit(model, data, method="lep")
    with pytest.raises(UnknownNameError, match="root"):
        upper_limit(model, data, band="wide")
    with pytest.raises(UnknownNameError, match="toys"):
        hypotest(model, data, 1.0, calculator="guess")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="qtilde or q"):
        upper_limit(model, data, test_stat="q0")
    with pytest.raises(OptionError, match="mu must be 0"):
        hypotest(model, data, 1.0, test_stat="q0")
    with pytest.raises(OptionError, match="finite"):
        hypotest(model, data, math.nan)
    with pytest.raises(OptionError, match="at or above 0"):
        hypotest(model, data, -1.0)


def test_a_signal_that_nothing_sees_has_no_limit() -> None:
    """Zero signal everywhere: refused with the reason, never a number."""
    model = on_off(5, 4, 1.0, masked=("on",))
    with pytest.raises(OptionError, match="changes no expected rate"):
        upper_limit(model, model.observation)


def test_a_signal_that_is_too_small_for_any_strength_is_said_to_be() -> None:
    """A yield of 1e-13 is seen, but not at any strength up to 1e12: refused with that reason."""
    model = counting(4, 1e-13, 3.0)
    with pytest.raises(OptionError, match=r"reaches only .* standard deviations at 1e\+12"):
        upper_limit(model, model.observation)


def test_goodness_of_fit_counts_degrees_of_freedom() -> None:
    """On/off is saturated; a counting experiment with constraint and mu has none left either."""
    model = on_off(20, 10, 1.0)
    found = goodness_of_fit(model, model.observation)
    assert found.degrees_of_freedom == 0
    assert found.p_value is None
    assert found.p_value_reason is not None
    assert found.statistic == pytest.approx(
        max(fit(model, model.observation).twice_nll, 0.0), abs=1e-9
    )


def test_goodness_of_fit_is_a_chi_square_with_bins_minus_free_parameters() -> None:
    """Six bins, a free signal and one constrained parameter: five degrees of freedom."""
    model = spectrum([95, 120, 88, 101, 99, 130], [100.0] * 6, 0.05)
    found = goodness_of_fit(model, model.observation)
    assert (found.n_bins, found.n_free, found.degrees_of_freedom) == (6, 1, 5)
    assert found.statistic == pytest.approx(fit(model, model.observation).twice_nll, rel=1e-9)
    assert found.p_value is not None
    assert found.p_value.value == pytest.approx(chi2.sf(found.statistic, 5), rel=1e-9)
    toys = goodness_of_fit(
        model, model.observation, calculator="toys", toys=ToyOptions(n_toys=4000, seed=5)
    )
    assert toys.p_value is not None
    assert abs(toys.p_value.value - found.p_value.value) < 0.01 + 4.0 * toys.p_value.error
    assert toys.toys is not None
    assert toys.toys.asked == 4000


def test_masked_channels_leave_the_limit_of_the_others() -> None:
    """A masked control region frees the background level: the limit can only get weaker."""
    model = on_off(8, 20, 4.0)
    masked = on_off(8, 20, 4.0, masked=("off",))
    full = upper_limit(model, model.observation, probe=False).observed
    alone = goodness_of_fit(masked, masked.observation)
    assert full is not None
    assert alone.n_bins == 1


def test_low_counts_are_said_without_a_probe() -> None:
    """Where no probe is made, low counts still make a warning, and high ones none."""
    low, high = counting(0.0, 1.0, 0.3), counting(100.0, 10.0, 100.0)
    for settings in ({"probe": False}, {"blind": True}):
        notes = upper_limit(low, low.observation, **settings).warnings
        assert any("0.3 background events" in note for note in notes)
        assert not any(
            "background events" in note
            for note in upper_limit(high, high.observation, **settings).warnings
        )
