"""Fits, rankings and profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from darkstats.report.numbers import number, with_error
from darkstats.service.pages.views.parts import (
    Axis,
    Drawn,
    Fact,
    Headline,
    Mark,
    Plot,
    Series,
    Table,
    View,
)

__all__ = ["fit_view", "profile_view", "rank_view"]

Record = Mapping[str, Any]
Shape = tuple[str, Mapping[str, str | float]]

_ROW = 22.0
_LEFT, _RIGHT, _TOP = 250.0, 20.0, 8.0
_WIDTH = 760.0
_LONGEST_NAME = 34
_MOST_ROWS = 60
_ZERO = 1e-9


def fit_view(record: Record) -> View:
    """A maximum-likelihood fit: values, pulls."""
    poi = record.get("poi")
    rows = record.get("parameters") or []
    own = next((one for one in rows if one["name"] == poi), None)
    headlines = []
    if own is not None:
        headlines.append(
            Headline(label=f"Best fit of {poi}", value=with_error(own["value"], own["error"]))
        )
    headlines.append(Headline(label="Deviance at the minimum", value=number(record["twice_nll"])))
    pulls = _pulls(rows)
    return View(
        title="Maximum-likelihood fit",
        headlines=headlines,
        facts=[Fact(label="At a bound", value=", ".join(record.get("at_bound") or ()) or "none")],
        plots=[] if pulls is None else [pulls],
        tables=[
            Table(
                title="Parameters", columns=["parameter", "value ± error", "pull", "constraint"],
                rows=[[one["name"], with_error(one["value"], one["error"]),
                       _small(one.get("pull")), str(one.get("constraint", ""))]
                      for one in rows],
            )
        ],
        figures=("pulls", "data", "prefit", "correlation"),
    )  # fmt: skip


def _small(value: float | None) -> str:
    """A number in units of a standard deviation: what rounding left of a zero is one."""
    return "0" if value is not None and abs(value) < _ZERO else number(value, 3)


def _name(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


class _Rows:
    """Shapes of a plot with one row for each name, over a range that is even about zero."""

    def __init__(self, n_rows: int, reach: float) -> None:
        self.reach, self.bottom = reach, _TOP + n_rows * _ROW
        self.shapes: list[Shape] = []

    def x(self, value: float) -> float:
        """Place of a value, kept within the frame."""
        inside = max(-self.reach, min(self.reach, value))
        return round(_LEFT + (inside / self.reach + 1.0) * 0.5 * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, row: int) -> float:
        """Middle of a row."""
        return _TOP + (row + 0.5) * _ROW

    def add(self, tag: str, **attributes: str | float) -> None:
        """Add a shape; ``_`` in names of attributes is a hyphen."""
        self.shapes.append(
            (tag, {name.rstrip("_").replace("_", "-"): one for name, one in attributes.items()})
        )

    def band(self, half: float, look: str) -> None:
        """Shade the rows between minus and plus a value."""
        self.add(
            "rect", x=self.x(-half), y=_TOP, width=round(self.x(half) - self.x(-half), 1),
            height=self.bottom - _TOP, class_=look,
        )  # fmt: skip

    def axis(self, ticks: Sequence[float], title: str) -> float:
        """Lines at ticks with their numbers, and a title below; returns the height of it all."""
        for tick in ticks:
            self.add("line", x1=self.x(tick), x2=self.x(tick), y1=_TOP, y2=self.bottom,
                     class_="zero" if tick == 0.0 else "grid")  # fmt: skip
            self.add("text", x=self.x(tick), y=self.bottom + 16.0, class_="tick",
                     text=f"{tick:g}".replace("-", "−"))  # fmt: skip
        self.add("text", x=self.x(0.0), y=self.bottom + 36.0, class_="tick", text=title)
        return self.bottom + 46.0

    def label(self, row: int, name: str) -> None:
        """Name a row."""
        self.add("text", x=_LEFT - 10.0, y=self.y(row) + 4.0, class_="name", text=_name(name))


def _pulls(rows: Sequence[Record]) -> Drawn | None:
    shown = [one for one in rows if one.get("pull") is not None and one.get("prefit_error")]
    if not shown:
        return None
    kept = sorted(shown, key=lambda one: -abs(one["pull"]))[:_MOST_ROWS]
    reach = max(2.5, *(abs(one["pull"]) + 1.2 for one in kept))
    made = _Rows(len(kept), reach)
    made.band(2.0, "band2")
    made.band(1.0, "band1")
    ticks = [float(k) for k in range(-int(reach), int(reach) + 1)]
    height = made.axis(ticks, "(fitted − nominal) / uncertainty before the fit")
    for k, one in enumerate(kept):
        width = (one["error"] or 0.0) / one["prefit_error"]
        y = made.y(k)
        words = f"{one['name']}: pull {number(one['pull'], 3)}, constraint {number(width, 3)}"
        made.label(k, one["name"])
        made.add("line", x1=made.x(one["pull"] - width), x2=made.x(one["pull"] + width), y1=y,
                 y2=y, class_="bar")  # fmt: skip
        made.add("circle", cx=made.x(one["pull"]), cy=y, r=4.5, class_="dot", title=words)
    more = f" The {len(kept)} largest of {len(shown)}." if len(kept) < len(shown) else ""
    return Drawn(
        name="pulls", title="Pulls", width=_WIDTH, height=height, shapes=made.shapes,
        summary="Where each constrained parameter ended, in units of its uncertainty before the "
        f"fit; bars show the uncertainty after it, in the same units.{more}",
        table=Table(
            title="Pulls", columns=["parameter", "pull", "constraint"],
            rows=[[one["name"], _small(one["pull"]),
                   number((one["error"] or 0.0) / one["prefit_error"], 3)] for one in shown],
        ),
    )  # fmt: skip


def rank_view(record: Record) -> View:
    """Nuisance parameters by their impact on the parameter of interest."""
    poi = str(record["poi"])
    impacts = sorted(record.get("impacts") or [], key=_size, reverse=True)
    ranking = _ranking(impacts, poi)
    columns = ["parameter", "impact −1σ", "impact +1σ", "pull", "constraint"]
    rows = [
        [one["name"], _small(one.get("postfit_down")), _small(one.get("postfit_up")),
         _small(one.get("pull")), _small(one.get("constraint"))]
        for one in impacts
    ]  # fmt: skip
    return View(
        title=f"What moves {poi}",
        lead=f"Nuisance parameters, ranked by how far {poi} moves when one of them does.",
        headlines=[
            Headline(
                label=f"Best fit of {poi}",
                value=with_error(record.get("mu_hat"), record.get("poi_error")),
            ),
            Headline(label="Statistical part", value=number(record.get("poi_error_statistical"))),
            Headline(label="Systematic part", value=number(record.get("poi_error_systematic"))),
        ],
        plots=[] if ranking is None else [ranking],
        tables=[Table(title="Impacts after the fit", columns=columns, rows=rows)],
        figures=("ranking",),
    )


def _size(one: Record) -> float:
    return max(abs(float(one.get(key) or 0.0)) for key in ("postfit_up", "postfit_down"))


def _ranking(impacts: Sequence[Record], poi: str) -> Drawn | None:
    kept = impacts[:_MOST_ROWS]
    largest = max(map(_size, kept), default=0.0)
    if not largest > 0.0:
        return None
    reach = 1.15 * largest
    made = _Rows(len(kept), reach)
    step = float(f"{0.5 * largest:.0e}")
    height = made.axis([-2 * step, -step, 0.0, step, 2 * step], f"change of {poi}")
    for k, one in enumerate(kept):
        y = made.y(k)
        made.label(k, one["name"])
        for key, look, sign in (("postfit_down", "low", "−1σ"), ("postfit_up", "high", "+1σ")):
            value = one.get(key)
            if value is None:
                continue
            left, right = sorted((made.x(0.0), made.x(value)))
            words = f"{one['name']} {sign}: {poi} {_small(value)}"
            made.add("rect", x=left, y=y - 7.0, width=max(right - left, 0.5), height=14.0,
                     class_=look, title=words)  # fmt: skip
    return Drawn(
        name="ranking", title="Ranking", width=_WIDTH, height=height, shapes=made.shapes,
        summary=f"The largest impact is that of {kept[0]['name']}: {number(_size(kept[0]), 3)}.",
        legend=(("low", "parameter at −1σ"), ("high", "parameter at +1σ")),
        table=Table(
            title="Impacts", columns=["parameter", "−1σ", "+1σ"],
            rows=[[one["name"], _small(one.get("postfit_down")),
                   _small(one.get("postfit_up"))] for one in impacts],
        ),
    )  # fmt: skip


def profile_view(record: Record) -> View:
    """Profile likelihood along one parameter."""
    names, grids = record["names"], record["grids"]
    best = record.get("best") or []
    headlines = [
        Headline(label=f"Best fit of {name}", value=number(value))
        for name, value in zip(names, best, strict=False)
    ]
    plots = []
    if len(grids) == 1:
        x, y = grids[0], record["delta_twice_nll"]
        plots.append(
            Plot(
                name="profile", title=f"Profile likelihood of {names[0]}",
                summary=f"Lowest at {number(best[0]) if best else '–'}; one and two standard "
                "deviations are where the curve crosses 1 and 4.",
                x_axis=Axis(label=str(names[0])), y_axis=Axis(label="−2 Δ ln L", low=0.0),
                x=x, series=[Series(label="−2 Δ ln L", values=y, look="observed")],
                marks=[Mark(axis="y", at=1.0, label="1σ"), Mark(axis="y", at=4.0, label="2σ")],
                table=Table(title="Profile", columns=[str(names[0]), "−2 Δ ln L"],
                            rows=[[number(a), number(b)] for a, b in zip(x, y, strict=True)]),
            )
        )  # fmt: skip
    return View(title="Profile likelihood", headlines=headlines, plots=plots, figures=("scan",))
