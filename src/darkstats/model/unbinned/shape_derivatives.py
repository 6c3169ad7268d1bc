"""Kernels: logarithms of the shapes and their derivatives with respect to their slots.

Eight events at a time. With tau the distance from the peak in widths, negative outwards, a side of
a Crystal Ball is ``-tau^2/2`` inside and ``-alpha^2/2 - n log y`` outside, where
``y = 1 - alpha (tau + alpha)/n``; a Gaussian is the inside alone.
"""

from __future__ import annotations

from darkstats.kernel import kernel
from darkstats.kernel.simd import Floats, Vector, fill, logarithm, store, where_less
from darkstats.model.unbinned.shapes import CRYSTAL_BALL, EXPONENTIAL

__all__ = ["PAIR_STRIDE", "slot_derivatives"]

PAIR_STRIDE = 7  # most slots of a shape: second derivatives stand at 7 i + j


@kernel
def _peak(
    tau: Vector, sign: Vector, sigma: Vector, slope: Vector, curve: Vector
) -> tuple[Vector, Vector, Vector, Vector, Vector]:
    """Derivatives by mean and width from those by tau: mean, width, and second ones."""
    inverse = fill(1.0) / sigma
    by_mean = fill(0.0) - sign * inverse
    by_width = fill(0.0) - tau * inverse
    mixed = sign * inverse * inverse
    wide = tau * inverse * inverse * 2.0
    return (
        slope * by_mean,
        slope * by_width,
        curve * by_mean * by_mean,
        curve * by_mean * by_width + slope * mixed,
        curve * by_width * by_width + slope * wide,
    )


@kernel
def _tail_derivatives(
    tau: Vector,
    alpha: Vector,
    n: Vector,
    by: Vector,
    inverse_sigma: Vector,
    first: Floats,
    first_at: int,
    second: Floats,
    second_at: int,
    at: int,
    on: Vector,
) -> None:
    """Derivatives that involve alpha and n of the side whose slots are ``at`` to ``at + 2``.

    ``by`` is the derivative of tau by the mean, ``on`` is 1 where the event lies on this side.
    """
    one, zero = fill(1.0), fill(0.0)
    outside_edge = zero - alpha
    y = where_less(tau, outside_edge, one - alpha * (tau + alpha) / n, one)
    log_y = logarithm(y)
    out = where_less(tau, outside_edge, on, zero)
    inverse = one / y
    gap = one - y
    reach = tau + alpha * 2.0
    over = inverse * inverse / n
    la = reach * inverse - alpha
    ln = zero - log_y - gap * inverse
    lta = inverse + alpha * reach * over
    ltn = zero - alpha * gap * over
    laa = inverse * 2.0 - one + reach * reach * over
    lan = zero - reach * gap * over
    lnn = gap * gap * over
    by_width = zero - tau * inverse_sigma
    width, slot_alpha, slot_n = at, at + 1, at + 2
    store(first, first_at + slot_alpha, la * out)
    store(first, first_at + slot_n, ln * out)
    store(second, second_at + slot_alpha, lta * by * out)  # mean, alpha
    store(second, second_at + slot_n, ltn * by * out)
    store(second, second_at + PAIR_STRIDE * width + slot_alpha, lta * by_width * out)
    store(second, second_at + PAIR_STRIDE * width + slot_n, ltn * by_width * out)
    store(second, second_at + PAIR_STRIDE * slot_alpha + slot_alpha, laa * out)
    store(second, second_at + PAIR_STRIDE * slot_alpha + slot_n, lan * out)
    store(second, second_at + PAIR_STRIDE * slot_n + slot_n, lnn * out)


@kernel
def _crystal_ball(
    slots: Floats,
    at: int,
    x: Vector,
    first: Floats,
    first_at: int,
    second: Floats,
    second_at: int,
    tails: int,
) -> Vector:
    """Logarithm of the shape; fills derivatives by its seven slots (upper triangle)."""
    zero, one = fill(0.0), fill(1.0)
    mean = fill(slots[at])
    left = where_less(x, mean, one, zero)
    right = one - left
    sign = left - right
    sigma = where_less(x, mean, fill(slots[at + 1]), fill(slots[at + 4]))
    alpha = where_less(x, mean, fill(slots[at + 2]), fill(slots[at + 5]))
    n = where_less(x, mean, fill(slots[at + 3]), fill(slots[at + 6]))
    inverse_sigma = one / sigma
    tau = sign * (x - mean) * inverse_sigma
    edge = zero - alpha
    y = where_less(tau, edge, one - alpha * (tau + alpha) / n, one)
    value = where_less(
        tau, edge, zero - alpha * alpha * 0.5 - n * logarithm(y), zero - tau * tau * 0.5
    )
    slope = where_less(tau, edge, alpha / y, zero - tau)
    curve = where_less(tau, edge, alpha * alpha / (n * y * y), zero - one)
    m, w, mm, mw, ww = _peak(tau, sign, sigma, slope, curve)
    store(first, first_at + 0, m)
    store(first, first_at + 1, w * left)
    store(first, first_at + 4, w * right)
    store(second, second_at + 0, mm)
    store(second, second_at + 1, mw * left)
    store(second, second_at + 4, mw * right)
    store(second, second_at + PAIR_STRIDE + 1, ww * left)
    store(second, second_at + 4 * PAIR_STRIDE + 4, ww * right)
    if tails == 1:
        by = zero - sign * inverse_sigma
        for i in range(1, 4):
            for j in range(4, 7):
                store(second, second_at + PAIR_STRIDE * i + j, zero)
        _tail_derivatives(
            tau, alpha, n, by, inverse_sigma, first, first_at, second, second_at, 1, left
        )
        _tail_derivatives(
            tau, alpha, n, by, inverse_sigma, first, first_at, second, second_at, 4, right
        )
    else:
        store(second, second_at + PAIR_STRIDE + 4, zero)
    return value


@kernel
def slot_derivatives(
    op: int,
    slots: Floats,
    at: int,
    low: float,
    x: Vector,
    first: Floats,
    first_at: int,
    second: Floats,
    second_at: int,
    tails: int,
) -> Vector:
    """Logarithm of a shape at eight events; fills its derivatives by the slots.

    ``slots[at]`` is its first slot; ``tails`` says whether alpha or n of a Crystal Ball float.
    First derivatives go to ``first[first_at + i]``, second ones to ``second[second_at + 7 i + j]``
    with i <= j; both hold vectors.
    """
    if op == EXPONENTIAL:
        store(first, first_at + 0, fill(low) - x)
        store(second, second_at + 0, fill(0.0))
        falling: Vector = (fill(low) - x) * slots[at]
        return falling
    if op == CRYSTAL_BALL:
        return _crystal_ball(slots, at, x, first, first_at, second, second_at, tails)
    sigma = fill(slots[at + 1])
    tau = (x - fill(slots[at])) / sigma
    m, w, mm, mw, ww = _peak(tau, fill(1.0), sigma, fill(0.0) - tau, fill(-1.0))
    store(first, first_at + 0, m)
    store(first, first_at + 1, w)
    store(second, second_at + 0, mm)
    store(second, second_at + 1, mw)
    store(second, second_at + PAIR_STRIDE + 1, ww)
    value: Vector = fill(0.0) - tau * tau * 0.5
    return value
