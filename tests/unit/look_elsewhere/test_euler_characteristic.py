"""Vitells-Gross: a smooth normal field on a rectangle, whose coefficients are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from darkstats.errors import OptionError
from darkstats.gaussian import survival
from darkstats.look_elsewhere import (
    ExcursionTally,
    ScanField,
    by_euler_characteristic,
    fit_levels,
    grid,
    line,
    rows,
)
from gaussian_scans import smooth_planes

X, Y = np.arange(0.0, 8.01, 0.2), np.arange(0.0, 5.01, 0.2)
#: Adler and Taylor: half the boundary over 2 pi, area over (2 pi)^(3/2), in correlation lengths.
N1, N2 = 13.0 / (2.0 * math.pi), 40.0 / (2.0 * math.pi) ** 1.5


@pytest.fixture(scope="module")
def planes() -> np.ndarray:
    return smooth_planes(6000, X, Y, 1.0, seed=11)


def on_rows(roots: np.ndarray) -> ScanField:
    """Every other row keeps every other point, and both its ends: the boundary stays straight."""
    last = len(Y) - 1
    keep = [np.append(np.arange(0, last, 1 + i % 2), last) for i in range(len(X))]
    x = np.repeat(X, [len(k) for k in keep])
    y = np.concatenate([Y[k] for k in keep])
    return ScanField.of(rows(x, y), np.concatenate([roots[:, i, k] for i, k in enumerate(keep)], 1))


def on_grid(roots: np.ndarray) -> ScanField:
    return ScanField.of(grid(X, Y), roots.reshape(len(roots), -1))


@pytest.mark.parametrize("place", [on_grid, on_rows])
def test_expected_characteristic_of_a_normal_field(planes: np.ndarray, place) -> None:
    """Mean characteristic above levels 0 to 1.5: 5 standard errors plus 4 % for the finite step.

    The step is 0.2 correlation lengths (0.4 along every other row), so small pieces and holes
    between the points are missed.
    """
    tally = ExcursionTally.of(place(planes))
    assert tally.euler == 1
    for k, z in enumerate(tally.levels):
        exact = survival(z) + math.exp(-0.5 * z * z) * (N1 + z * N2)
        assert abs(tally.means[k] - exact) < 5.0 * tally.covariance[k, k] ** 0.5 + 0.04 * exact
    law = fit_levels(tally)
    errors = np.sqrt(np.diag(law.covariance))
    assert abs(law.coefficients[0] - N1) < 5.0 * errors[0] + 0.03 * N1
    assert abs(law.coefficients[1] - N2) < 5.0 * errors[1] + 0.05 * N2


@pytest.mark.parametrize("place", [on_grid, on_rows])
def test_global_p_value_of_a_normal_field(planes: np.ndarray, place) -> None:
    """At 4 sigma, from 6000 toys: the closed form to 5 %, valid, with the right reference."""
    found = by_euler_characteristic(ExcursionTally.of(place(planes)), 4.0)
    exact = survival(4.0) + math.exp(-8.0) * (N1 + 4.0 * N2)
    assert found.p_global.value == pytest.approx(exact, rel=0.05)
    assert found.valid, found.reasons
    assert found.references == ("arXiv:1105.4355",)
    assert found.p_global.error < 0.02 * exact


def test_two_levels_determine_the_coefficients(planes: np.ndarray) -> None:
    """As in the paper: two levels, two coefficients, no degree of freedom left."""
    law = fit_levels(ExcursionTally.of(on_grid(planes), (0.0, 1.0)))
    assert law.degrees_of_freedom == 0
    assert law.chi2 is None
    for z, mean in zip(law.levels, law.means, strict=True):
        assert law.mean_at(z) == pytest.approx(mean)
    assert law.coefficients[1] == pytest.approx(N2, rel=0.05)


def test_a_coarse_plane_is_seen(planes: np.ndarray) -> None:
    """Every fourth point: steps of 0.8 correlation lengths."""
    block = ScanField.of(grid(X[::4], Y[::4]), planes[:, ::4, ::4].reshape(len(planes), -1))
    found = by_euler_characteristic(ExcursionTally.of(block), 4.0)
    assert any("too coarse" in reason for reason in found.reasons)


def test_few_toys_leave_a_large_error(planes: np.ndarray) -> None:
    """Three toys do not fix two coefficients to 20 %; one scan does not at all."""
    found = by_euler_characteristic(ExcursionTally.of(on_grid(planes[:3])), 4.0)
    assert any("more toys" in reason for reason in found.reasons)
    alone = by_euler_characteristic(ExcursionTally.of(on_grid(planes[:1])), 4.0)
    assert any("one scan alone" in reason for reason in alone.reasons)


def test_wrong_geometries_are_refused(planes: np.ndarray) -> None:
    """A line has up-crossings, one level is not enough."""
    with pytest.raises(OptionError, match="up-crossings"):
        by_euler_characteristic(ExcursionTally.of(ScanField.of(line([0, 1]), [[0, 1]])), 3.0)
    with pytest.raises(OptionError, match="two levels"):
        by_euler_characteristic(ExcursionTally.of(on_grid(planes[:5]), (1.0,)), 3.0)


def test_levels_that_see_the_same_toys_are_one_level():
    """Discrete roots jump over levels: what two levels count alike determines no law of two."""
    plane = rows(np.repeat([0.0, 1.0, 2.0], 3), np.tile([0.0, 1.0, 2.0], 3))
    heights = np.where(np.arange(40) % 4 == 0, 3.0, 0.0)
    roots = np.outer(heights, [1.0, 0, 0, 0, 0, 0, 0, 0, 1.0])
    tally = ExcursionTally.of(ScanField.of(plane, roots), (0.5, 1.0, 1.5, 2.0))
    assert fit_levels(tally) is None
    result = by_euler_characteristic(tally, 2.5)
    assert not result.valid
    assert result.p_global is None
    # one level that differs is enough for two coefficients
    roots[1, 4] = 1.2
    law = fit_levels(ExcursionTally.of(ScanField.of(plane, roots), (0.5, 1.0, 1.5, 2.0)))
    assert law is not None
    assert law.used == (True, False, False, True)
