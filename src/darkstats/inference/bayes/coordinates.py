"""Coordinates without edges, in which posteriors of nuisance parameters look normal.

Gaussian approximations, importance sampling and Hamiltonian trajectories need a space without
walls. A parameter with an edge is mapped by a function that makes a standard normal variable out
of the law that is typical of it:

* half line: ``x = lower + scale * softplus(u(z))`` turns an exponential law into a normal one, and
  a gamma law nearly so (about a cube root, as Wilson and Hilferty found);
* interval: ``x = lower + (upper - lower) / (1 + exp(-u(z)))`` does so for the uniform law;
* a log-normal factor: ``x = centre * exp(width * z)``;

with ``u(z) = 1.5976 z + 0.070566 z^3``, for which ``1 / (1 + exp(-u))`` is the normal cumulative
distribution to 1.4e-4. Tails are normal, so that weights of importance sampling stay bounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray

__all__ = ["Coordinates", "Mapped"]

_C1, _C3 = 1.5976, 0.070566


@dataclass(frozen=True, slots=True)
class Mapped:
    """``x(z)`` and its first two derivatives; ``log x'`` and its first two. Any shape."""

    x: FloatArray
    x1: FloatArray
    x2: FloatArray
    log_slope: FloatArray
    log_slope1: FloatArray
    log_slope2: FloatArray

    def of(self, some: slice) -> Mapped:
        """Of some of the places, along the first axis."""
        return Mapped(
            self.x[some],
            self.x1[some],
            self.x2[some],
            self.log_slope[some],
            self.log_slope1[some],
            self.log_slope2[some],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """Maps of some parameters, all of one kind.

    Parameters
    ----------
    kind
        ``"affine"`` (``centre + scale z``), ``"exponential"`` (``centre exp(scale z)``),
        ``"half-line"`` (``lower``, ``scale``) or ``"interval"`` (``lower``, ``upper``).
    centre, scale, lower, upper
        Numbers of the map. Shapes [par], or [] for one.
    """

    kind: str
    centre: FloatArray = field(default_factory=lambda: np.array(0.0))
    scale: FloatArray = field(default_factory=lambda: np.array(1.0))
    lower: FloatArray = field(default_factory=lambda: np.array(0.0))
    upper: FloatArray = field(default_factory=lambda: np.array(1.0))

    def at(self, z: FloatArray) -> Mapped:
        """Value and derivatives at ``z``. Shape [..., par]."""
        z = np.asarray(z, dtype=np.float64)
        zero = np.zeros_like(z)
        if self.kind == "affine":
            slope = zero + self.scale
            return Mapped(self.centre + self.scale * z, slope, zero, np.log(slope), zero, zero)
        if self.kind == "exponential":
            x = self.centre * np.exp(self.scale * z)
            log_slope = np.log(self.centre * self.scale) + self.scale * z
            return Mapped(x, self.scale * x, self.scale**2 * x, log_slope, zero + self.scale, zero)
        u, u1, u2 = z * (_C1 + _C3 * z * z), _C1 + 3.0 * _C3 * z * z, 6.0 * _C3 * z
        soft = np.logaddexp(0.0, u)  # softplus
        log_s = u - soft  # log of the logistic function
        s, t = np.exp(log_s), np.exp(-soft)  # logistic, and one minus it
        log_u1, bend = np.log(u1), u2 / u1
        bend1 = 6.0 * _C3 / u1 - bend * bend
        if self.kind == "half-line":
            x = self.lower + self.scale * soft
            x1 = self.scale * s * u1
            x2 = self.scale * (s * t * u1 * u1 + s * u2)
            log_slope = np.log(self.scale) + log_s + log_u1
            return Mapped(x, x1, x2, log_slope, t * u1 + bend, -s * t * u1 * u1 + t * u2 + bend1)
        width = self.upper - self.lower
        x = self.lower + width * s
        x1 = width * s * t * u1
        x2 = width * (s * t * (t - s) * u1 * u1 + s * t * u2)
        log_slope = np.log(width) + log_s - soft + log_u1
        curve = -2.0 * s * t * u1 * u1 + (t - s) * u2 + bend1
        return Mapped(x, x1, x2, log_slope, (t - s) * u1 + bend, curve)

    def inverse(self, x: FloatArray) -> FloatArray:
        """Coordinate of a value; values at an edge are moved inside by a little."""
        x = np.asarray(x, dtype=np.float64)
        if self.kind == "affine":
            return (x - self.centre) / self.scale
        if self.kind == "exponential":
            return np.log(np.maximum(x, 1e-300) / self.centre) / self.scale
        if self.kind == "half-line":
            y = np.maximum((x - self.lower) / self.scale, 1e-3)
            u = y + np.log(-np.expm1(-y))
        else:
            y = np.clip((x - self.lower) / (self.upper - self.lower), 1e-3, 1.0 - 1e-3)
            u = np.log(y / (1.0 - y))
        # the real root of c3 z^3 + c1 z = u
        size = math.sqrt(_C1 / (3.0 * _C3))
        result: FloatArray = 2.0 * size * np.sinh(np.arcsinh(1.5 * u / (_C1 * size)) / 3.0)
        return result
