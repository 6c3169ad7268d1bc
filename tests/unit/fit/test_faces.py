"""Free fits that start where a signal strength changes nothing to first order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.fit import fit_batch
from darkstats.fit.faces import off_the_face
from darkstats.inference import ToyOptions, hypotest, significance
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.scan.window_roots import roots_of_counts
from darkstats.workspace import Workspace

BACKGROUND, SIGNAL = 3.0, 4.0


def straight(n: float) -> HistFactoryModel:
    """One bin with a signal of 4 mu."""
    factor = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": [SIGNAL], "modifiers": [factor]},
        {"name": "background", "data": [BACKGROUND], "modifiers": []},
    ]
    document = {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": [n]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    return compile_workspace(Workspace.from_document(document, "w"))


def bent(n: float) -> HistFactoryModel:
    """One bin whose signal is a symmetric variation: 2 events at either side of zero."""
    variation = {"name": "x", "type": "histosys", "data": {"hi_data": [6.0], "lo_data": [6.0]}}
    free = {"name": "k", "type": "normfactor", "data": None}
    sample = {"name": "all", "data": [BACKGROUND], "modifiers": [variation, free]}
    parameters = [
        {"name": "x", "bounds": [[0.0, 10.0]], "inits": [1.0]},
        {"name": "k", "inits": [1.0], "bounds": [[0.0, 5.0]], "fixed": True},
    ]
    document = {
        "channels": [{"name": "SR", "samples": [sample]}],
        "observations": [{"name": "SR", "data": [n]}],
        "measurements": [{"name": "m", "config": {"poi": "x", "parameters": parameters}}],
        "version": "1.0.0",
    }
    return compile_workspace(Workspace.from_document(document, "w"))


def test_free_fits_leave_a_stationary_face() -> None:
    """From zero each fit with an excess finds its minimum, and those with a deficit stay."""
    model = bent(7.0)
    counts = np.array([[0.0], [3.0], [5.0], [10.0], [20.0]])
    auxdata = np.zeros((len(counts), model.n_parameters))
    start = model.inits.copy()
    start[model.require_poi()] = 0.0
    found = fit_batch(model, counts, auxdata, start=start, poi_lower=0.0, poi_upper=math.inf)
    assert found.converged.all()
    at = found.parameters[:, model.require_poi()]
    assert at[0] == pytest.approx(0.0, abs=1e-4)
    assert (at[2:] > 0.3).all()
    grid = np.linspace(0.0, 10.0, 4001)
    for lane, n in enumerate(counts[:, 0]):
        points = np.tile(model.inits, (len(grid), 1))
        points[:, model.require_poi()] = grid
        rates = model.expected_rates(points)[:, 0]
        deviance = 2.0 * (rates - n + (n * np.log(n / rates) if n else 0.0)) + grid**2
        assert found.twice_nll[lane] <= deviance.min() + 1e-6


def test_spectrum_toys_have_the_roots_of_their_counts() -> None:
    """The roots of a scan's toys are those of single significances."""
    counts = np.array([[3.0], [5.0], [7.0], [12.0]])
    model = bent(7.0)
    auxdata = np.zeros((len(counts), model.n_parameters))
    start = model.inits.copy()
    start[model.require_poi()] = 0.0
    roots = roots_of_counts(model, counts, auxdata, start=start)
    for n, root in zip(counts[:, 0], roots, strict=True):
        other = bent(float(n))
        alone = significance(other, other.observation).observed
        assert alone is not None
        assert root == pytest.approx(alone, abs=1e-5)
    assert roots[2] > 1.0


def test_toys_of_a_bent_signal_have_its_p_value() -> None:
    """p0 of seven events is that of the closed construction: toys with data of their own."""
    model = bent(7.0)
    toys = ToyOptions(n_toys=2000, seed=4, threads=1)
    found = significance(model, model.observation, calculator="toys", toys=toys)
    assert found.p0 is not None
    assert found.p0.value is not None
    rng = np.random.default_rng(1)
    n, aux = rng.poisson(BACKGROUND, 20_000), rng.normal(0.0, 1.0, 20_000)
    grid = np.linspace(0.0, 6.0, 601)
    points = np.tile(model.inits, (len(grid), 1))
    points[:, model.require_poi()] = grid
    rates = model.expected_rates(points)[:, 0]

    def root(count: float, datum: float) -> float:
        value = 2.0 * (rates - count * np.log(rates)) + (grid - datum) ** 2
        return float(value[0] - value.min())

    observed = root(7.0, 0.0)
    expected = np.mean([root(*pair) >= observed - 1e-3 for pair in zip(n, aux, strict=True)])
    assert found.p0.value == pytest.approx(expected, abs=5.0 * found.p0.error + 0.002)
    tested = hypotest(model, model.observation, 0.0, test_stat="q0", calculator="toys", toys=toys)
    assert tested.toys is not None


def test_straight_signals_are_left_alone() -> None:
    """No second start, and so no other bit, where rates are straight in the signal strength."""
    model = straight(5.0)
    starts = np.tile(model.inits, (2, 1))
    starts[:, model.require_poi()] = 0.0
    asked = {"poi": model.require_poi(), "lower": 0.0, "upper": math.inf}
    assert off_the_face(model, starts, **asked) is None
    bent_model = bent(5.0)
    starts = np.tile(bent_model.inits, (2, 1))
    poi = bent_model.require_poi()
    starts[:, poi] = [0.0, 1.0]
    found = off_the_face(bent_model, starts, poi=poi, lower=0.0, upper=math.inf)
    assert found is not None
    at_face, moved = found
    assert at_face.tolist() == [True, False]
    assert moved[0, poi] > 0.0
    assert moved[1, poi] == 1.0
