"""No CLs limit lies below that of no event at all; where the asymptotic one does, it is said."""

from __future__ import annotations

import math

import pytest
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from darkstats.inference import ToyOptions, upper_limit
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.low_counts import zero_event_limit
from darkstats.inference.test_statistics import TEST_STATISTICS
from darkstats.scan.limits import point_of_model
from darkstats.scan.settings import ScanSettings
from small_models import counting, on_off, spectrum


def exact_limit(n: int, background: float, cl: float) -> float:
    """CLs limit on signal events over a known background."""
    reference = poisson.cdf(n, background)
    return float(
        brentq(lambda s: poisson.cdf(n, s + background) / reference - (1.0 - cl), 0.0, 200.0)
    )


@pytest.mark.parametrize("cl", [0.9, 0.95])
@pytest.mark.parametrize(("n", "background"), [(0, 0.02), (0, 0.3), (0, 3.0), (1, 0.5), (2, 3.0)])
@pytest.mark.parametrize("scale", [1e-6, 0.5])
def test_exact_counting_stands_beside_a_known_background(
    n: int, background: float, cl: float, scale: float
) -> None:
    """One bin: observed and band are the exact ones, in units of the signal strength."""
    model = counting(n, scale, background)
    limit = upper_limit(model, model.observation, cl=cl, scan_points=0, probe=False)
    held = limit.low_counts
    assert held is not None
    assert held.calculator == "exact counting"
    assert held.floor == pytest.approx(-math.log(1.0 - cl) / scale, rel=1e-9)
    assert held.observed == pytest.approx(exact_limit(n, background, cl) / scale, rel=1e-8)
    for position, value in zip(range(-2, 3), held.expected, strict=True):
        outcome = int(poisson.ppf(norm.cdf(position), background))
        assert value == pytest.approx(exact_limit(outcome, background, cl) / scale, rel=1e-8)
    assert held.observed_below is (limit.observed < held.floor * 0.999)
    assert any("no event at all" in warning for warning in limit.warnings)


def test_toys_stand_beside_an_uncertain_background() -> None:
    """No event: toys give the floor, whatever the nuisance."""
    model = counting(0, 2.0, 0.4, 0.1)
    limit = upper_limit(model, model.observation, cl=0.9, scan_points=0)
    held = limit.low_counts
    assert held is not None
    assert held.calculator == "toys"
    assert held.observed_below
    assert held.observed == pytest.approx(
        -math.log(0.1) / 2.0, abs=4.0 * held.observed_error + 0.01
    )
    assert limit.observed is not None
    assert limit.observed < held.floor


def test_ordinary_counts_have_no_second_number() -> None:
    """Where every entry lies above the floor, nothing is added; nor for CLs+b."""
    model = counting(50, 5.0, 50.0, 5.0)
    assert upper_limit(model, model.observation, scan_points=0).low_counts is None
    few = counting(0, 2.0, 0.4)
    limit = upper_limit(few, few.observation, method="clsb", scan_points=0, probe=False)
    assert limit.low_counts is None


def test_the_floor_counts_all_bins_and_no_masked_one() -> None:
    """Several bins: the sum of the signal; masked channels do not count."""
    model = spectrum([0.0, 1.0, 0.0], [0.2, 0.3, 0.1], 0.1)
    curve = ProfileCurve(model, model.observation, TEST_STATISTICS["qtilde"])
    assert zero_event_limit(curve, 2.0, cl=0.95) == pytest.approx(-math.log(0.05) / 3.0, rel=1e-9)
    masked = on_off(0, 9, 3.0, masked=("off",))
    curve = ProfileCurve(masked, masked.observation, TEST_STATISTICS["qtilde"])
    assert zero_event_limit(curve, 2.0, cl=0.95) == pytest.approx(-math.log(0.05), rel=1e-6)


def test_points_of_scans_say_so_too() -> None:
    """The valid limit stands in a field of the point, and a warning says it."""
    model = counting(0, 1.0, 0.3, 0.1)
    settings = ScanSettings(method="cls", cl=0.9, calculator="asymptotic")
    point = point_of_model("m", (1.0,), model, model.observation, settings)
    assert point.low_counts is not None
    assert point.low_counts["observed_below"]
    assert point.low_counts["observed"] == pytest.approx(-math.log(0.1), rel=0.1)
    assert any("no event at all" in warning for warning in point.warnings)


def test_limits_of_toys_need_no_second_number() -> None:
    """Asked for toys, the toys are the limit."""
    model = counting(0, 1.0, 0.3)
    found = upper_limit(
        model, model.observation, cl=0.9, calculator="toys", toys=ToyOptions(n_toys=2000)
    )
    assert found.low_counts is None
    assert found.observed == pytest.approx(-math.log(0.1), abs=4.0 * found.observed_error)
