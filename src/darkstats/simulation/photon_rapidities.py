"""Pseudorapidities of photons, some thrown into polar ranges that a detector does not cover."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray

__all__ = ["PhotonRapidities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotonRapidities:
    """Flat in pseudorapidity, or half of them in some ranges, each range alike.

    Parameters
    ----------
    max_cosine
        Largest abs(cos) in the frame of the hard collision.
    enriched_ranges_deg
        Polar angles in the laboratory that half of the photons are thrown into; none by default.
    """

    max_cosine: float
    enriched_ranges_deg: tuple[tuple[float, float], ...] = ()

    @property
    def reach(self) -> float:
        """Largest pseudorapidity in the frame of the hard collision."""
        return math.atanh(self.max_cosine)

    def _ranges(self) -> FloatArray:
        """Ends of the ranges in pseudorapidity, laboratory. Shape [range, 2]."""
        ordered = np.sort(self.enriched_ranges_deg)[:, ::-1]
        return np.asarray(np.arctanh(np.cos(np.radians(ordered))))

    def draw(self, uniform: FloatArray, choice: FloatArray, shift: FloatArray) -> FloatArray:
        """Pseudorapidities in the frame of the hard collision. Shape [event].

        Parameters
        ----------
        uniform, choice
            Between 0 and 1: the place, and which range. Shapes [event].
        shift
            Rapidity of the hard collision in the laboratory: pseudorapidities of massless
            particles add up with it. Shape [event].
        """
        rapidity = self.reach * (2.0 * uniform - 1.0)
        if not self.enriched_ranges_deg:
            return np.asarray(rapidity)
        ranges = self._ranges()
        inside = np.floor(2.0 * len(ranges) * choice).astype(int)  # the upper half: not enriched
        low, high = ranges[np.minimum(inside, len(ranges) - 1)].T
        thrown = low + (high - low) * uniform - shift
        return np.asarray(np.where(inside < len(ranges), thrown, rapidity))

    def inside(self, rapidity: FloatArray, shift: FloatArray) -> BoolArray:
        """Whether a photon is in one of the ranges. Shape [event]."""
        found = np.zeros(len(rapidity), dtype=bool)
        for low, high in self._ranges() if self.enriched_ranges_deg else ():
            found |= (rapidity + shift > low) & (rapidity + shift < high)
        return found

    def density(self, rapidity: FloatArray, shift: FloatArray) -> FloatArray:
        """Density of what :meth:`draw` returns. Shape [event]."""
        reach = self.reach
        if not self.enriched_ranges_deg:
            return np.full(len(rapidity), 0.5 / reach)
        ranges = self._ranges()
        density = np.full(len(rapidity), 0.25 / reach)
        for low, high in ranges:
            there = (rapidity + shift > low) & (rapidity + shift < high)
            density += there * (0.5 / len(ranges) / (high - low))
        return np.asarray(density)
