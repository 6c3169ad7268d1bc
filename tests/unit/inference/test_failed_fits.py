"""Fits that fail behind a test, a limit or an interval."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

import darkstats.inference.curve as curves
from darkstats.errors import FitFailedError, LimitNotFoundError
from darkstats.inference.asymptotics import expected_p_values, observed_p_values
from darkstats.inference.crossing import Crossing
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.hypotest import asymptotic_test
from darkstats.inference.limit_search import LimitSearch
from darkstats.inference.p_values import PValue
from darkstats.inference.test_statistics import TEST_STATISTICS
from darkstats.inference.toys import p_value
from failing_fits import FailingFits
from small_models import counting


def _curve() -> ProfileCurve:
    model = counting(n=7.0, signal=2.0, background=3.0, width=1.0)
    return ProfileCurve(model, model.observation, TEST_STATISTICS["qtilde"])


def _refused(*_: object, **__: object) -> None:
    raise FitFailedError("found from one start only")


@pytest.mark.parametrize("certified", [0, 1, 2])
def test_starts_that_fail_do_not_agree(monkeypatch: pytest.MonkeyPatch, certified: int) -> None:
    """Where no start, one or two are certified, the failed rest is no witness: no number."""
    curve = _curve()
    monkeypatch.setattr(curves, "fit", _refused)

    def choose(n: int) -> npt.NDArray[np.bool_]:
        return np.arange(n) >= certified

    FailingFits(monkeypatch, choose)
    attempted, before = curve.attempted, curve.certified
    with pytest.raises(FitFailedError, match="found from one start only"):
        curve.certify(8.0)
    assert 8.0 not in curve.points
    assert curve.certified - before == certified
    assert curve.attempted - attempted > certified
    with pytest.raises(FitFailedError, match="no minimum is known with the signal strength at 8"):
        curve.q(8.0)


def test_many_starts_that_agree_are_still_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest of many minima is taken where three different starts found it."""
    expected = _curve()
    expected.certify(2.0)
    curve = _curve()
    monkeypatch.setattr(curves, "fit", _refused)
    FailingFits(monkeypatch, lambda n: np.arange(n) >= 3)
    curve.certify(2.0)
    assert curve.q(2.0) == pytest.approx(expected.q(2.0), abs=1e-8)


def test_one_start_told_several_times_is_one_witness() -> None:
    """Where nothing but the signal strength differs, two starts are the same start."""
    points = np.array([[1.0, 5.0], [2.0, 5.0], [1.0, 6.0], [3.0, 5.0]])
    assert curves._different(points, 0).tolist() == [[1.0, 5.0], [1.0, 6.0]]


def test_a_test_without_fits_at_its_signal_strength_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Free fit and Asimov data are there; every fit at the tested strength fails."""
    curve = _curve()
    FailingFits(monkeypatch, lambda n: np.ones(n, dtype=bool))
    with pytest.raises(FitFailedError, match="no minimum could be certified"):
        asymptotic_test(curve, 8.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_p_value_of_a_statistic_that_is_no_number(bad: float) -> None:
    """An infinite statistic stands for a fit that failed, never for CLs = 0."""
    for q, q_asimov in ((bad, 1.0), (1.0, bad)):
        with pytest.raises(FitFailedError, match="not a number"):
            observed_p_values("qtilde", q, q_asimov)
    with pytest.raises(FitFailedError, match="not a number"):
        expected_p_values("qtilde", bad, 0.0)


def test_no_p_value_of_toys_that_failed() -> None:
    """Toys without a value, or data without one, give no fraction; an infinite value is one."""
    with pytest.raises(FitFailedError, match="not a number"):
        p_value(np.array([0.0, 1.0]), math.nan)
    with pytest.raises(FitFailedError, match="not a number"):
        p_value(np.array([0.0, math.nan]), 0.5)
    assert p_value(np.array([0.0, math.inf]), math.inf).value == 0.5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.5])
def test_a_p_value_lies_between_0_and_1(bad: float) -> None:
    with pytest.raises(FitFailedError, match="no probability"):
        PValue.exact(bad)


def test_a_crossing_without_certified_points_is_no_limit_of_zero() -> None:
    """Nothing known of a curve is not the same as everything excluded."""
    search = LimitSearch(_curve(), 0.05, "cls", (0.0,))
    crossing = Crossing("the observed limit", 1.0, floor=1e-9)
    with pytest.raises(LimitNotFoundError, match="no certified fits on both sides"):
        search.found(crossing)
    crossing.add(1.0, 2.0)
    with pytest.raises(LimitNotFoundError, match="no certified fits on both sides"):
        search.found(crossing)
    crossing.add(1.0, 1.0)  # told once
    crossing.add(2.0, -2.0)
    assert search.found(crossing) == pytest.approx(1.5)
