"""Kernel: the likelihood of the events of a lane and its derivatives, eight events at a time.

For each lane the negative logarithm ``-sum w log m(x)``, its gradient and its Hessian with respect
to the *inner* variables of the channel: the amplitudes of its columns, then the slots that float.
Yields, constraints and the chain rule to the parameters are added outside the event loop. Where
the density is not positive at an event, the value is infinite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray, frozen_indices
from darkstats.kernel import JIT, Memory, is_compiled, kernel, kernel_entry, run_blocks
from darkstats.kernel.simd import (
    LANES,
    Floats,
    Integers,
    Vector,
    exponential,
    fill,
    load,
    logarithm,
    store,
    where_less,
)
from darkstats.kernel.tables import reader_of
from darkstats.model.scratch import table_with
from darkstats.model.structure import addresses_of
from darkstats.model.unbinned.shape_derivatives import PAIR_STRIDE, slot_derivatives

__all__ = ["ChannelLayout", "density_is_compiled", "event_derivatives"]

_TINY = 1e-290  # densities below this count as not positive


class ChannelLayout(NamedTuple):
    """Indices only; inner variables are the columns, then the floating slots."""

    n_columns: int
    n_inner: int
    n_slots: int
    n_groups: int
    n_dims: int
    groups: Integers  # [group 4] first and last column, first and last factor
    factors: Integers  # [factor 4] shape, observable, first slot, whether tails float
    lows: Floats  # [factor] lower end of the range of its observable
    inner_of_slot: Integers  # [slot] inner variable, -1: a number


_WORDS = len(ChannelLayout._fields)


class _Scratch(NamedTuple):
    """Working memory of one thread, in vectors."""

    slope: Floats  # [inner] dm
    gradient: Floats  # [inner]
    hessian: Floats  # [inner inner] upper triangle
    first: Floats  # [slot] derivatives of one group's logarithm
    second: Floats  # [factor 49]
    sums: Floats  # [2]


class _Data(NamedTuple):
    """Events, amplitudes and slots in; value and derivatives out. Flat."""

    columns: Floats  # [column event] padded to whole vectors
    x: Floats  # [dim event]
    weights: Floats  # [event]
    first_vector: Integers  # [lane]
    n_vectors: Integers  # [lane]
    amplitudes: Floats  # [lane column]
    slots: Floats  # [lane slot]
    value: Floats  # [lane]
    size: Floats  # [lane] sum of the sizes of the terms
    gradient: Floats  # [lane inner]
    hessian: Floats  # [lane inner inner]


_layout_at, _scratch_at, _data_at = (
    reader_of(ChannelLayout),
    reader_of(_Scratch),
    reader_of(_Data),
)
_SCRATCH_WORDS = len(_Scratch._fields)


@kernel
def _zero(block: Floats, n: int) -> None:
    for i in range(n):
        store(block, i, fill(0.0))


@kernel
def _event_sums(layout: ChannelLayout, data: _Data, s: _Scratch, lane: int, stride: int) -> None:
    """Sums over the events of one lane, kept as vectors of eight partial sums."""
    n_inner = layout.n_inner
    columns_at, slots_at = lane * layout.n_columns, lane * layout.n_slots
    _zero(s.gradient, n_inner)
    _zero(s.hessian, n_inner * n_inner)
    total, size = fill(0.0), fill(0.0)
    begin = data.first_vector[lane]
    for at in range(begin, begin + data.n_vectors[lane]):
        weight = load(data.weights, at)
        # First the density alone: second derivatives of a group need its inverse.
        density = fill(0.0)
        for g in range(layout.n_groups):
            c0, c1 = layout.groups[4 * g], layout.groups[4 * g + 1]
            f0, f1 = layout.groups[4 * g + 2], layout.groups[4 * g + 3]
            height = fill(1.0)
            if f1 > f0:
                logarithm_of_shape = fill(0.0)
                for f in range(f0, f1):
                    op, dim = layout.factors[4 * f], layout.factors[4 * f + 1]
                    slot, tails = layout.factors[4 * f + 2], layout.factors[4 * f + 3]
                    # The first derivatives of all factors of a group stand side by side.
                    logarithm_of_shape = logarithm_of_shape + slot_derivatives(
                        op,
                        data.slots,
                        slots_at + slot,
                        layout.lows[f],
                        load(data.x, dim * stride + at),
                        s.first,
                        slot,
                        s.second,
                        PAIR_STRIDE * PAIR_STRIDE * f,
                        tails,
                    )
                height = exponential(logarithm_of_shape)
            part = fill(0.0)
            for c in range(c0, c1):
                term = height * load(data.columns, c * stride + at)
                store(s.slope, c, term)
                part = part + term * data.amplitudes[columns_at + c]
            density = density + part
            if f1 > f0:
                n0 = layout.factors[4 * f0 + 2]
                n1 = layout.n_slots if f1 == _n_factors(layout) else layout.factors[4 * f1 + 2]
                for slot in range(n0, n1):
                    inner = layout.inner_of_slot[slot]
                    if inner >= 0:
                        store(s.slope, inner, part * load(s.first, slot))
        good = where_less(fill(_TINY), density, density, fill(1.0))
        inverse = fill(1.0) / good
        log_density = where_less(fill(_TINY), density, logarithm(good), fill(-np.inf))
        there = where_less(fill(0.0), weight, weight * log_density, fill(0.0))
        # Not-a-number compares as not positive; times zero it stays visible.
        total = total - there + density * 0.0
        size = size + where_less(there, fill(0.0), fill(0.0) - there, there)
        scaled = weight * inverse
        for i in range(n_inner):
            store(s.gradient, i, load(s.gradient, i) - scaled * load(s.slope, i))
        twice = scaled * inverse
        for i in range(n_inner):
            row = twice * load(s.slope, i)
            for j in range(i, n_inner):
                k = i * n_inner + j
                store(s.hessian, k, load(s.hessian, k) + row * load(s.slope, j))
        _curvature(layout, s, data, columns_at, scaled)
    store(s.sums, 0, total)
    store(s.sums, 1, size)


@kernel
def _n_factors(layout: ChannelLayout) -> int:
    return int(layout.groups[4 * (layout.n_groups - 1) + 3])


@kernel
def _curvature(
    layout: ChannelLayout, s: _Scratch, data: _Data, columns_at: int, scaled: Vector
) -> None:
    """Subtract the second derivatives of the density, which exist within a group only."""
    n_inner = layout.n_inner
    for g in range(layout.n_groups):
        f0, f1 = layout.groups[4 * g + 2], layout.groups[4 * g + 3]
        if f1 == f0:
            continue
        c0, c1 = layout.groups[4 * g], layout.groups[4 * g + 1]
        part = fill(0.0)
        for c in range(c0, c1):
            part = part + load(s.slope, c) * data.amplitudes[columns_at + c]
        part = part * scaled
        n0 = layout.factors[4 * f0 + 2]
        n1 = layout.n_slots if f1 == _n_factors(layout) else layout.factors[4 * f1 + 2]
        for p in range(n0, n1):
            i = layout.inner_of_slot[p]
            if i < 0:
                continue
            slope = load(s.first, p)
            for c in range(c0, c1):
                k = c * n_inner + i
                store(s.hessian, k, load(s.hessian, k) - scaled * load(s.slope, c) * slope)
            for q in range(p, n1):
                j = layout.inner_of_slot[q]
                if j >= 0:
                    k = i * n_inner + j
                    product = slope * load(s.first, q) * part
                    store(s.hessian, k, load(s.hessian, k) - product)
        for f in range(f0, f1):
            n0 = layout.factors[4 * f + 2]
            last = f + 1 == _n_factors(layout)
            n1 = layout.n_slots if last else layout.factors[4 * (f + 1) + 2]
            for p in range(n0, n1):
                i = layout.inner_of_slot[p]
                if i < 0:
                    continue
                for q in range(p, n1):
                    j = layout.inner_of_slot[q]
                    if j >= 0:
                        k = i * n_inner + j
                        where = (f * PAIR_STRIDE + p - n0) * PAIR_STRIDE + q - n0
                        bent = load(s.second, where) * part
                        store(s.hessian, k, load(s.hessian, k) - bent)


@kernel
def _lanes(
    layout: ChannelLayout, data: _Data, s: _Scratch, stride: int, first: int, stop: int
) -> None:
    """Value, gradient and full Hessian of lanes ``first`` to ``stop - 1``."""
    n = layout.n_inner
    for lane in range(first, stop):
        _event_sums(layout, data, s, lane, stride)
        value, size = 0.0, 0.0
        for k in range(LANES):
            value += s.sums[0, k]
            size += s.sums[1, k]
        data.value[lane] = value
        data.size[lane] = size
        for i in range(n):
            total = 0.0
            for k in range(LANES):
                total += s.gradient[i, k]
            data.gradient[lane * n + i] = total
            for j in range(i, n):
                total = 0.0
                for k in range(LANES):
                    total += s.hessian[i * n + j, k]
                data.hessian[(lane * n + i) * n + j] = total
                data.hessian[(lane * n + j) * n + i] = total


@kernel_entry
def _density_entry(table: Integers, stride: int, first: int, stop: int) -> None:
    """Lanes from a table of numbers and addresses."""
    layout = _layout_at(table, 0)
    s = _scratch_at(table, _WORDS)
    data = _data_at(table, _WORDS + _SCRATCH_WORDS)
    _lanes(layout, data, s, stride, first, stop)


def density_is_compiled() -> bool:
    """Whether the first evaluation can start at once; otherwise it waits for the compiler."""
    return is_compiled(_density_entry)


def event_derivatives(
    layout: ChannelLayout,
    columns: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    spans: tuple[IndexArray, IndexArray],
    amplitudes: FloatArray,
    slots: FloatArray,
    *,
    threads: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Sum over the events of each lane of ``-w log m``, and its derivatives.

    Parameters
    ----------
    columns, x, weights
        Events of all lanes, each lane padded to whole vectors of eight with weights of 0. Shapes
        [column, event], [dim, event], [event].
    spans
        First vector and number of vectors of each lane. Shapes [lane].
    amplitudes, slots
        Shapes [lane, column] and [lane, slot].

    Returns
    -------
    tuple of FloatArray
        Values [lane], sizes of the terms [lane], gradients [lane, inner], Hessians
        [lane, inner, inner].
    """
    n_lanes, n = len(amplitudes), layout.n_inner
    value, size = np.empty(n_lanes), np.empty(n_lanes)
    gradient, hessian = np.empty((n_lanes, n)), np.empty((n_lanes, n, n))
    stride = len(weights) // LANES
    arrays = (columns, x, weights, *spans, amplitudes, slots, value, size, gradient, hessian)
    words = frozen_indices(addresses_of(layout))
    n_factors = len(layout.lows)
    sizes = (n, n, n * n, max(layout.n_slots, 1), max(n_factors, 1) * PAIR_STRIDE**2, 2)

    def work(first: int, stop: int) -> None:
        memory = Memory(sizes)
        if JIT:
            _density_entry(table_with(words, memory, arrays), stride, first, stop)
            return
        data = _Data(
            columns.reshape(-1, LANES),
            x.reshape(-1, LANES),
            weights.reshape(-1, LANES),
            *spans,
            amplitudes.reshape(-1),
            slots.reshape(-1),
            value,
            size,
            gradient.reshape(-1),
            hessian.reshape(-1),
        )
        with np.errstate(all="ignore"):  # as compiled kernels do: what is not finite is data
            _lanes(layout, data, _Scratch(*memory.views()), stride, first, stop)

    block = max(1, min(64, -(-n_lanes // (4 * threads))))
    run_blocks(work, n_lanes, threads=threads, block=block)
    return value, size, gradient, hessian
