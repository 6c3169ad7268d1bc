"""e+e- -> mu+mu- Z', the Z' radiated off a muon: exact tree amplitude with the muon mass.

Vector coupling g' to muons only. The Z' is invisible, decays to two muons with exact correlations,
or to two taus that decay to one charged particle each, isotropic and unpolarised. A scalar in its
place couples to muons as ``-g S mu mu``; its decays are isotropic. Spins are summed numerically;
initial-state radiation is collinear, with the cross section at the reduced energy in the weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.lmu_ltau import (
    decay_correlation,
    squared_amplitude,
    tree_cross_section_pb,
)
from darkstats.simulation.events import EventBlock
from darkstats.simulation.initial_state_radiation import radiate
from darkstats.simulation.kinematics import (
    M_MU,
    M_TAU,
    PB_GEV2,
    boost_to,
    isotropic,
    two_body_momentum,
)
from darkstats.simulation.muon_tau_pairs import one_prong_pair
from darkstats.simulation.tau_decays import ONE_PRONG

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["MuonPairVector"]

#: Decays to charged leptons: what they are, and their mass in GeV.
_DAUGHTERS = {"mumu": ("muons", M_MU), "tautau": ("taus", M_TAU)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MuonPairVector:
    """Signal of a Z' for a Born cross section times that of its decay of 1 pb.

    Parameters
    ----------
    mass_gev
        Mass of the Z'.
    isr
        Whether the beams radiate.
    decay
        ``"invisible"``, ``"mumu"`` or ``"tautau"``; the branching fractions of the taus are in the
        weights.
    boson
        ``"vector"`` or ``"scalar"``.

    Raises
    ------
    OptionError
        A decay that is closed, or decay or boson that is not known.
    """

    mass_gev: float
    isr: bool = True
    decay: str = "invisible"
    boson: str = "vector"

    def __post_init__(self) -> None:
        """See :class:`MuonPairVector`."""
        if self.decay not in {"invisible", *_DAUGHTERS}:
            raise OptionError(
                f"muon_pair_vector: decay {self.decay!r}: choose invisible, mumu or tautau"
            )
        if self.boson not in {"vector", "scalar"}:
            raise OptionError(f"muon_pair_vector: boson {self.boson!r}: choose vector or scalar")
        words, mass = _DAUGHTERS.get(self.decay, ("", 0.0))
        if self.mass_gev <= 2.0 * mass:
            raise OptionError(
                f"muon_pair_vector: {self.mass_gev:g} GeV do not decay to two {words}"
            )

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "muon_pair_vector"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        found: dict[str, object] = {"version": 1, "mass_gev": self.mass_gev, "isr": self.isr}
        if self.decay != "invisible":  # as before there were others: the same events
            found["decay"] = self.decay
        if self.boson != "vector":
            found["boson"] = self.boson
        return found

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
        amplitude = squared_amplitude(minus, plus, vector, s, boson=self.boson)
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
        tree = tree_cross_section_pb(self.mass_gev, boson=self.boson)
        weight[open_] = PB_GEV2 / (2.0 * s) * amplitude * phase_space / tree
        weight *= radiation.weight
        kept = open_[weight[open_] > 0.0]
        inside = weight[open_] > 0.0
        particles = np.stack([minus[inside], plus[inside]], axis=1)
        numbers = np.tile([13, -13], (len(kept), 1))
        if self.decay != "invisible":
            daughters, codes, relative = self._decayed(
                minus[inside], plus[inside], vector[inside], rng
            )
            weight[kept] *= relative
            particles = np.concatenate([particles, daughters], axis=1)
            numbers = np.concatenate([numbers, codes], axis=1)
        return radiation.block(kept, particles, numbers, weight)

    def _decayed(
        self, minus: FloatArray, plus: FloatArray, vector: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, IndexArray, FloatArray]:
        """Charged particles of the decay, their numbers, and its factor on the weight.

        Shapes [event, 2, 4], [event, 2], [event].
        """
        if self.decay == "tautau":
            prongs, codes = one_prong_pair(*self._daughters(vector, M_TAU, rng), rng)
            return prongs, codes, np.full(len(vector), ONE_PRONG**2)
        pair = self._daughters(vector, M_MU, rng)
        relative = np.ones(len(vector))
        if self.boson == "vector":
            relative = decay_correlation((minus, plus), pair)
        codes = np.tile(np.array([13, -13], dtype=np.int64), (len(vector), 1))
        return np.stack(pair, axis=1), codes, relative

    def _daughters(
        self, vector: FloatArray, lepton_gev: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Leptons of isotropic decays, negative and positive. Shapes [event, 4]."""
        size = math.sqrt(0.25 * self.mass_gev**2 - lepton_gev**2)
        rest = np.concatenate(
            [np.full((len(vector), 1), 0.5 * self.mass_gev), size * isotropic(len(vector), rng)],
            axis=1,
        )
        lepton = boost_to(rest, vector)
        return lepton, vector - lepton
