"""Collinear initial-state radiation of both beams, the photons lost along them.

Structure function, with ``b = (2 alpha / pi) (ln(s / m_e^2) - 1)``::

    D(x) = (b/2) (1 - x)^(b/2 - 1) (1 + 3b/8) - (b/4) (1 + x)

Kuraev and Fadin, Sov. J. Nucl. Phys. 41, 466 (1985), to first order in the hard part. Photons at an
angle, and interference with the final state, are not described.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.signals.constants import ALPHA, M_ELECTRON_GEV, S_GEV2
from darkstats.simulation.events import EventBlock
from darkstats.simulation.kinematics import boost_z

if TYPE_CHECKING:
    import numpy.typing as npt

    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["Radiation", "radiate", "radiator", "strength"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiation:
    """What the beams keep.

    Parameters
    ----------
    s_gev2
        Squared energy of the hard collision. Shape [event].
    beta
        Velocity of the hard system along z in the c.m. frame of the beams. Shape [event].
    weight
        Its mean is the probability that both beams keep more than the fraction asked for.
    """

    s_gev2: FloatArray = field(repr=False)
    beta: FloatArray = field(repr=False)
    weight: FloatArray = field(repr=False)

    def block(
        self,
        index: IndexArray,
        momentum: FloatArray,
        pdg_id: npt.ArrayLike,
        weight_pb: FloatArray,
    ) -> EventBlock:
        """Events in the c.m. frame of the beams, from momenta in that of the hard collision.

        Parameters are those of :meth:`~darkstats.simulation.events.EventBlock.of_rows`.
        """
        moved = boost_z(momentum, self.beta[index, None])
        return EventBlock.of_rows(index, moved, pdg_id, weight_pb)


def strength(s_gev2: float = S_GEV2) -> float:
    """Return b of the structure function, dimensionless: 0.0877 at 10.58 GeV."""
    return 2.0 * ALPHA / math.pi * (math.log(s_gev2 / M_ELECTRON_GEV**2) - 1.0)


def radiator(x: FloatArray, b: float) -> FloatArray:
    """D(x), the density of the energy fraction that a beam keeps."""
    return 0.5 * b * (1.0 - x) ** (0.5 * b - 1.0) * (1.0 + 0.375 * b) - 0.25 * b * (1.0 + x)


def radiate(
    n: int,
    rng: np.random.Generator,
    *,
    enabled: bool = True,
    least_fraction: float = 0.6,
    hard_share: float = 0.0,
) -> Radiation:
    """Draw the energy fractions of both beams.

    Parameters
    ----------
    n
        Number of events.
    rng
        Source of randomness.
    enabled
        Without radiation nothing is drawn, and all weights are one.
    least_fraction
        Lowest energy fraction of each beam; what lies below is left out of the weights.
    hard_share
        Share of the beams, from 0 and below 1, whose lost energy is drawn flat: of the others two
        in a hundred lose half of it. Weights undo the enrichment.
    """
    if not enabled:
        return Radiation(s_gev2=np.full(n, S_GEV2), beta=np.zeros(n), weight=np.ones(n))
    b = strength()
    # (1 - x)^(b/2) is uniform up to the slowly varying factor that stays as a weight.
    top = (1.0 - least_fraction) ** (0.5 * b)
    lost = (top * rng.random((2, n))) ** (2.0 / b)
    most = 1.0 - least_fraction
    if hard_share > 0.0:
        hard, flat = rng.random((2, 2, n))
        lost = np.where(hard < hard_share, most * flat, lost)
    x = 1.0 - lost
    weight = top * ((1.0 + 0.375 * b) - 0.5 * (1.0 + x) * lost ** (1.0 - 0.5 * b))
    if hard_share > 0.0:  # both densities, over that of the others
        raised = hard_share * top / (0.5 * b * most) * lost ** (1.0 - 0.5 * b)
        weight /= (1.0 - hard_share) + raised
    return Radiation(
        s_gev2=S_GEV2 * x[0] * x[1],
        beta=(x[0] - x[1]) / (x[0] + x[1]),
        weight=weight[0] * weight[1],
    )
