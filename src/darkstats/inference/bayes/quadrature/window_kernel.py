"""Compiled: posteriors of counting windows, for many outcomes of each window at once.

For one window the likelihood of every outcome is taken at the nodes of panels in t, written as
Legendre series there, averaged over the signal factor at the nodes of panels in the coordinate of
the prior, multiplied by the prior and integrated. The credible limit is the root of a series.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.inference.bayes.rules import legendre_rule
from darkstats.kernel import JIT, Memory, is_compiled, kernel, kernel_entry
from darkstats.kernel.exponential import exponential
from darkstats.kernel.simd import (
    LANES,
    Floats,
    Integers,
    Vector,
    fill,
    load,
    logarithm,
    maximum,
    store,
)
from darkstats.kernel.tables import reader_of
from darkstats.model.structure import addresses_of

__all__ = [
    "ORDER",
    "Shape",
    "WindowArrays",
    "legendre_transform",
    "window_posteriors",
    "windows_are_compiled",
]

ORDER = 16  # nodes, and terms of the Legendre series, on each panel
_MOST_STEPS = 12.0  # after so many steps by recursion a probability is computed afresh
_TINY = 1e-300
_MOST_NEWTON = 60


class Shape(NamedTuple):
    """Sizes that all windows of a call share."""

    bins: int
    shared: int
    private: int
    signal: int
    t_panels: int
    v_panels: int
    most_counts: int  # longest list of counts of a bin
    most_outcomes: int


class WindowArrays(NamedTuple):
    """What the kernel reads and writes; flat, outermost axis first.

    Lists of counts and outcomes have a length of their own in each window.
    """

    weight: Floats  # [window, g]
    signal: Floats  # [window, bin, g]
    background: Floats  # [window, bin, g, q]
    private_weight: Floats  # [window, bin, q]
    factor: Floats  # [window, s]
    factor_weight: Floats  # [window, s]
    t_edge: Floats  # [window, t panel + 1]
    v_edge: Floats  # [window, v panel + 1] edges in the coordinate of the prior
    mu_node: Floats  # [window, v panel, ORDER] signal strength at the nodes
    prior: Floats  # [window, v panel, ORDER] density in the coordinate there
    level: Floats  # [1] probability below the limit
    node: Floats  # [2] vectors: Legendre nodes
    quadrature: Floats  # [ORDER] their weights
    matrix: Floats  # [ORDER, 2] vectors: value at a node to Legendre series
    events: Floats  # [list entry] counts
    log_factorial: Floats  # [list entry] of the count
    count_begin: Integers  # [window bin + 1]
    outcome: Integers  # [outcome, bin] place in the list of counts of that bin
    outcome_begin: Integers  # [window + 1]
    limit: Floats  # [outcome] in the coordinate of the prior
    evidence: Floats  # [outcome] integral of likelihood times prior
    last: Floats  # [outcome] part of it in the last panel
    empty: Floats  # [outcome] likelihood at signal strength 0
    likelihood: Floats  # [window, v panel, ORDER] of the first outcome
    t_tail: Floats  # [window, t panel, 2] what the series of a panel leaves out; see `_tails`
    v_tail: Floats  # [window, v panel, 2]


class _Scratch(NamedTuple):
    """Working memory of one thread; vectors of eight first."""

    poisson: Floats  # [bin, g, count] vectors over t
    values: Floats  # [2, outcome] vectors over t
    series: Floats  # [t panel, outcome, 2] vectors over the terms of the series
    mean: Floats  # [t panel, 2] vectors: means of Legendre polynomials over the signal factor
    patch: Floats  # [1] vector
    density: Floats  # [v panel, ORDER, outcome]
    coefficients: Floats  # [ORDER]
    measure: Floats  # [t panel] integral of the prior over where t lies in the panel


_WORDS = len(Shape._fields)
_ARRAYS = len(WindowArrays._fields)


def legendre_transform() -> FloatArray:
    """Matrix from values at the nodes to a Legendre series; row: node. Shape [ORDER, ORDER]."""
    nodes, weights = legendre_rule(ORDER)
    polynomials = np.polynomial.legendre.legvander(nodes, ORDER - 1)
    return weights[:, np.newaxis] * polynomials * (np.arange(ORDER) + 0.5)


@kernel
def _poisson(a: WindowArrays, s: _Scratch, shape: Shape, window: int, t: Vector) -> None:
    """Fill the probabilities of all counts of all bins, averaged over private nodes."""
    for k in range(shape.bins):
        begin = a.count_begin[window * shape.bins + k]
        n_counts = a.count_begin[window * shape.bins + k + 1] - begin
        for g in range(shape.shared):
            at = (window * shape.bins + k) * shape.shared + g
            put = (k * shape.shared + g) * shape.most_counts
            for i in range(n_counts):
                store(s.poisson, put + i, fill(0.0))
            events = t * a.signal[at]
            for q in range(shape.private):
                v = a.private_weight[(window * shape.bins + k) * shape.private + q]
                if v == 0.0:
                    continue
                nu = events + a.background[at * shape.private + q]
                logarithm_nu = logarithm(maximum(nu, fill(_TINY)))
                steps, before, p = _MOST_STEPS, -1.0, fill(0.0)
                for i in range(n_counts):
                    n = a.events[begin + i]
                    gap = n - before
                    if steps + gap <= _MOST_STEPS and gap == math.floor(gap):
                        steps += gap
                        for _ in range(int(gap)):
                            before += 1.0
                            p = p * nu * (1.0 / before)
                    else:
                        steps = 0.0
                        p = exponential(
                            logarithm_nu * n - nu - a.log_factorial[begin + i]
                        ) * v  # fmt: skip
                    before = n
                    store(s.poisson, put + i, load(s.poisson, put + i) + p)


@kernel
def _outcomes(a: WindowArrays, s: _Scratch, shape: Shape, window: int, at: int) -> None:
    """Likelihood of each outcome at the rates for which ``poisson`` was filled."""
    first = a.outcome_begin[window]
    n = a.outcome_begin[window + 1] - first
    for o in range(n):
        store(s.values, at + o, fill(0.0))
    for g in range(shape.shared):
        w = a.weight[window * shape.shared + g]
        for o in range(n):
            product = fill(w)
            for k in range(shape.bins):
                i = a.outcome[(first + o) * shape.bins + k]
                product = product * load(
                    s.poisson, (k * shape.shared + g) * shape.most_counts + i
                )  # fmt: skip
            store(s.values, at + o, load(s.values, at + o) + product)


@kernel
def _series_in_t(a: WindowArrays, s: _Scratch, shape: Shape, window: int, n: int) -> None:
    """Legendre series of the likelihood on each panel of t."""
    most = shape.most_outcomes
    for panel in range(shape.t_panels):
        low = a.t_edge[window * (shape.t_panels + 1) + panel]
        high = a.t_edge[window * (shape.t_panels + 1) + panel + 1]
        for half in range(2):
            t = load(a.node, half) * (0.5 * (high - low)) + 0.5 * (low + high)
            _poisson(a, s, shape, window, t)
            _outcomes(a, s, shape, window, half * most)
        for o in range(n):
            c0, c1 = fill(0.0), fill(0.0)
            for i in range(ORDER):
                value = s.values[(i // LANES) * most + o, i % LANES]
                c0 = c0 + load(a.matrix, 2 * i) * value
                c1 = c1 + load(a.matrix, 2 * i + 1) * value
            store(s.series, 2 * (panel * most + o), c0)
            store(s.series, 2 * (panel * most + o) + 1, c1)


@kernel
def _mean_polynomials(a: WindowArrays, s: _Scratch, shape: Shape, window: int, mu: float) -> int:
    """Mean of the Legendre polynomials of t = mu S over the signal factor; panels seen."""
    seen = 0
    for i in range(2 * shape.t_panels):
        store(s.mean, i, fill(0.0))
    edges = window * (shape.t_panels + 1)
    for node in range(shape.signal):
        t = mu * a.factor[window * shape.signal + node]
        w = a.factor_weight[window * shape.signal + node]
        if w == 0.0 or t >= a.t_edge[edges + shape.t_panels]:
            continue
        panel = 0
        while t >= a.t_edge[edges + panel + 1]:
            panel += 1
        seen = max(seen, panel + 1)
        low, high = a.t_edge[edges + panel], a.t_edge[edges + panel + 1]
        x = (2.0 * t - low - high) / (high - low)
        before, here = 0.0, 1.0
        for k in range(ORDER):
            row, lane = 2 * panel + k // LANES, k % LANES
            s.mean[row, lane] = s.mean[row, lane] + w * here
            before, here = here, ((2.0 * k + 1.0) * x * here - k * before) / (k + 1.0)
    return seen


@kernel
def _density(a: WindowArrays, s: _Scratch, shape: Shape, window: int, n: int) -> None:
    """Likelihood times prior at the nodes of the signal strength."""
    most, edges = shape.most_outcomes, window * (shape.v_panels + 1)
    for panel in range(shape.t_panels):
        s.measure[panel] = 0.0
    for j in range(shape.v_panels * ORDER):
        place = window * shape.v_panels * ORDER + j
        seen = _mean_polynomials(a, s, shape, window, a.mu_node[place])
        prior = a.prior[place]
        here = edges + j // ORDER
        mass = prior * a.quadrature[j % ORDER] * 0.5 * (a.v_edge[here + 1] - a.v_edge[here])
        for panel in range(seen):
            s.measure[panel] += mass * s.mean[2 * panel, 0]
        for o in range(n):
            total = fill(0.0)
            for panel in range(seen):
                at = 2 * (panel * most + o)
                total = total + load(s.mean, 2 * panel) * load(s.series, at)
                total = total + load(s.mean, 2 * panel + 1) * load(s.series, at + 1)
            store(s.patch, 0, total)
            value = 0.0
            for lane in range(LANES):
                value += s.patch[0, lane]
            s.density[j * most + o] = value * prior
            if o == 0:
                a.likelihood[place] = value


@kernel
def _root(s: _Scratch, target: float) -> float:
    """Where the integral from -1 of the Legendre series in ``coefficients`` is ``target``.

    Newton's method inside a bracket that shrinks with every step.
    """
    low, high, x = -1.0, 1.0, 0.0
    for _ in range(_MOST_NEWTON):
        value = s.coefficients[0] * (x + 1.0)
        slope = s.coefficients[0]
        before, here = 1.0, x
        for k in range(1, ORDER):
            after = ((2.0 * k + 1.0) * x * here - k * before) / (k + 1.0)
            value += s.coefficients[k] * (after - before) / (2.0 * k + 1.0)
            slope += s.coefficients[k] * here
            before, here = here, after
        if value < target:
            low = x
        else:
            high = x
        step = (target - value) / slope if slope > 0.0 else 4.0
        guess = x + step
        if not low < guess < high:
            guess = 0.5 * (low + high)
        done = abs(guess - x) <= 1e-15
        x = guess
        if done:
            break
    return x


@kernel
def _limit(a: WindowArrays, s: _Scratch, shape: Shape, window: int, o: int) -> float:
    """Fill evidence and last part of outcome ``o``; return the limit, NaN where there is none."""
    most, edges = shape.most_outcomes, window * (shape.v_panels + 1)
    at = a.outcome_begin[window] + o
    total, part = 0.0, 0.0
    for panel in range(shape.v_panels):
        part = 0.0
        for i in range(ORDER):
            part += a.quadrature[i] * s.density[(panel * ORDER + i) * most + o]
        part *= 0.5 * (a.v_edge[edges + panel + 1] - a.v_edge[edges + panel])
        total += part
    a.evidence[at] = total
    a.last[at] = part
    if not total > 0.0:
        return math.nan
    missing, panel = a.level[0] * total, 0
    while panel < shape.v_panels:
        half = 0.5 * (a.v_edge[edges + panel + 1] - a.v_edge[edges + panel])
        part = 0.0
        for i in range(ORDER):
            part += a.quadrature[i] * s.density[(panel * ORDER + i) * most + o]
        part *= half
        if missing <= part or panel == shape.v_panels - 1:
            break
        missing -= part
        panel += 1
    half = 0.5 * (a.v_edge[edges + panel + 1] - a.v_edge[edges + panel])
    for k in range(ORDER):
        c = 0.0
        for i in range(ORDER):
            c += a.matrix[2 * i + k // LANES, k % LANES] * s.density[(panel * ORDER + i) * most + o]
        s.coefficients[k] = c * half
    return float(a.v_edge[edges + panel] + half * (_root(s, missing) + 1.0))


@kernel
def _tails(a: WindowArrays, s: _Scratch, shape: Shape, window: int, n: int) -> None:
    """What the series of each panel leaves out, as part of the evidence.

    The last two terms of a series stand for those that follow. First place: of the first outcome;
    second: of the worst of the others.
    """
    most, edges = shape.most_outcomes, window * (shape.v_panels + 1)
    first = a.outcome_begin[window]
    for panel in range(shape.t_panels):
        put = 2 * (window * shape.t_panels + panel)
        a.t_tail[put] = 0.0
        a.t_tail[put + 1] = 0.0
        for o in range(n):
            at, slot = 2 * (panel * most + o) + 1, put + min(o, 1)
            rest = abs(s.series[at, LANES - 1]) + abs(s.series[at, LANES - 2])
            if a.evidence[first + o] > 0.0:
                part = s.measure[panel] * rest / a.evidence[first + o]
                a.t_tail[slot] = max(a.t_tail[slot], part)
    for panel in range(shape.v_panels):
        put = 2 * (window * shape.v_panels + panel)
        a.v_tail[put] = 0.0
        a.v_tail[put + 1] = 0.0
        half = 0.5 * (a.v_edge[edges + panel + 1] - a.v_edge[edges + panel])
        for o in range(n):
            last, before, slot = 0.0, 0.0, put + min(o, 1)
            for i in range(ORDER):
                value = s.density[(panel * ORDER + i) * most + o]
                last += a.matrix[2 * i + 1, LANES - 1] * value
                before += a.matrix[2 * i + 1, LANES - 2] * value
            if a.evidence[first + o] > 0.0:
                part = 2.0 * half * (abs(last) + abs(before)) / a.evidence[first + o]
                a.v_tail[slot] = max(a.v_tail[slot], part)


@kernel
def _windows(a: WindowArrays, s: _Scratch, shape: Shape, first: int, stop: int) -> None:
    for window in range(first, stop):
        begin = a.outcome_begin[window]
        n = a.outcome_begin[window + 1] - begin
        _poisson(a, s, shape, window, fill(0.0))
        _outcomes(a, s, shape, window, 0)
        for o in range(n):
            a.empty[begin + o] = s.values[o, 0]
        _series_in_t(a, s, shape, window, n)
        _density(a, s, shape, window, n)
        for o in range(n):
            a.limit[begin + o] = _limit(a, s, shape, window, o)
        _tails(a, s, shape, window, n)


_shape_at = reader_of(Shape)
_arrays_at = reader_of(WindowArrays)
_scratch_at = reader_of(_Scratch)


@kernel_entry
def _window_entry(table: Integers, first: int, stop: int) -> None:
    """Windows ``first`` to ``stop - 1``, from a table of sizes and addresses."""
    _windows(
        _arrays_at(table, _WORDS), _scratch_at(table, _WORDS + _ARRAYS), _shape_at(table, 0),
        first, stop,
    )  # fmt: skip


def windows_are_compiled() -> bool:
    """Whether :func:`window_posteriors` can start at once; otherwise it waits for the compiler."""
    return is_compiled(_window_entry)


def window_posteriors(shape: Shape, arrays: WindowArrays, first: int, stop: int) -> None:
    """Fill the results of windows ``first`` to ``stop - 1``, in place.

    Arrays are C-ordered float64 and int64: flat, or [n, 8] where they hold vectors. Working memory
    is the call's own: calls on disjoint windows may run in different threads.
    """
    most = shape.most_outcomes
    memory = Memory(
        (
            shape.bins * shape.shared * shape.most_counts,
            2 * most,
            2 * shape.t_panels * most,
            2 * shape.t_panels,
            1,
            -(-shape.v_panels * ORDER * most // LANES),
            -(-ORDER // LANES),
            -(-shape.t_panels // LANES),
        )
    )
    if JIT:
        words = [*addresses_of(shape), *addresses_of(arrays), *memory.addresses()]
        table: IndexArray = np.array(words, dtype=np.int64)
        _window_entry(table, first, stop)
        return
    views = memory.views()
    scratch = _Scratch(*views[:5], *(view.reshape(-1) for view in views[5:]))
    with np.errstate(all="ignore"):  # as compiled kernels do
        _windows(arrays, scratch, shape, first, stop)
