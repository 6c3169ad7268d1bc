"""e+e- -> gamma gamma at leading order in QED, with collinear initial-state radiation.

``dsigma/dc = (2 pi alpha^2 / s) (1 + c^2) / (1 - c^2)`` with c from 0 to 1: both photons are alike.
Radiation may be hard: what is seen of an event is one photon where the other one is lost.
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
    PB_GEV2,
    massless,
    unit_vectors,
)
from darkstats.simulation.photon_rapidities import PhotonRapidities

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["TwoPhotons"]

_PARTS = ("all", "inside", "outside")


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPhotons:
    """Generator of two photons, weighted.

    Parameters
    ----------
    max_cosine
        Largest abs(cos) in the frame of the hard collision.
    isr
        Whether the beams radiate.
    least_fraction
        Energy that each beam keeps, at least, as a fraction: less is left out.
    enriched_ranges_deg
        Polar angles (lab) that one photon of half of the events is thrown into, each range alike:
        the gaps through which it is lost. Weights undo the enrichment.
    part
        ``"all"`` events; ``"inside"``, those with a photon in the ranges; or ``"outside"``, the
        others, none of them thrown anywhere.
    hard_share
        Share of the beams whose lost energy is drawn flat
        (:func:`~darkstats.simulation.initial_state_radiation.radiate`).

    Raises
    ------
    OptionError
        A cosine or a fraction is none, or there is no such part.
    """

    max_cosine: float = 0.98
    isr: bool = True
    least_fraction: float = 0.15
    enriched_ranges_deg: tuple[tuple[float, float], ...] = ()
    part: str = "all"
    hard_share: float = 0.0

    def __post_init__(self) -> None:
        """See :class:`TwoPhotons`."""
        if self.part not in _PARTS or (self.part != "all" and not self.enriched_ranges_deg):
            raise OptionError(
                f"two_photons: part {self.part!r}: choose one of {', '.join(_PARTS)}, and give "
                "enriched_ranges_deg for the last two"
            )
        for name in ("max_cosine", "least_fraction"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise OptionError(f"two_photons: give {name} between 0 and 1")
        if not 0.0 <= self.hard_share < 1.0:
            raise OptionError("two_photons: give hard_share from 0 and below 1")

    @property
    def name(self) -> str:
        """See :class:`~darkstats.simulation.events.Process`."""
        return "two_photons"

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.events.Process`."""
        found: dict[str, object] = {
            "version": 1,
            "max_cosine": self.max_cosine,
            "isr": self.isr,
            "least_fraction": self.least_fraction,
            "enriched_ranges_deg": [list(pair) for pair in self.enriched_ranges_deg],
        }
        if self.part != "all":  # as before there were parts: the same events
            found["part"] = self.part
        if self.hard_share > 0.0:
            found["hard_share"] = self.hard_share
        return found

    def generate(self, n_events: int, rng: np.random.Generator) -> EventBlock:
        """Draw one photon, and say by a coin which of them it is."""
        radiation = radiate(
            n_events,
            rng,
            enabled=self.isr,
            least_fraction=self.least_fraction,
            hard_share=self.hard_share,
        )
        uniform, choice = rng.random((2, n_events))
        other = rng.random(n_events) < 0.5
        phi = rng.uniform(0.0, 2.0 * np.pi, n_events)
        shift = np.arctanh(radiation.beta) + math.atanh(BOOST_BETA)
        ranges = PhotonRapidities(
            max_cosine=self.max_cosine, enriched_ranges_deg=self.enriched_ranges_deg
        )
        flat = PhotonRapidities(max_cosine=self.max_cosine)
        thrown = flat if self.part == "outside" else ranges
        rapidity = thrown.draw(uniform, choice, shift)
        rapidity = np.where(other, -rapidity, rapidity)
        density = 0.5 * (thrown.density(rapidity, shift) + thrown.density(-rapidity, shift))
        inside = np.abs(rapidity) < thrown.reach
        if self.part != "all":
            there = ranges.inside(rapidity, shift) | ranges.inside(-rapidity, shift)
            inside &= there == (self.part == "inside")
        weight = np.where(inside, _per_rapidity(rapidity, radiation.s_gev2) / density, 0.0)
        weight *= radiation.weight
        kept = np.flatnonzero(weight > 0.0)
        half = 0.5 * np.sqrt(radiation.s_gev2[kept])
        first = massless(half, unit_vectors(np.tanh(rapidity[kept]), phi[kept]))
        second = first * np.array([1.0, -1.0, -1.0, -1.0])
        return radiation.block(kept, np.stack([first, second], axis=1), [22, 22], weight)


def _per_rapidity(rapidity: FloatArray, s_gev2: FloatArray) -> FloatArray:
    """dsigma/dy of either photon, pb: half, because they are alike. Shape [event]."""
    cosine = np.tanh(rapidity)
    return np.asarray(math.pi * ALPHA**2 / s_gev2 * (1.0 + cosine**2) * PB_GEV2)
