"""The analytic gradient and the exact Hessian against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.arrays import FloatArray, frozen_floats
from darkstats.model import HistFactoryModel
from darkstats.model.evaluate import dense_derivatives
from small_models import compiled
from strategies import random_workspace


def derivatives(model: HistFactoryModel, point: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    data = model.observation
    return dense_derivatives(
        model.layout, model.numbers, data.counts, data.auxdata, frozen_floats(point)
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_gradient_and_hessian(seed: int) -> None:
    """Both equal central differences, for every modifier type and their combinations."""
    rng = np.random.default_rng(seed)
    model = compiled(random_workspace(rng))
    spread = np.array([0.5 if p.init == 0.0 else 0.05 for p in model.parameters])
    point = np.clip(model.inits + rng.normal(size=model.n_parameters) * spread, -0.99, None)
    point = np.where(np.abs(point) > 0.98, np.where(spread > 0.1, 0.5 * point, point), point)
    if not (model.expected_rates(point) > 0.1).all():
        return
    _, gradient, hessian = derivatives(model, point)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    for p in range(model.n_parameters):
        step = 1e-5 * max(1.0, abs(point[p]))
        up, down = point.copy(), point.copy()
        up[p] += step
        down[p] -= step
        value_up, gradient_up, _ = derivatives(model, up)
        value_down, gradient_down, _ = derivatives(model, down)
        # Second-order differences: truncation ~ step^2, rounding ~ 1e-16 / step, times the scale.
        scale = 1.0 + float(np.abs(hessian).max())
        slope = (value_up - value_down) / (2.0 * step)
        assert slope == pytest.approx(gradient[p], abs=1e-7 * scale)
        curvature = (gradient_up - gradient_down) / (2.0 * step)
        assert curvature == pytest.approx(hessian[p], abs=1e-6 * scale)


def test_deviance_vanishes_on_asimov_data() -> None:
    """Half the deviance relative to the saturated model is zero where the model meets the data."""
    for seed in range(20):
        model = compiled(random_workspace(np.random.default_rng(seed)))
        data = model.asimov(model.inits)
        value, gradient, _ = dense_derivatives(
            model.layout, model.numbers, data.counts, data.auxdata, frozen_floats(model.inits)
        )
        assert abs(value) < 1e-10
        assert np.abs(gradient).max() < 1e-9


def test_deviance_differences_are_likelihood_ratios() -> None:
    """Twice its difference between two points is the difference of -2 log density."""
    rng = np.random.default_rng(5)
    model = compiled(random_workspace(rng))
    one, two = model.inits, np.clip(model.inits + 0.05, model.lower, model.upper)
    ratio = 2.0 * (derivatives(model, one)[0] - derivatives(model, two)[0])
    densities = [model.log_density(point, model.observation) for point in (one, two)]
    assert ratio == pytest.approx(-2.0 * (densities[0] - densities[1]), abs=1e-9)
