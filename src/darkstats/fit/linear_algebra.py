"""Kernels that solve the linear system of a Newton step, for eight lanes.

Local parameters (gammas) are eliminated bin by bin, which leaves a small dense system in the
global ones; that is factorised as U^T D U.  A pinned parameter keeps its row, with the step that it
was given: nothing is reordered, so lanes with different pinned sets share one instruction stream.

Where few lanes of a large system ask, each is factorised by itself, with eight columns in a vector:
the same operations in the same order, and so the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

from darkstats.kernel import kernel_in_order
from darkstats.kernel.products import (
    FEW,
    LARGE,
    TERMS,
    add_products,
    add_products_alone,
    alone,
)
from darkstats.kernel.simd import (
    LANES,
    Floats,
    Vector,
    absolute,
    fill,
    largest,
    load,
    maximum,
    minimum,
    store,
    where_at_most,
    where_less,
)
from darkstats.kernel.tables import reader_of
from darkstats.model.scratch import Scratch
from darkstats.model.structure import Layout, Numbers

__all__ = ["SYSTEM_WORDS", "System", "solve_step", "system_at", "system_sizes"]

FLAT = 1e-11  # a pivot below this part of its diagonal element is no curvature at all
LEVEL = 1e-8  # a negative one above minus this part is rounding, if there is no slope either
FLAT_SLOPE = 1e-9  # slope^2 / curvature that a direction without curvature may have


class System(NamedTuple):
    """Working memory of the linear solver; vectors of eight lanes."""

    pinned: Floats  # [par] 1: keeps the step it was given
    step: Floats  # [par]
    damping: Floats  # [1]
    matrix: Floats  # [global global] upper triangle, overwritten by its factors
    coupling: Floats  # [local global]
    block: Floats  # [local, local in the same bin]
    right_global: Floats  # [global]
    right_local: Floats  # [local]
    inverse_global: Floats  # [global] 1/pivot, 0: pinned or flat
    inverse_local: Floats  # [local]
    scaled: Floats  # [TERMS global] rows of a factor, times minus 1/pivot
    scale_global: Floats  # [global] what a damping of one adds
    indefinite: Floats  # [1] 1: curvature is not positive
    flat: Floats  # [1] number of directions without curvature
    alone: Floats  # [global columns] the system of one lane, eight columns to a vector
    alone_scaled: Floats  # [TERMS columns] as ``scaled``, of that lane


def system_sizes(layout: Layout) -> tuple[int, ...]:
    """Number of vectors in each field of :class:`System`."""
    par, n_global, n_local = layout.n_parameters, layout.n_global, layout.n_local
    columns = -(-n_global // LANES) if n_global > LARGE else 0
    sizes = {
        "pinned": par,
        "step": par,
        "damping": 1,
        "matrix": n_global * n_global,
        "coupling": n_local * n_global,
        "block": n_local * layout.local_block,
        "right_global": n_global,
        "right_local": n_local,
        "inverse_global": n_global,
        "inverse_local": n_local,
        "scaled": TERMS * n_global,
        "scale_global": n_global,
        "indefinite": 1,
        "flat": 1,
        "alone": n_global * columns,
        "alone_scaled": TERMS * columns,
    }
    return tuple(sizes[name] for name in System._fields)


SYSTEM_WORDS = len(System._fields)


system_at = reader_of(System)


@kernel_in_order
def _damping_scale(
    layout: Layout, s: Scratch, numbers: Numbers, p: int, curvature: Vector
) -> Vector:
    """What a damping of one adds to a diagonal element: the curvature of the constraint.

    A free parameter has none; a small part of its own curvature stands in, or the size of its
    slope where there is no curvature at all.
    """
    size = absolute(load(s.gradient, p)) / maximum(absolute(load(s.x, p)), fill(1.0))
    scale = maximum(absolute(curvature), size) * 1e-3
    if layout.constraint[p] == 0:
        scale = where_less(absolute(curvature), size * 1e-6, size, scale)
    elif layout.constraint[p] == 1:
        scale = maximum(scale, fill(1.0 / (numbers.width[p] * numbers.width[p])))
    else:
        scale = maximum(scale, fill(numbers.width[p]))
    return scale


@kernel_in_order
def _invert(
    damping: Vector, pivot: Vector, diagonal: Vector, scale: Vector, right: Vector, pinned: Vector
) -> tuple[Vector, Vector, Vector]:
    """1/pivot, or 0 where the row is pinned or flat; and which lanes are flat, which indefinite."""
    zero, one = fill(0.0), fill(1.0)
    size = absolute(diagonal)
    needed = maximum(size * FLAT, minimum(damping, one) * scale * 0.1)
    good = where_less(needed, pivot, one, zero)  # a pivot of zero, or not a number, is not good
    harmless = where_at_most(right * right, size * FLAT_SLOPE, one, zero)
    level = where_at_most(absolute(pivot), size * LEVEL, harmless, zero)
    loose = one - pinned
    flat = loose * (one - good) * level
    bad = loose * (one - good) * (one - level)
    use = good * loose
    inverse = where_less(zero, use, one / where_less(zero, use, pivot, one), zero)
    return inverse, flat, bad


@kernel_in_order
def _noted(w: System, flat: Vector, bad: Vector) -> None:
    """Count directions without curvature, and remember lanes whose curvature is not positive."""
    store(w.flat, 0, load(w.flat, 0) + flat)
    store(w.indefinite, 0, maximum(load(w.indefinite, 0), bad))


@kernel_in_order
def solve_step(layout: Layout, numbers: Numbers, s: Scratch, w: System, asking: Floats) -> None:
    """Newton step of the free parameters, with ``w.step`` of the pinned ones given.

    Fills ``w.step`` of the lanes that ask ([1], 1: a step is wanted); notes those whose curvature
    is not positive in ``w.indefinite``.
    """
    n_global = layout.n_global
    store(w.indefinite, 0, fill(0.0))
    store(w.flat, 0, fill(0.0))
    one_by_one = alone(n_global, asking)
    damping = load(w.damping, 0)
    for i in range(n_global):
        p = layout.parameter_of_global[i]
        if not one_by_one or layout.n_local > 0:
            for j in range(i, n_global):
                at = i * n_global + j
                store(w.matrix, at, load(s.hessian, at))
        at = i * n_global + i
        slope = load(s.gradient, p)
        curvature = load(s.hessian, at)
        scale = _damping_scale(layout, s, numbers, p, curvature)
        store(w.scale_global, i, scale)
        store(w.matrix, at, curvature + damping * scale)
        store(w.right_global, i, fill(0.0) - slope)
    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        if end > begin:
            _eliminate_bin(layout, numbers, s, w, begin, end)
    if n_global > FEW:
        _take_locals(layout, w)
    if one_by_one:
        for slot in range(LANES):
            if asking[0, slot] > 0.0:
                _solve_alone(layout, s, w, slot)
    else:
        _factorise(layout, s, w)
        for i in range(n_global - 1, -1, -1):
            p = layout.parameter_of_global[i]
            total = load(w.right_global, i)
            for j in range(i + 1, n_global):
                step = load(w.step, layout.parameter_of_global[j])
                total = total - load(w.matrix, i * n_global + j) * step
            moved = total * load(w.inverse_global, i)
            store(w.step, p, where_less(fill(0.0), load(w.pinned, p), load(w.step, p), moved))
    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(end - 1, begin - 1, -1):
            p = layout.local_parameter[t]
            total = load(w.right_local, t)
            for u in range(t + 1, end):
                step = load(w.step, layout.local_parameter[u])
                total = total - load(w.block, t * layout.local_block + u - begin) * step
            for i in range(n_global):
                step = load(w.step, layout.parameter_of_global[i])
                total = total - load(w.coupling, t * n_global + i) * step
            moved = total * load(w.inverse_local, t)
            store(w.step, p, where_less(fill(0.0), load(w.pinned, p), load(w.step, p), moved))


@kernel_in_order
def _solve_alone(layout: Layout, s: Scratch, w: System, slot: int) -> None:
    """Global part of the step of one lane: what ``_factorise`` and its way back do for eight."""
    n_global = layout.n_global
    columns = -(-n_global // LANES)
    source = s.hessian if layout.n_local == 0 else w.matrix
    for i in range(n_global):
        first = i // LANES
        store(w.alone, i * columns + first, fill(0.0))  # what lies left of the diagonal is not read
        store(w.alone, i * columns + columns - 1, fill(0.0))
        for j in range(i + 1, n_global):
            w.alone[i * columns + j // LANES, j % LANES] = source[i * n_global + j, slot]
        w.alone[i * columns + first, i % LANES] = w.matrix[i * n_global + i, slot]
    for begin in range(0, n_global, TERMS):
        end = min(begin + TERMS, n_global)
        for j in range(begin, end):
            _finish_row_alone(layout, s, w, slot, begin, j)
        if end < n_global:
            _take_rows_alone(layout, w, slot, begin, end)
    for i in range(n_global - 1, -1, -1):
        p = layout.parameter_of_global[i]
        total = w.right_global[i, slot]
        for j in range(i + 1, n_global):
            step = w.step[layout.parameter_of_global[j], slot]
            total = total - w.alone[i * columns + j // LANES, j % LANES] * step
        if not w.pinned[p, slot] > 0.0:
            w.step[p, slot] = total * w.inverse_global[i, slot]


@kernel_in_order
def _finish_row_alone(layout: Layout, s: Scratch, w: System, slot: int, begin: int, j: int) -> None:
    """Take the rows of the same block from row j of one lane, and invert its pivot."""
    n_global = layout.n_global
    columns = -(-n_global // LANES)
    home, lane = j // LANES, j % LANES
    right = w.right_global[j, slot]
    for i in range(begin, j):
        element = w.alone[i * columns + home, lane]
        minus = 0.0 - element * w.inverse_global[i, slot]
        w.alone_scaled[(i - begin) * columns + home, lane] = minus
        right = right - element * _handed_down_alone(layout, w, slot, i)
    w.right_global[j, slot] = right
    m = home
    while m + 3 < columns:
        at = j * columns + m
        a0, a1 = load(w.alone, at), load(w.alone, at + 1)
        a2, a3 = load(w.alone, at + 2), load(w.alone, at + 3)
        for i in range(begin, j):
            c = fill(w.alone_scaled[(i - begin) * columns + home, lane])
            row = i * columns + m
            a0, a1 = a0 + c * load(w.alone, row), a1 + c * load(w.alone, row + 1)
            a2, a3 = a2 + c * load(w.alone, row + 2), a3 + c * load(w.alone, row + 3)
        store(w.alone, at, a0)
        store(w.alone, at + 1, a1)
        store(w.alone, at + 2, a2)
        store(w.alone, at + 3, a3)
        m += 4
    while m < columns:
        a0 = load(w.alone, j * columns + m)
        for i in range(begin, j):
            c = fill(w.alone_scaled[(i - begin) * columns + home, lane])
            a0 = a0 + c * load(w.alone, i * columns + m)
        store(w.alone, j * columns + m, a0)
        m += 1
    scale = w.scale_global[j, slot]
    damping = w.damping[0, slot]
    diagonal = s.hessian[j * n_global + j, slot] + damping * scale
    inverse, flat, bad = _invert(
        fill(damping),
        fill(w.alone[j * columns + home, lane]),
        fill(diagonal),
        fill(scale),
        fill(right),
        fill(w.pinned[layout.parameter_of_global[j], slot]),
    )
    w.inverse_global[j, slot] = largest(inverse)
    w.flat[0, slot] = w.flat[0, slot] + largest(flat)
    w.indefinite[0, slot] = max(w.indefinite[0, slot], largest(bad))


@kernel_in_order
def _take_rows_alone(layout: Layout, w: System, slot: int, begin: int, end: int) -> None:
    """Take a block of finished rows of one lane from all rows below."""
    n_global = layout.n_global
    columns = -(-n_global // LANES)
    for i in range(begin, end):
        minus = fill(0.0 - w.inverse_global[i, slot])
        down = _handed_down_alone(layout, w, slot, i)
        for m in range(end // LANES, columns):
            element = load(w.alone, i * columns + m)
            store(w.alone_scaled, (i - begin) * columns + m, element * minus)
        for m in range(end, n_global):
            element = w.alone[i * columns + m // LANES, m % LANES]
            w.right_global[m, slot] = w.right_global[m, slot] - element * down
    add_products_alone(w.alone, n_global, end, w.alone_scaled, w.alone, begin, end - begin, True)


@kernel_in_order
def _handed_down_alone(layout: Layout, w: System, slot: int, i: int) -> float:
    """As :func:`_handed_down`, of one lane."""
    p = layout.parameter_of_global[i]
    if w.pinned[p, slot] > 0.0:
        return float(w.step[p, slot])
    return float(w.right_global[i, slot] * w.inverse_global[i, slot])


@kernel_in_order
def _factorise(layout: Layout, s: Scratch, w: System) -> None:
    """U^T D U of the dense part, and the right-hand side along with it.

    A block of rows is factorised row by row, and then taken from all rows below.
    """
    n_global = layout.n_global
    matrix, column = w.matrix, w.scaled
    for begin in range(0, n_global, TERMS):
        end = min(begin + TERMS, n_global)
        for j in range(begin, end):
            p = layout.parameter_of_global[j]
            right = load(w.right_global, j)
            for i in range(begin, j):
                element = load(matrix, i * n_global + j)
                store(column, i - begin, element * load(w.inverse_global, i))
                # right_global[i] holds the right-hand side; what it hands down is row step z_i.
                right = right - element * _handed_down(layout, w, i)
            store(w.right_global, j, right)
            m = j
            while m + 3 < n_global:  # four elements of the row at once
                a0 = load(matrix, j * n_global + m)
                a1 = load(matrix, j * n_global + m + 1)
                a2 = load(matrix, j * n_global + m + 2)
                a3 = load(matrix, j * n_global + m + 3)
                for i in range(begin, j):
                    c = load(column, i - begin)
                    at = i * n_global + m
                    a0 = a0 - c * load(matrix, at)
                    a1 = a1 - c * load(matrix, at + 1)
                    a2 = a2 - c * load(matrix, at + 2)
                    a3 = a3 - c * load(matrix, at + 3)
                store(matrix, j * n_global + m, a0)
                store(matrix, j * n_global + m + 1, a1)
                store(matrix, j * n_global + m + 2, a2)
                store(matrix, j * n_global + m + 3, a3)
                m += 4
            while m < n_global:
                a0 = load(matrix, j * n_global + m)
                for i in range(begin, j):
                    a0 = a0 - load(column, i - begin) * load(matrix, i * n_global + m)
                store(matrix, j * n_global + m, a0)
                m += 1
            at = j * n_global + j
            scale = load(w.scale_global, j)
            diagonal = load(s.hessian, at) + load(w.damping, 0) * scale
            inverse, flat, bad = _invert(
                load(w.damping, 0), load(matrix, at), diagonal, scale, right, load(w.pinned, p)
            )
            _noted(w, flat, bad)
            store(w.inverse_global, j, inverse)
        if end < n_global:
            _take_rows(layout, w, begin, end)


@kernel_in_order
def _take_rows(layout: Layout, w: System, begin: int, end: int) -> None:
    """Take a block of finished rows from all rows below."""
    n_global = layout.n_global
    for i in range(begin, end):
        minus, down = fill(0.0) - load(w.inverse_global, i), _handed_down(layout, w, i)
        for m in range(end, n_global):
            element = load(w.matrix, i * n_global + m)
            store(w.scaled, (i - begin) * n_global + m, element * minus)
            store(w.right_global, m, load(w.right_global, m) - element * down)
    add_products(
        w.matrix, n_global, end,
        w.scaled, 0, 1, n_global,
        w.matrix, begin * n_global, 1, n_global,
        end - begin, True,
    )  # fmt: skip


@kernel_in_order
def _handed_down(layout: Layout, w: System, i: int) -> Vector:
    """What row i hands to the rows below: its solution so far, or the step it was given."""
    p = layout.parameter_of_global[i]
    solved = load(w.right_global, i) * load(w.inverse_global, i)
    return where_less(fill(0.0), load(w.pinned, p), load(w.step, p), solved)


@kernel_in_order
def _eliminate_bin(
    layout: Layout, numbers: Numbers, s: Scratch, w: System, begin: int, end: int
) -> None:
    """Take the local parameters of one bin out of the system."""
    n_global = layout.n_global
    for t in range(begin, end):
        p = layout.local_parameter[t]
        for u in range(begin, end):
            at = t * layout.local_block + u - begin
            store(w.block, at, load(s.local_block, at))
        at = t * layout.local_block + t - begin
        curvature = load(s.local_block, at)
        scale = _damping_scale(layout, s, numbers, p, curvature)
        store(w.block, at, curvature + load(w.damping, 0) * scale)
        store(w.right_local, t, fill(0.0) - load(s.gradient, p))
        for i in range(n_global):
            store(w.coupling, t * n_global + i, load(s.coupling, t * n_global + i))
    for t in range(begin, end):
        p = layout.local_parameter[t]
        pinned = load(w.pinned, p)
        right = load(w.right_local, t)
        at = t * layout.local_block + t - begin
        pivot = load(w.block, at)
        curvature = load(s.local_block, at)
        scale = _damping_scale(layout, s, numbers, p, curvature)
        diagonal = curvature + load(w.damping, 0) * scale
        inverse, flat, bad = _invert(load(w.damping, 0), pivot, diagonal, scale, right, pinned)
        _noted(w, flat, bad)
        store(w.inverse_local, t, inverse)
        down = where_less(fill(0.0), pinned, load(w.step, p), right * inverse)
        for u in range(t + 1, end):
            element = load(w.block, t * layout.local_block + u - begin)
            factor = element * inverse
            for v in range(u, end):
                place = u * layout.local_block + v - begin
                store(
                    w.block,
                    place,
                    load(w.block, place)
                    - factor * load(w.block, t * layout.local_block + v - begin),
                )
            for i in range(n_global):
                place = u * n_global + i
                store(
                    w.coupling,
                    place,
                    load(w.coupling, place) - factor * load(w.coupling, t * n_global + i),
                )
            store(w.right_local, u, load(w.right_local, u) - element * down)
        for i in range(n_global):
            element = load(w.coupling, t * n_global + i)
            if n_global <= FEW:
                factor = element * inverse
                for j in range(i, n_global):
                    place = i * n_global + j
                    store(
                        w.matrix,
                        place,
                        load(w.matrix, place) - factor * load(w.coupling, t * n_global + j),
                    )
            store(w.right_global, i, load(w.right_global, i) - element * down)


@kernel_in_order
def _take_locals(layout: Layout, w: System) -> None:
    """Take the eliminated parameters from the dense part, a block of them at a time."""
    n_global = layout.n_global
    for begin in range(0, layout.n_local, TERMS):
        end = min(begin + TERMS, layout.n_local)
        for t in range(begin, end):
            minus = fill(0.0) - load(w.inverse_local, t)
            for i in range(n_global):
                element = load(w.coupling, t * n_global + i)
                store(w.scaled, (t - begin) * n_global + i, element * minus)
        add_products(
            w.matrix, n_global, 0,
            w.scaled, 0, 1, n_global,
            w.coupling, begin * n_global, 1, n_global,
            end - begin, True,
        )  # fmt: skip
