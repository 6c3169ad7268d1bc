"""Numbers that carry their first and second derivatives, for many lanes at once.

A jet holds values [lane], gradients [lane, var] and Hessians [lane, var, var] with respect to a few
variables. Formulas written with jets (yields, widths, normalisation integrals) have exact
derivatives without a second formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import BoolArray, FloatArray

__all__ = [
    "Jet",
    "constant",
    "erf_difference",
    "exp",
    "expm1_ratio",
    "lift",
    "log",
    "power",
    "select",
    "sqrt",
    "variable",
]


@dataclass(frozen=True, slots=True, eq=False)
class Jet:
    """Value [lane], gradient [lane, var] and Hessian [lane, var, var]."""

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray

    @property
    def n_variables(self) -> int:
        """Number of variables."""
        return int(self.gradient.shape[1])

    def __add__(self, other: Jet | float) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.gradient, self.hessian)
        return Jet(
            self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian
        )

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.gradient, -self.hessian)

    def __sub__(self, other: Jet | float) -> Jet:
        return self + (-other)

    def __rsub__(self, other: float) -> Jet:
        return -self + other

    def __mul__(self, other: Jet | float) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value * other, self.gradient * other, self.hessian * other)
        cross = self.gradient[:, :, None] * other.gradient[:, None, :]
        return Jet(
            self.value * other.value,
            self.gradient * other.value[:, None] + other.gradient * self.value[:, None],
            self.hessian * other.value[:, None, None]
            + other.hessian * self.value[:, None, None]
            + cross
            + cross.transpose(0, 2, 1),
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Jet | float) -> Jet:
        if not isinstance(other, Jet):
            return self * (1.0 / other)
        return self * reciprocal(other)

    def __rtruediv__(self, other: float) -> Jet:
        return reciprocal(self) * other


def constant(value: FloatArray | float, n_lanes: int, n_variables: int) -> Jet:
    """A number that depends on nothing."""
    return Jet(
        np.broadcast_to(np.asarray(value, dtype=float), (n_lanes,)),
        np.zeros((n_lanes, n_variables)),
        np.zeros((n_lanes, n_variables, n_variables)),
    )


def variable(value: FloatArray, index: int, n_variables: int) -> Jet:
    """Variable ``index`` itself. Shape of ``value``: [lane]."""
    jet = constant(value, len(value), n_variables)
    jet.gradient[:, index] = 1.0
    return jet


def lift(of: Jet, value: FloatArray, first: FloatArray, second: FloatArray) -> Jet:
    """A function of a jet from its value and derivatives at the jet's value, each [lane]."""
    outer = of.gradient[:, :, None] * of.gradient[:, None, :]
    return Jet(
        value,
        first[:, None] * of.gradient,
        first[:, None, None] * of.hessian + second[:, None, None] * outer,
    )


def reciprocal(of: Jet) -> Jet:
    """1 / x."""
    inverse = 1.0 / of.value
    return lift(of, inverse, -(inverse**2), 2.0 * inverse**3)


def exp(of: Jet) -> Jet:
    """Exponential."""
    value = np.exp(of.value)
    return lift(of, value, value, value)


def log(of: Jet) -> Jet:
    """Natural logarithm."""
    inverse = 1.0 / of.value
    return lift(of, np.log(of.value), inverse, -(inverse**2))


def sqrt(of: Jet) -> Jet:
    """Square root."""
    value = np.sqrt(of.value)
    return lift(of, value, 0.5 / value, -0.25 / (value * of.value))


def sin(of: Jet) -> Jet:
    """Sine."""
    value = np.sin(of.value)
    return lift(of, value, np.cos(of.value), -value)


def cos(of: Jet) -> Jet:
    """Cosine."""
    value = np.cos(of.value)
    return lift(of, value, -np.sin(of.value), -value)


def erf(of: Jet) -> Jet:
    """Error function."""
    first = 2.0 / math.sqrt(math.pi) * np.exp(-(of.value**2))
    return lift(of, erf_of(of.value), first, -2.0 * of.value * first)


def power(base: Jet, exponent: Jet) -> Jet:
    """``base ** exponent``; a constant exponent may have a base of any sign."""
    n = exponent.value
    if not exponent.gradient.any() and not exponent.hessian.any():
        value = base.value**n
        first = np.where(n == 0.0, 0.0, n * base.value ** np.where(n == 0.0, 1.0, n - 1.0))
        low = (n == 0.0) | (n == 1.0)
        second = np.where(low, 0.0, n * (n - 1.0) * base.value ** np.where(low, 1.0, n - 2.0))
        return lift(base, value, first, second)
    return exp(exponent * log(base))


def select(condition: BoolArray, then: Jet, otherwise: Jet) -> Jet:
    """``then`` in the lanes where the condition holds. Shape of the condition: [lane]."""
    return Jet(
        np.where(condition, then.value, otherwise.value),
        np.where(condition[:, None], then.gradient, otherwise.gradient),
        np.where(condition[:, None, None], then.hessian, otherwise.hessian),
    )


def _elementwise(function: Callable[[float], float], values: FloatArray) -> FloatArray:
    flat = np.asarray(values, dtype=float)
    return np.array([function(x) for x in flat.ravel()]).reshape(flat.shape)


def erf_of(values: FloatArray) -> FloatArray:
    """Error function of numbers."""
    return _elementwise(math.erf, values)


def erf_difference(low: Jet, high: Jet) -> Jet:
    """``erf(high) - erf(low)``, accurate where both lie in one tail.

    There the complementary function is taken, on the side where it is small.
    """
    a, b = low.value, high.value
    sign = np.where(a + b >= 0.0, 1.0, -1.0)
    near, far = np.where(sign > 0.0, a, -b), np.where(sign > 0.0, b, -a)
    value = np.where(
        near > 0.5,
        _elementwise(math.erfc, near) - _elementwise(math.erfc, far),
        erf_of(b) - erf_of(a),
    )
    scale = 2.0 / math.sqrt(math.pi)
    at_a, at_b = scale * np.exp(-(a**2)), scale * np.exp(-(b**2))
    zero = np.zeros_like(a)
    return lift(high, value, at_b, -2.0 * b * at_b) - lift(low, zero, at_a, -2.0 * a * at_a)


def expm1_ratio(of: Jet) -> Jet:
    """``(exp(z) - 1) / z``, 1 at zero, by its series where the ratio loses digits."""
    z = of.value
    small = np.abs(z) < 1.0
    x = np.where(small, 1.0, z)
    e = np.exp(x)
    value = np.where(small, 0.0, (e - 1.0) / x)
    first = np.where(small, 0.0, (e * (x - 1.0) + 1.0) / x**2)
    second = np.where(small, 0.0, (e * (x * x - 2.0 * x + 2.0) - 2.0) / x**3)
    # phi = sum z^k / (k+1)!, and its derivatives term by term
    s = np.where(small, z, 0.0)
    series = [1.0 / math.factorial(k + 1) for k in range(24)]
    f0 = np.zeros_like(s)
    f1 = np.zeros_like(s)
    f2 = np.zeros_like(s)
    for k in range(23, -1, -1):
        f0 = f0 * s + series[k]
        if k >= 1:
            f1 = f1 * s + k * series[k]
        if k >= 2:
            f2 = f2 * s + k * (k - 1) * series[k]
    return lift(
        of,
        np.where(small, f0, value),
        np.where(small, f1, first),
        np.where(small, f2, second),
    )
