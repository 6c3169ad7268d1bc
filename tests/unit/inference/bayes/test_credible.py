"""The limit with all that belongs to it, one model at a time and many at once."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special, stats

from bayes_models import answer, normsys, window
from darkstats import bayes_limits, credible_limit, parse_prior
from darkstats.errors import (
    ImproperPosteriorError,
    InsensitiveError,
    MissingExtraError,
    NotCertifiedError,
    OptionError,
    PriorError,
    UnknownNameError,
)
from darkstats.inference.bayes import (
    Flat,
    FlatInCoupling,
    Jeffreys,
    LogFlat,
    NuisancePriors,
    NutsOptions,
    inference_data,
    posterior_draws,
)
from darkstats.inference.p_values import ToyOptions
from darkstats.model import HistFactoryModel, Observation
from small_models import counting, on_off, spectrum

FEW = ToyOptions(n_toys=60, seed=3)


def five_bins() -> HistFactoryModel:
    return spectrum([3.0, 5.0, 4.0, 2.0, 6.0], [2.0, 6.0, 4.0, 3.0, 5.0], 0.2)


def test_a_window_is_exact_and_checked() -> None:
    """Quadrature is quoted, Laplace stands beside it, and both agree."""
    found = credible_limit(on_off(5.0, 9.0, 2.0))
    assert [a.engine for a in found.answers] == ["quadrature", "laplace"]
    assert found.engine == "quadrature"
    assert found.observed == pytest.approx(answer(on_off(5.0, 9.0, 2.0)).limit, rel=1e-12)
    assert found.warnings == ()
    assert found.method == "bayes"
    assert found.posterior is not None
    assert found.posterior.cdf(found.observed) == pytest.approx(0.9, abs=1e-9)


def test_summary_and_bayes_factor_of_a_window() -> None:
    """Moments, highest density and evidence, against closed forms: n = 5, b = 3, s = 1."""
    edge = 40.0
    found = credible_limit(counting(5.0, 1.0, 3.0), prior=Flat(upper=edge), expected="none")
    norm = special.gammaincc(6, 3.0) * math.factorial(5)
    density = lambda s: math.exp(-s - 3.0) * (s + 3.0) ** 5 / norm  # noqa: E731 -- a formula
    mean = integrate.quad(lambda s: s * density(s), 0.0, edge)[0]
    square = integrate.quad(lambda s: s * s * density(s), 0.0, edge)[0]
    summary = found.summary
    assert summary is not None
    assert summary.mean == pytest.approx(mean, rel=1e-7)
    assert summary.standard_deviation == pytest.approx(math.sqrt(square - mean**2), rel=1e-7)
    low, high = summary.highest_density
    assert integrate.quad(density, low, high)[0] == pytest.approx(0.9, abs=1e-6)
    if low > 0.0:
        assert density(low) == pytest.approx(density(high), rel=1e-3)
    evidence = norm / math.factorial(5) / edge
    expected = math.log(evidence / stats.poisson.pmf(5, 3.0))
    assert found.log_bayes_factor == pytest.approx(expected, abs=1e-6)
    improper = credible_limit(counting(5.0, 1.0, 3.0), expected="none")
    assert improper.log_bayes_factor is None
    assert "improper" in (improper.bayes_factor_reason or "")


def test_marginals_of_nuisance_parameters() -> None:
    """On/off with no signal in the off region: the posterior of the level by brute force."""
    model = on_off(5.0, 9.0, 2.0)
    found = credible_limit(model, expected="none")
    b = np.linspace(1e-3, 25.0, 4001)
    weight = stats.poisson.pmf(9, 2.0 * b)
    # signal integrated over [0, inf) with a flat prior
    weight = weight * special.gammaincc(6, b)
    mean = float(np.sum(b * weight) / np.sum(weight))
    sigma = math.sqrt(float(np.sum((b - mean) ** 2 * weight) / np.sum(weight)))
    (level,) = found.nuisances or ()
    assert level.name == "level"
    assert level.mean == pytest.approx(mean, rel=0.02)
    assert level.standard_deviation == pytest.approx(sigma, rel=0.04)
    assert level.correlation_with_poi < -0.1
    assert found.correlation is not None
    assert found.correlation[0][1] == pytest.approx(level.correlation_with_poi)
    assert found.correlation[0][0] == pytest.approx(1.0)


def test_predictive_check_sees_data_that_do_not_fit() -> None:
    """Counts as expected are unremarkable; counts that no signal explains are not."""
    good = credible_limit(five_bins(), expected="none").predictive
    bad = credible_limit(
        spectrum([0.0, 20.0, 0.0, 20.0, 0.0], [8.0] * 5, 0.1), expected="none"
    ).predictive
    assert good is not None
    assert bad is not None
    assert good.p_value > 0.1
    assert bad.p_value < 0.01
    assert all(a <= b for a, b in zip(good.low, good.high, strict=True))


def test_jeffreys_is_the_reference_prior_of_counting() -> None:
    """One bin, known background: density (mu s + b)^-1/2, hence a closed posterior."""
    model = counting(3.0, 2.0, 1.5)

    def posterior(s: float) -> float:
        return math.exp(-s) * (s + 1.5) ** 2.5

    whole = integrate.quad(posterior, 0.0, 80.0, epsrel=1e-12)[0]
    found = credible_limit(model, prior=Jeffreys(), expected="none")
    inside = integrate.quad(posterior, 0.0, 2.0 * found.observed, epsrel=1e-12)[0]
    assert inside / whole == pytest.approx(0.9, abs=1e-8)
    # no background: mu^-1/2, singular at zero and integrable
    empty = credible_limit(counting(0.0, 1.0, 0.0), prior=Jeffreys(), expected="none")
    assert special.gammainc(0.5, empty.observed) == pytest.approx(0.9, abs=1e-8)


def test_laplace_is_quoted_where_no_sum_is_exact() -> None:
    """Many bins, many nuisances: Laplace, and toys for the band; the reason for quadrature's no."""
    model = five_bins()
    found = credible_limit(model, engine="laplace", toys=FEW)
    exact = credible_limit(model, toys=FEW)
    assert exact.engine == "quadrature"  # one nuisance parameter: a grid
    assert abs(found.observed - exact.observed) < 4.0 * found.observed_error
    assert found.toys is not None
    assert (found.toys.asked, found.toys.failed) == (60, 0)
    assert all(a < b for a, b in zip(found.expected, found.expected[1:], strict=False))
    assert "toys at the fit" in found.expected_definition
    again = credible_limit(model, engine="laplace", toys=FEW)
    assert again.expected == found.expected


def test_toys_do_not_depend_on_threads_and_continue() -> None:
    """The same counts for any number of threads; more toys begin with the same ones."""
    from darkstats.inference.bayes.expected import background_counts

    model = five_bins()
    priors = NuisancePriors().resolve(model)
    for how in ("conditional-mle", "prior-predictive"):
        many, _ = background_counts(model, priors, how=how, toys=ToyOptions(n_toys=300, seed=1))
        part, _ = background_counts(
            model, priors, how=how, toys=ToyOptions(n_toys=40, seed=1, first_toy=250)
        )
        np.testing.assert_array_equal(many[250:290], part)
    other, _ = background_counts(
        model, priors, how="conditional-mle", toys=ToyOptions(n_toys=300, seed=2)
    )
    assert not np.array_equal(many, other)


def test_toy_band_agrees_with_enumeration() -> None:
    """The same window by toys: quantiles within their errors of the enumerated ones."""
    from darkstats.inference.bayes.expected import toy_band
    from darkstats.inference.bayes.problem import PosteriorProblem

    model = on_off(3.0, 20.0, 5.0)
    exact = credible_limit(model, cross_check=False)
    priors = NuisancePriors().resolve(model)
    problem = PosteriorProblem.of(
        model, priors, Flat().bind(model), counts=model.observation.counts
    )
    band = toy_band(
        problem,
        priors,
        how="conditional-mle",
        cl=0.9,
        toys=ToyOptions(n_toys=2000, seed=5),
        observed=exact.observed,
    )
    for value, error, truth in zip(band.expected, band.error, exact.expected, strict=True):
        assert abs(value - truth) < 4.0 * error + 0.02 * truth


def test_blind_limits_hide_the_data() -> None:
    """Only expected limits, the same whatever the data."""
    for one, two in (
        (on_off(5.0, 9.0, 2.0), on_off(0.0, 30.0, 2.0)),
        (five_bins(), spectrum([9.0] * 5, [2.0, 6.0, 4.0, 3.0, 5.0], 0.2)),
    ):
        a, b = (credible_limit(m, blind=True, toys=FEW) for m in (one, two))
        assert a.observed is None
        assert "blinded" in (a.observed_reason or "")
        assert a.posterior is a.summary is a.nuisances is None
        assert a.engine == b.engine
        same = [x == pytest.approx(y, rel=0.2) for x, y in zip(a.expected, b.expected, strict=True)]
        assert all(same)


def test_nuts_is_the_reference() -> None:
    """Asked for by name: chains that pass the gates, draws, and a limit that agrees."""
    model = on_off(5.0, 9.0, 2.0)
    found = credible_limit(
        model, engine="nuts", expected="none", nuts=NutsOptions(block=150, most_blocks=4)
    )
    exact = answer(model).limit
    assert found.engine == "nuts"
    assert abs(found.observed - exact) < 4.0 * found.observed_error
    (only,) = found.answers
    assert only.diagnostics["r_hat"] < 1.01
    assert min(only.diagnostics["bulk_size"], only.diagnostics["tail_size"]) > 400
    assert found.draws is not None
    assert found.summary is not None
    assert found.summary.highest_density[0] == 0.0


def test_an_engine_that_declines_says_so() -> None:
    """Asked for by name it is an error with the reason; auto goes on to the next one."""
    from darkstats.inference.bayes.engines import RUNNERS

    model = spectrum([3.0] * 6, [3.0] * 6, 0.1)
    strict = NutsOptions(block=8, most_blocks=1, warm_up=(5,))
    with pytest.raises(NotCertifiedError, match=r"no engine can vouch.*NUTS: .*--engine auto"):
        credible_limit(model, engine="nuts", expected="none", nuts=strict)
    assert list(RUNNERS) == ["quadrature", "laplace", "nuts"]


def test_disagreement_is_told() -> None:
    """Two engines more than four errors apart: a warning with both numbers."""
    from darkstats.inference.bayes.answers import EngineAnswer
    from darkstats.inference.bayes.credible import _disagreements
    from darkstats.inference.bayes.engines import EngineRun

    def run(engine: str, limit: float) -> EngineRun:
        return EngineRun(
            answer=EngineAnswer(engine=engine, limit=limit, error=0.01, certified=True)
        )

    quoted = run("quadrature", 2.0)
    assert _disagreements([quoted, run("laplace", 2.03)], quoted) == []
    (note,) = _disagreements([quoted, run("laplace", 2.1)], quoted)
    assert "engines disagree: quadrature 2 ± 0.01, laplace 2.1" in note


def test_ranges_that_would_cut_a_prior_are_told() -> None:
    """A gamma prior that reaches far beyond the range of the workspace is not cut, but said."""
    wide = counting(2.0, 1.0, 3.0, 7.5)  # relative width 2.5: a heavy tail beyond 10
    found = credible_limit(wide, expected="none", cross_check=False)
    assert any("no edges of priors" in note for note in found.warnings)
    narrow = counting(2.0, 1.0, 3.0, 0.3)
    assert credible_limit(narrow, expected="none", cross_check=False).warnings == ()


def test_sensitivity_to_the_edge_is_printed() -> None:
    """A normal efficiency cut at zero: the limit with ten times the edge stands beside."""
    model = window(1.0, on_signal=[normsys("eff", 0.4, 0.6)])
    choice = NuisancePriors(efficiency="truncated-normal")
    with pytest.raises(ImproperPosteriorError):
        credible_limit(model, nuisances=choice)
    found = credible_limit(model, nuisances=choice, prior=Flat(upper=30.0), expected="none")
    (note,) = [n for n in found.warnings if "upper edge" in n]
    assert "with 30" in note
    assert "with 300" in note


def test_errors_of_options() -> None:
    """Levels, engines and ways to throw that do not exist."""
    model = counting(1.0, 1.0, 1.0)
    with pytest.raises(OptionError, match="posterior probability"):
        credible_limit(model, cl=1.5)
    with pytest.raises(UnknownNameError, match="quadrature, laplace, nuts"):
        credible_limit(model, engine="mcmc")
    with pytest.raises(UnknownNameError, match="prior-predictive"):
        credible_limit(model, expected="asimov")
    with pytest.raises(OptionError, match="2 models, but 1"):
        bayes_limits([model, model], [model.observation])


# --- many at once ---------------------------------------------------------------------------


def some_models() -> list[HistFactoryModel]:
    return [
        on_off(5.0, 9.0, 2.0),
        window(2.0, on_signal=[normsys("e", 0.1)], on_background=[normsys("b", 0.2)]),
        on_off(0.0, 3.0, 4.0),
        five_bins(),
        window(7.0, on_signal=[normsys("e", 0.15)], on_background=[normsys("b", 0.1)]),
        on_off(2.0, 3.0, 1.0, masked=("on",)),
    ]


def test_a_batch_is_what_one_by_one_gives() -> None:
    """Windows of several structures and other models, in order; what has no posterior says why."""
    models = some_models()
    together = bayes_limits(models, toys=FEW)
    for model, found in zip(models[:-1], together[:-1], strict=True):
        alone = credible_limit(model, toys=FEW, cross_check=False)
        assert found.observed == pytest.approx(alone.observed, rel=1e-9)
        assert found.expected == pytest.approx(alone.expected, rel=1e-9)
        assert found.model_digest == model.digest
    assert together[-1].observed is None
    assert "InsensitiveError" in (together[-1].observed_reason or "")
    with pytest.raises(InsensitiveError):
        credible_limit(models[-1])


def test_a_batch_takes_other_data_priors_and_threads() -> None:
    """Observations of one's own; a prior per model; the same bits for any number of threads."""
    from darkstats.fit import FitOptions

    models = some_models()[:3]
    data = [
        Observation(counts=m.observation.counts + 1.0, auxdata=m.observation.auxdata)
        for m in models
    ]
    found = bayes_limits(models, data, prior=Jeffreys(), expected="none")
    for model, observation, limit in zip(models, data, found, strict=True):
        alone = credible_limit(model, observation, prior=Jeffreys(), expected="none")
        assert limit.observed == pytest.approx(alone.observed, rel=1e-9)
    one, three = (
        bayes_limits(models * 12, options=FitOptions(threads=t), expected="none") for t in (1, 3)
    )
    assert [x.observed for x in one] == [x.observed for x in three]


def test_an_empty_batch_is_empty() -> None:
    """Nothing in, nothing out."""
    assert bayes_limits([]) == ()


def test_a_batch_of_a_named_engine_fails_softly() -> None:
    """Quadrature asked for where it cannot: a reason, and no exception."""
    (found,) = bayes_limits(
        [replace(five_bins())], engine="quadrature", nuisances=NuisancePriors(), expected="none"
    )
    assert found.observed is not None  # a grid of one nuisance parameter
    impossible = counting(3.0, 1.0, 0.0)
    (limit,) = bayes_limits([impossible], prior=LogFlat(lower=1.0, upper=2.0), expected="none")
    assert 1.0 < limit.observed < 2.0


# --- priors as text, ArviZ ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("flat", Flat()),
        ("flat:0,5", Flat(upper=5.0)),
        ("coupling:2", FlatInCoupling(power=2.0)),
        ("coupling:4,1e-3", FlatInCoupling(power=4.0, reference=1e-3)),
        ("coupling:2,0.1,0.5", FlatInCoupling(power=2.0, reference=0.1, upper_coupling=0.5)),
        ("log-flat:0.1,10", LogFlat(lower=0.1, upper=10.0)),
        ("jeffreys", Jeffreys()),
    ],
)
def test_priors_as_text(text: str, kind: object) -> None:
    """What the command line takes."""
    assert parse_prior(text) == kind


@pytest.mark.parametrize(
    "text", ["", "flat:1", "flat:a,b", "coupling", "log-flat:1", "gauss:0,1", "flat:nan,1"]
)
def test_other_texts_are_refused(text: str) -> None:
    """Each refusal says what can be written, or which number is none."""
    with pytest.raises(PriorError, match=r"unknown prior|cannot read"):
        parse_prior(text)


def test_draws_by_importance_sampling() -> None:
    """Independent draws whose quantile is the limit."""
    model = on_off(5.0, 9.0, 2.0)
    draws = posterior_draws(model, draws=20_000)
    assert draws.engine == "importance"
    mu = draws.parameters[0, :, model.require_poi()]
    assert np.quantile(mu, 0.9) == pytest.approx(answer(model).limit, rel=0.04)


def test_arviz_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, one sentence that names the command."""
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(MissingExtraError, match=r"darkstats\[bayes\]"):
        inference_data(posterior_draws(on_off(5.0, 9.0, 2.0), draws=50))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_inference_data_has_what_was_drawn() -> None:
    """Groups, names, shapes; and our diagnostics are ArviZ's."""
    arviz = pytest.importorskip("arviz", reason="ArviZ is an extra")
    from darkstats.inference.bayes.nuts.diagnostics import bulk_size, r_hat

    model = counting(4.0, 1.0, 3.0, 1.5)
    draws = posterior_draws(model, engine="nuts", nuts=NutsOptions(block=100, most_blocks=4))
    data = inference_data(draws)
    assert data.posterior["mu"].shape == draws.parameters.shape[:2]
    assert data.posterior["u"].shape == (*draws.parameters.shape[:2], 1)
    assert data.observed_data["c"].values.tolist() == [4.0]
    mu = data.posterior["mu"].values
    assert r_hat(mu) == pytest.approx(float(arviz.rhat(mu)), abs=2e-3)
    assert bulk_size(mu) == pytest.approx(float(arviz.ess(mu)), rel=0.03)


def test_a_tabulated_prior_comes_from_a_file(tmp_path: Path) -> None:
    """The file of the command line, and files that are none."""
    from darkstats.errors import DocumentError
    from darkstats.workflows.bayes import prior_of

    good = tmp_path / "prior.json"
    good.write_text(json.dumps({"mu": [0, 1, 5], "density": [1, 1, 0]}))
    prior = prior_of(f"table:{good}")
    assert prior.bind(on_off(1.0, 1.0, 1.0)).upper == 5.0
    for text in ('{"mu": [0, 1]}', "[1]", '{"mu": [0, true], "density": [1, 1]}'):
        good.write_text(text)
        with pytest.raises(PriorError, match="tabulates no prior"):
            prior_of(f"table:{good}")
    with pytest.raises(DocumentError, match="cannot be read"):
        prior_of(f"table:{tmp_path / 'none.json'}")
