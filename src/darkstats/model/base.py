"""What inference asks of a likelihood: one protocol for binned and for unbinned models.

Test statistics, limits, certification, toys and p-values are written against :class:`Model`. A
model brings its parameters, its data in *lanes* (one data set each), toys and Asimov data; and, if
it is not of the kind that the compiled HistFactory minimiser reads, an evaluator that gives values
and exact derivatives of many lanes at once, which :mod:`darkstats.fit.newton` minimises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.model.event_lanes import EventLanes
from darkstats.model.parameters import Parameter
from darkstats.streams import poisson_counts

if TYPE_CHECKING:
    from darkstats.model.observation import ChannelBins, Observation
    from darkstats.model.structure import Layout, Numbers

__all__ = [
    "LEAST_RATE",
    "TOYS_PER_BLOCK",
    "BinnedModel",
    "DataRates",
    "LaneData",
    "LaneEngine",
    "LaneEvaluator",
    "Model",
    "PointValues",
    "SlopeEvaluator",
    "Use",
    "few_places",
    "observed_lanes",
    "thrown_auxdata",
    "values_of",
]

#: Expected events below which a bin with events is impossible: factors of zero are represented by
#: 1e-100 in products, so that no smaller rate is a number of the workspace.
LEAST_RATE = 1e-80

#: Part of the definition of a toy: changing it changes every toy.
TOYS_PER_BLOCK = 1024

_POINTS_PER_CALL = 2048

#: Counts [lane, bin] of a HistFactory model, or the events of an unbinned one.
LaneData: TypeAlias = FloatArray | EventLanes


class DataRates(NamedTuple):
    """Rates where there are data, at some points.

    ``rates`` [point, datum]: rates of bins with events, densities at events in units of the mean
    one. ``weights`` [datum]: their events. ``total`` [point]: events expected, all bins and
    channels together; a bin below zero counts as empty.
    """

    rates: FloatArray
    weights: FloatArray
    total: FloatArray

    def at(self, point: int) -> DataRates:
        """The same at one of the points."""
        part = slice(point, point + 1)
        return DataRates(self.rates[part], self.weights, self.total[part])


@dataclass(frozen=True, slots=True, kw_only=True)
class PointValues:
    """Half the deviance at points; ``gradient`` and ``hessian`` are None where not asked for.

    Shapes [point], [point, par], [point, par, par].
    """

    value: FloatArray
    gradient: FloatArray | None = None
    hessian: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How a parameter acts.

    Parameters
    ----------
    on_signal
        On what the parameter of interest changes, or not.
    linear
        As a factor, somewhere.
    signal_factor
        Coefficients and code of the normsys by which it acts on the largest signal, if it does.
    in_expression
        Where a formula of the document says: its prior is the one that the document states.
    """

    on_signal: bool = False
    linear: bool = False
    signal_factor: tuple[FloatArray, int] | None = None
    in_expression: bool = False


class LaneEvaluator(Protocol):
    """Values and derivatives of many lanes at once."""

    def derivatives(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Half of twice the negative log-likelihood at one point for each of some lanes.

        Parameters
        ----------
        points
            Shape [lane, par].
        lanes
            Which lanes of the data they are evaluated on. Shape [lane].

        Returns
        -------
        tuple of FloatArray
            Value [lane], infinite where the data are impossible; size of its terms [lane];
            gradient [lane, par]; Hessian [lane, par, par].
        """

    def least_rates(self, points: FloatArray, lanes: IndexArray) -> FloatArray:
        """Smallest expected rate, negative where a density is negative somewhere. Shape [lane]."""


@runtime_checkable
class SlopeEvaluator(LaneEvaluator, Protocol):
    """An evaluator whose gradients cost much less than its Hessians."""

    def slopes(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """As :meth:`LaneEvaluator.derivatives`, without the Hessian."""


class LaneEngine(Protocol):
    """Makes evaluators of events: another program in the place of the kernels."""

    def evaluator(self, events: EventLanes, auxdata: FloatArray) -> LaneEvaluator:
        """Evaluator of some events and their auxiliary data [lane, par]."""


class Model(Protocol):
    """A likelihood with parameters, data in lanes, toys and Asimov data."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that the likelihood depends on."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters in order."""

    @property
    def observation(self) -> Observation:
        """Data of its own."""

    @property
    def poi_index(self) -> int | None:
        """Place of the parameter of interest."""

    @property
    def poi_name(self) -> str | None:
        """Name of the parameter of interest."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""

    @property
    def n_bins(self) -> int:
        """Length of the last axis of :meth:`expected_rates`."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names in order."""

    @property
    def inits(self) -> FloatArray:
        """Starting values. Shape [par]."""

    @property
    def nominal(self) -> FloatArray:
        """Where the parameters stand without data. Shape [par]."""

    @property
    def lower(self) -> FloatArray:
        """Lower ends of the ranges. Shape [par]."""

    @property
    def upper(self) -> FloatArray:
        """Upper ends of the ranges. Shape [par]."""

    @property
    def fixed(self) -> BoolArray:
        """Which parameters are held fixed. Shape [par]."""

    @property
    def masked_bins(self) -> BoolArray:
        """Which entries of :meth:`expected_rates` count for nothing. Shape [bin]."""

    @property
    def in_bins(self) -> BinnedModel | None:
        """The model, where all its data are counts in bins of named channels."""

    @property
    def one_sided(self) -> tuple[int, ...]:
        """Parameters with a possible minimum on either side of zero."""

    @property
    def has_threads(self) -> bool:
        """Whether one lane is spread over threads already, so that its caller takes one."""

    @property
    def products_per_step(self) -> float | None:
        """Products that a step of the minimiser sums, per lane; None where nobody counts them."""

    @property
    def toys_per_block(self) -> int:
        """Toys that share one random stream: part of the definition of a toy."""

    @property
    def negative_rates(self) -> str:
        """What a negative :meth:`LaneEvaluator.least_rates` means, for a warning."""

    def require_poi(self) -> int:
        """Place of the parameter of interest; raises OptionError without one."""

    def parameter_index(self, name: str) -> int:
        """Place of a parameter; raises UnknownNameError."""

    def with_poi(self, name: str) -> Model:
        """The same likelihood with another parameter of interest."""

    def with_observation(self, observation: Observation) -> Model:
        """The same likelihood with other data of its own."""

    def with_parameters(self, parameters: Sequence[Parameter]) -> Model:
        """The same likelihood with other starting values and ranges."""

    def with_range(self, name: str, lower: float, upper: float) -> Model:
        """The same likelihood with another range of one parameter."""

    def expected_rates(self, parameters: FloatArray) -> FloatArray:
        """Events expected: in bins, or in the cells of a fine grid. [..., par] -> [..., bin]."""

    def expected_auxdata(self, parameters: FloatArray) -> FloatArray:
        """Auxiliary data expected, 0 without constraint. [..., par] -> [..., par]."""

    def asimov(self, parameters: FloatArray) -> Observation:
        """Data in which every estimate equals its true value."""

    def log_density(self, parameters: FloatArray, observation: Observation) -> float:
        """Natural logarithm of the probability density of data, all constants included."""

    def lanes_of(self, data: LaneData) -> LaneData:
        """Check data and make them ready for a fit; raises OptionError."""

    def stack(self, observations: Sequence[Observation]) -> tuple[LaneData, FloatArray]:
        """One lane for each observation: data, and auxiliary data [lane, par]."""

    def throw(
        self, parameters: FloatArray, rng: np.random.Generator, n_toys: int
    ) -> tuple[LaneData, FloatArray]:
        """Draw toys with their auxiliary data [toy, par] at a point."""

    def throw_each(self, points: FloatArray, rng: np.random.Generator) -> LaneData:
        """Draw one toy at each point [lane, par], without auxiliary data."""

    def asimov_lanes(self, points: FloatArray) -> LaneData:
        """Data in which every estimate is true, for each point [lane, par]."""

    def joined(self, parts: Sequence[LaneData]) -> LaneData:
        """Lanes of several pieces, one after the other."""

    def terms_of(self, data: LaneData) -> int:
        """Terms that the likelihood sums in the longest of some lanes."""

    def lane_evaluator(
        self, data: LaneData, auxdata: FloatArray, *, threads: int
    ) -> LaneEvaluator | None:
        """Evaluator of checked data; None where the compiled minimiser reads :attr:`in_bins`."""

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
        """Half of twice the negative log-likelihood at many points, with derivatives.

        Parameters
        ----------
        points
            Shape [point, par].
        data, auxdata
            Lanes of checked data, and the auxiliary data of all [par], or of each lane [lane, par].
        row
            Which lane of the data belongs to each point; the first one by default. Shape [point].
        derivatives
            0: values; 1: the gradient too; 2: the Hessian too.
        threads
            At most so many; results do not depend on it.
        """

    def derivatives(
        self, parameters: FloatArray, data: LaneData, auxdata: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """Value, gradient [par] and Hessian [par, par] on one lane of data."""

    def impossible(self, points: FloatArray, data: LaneData) -> BoolArray:
        """Lanes with events where none are expected, at points [lane, par]. Shape [lane]."""

    def impossible_places(self, points: FloatArray, observation: Observation) -> str | None:
        """Where events are seen and none expected at any point [k, par], in words; or None."""

    def without_impossible(
        self, points: FloatArray, observation: Observation
    ) -> Observation | None:
        """The data without these; None where fits leave them out by themselves."""

    def rates_at_data(self, parameters: FloatArray, data: LaneData) -> DataRates:
        """Rates where the data of the one lane are, at points [point, par]."""

    def place_of_datum(self, data: LaneData, datum: int) -> str:
        """Where a datum of :meth:`rates_at_data` is: channel and bin, or channel and event."""

    def relevant_background(self, background: FloatArray, signal: FloatArray) -> float:
        """Least expected background where the sensitivity comes from, at two points [par]."""

    def uses(self) -> tuple[Use, ...]:
        """How each parameter acts; raises OptionError without a parameter of interest. [par]."""

    def scales_signal(self, index: int) -> bool:
        """Whether a parameter multiplies all of the signal, and nothing else."""


class BinnedModel(Model, Protocol):
    """A model of counts in bins, kept as flat arrays: what the compiled minimiser reads."""

    @property
    def channels(self) -> tuple[ChannelBins, ...]:
        """Channels, and where their bins stand."""

    @property
    def samples(self) -> tuple[str, ...]:
        """Names of the samples."""

    @property
    def layout(self) -> Layout:
        """Which component covers which bins, and which parameter acts on it."""

    @property
    def numbers(self) -> Numbers:
        """Rates, interpolation coefficients and constraints, those of masked channels included."""

    def likelihood_numbers(self) -> Numbers:
        """The numbers that the likelihood sees: rates of masked channels are zero."""

    def likelihood_words(self, numbers: Numbers) -> IndexArray:
        """Words for kernels, with the numbers of :meth:`likelihood_numbers`."""

    def expected_by_sample(self, parameters: FloatArray) -> FloatArray:
        """Events expected of each sample. Shapes: [par] -> [sample, bin]."""


def observed_lanes(model: Model) -> LaneData:
    """The observation of a model, as the only lane."""
    return model.lanes_of(model.stack([model.observation])[0])


def values_of(
    evaluator: LaneEvaluator, points: FloatArray, row: IndexArray | None, *, derivatives: int
) -> PointValues:
    """What :meth:`Model.values_at` returns, of an evaluator: a few thousand points in a call."""
    n, p = np.shape(points)
    lanes = np.zeros(n, dtype=np.int64) if row is None else np.asarray(row, np.int64)
    value, gradient = np.empty(n), np.empty((n, p))
    hessian = np.empty((n, p, p)) if derivatives > 1 else None
    for first in range(0, n, _POINTS_PER_CALL):
        part = slice(first, min(first + _POINTS_PER_CALL, n))
        found = evaluator.derivatives(points[part], lanes[part])
        value[part], gradient[part] = found[0], found[2]
        if hessian is not None:
            hessian[part] = found[3]
    return PointValues(value=value, gradient=gradient if derivatives else None, hessian=hessian)


def few_places(places: Sequence[str], *, most: int = 3) -> str:
    """Places of impossible events in a sentence: the first few, and how many more there are."""
    more = len(places) - most
    return "; ".join(places[:most]) + (f"; and {more} more" if more > 0 else "")


def thrown_auxdata(
    parameters: Sequence[Parameter],
    expected: FloatArray,
    rng: np.random.Generator,
    n_toys: int,
) -> FloatArray:
    """Draw auxiliary data around their expectation [par]. Shape [toy, par]."""
    auxdata = np.zeros((n_toys, len(parameters)))
    kinds = np.array([parameter.constraint for parameter in parameters], dtype=np.str_)
    gaussian, poisson = np.flatnonzero(kinds == "gaussian"), np.flatnonzero(kinds == "poisson")
    if gaussian.size:
        width = np.array([parameters[int(index)].width for index in gaussian])
        normal = rng.standard_normal((n_toys, gaussian.size))
        auxdata[:, gaussian] = expected[gaussian] + width * normal
    if poisson.size:
        auxdata[:, poisson] = poisson_counts(rng, expected[poisson], (n_toys, poisson.size))
    return auxdata
