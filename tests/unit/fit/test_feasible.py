"""Fits whose densities are positive in part of the parameter space only, and fits that must end."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from darkstats.errors import FitFailedError, ImpossibleDataError, LimitNotFoundError
from darkstats.fit import RUNGS, FitOptions, FitStatus, fit, fit_batch, ladder
from darkstats.fit.feasible import feasible_point
from darkstats.fit.lanes import Problem
from darkstats.inference import significance, upper_limit
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.test_statistics import test_statistic
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.workspace import read_workspace
from feasible_models import Interference, NegativeBins, exponential, lowest_in_yield
from unbinned_models import compiled, outline

EVENTS = (np.arange(100) + 0.5) / 100.0


def interference(size: float, peak: float = 2.0, **changes: float) -> Interference:
    return Interference(
        events=EVENTS, peak=peak, size=size, slopes=(1.0, 1.2), most=9000.0, **changes
    )


def steep(slope: float, last: float) -> tuple[UnbinnedModel, np.ndarray]:
    """Twenty events near zero and one far out, on an exponential of this slope; and the events."""
    events = np.append((np.arange(20) + 0.5) / (20.0 * slope), last)
    document = outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": last, "sigma": 0.01},
            {"name": "bkg", "type": "exponential_dist", "x": "x", "c": slope},
        ],
        [("mu", 1.0, 0.0, 20.0), ("nb", 20.0, 0.0, 1000.0)],
        yields={"sig": "nsig", "bkg": "nb"},
        functions=[{"name": "nsig", "type": "generic_function", "expression": "10 * mu"}],
        entries=[[float(x)] for x in events],
    )
    return compiled(document), events


@pytest.mark.parametrize("size", [-1.0, -60.0, -100.0, -1000.0, 1000.0])
@pytest.mark.parametrize("mu", [0.0, 0.5, 8.0])
def test_interference_of_any_size_is_fitted(size: float, mu: float) -> None:
    """The conditional minimum is that of an independent, convex minimisation; or there is none."""
    case = interference(size)
    model, right = case.model(), case.lowest(mu)
    if math.isinf(right):
        with pytest.raises(ImpossibleDataError, match=r"event \d+ of channel 'model'"):
            fit(model, model.observation, poi_value=mu)
        return
    found = fit(model, model.observation, poi_value=mu)
    assert 0.5 * found.twice_nll == pytest.approx(right, abs=1e-7, rel=1e-9)


def test_a_start_without_density_is_left_by_phase_one() -> None:
    """The rung says how the minimum was found; a nuisance of the interference is no hindrance."""
    case = interference(-100.0, error=0.1)
    model = case.model()
    found = fit(model, model.observation, poi_value=8.0)
    assert found.certification.rung == "feasible start"
    assert 0.5 * found.twice_nll == pytest.approx(case.lowest(8.0), abs=1e-7)


def test_a_test_of_interference_has_the_independent_value() -> None:
    """The statistic at a signal strength whose start is impossible."""
    case = interference(-100.0)
    model = case.model()
    curve = ProfileCurve(model, model.observation, test_statistic("qtilde"))
    curve.evaluate([8.0])
    curve.certify(8.0)
    free = min(case.lowest(mu) for mu in np.linspace(0.0, 2.0, 401))
    assert curve.q(8.0) == pytest.approx(2.0 * (case.lowest(8.0) - free), abs=1e-3)


def test_a_limit_under_interference_is_finite() -> None:
    """CLs at the limit, computed with independent minima of the data, is what was asked for."""
    case = Interference(events=EVENTS, peak=1.0, size=-60.0, slopes=(1.19, 1.2), most=9000.0)
    model = case.model()
    limit = upper_limit(model, model.observation, probe=False, scan_points=0)
    assert limit.observed is not None
    assert math.isfinite(limit.observed)
    found = fit(model, model.observation, poi_value=limit.observed)
    assert 0.5 * found.twice_nll == pytest.approx(case.lowest(limit.observed), abs=1e-7)


@pytest.mark.parametrize(("slope", "last"), [(50.0, 0.97), (400.0, 0.97), (500.0, 0.97)])
def test_a_steep_background_has_its_significance(slope: float, last: float) -> None:
    """Densities of 1e-210 are densities: their logarithms are of order one."""
    model, events = steep(slope, last)
    assert fit(model, model.observation, poi_value=0.0).poi == 0.0
    found = significance(model, model.observation)
    n = len(events)
    null = n - (n * math.log(n) + np.log(exponential(slope)(events)).sum())
    shape = exponential(slope)(events)
    peak = np.zeros(n)
    peak[-1] = 1.0 / (0.01 * math.sqrt(2.0 * math.pi))
    peak /= 0.5 * (1.0 + math.erf((1.0 - last) / (0.01 * math.sqrt(2.0))))
    best = min(
        lowest_in_yield(10.0 * mu * peak, shape, 10.0 * mu, 1000.0, np.ones(n))[1]
        for mu in np.linspace(0.0999, 0.1001, 201)
    )
    assert found.observed == pytest.approx(math.sqrt(2.0 * (null - best)), rel=1e-5)


def negative_bins(most: float) -> NegativeBins:
    return NegativeBins(
        observed=np.array([20.0, 20.0]),
        signal=np.array([-10.0, 5.0]),
        background=np.array([20.0, 20.0]),
        most=most,
        error=0.2,
    )


@pytest.mark.parametrize("mu", [1.0, 3.0, 15.0])
def test_a_negative_bin_of_the_signal_is_fitted(mu: float) -> None:
    """The background rises until every bin with events has a rate."""
    case = negative_bins(100.0)
    model = case.model()
    found = fit(model, model.observation, poi_value=mu)
    assert 0.5 * found.twice_nll == pytest.approx(case.lowest(mu), abs=1e-7)


def test_what_no_nuisance_can_mend_is_refused_with_its_bin() -> None:
    """A level of the background that ends too low: channel, bin and what is held are named."""
    case = NegativeBins(
        observed=np.array([20.0, 20.0]),
        signal=np.array([-10.0, 5.0]),
        background=np.array([20.0, 20.0]),
        most=2.0,
    )
    model = case.model()
    assert math.isinf(case.lowest(5.0))
    with pytest.raises(ImpossibleDataError, match=r"mu = 5: .* bin 0 of channel 'c'"):
        fit(model, model.observation, poi_value=5.0)


def test_phase_one_counts_and_ends() -> None:
    """Feasible or not, it takes a few hundred evaluations."""
    for most, reached in ((100.0, True), (2.0, False)):
        model = NegativeBins(
            observed=np.array([20.0, 20.0]),
            signal=np.array([-10.0, 5.0]),
            background=np.array([20.0, 20.0]),
            most=most,
        ).model()
        problem = Problem.of(model, fix_poi=True, fixed={}, poi_lower=None, poi_upper=None)
        data, auxdata = model.stack([model.observation])
        start = model.inits
        start[model.require_poi()] = 5.0
        found = feasible_point(problem, data, auxdata[0], start)
        assert found.reached is reached
        assert found.evaluations < 3000


def empty_bin() -> HistFactoryModel:
    """Nothing expected without signal, nothing seen, and a signal that may vanish."""
    shift = {"hi_data": [0.012], "lo_data": [0.003]}
    signal = {
        "name": "s",
        "data": [0.0075],
        "modifiers": [
            {"name": "mu", "type": "normfactor", "data": None},
            {"name": "alpha", "type": "histosys", "data": shift},
        ],
    }
    document = {
        "version": "1.0.0",
        "channels": [
            {
                "name": "c",
                "samples": [signal, {"name": "b", "data": [0.0], "modifiers": []}],
            }
        ],
        "observations": [{"name": "c", "data": [0.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    return compile_workspace(read_workspace(json.dumps(document).encode()))


def test_where_nothing_is_expected_asimov_data_are_empty() -> None:
    """The kernels' stand-in for a factor of zero is no count."""
    model = empty_bin()
    assert model.asimov(np.zeros(2)).counts.tolist() == [0.0]


def test_a_signal_that_may_vanish_has_no_asymptotic_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statistic stays below (5/3)^2 whatever the strength, so that CLs stays above 0.095.

    At alpha = -5/3 nothing is expected of the signal: the nuisance costs 25/9. The refusal comes
    without the fallback minimiser.
    """
    calls = []
    monkeypatch.setattr(ladder, "_minuit_point", lambda *a, **k: calls.append(a))
    model = empty_bin()
    with pytest.raises(LimitNotFoundError, match="no crossing"):
        upper_limit(model, model.observation)
    assert not calls
    far = fit(model, model.observation, poi_value=1e6)
    assert far.twice_nll == pytest.approx(25.0 / 9.0, abs=1e-3)


def test_retries_are_bounded_by_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing converges, steps and calls stay within the budget, however many lanes fail."""
    model = interference(-100.0).model()
    kernel = ladder.run_kernel
    spent = {"steps": 0, "calls": 0}

    def failing(*arguments, **options):  # type: ignore[no-untyped-def]  # as the kernel's
        lanes = kernel(*arguments, **options)
        spent["steps"] += int(lanes.report[:, 1].sum())
        lanes.edm[:] = 1.0
        return lanes

    def minuit(problem, data, auxdata, start, *, most_calls):  # type: ignore[no-untyped-def]
        spent["calls"] += most_calls
        return start, most_calls

    monkeypatch.setattr(ladder, "run_kernel", failing)
    monkeypatch.setattr(ladder, "_minuit_point", minuit)
    n = 300
    data, auxdata = model.stack([model.observation] * n)
    batch = fit_batch(model, data, auxdata, poi_values=0.5, options=FitOptions(max_steps=1))
    assert batch.n_failed == n
    assert spent["calls"] <= 1.0 / ladder._CALL_S
    assert spent["steps"] <= 12 * 10 * n


def test_without_fallback_only_newton_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe's fits: what the kernel cannot do is a failed toy."""
    model = interference(-100.0).model()
    data, auxdata = model.stack([model.observation])
    found = fit_batch(model, data, auxdata, poi_values=8.0)
    assert RUNGS[int(found.rung[0])] == "feasible start"
    monkeypatch.setattr(ladder, "_minuit_point", lambda *a, **k: pytest.fail("iminuit"))
    monkeypatch.setattr(ladder, "feasible_point", lambda *a, **k: pytest.fail("phase one"))
    batch = fit_batch(model, data, auxdata, poi_values=8.0, options=FitOptions(fallback=False))
    assert batch.status.tolist() == [FitStatus.NOT_FINITE]


def test_a_refusal_is_a_failed_fit() -> None:
    """Whoever catches failed fits catches impossible data, too."""
    assert issubclass(ImpossibleDataError, FitFailedError)
