"""e+e- -> e+e- gamma at leading order in QED, massless, all three at wide angles.

Squared amplitude, averaged over initial and summed over final spins (Berends, Kleiss, De
Causmaecker, Gastmans, Wu, Nucl. Phys. B206, 61 (1982); beams p, outgoing q, photon k)::

    s = (p+ + p-)^2, s' = 2 q+.q-, t = -2 p+.q+, t' = -2 p-.q-, u = -2 p+.q-, u' = -2 p-.q+
    A = (s s' (s^2 + s'^2) + t t' (t^2 + t'^2) + u u' (u^2 + u'^2)) / (s s' t t')
    B = s/(p+.k p-.k) + s'/(q+.k q-.k) - t/(p+.k q+.k) - t'/(p-.k q-.k)
        + u/(p+.k q-.k) + u'/(p-.k q+.k)
    |M|^2 = (4 pi alpha)^3 A B

Good where no two of the five are collinear; electrons lost along the beams need their mass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    ALPHA,
    PB_GEV2,
    boost_to,
    dot,
    isotropic,
    massless,
    unit_vectors,
)

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["RadiativeBhabha", "squared_amplitude"]


def squared_amplitude(
    electron: FloatArray, positron: FloatArray, photon: FloatArray, s_gev2: FloatArray
) -> FloatArray:
    """Spin-averaged squared amplitude, GeV^-2.

    Parameters
    ----------
    electron, positron, photon
        Outgoing momenta in the frame where the beams are back to back, the electron along z.
        Shapes [event, 4].
    s_gev2
        Squared energy. Shape [event].
    """
    half = 0.5 * np.sqrt(s_gev2)

    def with_beams(p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Products with the electron and the positron of the beams."""
        return half * (p[:, 0] - p[:, 3]), half * (p[:, 0] + p[:, 3])

    (minus_minus, plus_minus), (minus_plus, plus_plus) = with_beams(electron), with_beams(positron)
    minus_k, plus_k = with_beams(photon)
    out_minus_k, out_plus_k = dot(electron, photon), dot(positron, photon)
    s, s1 = s_gev2, 2.0 * dot(electron, positron)
    t, t1 = -2.0 * plus_plus, -2.0 * minus_minus
    u, u1 = -2.0 * plus_minus, -2.0 * minus_plus
    shape = s * s1 * (s**2 + s1**2) + t * t1 * (t**2 + t1**2) + u * u1 * (u**2 + u1**2)
    shape = shape / (s * s1 * t * t1)
    radiation = (
        s / (plus_k * minus_k)
        + s1 / (out_plus_k * out_minus_k)
        - t / (plus_k * out_plus_k)
        - t1 / (minus_k * out_minus_k)
        + u / (plus_k * out_minus_k)
        + u1 / (minus_k * out_plus_k)
    )
    return np.asarray((4.0 * math.pi * ALPHA) ** 3 * shape * radiation)


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiativeBhabha:
    """Generator of an electron, a positron and a photon, weighted.

    Parameters
    ----------
    min_energy_gev, max_cosine
        Cuts on each of the three in the frame of the hard collision.
    min_angle_rad
        Least angle between any two of them, there.
    isr
        Whether the beams radiate, beside the photon.

    Raises
    ------
    OptionError
        A cut that leaves a singularity of the amplitude inside.
    """

    min_energy_gev: float = 0.3
    max_cosine: float = 0.9
    min_angle_rad: float = 0.05
    isr: bool = True

    def __post_init__(self) -> None:
        if not (self.min_energy_gev > 0.0 and 0.0 < self.max_cosine < 1.0):
            raise OptionError(
                "radiative_bhabha: give min_energy_gev above 0 and max_cosine between 0 and 1"
            )
        if not 0.0 < self.min_angle_rad < 1.0:
            raise OptionError("radiative_bhabha: give min_angle_rad between 0 and 1")

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "radiative_bhabha"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 1,
            "min_energy_gev": self.min_energy_gev,
            "max_cosine": self.max_cosine,
            "min_angle_rad": self.min_angle_rad,
            "isr": self.isr,
        }

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw a soft photon, or one along either electron, and weigh by all three ways."""
        radiation = radiate(n_events, rng, enabled=self.isr)
        energy = np.sqrt(radiation.s_gev2)
        way = rng.integers(0, 3, n_events)
        drawn = [draw(energy, rng) for draw in (self._soft, self._along, self._along)]
        drawn[2] = tuple(drawn[2][i] * _MIRROR for i in (1, 0, 2))  # along the positron
        one, two, photon = (
            np.select([(way == k)[:, None] for k in range(3)], [d[i] for d in drawn])
            for i in range(3)
        )
        inside = self._inside(one, two, photon)
        kept = np.flatnonzero(inside)
        one, two, photon, energy = one[kept], two[kept], photon[kept], energy[kept]
        density = (
            self._soft_density(one, two, photon, energy)
            + self._along_density(one, two, photon, energy)
            + self._along_density(two * _MIRROR, one * _MIRROR, photon * _MIRROR, energy)
        ) / 3.0
        s = energy**2
        weight = np.zeros(n_events)
        weight[kept] = squared_amplitude(one, two, photon, s) / (2.0 * s * density) * PB_GEV2
        weight *= radiation.weight
        particles = np.stack([one, two, photon], axis=1)
        return radiation.block(kept, particles, [11, -11, 22], weight)

    def _inside(self, *momenta: FloatArray) -> FloatArray:
        inside = np.ones(len(momenta[0]), dtype=bool)
        least = 1.0 - math.cos(self.min_angle_rad)
        for number, p in enumerate(momenta):
            inside &= p[:, 0] > self.min_energy_gev
            inside &= np.abs(p[:, 3]) < self.max_cosine * p[:, 0]
            for q in momenta[:number]:
                inside &= dot(p, q) > least * p[:, 0] * q[:, 0]
        return inside

    # a photon ~ 1/E anywhere, and the electrons along the beams in the rest frame of their pair

    def _soft(self, energy: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, ...]:
        n = len(energy)
        uniform = rng.random((4, n))
        span = np.log(0.5 * energy / self.min_energy_gev)
        hard = self.min_energy_gev * np.exp(span * uniform[0])
        photon = massless(hard, unit_vectors(2.0 * uniform[1] - 1.0, 2.0 * np.pi * uniform[2]))
        pair = -photon
        pair[:, 0] = energy - hard
        axis = _forward(rng.random((3, n)))
        half = 0.5 * np.sqrt(np.maximum(energy * (energy - 2.0 * hard), 1e-12))
        one = boost_to(massless(half, axis), pair)
        return one, pair - one, photon

    def _soft_density(
        self, one: FloatArray, two: FloatArray, photon: FloatArray, energy: FloatArray
    ) -> FloatArray:
        """Over Lorentz-invariant phase space."""
        span = np.log(0.5 * energy / self.min_energy_gev)
        axis = _in_rest_frame(one, one + two)
        return np.asarray(
            1.0 / (span * photon[:, 0] ** 2)
            * 2.0 * (2.0 * np.pi) ** 3 / (4.0 * np.pi)
            * 8.0 * np.pi * _forward_density(axis)
        )  # fmt: skip

    # a photon beside the electron, their squared mass ~ 1/M^2, the positron along its beam

    def _least_squared(self) -> float:
        return 0.5 * (self.min_energy_gev * self.min_angle_rad) ** 2

    def _along(self, energy: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, ...]:
        n, low = len(energy), self._least_squared()
        top = energy * (energy - 2.0 * self.min_energy_gev)
        square = low * (top / low) ** rng.random(n)
        axis = _forward(rng.random((3, n)))
        momentum = (energy**2 - square) / (2.0 * energy)
        two = massless(momentum, -axis)
        pair = -two
        pair[:, 0] = energy - momentum
        one = boost_to(massless(0.5 * np.sqrt(square), isotropic(n, rng)), pair)
        return one, two, pair - one

    def _along_density(
        self, one: FloatArray, two: FloatArray, photon: FloatArray, energy: FloatArray
    ) -> FloatArray:
        """Over Lorentz-invariant phase space."""
        low, top = self._least_squared(), energy * (energy - 2.0 * self.min_energy_gev)
        square = 2.0 * dot(one, photon)
        axis = -two[:, 1:] / two[:, :1]
        return np.asarray(
            2.0 * np.pi / (square * np.log(top / low))
            * 4.0 * np.pi * energy / two[:, 0] * _forward_density(axis)
            * 8.0 * np.pi
        )  # fmt: skip


_MIRROR = np.array([1.0, 1.0, 1.0, -1.0])
_EDGE = 1.02  # of 1 / (EDGE - cosine), as the electron follows its beam


def _forward(uniform: FloatArray) -> FloatArray:
    """Directions, half of them ~ 1 / (EDGE - cosine), half anywhere. Shape [3, n] -> [n, 3]."""
    ratio = (_EDGE - 1.0) / (_EDGE + 1.0)
    steep = _EDGE - (_EDGE + 1.0) * ratio ** uniform[1]
    cosine = np.where(uniform[0] < 0.5, steep, 2.0 * uniform[1] - 1.0)
    return unit_vectors(np.clip(cosine, -1.0, 1.0), 2.0 * np.pi * uniform[2])


def _forward_density(axis: FloatArray) -> FloatArray:
    """Density of directions over the isotropic one."""
    span = math.log((_EDGE + 1.0) / (_EDGE - 1.0))
    return np.asarray(0.5 * 2.0 / (span * (_EDGE - axis[:, 2])) + 0.5)


def _in_rest_frame(p: FloatArray, frame: FloatArray) -> FloatArray:
    """Directions of massless momenta in the rest frame of massive ones. Shape [n, 3]."""
    back = frame * np.array([1.0, -1.0, -1.0, -1.0])
    found = boost_to(p, back)
    return np.asarray(found[:, 1:] / found[:, :1])
