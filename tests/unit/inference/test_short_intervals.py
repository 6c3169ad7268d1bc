"""Feldman-Cousins intervals of data far below the background, against an exact construction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import poisson

from darkstats.inference import ToyOptions
from darkstats.inference.feldman_cousins import feldman_cousins
from small_models import counting, on_off

Floats = NDArray[np.float64]


def exact_upper_end(n: int, background: float, cl: float) -> float:
    """Last signal, on a grid of 0.002 events, at which the p-value of n exceeds 1 - cl."""
    outcomes = np.arange(int(background + 12.0 * math.sqrt(background + 1.0)) + 40)
    last = 0.0
    for signal in np.arange(0.0, 2.0 * n + 8.0, 0.002):
        ratio = poisson.logpmf(outcomes, signal + background) - poisson.logpmf(
            outcomes, np.maximum(outcomes, background)
        )
        mass = poisson.pmf(outcomes, signal + background)
        if mass[ratio <= ratio[n] + 1e-9].sum() > 1.0 - cl:
            last = float(signal)
    return last


@pytest.mark.parametrize(
    ("n", "background", "cl"),
    [(0, 3.0, 0.9), (0, 3.0, 0.68), (0, 15.0, 0.9), (0, 5.0, 0.95), (1, 8.0, 0.9), (3, 15.0, 0.95)],
)
def test_short_intervals_end_where_the_exact_construction_ends(
    n: int, background: float, cl: float
) -> None:
    """Far fewer events than background: the asymptotic end, where the search starts, is too far."""
    model = counting(n, 1.0, background)
    found = feldman_cousins(model, model.observation, cl=cl, toys=ToyOptions(n_toys=5000))
    assert found.lower == 0.0
    assert found.upper == pytest.approx(
        exact_upper_end(n, background, cl), abs=0.01 + 3.0 * found.upper_error
    )
    assert found.upper_error < 0.1 * found.upper


def _deviance(n: Floats, m: Floats, signal: Floats, level: Floats, tau: float) -> Floats:
    def half(count: Floats, mean: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return mean - count + np.where(count > 0.0, count * np.log(count / mean), 0.0)

    return 2.0 * (half(n, signal + level) + half(m, tau * level))


def _profiled(n: Floats, m: Floats, signal: Floats, tau: float) -> Floats:
    """Best background level of an on-off measurement with the signal held: a quadratic."""
    b = (1.0 + tau) * signal - n - m
    root = np.sqrt(b**2 + 4.0 * (1.0 + tau) * m * signal)
    return np.maximum((-b + root) / (2.0 * (1.0 + tau)), 1e-12)


def exact_profiled_end(n_on: int, n_off: int, tau: float, cl: float) -> float:
    """The same construction with a background that a control region measures, by enumeration."""
    n, m = (axis.astype(float) for axis in np.meshgrid(np.arange(40), np.arange(60), indexing="ij"))
    zero = np.zeros_like(n)
    # the best fit has the excess over the control region for its signal, or none
    best = np.maximum(n - m / tau, 0.0)
    free = _deviance(n, m, best, np.where(best > 0.0, m / tau, _profiled(n, m, zero, tau)), tau)
    last = 0.0
    for signal in np.arange(0.002, 4.0, 0.002):
        held = zero + signal
        t = _deviance(n, m, held, _profiled(n, m, held, tau), tau) - free
        level = float(_profiled(n, m, held, tau)[n_on, n_off])
        mass = poisson.pmf(n, signal + level) * poisson.pmf(m, tau * level)
        if mass[t >= t[n_on, n_off] - 1e-6].sum() > 1.0 - cl:
            last = float(signal)
    return last


@pytest.mark.parametrize(("n_on", "n_off", "cl"), [(0, 9, 0.9), (1, 15, 0.9)])
def test_short_intervals_with_a_measured_background(n_on: int, n_off: int, cl: float) -> None:
    """Nuisance parameter profiled: toys thrown at its conditional best fit, both regions."""
    model = on_off(n_on, n_off, 3.0)
    found = feldman_cousins(model, model.observation, cl=cl, toys=ToyOptions(n_toys=5000))
    assert found.lower == 0.0
    assert found.upper == pytest.approx(
        exact_profiled_end(n_on, n_off, 3.0, cl), abs=0.02 + 3.0 * found.upper_error
    )
