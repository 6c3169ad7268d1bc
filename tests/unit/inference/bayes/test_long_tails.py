"""One uncertainty of signal and background: posteriors whose tail is far longer than their bulk.

The reference is one integral over the nuisance parameter; that over the signal strength is closed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from bayes_models import answer, mixture_limit, normsys, panels, window
from darkstats.inference.bayes import posterior as posteriors
from darkstats.inference.bayes.engines import RUNNERS, Bench
from darkstats.inference.bayes.nuisances import NuisancePriors
from darkstats.inference.bayes.posterior import PoiPosterior, split
from darkstats.inference.bayes.priors import Flat
from darkstats.inference.bayes.quadrature.few_nuisances import grid_posterior
from darkstats.inference.bayes.rules import legendre_rule, normsys_factor
from darkstats.model import HistFactoryModel
from darkstats.model.interpolation import normsys_coefficients

ALPHA, WEIGHT = panels([-14.0, -9.0, -5.0, -1.0, 1.0, 5.0, 9.0])
#: Observed count, background, factor up and down, common to signal and background.
SHARED = [(0, 0.2, 1.6, 0.4), (3, 1.0, 1.6, 0.4), (7, 6.0, 1.5, 0.5), (40, 30.0, 1.4, 0.6)]


def shared(n: float, background: float, up: float, down: float) -> HistFactoryModel:
    common = {"name": "common", "type": "normsys", "data": {"hi": up, "lo": down}}
    return window(n, background=background, on_signal=[common], on_background=[common])


def exact(n: int, background: float, up: float, down: float, cl: float) -> float:
    factor = normsys_factor(ALPHA, normsys_coefficients(up, down), 4)
    weight = WEIGHT * stats.norm.pdf(ALPHA)
    return mixture_limit(n, background * factor, weight, efficiency=factor, cl=cl)


def bench(model: HistFactoryModel, cl: float) -> Bench:
    return Bench(
        model=model,
        nuisances=NuisancePriors().resolve(model),
        prior=Flat().bind(model),
        cl=cl,
        seed=1,
        expected="none",
    )


def test_the_reference() -> None:
    """Known from an integral that was made elsewhere."""
    assert exact(0, 0.2, 1.6, 0.4, 0.90) == pytest.approx(8.749149, rel=1e-7)
    assert exact(0, 0.2, 1.6, 0.4, 0.95) == pytest.approx(13.765127, rel=1e-7)


@pytest.mark.parametrize("cl", [0.9, 0.95])
@pytest.mark.parametrize("case", SHARED)
def test_every_engine_follows_the_tail(case: tuple[int, float, float, float], cl: float) -> None:
    """Windows, grid and Laplace, each within three times its claimed error."""
    limit, model = exact(*case, cl), shared(*case)
    found = answer(model, cl=cl)
    assert found.limit is not None
    assert abs(found.limit - limit) <= 3.0 * found.error
    assert found.problem is not None or found.error <= 1e-5 * limit
    one = bench(model, cl)
    grid = grid_posterior(one.problem(), one.rows, cl=cl)
    assert grid.limit is not None
    assert abs(grid.limit - limit) <= 3.0 * grid.error <= 3e-5 * limit
    laplace = RUNNERS["laplace"](one).answer
    assert laplace.limit is not None
    assert abs(laplace.limit - limit) <= min(3.0 * laplace.error, 0.01 * limit)


def test_the_error_holds_what_fixed_panels_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Panels that stay as they are: the error says so, or there is no number."""
    monkeypatch.setattr(posteriors, "_ROUNDS", 1)
    limit, one = exact(*SHARED[0], 0.9), bench(shared(*SHARED[0]), 0.9)
    grid = grid_posterior(one.problem(), one.rows, cl=0.9)
    assert grid.limit is None or abs(grid.limit - limit) <= 3.0 * grid.error
    laplace = RUNNERS["laplace"](one).answer
    assert laplace.limit is None or abs(laplace.limit - limit) <= 3.0 * laplace.error


def test_panels_split_until_settled() -> None:
    """A sharp law far inside the first panel: evidence and quantiles to nine digits."""
    prior = Flat().bind(shared(*SHARED[0]))

    def log_likelihood(mu: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(stats.gamma.logpdf(mu, 3.0, scale=0.01))

    found = PoiPosterior.settled(prior, np.array([0.0, 50.0, 100.0]), log_likelihood)
    assert found.log_evidence == pytest.approx(0.0, abs=1e-9)
    assert found.quantile(0.9) == pytest.approx(stats.gamma.ppf(0.9, 3.0, scale=0.01), rel=1e-9)
    assert found.unsettled < 1e-7


def test_split() -> None:
    """Halves, quarters, and a first panel that shrinks towards its beginning."""
    edges = np.array([0.0, 64.0, 128.0, 256.0])
    assert split(edges, np.array([0.5, 1.0, 0.0])).tolist() == edges.tolist()
    assert split(edges, np.array([2.0, 0.0, 1e5])).tolist() == [0, 32, 64, 128, 160, 192, 224, 256]
    assert split(edges, np.array([2e3, 0.0, 0.0])).tolist() == [0, 1, 4, 16, 64, 128, 256]


def test_unsettled_is_what_a_series_leaves_out() -> None:
    """A polynomial of degree 13 is followed exactly, one of degree 15 is not known to be."""
    prior = Flat(upper=1.0).bind(shared(*SHARED[0]))
    x = 0.5 + 0.5 * legendre_rule(16)[0]
    edges = np.array([0.0, 1.0])
    assert PoiPosterior.of(prior, edges, np.log(1.0 + x**13)).unsettled < 1e-12
    assert PoiPosterior.of(prior, edges, np.log(1.0 + x**15)).unsettled > 1e-9


def test_one_percent_is_the_same_as_before() -> None:
    """A small common uncertainty: nothing far away, and the plain limit."""
    found = answer(window(3.0, on_signal=[normsys("c", 0.01)], on_background=[normsys("c", 0.01)]))
    factor = normsys_factor(ALPHA, normsys_coefficients(1.01, 1.0 / 1.01), 4)
    limit = mixture_limit(3, 3.0 * factor, WEIGHT * stats.norm.pdf(ALPHA), efficiency=factor)
    assert found.limit == pytest.approx(limit, rel=1e-7)


def test_what_the_nodes_of_a_nuisance_parameter_cut_off_is_claimed() -> None:
    """17 events over 92 with a 10 % shift of both: data that pull more than eight deviations."""
    shift = {"hi_data": [1.1], "lo_data": [0.92]}
    both = [
        {"name": "shift", "type": "histosys", "data": shift},
        {"name": "shift", "type": "histosys", "data": {"hi_data": [101.2], "lo_data": [84.64]}},
    ]
    model = window(17.0, background=92.0, on_signal=both[:1], on_background=both[1:])
    alpha, weight = panels([-14.0, -9.0, -5.0, -1.0, 1.0, 5.0, 9.0])
    bend = np.where(
        np.abs(alpha) <= 1.0,
        alpha**2 * (15.0 + alpha**2 * (3.0 * alpha**2 - 10.0)) / 8.0,
        np.abs(alpha),
    )
    factor = 1.0 + 0.09 * alpha + 0.01 * bend
    assert (factor > 0.0).sum() == (alpha > -12.5).sum()
    keep = factor > 0.0
    factor, weight = factor[keep], (weight * stats.norm.pdf(alpha))[keep]
    limit = mixture_limit(17, 92.0 * factor, weight, efficiency=factor)
    found = answer(model)
    assert found.problem is not None or abs(found.limit - limit) <= 3.0 * found.error
