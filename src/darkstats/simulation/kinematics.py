"""Boosts, decays and angles of many events at once. Momenta are (E, px, py, pz), GeV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.signals.constants import (
    ALPHA,
    BOOST_BETA,
    CM_ENERGY_GEV,
    M_ELECTRON_GEV,
    M_MUON_GEV,
    M_TAU_GEV,
    PB_GEV2,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from darkstats.arrays import FloatArray

__all__ = [
    "ALPHA",
    "BOOST_BETA",
    "CM_ENERGY_GEV",
    "M_E",
    "M_MU",
    "M_TAU",
    "PB_GEV2",
    "boost_to",
    "boost_z",
    "dot",
    "invariant_mass_squared",
    "isotropic",
    "massless",
    "moving",
    "to_cm",
    "to_lab",
    "two_body_momentum",
    "unit_vectors",
]

M_E, M_MU, M_TAU = M_ELECTRON_GEV, M_MUON_GEV, M_TAU_GEV


def dot(p: FloatArray, q: FloatArray) -> FloatArray:
    """Minkowski product, signature (+, -, -, -). Shapes [..., 4], [..., 4] -> [...]."""
    product = p[..., 0] * q[..., 0] - (p[..., 1:] * q[..., 1:]).sum(axis=-1)
    return np.asarray(product, dtype=np.float64)


def invariant_mass_squared(p: FloatArray) -> FloatArray:
    """Squared mass, GeV^2; rounding may leave it slightly negative. Shape [..., 4] -> [...]."""
    return dot(p, p)


def boost_z(p: FloatArray, beta: npt.ArrayLike) -> FloatArray:
    """Boost along z: what is at rest moves with velocity ``beta`` afterwards.

    Parameters
    ----------
    p
        Momenta. Shape [..., 4].
    beta
        Velocity; broadcasts against the leading axes.
    """
    beta = np.asarray(beta, dtype=np.float64)
    gamma = 1.0 / np.sqrt(1.0 - beta**2)
    boosted = p.copy()
    boosted[..., 0] = gamma * (p[..., 0] + beta * p[..., 3])
    boosted[..., 3] = gamma * (p[..., 3] + beta * p[..., 0])
    return boosted


def boost_to(p: FloatArray, frame: FloatArray) -> FloatArray:
    """Boost momenta out of the rest frame of ``frame``, a massive momentum. Shapes [..., 4]."""
    mass = np.sqrt(invariant_mass_squared(frame))
    along = (p[..., 1:] * frame[..., 1:]).sum(axis=-1)
    energy = (p[..., 0] * frame[..., 0] + along) / mass
    factor = (p[..., 0] + energy) / (frame[..., 0] + mass)
    boosted = np.empty(np.broadcast_shapes(p.shape, frame.shape))
    boosted[..., 0] = energy
    boosted[..., 1:] = p[..., 1:] + factor[..., None] * frame[..., 1:]
    return boosted


def to_lab(p: FloatArray) -> FloatArray:
    """From the centre-of-mass frame to the laboratory."""
    return boost_z(p, BOOST_BETA)


def to_cm(p: FloatArray) -> FloatArray:
    """From the laboratory to the centre-of-mass frame."""
    return boost_z(p, -BOOST_BETA)


def two_body_momentum(
    mass: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike
) -> FloatArray:
    """Momentum of the daughters of a two-body decay in the rest frame, GeV; 0 below threshold."""
    m, a, b = (np.asarray(x, dtype=np.float64) for x in (mass, first, second))
    product = (m**2 - (a + b) ** 2) * (m**2 - (a - b) ** 2)
    return np.asarray(np.sqrt(np.maximum(product, 0.0)) / (2.0 * m))


def unit_vectors(cosine: FloatArray, phi: FloatArray) -> FloatArray:
    """Directions with polar cosine and azimuth. Shapes [n], [n] -> [n, 3]."""
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    return np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=-1)


def isotropic(n: int, rng: np.random.Generator) -> FloatArray:
    """Return ``n`` isotropic unit vectors. Shape [n, 3]."""
    return unit_vectors(rng.uniform(-1.0, 1.0, n), rng.uniform(0.0, 2.0 * np.pi, n))


def massless(energy: FloatArray, direction: FloatArray) -> FloatArray:
    """Momenta of massless particles. Shapes [n], [n, 3] -> [n, 4]."""
    return np.concatenate([energy[:, None], energy[:, None] * direction], axis=-1)


def moving(
    mass_gev: FloatArray | float, momentum_gev: FloatArray | float, axis: FloatArray
) -> FloatArray:
    """Momenta of particles that fly along axes. Shapes [n] or none, [n, 3] -> [n, 4]."""
    size = np.broadcast_to(np.asarray(momentum_gev, dtype=np.float64), len(axis))
    energy = np.hypot(size, mass_gev)
    return np.concatenate([energy[:, None], size[:, None] * axis], axis=1)
