"""The engines against each other and against brute force, on models small enough for that."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_models import answer, normsys, window
from darkstats.errors import EmptySupportError, ImproperPosteriorError, InsensitiveError
from darkstats.inference.bayes.laplace.adaptive import learnt_cloud
from darkstats.inference.bayes.laplace.approximation import laplace_posteriors
from darkstats.inference.bayes.laplace.from_nodes import LaplaceOptions
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.nuts.chains import NutsOptions, sample_posterior
from darkstats.inference.bayes.nuts.diagnostics import bulk_size, quantile_error, r_hat, tail_size
from darkstats.inference.bayes.nuts.sampler import Chains, StepSize, transition
from darkstats.inference.bayes.posterior import PoiPosterior
from darkstats.inference.bayes.priors import Flat, FlatInCoupling, LogFlat, Tabulated
from darkstats.inference.bayes.problem import (
    PosteriorProblem,
    Ranges,
    _endless,
    _ends,
    gaussian_at,
)
from darkstats.inference.bayes.quadrature.few_nuisances import _narrower, grid_posterior
from darkstats.inference.bayes.rules import legendre_panels
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


def test_a_second_mode_that_traps_the_fits_hides_no_part_of_the_posterior() -> None:
    """171 and 5 events, 6 and 4 expected: the error pulls by 8, or where fits begin hardly at all.

    Between mu = 4 and 17 fits without a neighbour's help end in the wrong mode, 130 below. The
    limit is that of a nested integral of another kind.
    """
    up, down = 1.413356900755457, 0.7075353716145494
    rising = {"name": "u", "type": "normsys", "data": {"hi": up, "lo": down}}
    falling = {"name": "u", "type": "normsys", "data": {"hi": down, "lo": up}}
    mu = {"name": "mu", "type": "normfactor", "data": None}
    model = compiled(
        {
            "version": "1.0.0",
            "channels": [
                {
                    "name": "c",
                    "samples": [
                        {
                            "name": "signal",
                            "data": [2.008925016015613, 6.412886067985533],
                            "modifiers": [mu, rising],
                        },
                        {
                            "name": "background",
                            "data": [6.006601025067156, 3.8632552888032556],
                            "modifiers": [falling],
                        },
                    ],
                }
            ],
            "observations": [{"name": "c", "data": [171.0, 5.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        }
    )
    here = problem(model)
    ranges = Ranges.of(here, model.observation.counts[np.newaxis])
    assert ranges.high[0] > 90.0
    strengths = np.geomspace(1.0, 60.0, 24)
    _, lanes = gaussian_at(here, model.observation.counts[np.newaxis], strengths[np.newaxis])
    assert lanes.z[:, 0].max() < -7.0
    grid = grid_posterior(here, model.observation.counts, cl=0.9)
    assert grid.problem is None
    assert grid.limit == pytest.approx(8.418375047524131, rel=2e-6)
    (laplace,) = laplace_posteriors(here, model.observation.counts, cl=0.9)
    assert laplace.problem is None
    assert abs(laplace.limit - 8.418375047524131) <= 3.0 * laplace.error


def test_a_chord_does_not_cut_the_posterior_off() -> None:
    """A long way below 1,563 events there is nothing, and 18 times the signal is expected.

    Between what the posterior is and nothing a chord ends too soon: 114.2101 was printed for
    114.1490, by the grid and by Laplace. The truth: the signal strength times the luminosity has a
    gamma law, nearly, and that is integrated here.
    """
    signal = np.array([5.060575887959241, 3.733914182150751, 9.041507382498336, 0.5118691368])
    background = np.array([0.0333406559, 0.0860802518, 0.0274262123, 0.1704475047])
    counts, width = np.array([5.0, 20.0, 758.0, 780.0]), 0.21844050178276755
    mu = {"name": "mu", "type": "normfactor", "data": None}
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    here = {
        "auxdata": [1.0],
        "sigmas": [width],
        "inits": [1.0],
        "bounds": [[0.0, 6.0]],
        "name": "lumi",
    }
    model = compiled(
        {
            "version": "1.0.0",
            "channels": [
                {
                    "name": "c",
                    "samples": [
                        {"name": "s", "data": signal.tolist(), "modifiers": [mu, lumi]},
                        {"name": "b", "data": background.tolist(), "modifiers": []},
                    ],
                }
            ],
            "observations": [{"name": "c", "data": counts.tolist()}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": [here]}}],
        }
    )
    t = np.linspace(60.0, 115.0, 40_001)[:, np.newaxis]
    value = (counts * np.log(t * signal + background) - t * signal).sum(axis=1)
    density = np.exp(value - value.max())
    below = np.cumsum(density) - 0.5 * density
    z = np.linspace(-9.0, 9.0, 9001)
    weight = np.exp(-0.5 * z * z - np.log1p(width) * z)

    def cdf(limit: float) -> float:
        at = np.interp(limit * np.exp(np.log1p(width) * z), t[:, 0], below / below[-1])
        return float(weight @ at / weight.sum())

    grid = grid_posterior(problem(model), counts, cl=0.9)
    assert grid.problem is None
    assert cdf(grid.limit) == pytest.approx(0.9, abs=2e-6)
    (laplace,) = laplace_posteriors(problem(model), counts, cl=0.9)
    assert laplace.problem is None
    assert abs(laplace.limit - grid.limit) <= 3.0 * laplace.error
    assert laplace.error < 1e-4 * laplace.limit


def test_what_lies_before_the_first_panel_is_left_out_too() -> None:
    """A normal law at 10 of width 1, integrated from 8 or from 2 on."""
    prior = Flat().bind(COUNTING["known"])
    for low, expected in ((8.0, 0.0228), (2.0, 0.0)):
        edges = np.linspace(low, 20.0, 31)
        v, _ = legendre_panels(edges, 16)
        found = PoiPosterior.of(prior, edges, -0.5 * (v - 10.0) ** 2)
        assert found.left_out >= expected / (1.0 + expected)
        assert found.left_out <= 2.0 * expected + 1e-12


def test_data_that_pull_out_of_the_grid_are_refused() -> None:
    """731 and 375 events over next to nothing: the error is pulled by 28 of its widths."""
    up, down = 1.322, 1.0 / 1.322
    mu = {"name": "mu", "type": "normfactor", "data": None}

    def shifted(hi: float, lo: float) -> dict[str, object]:
        return {"name": "u", "type": "normsys", "data": {"hi": hi, "lo": lo}}

    model = compiled(
        {
            "version": "1.0.0",
            "channels": [
                {
                    "name": "c",
                    "samples": [
                        {
                            "name": "s",
                            "data": [0.1, 2.0, 4.0],
                            "modifiers": [mu, shifted(up, down)],
                        },
                        {
                            "name": "b",
                            "data": [0.25, 0.15, 0.01],
                            "modifiers": [shifted(down, up)],
                        },
                    ],
                }
            ],
            "observations": [{"name": "c", "data": [731.0, 375.0, 7.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        }
    )
    grid = grid_posterior(problem(model), model.observation.counts, cl=0.9)
    assert grid.limit is None
    assert "widths of its prior away" in str(grid.problem)


def test_a_range_ends_where_the_posterior_is_seen_last() -> None:
    """It may fall by more than the drop, and rise again; before its beginning, too."""
    mu = np.arange(8.0)
    height = np.array([-45.0, -2.0, -80.0, 0.0, -70.0, -5.0, -1.0, -61.0])
    low, high, ended = _ends(mu, height, 0.0)
    assert ended
    assert 0.0 < low < 1.0
    assert 6.0 < high < 7.0
    assert _ends(mu[:7], height[:7], 0.0)[1:] == (6.0, False)


def test_a_range_without_modes_is_not_called_a_posterior_that_cannot_be_normalised() -> None:
    """Modes found at four places only, the last not the largest; without a warning of NumPy."""
    mu = np.array([0.0, 0.0, 0.1, 0.2, 3.0, 9.0])
    lost = _endless(mu, np.array([0.0, 0.0, 0.0, -0.0, -np.inf, -np.inf]))
    assert not isinstance(lost, ImproperPosteriorError)
    assert "no conditional mode was found beyond signal strength 0.2" in str(lost)
    flat = _endless(mu[2:], np.array([0.0, 0.0, 0.0, 0.0]))
    assert isinstance(flat, ImproperPosteriorError)
    assert "mu^-0 at mu = 9" in str(flat)
    steep = _endless(mu[2:], np.array([0.0, -2.0, -8.0, -10.0]))
    assert "no end of the posterior up to signal strength 9" in str(steep)
    alone = _endless(np.zeros(3), np.array([0.0, 0.0, 0.0]))
    assert not isinstance(alone, ImproperPosteriorError)


def test_a_grid_goes_no_further_than_what_has_weight() -> None:
    """Points of weight in a corner: the region shrinks to them with a margin; else it stays."""
    box = np.array([-10.0, -8.0]), np.array([9.0, 2.0])
    seen = np.array([[-8.0, -4.5], [7.0, 0.2], [1.0, -1.0]])
    low, high = _narrower(box, seen, 9)
    assert (low > box[0]).all()
    assert (high < box[1]).all()
    assert (low < seen.min(axis=0)).all()
    assert (high > seen.max(axis=0)).all()
    wide = np.array([[-9.5, -7.5], [8.5, 1.5]])
    assert _narrower(box, wide, 9) is box
    assert _narrower(box, seen[:0], 9) is box


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


@pytest.mark.parametrize("power", [4, 12])
def test_a_trajectory_that_goes_astray_is_marked_and_is_no_warning(power: int) -> None:
    """Steps far too long for a steep density: numbers overflow, chains stay where they were."""

    def target(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            value = -(x**power).sum(axis=1)
            gradient = -power * x ** (power - 1)
        bad = ~(np.isfinite(value) & np.isfinite(gradient).all(axis=1))
        return np.where(bad, -np.inf, value), np.where(bad[:, np.newaxis], 0.0, gradient)

    begin = np.full((8, 2), 10.0)
    begin[4:] = 1e20
    chains = Chains.at(target, begin)
    moved = transition(target, chains, step=1e60, rng=np.random.default_rng(1))
    assert (moved.divergent | moved.outside).all()
    assert np.isfinite(moved.acceptance)
    np.testing.assert_array_equal(moved.chains.position, begin)


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
    from darkstats.inference.bayes.laplace.reweighting import BroadSample

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
