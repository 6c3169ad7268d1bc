"""The search for crossings: accurate, bounded, and honest where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkstats.errors import LimitNotFoundError
from darkstats.gaussian import survival
from darkstats.inference.crossing import Crossing
from darkstats.inference.toy_curve import NoisyPoint, noisy_crossing


def solve(f: Callable[[float], float], start: float, limit: float = 1e12) -> tuple[float, int]:
    crossing = Crossing("the root", start, tolerance=1e-10, floor=1e-15)
    for count in range(200):
        wanted = crossing.proposals(limit)
        if not wanted:
            found = crossing.estimate()
            assert found is not None
            return found[0], count
        for mu in wanted:
            crossing.add(mu, f(mu))
    raise AssertionError("no end")


@given(root=st.floats(1e-6, 1e6), start=st.floats(1e-6, 1e6), power=st.floats(0.3, 4.0))
def test_any_start_reaches_the_crossing(root: float, start: float, power: float) -> None:
    """Twelve decades between start and root: 1e-9 relative, in a bounded number of rounds."""
    found, rounds = solve(lambda mu: 1.0 - (mu / root) ** power, start)
    assert found == pytest.approx(root, rel=1e-9)
    assert rounds < 60


def test_a_jump_is_bracketed_by_bisection() -> None:
    """A curve with a step has its crossing at the step."""
    found, _ = solve(lambda mu: 1.0 if mu < 0.7 else -3.0, 0.01)
    assert found == pytest.approx(0.7, rel=1e-9)


def test_the_last_crossing_counts() -> None:
    """Of several crossings the largest is the limit: everything beyond is excluded."""
    crossing = Crossing("the root", 1.0, floor=1e-12)
    for mu, value in ((0.5, 1.0), (1.0, -1.0), (2.0, 1.0), (3.0, -1.0)):
        crossing.add(mu, value)
    assert not crossing.monotone
    found = crossing.estimate()
    assert found is not None
    assert 2.0 < found[0] < 3.0


def test_a_curve_without_crossing_tells_the_bound() -> None:
    """The error carries the largest signal strength that was tested."""
    with pytest.raises(LimitNotFoundError, match="at least") as caught:
        solve(lambda _: 1.0, 1.0, limit=1e3)
    assert caught.value.lower_bound is not None
    assert caught.value.lower_bound >= 1e3


def test_values_that_are_not_numbers_are_refused() -> None:
    """A failed fit has no value to tell: whoever tells one did not ask."""
    crossing = Crossing("the root", 1.0, floor=1e-12)
    with pytest.raises(ValueError, match="the value at 1 is not a number"):
        crossing.add(1.0, math.nan)
    assert crossing.points == []


def test_noisy_crossing_propagates_the_error() -> None:
    """The error of the crossing is the relative error of p over the slope of its logarithm."""
    points = [
        NoisyPoint(mu, math.exp(-mu), 0.01 * math.exp(-mu), 0.98 * math.exp(-mu), math.exp(-mu))
        for mu in (2.7, 2.9, 3.0, 3.1, 3.3)
    ]
    found = noisy_crossing(points, math.exp(-3.05), floor=1e-6)
    assert found is not None
    assert found.settled
    assert found.mu == pytest.approx(3.05, rel=1e-9)
    assert found.error == pytest.approx(0.01, rel=1e-6)
    assert found.low == pytest.approx(3.05 + math.log(0.98), rel=1e-6)


@pytest.mark.filterwarnings("error")
def test_noisy_crossing_with_points_at_one_place() -> None:
    """Points that coincide to rounding, left of the crossing, tell nothing about its slope."""
    points = [
        NoisyPoint(mu, math.exp(-3.0 * mu), 1e-3, 0.0, 1.0)
        for mu in (0.5, 0.9, 0.9 + 1e-15, 0.9 + 2e-15, 0.9 + 3e-15, 1.6)
    ]
    found = noisy_crossing(points, math.exp(-3.0), floor=1e-6)
    assert found is not None
    assert found.mu == pytest.approx(1.0, rel=1e-6)
    alone = noisy_crossing(
        [NoisyPoint(1.0, 0.9, 1e-3, 0.9, 0.9), NoisyPoint(1.0 + 1e-15, 0.1, 1e-3, 0.1, 0.1)],
        0.5, floor=1e-6,
    )  # fmt: skip
    assert alone is not None
    assert not alone.settled


@pytest.mark.parametrize("excess", [-1.0, 0.0, 1.0, 2.0, 5.0, 10.0, 20.0])
@pytest.mark.parametrize(
    "factors", [(0.93, 1.0, 1.07), (0.9, 0.95, 1.0, 1.05, 1.1), (0.88, 0.94, 1.02, 1.06, 1.12)]
)
def test_noisy_crossing_of_an_excess(excess: float, factors: tuple[float, ...]) -> None:
    """The tail of a Gaussian whose width is a small part of the limit: no logarithm is straight."""
    true = excess + 1.6448536269514722
    points = []
    for mu in (factor * true for factor in factors):
        p = survival(mu - excess)
        points.append(NoisyPoint(mu, p, 0.004, p, p))
    found = noisy_crossing(points, 0.05, floor=1e-4)
    assert found is not None
    assert abs(found.mu - true) < 0.02  # standard deviations
    assert found.low == pytest.approx(found.mu, abs=1e-12)
    assert found.high == pytest.approx(found.mu, abs=1e-12)
    if excess >= 5.0:
        assert found.mu == pytest.approx(true, rel=1e-9)


def test_noisy_crossing_needs_a_bracket() -> None:
    """Points on one side of the level give no crossing."""
    points = [NoisyPoint(mu, 0.9, 0.01, 0.9, 0.9) for mu in (1.0, 2.0)]
    assert noisy_crossing(points, 0.05, floor=1e-6) is None
