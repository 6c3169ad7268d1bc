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
    BOOST_BETA,
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

_FOCUS = 0.8  # share of the points that is thrown where the filter leaves something
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
            "version": 2,
            "min_mass_gev": self.min_mass_gev,
            "max_electron_theta_deg": self.max_electron_theta_deg,
            "muon_theta_range_deg": list(self.muon_theta_range_deg),
            "min_muon_momentum_gev": self.min_muon_momentum_gev,
            "min_recoil_pt_gev": self.min_recoil_pt_gev,
        }

    def _rapidities(self) -> tuple[float, float]:
        """Range of muon rapidities, c.m. frame, to which the polar range of the filter is close."""
        cosine = np.cos(np.radians(self.muon_theta_range_deg[::-1]))
        eta = np.arctanh(np.clip(cosine, -0.999, 0.999)) - math.atanh(BOOST_BETA)
        return float(eta[0]), float(eta[1])

    def _energies(
        self, n: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Energies of the photons, and the density in their logarithms.

        Half the logarithm of their ratio is the rapidity of the muon pair, which the polar range
        of the muons bounds: most points are thrown there.
        """
        least = self.min_mass_gev**2 / (4.0 * _HALF)
        span = math.log((_HALF - M_E - 1e-9) / least)
        low, high = np.clip(self._rapidities(), -0.5 * span, 0.5 * span)
        first = span * rng.random(n)
        other = rng.random(n)
        focused = rng.random(n) < _FOCUS
        second = np.where(focused, first - 2.0 * (low + (high - low) * other), span * other)
        inside = (second >= 0.0) & (second <= span)
        rapidity = 0.5 * (first - second)
        near = (rapidity >= low) & (rapidity <= high)
        density = (1.0 - _FOCUS) / span**2 + np.where(near, _FOCUS / (2.0 * span * (high - low)), 0)
        # A point beyond the kinematic limit has no weight; its energies only have to be numbers.
        second = np.clip(second, 0.0, span)
        density = np.where(inside, density, np.inf)
        return least * np.exp(first), least * np.exp(second), density

    def _electron(
        self, photon: FloatArray, rng: np.random.Generator, sign: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Momentum, -q^2 and d^3p'/(2E' dlog k) over the density of one scattered electron.

        Where the filter asks for a recoil with transverse momentum, one electron carries at least
        half of it: most points are thrown to angles at which it can.
        """
        n = len(photon)
        energy = _HALF - photon
        momentum = np.sqrt(np.maximum(energy**2 - M_E**2, 0.0))
        versine_max = 1.0 - math.cos(math.radians(self.max_electron_theta_deg))
        offset = 0.5 * (M_E * photon / (_HALF * energy)) ** 2
        depth = np.log1p(versine_max / offset)
        uniform = rng.random(n)
        versine = offset * np.expm1(depth * uniform)
        density = 1.0 / ((versine + offset) * depth)
        least = 0.5 * (0.5 * self.min_recoil_pt_gev / _HALF) ** 2
        if 0.0 < least < versine_max:
            wide, share = math.log(versine_max / least), 0.5 * _FOCUS
            focused = rng.random(n) < share
            versine = np.where(focused, least * np.exp(wide * uniform), versine)
            density = (1.0 - share) / ((versine + offset) * depth) + np.where(
                versine >= least, share / (versine * wide), 0.0
            )
        phi = rng.uniform(0.0, 2.0 * np.pi, n)
        sine = np.sqrt(np.maximum(versine * (2.0 - versine), 0.0))
        direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), sign * (1.0 - versine)], -1)
        product = _HALF * energy - M_E**2 + _BEAM * momentum
        virtuality = 2.0 * (M_E * photon) ** 2 / product + 2.0 * _BEAM * momentum * versine
        element = 0.5 * momentum * photon * 2.0 * np.pi / density
        outgoing = np.concatenate([energy[:, None], momentum[:, None] * direction], axis=1)
        return outgoing, virtuality, element

    def _decay(self, beta: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Cosine of a muon in the rest frame of the pair, and its phase space over the density.

        Uniform in the rapidity of the muon along the photons; most points within what the polar
        range allows.
        """
        reach = np.arctanh(beta)
        low, high = self._rapidities()
        near = np.minimum(0.6 * (high - low), reach)
        focused = rng.random(len(beta)) < _FOCUS
        rapidity = np.where(focused, near, reach) * (2.0 * rng.random(len(beta)) - 1.0)
        density = (1.0 - _FOCUS) / (2.0 * reach) + np.where(
            np.abs(rapidity) <= near, _FOCUS / (2.0 * near), 0.0
        )
        cosine = np.clip(np.tanh(rapidity) / beta, -1.0, 1.0)
        # Two-body phase space beta / (8 pi) dcos/2, with dcos = (1 - beta^2 cos^2) / beta dy.
        return cosine, (1.0 - (beta * cosine) ** 2) / (16.0 * np.pi) / density

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`."""
        k1, k2, energies = self._energies(n_events, rng)
        electron, q1, first = self._electron(k1, rng, 1.0)
        positron, q2, second = self._electron(k2, rng, -1.0)
        pair = np.array([CM_ENERGY_GEV, 0.0, 0.0, 0.0]) - electron - positron
        mass_squared = invariant_mass_squared(pair)
        transverse = np.hypot(pair[:, 1], pair[:, 2])
        open_ = np.flatnonzero(
            (pair[:, 0] > 0.0)
            & (mass_squared > max(self.min_mass_gev, 2.0 * M_MU) ** 2)
            & (transverse >= self.min_recoil_pt_gev)
            & np.isfinite(energies)
        )
        mass = np.sqrt(mass_squared[open_])
        beta = np.sqrt(1.0 - (2.0 * M_MU / mass) ** 2)
        cosine, decay = self._decay(beta, rng)
        direction = unit_vectors(cosine, rng.uniform(0.0, 2.0 * np.pi, len(mass)))
        rest = np.concatenate([np.ones((len(mass), 1)), beta[:, None] * direction], axis=1)
        rest *= 0.5 * mass[:, None]
        minus = boost_to(rest, pair[open_])
        plus = pair[open_] - minus
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
        weight[index] = (
            flux * amplitude * first[index] * second[index] / energies[index] * decay[passed]
        )
        momentum = np.stack([minus, plus, electron[index], positron[index]], axis=1)
        return EventBlock.of_rows(index, momentum, [13, -13, 11, -11], weight)
