"""Toys of unbinned channels: numbers of events, then the events, part by part and exactly.

Parts with a negative yield take events away: each event of the others stays with the ratio of the
density to that of the others alone, which is exact as long as the density is positive.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.errors import OptionError
from darkstats.model.event_lanes import EventLanes
from darkstats.model.unbinned.channels import Channel, Component
from darkstats.model.unbinned.fixed import Blend, Fixed, Polynomial
from darkstats.model.unbinned.grid import Grid
from darkstats.model.unbinned.shapes import draw
from darkstats.model.unbinned.tables import density_at, lanes_from
from darkstats.streams import poisson_counts

__all__ = ["thrown_events"]


def _numeric(factor: Sequence[tuple[float, Fixed]]) -> Fixed:
    """A linear factor with numbers for coefficients, as one function."""
    if len(factor) == 1:
        return factor[0][1]
    polynomials = [(c, f) for c, f in factor if isinstance(f, Polynomial)]
    if len(polynomials) == len(factor):
        first = polynomials[0][1]
        total = np.zeros(max(len(p.coefficients) for _, p in polynomials))
        for weight, p in polynomials:
            total[: len(p.coefficients)] += weight * np.array(p.coefficients)
        return Polynomial(first.dim, first.low, first.high, tuple(float(c) for c in total))
    return Blend(tuple(c * f.integral for c, f in factor), tuple(f for _, f in factor))


def _draw(component: Component, point: FloatArray, x: FloatArray, rng: np.random.Generator) -> None:
    """Fill the events [dim, event] of one component."""
    n = x.shape[1]
    for factor in component.linear:
        _numeric([(float(c.at(point)), f) for c, f in factor]).sample(n, x, rng)
    for shape in component.shapes:
        slots = np.array([float(slot.at(point)) for slot in shape.slots])
        x[shape.dim] = draw(shape.op, slots, shape.low, shape.high, n, rng)


def _require_density(
    channel: Channel, point: FloatArray, grid_points: FloatArray, expected: FloatArray
) -> None:
    """Raise if negative yields make the density negative."""
    if (density_at(channel, point[None, :], grid_points)[0] < 0.0).any():
        worst = channel.components[int(np.argmin(expected))]
        raise OptionError(
            f"toys cannot be drawn with {expected.min():.4g} events of {worst.name!r}: the density "
            "is negative; keep the range of the parameters at or above zero"
        )


def _thinned(
    channel: Channel,
    point: FloatArray,
    rng: np.random.Generator,
    drawn: tuple[FloatArray, IndexArray],
    *,
    positive: BoolArray,
) -> tuple[FloatArray, IndexArray]:
    """What parts with a negative yield leave of the events of the others."""
    x, counts = drawn
    whole = density_at(channel, point[None, :], x)[0]
    others = density_at(channel, point[None, :], x, only=positive)[0]
    stays = rng.random(x.shape[1]) * others < whole
    toy = np.repeat(np.arange(len(counts)), counts)
    return x[:, stays], np.bincount(toy[stays], minlength=len(counts)).astype(np.int64)


def _thrown(
    channel: Channel,
    point: FloatArray,
    rng: np.random.Generator,
    n_toys: int,
    grid_points: FloatArray,
) -> tuple[FloatArray, IndexArray]:
    """Events of all toys, one after the other: [dim, event], and how many each has [toy]."""
    expected = np.array([float(c.expected.at(point)) for c in channel.components])
    positive = expected >= 0.0
    if not positive.all():
        _require_density(channel, point, grid_points, expected)
    counts = rng.poisson(np.maximum(expected, 0.0), size=(n_toys, len(expected)))
    per_toy = counts.sum(axis=1)
    begin = np.concatenate([[0], np.cumsum(per_toy)[:-1]])
    inside = np.cumsum(counts, axis=1) - counts
    x = np.empty((len(channel.observables), int(per_toy.sum())))
    for k, component in enumerate(channel.components):
        own = counts[:, k]
        n = int(own.sum())
        if n == 0:
            continue
        part = np.empty((x.shape[0], n))
        _draw(component, point, part, rng)
        before = np.cumsum(own) - own
        place = np.arange(n) + np.repeat(begin + inside[:, k] - before, own)
        x[:, place] = part
    found = x, per_toy.astype(np.int64)
    return found if positive.all() else _thinned(channel, point, rng, found, positive=positive)


def thrown_events(
    channels: Sequence[Channel],
    point: FloatArray,
    rng: np.random.Generator,
    n_toys: int,
    grid: Grid,
) -> EventLanes:
    """Draw the events of ``n_toys`` toys in all channels at a point [par].

    Raises
    ------
    OptionError
        The density is negative there.
    """
    found = []
    for c, channel in enumerate(channels):
        if channel.bin_edges is not None:
            rates = density_at(channel, point[None, :], grid.points[c])[0] * grid.weights[c]
            contents = poisson_counts(rng, np.maximum(rates, 0.0), (n_toys, len(rates)))
            x = np.tile(grid.points[c], (1, n_toys))
            counts = np.full(n_toys, len(rates), dtype=np.int64)
            found.append(lanes_from(channel, x, contents.ravel(), counts, None))
            continue
        x, counts = _thrown(channel, point, rng, n_toys, grid.points[c])
        found.append(lanes_from(channel, x, np.ones(x.shape[1]), counts, None))
    return EventLanes(channels=tuple(found))
