"""Toys of models with a handful of events find their fits, and the right ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize

from darkstats.fit import FitOptions, fit, fit_batch
from darkstats.inference import TEST_STATISTICS, ToyOptions, poisson_cls_limit, upper_limit
from low_count_models import MODELS, on_slope
from unbinned_models import Item, compiled, outline

EVENTS = (4.4169, 4.1263, 3.6181, 3.5012, 4.1535, 4.731, 0.0248)  # seven, ordinary
ONE_THREAD = FitOptions(threads=1)


@pytest.mark.parametrize("document", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("n_events", [0, 1, 3, 7])
def test_no_toy_of_few_events_loses_its_fit(document: Callable[..., Item], n_events: int) -> None:
    """Free and conditional fits of every toy are certified, at once and without a minimiser.

    Where no event of a toy lies near the signal, its strength has next to no curvature and mixes
    with the nuisance of its yield.
    """
    model = compiled(document())
    data = model.observe([np.array([EVENTS[-n_events:] if n_events else ()])])
    point = fit(model, data, poi_value=0.5, options=ONE_THREAD).parameters
    events, auxdata = model.throw(point, np.random.default_rng(5), 250)
    free = fit_batch(
        model, events, auxdata, start=point, poi_lower=0.0, poi_upper=math.inf, options=ONE_THREAD
    )
    fixed = fit_batch(
        model, events, auxdata, start=free.parameters, poi_values=0.5, options=ONE_THREAD
    )
    assert free.n_failed == fixed.n_failed == 0
    assert max(free.rung.max(), fixed.rung.max()) <= 2


def own_nll(theta: np.ndarray, x: np.ndarray, aux: float) -> float:
    """-log L of :func:`on_slope` written down by hand, without constants."""
    mu, nb, c, eff = theta
    signal = 4.0 * mu * math.exp(0.1 * eff)
    peak = np.exp(-0.5 * ((x - 4.0) / 0.4) ** 2) / (0.4 * math.sqrt(2.0 * math.pi))  # all inside
    slope = c * np.exp(-c * x) / -math.expm1(-10.0 * c) if abs(c) > 1e-7 else np.full(len(x), 0.1)
    logs = np.log(signal * peak + nb * slope).sum()
    return float(signal + nb - logs + 0.5 * (eff - aux) ** 2)


def own_minimum(low: float, high: float, x: np.ndarray, aux: float) -> float:
    """Lowest of several starts of a bounded quasi-Newton method of SciPy, mu in [low, high]."""
    bounds = [(low, high), (1e-9, 1000.0), (-0.5, 3.0), (-5.0, 5.0)]
    return min(
        float(minimize(own_nll, (mu, nb, c, aux), args=(x, aux), bounds=bounds).fun)
        for mu in {low, min(low + 0.5, high)}
        for nb, c in ((0.3, 0.0), (1.0 + len(x), 1.0))
    )


def test_statistics_of_toys_are_those_of_another_minimiser() -> None:
    """q(mu) of single toys, mostly without an event near the signal, against SciPy by hand."""
    model = compiled(on_slope(EVENTS))
    point = fit(model, model.observation, poi_value=0.5, options=ONE_THREAD).parameters
    lanes, auxdata = model.throw(point, np.random.default_rng(9), 8)
    free = fit_batch(
        model, lanes, auxdata, start=point, poi_lower=0.0, poi_upper=math.inf, options=ONE_THREAD
    )
    fixed = fit_batch(
        model, lanes, auxdata, start=free.parameters, poi_values=1.5, options=ONE_THREAD
    )
    statistic = TEST_STATISTICS["qtilde"]
    best = free.parameters[:, model.require_poi()]
    found = statistic.value(1.5, best, fixed.twice_nll, free.twice_nll)
    eff = model.parameter_index("eff")
    for toy in range(8):
        x, weights = lanes.channels[0].events_of(toy)
        events, aux = x[0][weights > 0.0], float(auxdata[toy, eff])
        ratio = own_minimum(1.5, 1.5, events, aux) - own_minimum(0.0, 20.0, events, aux)
        assert found[toy] == pytest.approx(2.0 * ratio if best[toy] <= 1.5 else 0.0, abs=1e-4)


@pytest.mark.parametrize("n_events", [0, 2, 5])
def test_where_shapes_say_nothing_the_toy_limit_is_that_of_counting(n_events: int) -> None:
    """Signal and background flat, background known: exact Poisson CLs, whatever the events."""
    document = outline(
        [
            {"name": "sig", "type": "uniform_dist", "x": ["x"]},
            {"name": "bkg", "type": "uniform_dist", "x": ["x"]},
        ],
        [("mu", 1.0, 0.0, 50.0)],
        yields={"sig": "mu", "bkg": "nb"},
        constants=[("nb", 1.5)],
    )
    model = compiled(document)
    data = model.observe([np.linspace(0.1, 0.9, n_events)[None, :]])
    limit = upper_limit(
        model, data, calculator="toys", toys=ToyOptions(n_toys=2000, seed=3), scan_points=0
    )
    exact = poisson_cls_limit(n_events, 1.5, cl=0.95)
    assert limit.observed is not None
    assert limit.toys is not None
    assert limit.toys.failed == 0
    assert abs(limit.observed - exact) < 4.0 * limit.observed_error
    assert limit.observed_error < 0.1 * exact


def test_seven_ordinary_events_have_a_toy_limit() -> None:
    """A toy limit comes out, without one failed toy, near the asymptotic one (2.817)."""
    model = compiled(on_slope(EVENTS))
    limit = upper_limit(
        model,
        model.observation,
        calculator="toys",
        toys=ToyOptions(n_toys=200, seed=0),
        scan_points=0,
    )
    assert limit.toys is not None
    assert limit.toys.failed == 0
    assert limit.observed == pytest.approx(2.94, abs=0.5)
