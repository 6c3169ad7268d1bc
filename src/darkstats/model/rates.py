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

from darkstats.arrays import FloatArray
from darkstats.kernel import kernel, kernel_entry
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
from darkstats.model.structure import Layout, Numbers

__all__ = [
    "Scratch",
    "component_rates",
    "dense_derivatives",
    "deviance",
    "deviance_derivatives",
    "make_scratch",
    "rates",
    "rates_of_points",
]

STIFFNESS = 1e6
TINY = 1e-100  # stands for a factor of exactly zero, so that products can be divided by it


class Scratch(NamedTuple):
    """Working memory of one thread; nothing is allocated per fit."""

    x: FloatArray  # [par] the point
    side: FloatArray  # [par] +1 or -1: the side of a kink at zero
    counts: FloatArray  # [bin]
    auxdata: FloatArray  # [par]
    scale: FloatArray  # [component] product of scalar factors
    log_slope: FloatArray  # [factor] f'/f
    log_curve: FloatArray  # [factor] f''/f
    gamma: FloatArray  # [flat] product of all factors
    rate: FloatArray  # [flat] events of one component
    nu: FloatArray  # [bin] events expected
    inverse: FloatArray  # [bin] 1/nu where there are events
    curve: FloatArray  # [3 par] g, g', g'' of the histosys interpolation
    first: FloatArray  # [bin] df/dnu
    second: FloatArray  # [bin] d2f/dnu2
    weighted: FloatArray  # [bin]
    jacobian: FloatArray  # [global bin] d nu / d parameter
    gradient: FloatArray  # [par]
    hessian: FloatArray  # [global global] upper triangle
    local_slope: FloatArray  # [local] d nu / d parameter in its bin
    local_block: FloatArray  # [local, local in the same bin]
    coupling: FloatArray  # [local global]
    patch: FloatArray  # [3]
    block: int  # largest number of local parameters in one bin


def make_scratch(layout: Layout, numbers: Numbers) -> Scratch:
    """Allocate the working memory of one thread."""
    n_flat, n_bins, n_global = len(numbers.nominal), layout.n_bins, layout.n_global
    n_parameters, n_local = len(numbers.width), len(layout.local_parameter)
    n_factors, n_components = len(layout.factor_parameter), len(layout.component_start)
    block = max(1, int(np.diff(layout.local_begin).max(initial=1)))

    def vectors(n: int) -> FloatArray:
        return np.zeros((n, LANES))

    return Scratch(
        x=vectors(n_parameters),
        side=np.ones((n_parameters, LANES)),
        counts=vectors(n_bins),
        auxdata=vectors(n_parameters),
        scale=vectors(n_components),
        log_slope=vectors(n_factors),
        log_curve=vectors(n_factors),
        gamma=vectors(n_flat),
        rate=vectors(n_flat),
        nu=vectors(n_bins),
        inverse=vectors(n_bins),
        curve=vectors(3 * n_parameters),
        first=vectors(n_bins),
        second=vectors(n_bins),
        weighted=vectors(n_bins),
        jacobian=vectors(n_global * n_bins),
        gradient=vectors(n_parameters),
        hessian=vectors(n_global * n_global),
        local_slope=vectors(n_local),
        local_block=vectors(n_local * block),
        coupling=vectors(n_local * n_global),
        patch=vectors(3),
        block=block,
    )


@kernel
def _interpolate_shapes(layout: Layout, s: Scratch) -> None:
    """Fill the curves of all parameters that act through histosys."""
    for i in range(len(layout.shape_parameters)):
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
            c = numbers.normsys[row]
            code4 = layout.normsys_code == 4
            value, first, second = normsys_inside(alpha, c)
            if not code4 or not largest(absolute(alpha)) < 1.0:
                store(s.patch, 0, value)
                store(s.patch, 1, first)
                store(s.patch, 2, second)
                for lane in range(LANES):
                    here = s.x[p, lane]
                    if not code4 or not abs(here) < 1.0:
                        v, d, e = normsys_outside(here, s.side[p, lane], c)
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
    for k in range(len(layout.component_start)):
        start, offset = layout.component_start[k], layout.component_offset[k]
        n = layout.component_stop[k] - start
        scale = _scalar_factors(layout, numbers, s, k)
        store(s.scale, k, scale)
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
    for p in range(len(layout.constraint)):
        kind = layout.constraint[p]
        if kind == 1:
            pull = (load(s.x, p) - load(s.auxdata, p)) * (1.0 / numbers.width[p])
            total = total + pull * pull * 0.5
        elif kind == 2:
            expected = load(s.x, p) * numbers.width[p]
            total = total + _poisson_term(expected, load(s.auxdata, p), fill(1.0) / expected)
    return total


@kernel
def _zero(array: FloatArray) -> None:
    for i in range(len(array)):
        store(array, i, fill(0.0))


@kernel
def _add(hessian: FloatArray, n_global: int, i: int, j: int, value: Vector) -> None:
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
    _zero(s.gradient)
    _zero(s.jacobian)
    _zero(s.hessian)
    _zero(s.coupling)
    _zero(s.local_block)
    _zero(s.local_slope)
    for k in range(len(layout.component_start)):
        _component_derivatives(layout, numbers, s, k)
    _first_order_part(layout, s)
    _constraint_derivatives(layout, numbers, s)


@kernel
def _first_order_part(layout: Layout, s: Scratch) -> None:
    """J^T diag(second) J, and the gradient J^T first."""
    n_bins, n_global = layout.n_bins, layout.n_global
    for i in range(n_global):
        slope = fill(0.0)
        for b in range(n_bins):
            element = load(s.jacobian, i * n_bins + b)
            slope = slope + element * load(s.first, b)
            store(s.weighted, b, element * load(s.second, b))
        p = layout.parameter_of_global[i]
        store(s.gradient, p, load(s.gradient, p) + slope)
        j = i
        while j + 1 < n_global:  # two rows at once
            one, two = fill(0.0), fill(0.0)
            for b in range(n_bins):
                weight = load(s.weighted, b)
                one = one + weight * load(s.jacobian, j * n_bins + b)
                two = two + weight * load(s.jacobian, (j + 1) * n_bins + b)
            at = i * n_global + j
            store(s.hessian, at, load(s.hessian, at) + one)
            store(s.hessian, at + 1, load(s.hessian, at + 1) + two)
            j += 2
        if j < n_global:
            one = fill(0.0)
            for b in range(n_bins):
                one = one + load(s.weighted, b) * load(s.jacobian, j * n_bins + b)
            at = i * n_global + j
            store(s.hessian, at, load(s.hessian, at) + one)
    for b in range(n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            slope = load(s.local_slope, t)
            p = layout.local_parameter[t]
            store(s.gradient, p, load(s.gradient, p) + slope * load(s.first, b))
            curvature = slope * load(s.second, b)
            for u in range(begin, end):
                at = t * s.block + u - begin
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
                at = t * s.block + t - begin
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
            one, two = t * s.block + t2 - begin, t2 * s.block + t - begin
            store(s.local_block, one, load(s.local_block, one) + cross)
            store(s.local_block, two, load(s.local_block, two) + cross)


@kernel
def put_point(s: Scratch, x: FloatArray) -> None:
    """Set all lanes to one point [par], on the positive side of kinks at zero."""
    for p in range(len(x)):
        for lane in range(LANES):
            s.x[p, lane] = x[p]
            s.side[p, lane] = 1.0 if x[p] >= 0.0 else -1.0


@kernel_entry
def _dense_entry(
    layout: Layout,
    numbers: Numbers,
    counts: FloatArray,
    auxdata: FloatArray,
    x: FloatArray,
    s: Scratch,
    value: FloatArray,
    gradient: FloatArray,
    full: FloatArray,
) -> None:
    put_point(s, x)
    for b in range(layout.n_bins):
        for lane in range(LANES):
            s.counts[b, lane] = counts[b]
    for p in range(len(x)):
        for lane in range(LANES):
            s.auxdata[p, lane] = auxdata[p]
    store(s.patch, 0, deviance(layout, numbers, s))
    value[0] = s.patch[0, 0]
    deviance_derivatives(layout, numbers, s)
    n_global = layout.n_global
    for p in range(len(x)):
        gradient[p] = s.gradient[p, 0]
    for i in range(n_global):
        p = layout.parameter_of_global[i]
        for j in range(i, n_global):
            q = layout.parameter_of_global[j]
            full[p, q] = s.hessian[i * n_global + j, 0]
            full[q, p] = full[p, q]
    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            p = layout.local_parameter[t]
            for u in range(begin, end):
                full[p, layout.local_parameter[u]] = s.local_block[t * s.block + u - begin, 0]
            for i in range(n_global):
                q = layout.parameter_of_global[i]
                full[p, q] = s.coupling[t * n_global + i, 0]
                full[q, p] = full[p, q]


def dense_derivatives(
    layout: Layout, numbers: Numbers, counts: FloatArray, auxdata: FloatArray, x: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Half the deviance, its gradient [par] and its full Hessian [par, par] at one point."""
    n = len(x)
    value, gradient, full = np.empty(1), np.empty(n), np.zeros((n, n))
    scratch = make_scratch(layout, numbers)
    _dense_entry(layout, numbers, counts, auxdata, x, scratch, value, gradient, full)
    return float(value[0]), gradient, full


@kernel_entry
def _rates_entry(
    layout: Layout, numbers: Numbers, points: FloatArray, s: Scratch, out: FloatArray
) -> None:
    n_points = points.shape[0]
    for first in range(0, n_points, LANES):
        for lane in range(LANES):
            source = min(first + lane, n_points - 1)
            for p in range(points.shape[1]):
                s.x[p, lane] = points[source, p]
                s.side[p, lane] = 1.0 if points[source, p] >= 0.0 else -1.0
        rates(layout, numbers, s)
        for lane in range(min(LANES, n_points - first)):
            for b in range(layout.n_bins):
                out[first + lane, b] = s.nu[b, lane]


def rates_of_points(layout: Layout, numbers: Numbers, points: FloatArray) -> FloatArray:
    """Expected events. Shapes: [point, par] -> [point, bin]."""
    out = np.empty((len(points), layout.n_bins))
    if len(points):
        _rates_entry(layout, numbers, points, make_scratch(layout, numbers), out)
    return out


def component_rates(layout: Layout, numbers: Numbers, point: FloatArray) -> FloatArray:
    """Expected events of every component, as one flat array. Shapes: [par] -> [flat]."""
    scratch = make_scratch(layout, numbers)
    out = np.empty((1, layout.n_bins))
    _rates_entry(layout, numbers, point.reshape(1, -1), scratch, out)
    rates_: FloatArray = scratch.rate[:, 0].copy()
    return rates_
