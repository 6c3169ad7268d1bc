"""Dirac matrices and spinors of many events at once (Dirac representation).

Amplitudes are built numerically from them, so that masses, spins and interference are exact and
no algebra has to be trusted. Spin sums do not depend on the basis of the spins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from darkstats.arrays import ComplexArray, FloatArray

__all__ = ["GAMMA", "METRIC", "adjoint", "slash", "spinors_u", "spinors_v"]

METRIC = np.array([1.0, -1.0, -1.0, -1.0])
_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=np.complex128)


def _gamma() -> ComplexArray:
    matrices = np.zeros((4, 4, 4), dtype=np.complex128)
    matrices[0] = np.diag([1, 1, -1, -1])
    matrices[1:, :2, 2:] = _PAULI
    matrices[1:, 2:, :2] = -_PAULI
    return matrices


#: gamma^mu. Shape [4, 4, 4].
GAMMA = _gamma()
_LOWER = GAMMA * METRIC[:, None, None]


def slash(p: FloatArray) -> ComplexArray:
    """p_mu gamma^mu of momenta (E, px, py, pz). Shape [..., 4] -> [..., 4, 4]."""
    return np.asarray(np.tensordot(p, _LOWER, axes=(-1, 0)))


def _two_spinors(p: FloatArray, mass_gev: float) -> tuple[FloatArray, ComplexArray]:
    """Normalisation sqrt(E + m), and sigma.p / (E + m) acting on both spins."""
    root = np.sqrt(p[..., 0] + mass_gev)
    lower = np.tensordot(p[..., 1:], _PAULI, axes=(-1, 0)) / (p[..., 0] + mass_gev)[..., None, None]
    return root, np.asarray(np.swapaxes(lower, -1, -2))


def spinors_u(p: FloatArray, mass_gev: float) -> ComplexArray:
    """Both spinors of a fermion. Shape [..., 4] -> [..., spin, 4]."""
    root, lower = _two_spinors(p, mass_gev)
    upper = np.broadcast_to(np.eye(2, dtype=np.complex128), lower.shape)
    return np.asarray(
        np.concatenate([upper, lower], axis=-1) * root[..., None, None], dtype=np.complex128
    )


def spinors_v(p: FloatArray, mass_gev: float) -> ComplexArray:
    """Both spinors of an antifermion. Shape [..., 4] -> [..., spin, 4]."""
    root, upper = _two_spinors(p, mass_gev)
    lower = np.broadcast_to(np.eye(2, dtype=np.complex128), upper.shape)
    return np.asarray(
        np.concatenate([upper, lower], axis=-1) * root[..., None, None], dtype=np.complex128
    )


def adjoint(spinors: ComplexArray) -> ComplexArray:
    """Dirac adjoint, a row. Shape [..., 4] -> [..., 4]."""
    return np.asarray(spinors.conj() * np.array([1.0, 1.0, -1.0, -1.0]))
