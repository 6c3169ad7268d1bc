"""Exclusion contours as data: regions that were combined, hypotheses, and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from darkstats.report.contour_plane import Condition, PlaneAxis
from darkstats.report.numbers import level_words
from darkstats.scan.contours import Piece
from darkstats.shown import Shown

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.report.scan_table import ScanTable
    from darkstats.scan.triangulation import Triangulation

__all__ = ["ContourPoint", "Contours", "Curve", "LeftOut", "Region"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One of the scans.

    Parameters
    ----------
    name
        What it is called.
    table
        The scan.
    inputs_sha256
        Digest of its inputs, by its record; None where that does not say.
    in_plane, chosen
        Hypotheses in the plane; those whose strongest expected limit is that of this region.
    """

    name: str
    table: ScanTable = field(repr=False)
    inputs_sha256: str | None
    in_plane: int
    chosen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContourPoint:
    """A hypothesis that contours are made from.

    Parameters
    ----------
    name
        Of the hypothesis, in the scan that was chosen.
    values
        By label.
    place
        Position in the plane.
    region
        Which of the scans was chosen.
    observed, expected
        What is interpolated: upper limit on the signal strength, or CLs; None where the scan is
        blind.
    """

    name: str
    values: Mapping[str, float | str]
    place: tuple[float, float]
    region: int
    observed: float | None
    expected: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A hypothesis of the plane that no contour is made from: of which scan, where, and why."""

    name: str
    region: str
    place: tuple[float, float]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One contour, in pieces.

    Parameters
    ----------
    key, words
        ``"observed"``, ``"expected_median"``, ...; the same in words.
    excluded
        Hypotheses that are excluded.
    pieces
        Connected pieces; see :class:`darkstats.scan.contours.Piece`.
    reason
        Why there is no piece; None where there is one.
    """

    key: str
    words: str
    excluded: int | None
    pieces: tuple[Piece, ...] = field(repr=False)
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Contours(Shown):
    """Observed and expected exclusion contours, and what they were made from.

    Parameters
    ----------
    regions
        The scans.
    quantity, level
        One of :data:`darkstats.report.methods.QUANTITIES`; its value on the contour.
    axes, where
        Of the plane, and what holds in it.
    ignored
        Labels that may have any value.
    points
        In the order of the triangulation.
    left_out
        Hypotheses of the plane without a number that is needed.
    elsewhere
        How many hypotheses do not lie in the plane.
    incomplete
        Hypotheses that not all scans have.
    undecided
        Failures of single scans at hypotheses for which the other scans decide, as was asked for.
    grid
        The triangulation.
    logs
        Logarithm of the quantity over its value on the contour: observed (``nan`` where the scans
        are blind), then -2 to +2 standard deviations. Shape [6, point].
    curves
        Observed, then expected, from -2 to +2 standard deviations.
    warnings
        What a reader has to know.
    """

    in_a_line: ClassVar = "title definition excluded warnings"

    regions: tuple[Region, ...]
    quantity: str
    level: float
    axes: tuple[PlaneAxis, PlaneAxis]
    where: tuple[Condition, ...]
    ignored: tuple[str, ...]
    points: tuple[ContourPoint, ...] = field(repr=False)
    left_out: tuple[LeftOut, ...] = field(repr=False)
    elsewhere: int
    incomplete: tuple[str, ...] = field(repr=False)
    undecided: tuple[LeftOut, ...] = field(repr=False)
    grid: Triangulation = field(repr=False)
    logs: FloatArray = field(repr=False)
    curves: tuple[Curve, ...]
    warnings: tuple[str, ...]

    @property
    def table(self) -> ScanTable:
        """The first scan, whose method and level are those of all."""
        return self.regions[0].table

    @property
    def simulated(self) -> bool | None:
        """Whether any counts are simulated; None where no scan says so and one does not say."""
        said = [one.table.simulated for one in self.regions]
        return True if True in said else None if None in said else False

    @property
    def title(self) -> str:
        """Of the search, or of the searches."""
        titles = dict.fromkeys(one.table.title or one.table.name for one in self.regions)
        return "; ".join(titles)

    @property
    def interpolation(self) -> str:
        """What was interpolated, and how, in words."""
        what = {
            "mu": "log of the upper limit on the signal strength",
            "cls": "log of CLs at signal strength 1",
        }[self.quantity]
        names = " and ".join(axis.words.label for axis in self.axes)
        return f"{what}, linear in the triangles of a Delaunay triangulation in {names}"

    @property
    def definition(self) -> str:
        """What is excluded, in words."""
        level = level_words(self.table.method, self.table.cl)
        what = "upper limit on the signal strength" if self.quantity == "mu" else "CLs"
        return f"excluded at {level} where the {what} is below {self.level:g}"

    @property
    def excluded(self) -> str:
        """How many of the hypotheses are excluded, observed and in the median, in words."""
        found = {one.key: one.excluded for one in self.curves}
        words = {"observed": "observed", "expected_median": "expected"}
        known = [f"{said} {found[key]}" for key, said in words.items() if found[key] is not None]
        return f"{', '.join(known)} of {len(self.points)}"

    @property
    def choice(self) -> str | None:
        """Which scan a hypothesis takes its numbers from, in words; None of a single scan."""
        if len(self.regions) < 2:
            return None
        names = ", ".join(one.name for one in self.regions)
        what = "upper limit" if self.quantity == "mu" else "CLs"
        return f"the scan with the lowest median expected {what} at each hypothesis, of {names}"
