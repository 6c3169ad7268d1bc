"""Columns at events, densities in plain NumPy, and data sets laid out for the kernel."""

from __future__ import annotations

import math

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.kernel.simd import LANES
from darkstats.model.event_lanes import ChannelEvents, padded
from darkstats.model.unbinned.channels import Channel, Component
from darkstats.model.unbinned.fixed import Polynomial, nodes_on
from darkstats.model.unbinned.jets import constant
from darkstats.model.unbinned.shapes import integral_jet, log_shape

__all__ = ["column_values", "density_at", "lanes_from", "poisson_constant"]


def column_values(channel: Channel, x: FloatArray) -> FloatArray:
    """Functions of the columns at events; averages over bins in a binned channel.

    Shapes: [dim, event] -> [column, event]. Polynomials in one observable share their powers.
    """
    n = x.shape[1]
    result = np.empty((len(channel.columns), n))
    if channel.bin_edges is not None:
        edges = np.array(channel.bin_edges)
        nodes, weights = nodes_on(edges)
        n_bins = len(edges) - 1
        for c, column in enumerate(channel.columns):
            parts = (column.function.values(nodes[None, :]) * weights).reshape(n_bins, -1)
            result[c] = np.tile(parts.sum(axis=1) / np.diff(edges), n // n_bins)
        return result
    by_dim: dict[int, list[int]] = {}
    for c, column in enumerate(channel.columns):
        if isinstance(column.function, Polynomial):
            by_dim.setdefault(column.function.dim, []).append(c)
        else:
            result[c] = column.function.values(x)
    for dim, chosen in by_dim.items():
        functions = [channel.columns[c].function for c in chosen]
        polynomials = [f for f in functions if isinstance(f, Polynomial)]
        size = max(len(p.coefficients) for p in polynomials)
        table = np.zeros((len(chosen), size))
        for row, p in zip(table, polynomials, strict=True):
            row[: len(p.coefficients)] = p.coefficients
        powers = np.ones((size, n))
        if size > 1:
            powers[1] = polynomials[0].scaled(x[dim])
        for k in range(2, size):
            np.multiply(powers[k - 1], powers[1], out=powers[k])
        result[chosen] = table @ powers
    return result


def _amplitude(component: Component, points: FloatArray) -> FloatArray:
    """Expected events over all normalisation integrals. Shape [lane]."""
    value = np.array(component.expected.at(points))
    for factor in component.linear:
        value = value / sum(c.at(points) * f.integral for c, f in factor)
    for shape in component.shapes:
        slots = [constant(slot.at(points), len(points), 0) for slot in shape.slots]
        value = value / integral_jet(shape.op, slots, shape.low, shape.high).value
    return value


@np.errstate(all="ignore")  # as compiled kernels do: what is not finite is data
def density_at(
    channel: Channel, points: FloatArray, x: FloatArray, *, only: BoolArray | None = None
) -> FloatArray:
    """Expected events per unit of the observables, of all components or of some of them.

    Shapes: [lane, par], [dim, event], only [component] -> [lane, event].

    Independent of the kernel: plain NumPy on the same columns.
    """
    columns = column_values(channel, x)
    total = np.zeros((len(points), x.shape[1]))
    heights = {}
    for g, group in enumerate(channel.groups):
        exponent = np.zeros((len(points), x.shape[1]))
        for shape in group:
            slots = np.array([slot.at(points) for slot in shape.slots])[:, :, None]
            exponent = exponent + log_shape(shape.op, slots, x[shape.dim][None, :], shape.low)
        heights[g] = np.exp(exponent) if group else None
    amplitudes = [_amplitude(component, points) for component in channel.components]
    for c, column in enumerate(channel.columns):
        if only is not None and not only[column.component]:
            continue
        component = channel.components[column.component]
        amplitude = amplitudes[column.component]
        for factor, term in zip(component.linear, column.terms, strict=True):
            amplitude = amplitude * factor[term][0].at(points)
        part = amplitude[:, None] * columns[c][None, :]
        height = heights[column.group]
        total += part if height is None else part * height
    return total


def lanes_from(
    channel: Channel,
    x: FloatArray,
    weights: FloatArray,
    counts: IndexArray,
    reference: FloatArray | None,
) -> ChannelEvents:
    """Lay out the events of consecutive lanes.

    Parameters
    ----------
    x, weights, counts
        Events of all lanes, one after the other: [dim, event], [event]; how many each has [lane].
    reference
        Density at each event that twice the negative log-likelihood is relative to [event]; the
        mean density of the lane by default, and the contents of the bins in a binned channel.
    """
    first, n_vectors = padded(counts)
    size = int(n_vectors.sum()) * LANES
    begin = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    lane_of = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(weights)) - begin[lane_of] + first[lane_of] * LANES
    # Padding stands in the middle of the ranges, where every density is finite.
    where = np.repeat(np.array([[0.5 * (a + b)] for a, b in channel.ranges]), size, axis=1)
    where[:, place] = x
    weight = np.zeros(size)
    weight[place] = weights
    columns = np.ones((len(channel.columns), size))
    columns[:, place] = column_values(channel, x)
    total = np.bincount(lane_of, weights, len(counts)).astype(float)
    constant_part = np.zeros(len(counts))
    if channel.bin_edges is not None and reference is None:
        n_bins = len(channel.bin_edges) - 1
        widths = np.tile(np.diff(channel.bin_edges), len(weights) // n_bins)
        reference = weights / widths
    if reference is not None and len(weights):
        mean = np.maximum(total[lane_of], 1e-300) / channel.volume
        there = weights > 0.0
        terms = np.zeros(len(weights))
        terms[there] = weights[there] * np.log(reference[there] / mean[there])
        constant_part = np.bincount(lane_of, terms, len(counts)).astype(float)
    return ChannelEvents(
        columns=columns,
        x=where,
        weights=weight,
        first_vector=first,
        n_vectors=n_vectors,
        total=total,
        reference=constant_part,
    )


def poisson_constant(channel: Channel, weights: FloatArray) -> float:
    """What turns ``sum n log m - expected`` of a binned channel into Poisson probabilities."""
    assert channel.bin_edges is not None
    widths = np.diff(channel.bin_edges)
    n = weights[: len(widths)]
    return float((n * np.log(widths)).sum()) - sum(math.lgamma(k + 1.0) for k in n)
