"""Kernels that solve the linear system of a Newton step.

Local parameters (gammas) are eliminated bin by bin, which leaves a small dense system in the
global ones; that is factorised as U^T D U in place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import kernel
from darkstats.model.rates import Scratch
from darkstats.model.structure import Layout

__all__ = ["System", "make_system", "solve_step"]

FLAT = 1e-11  # a pivot below this part of its diagonal element is no curvature at all
FLAT_SLOPE = 1e-9  # slope^2 / curvature that a direction without curvature may have


class System(NamedTuple):
    """Working memory of the linear solver."""

    matrix: FloatArray  # [global, global] upper triangle, overwritten by its factors
    coupling: FloatArray  # [local, global]
    block: FloatArray  # [local, local in the same bin]
    right_global: FloatArray  # [global]
    right_local: FloatArray  # [local]
    diagonal: FloatArray  # [global] diagonal before factorisation
    skip: IndexArray  # [global] 1: pinned or flat, no row of the system


@kernel
def make_system(s: Scratch) -> System:
    """Allocate the solver's memory."""
    n_local, n_global = s.coupling.shape
    return System(
        np.empty((n_global, n_global)),
        np.empty((n_local, n_global)),
        np.empty(s.local_block.shape),
        np.empty(n_global),
        np.empty(n_local),
        np.empty(n_global),
        np.zeros(n_global, dtype=np.int64),
    )


@kernel
def _damping_scale(curvature: float, slope: float, x: float) -> float:
    """What a damping of one adds to a diagonal element; scales as the element itself."""
    return max(abs(curvature), abs(slope) / max(abs(x), 1.0))


@kernel
def solve_step(
    layout: Layout,
    s: Scratch,
    w: System,
    x: FloatArray,
    pinned: IndexArray,
    step: FloatArray,
    damping: float,
) -> int:
    """Newton step of the free parameters, with the step of the pinned ones given.

    Returns the number of flat directions (left unmoved), or -1 where the curvature is not positive.
    """
    n_global = layout.n_global
    matrix, coupling = w.matrix, w.coupling
    for i in range(n_global):
        p = layout.parameter_of_global[i]
        for j in range(i, n_global):
            matrix[i, j] = s.hessian[i, j]
        w.right_global[i] = -s.gradient[p]
        w.skip[i] = 0
        if damping > 0.0 and pinned[p] == 0:
            matrix[i, i] += damping * _damping_scale(s.hessian[i, i], s.gradient[p], x[p])
        w.diagonal[i] = matrix[i, i]
    for t in range(len(layout.local_parameter)):
        w.right_local[t] = -s.gradient[layout.local_parameter[t]]
        for i in range(n_global):
            coupling[t, i] = s.coupling[t, i]
    # Pinned global parameters: their step moves to the right-hand sides.
    for i in range(n_global):
        p = layout.parameter_of_global[i]
        if pinned[p] == 0:
            continue
        w.skip[i] = 1
        move = step[p]
        if move != 0.0:
            for j in range(i):
                w.right_global[j] -= s.hessian[j, i] * move
            for j in range(i + 1, n_global):
                w.right_global[j] -= s.hessian[i, j] * move
        for t in range(len(layout.local_parameter)):
            w.right_local[t] -= s.coupling[t, i] * move
            coupling[t, i] = 0.0

    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        if end > begin and not _eliminate_bin(layout, s, w, x, pinned, step, damping, begin, end):
            return -1

    flat = 0
    right = w.right_global
    for i in range(n_global):
        if w.skip[i] == 1:
            continue
        pivot, diagonal = matrix[i, i], w.diagonal[i]
        if not pivot > FLAT * diagonal or not diagonal > 0.0:
            level = abs(diagonal) * FLAT
            if abs(pivot) <= level and right[i] * right[i] <= FLAT_SLOPE * abs(diagonal):
                w.skip[i] = 1
                flat += 1
                continue
            return -1
        inverse = 1.0 / pivot
        row = matrix[i]
        for j in range(i + 1, n_global):
            if w.skip[j] == 1 or row[j] == 0.0:
                continue
            factor = row[j] * inverse
            other = matrix[j]
            for m in range(j, n_global):
                other[m] -= factor * row[m]
            right[j] -= factor * right[i]
    for i in range(n_global - 1, -1, -1):
        p = layout.parameter_of_global[i]
        if w.skip[i] == 1:
            if pinned[p] == 0:
                step[p] = 0.0
            continue
        total = right[i]
        for j in range(i + 1, n_global):
            if w.skip[j] == 0:
                total -= matrix[i, j] * step[layout.parameter_of_global[j]]
        step[p] = total / matrix[i, i]

    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(end - 1, begin - 1, -1):
            p = layout.local_parameter[t]
            if pinned[p] == 1:
                continue
            pivot = w.block[t, t - begin]
            if pivot == 0.0:
                step[p] = 0.0
                flat += 1
                continue
            total = w.right_local[t]
            for u in range(t + 1, end):
                if pinned[layout.local_parameter[u]] == 0:
                    total -= w.block[t, u - begin] * step[layout.local_parameter[u]]
            for i in range(n_global):
                if pinned[layout.parameter_of_global[i]] == 0:
                    total -= coupling[t, i] * step[layout.parameter_of_global[i]]
            step[p] = total / pivot
    return flat


@kernel
def _eliminate_bin(
    layout: Layout,
    s: Scratch,
    w: System,
    x: FloatArray,
    pinned: IndexArray,
    step: FloatArray,
    damping: float,
    begin: int,
    end: int,
) -> bool:
    """Take the local parameters of one bin out of the system; False where curvature is not positive."""
    n_global = layout.n_global
    block, coupling, matrix = w.block, w.coupling, w.matrix
    for t in range(begin, end):
        for u in range(begin, end):
            block[t, u - begin] = s.local_block[t, u - begin]
        p = layout.local_parameter[t]
        if damping > 0.0 and pinned[p] == 0:
            block[t, t - begin] += damping * _damping_scale(
                s.local_block[t, t - begin], s.gradient[p], x[p]
            )
    for t in range(begin, end):
        p = layout.local_parameter[t]
        if pinned[p] == 0:
            continue
        move = step[p]
        if move != 0.0:
            for u in range(begin, end):
                w.right_local[u] -= s.local_block[u, t - begin] * move
            for i in range(n_global):
                w.right_global[i] -= s.coupling[t, i] * move
    for t in range(begin, end):
        p = layout.local_parameter[t]
        if pinned[p] == 1:
            continue
        pivot, diagonal = block[t, t - begin], s.local_block[t, t - begin]
        right = w.right_local[t]
        if not pivot > FLAT * abs(diagonal):
            if abs(pivot) <= FLAT * abs(diagonal) and right * right <= FLAT_SLOPE * abs(diagonal):
                block[t, t - begin] = 0.0
                continue
            return False
        inverse = 1.0 / pivot
        for u in range(t + 1, end):
            if pinned[layout.local_parameter[u]] == 1:
                continue
            factor = block[t, u - begin] * inverse
            for v in range(u, end):
                block[u, v - begin] -= factor * block[t, v - begin]
            for i in range(n_global):
                coupling[u, i] -= factor * coupling[t, i]
            w.right_local[u] -= factor * right
        row = coupling[t]
        for i in range(n_global):
            if row[i] == 0.0:
                continue
            factor = row[i] * inverse
            other = matrix[i]
            for j in range(i, n_global):
                other[j] -= factor * row[j]
            w.right_global[i] -= factor * right
    return True
