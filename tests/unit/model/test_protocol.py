"""What every model answers, binned or not: the same questions, held to the same rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from combined_models import usual
from darkstats.model import Model
from darkstats.model.base import observed_lanes
from small_models import compiled as compiled_workspace
from small_models import counting, on_off, two_bins_one_empty
from unbinned_models import DOCUMENTS, bump, compiled

MODELS: dict[str, Any] = {
    "on-off": lambda: on_off(9.0, 4.0, 2.0),
    "two bins": two_bins_one_empty,
    "events and bins": usual,
    **{
        f"events, {name}": (lambda d=document: compiled(d()))
        for name, document in DOCUMENTS.items()
    },
}
EVERY = pytest.mark.parametrize("name", MODELS)


def points_of(model: Model, n: int) -> np.ndarray:
    """Points inside the ranges, each of them another one. Shape [point, par]."""
    rng = np.random.default_rng(7)
    step = 0.05 * rng.uniform(-1.0, 1.0, (n, model.n_parameters))
    wide = np.maximum(np.abs(model.inits), 0.1)
    return np.clip(model.inits + step * wide, model.lower + 1e-6, model.upper - 1e-6)


@EVERY
def test_values_at_points_are_those_of_single_lanes(name: str) -> None:
    """Many points at once give value, gradient and Hessian of one lane, to rounding."""
    model = MODELS[name]()
    points = points_of(model, 5)
    data = model.asimov_lanes(points[:2])
    row = np.array([0, 1, 1, 0, 1])
    found = model.values_at(points, data, model.observation.auxdata, row=row, derivatives=2)
    for k, point in enumerate(points):
        lane = data[row[k] : row[k] + 1]
        value, gradient, hessian = model.derivatives(point, lane, model.observation.auxdata)
        assert found.value[k] == pytest.approx(value, rel=1e-11, abs=1e-10)
        np.testing.assert_allclose(found.gradient[k], gradient, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(found.hessian[k], hessian, rtol=1e-8, atol=1e-7)
    plain = model.values_at(points, data, model.observation.auxdata, row=row)
    np.testing.assert_array_equal(plain.value, found.value)
    assert plain.gradient is None
    assert plain.hessian is None


@EVERY
def test_asimov_lanes_are_those_of_single_points(name: str) -> None:
    model = MODELS[name]()
    points = points_of(model, 3)
    lanes = model.asimov_lanes(points)
    single, _ = model.stack([model.asimov(point) for point in points])
    aux = model.observation.auxdata
    at = {"row": np.arange(3), "derivatives": 1}
    one, other = (model.values_at(points, data, aux, **at) for data in (lanes, single))
    np.testing.assert_array_equal(one.value, other.value)
    np.testing.assert_array_equal(one.gradient, other.gradient)


@EVERY
def test_joined_lanes_keep_their_order(name: str) -> None:
    """Pieces put together are read as the pieces were."""
    model = MODELS[name]()
    points = points_of(model, 4)
    parts = [model.asimov_lanes(points[:3]), model.asimov_lanes(points[3:])]
    joined, aux = model.joined(parts), model.observation.auxdata
    assert len(joined) == 4
    together = model.values_at(points, joined, aux, row=np.arange(4)).value
    apart = [
        *model.values_at(points[:3], parts[0], aux, row=np.arange(3)).value,
        *model.values_at(points[3:], parts[1], aux).value,
    ]
    np.testing.assert_array_equal(together, apart)


@EVERY
def test_a_toy_at_each_point_follows_its_point(name: str) -> None:
    """Numbers of events scatter about what is expected at each point; one seed, the same toys."""
    model, n = MODELS[name](), 60
    near, poi = points_of(model, 1)[0], model.require_poi()
    far = near.copy()
    far[poi] = min(4.0 * near[poi] + 4.0, model.upper[poi] - 1e-6)
    points = np.repeat([near, far], n, axis=0)
    toys, again = (model.throw_each(points, np.random.default_rng(3)) for _ in range(2))
    every = range(2 * n)
    seen = [model.rates_at_data(points[:1], toys[k : k + 1]).weights.sum() for k in every]
    totals = model.expected_rates(np.array([near, far]))[:, ~model.masked_bins].sum(axis=1)
    error = 5.0 * np.sqrt(n * totals)
    assert (np.abs([sum(seen[:n]), sum(seen[n:])] - n * totals) < error).all()
    assert n * (totals[1] - totals[0]) > 2.0 * error.max()  # toys of the other point are seen
    at = {"auxdata": model.observation.auxdata, "row": np.arange(2 * n)}
    one, other = (model.values_at(points, data, **at).value for data in (toys, again))
    np.testing.assert_array_equal(one, other)


@EVERY
def test_bins_and_their_cost_are_known_together(name: str) -> None:
    """A model of bins tells what the compiled minimiser reads; any other brings an evaluator."""
    model = MODELS[name]()
    data = observed_lanes(model.with_observation(model.asimov(model.inits)))
    evaluator = model.lane_evaluator(data, model.observation.auxdata[None, :], threads=1)
    binned = model.in_bins
    assert (binned is None) == (evaluator is not None) == (model.products_per_step is None)
    assert model.terms_of(data) >= (model.n_bins if binned is not None else 1)
    if binned is not None:
        by_sample = binned.expected_by_sample(model.inits).sum(axis=0)
        np.testing.assert_allclose(by_sample, model.expected_rates(model.inits), rtol=1e-12)
        assert sum(c.stop - c.start for c in binned.channels) == model.n_bins


def test_counts_thrown_at_one_point_are_those_of_throw() -> None:
    """Without auxiliary data the two ways to throw counts use the same numbers."""
    model = on_off(9.0, 4.0, 2.0)
    points = np.repeat(model.inits[None, :], 300, axis=0)
    each = model.throw_each(points, np.random.default_rng(5))
    together, _ = model.throw(model.inits, np.random.default_rng(5), 300)
    np.testing.assert_array_equal(each, together)


def test_uses_of_a_counting_experiment() -> None:
    """Closed form: the efficiency multiplies the signal alone, the background factor does not."""
    document = {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {
                        "name": "signal",
                        "data": [4.0],
                        "modifiers": [
                            {"name": "mu", "type": "normfactor", "data": None},
                            {"name": "eff", "type": "normsys", "data": {"hi": 1.2, "lo": 0.9}},
                            {"name": "both", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
                            {"name": "k", "type": "normfactor", "data": None},
                        ],
                    },
                    {
                        "name": "background",
                        "data": [6.0],
                        "modifiers": [
                            {"name": "both", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
                            {"name": "norm", "type": "normsys", "data": {"hi": 1.3, "lo": 0.8}},
                        ],
                    },
                ],
            }
        ],
        "observations": [{"name": "SR", "data": [7.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    model = compiled_workspace(document)
    use = dict(zip(model.parameter_names, model.uses(), strict=True))
    assert {name for name, one in use.items() if one.on_signal} == {"mu", "eff", "both", "k"}
    assert {name for name, one in use.items() if one.linear} == {"mu", "k"}
    assert not any(one.in_expression for one in use.values())
    coefficients, code = use["eff"].signal_factor
    assert np.exp(coefficients[:2]) == pytest.approx([1.2, 0.9])
    assert code == 4
    assert use["norm"].signal_factor is None
    scales = {n for n in model.parameter_names if model.scales_signal(model.parameter_index(n))}
    assert scales == {"mu", "eff", "k"}


def test_uses_of_events_stand_in_expressions() -> None:
    """The strength scales the signal; a parameter of the background's shape does not touch it."""
    model = compiled(bump())
    use = dict(zip(model.parameter_names, model.uses(), strict=True))
    assert all(one.in_expression and one.signal_factor is None for one in use.values())
    assert use[model.poi_name].on_signal
    assert model.scales_signal(model.require_poi())
    beside = [name for name, one in use.items() if not one.on_signal]
    assert beside
    assert not any(model.scales_signal(model.parameter_index(name)) for name in beside)


def test_counting_has_no_other_parameter() -> None:
    model = counting(5.0, 2.0, 3.0)
    assert [one.on_signal for one in model.uses()] == [True]
