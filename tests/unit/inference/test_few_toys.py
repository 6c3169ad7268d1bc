"""Toys that are too few, or that say nothing: a reason in the place of a number."""

from __future__ import annotations

import math

import pytest

from darkstats.errors import LimitNotFoundError, OptionError
from darkstats.inference import (
    ToyOptions,
    feldman_cousins,
    hypotest,
    poisson_cls_limit,
    significance,
    upper_limit,
)
from small_models import counting


def test_a_deficit_that_no_toy_reaches_has_no_cls_limit_by_toys() -> None:
    """No event where 20 are expected: CLs by toys is 0 / 0, which is no limit of 0."""
    model = counting(0, 1.0, 20.0)
    toys = ToyOptions(n_toys=1000, seed=1)
    with pytest.raises(LimitNotFoundError, match="none of 500 background-only toys"):
        upper_limit(model, model.observation, calculator="toys", toys=toys)
    test = hypotest(model, model.observation, 3.0, calculator="toys", toys=toys)
    assert test.cls is None
    assert test.observed_reason is not None
    assert "CLs is not known" in test.observed_reason
    assert test.clsb is not None
    assert test.clsb.value == 0.0


def test_a_deficit_that_half_a_toy_reaches_at_the_limit_is_refused() -> None:
    """Ten background-only toys as extreme, hence half a toy at the limit: no number."""
    model = counting(2, 1.0, 12.0)
    toys = ToyOptions(n_toys=20_000, seed=4)
    with pytest.raises(LimitNotFoundError, match="ask for more"):
        upper_limit(model, model.observation, calculator="toys", toys=toys)


def test_a_deficit_that_toys_reach_has_the_exact_limit() -> None:
    """Two in a hundred background-only toys are as extreme: right within the error."""
    model = counting(6, 1.0, 12.0)
    toys = ToyOptions(n_toys=20_000, seed=4)
    limit = upper_limit(model, model.observation, calculator="toys", toys=toys)
    assert limit.observed is not None
    assert abs(limit.observed - poisson_cls_limit(6, 12.0)) < 4.0 * limit.observed_error


@pytest.mark.parametrize("n", [1, 2, 10, 39])
def test_toys_that_cannot_measure_the_level_are_refused(n: int) -> None:
    """Two toys at least are expected beyond the limit; else the number of toys is refused."""
    model = counting(53, 5.0, 50.0)
    toys = ToyOptions(n_toys=n)
    with pytest.raises(OptionError, match="ask for 40 or more"):
        upper_limit(model, model.observation, calculator="toys", toys=toys)
    with pytest.raises(OptionError, match="ask for 40 or more"):
        feldman_cousins(model, model.observation, cl=0.95, toys=toys)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("method", ["cls", "clsb", "pcl"])
def test_few_toys_give_few_numbers_and_say_so(seed: int, method: str) -> None:
    """Sixty toys: each number that is given has a finite error, what is missing a reason."""
    model = counting(53, 5.0, 50.0)
    toys = ToyOptions(n_toys=60, seed=seed)
    try:
        limit = upper_limit(model, model.observation, calculator="toys", method=method, toys=toys)
    except LimitNotFoundError:
        return
    assert any("ask for more toys" in note for note in limit.warnings)
    assert limit.observed is not None
    assert limit.observed > 0.0
    assert math.isfinite(limit.observed_error)
    for value, error in zip(limit.expected, limit.expected_error, strict=True):
        if value is None:
            assert error is None
            assert limit.expected_reason is not None
        else:
            assert method != "cls" or value > 0.0
            assert error is not None
            assert math.isfinite(error)


def test_a_deficit_beyond_all_toys_has_no_signed_significance() -> None:
    """Every toy exceeds the data: Z by toys is unknown when it may be negative, 0 when capped."""
    model = counting(10, 5.0, 50.0)
    toys = ToyOptions(n_toys=100, seed=1)
    signed = significance(model, model.observation, calculator="toys", uncapped=True, toys=toys)
    assert signed.observed is None
    assert signed.observed_reason is not None
    assert "every toy" in signed.observed_reason
    capped = significance(model, model.observation, calculator="toys", toys=toys)
    assert capped.observed == 0.0


def test_edges_of_the_band_that_toys_do_not_reach_are_missing() -> None:
    """Of 1000 toys, one lies beyond the limit at -2 sigma: no number; 2000 toys give all five."""
    model = counting(53, 5.0, 50.0)
    few, enough = (
        upper_limit(model, model.observation, calculator="toys", toys=ToyOptions(n_toys=n, seed=2))
        for n in (1000, 2000)
    )
    assert few.expected[0] is None
    assert few.expected_reason is not None
    assert None not in few.expected[1:]
    assert None not in enough.expected


def test_a_limit_at_the_edge_of_power_has_the_error_of_the_edge() -> None:
    """A deficit: observed limit and the -2 sigma entry stand at the -1 sigma entry."""
    model = counting(42, 5.0, 50.0)
    toys = ToyOptions(n_toys=2000, seed=2)
    limit = upper_limit(model, model.observation, calculator="toys", method="pcl", toys=toys)
    assert limit.power_constrained
    assert limit.observed == limit.expected[0] == limit.expected[1]
    errors = limit.expected_error
    assert errors[1] is not None
    assert errors[1] > 0.0
    assert limit.observed_error == errors[0] == errors[1]
    assert limit.observed_low == limit.observed == limit.observed_high
