"""A compiled HistFactory model and the data it describes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray, frozen_floats
from darkstats.errors import OptionError
from darkstats.model.acting import scales_signal, uses_of
from darkstats.model.base import (
    LEAST_RATE,
    TOYS_PER_BLOCK,
    DataRates,
    LaneData,
    PointValues,
    Use,
    few_places,
    thrown_auxdata,
)
from darkstats.model.compiled import CompiledModel
from darkstats.model.evaluate import component_rates, dense_derivatives, rates_of_points
from darkstats.model.event_lanes import EventLanes
from darkstats.model.interpolation import InterpolationCodes
from darkstats.model.observation import ChannelBins, Observation
from darkstats.model.points import deviance_at
from darkstats.model.structure import Layout, Numbers, words_of
from darkstats.shown import Shown
from darkstats.streams import poisson_counts

__all__ = ["ChannelBins", "HistFactoryModel", "Observation"]

_BIN_PRODUCTS = 200.0  # that the derivatives of one variation in one bin cost


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HistFactoryModel(CompiledModel, Shown):
    """A measurement compiled to flat arrays. Equal if the digests are.

    Use this when the same likelihood is evaluated many times; make it with
    :func:`darkstats.compile_workspace`.

    Examples
    --------
    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> model = darkstats.compile_workspace(workspace)
    >>> model.poi_name, model.n_bins
    ('mu', 2)
    >>> model.expected_rates(model.inits)
    array([51., 47.])
    """

    in_a_line: ClassVar = "measurement poi_name bins_by_channel n_parameters"

    workspace_digest: str = field(compare=False)
    measurement: str = field(compare=False)
    interpolation: InterpolationCodes = field(compare=False)
    channels: tuple[ChannelBins, ...] = field(compare=False)
    samples: tuple[str, ...] = field(compare=False)
    layout: Layout = field(compare=False, repr=False)
    numbers: Numbers = field(compare=False, repr=False)
    words: IndexArray = field(compare=False, repr=False)  # of layout and numbers, for kernels
    one_sided: tuple[int, ...] = field(compare=False, repr=False)
    component_samples: IndexArray = field(compare=False, repr=False)

    @property
    def n_bins(self) -> int:
        """Number of bins of all channels."""
        return self.layout.n_bins

    @property
    def bins_by_channel(self) -> tuple[tuple[str, int], ...]:
        """Name and number of bins of each channel, in the order of the bins."""
        return tuple((channel.name, channel.stop - channel.start) for channel in self.channels)

    @property
    def in_bins(self) -> HistFactoryModel:
        """The model itself."""
        return self

    @property
    def has_threads(self) -> bool:
        """A lane is the work of one thread."""
        return False

    @property
    def products_per_step(self) -> float:
        """Those of the rates, of the Hessian of what acts in several bins, and of its factors."""
        n = self.layout.n_global
        return (0.5 * n + _BIN_PRODUCTS) * n * self.n_bins + n**3 / 3.0

    def require_poi(self) -> int:
        """Index of the parameter of interest.

        Raises
        ------
        OptionError
            The measurement names none.
        """
        if self.poi_index is None:
            raise OptionError(
                f"measurement {self.measurement!r} names no parameter of interest; where the "
                "signal is missing, add it with --patch, or with --patchset and --point; or "
                "choose another parameter with --poi NAME"
            )
        return self.poi_index

    @property
    def masked_bins(self) -> BoolArray:
        """Which bins count for nothing. Shape [bin]."""
        mask = np.zeros(self.n_bins, dtype=bool)
        for channel in self.channels:
            mask[channel.start : channel.stop] = channel.masked
        return mask

    def likelihood_numbers(self) -> Numbers:
        """The numbers that the likelihood sees: rates of masked channels are zero."""
        if not any(channel.masked for channel in self.channels):
            return self.numbers
        nominal = self.numbers.nominal.copy()
        odd, even = self.numbers.shift_odd.copy(), self.numbers.shift_even.copy()
        mask = self.masked_bins
        layout = self.layout
        for k in range(len(layout.component_start)):
            if not mask[layout.component_start[k]]:
                continue
            n = layout.component_stop[k] - layout.component_start[k]
            nominal[layout.component_offset[k] : layout.component_offset[k] + n] = 0.0
            for h in range(layout.histosys_begin[k], layout.histosys_begin[k + 1]):
                at = layout.histosys_offset[h]
                odd[at : at + n] = 0.0
                even[at : at + n] = 0.0
        return self.numbers._replace(
            nominal=frozen_floats(nominal),
            shift_odd=frozen_floats(odd),
            shift_even=frozen_floats(even),
        )

    def likelihood_words(self, numbers: Numbers) -> IndexArray:
        """Words for kernels, with the numbers of :meth:`likelihood_numbers`."""
        return self.words if numbers is self.numbers else words_of(self.layout, numbers)

    def expected_rates(self, parameters: FloatArray) -> FloatArray:
        """Events expected, masked channels included. Shapes: [..., par] -> [..., bin].

        What the kernels' stand-in for a factor of zero leaves behind is zero.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> model.expected_rates(model.inits)
        array([51., 47.])
        """
        points = np.asarray(parameters, dtype=float)
        flat = frozen_floats(points.reshape(-1, self.n_parameters))
        result = np.asarray(rates_of_points(self.layout, self.numbers, self.words, flat))
        result = np.where(np.abs(result) < LEAST_RATE, 0.0, result)
        return result.reshape(*points.shape[:-1], self.n_bins)

    def expected_by_sample(self, parameters: FloatArray) -> FloatArray:
        """Events expected of each sample. Shapes: [par] -> [sample, bin].

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> dict(zip(model.samples, model.expected_by_sample(model.inits).tolist(), strict=True))
        {'signal': [6.0, 9.0], 'background': [45.0, 38.0]}
        """
        flat = component_rates(self.layout, self.numbers, self.words, frozen_floats(parameters))
        result = np.zeros((len(self.samples), self.n_bins))
        for k, sample in enumerate(self.component_samples):
            start, stop = self.layout.component_start[k], self.layout.component_stop[k]
            offset = self.layout.component_offset[k]
            result[sample, start:stop] += flat[offset : offset + stop - start]
        return result

    def expected_auxdata(self, parameters: FloatArray) -> FloatArray:
        """Auxiliary data expected, 0 without constraint. Shapes: [..., par] -> [..., par]."""
        kind = self.layout.constraint
        points = np.asarray(parameters, dtype=float)
        result: FloatArray = np.where(
            kind == 1, points, np.where(kind == 2, self.numbers.width * points, 0.0)
        )
        return result

    def asimov(self, parameters: FloatArray) -> Observation:
        """Asimov data: exactly what is expected at ``parameters`` [par], auxiliary data included.

        arXiv:1007.1727, section 3.2.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> model.asimov(model.inits).counts
        array([51., 47.])
        """
        return Observation(
            counts=frozen_floats(np.maximum(self.expected_rates(parameters), 0.0)),
            auxdata=frozen_floats(self.expected_auxdata(parameters)),
        )

    @property
    def toys_per_block(self) -> int:
        """Toys that share one random stream."""
        return TOYS_PER_BLOCK

    @property
    def negative_rates(self) -> str:
        """Words for a fit that drives a rate below zero."""
        return "a bin without events is driven to a negative rate; its rate is held at zero"

    def lanes_of(self, data: LaneData) -> LaneData:
        """Return counts [lane, bin], read-only, those of masked bins set to 0.

        Raises
        ------
        OptionError
            They are events, or have another number of bins.
        """
        if isinstance(data, EventLanes):
            raise OptionError("a HistFactory model needs counts, not events")
        counts = np.atleast_2d(np.asarray(data, dtype=float))
        if counts.shape != (len(counts), self.n_bins):
            raise OptionError(f"need counts [lane, {self.n_bins}], got {counts.shape}")
        if any(channel.masked for channel in self.channels):
            counts = np.where(self.masked_bins, 0.0, counts)
        return frozen_floats(counts)

    def stack(self, observations: Sequence[Observation]) -> tuple[LaneData, FloatArray]:
        """One lane for each observation: counts [lane, bin] and auxiliary data [lane, par]."""
        return (
            np.array([observation.counts for observation in observations]),
            np.array([observation.auxdata for observation in observations]),
        )

    def throw(
        self, parameters: FloatArray, rng: np.random.Generator, n_toys: int
    ) -> tuple[LaneData, FloatArray]:
        """Draw counts [toy, bin] and auxiliary data [toy, par] at a point."""
        rates = np.maximum(np.asarray(self.expected_rates(parameters), dtype=np.float64), 0.0)
        expected = np.asarray(self.expected_auxdata(parameters), dtype=np.float64)
        counts = poisson_counts(rng, rates, (n_toys, self.n_bins))
        return counts, thrown_auxdata(self.parameters, expected, rng, n_toys)

    def throw_each(self, points: FloatArray, rng: np.random.Generator) -> LaneData:
        """Draw counts [lane, bin] at each point [lane, par]."""
        return poisson_counts(rng, np.maximum(self.expected_rates(points), 0.0))

    def asimov_lanes(self, points: FloatArray) -> LaneData:
        """Counts [lane, bin] that are expected at each point [lane, par]."""
        return np.maximum(self.expected_rates(points), 0.0)

    def joined(self, parts: Sequence[LaneData]) -> LaneData:
        """Counts of several pieces, one after the other."""
        return np.concatenate([np.asarray(part) for part in parts])

    def terms_of(self, data: LaneData) -> int:
        """Number of bins."""
        return self.n_bins

    def lane_evaluator(self, data: LaneData, auxdata: FloatArray, *, threads: int) -> None:
        """None: the compiled minimiser reads this model's arrays itself."""

    def derivatives(
        self, parameters: FloatArray, data: LaneData, auxdata: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """Half the deviance, its gradient [par] and its Hessian [par, par] on one lane."""
        counts, numbers = self.lanes_of(data), self.likelihood_numbers()
        return dense_derivatives(
            self.layout,
            numbers,
            np.asarray(counts)[0],
            frozen_floats(auxdata),
            frozen_floats(parameters),
            words=self.likelihood_words(numbers),
        )

    def values_at(
        self,
        points: FloatArray,
        data: LaneData,
        auxdata: FloatArray,
        *,
        row: IndexArray | None = None,
        derivatives: int = 0,
        threads: int | None = None,
    ) -> PointValues:
        """Half the deviance at many points; see :func:`darkstats.model.points.deviance_at`."""
        return deviance_at(
            self,
            points,
            np.asarray(data),
            auxdata,
            row=row,
            derivatives=derivatives,
            threads=threads,
        )

    def impossible(self, points: FloatArray, data: LaneData) -> BoolArray:
        """Lanes with events in bins where none are expected, at points [lane, par]: [lane]."""
        counts = np.asarray(self.lanes_of(data))
        with np.errstate(all="ignore"):
            rates = np.asarray(self.expected_rates(np.asarray(points, dtype=np.float64)))
        touched: BoolArray = (counts > 0.0) & (rates >= 0.0) & (rates < LEAST_RATE)
        return np.asarray(touched.any(axis=1))

    def without_impossible(
        self, points: FloatArray, observation: Observation
    ) -> Observation | None:
        """None: a fit ends at the limit of vanishing rates by itself."""
        return None

    def impossible_places(self, points: FloatArray, observation: Observation) -> str | None:
        """Bins with events where nothing is expected at any of some points [k, par], by name."""
        with np.errstate(all="ignore"):
            rates = np.atleast_2d(self.expected_rates(np.asarray(points, dtype=np.float64)))
        empty = ((rates >= 0.0) & (rates < LEAST_RATE)).all(axis=0)
        found = np.flatnonzero(empty & (observation.counts > 0.0) & ~self.masked_bins)
        places = []
        for b in found:
            channel = next(c for c in self.channels if c.start <= b < c.stop)
            places.append(
                f"channel {channel.name!r}, bin {int(b) - channel.start} (the first is 0) has "
                f"{float(observation.counts[b]):.6g} event(s), and none are expected (fewer than "
                f"{LEAST_RATE:g})"
            )
        return few_places(places) if places else None

    def rates_at_data(self, parameters: FloatArray, data: LaneData) -> DataRates:
        """Expected rates of the bins with events [point, bin], and all events expected [point]."""
        counts = np.asarray(self.lanes_of(data))[0]
        rates, seen = self.expected_rates(parameters), ~self.masked_bins
        chosen = self._bins_with_events(counts)
        total = np.maximum(rates[:, seen], 0.0).sum(axis=1)
        return DataRates(rates[:, chosen], counts[chosen], total)

    def place_of_datum(self, data: LaneData, datum: int) -> str:
        """Channel and bin of a datum of :meth:`rates_at_data`."""
        counts = np.asarray(self.lanes_of(data))[0]
        b = int(self._bins_with_events(counts)[datum])
        channel = next(one for one in self.channels if one.start <= b < one.stop)
        return (
            f"bin {b - channel.start} of channel {channel.name!r}, which has {counts[b]:g} events"
        )

    def _bins_with_events(self, counts: FloatArray) -> IndexArray:
        return np.flatnonzero((counts > 0.0) & ~self.masked_bins).astype(np.int64)

    def relevant_background(self, background: FloatArray, signal: FloatArray) -> float:
        """Smallest expected background of the bins that drive the sensitivity, at two points.

        A bin counts if its ``s^2 / (s + b)`` is at least a tenth of the largest.
        """
        b = np.maximum(self.expected_rates(background), 0.0)
        total = np.maximum(self.expected_rates(signal), 0.0)
        s = np.abs(total - b)
        weight = np.where(total > 0.0, s**2 / np.maximum(total, 1e-300), 0.0)
        weight[self.masked_bins] = 0.0
        if not weight.max() > 0.0:
            return math.inf
        return float(b[weight >= 0.1 * weight.max()].min())

    def uses(self) -> tuple[Use, ...]:
        """How each parameter acts. Shape [par]."""
        return uses_of(self.layout, self.numbers, self.require_poi())

    def scales_signal(self, index: int) -> bool:
        """Whether a parameter is a scalar factor of all signal components and of nothing else."""
        return scales_signal(self.layout, self.require_poi(), index)

    def log_density(self, parameters: FloatArray, observation: Observation) -> float:
        """Natural logarithm of the probability of the data, all constants included.

        Equal to pyhf's ``logpdf``. Counts and Poisson auxiliary data may be fractional (gamma
        function). Masked channels are left out. Minus infinity where the data are impossible.

        Examples
        --------
        >>> import darkstats
        >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
        >>> model = darkstats.compile_workspace(workspace)
        >>> round(model.log_density(model.inits, model.observation), 3)
        -12.255
        """
        nu = self.expected_rates(parameters)
        total = 0.0
        for b in np.flatnonzero(~self.masked_bins):
            total += _log_poisson(float(observation.counts[b]), float(nu[b]))
        for p, parameter in enumerate(self.parameters):
            datum, value, width = (
                float(observation.auxdata[p]),
                float(parameters[p]),
                parameter.width,
            )
            if parameter.constraint == "gaussian":
                pull = (datum - value) / width
                total += -0.5 * pull * pull - math.log(width * math.sqrt(2.0 * math.pi))
            elif parameter.constraint == "poisson":
                total += _log_poisson(datum, width * value)
        return total


def _log_poisson(n: float, nu: float) -> float:
    if nu <= 0.0:
        return 0.0 if n == 0.0 and nu == 0.0 else -math.inf
    return n * math.log(nu) - nu - math.lgamma(n + 1.0)
