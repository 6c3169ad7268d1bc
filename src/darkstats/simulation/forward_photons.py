"""e+e- -> gamma gamma gamma, one photon at a wide angle and two that leave along the beams.

Exact massless amplitude at leading order (:func:`~darkstats.simulation.three_photons.
squared_amplitude`). The electron mass is the least angle of a photon to its beam, sqrt(e) m / E:
the collinear logarithm is then ln(s / m^2) - 1, as in the structure function of initial-state
radiation, whose terms without the logarithm are below 5 % of it. Both photons that leave are hard,
since they balance the one that does not, so that nothing is infrared here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    BOOST_BETA,
    M_E,
    PB_GEV2,
    massless,
    unit_vectors,
)
from darkstats.simulation.three_photons import squared_amplitude
from darkstats.simulation.wide_photon import WidePhoton

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["ForwardPhotons"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardPhotons(WidePhoton):
    """Generator of a photon at a wide angle and two along opposite beams, weighted.

    Parameters
    ----------
    min_energy_gev, max_cosine
        Cuts on the photon at a wide angle in the frame of the hard collision.
    lost_below_deg, lost_above_deg
        Polar angles, laboratory, below which one photon and above which the other one leaves.
    isr
        Whether the beams radiate, beside the photons.

    Raises
    ------
    OptionError
        A cut that leaves a singularity of the amplitude inside.
    """

    lost_words: ClassVar[str] = (
        "photons are lost below an angle between 0 and 90 degrees, and above one between 90 and 180"
    )

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "forward_photons"

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw the wide photon and the direction of that closest to its beam; the rest follows."""
        radiation = radiate(n_events, rng, enabled=self.isr)
        s = radiation.s_gev2
        shift = np.arctanh(radiation.beta) + math.atanh(BOOST_BETA)
        wide, room = self.photon(s, rng)
        sign = np.where(rng.random(n_events) < 0.5, 1.0, -1.0)
        ahead, back = self.cone(shift, 1.0), self.cone(shift, -1.0)
        here, there = np.where(sign > 0.0, (ahead, back), (back, ahead))
        versine, density = _versine(s, here, rng)
        axis = unit_vectors(sign * (1.0 - versine), rng.uniform(0.0, 2.0 * np.pi, n_events))
        axis[:, :2] *= (np.sqrt(versine * (2.0 - versine)) / np.hypot(*axis[:, :2].T))[:, None]
        energy = np.sqrt(s) - wide[:, 0]
        along = energy + (wide[:, 1:] * axis).sum(axis=1)
        near = massless(0.5 * (energy**2 - wide[:, 0] ** 2) / along, axis)
        far = -wide - near
        far[:, 0] = energy - near[:, 0]
        turned = 1.0 + sign * far[:, 3] / far[:, 0]  # 1 - cos to the other beam
        kept = np.flatnonzero((turned > versine) & (turned < there) & (room > 0.0))
        photons = np.stack([wide[kept], near[kept], far[kept]], axis=1)
        # two bodies in the direction of one of them: E dOmega / (16 pi^2 (E_pair - p_pair . n))
        space = near[:, 0] * 2.0 * np.pi * 2.0 / (density * 16.0 * np.pi**2 * along)
        weight = np.zeros(n_events)
        weight[kept] = squared_amplitude(photons, s[kept]) * (room * space / (2.0 * s))[kept]
        weight *= radiation.weight * PB_GEV2
        return radiation.block(kept, photons, [22, 22, 22], weight)


def _versine(
    s_gev2: FloatArray, most: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """1 - cos from the least angle on, half of it flat in the logarithm, and its density."""
    least = 0.5 * math.e * M_E**2 / (0.25 * s_gev2)
    depth = np.log(most / least)
    uniform, flat = rng.random(len(most)), rng.random(len(most)) < 0.5
    drawn = np.where(flat, least + (most - least) * uniform, least * np.exp(depth * uniform))
    return drawn, 0.5 / (drawn * depth) + 0.5 / (most - least)
