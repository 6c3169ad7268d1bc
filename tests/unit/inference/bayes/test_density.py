"""Coordinates and the density in them: exact derivatives, and the density that is stated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayes_models import normsys, window
from darkstats.inference.bayes.coordinates import Coordinates
from darkstats.inference.bayes.joint import JointDensity
from darkstats.inference.bayes.laplace.importance import (
    effective_size,
    normal_quantile,
    pareto_k,
    proposal,
    tempered,
)
from darkstats.inference.bayes.nuisance_density import NuisanceDensity
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.priors import Flat, FlatInCoupling, LogFlat
from small_models import counting, on_off

MAPS = [
    Coordinates(kind="affine", centre=np.array(1.0), scale=np.array(2.0)),
    Coordinates(kind="half-line", lower=np.array(0.5), scale=np.array(3.0)),
    Coordinates(kind="interval", lower=np.array(-1.0), upper=np.array(4.0)),
    Coordinates(kind="exponential", centre=np.array(2.0), scale=np.array(0.3)),
]


@pytest.mark.parametrize("map_", MAPS, ids=lambda m: m.kind)
def test_derivatives_and_inverse_of_coordinates(map_: Coordinates) -> None:
    """First and second derivatives by finite differences; the inverse undoes the map."""
    z, step = np.linspace(-3.0, 3.0, 13), 1e-5
    here, up, down = map_.at(z), map_.at(z + step), map_.at(z - step)
    np.testing.assert_allclose(here.x1, (up.x - down.x) / (2 * step), rtol=1e-7)
    np.testing.assert_allclose(here.x2, (up.x1 - down.x1) / (2 * step), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(here.log_slope, np.log(here.x1), rtol=1e-12, atol=1e-12)
    slope1 = (up.log_slope - down.log_slope) / (2 * step)
    slope2 = (up.log_slope1 - down.log_slope1) / (2 * step)
    np.testing.assert_allclose(here.log_slope1, slope1, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(here.log_slope2, slope2, rtol=1e-6, atol=1e-8)
    inside = np.abs(z) < 2.6
    np.testing.assert_allclose(map_.inverse(here.x)[inside], z[inside], rtol=1e-10, atol=1e-12)


def test_coordinates_make_normal_variables_of_typical_laws() -> None:
    """An exponential and a uniform law, and a gamma law nearly, become standard normal."""
    rng = np.random.default_rng(3)
    half = Coordinates(kind="half-line").inverse(rng.exponential(size=20_000))
    box = Coordinates(kind="interval").inverse(rng.uniform(size=20_000))
    for z in (half, box):
        assert abs(np.mean(z)) < 0.03
        assert np.std(z) == pytest.approx(1.0, abs=0.03)
    gamma = Coordinates(kind="half-line", scale=np.array(4.0)).inverse(rng.gamma(4.0, size=20_000))
    assert abs(stats.skew(gamma)) < 0.15 < stats.skew(rng.gamma(4.0, size=20_000))


STAT = {"name": "stat", "type": "staterror", "data": [0.6]}
CASES = [
    (window(3.0, on_signal=[normsys("e", 0.2)], on_background=[STAT, normsys("b", 0.3)]), {}),
    (window(3.0, on_signal=[STAT], on_background=[STAT]), {}),
    (window(3.0, on_signal=[STAT], on_background=[STAT]), {"efficiency": "gamma"}),
    (window(3.0, on_signal=[normsys("e", 0.2, 0.85)]), {"efficiency": "gamma"}),
    (window(3.0, on_signal=[normsys("e", 0.2, 0.85)]), {"efficiency": "truncated-normal"}),
    (counting(4.0, 1.0, 3.0, 1.5), {}),
    (counting(4.0, 1.0, 3.0, 1.5), {"ur_prior": "flat"}),
    (on_off(5.0, 9.0, 2.0), {}),
    (on_off(5.0, 9.0, 2.0), {"ranges": {"level": (0.0, 20.0)}}),
]


@pytest.mark.parametrize(("model", "choice"), CASES)
def test_density_is_likelihood_times_priors_times_jacobian(model, choice) -> None:
    """Equal to the stated densities up to a constant, with exact first and second derivatives."""
    priors = NuisancePriors(**choice).resolve(model)
    counts = model.observation.counts
    density = NuisanceDensity.of(model, priors, reference=model.inits, counts=counts)
    rng = np.random.default_rng(1)
    z, mu, step = rng.normal(size=(7, density.n)), rng.uniform(0.0, 3.0, 7), 1e-5
    x = density.parameters(mu, z)
    direct = np.zeros(7)
    for p, prior in enumerate(priors):
        if prior is not None:
            direct += prior.log_density(x[:, p])
    for block in density.blocks:
        direct += block.coordinates.at(z[:, block.place]).log_slope.sum(axis=1)
    rates = model.expected_rates(x)
    direct += (counts * np.log(rates) - rates).sum(axis=1)
    difference = density.value(mu, z, counts) - direct
    assert np.ptp(difference) < 1e-9
    here = density.derivatives(mu, z, counts)
    np.testing.assert_allclose(here.value, density.value(mu, z, counts), rtol=1e-12)
    for i in range(density.n):
        shift = np.zeros((7, density.n))
        shift[:, i] = step
        up, down = (
            density.derivatives(mu, z + shift, counts),
            density.derivatives(mu, z - shift, counts),
        )
        np.testing.assert_allclose(
            here.gradient[:, i], (up.value - down.value) / (2 * step), rtol=1e-6, atol=1e-7
        )
        np.testing.assert_allclose(
            here.hessian[:, i], (up.gradient - down.gradient) / (2 * step), rtol=1e-6, atol=1e-6
        )
    np.testing.assert_allclose(density.coordinates(x), z, atol=0.02)


@pytest.mark.parametrize(
    "prior",
    [Flat(), Flat(upper=9.0), FlatInCoupling(power=2.0), LogFlat(lower=0.1, upper=20.0)],
    ids=lambda p: p.describe()[:20],
)
def test_joint_density_has_the_gradient_of_its_value(prior) -> None:
    """The coordinate of the signal strength carries its prior; minus infinity outside."""
    model = on_off(5.0, 9.0, 2.0)
    counts = model.observation.counts
    density = NuisanceDensity.of(
        model, NuisancePriors().resolve(model), reference=model.inits, counts=counts
    )
    joint = JointDensity.of(density, prior.bind(model), counts, 3.0)
    x = np.random.default_rng(2).normal(size=(6, 2))
    value, gradient = joint.with_gradient(x)
    np.testing.assert_allclose(value, joint.value(x), rtol=1e-12)
    for i in range(2):
        step = np.zeros(2)
        step[i] = 1e-5
        numeric = (joint.value(x + step) - joint.value(x - step)) / 2e-5
        np.testing.assert_allclose(gradient[:, i], numeric, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(joint.w(joint.mu(x[:, 0])), x[:, 0], atol=1e-6)


# --- importance sampling --------------------------------------------------------------------


def test_normal_quantiles() -> None:
    """Against SciPy, to the 1e-6 that placing points needs."""
    p = np.concatenate([np.logspace(-12, -1, 50), np.linspace(0.1, 0.9, 50)])
    p = np.concatenate([p, 1.0 - p])
    np.testing.assert_allclose(normal_quantile(p), stats.norm.ppf(p), atol=2e-6)


@pytest.mark.parametrize("dimensions", [1, 3, 20])
def test_proposal_integrates_a_gaussian(dimensions: int) -> None:
    """The mean weight of a normal law is one within its scatter, and points come in pairs."""
    thrown = proposal(dimensions, 256, replicates=200, seed=1, digest="0" * 64)
    square = (thrown.points**2).sum(axis=2)
    each = np.exp(-0.5 * square - thrown.log_density).mean(axis=1)
    assert abs(each.mean() - 1.0) < 4.0 * each.std() / np.sqrt(200)
    np.testing.assert_array_equal(thrown.points[:, :128], -thrown.points[:, 128:])
    again = proposal(dimensions, 256, replicates=200, seed=1, digest="0" * 64)
    other = proposal(dimensions, 256, replicates=200, seed=1, digest="0" * 64, purpose=1)
    np.testing.assert_array_equal(thrown.points, again.points)
    assert not np.array_equal(thrown.points, other.points)


def test_effective_size_and_tempering() -> None:
    """Equal weights count fully, one heavy weight counts once; tempering reaches what is asked."""
    assert effective_size(np.zeros(50)) == pytest.approx(50.0)
    heavy = np.zeros(50)
    heavy[3] = 100.0
    assert effective_size(heavy) == pytest.approx(1.0)
    assert 1.0 / np.sum(tempered(heavy, 20.0) ** 2) == pytest.approx(20.0, rel=0.05)
    assert effective_size(np.full(5, -np.inf)) == 0.0


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_pareto_shape_is_found(shape: float) -> None:
    """Weights with a Pareto tail of known shape."""
    rng = np.random.default_rng(0)
    found = [
        pareto_k(np.log(stats.genpareto.rvs(shape, size=4000, random_state=rng))) for _ in range(10)
    ]
    assert np.mean(found) == pytest.approx(shape, abs=0.12)
