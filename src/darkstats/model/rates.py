"""Kernels for one lane: expected rates, the deviance, and its exact gradient and Hessian.

The function minimised is half the deviance relative to the saturated model::

    f = sum_bin [nu - n + n log(n/nu)]  +  sum_constraints (the same for tau x and a, or (x-a)^2/2 sigma^2)

Written so, nothing cancels: a likelihood ratio is a plain difference of two f of order one.

A rate is never negative.  Where a bin without events is driven below zero, f continues with slope
one and a stiff parabola (``STIFFNESS``), which holds the rate at zero; ``min_rate`` tells.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.kernel import kernel, kernel_entry
from darkstats.model.interpolation import histosys_curve, normsys_factor
from darkstats.model.structure import Layout, Numbers

__all__ = ["Scratch", "component_rates", "deviance", "deviance_derivatives", "dense_derivatives", "make_scratch", "rates", "rates_of_points"]

STIFFNESS = 1e6
TINY = 1e-100  # stands for a factor of exactly zero, so that products can be divided by it


class Scratch(NamedTuple):
    """Working memory of one thread; nothing is allocated per fit."""

    scale: FloatArray  # [component] product of scalar factors
    log_slope: FloatArray  # [factor] f'/f
    log_curve: FloatArray  # [factor] f''/f
    shape: FloatArray  # [flat] nominal plus shifts
    gamma: FloatArray  # [flat] product of bin factors
    rate: FloatArray  # [flat] events of one component
    nu: FloatArray  # [bin] events expected
    curve: FloatArray  # [par, 3] g, g', g'' of the histosys interpolation
    first: FloatArray  # [bin] df/dnu
    second: FloatArray  # [bin] d2f/dnu2
    weighted: FloatArray  # [bin]
    jacobian: FloatArray  # [global, bin] d nu / d parameter
    gradient: FloatArray  # [par]
    hessian: FloatArray  # [global, global] upper triangle
    local_slope: FloatArray  # [local] d nu / d parameter in its bin
    local_block: FloatArray  # [local, local in the same bin]
    coupling: FloatArray  # [local, global]


@kernel
def make_scratch(layout: Layout, numbers: Numbers) -> Scratch:
    """Allocate the working memory of one thread."""
    n_flat = len(numbers.nominal)
    n_bins, n_global = layout.n_bins, layout.n_global
    n_parameters, n_local = len(numbers.width), len(layout.local_parameter)
    block = 1
    for b in range(n_bins):
        block = max(block, layout.local_begin[b + 1] - layout.local_begin[b])
    return Scratch(
        np.empty(len(layout.component_start)),
        np.empty(len(layout.factor_parameter)),
        np.empty(len(layout.factor_parameter)),
        np.empty(n_flat),
        np.empty(n_flat),
        np.empty(n_flat),
        np.empty(n_bins),
        np.zeros((n_parameters, 3)),
        np.empty(n_bins),
        np.empty(n_bins),
        np.empty(n_bins),
        np.empty((n_global, n_bins)),
        np.empty(n_parameters),
        np.empty((n_global, n_global)),
        np.empty(n_local),
        np.empty((n_local, block)),
        np.empty((n_local, n_global)),
    )


@kernel
def rates(layout: Layout, numbers: Numbers, x: FloatArray, side: IndexArray, s: Scratch) -> None:
    """Fill ``s`` with the rates at ``x`` and with all that their derivatives need."""
    for i in range(len(layout.shape_parameters)):
        p = layout.shape_parameters[i]
        g, g1, g2 = histosys_curve(x[p], side[p], layout.histosys_code)
        s.curve[p, 0] = g
        s.curve[p, 1] = g1
        s.curve[p, 2] = g2
    nu = s.nu
    for b in range(layout.n_bins):
        nu[b] = 0.0
    for k in range(len(layout.component_start)):
        start, offset = layout.component_start[k], layout.component_offset[k]
        n = layout.component_stop[k] - start
        scale = 1.0
        for f in range(layout.factor_begin[k], layout.factor_begin[k + 1]):
            p, row = layout.factor_parameter[f], layout.factor_normsys[f]
            if row < 0:
                value = x[p]
                if abs(value) < TINY:
                    value = TINY
                s.log_slope[f] = 1.0 / value
                s.log_curve[f] = 0.0
            else:
                value, first, second = normsys_factor(
                    x[p], side[p], layout.normsys_code, numbers.normsys[row]
                )
                if abs(value) < TINY:
                    value = TINY
                s.log_slope[f] = first / value
                s.log_curve[f] = second / value
            scale *= value
        s.scale[k] = scale
        shape = s.shape[offset : offset + n]
        nominal = numbers.nominal[offset : offset + n]
        for i in range(n):
            shape[i] = nominal[i]
        for h in range(layout.histosys_begin[k], layout.histosys_begin[k + 1]):
            p, at = layout.histosys_parameter[h], layout.histosys_offset[h]
            alpha, g = x[p], s.curve[p, 0]
            odd, even = numbers.shift_odd[at : at + n], numbers.shift_even[at : at + n]
            for i in range(n):
                shape[i] += alpha * odd[i] + g * even[i]
        rate = s.rate[offset : offset + n]
        if layout.binfactor_begin[k + 1] > layout.binfactor_begin[k]:
            gamma = s.gamma[offset : offset + n]
            for i in range(n):
                gamma[i] = scale
            for j in range(layout.binfactor_begin[k], layout.binfactor_begin[k + 1]):
                q = layout.binfactor_parameter[j]
                for i in range(n):
                    value = x[q + i]
                    if abs(value) < TINY:
                        value = TINY
                    gamma[i] *= value
            for i in range(n):
                rate[i] = gamma[i] * shape[i]
                nu[start + i] += rate[i]
        else:
            for i in range(n):
                rate[i] = scale * shape[i]
                nu[start + i] += rate[i]


@kernel
def deviance(
    layout: Layout,
    numbers: Numbers,
    counts: FloatArray,
    auxdata: FloatArray,
    x: FloatArray,
    side: IndexArray,
    s: Scratch,
) -> float:
    """Half the deviance at ``x``; infinity where a bin with events has no rate."""
    rates(layout, numbers, x, side, s)
    total = 0.0
    for b in range(layout.n_bins):
        nu, n = s.nu[b], counts[b]
        if n > 0.0:
            if nu <= 0.0:
                return np.inf
            total += nu - n + n * math.log(n / nu)
        elif nu >= 0.0:
            total += nu
        else:
            total += nu + 0.5 * STIFFNESS * nu * nu
    for p in range(len(x)):
        kind = layout.constraint[p]
        if kind == 1:
            pull = (x[p] - auxdata[p]) / numbers.width[p]
            total += 0.5 * pull * pull
        elif kind == 2:
            expected, a = numbers.width[p] * x[p], auxdata[p]
            if a > 0.0:
                if expected <= 0.0:
                    return np.inf
                total += expected - a + a * math.log(a / expected)
            else:
                total += expected
    return total


@kernel
def deviance_derivatives(
    layout: Layout,
    numbers: Numbers,
    counts: FloatArray,
    auxdata: FloatArray,
    x: FloatArray,
    s: Scratch,
) -> None:
    """Gradient and exact Hessian of half the deviance, at the point of the last :func:`deviance`."""
    n_bins, n_global = layout.n_bins, layout.n_global
    first, second, jacobian, hessian = s.first, s.second, s.jacobian, s.hessian
    for b in range(n_bins):
        nu, n = s.nu[b], counts[b]
        if n > 0.0:
            ratio = n / nu
            first[b] = 1.0 - ratio
            second[b] = ratio / nu
        elif nu >= 0.0:
            first[b] = 1.0
            second[b] = 0.0
        else:
            first[b] = 1.0 + STIFFNESS * nu
            second[b] = STIFFNESS
    s.gradient[:] = 0.0
    jacobian[:, :] = 0.0
    hessian[:, :] = 0.0
    s.coupling[:, :] = 0.0
    s.local_block[:, :] = 0.0
    s.local_slope[:] = 0.0

    for k in range(len(layout.component_start)):
        _component_derivatives(layout, numbers, x, s, k)

    # First-order part: J^T diag(second) J, and the gradient J^T first.
    weighted = s.weighted
    for i in range(n_global):
        row = jacobian[i]
        slope = 0.0
        for b in range(n_bins):
            weighted[b] = row[b] * second[b]
            slope += row[b] * first[b]
        s.gradient[layout.parameter_of_global[i]] += slope
        for j in range(i, n_global):
            other = jacobian[j]
            total = 0.0
            for b in range(n_bins):
                total += weighted[b] * other[b]
            hessian[i, j] += total
    for b in range(n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            slope = s.local_slope[t]
            s.gradient[layout.local_parameter[t]] += slope * first[b]
            curvature = slope * second[b]
            for u in range(begin, end):
                s.local_block[t, u - begin] += curvature * s.local_slope[u]
            for i in range(n_global):
                s.coupling[t, i] += curvature * jacobian[i, b]

    for p in range(len(x)):
        kind = layout.constraint[p]
        if kind == 0:
            continue
        if kind == 1:
            weight = 1.0 / (numbers.width[p] * numbers.width[p])
            slope = (x[p] - auxdata[p]) * weight
        else:
            ratio = auxdata[p] / x[p]
            slope = numbers.width[p] - ratio
            weight = ratio / x[p]
        s.gradient[p] += slope
        i = layout.global_of_parameter[p]
        if i >= 0:
            hessian[i, i] += weight
        else:
            t = layout.local_of_parameter[p]
            b = _bin_of_local(layout, t)
            s.local_block[t, t - layout.local_begin[b]] += weight


@kernel
def _bin_of_local(layout: Layout, t: int) -> int:
    """Bin of a local parameter, by bisection."""
    low, high = 0, layout.n_bins
    while high - low > 1:
        middle = (low + high) // 2
        if layout.local_begin[middle] <= t:
            low = middle
        else:
            high = middle
    return low


@kernel
def _add(hessian: FloatArray, i: int, j: int, value: float) -> None:
    """Add to the upper triangle."""
    if i <= j:
        hessian[i, j] += value
    else:
        hessian[j, i] += value


@kernel
def _component_derivatives(
    layout: Layout, numbers: Numbers, x: FloatArray, s: Scratch, k: int
) -> None:
    """Add what one component gives to the Jacobian and to the curvature of the rates."""
    start, offset = layout.component_start[k], layout.component_offset[k]
    n = layout.component_stop[k] - start
    f0, f1 = layout.factor_begin[k], layout.factor_begin[k + 1]
    h0, h1 = layout.histosys_begin[k], layout.histosys_begin[k + 1]
    j0, j1 = layout.binfactor_begin[k], layout.binfactor_begin[k + 1]
    rate, first = s.rate[offset : offset + n], s.first[start : start + n]
    jacobian, hessian = s.jacobian, s.hessian

    weight = 0.0
    for i in range(n):
        weight += first[i] * rate[i]
    for f in range(f0, f1):
        gi = layout.global_of_parameter[layout.factor_parameter[f]]
        slope = s.log_slope[f]
        row = jacobian[gi, start : start + n]
        for i in range(n):
            row[i] += slope * rate[i]
        hessian[gi, gi] += weight * s.log_curve[f]
        for e in range(f0, f):
            gj = layout.global_of_parameter[layout.factor_parameter[e]]
            _add(hessian, gi, gj, weight * slope * s.log_slope[e])

    has_gamma = j1 > j0
    for h in range(h0, h1):
        p, at = layout.histosys_parameter[h], layout.histosys_offset[h]
        gi = layout.global_of_parameter[p]
        odd, even = numbers.shift_odd[at : at + n], numbers.shift_even[at : at + n]
        g1, g2 = s.curve[p, 1], s.curve[p, 2]
        row = jacobian[gi, start : start + n]
        tangent_sum, curve_sum = 0.0, 0.0
        if has_gamma:
            gamma = s.gamma[offset : offset + n]
            for i in range(n):
                tangent = gamma[i] * (odd[i] + g1 * even[i])
                row[i] += tangent
                tangent_sum += first[i] * tangent
                curve_sum += first[i] * gamma[i] * even[i]
        else:
            scale = s.scale[k]
            for i in range(n):
                tangent = scale * (odd[i] + g1 * even[i])
                row[i] += tangent
                tangent_sum += first[i] * tangent
                curve_sum += first[i] * even[i]
            curve_sum *= scale
        hessian[gi, gi] += g2 * curve_sum
        for f in range(f0, f1):
            gj = layout.global_of_parameter[layout.factor_parameter[f]]
            value = s.log_slope[f] * tangent_sum
            if gi == gj:
                hessian[gi, gi] += 2.0 * value
            else:
                _add(hessian, gi, gj, value)
    if has_gamma:
        for j in range(j0, j1):
            for i in range(n):
                _binfactor_derivatives(layout, numbers, x, s, k, j, i)


@kernel
def _binfactor_derivatives(
    layout: Layout, numbers: Numbers, x: FloatArray, s: Scratch, k: int, j: int, i: int
) -> None:
    """What the bin factor ``j`` of component ``k`` gives in its bin ``i``."""
    start, offset = layout.component_start[k], layout.component_offset[k]
    b = start + i
    first = s.first[b]
    q = layout.binfactor_parameter[j] + i
    value = x[q]
    if abs(value) < TINY:
        value = TINY
    slope = s.rate[offset + i] / value
    g, t = layout.global_of_parameter[q], layout.local_of_parameter[q]
    if g >= 0:
        s.jacobian[g, b] += slope
    else:
        s.local_slope[t] += slope
    bend = first * slope
    for f in range(layout.factor_begin[k], layout.factor_begin[k + 1]):
        gi = layout.global_of_parameter[layout.factor_parameter[f]]
        if g >= 0:
            _add(s.hessian, g, gi, bend * s.log_slope[f])
        else:
            s.coupling[t, gi] += bend * s.log_slope[f]
    for h in range(layout.histosys_begin[k], layout.histosys_begin[k + 1]):
        p, at = layout.histosys_parameter[h], layout.histosys_offset[h] + i
        gi = layout.global_of_parameter[p]
        tangent = (
            first
            * s.gamma[offset + i]
            / value
            * (numbers.shift_odd[at] + s.curve[p, 1] * numbers.shift_even[at])
        )
        if g >= 0:
            _add(s.hessian, g, gi, tangent)
        else:
            s.coupling[t, gi] += tangent
    for e in range(layout.binfactor_begin[k], j):
        q2 = layout.binfactor_parameter[e] + i
        other = x[q2]
        if abs(other) < TINY:
            other = TINY
        cross = bend / other
        g2, t2 = layout.global_of_parameter[q2], layout.local_of_parameter[q2]
        if g >= 0 and g2 >= 0:
            _add(s.hessian, g, g2, cross)
        elif g >= 0:
            s.coupling[t2, g] += cross
        elif g2 >= 0:
            s.coupling[t, g2] += cross
        else:
            begin = layout.local_begin[b]
            s.local_block[t, t2 - begin] += cross
            s.local_block[t2, t - begin] += cross


@kernel_entry
def dense_derivatives(
    layout: Layout,
    numbers: Numbers,
    counts: FloatArray,
    auxdata: FloatArray,
    x: FloatArray,
    side: IndexArray,
) -> tuple[float, FloatArray, FloatArray]:
    """Half the deviance, its gradient [par] and its full Hessian [par, par] at one point."""
    s = make_scratch(layout, numbers)
    here = x.copy()
    value = deviance(layout, numbers, counts, auxdata, here, side, s)
    deviance_derivatives(layout, numbers, counts, auxdata, here, s)
    n_parameters = len(x)
    full = np.zeros((n_parameters, n_parameters))
    for i in range(layout.n_global):
        p = layout.parameter_of_global[i]
        for j in range(i, layout.n_global):
            q = layout.parameter_of_global[j]
            full[p, q] = s.hessian[i, j]
            full[q, p] = s.hessian[i, j]
    for b in range(layout.n_bins):
        begin, end = layout.local_begin[b], layout.local_begin[b + 1]
        for t in range(begin, end):
            p = layout.local_parameter[t]
            for u in range(begin, end):
                full[p, layout.local_parameter[u]] = s.local_block[t, u - begin]
            for i in range(layout.n_global):
                q = layout.parameter_of_global[i]
                full[p, q] = s.coupling[t, i]
                full[q, p] = s.coupling[t, i]
    return value, s.gradient.copy(), full


@kernel_entry
def rates_of_points(layout: Layout, numbers: Numbers, points: FloatArray, side: IndexArray) -> FloatArray:
    """Expected events. Shapes: [point, par] -> [point, bin]."""
    s = make_scratch(layout, numbers)
    out = np.empty((len(points), layout.n_bins))
    for i in range(len(points)):
        rates(layout, numbers, points[i].copy(), side, s)
        out[i] = s.nu
    return out


@kernel_entry
def component_rates(layout: Layout, numbers: Numbers, point: FloatArray, side: IndexArray) -> FloatArray:
    """Expected events of every component at one point, as one flat array. Shapes: [par] -> [flat]."""
    s = make_scratch(layout, numbers)
    rates(layout, numbers, point.copy(), side, s)
    return s.rate.copy()
