"""Batched fits: closed forms, independence of lanes, and failures that are seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.errors import FitFailedError, OptionError
from darkstats.fit import FitOptions, FitStatus, fit_batch
from darkstats.kernel import products
from darkstats.model import HistFactoryModel, InterpolationCodes, compile_workspace
from darkstats.workspace import Workspace
from large_models import large_document
from small_models import compiled, counting, on_off, two_bins_one_empty
from strategies import random_workspace


def toys(model: HistFactoryModel, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.maximum(model.expected_rates(model.inits), 0.0), size=(n, model.n_bins))
    width = np.array([p.width if p.constraint == "gaussian" else 0.0 for p in model.parameters])
    auxdata = model.observation.auxdata + width * rng.normal(size=(n, model.n_parameters))
    return counts.astype(float), auxdata


def test_counting_experiment() -> None:
    """The best signal of n events on a known background is (n - b)/s, and the deviance is zero."""
    model = counting(n=7.0, signal=2.0, background=3.0)
    counts = np.array([[3.0], [7.0], [11.0], [40.0]])
    batch = fit_batch(model, counts, np.zeros((4, 1)), poi_upper=math.inf)
    assert batch.parameters[:, 0] == pytest.approx((counts[:, 0] - 3.0) / 2.0, abs=1e-6)
    assert np.abs(batch.twice_nll).max() < 1e-12


def test_lower_bound_is_kept() -> None:
    """A deficit stops at the bound, where the deviance is that of the background alone."""
    model = counting(n=1.0, signal=2.0, background=3.0)
    batch = fit_batch(model, [[1.0], [0.0]], np.zeros((2, 1)))
    assert batch.parameters[:, 0].tolist() == [0.0, 0.0]
    expected = [2.0 * (3.0 - 1.0 + math.log(1.0 / 3.0)), 6.0]
    assert batch.twice_nll == pytest.approx(expected, abs=1e-12)
    assert batch.converged.all()


@settings(deadline=None, max_examples=25)
@given(
    n_on=st.integers(0, 200),
    n_off=st.integers(1, 200),
    tau=st.floats(0.1, 10.0),
    mu=st.floats(0, 50),
)
def test_on_off_problem(n_on: int, n_off: int, tau: float, mu: float) -> None:
    """The profiled background of the on/off problem solves the quadratic of Li and Ma."""
    model = on_off(float(n_on), float(n_off), tau)
    batch = fit_batch(
        model, model.observation.counts[None], model.observation.auxdata[None], poi_values=mu
    )
    # Zeros of d/db [mu + b - n_on log(mu + b) + tau b - n_off log(tau b)].
    linear = n_on + n_off - (1.0 + tau) * mu
    root = math.sqrt(linear**2 + 4.0 * (1.0 + tau) * mu * n_off)
    exact = (linear + root) / (2.0 * (1.0 + tau))
    level = batch.parameters[0, model.parameter_index("level")]
    assert batch.converged.all()
    assert level == pytest.approx(exact, rel=1e-6, abs=1e-6)


def test_a_lane_depends_on_nothing_but_itself() -> None:
    """Alone, in any batch, and with any number of threads a lane has the same bits."""
    for seed in range(6):
        model = compiled(random_workspace(np.random.default_rng(seed)))
        counts, auxdata = toys(model, 37, seed)
        whole = fit_batch(model, counts, auxdata, options=FitOptions(threads=1))
        for threads in (2, 3, 8):
            again = fit_batch(model, counts, auxdata, options=FitOptions(threads=threads))
            assert np.array_equal(again.parameters, whole.parameters)
            assert np.array_equal(again.twice_nll, whole.twice_nll)
        order = np.random.default_rng(1).permutation(37)
        shuffled = fit_batch(model, counts[order], auxdata[order])
        assert np.array_equal(shuffled.parameters, whole.parameters[order])
        for lane in (0, 17, 36):
            alone = fit_batch(model, counts[lane : lane + 1], auxdata[lane : lane + 1])
            assert np.array_equal(alone.parameters[0], whole.parameters[lane])
            assert alone.twice_nll[0] == whole.twice_nll[lane]


@pytest.mark.parametrize(("n_bins", "n_nuisance"), [(10, 60), (3, 130), (70, 53)])
@pytest.mark.parametrize("gammas", [True, False])
def test_lanes_of_a_large_model_have_the_same_bits_alone(
    n_bins: int, n_nuisance: int, gammas: bool
) -> None:
    """One to three lanes are factorised one by one, more of them together: with equal results.

    The starts are far away and some parameters rest at narrow bounds: with steps that are damped,
    rows that are pinned, and a last block of rows and columns that is not full.
    """
    document = large_document(n_bins, n_nuisance)
    samples = document["channels"][0]["samples"]
    for sample in samples if not gammas else ():
        sample["modifiers"] = [m for m in sample["modifiers"] if m["type"] != "staterror"]
    narrow = [{"name": f"norm{k}", "bounds": [[-0.1, 0.1]]} for k in (1, 3, 33, 57)]
    document["measurements"][0]["config"]["parameters"] = narrow
    model = compiled(document)
    assert (model.layout.n_local > 0) == gammas
    assert model.layout.n_global > products.LARGE
    counts, auxdata = toys(model, 13, seed=3)
    rng = np.random.default_rng(5)
    start = np.clip(
        model.nominal + rng.normal(size=(13, model.n_parameters)),
        [p.lower for p in model.parameters],
        [p.upper for p in model.parameters],
    )
    start[:, model.poi_index] = rng.uniform(0.0, 40.0, 13)
    whole = fit_batch(model, counts, auxdata, start=start, options=FitOptions(threads=1))
    assert whole.converged.all()
    assert len(set(whole.steps)) > 1
    for lanes in ([0], [12], [4, 9], [1, 2, 3], [5, 6, 7, 8], [0, 4, 8, 12, 3, 7, 11, 2, 6]):
        some = fit_batch(model, counts[lanes], auxdata[lanes], start=start[lanes])
        assert np.array_equal(some.parameters, whole.parameters[lanes])
        assert np.array_equal(some.twice_nll, whole.twice_nll[lanes])
        assert np.array_equal(some.edm, whole.edm[lanes])
        assert np.array_equal(some.steps, whole.steps[lanes])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["counts", "auxdata"])
def test_a_bad_number_spoils_its_lane_alone(bad: float, where: str) -> None:
    """Not-a-number and infinity give NOT_FINITE in their lane, and leave the others as they are."""
    model = counting(n=5.0, signal=2.0, background=3.0, width=1.0)
    counts = np.full((20, 1), 5.0)
    auxdata = np.repeat(model.observation.auxdata[None], 20, axis=0)
    clean = fit_batch(model, counts, auxdata)
    (counts if where == "counts" else auxdata)[11, -1] = bad
    batch = fit_batch(model, counts, auxdata)
    assert batch.status[11] == FitStatus.NOT_FINITE
    others = np.arange(20) != 11
    assert batch.converged[others].all()
    assert np.array_equal(batch.parameters[others], clean.parameters[others])
    with pytest.raises(FitFailedError, match=r"1 of 20 fits failed.*lane 11"):
        batch.require_converged()


def test_impossible_data_fail() -> None:
    """Events in a bin where nothing is ever expected: the fit fails and says so."""
    model = two_bins_one_empty()
    batch = fit_batch(model, [[5.0, 0.0], [5.0, 2.0]], np.zeros((2, 1)))
    assert batch.status.tolist() == [FitStatus.CONVERGED, FitStatus.NOT_FINITE]


def test_too_few_steps_are_retried_and_counted() -> None:
    """With one step allowed the first start misses; the ladder delivers, and says so."""
    model = compiled(random_workspace(np.random.default_rng(3)))
    counts, auxdata = toys(model, 10)
    patient = fit_batch(model, counts, auxdata)
    hasty = fit_batch(model, counts, auxdata, options=FitOptions(max_steps=1))
    assert (patient.rung == 0).all()
    assert (hasty.rung > 0).any()
    assert hasty.twice_nll == pytest.approx(patient.twice_nll, abs=1e-7)


def kinked(high: float, low: float) -> HistFactoryModel:
    """One bin of ten events with a piecewise-linear shift to ``high`` or ``low``."""
    shape = {"name": "x", "type": "histosys", "data": {"hi_data": [high], "lo_data": [low]}}
    mu = {"name": "mu", "type": "normfactor", "data": None}
    document = {
        "version": "1.0.0",
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": "b", "data": [10.0], "modifiers": [shape]},
                    {"name": "s", "data": [1.0], "modifiers": [mu]},
                ],
            }
        ],
        "observations": [{"name": "c", "data": [3.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    codes = InterpolationCodes(histosys="code0")
    return compile_workspace(Workspace.from_document(document), interpolation=codes)


@pytest.mark.parametrize("start", [-0.7, 0.0, 0.7])
def test_minimum_at_a_kink(start: float) -> None:
    """With piecewise-linear interpolation the minimum may lie where the derivative jumps."""
    batch = fit_batch(kinked(14.0, 12.0), [[3.0]], [[0.0, 0.0]], start=[start, 1.0])
    assert batch.converged.all()
    assert batch.parameters[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("start", [-0.7, 0.0, 0.7])
def test_minimum_beyond_a_kink(start: float) -> None:
    """A start on the wrong side of the kink does not keep the fit there: x solves its side's slope.

    On the lower side the rate is 10 + 5x, so f' = 5 (1 - 3/(10 + 5x)) + x = 0.
    """
    batch = fit_batch(kinked(12.0, 5.0), [[3.0]], [[0.0, 0.0]], start=[start, 0.0], poi_values=0.0)
    x = float(batch.parameters[0, 0])
    assert batch.converged.all()
    assert -2.0 < x < -1.0
    assert 5.0 * (1.0 - 3.0 / (10.0 + 5.0 * x)) + x == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"poi_lower": 2.0, "poi_upper": 1.0}, "empty range"),
        ({"poi_values": math.nan}, "not a finite number"),
        ({"fixed": {"mu": math.inf}}, "not a finite number"),
        ({"fixed": {"nu": 1.0}}, "unknown parameter 'nu'; choose one of: mu"),
    ],
)
def test_bad_requests_are_refused(settings_: dict, message: str) -> None:
    """Empty ranges, values that are no numbers and unknown names name themselves."""
    model = counting(n=5.0, signal=2.0, background=3.0)
    with pytest.raises(Exception, match=message) as caught:
        fit_batch(model, [[5.0]], [[0.0]], **settings_)
    assert issubclass(caught.type, Exception)
    with pytest.raises(OptionError, match="need counts"):
        fit_batch(model, [[5.0, 1.0]], [[0.0]])


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_minimum_is_one(seed: int) -> None:
    """On generated workspaces every toy converges, and no step along an axis goes lower."""
    from darkstats.arrays import frozen_floats
    from darkstats.model.evaluate import dense_derivatives

    model = compiled(random_workspace(np.random.default_rng(seed)))
    counts, auxdata = toys(model, 4, seed)
    batch = fit_batch(model, counts, auxdata)
    assert batch.converged.all()
    for lane in range(4):
        for p in np.flatnonzero(~model.fixed):
            for step in (-1e-3, 1e-3):
                point = batch.parameters[lane].copy()
                point[p] = np.clip(point[p] + step, model.lower[p], model.upper[p])
                value, _, _ = dense_derivatives(
                    model.layout,
                    model.numbers,
                    frozen_floats(counts[lane]),
                    frozen_floats(auxdata[lane]),
                    frozen_floats(point),
                )
                assert 2.0 * value >= batch.twice_nll[lane] - 1e-8


def test_damping_shortens_the_first_step() -> None:
    """A damped start moves less in its first step, and ends at the same minimum."""
    from darkstats.arrays import frozen_floats
    from darkstats.fit.lanes import Problem
    from darkstats.fit.passes import run_kernel

    model = counting(n=30.0, signal=2.0, background=3.0, width=1.0)
    problem = Problem.of(model, fix_poi=False, fixed={}, poi_lower=None, poi_upper=100.0)
    data = frozen_floats([[30.0]]), frozen_floats(model.observation.auxdata[None])
    moved = []
    for damping in (0.0, 1e4):
        hasty = run_kernel(
            problem, *data, problem.values[None], FitOptions(max_steps=1), damping=damping
        )
        patient = run_kernel(problem, *data, problem.values[None], FitOptions(), damping=damping)
        moved.append(float(np.linalg.norm(hasty.parameters[0] - problem.values)))
        assert patient.parameters[0] == pytest.approx([13.5, 1.0], abs=1e-5)
    assert 0.0 < moved[1] < 0.5 * moved[0]


@pytest.mark.parametrize("n", [1e4, 1e8, 1e12])
@pytest.mark.parametrize("width", [None, 0.01])
def test_many_events(n: float, width: float | None) -> None:
    """Nothing cancels: with 10^12 events the best signal and a deviance of zero are still exact."""
    excess = 3.0 * math.sqrt(n)
    model = counting(n + excess, 0.01 * n, n, None if width is None else width * n)
    batch = fit_batch(model, model.observation.counts[None], model.observation.auxdata[None])
    assert batch.rung.tolist() == [0]
    assert batch.parameters[0, model.require_poi()] == pytest.approx(excess / (0.01 * n), rel=1e-9)
    assert abs(batch.twice_nll[0]) < 1e-12


def test_equal_retries_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts that all fail are tried again from one start: one lane does for all of them."""
    from darkstats.fit import ladder

    seen: list[int] = []
    original = ladder.run_kernel

    def noted(*args: Any, **kwargs: Any) -> Any:
        seen.append(len(args[3]))
        return original(*args, **kwargs)

    monkeypatch.setattr(ladder, "run_kernel", noted)
    model = on_off(12.0, 30.0, 2.0)
    data, auxdata = model.stack([model.observation] * 6)
    starts = model.inits * np.linspace(0.5, 3.0, 6)[:, None]
    alone = fit_batch(model, data, auxdata, start=starts)
    failing = FitOptions(max_steps=1, edm_tolerance=1e-14)
    batch = fit_batch(model, data, auxdata, start=starts, options=failing)
    assert seen[:1] == [1]
    np.testing.assert_allclose(batch.parameters, alone.parameters, rtol=1e-6)
