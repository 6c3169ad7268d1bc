"""A likelihood of bins and of events behind the protocol of :class:`darkstats.model.base.Model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, frozen_floats
from darkstats.errors import OptionError
from darkstats.model.base import (
    DataRates,
    LaneData,
    LaneEvaluator,
    Use,
    thrown_auxdata,
)
from darkstats.model.combined.evaluation import BinnedPart, CombinedEvaluator
from darkstats.model.combined.lanes import beside_counts, counts_of, events_of
from darkstats.model.event_lanes import EventLanes
from darkstats.model.event_model import EventModel
from darkstats.model.observation import Observation
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.model.unbinned.sampling import thrown_events
from darkstats.provenance import digest_of
from darkstats.streams import poisson_counts

__all__ = ["CombinedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedModel(EventModel):
    """The product of an unbinned and a HistFactory likelihood. Equal by digest.

    Make it with :func:`darkstats.model.combined.compilation.compile_likelihood`. Twice its negative
    log-likelihood is the sum of those of its parts, each relative to what it is relative to alone.

    Parameters
    ----------
    events
        The channels of events, over all parameters; it holds the constraints that the bins do not.
    binned
        The HistFactory channels, with their constraints.
    """

    document_digest: str = field(compare=False)
    analysis: str = field(compare=False)
    values: Mapping[str, float] = field(compare=False)
    events: UnbinnedModel = field(compare=False, repr=False)
    binned: BinnedPart = field(compare=False, repr=False)

    @property
    def event_part(self) -> UnbinnedModel:
        """The channels of events."""
        return self.events

    @property
    def bins_beside(self) -> BinnedPart:
        """The HistFactory channels beside them."""
        return self.binned

    def of_events(self, events: Observation) -> Observation:
        """An observation of :attr:`event_part` as one of the whole, with the counts of its own."""
        return self.observe(events)

    @property
    def n_bins(self) -> int:
        """Cells of the grid of the events, and bins."""
        return self.events.n_bins + self.binned.model.n_bins

    @property
    def one_sided(self) -> tuple[int, ...]:
        """Parameters with a possible minimum on either side of zero: those of the bins."""
        places = (int(self.binned.places[p]) for p in self.binned.model.one_sided)
        return tuple(place for place in places if place >= 0)

    @property
    def toys_per_block(self) -> int:
        """Toys that share one random stream, as the events ask."""
        return self.events.toys_per_block

    @property
    def negative_rates(self) -> str:
        """Words for a density, or a rate, that is negative."""
        return f"{self.events.negative_rates}; or {self.binned.model.negative_rates}"

    def require_poi(self) -> int:
        """Index of the parameter of interest.

        Raises
        ------
        OptionError
            The analysis names none.
        """
        if self.poi_index is None:
            return self.events.require_poi()  # says so
        return self.poi_index

    def with_poi(self, name: str) -> CombinedModel:
        """Return the same likelihood with another parameter of interest."""
        index = self.parameter_index(name)
        return replace(
            self,
            poi_index=index,
            events=replace(self.events, poi_index=index),
            digest=digest_of({"base": self.digest, "poi": name}),
        )

    def uses(self) -> tuple[Use, ...]:
        """How each parameter acts: in expressions, on bins, or in both. Shape [par]."""
        found = list(self.events.uses())
        acting = self._acts_on_events()
        for use, place in zip(self._binned_uses(), self.binned.places, strict=True):
            if place < 0:
                continue
            beside = found[place]
            found[place] = replace(
                use,
                on_signal=use.on_signal or beside.on_signal,
                in_expression=bool(acting[place]),
            )
        return tuple(found)

    def _acts_on_events(self) -> BoolArray:
        acting = np.zeros(self.n_parameters, dtype=bool)
        for channel in self.events.channels:
            for part in channel.components:
                acting[list(part.variables)] = True
        return acting

    def _place_in_bins(self, index: int) -> int | None:
        """Place of a parameter among those of the bins, if it acts there."""
        found = np.flatnonzero(self.binned.places == index)
        return int(found[0]) if found.size else None

    def _binned_uses(self) -> tuple[Use, ...]:
        place = self._place_in_bins(self.require_poi())
        if place is None:
            return (Use(),) * len(self.binned.places)
        return replace(self.binned.model, poi_index=place).uses()

    def scales_signal(self, index: int) -> bool:
        """Whether a parameter multiplies the signal in both parts, and nothing else."""
        poi = self.require_poi()
        acting = self._acts_on_events()
        in_events = self.events.scales_signal(index) if acting[poi] else not acting[index]
        place, here = self._place_in_bins(poi), self._place_in_bins(index)
        if place is None:
            return in_events and here is None
        signal = replace(self.binned.model, poi_index=place)
        return in_events and here is not None and signal.scales_signal(here)

    def expected_rates(self, parameters: FloatArray) -> FloatArray:
        """Events expected in the cells of the grid, then in bins: [..., par] -> [..., bin]."""
        points = np.asarray(parameters, dtype=float)
        parts = (
            self.events.expected_rates(points),
            self.binned.model.expected_rates(self.binned.points_of(points)),
        )
        return np.concatenate(parts, axis=-1)

    def expected_auxdata(self, parameters: FloatArray) -> FloatArray:
        """Auxiliary data expected, 0 without constraint. Shapes: [..., par] -> [..., par]."""
        points = np.asarray(parameters, dtype=float)
        factor = {"none": 0.0, "gaussian": 1.0}
        scale = np.array([factor.get(p.constraint, p.width) for p in self.parameters])
        result: FloatArray = points * scale
        return result

    def observe(self, events: Observation, counts: FloatArray | None = None) -> Observation:
        """Events of an observation of the unbinned part, with counts of bins [bin] or its own."""
        if counts is None:
            counts = self.binned.model.observation.counts
        assert events.events is not None
        auxdata = [parameter.auxdata for parameter in self.parameters]
        return Observation(
            counts=frozen_floats(np.concatenate([events.counts, counts])),
            auxdata=frozen_floats(auxdata),
            events=beside_counts(events.events, np.asarray(counts)[np.newaxis]),
        )

    def _parts_of(self, observation: Observation) -> tuple[Observation, Observation]:
        """An observation as one of the events and one of the bins.

        Raises
        ------
        OptionError
            It is none of this model.
        """
        if observation.events is None:
            raise OptionError("a combined model needs events and counts, not counts alone")
        n = len(self.events.channels)
        lanes = events_of(observation.events, n)
        counts = counts_of(observation.events, self.binned.model.n_bins)[0]
        return (
            replace(observation, counts=observation.counts[:n], events=lanes),
            Observation(
                counts=frozen_floats(counts),
                auxdata=frozen_floats(self.binned.auxdata_of(observation.auxdata)),
            ),
        )

    def asimov(self, parameters: FloatArray) -> Observation:
        """Data in which every estimate equals its true value, of both parts."""
        point = np.asarray(parameters, dtype=float)
        counts = self.binned.model.asimov(self.binned.points_of(point)).counts
        found = self.observe(self.events.asimov(point), counts)
        return replace(found, auxdata=frozen_floats(self.expected_auxdata(point)))

    def log_density(self, parameters: FloatArray, observation: Observation) -> float:
        """Logarithm of the density of the data, all constants included: the sum of the parts'."""
        point = np.asarray(parameters, dtype=float)
        events, binned = self._parts_of(observation)
        return self.events.log_density(point, events) + self.binned.model.log_density(
            self.binned.points_of(point), binned
        )

    def lanes_of(self, data: LaneData) -> EventLanes:
        """Return the events and counts.

        Raises
        ------
        OptionError
            They are counts alone, or have other channels.
        """
        if not isinstance(data, EventLanes):
            raise OptionError("a combined model needs events and counts, not counts alone")
        events_of(data, len(self.events.channels))
        return data

    def stack(self, observations: Sequence[Observation]) -> tuple[LaneData, FloatArray]:
        """One lane for each observation."""
        auxdata = np.array([observation.auxdata for observation in observations])
        lanes = [one.events for one in observations if one.events is not None]
        return self.joined(lanes), auxdata

    def throw(
        self, parameters: FloatArray, rng: np.random.Generator, n_toys: int
    ) -> tuple[LaneData, FloatArray]:
        """Draw toys: auxiliary data first, then counts of bins, then events."""
        point = np.asarray(parameters, dtype=float)
        auxdata = thrown_auxdata(self.parameters, self.expected_auxdata(point), rng, n_toys)
        rates = self.binned.model.expected_rates(self.binned.points_of(point))
        counts = poisson_counts(rng, np.maximum(rates, 0.0), (n_toys, len(rates)))
        events = thrown_events(self.events.channels, point, rng, n_toys, self.events.grid)
        return beside_counts(events, counts), auxdata

    def lane_evaluator(self, data: LaneData, auxdata: FloatArray, *, threads: int) -> LaneEvaluator:
        """Evaluator of some lanes and their auxiliary data."""
        lanes = self.lanes_of(data)
        events = events_of(lanes, len(self.events.channels))
        return CombinedEvaluator(
            events=self.events.lane_evaluator(events, auxdata, threads=threads),
            binned=self.binned,
            counts=counts_of(lanes, self.binned.model.n_bins),
            auxdata=self.binned.auxdata_of(auxdata),
            threads=threads,
        )

    def impossible(self, points: FloatArray, data: LaneData) -> BoolArray:
        """Lanes with events in bins where none are expected, at points [lane, par]: [lane]."""
        counts = counts_of(self.lanes_of(data), self.binned.model.n_bins)
        return self.binned.model.impossible(self.binned.points_of(points), counts)

    def impossible_places(self, points: FloatArray, observation: Observation) -> str | None:
        """Where events are seen and none expected at any point [k, par], in words; or None."""
        points = np.atleast_2d(np.asarray(points, dtype=float))
        events, binned = self._parts_of(observation)
        places = (
            self.events.impossible_places(points, events),
            self.binned.model.impossible_places(self.binned.points_of(points), binned),
        )
        found = [words for words in places if words is not None]
        return "; ".join(found) if found else None

    def without_impossible(
        self, points: FloatArray, observation: Observation
    ) -> Observation | None:
        """The data without events whose density is zero at all of some points [k, par].

        Bins stay: a fit of counts ends at the limit of vanishing rates by itself.
        """
        events, binned = self._parts_of(observation)
        kept = self.events.without_impossible(points, events)
        assert kept is not None  # a fit of events does not leave any out
        return replace(self.observe(kept, binned.counts), auxdata=observation.auxdata)

    def rates_at_data(self, parameters: FloatArray, data: LaneData) -> DataRates:
        """Densities at the events, rates of bins with events, and all events expected [point]."""
        points, lanes = np.asarray(parameters, dtype=float), self.lanes_of(data)
        events = self.events.rates_at_data(points, events_of(lanes, len(self.events.channels)))
        counts = counts_of(lanes, self.binned.model.n_bins)
        binned = self.binned.model.rates_at_data(self.binned.points_of(points), counts)
        return DataRates(
            np.concatenate([events.rates, binned.rates], axis=1),
            np.concatenate([events.weights, binned.weights]),
            events.total + binned.total,
        )

    def place_of_datum(self, data: LaneData, datum: int) -> str:
        """Where a datum of :meth:`rates_at_data` is: channel and event, or channel and bin."""
        lanes = self.lanes_of(data)
        events = events_of(lanes, len(self.events.channels))
        n_events = self.events.rates_at_data(self.inits[np.newaxis], events).rates.shape[1]
        if datum < n_events:
            return self.events.place_of_datum(events, datum)
        counts = counts_of(lanes, self.binned.model.n_bins)
        return self.binned.model.place_of_datum(counts, datum - n_events)
