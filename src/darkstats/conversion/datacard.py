"""What a datacard of CMS Combine says, line by line: values, each with its place.

The format is described in Combine's documentation ("Preparing the datacard", "Automatic statistical
uncertainties") and in the paper on Combine, arXiv:2404.06614.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from darkstats.errors import CardError

__all__ = [
    "AutoStatistics",
    "Column",
    "Datacard",
    "Effect",
    "Gamma",
    "Key",
    "LogNormal",
    "Place",
    "RateFactor",
    "Shape",
    "ShapeRule",
    "Systematic",
]

#: A bin (channel) and a process.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, from 1."""

    source: str
    line: int

    def refuse(self, problem: str, remedy: str = "", *, key: str = "") -> NoReturn:
        """Raise the error of this place.

        Raises
        ------
        CardError
            Always.
        """
        raise CardError(problem, source=self.source, line=self.line, key=key, remedy=remedy)

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A process in a bin.

    Parameters
    ----------
    bin, process
        Names.
    is_signal
        Whether its number is zero or negative.
    rate
        Expected events; None where the card takes them from the template (-1).
    """

    bin: str
    process: str
    is_signal: bool
    rate: float | None

    @property
    def key(self) -> Key:
        """Bin and process."""
        return self.bin, self.process


@dataclass(frozen=True, slots=True)
class LogNormal:
    """``lnN``: ratio of the yield to its nominal value at -1 and at +1 standard deviation."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Shape:
    """``shape``, ``shapeN``: a pair of varied templates.

    Parameters
    ----------
    scale
        The nuisance parameter is multiplied by it before the templates are interpolated.
    logarithmic
        Whether logarithms of the fractions are interpolated (``shapeN``).
    template
        Name of the systematic in the names of the templates.
    otherwise
        Log-normal that takes its place where there are no such templates (``shape?``).
    """

    scale: float
    logarithmic: bool
    template: str
    otherwise: LogNormal | None = None


@dataclass(frozen=True, slots=True)
class Gamma:
    """``gmN``: events of the process for each event of the control region."""

    ratio: float


Effect = LogNormal | Shape | Gamma


@dataclass(frozen=True, slots=True, kw_only=True)
class Systematic:
    """A nuisance parameter.

    Parameters
    ----------
    name, place
        Name, and the line that declares it.
    effects
        What it does, by bin and process.
    count
        Events in the control region of ``gmN``; None for others.
    """

    name: str
    place: Place
    effects: Mapping[Key, Effect]
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateFactor:
    """``rateParam``: a factor on the rate of a process in a bin.

    Parameters
    ----------
    name, place
        Name, and the line that declares it.
    keys
        Where it acts.
    initial
        Value to start from; None for a product.
    bounds
        Range; None where the card gives none.
    factors
        Names of the parameters whose product it is; empty for a free parameter.
    mean, error
        Of the Gaussian constraint that ``param`` gives it; None where it has none.
    """

    name: str
    place: Place
    keys: tuple[Key, ...]
    initial: float | None = None
    bounds: tuple[float, float] | None = None
    factors: tuple[str, ...] = ()
    mean: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoStatistics:
    """``autoMCStats`` of a bin.

    Parameters
    ----------
    threshold
        Effective number of unweighted events up to which each process has a parameter of its own.
    with_signal
        Whether the signal counts where the threshold is tested.
    in_shape
        Whether shape systematics change the yield in the interpolation itself (mode 2).
    """

    threshold: float
    with_signal: bool
    in_shape: bool
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeRule:
    """``shapes``: where the templates of a process in a bin lie; ``*`` stands for all.

    Parameters
    ----------
    process, bin
        Names, or ``*``.
    file
        File of the templates, as the card names it; None for ``FAKE``, a counting experiment.
    nominal, varied
        Names of the histograms, with keywords; ``varied`` is empty where the card gives none.
    channel
        What ``$CHANNEL`` stands for, where the card was renamed; None for the name of the bin.
    """

    process: str
    bin: str
    file: Path | None
    nominal: str
    varied: str
    place: Place
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Datacard:
    """A datacard, checked line by line.

    Parameters
    ----------
    source
        File, or the files that were joined.
    bins
        Names, in order, with the observed events; None where they come from the template.
    columns
        Processes of all bins.
    systematics, rate_factors
        Parameters, in order of their names' first line.
    groups
        Named groups of nuisance parameters.
    frozen
        Parameters that ``nuisance edit freeze`` holds fixed.
    statistics
        By bin.
    shapes
        In order; a later one never repeats bin and process of an earlier one.
    notes
        What was read and has no effect, a sentence each.
    place
        Of the line with the rates, for messages on the card as a whole.
    """

    source: str
    bins: Mapping[str, float | None]
    columns: tuple[Column, ...]
    systematics: tuple[Systematic, ...]
    rate_factors: tuple[RateFactor, ...]
    place: Place
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    frozen: frozenset[str] = frozenset()
    statistics: Mapping[str, AutoStatistics] = field(default_factory=lambda: MappingProxyType({}))
    shapes: tuple[ShapeRule, ...] = ()
    notes: tuple[str, ...] = ()
