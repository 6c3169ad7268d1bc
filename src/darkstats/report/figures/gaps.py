"""Ranges of mass without hypotheses, as about vetoed resonances: no line crosses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["gaps_after", "torn"]

#: A step that is wider than both of its neighbours by this factor is a gap. [choice] Hypotheses
#: follow the resolution, which changes by a few per cent from one to the next.
_WIDER = 2.5
#: Of fewer hypotheses each is marked, and a line between them is seen to be a guess.
_FEWEST = 41


def gaps_after(mass: FloatArray) -> IndexArray:
    """Return the places of the hypotheses that a gap follows. Shape [gap].

    Parameters
    ----------
    mass
        Masses of the hypotheses, not falling. Shape [point].

    Examples
    --------
    >>> mass = np.concatenate([np.linspace(1, 3, 41), np.linspace(3.2, 4, 17)])
    >>> mass[gaps_after(mass)].tolist()
    [3.0]
    """
    places = np.flatnonzero(np.diff(mass) > 0.0)
    steps = np.diff(mass)[places]
    if len(mass) < _FEWEST or len(steps) < 3 or np.any(np.diff(mass) < 0.0):
        return np.empty(0, dtype=np.int64)
    wide = steps[1:-1] > _WIDER * np.maximum(steps[:-2], steps[2:])
    return np.asarray(places[1:-1][wide], dtype=np.int64)


def torn(mass: FloatArray, *values: FloatArray) -> tuple[FloatArray, ...]:
    """Masses and values with a point that is no number in each gap. Shapes [..., point].

    Parameters
    ----------
    mass
        Masses of the hypotheses. Shape [point].
    values
        What is drawn against them. Shapes [..., point].
    """
    after = gaps_after(mass)
    if not len(after):
        return (mass, *values)
    middle = 0.5 * (mass[after] + mass[after + 1])
    found = [np.insert(one, after + 1, np.nan, axis=-1) for one in values]
    return (np.insert(mass, after + 1, middle), *found)
