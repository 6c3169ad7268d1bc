"""What an earlier constraint is: a curve or an outline, its coupling, its source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from darkstats.errors import OptionError

__all__ = ["CERTAINTIES", "Constraint", "Shape", "Source", "Statement"]

#: ``curve``: excluded above it, or up to ``upper``. ``outline``: excluded inside of it.
Shape = Literal["curve", "outline"]

#: How sure a value is.
CERTAINTIES = {
    "A": "stated in the text of the publication",
    "B": "read from a figure of the publication, by us or by the named collection",
    "C": "as a user's file gives it; not checked",
}

#: Beyond any collider: such a mass is in another unit than it claims.
LARGEST_MASS_GEV = 1e5


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a constraint comes from.

    Parameters
    ----------
    citation
        Experiment or authors, and journal.
    arxiv
        Number of the preprint, if any.
    cl, method
        Confidence or credibility level in (0, 1), and how the limit was set; None where the source
        does not say.
    read
        How the numbers were read.
    certainty
        One of :data:`CERTAINTIES`.
    file
        Name of the file that was read; empty for the catalogue.
    """

    citation: str
    arxiv: str | None = None
    cl: float | None = None
    method: str | None = None
    read: str = ""
    certainty: str = "C"
    file: str = ""

    def __post_init__(self) -> None:
        if self.cl is not None and not 0.0 < self.cl < 1.0:
            raise OptionError(f"{self.citation}: a level lies between 0 and 1, got {self.cl}")
        if self.certainty not in CERTAINTIES:
            raise OptionError(f"{self.citation}: {self.certainty!r} is none of A, B, C")

    @property
    def level(self) -> str:
        """Level and method in words."""
        if self.cl is None:
            return "level not stated"
        word = "credibility" if (self.method or "").startswith("Bayes") else "CL"
        return f"{100.0 * self.cl:g} % {word}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An excluded region in the plane of mass and coupling.

    Parameters
    ----------
    key, label
        Unique name, and the name to print in a figure.
    couplings
        Benchmarks that it constrains, such as ``("alp_photon",)``.
    unit
        Of the coupling; None where it has no dimension.
    shape
        ``"curve"`` or ``"outline"``.
    mass_gev, lower
        Masses in GeV and couplings. Shape [point], in the order in which they are drawn; a mass of
        zero means that the region begins there.
    upper
        Upper end of the excluded couplings of a curve; None where all above are excluded.
    projection
        Whether this is a sensitivity and not a limit.
    source
        Where it comes from.

    Raises
    ------
    OptionError
        Fewer than two points, values that are not positive and finite, lengths that differ, or
        masses that cannot be in GeV.
    """

    key: str
    label: str
    couplings: tuple[str, ...]
    unit: str | None
    shape: Shape
    mass_gev: tuple[float, ...] = field(repr=False)
    lower: tuple[float, ...] = field(repr=False)
    upper: tuple[float, ...] | None = field(default=None, repr=False)
    projection: bool = False
    source: Source

    def __post_init__(self) -> None:
        columns = [self.mass_gev, self.lower, *([] if self.upper is None else [self.upper])]
        if len(self.mass_gev) < 2 or len({len(column) for column in columns}) > 1:
            lengths = ", ".join(str(len(column)) for column in columns)
            raise OptionError(f"{self.key}: two points or more in each column, got {lengths}")
        if not all(math.isfinite(mass) and mass >= 0.0 for mass in self.mass_gev):
            raise OptionError(f"{self.key}: masses are numbers, zero or above")
        for column in columns[1:]:
            if not all(math.isfinite(value) and value > 0.0 for value in column):
                raise OptionError(f"{self.key}: couplings are positive numbers")
        if max(self.mass_gev) > LARGEST_MASS_GEV:
            raise OptionError(f"{self.key}: {max(self.mass_gev):g} is no mass in GeV")
        if self.upper is not None and self.shape != "curve":
            raise OptionError(f"{self.key}: an outline has no upper end")

    def vertices(self, ceiling: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Masses and couplings of the closed outline of the excluded region.

        Parameters
        ----------
        ceiling
            Coupling to which a curve without upper end is filled.
        """
        if self.shape == "outline":
            return self.mass_gev, self.lower
        if self.upper is not None:
            return (*self.mass_gev, *self.mass_gev[::-1]), (*self.lower, *self.upper[::-1])
        top = max(ceiling, *self.lower)
        return (*self.mass_gev, self.mass_gev[-1], self.mass_gev[0]), (*self.lower, top, top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A published constraint of which only a range is known here: listed, never drawn.

    Parameters
    ----------
    key, label, couplings, source
        As for :class:`Constraint`.
    text
        What was published.
    """

    key: str
    label: str
    couplings: tuple[str, ...]
    text: str
    source: Source
