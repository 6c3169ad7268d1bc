"""Toys: reproducible, continuable, counted, and right where the answer is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import poisson

from darkstats.errors import FitFailedError, OptionError
from darkstats.inference import (
    TEST_STATISTICS,
    TOYS_PER_BLOCK,
    Hypothesis,
    ToyOptions,
    ToySample,
    feldman_cousins,
    goodness_of_fit,
    hypotest,
    poisson_cls_limit,
    poisson_interval,
    sample_statistic,
    significance,
    upper_limit,
)
from darkstats.inference.p_values import PValue
from darkstats.inference.toy_tests import cls_of, quantile_with_error
from darkstats.inference.toys import p_value, stream, throw
from darkstats.model import HistFactoryModel
from small_models import counting, on_off

DIGEST = "0123456789abcdef" * 4


def sample(model: HistFactoryModel, options: ToyOptions) -> ToySample:
    return sample_statistic(
        model,
        model.inits,
        mu=(1.0, 2.0),
        statistic=TEST_STATISTICS["qtilde"],
        poi_lower=0.0,
        hypothesis=Hypothesis.TESTED,
        options=options,
    )


def test_streams_are_keyed_by_what_is_drawn() -> None:
    """Same key, same numbers; any other word of the key, other numbers."""

    def draw(**other: int) -> float:
        key = {"seed": 1, "what": 0, "block": 0} | other
        rng = stream(key["seed"], digest=DIGEST, what=key["what"], block=key["block"])
        return float(rng.random())

    assert draw() == draw()
    assert len({draw(), draw(seed=2), draw(what=1), draw(block=1)}) == 4
    assert stream(1, digest=DIGEST[::-1], what=0, block=0).random() != draw()


def test_wide_words_are_refused() -> None:
    """A word of 33 bits would silently be two words, and so another key."""
    with pytest.raises(ValueError, match="2\\*\\*32"):
        stream(0, digest=DIGEST, what=0, block=2**32)


def test_auxiliary_data_are_thrown_too() -> None:
    """Means and variances of counts and of the Poisson auxiliary datum are those of the point."""
    model = on_off(5, 5, 1.0)
    counts, auxdata = throw(model, model.inits, stream(0, digest=DIGEST, what=0, block=0), 20_000)
    assert counts.shape == (20_000, 2)
    assert np.all(auxdata == 0.0)
    constrained = counting(5, 1.0, 5.0, 2.5)
    _, auxdata = throw(
        constrained, constrained.inits, stream(0, digest=DIGEST, what=0, block=0), 20_000
    )
    drawn = auxdata[:, [p.constrained for p in constrained.parameters]]
    assert drawn.mean() == pytest.approx(4.0, abs=5 * 2.0 / math.sqrt(20_000))
    assert drawn.var() == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_never_change_a_toy(threads: int) -> None:
    """The same bits for any number of threads."""
    model = on_off(5, 5, 1.0)
    one = sample(model, ToyOptions(n_toys=3000, seed=7, threads=1))
    many = sample(model, ToyOptions(n_toys=3000, seed=7, threads=threads))
    assert one.values.tobytes() == many.values.tobytes()


def test_a_sample_can_be_continued() -> None:
    """1500 toys and 1000 more are 2500 toys, also across a block and in any order."""
    model = on_off(5, 5, 1.0)
    assert 1500 % TOYS_PER_BLOCK != 0
    first = sample(model, ToyOptions(n_toys=1500, seed=7))
    more = sample(model, ToyOptions(n_toys=1000, seed=7, first_toy=1500))
    whole = sample(model, ToyOptions(n_toys=2500, seed=7))
    for merged in (first.merge(more), more.merge(first)):
        assert merged.values.tobytes() == whole.values.tobytes()
        assert merged.counts.asked == 2500


def test_samples_that_do_not_adjoin_are_refused() -> None:
    """Gaps, overlaps and other seeds cannot be merged."""
    model = on_off(5, 5, 1.0)
    first = sample(model, ToyOptions(n_toys=100, seed=7))
    for options in (
        ToyOptions(n_toys=100, seed=7, first_toy=200),
        ToyOptions(n_toys=100, seed=7, first_toy=50),
        ToyOptions(n_toys=100, seed=8, first_toy=100),
    ):
        with pytest.raises(OptionError):
            first.merge(sample(model, options))


def test_samples_survive_json() -> None:
    """Stored and read back bit for bit; damaged ones are refused."""
    model = on_off(5, 5, 1.0)
    kept = sample(model, ToyOptions(n_toys=50, seed=7))
    again = ToySample.from_plain(json.loads(json.dumps(kept.to_plain())))
    assert again.values.tobytes() == kept.values.tobytes()
    assert again.parameters == kept.parameters
    with pytest.raises(OptionError, match="not a stored sample"):
        ToySample.from_plain(kept.to_plain() | {"stop": 49})


def test_p_values_count_ties_and_bound_failures() -> None:
    """P(>=): equal values count, also within rounding; failed toys widen the range."""
    ordered = np.array([0.0, 0.0, 1.0 - 1e-9, 3.0])
    p = p_value(ordered, 1.0, failed=1)
    assert (p.value, p.low, p.high) == (0.5, 0.4, 0.6)
    assert p_value(ordered, 0.0).value == 1.0
    none = p_value(ordered, 9.0)
    assert none.value == 0.0
    assert none.error > 0.0
    with pytest.raises(FitFailedError):
        p_value(np.array([]), 1.0)


def test_cls_of_two_empty_tails_is_zero_with_full_error() -> None:
    """Where neither sample reaches the data, CLs is 0 and nothing is known."""
    empty = PValue(value=0.0, error=0.01, low=0.0, high=0.01)
    assert cls_of(empty, empty) == PValue(value=0.0, error=1.0, low=0.0, high=1.0)


def test_quantiles_are_values_that_occur() -> None:
    """The quantile of discrete values is one of them."""
    value, error = quantile_with_error(np.array([0.0, 0.0, 1.0, 2.0]), 0.5)
    assert value == 0.0
    assert error >= 0.0


@pytest.mark.parametrize(("n", "mu"), [(0, 2.0), (3, 5.0), (6, 4.0)])
def test_counting_p_values_are_poisson_sums(n: int, mu: float) -> None:
    """Known background: the order of q-tilde is that of the counts, so CLs+b is a Poisson sum."""
    model = counting(n, 1.0, 3.0)
    result = hypotest(
        model, model.observation, mu, calculator="toys", toys=ToyOptions(n_toys=20_000, seed=3)
    )
    for p, mean in ((result.clsb, 3.0 + mu), (result.clb, 3.0)):
        assert p is not None
        assert abs(p.value - poisson.cdf(n, mean)) < 4.5 * p.error
    assert result.toys is not None
    assert result.toys.failed == 0
    assert result.seed == 3


def test_the_limit_by_toys_is_the_exact_one() -> None:
    """n = 0: 3.0 within its own error, where the asymptotic limit is 2.1."""
    model = counting(0, 1.0, 0.3)
    options = ToyOptions(n_toys=10_000, seed=1)
    result = upper_limit(model, model.observation, calculator="toys", toys=options)
    assert result.observed is not None
    exact = poisson_cls_limit(0, 0.3)
    assert abs(result.observed - exact) < 4.5 * result.observed_error
    assert 0.0 < result.observed_error < 0.1
    assert result.expected[2] == pytest.approx(exact, abs=0.2)
    asymptotic = upper_limit(model, model.observation)
    assert asymptotic.observed == pytest.approx(2.13, abs=0.02)
    assert asymptotic.probe is not None
    assert asymptotic.probe.recommends_toys
    assert any("--calculator toys" in note for note in asymptotic.warnings)


def test_no_probe_where_counts_are_high() -> None:
    """A hundred expected events need none."""
    model = counting(100, 1.0, 100.0, 5.0)
    assert upper_limit(model, model.observation).probe is None


def test_a_probe_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number stays, and the reason that stands in the place of the probe is the true one."""

    def fail(*_: object) -> None:
        raise FitFailedError("all toys failed")

    monkeypatch.setattr("darkstats.inference.probe.toy_points", fail)
    model = counting(2, 1.0, 1.0)
    found = upper_limit(model, model.observation)
    assert found.probe is None
    assert "all toys failed" in (found.probe_reason or "")
    assert any("all toys failed" in note for note in found.warnings)
    assert found.observed == upper_limit(model, model.observation, probe=False).observed


def test_significance_by_toys_is_a_poisson_tail() -> None:
    """p0 of a known background, counting ties, and its error propagated to Z."""
    model = counting(9, 3.0, 3.0)
    found = significance(
        model, model.observation, calculator="toys", toys=ToyOptions(n_toys=40_000)
    )
    assert found.p0 is not None
    assert abs(found.p0.value - poisson.sf(8, 3.0)) < 4.5 * found.p0.error
    assert found.observed_error > 0.0


def test_no_toy_beyond_the_data_gives_a_bound_not_a_number() -> None:
    """A huge excess: Z is missing, and the reason says p0 < 1/N."""
    model = counting(60, 3.0, 3.0)
    found = significance(model, model.observation, calculator="toys", toys=ToyOptions(n_toys=500))
    assert found.observed is None
    assert found.observed_reason is not None
    assert "p0 <" in found.observed_reason


def test_goodness_of_fit_by_toys_is_uniform_on_its_own_toys() -> None:
    """A control and a signal region without freedom: p is the share of toys at least as far."""
    model = counting(9, 1.0, 9.0)
    assert goodness_of_fit(model, model.observation).p_value is None


@pytest.mark.parametrize("n", [2, 9])
def test_profiled_feldman_cousins_is_exact_without_nuisances(n: int) -> None:
    """Known background: the ends are those of the exact construction, within their errors."""
    model = counting(n, 1.0, 3.0)
    found = feldman_cousins(model, model.observation, toys=ToyOptions(n_toys=20_000, seed=2))
    exact = poisson_interval(n, 3.0)
    assert found.upper is not None
    assert exact.upper is not None
    # p jumps where the belt does: the straight line through it is good to a tenth of an event
    assert found.upper == pytest.approx(exact.upper, abs=0.12)
    assert found.lower == pytest.approx(exact.lower, abs=0.12)


@pytest.mark.parametrize(("n", "background"), [(1, 3.0), (12, 3.0), (3, 0.5)])
def test_profiled_feldman_cousins_sees_jumps_of_the_p_value(n: int, background: float) -> None:
    """Few events: the p-value jumps where outcomes change their order; ends are exact there too."""
    model = counting(n, 1.0, background)
    found = feldman_cousins(model, model.observation, toys=ToyOptions(n_toys=20_000, seed=3))
    exact = poisson_interval(n, background)
    assert found.upper is not None
    assert exact.upper is not None
    assert abs(found.upper - exact.upper) < 4.0 * found.upper_error
    assert found.upper_error < 0.02 * exact.upper
    assert abs(found.lower - exact.lower) <= 4.0 * found.lower_error


def test_toy_options_are_checked() -> None:
    """Counts, seeds, threads and indices within their ranges."""
    for bad in ({"n_toys": 0}, {"seed": -1}, {"threads": 0}, {"first_toy": -1}):
        with pytest.raises(OptionError):
            ToyOptions(**bad)
