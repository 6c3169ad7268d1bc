"""The engines against each other and against brute force, on models small enough for that."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_models import answer, normsys, window
from darkstats.errors import EmptySupportError, ImproperPosteriorError, InsensitiveError
from darkstats.inference.bayes.adaptive import learnt_cloud
from darkstats.inference.bayes.diagnostics import bulk_size, quantile_error, r_hat, tail_size
from darkstats.inference.bayes.grid import grid_posterior
from darkstats.inference.bayes.laplace import LaplaceOptions, laplace_posteriors
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.nuts import Chains, StepSize, transition
from darkstats.inference.bayes.priors import Flat, FlatInCoupling, LogFlat, Tabulated
from darkstats.inference.bayes.problem import PosteriorProblem, Ranges
from darkstats.inference.bayes.sampling import NutsOptions, sample_posterior
from darkstats.model import HistFactoryModel
from darkstats.model.points import deviance_at
from small_models import compiled, counting, on_off, spectrum, two_bins_one_empty

STAT = {"name": "stat", "type": "staterror", "data": [1.2]}
COUNTING = {
    "log-normal": window(3.0, on_signal=[normsys("e", 0.2)], on_background=[normsys("b", 0.3)]),
    "staterror": window(
        3.0, on_signal=[normsys("e", 0.2)], on_background=[STAT, normsys("b", 0.3)]
    ),
    "gamma": counting(4.0, 1.0, 3.0, 1.5),
    "no event": counting(0.0, 1.0, 3.0, 3.0),
    "on/off": on_off(5.0, 9.0, 2.0),
    "on/off, empty": on_off(0.0, 0.0, 2.0),
    "many events": window(400.0, signal=10.0, background=380.0, on_background=[normsys("b", 0.1)]),
    "two bins": spectrum([3.0, 5.0], [2.0, 6.0], 0.2),
    "known": counting(5.0, 1.0, 3.0),
    "excess": counting(60.0, 1.0, 3.0, 1.0),
}


def problem(model: HistFactoryModel, prior=None, choice=None) -> PosteriorProblem:
    return PosteriorProblem.of(
        model,
        (choice or NuisancePriors()).resolve(model),
        (prior or Flat()).bind(model),
        counts=model.observation.counts,
    )


@pytest.mark.parametrize("name", COUNTING)
def test_laplace_and_grid_agree_with_the_exact_quadrature(name: str) -> None:
    """Limits within four of Laplace's stated errors, and 2e-6 for the grid; evidences too."""
    model = COUNTING[name]
    exact, here = answer(model), problem(model)
    (laplace,) = laplace_posteriors(here, model.observation.counts, cl=0.9)
    assert laplace.problem is None
    assert abs(laplace.limit - exact.limit) <= 4.0 * laplace.error + 1e-9 * exact.limit
    assert laplace.error < 0.01 * exact.limit
    evidence = exact.posterior.log_evidence - exact.log_empty
    if laplace.log_empty is not None:
        assert laplace.posterior.log_evidence - laplace.log_empty == pytest.approx(
            evidence, abs=0.02
        )
    if here.density.n <= 2:
        grid = grid_posterior(here, model.observation.counts, cl=0.9)
        assert grid.limit == pytest.approx(exact.limit, rel=2e-6)
        if grid.log_empty is not None:
            assert grid.posterior.log_evidence - grid.log_empty == pytest.approx(evidence, abs=1e-5)


@pytest.mark.parametrize(
    "prior",
    [
        Flat(upper=7.0),
        FlatInCoupling(power=2.0),
        FlatInCoupling(power=4.0, upper_coupling=2.0),
        LogFlat(lower=0.01, upper=30.0),
        Tabulated(mu=(0.0, 2.0, 10.0), density=(1.0, 2.0, 0.0)),
    ],
    ids=lambda p: f"{p.name} {p.describe()[-12:]}",
)
def test_engines_agree_for_every_prior(prior) -> None:
    """The same posterior from all engines, for priors with edges, kinks and singularities."""
    model = COUNTING["on/off"]
    exact, here = answer(model, prior=prior), problem(model, prior)
    (laplace,) = laplace_posteriors(here, model.observation.counts, cl=0.9)
    assert laplace.problem is None
    assert abs(laplace.limit - exact.limit) <= 4.0 * laplace.error + 1e-5 * exact.limit
    grid = grid_posterior(here, model.observation.counts, cl=0.9)
    assert grid.limit == pytest.approx(exact.limit, rel=2e-6)


def double_well() -> HistFactoryModel:
    """Up and down raise the background alike: it explains the data by either sign."""
    both = {"hi_data": [120.0, 55.0], "lo_data": [120.0, 55.0]}
    samples = [
        {
            "name": "signal",
            "data": [10.0, 0.0],
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
        },
        {
            "name": "background",
            "data": [100.0, 50.0],
            "modifiers": [{"name": "one_sided", "type": "histosys", "data": both}],
        },
    ]
    return compiled(
        {
            "version": "1.0.0",
            "channels": [{"name": "c", "samples": samples}],
            "observations": [{"name": "c", "data": [140.0, 62.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        }
    )


def test_two_modes_are_seen() -> None:
    """The Gaussian at one mode would be certified, and wrong; the learnt one is right."""
    model = double_well()
    mu, alpha = np.linspace(0.0, 12.0, 2401), np.linspace(-8.0, 8.0, 801)
    points = np.stack(np.meshgrid(mu, alpha, indexing="ij"), axis=-1).reshape(-1, 2)
    points = points if model.require_poi() == 0 else points[:, ::-1]
    value = -deviance_at(
        model, points, model.observation.counts, model.observation.auxdata
    ).value.reshape(len(mu), -1)
    likelihood = np.exp(value - value.max()).sum(axis=1)
    cdf = np.cumsum(likelihood) - 0.5 * likelihood
    exact = float(np.interp(0.9, cdf / likelihood.sum(), mu))
    here = problem(model)
    (laplace,) = laplace_posteriors(here, model.observation.counts, cl=0.9)
    grid = grid_posterior(here, model.observation.counts, cl=0.9)
    assert grid.limit == pytest.approx(exact, rel=2e-3)
    assert laplace.adapted
    assert abs(laplace.limit - exact) <= 4.0 * laplace.error + 2e-3 * exact


def test_many_observations_are_those_taken_one_by_one() -> None:
    """A batch of data gives each its own posterior."""
    model = spectrum([3.0, 5.0, 4.0, 2.0, 6.0], [2.0, 6.0, 4.0, 3.0, 5.0], 0.2)
    here = problem(model)
    rows = np.array([[3.0, 5.0, 4.0, 2.0, 6.0], [0.0, 2.0, 9.0, 3.0, 4.0], [1.0] * 5])
    together = laplace_posteriors(here, rows, cl=0.9)
    for row, answer_ in zip(rows, together, strict=True):
        (alone,) = laplace_posteriors(here, row, cl=0.9)
        assert alone.limit == pytest.approx(answer_.limit, rel=1e-6)


def test_gates_are_gates() -> None:
    """Few points, or a tolerance out of reach: no certificate."""
    model = spectrum([3.0, 5.0, 4.0, 2.0, 6.0], [2.0, 6.0, 4.0, 3.0, 5.0], 0.2)
    strict = LaplaceOptions(tolerance=1e-9, most_points=64)
    (answer_,) = laplace_posteriors(
        problem(model), model.observation.counts, cl=0.9, options=strict
    )
    assert answer_.problem is not None
    assert "uncertain" in str(answer_.problem)


def test_posteriors_that_do_not_exist() -> None:
    """The engines for any model raise the same errors as the one for windows."""
    with pytest.raises(InsensitiveError, match="nothing to limit"):
        problem(on_off(2.0, 3.0, 1.0, masked=("on",)))
    model = two_bins_one_empty()
    with pytest.raises(EmptySupportError, match="impossible"):
        PosteriorProblem.of(
            model,
            NuisancePriors().resolve(model),
            Flat().bind(model),
            counts=np.array([5.0, 1.0]),
        )
    free = {"name": "k", "type": "normfactor", "data": None}
    with pytest.raises(ImproperPosteriorError, match="only its product"):
        problem(window(1.0, on_signal=[free]))


def test_a_linear_shape_uncertainty_of_the_signal_is_improper_where_it_kills_it() -> None:
    """histosys of 40 % on the only bin: density at zero signal, the tail falls like 1/mu."""
    linear = {
        "name": "h",
        "type": "histosys",
        "data": {"hi_data": [1.4], "lo_data": [0.6]},
    }
    model = window(1.0, on_signal=[linear])
    here = problem(model)
    (laplace,) = laplace_posteriors(here, model.observation.counts, cl=0.9)
    grid = grid_posterior(here, model.observation.counts, cl=0.9)
    assert isinstance(laplace.problem, ImproperPosteriorError)
    assert isinstance(grid.problem, ImproperPosteriorError)


# --- the sampler ----------------------------------------------------------------------------


def test_nuts_draws_a_correlated_normal_law() -> None:
    """Mean, covariance and fourth moments; R-hat near one; no divergence."""
    rng = np.random.default_rng(4)
    covariance = np.array([[1.0, 0.6, 0.0], [0.6, 1.5, -0.3], [0.0, -0.3, 0.7]])
    precision = np.linalg.inv(covariance)

    def target(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -0.5 * np.einsum("ci,ij,cj->c", x, precision, x), -x @ precision

    chains, step = Chains.at(target, 3.0 * rng.normal(size=(32, 3))), StepSize()
    for _ in range(150):
        moved = transition(target, chains, step=step.size, rng=rng)
        chains = moved.chains
        step.learn(moved.acceptance)
    step.settle()
    draws = []
    for _ in range(500):
        moved = transition(target, chains, step=step.size, rng=rng)
        assert not moved.divergent.any()
        chains = moved.chains
        draws.append(chains.position)
    x = np.stack(draws, axis=1)
    flat = x.reshape(-1, 3)
    np.testing.assert_allclose(np.cov(flat.T), covariance, atol=0.06)
    np.testing.assert_allclose(flat.mean(axis=0), 0.0, atol=0.05)
    fourth = (flat**4).mean(axis=0) / np.diag(covariance) ** 2
    np.testing.assert_allclose(fourth, 3.0, atol=0.25)
    assert all(r_hat(x[:, :, i]) < 1.01 for i in range(3))
    assert all(bulk_size(x[:, :, i]) > 4000 for i in range(3))


@pytest.mark.parametrize("name", ["log-normal", "on/off", "two bins"])
def test_nuts_agrees_with_the_exact_quadrature(name: str) -> None:
    """Within four of its stated errors, and through its gates."""
    model = COUNTING[name]
    exact, here = answer(model), problem(model)
    counts = model.observation.counts
    ranges = Ranges.of(here, counts[np.newaxis])
    cloud = learnt_cloud(here, counts, (float(ranges.low[0]), float(ranges.high[0])), seed=0)
    assert cloud.share > 0.1
    found = sample_posterior(
        cloud.joint,
        cloud.draw(np.random.default_rng(0), 800),
        cl=0.9,
        options=NutsOptions(block=120),
    )
    assert found.problem is None
    assert found.diagnostics["r_hat"] < 1.01
    assert found.diagnostics["bulk_size"] > 400
    assert abs(found.limit - exact.limit) < 4.0 * found.error


def test_diagnostics_on_chains_that_are_known() -> None:
    """Independent draws, an autoregressive chain of known worth, and chains that disagree."""
    rng = np.random.default_rng(0)
    independent = rng.normal(size=(4, 2000))
    assert r_hat(independent) < 1.01
    assert bulk_size(independent) == pytest.approx(8000, rel=0.1)
    assert tail_size(independent) == pytest.approx(8000, rel=0.15)
    correlated = np.empty((4, 20_000))
    correlated[:, 0] = rng.normal(size=4)
    for t in range(1, correlated.shape[1]):
        correlated[:, t] = 0.8 * correlated[:, t - 1] + 0.6 * rng.normal(size=4)
    assert bulk_size(correlated) == pytest.approx(80_000 * 0.2 / 1.8, rel=0.15)
    apart = independent + np.array([0.0, 0.0, 0.0, 1.0])[:, np.newaxis]
    assert r_hat(apart) > 1.05
    wide = independent * np.array([1.0, 1.0, 1.0, 3.0])[:, np.newaxis]
    assert r_hat(wide) > 1.05  # the folded draws see it
    error = quantile_error(independent, 0.9)
    density = np.exp(-0.5 * 1.2816**2) / np.sqrt(2.0 * np.pi)
    assert error == pytest.approx(np.sqrt(0.09 / 8000) / density, rel=0.3)


def test_one_sample_serves_all_toys() -> None:
    """Weighted anew, a broad sample gives each outcome the limit that its own posterior has."""
    from darkstats.inference.bayes.reweighting import BroadSample

    model = COUNTING["two bins"]
    here = problem(model)
    sample = BroadSample.of(here, np.array([2.0, 6.0]), seed=1)
    assert sample is not None
    rows = np.array([[2.0, 6.0], [0.0, 3.0], [5.0, 9.0], [1.0, 12.0]])
    limits = sample.limits(rows, 0.9)
    for row, limit in zip(rows, limits, strict=True):
        exact = grid_posterior(here, row, cl=0.9).limit
        assert limit == pytest.approx(exact, rel=0.03)
    far = sample.limits(np.array([[400.0, 900.0]]), 0.9)
    assert np.isnan(far[0])  # out of reach, and said so
