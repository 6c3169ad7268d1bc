"""Bins of a document: the edges of an axis, and lists of numbers, checked."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from darkstats.model.unbinned.names import Names
from darkstats.workspace.hs3.checks import is_number

__all__ = ["edges_of", "numbers_of"]

_MOST_BINS = 1_000_000
Item = dict[str, Any]


def edges_of(axis: Item, label: str, names: Names) -> list[float]:
    """Edges of the bins of an axis, rising."""
    if "edges" in axis:
        edges = numbers_of(axis["edges"], f"{label} has the edge", names)
        if len(edges) < 2 or not all(a < b for a, b in pairwise(edges)):
            raise names.error(f"{label} has edges that do not rise", "sort them, each once")
        return edges
    low, high, n = (axis.get(key) for key in ("min", "max", "nbins"))
    bins = int(n) if is_number(n) and n == int(n) else 0
    if 0 < bins <= _MOST_BINS and is_number(low) and is_number(high) and low < high:
        return [float(e) for e in np.linspace(low, high, bins + 1)]
    raise names.error(
        f"{label} has no bins: its axis has neither edges nor min, max and nbins",
        f"give edges, or min < max and nbins from 1 to {_MOST_BINS}",
    )


def numbers_of(values: object, label: str, names: Names) -> list[float]:
    """A list of numbers; ``label`` begins the sentence on one that is none."""
    if not isinstance(values, list) or not values:
        raise names.error(f"{label}s {values!r:.60}, which is no list of numbers")
    for n, value in enumerate(values):
        if not is_number(value):
            raise names.error(f"{label} {n} = {value!r:.60}, which is no number")
    return [float(value) for value in values]
