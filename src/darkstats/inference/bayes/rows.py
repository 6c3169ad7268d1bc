"""Data as the engines index them: rows of counts of a workspace, or lanes of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.model.event_lanes import EventLanes, stacked
from darkstats.model.histfactory import HistFactoryModel
from darkstats.model.points import PointValues, deviance_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.model import LaneData, Model

__all__ = ["joined_rows", "likelihood_at", "observed_rows", "rows_of"]

_POINTS_PER_CALL = 2048


def rows_of(model: Model, data: LaneData) -> LaneData:
    """Rows of data: counts [row, bin] without those of masked bins, or the lanes themselves."""
    if isinstance(model, HistFactoryModel):
        return np.where(model.masked_bins, 0.0, np.atleast_2d(np.asarray(data, dtype=float)))
    return model.lanes_of(data)


def observed_rows(model: Model) -> LaneData:
    """The observation of a model, as the only row."""
    return rows_of(model, model.stack([model.observation])[0])


def joined_rows(parts: Sequence[LaneData]) -> LaneData:
    """Rows of several pieces, one after the other."""
    lanes = [part for part in parts if isinstance(part, EventLanes)]
    if lanes:
        return stacked(lanes)
    return np.concatenate([np.asarray(part) for part in parts])


def likelihood_at(
    model: Model,
    points: FloatArray,
    data: LaneData,
    auxdata: FloatArray,
    *,
    row: IndexArray | None = None,
    derivatives: int = 0,
    threads: int | None = None,
) -> PointValues:
    """Half of twice the negative log-likelihood at many points, with derivatives.

    Arguments as of :func:`darkstats.model.points.deviance_at`, which does it for workspaces; a
    model with an evaluator of its own is asked for it.
    """
    if isinstance(model, HistFactoryModel):
        return deviance_at(
            model,
            points,
            np.asarray(data),
            auxdata,
            row=row,
            derivatives=derivatives,
            threads=threads,
        )
    lanes = np.zeros(len(points), dtype=np.int64) if row is None else np.asarray(row, np.int64)
    auxiliary = np.broadcast_to(auxdata, (len(data), model.n_parameters))
    evaluator = model.lane_evaluator(data, auxiliary, threads=threads or 1)
    assert evaluator is not None, "a model that is not HistFactory's brings an evaluator"
    n, p = np.shape(points)
    value, gradient = np.empty(n), np.empty((n, p))
    hessian = np.empty((n, p, p)) if derivatives > 1 else None
    for first in range(0, n, _POINTS_PER_CALL):
        part = slice(first, min(first + _POINTS_PER_CALL, n))
        found = evaluator.derivatives(points[part], lanes[part])
        value[part], gradient[part] = found[0], found[2]
        if hessian is not None:
            hessian[part] = found[3]
    return PointValues(value=value, gradient=gradient if derivatives else None, hessian=hessian)
