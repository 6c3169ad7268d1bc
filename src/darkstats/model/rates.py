"""Kernels for eight lanes: expected rates, the deviance, and its exact gradient and Hessian.

The function minimised is half the deviance relative to the saturated model::

    f = sum_bins [nu - n + n log(n/nu)] + sum_constraints c
    c = (x - a)^2 / 2 sigma^2 (Gaussian), or the same as a bin, for tau x and a (Poisson)

Written so, nothing cancels: a likelihood ratio is a plain difference of two f of order one.

A rate is never negative.  Where a bin without events is driven below zero, f continues with slope
one and a stiff parabola (``STIFFNESS``), which holds the rate at zero; ``min_rate`` tells.

All arrays of :class:`Scratch` hold vectors of eight lanes (:mod:`darkstats.kernel.simd`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import JIT, Memory, kernel, kernel_entry
from darkstats.kernel.simd import (
    LANES,
    Floats,
    Integers,
    Vector,
    absolute,
    fill,
    floats_at,
    largest,
    load,
    logarithm,
    store,
    where_less,
)
from darkstats.model.interpolation import histosys_curve, normsys_inside, normsys_outside
from darkstats.model.structure import (
    LAYOUT_WORDS,
    NUMBERS_WORDS,
    Layout,
    Numbers,
    addresses_of,
    layout_at,
    numbers_at,
)

__all__ = [
    "Scratch",
    "component_rates",
    "dense_derivatives",
    "deviance",
    "deviance_derivatives",
    "rates",
    "rates_of_points",
    "scratch_at",
    "scratch_sizes",
    "table_of",
]

STIFFNESS = 1e6
BIN_BLOCK = 32
TINY = 1e-100  # stands for a factor of exactly zero, so that products can be divided by it


class Scratch(NamedTuple):
    """Working memory of one thread; nothing is allocated per fit."""

    x: Floats  # [par] the point
    side: Floats  # [par] +1 or -1: the side of a kink at zero
    counts: Floats  # [bin]
    auxdata: Floats  # [par]
    log_slope: Floats  # [factor] f'/f
    log_curve: Floats  # [factor] f''/f
    gamma: Floats  # [flat] product of all factors
    rate: Floats  # [flat] events of one component
    nu: Floats  # [bin] events expected
    inverse: Floats  # [bin] 1/nu where there are events
    curve: Floats  # [3 par] g, g', g'' of the histosys interpolation
    first: Floats  # [bin] df/dnu
    second: Floats  # [bin] d2f/dnu2
    weighted: Floats  # [bin]
    jacobian: Floats  # [global bin] d nu / d parameter
    gradient: Floats  # [par]
    hessian: Floats  # [global global] upper triangle
    local_slope: Floats  # [local] d nu / d parameter in its bin
    local_block: Floats  # [local, local in the same bin]
    coupling: Floats  # [local global]
    patch: Floats  # [3]


def scratch_sizes(layout: Layout, numbers: Numbers) -> tuple[int, ...]:
    """Number of vectors in each field of :class:`Scratch`."""
    bins, par, flat = layout.n_bins, layout.n_parameters, len(numbers.nominal)
    factors, n_global, n_local = len(layout.factor_parameter), layout.n_global, layout.n_local
    sizes = {
        "x": par,
        "side": par,
        "counts": bins,
        "auxdata": par,
        "log_slope": factors,
        "log_curve": factors,
        "gamma": flat,
        "rate": flat,
        "nu": bins,
        "inverse": bins,
        "curve": 3 * par,
        "first": bins,
        "second": bins,
        "weighted": bins,
        "jacobian": n_global * bins,
        "gradient": par,
        "hessian": n_global * n_global,
        "local_slope": n_local,
        "local_block": n_local * layout.local_block,
        "coupling": n_local * n_global,
        "patch": 3,
    }
    return tuple(sizes[name] for name in Scratch._fields)


SCRATCH_WORDS = len(Scratch._fields)


def table_of(
    layout: Layout, numbers: Numbers, memory: Memory, arrays: tuple[FloatArray | IndexArray, ...]
) -> IndexArray:
    """The table that an entry unpacks: numbers and addresses. Arrays must outlive the call."""
    words = [*addresses_of(layout), *addresses_of(numbers), *memory.addresses()]
    return np.array([*words, *addresses_of(arrays)], dtype=np.int64)


@kernel
def scratch_at(table: Integers, at: int) -> Scratch:
    """The scratch whose addresses begin at ``table[at]``."""
    return Scratch(
        floats_at(table[at]),
        floats_at(table[at + 1]),
        floats_at(table[at + 2]),
        floats_at(table[at + 3]),
        floats_at(table[at + 4]),
        floats_at(table[at + 5]),
        floats_at(table[at + 6]),
        floats_at(table[at + 7]),
        floats_at(table[at + 8]),
        floats_at(table[at + 9]),
        floats_at(table[at + 10]),
        floats_at(table[at + 11]),
        floats_at(table[at + 12]),
        floats_at(table[at + 13]),
        floats_at(table[at + 14]),
        floats_at(table[at + 15]),
        floats_at(table[at + 16]),
        floats_at(table[at + 17]),
        floats_at(table[at + 18]),
        floats_at(table[at + 19]),
        floats_at(table[at + 20]),
    )


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
def _away_from_zero(value: Vector) -> Vector:
    return where_less(absolute(value), fill(TINY), fill(TINY), value)


@kernel
def _scalar_factors(layout: Layout, numbers: Numbers, s: Scratch, k: int) -> Vector:
    """Product of the scalar factors of a component; fills their logarithmic derivatives."""
    scale = fill(1.0)
    for f in range(layout.factor_begin[k], layout.factor_begin[k + 1]):
        p, row = layout.factor_parameter[f], layout.factor_normsys[f]
        alpha = load(s.x, p)
        if row < 0:
            value = _away_from_zero(alpha)
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
            value = _away_from_zero(value)
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
                gamma = gamma * _away_from_zero(load(s.x, layout.binfactor_parameter[j] + i))
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
    with_events = (nu - n) + n * logarithm(good)
    with_events = where_less(zero, nu, with_events, fill(np.inf))
    without = where_less(nu, zero, nu + nu * nu * (0.5 * STIFFNESS), nu)
    # A count that is not a number compares as not positive; times zero it stays visible.
    return where_less(zero, n, with_events, without) + n * 0.0


@kernel
def deviance(layout: Layout, numbers: Numbers, s: Scratch) -> Vector:
    """Half the deviance at ``s.x``; infinity where a bin with events has no rate."""
    rates(layout, numbers, s)
    total = fill(0.0)
    for b in range(layout.n_bins):
        nu = load(s.nu, b)
        inverse = fill(1.0) / nu
        store(s.inverse, b, inverse)
        total = total + _poisson_term(nu, load(s.counts, b), inverse)
    for p in range(layout.n_parameters):
        kind = layout.constraint[p]
        if kind == 1:
            pull = (load(s.x, p) - load(s.auxdata, p)) * (1.0 / numbers.width[p])
            total = total + pull * pull * 0.5
        elif kind == 2:
            expected = load(s.x, p) * numbers.width[p]
            total = total + _poisson_term(expected, load(s.auxdata, p), fill(1.0) / expected)
    return total


@kernel
def _zero(block: Floats, n: int) -> None:
    for i in range(n):
        store(block, i, fill(0.0))


@kernel
def _add(hessian: Floats, n_global: int, i: int, j: int, value: Vector) -> None:
    """Add to the upper triangle."""
    at = i * n_global + j if i <= j else j * n_global + i
    store(hessian, at, load(hessian, at) + value)


@kernel
def deviance_derivatives(layout: Layout, numbers: Numbers, s: Scratch) -> None:
    """Gradient and exact Hessian of half the deviance, where :func:`deviance` was last taken."""
    n_bins = layout.n_bins
    zero = fill(0.0)
    for b in range(n_bins):
        nu, n, inverse = load(s.nu, b), load(s.counts, b), load(s.inverse, b)
        ratio = n * inverse
        negative = where_less(nu, zero, fill(STIFFNESS), zero)
        below = where_less(nu, zero, nu * STIFFNESS, zero)
        store(s.first, b, where_less(zero, n, fill(1.0) - ratio, below + 1.0))
        store(s.second, b, where_less(zero, n, ratio * inverse, negative))
    n_global, n_local = layout.n_global, layout.n_local
    _zero(s.gradient, layout.n_parameters)
    _zero(s.jacobian, n_global * n_bins)
    _zero(s.hessian, n_global * n_global)
    _zero(s.coupling, n_local * n_global)
    _zero(s.local_block, n_local * layout.local_block)
    _zero(s.local_slope, n_local)
    for k in range(layout.n_components):
        _component_derivatives(layout, numbers, s, k)
    _first_order_part(layout, s)
    _constraint_derivatives(layout, numbers, s)


@kernel
def _first_order_block(
    n_bins: int, n_global: int, begin: int, end: int, layout: Layout, s: Scratch
) -> None:
    """What the bins from ``begin`` to ``end - 1`` give to the dense part."""
    for i in range(n_global):
        slope = fill(0.0)
        for b in range(begin, end):
            element = load(s.jacobian, i * n_bins + b)
            slope = slope + element * load(s.first, b)
            store(s.weighted, b, element * load(s.second, b))
        p = layout.parameter_of_global[i]
        store(s.gradient, p, load(s.gradient, p) + slope)
        j = i
        while j + 3 < n_global:  # four elements of the row at once
            a0, a1, a2, a3 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
            for b in range(begin, end):
                weight, at = load(s.weighted, b), j * n_bins + b
                a0 = a0 + weight * load(s.jacobian, at)
                a1 = a1 + weight * load(s.jacobian, at + n_bins)
                a2 = a2 + weight * load(s.jacobian, at + 2 * n_bins)
                a3 = a3 + weight * load(s.jacobian, at + 3 * n_bins)
            at = i * n_global + j
            store(s.hessian, at, load(s.hessian, at) + a0)
            store(s.hessian, at + 1, load(s.hessian, at + 1) + a1)
            store(s.hessian, at + 2, load(s.hessian, at + 2) + a2)
            store(s.hessian, at + 3, load(s.hessian, at + 3) + a3)
            j += 4
        while j < n_global:
            a0 = fill(0.0)
            for b in range(begin, end):
                a0 = a0 + load(s.weighted, b) * load(s.jacobian, j * n_bins + b)
            at = i * n_global + j
            store(s.hessian, at, load(s.hessian, at) + a0)
            j += 1


@kernel
def _first_order_part(layout: Layout, s: Scratch) -> None:
    """J^T diag(second) J, and the gradient J^T first."""
    n_bins, n_global = layout.n_bins, layout.n_global
    for begin in range(0, n_bins, BIN_BLOCK):  # a block of the Jacobian stays in the nearest cache
        _first_order_block(n_bins, n_global, begin, min(begin + BIN_BLOCK, n_bins), layout, s)
    for b in range(n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            slope = load(s.local_slope, t)
            p = layout.local_parameter[t]
            store(s.gradient, p, load(s.gradient, p) + slope * load(s.first, b))
            curvature = slope * load(s.second, b)
            for u in range(begin, end):
                at = t * layout.local_block + u - begin
                store(
                    s.local_block, at, load(s.local_block, at) + curvature * load(s.local_slope, u)
                )
            for i in range(n_global):
                at = t * n_global + i
                store(
                    s.coupling,
                    at,
                    load(s.coupling, at) + curvature * load(s.jacobian, i * n_bins + b),
                )


@kernel
def _constraint_derivatives(layout: Layout, numbers: Numbers, s: Scratch) -> None:
    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            p = layout.local_parameter[t]
            if layout.constraint[p] != 0:
                at = t * layout.local_block + t - begin
                weight = _constraint_slope(layout, numbers, s, p)
                store(s.local_block, at, load(s.local_block, at) + weight)
    for i in range(layout.n_global):
        p = layout.parameter_of_global[i]
        if layout.constraint[p] != 0:
            at = i * layout.n_global + i
            weight = _constraint_slope(layout, numbers, s, p)
            store(s.hessian, at, load(s.hessian, at) + weight)


@kernel
def _constraint_slope(layout: Layout, numbers: Numbers, s: Scratch, p: int) -> Vector:
    """Add a constraint's gradient; return its curvature."""
    x, datum, width = load(s.x, p), load(s.auxdata, p), numbers.width[p]
    if layout.constraint[p] == 1:
        weight = fill(1.0 / (width * width))
        slope = (x - datum) * weight
    else:
        inverse = fill(1.0) / x
        slope = fill(width) - datum * inverse
        weight = datum * inverse * inverse
    store(s.gradient, p, load(s.gradient, p) + slope)
    return weight


@kernel
def _component_derivatives(layout: Layout, numbers: Numbers, s: Scratch, k: int) -> None:
    """Add what one component gives to the Jacobian and to the curvature of the rates."""
    n_bins, n_global = layout.n_bins, layout.n_global
    start, offset = layout.component_start[k], layout.component_offset[k]
    n = layout.component_stop[k] - start
    f0, f1 = layout.factor_begin[k], layout.factor_begin[k + 1]
    h0, h1 = layout.histosys_begin[k], layout.histosys_begin[k + 1]
    j0, j1 = layout.binfactor_begin[k], layout.binfactor_begin[k + 1]

    weight = fill(0.0)
    for i in range(n):
        weight = weight + load(s.first, start + i) * load(s.rate, offset + i)
    for f in range(f0, f1):
        gi = layout.global_of_parameter[layout.factor_parameter[f]]
        slope = load(s.log_slope, f)
        for i in range(n):
            at = gi * n_bins + start + i
            store(s.jacobian, at, load(s.jacobian, at) + slope * load(s.rate, offset + i))
        _add(s.hessian, n_global, gi, gi, weight * load(s.log_curve, f))
        bent = weight * slope
        for e in range(f0, f):
            gj = layout.global_of_parameter[layout.factor_parameter[e]]
            _add(s.hessian, n_global, gi, gj, bent * load(s.log_slope, e))

    for h in range(h0, h1):
        p, at = layout.histosys_parameter[h], layout.histosys_offset[h]
        gi = layout.global_of_parameter[p]
        g1 = load(s.curve, 3 * p + 1)
        tangent_sum, curve_sum = fill(0.0), fill(0.0)
        for i in range(n):
            gamma, first = load(s.gamma, offset + i), load(s.first, start + i)
            even = numbers.shift_even[at + i]
            tangent = gamma * (g1 * even + numbers.shift_odd[at + i])
            place = gi * n_bins + start + i
            store(s.jacobian, place, load(s.jacobian, place) + tangent)
            tangent_sum = tangent_sum + first * tangent
            curve_sum = curve_sum + first * gamma * even
        _add(s.hessian, n_global, gi, gi, load(s.curve, 3 * p + 2) * curve_sum)
        for f in range(f0, f1):
            gj = layout.global_of_parameter[layout.factor_parameter[f]]
            value = load(s.log_slope, f) * tangent_sum
            if gi == gj:
                value = value + value
            _add(s.hessian, n_global, gi, gj, value)
    for j in range(j0, j1):
        for i in range(n):
            _binfactor_derivatives(layout, numbers, s, k, j, i)


@kernel
def _binfactor_derivatives(
    layout: Layout, numbers: Numbers, s: Scratch, k: int, j: int, i: int
) -> None:
    """What the bin factor ``j`` of component ``k`` gives in its bin ``i``."""
    n_bins, n_global = layout.n_bins, layout.n_global
    start, offset = layout.component_start[k], layout.component_offset[k]
    b = start + i
    first = load(s.first, b)
    q = layout.binfactor_parameter[j] + i
    inverse = fill(1.0) / _away_from_zero(load(s.x, q))
    slope = load(s.rate, offset + i) * inverse
    g, t = layout.global_of_parameter[q], layout.local_of_parameter[q]
    if g >= 0:
        store(s.jacobian, g * n_bins + b, load(s.jacobian, g * n_bins + b) + slope)
    else:
        store(s.local_slope, t, load(s.local_slope, t) + slope)
    bend = first * slope
    for f in range(layout.factor_begin[k], layout.factor_begin[k + 1]):
        gi = layout.global_of_parameter[layout.factor_parameter[f]]
        value = bend * load(s.log_slope, f)
        if g >= 0:
            _add(s.hessian, n_global, g, gi, value)
        else:
            at = t * n_global + gi
            store(s.coupling, at, load(s.coupling, at) + value)
    factor = first * load(s.gamma, offset + i) * inverse
    for h in range(layout.histosys_begin[k], layout.histosys_begin[k + 1]):
        p, at = layout.histosys_parameter[h], layout.histosys_offset[h] + i
        gi = layout.global_of_parameter[p]
        tangent = factor * (
            load(s.curve, 3 * p + 1) * numbers.shift_even[at] + numbers.shift_odd[at]
        )
        if g >= 0:
            _add(s.hessian, n_global, g, gi, tangent)
        else:
            place = t * n_global + gi
            store(s.coupling, place, load(s.coupling, place) + tangent)
    for e in range(layout.binfactor_begin[k], j):
        q2 = layout.binfactor_parameter[e] + i
        cross = bend / _away_from_zero(load(s.x, q2))
        g2, t2 = layout.global_of_parameter[q2], layout.local_of_parameter[q2]
        if g >= 0 and g2 >= 0:
            _add(s.hessian, n_global, g, g2, cross)
        elif g >= 0:
            store(s.coupling, t2 * n_global + g, load(s.coupling, t2 * n_global + g) + cross)
        elif g2 >= 0:
            store(s.coupling, t * n_global + g2, load(s.coupling, t * n_global + g2) + cross)
        else:
            begin = layout.local_begin[b]
            one, two = t * layout.local_block + t2 - begin, t2 * layout.local_block + t - begin
            store(s.local_block, one, load(s.local_block, one) + cross)
            store(s.local_block, two, load(s.local_block, two) + cross)


@kernel
def put_point(layout: Layout, s: Scratch, x: Floats, at: int, lane: int) -> None:
    """Set one lane to the point whose values begin at ``x[at]``."""
    for p in range(layout.n_parameters):
        value = x[at + p]
        s.x[p, lane] = value
        s.side[p, lane] = 1.0 if value >= 0.0 else -1.0


@kernel
def _dense(
    layout: Layout,
    numbers: Numbers,
    counts: Floats,
    auxdata: Floats,
    x: Floats,
    s: Scratch,
    gradient: Floats,
    full: Floats,
) -> float:
    """Fill the gradient [par] and the full Hessian [par par] at one point; return the value."""
    n = layout.n_parameters
    for lane in range(LANES):
        put_point(layout, s, x, 0, lane)
        for b in range(layout.n_bins):
            s.counts[b, lane] = counts[b]
        for p in range(n):
            s.auxdata[p, lane] = auxdata[p]
    store(s.patch, 0, deviance(layout, numbers, s))
    value = float(s.patch[0, 0])
    deviance_derivatives(layout, numbers, s)
    n_global = layout.n_global
    for p in range(n):
        gradient[p] = s.gradient[p, 0]
    for i in range(n_global):
        p = layout.parameter_of_global[i]
        for j in range(i, n_global):
            q = layout.parameter_of_global[j]
            full[p * n + q] = s.hessian[i * n_global + j, 0]
            full[q * n + p] = full[p * n + q]
    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            p = layout.local_parameter[t]
            for u in range(begin, end):
                q = layout.local_parameter[u]
                full[p * n + q] = s.local_block[t * layout.local_block + u - begin, 0]
            for i in range(n_global):
                q = layout.parameter_of_global[i]
                full[p * n + q] = s.coupling[t * n_global + i, 0]
                full[q * n + p] = full[p * n + q]
    return value


@kernel
def _rates_of_points(
    layout: Layout, numbers: Numbers, points: Floats, n_points: int, s: Scratch, out: Floats
) -> None:
    """Fill the expected events [point bin] of points [point par]."""
    for first in range(0, n_points, LANES):
        for lane in range(LANES):
            source = min(first + lane, n_points - 1)
            put_point(layout, s, points, source * layout.n_parameters, lane)
        rates(layout, numbers, s)
        for lane in range(min(LANES, n_points - first)):
            for b in range(layout.n_bins):
                out[(first + lane) * layout.n_bins + b] = s.nu[b, lane]


@kernel_entry
def _evaluate(table: Integers, task: int, n_points: int) -> float:
    """Rates of points (``task`` 0), or all derivatives at one point (1), from a table."""
    layout, numbers = layout_at(table, 0), numbers_at(table, LAYOUT_WORDS)
    at = LAYOUT_WORDS + NUMBERS_WORDS
    s = scratch_at(table, at)
    at += SCRATCH_WORDS
    if task == 0:
        points, out = floats_at(table[at]), floats_at(table[at + 1])
        _rates_of_points(layout, numbers, points, n_points, s, out)
        return 0.0
    return _dense(
        layout,
        numbers,
        floats_at(table[at]),
        floats_at(table[at + 1]),
        floats_at(table[at + 2]),
        s,
        floats_at(table[at + 3]),
        floats_at(table[at + 4]),
    )


def dense_derivatives(
    layout: Layout, numbers: Numbers, counts: FloatArray, auxdata: FloatArray, x: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Half the deviance, its gradient [par] and its full Hessian [par, par] at one point."""
    n = layout.n_parameters
    gradient, full = np.empty(n), np.zeros(n * n)
    counts, auxdata, x = (np.ascontiguousarray(a, dtype=float) for a in (counts, auxdata, x))
    memory = Memory(scratch_sizes(layout, numbers))
    if JIT:
        table = table_of(layout, numbers, memory, (counts, auxdata, x, gradient, full))
        value = _evaluate(table, 1, 1)
    else:
        scratch = Scratch(*memory.views())
        value = _dense(layout, numbers, counts, auxdata, x, scratch, gradient, full)
    return float(value), gradient, full.reshape(n, n)


def rates_of_points(layout: Layout, numbers: Numbers, points: FloatArray) -> FloatArray:
    """Expected events. Shapes: [point, par] -> [point, bin]."""
    out, _ = _rates(layout, numbers, points)
    return out


def component_rates(layout: Layout, numbers: Numbers, point: FloatArray) -> FloatArray:
    """Expected events of every component, as one flat array. Shapes: [par] -> [flat]."""
    _, memory = _rates(layout, numbers, point.reshape(1, -1))
    rate: FloatArray = Scratch(*memory.views()).rate[:, 0].copy()
    return rate


def _rates(layout: Layout, numbers: Numbers, points: FloatArray) -> tuple[FloatArray, Memory]:
    points = np.ascontiguousarray(points, dtype=float)
    n_points, out = len(points), np.empty((len(points), layout.n_bins))
    memory = Memory(scratch_sizes(layout, numbers))
    if n_points == 0:
        return out, memory
    if JIT:
        _evaluate(table_of(layout, numbers, memory, (points, out)), 0, n_points)
    else:
        scratch = Scratch(*memory.views())
        _rates_of_points(layout, numbers, points.ravel(), n_points, scratch, out.reshape(-1))
    return out, memory
