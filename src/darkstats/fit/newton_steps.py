"""Kernel: one Newton step in a box for each of many lanes, from gradients and Hessians.

Parameters at a face that their gradient presses against are pinned, and those without a curvature
that could stop them before it are put on their face; the rest is solved by Cholesky decomposition
in units of the curvatures, with as much damping as makes the matrix positive. Where the step leaves
the box, the parameters that do are put on its face and the rest is solved again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from darkstats.arrays import BoolArray, FloatArray
from darkstats.kernel import JIT, Memory, is_compiled, kernel, kernel_entry, run_blocks
from darkstats.kernel.simd import LANES, Floats, Integers
from darkstats.kernel.tables import reader_of
from darkstats.model.structure import addresses_of

__all__ = ["newton_steps", "steps_are_compiled"]

_FIRST_DAMPING = 1e-2
_GROWTH = 4.0
_MOST_DAMPING = 1e12
_STRAIGHT = 1e6  # a Newton step that goes so many times as far as the face goes to the face
_ENDLESS = 1e300
_LEAST_PIVOT = 1e-13  # of a matrix with unit diagonal: below it a direction has no curvature


class _Lanes(NamedTuple):
    """Points, slopes and curvatures in; steps out. Flat, lanes outermost."""

    x: Floats
    gradient: Floats
    hessian: Floats
    lower: Floats  # [par]
    upper: Floats  # [par]
    free: Integers  # [par]
    damping: Floats  # [lane] in and out
    step: Floats  # [lane par]
    edm: Floats  # [lane] infinite where damped


class _Work(NamedTuple):
    """Working memory of one thread."""

    matrix: Floats  # [par par]
    right: Floats  # [par]
    pinned: Floats  # [par]
    scale: Floats  # [par]


_lanes_at, _work_at = reader_of(_Lanes), reader_of(_Work)
_LANES_WORDS = len(_Lanes._fields)


@kernel
def _solve(d: _Lanes, w: _Work, n: int, at: int, square: int, damping: float) -> bool:
    """Solve for the step of the parameters that are not pinned; False if not positive."""
    for i in range(n):
        if w.pinned[i] == 1.0:
            continue
        total = -d.gradient[at + i]
        for j in range(n):
            if w.pinned[j] == 1.0:
                total -= d.hessian[square + i * n + j] * d.step[at + j]
        w.right[i] = total * w.scale[i]
        for j in range(i + 1):
            if w.pinned[j] == 0.0:
                entry = d.hessian[square + i * n + j] * w.scale[i] * w.scale[j]
                w.matrix[i * n + j] = entry + (damping if i == j else 0.0)
    for j in range(n):
        if w.pinned[j] == 1.0:
            continue
        pivot = w.matrix[j * n + j]
        for k in range(j):
            if w.pinned[k] == 0.0:
                pivot -= w.matrix[j * n + k] * w.matrix[j * n + k]
        if not pivot > _LEAST_PIVOT:
            return False
        root = np.sqrt(pivot)
        w.matrix[j * n + j] = root
        for i in range(j + 1, n):
            if w.pinned[i] == 1.0:
                continue
            entry = w.matrix[i * n + j]
            for k in range(j):
                if w.pinned[k] == 0.0:
                    entry -= w.matrix[i * n + k] * w.matrix[j * n + k]
            w.matrix[i * n + j] = entry / root
    for i in range(n):
        if w.pinned[i] == 1.0:
            continue
        total = w.right[i]
        for k in range(i):
            if w.pinned[k] == 0.0:
                total -= w.matrix[i * n + k] * w.right[k]
        w.right[i] = total / w.matrix[i * n + i]
    for back in range(n):
        i = n - 1 - back
        if w.pinned[i] == 1.0:
            continue
        total = w.right[i]
        for k in range(i + 1, n):
            if w.pinned[k] == 0.0:
                total -= w.matrix[k * n + i] * w.right[k]
        w.right[i] = total / w.matrix[i * n + i]
    for i in range(n):
        if w.pinned[i] == 0.0:
            d.step[at + i] = w.right[i] * w.scale[i]
    return True


@kernel
def _slope(d: _Lanes, n: int, at: int) -> float:
    total = 0.0
    for i in range(n):
        total += d.gradient[at + i] * d.step[at + i]
    return total


@kernel
def _one(d: _Lanes, w: _Work, n: int, lane: int, tolerance: float) -> None:
    """The step of one lane."""
    at, square = lane * n, lane * n * n
    for i in range(n):
        d.step[at + i] = 0.0
        x, slope = d.x[at + i], d.gradient[at + i]
        presses = (slope >= 0.0 and x <= d.lower[i]) or (slope <= 0.0 and x >= d.upper[i])
        size = abs(d.hessian[square + i * n + i])
        flat = slope == 0.0 and size == 0.0  # changes nothing at all here
        w.pinned[i] = 1.0 if d.free[i] == 0 or presses or flat else 0.0
        w.scale[i] = 1.0 / np.sqrt(size) if size > 1e-300 else 1.0
        # A signal without an event near it: next to straight in its strength. In units of its own
        # curvature no damping would hold what is coupled to it.
        way = (d.lower[i] if slope > 0.0 else d.upper[i]) - x
        if w.pinned[i] == 0.0 and abs(way) < _ENDLESS and abs(slope) > _STRAIGHT * size * abs(way):
            d.step[at + i] = way
            w.pinned[i] = 1.0
    # Whatever the damping: a point that is a minimum without any is one.
    positive = _solve(d, w, n, at, square, 0.0)
    if positive and -0.5 * _slope(d, n, at) <= tolerance:
        d.damping[lane] = 0.0
    damping = d.damping[lane]
    if damping != 0.0:
        positive = _solve(d, w, n, at, square, damping)
    while not positive and damping <= _MOST_DAMPING:
        damping = _FIRST_DAMPING if damping == 0.0 else _GROWTH * damping
        positive = _solve(d, w, n, at, square, damping)
    d.damping[lane] = damping
    d.edm[lane] = -0.5 * _slope(d, n, at) if damping == 0.0 and positive else np.inf
    if not positive:
        return
    for _ in range(4):
        outside = False
        for i in range(n):
            if w.pinned[i] == 1.0:
                continue
            x = d.x[at + i] + d.step[at + i]
            if x < d.lower[i] or x > d.upper[i]:
                d.step[at + i] = (d.lower[i] if x < d.lower[i] else d.upper[i]) - d.x[at + i]
                w.pinned[i] = 1.0
                outside = True
        if not outside or not _solve(d, w, n, at, square, damping):
            return


@kernel
def _steps(d: _Lanes, w: _Work, n: int, first: int, stop: int, tolerance: float) -> None:
    for lane in range(first, stop):
        _one(d, w, n, lane, tolerance)


@kernel_entry
def _steps_entry(table: Integers, n: int, first: int, stop: int, tolerance: float) -> None:
    """Lanes from a table of addresses."""
    _steps(_lanes_at(table, 0), _work_at(table, _LANES_WORDS), n, first, stop, tolerance)


def steps_are_compiled() -> bool:
    """Whether the first step can be taken at once; otherwise it waits for the compiler."""
    return is_compiled(_steps_entry)


def newton_steps(
    points: FloatArray,
    gradient: FloatArray,
    hessian: FloatArray,
    *,
    lower: FloatArray,
    upper: FloatArray,
    free: BoolArray,
    damping: FloatArray,
    tolerance: float,
    threads: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Steps from points, in a box.

    Parameters
    ----------
    points, gradient, hessian
        Shapes [lane, par], [lane, par], [lane, par, par].
    lower, upper, free
        Box and freedom. Shapes [par].
    damping
        To begin with, in units of the curvatures. Shape [lane].
    tolerance
        Estimated distance to the minimum below which no damping is used where none is needed.

    Returns
    -------
    tuple of FloatArray
        Steps [lane, par]; estimated distance to the minimum [lane], infinite where the matrix had
        to be damped; the damping that was used [lane].
    """
    n_lanes, n = points.shape
    used = np.array(damping, dtype=float)
    step, edm = np.empty((n_lanes, n)), np.empty(n_lanes)
    arrays = tuple(
        np.ascontiguousarray(a, dtype=float) for a in (points, gradient, hessian, lower, upper)
    )
    flags = np.ascontiguousarray(free, dtype=np.int64)
    fields = (*arrays, flags, used, step, edm)
    sizes = tuple(-(-size // LANES) for size in (max(n * n, 1), n + 1, n + 1, n + 1))

    def work(first: int, stop: int) -> None:
        memory = Memory(sizes)
        if JIT:
            words = [*addresses_of(fields), *memory.addresses()]
            _steps_entry(np.array(words, dtype=np.int64), n, first, stop, tolerance)
            return
        with np.errstate(all="ignore"):  # as compiled kernels do: what is not finite is data
            _steps(
                _Lanes(*(a.reshape(-1) for a in fields)),
                _Work(*(view.reshape(-1) for view in memory.views())),
                n,
                first,
                stop,
                tolerance,
            )

    run_blocks(work, n_lanes, threads=threads, block=max(64, -(-n_lanes // (4 * threads))))
    return step, edm, used
