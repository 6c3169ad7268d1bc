"""A recast limit as a record (``darkstats.recast/1``), as CSV and as a table for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from darkstats.report.numbers import MISSING, number, percent
from darkstats.report.provenance import made_by
from darkstats.report.records import SCHEMAS
from darkstats.report.writing import csv_text, plain
from darkstats.shown import Shown

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.reinterpret.recasts import RecastPoint
    from darkstats.reinterpret.regimes import Boundaries, Geometry
    from darkstats.report.constraints.curve import Constraint
    from darkstats.signals.mediators import Mediator

__all__ = [
    "CURVES",
    "Comparison",
    "GivenLimit",
    "Recast",
    "compare",
    "recast_columns",
    "recast_csv",
    "recast_record",
    "recast_sheet",
    "regime_columns",
]

Record = dict[str, Any]

#: Names of curves: what was observed, and the five expected limits.
CURVES = ("observed", "minus2", "minus1", "median", "plus1", "plus2")
_ROWS = 24
_STATUSES = ("excluded", "not excluded", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLimit:
    """What is recast.

    Parameters
    ----------
    source, sha256
        File, and digest of its bytes.
    words
        What the limit is.
    cl, level
        Level, and the same in words.
    quantity, unit
        Coupling or rate, and its unit; None where it has no dimension.
    simulated
        Whether the counts behind it are simulated; None where nothing says.
    """

    source: str
    sha256: str
    words: str
    cl: float
    level: str
    quantity: str
    unit: str | None
    simulated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A recast beside a published one.

    Parameters
    ----------
    constraint
        The published one, on the same coupling.
    rows
        Mass in GeV, lowest excluded coupling here, and there.
    reason
        Why there are none; None where there are.
    """

    constraint: Constraint
    rows: tuple[tuple[float, float, float], ...] = field(repr=False)
    reason: str | None = None

    @property
    def median_ratio(self) -> float | None:
        """Median of ours over theirs; None without a row."""
        found = sorted(ours / theirs for _, ours, theirs in self.rows)
        if not found:
            return None
        half = len(found) // 2
        return found[half] if len(found) % 2 else 0.5 * (found[half - 1] + found[half])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Recast(Shown):
    """A limit on one mediator, made of that on another.

    Parameters
    ----------
    limit
        What was recast.
    target, source
        Mediators; no source where the limit is on a rate.
    curves
        By name of ``CURVES``, in the order of the masses.
    search
        Production, final state, lifetimes: words by key.
    settings
        The same as numbers and names, for records.
    assumptions
        What the recast rests on.
    comparisons
        Published recasts beside it.
    warnings
        What a reader has to know.
    geometry, boundaries
        Couplings between visible, invisible and long-lived by mass, where they are asked for.
    """

    in_a_line: ClassVar = "title masses warnings"

    limit: GivenLimit
    target: Mediator
    source: Mediator | None
    curves: Mapping[str, tuple[RecastPoint, ...]] = field(repr=False)
    search: Mapping[str, str]
    settings: Mapping[str, Any] = field(repr=False)
    assumptions: tuple[str, ...]
    comparisons: tuple[Comparison, ...] = ()
    warnings: tuple[str, ...] = ()
    geometry: Geometry | None = None
    boundaries: tuple[Boundaries, ...] = ()

    @property
    def title(self) -> str:
        """From what to what."""
        first = self.limit.quantity if self.source is None else self.source.words
        return f"{first} recast to {self.target.words}"

    @property
    def masses(self) -> str:
        """How many masses of the first curve have which status."""
        return ", ".join(f"{self.count(status)} {status}" for status in _STATUSES)

    @property
    def first(self) -> tuple[RecastPoint, ...]:
        """The observed limit, or the median expected one where there is none."""
        return self.curves.get("observed") or self.curves["median"]

    def beside(self, comparisons: tuple[Comparison, ...]) -> Recast:
        """The same with published recasts beside it."""
        return replace(self, comparisons=comparisons)

    def count(self, status: str) -> int:
        """How many masses of the first curve have a status."""
        return sum(point.status == status for point in self.first)


def compare(points: tuple[RecastPoint, ...], cl: float, one: Constraint) -> Comparison:
    """Compare the lowest excluded couplings with a published curve, between its points.

    The logarithm of the published coupling is linear in that of the mass.

    Parameters
    ----------
    points, cl
        Of the recast.
    one
        Curve on the same coupling.
    """
    if one.source.cl is None or not math.isclose(one.source.cl, cl, abs_tol=1e-9):
        known = "no level stated" if one.source.cl is None else percent(one.source.cl)
        reason = f"{known} there and {percent(cl)} here: not compared"
        return Comparison(constraint=one, rows=(), reason=reason)
    rising = all(a <= b for a, b in zip(one.mass_gev, one.mass_gev[1:], strict=False))
    if one.shape != "curve" or not rising or not one.mass_gev[0] > 0.0:
        reason = "an outline has no value at a mass: it is drawn alone"
        return Comparison(constraint=one, rows=(), reason=reason)
    import numpy as np

    x, y = np.log(one.mass_gev), np.log(one.lower)
    rows = tuple(
        (point.mass_gev, point.intervals[0].lower,
         math.exp(float(np.interp(math.log(point.mass_gev), x, y))))
        for point in points
        if point.intervals and one.mass_gev[0] <= point.mass_gev <= one.mass_gev[-1]
    )  # fmt: skip
    return Comparison(constraint=one, rows=rows, reason=None if rows else "no mass in common")


def _point(point: RecastPoint) -> Record:
    found: Record = {
        "mass_gev": point.mass_gev,
        "given": point.given,
        "status": point.status,
        "reason": point.reason,
        "intervals": [
            {
                "lower": one.lower, "lower_reason": one.lower_reason,
                "upper": one.upper, "upper_reason": one.upper_reason,
            }
            for one in point.intervals
        ],
        "ctau_mm": point.ctau_mm,
        "relative_error": point.error,
        "relative_error_reason": point.error_reason,
        "largest_ratio": point.largest,
    }  # fmt: skip
    for key, words in (
        ("given", "a table against c tau"), ("ctau_mm", "nothing is excluded"),
        ("largest_ratio", "asked where nothing is excluded"),
    ):  # fmt: skip
        if found[key] is None:
            found[f"{key}_reason"] = point.reason or words
    return found


def _model(one: Mediator | None) -> Record | None:
    if one is None:
        return None
    return {"name": one.name, "symbol": one.symbol, "unit": one.unit, "note": one.note}


def recast_record(found: Recast, command: str | None) -> Record:
    """Record of a recast (``darkstats.recast/1``)."""
    limit = found.limit
    record: Record = {
        "schema": SCHEMAS["recast"],
        "cl": limit.cl,
        "simulated": limit.simulated,
        "limit": {
            "source": limit.source, "sha256": limit.sha256, "words": limit.words,
            "level": limit.level, "quantity": limit.quantity, "unit": limit.unit,
        },
        "from": _model(found.source),
        "to": _model(found.target),
        "search": dict(found.settings),
        "assumptions": list(found.assumptions),
        "warnings": list(found.warnings),
        "interpolation": "none in the mass; nothing is extrapolated",
        "curves": [
            {"name": name, "points": [_point(p) for p in points]}
            for name, points in found.curves.items()
        ],
        "comparisons": [
            {
                "name": one.constraint.label,
                "source": one.constraint.source.citation,
                "cl": one.constraint.source.cl,
                "median_ratio": one.median_ratio,
                "reason": one.reason,
                "rows": [
                    {"mass_gev": mass, "lower": ours, "published": theirs}
                    for mass, ours, theirs in one.rows
                ],
            }
            for one in found.comparisons
        ],
        "regimes": None if found.geometry is None else {
            "near_mm": found.geometry.near_mm,
            "far_mm": found.geometry.far_mm,
            "boundaries": [_boundaries(one) for one in found.boundaries],
        },
        "provenance": made_by(command),
    }  # fmt: skip
    if found.source is None:
        record["from_reason"] = "the limit is on a rate"
    if found.geometry is None:
        record["regimes_reason"] = "not asked for"
    if limit.simulated is None:
        record["simulated_reason"] = "the limit does not say"
    result: Record = plain(record)
    return result


def _boundaries(one: Boundaries) -> Record:
    return {
        "mass_gev": one.mass_gev,
        "visible_from": one.visible_from,
        "escapes_to": one.escapes_to,
        "invisible_to": one.invisible_to,
        "reason": one.reason,
    }


def regime_columns(rows: Sequence[Boundaries]) -> dict[str, list[Any]]:
    """Couplings between regimes, one row for each mass."""
    records = [_boundaries(one) for one in rows]
    return {key: [record[key] for record in records] for key in records[0]}


def recast_columns(found: Recast) -> dict[str, list[Any]]:
    """One row for each excluded interval of each curve; one for a mass that has none."""
    names = (
        "curve", "mass_gev", "given", "status", "interval", "lower", "lower_reason", "upper",
        "upper_reason", "ctau_mm", "relative_error", "reason",
    )  # fmt: skip
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for curve, points in found.curves.items():
        for point in points:
            for k, one in enumerate(point.intervals or (None,)):
                interval = (
                    (None,) * 5
                    if one is None
                    else (k + 1, one.lower, one.lower_reason, one.upper, one.upper_reason)
                )
                row = (curve, point.mass_gev, point.given, point.status, *interval,
                       point.ctau_mm, point.error, point.reason)  # fmt: skip
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
    return columns


def _facts(found: Recast) -> list[str]:
    limit = found.limit
    unit = f" [{found.target.unit}]" if found.target.unit else ""
    return [
        f"{found.title}: excluded {found.target.symbol}{unit} at {limit.level}",
        f"limit: {limit.words} ({limit.source}, sha256 {limit.sha256})",
        *(f"{key}: {words}" for key, words in found.search.items()),
        *(f"assumed: {words}" for words in found.assumptions),
    ]


def recast_csv(found: Recast) -> str:
    """Return a recast as CSV text; comment lines before the names say what it is."""
    return "".join(f"# {line}\n" for line in _facts(found)) + csv_text(recast_columns(found))


def _words(point: RecastPoint) -> str:
    """Excluded couplings of a mass."""
    if not point.intervals:
        return point.status
    parts = []
    for one in point.intervals:
        left = "≤ " if one.lower_reason else ""
        if one.upper is None:
            parts.append(f"above {left}{number(one.lower)}")
        else:
            right = "≥ " if one.upper_reason else ""
            parts.append(f"{left}{number(one.lower)} – {right}{number(one.upper)}")
    return ", ".join(parts)


def recast_sheet(found: Recast, *, left_out: str = "") -> RenderableType:
    """Excluded couplings by mass, what they rest on, what was refused and why.

    ``left_out`` tells what a submission does not say.
    """
    from darkstats.report.tables import grid, sheet

    points = found.first
    step = max(1, -(-len(points) // _ROWS))
    unit = f" [{found.target.unit}]" if found.target.unit else ""
    given = f" [{found.limit.unit}]" if found.limit.unit not in {None, "1"} else ""
    columns = {
        "m [GeV]": [f"{point.mass_gev:.6g}" for point in points],
        f"limit{given}": [number(point.given) for point in points],
        f"excluded {found.target.symbol}{unit}": [_words(point) for point in points],
        "c tau [mm]": [number(point.ctau_mm, 3) for point in points],
        "hadrons": [
            f"± {number(100.0 * point.error, 2)} %" if point.error else "" for point in points
        ],
    }
    shown_columns = {k: v for k, v in columns.items() if set(v) - {"", MISSING}}
    rows = [list(row) for row in zip(*shown_columns.values(), strict=True)][::step]
    notes = list(found.search.items())
    notes += [("assumed", words) for words in found.assumptions]
    shown = "" if step == 1 else f"; one in {step} is shown, the record has all"
    notes.append(("masses", found.masses + shown))
    for one in found.comparisons:
        ratio = one.median_ratio
        words = one.reason if ratio is None else (
            f"here over there {number(ratio, 3)} in the median of {len(one.rows)} masses"
        )  # fmt: skip
        notes.append((one.constraint.label, str(words)))
    if left_out:
        notes.append(("HEPData", left_out))
    if found.geometry is not None:
        notes.append(
            ("regimes", f"visible within {found.geometry.near_mm:g} mm, escaping beyond "
             f"{found.geometry.far_mm:g} mm: couplings between them stand in the record")
        )  # fmt: skip
    reasons: dict[str, list[float]] = {}
    for point in points:
        if point.reason is not None:
            reasons.setdefault(point.reason, []).append(point.mass_gev)
    warnings = list(found.warnings)
    warnings += [
        f"{masses[0]:.6g} GeV" + (f" and {len(masses) - 1} more" if masses[1:] else "")
        + f": {reason}"
        for reason, masses in list(reasons.items())[:5]
    ]  # fmt: skip
    if len(reasons) > 5:
        warnings.append(f"{len(reasons) - 5} more reasons stand in the record")
    kind = "simulated data · " if found.limit.simulated else ""
    which = "" if "observed" in found.curves else "median expected · "
    return sheet(
        f"{found.title[0].upper()}{found.title[1:]}, {found.limit.level}",
        subtitle=f"{kind}{which}{found.limit.source}",
        tables=[grid(list(shown_columns), rows, left=1)], notes=notes, warnings=warnings,
    )  # fmt: skip
