"""e+e- -> A' h', A' -> mu+mu-, h' invisible: exact angular correlations at leading order.

With the h'A'A' vertex proportional to the metric, the amplitude is that of the two vector currents:
``|M|^2 ~ (p1.k1)(p2.k2) + (p1.k2)(p2.k1) + m^2 p1.p2`` with p the beams and k the muons
(arXiv:0903.0363).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.dark_higgsstrahlung import unit_cross_section_pb
from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    CM_ENERGY_GEV,
    M_MU,
    boost_to,
    dot,
    isotropic,
    two_body_momentum,
)

__all__ = ["DarkHiggsstrahlung"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkHiggsstrahlung:
    """Signal of dark Higgsstrahlung; 1 pb for cross section times BR(A' -> mu mu) at Born level.

    Parameters
    ----------
    mass_gev
        Mass of the dark photon A'.
    higgs_mass_gev
        Mass of the dark Higgs boson h'.
    isr
        Whether the beams radiate.
    """

    mass_gev: float
    higgs_mass_gev: float
    isr: bool = True

    def __post_init__(self) -> None:
        """Check that both can be made.

        Raises
        ------
        OptionError
            The masses add up to more than the energy, or A' is too light for muons.
        """
        if not 2.0 * M_MU < self.mass_gev < CM_ENERGY_GEV - self.higgs_mass_gev:
            raise OptionError(
                f"A' of {self.mass_gev} GeV with h' of {self.higgs_mass_gev} GeV cannot be made, "
                "or A' does not decay to muons"
            )

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "dark_higgsstrahlung"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 1,
            "mass_gev": self.mass_gev,
            "higgs_mass_gev": self.higgs_mass_gev,
            "isr": self.isr,
        }

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`."""
        m, h = self.mass_gev, self.higgs_mass_gev
        radiation = radiate(n_events, rng, enabled=self.isr)
        direction, decay = isotropic(n_events, rng), isotropic(n_events, rng)
        energy = np.sqrt(radiation.s_gev2)
        kept = np.flatnonzero(energy > m + h + 1e-9)
        energy, s = energy[kept], radiation.s_gev2[kept]
        momentum = two_body_momentum(energy, m, h)
        photon = np.concatenate(
            [np.sqrt(m**2 + momentum**2)[:, None], momentum[:, None] * direction[kept]], axis=1
        )
        beta = np.sqrt(1.0 - 4.0 * M_MU**2 / m**2)
        rest = 0.5 * m * np.concatenate([np.ones((len(kept), 1)), beta * decay[kept]], axis=1)
        minus = boost_to(rest, photon)
        plus = photon - minus
        ones = np.ones_like(energy)
        first = 0.5 * energy[:, None] * np.stack([ones, 0 * ones, 0 * ones, ones], axis=1)
        second = first * np.array([1.0, 1.0, 1.0, -1.0])
        correlation = (
            dot(first, minus) * dot(second, plus)
            + dot(first, plus) * dot(second, minus)
            + 0.5 * M_MU**2 * s
        )
        # Mean over the decay and over the direction, from <k k> = A P P + B m^2 g.
        ratio = M_MU**2 / m**2
        along, metric = (1.0 + 2.0 * ratio) / 6.0, (1.0 - 4.0 * ratio) / 12.0
        mean = (
            2.0 * along * 0.25 * s * (photon[:, 0] ** 2 - momentum**2 / 3.0)
            + metric * m**2 * s
            + 0.5 * M_MU**2 * s
        )
        born = unit_cross_section_pb((m, h))
        reduced = unit_cross_section_pb((m, h), s_gev2=s) if self.isr else np.full(len(s), born)
        weight = np.zeros(n_events)
        weight[kept] = radiation.weight[kept] * reduced / born * correlation / mean
        muons = np.stack([minus, plus], axis=1)
        return radiation.block(kept, muons, [13, -13], weight)
