"""Any expression of one or two observables as a density: integrated numerically, and drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import DocumentError
from darkstats.model.unbinned.fixed import nodes_on
from darkstats.model.unbinned.formulas import array_value
from darkstats.workspace.hs3.expressions import Node

__all__ = ["Scalar"]

_SETTLED = 1e-12
# By number of observables: the most panels an axis, the least of the grid that checks, and the
# panels of the fine grid of a likelihood (a sum over them is an Asimov data set).
_MOST = {1: 32_768, 2: 64}
_LEAST_CHECKED = {1: 4999, 2: 61}
_GRID = {1: 64, 2: 24}
_CELLS = {1: 256, 2: 48}
_NODES = 8  # of each panel


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """Any expression of one or two observables, integrated numerically.

    Two grids that both miss a narrow peak agree with each other. The integral is therefore taken
    only if a third one agrees, whose panels lie elsewhere and of which there are at least 4999: a
    peak of unit height is noticed from a width of the range over 300000 on.
    """

    node: Node
    observables: Mapping[str, int]
    ranges: tuple[tuple[float, float], ...]
    _integral: list[float] = field(default_factory=list, repr=False)
    _edges: dict[int, FloatArray] = field(default_factory=dict, repr=False)

    @property
    def dims(self) -> tuple[int, ...]:
        """Its observables."""
        return tuple(sorted(self.observables.values()))

    def values(self, x: FloatArray) -> FloatArray:
        """See :class:`Fixed`."""
        found = array_value(self.node, {name: x[dim] for name, dim in self.observables.items()})
        return np.broadcast_to(found, (x.shape[1],)).astype(float)

    def _panels(self, n: int) -> tuple[FloatArray, FloatArray]:
        """Nodes [dim, node] and weights [node] of a tensor rule with ``n`` panels an axis."""
        axes = [nodes_on(np.linspace(*self.ranges[dim], n + 1)) for dim in self.dims]
        points = np.meshgrid(*(x for x, _ in axes), indexing="ij")
        weights = np.meshgrid(*(w for _, w in axes), indexing="ij")
        x = np.zeros((1 + max(self.dims), points[0].size))
        for dim, point in zip(self.dims, points, strict=True):
            x[dim] = point.ravel()
        product = np.ones(points[0].size)
        for weight in weights:
            product *= weight.ravel()
        return x, product

    def _parts(self, n: int) -> FloatArray:
        """What each node adds to the integral, with ``n`` panels an axis. Shape [node]."""
        x, w = self._panels(n)
        with np.errstate(all="ignore"):
            values = self.values(x)
        if not np.isfinite(values).all():
            raise DocumentError("a generic distribution is not finite within its range")
        return np.asarray(w * values)

    @property
    def integral(self) -> float:
        """See :class:`Fixed`: panels are doubled until the integral stands to 1e-12."""
        if not self._integral:
            n, found = self._settled()
            self._integral.append(found)
            for dim in self.dims:
                self._edges[dim] = self._edges_at(dim, n)
        return self._integral[0]

    def _settled(self) -> tuple[int, float]:
        """Panels an axis, and the integral that they give."""
        n_dims = len(self.dims)
        before, n = np.inf, 8
        while n <= _MOST[n_dims]:
            found = float(self._parts(n).sum())
            if abs(found - before) <= _SETTLED * abs(found):
                checked = max(_LEAST_CHECKED[n_dims], n + n // 2 + 1)
                other = float(self._parts(checked).sum())
                if abs(found - other) <= 2.0 * _SETTLED * abs(found):
                    return n, found
            before, n = found, 2 * n
        raise DocumentError(
            "the integral of a generic distribution does not settle: it has structure that is "
            f"narrower than the range divided by some {_MOST[n_dims] // 2}, or a kink",
            remedy="narrow the range of the observable, or take a Gaussian for a narrow peak",
        )

    def _edges_at(self, dim: int, n: int) -> FloatArray:
        """Edges of panels on which eight nodes integrate as well as ``n`` equal panels do."""
        low, high = self.ranges[dim]
        coarse = _GRID[len(self.dims)]
        if n <= coarse or len(self.dims) > 1:
            return np.linspace(low, high, max(coarse, n if n > coarse else 0) + 1)
        fine = self._parts(n).reshape(n, _NODES).sum(axis=1)
        bearable = _SETTLED * float(np.abs(fine).sum())
        kept = [0, n]
        waiting = np.arange(coarse)
        level = coarse
        while level < n:
            here = self._parts(level).reshape(level, _NODES).sum(axis=1)
            there = fine.reshape(level, -1).sum(axis=1)
            kept += (waiting * (n // level)).tolist()
            bad = waiting[np.abs(here - there)[waiting] > bearable]
            waiting = np.concatenate([2 * bad, 2 * bad + 1])
            level *= 2
        kept += waiting.tolist()
        return np.linspace(low, high, n + 1)[np.unique(kept)]

    def breaks(self, dim: int) -> FloatArray:
        """See :class:`Fixed`."""
        if dim not in self.dims:
            return np.empty(0)
        _ = self.integral
        return self._edges[dim][1:-1]

    def _cells(self, dim: int) -> FloatArray:
        """Edges of cells to draw from: equal ones, cut where panels are narrower."""
        low, high = self.ranges[dim]
        equal = np.linspace(low, high, _CELLS[len(self.dims)] + 1)
        breaks = self.breaks(dim)
        if len(self.dims) > 1 or np.diff(breaks).min() > 0.99 * (equal[1] - equal[0]):
            return equal
        edges = np.unique(np.concatenate([equal, breaks]))
        return np.asarray(edges[np.concatenate([[True], np.diff(edges) > 1e-9 * (high - low)])])

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """See :class:`Fixed`. By rejection under 1.5 times the maxima of cells."""
        axes = [self._cells(dim) for dim in self.dims]
        cells = [len(edges) - 1 for edges in axes]
        fine = [
            np.interp(np.arange(4 * k + 1) / 4.0, np.arange(k + 1), edges)
            for k, edges in zip(cells, axes, strict=True)
        ]
        points = np.meshgrid(*fine, indexing="ij")
        grid = np.zeros((1 + max(self.dims), points[0].size))
        for dim, point in zip(self.dims, points, strict=True):
            grid[dim] = point.ravel()
        values = self.values(grid).reshape([f.size for f in fine])
        for axis, k in enumerate(cells):
            parts = [np.take(values, range(j, 4 * k + j - 3, 4), axis) for j in range(5)]
            values = np.maximum.reduce(parts)
        tops = (1.5 * np.maximum(values, 0.0) + 1e-6 * values.max()).ravel()
        volumes = np.ones(())
        for edges in axes:
            volumes = np.multiply.outer(volumes, np.diff(edges))
        shares = tops * volumes.ravel()
        shares /= shares.sum()
        found: list[FloatArray] = []
        have = 0
        while have < n:
            ask = int(2.0 * (n - have)) + 64
            cell = rng.choice(tops.size, ask, p=shares)
            places = np.unravel_index(cell, cells)
            drawn = np.zeros((1 + max(self.dims), ask))
            for dim, edges, place in zip(self.dims, axes, places, strict=True):
                drawn[dim] = edges[place] + np.diff(edges)[place] * rng.random(ask)
            height = self.values(drawn)
            if (height > tops[cell]).any():
                raise DocumentError("a generic distribution rises too steeply to draw toys from it")
            drawn = drawn[:, rng.random(ask) * tops[cell] < height]
            found.append(drawn)
            have += drawn.shape[1]
        kept = np.concatenate(found, axis=1)[:, :n]
        for dim in self.dims:
            x[dim] = kept[dim]
