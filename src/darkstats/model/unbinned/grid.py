"""The fine grid of a likelihood: nodes of a quadrature on panels that end where the shapes bend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.model.unbinned.channels import Channel
from darkstats.model.unbinned.fixed import nodes_on
from darkstats.model.unbinned.shapes import break_points

__all__ = ["Grid", "grid_of"]

_PANELS = (32, 20)  # at least, in one and in each of two observables
_MOST_PANELS = (600, 40)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Points [dim, cell] and weights [cell] of each channel; bins of a binned one: its centres."""

    points: tuple[FloatArray, ...]
    weights: tuple[FloatArray, ...]


def _edges(channel: Channel, dim: int, point: FloatArray) -> FloatArray:
    low, high = channel.ranges[dim]
    two = min(len(channel.observables), 2) - 1
    parts = [np.linspace(low, high, _PANELS[two] + 1)]
    parts += [column.function.breaks(dim) for column in channel.columns]
    for group in channel.groups:
        for factor in group:
            if factor.dim == dim:
                slots = np.array([float(slot.at(point)) for slot in factor.slots])
                parts.append(break_points(factor.op, slots, low, high))
    edges = np.unique(np.concatenate(parts))
    edges = edges[(edges >= low) & (edges <= high)]
    # Breaks that nearly coincide would make panels of rounding errors.
    kept = np.concatenate([[True], np.diff(edges) > 1e-9 * (high - low)])
    edges = np.asarray(edges[kept])
    edges[-1] = high
    if len(edges) - 1 > _MOST_PANELS[two]:
        places = np.linspace(0, len(edges) - 1, _MOST_PANELS[two] + 1).round().astype(int)
        edges = edges[places]
    return edges


def grid_of(channels: Sequence[Channel], point: FloatArray) -> Grid:
    """Return the grid for the shapes as they are at a point [par]."""
    points, weights = [], []
    for channel in channels:
        if channel.bin_edges is not None:
            bins = np.array(channel.bin_edges)
            points.append(0.5 * (bins[1:] + bins[:-1])[None, :])
            weights.append(np.diff(bins))
            continue
        axes = [nodes_on(_edges(channel, d, point)) for d in range(len(channel.observables))]
        mesh = np.meshgrid(*(x for x, _ in axes), indexing="ij")
        product = np.ones(())
        for _, w in axes:
            product = np.multiply.outer(product, w)
        points.append(np.stack([part.ravel() for part in mesh]))
        weights.append(product.ravel())
    return Grid(tuple(points), tuple(weights))
