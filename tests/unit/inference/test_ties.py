"""Few counts: thrown auxiliary data break ties, and the reader is told."""

from __future__ import annotations

import math
from typing import Any

import pytest

import darkstats
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.test_statistics import TEST_STATISTICS
from darkstats.inference.ties import LARGE_SHARE, observed_counts_probability, tie_note
from darkstats.workspace import Workspace

#: How the note begins.
TIES = "few counts: toys with exactly the observed counts"


def counting(
    count: float,
    background: float,
    *,
    error: float | None,
    signal: float = 1.0,
    background_error: float | None = None,
) -> darkstats.Model:
    """One bin; ``error`` is that of the signal."""
    errors_b: list[dict[str, Any]] = []
    if background_error is not None:
        data = {"hi": 1.0 + background_error, "lo": 1.0 - background_error}
        errors_b.append({"name": "b_yield", "type": "normsys", "data": data})
    modifiers: list[dict[str, Any]] = [{"name": "mu", "type": "normfactor", "data": None}]
    if error is not None:
        modifiers.append(
            {"name": "e", "type": "normsys", "data": {"hi": 1.0 + error, "lo": 1.0 - error}}
        )
    document = {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "s", "data": [signal], "modifiers": modifiers},
                    {"name": "b", "data": [background], "modifiers": errors_b},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [count]}],
        "measurements": [
            {
                "name": "m",
                "config": {
                    "poi": "mu",
                    "parameters": [{"name": "mu", "bounds": [[0, 50]], "inits": [1]}],
                },
            }
        ],
        "version": "1.0.0",
    }
    return darkstats.compile_workspace(Workspace.from_document(document))


def curve_of(model: darkstats.Model) -> ProfileCurve:
    return ProfileCurve(model, model.observation, TEST_STATISTICS["qtilde"])


@pytest.mark.parametrize(
    ("count", "background", "mu"), [(0, 0.1, 2.0), (1, 0.1, 4.0), (3, 2.0, 5.0)]
)
def test_the_probability_is_that_of_poisson(count: int, background: float, mu: float) -> None:
    mean = background + mu
    known = math.exp(-mean) * mean**count / math.factorial(count)
    found = observed_counts_probability(curve_of(counting(count, background, error=0.1)), mu)
    assert found == pytest.approx(known, rel=1e-9)


def test_counts_that_are_no_whole_numbers_stand_for_the_most_probable_ones() -> None:
    found = observed_counts_probability(curve_of(counting(2.5, 2.5, error=0.1)), 0.0)
    assert found == pytest.approx(math.exp(-2.5) * 2.5**2 / 2.0, rel=1e-9)


def test_nothing_breaks_a_tie_without_auxiliary_data() -> None:
    assert observed_counts_probability(curve_of(counting(1, 0.1, error=None)), 4.0) is None


def test_the_note_begins_at_its_share() -> None:
    assert tie_note(LARGE_SHARE * 0.05, 0.05, "the limit is lower")
    assert not tie_note(0.99 * LARGE_SHARE * 0.05, 0.05, "the limit is lower")
    assert not tie_note(None, 0.05, "the limit is lower")


TOYS = darkstats.ToyOptions(n_toys=2000, seed=3)


@pytest.mark.parametrize("method", ["cls", "clsb"])
def test_limits_by_toys_say_it(method: str) -> None:
    """The limit with an error of 1e-4 lies below the exact one, which has all ties, and says so."""
    found = {
        error: darkstats.upper_limit(
            model, model.observation, cl=0.9, method=method, calculator="toys", toys=TOYS
        )
        for error in (None, 1e-4)
        for model in [counting(1, 0.5, error=error)]
    }
    assert not any(note.startswith(TIES) for note in found[None].warnings)
    assert any(note.startswith(TIES) for note in found[1e-4].warnings)
    plain, broken = found[None].observed, found[1e-4].observed
    assert plain is not None
    assert broken is not None
    assert broken < 0.97 * plain


def test_nothing_is_broken_where_nothing_was_counted_and_the_signal_is_known() -> None:
    """Without an event the statistic is 2 mu s, whatever auxiliary data of the background say."""
    model = counting(0, 0.5, error=None, signal=5.0, background_error=0.1)
    found = darkstats.upper_limit(model, model.observation, calculator="toys", toys=TOYS)
    assert not any(note.startswith(TIES) for note in found.warnings)
    assert found.observed == pytest.approx(math.log(20.0) / 5.0, abs=4.0 * found.observed_error)
    one = counting(1, 0.5, error=None, signal=5.0, background_error=0.1)
    assert observed_counts_probability(curve_of(one), 0.9) is not None


def test_many_counts_need_no_note() -> None:
    model = counting(400, 400.0, error=0.1, signal=10.0)
    found = darkstats.upper_limit(model, model.observation, calculator="toys", toys=TOYS)
    assert not any(note.startswith(TIES) for note in found.warnings)


def test_intervals_and_p_values_say_it() -> None:
    model = counting(0, 1e-9, error=1e-4)
    interval = darkstats.feldman_cousins(model, model.observation, cl=0.9, toys=TOYS)
    assert any("the interval is shorter" in note for note in interval.warnings)
    test = darkstats.hypotest(model, model.observation, 2.0, calculator="toys", toys=TOYS)
    assert any(note.startswith(TIES) for note in test.warnings)


def test_the_significance_says_it() -> None:
    model = counting(3, 1.0, error=1e-4)
    found = darkstats.significance(model, model.observation, calculator="toys", toys=TOYS)
    assert any("p0 is smaller" in note for note in found.warnings)


def test_toys_in_the_place_of_an_asymptotic_limit_say_it() -> None:
    """One event over 0.1, where the asymptotic limit or its band lies below that of no event."""
    model = counting(1, 0.1, error=0.08)
    found = darkstats.upper_limit(model, model.observation, cl=0.95)
    assert found.low_counts is not None
    assert found.low_counts.calculator == "toys"
    assert any(note.startswith(TIES) for note in found.warnings)
    assert "ties" not in found.low_counts.plain()
