"""Priors: what they are, that they integrate to one, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from bayes_models import answer, normsys, window
from darkstats.errors import (
    EmptySupportError,
    ImproperPosteriorError,
    InsensitiveError,
    PriorError,
    UnknownNameError,
)
from darkstats.inference.bayes.nuisances import NuisancePriors, ParameterPrior
from darkstats.inference.bayes.priors import (
    Coordinate,
    Custom,
    Flat,
    FlatInCoupling,
    LogFlat,
    PoiPrior,
    Tabulated,
)
from darkstats.model import HistFactoryModel
from small_models import counting, on_off, two_bins_one_empty

MODEL = counting(1.0, 1.0, 1.0)
PROPER: list[PoiPrior] = [
    Flat(lower=0.5, upper=7.0),
    FlatInCoupling(power=2.0, reference=0.1, upper_coupling=0.3),
    FlatInCoupling(power=4.0, upper_coupling=1.5),
    LogFlat(lower=1e-3, upper=1e2),
    Tabulated(mu=(0.0, 1.0, 5.0), density=(0.0, 2.0, 1.0)),
]


@pytest.mark.parametrize("prior", PROPER, ids=lambda prior: prior.name)
def test_proper_priors_integrate_to_one_in_their_coordinate(prior: PoiPrior) -> None:
    """Density times Jacobian integrates to one between the edges: the change of variables holds."""
    bound = prior.bind(MODEL)
    assert bound.proper
    knots = [bound.lower, *bound.breaks, bound.upper]
    edges = [float(bound.coordinate.of_mu(knot)) for knot in knots]

    def density(v: float) -> float:
        at = np.array([v])
        mu = bound.coordinate.to_mu(at)
        return float(np.exp(bound.log_density(mu) + bound.coordinate.log_jacobian(at))[0])

    total = sum(
        integrate.quad(density, a, b, epsrel=1e-10)[0] for a, b in itertools.pairwise(edges)
    )
    assert total == pytest.approx(1.0, rel=1e-8)
    outside = bound.log_density(np.array([bound.lower * 0.999 - 1e-9, bound.upper * 1.001]))
    assert (outside == -np.inf).all()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_coordinates_go_there_and_back(power: float) -> None:
    """to_mu undoes of_mu, and the Jacobian is the derivative."""
    coordinate = Coordinate(power)
    v = np.array([0.3, 1.0, 2.5])
    np.testing.assert_allclose(coordinate.of_mu(coordinate.to_mu(v)), v, rtol=1e-13)
    numeric = (coordinate.to_mu(v + 1e-6) - coordinate.to_mu(v - 1e-6)) / 2e-6
    np.testing.assert_allclose(np.exp(coordinate.log_jacobian(v)), numeric, rtol=1e-8)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Flat(lower=-1.0), "outside the physical range"),
        (lambda: Flat(lower=2.0, upper=1.0), "empty"),
        (lambda: LogFlat(lower=0.0, upper=1.0), "positive"),
        (lambda: LogFlat(lower=1.0, upper=math.inf), "finite upper edge"),
        (lambda: FlatInCoupling(power=0.0), "power of the coupling"),
        (lambda: FlatInCoupling(power=2.0, reference=-1.0), "reference coupling"),
        (lambda: Tabulated(mu=(-1.0, 1.0), density=(1.0, 1.0)), "outside the physical range"),
        (lambda: Tabulated(mu=(0.0, 0.0), density=(1.0, 1.0)), "must rise"),
        (lambda: Tabulated(mu=(0.0, 1.0), density=(0.0, 0.0)), "zero everywhere"),
        (lambda: Tabulated(mu=(0.0, 1.0), density=(1.0, math.nan)), "not finite"),
        (lambda: Tabulated(mu=(0.0,), density=(1.0,)), "2 to 64 points"),
    ],
)
def test_priors_that_do_not_exist_are_refused(make, match: str) -> None:
    """Edges outside the physical range, empty or not normalisable priors."""
    with pytest.raises(PriorError, match=match):
        make()


def test_a_custom_prior_that_is_no_function_of_the_strength_is_refused() -> None:
    """A wrong shape, or a number that is none, is an error and no limit."""
    for function in (lambda mu: np.zeros(3), lambda mu: mu * np.nan):
        with pytest.raises(PriorError, match="gives numbers"):
            answer(counting(1.0, 1.0, 1.0), prior=Custom(function=function, label="bad"))


PARAMETERS = [
    ParameterPrior(name="a", kind="normal", centre=0.3, width=1.2),
    ParameterPrior(name="b", kind="truncated-normal", centre=1.0, width=0.8),
    ParameterPrior(name="c", kind="log-normal", centre=1.0, width=0.4),
    ParameterPrior(name="d", kind="gamma", shape=2.5, rate=2.0),
    ParameterPrior(name="e", kind="flat", lower=1.0, upper=4.0),
    ParameterPrior(
        name="f",
        kind="factor-gamma",
        width=0.3,
        shape=0.3**-2,
        coefficients=(math.log(1.3), math.log(0.7), 0, 0, 0, 0, 0, 0),
        code=1,
    ),
    ParameterPrior(
        name="g",
        kind="factor-truncated-normal",
        width=0.5,
        coefficients=(math.log(1.5), math.log(0.5), 0, 0, 0, 0, 0, 0),
        code=1,
    ),
]


@pytest.mark.parametrize("prior", PARAMETERS, ids=lambda prior: prior.kind)
def test_nuisance_priors_integrate_to_one_and_draw_what_they_say(prior: ParameterPrior) -> None:
    """The density is normalised, and draws follow it (Kolmogorov-Smirnov, p > 1e-4)."""
    draws = prior.draw(np.random.default_rng(5), 4000)
    spread = 60.0 if prior.kind.startswith("factor") else 12.0
    low = max(prior.lower, -spread if prior.kind == "normal" or "factor" in prior.kind else 0.0)
    grid = np.linspace(low, min(prior.upper, spread), 400_001)
    density = np.exp(prior.log_density(grid))
    density[~np.isfinite(density)] = 0.0
    cdf = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    assert cdf[-1] == pytest.approx(1.0, abs=2e-4)
    assert stats.kstest(draws, lambda x: np.interp(x, grid, cdf)).pvalue > 1e-4
    assert prior.describe()


def kinds(model: HistFactoryModel, choice: NuisancePriors | None = None) -> list[str | None]:
    return [p and p.kind for p in (choice or NuisancePriors()).resolve(model)]


def test_constraint_terms_become_the_priors_that_are_stated() -> None:
    """Each kind of constraint, on signal and on background."""
    stat = {"name": "stat", "type": "staterror", "data": [0.3]}
    on_both = window(1.0, on_signal=[stat], on_background=[stat])
    assert kinds(on_both) == [None, "log-normal"]
    assert kinds(on_both, NuisancePriors(efficiency="gamma")) == [None, "gamma"]
    assert kinds(on_both, NuisancePriors(efficiency="truncated-normal")) == [
        None,
        "truncated-normal",
    ]
    on_background = window(1.0, on_background=[stat, normsys("b", 0.1)])
    assert sorted(filter(None, kinds(on_background))) == ["normal", "truncated-normal"]
    efficiency = window(1.0, on_signal=[normsys("eff", 0.1)])
    assert kinds(efficiency) == [None, "normal"]
    assert kinds(efficiency, NuisancePriors(efficiency="gamma")) == [None, "factor-gamma"]
    assert kinds(counting(1.0, 1.0, 2.0, 1.0)) == [None, "gamma"]
    assert kinds(on_off(1.0, 1.0, 2.0)) == [None, "flat"]


def test_the_log_normal_of_a_factor_is_what_a_normsys_of_that_width_is() -> None:
    """lumi or staterror on the signal: one sigma up is 1 + width, one down its inverse."""
    prior = ParameterPrior(name="l", kind="log-normal", centre=1.0, width=0.25)
    sigma = stats.norm.cdf(1.0)
    grid = np.linspace(1e-3, 12.0, 200_001)
    cdf = np.cumsum(np.exp(prior.log_density(grid))) * (grid[1] - grid[0])
    assert np.interp(sigma, cdf, grid) == pytest.approx(1.25, rel=1e-3)
    assert np.interp(1.0 - sigma, cdf, grid) == pytest.approx(1.0 / 1.25, rel=1e-3)


@pytest.mark.parametrize(
    ("choice", "match"),
    [
        (NuisancePriors(ranges={"level": (-1.0, 2.0)}), "leaves the physical range"),
        (NuisancePriors(ranges={"level": (3.0, 2.0)}), "empty"),
    ],
)
def test_ranges_outside_the_physical_ones_are_refused(choice: NuisancePriors, match: str) -> None:
    """A free normalisation that may not be negative has no prior there."""
    with pytest.raises(PriorError, match=match):
        choice.resolve(on_off(1.0, 1.0, 2.0))


def test_choices_that_do_not_exist_are_refused() -> None:
    """Unknown names list the known ones; a constrained parameter takes no range."""
    with pytest.raises(UnknownNameError, match="log-normal, gamma"):
        NuisancePriors(efficiency="gaussian")
    with pytest.raises(UnknownNameError, match="flat"):
        NuisancePriors(ur_prior="log")
    with pytest.raises(UnknownNameError, match="level"):
        NuisancePriors(ranges={"nobody": (0.0, 1.0)}).resolve(on_off(1.0, 1.0, 2.0))
    with pytest.raises(PriorError, match="has a constraint"):
        NuisancePriors(ranges={"u[0]": (0.0, 1.0)}).resolve(counting(1.0, 1.0, 1.0, 0.5))


def test_a_nuisance_parameter_is_no_signal_strength() -> None:
    """A parameter with an auxiliary measurement as parameter of interest is refused."""
    model = window(1.0, on_background=[normsys("b", 0.1)]).with_poi("b")
    with pytest.raises(PriorError, match="no signal strength"):
        NuisancePriors().resolve(model)


# --- posteriors that do not exist -----------------------------------------------------------


def test_a_poi_that_does_nothing_is_an_error() -> None:
    """No signal in any bin that counts: the posterior would be the prior."""
    found = answer(on_off(2.0, 3.0, 1.0, masked=("on",)))
    assert isinstance(found.problem, InsensitiveError)
    assert found.limit is None


def test_impossible_data_are_an_error() -> None:
    """An event in a bin where nothing can be expected."""
    from dataclasses import replace

    model = two_bins_one_empty()
    counts = np.array([5.0, 1.0])
    model = replace(model, observation=replace(model.observation, counts=counts))
    found = answer(model)
    assert isinstance(found.problem, EmptySupportError)
    assert "impossible" in str(found.problem)


def test_a_gaussian_efficiency_and_a_flat_prior_do_not_normalise() -> None:
    """A truncated normal efficiency has density at zero: improper, unless the prior has an edge."""
    model = window(1.0, on_signal=[normsys("eff", 0.4, 0.6)])
    choice = NuisancePriors(efficiency="truncated-normal")
    found = answer(model, nuisances=choice)
    assert isinstance(found.problem, ImproperPosteriorError)
    assert "upper edge" in str(found.problem)
    limits = [
        answer(model, nuisances=choice, prior=Flat(upper=edge)).limit for edge in (30.0, 300.0, 3e3)
    ]
    assert limits[0] < limits[1] < limits[2]  # and the edge matters, for ever


def test_a_free_factor_on_the_signal_is_an_error() -> None:
    """Only the product of two unconstrained factors is measured."""
    free = {"name": "k", "type": "normfactor", "data": None}
    found = answer(window(1.0, on_signal=[free]))
    assert isinstance(found.problem, ImproperPosteriorError)
    assert "only its product" in str(found.problem)
