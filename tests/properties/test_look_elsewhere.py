"""What holds for every scan: global p-values exceed local ones, blocks add up, points cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkstats.look_elsewhere import (
    ExcursionTally,
    GaussianField,
    MaximaTally,
    ScanField,
    by_covariance,
    by_euler_characteristic,
    by_toys,
    by_up_crossings,
    grid,
    line,
)
from gaussian_scans import smooth_factor

SEEDS = st.integers(0, 2**32 - 1)


def normal_scans(seed: int, n_toys: int, n_points: int, length: float) -> np.ndarray:
    factor = smooth_factor(np.arange(float(n_points)), length)
    return np.random.default_rng(seed).standard_normal((n_toys, len(factor))) @ factor


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, cuts=st.lists(st.integers(1, 119), max_size=4), order=st.randoms())
def test_blocks_add_up_in_any_order(seed: int, cuts: list[int], order) -> None:
    """Any cut into blocks, in any order: the same bits as all toys at once."""
    roots = normal_scans(seed, 120, 12, 2.0)
    roots[np.random.default_rng(seed).random(roots.shape) < 0.002] = np.nan
    geometry = grid(range(4), range(3))
    parts = [part for part in np.split(roots, sorted(set(cuts))) if len(part)]
    order.shuffle(parts)
    for kind in (MaximaTally, ExcursionTally):
        tallies = [kind.of(ScanField.of(geometry, part)) for part in parts]
        total = tallies[0]
        for tally in tallies[1:]:
            total = total + tally
        whole = kind.of(ScanField.of(geometry, roots)).arrays()
        assert all(np.array_equal(total.arrays()[key], whole[key]) for key in whole)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, z=st.floats(0.0, 6.0), length=st.floats(0.3, 8.0))
def test_global_is_at_least_local(seed: int, z: float, length: float) -> None:
    """For the formulas against the normal p-value, for toys against each point's own."""
    roots = normal_scans(seed, 60, 15, length)
    block = ScanField.of(line(range(15)), roots)
    plane = ScanField.of(grid(range(5), range(3)), roots)
    field = GaussianField.from_responses(smooth_factor(np.arange(15.0), length))
    for found in (
        by_up_crossings(ExcursionTally.of(block), z),
        by_euler_characteristic(ExcursionTally.of(plane), z),
        by_covariance(field, z, samples=1024),
    ):
        if found.p_global is not None:
            assert found.p_local <= found.p_global.value <= 1.0
            assert found.trials_factor >= 1.0
            assert found.z_global <= z + 1e-9
    above = MaximaTally.of(block).above(z)
    assert above >= (roots >= z).sum(axis=0).max()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, z=st.floats(0.0, 4.0), kept=st.integers(1, 19))
def test_more_points_never_lower_the_trials(seed: int, z: float, kept: int) -> None:
    """A scan over some of the points is never more surprising than over all of them."""
    roots = normal_scans(seed, 500, 20, 1.5)
    few = by_toys(MaximaTally.of(ScanField.of(line(range(kept)), roots[:, :kept])), z)
    all_points = by_toys(MaximaTally.of(ScanField.of(line(range(20)), roots)), z)
    assert (few.p_global is None) or few.p_global.value <= all_points.p_global.value


@settings(max_examples=20, deadline=None)
@given(z=st.floats(2.0, 7.0), kept=st.integers(2, 39))
def test_more_points_never_lower_the_trials_of_a_gaussian_field(z: float, kept: int) -> None:
    """The same for the covariance method, within its Monte Carlo error (6 standard errors)."""
    factor = smooth_factor(np.arange(40.0), 2.0)
    few = GaussianField.from_responses(factor[:, :kept]).tail(z, samples=4096)
    many = GaussianField.from_responses(factor).tail(z, samples=4096)
    assert few.value <= many.value + 6.0 * math.hypot(few.error, many.error)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, low=st.floats(0.0, 5.0), step=st.floats(0.0, 2.0))
def test_global_p_value_falls_with_the_excess(seed: int, low: float, step: float) -> None:
    """A larger local significance is never less surprising."""
    block = ScanField.of(line(range(15)), normal_scans(seed, 200, 15, 3.0))
    maxima, levels = MaximaTally.of(block), ExcursionTally.of(block)
    assert maxima.above(low) >= maxima.above(low + step)
    first, second = by_up_crossings(levels, low), by_up_crossings(levels, low + step)
    if first.p_global is not None:
        assert second.p_global.value <= first.p_global.value * (1.0 + 1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, factor=st.floats(0.1, 10.0))
def test_responses_of_any_size_give_the_same_correlations(seed: int, factor: float) -> None:
    """Only the standard deviations know the size of the responses."""
    responses = np.random.default_rng(seed).standard_normal((6, 9))
    first = GaussianField.from_responses(responses)
    second = GaussianField.from_responses(factor * responses)
    assert second.factor == pytest.approx(first.factor)
    assert second.scale == pytest.approx(factor * first.scale)
