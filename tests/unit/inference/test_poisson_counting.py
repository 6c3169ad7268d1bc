"""Counting with a known background: closed forms and the published tables."""

from __future__ import annotations

import math

import pytest
from scipy.stats import gamma, poisson

from darkstats.errors import OptionError
from darkstats.inference.poisson_counting import poisson_cdf, poisson_cls_limit, poisson_interval

# Feldman and Cousins, Phys. Rev. D 57 (1998) 3873, table IV: 90 % CL, events against background.
BACKGROUNDS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
TABLE_IV = {
    0: "0,2.44 0,1.94 0,1.61 0,1.33 0,1.26 0,1.18 0,1.08 0,1.06 0,1.01 0,0.98",
    1: "0.11,4.36 0,3.86 0,3.36 0,2.91 0,2.53 0,2.19 0,1.88 0,1.59 0,1.39 0,1.22",
    2: "0.53,5.91 0.03,5.41 0,4.91 0,4.41 0,3.91 0,3.45 0,3.04 0,2.67 0,2.33 0,1.73",
    3: "1.10,7.42 0.60,6.92 0.10,6.42 0,5.92 0,5.42 0,4.92 0,4.42 0,3.95 0,3.53 0,2.78",
    4: "1.47,8.60 1.17,8.10 0.74,7.60 0.24,7.10 0,6.60 0,6.10 0,5.60 0,5.10 0,4.60 0,3.60",
}


@pytest.mark.parametrize("n", sorted(TABLE_IV))
def test_raised_intervals_are_those_of_the_published_table(n: int) -> None:
    """Upper ends raised as in the paper: every entry to the 0.01 that is printed."""
    for background, text in list(zip(BACKGROUNDS, TABLE_IV[n].split(), strict=True))[
        :: 1 if n < 2 else 3
    ]:
        lower, upper = (float(x) for x in text.split(","))
        found = poisson_interval(n, background, raised=True)
        assert found.raised
        assert found.lower == pytest.approx(lower, abs=0.0051)
        assert found.upper == pytest.approx(upper, abs=0.0101)


def test_the_plain_construction_may_rise_with_the_background() -> None:
    """n = 0: without raising, the upper end at b = 2.5 exceeds that at b = 2."""
    at_2, at_2_5 = (poisson_interval(0, b).upper for b in (2.0, 2.5))
    assert at_2 is not None
    assert at_2_5 is not None
    assert at_2 < at_2_5
    raised = poisson_interval(0, 2.0, raised=True).upper
    assert raised is not None
    assert raised > at_2


@pytest.mark.parametrize("background", [0.0, 0.3, 3.0, 30.0])
@pytest.mark.parametrize("cl", [0.9, 0.95])
def test_no_event_gives_the_same_cls_limit_for_any_background(background: float, cl: float) -> None:
    """n = 0: CLs = exp(-s), so the limit is -log(1 - CL)."""
    assert poisson_cls_limit(0, background, cl=cl) == pytest.approx(-math.log(1.0 - cl), rel=1e-12)


@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_clsb_limits_are_gamma_quantiles(n: int) -> None:
    """Without CLb the limit is a quantile of the gamma distribution, less the background."""
    found = poisson_cls_limit(n, 0.2, cl=0.9, method="clsb")
    assert found == pytest.approx(gamma.ppf(0.9, n + 1) - 0.2, rel=1e-10)


def test_clsb_limit_of_a_large_deficit_is_zero() -> None:
    """Where even s = 0 is excluded, no positive signal is allowed."""
    assert poisson_cls_limit(0, 10.0, method="clsb") == 0.0


def test_poisson_cdf_agrees_with_scipy() -> None:
    """Sums of the first terms, and the ends of the range."""
    for n, mean in ((0, 0.1), (3, 3.0), (50, 30.0)):
        assert poisson_cdf(n, mean) == pytest.approx(poisson.cdf(n, mean), rel=1e-12)
    assert poisson_cdf(-1, 1.0) == 0.0
    assert poisson_cdf(0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("n", "background", "cl"), [(-1, 1.0, 0.9), (1, -1.0, 0.9), (1, math.nan, 0.9), (1, 1.0, 1.0)]
)
def test_impossible_experiments_are_refused(n: int, background: float, cl: float) -> None:
    """Negative counts and backgrounds, and levels outside (0, 1)."""
    with pytest.raises(OptionError):
        poisson_interval(n, background, cl=cl)
