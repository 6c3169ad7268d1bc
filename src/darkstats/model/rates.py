"""Kernels for eight lanes: expected rates and the deviance.

The function minimised is half the deviance relative to the saturated model::

    f = sum_bins [nu - n + n log(n/nu)] + sum_constraints c
    c = (x - a)^2 / 2 sigma^2 (Gaussian), or the same as a bin, for tau x and a (Poisson)

Written so, nothing cancels: a likelihood ratio is a plain difference of two f of order one.

A rate is never negative.  Where a bin without events is driven below zero, f continues with slope
one and a stiff parabola (``STIFFNESS``), which holds the rate at zero; ``min_rate`` tells.

The fields of :class:`~darkstats.model.scratch.Scratch` hold vectors of eight lanes.
"""

from __future__ import annotations

import numpy as np

from darkstats.kernel import kernel
from darkstats.kernel.simd import (
    LANES,
    Vector,
    absolute,
    fill,
    largest,
    load,
    logarithm,
    store,
    where_less,
)
from darkstats.model.interpolation import histosys_curve, normsys_inside, normsys_outside
from darkstats.model.scratch import Scratch
from darkstats.model.structure import Layout, Numbers

__all__ = ["STIFFNESS", "away_from_zero", "deviance", "rates"]

STIFFNESS = 1e6
TINY = 1e-100  # stands for a factor of exactly zero, so that products can be divided by it


@kernel
def _interpolate_shapes(layout: Layout, s: Scratch) -> None:
    """Fill the curves of all parameters that act through histosys."""
    for i in range(layout.n_shapes):
        p = layout.shape_parameters[i]
        alpha = load(s.x, p)
        if layout.histosys_code == 4 and largest(absolute(alpha)) <= 1.0:
            square = alpha * alpha
            store(s.curve, 3 * p, square * ((square * 3.0 - 10.0) * square + 15.0) * 0.125)
            store(s.curve, 3 * p + 1, alpha * ((square * 18.0 - 40.0) * square + 30.0) * 0.125)
            store(s.curve, 3 * p + 2, ((square * 90.0 - 120.0) * square + 30.0) * 0.125)
            continue
        for lane in range(LANES):
            g, g1, g2 = histosys_curve(s.x[p, lane], s.side[p, lane], layout.histosys_code)
            s.curve[3 * p, lane] = g
            s.curve[3 * p + 1, lane] = g1
            s.curve[3 * p + 2, lane] = g2


@kernel
def away_from_zero(value: Vector) -> Vector:
    """Replace zeros by something that can be divided by."""
    return where_less(absolute(value), fill(TINY), fill(TINY), value)


@kernel
def _scalar_factors(layout: Layout, numbers: Numbers, s: Scratch, k: int) -> Vector:
    """Product of the scalar factors of a component; fills their logarithmic derivatives."""
    scale = fill(1.0)
    for f in range(layout.factor_begin[k], layout.factor_begin[k + 1]):
        p, row = layout.factor_parameter[f], layout.factor_normsys[f]
        alpha = load(s.x, p)
        if row < 0:
            value = away_from_zero(alpha)
            store(s.log_slope, f, fill(1.0) / value)
            store(s.log_curve, f, fill(0.0))
        else:
            code4 = layout.normsys_code == 4
            value, first, second = normsys_inside(alpha, numbers.normsys, 8 * row)
            if not code4 or not largest(absolute(alpha)) < 1.0:
                store(s.patch, 0, value)
                store(s.patch, 1, first)
                store(s.patch, 2, second)
                for lane in range(LANES):
                    here = s.x[p, lane]
                    if not code4 or not abs(here) < 1.0:
                        v, d, e = normsys_outside(here, s.side[p, lane], numbers.normsys, 8 * row)
                        s.patch[0, lane] = v
                        s.patch[1, lane] = d
                        s.patch[2, lane] = e
                value, first, second = load(s.patch, 0), load(s.patch, 1), load(s.patch, 2)
            value = away_from_zero(value)
            inverse = fill(1.0) / value
            store(s.log_slope, f, first * inverse)
            store(s.log_curve, f, second * inverse)
        scale = scale * value
    return scale


@kernel
def rates(layout: Layout, numbers: Numbers, s: Scratch) -> None:
    """Fill ``s`` with the rates at ``s.x`` and with all that their derivatives need."""
    _interpolate_shapes(layout, s)
    for b in range(layout.n_bins):
        store(s.nu, b, fill(0.0))
    for k in range(layout.n_components):
        start, offset = layout.component_start[k], layout.component_offset[k]
        n = layout.component_stop[k] - start
        scale = _scalar_factors(layout, numbers, s, k)
        h0, h1 = layout.histosys_begin[k], layout.histosys_begin[k + 1]
        j0, j1 = layout.binfactor_begin[k], layout.binfactor_begin[k + 1]
        for i in range(n):
            shape = fill(numbers.nominal[offset + i])
            for h in range(h0, h1):
                p, at = layout.histosys_parameter[h], layout.histosys_offset[h] + i
                shape = shape + load(s.x, p) * numbers.shift_odd[at]
                shape = shape + load(s.curve, 3 * p) * numbers.shift_even[at]
            gamma = scale
            for j in range(j0, j1):
                gamma = gamma * away_from_zero(load(s.x, layout.binfactor_parameter[j] + i))
            rate = gamma * shape
            store(s.gamma, offset + i, gamma)
            store(s.rate, offset + i, rate)
            store(s.nu, start + i, load(s.nu, start + i) + rate)


@kernel
def _poisson_term(nu: Vector, n: Vector, inverse: Vector) -> Vector:
    """Half a Poisson deviance; infinite where there are events but no rate."""
    zero, one = fill(0.0), fill(1.0)
    ratio = where_less(zero, n, n * inverse, one)
    good = where_less(zero, ratio, ratio, one)
    # nu - n + n log(n/nu) with n = ratio nu: stationary in the rounding of the ratio, and without
    # the cancellation of nu - n against the logarithm. The error is eps |nu - n|, not eps n.
    with_events = nu * (one - good) + n * logarithm(good)
    with_events = where_less(zero, nu, with_events, fill(np.inf))
    without = where_less(nu, zero, nu + nu * nu * (0.5 * STIFFNESS), nu)
    # A count that is not a number compares as not positive; times zero it stays visible.
    return where_less(zero, n, with_events, without) + n * 0.0


@kernel
def deviance(layout: Layout, numbers: Numbers, s: Scratch) -> tuple[Vector, Vector]:
    """Half the deviance at ``s.x``, and the size of what rounding acts on.

    Infinity where a bin with events has no rate.
    """
    rates(layout, numbers, s)
    total, size = fill(0.0), fill(1.0)
    for b in range(layout.n_bins):
        nu = load(s.nu, b)
        inverse = fill(1.0) / nu
        store(s.inverse, b, inverse)
        n = load(s.counts, b)
        total = total + _poisson_term(nu, n, inverse)
        size = size + absolute(nu - n)
    for p in range(layout.n_parameters):
        kind = layout.constraint[p]
        if kind == 1:
            pull = (load(s.x, p) - load(s.auxdata, p)) * (1.0 / numbers.width[p])
            total = total + pull * pull * 0.5
        elif kind == 2:
            expected = load(s.x, p) * numbers.width[p]
            datum = load(s.auxdata, p)
            total = total + _poisson_term(expected, datum, fill(1.0) / expected)
            size = size + absolute(expected - datum)
    return total, size + absolute(total)
