"""Smooth backgrounds that any HistFactory tool can read: Bernstein polynomials as templates.

Each polynomial is a sample with its own free factor. All are non-negative, so are their sums with
non-negative factors, and any positive polynomial is reached as the order grows.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["bernstein_averages"]


def bernstein_averages(edges: FloatArray, order: int) -> FloatArray:
    """Integrals of the Bernstein polynomials of a window over its bins, times ``order + 1``.

    Parameters
    ----------
    edges
        Edges of the bins; the window is the interval from the first to the last. Shape [bin + 1].
    order
        Degree of the polynomials.

    Returns
    -------
    FloatArray
        Each row sums to one. Shape [order + 1, bin].

    Notes
    -----
    The integral of a Bernstein polynomial is a sum of those of one degree more, so the averages
    are exact: int B_k,n = (1 / (n + 1)) sum_{j > k} B_j,n+1.
    """
    u = (edges - edges[0]) / (edges[-1] - edges[0])
    degree = order + 1
    basis = np.stack(
        [comb(degree, j) * u**j * (1.0 - u) ** (degree - j) for j in range(degree + 1)]
    )
    cumulative = np.stack([basis[k + 1 :].sum(axis=0) for k in range(order + 1)])
    return np.maximum(np.diff(cumulative, axis=1), 0.0)
