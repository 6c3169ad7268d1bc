"""Minima over several starts, of which some failed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import FitFailedError
from darkstats.fit import fit, fit_batch, profile_scan
from darkstats.fit.minima import Minimum
from failing_fits import FailingFits, every_lane
from small_models import counting


def test_failed_starts_never_agree_with_each_other() -> None:
    """What failed is no number and equals nothing; a lone certified start agrees with itself."""
    points = np.arange(5.0)[:, np.newaxis]
    for nothing in (math.nan, -math.inf):
        assert Minimum.of(points, np.full(5, nothing)) is None
        found = Minimum.of(points, np.array([nothing, nothing, 4.0, nothing, nothing]))
        assert found is not None
        assert (found.twice_nll, found.agreeing(), found.certified) == (4.0, 1, 1)
        assert not found.unanimous


def test_the_lowest_is_told_with_how_many_agree() -> None:
    """The first of equals is taken, and starts are counted by their height."""
    values = np.array([3.0, np.nan, 1.0, 1.0 + 1e-8, 9.0])
    found = Minimum.of(np.arange(5.0)[:, np.newaxis], values)
    assert found is not None
    assert (found.lane, found.tried, found.certified) == (2, 5, 4)
    assert found.agreeing() == 2
    assert found.agreeing(5.0) == 3
    assert found.spread == 8.0
    assert found.parameters == [2.0]


def test_a_failed_lane_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Value and parameters of a failed lane are not numbers, whatever the minimiser left there."""
    model = counting(n=5.0, signal=2.0, background=3.0, width=1.0)
    counts, auxdata = np.full((12, 1), 5.0), np.repeat(model.observation.auxdata[None], 12, axis=0)
    clean = fit_batch(model, counts, auxdata)
    third = np.arange(12) % 3 == 0
    FailingFits(monkeypatch, lambda n: third[:n])
    batch = fit_batch(model, counts, auxdata)
    assert np.array_equal(batch.converged, ~third)
    assert np.isnan(batch.twice_nll[third]).all()
    assert np.isnan(batch.parameters[third]).all()
    assert np.array_equal(batch.twice_nll[~third], clean.twice_nll[~third])
    assert np.array_equal(batch.parameters[~third], clean.parameters[~third])
    assert np.isfinite(batch.ends).all()
    lowest = batch.lowest()
    assert lowest is not None
    assert lowest.twice_nll == clean.twice_nll[1]


def test_a_fit_of_which_one_start_is_certified_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single certified start has nothing that agrees with it."""
    model = counting(n=5.0, signal=2.0, background=3.0, width=1.0)
    FailingFits(monkeypatch, lambda n: np.arange(n) != 1)
    with pytest.raises(FitFailedError, match=r"one of 22 starts only.*all others failed"):
        fit(model, model.observation)


def test_failed_starts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is that of the certified starts; failures of both rounds of starts are counted."""
    model = counting(n=5.0, signal=2.0, background=3.0, width=1.0)
    clean = fit(model, model.observation)
    assert clean.certification.failed == 0
    FailingFits(monkeypatch, lambda n: np.arange(n) == 0)
    found = fit(model, model.observation)
    assert found.twice_nll == pytest.approx(clean.twice_nll, abs=1e-9)
    assert (found.certification.starts, found.certification.failed) == (22, 2)


def test_a_scan_without_any_certified_point_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails from one start is fitted from its neighbours; a scan of nothing is refused."""
    model = counting(n=5.0, signal=2.0, background=3.0, width=1.0)
    grid = np.linspace(0.0, 3.0, 7)
    clean = profile_scan(model, model.observation, {"mu": grid})
    FailingFits(monkeypatch, lambda n: (np.arange(n) == 3) & (n == 7))
    scan = profile_scan(model, model.observation, {"mu": grid})
    assert scan.certified.all()
    np.testing.assert_allclose(scan.delta, clean.delta, atol=1e-8)
    FailingFits(monkeypatch, lambda n: np.full(n, n == 7))
    with pytest.raises(FitFailedError, match="none of the 7 points"):
        profile_scan(model, model.observation, {"mu": grid})


def test_nothing_certified_is_a_failure_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    model = counting(n=5.0, signal=2.0, background=3.0, width=1.0)
    FailingFits(monkeypatch, every_lane)
    with pytest.raises(FitFailedError, match="no minimum could be certified from 22 starts"):
        fit(model, model.observation)
