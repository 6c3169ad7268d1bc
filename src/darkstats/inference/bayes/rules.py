"""Quadrature rules: few nodes that stand for a whole distribution.

A nuisance parameter enters a rate through a *factor*. The distribution of a factor, or of a
product or sum of independent ones, is first written as many atoms, then reduced to the Gauss rule
with the same moments (Lanczos, Golub and Welsch), which integrates what is smooth to all digits.

All functions work on many distributions at once: leading axes, the last one is the atom.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from darkstats.arrays import FloatArray

__all__ = [
    "combine",
    "gamma_rule",
    "gauss_rule",
    "legendre_panels",
    "legendre_rule",
    "log_gamma",
    "normsys_derivatives",
    "normsys_factor",
]


@cache
def legendre_rule(n: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [-1, 1]. Shapes [n], [n]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def legendre_panels(edges: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre on consecutive panels. Shapes: [..., panel + 1] -> two of [..., panel n]."""
    nodes, weights = legendre_rule(n)
    edges = np.asarray(edges, dtype=np.float64)
    half = 0.5 * np.diff(edges, axis=-1)[..., np.newaxis]
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])[..., np.newaxis]
    shape = (*edges.shape[:-1], -1)
    return (middle + half * nodes).reshape(shape), (half * weights).reshape(shape)


def combine(
    left: tuple[FloatArray, FloatArray], right: tuple[FloatArray, FloatArray], *, product: bool
) -> tuple[FloatArray, FloatArray]:
    """Product or sum of two independent variables, all pairs of atoms."""
    x, y = left[0][..., :, np.newaxis], right[0][..., np.newaxis, :]
    values = x * y if product else x + y
    weights = left[1][..., :, np.newaxis] * right[1][..., np.newaxis, :]
    shape = (*values.shape[:-2], -1)
    return values.reshape(shape), np.broadcast_to(weights, values.shape).reshape(shape)


def gauss_rule(values: FloatArray, weights: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Gauss rule of a discrete distribution, up to ``n`` nodes.

    Parameters
    ----------
    values, weights
        Atoms and their weights, not negative. Shapes [..., atom].
    n
        Nodes; with as many atoms or fewer, the atoms come back as they are.

    Returns
    -------
    tuple of FloatArray
        Nodes in the range of the atoms, weights of the same sum. Shapes [..., n].

    Notes
    -----
    G. H. Golub, J. H. Welsch, Math. Comp. 23 (1969) 221; the recurrence from Lanczos' procedure
    with full reorthogonalisation, on atoms that are moved to mean 0 and width 1.
    """
    if values.shape[-1] <= n:
        return values, weights
    total = weights.sum(axis=-1, keepdims=True)
    probability = weights / total
    mean = (probability * values).sum(axis=-1, keepdims=True)
    width = np.sqrt((probability * (values - mean) ** 2).sum(axis=-1, keepdims=True))
    # What varies by less than rounding can resolve is one number.
    sharp = width <= 1e-13 * np.abs(mean)
    scaled = np.where(sharp, 0.0, (values - mean) / np.where(sharp, 1.0, width))
    basis = np.sqrt(probability)[..., np.newaxis, :]
    diagonal = np.zeros((*values.shape[:-1], n))
    beside = np.zeros((*values.shape[:-1], n - 1))
    for k in range(n):
        vector = scaled * basis[..., k, :]
        diagonal[..., k] = (vector * basis[..., k, :]).sum(axis=-1)
        if k == n - 1:
            break
        for _ in range(2):
            overlap = basis @ vector[..., np.newaxis]
            vector = vector - (np.swapaxes(overlap, -1, -2) @ basis)[..., 0, :]
        size = np.sqrt((vector**2).sum(axis=-1))
        alive = size > 1e-12
        beside[..., k] = np.where(alive, size, 0.0)
        vector = np.where(
            alive[..., np.newaxis], vector / np.where(alive, size, 1.0)[..., np.newaxis], 0.0
        )
        basis = np.concatenate([basis, vector[..., np.newaxis, :]], axis=-2)
    matrix = np.zeros((*values.shape[:-1], n, n))
    index = np.arange(n)
    matrix[..., index, index] = diagonal
    matrix[..., index[1:], index[:-1]] = beside
    nodes, vectors = np.linalg.eigh(matrix)  # the lower triangle is all that it reads
    return mean + width * nodes, total * vectors[..., 0, :] ** 2


def gamma_rule(shape: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Atoms of gamma distributions of mean 1, dense in the logarithm down to a part of 1e-15.

    Powers of a gamma variable, the inverse too, are then integrated as well as the variable itself.
    Shapes: [...] -> two of [..., 8 n].
    """
    k = np.asarray(shape, dtype=np.float64)[..., np.newaxis]
    low = -36.0 / k - 9.0 / np.sqrt(k)
    high = np.log1p(9.0 / np.sqrt(k) + 36.0 / k)
    middle = np.maximum(low + 0.375 * (high - low), -3.0)
    edges = [low + (middle - low) * np.linspace(0.0, 1.0, 4)[:-1]]
    edges.append(middle + (high - middle) * np.linspace(0.0, 1.0, 6))
    x, weight = legendre_panels(np.concatenate(edges, axis=-1), n)
    weight = weight * np.exp(k * (x - np.expm1(x)))
    return np.exp(x), weight / weight.sum(axis=-1, keepdims=True)


def normsys_factor(alpha: FloatArray, coefficients: FloatArray, code: int) -> FloatArray:
    """Factor of a normsys at ``alpha``. Shapes: [..., atom], [..., 8] -> [..., atom]."""
    c = coefficients[..., np.newaxis, :]
    slope = np.where(alpha > 0.0, c[..., 0], -c[..., 1])
    outside = np.exp(slope * alpha)
    if code != 4:
        return np.asarray(outside)
    inside = np.zeros(np.broadcast_shapes(alpha.shape, c.shape[:-1]))
    for k in range(7, 1, -1):
        inside = (inside + c[..., k]) * alpha
    return np.where(np.abs(alpha) < 1.0, 1.0 + inside, outside)


def normsys_derivatives(
    alpha: FloatArray, coefficients: FloatArray, code: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Factor of one normsys at ``alpha`` and its first three derivatives. Any shape."""
    slope = np.where(alpha > 0.0, coefficients[0], -coefficients[1])
    value = np.exp(slope * alpha)
    outside = [slope**k * value for k in range(4)]
    if code != 4:
        return outside[0], outside[1], outside[2], outside[3]
    polynomial = np.polynomial.Polynomial([1.0, *coefficients[2:]])
    near = np.abs(alpha) < 1.0
    found = [
        np.where(near, (polynomial.deriv(k) if k else polynomial)(alpha), outside[k])
        for k in range(4)
    ]
    return found[0], found[1], found[2], found[3]


def log_gamma(x: FloatArray) -> FloatArray:
    """Natural logarithm of the gamma function, element by element."""
    flat = np.asarray(x, dtype=np.float64)
    return np.array([math.lgamma(value) for value in flat.ravel()]).reshape(flat.shape)
