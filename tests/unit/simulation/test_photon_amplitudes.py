"""Pairs of photons, and a photon beside a vector boson, against diagrams made of Dirac matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss

from darkstats.arrays import ComplexArray, FloatArray
from darkstats.signals.dirac import GAMMA, METRIC, adjoint, slash, spinors_u, spinors_v
from darkstats.simulation.kinematics import ALPHA, CM_ENERGY_GEV, PB_GEV2
from darkstats.simulation.photon_vector import PhotonVector
from darkstats.simulation.two_photons import TwoPhotons

_HALF = 0.5 * CM_ENERGY_GEV
_ELECTRON = np.array([_HALF, 0.0, 0.0, _HALF])
_POSITRON = np.array([_HALF, 0.0, 0.0, -_HALF])


def _propagator(momentum: FloatArray) -> ComplexArray:
    """Of a fermion without mass. Shape [..., 4] -> [..., 4, 4]."""
    return np.asarray(slash(momentum) / (momentum**2 @ METRIC)[..., None, None])


def _per_cosine(cosine: FloatArray, mass_gev: float) -> FloatArray:
    """dsigma/dcos of e+e- -> gamma V with unit charge, pb: both diagrams, all spins summed."""
    energy = (CM_ENERGY_GEV**2 - mass_gev**2) / (2.0 * CM_ENERGY_GEV)
    sine = np.sqrt(1.0 - cosine**2)
    photon = energy * np.stack([np.ones_like(cosine), sine, 0.0 * cosine, cosine], axis=-1)
    u = spinors_u(_ELECTRON, 0.0)
    v = adjoint(spinors_v(_POSITRON, 0.0))
    first = _propagator(_ELECTRON - photon)  # the electron after the photon
    second = _propagator(photon - _POSITRON)  # after the boson
    total = np.zeros(len(cosine))
    for mu in range(4):
        for nu in range(4):
            chain = GAMMA[nu] @ first @ GAMMA[mu] + GAMMA[mu] @ second @ GAMMA[nu]
            amplitude = np.einsum("si,eij,tj->est", v, chain, u)
            total += METRIC[mu] * METRIC[nu] * (np.abs(amplitude) ** 2).sum(axis=(1, 2))
    charge = (4.0 * math.pi * ALPHA) ** 2
    flux, phase_space = 2.0 * CM_ENERGY_GEV**2, energy / (8.0 * math.pi * CM_ENERGY_GEV)
    return 0.25 * charge * total / flux * phase_space * PB_GEV2


def test_the_diagrams_have_a_conserved_current() -> None:
    """With the momentum of the photon for its polarisation nothing is left."""
    cosine = np.linspace(-0.9, 0.9, 7)
    energy = (CM_ENERGY_GEV**2 - 9.0) / (2.0 * CM_ENERGY_GEV)
    sine = np.sqrt(1.0 - cosine**2)
    photon = energy * np.stack([np.ones_like(cosine), sine, 0.0 * cosine, cosine], axis=-1)
    first, second = _propagator(_ELECTRON - photon), _propagator(photon - _POSITRON)
    chain = GAMMA[1] @ first @ slash(photon) + slash(photon) @ second @ GAMMA[1]
    v, u = adjoint(spinors_v(_POSITRON, 0.0)), spinors_u(_ELECTRON, 0.0)
    assert np.abs(np.einsum("si,eij,tj->est", v, chain, u)).max() < 1e-10


def test_two_photons_have_the_weights_of_the_diagrams() -> None:
    """Event by event: the rapidity is flat, and each pair of photons is counted once."""
    reach = math.atanh(0.95)
    process = TwoPhotons(max_cosine=0.95, isr=False)
    block = process.generate(2000, np.random.default_rng(5))
    first = block.momentum.reshape(-1, 2, 4)[:, 0]
    cosine = first[:, 3] / first[:, 0]
    exact = 0.5 * _per_cosine(cosine, 0.0) * (1.0 - cosine**2) * 2.0 * reach
    np.testing.assert_allclose(block.weight_pb, exact, rtol=1e-9)


@pytest.mark.parametrize("mass_gev", [0.05, 1.0, 5.0, 9.5])
def test_a_photon_beside_a_vector_has_the_weights_of_the_diagrams(mass_gev: float) -> None:
    """Event by event, for a cross section of 1 pb within the cosine."""
    reach = math.atanh(0.95)
    process = PhotonVector(mass_gev=mass_gev, decay="invisible", isr=False)
    block = process.generate(2000, np.random.default_rng(7))
    cosine = block.momentum[:, 3] / block.momentum[:, 0]
    nodes, weights = leggauss(200)
    places = np.tanh(reach * nodes)
    total = float((weights * _per_cosine(places, mass_gev) * (1.0 - places**2)).sum() * reach)
    exact = _per_cosine(cosine, mass_gev) * (1.0 - cosine**2) * 2.0 * reach / total
    np.testing.assert_allclose(block.weight_pb, exact, rtol=1e-9)


def test_the_total_rate_is_that_of_the_charge() -> None:
    """2 pi alpha^2 / s times ln and polynomial, both diagrams, within the cosine."""
    mass_gev, c = 3.0, 0.95
    s = CM_ENERGY_GEV**2
    x = mass_gev**2 / s
    log = math.log((1.0 + c) / (1.0 - c))
    known = 2.0 * math.pi * ALPHA**2 / s * PB_GEV2 * (1.0 - x)
    known *= 2.0 * (1.0 + x**2) / (1.0 - x) ** 2 * log - 2.0 * c
    nodes, weights = leggauss(200)
    places = np.tanh(math.atanh(c) * nodes)
    found = (weights * _per_cosine(places, mass_gev) * (1.0 - places**2)).sum() * math.atanh(c)
    assert found == pytest.approx(known, rel=1e-9)
