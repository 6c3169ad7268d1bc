"""Curves where two minima compete: each point is the lowest, whatever its neighbours led to.

Two channels, an interpolation with a kink, and a deviance of 0.0015 between the wells: five points
of the curve around a certified limit lay in the other one, and the limit warned of a rise that
was not there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import darkstats
from darkstats.model import Model

CASE = Path(__file__).parent / "cases" / "competing_wells.json"


@pytest.fixture(scope="module")
def model() -> Model:
    return darkstats.compile_workspace(darkstats.read_workspace(CASE))


def test_the_curve_around_a_limit_is_that_of_single_tests(model: Model) -> None:
    limit = darkstats.upper_limit(model, model.observation, scan_points=41, probe=False)
    assert limit.scan is not None
    assert limit.scan.observed is not None
    for mu, found in zip(limit.scan.mu[1::3], limit.scan.observed[1::3], strict=True):
        single = darkstats.hypotest(model, model.observation, mu=mu)
        assert found == pytest.approx(single.cls.value, abs=1e-6)
    assert (np.diff(limit.scan.observed) < 0.0).all()
    assert not any("rises again" in warning for warning in limit.warnings)
    assert limit.observed == pytest.approx(0.717086, abs=1e-6)


@pytest.mark.parametrize(
    ("mu", "pyhf"), [(0.3208, 0.5124), (0.35, 0.4580), (0.3792, 0.4054), (0.4083, 0.3555)]
)
def test_single_tests_are_those_of_pyhf(model: Model, mu: float, pyhf: float) -> None:
    """Stated to four digits, for strengths that are rounded to four."""
    assert darkstats.hypotest(model, model.observation, mu=mu).cls.value == pytest.approx(
        pyhf, abs=2e-4
    )


def test_a_profile_scan_takes_the_lowest_of_both_wells(model: Model) -> None:
    """Each point against a fit that looks for other minima."""
    grid = np.linspace(0.0, 1.0, 21)
    scan = darkstats.profile_scan(model, model.observation, {"mu": grid})
    assert scan.certified.all()
    for mu, delta in zip(grid[::2], scan.delta[::2], strict=True):
        lowest = darkstats.fit_model(model, model.observation, poi_value=mu)
        rise = lowest.twice_nll - scan.result.twice_nll
        assert delta == pytest.approx(max(rise, 0.0), abs=1e-5)
