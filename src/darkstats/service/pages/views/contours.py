"""Exclusion contours in a plane, drawn with every hypothesis that they are made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from darkstats.report.numbers import number
from darkstats.service.pages.views.limits import level_words, method_words
from darkstats.service.pages.views.parts import Drawn, Fact, Headline, Table, View
from darkstats.service.pages.views.scans import axis_words, sentence

__all__ = ["contour_view", "ticks"]

Record = Mapping[str, Any]

_WIDTH, _HEIGHT = 760.0, 520.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 76.0, 18.0, 14.0, 56.0


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from one end to the other.

    Examples
    --------
    >>> ticks(0.0, 1.0), ticks(130.0, 1490.0)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0, 1400.0])
    """
    span = high - low
    if not span > 0.0:
        return [low]
    raw = span / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next((k * size for k in (1.0, 2.0, 5.0) if k * size >= 0.85 * raw), 10.0 * size)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _axis_title(axis: Record) -> str:
    label, title = str(axis.get("label", "")), str(axis.get("title") or "")
    if title in {"", label}:
        return axis_words(label)
    return f"{title} [{axis['unit']}]" if axis.get("unit") else title


def contour_view(record: Record) -> View:
    """What is excluded in a plane of two masses."""
    x_title, y_title = (_axis_title(axis) for axis in record["axes"])
    points = record["points"]
    observed = [one for one in points if one.get("observed") is not None]
    excluded = sum(one["observed"] < record.get("level", 1.0) for one in observed)
    if record.get("quantity") == "cls":
        excluded = next(
            (c.get("excluded") or 0 for c in record["contours"] if c["curve"] == "observed"), 0
        )
    headlines = [Headline(label="Hypotheses in the plane", value=str(len(points)))]
    if observed:
        headlines.insert(
            0,
            Headline(
                label="Excluded", value=f"{excluded} of {len(observed)}", tone="signal",
                note=level_words(record),
            ),
        )  # fmt: skip
    left_out = [[str(one["name"]), str(one.get("scan", "")), str(one["reason"])]
                for one in record.get("left_out", ())]  # fmt: skip
    tables = []
    if left_out:
        columns = ["hypothesis", "scan", "reason"]
        tables.append(Table(title="Left out", columns=columns, rows=left_out))
    return View(
        title=f"Exclusion contour: {record.get('title', '')}",
        lead=sentence(str(record.get("definition", ""))),
        headlines=headlines,
        facts=[
            Fact(label="Method", value=method_words(record), note=level_words(record)),
            Fact(label="Calculator", value=str(record.get("calculator"))),
            Fact(label="Between hypotheses", value=str(record.get("interpolation", ""))),
        ],
        plots=[_plane(record, x_title, y_title)] if points else [],
        tables=tables,
        figures=("contours",),
    )


class _Frame:
    """Places on the drawing of values in the plane."""

    def __init__(self, x: Sequence[float], y: Sequence[float]) -> None:
        self.x_ends, self.y_ends = _ends(x), _ends(y)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Place of a point."""
        (x0, x1), (y0, y1) = self.x_ends, self.y_ends
        across = (x - x0) / (x1 - x0) * (_WIDTH - _LEFT - _RIGHT)
        up = (y - y0) / (y1 - y0) * (_HEIGHT - _TOP - _BOTTOM)
        return round(_LEFT + across, 1), round(_HEIGHT - _BOTTOM - up, 1)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _plane(record: Record, x_title: str, y_title: str) -> Drawn:
    points = record["points"]
    frame = _Frame([one["x"] for one in points], [one["y"] for one in points])
    shapes: list[tuple[str, Mapping[str, str | float]]] = [*_axes(frame, x_title, y_title)]
    for curve in sorted(record["contours"], key=lambda one: one["curve"] == "observed"):
        for piece in curve.get("pieces") or ():
            places = [frame.at(x, y) for x, y in zip(piece["x"], piece["y"], strict=True)]
            if piece.get("closed") and places:
                places.append(places[0])
            path = "M" + " L".join(f"{a} {b}" for a, b in places)
            shapes.append(("path", {"d": path, "class": f"contour {_look(curve['curve'])}"}))
    shapes += [_hypothesis(frame, one, record) for one in points]
    return Drawn(
        name="contours", title="Exclusion in the plane", width=_WIDTH, height=_HEIGHT,
        shapes=shapes, legend=(
            ("observed", "observed contour"), ("expected", "expected, median"),
            ("band", "expected ±1σ, ±2σ"), ("dot-out", "hypothesis, excluded"),
            ("dot-in", "hypothesis, not excluded"),
        ),
        summary=f"{x_title} against {y_title}; hypotheses on the excluded side have limits below "
        "1 on the signal strength.",
        table=Table(
            title="Hypotheses", head=1,
            columns=["hypothesis", x_title, y_title, "observed", "expected"],
            rows=[[str(one["name"]), number(one["x"]), number(one["y"]),
                   number(one.get("observed")), number(one["expected"][2])] for one in points],
        ),
    )  # fmt: skip


def _look(curve: str) -> str:
    if curve == "observed":
        return "observed"
    return "expected" if "median" in curve or curve == "expected" else "band"


def _hypothesis(
    frame: _Frame, one: Record, record: Record
) -> tuple[str, Mapping[str, str | float]]:
    x, y = frame.at(one["x"], one["y"])
    value = one.get("observed")
    decisive = one["expected"][2] if value is None else value
    out = decisive is not None and decisive < record.get("level", 1.0)
    words = (
        f"{one['name']}: observed {number(value)}, expected {number(one['expected'][2])}"
        f"{', excluded' if out else ''}"
    )
    return "circle", {
        "cx": x, "cy": y, "r": 4.0, "class": "dot-out" if out else "dot-in", "title": words,
    }  # fmt: skip


def _axes(frame: _Frame, x_title: str, y_title: str) -> list[tuple[str, Mapping[str, str | float]]]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    made: list[tuple[str, Mapping[str, str | float]]] = [
        ("rect", {"x": _LEFT, "y": _TOP, "width": right - _LEFT, "height": bottom - _TOP,
                  "class": "frame"}),
    ]  # fmt: skip
    for value in ticks(*frame.x_ends):
        x, _ = frame.at(value, frame.y_ends[0])
        made.append(("line", {"x1": x, "x2": x, "y1": bottom, "y2": bottom - 6.0, "class": "zero"}))
        made.append(("text", {"x": x, "y": bottom + 18.0, "class": "tick", "text": f"{value:g}"}))
    for value in ticks(*frame.y_ends):
        _, y = frame.at(frame.x_ends[0], value)
        made.append(("line", {"x1": _LEFT, "x2": _LEFT + 6.0, "y1": y, "y2": y, "class": "zero"}))
        made.append(
            ("text", {"x": _LEFT - 8.0, "y": y + 4.0, "class": "name", "text": f"{value:g}"})
        )
    middle = 0.5 * (_LEFT + right)
    made.append(("text", {"x": middle, "y": _HEIGHT - 14.0, "class": "tick", "text": x_title}))
    half = 0.5 * (_TOP + bottom)
    made.append(
        ("text", {"x": 18.0, "y": half, "class": "tick", "text": y_title,
                  "transform": f"rotate(-90 18 {half})"})
    )  # fmt: skip
    return made
