"""Expected limits of counting windows by exact enumeration of Poisson outcomes.

The limit is a smooth function of the counts: where there are many, it is taken at some of them and
interpolated, only to find *which* outcomes stand at the quantiles. The limits that are quoted are
those of these outcomes themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.gaussian import cdf
from darkstats.inference.bayes.quadrature.window_posteriors import Outcomes
from darkstats.inference.results import N_SIGMA

__all__ = ["MOST_OUTCOMES", "Enumeration", "count_range", "enumeration"]

LEFT_OUT = 1e-9  # probability of a bin beyond the counts that are enumerated, on each side
MOST_OUTCOMES = 40_000
_ALL = 24  # this many counts of a bin need no interpolation
_NODES = (17, 9)  # counts taken of the most sensitive bin, and of the others


def count_range(rate: float) -> tuple[int, FloatArray]:
    """Smallest count, and the probabilities of it and the following ones, of a Poisson law."""
    if rate <= 0.0:
        return 0, np.ones(1)
    spread = 7.0 * math.sqrt(rate)
    low, high = max(0, math.floor(rate - spread - 2.0)), math.ceil(rate + spread + 16.0)
    counts = np.arange(low, high + 1)
    steps = np.log(rate) - np.log(np.maximum(counts[1:], 1))
    start = low * math.log(rate) - rate - math.lgamma(low + 1.0)
    probability = np.exp(start + np.concatenate([[0.0], np.cumsum(steps)]))
    below = np.cumsum(probability)
    first = int(np.searchsorted(below, LEFT_OUT))
    last = int(np.searchsorted(below, 1.0 - LEFT_OUT))
    return low + first, probability[first : last + 1]


def _nodes(low: int, n: int, most: int) -> FloatArray:
    """Counts at which the limit is taken: all, or about the Chebyshev points of their roots."""
    if n <= max(most, _ALL if most == _NODES[0] else 0):
        return np.arange(low, low + n, dtype=np.float64)
    a, b = math.sqrt(low + 0.375), math.sqrt(low + n - 1 + 0.375)
    root = 0.5 * (a + b) - 0.5 * (b - a) * np.cos(np.pi * np.arange(most) / (most - 1))
    result: FloatArray = np.unique(np.round(root**2 - 0.375))
    return result


def _interpolation(nodes: FloatArray, low: int, n: int) -> FloatArray:
    """Matrix from values at the nodes to values at all counts (barycentric, in the root)."""
    x, y = np.sqrt(nodes + 0.375), np.sqrt(np.arange(low, low + n) + 0.375)
    apart = x[:, np.newaxis] - x[np.newaxis, :] + np.eye(len(x))
    scale = 4.0 / max(float(x[-1] - x[0]), 1e-9)
    weight = 1.0 / np.prod(apart * scale, axis=1) if len(x) > 1 else np.ones(1)
    difference = y[:, np.newaxis] - x[np.newaxis, :]
    exact = difference == 0.0
    terms = weight / np.where(exact, 1.0, difference)
    hit = exact.any(axis=1, keepdims=True)
    matrix = terms / np.where(hit, 1.0, terms.sum(axis=1, keepdims=True))
    return np.where(hit, exact.astype(np.float64), matrix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """Outcomes of one window.

    Parameters
    ----------
    low, probability
        Smallest count of each bin, and the probabilities of the counts from there on.
    nodes
        Counts of each bin at which limits are taken.
    """

    low: tuple[int, ...]
    probability: tuple[FloatArray, ...]
    nodes: tuple[FloatArray, ...]

    def outcomes(self, observed: FloatArray | None) -> Outcomes:
        """All combinations of the nodes, the observed counts [bin] in front if there are any."""
        lists = self.nodes
        if observed is not None:
            lists = tuple(
                values if n in values else np.sort(np.append(values, n))
                for values, n in zip(lists, observed, strict=True)
            )
        places = [np.searchsorted(a, b) for a, b in zip(lists, self.nodes, strict=True)]
        index = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, len(lists))
        if observed is not None:
            first = [np.searchsorted(a, n) for a, n in zip(lists, observed, strict=True)]
            index = np.concatenate([np.array([first]), index])
        return Outcomes(lists, np.ascontiguousarray(index, dtype=np.int64))

    def quantiles(
        self, limits: FloatArray, weights: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Outcomes at -2 .. +2 sigma, in rising order of their limits.

        Parameters
        ----------
        limits
            Limits of :meth:`outcomes`, without the observed one. Shape [outcome].
        weights
            Their probabilities, if all counts are nodes; by default independent Poisson laws.

        Returns
        -------
        tuple of FloatArray
            Counts [5, bin], and limits there, interpolated [5].
        """
        values = np.log(limits).reshape([len(n) for n in self.nodes])
        law = np.ones(1)
        for b, (low, p, nodes) in enumerate(
            zip(self.low, self.probability, self.nodes, strict=True)
        ):
            if len(nodes) < len(p):
                matrix = _interpolation(nodes, low, len(p))
                values = np.moveaxis(np.tensordot(matrix, values, axes=(1, b)), 0, b)
            law = np.multiply.outer(law, p) if b else p
        flat = values.ravel()
        order = np.argsort(flat, kind="stable")
        mass = (law.ravel() if weights is None else weights)[order]
        below = np.cumsum(mass) / mass.sum()
        levels = np.array([cdf(float(n)) for n in N_SIGMA])
        place = np.minimum(np.searchsorted(below, levels - 1e-12), len(order) - 1)
        chosen = order[place]
        index = np.stack(np.unravel_index(chosen, values.shape), axis=1)
        counts = index.astype(np.float64) + np.array(self.low)
        found: FloatArray = np.exp(flat[chosen])
        return counts, found


def enumeration(
    laws: Sequence[tuple[int, FloatArray]], sensitivity: FloatArray, *, whole: bool
) -> Enumeration | None:
    """Outcomes of a window of one or two bins; None where there are too many to enumerate.

    Parameters
    ----------
    laws
        Smallest count and probabilities of each bin.
    sensitivity
        Signal over background of each bin: the most sensitive one gets the most nodes.
    whole
        Take the limit at all counts.
    """
    sizes = [len(p) for _, p in laws]
    if len(laws) > 2 or math.prod(sizes) > MOST_OUTCOMES:
        return None
    first = int(np.argmax(sensitivity))
    nodes = tuple(
        np.arange(low, low + len(p), dtype=np.float64)
        if whole
        else _nodes(low, len(p), _NODES[0 if b == first else 1])
        for b, (low, p) in enumerate(laws)
    )
    return Enumeration(
        low=tuple(low for low, _ in laws),
        probability=tuple(p for _, p in laws),
        nodes=nodes,
    )
