"""Exclusion contours of a scan over two masses, or of the best expected of several scans.

A hypothesis is excluded where its upper limit on the signal strength lies below 1, or, what is the
same, where its CLs at signal strength 1 lies below 1 - CL. The logarithm of one of the two is
linear in each triangle of a Delaunay triangulation; see :mod:`darkstats.scan.triangulation`.

One triangulation serves the observed and the expected contours. Its hypotheses have all numbers
that are needed; so the contours of a band, whose numbers are in order at each hypothesis, cannot
cross.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError, UnknownNameError
from darkstats.report.contour_plane import (
    Condition,
    PlaneAxis,
    Values,
    check_plane,
    plane_axes,
    values_of,
)
from darkstats.report.contour_results import ContourPoint, Contours, Curve, LeftOut, Region
from darkstats.report.scan_exports import BAND_NAMES
from darkstats.scan.contours import contour
from darkstats.scan.triangulation import Triangulation, triangulate

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.report.scan_table import ScanTable

__all__ = ["exclusion_contours"]

_BAND_WORDS = ("−2σ", "−1σ", "median", "+1σ", "+2σ")
_SAME = 1e-9  # relative: of what two ways to say "excluded" may differ by rounding


@dataclass(frozen=True, slots=True)
class _Row:
    """A hypothesis in one scan, at its place there: observed and expected numbers, or why none."""

    name: str
    region: int
    place: int
    values: Values
    numbers: FloatArray
    reason: str | None


def exclusion_contours(
    tables: Sequence[ScanTable],
    names: Sequence[str],
    *,
    quantity: str = "mu",
    axes: tuple[str | None, str | None] = (None, None),
    where: Sequence[str] = (),
    ignored: Sequence[str] = (),
    failed: str = "point",
    predicted: bool = False,
    digests: Sequence[str | None] = (),
) -> Contours:
    """Return observed and expected exclusion contours in a plane of two masses.

    Parameters
    ----------
    tables, names
        Scans over the same labels with the same method, and what each is called. Of several, each
        hypothesis takes all its numbers from the scan in which its median expected limit is lowest.
    quantity
        One of :data:`darkstats.report.methods.QUANTITIES`.
    axes
        Labels or differences of labels; both None for the two labels that vary.
    where
        Conditions, ``LABEL=VALUE``.
    ignored
        Labels that may have any value.
    failed
        What is left out where one of several scans has no number: the ``"point"``, because nobody
        knows whether that scan would be the strongest; or that ``"scan"`` alone.
    predicted
        Whether the cross section of signal strength 1, where scans state one, is that of a model:
        else it is a unit, and nothing is excluded where a limit is below it.
    digests
        SHA-256 of the inputs of each scan, for the record.

    Raises
    ------
    OptionError
        The scans do not belong together, their hypotheses lie in no plane, or the quantity is not
        one of theirs.
    UnknownNameError
        There is no such label.
    """
    first = tables[0]
    _check_scans(tables, names, quantity, predicted=predicted)
    labels = tuple(first.label_words)
    for one in ignored:
        _known(one, labels)
    conditions = tuple(Condition.read(text, labels) for text in where)
    level = 1.0 if quantity == "mu" else 1.0 - first.cl
    found, elsewhere = _rows(tables, names, quantity, conditions)
    some = [rows[0] for rows in found]
    plane = plane_axes(axes, first, [row.values for row in some], ignored)
    check_plane(plane, labels, [(row.name, row.values) for row in some], ignored)
    chosen, left_out, undecided = _chosen(found, names, plane, failed)
    if len(chosen) < 3:
        raise OptionError(_too_few(len(chosen), left_out))
    grid = triangulate(*([axis.at(row.values) for row in chosen] for axis in plane))
    ordered = [chosen[k] for k in grid.order]
    logs = np.log(np.array([row.numbers for row in ordered]).T) - np.log(level)  # no overflow
    in_plane = [row.region for rows in found for row in rows]
    picked = [row.region for row in ordered]
    return Contours(
        regions=tuple(
            Region(
                name=name,
                table=table,
                inputs_sha256=digests[k] if digests else None,
                in_plane=in_plane.count(k),
                chosen=picked.count(k),
            )
            for k, (table, name) in enumerate(zip(tables, names, strict=True))
        ),
        quantity=quantity,
        level=level,
        axes=plane,
        where=conditions,
        ignored=tuple(ignored),
        points=tuple(
            _point(row, place) for row, place in zip(ordered, grid.places.tolist(), strict=True)
        ),
        left_out=tuple(left_out),
        elsewhere=elsewhere,
        incomplete=tuple(rows[0].name for rows in found if len(rows) < len(tables)),
        undecided=tuple(undecided),
        grid=grid,
        logs=logs,
        curves=_curves(grid, logs, _observed_name(tables)),
        warnings=(
            *_few_events(ordered, tables),
            *_predictions(tables, names),
            *_units(tables),
            *_passed_over(undecided),
            *_contradictions(ordered, tables, quantity),
            *_carried(ordered, tables),
        ),
    )


def _known(label: str, labels: Sequence[str]) -> None:
    if label not in labels:
        raise UnknownNameError("label", label, tuple(labels))


def _predictions(tables: Sequence[ScanTable], names: Sequence[str]) -> Iterator[str]:
    """Cross sections that are taken for predictions, as was said."""
    for table, name in zip(tables, names, strict=True):
        size_pb = table.reference_cross_section_pb
        if size_pb is not None:
            yield (
                f"{name}: signal strength 1 is {size_pb:g} pb, taken for the cross section that a "
                "model predicts at each hypothesis, as was said (--predicted)"
            )


def _check_scans(
    tables: Sequence[ScanTable], names: Sequence[str], quantity: str, *, predicted: bool
) -> None:
    """Refuse scans whose numbers are no exclusion, or that do not belong together."""
    first = tables[0]
    if len(set(names)) < len(names):
        raise OptionError(
            f"the scans are called {', '.join(names)}: tell them apart with NAME=SCAN"
        )
    for table, name in zip(tables, names, strict=True):
        if table.reference_cross_section_pb is not None and not predicted:
            raise OptionError(
                f"{name}: signal strength 1 is a reference cross section of "
                f"{table.reference_cross_section_pb:g} pb, a unit and no prediction: nothing is "
                "excluded where a limit is below 1; if a model predicts it, as that of --sigma may "
                "be: --predicted"
            )
        if quantity == "cls" and table.method != "cls":
            raise OptionError(
                f"{name}: the scan has limits of method {table.method!r}, not of CLs: interpolate "
                "mu"
            )
        for what in ("method", "cl", "calculator", "prior"):
            if getattr(table, what) != getattr(first, what):
                raise OptionError(
                    f"{names[0]} and {name} do not belong together: {what} is "
                    f"{getattr(first, what)} and {getattr(table, what)}"
                )
        if set(table.label_words) != set(first.label_words):
            raise OptionError(
                f"{names[0]} and {name} do not belong together: their labels are "
                f"{', '.join(first.label_words)} and {', '.join(table.label_words)}"
            )
    blind = [bool(np.isnan(_numbers(table, quantity)[0]).all()) for table in tables]
    if len(set(blind)) > 1:
        raise OptionError(
            f"{names[blind.index(True)]} has no observed numbers, {names[blind.index(False)]} has: "
            "give scans that are all blind, or none"
        )


def _numbers(table: ScanTable, quantity: str) -> FloatArray:
    """What is interpolated: observed, then expected. Shape [6, point]."""
    if quantity == "cls":
        return np.vstack([table.cls_observed, table.cls_expected])
    limits = table.limits_on("signal_strength")
    found = np.vstack([limits.observed, limits.expected])
    held = limits.low_counts
    # asymptotic limits below that of no event at all are none; beside them stands what holds
    return found if held is None else np.where(np.isfinite(held).any(axis=0), held, found)


def _rows(
    tables: Sequence[ScanTable],
    names: Sequence[str],
    quantity: str,
    conditions: Sequence[Condition],
) -> tuple[list[list[_Row]], int]:
    """Hypotheses of the plane, each in all scans that have it, and how many lie elsewhere."""
    labels = tuple(tables[0].label_words)
    found: dict[tuple[Any, ...], list[_Row]] = {}
    elsewhere = set()
    for region, table in enumerate(tables):
        numbers = _numbers(table, quantity)
        blind = bool(np.isnan(numbers[0]).all())
        for k, values in enumerate(values_of(table)):
            key = tuple(values[label] for label in labels)
            if not all(condition.holds(values) for condition in conditions):
                elsewhere.add(key)
                continue
            rows = found.setdefault(key, [])
            if rows and rows[-1].region == region:
                raise OptionError(
                    f"{names[region]}: {rows[-1].name} and {table.points[k]} have the same values"
                )
            reason = _lacking(table, k, numbers[:, k], quantity, blind=blind)
            rows.append(_Row(table.points[k], region, k, values, numbers[:, k], reason))
    if not found:
        raise OptionError(
            f"no hypothesis has {' and '.join(one.text for one in conditions)}; "
            f"{_what_there_is(tables[0], conditions)}"
        )
    return list(found.values()), len(elsewhere)


def _what_there_is(table: ScanTable, conditions: Sequence[Condition]) -> str:
    """Values of what the conditions are about, most frequent first."""
    said = []
    for condition in conditions:
        counts: dict[Any, int] = {}
        for values in values_of(table):
            found = condition.of(values)
            if found is not None:
                counts[found] = counts.get(found, 0) + 1
        common = sorted(counts, key=lambda value: -counts[value])[:4]
        shown = [one if isinstance(one, str) else f"{float(one):g}" for one in common]
        name = condition.text.rpartition("=")[0].strip()
        said.append(f"{name} is, most often first, {', '.join(shown) or 'no number'}")
    return "; ".join(said)


def _lacking(
    table: ScanTable, k: int, numbers: FloatArray, quantity: str, *, blind: bool
) -> str | None:
    """Why a hypothesis has not all numbers that contours need; None where it has."""
    if table.failed[k]:
        return " ".join((table.reasons[k] or "failed").split())
    what = "upper limit" if quantity == "mu" else "CLs at signal strength 1"
    held = table.limits_on("signal_strength").low_counts
    if quantity == "cls" and held is not None and np.isfinite(held[:, k]).any():
        return (
            "its asymptotic limit or band lies below that of no event at all and does not hold; "
            "what does is known for the limit (--interpolate mu)"
        )
    for name, value in zip(("observed", *_BAND_WORDS), numbers.tolist(), strict=True):
        if name == "observed" and blind:
            continue
        kind = "observed" if name == "observed" else f"expected ({name})"
        if not np.isfinite(value):
            return f"has no {kind} {what}"
        if value <= 0.0:
            return f"its {kind} {what} is {value:g}, which has no logarithm"
    if (np.diff(numbers[1:]) < 0.0).any():
        return f"its expected {what} does not rise from −2σ to +2σ"
    return None


def _chosen(
    found: Sequence[Sequence[_Row]],
    names: Sequence[str],
    plane: tuple[PlaneAxis, PlaneAxis],
    failed: str,
) -> tuple[list[_Row], list[LeftOut], list[LeftOut]]:
    """Take each hypothesis from the scan with the lowest median expected number.

    Returns the rows that are taken, failures of hypotheses that are left out, and failures of
    single scans where the others decide.
    """
    chosen: list[_Row] = []
    left_out: list[LeftOut] = []
    undecided: list[LeftOut] = []
    for rows in found:
        good = [row for row in rows if row.reason is None]
        take = bool(good) and (failed == "scan" or len(good) == len(rows))
        (undecided if take else left_out).extend(
            LeftOut(
                name=row.name,
                region=names[row.region],
                place=(float(plane[0].at(row.values)), float(plane[1].at(row.values))),
                reason=row.reason,
            )
            for row in rows
            if row.reason is not None
        )
        if take:
            chosen.append(min(good, key=lambda row: (float(row.numbers[3]), row.region)))
    return chosen, left_out, undecided


def _too_few(n: int, left_out: Sequence[LeftOut]) -> str:
    words = f"{n or 'no'} hypotheses of the plane have all numbers: a contour needs three"
    if left_out:
        one = left_out[0]
        words += f"; the first of {len(left_out)} without, {one.name} of {one.region}: {one.reason}"
    return words


def _point(row: _Row, place: Sequence[float]) -> ContourPoint:
    observed, *expected = row.numbers.tolist()
    return ContourPoint(
        name=row.name,
        values={
            label: value if isinstance(value, str) else float(value)
            for label, value in row.values.items()
        },
        place=(place[0], place[1]),
        region=row.region,
        observed=None if np.isnan(observed) else observed,
        expected=tuple(expected),
    )


def _observed_name(tables: Sequence[ScanTable]) -> str:
    """What observed numbers are called: those of simulated data not without saying so."""
    if all(one.is_asimov for one in tables):
        return tables[0].observed_name
    mixed = any(one.simulated or one.is_asimov for one in tables)
    return "observed (simulated data)" if mixed else tables[0].observed_name


def _curves(grid: Triangulation, logs: FloatArray, observed: str) -> tuple[Curve, ...]:
    keys = ("observed", *(f"expected_{name}" for name in BAND_NAMES))
    words = (observed, *(f"expected, {name}" for name in _BAND_WORDS))
    found = []
    for key, said, values in zip(keys, words, logs, strict=True):
        if np.isnan(values).any():
            found.append(
                Curve(key=key, words=said, excluded=None, pieces=(), reason="the scans are blind")
            )
            continue
        pieces, excluded = contour(grid, values), int(np.count_nonzero(values < 0.0))
        reason = None
        if excluded == 0:
            reason = "no hypothesis is excluded"
        elif excluded == len(values):
            reason = "all hypotheses are excluded: the contour lies outside the grid"
        elif not pieces:
            reason = "all hypotheses are excluded but for single ones exactly on the contour"
        found.append(Curve(key=key, words=said, excluded=excluded, pieces=pieces, reason=reason))
    return tuple(found)


def _few_events(rows: Sequence[_Row], tables: Sequence[ScanTable]) -> list[str]:
    """Say where limits that hold for few events stand beside asymptotic ones."""
    found = []
    for row in rows:
        held = tables[row.region].limits["signal_strength"].low_counts
        if held is not None and np.isfinite(held[:, row.place]).any():
            found.append(row.name)
    if not found:
        return []
    return [
        f"{len(found)} of {len(rows)} hypotheses have limits for few events in the place of "
        f"asymptotic ones, and their neighbours may have none: pieces about {found[0]} and others "
        "may come of that; compare with a scan by toys"
    ]


def _units(tables: Sequence[ScanTable]) -> list[str]:
    """Say what signal strength 1 is where somebody said it: the contour lies there."""
    said = {
        one.conversion.words: None
        for table in tables
        for one in table.limits.values()
        if one.conversion is not None
    }
    return [
        f"the contour is that of the signal as it was simulated, not of a coupling: {words}"
        for words in said
    ]


def _passed_over(undecided: Sequence[LeftOut]) -> list[str]:
    """Say for how many hypotheses scans without a number were passed over."""
    if not undecided:
        return []
    n, one = len({failure.place for failure in undecided}), undecided[0]
    return [
        f"at {n} hypotheses a scan has no number and the others decide, as if it were not the "
        f"strongest; the first of them {one.name} of {one.region}: {one.reason}"
    ]


def _carried(rows: Sequence[_Row], tables: Sequence[ScanTable]) -> list[str]:
    """Say how many hypotheses carry warnings of their scan, by what is said of the first."""
    found = [(row.name, tables[row.region].warnings[row.place]) for row in rows]
    said = [(name, texts[0]) for name, texts in found if texts]
    if not said:
        return []
    return [
        f"{len(said)} of {len(rows)} hypotheses carry warnings in their scans, the first of them "
        f"{said[0][0]}: {said[0][1]}"
    ]


def _contradictions(rows: Sequence[_Row], tables: Sequence[ScanTable], quantity: str) -> list[str]:
    """Say where limit and CLs do not agree on what is excluded, which is one question."""
    if tables[0].method != "cls":
        return []
    other = "cls" if quantity == "mu" else "mu"
    numbers = [_numbers(table, other) for table in tables]
    level = {"mu": 1.0, "cls": 1.0 - tables[0].cl}
    found = []
    for row in rows:
        table, k = tables[row.region], row.place
        held = table.limits_on("signal_strength").low_counts
        if held is not None and np.isfinite(held[:, k]).any():
            continue
        for which, name in ((0, table.observed_name), (3, "median expected")):
            sides = [
                (row.numbers[which], level[quantity]),
                (numbers[row.region][which, k], level[other]),
            ]
            clear = all(abs(number - edge) > _SAME * edge for number, edge in sides)
            below = [number < edge for number, edge in sides]
            if clear and below[0] != below[1]:
                found.append(f"{row.name} ({name})")
    if not found:
        return []
    return [
        f"limit and CLs do not agree on whether {found[0]} is excluded"
        + (f", nor for {len(found) - 1} more" if len(found) > 1 else "")
        + ": look at its record; the exclusion may have several edges in the signal strength"
    ]
