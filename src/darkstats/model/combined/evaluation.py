"""Values and exact derivatives of both parts over one list of parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.model.base import LaneEvaluator
from darkstats.model.histfactory import HistFactoryModel
from darkstats.model.points import deviance_at

__all__ = ["BinnedPart", "CombinedEvaluator"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinnedPart:
    """The HistFactory channels, and where their parameters stand among those of the whole.

    Parameters
    ----------
    model
        The channels as a model of their own.
    places
        Place of each of its parameters in the whole, -1 for one that is constant there. Shape
        [par of the part].
    """

    model: HistFactoryModel
    places: IndexArray = field(repr=False)

    @property
    def own(self) -> IndexArray:
        """Which of its parameters stand in the whole."""
        return np.flatnonzero(self.places >= 0)

    def points_of(self, points: FloatArray) -> FloatArray:
        """Points of the part, constants at their values. Shapes [..., par] -> [..., part]."""
        return self._filled(points, self.model.inits)

    def auxdata_of(self, auxdata: FloatArray) -> FloatArray:
        """Auxiliary data of the part. Shapes [..., par] -> [..., part]."""
        return self._filled(auxdata, self.model.observation.auxdata)

    def _filled(self, values: FloatArray, constants: FloatArray) -> FloatArray:
        values = np.asarray(values, dtype=float)
        result = np.empty((*values.shape[:-1], len(self.places)))
        result[...] = constants
        result[..., self.own] = values[..., self.places[self.own]]
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CombinedEvaluator:
    """See :class:`darkstats.model.base.LaneEvaluator`.

    Parameters
    ----------
    events
        Evaluator of the events, over all parameters.
    binned, counts, auxdata
        The bins, with their counts [lane, bin] and auxiliary data [lane, par of the part].
    """

    events: LaneEvaluator
    binned: BinnedPart
    counts: FloatArray = field(repr=False)
    auxdata: FloatArray = field(repr=False)
    threads: int = 1

    def derivatives(
        self, points: FloatArray, lanes: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Value, size of its terms, gradient and Hessian of each lane at its point."""
        value, size, gradient, hessian = self.events.derivatives(points, lanes)
        binned = self.binned
        found = deviance_at(
            binned.model,
            binned.points_of(points),
            self.counts,
            self.auxdata,
            row=lanes,
            derivatives=2,
            threads=self.threads,
        )
        assert found.gradient is not None
        assert found.hessian is not None
        own = binned.own
        places = binned.places[own]
        with np.errstate(all="ignore"):  # what is not finite is data
            value = value + found.value
            size = size + np.abs(found.value) + self.counts.sum(axis=1)[lanes]
            gradient[:, places] += found.gradient[:, own]
            hessian[:, places[:, np.newaxis], places] += found.hessian[:, own[:, np.newaxis], own]
        value[np.isnan(value)] = np.inf
        return value, size, gradient, hessian

    def least_rates(self, points: FloatArray, lanes: IndexArray) -> FloatArray:
        """Smallest density or rate, in units of the mean ones. Shape [lane]."""
        rates = self.binned.model.expected_rates(self.binned.points_of(points))
        mean = np.maximum(self.counts.mean(axis=1), 1.0)[lanes]
        least: FloatArray = rates.min(axis=1) / mean
        return np.minimum(self.events.least_rates(points, lanes), least)
