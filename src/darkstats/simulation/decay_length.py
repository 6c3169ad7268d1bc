"""How many long-lived particles decay in a part of the detector: the one home of it.

A particle of momentum p and mass m that decays after the proper length l flies ``l p / m``. Where a
volume is entered after the proper length ``a`` and left after ``b``,

    P = exp(-a / (c tau)) - exp(-b / (c tau)).

For a cylinder about the beams and a flight from the collision point a and b are radii over
``p_T / m``; ends along the beams shorten them. So one simulated sample serves all lifetimes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray

__all__ = [
    "DecayEfficiency",
    "DecayVolume",
    "decay_efficiency",
    "decay_probability",
    "require_apart",
]


def decay_probability(
    first_mm: FloatArray | float, last_mm: FloatArray | float, length_mm: FloatArray | float
) -> FloatArray:
    """Probability to decay between two distances along a flight with this mean length.

    An infinite end takes what decays beyond the first distance, or never: it is one less what
    decays before, for every length.

    Parameters
    ----------
    first_mm, last_mm
        Distances, for a cylinder those to its walls along the flight; infinite for a wall that is
        never reached. Shapes broadcast. Or proper lengths, with ``c tau`` for the mean length.
    length_mm
        beta gamma c tau; infinite for what is stable, zero for what decays at once.

    Examples
    --------
    >>> round(float(decay_probability(0.0, 10.0, 10.0)), 4)
    0.6321
    >>> decay_probability(0.0, [10.0, np.inf], np.inf)
    array([0., 1.])
    """
    first, last, length = (np.asarray(x, dtype=np.float64) for x in (first_mm, last_mm, length_mm))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        # 0 / 0: nothing decays before the start. inf / inf: no length reaches an infinite end.
        near, far = (np.where((x == 0.0) | np.isinf(x), x, x / length) for x in (first, last))
        span = np.where(np.isinf(near), 0.0, far - near)
        # exp(-a) - exp(-b) loses all digits where both are small
        return np.asarray(np.exp(-near) * -np.expm1(-span))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayVolume:
    """A hollow cylinder about the beams, with the collision point on its axis.

    Parameters
    ----------
    r_from_mm, r_to_mm
        Radii; the second may be infinite, and what never decays is then taken for within.
    z_from_mm, z_to_mm
        Ends along the electron beam, either side of the collision point.
    efficiency
        Of what decays within, relative to all else that a selection asks for.

    Raises
    ------
    OptionError
        Radii do not rise from zero on, the ends are on one side, or the efficiency is none.
    """

    r_from_mm: float
    r_to_mm: float
    z_from_mm: float = -math.inf
    z_to_mm: float = math.inf
    efficiency: float = 1.0

    def __post_init__(self) -> None:
        """See :class:`DecayVolume`."""
        if not 0.0 <= self.r_from_mm < self.r_to_mm:
            raise OptionError(
                f"a volume from {self.r_from_mm:g} to {self.r_to_mm:g} mm: give rising radii"
            )
        if not self.z_from_mm < 0.0 < self.z_to_mm:
            raise OptionError(
                f"a volume from {self.z_from_mm:g} to {self.z_to_mm:g} mm along the beams does not "
                "hold the collision point between its ends"
            )
        if not 0.0 < self.efficiency <= 1.0:
            raise OptionError(f"a volume with the efficiency {self.efficiency:g}, not in (0, 1]")

    def proper_lengths_mm(
        self, boost_transverse: FloatArray, boost_along: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Proper lengths at which flights from the collision point enter and leave; equal for none.

        Parameters
        ----------
        boost_transverse, boost_along
            Momentum over mass, transverse to and along the electron beam, laboratory. Shape
            [particle].
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where(self.r_from_mm == 0.0, 0.0, self.r_from_mm / boost_transverse)
            last = self.r_to_mm / boost_transverse
            end = np.where(boost_along < 0.0, self.z_from_mm, self.z_to_mm) / boost_along
        last = np.minimum(last, np.where(boost_along == 0.0, math.inf, end))
        return np.asarray(first), np.asarray(np.maximum(first, last))

    def kept(
        self,
        boost_transverse: FloatArray,
        boost_along: FloatArray,
        ctau_mm: float,
        between_mm: tuple[FloatArray, FloatArray] | None = None,
    ) -> FloatArray:
        """Probability to decay within, and between these proper lengths. Shape [particle]."""
        first, last = self.proper_lengths_mm(boost_transverse, boost_along)
        if between_mm is not None:
            first = np.maximum(first, between_mm[0])
            last = np.maximum(first, np.minimum(last, between_mm[1]))
        return decay_probability(first, last, ctau_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayEfficiency:
    """Part of the generated signals that is seen, against the lifetime.

    Parameters
    ----------
    ctau_mm
        Lifetimes. Shape [lifetime].
    efficiency, error
        Part, and its statistical error of the simulation. Shape [lifetime].
    """

    ctau_mm: FloatArray = field(repr=False)
    efficiency: FloatArray = field(repr=False)
    error: FloatArray = field(repr=False)


def require_apart(volumes: Sequence[DecayVolume]) -> None:
    """Check that no decay is in two volumes.

    Raises
    ------
    OptionError
        Two overlap in radius, or there is none.
    """
    if not volumes:
        raise OptionError("no volume in which decays are seen: give at least one")
    for one, other in combinations(volumes, 2):
        if one.r_from_mm < other.r_to_mm and other.r_from_mm < one.r_to_mm:
            raise OptionError(
                f"volumes of radii {one.r_from_mm:g} to {one.r_to_mm:g} mm and "
                f"{other.r_from_mm:g} to {other.r_to_mm:g} mm overlap: decays would count twice"
            )


def decay_efficiency(
    volumes: Sequence[DecayVolume],
    boost_transverse: FloatArray,
    boost_along: FloatArray,
    weights: FloatArray,
    ctau_mm: FloatArray,
    *,
    between_mm: tuple[FloatArray, FloatArray] | None = None,
) -> DecayEfficiency:
    """Efficiency against the lifetime, of signals that pass all else.

    Parameters
    ----------
    volumes
        Where decays are seen; they do not overlap in radius.
    boost_transverse, boost_along
        Of each signal that is left, see :class:`DecayVolume`. Shape [signal].
    weights
        Share of each signal in all that were generated. Shape [signal].
    ctau_mm
        Lifetimes above zero. Shape [lifetime].
    between_mm
        Least and largest proper length at which each signal is still taken. Shapes [signal].

    Raises
    ------
    OptionError
        Volumes overlap, there is none, or a lifetime is not above zero.

    Examples
    --------
    >>> found = decay_efficiency(
    ...     [DecayVolume(r_from_mm=0.0, r_to_mm=10.0)], np.array([1.0]), np.array([0.0]),
    ...     np.array([0.5]), np.array([10.0]),
    ... )
    >>> found.efficiency.round(4)
    array([0.3161])
    """
    require_apart(volumes)
    times = np.asarray(ctau_mm, dtype=np.float64)
    if not (times > 0.0).all():
        raise OptionError("lifetimes c tau are above zero, in mm")
    parts = [
        weights
        * sum(
            volume.efficiency * volume.kept(boost_transverse, boost_along, t, between_mm)
            for volume in volumes
        )
        for t in times.tolist()
    ]
    return DecayEfficiency(
        ctau_mm=times,
        efficiency=np.array([part.sum() for part in parts]),
        error=np.sqrt(np.array([(part**2).sum() for part in parts])),
    )
