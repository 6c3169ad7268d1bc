"""Sums of products in tiles, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from darkstats.kernel import kernel_entry
from darkstats.kernel.products import add_products
from darkstats.kernel.simd import LANES


@kernel_entry
def side_by_side(target, left, right, n, begin, terms):  # noqa: PLR0917 -- kernels take no keywords
    """Factors [item, term]."""
    add_products(target, n, begin, left, 0, terms, 1, right, 0, terms, 1, terms, False)


@kernel_entry
def row_by_row(target, left, right, n, begin, terms):  # noqa: PLR0917 -- kernels take no keywords
    """Factors [term, item]; the sums go on from what is there."""
    add_products(target, n, begin, left, 0, 1, n, right, 0, 1, n, terms, True)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 11, 33])
@pytest.mark.parametrize("terms", [0, 1, 7, 32])
def test_upper_triangle_gains_the_products(n: int, terms: int) -> None:
    """Rows from ``begin`` on gain the sum, to rounding; nothing else is touched."""
    rng = np.random.default_rng((n, terms))
    left, right = rng.normal(size=(2, n, terms, LANES))
    for begin in {0, n // 2, n - 1}:
        before = rng.normal(size=(n, n, LANES))
        wanted = before.copy()
        gained = np.einsum("ikl,jkl->ijl", left, right)
        inside = (np.arange(n)[:, None] <= np.arange(n)) & (np.arange(n)[:, None] >= begin)
        wanted[inside] += gained[inside]
        size = np.einsum("ikl,jkl->ijl", abs(left), abs(right)) + abs(before)
        for entry, order in ((side_by_side, (0, 1, 2)), (row_by_row, (1, 0, 2))):
            target = before.reshape(n * n, LANES).copy()
            factors = [np.ascontiguousarray(f.transpose(order)).reshape(-1, LANES)
                       for f in (left, right)]  # fmt: skip
            entry(target, *factors, n, begin, terms)
            got = target.reshape(n, n, LANES)
            # Each of the sums rounds once a term: (terms + 1) half units of their sizes.
            assert (abs(got - wanted) <= (terms + 2) * 1.2e-16 * size).all()
            assert (got[~inside] == before[~inside]).all()
