"""Sums of products into the upper triangle of a dense matrix, for eight lanes.

Every dense part of a Newton step is such a sum: the curvature J^T v J, what eliminated gammas
leave behind, what the rows of a factor hand to those below. It is taken in tiles of four rows and
four columns, whose sixteen sums stay in registers: a matrix of 500 parameters, 16 MB for eight
lanes, is then walked once for each block of terms and not once for each term.
"""

from __future__ import annotations

from darkstats.kernel import kernel_in_order
from darkstats.kernel.simd import LANES, Floats, Vector, fill, load, store

__all__ = ["ALONE", "FEW", "LARGE", "TERMS", "add_products", "add_products_alone", "alone"]

TERMS = 32  # of a block: four columns of them (8 kB) stay in the nearest cache
FEW = 16  # columns: up to so many the matrix stays near anyway, and plain loops are quicker
ALONE = 3  # lanes: where no more than so many ask, each is worked on by itself ...
LARGE = 48  # ... in systems of more global parameters than this
_TILE = 4


@kernel_in_order
def _put(
    target: Floats, n: int, i: int, j: int, last: int, chained: bool,
    a0: Vector, a1: Vector, a2: Vector, a3: Vector,
) -> None:  # fmt: skip
    """Write one row of a tile, as far as it lies in the upper triangle."""
    if i < n:
        at = i * n + j
        if chained:
            if i <= j:
                store(target, at, a0)
            if j + 1 <= last and i <= j + 1:
                store(target, at + 1, a1)
            if j + 2 <= last and i <= j + 2:
                store(target, at + 2, a2)
            if j + 3 <= last and i <= j + 3:
                store(target, at + 3, a3)
        else:
            if i <= j:
                store(target, at, load(target, at) + a0)
            if j + 1 <= last and i <= j + 1:
                store(target, at + 1, load(target, at + 1) + a1)
            if j + 2 <= last and i <= j + 2:
                store(target, at + 2, load(target, at + 2) + a2)
            if j + 3 <= last and i <= j + 3:
                store(target, at + 3, load(target, at + 3) + a3)


@kernel_in_order
def add_products(
    target: Floats,
    n: int,
    begin: int,
    left: Floats,
    left_at: int,
    left_item: int,
    left_term: int,
    right: Floats,
    right_at: int,
    right_item: int,
    right_term: int,
    terms: int,
    chained: bool,
) -> None:
    """Add sum_k left[i, k] right[j, k] to the elements i <= j of ``target`` [n, n], i >= ``begin``.

    Element (i, k) of a factor lies at its ``at + i * item + k * term``. ``chained``: the sum begins
    with the element itself, as if its terms had been added one by one; else with zero.
    """
    last = n - 1
    for i in range(begin, n, _TILE):
        # Beyond the last row or column the last one is computed again and not written.
        l0 = left_at + i * left_item
        l1 = left_at + min(i + 1, last) * left_item
        l2 = left_at + min(i + 2, last) * left_item
        l3 = left_at + min(i + 3, last) * left_item
        for j in range(i, n, _TILE):
            r0 = right_at + j * right_item
            r1 = right_at + min(j + 1, last) * right_item
            r2 = right_at + min(j + 2, last) * right_item
            r3 = right_at + min(j + 3, last) * right_item
            zero = fill(0.0)
            a00, a01, a02, a03 = zero, zero, zero, zero
            a10, a11, a12, a13 = zero, zero, zero, zero
            a20, a21, a22, a23 = zero, zero, zero, zero
            a30, a31, a32, a33 = zero, zero, zero, zero
            if chained:
                j1, j2, j3 = min(j + 1, last), min(j + 2, last), min(j + 3, last)
                row = i * n
                a00, a01 = load(target, row + j), load(target, row + j1)
                a02, a03 = load(target, row + j2), load(target, row + j3)
                row = min(i + 1, last) * n
                a10, a11 = load(target, row + j), load(target, row + j1)
                a12, a13 = load(target, row + j2), load(target, row + j3)
                row = min(i + 2, last) * n
                a20, a21 = load(target, row + j), load(target, row + j1)
                a22, a23 = load(target, row + j2), load(target, row + j3)
                row = min(i + 3, last) * n
                a30, a31 = load(target, row + j), load(target, row + j1)
                a32, a33 = load(target, row + j2), load(target, row + j3)
            for k in range(terms):
                x0, x1 = load(right, r0 + k * right_term), load(right, r1 + k * right_term)
                x2, x3 = load(right, r2 + k * right_term), load(right, r3 + k * right_term)
                c = load(left, l0 + k * left_term)
                a00, a01, a02, a03 = a00 + c * x0, a01 + c * x1, a02 + c * x2, a03 + c * x3
                c = load(left, l1 + k * left_term)
                a10, a11, a12, a13 = a10 + c * x0, a11 + c * x1, a12 + c * x2, a13 + c * x3
                c = load(left, l2 + k * left_term)
                a20, a21, a22, a23 = a20 + c * x0, a21 + c * x1, a22 + c * x2, a23 + c * x3
                c = load(left, l3 + k * left_term)
                a30, a31, a32, a33 = a30 + c * x0, a31 + c * x1, a32 + c * x2, a33 + c * x3
            _put(target, n, i, j, last, chained, a00, a01, a02, a03)
            _put(target, n, i + 1, j, last, chained, a10, a11, a12, a13)
            _put(target, n, i + 2, j, last, chained, a20, a21, a22, a23)
            _put(target, n, i + 3, j, last, chained, a30, a31, a32, a33)


@kernel_in_order
def alone(n: int, asking: Floats) -> bool:
    """Whether lanes are worked on one by one, eight columns of ``n`` to a vector."""
    lanes = 0
    for slot in range(LANES):
        if asking[0, slot] > 0.0:
            lanes += 1
    return bool(n > LARGE and lanes <= ALONE)


@kernel_in_order
def add_products_alone(
    target: Floats, n: int, begin: int, left: Floats, right: Floats, first: int, terms: int,
    chained: bool,
) -> None:  # fmt: skip
    """As :func:`add_products`, of one lane, with the same bits.

    Vectors hold eight columns: ``target`` is [n, columns], ``left`` and ``right`` are [term,
    columns], the latter from row ``first`` on. What lies left of the diagonal is not meant.
    """
    columns = -(-n // LANES)
    last = n - 1
    for i in range(begin, n, _TILE):
        # Beyond the last row the last one is computed again, and written once.
        i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
        for m in range(i // LANES, columns):
            zero = fill(0.0)
            a0, a1, a2, a3 = zero, zero, zero, zero
            if chained:
                a0, a1 = load(target, i * columns + m), load(target, i1 * columns + m)
                a2, a3 = load(target, i2 * columns + m), load(target, i3 * columns + m)
            for k in range(terms):
                x, at = load(right, (first + k) * columns + m), k * columns
                a0 = a0 + fill(left[at + i // LANES, i % LANES]) * x
                a1 = a1 + fill(left[at + i1 // LANES, i1 % LANES]) * x
                a2 = a2 + fill(left[at + i2 // LANES, i2 % LANES]) * x
                a3 = a3 + fill(left[at + i3 // LANES, i3 % LANES]) * x
            _put_alone(target, n, i * columns + m, i, chained, a0)
            _put_alone(target, n, (i + 1) * columns + m, i + 1, chained, a1)
            _put_alone(target, n, (i + 2) * columns + m, i + 2, chained, a2)
            _put_alone(target, n, (i + 3) * columns + m, i + 3, chained, a3)


@kernel_in_order
def _put_alone(target: Floats, n: int, at: int, i: int, chained: bool, value: Vector) -> None:
    if i < n:
        if chained:
            store(target, at, value)
        else:
            store(target, at, load(target, at) + value)
