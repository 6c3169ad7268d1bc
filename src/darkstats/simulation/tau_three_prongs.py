"""e+e- -> tau+tau- with one tau to one charged particle, the other one to three pions.

Leading order, collinear radiation; spins of the taus are not correlated. Four tracks, two of which
may be taken for muons: a background where a tau pair is not looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import ALPHA, M_TAU, PB_GEV2, boost_to, unit_vectors
from darkstats.simulation.tau_decays import ONE_PRONG, TAU_TO_THREE_PIONS, one_prong, three_pions

__all__ = ["TauThreeProngs"]

_LEAST_FRACTION = 0.12  # 4 m_tau^2 / s = 0.113


@dataclass(frozen=True, slots=True, kw_only=True)
class TauThreeProngs:
    """Generator of tau pairs with four charged particles; branching fractions included.

    Parameters
    ----------
    isr
        Whether the beams radiate.
    """

    isr: bool = True

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "tau_three_prongs"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {"version": 1, "isr": self.isr}

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """See :class:`~darkstats.simulation.events.Process`."""
        radiation = radiate(n_events, rng, enabled=self.isr, least_fraction=_LEAST_FRACTION)
        kept = np.flatnonzero(radiation.s_gev2 > 4.0 * M_TAU**2 * (1.0 + 1e-9))
        n, s = len(kept), radiation.s_gev2[kept]
        gamma = 0.5 * np.sqrt(s) / M_TAU
        beta = np.sqrt(1.0 - 1.0 / gamma**2)
        cosine = rng.uniform(-1.0, 1.0, n)
        axis = unit_vectors(cosine, rng.uniform(0.0, 2.0 * np.pi, n))
        half = 0.5 * np.sqrt(s)
        tau = np.concatenate([half[:, None], (half * beta)[:, None] * axis], axis=1)
        other = tau * np.array([1.0, -1.0, -1.0, -1.0])
        alone, code = one_prong(n, rng)
        three, codes = three_pions(n, rng)
        particles = np.concatenate(
            [boost_to(alone, tau)[:, None], boost_to(three, other[:, None])], axis=1
        )
        numbers = np.concatenate([code[:, None], np.tile(-codes, (n, 1))], axis=1)
        # Charge conjugation of the whole event: either tau may be the one with three.
        numbers[rng.random(n) < 0.5] *= -1
        weight = np.zeros(n_events)
        point = 4.0 * np.pi * ALPHA**2 / (3.0 * s) * PB_GEV2
        shape = 0.75 * beta * (1.0 + cosine**2 + (1.0 - cosine**2) / gamma**2)
        branching = 2.0 * ONE_PRONG * TAU_TO_THREE_PIONS
        weight[kept] = radiation.weight[kept] * branching * point * shape
        return radiation.block(kept, particles, numbers, weight)
