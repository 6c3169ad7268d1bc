"""A scan record as arrays: what figures and tables of a scan are made from.

Hypotheses are told apart by labels, of any name, with numbers or words as values. Numbers make
axes, words and what is left make tags: see :func:`darkstats.report.scan_reading.read_scan`.

Nothing is interpolated: a hypothesis that failed, or a limit that does not exist, is ``nan`` in the
arrays, a gap in a figure, an empty cell in a table, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from darkstats.arrays import BoolArray, FloatArray, IndexArray
from darkstats.errors import UnknownNameError
from darkstats.shown import Shown
from darkstats.signals.constants import NARROW, is_too_wide

if TYPE_CHECKING:
    from darkstats.signals.searched import Searched

__all__ = [
    "NOT_NARROW",
    "SCAN_FILE",
    "SCHEMA",
    "Axis",
    "Collision",
    "Conversion",
    "Limits",
    "ScanTable",
    "data_words",
    "is_asimov",
    "too_wide_words",
    "unit_by_name",
]

SCHEMA = "darkstats.scan/1"
#: Name of the record in the folder of a scan.
SCAN_FILE = "scan.json"

#: Units that the end of a label names.
_UNITS = {"_gev": "GeV", "_mev": "MeV", "_tev": "TeV", "_kev": "keV", "_mm": "mm"}
_SAME = 1e-3  # relative difference of two limits that no figure shows
#: What is wrong with a limit on a coupling at which the boson is too wide.
NOT_NARROW = "the signal is that of a narrow boson; the coupling does not hold"
_NO_COUPLING = ("signal_strength", "cross_section")


def is_asimov(data: str) -> bool:
    """Return whether the words of a record on its data say that they are Asimov data."""
    return "asimov data" in data.lower()


def data_words(data: str, simulated: object) -> str:
    """Return what the counts of a record are, in words: empty for observed ones.

    Parameters
    ----------
    data
        What the record says of its data.
    simulated
        Whether it says that they are simulated.
    """
    if is_asimov(data):
        return "Asimov data, simulated" if simulated else "Asimov data"
    return "simulated data" if simulated else ""


def unit_by_name(label: str) -> str | None:
    """Return the unit that the end of a label names, as in ``m_a_gev``; None for none."""
    return next((unit for end, unit in _UNITS.items() if label.lower().endswith(end)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """What collided, for exports: what is not known is None, and is never guessed.

    Parameters
    ----------
    sqrt_s_gev
        Energy in the centre of mass, GeV.
    beams, collaboration, reaction
        In words; the reaction by the rules of HEPData.
    """

    sqrt_s_gev: float | None = None
    beams: str | None = None
    collaboration: str | None = None
    reaction: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what is not known."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What a number that tells hypotheses apart is.

    Parameters
    ----------
    label
        As the patch set has it; a name of a column.
    title
        For figures, where the sidecar gives one.
    unit
        Of the numbers, by the sidecar or by the end of the label; None where neither says it.
    """

    label: str
    title: str | None = None
    unit: str | None = None

    @property
    def name(self) -> str:
        """The label without its unit."""
        end = next((end for end in _UNITS if self.label.lower().endswith(end)), "")
        return self.label[: -len(end)] if end and len(end) < len(self.label) else self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a record says of the model whose coupling is limited.

    Parameters
    ----------
    label
        Axis title, in LaTeX; None for the symbol.
    words
        Where cross sections come from, how they are interpolated, what signal strength 1 is, and
        what is assumed.
    note
        What the author says of it, or the file: a line of a legend.
    constraints_of
        Benchmark whose earlier constraints are on this coupling; None for none.
    """

    label: str | None
    words: str
    note: str
    constraints_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """Upper limits on one quantity, one for each hypothesis of a scan.

    Parameters
    ----------
    key
        ``"signal_strength"``, ``"cross_section"``, or the name of a benchmark.
    symbol, unit
        Of the quantity, in plain characters; no unit where it has no dimension.
    observed
        Shape [point]; ``nan`` where there is none.
    expected
        Shape [5, point], from -2 to +2 standard deviations; ``nan`` where there is none.
    low_counts
        What holds, observed and then expected, where an asymptotic CLs limit or an entry of its
        band lies below that of no event at all: shape [6, point], ``nan`` for other hypotheses.
        None where there is no such hypothesis.
    width_over_mass
        Least width of the boson at the observed limit, or else at the median, over its mass: shape
        [point], ``nan`` where it is not known. None where it is not known of any hypothesis.
    conversion
        Of a coupling of the user's own model; None for others.
    """

    key: str
    symbol: str
    unit: str | None
    observed: FloatArray = field(repr=False)
    expected: FloatArray = field(repr=False)
    low_counts: FloatArray | None = field(default=None, repr=False)
    width_over_mass: FloatArray | None = field(default=None, repr=False)
    conversion: Conversion | None = None

    @property
    def n_low_counts(self) -> int:
        """Hypotheses with an asymptotic limit below that of no event at all."""
        if self.low_counts is None:
            return 0
        return int(np.isfinite(self.low_counts).any(axis=0).sum())

    @property
    def too_wide(self) -> BoolArray:
        """Hypotheses at whose limit the boson is too wide for the coupling to hold. Shape [point].

        The width is judged at the observed limit, or else at the median, for the whole band.
        """
        if self.width_over_mass is None:
            return np.zeros(len(self.observed), dtype=bool)
        return np.asarray(is_too_wide(self.width_over_mass))

    def of(self, chosen: IndexArray) -> Limits:
        """The same for some hypotheses."""
        held, width = self.low_counts, self.width_over_mass
        return replace(
            self,
            observed=self.observed[chosen],
            expected=self.expected[:, chosen],
            low_counts=None if held is None else held[:, chosen],
            width_over_mass=None if width is None else width[chosen],
        )

    def padded(self, n: int) -> Limits:
        """The same with ``n`` further hypotheses that have no number."""

        def more(values: FloatArray) -> FloatArray:
            return np.concatenate([values, np.full((*values.shape[:-1], n), np.nan)], axis=-1)

        held, width = self.low_counts, self.width_over_mass
        return replace(
            self,
            observed=more(self.observed),
            expected=more(self.expected),
            low_counts=None if held is None else more(held),
            width_over_mass=None if width is None else more(width),
        )

    def only(self, where: BoolArray) -> Limits:
        """The same with numbers for these hypotheses alone, and no widths. Shape [point]."""
        held = self.low_counts
        return replace(
            self,
            observed=np.where(where, self.observed, np.nan),
            expected=np.where(where, self.expected, np.nan),
            low_counts=None if held is None else np.where(where, held, np.nan),
            width_over_mass=None,
        )

    @property
    def holding(self) -> FloatArray:
        """Observed, then expected limits; at low counts, those that hold. Shape [6, point]."""
        found = np.vstack([self.observed, self.expected])
        if self.low_counts is None:
            return found
        return np.where(np.isfinite(self.low_counts), self.low_counts, found)

    @property
    def exists(self) -> bool:
        """Whether any hypothesis has a number."""
        return bool(np.isfinite(self.observed).any() or np.isfinite(self.expected).any())

    @property
    def median(self) -> FloatArray:
        """Median expected limit. Shape [point]."""
        return np.asarray(self.expected[2])


def too_wide_words(limits: Limits) -> str:
    """Say at how many hypotheses a coupling does not hold, and why; empty where it always does."""
    wide = limits.too_wide
    if limits.width_over_mass is None or not wide.any():
        return ""
    known = int(np.isfinite(limits.width_over_mass).sum())
    most = float(np.nanmax(limits.width_over_mass))
    return (
        f"at {int(wide.sum())} of {known} limits the width is above {NARROW:g} of the mass, up to "
        f"{most:.3g}, and {NOT_NARROW}"
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ScanTable(Shown):
    """A scan over hypotheses, in the order of their coordinates.

    Parameters
    ----------
    name, title, data
        Of the search, and what its counts are, in words.
    simulated
        Whether the counts are simulated; None where the record does not say.
    axes
        Labels of the coordinates, such as ``("m_a_gev",)``; none where words alone tell
        hypotheses apart.
    axis_words
        Title and unit of each axis.
    coordinates
        Shape [point, axis], in the units of the axes.
    tags
        What else tells hypotheses apart, by label: numbers or words. Shape [point] each.
    points
        Names of the hypotheses.
    failed
        Which hypotheses have no certified result. Shape [point].
    reasons
        Why, for each hypothesis; None where it did not fail.
    warnings
        What is to be said of each hypothesis.
    method, cl, calculator
        Of the limits.
    luminosity_ipb, reference_cross_section_pb
        Integrated luminosity; cross section of signal strength 1. None where the record has none.
    poi_label
        What the signal strength is.
    prior
        Of Bayesian limits, in words; None for others.
    collision
        What collided, as far as the record says it.
    limits
        By key: signal strength, cross section, then couplings in the order of the search.
    mu_hat, p0, significance, signed_significance
        Shape [point]; ``nan`` where there is none.
    expected_spectrum_significance
        Signed Asimov significance of the search's own expected spectrum in each window. Shape
        [point]; ``nan`` where there is none.
    cls_observed, cls_expected
        CLs at signal strength 1, shapes [point] and [5, point], from -2 to +2 standard deviations
        of the outcome; ``nan`` where there is none.
    label_words
        Title and unit of each label, tags included.
    source
        File name, for messages.
    benchmarks
        Names of the benchmarks of the search, in its order.
    searched
        What it looked for; None where the record does not say.
    blind
        Whether data stayed closed.
    left_out
        Coordinates of hypotheses that the search has no sensitivity to. Shape [hypothesis, axis].
    """

    in_a_line: ClassVar = "name title method cl simulated hypotheses"

    name: str
    title: str
    data: str
    simulated: bool | None
    axes: tuple[str, ...]
    axis_words: tuple[Axis, ...] = field(repr=False)
    coordinates: FloatArray = field(repr=False)
    tags: Mapping[str, tuple[float | str, ...]] = field(repr=False)
    points: tuple[str, ...] = field(repr=False)
    failed: np.ndarray[Any, np.dtype[np.bool_]] = field(repr=False)
    reasons: tuple[str | None, ...] = field(repr=False)
    warnings: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    method: str
    cl: float
    calculator: str
    luminosity_ipb: float | None
    reference_cross_section_pb: float | None
    poi_label: str | None
    limits: Mapping[str, Limits] = field(repr=False)
    mu_hat: FloatArray = field(repr=False)
    p0: FloatArray = field(repr=False)
    significance: FloatArray = field(repr=False)
    signed_significance: FloatArray = field(repr=False)
    expected_spectrum_significance: FloatArray = field(repr=False)
    cls_observed: FloatArray = field(repr=False)
    cls_expected: FloatArray = field(repr=False)
    label_words: Mapping[str, Axis] = field(repr=False)
    prior: str | None = None
    collision: Collision = Collision()
    source: str = ""
    benchmarks: tuple[str, ...] = ()
    searched: Searched | None = None
    blind: bool = False
    left_out: FloatArray = field(default_factory=lambda: np.empty((0, 2)), repr=False)

    @property
    def hypotheses(self) -> str:
        """How many have a result, in words."""
        return f"{len(self.points) - int(self.failed.sum())} of {len(self.points)} certified"

    @property
    def dimension(self) -> int:
        """Number of coordinates of a hypothesis."""
        return len(self.axes)

    @property
    def first_coordinate(self) -> FloatArray:
        """First coordinate of each hypothesis. Shape [point]."""
        return np.asarray(self.coordinates[:, 0])

    @property
    def is_told_apart(self) -> bool:
        """Whether no two hypotheses have the same coordinates."""
        return self.dimension > 0 and len(np.unique(self.coordinates, axis=0)) == len(self.points)

    @property
    def is_asimov(self) -> bool:
        """Whether the counts are the expected ones, by what the record says of its data."""
        return is_asimov(self.data)

    @property
    def observed_name(self) -> str:
        """Name of the observed limit: only counts that were observed are called so alone."""
        if self.is_asimov:
            return self.data_words
        return f"observed ({self.data_words})" if self.simulated else "observed"

    @property
    def data_words(self) -> str:
        """What the counts are, in words: empty for observed ones."""
        return data_words(self.data, self.simulated)

    def is_shown(self, limits: Limits) -> bool:
        """Whether a figure shows observed limits: those on Asimov data only off the median."""
        if not self.is_asimov:
            return True
        known = np.isfinite(limits.observed)
        both = limits.observed[known], limits.median[known]
        return not np.allclose(*both, rtol=_SAME, atol=0.0)

    @property
    def couplings(self) -> tuple[str, ...]:
        """Keys of the limits on couplings."""
        return tuple(key for key in self.limits if key not in _NO_COUPLING)

    def limits_on(self, key: str | None = None) -> Limits:
        """Limits on a quantity; by default on the first coupling, else on the cross section.

        Raises
        ------
        UnknownNameError
            The record has none on this quantity.
        """
        if key is None:
            key = next(iter((*self.couplings, *reversed(list(self.limits)))))
        if key not in self.limits:
            raise UnknownNameError("coupling", key, tuple(self.limits))
        return self.limits[key]
