"""Functions of the observables that no parameter changes: polynomials, templates, densities.

An unbinned density is a sum of such functions, each times an amplitude, and some of them times a
shape whose parameters float. Here they are evaluated once for a data set, integrated and drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import DocumentError
from darkstats.model.unbinned import jets
from darkstats.model.unbinned.formulas import number
from darkstats.model.unbinned.shapes import (
    LogFactor,
    break_points,
    draw,
    integral_jet,
    log_shape,
)
from darkstats.workspace.hs3.expressions import Binary, Name, Node, Number

__all__ = [
    "Blend",
    "Fixed",
    "Flat",
    "Histogram",
    "Polynomial",
    "Product",
    "Shape",
    "nodes_on",
    "polynomial_of",
]

_HIGHEST_ORDER = 30
_GAUSS = np.polynomial.legendre.leggauss(8)


def nodes_on(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of eight-point Gauss-Legendre quadrature on each panel. Shapes [node]."""
    centre, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    x = centre[:, None] + half[:, None] * _GAUSS[0][None, :]
    w = half[:, None] * _GAUSS[1][None, :]
    return x.ravel(), w.ravel()


class Fixed(Protocol):
    """What they have in common. ``x`` has the observables of a channel as rows: [dim, event]."""

    @property
    def dims(self) -> tuple[int, ...]:
        """Observables that it depends on."""

    @property
    def integral(self) -> float:
        """Integral over the ranges of its observables."""

    def values(self, x: FloatArray) -> FloatArray:
        """Values. Shapes: [dim, event] -> [event]."""

    def breaks(self, dim: int) -> FloatArray:
        """Where panels of a quadrature in one observable should end."""

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """Draw ``n`` events into the rows of ``x`` [dim, n] that it depends on."""


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """One, everywhere."""

    @property
    def dims(self) -> tuple[int, ...]:
        """None."""
        return ()

    def values(self, x: FloatArray) -> FloatArray:
        """See :class:`Fixed`."""
        return np.ones(x.shape[1])

    @property
    def integral(self) -> float:
        """See :class:`Fixed`."""
        return 1.0

    def breaks(self, dim: int) -> FloatArray:
        """See :class:`Fixed`."""
        return np.empty(0)

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """See :class:`Fixed`."""


@dataclass(frozen=True, slots=True, eq=False)
class Polynomial:
    """A polynomial in t, where t runs from -1 to 1 over the range. Coefficients of t^0, t^1, ..."""

    dim: int
    low: float
    high: float
    coefficients: tuple[float, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """Its observable."""
        return (self.dim,)

    def scaled(self, x: FloatArray) -> FloatArray:
        """T at x."""
        return np.asarray((2.0 * x - (self.low + self.high)) / (self.high - self.low))

    def values(self, x: FloatArray) -> FloatArray:
        """See :class:`Fixed`."""
        t = self.scaled(x[self.dim])
        total = np.full(t.shape, self.coefficients[-1])
        for coefficient in self.coefficients[-2::-1]:
            total *= t
            total += coefficient
        return total

    @property
    def integral(self) -> float:
        """See :class:`Fixed`."""
        half = 0.5 * (self.high - self.low)
        return half * sum(2.0 * c / (k + 1) for k, c in enumerate(self.coefficients) if k % 2 == 0)

    def breaks(self, dim: int) -> FloatArray:
        """See :class:`Fixed`."""
        if dim != self.dim:
            return np.empty(0)
        return np.linspace(self.low, self.high, 2 + len(self.coefficients) // 6)[1:-1]

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """See :class:`Fixed`. By rejection under a staircase of upper bounds: exact."""
        edges = np.linspace(-1.0, 1.0, 33)
        degree = len(self.coefficients) - 1
        slope = sum(k * abs(c) for k, c in enumerate(self.coefficients))
        ends = np.polynomial.polynomial.polyval(edges, self.coefficients)
        # |p'| <= slope on [-1, 1] bounds p within a step from its values at the ends.
        rise = 0.5 * slope * (edges[1] - edges[0]) if degree > 1 else 0.0
        tops = np.maximum(np.maximum(ends[1:], ends[:-1]) + rise, 0.0)
        if not tops.sum() > 0.0:
            raise DocumentError("a background polynomial is nowhere positive")
        found: list[FloatArray] = []
        have = 0
        while have < n:
            ask = int(1.2 * (n - have)) + 32
            step = rng.choice(len(tops), ask, p=tops / tops.sum())
            t = edges[step] + (edges[1] - edges[0]) * rng.random(ask)
            height = np.polynomial.polynomial.polyval(t, self.coefficients)
            t = t[rng.random(ask) * tops[step] < height]
            found.append(t)
            have += len(t)
        t = np.concatenate(found)[:n]
        x[self.dim] = 0.5 * (self.low + self.high) + 0.5 * (self.high - self.low) * t


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A Gaussian, Crystal Ball or exponential with numbers in its slots; not normalised."""

    factor: LogFactor
    #: See :class:`Fixed`. Computed once: it is asked for at every step of a fit.
    integral: float = field(init=False)

    def __post_init__(self) -> None:
        f = self.factor
        one = [jets.constant(s, 1, 0) for s in self._slots]
        with np.errstate(all="ignore"):  # what is not finite is refused by who divides by it
            value = float(integral_jet(f.op, one, f.low, f.high).value[0])
        object.__setattr__(self, "integral", value)

    @property
    def dims(self) -> tuple[int, ...]:
        """Its observable."""
        return (self.factor.dim,)

    @property
    def _slots(self) -> FloatArray:
        return np.array([number(slot) for slot in self.factor.slots])

    def values(self, x: FloatArray) -> FloatArray:
        """See :class:`Fixed`."""
        f = self.factor
        return np.exp(log_shape(f.op, self._slots, x[f.dim], f.low))

    def breaks(self, dim: int) -> FloatArray:
        """See :class:`Fixed`."""
        f = self.factor
        return break_points(f.op, self._slots, f.low, f.high) if dim == f.dim else np.empty(0)

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """See :class:`Fixed`."""
        f = self.factor
        x[f.dim] = draw(f.op, self._slots, f.low, f.high, n, rng)


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Constant density within each bin; ``contents`` are integrals over the bins."""

    dim: int
    edges: FloatArray
    contents: FloatArray

    @property
    def dims(self) -> tuple[int, ...]:
        """Its observable."""
        return (self.dim,)

    def values(self, x: FloatArray) -> FloatArray:
        """See :class:`Fixed`."""
        place = np.searchsorted(self.edges, x[self.dim], side="right") - 1
        place = np.clip(place, 0, len(self.contents) - 1)
        return np.asarray((self.contents / np.diff(self.edges))[place])

    @property
    def integral(self) -> float:
        """See :class:`Fixed`."""
        return float(self.contents.sum())

    def breaks(self, dim: int) -> FloatArray:
        """See :class:`Fixed`."""
        return self.edges if dim == self.dim else np.empty(0)

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """See :class:`Fixed`."""
        weights = np.maximum(self.contents, 0.0)
        step = rng.choice(len(weights), n, p=weights / weights.sum())
        x[self.dim] = self.edges[step] + np.diff(self.edges)[step] * rng.random(n)


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A product of functions of different observables."""

    factors: tuple[Fixed, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """All its observables."""
        return tuple(sorted({dim for factor in self.factors for dim in factor.dims}))

    def values(self, x: FloatArray) -> FloatArray:
        """See :class:`Fixed`."""
        total = np.ones(x.shape[1])
        for factor in self.factors:
            total = total * factor.values(x)
        return total

    @property
    def integral(self) -> float:
        """See :class:`Fixed`."""
        return float(np.prod([factor.integral for factor in self.factors]))

    def breaks(self, dim: int) -> FloatArray:
        """See :class:`Fixed`."""
        parts = [factor.breaks(dim) for factor in self.factors]
        return np.unique(np.concatenate([np.empty(0), *parts]))

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """See :class:`Fixed`."""
        for factor in self.factors:
            factor.sample(n, x, rng)


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """A weighted sum of functions, each divided by its integral."""

    weights: tuple[float, ...]
    parts: tuple[Fixed, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """All its observables."""
        return tuple(sorted({dim for part in self.parts for dim in part.dims}))

    def values(self, x: FloatArray) -> FloatArray:
        """See :class:`Fixed`."""
        total = np.zeros(x.shape[1])
        for weight, part in zip(self.weights, self.parts, strict=True):
            total += (weight / part.integral) * part.values(x)
        return total

    @property
    def integral(self) -> float:
        """See :class:`Fixed`."""
        return float(sum(self.weights))

    def breaks(self, dim: int) -> FloatArray:
        """See :class:`Fixed`. Many narrow parts: panels of their least width, not those of each."""
        parts = [part.breaks(dim) for part in self.parts]
        found = np.unique(np.concatenate([np.empty(0), *parts]))
        if len(found) <= 200:
            return found
        steps = [np.diff(part) for part in parts if len(part) > 1]
        least = min(float(step.min()) for step in steps)
        n = int(min(max((found[-1] - found[0]) / least, 1.0), 400.0))
        return np.linspace(found[0], found[-1], n + 1)

    def sample(self, n: int, x: FloatArray, rng: np.random.Generator) -> None:
        """See :class:`Fixed`."""
        weights = np.array(self.weights)
        if (weights < 0.0).any():
            raise DocumentError("toys cannot be drawn from a mixture with a negative fraction")
        counts = rng.multinomial(n, weights / weights.sum())
        at = 0
        for count, part in zip(counts, self.parts, strict=True):
            if count:
                part.sample(int(count), x[:, at : at + count], rng)
            at += count
        x[:] = x[:, rng.permutation(n)]


def _poly(node: Node, t: Callable[[str], FloatArray | None]) -> FloatArray | None:
    """Coefficients of a tree that is a polynomial, or None."""
    if isinstance(node, Number):
        return np.array([node.value])
    if isinstance(node, Name):
        return t(node.name)
    if not isinstance(node, Binary):
        return None
    left, right = _poly(node.left, t), _poly(node.right, t)
    if left is None or right is None:
        return None
    if node.sign == "*":
        return np.convolve(left, right) if len(left) + len(right) < _HIGHEST_ORDER else None
    if node.sign == "/":
        return left / right[0] if len(right) == 1 and right[0] != 0.0 else None
    if node.sign == "**":
        n = float(right[0])
        if len(right) != 1 or n != int(n) or not 0 <= n * len(left) <= _HIGHEST_ORDER:
            return None
        result = np.ones(1)
        for _ in range(int(n)):
            result = np.convolve(result, left)
        return result
    size = max(len(left), len(right))
    a, b = np.pad(left, (0, size - len(left))), np.pad(right, (0, size - len(right)))
    return a + b if node.sign == "+" else a - b


def polynomial_of(
    node: Node, observable: str, dim: int, low: float, high: float
) -> Polynomial | None:
    """The polynomial that a tree is in one observable, or None where it is none."""
    line = np.array([0.5 * (low + high), 0.5 * (high - low)])
    found = _poly(node, lambda name: line if name == observable else None)
    if found is None:
        return None
    return Polynomial(dim, low, high, tuple(float(c) for c in found))
