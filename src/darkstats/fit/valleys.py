"""Valleys of a likelihood that are too narrow to follow."""

from __future__ import annotations

import numpy as np

from darkstats.arrays import FloatArray, IndexArray
from darkstats.model import Model, Observation

__all__ = ["cancels"]

#: Share of the largest curvature, each parameter in its own unit, below which there is rounding:
#: what the cancellations of a rate leave of sixteen digits.
_NARROW = 1e-11


def cancels(
    model: Model, observation: Observation, parameters: FloatArray, free: IndexArray
) -> bool:
    """Whether some direction has a curvature that is lost in that of its parameters.

    Parameters that cancel each other to the last digits leave a valley too narrow to follow: starts
    near a place in it all end there, and prove nothing.
    """
    data, auxdata = model.stack([observation])
    hessian = model.derivatives(parameters, data, auxdata[0])[2][np.ix_(free, free)]
    root = np.sqrt(np.abs(np.diag(hessian)))
    felt = root > 0.0
    scaled = hessian[np.ix_(felt, felt)] / np.outer(root[felt], root[felt])
    if not scaled.size:
        return False
    heights = np.linalg.eigvalsh(scaled)
    return bool(heights[0] < _NARROW * heights[-1])
