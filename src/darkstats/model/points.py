"""Deviance, gradient and Hessian at many points at once, each with data of its own.

Minimisers walk; whoever integrates a likelihood looks at points of his own choice. Points are
lanes: eight at a time, over threads, with the same bits whatever stands beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.errors import OptionError
from darkstats.kernel import (
    JIT,
    Memory,
    default_threads,
    is_compiled,
    kernel,
    kernel_entry,
    run_blocks,
)
from darkstats.kernel.simd import LANES, Floats, Integers, fill, floats_at, integers_at, load, store
from darkstats.model.base import PointValues
from darkstats.model.derivatives import constraint_slope, deviance_derivatives, rate_slopes
from darkstats.model.rates import away_from_zero, deviance
from darkstats.model.scratch import SCRATCH_WORDS, Scratch, scratch_at, scratch_sizes, table_with
from darkstats.model.structure import (
    LAYOUT_WORDS,
    NUMBERS_WORDS,
    Layout,
    Numbers,
    layout_at,
    numbers_at,
)

if TYPE_CHECKING:
    from darkstats.model.base import BinnedModel

__all__ = ["deviance_at", "points_are_compiled"]

_VALUE, _GRADIENT, _HESSIAN = 0, 1, 2
_FEW = 256  # points that are done before a thread has started


@kernel
def _gradient(layout: Layout, numbers: Numbers, s: Scratch) -> None:
    """Gradient alone, where the deviance was last taken; far cheaper than the Hessian."""
    rate_slopes(layout, s)
    for p in range(layout.n_parameters):
        store(s.gradient, p, fill(0.0))
    for k in range(layout.n_components):
        start, offset = layout.component_start[k], layout.component_offset[k]
        n = layout.component_stop[k] - start
        weight = fill(0.0)
        for i in range(n):
            weight = weight + load(s.first, start + i) * load(s.rate, offset + i)
        for f in range(layout.factor_begin[k], layout.factor_begin[k + 1]):
            p = layout.factor_parameter[f]
            store(s.gradient, p, load(s.gradient, p) + weight * load(s.log_slope, f))
        for h in range(layout.histosys_begin[k], layout.histosys_begin[k + 1]):
            p, at = layout.histosys_parameter[h], layout.histosys_offset[h]
            bend, slope = load(s.curve, 3 * p + 1), load(s.gradient, p)
            for i in range(n):
                tangent = bend * numbers.shift_even[at + i] + numbers.shift_odd[at + i]
                slope = slope + load(s.first, start + i) * load(s.gamma, offset + i) * tangent
            store(s.gradient, p, slope)
        for j in range(layout.binfactor_begin[k], layout.binfactor_begin[k + 1]):
            for i in range(n):
                p = layout.binfactor_parameter[j] + i
                slope = load(s.first, start + i) * load(s.rate, offset + i)
                store(
                    s.gradient, p, load(s.gradient, p) + slope / away_from_zero(load(s.x, p))
                )  # fmt: skip
    for p in range(layout.n_parameters):
        if layout.constraint[p] != 0:
            constraint_slope(layout, numbers, s, p)


@kernel
def _points(
    layout: Layout,
    numbers: Numbers,
    s: Scratch,
    points: Floats,
    counts: Floats,
    auxdata: Floats,
    row: Integers,
    value: Floats,
    gradient: Floats,
    hessian: Floats,
    task: int,
    first: int,
    stop: int,
) -> None:
    n, n_bins, n_global = layout.n_parameters, layout.n_bins, layout.n_global
    for begin in range(first, stop, LANES):
        for lane in range(LANES):
            point = min(begin + lane, stop - 1)
            for p in range(n):
                x = points[point * n + p]
                s.x[p, lane] = x
                s.side[p, lane] = 1.0 if x >= 0.0 else -1.0
                s.auxdata[p, lane] = auxdata[row[point] * n + p]
            for b in range(n_bins):
                s.counts[b, lane] = counts[row[point] * n_bins + b]
        half, _ = deviance(layout, numbers, s)
        store(s.patch, 0, half)
        if task == _GRADIENT:
            _gradient(layout, numbers, s)
        elif task == _HESSIAN:
            for lane in range(LANES):
                s.asking[0, lane] = 1.0 if begin + lane < stop else 0.0
            deviance_derivatives(layout, numbers, s)
        for lane in range(min(LANES, stop - begin)):
            point = begin + lane
            value[point] = s.patch[0, lane]
            if task == _VALUE:
                continue
            for p in range(n):
                gradient[point * n + p] = s.gradient[p, lane]
            if task == _GRADIENT:
                continue
            at = point * n * n
            for i in range(n_global):
                p = layout.parameter_of_global[i]
                for j in range(i, n_global):
                    q = layout.parameter_of_global[j]
                    element = s.hessian[i * n_global + j, lane]
                    hessian[at + p * n + q] = element
                    hessian[at + q * n + p] = element
            for b in range(n_bins):
                local, last = layout.local_begin[b], layout.local_begin[b + 1]
                for t in range(local, last):
                    p = layout.local_parameter[t]
                    for u in range(local, last):
                        q = layout.local_parameter[u]
                        element = s.local_block[t * layout.local_block + u - local, lane]
                        hessian[at + p * n + q] = element
                    for i in range(n_global):
                        q = layout.parameter_of_global[i]
                        element = s.coupling[t * n_global + i, lane]
                        hessian[at + p * n + q] = element
                        hessian[at + q * n + p] = element


@kernel_entry
def _points_entry(table: Integers, task: int, first: int, stop: int) -> None:
    at = LAYOUT_WORDS + NUMBERS_WORDS + SCRATCH_WORDS
    _points(
        layout_at(table, 0),
        numbers_at(table, LAYOUT_WORDS),
        scratch_at(table, LAYOUT_WORDS + NUMBERS_WORDS),
        floats_at(table[at]),
        floats_at(table[at + 1]),
        floats_at(table[at + 2]),
        integers_at(table[at + 3]),
        floats_at(table[at + 4]),
        floats_at(table[at + 5]),
        floats_at(table[at + 6]),
        task,
        first,
        stop,
    )


def points_are_compiled() -> bool:
    """Whether :func:`deviance_at` can start at once; otherwise it waits for the compiler."""
    return is_compiled(_points_entry)


def deviance_at(
    model: BinnedModel,
    points: FloatArray,
    counts: FloatArray,
    auxdata: FloatArray,
    *,
    row: IndexArray | None = None,
    derivatives: int = 0,
    threads: int | None = None,
) -> PointValues:
    """Half the deviance relative to the saturated model at many points.

    Parameters
    ----------
    model
        The likelihood; masked channels are left out.
    points
        Shape [point, par].
    counts, auxdata
        Data, one or more rows of counts, and the auxiliary data of each row, or of all. Shapes
        [row, bin], and [row, par] or [par].
    row
        Which row of the data belongs to each point; the first one by default. Shape [point].
    derivatives
        0: values; 1: the gradient too; 2: the Hessian too.
    threads
        At most so many; results do not depend on it.

    Raises
    ------
    OptionError
        Shapes do not fit.
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    n_points, n = len(points), model.n_parameters
    data = np.atleast_2d(np.asarray(counts, dtype=np.float64))
    rows = np.zeros(n_points, dtype=np.int64) if row is None else np.asarray(row, dtype=np.int64)
    auxdata = np.asarray(auxdata, dtype=np.float64)
    fits = points.shape == (n_points, n) and data.shape[1] == model.n_bins
    fits = fits and auxdata.shape in {(n,), (len(data), n)}
    if not fits or len(rows) != n_points or (n_points and rows.max() >= len(data)):
        raise OptionError(
            f"need points [point, {n}], counts [row, {model.n_bins}] and auxdata [{n}] or "
            f"[row, {n}], got {points.shape}, {data.shape} and {auxdata.shape}"
        )
    if any(channel.masked for channel in model.channels):
        data = np.where(model.masked_bins, 0.0, data)
    data = np.ascontiguousarray(data)
    rows = np.ascontiguousarray(rows)
    aux = np.ascontiguousarray(np.broadcast_to(auxdata, (len(data), n)))
    value = np.empty(n_points)
    gradient = np.empty(n_points * n if derivatives >= _GRADIENT else 1)
    hessian = np.zeros(n_points * n * n if derivatives >= _HESSIAN else 1)
    numbers = model.likelihood_numbers()
    words = model.likelihood_words(numbers)

    sizes = scratch_sizes(model.layout, numbers, derivatives=derivatives > 0)

    def work(first: int, stop: int) -> None:
        memory = Memory(sizes)
        arrays = (points, data, aux, rows, value, gradient, hessian)
        if JIT:
            table = table_with(words, memory, arrays)
            _points_entry(table, derivatives, first, stop)
            return
        flat = (
            points.reshape(-1), data.reshape(-1), aux.reshape(-1), rows, value, gradient, hessian,
        )  # fmt: skip
        with np.errstate(all="ignore"):  # as compiled kernels do
            _points(
                model.layout,
                numbers,
                Scratch(*memory.views()),
                *flat,
                derivatives,
                first,
                stop,
            )

    workers = 1 if n_points < _FEW else threads or default_threads()
    parts = 1 if workers == 1 else 2 * workers
    block = LANES * max(1, min(64, -(-n_points // (parts * LANES))))
    run_blocks(work, n_points, threads=workers, block=block)
    return PointValues(
        value=value,
        gradient=gradient.reshape(n_points, n) if derivatives >= _GRADIENT else None,
        hessian=hessian.reshape(n_points, n, n) if derivatives >= _HESSIAN else None,
    )
