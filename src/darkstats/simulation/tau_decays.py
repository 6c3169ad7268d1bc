"""Decays of taus in their rest frame: charged particles, and the polarimeters of two of them.

Leptons have the exact spectrum, with both masses. tau -> rho nu and tau -> a1 nu have Breit-Wigner
masses; the rho of an unpolarised tau is longitudinal in m_tau^2 of m_tau^2 + 2 m_rho^2 parts, and
a1 -> rho pi is isotropic. Photons of neutral pions are left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from darkstats.signals.hadronic_ratio import M_PION_GEV
from darkstats.simulation.kinematics import (
    M_E,
    M_MU,
    M_TAU,
    boost_to,
    isotropic,
    two_body_momentum,
)
from darkstats.simulation.pythia import TAU_TO_ELECTRON, TAU_TO_MUON

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray

__all__ = [
    "ONE_PRONG",
    "TAU_TO_PION",
    "TAU_TO_THREE_PIONS",
    "leptonic_decay",
    "one_prong",
    "pion_decay",
    "three_pions",
]

#: Branching fractions, Particle Data Group: pi nu; 3 pi nu with and without a pi0.
TAU_TO_PION, TAU_TO_THREE_PIONS = 0.1082, 0.1364
_TAU_TO_RHO, _TAU_TO_PION_2PI0 = 0.2549, 0.0926
_SHARES = (TAU_TO_ELECTRON, TAU_TO_MUON, TAU_TO_PION, _TAU_TO_RHO, _TAU_TO_PION_2PI0)
#: Sum of the decays to one charged particle that are made here; all of them are 0.852.
ONE_PRONG = sum(_SHARES)
_RHO_GEV, _A1_GEV = (0.775, 0.149), (1.23, 0.42)  # mass and width
_MOST_GEV = M_TAU - 1e-3


def leptonic_decay(
    n: int, mass_gev: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Charged lepton in the rest frame of an unpolarised tau, and the polarimeter direction."""
    ratio = (mass_gev / M_TAU) ** 2
    y = np.linspace(0.0, 1.0 - ratio, 4001)  # 2 E / m of the light lepton's neutrino
    density = y**2 * (1.0 - y - ratio) ** 2 / np.maximum(1.0 - y, 1e-12)
    cumulative = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))))
    fraction = np.interp(rng.random(n) * cumulative[-1], cumulative, y)
    polarimeter = isotropic(n, rng)
    neutrino = 0.5 * M_TAU * fraction
    rest = np.concatenate([(M_TAU - neutrino)[:, None], -neutrino[:, None] * polarimeter], axis=1)
    mass_squared = M_TAU**2 * (1.0 - fraction)
    root = np.sqrt(mass_squared)
    energy = (mass_squared + mass_gev**2) / (2.0 * root)
    momentum = (mass_squared - mass_gev**2) / (2.0 * root)
    lepton = np.concatenate([energy[:, None], momentum[:, None] * isotropic(n, rng)], axis=1)
    return boost_to(lepton, rest), polarimeter


def pion_decay(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Pion of tau -> pi nu in the rest frame of an unpolarised tau, and its direction."""
    polarimeter = isotropic(n, rng)
    energy = (M_TAU**2 + M_PION_GEV**2) / (2.0 * M_TAU)
    momentum = (M_TAU**2 - M_PION_GEV**2) / (2.0 * M_TAU)
    pion = np.concatenate([np.full((n, 1), energy), momentum * polarimeter], axis=1)
    return pion, polarimeter


def _masses(
    resonance: tuple[float, float], low: float, high: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Breit-Wigner masses between two ends. Shape of ``high``."""
    mass, width = resonance
    ends = [np.arctan((np.asarray(m) ** 2 - mass**2) / (mass * width)) for m in (low, high)]
    angle = ends[0] + (ends[1] - ends[0]) * rng.random(high.shape)
    return np.asarray(np.sqrt(mass**2 + mass * width * np.tan(angle)))


def _pair(
    parent: FloatArray, one_gev: FloatArray | float, two_gev: float, axis: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Both daughters of a two-body decay, the first along ``axis`` in the rest frame."""
    mass = np.sqrt(np.maximum(parent[:, 0] ** 2 - (parent[:, 1:] ** 2).sum(axis=1), 1e-12))
    momentum = two_body_momentum(mass, one_gev, two_gev)
    energy = np.sqrt(np.asarray(one_gev) ** 2 + momentum**2)
    first = boost_to(np.concatenate([energy[:, None], momentum[:, None] * axis], axis=1), parent)
    return first, parent - first


def _beside_neutrino(mass_gev: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Momentum of a hadronic system, in the rest frame of the tau. Shape [decay, 4]."""
    size = (M_TAU**2 - mass_gev**2) / (2.0 * M_TAU)
    return np.concatenate(
        [np.hypot(size, mass_gev)[:, None], size[:, None] * isotropic(len(size), rng)], axis=1
    )


def _rho_pion(n: int, rng: np.random.Generator) -> FloatArray:
    """Charged pion of tau -> rho nu."""
    mass = _masses(_RHO_GEV, 2.0 * M_PION_GEV + 1e-3, np.full(n, _MOST_GEV), rng)
    rho = _beside_neutrino(mass, rng)
    along = rho[:, 1:] / np.linalg.norm(rho[:, 1:], axis=1)[:, None]
    uniform, choice = rng.random((2, n))
    longitudinal = choice < M_TAU**2 / (M_TAU**2 + 2.0 * mass**2)
    # c^2, or 1 - c^2, whose distribution function is cubic
    wide = 2.0 * np.cos((np.arccos(1.0 - 2.0 * uniform) + 4.0 * math.pi) / 3.0)
    cosine = np.where(longitudinal, np.cbrt(2.0 * uniform - 1.0), wide)
    helper = np.cross(along, isotropic(n, rng))
    helper /= np.linalg.norm(helper, axis=1)[:, None]
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    axis = cosine[:, None] * along + sine[:, None] * helper
    return _pair(rho, M_PION_GEV, M_PION_GEV, axis)[0]


def _a1_pions(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The pion beside the rho of tau -> a1 nu, and both pions of the rho."""
    mass = _masses(_A1_GEV, 3.0 * M_PION_GEV + 5e-3, np.full(n, _MOST_GEV), rng)
    inner = _masses(_RHO_GEV, 2.0 * M_PION_GEV + 1e-3, mass - M_PION_GEV - 1e-3, rng)
    rho, alone = _pair(_beside_neutrino(mass, rng), inner, M_PION_GEV, isotropic(n, rng))
    return alone, *_pair(rho, M_PION_GEV, M_PION_GEV, isotropic(n, rng))


def one_prong(n: int, rng: np.random.Generator) -> tuple[FloatArray, IndexArray]:
    """Charged particles of unpolarised taus that decay to one.

    Returns
    -------
    tuple
        Momenta in the rest frame, shape [decay, 4], and what they are, of a negative tau: 11, 13
        or -211. Shape [decay].
    """
    edges = np.cumsum(_SHARES) / ONE_PRONG
    mode = np.searchsorted(edges[:-1], rng.random(n), side="right")
    made = (
        leptonic_decay(n, M_E, rng)[0],
        leptonic_decay(n, M_MU, rng)[0],
        pion_decay(n, rng)[0],
        _rho_pion(n, rng),
        _a1_pions(n, rng)[1],
    )
    momentum = np.select([(mode == k)[:, None] for k in range(len(made))], made)
    codes = np.array([11, 13, -211, -211, -211], dtype=np.int64)
    return np.asarray(momentum), np.asarray(codes[mode])


def three_pions(n: int, rng: np.random.Generator) -> tuple[FloatArray, IndexArray]:
    """Charged pions of tau -> 3 pi nu by an a1. Shape [decay, pion, 4]; of a negative tau.

    Returns
    -------
    tuple
        Momenta in the rest frame, shape [decay, 3, 4], and what they are, shape [3].
    """
    return np.stack(_a1_pions(n, rng), axis=1), np.array([-211, -211, 211], dtype=np.int64)
