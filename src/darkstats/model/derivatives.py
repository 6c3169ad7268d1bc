"""Kernels for eight lanes: the exact gradient and Hessian of the deviance.

With w = df/dnu and v = d2f/dnu2 per bin, the Hessian is J^T v J plus the curvature of the rates
weighted by w, which HistFactory's products give in closed form: a component's rate S G h has the
logarithmic derivatives of its factors, and shifts that are linear in two known curves.
"""

from __future__ import annotations

from darkstats.kernel import kernel, kernel_in_order
from darkstats.kernel.products import FEW, TERMS, add_products, add_products_alone, alone
from darkstats.kernel.simd import LANES, Floats, Vector, fill, load, store, where_less
from darkstats.model.rates import STIFFNESS, away_from_zero
from darkstats.model.scratch import Scratch
from darkstats.model.structure import Layout, Numbers

__all__ = ["constraint_slope", "deviance_derivatives", "rate_slopes"]


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
    """Gradient and exact Hessian of half the deviance, where :func:`deviance` was last taken.

    The gradient is that of all lanes, the Hessian that of the lanes that ask (``s.asking``).
    """
    n_bins = layout.n_bins
    rate_slopes(layout, s)
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
def rate_slopes(layout: Layout, s: Scratch) -> None:
    """First and second derivative of half the deviance by the rate of each bin."""
    zero = fill(0.0)
    for b in range(layout.n_bins):
        nu, n, inverse = load(s.nu, b), load(s.counts, b), load(s.inverse, b)
        ratio = n * inverse
        negative = where_less(nu, zero, fill(STIFFNESS), zero)
        below = where_less(nu, zero, nu * STIFFNESS, zero)
        store(s.first, b, where_less(zero, n, fill(1.0) - ratio, below + 1.0))
        store(s.second, b, where_less(zero, n, ratio * inverse, negative))


@kernel
def _first_order_block(
    n_bins: int, n_global: int, begin: int, end: int, layout: Layout, s: Scratch, one_by_one: bool
) -> None:
    """What the bins from ``begin`` to ``end - 1`` give to the gradient and to the dense part."""
    few = n_global <= FEW
    for i in range(n_global):
        slope, row = fill(0.0), 0 if few else i * TERMS
        for b in range(begin, end):
            element = load(s.jacobian, i * n_bins + b)
            slope = slope + element * load(s.first, b)
            store(s.weighted, row + b - begin, element * load(s.second, b))
        p = layout.parameter_of_global[i]
        store(s.gradient, p, load(s.gradient, p) + slope)
        j = i if few else n_global
        while j + 3 < n_global:  # four elements of the row at once
            a0, a1, a2, a3 = fill(0.0), fill(0.0), fill(0.0), fill(0.0)
            for b in range(begin, end):
                weight, at = load(s.weighted, b - begin), j * n_bins + b
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
                a0 = a0 + load(s.weighted, b - begin) * load(s.jacobian, j * n_bins + b)
            at = i * n_global + j
            store(s.hessian, at, load(s.hessian, at) + a0)
            j += 1
    if not few and not one_by_one:
        add_products(
            s.hessian, n_global, 0,
            s.weighted, 0, TERMS, 1,
            s.jacobian, begin, n_bins, 1,
            end - begin, False,
        )  # fmt: skip


@kernel_in_order
def _first_order_alone(n_bins: int, n_global: int, s: Scratch, slot: int) -> None:
    """The dense part of one lane: the same sums as of eight, with eight columns in a vector."""
    columns = -(-n_global // LANES)
    for i in range(n_global):
        for m in range(i // LANES, columns):
            store(s.alone_hessian, i * columns + m, fill(0.0))
        for j in range(i, n_global):
            element = s.hessian[i * n_global + j, slot]
            s.alone_hessian[i * columns + j // LANES, j % LANES] = element
    for k in range(TERMS):  # columns beyond the last
        store(s.alone_jacobian, k * columns + columns - 1, fill(0.0))
    for begin in range(0, n_bins, TERMS):
        end = min(begin + TERMS, n_bins)
        for i in range(n_global):
            place, lane = i // LANES, i % LANES
            for b in range(begin, end):
                element = s.jacobian[i * n_bins + b, slot]
                at = (b - begin) * columns + place
                s.alone_jacobian[at, lane] = element
                s.alone_weighted[at, lane] = element * s.second[b, slot]
        add_products_alone(
            s.alone_hessian, n_global, 0,
            s.alone_weighted, s.alone_jacobian, 0,
            end - begin, False,
        )  # fmt: skip
    for i in range(n_global):
        for j in range(i, n_global):
            element = s.alone_hessian[i * columns + j // LANES, j % LANES]
            s.hessian[i * n_global + j, slot] = element


@kernel
def _first_order_part(layout: Layout, s: Scratch) -> None:
    """J^T diag(second) J, and the gradient J^T first."""
    n_bins, n_global = layout.n_bins, layout.n_global
    one_by_one = alone(n_global, s.asking)
    for begin in range(0, n_bins, TERMS):
        end = min(begin + TERMS, n_bins)
        _first_order_block(n_bins, n_global, begin, end, layout, s, one_by_one)
    if one_by_one:
        for slot in range(LANES):
            if s.asking[0, slot] > 0.0:
                _first_order_alone(n_bins, n_global, s, slot)
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
                weight = constraint_slope(layout, numbers, s, p)
                store(s.local_block, at, load(s.local_block, at) + weight)
    for i in range(layout.n_global):
        p = layout.parameter_of_global[i]
        if layout.constraint[p] != 0:
            at = i * layout.n_global + i
            weight = constraint_slope(layout, numbers, s, p)
            store(s.hessian, at, load(s.hessian, at) + weight)


@kernel
def constraint_slope(layout: Layout, numbers: Numbers, s: Scratch, p: int) -> Vector:
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
    inverse = fill(1.0) / away_from_zero(load(s.x, q))
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
        cross = bend / away_from_zero(load(s.x, q2))
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
