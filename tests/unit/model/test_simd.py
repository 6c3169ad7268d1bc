"""Vectors of eight lanes: accuracy, and the same results without compilation."""

from __future__ import annotations

import math

import numpy as np

from darkstats.kernel import kernel_entry
from darkstats.kernel.exponential import exponential
from darkstats.kernel.simd import (
    LANES,
    absolute,
    fill,
    largest,
    load,
    logarithm,
    maximum,
    minimum,
    store,
    where_at_most,
    where_less,
)


@kernel_entry
def everything(x, out):
    a, b = load(x, 0), load(x, 1)
    store(out, 0, (a + b) * (a - b) / (absolute(b) + 1.0))
    store(out, 1, maximum(a, b) - minimum(a, b) * 2.0)
    store(out, 2, where_less(a, b, a, fill(7.0)))
    store(out, 3, where_at_most(a, a, 3.0 * b, a))
    store(out, 4, fill(largest(a)))
    store(out, 5, logarithm(absolute(a) + 0.5))


@kernel_entry
def logarithms(x, out):
    for i in range(x.shape[0]):
        store(out, i, logarithm(load(x, i)))


def test_compiled_and_plain_agree() -> None:
    """What runs compiled runs in plain Python too, with the same results to rounding."""
    x = np.random.default_rng(1).normal(size=(2, LANES))
    compiled, plain = np.zeros((6, LANES)), np.zeros((6, LANES))
    everything(x, compiled)
    getattr(everything, "py_func", everything)(x, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-14, atol=1e-15)


def test_logarithm_is_accurate() -> None:
    """Two units in the last place over the whole range, near one above all."""
    rng = np.random.default_rng(2)
    x = np.concatenate(
        [
            rng.uniform(0.5, 2.0, 4000),
            1.0 + 1e-4 * rng.normal(size=4000),
            10.0 ** rng.uniform(-300, 300, 4000),
        ]
    ).reshape(-1, LANES)
    out = np.empty_like(x)
    logarithms(x, out)
    exact = np.array([math.log(value) for value in x.ravel()]).reshape(x.shape)
    assert np.max(np.abs(out - exact) / np.abs(exact)) < 4.5e-16


@kernel_entry
def exponentials(x, out):
    for i in range(x.shape[0]):
        store(out, i, exponential(load(x, i)))


def test_exponential_is_accurate() -> None:
    """Two units in the last place over the whole range; zero below, finite above, NaN visible."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(-707.9, 709.0, 8000), rng.normal(size=8000)])
    x = x.reshape(-1, LANES)
    out = np.empty_like(x)
    exponentials(x, out)
    exact = np.array([math.exp(value) for value in x.ravel()]).reshape(x.shape)
    assert np.max(np.abs(out / exact - 1.0)) < 4.5e-16
    edge = np.array([[-np.inf, -800.0, 0.0, -0.0, 1.0, 800.0, np.inf, np.nan]])
    found = np.empty_like(edge)
    exponentials(edge, found)
    np.testing.assert_array_equal(found[0, :4], [0.0, 0.0, 1.0, 1.0])
    assert (found[0, 5:7] > 1e307).all()
    assert np.isnan(found[0, 7])
    plain = np.empty_like(edge)
    getattr(exponentials, "py_func", exponentials)(edge, plain)
    np.testing.assert_allclose(found[0, :5], plain[0, :5], rtol=1e-15)
