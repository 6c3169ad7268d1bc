"""e+e- -> mu+mu- Z', the Z' radiated off a muon: exact tree amplitude with the muon mass.

Vector coupling g' to muons only, the Z' invisible. Spins are summed numerically; initial-state
radiation is collinear, with the cross section at the reduced energy in the weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from darkstats.signals.lmu_ltau import squared_amplitude, tree_cross_section_pb
from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    M_MU,
    PB_GEV2,
    boost_to,
    boost_z,
    isotropic,
    two_body_momentum,
)

__all__ = ["MuonPairVector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MuonPairVector:
    """Signal of the invisible Z' for a Born cross section of 1 pb at the nominal energy.

    Parameters
    ----------
    mass_gev
        Mass of the Z'.
    isr
        Whether the beams radiate.
    """

    mass_gev: float
    isr: bool = True

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "muon_pair_vector"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {"version": 1, "mass_gev": self.mass_gev, "isr": self.isr}

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw the muon pair's mass, its decay peaked along the Z', and an overall rotation."""
        radiation = radiate(n_events, rng, enabled=self.isr)
        uniform = rng.random((2, n_events))
        phi = rng.uniform(0.0, 2.0 * np.pi, n_events)
        axis = isotropic(n_events, rng)
        energy = np.sqrt(radiation.s_gev2)
        open_ = np.flatnonzero(energy > 2.0 * M_MU + self.mass_gev + 1e-6)
        energy, s, axis = energy[open_], radiation.s_gev2[open_], axis[open_]
        low, high = 4.0 * M_MU**2, (energy - self.mass_gev) ** 2
        # The pair is heavy where the Z' is soft: flat in ln(high - low + c - m12^2).
        offset = 0.05 * self.mass_gev * energy + 1e-3
        span = np.log((high - low + offset) / offset)
        gap = offset * np.expm1(span * uniform[0, open_])
        pair_squared = np.maximum(high - gap, low * (1.0 + 1e-12))
        pair_mass = np.sqrt(pair_squared)
        momentum = two_body_momentum(energy, pair_mass, self.mass_gev)
        vector = np.concatenate(
            [np.sqrt(self.mass_gev**2 + momentum**2)[:, None], momentum[:, None] * axis], axis=1
        )
        pair = -vector
        pair[:, 0] = energy - vector[:, 0]
        beta = np.sqrt(np.maximum(1.0 - low / pair_squared, 0.0))
        # A light Z' is collinear with one of the muons.
        mixed = np.minimum(beta * 2.0 * momentum / (energy + momentum), 1.0 - 1e-9)
        mixed = np.maximum(mixed, 1e-3)
        reach = np.arctanh(mixed)
        cosine = np.tanh(reach * (2.0 * uniform[1, open_] - 1.0)) / mixed
        jacobian = (1.0 - (mixed * cosine) ** 2) * reach / mixed  # dcos/2 over the density
        helper = np.cross(axis, np.array([0.0, 0.0, 1.0]))
        helper /= np.maximum(np.linalg.norm(helper, axis=1), 1e-12)[:, None]
        other = np.cross(axis, helper)
        sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
        turn = phi[open_]
        direction = (
            cosine[:, None] * axis
            + (sine * np.cos(turn))[:, None] * helper
            + (sine * np.sin(turn))[:, None] * other
        )
        rest = np.concatenate([np.ones((len(beta), 1)), beta[:, None] * direction], axis=1)
        rest *= 0.5 * pair_mass[:, None]
        minus = boost_to(rest, pair)
        plus = pair - minus
        amplitude = squared_amplitude(minus, plus, vector, s)
        phase_space = (
            (gap + offset)
            * span
            / (2.0 * np.pi)  # dm12^2 / (2 pi)
            * momentum
            / (4.0 * np.pi * energy)
            * beta
            / (8.0 * np.pi)
            * jacobian
        )
        weight = np.zeros(n_events)
        tree = tree_cross_section_pb(self.mass_gev)
        weight[open_] = PB_GEV2 / (2.0 * s) * amplitude * phase_space / tree
        weight *= radiation.weight
        kept = open_[weight[open_] > 0.0]
        inside = weight[open_] > 0.0
        muons = np.stack([minus[inside], plus[inside]], axis=1)
        return EventBlock(
            event=np.repeat(kept, 2).astype(np.int64),
            pdg_id=np.tile(np.array([13, -13], dtype=np.int64), len(kept)),
            momentum=boost_z(muons, radiation.beta[kept, None]).reshape(-1, 4),
            weight_pb=weight,
        )
