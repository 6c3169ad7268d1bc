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
    """``above < variable < below``; each bound may be left out.

    ``where`` is another cut: rows that fail it are not cut by this one.
    """

    variable: str
    above: float = -math.inf
    below: float = math.inf
    where: Cut | None = None

    def plain(self) -> dict[str, object]:
        """As in a card."""
        bounds = {"above": self.above, "below": self.below}
        found: dict[str, object] = {"variable": self.variable}
        found |= {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
        return found if self.where is None else found | {"where": self.where.plain()}

    def passed(self, candidates: Candidates) -> BoolArray:
        """Whether each row passes. Shape [row]."""
        column = candidates[self.variable]
        inside = (column > self.above) & (column < self.below)
        return np.asarray(inside if self.where is None else inside | ~self.where.passed(candidates))


def passing(candidates: Candidates, cuts: Sequence[Cut]) -> BoolArray:
    """Whether each row passes all cuts. Shape [row]."""
    passed = np.ones(len(candidates), dtype=bool)
    for cut in cuts:
        passed &= cut.passed(candidates)
    return passed
