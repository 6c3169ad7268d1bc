"""The plane that contours are drawn in: which hypotheses lie in it, and where.

An axis is a label of the hypotheses, or the difference of two: ``m_sb``, ``m_sb - m_n2``. Positions
are rational numbers, so that ``0.3 - 0.1`` is where ``0.2`` is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError, UnknownNameError
from darkstats.report.scan_table import Axis
from darkstats.scan.triangulation import exact

if TYPE_CHECKING:
    from darkstats.report.scan_table import ScanTable

__all__ = [
    "Condition",
    "PlaneAxis",
    "Values",
    "check_plane",
    "difference_of",
    "plane_axes",
    "values_of",
]

#: Values of a hypothesis by label: numbers, exact, or words.
Values = Mapping[str, Fraction | str]

_STRAIGHT = 0.01  # of its range: by how much another label may leave a straight relation
_NAMED = 6  # values that a message lists


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneAxis:
    """One axis of the plane.

    Parameters
    ----------
    words
        What it is, for figures and tables.
    column
        Its name as a column, with the unit where the labels have one.
    label, minus
        The label whose values it shows, and the one that is taken from it; None for none.
    """

    words: Axis
    column: str
    label: str
    minus: str | None = None

    def at(self, values: Values) -> Fraction:
        """Where a hypothesis lies; its labels have numbers, which :func:`plane_axes` checks."""
        first = Fraction(values[self.label])
        return first if self.minus is None else first - Fraction(values[self.minus])


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What holds for the hypotheses of the plane: a label, or a difference, has a value.

    Parameters
    ----------
    text
        As it was given.
    label, minus
        As of an axis.
    value
        Number, exact, or word.
    """

    text: str
    label: str
    minus: str | None = None
    value: Fraction | str = field(repr=False)

    @classmethod
    def read(cls, text: str, labels: Sequence[str]) -> Condition:
        """Read ``LABEL=VALUE`` or ``LABEL-LABEL=VALUE``.

        Raises
        ------
        OptionError
            It is neither.
        UnknownNameError
            There is no such label.
        """
        name, sign, value = text.rpartition("=")
        if not (sign and name.strip() and value.strip()):
            raise OptionError(f"--where {text}: write LABEL=VALUE or LABEL-LABEL=VALUE")
        label, minus = _terms(name, labels)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        known: Fraction | str = exact(number) if math.isfinite(number) else value.strip()
        return cls(text=text, label=label, minus=minus, value=known)

    def of(self, values: Values) -> Fraction | str | None:
        """What a hypothesis has for it; None for a difference of words."""
        first = values[self.label]
        if self.minus is None:
            return first
        second = values[self.minus]
        if isinstance(first, str) or isinstance(second, str):
            return None
        return first - second

    def holds(self, values: Values) -> bool:
        """Whether it holds for a hypothesis."""
        found = self.of(values)
        if isinstance(found, str) and not isinstance(self.value, str):
            return found == self.text.rpartition("=")[2].strip()
        return found == self.value


def _terms(text: str, labels: Sequence[str]) -> tuple[str, str | None]:
    """Take a label, or a difference of two, apart: labels may have a minus sign in them."""
    text = text.strip()
    if text in labels:
        return text, None
    for k, sign in enumerate(text):
        first, second = text[:k].strip(), text[k + 1 :].strip()
        if sign in "-−" and first in labels and second in labels:
            return first, second
    raise UnknownNameError("label", text, tuple(labels))


def values_of(table: ScanTable) -> list[Values]:
    """Values of each hypothesis of a scan by label."""
    columns: dict[str, Sequence[float | str]] = {
        label: table.coordinates[:, k].tolist() for k, label in enumerate(table.axes)
    }
    columns |= table.tags
    return [
        {
            label: value if isinstance(value, str) else exact(value)
            for label, value in zip(columns, row, strict=True)
        }
        for row in zip(*columns.values(), strict=True)
    ]


def plane_axes(
    asked: tuple[str | None, str | None],
    table: ScanTable,
    chosen: Sequence[Values],
    ignored: Sequence[str],
) -> tuple[PlaneAxis, PlaneAxis]:
    """Return the axes that were asked for; by default the two labels whose numbers vary.

    Raises
    ------
    OptionError
        The choice is not clear, or an axis has words, or a difference has two units.
    UnknownNameError
        There is no such label.
    """
    labels = tuple(table.label_words)
    x, y = asked
    if x is None or y is None:
        if x is not None or y is not None:
            raise OptionError("--x and --y stand together: name both axes of the plane")
        varying = [
            label for label in labels if label not in ignored
            and len({values[label] for values in chosen}) > 1
            and not any(isinstance(values[label], str) for values in chosen)
        ]  # fmt: skip
        if len(varying) != 2:
            said = f"the numbers of {', '.join(varying)} vary" if varying else "no number varies"
            raise OptionError(
                f"{table.source or table.name}: a contour needs a plane, and {said}; name its "
                "axes with --x and --y, and choose its hypotheses with --where LABEL=VALUE"
            )
        x, y = varying
    first, second = _axis(x, table, chosen), _axis(y, table, chosen)
    if (first.label, first.minus) == (second.label, second.minus):
        raise OptionError(f"--x {x} --y {y}: the axes of a plane differ")
    return first, second


def difference_of(first: Axis, second: Axis) -> Axis:
    """What the difference of two numbers of the same unit is."""
    titles = first.title or first.name, second.title or second.name
    return Axis(
        label=f"{first.name} - {second.name}",
        title=f"{titles[0]} − {titles[1]}" if first.title or second.title else None,
        unit=first.unit,
    )


def _axis(text: str, table: ScanTable, chosen: Sequence[Values]) -> PlaneAxis:
    label, minus = _terms(text, tuple(table.label_words))
    for one in (label, minus):
        if one is not None and any(isinstance(values[one], str) for values in chosen):
            raise OptionError(f"{one} has words, not numbers: it makes no axis")
    words = table.label_words[label]
    if minus is None:
        return PlaneAxis(words=words, column=label, label=label)
    other = table.label_words[minus]
    if words.unit != other.unit:
        raise OptionError(
            f"{label} is in {words.unit or 'no known unit'}, {minus} in "
            f"{other.unit or 'no known unit'}: there is no difference of the two"
        )
    return PlaneAxis(
        words=difference_of(words, other),
        column=f"{words.name}_minus_{minus}",
        label=label,
        minus=minus,
    )


def check_plane(
    axes: tuple[PlaneAxis, PlaneAxis],
    labels: Sequence[str],
    chosen: Sequence[tuple[str, Values]],
    ignored: Sequence[str],
) -> None:
    """Check that hypotheses lie in one plane: no two at one place, no label that goes its own way.

    Parameters
    ----------
    axes
        Of the plane.
    labels
        All of them.
    chosen
        Name and values of each hypothesis.
    ignored
        Labels that may have any value.

    Raises
    ------
    OptionError
        They do not.
    """
    remedy = "choose the hypotheses of one plane with --where LABEL=VALUE"
    places: dict[tuple[Fraction, Fraction], str] = {}
    for name, values in chosen:
        place = axes[0].at(values), axes[1].at(values)
        other = places.get(place)
        if other is not None:
            at = ", ".join(
                f"{axis.words.label} = {float(value):g}"
                for axis, value in zip(axes, place, strict=True)
            )
            raise OptionError(f"{other} and {name} both lie at {at}; {remedy}")
        places[place] = name
    in_axes = {one for axis in axes for one in (axis.label, axis.minus)}
    for label in labels:
        if label in in_axes or label in ignored:
            continue
        found = list(dict.fromkeys(values[label] for _, values in chosen))
        if len(found) == 1:
            continue
        if any(isinstance(value, str) for value in found) or not _is_straight(
            list(places), [float(values[label]) for _, values in chosen]
        ):
            some = ", ".join(
                value if isinstance(value, str) else f"{float(value):g}" for value in found[:_NAMED]
            )
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            raise OptionError(
                f"the hypotheses lie in no one plane: {label} is {some}{more}, in no straight "
                f"relation to {axes[0].words.label} and {axes[1].words.label}; {remedy}, or let it "
                f"have any value with --ignore {label}"
            )


def _is_straight(places: Sequence[tuple[Fraction, Fraction]], values: Sequence[float]) -> bool:
    """Whether a label is a straight function of the position, but for rounding."""
    at = np.array(places, dtype=float)
    found = np.array(values)
    spread = np.ptp(at, axis=0)
    scaled = (at - at.min(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    matrix = np.column_stack([scaled, np.ones(len(found))])
    plane = np.linalg.lstsq(matrix, found, rcond=None)[0]
    return bool(np.max(np.abs(matrix @ plane - found)) <= _STRAIGHT * np.ptp(found))
