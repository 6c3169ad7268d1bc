"""Two records in one plot and one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from darkstats.report.numbers import number
from darkstats.service.pages.views.making import view_of
from darkstats.service.pages.views.parts import Plot, Series, Table, Values

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
    x = sorted({v for v in (*one.x, *other.x) if v is not None})
    series = [
        *(replace(s, label=f"{s.label}, first", values=_at(x, one.x, s.values))
          for s in one.series),
        *(Series(label=f"{s.label}, second", values=_at(x, other.x, s.values), look="second",
                 dash=s.dash, points=s.points) for s in other.series),
    ]  # fmt: skip
    bands = [
        replace(band, low=_at(x, one.x, band.low), high=_at(x, one.x, band.high),
                label=f"{band.label}, first", shown=None)
        for band in one.bands
    ]  # fmt: skip
    return replace(
        one, x=x, series=series, bands=bands, names=(),
        summary="The first with its bands; the second as lines over it.",
        table=Table(
            title=one.title, columns=[one.x_axis.label, *(s.label for s in series)],
            rows=[[number(v), *(number(s.values[k]) for s in series)] for k, v in enumerate(x)],
        ),
    )  # fmt: skip


def _at(grid: Sequence[float], x: Values, values: Values) -> list[float | None]:
    """Values at the places of a grid: between two places that are known by a straight line."""
    known = sorted((a, b) for a, b in zip(x, values, strict=False)
                   if a is not None and b is not None)  # fmt: skip
    found: list[float | None] = []
    for place in grid:
        below = [p for p in known if p[0] <= place]
        above = [p for p in known if p[0] >= place]
        if not below or not above:
            found.append(None)
        elif below[-1][0] == above[0][0]:
            found.append(below[-1][1])
        else:
            (x0, y0), (x1, y1) = below[-1], above[0]
            found.append(y0 + (y1 - y0) * (place - x0) / (x1 - x0))
    return found


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
