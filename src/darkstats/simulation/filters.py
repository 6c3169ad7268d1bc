"""Filters on generated events: no amplitude is computed for what no selection keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.simulation.kinematics import to_lab

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray

__all__ = ["pass_muon_filter"]


def pass_muon_filter(
    minus: FloatArray,
    plus: FloatArray,
    *,
    theta_range_deg: tuple[float, float],
    min_momentum_gev: float,
    min_recoil_pt_gev: float,
) -> BoolArray:
    """Whether both muons lie in the polar range (lab) with enough momentum, and recoil enough.

    Parameters
    ----------
    minus, plus
        Momenta in the c.m. frame. Shapes [event, 4].
    theta_range_deg, min_momentum_gev
        In the laboratory.
    min_recoil_pt_gev
        Least transverse momentum of the muon pair.
    """
    low, high = np.cos(np.radians((theta_range_deg[1], theta_range_deg[0])))
    pair = minus[:, 1:3] + plus[:, 1:3]
    passed = np.hypot(pair[:, 0], pair[:, 1]) >= min_recoil_pt_gev
    for muon in (to_lab(minus), to_lab(plus)):
        size = np.linalg.norm(muon[:, 1:], axis=1)
        cosine = muon[:, 3] / size
        passed &= (cosine >= low) & (cosine <= high) & (size > min_momentum_gev)
    return np.asarray(passed)
