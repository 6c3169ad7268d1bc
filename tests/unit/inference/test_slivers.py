"""Accepted signals beyond a gap belong to the interval of Feldman and Cousins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson
from tests.peers.feldman_cousins_grid import plain

from darkstats.inference import TEST_STATISTICS, ToyOptions, poisson_interval
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.feldman_cousins import _Belt, feldman_cousins
from darkstats.inference.slivers import one_event
from darkstats.inference.toy_curve import NoisyCrossing, NoisyPoint
from small_models import counting, on_off

STEP = 0.005


def p_value(n: int, background: float, signal: float) -> float:
    """Probability of outcomes that are no more likely than n, relative to their best signal."""
    outcomes = np.arange(120)
    ratio = poisson.logpmf(outcomes, signal + background) - poisson.logpmf(
        outcomes, np.maximum(outcomes, background)
    )
    mass = poisson.pmf(outcomes, signal + background)
    return float(mass[ratio <= ratio[n] + 1e-9].sum())


@pytest.mark.parametrize(
    "cl",
    [0.9, pytest.param(0.68, marks=pytest.mark.soak), pytest.param(0.95, marks=pytest.mark.soak)],
)
def test_275_known_backgrounds_end_where_the_last_piece_ends(cl: float) -> None:
    """There is a gap in 16, 70, 89 of them. The plain grid may miss a piece within its step."""
    for background in range(25):
        hulls = plain(float(background), n_max=10, top=22.0, cl=cl, step=STEP)
        for n in range(11):
            found = poisson_interval(n, float(background), cl=cl)
            lower, upper = hulls[n]
            assert found.upper is not None
            assert found.upper >= upper - 1e-8
            assert found.lower <= lower + 1e-8
            if found.upper > upper + STEP:
                assert p_value(n, background, found.upper - 1e-6) > 1.0 - cl


@pytest.mark.parametrize(
    ("n", "background", "cl", "first", "last"),
    [(5, 15.0, 0.9, 1.033, 1.31235), (9, 12.0, 0.9, 3.51, 3.926984)],
)
def test_a_search_by_toys_does_not_stop_at_the_first_end(
    n: int, background: float, cl: float, first: float, last: float
) -> None:
    model = counting(n, 2.0, background)
    found = feldman_cousins(model, model.observation, cl=cl, toys=ToyOptions(n_toys=3000))
    assert found.upper is not None
    assert 2.0 * found.upper == pytest.approx(last, abs=0.01 + 4.0 * found.upper_error)
    assert 2.0 * found.upper > first + 0.1


@pytest.mark.parametrize(
    ("pieces", "end", "words"),
    [
        (((0.0, 3.0), (3.22, 3.31)), 3.31, "have a gap behind 3"),
        (((0.0, 3.0), (3.02, 3.04)), 3.0, None),  # within the error of the end
        (((0.0, 3.0),), 3.0, None),
    ],
)
def test_pieces_beyond_the_end_of_a_search_by_toys(
    pieces: tuple[tuple[float, float], ...],
    end: float,
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P-values with a gap, as an uncertain background may have them; the toys are replaced."""
    model = counting(3, 1.0, 2.0, 0.5)
    curve = ProfileCurve(model, model.observation, TEST_STATISTICS["ttilde"])
    belt = _Belt(curve, ToyOptions(n_toys=1000), 0.1)

    def evaluate(mus: list[float]) -> None:
        for mu in mus:
            p = 0.14 if any(low <= mu <= high for low, high in pieces) else 0.06
            belt.points[mu] = NoisyPoint(mu, p, 0.005, p, p)

    monkeypatch.setattr(belt, "evaluate", evaluate)
    belt.evaluate([2.9, 3.05])
    found, note = belt.beyond(NoisyCrossing(3.0, 0.03, 2.97, 3.03, True), 1.0)
    assert found.mu == pytest.approx(end, abs=0.03)
    assert (note is None) if words is None else (note is not None and words in note)


def test_toys_that_do_not_tell_of_a_piece_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    model = counting(3, 1.0, 2.0, 0.5)
    curve = ProfileCurve(model, model.observation, TEST_STATISTICS["ttilde"])
    belt = _Belt(curve, ToyOptions(n_toys=1000), 0.1)

    def evaluate(mus: list[float]) -> None:
        for mu in mus:
            p = 0.098 if 3.2 < mu < 3.4 else 0.05
            belt.points[mu] = NoisyPoint(mu, p, 0.005, p, p)

    monkeypatch.setattr(belt, "evaluate", evaluate)
    belt.points[2.9] = NoisyPoint(2.9, 0.2, 0.005, 0.2, 0.2)
    found, note = belt.beyond(NoisyCrossing(3.0, 0.03, 2.97, 3.03, True), 1.0)
    assert found.mu == 3.0
    assert note is not None
    assert "up to 3.35 may be accepted behind a gap" in note


def test_many_events_are_not_searched_for_gaps() -> None:
    for model, mu, expected in [
        (on_off(90, 300, 4.0), 20.0, None),
        (on_off(4, 12, 4.0), 5.0, 1.0),
        (counting(4, 0.5, 3.0, 1.0), 5.0, 2.0),
    ]:
        curve = ProfileCurve(model, model.observation, TEST_STATISTICS["ttilde"])
        found = one_event(curve, mu)
        assert found is None if expected is None else found == pytest.approx(expected)
