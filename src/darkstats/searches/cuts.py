"""Cuts on the columns of candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import BoolArray
    from darkstats.simulation.candidates import Candidates

__all__ = ["AnyCut", "Cut", "CutFlow", "passing"]


class AnyCut(Protocol):
    """A cut: with a fixed bound, or with one that follows the place of an event."""

    def plain(self) -> dict[str, object]:
        """As in a card or a sidecar."""

    def passed(self, candidates: Candidates) -> BoolArray:
        """Whether each row passes. Shape [row]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """``above < variable < below``; each bound may be left out.

    ``where`` is another cut: rows that fail it are not cut by this one.
    """

    variable: str
    above: float = -math.inf
    below: float = math.inf
    where: Cut | None = None

    def __str__(self) -> str:
        """As in words: ``0.5 < variable < 2``."""
        low = f"{self.above:g} < " if math.isfinite(self.above) else ""
        high = f" < {self.below:g}" if math.isfinite(self.below) else ""
        return f"{low}{self.variable}{high}"

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


class CutFlow:
    """How many rows are left after each cut, counted on the way.

    Parameters
    ----------
    cuts
        In the order in which they are applied.
    """

    def __init__(self, cuts: Sequence[AnyCut]) -> None:
        self.cuts = tuple(cuts)
        self.left = [0] * (len(self.cuts) + 1)

    def __call__(self, candidates: Candidates) -> BoolArray:
        """Whether each row passes all cuts. Shape [row]."""
        passed = np.ones(len(candidates), dtype=bool)
        self.left[0] += len(candidates)
        for k, cut in enumerate(self.cuts, start=1):
            passed &= cut.passed(candidates)
            self.left[k] += int(passed.sum())
        return passed

    def nothing_left(self) -> str:
        """Say which cut leaves no row; empty where rows are left, or none reached a cut."""
        if self.left[-1] or not self.left[0]:
            return ""
        last = next(k for k, left in enumerate(self.left) if not left)
        return (
            f"no row of any sample is left: {self.left[last - 1]} of {self.left[0]} reach the cut "
            f"{self.cuts[last - 1]}, and none passes it"
        )


def passing(candidates: Candidates, cuts: Sequence[AnyCut]) -> BoolArray:
    """Whether each row passes all cuts. Shape [row]."""
    passed = np.ones(len(candidates), dtype=bool)
    for cut in cuts:
        passed &= cut.passed(candidates)
    return passed
