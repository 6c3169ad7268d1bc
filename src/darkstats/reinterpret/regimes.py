"""Visible, invisible, long-lived: what becomes of a mediator, by its mass and its coupling.

Of all mediators a part BR decays to what is never seen; of the rest, ``1 - exp(-d / L)`` decay
within a distance d along their flight, and are visible; the others live long: they decay displaced,
or beyond the detector. L is momentum over mass times c tau.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.reinterpret.lifetimes import distances_mm
from darkstats.signals.constants import HBAR_C_GEV_MM
from darkstats.signals.mediators import FINAL_STATES

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.reinterpret.recast_searches import Target
    from darkstats.signals.mediators import Decays

__all__ = ["REGIMES", "Boundaries", "Geometry", "RegimeMap", "boundaries", "regime_map", "shares"]

#: Names of the regimes, in the order of their shares.
REGIMES = ("visible", "invisible", "long-lived")


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Distances along the flight that matter.

    Parameters
    ----------
    near_mm
        Within it a decay is visible.
    far_mm
        Beyond it nothing is seen at all.
    """

    near_mm: float
    far_mm: float

    def __post_init__(self) -> None:
        """Check that they rise.

        Raises
        ------
        OptionError
            They do not, or are not above zero.
        """
        if not 0.0 < self.near_mm < self.far_mm < math.inf:
            raise OptionError(
                f"regimes {self.near_mm:g}:{self.far_mm:g}: give two rising distances above zero, "
                "in mm"
            )

    @classmethod
    def parse(cls, text: str) -> Geometry:
        """Read ``9:1250``, mm.

        Raises
        ------
        OptionError
            It is no pair of distances.
        """
        near, far = distances_mm(text, "9:1250")
        return cls(near_mm=near, far_mm=far)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundaries:
    """Couplings between regimes at one mass.

    Parameters
    ----------
    mass_gev
        Of the mediator.
    visible_from
        Half of the decays that can be seen lie within the near distance; zero where more do at any
        coupling.
    escapes_to
        Half of the decays that can be seen lie beyond the far distance; zero where fewer do at any
        coupling.
    invisible_to
        Half of all decays are invisible; infinite where more are at any coupling, zero where fewer.
    reason
        Why there is none of them; None where there are.
    """

    mass_gev: float
    visible_from: float | None = None
    escapes_to: float | None = None
    invisible_to: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegimeMap:
    """Shares of the regimes on a grid.

    Parameters
    ----------
    geometry
        Distances.
    masses_gev, couplings
        Of the grid, rising. Shapes [mass], [coupling].
    shares
        By regime, in the order of ``REGIMES``. Shape [3, mass, coupling]; ``nan`` where widths are
        not known.
    """

    geometry: Geometry
    masses_gev: FloatArray = field(repr=False)
    couplings: FloatArray = field(repr=False)
    shares: FloatArray = field(repr=False)


def shares(decays: Decays, couplings: FloatArray, near_mm: float, boost: float) -> FloatArray:
    """Shares of visible, invisible and long-lived mediators. Shape [3, coupling].

    Parameters
    ----------
    decays
        At one mass.
    couplings
        Above zero. Shape [coupling].
    near_mm
        Distance within which a decay is visible.
    boost
        Momentum over mass.
    """
    square = couplings**2
    total = square * decays.unit_gev + decays.dark_gev
    dark = square * sum(decays.widths_gev.get(name, 0.0) for name in FINAL_STATES["invisible"])
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
        unseen = np.where(total > 0.0, (dark + decays.dark_gev) / total, 0.0)
        alive = np.exp(-near_mm / (boost * decays.ctau(couplings)))
    return np.stack([(1.0 - unseen) * (1.0 - alive), unseen, (1.0 - unseen) * alive])


def boundaries(
    target: Target, mass_gev: float, geometry: Geometry, boost: Callable[[float], float]
) -> Boundaries:
    """Couplings between regimes at a mass, in closed form.

    Parameters
    ----------
    target
        The mediator.
    mass_gev
        Its mass.
    geometry
        Distances.
    boost
        Momentum over mass, of a mass in GeV.
    """
    try:
        decays, gamma = target.decays(mass_gev), boost(mass_gev)
    except OptionError as error:
        return Boundaries(mass_gev=mass_gev, reason=str(error))
    if decays.unit_gev == 0.0:
        return Boundaries(mass_gev=mass_gev, reason="it decays to nothing that can be seen")

    def at_length(length_mm: float) -> float:
        """Coupling at which half decay within a distance: L ln 2 = distance."""
        width = HBAR_C_GEV_MM * gamma * math.log(2.0) / length_mm
        return math.sqrt(max(width - decays.dark_gev, 0.0) / decays.unit_gev)

    unseen = sum(decays.widths_gev.get(name, 0.0) for name in FINAL_STATES["invisible"])
    more = decays.unit_gev - 2.0 * unseen  # seen less unseen, at coupling 1
    return Boundaries(
        mass_gev=mass_gev,
        visible_from=at_length(geometry.near_mm),
        escapes_to=at_length(geometry.far_mm),
        invisible_to=math.sqrt(decays.dark_gev / more) if more > 0.0 else math.inf,
    )


def regime_map(
    target: Target,
    masses_gev: FloatArray,
    couplings: FloatArray,
    geometry: Geometry,
    boost: Callable[[float], float],
) -> RegimeMap:
    """Shares of the regimes on a grid of masses and couplings; see :func:`shares`.

    Parameters
    ----------
    target
        The mediator.
    masses_gev, couplings
        Rising and above zero. Shapes [mass], [coupling].
    geometry
        Distances.
    boost
        Momentum over mass, of a mass in GeV.
    """
    found = np.full((len(REGIMES), len(masses_gev), len(couplings)), math.nan)
    for k, mass in enumerate(masses_gev.tolist()):
        try:
            decays, gamma = target.decays(mass), boost(mass)
        except OptionError:
            continue  # the map has a gap there, which says that nothing is known
        found[:, k] = shares(decays, couplings, geometry.near_mm, gamma)
    return RegimeMap(
        geometry=geometry, masses_gev=masses_gev, couplings=couplings, shares=found
    )  # fmt: skip
