"""Random fields with known laws, for the tests of the look-elsewhere effect."""

from __future__ import annotations

import math

import numpy as np

from darkstats.arrays import FloatArray


def cosine_scans(n_toys: int, angles: FloatArray, seed: int) -> FloatArray:
    """Stationary normal process a cos t + b sin t: second derivative of its correlation -1.

    On an arc of length L <= pi the largest value exceeds z with probability
    P(Z > z) + L / (2 pi) exp(-z^2 / 2), exactly: there is one excursion at most.
    """
    normal = np.random.default_rng(seed).standard_normal((n_toys, 2))
    return normal @ np.stack([np.cos(angles), np.sin(angles)])


def cosine_p_global(z: float, arc: float) -> float:
    local = 0.5 * math.erfc(z / math.sqrt(2.0))
    return local + arc / (2.0 * math.pi) * math.exp(-0.5 * z * z)


def smooth_factor(x: FloatArray, length: float) -> FloatArray:
    """Factor of the correlation exp(-d^2 / (2 length^2)): scans are normal numbers times it."""
    correlation = np.exp(-0.5 * ((x[:, np.newaxis] - x) / length) ** 2)
    values, vectors = np.linalg.eigh(correlation)
    kept = values > 1e-13 * values[-1]
    return (vectors[:, kept] * np.sqrt(values[kept])).T


def smooth_planes(
    n_toys: int, x: FloatArray, y: FloatArray, length: float, seed: int
) -> FloatArray:
    """Isotropic smooth normal fields with unit variance. Shape [toy, x, y]."""
    first, second = smooth_factor(x, length), smooth_factor(y, length)
    normal = np.random.default_rng(seed).standard_normal((n_toys, len(first), len(second)))
    return np.einsum("tab,ax,by->txy", normal, first, second, optimize=True)
