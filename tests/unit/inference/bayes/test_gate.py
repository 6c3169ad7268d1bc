"""One gate: what is accepted, what is refused, and that expected bands go through it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayes_models import normsys, window
from credible_oracle import OneBin
from darkstats import credible_limit
from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes import NuisancePriors, NutsOptions, expected
from darkstats.inference.bayes.expected import ToyBand, counted_band, toy_band
from darkstats.inference.bayes.gate import Diagnosis, ImpreciseError, imprecision, refusal
from darkstats.inference.bayes.laplace.from_nodes import LaplaceAnswer
from darkstats.inference.bayes.priors import Flat
from darkstats.inference.bayes.problem import PosteriorProblem
from darkstats.inference.p_values import ToyOptions
from darkstats.model import HistFactoryModel
from small_models import spectrum

GOOD = Diagnosis(limit=2.0, error=1e-3, effective=400.0, pareto_k=0.3, r_hat=1.001, size=900.0)


def test_a_good_answer_passes() -> None:
    assert refusal(GOOD) is None


def test_an_error_of_which_three_are_a_per_cent_is_named() -> None:
    assert imprecision("nuts", 2.0, 0.006) is None
    assert imprecision("nuts", None, 0.0) is None
    said = imprecision("nuts", 2.0, 0.0061)
    assert said == "nuts: the limit 2 has a numerical error of 0.0061 (0.3 %)"


def test_chains_draw_until_their_error_is_small_or_say_how_large_it_is() -> None:
    """Claims of 1 % are within three of their errors where they are 3 % off."""
    model = window(5.0, on_background=[normsys("b", 0.2)])
    short = NutsOptions(enough_steps=1, block=100, warm_up=(40, 40))
    rough = credible_limit(model, engine="nuts", expected="none", nuts=short)
    assert rough.observed is not None
    assert rough.observed_error > 3e-3 * rough.observed
    assert any(f"error of {rough.observed_error:.2g}" in said for said in rough.warnings)
    goal = 0.7 * rough.observed_error
    more = replace(short, precise=goal / rough.observed, enough_steps=10**6)
    fine = credible_limit(model, engine="nuts", expected="none", nuts=more)
    assert fine.answers[0].diagnostics["draws"] > rough.answers[0].diagnostics["draws"]
    assert fine.observed_error <= 1.01 * goal


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"limit": None}, "no number"),
        ({"limit": math.nan}, "no number"),
        ({"limit": math.inf}, "no number"),
        ({"limit": -1.0}, "no number"),
        ({"left_out": 1e-3}, "lies beyond"),
        ({"left_out": math.nan}, "lies beyond"),
        ({"effective": 99.0}, "effective size 99"),
        ({"effective": math.nan}, "uneven"),
        ({"pareto_k": 0.71}, "Pareto shape 0.71"),
        ({"pareto_k": math.nan}, "uneven"),
        ({"still": 1.0, "chains": 32.0}, "1 of 32 chains never moved"),
        ({"r_hat": 1.02}, "R-hat 1.02"),
        ({"r_hat": math.nan}, "R-hat"),
        ({"size": 300.0}, "effective sample size 300"),
        ({"size": math.nan}, "effective sample size"),
        ({"divergent": 0.01}, "diverged"),
        ({"divergent": math.nan}, "diverged"),
        ({"error": 0.1}, "uncertain by 5 %"),
        ({"error": math.nan}, "uncertain"),
    ],
)
def test_everything_else_is_refused(changed: dict[str, Any], said: str) -> None:
    """Each condition by itself, and each value that is no number."""
    problem = refusal(replace(GOOD, **changed))
    assert problem is not None
    assert said in str(problem)
    assert isinstance(problem, ImpreciseError) == ("error" in changed)


def five_bins() -> HistFactoryModel:
    return spectrum([3.0, 5.0, 4.0, 2.0, 6.0], [2.0, 6.0, 4.0, 3.0, 5.0], 0.2)


def problem_of(model: HistFactoryModel) -> PosteriorProblem:
    return PosteriorProblem.of(
        model,
        NuisancePriors().resolve(model),
        Flat().bind(model),
        counts=model.observation.counts,
    )


def band_of(model: HistFactoryModel) -> ToyBand:
    return toy_band(
        problem_of(model),
        NuisancePriors().resolve(model),
        how="conditional-mle",
        cl=0.9,
        toys=ToyOptions(n_toys=60, seed=3),
        observed=None,
    )


def test_a_band_needs_certified_toys_at_its_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: Any, rows: Any, **__: Any) -> list[LaplaceAnswer]:
        return [LaplaceAnswer(limit=1.0, problem=NotCertifiedError("made to fail"))] * len(rows)

    monkeypatch.setattr(expected, "laplace_posteriors", failing)
    found = band_of(five_bins())
    assert found.expected == (None,) * 5
    assert "made to fail" in (found.reason or "")


def test_quick_limits_that_are_off_are_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them 20 % too large: the band stays where it was, and its errors do not explode."""
    right, quick = band_of(five_bins()), expected.quick_limits
    monkeypatch.setattr(expected, "quick_limits", lambda *a, **k: 1.2 * quick(*a, **k))
    found = band_of(five_bins())
    np.testing.assert_allclose(found.expected, right.expected, rtol=0.01)
    assert found.error[2] < 1.5 * right.error[2] + 0.02 * right.expected[2]


def test_quick_limits_that_rank_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, rng = expected.quick_limits, np.random.default_rng(1)

    def scattered(*a: Any, **k: Any) -> Any:
        found = quick(*a, **k)
        return found * np.exp(0.5 * rng.standard_normal(len(found)))

    monkeypatch.setattr(expected, "quick_limits", scattered)
    assert "scatter" in (band_of(five_bins()).reason or "")


def test_a_counted_band_is_that_of_the_exact_sum() -> None:
    model = window(3.0, on_signal=[normsys("e", 0.2)], on_background=[normsys("b", 0.3)])
    exact = credible_limit(model, cross_check=False)
    found = counted_band(problem_of(model), how="conditional-mle", cl=0.9, seed=0)
    assert found is not None
    for value, error, truth in zip(found.expected, found.error, exact.expected, strict=True):
        assert abs(value - truth) <= 4.0 * error + 1e-9


def test_chains_that_need_too_many_steps_give_up() -> None:
    thin = OneBin(
        observed=1e6,
        signal=1e5,
        background=1e6,
        on_background=(("normsys", 0.97, 1.03), ("normsys", 0.98, 1.02)),
    )
    few = NutsOptions(most_steps=4000, warm_up=(5, 5), block=20)
    with pytest.raises(NotCertifiedError, match=r"given up after .* leapfrog steps"):
        credible_limit(thin.model(), engine="nuts", nuts=few, expected="none", cross_check=False)
