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

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["DecayWindow", "LifetimeTable", "distances_mm"]


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
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            length = momentum_over_mass * np.asarray(ctau_mm, dtype=float)
            first = np.exp(-self.from_mm / length)
            if math.isinf(self.to_mm):
                return np.asarray(first)
            # 1 - exp(-x) without loss of digits where a particle lives long
            return np.asarray(-first * np.expm1(-(self.to_mm - self.from_mm) / length))


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
