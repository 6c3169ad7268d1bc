"""What likelihoods of events share: an evaluator looks at the data, one lane at a time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.kernel.simd import LANES
from darkstats.model.base import LaneData, LaneEvaluator, PointValues, values_of
from darkstats.model.compiled import CompiledModel
from darkstats.model.event_lanes import EventLanes, stacked
from darkstats.model.observation import Observation

__all__ = ["EventModel", "background_beneath"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventModel(CompiledModel, ABC):
    """A likelihood of events, perhaps with bins beside: an evaluator looks at the data."""

    @property
    @abstractmethod
    def n_bins(self) -> int:
        """Length of the last axis of :meth:`expected_rates`."""

    @abstractmethod
    def expected_rates(self, parameters: FloatArray) -> FloatArray:
        """Events expected in cells and bins. Shapes: [..., par] -> [..., bin]."""

    @abstractmethod
    def asimov(self, parameters: FloatArray) -> Observation:
        """Data in which every estimate equals its true value."""

    @abstractmethod
    def lanes_of(self, data: LaneData) -> EventLanes:
        """Return the events, checked."""

    @abstractmethod
    def stack(self, observations: Sequence[Observation]) -> tuple[LaneData, FloatArray]:
        """One lane for each observation."""

    @abstractmethod
    def throw(
        self, parameters: FloatArray, rng: np.random.Generator, n_toys: int
    ) -> tuple[LaneData, FloatArray]:
        """Draw toys with their auxiliary data [toy, par] at a point."""

    @abstractmethod
    def lane_evaluator(self, data: LaneData, auxdata: FloatArray, *, threads: int) -> LaneEvaluator:
        """Evaluator of some lanes and their auxiliary data."""

    @property
    def masked_bins(self) -> BoolArray:
        """None is masked. Shape [bin]."""
        return np.zeros(self.n_bins, dtype=bool)

    @property
    def in_bins(self) -> None:
        """None: some of the data are events."""

    @property
    def has_threads(self) -> bool:
        """The events of a lane are spread over threads."""
        return True

    @property
    def products_per_step(self) -> None:
        """None: what a step costs is the look at the events."""

    def throw_each(self, points: FloatArray, rng: np.random.Generator) -> LaneData:
        """Draw one toy at each point [lane, par], one lane at a time."""
        return self.joined([self.throw(point, rng, 1)[0] for point in points])

    def asimov_lanes(self, points: FloatArray) -> LaneData:
        """Asimov data of each point [lane, par]."""
        return self.stack([self.asimov(point) for point in points])[0]

    def joined(self, parts: Sequence[LaneData]) -> LaneData:
        """Lanes of several pieces, one after the other."""
        return stacked([self.lanes_of(part) for part in parts])

    def terms_of(self, data: LaneData) -> int:
        """Events or bins of the channel and the lane that have most, padded to whole vectors."""
        return LANES * max(int(one.n_vectors.max()) for one in self.lanes_of(data).channels)

    def derivatives(
        self, parameters: FloatArray, data: LaneData, auxdata: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """Value, gradient [par] and Hessian [par, par] on one lane."""
        evaluator = self.lane_evaluator(data, np.atleast_2d(auxdata), threads=1)
        lane: IndexArray = np.zeros(1, dtype=np.int64)
        point = np.asarray(parameters, dtype=float)[np.newaxis]
        value, _, gradient, hessian = evaluator.derivatives(point, lane)
        return float(value[0]), gradient[0], hessian[0]

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
        """Half of twice the negative log-likelihood at many points, a few thousand in a call."""
        auxiliary = np.broadcast_to(auxdata, (len(data), self.n_parameters))
        evaluator = self.lane_evaluator(data, auxiliary, threads=threads or 1)
        return values_of(evaluator, points, row, derivatives=derivatives)

    def relevant_background(self, background: FloatArray, signal: FloatArray) -> float:
        """Background expected in the smallest region that holds half of the sensitivity.

        The sensitivity of a cell is ``s^2 / (s + b)``; cells and bins are taken in the order of the
        signal's density over the background's, so that a narrow peak counts what lies beneath it.
        """
        return background_beneath(self.expected_rates(background), self.expected_rates(signal))


def background_beneath(background: FloatArray, total: FloatArray) -> float:
    """Background expected in the smallest region that holds half of the sensitivity.

    Parameters
    ----------
    background, total
        Events expected in cells without the signal, and with it. Shapes [cell].
    """
    b, total = np.maximum(background, 0.0), np.maximum(total, 0.0)
    s = np.abs(total - b)
    information = np.where(total > 0.0, s**2 / np.maximum(total, 1e-300), 0.0)
    if not information.sum() > 0.0:
        return math.inf
    order = np.argsort(-s / np.maximum(total, 1e-300), kind="stable")
    inside = np.cumsum(information[order]) <= 0.5 * information.sum()
    return float(2.0 * b[order][inside].sum())
