"""A photon at a wide angle whose partners leave along the beams: what such generators share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from darkstats.errors import OptionError
from darkstats.simulation.kinematics import massless, unit_vectors

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["WidePhoton"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WidePhoton(ABC):
    """Cuts of a generator, the cones that partners leave in, and the photon.

    Parameters
    ----------
    min_energy_gev, max_cosine
        Cuts on the photon in the frame of the hard collision.
    lost_below_deg, lost_above_deg
        Polar angles, laboratory, below which one partner and above which the other one leaves.
    isr
        Whether the beams radiate besides.

    Raises
    ------
    OptionError
        A cut that leaves a singularity of the amplitude inside.
    """

    min_energy_gev: float = 1.0
    max_cosine: float = 0.9
    lost_below_deg: float = 12.4
    lost_above_deg: float = 155.1
    isr: bool = True

    #: Who is lost where, for the message.
    lost_words: ClassVar[str]

    def __post_init__(self) -> None:
        """See :class:`WidePhoton`."""
        if not (self.min_energy_gev > 0.0 and 0.0 < self.max_cosine < 1.0):
            raise OptionError(
                f"{self.name}: give min_energy_gev above 0 and max_cosine between 0 and 1"
            )
        if not 0.0 < self.lost_below_deg < 90.0 < self.lost_above_deg < 180.0:
            raise OptionError(f"{self.name}: {self.lost_words}")

    @property
    @abstractmethod
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        return {"version": 1, **asdict(self)}

    def cone(self, shift: FloatArray, sign: float) -> FloatArray:
        """Largest 1 - cos to a beam, in the frame of the hard collision. Shape [event].

        Parameters
        ----------
        shift
            Rapidity of that frame in the laboratory. Shape [event].
        sign
            Of the beam along z.
        """
        lab = self.lost_below_deg if sign > 0.0 else 180.0 - self.lost_above_deg
        half = np.exp(sign * shift) * math.tan(0.5 * math.radians(lab))
        return np.asarray(2.0 * half**2 / (1.0 + half**2))

    def photon(self, s_gev2: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Momenta ~ E^-4 and flat in rapidity, and d^3k / (2 E (2 pi)^3) over their density."""
        n, low, power = len(s_gev2), self.min_energy_gev, 3.0
        most = 0.5 * np.sqrt(s_gev2) * (1.0 - 1e-3)
        share = 1.0 - (low / most) ** power
        energy = low * (1.0 - share * rng.random(n)) ** (-1.0 / power)
        reach = math.atanh(self.max_cosine)
        cosine = np.tanh(reach * (2.0 * rng.random(n) - 1.0))
        photon = massless(energy, unit_vectors(cosine, rng.uniform(0.0, 2.0 * np.pi, n)))
        density = power * low**power * energy ** (-power - 1.0) / share
        room = energy / density * 2.0 * reach * (1.0 - cosine**2) * 2.0 * np.pi
        return photon, np.where(most > low, room / (2.0 * (2.0 * np.pi) ** 3), 0.0)
