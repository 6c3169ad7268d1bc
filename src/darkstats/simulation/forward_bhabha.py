"""e+e- -> e+e- gamma at leading order in QED, a photon at a wide angle and both electrons lost.

All eight diagrams, spins summed numerically with the exact electron mass
(:mod:`darkstats.signals.dirac`): an electron that stays in its beam makes the virtual photon almost
real; -q^2, a small difference of large numbers then, is given to the amplitude by the generator.
Wide angles of all three are left to the massless :mod:`darkstats.simulation.radiative_bhabha`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from darkstats.signals.dirac import GAMMA, METRIC, adjoint, slash, spinors_u, spinors_v
from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    ALPHA,
    BOOST_BETA,
    M_E,
    PB_GEV2,
    dot,
)
from darkstats.simulation.wide_photon import WidePhoton

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, ComplexArray, FloatArray, IndexArray

__all__ = ["ForwardBhabha", "squared_amplitude"]

_CHUNK = 8192  # events at a time: some 100 MB
_LOWER = GAMMA * METRIC[:, None, None]


def _beams(s_gev2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Momenta of electron and positron. Shapes [event, 4]."""
    half = 0.5 * np.sqrt(s_gev2)
    zero, size = np.zeros_like(half), np.sqrt(half**2 - M_E**2)
    return np.stack([half, zero, zero, size], -1), np.stack([half, zero, zero, -size], -1)


def _line(row: ComplexArray, matrix: ComplexArray, column: ComplexArray) -> ComplexArray:
    """Currents with matrices [event, ..., 4, 4]: [event, ..., spin, spin]."""
    return np.asarray(np.einsum("nai,n...ij,nbj->n...ab", row, matrix, column, optimize=True))


def _amplitudes(
    electron: FloatArray,
    positron: FloatArray,
    photon: FloatArray,
    s_gev2: FloatArray,
    virtualities: tuple[FloatArray, FloatArray],
) -> ComplexArray:
    """Helicity amplitudes over e^3. Shape [event, polarisation, spins of p-, p+, q-, q+]."""
    n = len(s_gev2)
    before, against = _beams(s_gev2)
    u, v_bar = spinors_u(before, M_E), adjoint(spinors_v(against, M_E))
    u_bar, v = adjoint(spinors_u(electron, M_E)), spinors_v(positron, M_E)
    light = slash(_polarisations(photon))  # [event, polarisation, 4, 4]
    mass = M_E * np.eye(4)

    def inside(p: FloatArray, square: FloatArray) -> ComplexArray:
        return np.asarray(((slash(p) + mass) / square[:, None, None])[:, None])

    early = inside(before - photon, -2.0 * dot(before, photon)) @ light
    after = light @ inside(electron + photon, 2.0 * dot(electron, photon))
    late = light @ inside(photon - against, -2.0 * dot(against, photon))
    turned = inside(-(positron + photon), 2.0 * dot(positron, photon)) @ light

    def both(matrices: ComplexArray, gammas: ComplexArray, *, first: bool) -> ComplexArray:
        """Products with gamma matrices: [event, polarisation, 4, 4, 4]."""
        order = "npij,mjk->npmik" if first else "npjk,mij->npmik"
        return np.asarray(np.einsum(order, matrices, gammas, optimize=True))

    gammas = np.broadcast_to(_LOWER, (n, 4, 4, 4))
    flat = np.broadcast_to(GAMMA, (n, 4, 4, 4))
    out = _line(v_bar, both(early, GAMMA, first=False) + both(late, GAMMA, first=True), u)
    into = _line(u_bar, both(after, _LOWER, first=True) + both(turned, _LOWER, first=False), v)
    minus = _line(u_bar, both(early, GAMMA, first=False) + both(after, GAMMA, first=True), u)
    plus = _line(v_bar, both(late, _LOWER, first=True) + both(turned, _LOWER, first=False), v)
    reduced = dot(electron + positron, electron + positron)
    total: ComplexArray = _joined("npmba,nmcd->npabcd", out, _line(u_bar, gammas, v), reduced)
    total += _joined("nmba,npmcd->npabcd", _line(v_bar, flat, u), into, s_gev2)
    total -= _joined("npmca,nmbd->npabcd", minus, _line(v_bar, gammas, v), -virtualities[1])
    total -= _joined("nmca,npmbd->npabcd", _line(u_bar, flat, u), plus, -virtualities[0])
    return total


def _joined(order: str, one: ComplexArray, two: ComplexArray, square: FloatArray) -> ComplexArray:
    """Two currents over the square of what they exchange."""
    joined = np.einsum(order, one, two, optimize=True) / square.reshape(-1, 1, 1, 1, 1, 1)
    return np.asarray(joined, dtype=np.complex128)


def _polarisations(photon: FloatArray) -> FloatArray:
    """Two linear polarisations, transverse to the photon. Shape [event, 2, 4]."""
    axis = photon[:, 1:] / photon[:, :1]
    helper = np.zeros_like(axis)
    helper[:, 2] = 1.0  # along the beam, which no photon here is close to
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first, axis=1)[:, None]
    found = np.zeros((len(photon), 2, 4))
    found[:, 0, 1:], found[:, 1, 1:] = first, np.cross(axis, first)
    return found


def squared_amplitude(
    electron: FloatArray,
    positron: FloatArray,
    photon: FloatArray,
    s_gev2: FloatArray,
    virtualities: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Squared amplitude, averaged over initial and summed over final spins, GeV^-2.

    Parameters
    ----------
    electron, positron, photon
        Outgoing momenta in the frame where the beams are back to back, the electron along z.
        Shapes [event, 4].
    s_gev2
        Squared energy. Shape [event].
    virtualities
        -(p - q)^2 of electron and positron, GeV^2. Shapes [event].
    """
    found = np.empty(len(s_gev2))
    for start in range(0, len(s_gev2), _CHUNK):
        here = slice(start, start + _CHUNK)
        parts = _amplitudes(
            electron[here], positron[here], photon[here], s_gev2[here],
            (virtualities[0][here], virtualities[1][here]),
        )  # fmt: skip
        found[here] = (np.abs(parts) ** 2).sum(axis=(1, 2, 3, 4, 5))
    return np.asarray((4.0 * math.pi * ALPHA) ** 3 / 4.0 * found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardBhabha(WidePhoton):
    """Generator of a photon and two electrons that leave along their beams, weighted.

    Parameters
    ----------
    min_energy_gev, max_cosine
        Cuts on the photon in the frame of the hard collision.
    lost_below_deg, lost_above_deg
        Polar angles, laboratory, below which the electron and above which the positron stays. An
        electron along the beam of the positron is left out.
    isr
        Whether the beams radiate, beside the photon.

    Raises
    ------
    OptionError
        A cut that leaves a singularity of the amplitude inside.
    """

    lost_words: ClassVar[str] = (
        "electrons are lost below an angle between 0 and 90 degrees, "
        "positrons above one between 90 and 180"
    )

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "forward_bhabha"

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw the photon, one electron close to its beam, and weigh by both ways."""
        radiation = radiate(n_events, rng, enabled=self.isr)
        s = radiation.s_gev2
        shift = np.arctanh(radiation.beta) + math.atanh(BOOST_BETA)
        photon, room = self.photon(s, rng)
        ways = (
            _Way(1.0, s, photon, self.cone(shift, 1.0)),
            _Way(-1.0, s, photon, self.cone(shift, -1.0)),
        )
        first = rng.random(n_events) < 0.5
        uniform, phi = rng.random(n_events), rng.uniform(0.0, 2.0 * np.pi, n_events)
        drawn = [way.draw(uniform, phi) for way in ways]
        near = np.where(first[:, None], drawn[0], drawn[1])
        far = -photon - near
        far[:, 0] = np.sqrt(M_E**2 + (far[:, 1:] ** 2).sum(axis=1))
        electron = np.where(first[:, None], near, far)
        positron = np.where(first[:, None], far, near)
        closed = np.abs(electron[:, 0] + positron[:, 0] + photon[:, 0] - np.sqrt(s)) < 1e-6
        kept = np.flatnonzero(
            closed & ways[0].inside(electron) & ways[1].inside(positron) & (room > 0.0)
        )
        electron, positron, photon = electron[kept], positron[kept], photon[kept]
        s, ways = s[kept], (ways[0].of(kept), ways[1].of(kept))
        density = 0.5 * (ways[0].density(electron, positron) + ways[1].density(positron, electron))
        amplitude = squared_amplitude(
            electron, positron, photon, s,
            (ways[0].virtuality(electron), ways[1].virtuality(positron)),
        )  # fmt: skip
        weight = np.zeros(n_events)
        weight[kept] = amplitude * room[kept] / density / (2.0 * s) * PB_GEV2
        weight *= radiation.weight
        particles = np.stack([electron, positron, photon], axis=1)
        return radiation.block(kept, particles, [11, -11, 22], weight)


@dataclass(frozen=True, slots=True)
class _Way:
    """One of both electrons drawn close to its beam; the other one takes what is left."""

    sign: float  # of its beam along z
    s_gev2: FloatArray
    photon: FloatArray
    versine_max: FloatArray

    def of(self, kept: IndexArray) -> _Way:
        """The same for some of the events."""
        return _Way(self.sign, self.s_gev2[kept], self.photon[kept], self.versine_max[kept])

    def _momentum(self, along: FloatArray) -> FloatArray:
        """Momentum in a direction, whose product with that of the pair is given."""
        energy = np.sqrt(self.s_gev2) - self.photon[:, 0]
        half = 0.5 * (energy**2 - self.photon[:, 0] ** 2)
        room = energy**2 - along**2
        root = np.sqrt(np.maximum(half**2 - M_E**2 * room, 0.0))
        return np.asarray((half * along + energy * root) / room)

    def _offset(self) -> FloatArray:
        """1 - cos at which -q^2 is twice its least, for a direction along the beam."""
        beam = 0.5 * np.sqrt(self.s_gev2)
        straight = np.minimum(self._momentum(-self.sign * self.photon[:, 3]), beam)
        lost = np.maximum(beam - straight, 1e-3)
        return np.asarray(0.5 * (M_E * lost / (beam * straight)) ** 2)

    def draw(self, uniform: FloatArray, phi: FloatArray) -> FloatArray:
        """Momenta, half of them ~ 1 / (1 - cos + offset), half flat. Shape [event, 4]."""
        offset = self._offset()
        steep = 2.0 * uniform
        versine = offset * np.expm1(np.minimum(steep, 1.0) * np.log1p(self.versine_max / offset))
        versine = np.where(steep < 1.0, versine, (steep - 1.0) * self.versine_max)
        sine = np.sqrt(versine * (2.0 - versine))
        axis = np.stack([sine * np.cos(phi), sine * np.sin(phi), self.sign * (1.0 - versine)], -1)
        size = self._momentum(-(axis * self.photon[:, 1:]).sum(axis=1))
        return np.concatenate([np.hypot(size, M_E)[:, None], size[:, None] * axis], axis=1)

    def _versine(self, p: FloatArray) -> FloatArray:
        """1 - cos to the beam, without a difference of large numbers where it is small."""
        size = np.linalg.norm(p[:, 1:], axis=1)
        along = self.sign * p[:, 3]
        across = p[:, 1] ** 2 + p[:, 2] ** 2
        return np.asarray(across / (size * np.maximum(size + along, 1e-12)))

    def inside(self, p: FloatArray) -> BoolArray:
        """Whether an electron is lost along its beam."""
        return np.asarray((self.sign * p[:, 3] > 0.0) & (self._versine(p) < self.versine_max))

    def density(self, p: FloatArray, other: FloatArray) -> FloatArray:
        """Density over the two-body phase space of both electrons."""
        offset, size = self._offset(), np.linalg.norm(p[:, 1:], axis=1)
        depth = np.log1p(self.versine_max / offset)
        steep = 1.0 / ((self._versine(p) + offset) * depth)
        angular = (0.5 * steep + 0.5 / self.versine_max) / (2.0 * np.pi)
        along = -(p[:, 1:] * self.photon[:, 1:]).sum(axis=1) / size
        slope = np.abs(size * other[:, 0] + (size - along) * p[:, 0])
        return np.asarray(angular * 4.0 * slope / size**2 * 4.0 * np.pi**2)

    def virtuality(self, p: FloatArray) -> FloatArray:
        """-q^2 of the photon that the electron emits, GeV^2."""
        beam = 0.5 * np.sqrt(self.s_gev2)
        beam_size = np.sqrt(beam**2 - M_E**2)
        size = np.linalg.norm(p[:, 1:], axis=1)
        least = 2.0 * (M_E * (beam - p[:, 0])) ** 2 / (beam * p[:, 0] - M_E**2 + beam_size * size)
        return np.asarray(least + 2.0 * beam_size * size * self._versine(p))
