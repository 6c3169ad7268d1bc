"""Parts that a page is made of: frozen, without any markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from darkstats.report.numbers import BAND_LABELS, number

__all__ = [
    "Axis",
    "Band",
    "Curve",
    "Drawn",
    "Fact",
    "Headline",
    "Mark",
    "Plot",
    "Series",
    "Table",
    "Values",
    "View",
    "band_table",
    "brazil",
]

Values = Sequence[float | None]
_NUMBER = re.compile(r"[<+−-]? ?[\d∞–]\S*( [±(][^a-z]*)?( %| σ)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The number that was asked for: what it is, the number, its unit or context."""

    label: str
    value: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that a reader has to know of a number."""

    label: str
    value: str
    note: str = ""
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of texts; ``head`` counts the columns that name a row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    head: int = 1
    note: str = ""

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, which stand below each other by their last digits."""
        return all(_NUMBER.match(row[column]) for row in self.rows if row[column])


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Title with unit; logarithmic, of whole numbers; ends where they are not those of the data."""

    label: str
    log: bool = False
    whole: bool = False
    low: float | None = None
    high: float | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "label": self.label, "log": self.log, "whole": self.whole, "low": self.low,
            "high": self.high,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A line or points over x; ``look`` names its colour and stroke in the style sheet."""

    label: str
    values: Values
    look: str
    points: bool = False
    line: bool = True
    dash: bool = False
    low: Values | None = None
    high: Values | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "label": self.label, "values": list(self.values), "look": self.look,
            "points": self.points, "line": self.line, "dash": self.dash,
            "low": None if self.low is None else list(self.low),
            "high": None if self.high is None else list(self.high),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What lies between two lines; ``shown`` are the numbers to say of it, by default its ends."""

    label: str
    low: Values
    high: Values
    look: str
    shown: Values | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "label": self.label, "low": list(self.low), "high": list(self.high), "look": self.look,
            "shown": None if self.shown is None else list(self.shown),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line with places of its own on the axis, such as an earlier constraint."""

    label: str
    x: Sequence[float]
    values: Sequence[float]
    look: str
    dash: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "label": self.label, "x": list(self.x), "values": list(self.values),
            "look": self.look, "dash": self.dash,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across the plot: at a value of ``"x"`` or ``"y"``, with words."""

    axis: str
    at: float
    label: str

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {"axis": self.axis, "at": self.at, "label": self.label}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Curves over one axis, that answer the pointer, and the numbers that they show.

    ``steps``: x are the edges of bins, the values those of the bins. ``folded``: it is shown when
    a reader asks for it.
    """

    name: str
    title: str
    summary: str
    x_axis: Axis
    y_axis: Axis
    x: Values
    table: Table
    bands: Sequence[Band] = ()
    series: Sequence[Series] = ()
    curves: Sequence[Curve] = ()
    marks: Sequence[Mark] = ()
    steps: bool = False
    folded: bool = False
    names: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON data, for the script that draws."""
        return {
            "x": list(self.x), "steps": self.steps, "names": list(self.names),
            "xAxis": self.x_axis.plain(), "yAxis": self.y_axis.plain(),
            "bands": [one.plain() for one in self.bands],
            "series": [one.plain() for one in self.series],
            "curves": [one.plain() for one in self.curves],
            "marks": [one.plain() for one in self.marks],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A plot that the server draws: shapes of SVG with words for each, and its numbers.

    ``shapes`` are pairs of a tag and its attributes; ``"text"`` and ``"title"`` among them are
    words.
    """

    name: str
    title: str
    summary: str
    width: float
    height: float
    shapes: Sequence[tuple[str, Mapping[str, str | float]]]
    table: Table
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a page shows of a record."""

    title: str
    lead: str = ""
    headlines: Sequence[Headline] = ()
    facts: Sequence[Fact] = ()
    plots: Sequence[Plot | Drawn] = ()
    tables: Sequence[Table] = ()
    notices: Sequence[str] = ()
    warnings: Sequence[str] = ()
    figures: Sequence[str] = ()
    next_steps: Sequence[str] = field(default_factory=tuple)


def brazil(
    expected: Sequence[Values | None], observed: Values | None, *, what: str = "observed"
) -> tuple[tuple[Band, ...], tuple[Series, ...]]:
    """Bands of one and two standard deviations, the median, and the observed line.

    Parameters
    ----------
    expected
        Five expected values at each x, −2σ to +2σ; ``None`` where there are none.
    observed
        Observed values; ``None`` for a blind result.
    what
        Name of the observed line.
    """
    columns = [[None if row is None else row[k] for row in expected] for k in range(5)]
    bands = (
        Band(label="expected ±2σ", low=columns[0], high=columns[4], look="band2"),
        Band(label="expected ±1σ", low=columns[1], high=columns[3], look="band1"),
    )
    series = [Series(label="expected", values=columns[2], look="expected", dash=True)]
    if observed is not None:
        series.append(Series(label=what, values=observed, look="observed", points=True))
    return bands, tuple(series)


def band_table(
    title: str,
    columns: Sequence[str],
    heads: Sequence[Sequence[str]],
    observed: Values | None,
    expected: Sequence[Values | None],
) -> Table:
    """Table of a Brazil plot."""
    rows = []
    for k, head in enumerate(heads):
        five = expected[k] or (None,) * 5
        shown = [] if observed is None else [number(observed[k])]
        rows.append([*head, *shown, *map(number, five)])
    names = [] if observed is None else ["observed"]
    return Table(
        title=title, head=len(columns), rows=rows,
        columns=[*columns, *names, *(f"expected {one}" for one in BAND_LABELS)],
    )  # fmt: skip
