"""Rates and derivatives at given points, from Python."""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import JIT, Memory, kernel, kernel_entry
from darkstats.kernel.simd import LANES, Floats, Integers, floats_at, store
from darkstats.model.derivatives import deviance_derivatives
from darkstats.model.rates import deviance, rates
from darkstats.model.scratch import SCRATCH_WORDS, Scratch, scratch_at, scratch_sizes, table_with
from darkstats.model.structure import (
    LAYOUT_WORDS,
    NUMBERS_WORDS,
    Layout,
    Numbers,
    layout_at,
    numbers_at,
    words_of,
)

__all__ = ["component_rates", "dense_derivatives", "rates_of_points"]


@kernel
def _put_point(layout: Layout, s: Scratch, x: Floats, at: int, lane: int) -> None:
    """Set one lane to the point whose values begin at ``x[at]``."""
    for p in range(layout.n_parameters):
        value = x[at + p]
        s.x[p, lane] = value
        s.side[p, lane] = 1.0 if value >= 0.0 else -1.0


@kernel
def _dense(
    layout: Layout,
    numbers: Numbers,
    counts: Floats,
    auxdata: Floats,
    x: Floats,
    s: Scratch,
    gradient: Floats,
    full: Floats,
) -> float:
    """Fill the gradient [par] and the full Hessian [par par] at one point; return the value."""
    n = layout.n_parameters
    for lane in range(LANES):
        _put_point(layout, s, x, 0, lane)
        for b in range(layout.n_bins):
            s.counts[b, lane] = counts[b]
        for p in range(n):
            s.auxdata[p, lane] = auxdata[p]
    half, _ = deviance(layout, numbers, s)
    store(s.patch, 0, half)
    value = float(s.patch[0, 0])
    for lane in range(LANES):
        s.asking[0, lane] = 1.0 if lane == 0 else 0.0
    deviance_derivatives(layout, numbers, s)
    n_global = layout.n_global
    for p in range(n):
        gradient[p] = s.gradient[p, 0]
    for i in range(n_global):
        p = layout.parameter_of_global[i]
        for j in range(i, n_global):
            q = layout.parameter_of_global[j]
            full[p * n + q] = s.hessian[i * n_global + j, 0]
            full[q * n + p] = full[p * n + q]
    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            p = layout.local_parameter[t]
            for u in range(begin, end):
                q = layout.local_parameter[u]
                full[p * n + q] = s.local_block[t * layout.local_block + u - begin, 0]
            for i in range(n_global):
                q = layout.parameter_of_global[i]
                full[p * n + q] = s.coupling[t * n_global + i, 0]
                full[q * n + p] = full[p * n + q]
    return value


@kernel
def _rates_of_points(
    layout: Layout, numbers: Numbers, points: Floats, n_points: int, s: Scratch, out: Floats
) -> None:
    """Fill the expected events [point bin] of points [point par]."""
    for first in range(0, n_points, LANES):
        for lane in range(LANES):
            source = min(first + lane, n_points - 1)
            _put_point(layout, s, points, source * layout.n_parameters, lane)
        rates(layout, numbers, s)
        for lane in range(min(LANES, n_points - first)):
            for b in range(layout.n_bins):
                out[(first + lane) * layout.n_bins + b] = s.nu[b, lane]


@kernel_entry
def _evaluate(table: Integers, task: int, n_points: int) -> float:
    """Rates of points (``task`` 0), or all derivatives at one point (1), from a table."""
    layout, numbers = layout_at(table, 0), numbers_at(table, LAYOUT_WORDS)
    at = LAYOUT_WORDS + NUMBERS_WORDS
    s = scratch_at(table, at)
    at += SCRATCH_WORDS
    if task == 0:
        points, out = floats_at(table[at]), floats_at(table[at + 1])
        _rates_of_points(layout, numbers, points, n_points, s, out)
        return 0.0
    return _dense(
        layout,
        numbers,
        floats_at(table[at]),
        floats_at(table[at + 1]),
        floats_at(table[at + 2]),
        s,
        floats_at(table[at + 3]),
        floats_at(table[at + 4]),
    )


def dense_derivatives(
    layout: Layout,
    numbers: Numbers,
    counts: FloatArray,
    auxdata: FloatArray,
    x: FloatArray,
    *,
    words: IndexArray | None = None,
) -> tuple[float, FloatArray, FloatArray]:
    """Half the deviance, its gradient [par] and its full Hessian [par, par] at one point.

    ``words``: those of :func:`~darkstats.model.structure.words_of`, where they are at hand.
    """
    n = layout.n_parameters
    gradient, full = np.empty(n), np.zeros(n * n)
    counts, auxdata, x = (np.ascontiguousarray(a, dtype=float) for a in (counts, auxdata, x))
    memory = Memory(scratch_sizes(layout, numbers))
    if JIT:
        words = words_of(layout, numbers) if words is None else words
        table = table_with(words, memory, (counts, auxdata, x, gradient, full))
        value = _evaluate(table, 1, 1)
    else:
        scratch = Scratch(*memory.views())
        value = _dense(layout, numbers, counts, auxdata, x, scratch, gradient, full)
    return float(value), gradient, full.reshape(n, n)


def rates_of_points(
    layout: Layout, numbers: Numbers, words: IndexArray, points: FloatArray
) -> FloatArray:
    """Expected events. Shapes: [point, par] -> [point, bin]."""
    out, _ = _rates(layout, numbers, words, points)
    return out


def component_rates(
    layout: Layout, numbers: Numbers, words: IndexArray, point: FloatArray
) -> FloatArray:
    """Expected events of every component, as one flat array. Shapes: [par] -> [flat]."""
    _, memory = _rates(layout, numbers, words, point.reshape(1, -1))
    rate: FloatArray = Scratch(*memory.views()).rate[:, 0].copy()
    return rate


def _rates(
    layout: Layout, numbers: Numbers, words: IndexArray, points: FloatArray
) -> tuple[FloatArray, Memory]:
    points = np.ascontiguousarray(points, dtype=float)
    n_points, out = len(points), np.empty((len(points), layout.n_bins))
    memory = Memory(scratch_sizes(layout, numbers, derivatives=False))
    if n_points == 0:
        return out, memory
    if JIT:
        _evaluate(table_with(words, memory, (points, out)), 0, n_points)
    else:
        scratch = Scratch(*memory.views())
        _rates_of_points(layout, numbers, points.ravel(), n_points, scratch, out.reshape(-1))
    return out, memory
