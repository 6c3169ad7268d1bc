"""e+e- -> mu+mu- tau+tau- at leading order in QED: eight diagrams, exact masses, taus to one prong.

The amplitude and the phase space of :mod:`darkstats.simulation.four_muons` without exchange. Spins
of the taus are summed: their decays are unpolarised. Initial-state radiation is collinear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.simulation.events import EventBlock
from darkstats.simulation.four_muons import decay, density, draw_pairs, squared_amplitude
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import M_MU, M_TAU, PB_GEV2, boost_to, isotropic
from darkstats.simulation.tau_decays import ONE_PRONG, one_prong

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["MuonTauPairs", "one_prong_pair"]

_MASSES = (M_MU, M_TAU)
_LEAST_FRACTION = 0.3


def one_prong_pair(
    minus: FloatArray, plus: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, IndexArray]:
    """Charged particles of two taus that decay to one each.

    Parameters
    ----------
    minus, plus
        Momenta of the taus. Shapes [event, 4].
    rng
        Source of randomness.

    Returns
    -------
    tuple
        Momenta, shape [event, 2, 4], and numbers of the PDG, shape [event, 2], in the order of the
        taus.
    """
    rest, codes = zip(*(one_prong(len(minus), rng) for _ in range(2)), strict=True)
    momenta = np.stack([boost_to(rest[0], minus), boost_to(rest[1], plus)], axis=1)
    return momenta, np.stack([codes[0], -codes[1]], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MuonTauPairs:
    """Generator of two muons and the charged particles of two taus, weighted.

    Branching fractions to one charged particle are in the weights.

    Parameters
    ----------
    isr
        Whether the beams radiate.
    """

    isr: bool = True

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "muon_tau_pairs"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {"version": 1, "isr": self.isr}

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw a pair of muons and one of taus, their masses and their direction."""
        radiation = radiate(n_events, rng, enabled=self.isr, least_fraction=_LEAST_FRACTION)
        axes = [isotropic(n_events, rng) for _ in range(2)]
        pairs, open_ = draw_pairs(radiation.s_gev2, rng, _MASSES)
        kept = np.flatnonzero(open_)
        s, inside = radiation.s_gev2[kept], np.ones(len(kept), dtype=bool)
        leptons = [
            decay(pair[kept], axis[kept], inside, mass)
            for pair, axis, mass in zip(pairs, axes, _MASSES, strict=True)
        ]
        minus, plus = (np.stack([pair[k] for pair in leptons], axis=1) for k in (0, 1))
        drawn = density((pairs[0][kept], pairs[1][kept]), s, _MASSES)
        value = squared_amplitude(minus, plus, s, masses_gev=_MASSES) / (2.0 * s * drawn)
        weight = np.zeros(n_events)
        weight[kept] = value * PB_GEV2 * ONE_PRONG**2 * radiation.weight[kept]
        prongs, codes = one_prong_pair(minus[:, 1], plus[:, 1], rng)
        muons = np.stack([minus[:, 0], plus[:, 0]], axis=1)
        particles = np.concatenate([muons, prongs], axis=1)
        numbers = np.concatenate([np.tile(np.array([13, -13]), (len(kept), 1)), codes], axis=1)
        return radiation.block(kept, particles, numbers, weight)
