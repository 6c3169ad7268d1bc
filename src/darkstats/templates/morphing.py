"""Signal between simulated masses: shapes morphed, yields interpolated apart from them.

* ``integral``: quantiles move on straight lines, so that a peak moves (A. L. Read, Nucl. Instrum.
  Meth. A 425 (1999) 357). Within a bin events are spread evenly.
* ``vertical``: contents of a bin change on straight lines. For shapes that do not move.

Yields are interpolated in their logarithm. Each simulated mass with a neighbour on both sides can
be predicted from these two and compared with its own simulation: leave-one-out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import OptionError

__all__ = [
    "METHODS",
    "REFERENCES",
    "Disagreement",
    "disagreement",
    "integral_morph",
    "interpolated_contents",
    "interpolated_yield",
]

METHODS = ("integral", "vertical")

#: Where a method is described.
REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "integral": "A. L. Read, Nucl. Instrum. Meth. A 425 (1999) 357",
        "vertical": "linear interpolation of the normalised contents, bin by bin",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """How far a prediction is from what was simulated.

    Parameters
    ----------
    yield_ratio
        Predicted over simulated total.
    distance
        Largest difference of the two cumulative distributions at an edge (Kolmogorov's distance).
    """

    yield_ratio: float
    distance: float

    @property
    def size(self) -> float:
        """The larger of the relative difference of the yield, and the distance of the shape."""
        return max(abs(self.yield_ratio - 1.0), self.distance)


def disagreement(predicted: FloatArray, simulated: FloatArray) -> Disagreement:
    """Compare contents. Shapes [bin].

    Raises
    ------
    OptionError
        A content is negative, or all are zero.
    """
    difference = np.cumsum(_share(predicted)) - np.cumsum(_share(simulated))
    return Disagreement(
        yield_ratio=float(predicted.sum()) / float(simulated.sum()),
        distance=float(np.max(np.abs(difference))),
    )


def _share(contents: FloatArray) -> FloatArray:
    """Contents over their sum.

    Raises
    ------
    OptionError
        A content is negative, or all are zero.
    """
    if np.any(contents < 0.0):
        raise OptionError(f"the content of bin {int(np.argmin(contents))} is negative: merge bins")
    total = float(contents.sum())
    if not total > 0.0:
        raise OptionError("the contents add up to nothing")
    return np.asarray(contents / total)


def _ends_of_quantile(
    edges: FloatArray, cumulative: FloatArray, levels: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest place at which a cumulative distribution has each level.

    They differ where it is flat, which is where a histogram is empty. Shapes [level].
    """
    last = len(edges) - 1
    found = []
    for side in ("left", "right"):
        # With 'left' the first edge that reaches the level, with 'right' the last one
        k = np.searchsorted(cumulative, levels, side=side)
        after = np.clip(k, 1, last)
        below, above = cumulative[after - 1], cumulative[after]
        step = np.where(above > below, above - below, 1.0)
        inside = np.clip((levels - below) / step, 0.0, 1.0)
        found.append(edges[after - 1] + inside * (edges[after] - edges[after - 1]))
    return found[0], found[1]


def integral_morph(
    edges: FloatArray, first: FloatArray, second: FloatArray, fraction: float
) -> FloatArray:
    """Shape between two shapes by linear interpolation of their quantiles.

    Parameters
    ----------
    edges
        Of the bins, ascending. Shape [bin + 1].
    first, second
        Contents, not negative; only their shape matters. Shapes [bin].
    fraction
        Way from the first to the second, 0 to 1.

    Returns
    -------
    FloatArray
        Contents that add up to one. Shape [bin].

    Raises
    ------
    OptionError
        A content is negative, or all are zero.

    References
    ----------
    A. L. Read, Nucl. Instrum. Meth. A 425 (1999) 357, equations 5 to 8.
    """
    cumulative = []
    for contents in (first, second):
        one = np.concatenate([[0.0], np.cumsum(_share(contents))])
        cumulative.append(np.minimum(one / one[-1], 1.0))
    levels = np.unique(np.concatenate(cumulative))
    (low_1, high_1), (low_2, high_2) = (_ends_of_quantile(edges, one, levels) for one in cumulative)
    # Before the first event and behind the last one nothing is interpolated
    low_1[0], low_2[0] = high_1[0], high_2[0]
    high_1[-1], high_2[-1] = low_1[-1], low_2[-1]
    low = (1.0 - fraction) * low_1 + fraction * low_2
    high = (1.0 - fraction) * high_1 + fraction * high_2
    places = np.stack([low, high], axis=1).ravel()
    heights = np.repeat(levels, 2)
    at_edges = np.interp(edges, np.maximum.accumulate(places), heights, left=0.0, right=1.0)
    return np.asarray(np.diff(at_edges))


def interpolated_contents(
    method: str, edges: FloatArray | None, first: FloatArray, second: FloatArray, fraction: float
) -> FloatArray:
    """Contents between two histograms: shape by one of :data:`METHODS`, yield by itself.

    Parameters
    ----------
    method
        One of :data:`METHODS`.
    edges
        Of the bins; ``integral`` needs them. Shape [bin + 1].
    first, second
        Contents. Shapes [bin].
    fraction
        Way from the first to the second, 0 to 1.

    Raises
    ------
    OptionError
        A content is negative, all are zero, or edges are needed and not there.
    """
    if method == "vertical":
        shape = (1.0 - fraction) * _share(first) + fraction * _share(second)
    elif edges is None:
        raise OptionError("the bins have no edges: give histograms with edges, or method: vertical")
    else:
        shape = integral_morph(edges, first, second, fraction)
    total = interpolated_yield(float(first.sum()), float(second.sum()), fraction)
    return np.asarray(total * shape)


def interpolated_yield(first: float, second: float, fraction: float) -> float:
    """Yield between two positive ones, in its logarithm."""
    return math.exp((1.0 - fraction) * math.log(first) + fraction * math.log(second))
