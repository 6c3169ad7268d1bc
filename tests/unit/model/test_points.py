"""Many points at once: what the single-point evaluation gives, for any lane, thread and model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.model.evaluate import dense_derivatives
from darkstats.model.points import deviance_at
from small_models import compiled, on_off
from strategies import random_workspace


@pytest.mark.parametrize("seed", range(8))
def test_points_agree_with_one_point_at_a_time(seed: int) -> None:
    """Value, gradient and Hessian of random workspaces; rows of counts are told apart."""
    model = compiled(random_workspace(np.random.default_rng(seed)))
    rng = np.random.default_rng(seed)
    points = np.abs(model.inits + 0.3 * rng.normal(size=(19, model.n_parameters)))
    counts = np.array([model.observation.counts, model.observation.counts + 1.0])
    row = rng.integers(0, 2, 19)
    aux = model.observation.auxdata
    full = deviance_at(model, points, counts, aux, row=row, derivatives=2)
    moved = np.array([aux, aux + 0.25])  # auxiliary data of each row
    beside = deviance_at(model, points, counts, moved, row=row, derivatives=1)
    slope = deviance_at(model, points, counts, aux, row=row, derivatives=1)
    plain = deviance_at(model, points, counts, aux, row=row)
    assert plain.gradient is None
    assert slope.hessian is None
    np.testing.assert_array_equal(full.value, plain.value)
    for i in range(len(points)):
        value, gradient, hessian = dense_derivatives(
            model.layout, model.likelihood_numbers(), counts[row[i]], aux, points[i]
        )
        assert full.value[i] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(full.gradient[i], gradient, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(slope.gradient[i], gradient, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(full.hessian[i], hessian, rtol=1e-12, atol=1e-12)
        value, gradient, _ = dense_derivatives(
            model.layout, model.likelihood_numbers(), counts[row[i]], moved[row[i]], points[i]
        )
        assert beside.value[i] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(beside.gradient[i], gradient, rtol=1e-9, atol=1e-9)


def test_threads_change_no_bit() -> None:
    """The same bits for one and three threads, and for a point alone."""
    model = on_off(5.0, 9.0, 2.0)
    points = np.abs(np.random.default_rng(1).normal(2.0, 1.0, (2000, 2)))
    aux, counts = model.observation.auxdata, model.observation.counts
    one = deviance_at(model, points, counts, aux, derivatives=1, threads=1)
    three = deviance_at(model, points, counts, aux, derivatives=1, threads=3)
    alone = deviance_at(model, points[1234:1235], counts, aux, derivatives=1)
    np.testing.assert_array_equal(one.value, three.value)
    np.testing.assert_array_equal(one.gradient, three.gradient)
    assert alone.value[0] == one.value[1234]


def test_shapes_that_do_not_fit_are_refused() -> None:
    """Wrong numbers of parameters, bins or rows."""
    model = on_off(5.0, 9.0, 2.0)
    counts, aux = model.observation.counts, model.observation.auxdata
    for points, data, rows in (
        (np.ones((3, 3)), counts, None),
        (np.ones((3, 2)), np.ones(5), None),
        (np.ones((3, 2)), counts, np.array([0, 0, 1])),
    ):
        with pytest.raises(OptionError, match="need points"):
            deviance_at(model, points, data, aux, row=rows)


PLAIN = """
import numpy as np
from darkstats.model.points import deviance_at
from small_models import counting
model = counting(5.0, 1.0, 3.0, 1.0)
at = deviance_at(model, np.array([[0.5, 1.1], [2.0, 0.7]]), np.array([5.0]),
                 model.observation.auxdata, derivatives=2)
slope = deviance_at(model, np.array([[0.5, 1.1]]), np.array([5.0]), model.observation.auxdata,
                    derivatives=1)
print(*at.value, *at.gradient.ravel(), *at.hessian.ravel(), *slope.gradient.ravel())
"""


def test_points_run_as_plain_python() -> None:
    """Without compilation the same numbers."""
    tests = str(Path(__file__).parents[2])
    printed = []
    for flag in ("0", "1"):
        path = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", PLAIN],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": flag, "PYTHONPATH": path},
        )
        printed.append([float(word) for word in done.stdout.split()])
    np.testing.assert_allclose(printed[0], printed[1], rtol=1e-11, atol=1e-11)
