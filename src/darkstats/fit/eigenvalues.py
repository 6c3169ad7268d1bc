"""Extreme eigenvalues of positive matrices, without the others where these are many."""

from __future__ import annotations

import math

import numpy as np

from darkstats.arrays import FloatArray

__all__ = ["largest_eigenvalue"]

MOST_STEPS = 300
ACCURACY = 1e-11  # relative, of the eigenvalue; its bound is the residual of its vector


def largest_eigenvalue(matrix: FloatArray) -> float | None:
    """Largest eigenvalue of a symmetric positive matrix; None where it does not settle.

    Parameters
    ----------
    matrix
        Shape [n, n].

    Notes
    -----
    Lanczos' procedure from a fixed random vector, each new vector made orthogonal to all before
    (G. H. Golub, C. F. van Loan, Matrix Computations, 4th ed., section 10.1): some tens of products
    of the matrix with a vector, where all eigenvalues take n^3 operations.
    """
    n = len(matrix)
    vector = np.random.default_rng(0).standard_normal(n)
    basis = np.empty((min(MOST_STEPS, n), n))
    diagonal: list[float] = []
    beside: list[float] = []
    basis[0] = vector / np.linalg.norm(vector)
    for k in range(len(basis)):
        image = matrix @ basis[k]
        diagonal.append(float(image @ basis[k]))
        for _ in range(2):  # once leaves rounding that grows
            image -= basis[: k + 1].T @ (basis[: k + 1] @ image)
        rest = float(np.linalg.norm(image))
        small = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, vectors = np.linalg.eigh(small)
        found = float(values[-1])
        if rest * abs(float(vectors[-1, -1])) <= ACCURACY * found:
            return found
        if k + 1 == len(basis) or not math.isfinite(rest):
            return None
        beside.append(rest)
        basis[k + 1] = image / rest
    return None
