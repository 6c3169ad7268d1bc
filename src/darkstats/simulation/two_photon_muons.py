"""e+e- -> e+e- mu+mu- from the two multiperipheral diagrams, exact, with all masses.

Each electron line enters by its tensor ``K K + q^2 g`` (K = p + p'), with K and the metric brought
to the gauge without time component, ``v -> v - q v0/q0``: nothing large cancels then. The muon
line is evaluated with spinors. Equivalent photons up to the kinematic limit would be a factor
1.4-1.9 too large, and their electron pT, which decides what is selected, is not reliable.
Diagrams in which a virtual photon from the electron line makes the muons are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.signals.dirac import adjoint, slash, spinors_u, spinors_v
from darkstats.simulation.events import EventBlock
from darkstats.simulation.filters import pass_muon_filter
from darkstats.simulation.kinematics import (
    ALPHA,
    CM_ENERGY_GEV,
    M_E,
    M_MU,
    PB_GEV2,
    boost_to,
    dot,
    invariant_mass_squared,
    unit_vectors,
)

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["TwoPhotonMuons", "squared_amplitude"]

_HALF = 0.5 * CM_ENERGY_GEV
_BEAM = math.sqrt(_HALF**2 - M_E**2)


def _photon(
    outgoing: FloatArray, virtuality: FloatArray, sign: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Momentum of a photon, and its tensor as weighted polarisations.

    Returns
    -------
    tuple of FloatArray
        q, shape [event, 4]; polarisations, shape [event, 4, 4]; weights, shape [event, 4].
    """
    beam = np.array([_HALF, 0.0, 0.0, sign * _BEAM])
    q = beam - outgoing
    current = 2.0 * (beam - _HALF * q / q[:, :1])
    current[:, 0] = 0.0
    size = np.linalg.norm(q[:, 1:], axis=1)
    along = q[:, 1:] / size[:, None]
    helper = np.zeros_like(along)
    helper[:, 0] = 1.0
    first = np.cross(along, helper)
    first /= np.linalg.norm(first, axis=1)[:, None]
    second = np.cross(along, first)
    polarisation = np.zeros((len(q), 4, 4))
    polarisation[:, 0] = current
    polarisation[:, 1, 1:], polarisation[:, 2, 1:], polarisation[:, 3, 1:] = first, second, along
    ones = np.ones(len(q))
    longitudinal = -(virtuality**2) / q[:, 0] ** 2
    return q, polarisation, np.stack([ones, virtuality, virtuality, longitudinal], axis=1)


def squared_amplitude(
    electron: FloatArray,
    positron: FloatArray,
    minus: FloatArray,
    plus: FloatArray,
    virtualities: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Squared amplitude, averaged over initial and summed over final spins, GeV^-4.

    Parameters
    ----------
    electron, positron, minus, plus
        Outgoing momenta in the c.m. frame. Shapes [event, 4].
    virtualities
        -q^2 of the photons from the electron and the positron, GeV^2; given because they are
        differences of large numbers. Shapes [event].
    """
    q1, e1, w1 = _photon(electron, virtualities[0], 1.0)
    q2, e2, w2 = _photon(positron, virtualities[1], -1.0)
    rows = adjoint(spinors_u(minus, M_MU))
    columns = spinors_v(plus, M_MU)
    s1, s2 = slash(e1), slash(e2)
    mass = M_MU * np.eye(4)
    total = np.zeros((len(q1), 4, 4, 2, 2), dtype=np.complex128)
    for q, virtuality, left, right, order in (
        (q1, virtualities[0], s1, s2, "nahi,nbki->nabhk"),
        (q2, virtualities[1], s2, s1, "nbhi,naki->nabhk"),
    ):
        denominator = -virtuality - 2.0 * dot(minus, q)
        inner = (slash(minus - q) + mass) / denominator[:, None, None]
        row = np.einsum("nhi,naij->nahj", rows, left)
        column = np.einsum("naij,nkj->naki", right, columns)
        passed = np.einsum("nahi,nij->nahj", row, inner)
        total += np.einsum(order, passed, column)
    strength = (np.abs(total) ** 2).sum(axis=(3, 4))
    tensor = np.einsum("na,nb,nab->n", w1, w2, strength)
    charge = (4.0 * math.pi * ALPHA) ** 4
    return np.asarray(charge * tensor / (virtualities[0] * virtualities[1]) ** 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPhotonMuons:
    """Generator of e+e- mu+mu-, weighted.

    Parameters
    ----------
    min_mass_gev
        Least mass of the muon pair.
    max_electron_theta_deg
        Largest angle of each electron to its beam, c.m. frame.
    muon_theta_range_deg, min_muon_momentum_gev, min_recoil_pt_gev
        Filter on the generated event, lab: points that fail get no weight and no amplitude.
    """

    min_mass_gev: float = 1.0
    max_electron_theta_deg: float = 25.0
    muon_theta_range_deg: tuple[float, float] = (0.0, 180.0)
    min_muon_momentum_gev: float = 0.0
    min_recoil_pt_gev: float = 0.0

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "two_photon_muons"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 1,
            "min_mass_gev": self.min_mass_gev,
            "max_electron_theta_deg": self.max_electron_theta_deg,
            "muon_theta_range_deg": list(self.muon_theta_range_deg),
            "min_muon_momentum_gev": self.min_muon_momentum_gev,
            "min_recoil_pt_gev": self.min_recoil_pt_gev,
        }

    def _electron(
        self, n: int, rng: np.random.Generator, sign: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Momentum, -q^2 and d^3p'/(2E') over the density of one scattered electron."""
        least = self.min_mass_gev**2 / (4.0 * _HALF)
        span = math.log((_HALF - M_E - 1e-9) / least)
        photon = least * np.exp(span * rng.random(n))
        energy = _HALF - photon
        momentum = np.sqrt(np.maximum(energy**2 - M_E**2, 0.0))
        versine_max = 1.0 - math.cos(math.radians(self.max_electron_theta_deg))
        offset = 0.5 * (M_E * photon / (_HALF * energy)) ** 2
        depth = np.log1p(versine_max / offset)
        versine = offset * np.expm1(depth * rng.random(n))
        phi = rng.uniform(0.0, 2.0 * np.pi, n)
        sine = np.sqrt(np.maximum(versine * (2.0 - versine), 0.0))
        direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), sign * (1.0 - versine)], -1)
        product = _HALF * energy - M_E**2 + _BEAM * momentum
        virtuality = 2.0 * (M_E * photon) ** 2 / product + 2.0 * _BEAM * momentum * versine
        element = 0.5 * momentum * photon * span * (versine + offset) * depth * 2.0 * np.pi
        outgoing = np.concatenate([energy[:, None], momentum[:, None] * direction], axis=1)
        return outgoing, virtuality, element

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`."""
        electron, q1, first = self._electron(n_events, rng, 1.0)
        positron, q2, second = self._electron(n_events, rng, -1.0)
        pair = np.array([CM_ENERGY_GEV, 0.0, 0.0, 0.0]) - electron - positron
        mass_squared = invariant_mass_squared(pair)
        uniform = rng.random(n_events)
        phi = rng.uniform(0.0, 2.0 * np.pi, n_events)
        open_ = np.flatnonzero(
            (pair[:, 0] > 0.0) & (mass_squared > max(self.min_mass_gev, 2.0 * M_MU) ** 2)
        )
        mass = np.sqrt(mass_squared[open_])
        beta = np.sqrt(1.0 - (2.0 * M_MU / mass) ** 2)
        reach = np.arctanh(beta)
        cosine = np.tanh(reach * (2.0 * uniform[open_] - 1.0)) / beta
        direction = unit_vectors(np.clip(cosine, -1.0, 1.0), phi[open_])
        rest = np.concatenate([np.ones((len(mass), 1)), beta[:, None] * direction], axis=1)
        rest *= 0.5 * mass[:, None]
        minus = boost_to(rest, pair[open_])
        plus = pair[open_] - minus
        # Two-body phase space beta / (8 pi) dcos/2, with dcos = (1 - beta^2 cos^2) / beta dy.
        decay = (1.0 - (beta * cosine) ** 2) * reach / (8.0 * np.pi)
        passed = pass_muon_filter(
            minus,
            plus,
            theta_range_deg=self.muon_theta_range_deg,
            min_momentum_gev=self.min_muon_momentum_gev,
            min_recoil_pt_gev=self.min_recoil_pt_gev,
        )
        index = open_[passed]
        minus, plus = minus[passed], plus[passed]
        amplitude = squared_amplitude(
            electron[index], positron[index], minus, plus, (q1[index], q2[index])
        )
        flux = PB_GEV2 / (2.0 * CM_ENERGY_GEV**2) / (2.0 * np.pi) ** 6
        weight = np.zeros(n_events)
        weight[index] = flux * amplitude * first[index] * second[index] * decay[passed]
        momentum = np.stack([minus, plus, electron[index], positron[index]], axis=1)
        return EventBlock(
            event=np.repeat(index, 4).astype(np.int64),
            pdg_id=np.tile(np.array([13, -13, 11, -11], dtype=np.int64), len(index)),
            momentum=momentum.reshape(-1, 4),
            weight_pb=weight,
        )
