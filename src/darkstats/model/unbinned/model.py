"""An unbinned likelihood behind the protocol of :class:`darkstats.model.base.Model`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray, frozen_floats
from darkstats.errors import OptionError
from darkstats.model.base import (
    DataRates,
    LaneData,
    LaneEngine,
    LaneEvaluator,
    Use,
    few_places,
    thrown_auxdata,
)
from darkstats.model.event_lanes import ChannelEvents, EventLanes, stacked
from darkstats.model.event_model import EventModel
from darkstats.model.observation import Observation
from darkstats.model.unbinned.channels import Channel
from darkstats.model.unbinned.evaluation import UnbinnedEvaluator, channel_layout
from darkstats.model.unbinned.grid import Grid, grid_of
from darkstats.model.unbinned.sampling import thrown_events
from darkstats.model.unbinned.tables import density_at, lanes_from, poisson_constant

__all__ = ["UnbinnedModel"]

_NO_DENSITY = 1e-290  # in units of the mean density: what the kernel takes for zero
_EVENTS_PER_BLOCK = 1 << 20  # of toys that are in memory at once, per thread


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbinnedModel(EventModel):
    """An extended unbinned likelihood, perhaps with binned channels beside. Equal by digest.

    Make it with :func:`darkstats.model.unbinned.analyses.compile_hs3`. Twice its negative
    log-likelihood is relative to a uniform density of as many events in each unbinned channel (and
    to the saturated model in a binned one), so that it does not depend on units; differences are
    likelihood ratios.
    """

    document_digest: str = field(compare=False)
    analysis: str = field(compare=False)
    values: Mapping[str, float] = field(compare=False)
    spectrum: str | None = field(default=None, compare=False)
    channels: tuple[Channel, ...] = field(compare=False, repr=False)
    grid: Grid = field(compare=False, repr=False)
    engine: LaneEngine | None = field(default=None, compare=False, repr=False)
    #: Unbinned channels of all analyses of the document: a file of events may hold theirs, too.
    event_channels: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def event_part(self) -> UnbinnedModel:
        """The channels of events: all of it."""
        return self

    @property
    def bins_beside(self) -> None:
        """HistFactory channels beside the events: none."""

    def of_events(self, events: Observation) -> Observation:
        """An observation of :attr:`event_part` as one of the whole."""
        return events

    @property
    def n_bins(self) -> int:
        """Cells of the fine grid, and bins of binned channels."""
        return sum(len(weights) for weights in self.grid.weights)

    @property
    def one_sided(self) -> tuple[int, ...]:
        """Parameters with a possible minimum on either side of zero: none is known."""
        return ()

    @property
    def expected_events(self) -> float:
        """Events expected at the starting values, all channels together."""
        point = self.inits
        return float(
            sum(c.expected.at(point) for channel in self.channels for c in channel.components)
        )

    @property
    def toys_per_block(self) -> int:
        """A power of two, at most 1024, so that the events of a block stay near a million."""
        most = _EVENTS_PER_BLOCK / max(self.expected_events, 1.0)
        return int(2 ** max(0, min(10, math.floor(math.log2(most))))) if most >= 1.0 else 1

    @property
    def negative_rates(self) -> str:
        """Words for a density that is negative between the events."""
        return (
            "the density is negative somewhere in its range, away from the events: it is no "
            "density there; bound the parameters of its shape"
        )

    def require_poi(self) -> int:
        """Index of the parameter of interest.

        Raises
        ------
        OptionError
            The analysis names none.
        """
        if self.poi_index is None:
            raise OptionError(
                f"analysis {self.analysis!r} names no parameter of interest; choose one, for "
                "example with --poi NAME"
            )
        return self.poi_index

    def uses(self) -> tuple[Use, ...]:
        """How each parameter acts: what it does to the signal stands in an expression. [par]."""
        poi = self.require_poi()
        on_signal = np.zeros(self.n_parameters, dtype=bool)
        for part in (part for channel in self.channels for part in channel.components):
            if poi in part.expected.variables:
                on_signal[list(part.variables)] = True
        return tuple(Use(on_signal=bool(acts), in_expression=True) for acts in on_signal)

    def scales_signal(self, index: int) -> bool:
        """Whether a parameter acts in yields of the signal, and on no other component."""
        poi, found = self.require_poi(), False
        for part in (part for channel in self.channels for part in channel.components):
            if poi in part.expected.variables:
                found |= index in part.expected.variables
            elif index in part.variables:
                return False
        return found

    def expected_rates(self, parameters: FloatArray) -> FloatArray:
        """Events expected in the cells of the grid. Shapes: [..., par] -> [..., bin]."""
        points = np.asarray(parameters, dtype=float)
        flat = points.reshape(-1, self.n_parameters)
        result = np.empty((len(flat), self.n_bins))
        at = 0
        for channel, x, weights in zip(
            self.channels, self.grid.points, self.grid.weights, strict=True
        ):
            result[:, at : at + len(weights)] = density_at(channel, flat, x) * weights
            at += len(weights)
        return result.reshape(*points.shape[:-1], self.n_bins)

    def expected_auxdata(self, parameters: FloatArray) -> FloatArray:
        """Auxiliary data expected, 0 without constraint. Shapes: [..., par] -> [..., par]."""
        constrained = np.array([parameter.constrained for parameter in self.parameters])
        result: FloatArray = np.where(constrained, np.asarray(parameters, dtype=float), 0.0)
        return result

    def observe(
        self, events: Sequence[FloatArray], weights: Sequence[FloatArray] | None = None
    ) -> Observation:
        """Data as an observation of this model.

        Parameters
        ----------
        events
            One array of shape [dim, event] for each unbinned channel, counts [bin] for a binned
            one, in the order of the channels; checked and cut to the ranges beforehand.
        weights
            Weights [event], 1 by default.
        """
        lanes = []
        counts = np.zeros(len(self.channels))
        for c, channel in enumerate(self.channels):
            if channel.bin_edges is not None:
                x, weight = self.grid.points[c], np.asarray(events[c], dtype=float)
            else:
                x = np.asarray(events[c], dtype=float).reshape(len(channel.observables), -1)
                weight = np.ones(x.shape[1]) if weights is None else np.asarray(weights[c])
            counts[c] = weight.sum()
            lanes.append(
                lanes_from(channel, x, weight, np.array([len(weight)], dtype=np.int64), None)
            )
        auxdata = [parameter.auxdata for parameter in self.parameters]
        return Observation(
            counts=frozen_floats(counts),
            auxdata=frozen_floats(auxdata),
            events=EventLanes(channels=tuple(lanes)),
        )

    def asimov(self, parameters: FloatArray) -> Observation:
        """Asimov data: a fine weighted grid with exactly what is expected at ``parameters`` [par].

        The nodes are those of Gauss-Legendre quadrature on panels that end where the shapes bend,
        so that sums over the grid are integrals to about 1e-12, and the likelihood has its minimum
        at ``parameters``, where it is 0: it is relative to this density.
        """
        point = np.asarray(parameters, dtype=float)
        grid = grid_of(self.channels, point)
        lanes = []
        counts = np.zeros(len(self.channels))
        for c, channel in enumerate(self.channels):
            density = np.maximum(density_at(channel, point[None, :], grid.points[c])[0], 0.0)
            weight = density * grid.weights[c]
            counts[c] = weight.sum()
            n = np.array([len(weight)], dtype=np.int64)
            lanes.append(lanes_from(channel, grid.points[c], weight, n, density))
        return Observation(
            counts=frozen_floats(counts),
            auxdata=frozen_floats(self.expected_auxdata(point)),
            events=EventLanes(channels=tuple(lanes)),
        )

    def log_density(self, parameters: FloatArray, observation: Observation) -> float:
        """Logarithm of the density of the data: extended, constraints included.

        An unbinned channel contributes ``sum w log m(x) - expected``, the density of an unordered
        set of events; a binned one its Poisson probabilities. Minus infinity where the data are
        impossible.
        """
        point = np.asarray(parameters, dtype=float)
        total = 0.0
        for channel, events in zip(self.channels, _events(observation).channels, strict=True):
            x, weights = events.events_of(0)
            if channel.bin_edges is not None:
                n_bins = len(channel.bin_edges) - 1
                x, weights = x[:, :n_bins], weights[:n_bins]
            density = density_at(channel, point[None, :], x)[0]
            there = weights > 0.0
            if (density[there] <= 0.0).any():
                return -math.inf
            total += float((weights[there] * np.log(density[there])).sum())
            total -= float(sum(c.expected.at(point) for c in channel.components))
            if channel.bin_edges is not None:
                total += poisson_constant(channel, weights)
        for p, parameter in enumerate(self.parameters):
            if parameter.constraint == "gaussian":
                pull = (float(observation.auxdata[p]) - float(point[p])) / parameter.width
                total += -0.5 * pull * pull - math.log(parameter.width * math.sqrt(2.0 * math.pi))
        return total

    def lanes_of(self, data: LaneData) -> EventLanes:
        """Return the events.

        Raises
        ------
        OptionError
            They are counts, or have other channels.
        """
        if not isinstance(data, EventLanes) or len(data.channels) != len(self.channels):
            raise OptionError("an unbinned model needs events in its channels")
        return data

    def stack(self, observations: Sequence[Observation]) -> tuple[LaneData, FloatArray]:
        """One lane for each observation."""
        auxdata = np.array([observation.auxdata for observation in observations])
        return stacked([_events(observation) for observation in observations]), auxdata

    def throw(
        self, parameters: FloatArray, rng: np.random.Generator, n_toys: int
    ) -> tuple[LaneData, FloatArray]:
        """Draw toys: auxiliary data first, then numbers of events, then the events.

        Raises
        ------
        OptionError
            The density is negative there: no toys can be drawn.
        """
        point = np.asarray(parameters, dtype=float)
        auxdata = thrown_auxdata(self.parameters, self.expected_auxdata(point), rng, n_toys)
        return thrown_events(self.channels, point, rng, n_toys, self.grid), auxdata

    def with_engine(self, engine: LaneEngine) -> UnbinnedModel:
        """Return the same likelihood, evaluated by another engine: that of zfit."""
        return replace(self, engine=engine)

    def lane_evaluator(self, data: LaneData, auxdata: FloatArray, *, threads: int) -> LaneEvaluator:
        """Evaluator of some events and their auxiliary data."""
        events = self.lanes_of(data)
        if self.engine is not None:
            return self.engine.evaluator(events, np.asarray(auxdata, dtype=float))
        return UnbinnedEvaluator(
            parameters=self.parameters,
            channels=self.channels,
            layouts=tuple(channel_layout(channel) for channel in self.channels),
            events=events,
            auxdata=np.asarray(auxdata, dtype=float),
            grid=self.grid,
            threads=threads,
        )

    def impossible(self, points: FloatArray, data: LaneData) -> BoolArray:
        """No lane: where an event has no density the fit itself fails. Shape [lane]."""
        return np.zeros(len(self.lanes_of(data)), dtype=np.bool_)

    def impossible_places(self, points: FloatArray, observation: Observation) -> str | None:
        """Events whose density is zero at all of some points [k, par], by channel and number."""
        points = np.atleast_2d(np.asarray(points, dtype=float))
        places = []
        for channel, events in zip(self.channels, _events(observation).channels, strict=True):
            x, _ = _data_of(channel, events)
            for k in _unreached(channel, points, events):
                at = ", ".join(
                    f"{name} = {value:.6g}"
                    for name, value in zip(channel.observables, x[:, k], strict=True)
                )
                what = "bin" if channel.bin_edges is not None else "event"
                places.append(
                    f"channel {channel.name!r}, {what} {int(k)} (the first is 0), at {at}, "
                    f"where {_zero_densities(channel, points, x[:, k : k + 1])}"
                )
        return few_places(places) if places else None

    def without_impossible(
        self, points: FloatArray, observation: Observation
    ) -> Observation | None:
        """The data without events whose density is zero at all of some points [k, par]."""
        points = np.atleast_2d(np.asarray(points, dtype=float))
        kept = []
        for channel, events in zip(self.channels, _events(observation).channels, strict=True):
            x, weights = events.events_of(0)
            weights = weights.copy()
            weights[_unreached(channel, points, events)] = 0.0
            n = np.array([len(weights)], dtype=np.int64)
            kept.append(lanes_from(channel, x, weights, n, None))
        return replace(observation, events=EventLanes(channels=tuple(kept)))

    def rates_at_data(self, parameters: FloatArray, data: LaneData) -> DataRates:
        """Densities at the events, in units of the mean one, and all events expected [point]."""
        points = np.asarray(parameters, dtype=float)
        rates, weights, total = [], [], np.zeros(len(points))
        for channel, events in zip(self.channels, self.lanes_of(data).channels, strict=True):
            x, weight = _data_of(channel, events)
            mean = max(float(events.total[0]), 1.0) / channel.volume
            rates.append(density_at(channel, points, x)[:, weight > 0.0] / mean)
            weights.append(weight[weight > 0.0])
            total += sum(component.expected.at(points) for component in channel.components)
        return DataRates(np.concatenate(rates, axis=1), np.concatenate(weights), total)

    def place_of_datum(self, data: LaneData, datum: int) -> str:
        """Channel and observables of a datum of :meth:`rates_at_data`."""
        for channel, events in zip(self.channels, self.lanes_of(data).channels, strict=True):
            x, weight = _data_of(channel, events)
            chosen = np.flatnonzero(weight > 0.0)
            if datum >= len(chosen):
                datum -= len(chosen)
                continue
            k = int(chosen[datum])
            if channel.bin_edges is not None:
                return f"bin {k} of channel {channel.name!r}, which has {weight[k]:g} events"
            at = zip(channel.observables, x[:, k], strict=True)
            where = ", ".join(f"{name} = {value:g}" for name, value in at)
            return f"event {k} of channel {channel.name!r}, at {where}"
        raise IndexError(datum)


def _data_of(channel: Channel, events: ChannelEvents) -> tuple[FloatArray, FloatArray]:
    """Observables [dim, event] and weights [event] of the first lane: a bin counts once."""
    x, weights = events.events_of(0)
    n = x.shape[1] if channel.bin_edges is None else len(channel.bin_edges) - 1
    return x[:, :n], weights[:n]


def _unreached(channel: Channel, points: FloatArray, events: ChannelEvents) -> IndexArray:
    """Events (or bins) of the first lane whose density is zero at all points [k, par]."""
    x, weights = _data_of(channel, events)
    with np.errstate(all="ignore"):
        density = density_at(channel, points, x)
    scale = max(float(weights.sum()), 1.0) / channel.volume
    empty = (np.abs(density) <= _NO_DENSITY * scale).all(axis=0) & (weights > 0.0)
    return np.flatnonzero(empty).astype(np.int64)


def _zero_densities(channel: Channel, points: FloatArray, x: FloatArray) -> str:
    """Words for an event [dim, 1] that no component reaches: by its shape, or by its yield."""
    with np.errstate(all="ignore"):
        expected = [np.asarray(c.expected.at(points)) for c in channel.components]
    unused = [(e == 0.0).all() for e in expected]
    by_shape = [c.name for c, none in zip(channel.components, unused, strict=True) if not none]
    by_yield = [c.name for c, none in zip(channel.components, unused, strict=True) if none]
    words = [f"the density {', '.join(map(repr, by_shape))} is zero"] if by_shape else []
    words += [f"{', '.join(map(repr, by_yield))} has no events"] if by_yield else []
    return " and ".join(words)


def _events(observation: Observation) -> EventLanes:
    if observation.events is None:
        raise OptionError("an unbinned model needs events, not counts")
    return observation.events
