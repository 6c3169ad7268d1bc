"""How many signals a search keeps, of particles that live for a while.

Decays at a distance d along the flight of a particle with momentum p and mass m follow
``exp(-d / L) / L`` with ``L = p / m * c tau``. A search that takes decays between two distances
keeps ``exp(-d1 / L) - exp(-d2 / L)`` of them; what else a lifetime does to the efficiency may stand
in a table against c tau.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.simulation.decay_length import decay_probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray

__all__ = ["DecayWindow", "LifetimeTable", "Momenta", "distances_mm", "tables_by_mass"]


def distances_mm(text: str, like: str) -> tuple[float, float]:
    """Read two distances joined by a colon, mm.

    Raises
    ------
    OptionError
        It is no pair of numbers; ``like`` shows some that are.
    """
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise OptionError(f"{text!r}: write distances in mm such as {like}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayWindow:
    """Distances along the flight between which a decay is taken.

    Parameters
    ----------
    from_mm, to_mm
        Ends, mm; the second may be infinite: what decays beyond the first, or never.
    """

    from_mm: float
    to_mm: float

    def __post_init__(self) -> None:
        """Check that they rise.

        Raises
        ------
        OptionError
            They do not, or the first is below zero.
        """
        if not 0.0 <= self.from_mm < self.to_mm or (self.from_mm == 0.0 == 1.0 / self.to_mm):
            raise OptionError(
                f"decays from {self.from_mm:g} to {self.to_mm:g} mm: give two rising distances, "
                "and not all of them"
            )

    @classmethod
    def parse(cls, text: str) -> DecayWindow:
        """Read ``0:9``, mm; ``1250:inf`` for what decays beyond, or never.

        Raises
        ------
        OptionError
            It is no pair of distances.
        """
        low, high = distances_mm(text, "0:9 or 1250:inf")
        return cls(from_mm=low, to_mm=high)

    @property
    def words(self) -> str:
        """In words."""
        if math.isinf(self.to_mm):
            return f"decays beyond {self.from_mm:g} mm, or never"
        return f"decays between {self.from_mm:g} and {self.to_mm:g} mm"

    def kept(self, ctau_mm: FloatArray, momentum_over_mass: float) -> FloatArray:
        """Fraction of decays within. Shape of ``ctau_mm``, which may be infinite.

        Examples
        --------
        >>> window = DecayWindow(from_mm=0.0, to_mm=10.0)
        >>> window.kept(np.array([1e-9, np.inf]), 1.0)
        array([1., 0.])
        """
        length_mm = momentum_over_mass * np.asarray(ctau_mm, dtype=float)
        return decay_probability(self.from_mm, self.to_mm, length_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimeTable:
    """A quantity against c tau: between two rows, linear in log(c tau); never beyond them.

    Parameters
    ----------
    ctau_mm
        Rising. Shape [row].
    values
        Above zero or zero. Shape [row].
    is_log
        Whether the logarithm of the value is what is linear.
    """

    ctau_mm: tuple[float, ...]
    values: tuple[float, ...]
    is_log: bool = False

    def __post_init__(self) -> None:
        """Check the columns.

        Raises
        ------
        OptionError
            Fewer than two rows, lifetimes that do not rise, or values that are none.
        """
        if len(self.ctau_mm) < 2 or len(self.ctau_mm) != len(self.values):
            raise OptionError("a table against c tau has two rows or more")
        rising = self.ctau_mm[0] > 0.0 and all(a < b for a, b in pairwise(self.ctau_mm))
        if not rising or not math.isfinite(self.ctau_mm[-1]):
            raise OptionError("a table against c tau has rising lifetimes above zero, in mm")
        low = 1e-300 if self.is_log else 0.0
        if not all(low <= value < math.inf for value in self.values):
            raise OptionError("a table against c tau has numbers above zero")

    def at(self, ctau_mm: FloatArray) -> FloatArray:
        """Values at lifetimes; ``nan`` beyond the rows. Shape of ``ctau_mm``."""
        values = np.log(self.values) if self.is_log else np.array(self.values)
        x = np.asarray(ctau_mm, dtype=float)
        with np.errstate(divide="ignore"):
            found = np.interp(
                np.log(x), np.log(self.ctau_mm), values, left=math.nan, right=math.nan
            )
        return np.asarray(np.exp(found) if self.is_log else found)


def tables_by_mass(
    masses_gev: Sequence[float], ctau_mm: Sequence[float], limits: Sequence[float | None]
) -> list[tuple[float, LifetimeTable | None]]:
    """Limits of each mass against c tau, by rising mass; one with fewer than two has none.

    Parameters
    ----------
    masses_gev, ctau_mm, limits
        One row each, in any order; ``None`` is no limit.

    Raises
    ------
    OptionError
        A mass has a lifetime twice, or a value that is none; names the mass.
    """
    rows: dict[float, list[tuple[float, float]]] = {}
    for mass, ctau, limit in zip(masses_gev, ctau_mm, limits, strict=True):
        known = rows.setdefault(mass, [])
        if limit is not None:
            known.append((ctau, limit))
    found: list[tuple[float, LifetimeTable | None]] = []
    for mass, known in sorted(rows.items()):
        if len(known) < 2:
            found.append((mass, None))
            continue
        times, values = zip(*sorted(known), strict=True)
        try:
            found.append((mass, LifetimeTable(ctau_mm=times, values=values, is_log=True)))
        except OptionError as error:
            raise OptionError(f"at {mass:g} GeV: {error}") from None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Momenta:
    """Momenta of the signals that a search takes where they are prompt, at one mass or several.

    Parameters
    ----------
    masses_gev
        Rising; empty where the momenta are those of all masses.
    momenta_gev, weights
        Of each mass: above zero, and shares of the signals, not all zero. Shapes [mass][momentum].
    """

    masses_gev: tuple[float, ...]
    momenta_gev: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        OptionError
            A momentum or a mass is not above zero, or a weight below it; or all weights are zero.
        """
        for momenta, weights in zip(self.momenta_gev, self.weights, strict=True):
            if not all(0.0 < one < math.inf for one in momenta):
                raise OptionError("momenta are above zero, in GeV")
            if not all(0.0 <= one < math.inf for one in weights) or not sum(weights) > 0.0:
                raise OptionError("weights of momenta are not negative, and not all zero")
        rising = all(a < b for a, b in pairwise((0.0, *self.masses_gev)))
        if not rising or not all(map(math.isfinite, self.masses_gev)):
            raise OptionError("masses above zero rise from one spectrum of momenta to the next")

    @property
    def words(self) -> str:
        """How many, in words."""
        n = max(map(len, self.momenta_gev))
        if not self.masses_gev:
            return f"{n} momenta"
        return f"up to {n} momenta at each of {len(self.masses_gev)} masses"

    def kept(self, window: DecayWindow, ctau_mm: FloatArray, mass_gev: float) -> FloatArray:
        """Fraction of decays within a window, over all momenta. Shape of ``ctau_mm``.

        Between two masses it is linear in the logarithm of the mass.

        Raises
        ------
        OptionError
            The mass lies beyond those of the spectra.
        """
        shares = [
            sum(
                (weight / sum(weights)) * window.kept(ctau_mm, momentum / mass_gev)
                for momentum, weight in zip(momenta, weights, strict=True)
            )
            for momenta, weights in self._beside(mass_gev)
        ]
        if len(shares) == 1:
            return np.asarray(shares[0])
        k = self._place(mass_gev)
        low, high = self.masses_gev[k : k + 2]
        above = math.log(mass_gev / low) / math.log(high / low)
        return np.asarray((1.0 - above) * shares[0] + above * shares[1])

    def _place(self, mass_gev: float) -> int:
        """Number of the last mass that is not above one."""
        return max(k for k, one in enumerate(self.masses_gev) if one <= mass_gev)

    def _beside(self, mass_gev: float) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
        """The spectrum of a mass, or those of the two masses that it lies between."""
        spectra = list(zip(self.momenta_gev, self.weights, strict=True))
        if not self.masses_gev:
            return spectra
        low, high = self.masses_gev[0], self.masses_gev[-1]
        if not low <= mass_gev <= high:
            raise OptionError(
                f"{mass_gev:g} GeV lies beyond the momenta, which are those of {low:g} to {high:g} "
                "GeV"
            )
        k = self._place(mass_gev)
        return spectra[k : k + 1] if self.masses_gev[k] == mass_gev else spectra[k : k + 2]
