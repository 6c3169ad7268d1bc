"""Simulated candidates of chosen columns, for the tests of what searches make of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.simulation.candidates import Candidates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["rows_of"]


def rows_of(weight_pb: float, generated: int, **columns: ArrayLike) -> Candidates:
    """Rows of equal weights, whose mean over the generated events is ``weight_pb``.

    Parameters
    ----------
    weight_pb, generated
        Cross section, and generated events.
    columns
        Values of the rows. Shapes [row].
    """
    values = {name: np.asarray(column, float) for name, column in columns.items()}
    n = len(next(iter(values.values())))
    weights = np.full(n, weight_pb * generated / n)
    return Candidates(
        columns=MappingProxyType(values),
        weight_pb=weights,
        n_generated=generated,
        sum_weight_pb=float(weights.sum()),
        sum_weight_squared_pb2=float((weights**2).sum()),
    )
