"""The peaked and falling shapes with closed forms: Gaussian, Crystal Ball, exponential.

Each is written once for values (:func:`log_shape`) and once as the integral over a range with its
derivatives (:func:`log_integral`). The kernel in :mod:`darkstats.model.unbinned.density` has the
derivatives with respect to its *slots*; polynomials need none and live in
:mod:`darkstats.model.unbinned.fixed`.

Slots: Gaussian ``mean, sigma``; Crystal Ball ``mean, sigma_L, alpha_L, n_L, sigma_R, alpha_R, n_R``
with tails on both sides (J. Gaiser, SLAC-R-255, 1982); exponential ``c`` of ``exp(-c (x - low))``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.model.unbinned import jets
from darkstats.model.unbinned.formulas import Formula
from darkstats.model.unbinned.jets import Jet

__all__ = [
    "CRYSTAL_BALL",
    "EXPONENTIAL",
    "GAUSSIAN",
    "NO_TAIL",
    "N_SLOTS",
    "LogFactor",
    "break_points",
    "draw",
    "integral_jet",
    "log_shape",
]

GAUSSIAN, CRYSTAL_BALL, EXPONENTIAL = 0, 1, 2
N_SLOTS = (2, 7, 1)
#: alpha of a Crystal Ball side that has no tail: its Gaussian goes on for a thousand sigma.
NO_TAIL = 1000.0
_ROOT_HALF_PI = math.sqrt(0.5 * math.pi)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogFactor:
    """One shape in one observable, with a formula for each slot; normalised on [low, high]."""

    op: int
    dim: int
    low: float
    high: float
    slots: tuple[Formula, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it depends on no parameter."""
        return all(slot.is_constant for slot in self.slots)

    @property
    def variables(self) -> tuple[int, ...]:
        """Places of the parameters that it depends on, rising."""
        return tuple(sorted({v for slot in self.slots for v in slot.variables}))


def _tail(tau: FloatArray, alpha: FloatArray, n: FloatArray) -> FloatArray:
    """Logarithm of a Crystal Ball side at the distance ``tau`` (negative outwards)."""
    y = 1.0 - alpha * (tau + alpha) / n
    outside = tau < -alpha
    return np.where(outside, -0.5 * alpha**2 - n * np.log(np.where(outside, y, 1.0)), -0.5 * tau**2)


def log_shape(op: int, slots: FloatArray, x: FloatArray, low: float) -> FloatArray:
    """Logarithm of a shape that is not normalised. Shapes: slots [slot, ...], x [...]."""
    if op == EXPONENTIAL:
        return np.asarray(-slots[0] * (x - low))
    if op == GAUSSIAN:
        return np.asarray(-0.5 * ((x - slots[0]) / slots[1]) ** 2)
    mean, sigma_l, alpha_l, n_l, sigma_r, alpha_r, n_r = slots
    left = _tail((x - mean) / sigma_l, alpha_l, n_l)
    right = _tail((mean - x) / sigma_r, alpha_r, n_r)
    return np.where(x < mean, left, right)


def _gaussian_piece(mean: Jet, sigma: Jet, low: Jet, high: Jet) -> Jet:
    root = 1.0 / math.sqrt(2.0)
    inverse = 1.0 / sigma
    area = jets.erf_difference((low - mean) * inverse * root, (high - mean) * inverse * root)
    return area * sigma * _ROOT_HALF_PI


def _clip(at: Jet, low: Jet, high: Jet) -> Jet:
    return jets.select(at.value < low.value, low, jets.select(at.value > high.value, high, at))


def _tail_area(distance: Jet, far: Jet, near: Jet, alpha: Jet, n: Jet) -> Jet:
    """Integral over tau from ``far`` to ``near`` (both at most -alpha) of a tail of exponent n.

    The antiderivative of y^-n is y^(1-n) / (n - 1) times n / alpha; written so that n = 1, where it
    is a logarithm, is no exception. ``distance`` says in which lanes there is a tail: near > far.
    """
    there = distance.value > 0.0
    nothing = jets.constant(0.0, len(there), distance.n_variables)
    one = nothing + 1.0
    ratio = alpha / n
    y_far = jets.select(there, 1.0 - ratio * (far + alpha), one)
    y_near = jets.select(there, 1.0 - ratio * (near + alpha), one)
    log_ratio = jets.log(y_far / y_near)
    z = (1.0 - n) * log_ratio
    area = jets.exp((1.0 - n) * jets.log(y_near)) * log_ratio * jets.expm1_ratio(z)
    height = jets.exp(alpha * alpha * -0.5)
    return jets.select(there, area * height / ratio, nothing)


def integral_jet(op: int, slots: list[Jet], low: float, high: float) -> Jet:
    """Integral of :func:`log_shape`'s exponential over [low, high], with derivatives."""
    n_lanes, n_variables = slots[0].gradient.shape
    a = jets.constant(low, n_lanes, n_variables)
    b = jets.constant(high, n_lanes, n_variables)
    if op == EXPONENTIAL:
        return jets.expm1_ratio(slots[0] * (low - high)) * (high - low)
    if op == GAUSSIAN:
        return _gaussian_piece(slots[0], slots[1], a, b)
    mean, sigma_l, alpha_l, n_l, sigma_r, alpha_r, n_r = slots
    left = _clip(mean - alpha_l * sigma_l, a, b)
    right = _clip(mean + alpha_r * sigma_r, a, b)
    middle = _clip(mean, a, b)
    total = _gaussian_piece(mean, sigma_l, left, middle)
    total = total + _gaussian_piece(mean, sigma_r, middle, right)
    over_l, over_r = 1.0 / sigma_l, 1.0 / sigma_r
    total = total + sigma_l * _tail_area(
        left - a, (a - mean) * over_l, (left - mean) * over_l, alpha_l, n_l
    )
    return total + sigma_r * _tail_area(
        b - right, (mean - b) * over_r, (mean - right) * over_r, alpha_r, n_r
    )


def break_points(op: int, slots: FloatArray, low: float, high: float) -> FloatArray:
    """Where panels of a quadrature should end, so that each holds a smooth piece."""
    if op == EXPONENTIAL:
        reach = 1.0 / max(abs(float(slots[0])), 1e-300)
        n = int(min(max((high - low) / (4.0 * reach), 1.0), 100.0))
        return np.linspace(low, high, n + 1)
    mean = float(slots[0])
    sigma_l = float(slots[1])
    sigma_r = sigma_l if op == GAUSSIAN else float(slots[4])
    steps = np.array([0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0])
    points = [mean - sigma_l * steps, mean + sigma_r * steps]
    if op == CRYSTAL_BALL:
        far = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
        points += [
            mean - sigma_l * slots[2] * far,
            mean + sigma_r * slots[5] * far,
        ]
    found = np.unique(np.concatenate([np.ravel(part) for part in points]))
    return found[(found > low) & (found < high)]


def draw(
    op: int, slots: FloatArray, low: float, high: float, n: int, rng: np.random.Generator
) -> FloatArray:
    """Draw ``n`` values in [low, high] from a shape. Exact: no grid, no interpolation."""
    if op == EXPONENTIAL:
        return _draw_exponential(float(slots[0]), low, high, n, rng)
    if op == GAUSSIAN:
        return _draw_gaussian(float(slots[0]), float(slots[1]), low, high, n, rng)
    return _draw_crystal_ball(slots, low, high, n, rng)


def _draw_exponential(
    c: float, low: float, high: float, n: int, rng: np.random.Generator
) -> FloatArray:
    u, width = rng.random(n), high - low
    if abs(c * width) < 1e-8:
        return low + width * u
    # From the side where the density is large, so that no digits are lost.
    z = -np.log1p(u * np.expm1(-abs(c) * width)) / abs(c)
    return np.asarray(low + z if c > 0.0 else high - z)


def _draw_gaussian(
    mean: float, sigma: float, low: float, high: float, n: int, rng: np.random.Generator
) -> FloatArray:
    """Normal numbers, those outside drawn again; far from the peak by rejection from a flat one."""
    a, b = (low - mean) / sigma, (high - mean) / sigma
    if 0.5 * (math.erf(b / math.sqrt(2.0)) - math.erf(a / math.sqrt(2.0))) > 0.05:
        return _redrawn(n, lambda k: rng.normal(mean, sigma, k), low, high)
    top = 0.0 if a <= 0.0 <= b else min(a * a, b * b)
    if a <= 0.0 <= b or (b - a) * max(abs(a), abs(b)) < 20.0:

        def flat(k: int) -> FloatArray:
            t = rng.uniform(a, b, k)
            return np.asarray(t[rng.random(k) < np.exp(-0.5 * (t * t - top))] * sigma + mean)

        return _redrawn(n, flat, low, high)
    # One-sided tail: an exponential envelope (C. P. Robert, Stat. Comput. 5 (1995) 121).
    edge, sign = (a, 1.0) if a > 0.0 else (-b, -1.0)

    def tail(k: int) -> FloatArray:
        t = edge + rng.exponential(1.0 / edge, k)
        kept = rng.random(k) < np.exp(-0.5 * (t - edge) ** 2)
        return np.asarray(mean + sign * sigma * t[kept])

    return _redrawn(n, tail, low, high)


def _redrawn(n: int, source: Callable[[int], FloatArray], low: float, high: float) -> FloatArray:
    """Draw until there are ``n`` values in [low, high]."""
    found: list[FloatArray] = []
    have = 0
    ask = n
    while have < n:
        values = source(max(int(1.1 * ask) + 16, 16))
        values = values[(values >= low) & (values <= high)]
        found.append(values)
        have += len(values)
        ask = n - have if len(values) > 0.2 * max(ask, 1) else 5 * (n - have)
    return np.concatenate(found)[:n]


def _draw_crystal_ball(
    slots: FloatArray, low: float, high: float, n: int, rng: np.random.Generator
) -> FloatArray:
    """Choose one of four pieces by its area, then invert it."""
    mean, sigma_l, alpha_l, n_l, sigma_r, alpha_r, n_r = (float(s) for s in slots)
    left = min(max(mean - alpha_l * sigma_l, low), high)
    right = min(max(mean + alpha_r * sigma_r, low), high)
    middle = min(max(mean, low), high)
    one = [jets.constant(s, 1, 0) for s in slots]

    def area(a: float, b: float) -> float:
        return max(float(integral_jet(CRYSTAL_BALL, one, a, b).value[0]), 0.0) if b > a else 0.0

    bounds = [(low, left), (left, middle), (middle, right), (right, high)]
    areas = np.array([area(a, b) for a, b in bounds])
    counts = rng.multinomial(n, areas / areas.sum())
    parts = [
        mean
        - sigma_l
        * _draw_tail(alpha_l, n_l, (mean - left) / sigma_l, (mean - low) / sigma_l, counts[0], rng),
        _draw_gaussian(mean, sigma_l, left, middle, int(counts[1]), rng)
        if counts[1]
        else np.empty(0),
        _draw_gaussian(mean, sigma_r, middle, right, int(counts[2]), rng)
        if counts[2]
        else np.empty(0),
        mean
        + sigma_r
        * _draw_tail(
            alpha_r, n_r, (right - mean) / sigma_r, (high - mean) / sigma_r, counts[3], rng
        ),
    ]
    return rng.permutation(np.concatenate(parts))


def _draw_tail(
    alpha: float, n: float, near: float, far: float, count: int, rng: np.random.Generator
) -> FloatArray:
    """Distances from the mean, in sigma, of a tail between ``near`` and ``far``."""
    if count == 0:
        return np.empty(0)
    y_near, y_far = (1.0 + alpha * (d - alpha) / n for d in (near, far))
    u = rng.random(count)
    if abs(n - 1.0) < 1e-9:
        y = y_near * (y_far / y_near) ** u
    else:
        # y^(1-n) is uniform between its ends
        ratio = (y_far / y_near) ** (1.0 - n)
        y = y_near * (1.0 + u * (ratio - 1.0)) ** (1.0 / (1.0 - n))
    return np.asarray(alpha + n * (y - 1.0) / alpha)
