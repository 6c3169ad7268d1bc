"""Values and exact derivatives of many lanes: the event loop, the chain rule, the constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from darkstats.arrays import FloatArray, IndexArray, frozen_floats, frozen_indices
from darkstats.model.event_lanes import EventLanes
from darkstats.model.parameters import Parameter
from darkstats.model.unbinned.channels import Channel, Component
from darkstats.model.unbinned.density import ChannelLayout, event_derivatives
from darkstats.model.unbinned.grid import Grid
from darkstats.model.unbinned.jets import Jet
from darkstats.model.unbinned.shapes import CRYSTAL_BALL, integral_jet
from darkstats.model.unbinned.tables import density_at

__all__ = ["UnbinnedEvaluator", "channel_layout"]

#: Takes densities from 1e-290, the least that counts, to where their inverse can be squared.
_RAISE = 2.0**465
_CHECKED_CELLS = 256  # of the grid, where a negative density is looked for


def channel_layout(channel: Channel) -> ChannelLayout:
    """The indices that the kernel reads."""
    groups: list[int] = []
    factors: list[int] = []
    lows: list[float] = []
    inner: list[int] = []
    n_columns = len(channel.columns)
    n_inner = n_columns
    for g, group in enumerate(channel.groups):
        members = [c for c, column in enumerate(channel.columns) if column.group == g]
        first = members[0] if members else 0
        groups += [first, first + len(members), len(lows), len(lows) + len(group)]
        for factor in group:
            tails = factor.op == CRYSTAL_BALL and any(
                not factor.slots[k].is_constant for k in (2, 3, 5, 6)
            )
            factors += [factor.op, factor.dim, len(inner), int(tails)]
            lows.append(factor.low)
            for slot in factor.slots:
                inner.append(-1 if slot.is_constant else n_inner)
                n_inner += not slot.is_constant
    return ChannelLayout(
        n_columns=n_columns,
        n_inner=n_inner,
        n_slots=len(inner),
        n_groups=len(channel.groups),
        n_dims=len(channel.observables),
        groups=frozen_indices(groups),
        factors=frozen_indices(factors),
        lows=frozen_floats(lows),
        inner_of_slot=frozen_indices(inner),
    )


class _Sums(NamedTuple):
    """What is summed over channels and constraints, in place."""

    value: FloatArray
    size: FloatArray
    gradient: FloatArray
    hessian: FloatArray


@dataclass(slots=True, eq=False)
class _Inner:
    """Amplitudes [lane, column] and slots [lane, slot], and the jets of what floats."""

    amplitudes: FloatArray
    slots: FloatArray
    jets: list[tuple[int, tuple[int, ...], Jet]]
    expected: list[tuple[tuple[int, ...], Jet]]


def _scale(component: Component, points: FloatArray, variables: tuple[int, ...]) -> Jet:
    """Expected events over the normalisation integrals."""
    scale = component.expected.jet(points, variables)
    for factor in component.linear:
        if all(coefficient.is_constant for coefficient, _ in factor):
            nothing = np.empty((1, points.shape[1]))
            integral = sum(float(c.at(nothing)[0]) * f.integral for c, f in factor)
            scale = scale * (1.0 / integral)
            continue
        total: Jet | float = 0.0
        for coefficient, function in factor:
            total = coefficient.jet(points, variables) * function.integral + total
        scale = scale / total
    for shape in component.shapes:
        slots = [slot.jet(points, variables) for slot in shape.slots]
        scale = scale / integral_jet(shape.op, slots, shape.low, shape.high)
    return scale


def _inner(channel: Channel, layout: ChannelLayout, points: FloatArray) -> _Inner:
    n = len(points)
    inner = _Inner(np.empty((n, layout.n_columns)), np.empty((n, layout.n_slots)), [], [])
    scales = []
    for component in channel.components:
        variables = component.variables
        scales.append(_scale(component, points, variables))
        own = component.expected.variables
        inner.expected.append((own, component.expected.jet(points, own)))
    for c, column in enumerate(channel.columns):
        component = channel.components[column.component]
        amplitude = scales[column.component]
        for factor, term in zip(component.linear, column.terms, strict=True):
            coefficient = factor[term][0]
            if coefficient.is_constant:
                amplitude = amplitude * float(coefficient.at(np.empty((1, 0)))[0])
            else:
                amplitude = amplitude * coefficient.jet(points, component.variables)
        inner.amplitudes[:, c] = amplitude.value
        inner.jets.append((c, component.variables, amplitude))
    place = 0
    for group in channel.groups:
        for shape in group:
            for slot in shape.slots:
                variables = slot.variables
                inner.slots[:, place] = slot.at(points)
                if variables:
                    where = int(layout.inner_of_slot[place])
                    inner.jets.append((where, variables, slot.jet(points, variables)))
                place += 1
    return inner


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnbinnedEvaluator:
    """See :class:`darkstats.model.base.LaneEvaluator`."""

    parameters: tuple[Parameter, ...] = field(repr=False)
    channels: tuple[Channel, ...] = field(repr=False)
    layouts: tuple[ChannelLayout, ...] = field(repr=False)
    events: EventLanes = field(repr=False)
    auxdata: FloatArray = field(repr=False)
    grid: Grid = field(repr=False)
    threads: int = 1

    def derivatives(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Value, size of its terms, gradient and Hessian of each lane at its point."""
        n, n_parameters = points.shape
        value, size = np.zeros(n), np.ones(n)
        gradient = np.zeros((n, n_parameters))
        hessian = np.zeros((n, n_parameters, n_parameters))
        with np.errstate(all="ignore"):  # what is not finite is data
            for c in range(len(self.channels)):
                self._channel(c, points, lanes, _Sums(value, size, gradient, hessian))
            self._constraints(points, lanes, value, gradient, hessian)
        value[np.isnan(value)] = np.inf
        return value, size, gradient, hessian

    def _channel(self, c: int, points: FloatArray, lanes: IndexArray, sums: _Sums) -> None:
        """Add one channel."""
        value, size, gradient, hessian = sums
        channel, layout = self.channels[c], self.layouts[c]
        events = self.events.channels[c]
        inner = _inner(channel, layout, points)
        total = events.total[lanes]
        # Densities relative to the mean one: logarithms of order one, sums that keep their digits.
        mean = np.where(total > 0.0, total, 1.0) / channel.volume

        def summed(chosen: IndexArray, scale: float) -> tuple[FloatArray, ...]:
            return event_derivatives(
                layout,
                events.columns,
                events.x,
                events.weights,
                (
                    np.ascontiguousarray(events.first_vector[lanes[chosen]]),
                    np.ascontiguousarray(events.n_vectors[lanes[chosen]]),
                ),
                np.ascontiguousarray(inner.amplitudes[chosen] / mean[chosen, None] * scale),
                np.ascontiguousarray(inner.slots[chosen]),
                threads=self.threads,
            )

        part, terms, slope, curve = summed(np.arange(len(points), dtype=np.int64), 1.0)
        over = np.flatnonzero(np.isfinite(part) & ~np.isfinite(curve).all(axis=(1, 2)))
        if over.size:
            # The inverse square of a tiny density overflows: once more, all densities raised.
            _, _, slope[over], raised = summed(over, _RAISE)
            slope[over, : layout.n_columns] *= _RAISE
            raised[:, : layout.n_columns, :] *= _RAISE
            raised[:, :, : layout.n_columns] *= _RAISE
            curve[over] = raised
        slope[:, : layout.n_columns] /= mean[:, None]
        curve[:, : layout.n_columns, :] /= mean[:, None, None]
        curve[:, :, : layout.n_columns] /= mean[:, None, None]
        value += part + events.reference[lanes] - total
        size += terms + total
        _chain_rule(inner.jets, slope, curve, gradient, hessian)
        for variables, jet in inner.expected:
            value += jet.value
            size += np.abs(jet.value)
            index = list(variables)
            gradient[:, index] += jet.gradient
            if index:
                hessian[:, np.array(index)[:, None], np.array(index)] += jet.hessian

    def _constraints(
        self,
        points: FloatArray,
        lanes: IndexArray,
        value: FloatArray,
        gradient: FloatArray,
        hessian: FloatArray,
    ) -> None:
        for p, parameter in enumerate(self.parameters):
            if parameter.constraint == "gaussian":
                weight = np.float64(parameter.width) ** -2  # infinite for a width of nothing
                away = points[:, p] - self.auxdata[lanes, p]
                value += 0.5 * weight * away**2
                gradient[:, p] += weight * away
                hessian[:, p, p] += weight

    def least_rates(self, points: FloatArray, lanes: IndexArray) -> FloatArray:
        """Smallest density on part of the grid, in units of the mean one. Shape [lane]."""
        least = np.full(len(points), np.inf)
        for c, channel in enumerate(self.channels):
            x = self.grid.points[c]
            x = x[:, :: max(1, x.shape[1] // _CHECKED_CELLS)]
            mean = np.maximum(self.events.channels[c].total[lanes], 1.0) / channel.volume
            for first in range(0, len(points), 256):
                part = slice(first, first + 256)
                lowest = density_at(channel, points[part], x).min(axis=1)
                least[part] = np.minimum(least[part], lowest / mean[part])
        return least


def _chain_rule(
    jets: Sequence[tuple[int, tuple[int, ...], Jet]],
    slope: FloatArray,
    curve: FloatArray,
    gradient: FloatArray,
    hessian: FloatArray,
) -> None:
    """From derivatives by inner variables to those by parameters, in place."""
    n, n_parameters = gradient.shape
    jacobian = np.zeros((n, slope.shape[1], n_parameters))
    for where, variables, jet in jets:
        index = np.array(variables, dtype=np.intp)
        if not index.size:
            continue
        jacobian[:, where, index] = jet.gradient
        bent = slope[:, where, None, None] * jet.hessian
        hessian[:, index[:, None], index] += bent
    straight = hessian.copy()
    gradient += np.matmul(slope[:, None, :], jacobian)[:, 0, :]
    hessian += np.matmul(jacobian.transpose(0, 2, 1), np.matmul(curve, jacobian))
    # The curvature by one amplitude overflows where the density is very small next to that of its
    # column. It concerns the parameters of that amplitude alone: infinity times zero is zero here.
    over = ~np.isfinite(curve)
    for lane in np.flatnonzero(over.any(axis=(1, 2)) & np.isfinite(slope).all(axis=1)):
        acting, kept = jacobian[lane] != 0.0, np.where(over[lane], 0.0, curve[lane])
        touched = (acting.T.astype(float) @ over[lane] @ acting) > 0.0
        clean = straight[lane] + jacobian[lane].T @ kept @ jacobian[lane]
        hessian[lane] = np.where(touched, np.inf, clean)
