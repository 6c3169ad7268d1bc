"""Global significances, and limits projected to other luminosities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from darkstats.report.numbers import number, p_number
from darkstats.service.pages.views.parts import (
    Axis,
    Band,
    Fact,
    Headline,
    Plot,
    Series,
    Table,
    View,
)
from darkstats.service.pages.views.scans import scan_view, sentence, value_words

__all__ = ["global_view", "projection_view"]

Record = Mapping[str, Any]

_METHODS = {
    "toys": "toys of the whole spectrum",
    "gross-vitells": "up-crossings (Gross and Vitells)",
    "sidak": "independent windows (Šidák)",
}


def _p(value: float | None, below: float | None) -> str:
    return p_number(value) if below is None else f"< {p_number(below)}"


def global_view(record: Record) -> View:
    """How often an excess as large as the largest appears anywhere."""
    point = record.get("point") or {}
    where = ", ".join(
        value_words(str(label), value)
        for label, value in zip(record.get("labels", ()), point.get("values", ()), strict=False)
    )
    rows = [
        [_METHODS.get(one["method"], one["method"]),
         _p(one.get("p_global"), one.get("p_global_below")), number(one.get("z_global"), 3),
         number(one.get("trials_factor"), 3), "yes" if one.get("valid") else "no",
         "; ".join(map(str, (*one.get("notes", ()), *one.get("reasons", ()))))]
        for one in record.get("methods", ())
    ]  # fmt: skip
    crossings = _crossings(record.get("up_crossings"))
    return View(
        title="Global significance",
        lead=f"The largest excess of {record.get('title') or record.get('name')} is at {where}. "
        "How often does background alone make one as large anywhere in the scan?",
        headlines=[
            Headline(label="Global significance", value=f"{number(record.get('z_global'), 3)} σ",
                     note=f"p = {_p(record.get('p_global'), record.get('p_global_below'))}, "
                     f"by {_METHODS.get(str(record.get('quoted')), str(record.get('quoted')))}"),
            Headline(label="Local significance", value=f"{number(record.get('z_local'), 3)} σ",
                     note=f"p₀ = {p_number(record.get('p_local'))}, {point.get('name', '')}"),
        ],
        facts=[Fact(label="Scan", value=str(record.get("statement", "")))],
        plots=[] if crossings is None else [crossings],
        tables=[
            Table(title="Methods", rows=rows, head=1,
                  columns=["method", "global p", "global Z", "trials factor", "valid", "remarks"])
        ],
        notices=[str(one) for one in record.get("not_computed", ()) if isinstance(one, str)],
        figures=("methods", "crossings"),
    )  # fmt: skip


def _crossings(found: Any) -> Plot | None:  # noqa: ANN401 -- a field of a record
    if not isinstance(found, Mapping) or not found.get("curve"):
        return None
    u, low, high = found["curve_u"], found["curve_low"], found["curve_high"]
    return Plot(
        name="crossings", title="Mean number of up-crossings",
        summary="Fitted to toys at low thresholds, and carried on to the excess.",
        x_axis=Axis(label="threshold of q₀"), y_axis=Axis(label="mean number", log=True), x=u,
        bands=[Band(label="uncertainty", low=low, high=high, look="band1")],
        series=[Series(label="mean number", values=found["curve"], look="observed")],
        table=Table(title="Up-crossings", columns=["threshold", "mean", "low", "high"],
                    rows=[[*map(number, row)]
                          for row in zip(u, found["curve"], low, high, strict=True)]),
    )  # fmt: skip


def projection_view(record: Record) -> View:
    """Expected limits at other luminosities: one band each."""
    plots: list[Any] = []
    rows = []
    for one in record["scans"]:
        inner = scan_view(one)
        words = f"{number((one.get('luminosity_ipb') or 0.0) / 1000.0, 3)} fb⁻¹"
        plots += [
            replace(plot, name=f"{plot.name}-{len(plots)}", title=f"{plot.title}, {words}")
            for plot in inner.plots
        ]
        best = [p["expected"][2] for p in one["points"] if p.get("expected")]
        rows.append([words, str(len(one["points"])), number(min(best)) if best else "–"])
    return View(
        title=f"Reach of {record.get('name') or 'the search'}",
        lead=sentence(str(record.get("systematics_statement", ""))),
        plots=plots,
        tables=[
            Table(title="Luminosities", rows=rows,
                  columns=["luminosity", "hypotheses", "strictest expected limit"])
        ],
        figures=("limits",),
    )  # fmt: skip
