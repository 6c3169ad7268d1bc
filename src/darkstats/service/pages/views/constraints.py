"""A scan beside earlier constraints on the same coupling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darkstats.report.numbers import number, percent
from darkstats.service.pages.views.parts import Axis, Curve, Plot, Table, brazil
from darkstats.service.pages.views.scans import axis_words

__all__ = ["constraints_plot"]

_EXPECTED = ("minus2", "minus1", "median", "plus1", "plus2")
_COLOURS = ("c2", "c1", "c4", "c7", "c8", "c9", "c5", "c0")
_WIDE = 20.0

Row = Mapping[str, str]


def constraints_plot(rows: Sequence[Row], record: Mapping[str, object]) -> Plot | None:
    """Limits with the constraints that were drawn beside them; ``None`` where there are none.

    Parameters
    ----------
    rows
        Numbers of the figure ``limits`` of ``plot``.
    record
        Of the scan.
    """
    points = [row for row in rows if row.get("hypothesis")]
    known = [row for row in rows if row.get("constraint_name")]
    labels = record.get("labels")
    if not points or not known or not isinstance(labels, list) or len(labels) != 1:
        return None
    label = str(labels[0])
    if label not in points[0] or "expected_median" not in points[0]:
        return None
    points = sorted(points, key=lambda row: float(row[label]))
    x = [float(row[label]) for row in points]
    expected = [[_value(row.get(f"expected_{name}")) for name in _EXPECTED] for row in points]
    blind = not any(row.get("observed") for row in points)
    observed = None if blind else [_value(row.get("observed")) for row in points]
    bands, series = brazil(expected, observed)
    curves, table = _curves(known)
    return Plot(
        name="constraints", title=f"Beside earlier constraints: {_coupling(record)}",
        summary="What lies above a curve was excluded before, by the source that the table names; "
        "a dashed curve is the upper end of what one excludes.",
        x_axis=Axis(label=axis_words(label), log=max(x) > _WIDE * min(x)),
        y_axis=Axis(label=_coupling(record), log=True), x=x, bands=bands, series=series,
        curves=curves, names=[row["hypothesis"] for row in points], table=table,
    )  # fmt: skip


def _value(text: str | None) -> float | None:
    return float(text) if text else None


def _coupling(record: Mapping[str, object]) -> str:
    points = record.get("points")
    for one in points if isinstance(points, list) else ():
        for name, found in (one.get("couplings") or {}).items():
            return f"coupling {found.get('symbol') or name}"
    return "signal strength"


def _curves(rows: Sequence[Row]) -> tuple[list[Curve], Table]:
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row["constraint_name"], []).append(row)
    curves, told = [], []
    for k, (name, found) in enumerate(by_name.items()):
        look = _COLOURS[k % len(_COLOURS)]
        for end in ("lower", "upper"):
            pairs = sorted(
                (float(row["constraint_mass_gev"]), float(row[f"constraint_{end}"]))
                for row in found if row.get(f"constraint_{end}")
            )  # fmt: skip
            if pairs:
                curves.append(
                    Curve(label=name if end == "lower" else f"{name}, upper end",
                          x=[a for a, _ in pairs], values=[b for _, b in pairs], look=look,
                          dash=end == "upper")
                )  # fmt: skip
        masses = [float(row["constraint_mass_gev"]) for row in found]
        one = found[0]
        level = one.get("constraint_level")
        told.append(
            [name, f"{number(min(masses))} to {number(max(masses))}",
             percent(float(level)) if level else "–", one.get("constraint_method", ""),
             one.get("constraint_source", "")]
        )  # fmt: skip
    columns = ["constraint", "masses [GeV]", "level", "method", "source"]
    return curves, Table(title="Earlier constraints", columns=columns, rows=told)
