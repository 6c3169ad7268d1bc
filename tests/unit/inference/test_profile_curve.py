"""The profile curve: what it does when a minimum turns out not to be the lowest."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from darkstats.errors import FitFailedError
from darkstats.inference import TEST_STATISTICS
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.probe import lowest_relevant_count
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.workspace import read_workspace
from small_models import counting, spectrum
from soak.double_wells import document, lowest


def curve_of(model: HistFactoryModel) -> ProfileCurve:
    return ProfileCurve(model, model.observation, TEST_STATISTICS["qtilde"])


def test_a_free_fit_above_a_conditional_one_is_replaced() -> None:
    """A free fit that is not the lowest is found out by the curve, and fitted again from there."""
    model = counting(7, 1.0, 3.0, 0.6)
    curve = curve_of(model)
    right = curve.free
    curve.free = replace(right, twice_nll=right.twice_nll + 0.5)
    curve.evaluate([right.poi])
    assert curve._restore_free()
    assert curve.free.twice_nll == pytest.approx(right.twice_nll, abs=1e-9)
    assert not curve._restore_free()


def test_a_conditional_fit_that_no_free_fit_reaches_is_an_error() -> None:
    """A contradiction is never resolved in silence."""
    curve = curve_of(counting(7, 1.0, 3.0, 0.6))
    curve._data.begin(4.0, curve.free.twice_nll - 0.5, curve.free.parameters)
    with pytest.raises(FitFailedError, match="lies above the fit"):
        curve._restore_free()


def test_another_minimum_is_tried_at_every_known_signal_strength() -> None:
    """Two minima: told of the other one at mu = 1, the curve has the lower at mu = 1 and 1.2."""
    rng, lowered = np.random.default_rng(11), 0
    for _ in range(30):
        model = compile_workspace(read_workspace(json.dumps(document(rng)).encode()))
        curve = curve_of(model)
        curve.evaluate([1.0, 1.2])
        value, parameters, _ = lowest(model, model.observation, poi_values=1.0)
        beyond, _, _ = lowest(model, model.observation, poi_values=1.2)
        if curve._data.value(1.0) > value + 1e-3 and curve._data.value(1.2) > beyond + 1e-3:
            curve._add_branch(curve._data, parameters)
            assert curve._data.value(1.0) == pytest.approx(value, abs=1e-6)
            assert curve._data.value(1.2) == pytest.approx(beyond, abs=1e-6)
            lowered += 1
    assert lowered > 0


def test_the_probe_looks_at_the_emptiest_bin_that_counts() -> None:
    """Backgrounds of 3 and 50 events under the same signal: 3 is what decides on toys."""
    model = spectrum([3, 50], [3.0, 50.0], 0.05)
    assert lowest_relevant_count(curve_of(model), 10.0) == pytest.approx(3.0, rel=0.05)
    curve = curve_of(spectrum([3, 50], [0.001, 50.0], 0.05))
    assert lowest_relevant_count(curve, 10.0) < 0.01
