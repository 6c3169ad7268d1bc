"""Minima of a line of points, handed on between neighbours.

Where minima compete, a fit ends in the well that its start lies in, and a certified minimum need
not be the lowest. A well that one point has found is tried at the next ones, and from those on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["hand_on"]

PointT = TypeVar("PointT")


def hand_on(
    line: Sequence[PointT],
    refit: Callable[[list[tuple[PointT, PointT]]], Collection[PointT]],
    *,
    moved: Collection[PointT],
    rounds: int,
) -> None:
    """Fit the neighbours of points that have moved from their minima, until no point moves.

    Parameters
    ----------
    line
        The points in their order, each once.
    refit
        Gets pairs (point, neighbour): the point is to be fitted from the minimum of the neighbour.
        It returns the points whose minimum has become lower by more than fits agree to.
    moved
        The points whose minima are new to their neighbours.
    rounds
        Times to go on at most. A minimum that is best everywhere reaches all points of a line
        in one round for each point.
    """
    pairs = (*pairwise(line), *pairwise(line[::-1]))
    for _ in range(rounds):
        handed = [(point, giver) for giver, point in pairs if giver in moved]
        if not handed:
            return
        moved = refit(handed)
