"""Asymptotic distributions, against scipy and against each other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from darkstats.errors import UnknownNameError
from darkstats.inference.asymptotics import (
    expected_p_values,
    expected_significance,
    fixed_sigma_limit,
    observed_p_values,
    root_target,
)
from darkstats.inference.chi_square import chi_square_survival

POSITIVE = st.floats(1e-6, 400.0)


@given(q=POSITIVE, qa=POSITIVE)
def test_cls_is_a_ratio_of_the_two_tails_of_cowan_et_al(q: float, qa: float) -> None:
    """q-tilde follows eq. 64-66: one Gaussian below q = mu^2/sigma^2, another beyond."""
    p = observed_p_values("qtilde", q, qa)
    a = math.sqrt(qa)
    x = math.sqrt(q) if q <= qa else (q + qa) / (2.0 * a)
    assert p.log_clsb == pytest.approx(norm.logsf(x), rel=1e-9)
    assert p.log_clb == pytest.approx(norm.logsf(x - a), rel=1e-9, abs=1e-12)
    assert 0.0 <= p.cls <= 1.0


@given(q=st.floats(0.0, 1e6), qa=st.floats(0.0, 1e6))
@pytest.mark.parametrize("name", ["q", "qtilde", "q0", "t", "ttilde"])
def test_no_p_value_is_ever_nan(name: str, q: float, qa: float) -> None:
    """Deep tails underflow to 0, never to NaN: CLs is formed from logarithms."""
    p = observed_p_values(name, q, qa)
    for value in (p.cls, p.clsb, p.clb):
        assert 0.0 <= value <= 1.0


def test_cls_keeps_its_digits_where_both_tails_underflow() -> None:
    """At q = q_A = 2500 CLs+b is below 1e-300, and CLs is still its ratio to one half."""
    p = observed_p_values("q", 2500.0, 2500.0)
    assert p.log_cls == pytest.approx(norm.logsf(50.0) + math.log(2.0), rel=1e-12)


def test_cls_is_one_where_nothing_can_be_told() -> None:
    """At mu = 0, and without sensitivity, CLs is 1."""
    assert observed_p_values("qtilde", 0.0, 0.0).cls == 1.0
    assert expected_p_values("qtilde", 0.0, -2.0).cls == pytest.approx(1.0)


@given(a=st.floats(1e-3, 20.0), n=st.floats(-3.0, 3.0))
def test_expected_values_are_those_of_the_outcome_n_sigma(a: float, n: float) -> None:
    """The band is the observed p-value at mu_hat = n sigma, for q and for q-tilde."""
    t = (a - n) ** 2 if n <= a else 0.0
    tilde = t if n >= 0.0 else a * a - 2.0 * a * n
    expected = expected_p_values("qtilde", a * a, n)
    if n <= a:
        assert expected.log_clsb == pytest.approx(
            observed_p_values("qtilde", tilde, a * a).log_clsb, rel=1e-6, abs=1e-9
        )
        assert expected.log_clsb == pytest.approx(
            observed_p_values("q", t, a * a).log_clsb, rel=1e-6, abs=1e-9
        )


@given(alpha=st.floats(1e-4, 0.5), n=st.floats(-2.0, 2.0))
def test_root_target_solves_its_equation(alpha: float, n: float) -> None:
    """At the target, expected CLs is 1 - CL; without CLb it is CLs+b."""
    a = root_target(alpha, n)
    assert expected_p_values("qtilde", a * a, n).cls == pytest.approx(alpha, rel=1e-9)
    b = root_target(alpha, n, method="clsb")
    assert norm.sf(b - n) == pytest.approx(alpha, rel=1e-9)
    assert fixed_sigma_limit(2.0, alpha, n) == pytest.approx(2.0 * a)


def test_two_sided_statistics_match_their_chi_square() -> None:
    """t follows a chi-square of one degree of freedom (eq. 36); t-tilde below mu^2/sigma^2."""
    for t in (0.1, 1.0, 3.8, 25.0):
        assert observed_p_values("t", t, 30.0).clsb == pytest.approx(chi2.sf(t, 1), rel=1e-12)
        assert observed_p_values("ttilde", t, 30.0).clsb == pytest.approx(chi2.sf(t, 1), rel=1e-12)
    p = observed_p_values("ttilde", 4.0, 1.0).clsb
    assert p == pytest.approx(norm.sf(2.0) + norm.sf(2.5), rel=1e-12)


def test_unknown_statistics_are_named() -> None:
    """The error lists the choices."""
    with pytest.raises(UnknownNameError, match="qtilde"):
        observed_p_values("lep", 1.0, 1.0)


def test_expected_significance_is_the_root_of_asimov() -> None:
    """Median Z is sqrt(q0_A), and a band edge below 0 is 0."""
    assert expected_significance(9.0) == 3.0
    assert expected_significance(1.0, -2.0) == 0.0


@given(x=st.floats(0.0, 500.0), k=st.integers(1, 200))
def test_chi_square_tail_agrees_with_scipy(x: float, k: int) -> None:
    """Own incomplete gamma function, so that scipy need not be imported."""
    assert chi_square_survival(x, k) == pytest.approx(chi2.sf(x, k), rel=1e-10, abs=1e-300)


def test_chi_square_needs_a_degree_of_freedom() -> None:
    """Zero degrees of freedom are refused."""
    with pytest.raises(ValueError, match="degree"):
        chi_square_survival(1.0, 0)
