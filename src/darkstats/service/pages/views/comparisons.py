"""Two records in one plot and one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from darkstats.report.numbers import number
from darkstats.service.pages.views.making import view_of
from darkstats.service.pages.views.parts import Curve, Plot, Series, Table, Values

__all__ = ["comparison_plots", "comparison_tables"]

Record = Mapping[str, Any]
_PLAIN = (int, float, str, bool, type(None))


def comparison_plots(records: Sequence[Record], labels: Sequence[str]) -> list[Plot]:
    """Plots that both records have: the first with its band, the second as a line over it."""
    first, second = (
        {one.name: one for one in view_of(record, "").plots if isinstance(one, Plot)}
        for record in records
    )
    return [
        _overlaid(one, second[name]) for name, one in first.items()
        if name in second and second[name].x_axis.label == one.x_axis.label
    ]  # fmt: skip


def _overlaid(one: Plot, other: Plot) -> Plot:
    """The first plot, with the lines of the second over it at places of their own."""
    series = [replace(s, label=f"{s.label}, first") for s in one.series]
    curves = [_curve(other, s) for s in other.series]
    marks = [*one.marks, *(mark for mark in other.marks if mark not in one.marks)]
    x = sorted({v for v in (*one.x, *other.x) if v is not None})
    known = [_known(one, s.values) for s in one.series]
    known += [_known(other, s.values) for s in other.series]
    names = [*(s.label for s in series), *(curve.label for curve in curves)]
    return replace(
        one, series=series, curves=curves, marks=marks, folded=False,
        bands=[replace(band, label=f"{band.label}, first") for band in one.bands],
        summary="The first with its bands; the second as lines over it.",
        table=Table(
            title=one.title, columns=[one.x_axis.label, *names],
            rows=[[number(v), *(number(values.get(v)) for values in known)] for v in x],
        ),
    )  # fmt: skip


def _known(plot: Plot, values: Values) -> dict[float, float]:
    pairs = zip(plot.x, values, strict=False)
    return {x: y for x, y in pairs if x is not None and y is not None}


def _curve(plot: Plot, series: Series) -> Curve:
    known = _known(plot, series.values)
    return Curve(
        label=f"{series.label}, second", x=list(known), values=list(known.values()),
        look="signal", dash=series.dash,
    )  # fmt: skip


def comparison_tables(records: Sequence[Record], labels: Sequence[str]) -> list[Table]:
    """What both records say, and how it differs; points of scans by their names."""
    a, b = records
    rows = []
    for key in dict.fromkeys((*a, *b)):
        one, other = a.get(key), b.get(key)
        if key.endswith("_reason") or key in {"schema", "source"}:
            continue
        if isinstance(one, _PLAIN) and isinstance(other, _PLAIN) and (one, other) != (None, None):
            rows.append([key.replace("_", " "), _text(one), _text(other), _difference(one, other)])
    fields = Table(title="All fields", columns=["", "first", "second", "difference"], rows=rows)
    points = _points_table(a, b)
    return [_headlines_table(records), *([] if points is None else [points]), fields]


def _headlines_table(records: Sequence[Record]) -> Table:
    """What both answers say first."""
    found = [{one.label: one.value for one in view_of(record, "").headlines} for record in records]
    labels = dict.fromkeys(label for one in found for label in one)
    rows = [[label, *(one.get(label, "–") for one in found)] for label in labels]
    return Table(title="Side by side", columns=["", "first", "second"], rows=rows)


def _points_table(a: Record, b: Record) -> Table | None:
    if not (isinstance(a.get("points"), list) and isinstance(b.get("points"), list)):
        return None
    others = {one["name"]: one for one in b["points"]}
    rows = []
    for one in a["points"]:
        other = others.get(one["name"])
        if other is None:
            continue
        x, y = one.get("observed"), other.get("observed")
        medians = [(p.get("expected") or [None] * 5)[2] for p in (one, other)]
        rows.append(
            [one["name"], number(x), number(y), _difference(x, y), number(medians[0]),
             number(medians[1]), _difference(*medians)]
        )  # fmt: skip
    columns = ["hypothesis", "observed, first", "second", "difference", "expected, first",
               "second", "difference"]  # fmt: skip
    return Table(title="Hypotheses that both have", columns=columns, rows=rows)


def _text(value: Any) -> str:  # noqa: ANN401 -- a plain JSON value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else "–" if value is None else str(value)


def _difference(one: Any, other: Any) -> str:  # noqa: ANN401 -- plain JSON values
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str):
        return "same" if one == other else "differs"
    if one is None or other is None or isinstance(other, str):
        return "–"
    if one == other:
        return "same"
    return f"{100.0 * (other / one - 1.0):+.3g} %".replace("-", "−") if one else "–"
