"""Cuts on the columns of candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import BoolArray
    from darkstats.simulation.candidates import Candidates

__all__ = ["Cut", "passing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """``above < variable < below``; each bound may be left out."""

    variable: str
    above: float = -math.inf
    below: float = math.inf

    def plain(self) -> dict[str, object]:
        """As in a card."""
        bounds = {"above": self.above, "below": self.below}
        return {"variable": self.variable} | {n: b for n, b in bounds.items() if math.isfinite(b)}


def passing(candidates: Candidates, cuts: Sequence[Cut]) -> BoolArray:
    """Whether each row passes all cuts. Shape [row]."""
    passed = np.ones(len(candidates), dtype=bool)
    for cut in cuts:
        column = candidates[cut.variable]
        passed &= (column > cut.above) & (column < cut.below)
    return passed
