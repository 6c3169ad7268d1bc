"""e+e- -> gamma gamma gamma at leading order in QED, with collinear initial-state radiation.

The squared amplitude for massless electrons, averaged over initial and summed over final spins::

    |M|^2 = e^6 s sum_i k_i k'_i (k_i^2 + k'_i^2) / prod_i (k_i k'_i),   k_i = p.q_i, k'_i = p'.q_i

Berends, Kleiss, Nucl. Phys. B186, 22 (1981); checked in the tests against the six diagrams with
explicit Dirac matrices. Good for photons at wide angles; the cross section is the one at leading
order and is never scaled to that of gamma gamma (gamma).
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
    BOOST_BETA,
    CM_ENERGY_GEV,
    PB_GEV2,
    boost_to,
    massless,
    unit_vectors,
)

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["ThreePhotons", "squared_amplitude", "two_photon_cross_section_pb"]

_PARTS = ("all", "inside", "outside")


def squared_amplitude(photons: FloatArray, s_gev2: FloatArray) -> FloatArray:
    """Spin-averaged squared amplitude, GeV^-2.

    Parameters
    ----------
    photons
        Momenta in the frame where the beams are back to back along z. Shape [event, 3, 4].
    s_gev2
        Squared energy. Shape [event].
    """
    half = 0.5 * np.sqrt(s_gev2)[:, None]
    forward = half * (photons[..., 0] - photons[..., 3])
    backward = half * (photons[..., 0] + photons[..., 3])
    product = forward * backward
    total = (product * (forward**2 + backward**2)).sum(axis=1)
    charge = (4.0 * math.pi * ALPHA) ** 3
    return np.asarray(charge * s_gev2 * total / product.prod(axis=1))


def two_photon_cross_section_pb(cosine_max: float, s_gev2: float = CM_ENERGY_GEV**2) -> float:
    """Born cross section of e+e- -> gamma gamma with abs(cos theta*) below ``cosine_max``, pb."""
    c = cosine_max
    return 2.0 * math.pi * ALPHA**2 / s_gev2 * (math.log((1.0 + c) / (1.0 - c)) - c) * PB_GEV2


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreePhotons:
    """Generator of three-photon events, weighted.

    Parameters
    ----------
    min_energy_gev, max_cosine
        Cuts on each photon in the frame of the hard collision.
    isr
        Whether the beams radiate.
    within_deg
        Polar angles (lab) that all photons are in; from 0 to 180 for no cut.
    ranges_deg
        Polar angles (lab) through which photons are lost, that ``part`` is about.
    part
        ``"all"`` events; ``"inside"``, those with a photon in the ranges; or ``"outside"``, the
        others. Of one selection, the first have few rows of large weight and the others many of
        small weight, so that each needs its own number of events.

    Raises
    ------
    OptionError
        There is no such part, or ranges and part are not given together.
    """

    min_energy_gev: float = 0.3
    max_cosine: float = 0.9
    isr: bool = True
    within_deg: tuple[float, float] = (0.0, 180.0)
    ranges_deg: tuple[tuple[float, float], ...] = ()
    part: str = "all"

    def __post_init__(self) -> None:
        """See :class:`ThreePhotons`."""
        if self.part not in _PARTS or (self.part != "all") != bool(self.ranges_deg):
            raise OptionError(
                f"three_photons: part {self.part!r}: choose one of {', '.join(_PARTS)}, and give "
                "ranges_deg for the last two alone"
            )

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "three_photons"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        found: dict[str, object] = {
            "version": 1,
            "min_energy_gev": self.min_energy_gev,
            "max_cosine": self.max_cosine,
            "isr": self.isr,
        }
        if self.within_deg != (0.0, 180.0):  # as before there were such cuts: the same events
            found["within_deg"] = list(self.within_deg)
        if self.part != "all":
            found |= {"ranges_deg": [list(pair) for pair in self.ranges_deg], "part": self.part}
        return found

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw the softest photon ~ 1/E 1/sin^2, and the pair ~ 1/sin^2 in its rest frame."""
        radiation = radiate(n_events, rng, enabled=self.isr)
        energy = np.sqrt(radiation.s_gev2)
        top = energy / 3.0  # of the softest photon
        span = np.log(top / self.min_energy_gev)
        soft_energy = self.min_energy_gev * np.exp(span * rng.random(n_events))
        rapidity = math.atanh(self.max_cosine)
        soft_cosine = np.tanh(rng.uniform(-rapidity, rapidity, n_events))
        # A photon inside the cuts may lie closer to the beam in the rest frame of the pair; beyond
        # this reach is 5e-5 (abs(cos) < 0.9) to 8e-4 (0.99) of the rate, which is left out.
        reach = rapidity + 1.5
        pair_cosine = np.tanh(rng.uniform(-reach, reach, n_events))
        phi = rng.uniform(0.0, 2.0 * np.pi, (2, n_events))
        soft = massless(soft_energy, unit_vectors(soft_cosine, phi[0]))
        pair = -soft
        pair[:, 0] = energy - soft_energy
        pair_mass = np.sqrt(energy * (energy - 2.0 * soft_energy))
        first = massless(0.5 * pair_mass, unit_vectors(pair_cosine, phi[1]))
        second = first * np.array([1.0, -1.0, -1.0, -1.0])
        photons = np.stack([soft, boost_to(first, pair), boost_to(second, pair)], axis=1)
        density = (
            soft_energy**2  # E dE = E^2 dlnE
            * span
            * 2.0
            * rapidity
            * (1.0 - soft_cosine**2)
            * 2.0
            * np.pi
            / (2.0 * (2.0 * np.pi) ** 3)
        ) * (2.0 * reach * (1.0 - pair_cosine**2) * 2.0 * np.pi / (4.0 * np.pi) / (8.0 * np.pi))
        inside = (photons[..., 0] >= soft_energy[:, None] * (1.0 - 1e-12)).all(axis=1)
        inside &= (np.abs(photons[..., 3]) < self.max_cosine * photons[..., 0]).all(axis=1)
        if self.within_deg != (0.0, 180.0):
            theta = _theta_deg(photons, radiation.beta)
            inside &= np.all((theta > self.within_deg[0]) & (theta < self.within_deg[1]), axis=1)
        if self.part != "all":
            theta = _theta_deg(photons, radiation.beta)
            lost = np.any([(theta > a) & (theta < b) for a, b in self.ranges_deg], axis=(0, 2))
            inside &= lost == (self.part == "inside")
        kept = np.flatnonzero(inside)
        s_gev2 = radiation.s_gev2[kept]
        # 3 orderings of who is softest, 1/3! for identical photons.
        weight = np.zeros(n_events)
        weight[kept] = squared_amplitude(photons[kept], s_gev2) * density[kept] / (4.0 * s_gev2)
        weight *= radiation.weight * PB_GEV2
        kept = np.flatnonzero(weight > 0.0)
        return radiation.block(kept, photons[kept], [22, 22, 22], weight)


def _theta_deg(photons: FloatArray, beta: FloatArray) -> FloatArray:
    """Polar angles in the laboratory, of momenta in the frame of the hard collision."""
    shift = np.arctanh(beta) + math.atanh(BOOST_BETA)
    half = (photons[..., 0] - photons[..., 3]) / np.hypot(photons[..., 1], photons[..., 2])
    return np.asarray(2.0 * np.degrees(np.arctan(half * np.exp(-shift)[:, None])))
