"""e+e- -> gamma A': a vector boson beside a photon, visible as two muons, or not at all.

Production, x = m^2/s, c = cos(theta*) of the photon::

    dsigma/dc ~ (1 + c^2 + 4 x / (1 - x)^2) / (1 - c^2)

(Essig, Schuster, Toro, arXiv:0903.3941). Muons have the angular distribution of the exact
amplitude of initial-state radiation at their mass, spin correlations included.
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
    CM_ENERGY_GEV,
    M_MU,
    boost_to,
    boost_z,
    isotropic,
    massless,
    unit_vectors,
)
from darkstats.simulation.radiative_muons import squared_amplitudes

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["PhotonBesideVector", "PhotonVector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotonBesideVector:
    """Photon and vector boson of the events that can be, in the frame of the hard collision.

    Parameters
    ----------
    kept
        Numbers of these events. Shape [event].
    s_gev2, beta
        Squared energy of the hard collision, and its velocity. Shape [event].
    photon, vector
        Momenta. Shape [event, 4].
    axis
        Isotropic directions, for a decay. Shape [event, 3].
    angular
        Angular factor of the production. Shape [event].
    weight_pb, radiation
        Weights for a Born cross section of 1 pb, and those of the radiation. Shape [event].
    """

    kept: IndexArray
    s_gev2: FloatArray
    photon: FloatArray
    vector: FloatArray
    axis: FloatArray
    angular: FloatArray
    weight_pb: FloatArray
    radiation: FloatArray
    beta: FloatArray

    def block(
        self, particles: list[FloatArray], ids: list[int], weight_pb: FloatArray, n_events: int
    ) -> EventBlock:
        """Events with these particles, in the centre-of-mass frame of the beams."""
        weight = np.zeros(n_events)
        weight[self.kept] = weight_pb * self.radiation
        momenta = boost_z(np.stack(particles, axis=1), self.beta[:, None])
        return EventBlock.of_rows(self.kept, momenta, ids, weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotonVector:
    """Signal for a Born cross section of 1 pb at the nominal energy within the cosine.

    Parameters
    ----------
    mass_gev
        Of the vector boson.
    decay
        ``"mumu"`` or ``"invisible"``.
    max_cosine
        Largest abs(cos) of the photon in the frame of the hard collision.
    isr
        Whether the beams radiate.

    Raises
    ------
    OptionError
        A decay that is closed or not known, or a cosine that is none.
    """

    mass_gev: float
    decay: str = "mumu"
    max_cosine: float = 0.95
    isr: bool = True

    def __post_init__(self) -> None:
        """See :class:`PhotonVector`."""
        if self.decay not in {"mumu", "invisible"}:
            raise OptionError(f"photon_vector: decay {self.decay!r}: choose mumu or invisible")
        if self.decay == "mumu" and self.mass_gev <= 2.0 * M_MU:
            raise OptionError(f"photon_vector: {self.mass_gev:g} GeV do not decay to two muons")
        if not 0.0 < self.max_cosine < 1.0:
            raise OptionError("photon_vector: give max_cosine between 0 and 1")

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "photon_vector"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {
            "version": 1,
            "mass_gev": self.mass_gev,
            "decay": self.decay,
            "max_cosine": self.max_cosine,
            "isr": self.isr,
        }

    def draw(self, n_events: int, rng: np.random.Generator) -> PhotonBesideVector:
        """Draw photon and vector boson, the photon flat in rapidity; decays are not looked at."""
        radiation = radiate(n_events, rng, enabled=self.isr)
        reach = math.atanh(self.max_cosine)
        cosine = np.tanh(reach * (2.0 * rng.random(n_events) - 1.0))
        phi = rng.uniform(0.0, 2.0 * np.pi, n_events)
        axis = isotropic(n_events, rng)
        kept = np.flatnonzero(radiation.s_gev2 > 1.0001 * self.mass_gev**2)
        s, cosine, axis = radiation.s_gev2[kept], cosine[kept], axis[kept]
        energy = (s - self.mass_gev**2) / (2.0 * np.sqrt(s))
        photon = massless(energy, unit_vectors(cosine, phi[kept]))
        vector = -photon
        vector[:, 0] = np.sqrt(s) - energy
        x = self.mass_gev**2 / s
        shape = 1.0 + cosine**2 + 4.0 * x / (1.0 - x) ** 2
        # dc = (1 - c^2) dy: the rapidity is flat but for this shape
        value = (1.0 - x) / s * shape * 2.0 * reach / self._born()
        return PhotonBesideVector(
            kept=kept, s_gev2=s, photon=photon, vector=vector, axis=axis,
            angular=shape / (1.0 - cosine**2), weight_pb=value,
            radiation=radiation.weight[kept], beta=radiation.beta[kept],
        )  # fmt: skip

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw the photon flat in rapidity, and the decay isotropic."""
        hard = self.draw(n_events, rng)
        photon, value = hard.photon, hard.weight_pb
        particles, ids = [photon], [22]
        if self.decay == "mumu":
            minus, plus = self._muons(hard.vector, hard.axis)
            average = self._average(hard.angular)
            value = value * squared_amplitudes(minus, plus, photon, hard.s_gev2)[0] / average
            particles, ids = [minus, plus, photon], [13, -13, 22]
        return hard.block(particles, ids, value, n_events)

    def _born(self) -> float:
        """Integral over the cosine at the nominal energy of what the weights have."""
        s, c = CM_ENERGY_GEV**2, self.max_cosine
        x = self.mass_gev**2 / s
        log = math.log((1.0 + c) / (1.0 - c))
        return (1.0 - x) / s * (2.0 * (1.0 + x**2) / (1.0 - x) ** 2 * log - 2.0 * c)

    def _muons(self, vector: FloatArray, axis: FloatArray) -> tuple[FloatArray, FloatArray]:
        momentum = math.sqrt(0.25 * self.mass_gev**2 - M_MU**2)
        rest = np.concatenate(
            [np.full((len(axis), 1), 0.5 * self.mass_gev), momentum * axis], axis=1
        )
        minus = boost_to(rest, vector)
        return minus, vector - minus

    def _average(self, angular: FloatArray) -> FloatArray:
        """Squared amplitude averaged over the decay, of muons from a photon of this mass.

        ``2 e^4 (1 + c^2 + 4 x / (1 - x)^2) / (1 - c^2)`` of the production, times that of the decay
        over its phase space, ``e^2 q^2 (1 + 2 r) 8 / 6``, over the propagator's ``q^4``.
        """
        charge = (4.0 * math.pi * ALPHA) ** 3
        ratio = (M_MU / self.mass_gev) ** 2
        decay = 8.0 / 6.0 * (1.0 + 2.0 * ratio) / self.mass_gev**2
        return np.asarray(4.0 * charge * angular * decay)
