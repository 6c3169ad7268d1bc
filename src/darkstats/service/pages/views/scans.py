"""Scans over masses, their projections, and what several of them exclude."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from darkstats.report.numbers import number, p_number
from darkstats.report.warning_groups import grouped_warnings
from darkstats.service.pages.views.limits import expected_words, level_words, method_words
from darkstats.service.pages.views.parts import (
    Axis,
    Fact,
    Headline,
    Mark,
    Plot,
    Series,
    Table,
    Values,
    View,
    band_table,
    brazil,
)
from darkstats.signals.constants import NARROW, is_too_wide

__all__ = ["axis_words", "scan_view", "sentence", "typeset", "value_words"]

Record = Mapping[str, Any]

_UNITS = {"gev": "GeV", "mev": "MeV", "tev": "TeV", "mm": "mm"}
_LOG_REACH = 20.0  # of limits, or of masses: beyond it an axis is logarithmic


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def typeset(words: str) -> str:
    """Words with powers raised.

    Examples
    --------
    >>> typeset("445 pb^-1, GeV^{2}")
    '445 pb⁻¹, GeV²'
    """
    return re.sub(r"\^\{?(-?\d+)\}?", lambda found: found[1].translate(_RAISED), words)


def axis_words(label: str) -> str:
    """Title of an axis, from the label of a patch set: its unit is its last word.

    Examples
    --------
    >>> axis_words("m_a_gev"), axis_words("mass_gev"), axis_words("tan_beta")
    ('m a [GeV]', 'mass [GeV]', 'tan beta')
    """
    *rest, last = re.split(r"[_ ]", label)
    if rest and last.lower() in _UNITS:
        return f"{' '.join(rest)} [{_UNITS[last.lower()]}]"
    return label.replace("_", " ")


def value_words(label: str, value: float) -> str:
    """A value with what it is, from the label of a patch set.

    Examples
    --------
    >>> value_words("m_a_gev", 1.5), value_words("tan_beta", 10.0)
    ('m a = 1.500 GeV', 'tan beta = 10.00')
    """
    words, bracket, unit = axis_words(label).partition(" [")
    return f"{words} = {number(value)}" + (f" {unit.rstrip(']')}" if bracket else "")


def scan_view(record: Record) -> View:
    """A scan: the band over the mass, local p-values, and what each hypothesis has."""
    points = record["points"]
    blind = bool(record.get("blind"))
    summary = record.get("summary") or {}
    labels = [str(one) for one in record["labels"]]
    plots: list[Plot] = []
    if len(labels) == 1 and points:
        ordered = sorted(points, key=lambda one: one["values"][0])
        plots += _brazils(record, ordered, labels[0], blind=blind)
        excess = None if blind else _excess_plot(ordered, labels[0])
        plots += [] if excess is None else [excess]
    return View(
        title=typeset(str(record.get("title") or record.get("name") or "Mass scan")),
        lead=sentence(str(summary.get("statement", ""))),
        headlines=_headlines(record, points, labels, blind=blind),
        facts=_facts(record),
        plots=plots,
        tables=[_points_table(points, labels, blind=blind), *_conversions(record)],
        notices=_failed(points),
        figures=("limits",),
        next_steps=("contour",) if len(labels) > 1 else ("global",),
    )


def _headlines(
    record: Record, points: Sequence[Record], labels: Sequence[str], *, blind: bool
) -> list[Headline]:
    found = [Headline(label="Hypotheses", value=str(len(points)), note=level_words(record))]
    excess = (record.get("summary") or {}).get("largest_excess")
    if isinstance(excess, Mapping) and not blind:
        where = ", ".join(
            value_words(label, value) for label, value in zip(labels, excess["values"], strict=True)
        )
        found.append(
            Headline(
                label="Largest local excess",
                value=f"{number(excess.get('significance'), 3)} σ",
                note=f"at {where}, p₀ = {p_number(excess.get('p0'))}",
            )
        )
    good = [one for one in points if one.get("observed") is not None]
    if good and not blind:
        best = min(good, key=lambda one: one["observed"])
        found.append(
            Headline(label="Strictest limit", value=number(best["observed"]), note=best["name"])
        )
    return found


def _facts(record: Record) -> list[Fact]:
    facts = [
        Fact(label="Method", value=method_words(record), note=level_words(record)),
        Fact(label="Calculator", value=str(record.get("calculator"))),
    ]
    if record.get("luminosity_ipb"):
        facts.append(Fact(label="Luminosity", value=f"{number(record['luminosity_ipb'])} pb⁻¹"))
    if record.get("toys_per_hypothesis"):
        facts.append(Fact(label="Toys per hypothesis", value=str(record["toys_per_hypothesis"])))
        facts.append(Fact(label="Seed", value=str(record.get("seed"))))
    return facts


def sentence(words: str) -> str:
    """Words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _failed(points: Sequence[Record]) -> list[str]:
    found = [
        f"{one['name']}: {one.get('reason') or one.get('status')}"
        for one in points
        if one.get("status") not in {"ok", None}
    ][:20]
    names = [str(one["name"]) for one in points]
    return found + grouped_warnings(names, [one.get("warnings") or () for one in points])


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0.0 else None


def _is_wide(values: Sequence[float | None]) -> bool:
    known = [one for one in values if one is not None and one > 0.0]
    return bool(known) and max(known) > _LOG_REACH * min(known)


def _brazils(record: Record, points: Sequence[Record], label: str, *, blind: bool) -> list[Plot]:
    """Limits on the signal strength, and on each coupling that the record has."""
    poi = str(record.get("poi_label") or "signal strength")
    sources: list[tuple[str, str, list[Record | None]]] = []
    couplings = list(dict.fromkeys(name for one in points for name in one.get("couplings") or {}))
    for name in couplings:
        each = [(one.get("couplings") or {}).get(name) for one in points]
        symbol = next((one["symbol"] for one in each if one and one.get("symbol")), name)
        sources.append((f"coupling-{len(sources)}", f"coupling {symbol}", each))
    if any(one.get("cross_section_fb") for one in points):
        each = [one.get("cross_section_fb") for one in points]
        sources.append(("cross-section", "cross section [fb]", each))
    sources.append(("limits", poi, list(points)))
    found = [
        _one_brazil(name, title, _Limits(points=points, found=each, blind=blind), label,
                    level_words(record))
        for name, title, each in sources
    ]  # fmt: skip
    return [replace(one, folded=number_of > 0) for number_of, one in enumerate(found)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """Hypotheses, and what holds limits at each of them."""

    points: Sequence[Record]
    found: Sequence[Record | None]
    blind: bool

    @property
    def narrow(self) -> _Limits:
        """The same without limits at which the boson is too wide for a coupling to hold."""
        held = [
            None if one is None or is_too_wide(one.get("width_over_mass") or 0.0) else one
            for one in self.found
        ]
        return replace(self, found=held)

    @property
    def expected(self) -> list[Values | None]:
        """Five values at each."""
        return [None if one is None else one.get("expected") for one in self.found]

    @property
    def observed(self) -> list[float | None] | None:
        """``None`` while the data stay closed."""
        if self.blind:
            return None
        return [None if one is None else one.get("observed") for one in self.found]


def _one_brazil(name: str, title: str, limits: _Limits, label: str, level: str) -> Plot:
    x = [one["values"][0] for one in limits.points]
    expected, observed = limits.expected, limits.observed
    narrow = limits.narrow
    lost = sum(a is not b for a, b in zip(limits.found, narrow.found, strict=True))
    ends = (
        f" At {lost} of them the width of the boson is above {NARROW:g} of its mass: the coupling "
        "does not hold, and is in the table alone." if lost else ""
    )  # fmt: skip
    bands, series = brazil(narrow.expected, narrow.observed)
    every = [value for row in expected if row for value in row] + list(observed or ())
    wide = _is_wide(every)
    return Plot(
        name=name, title=f"Upper limit on the {title}",
        summary=f"{level} upper limits at {len(x)} masses: observed, beside the expected median "
        f"with the bands that hold 68 % and 95 % of outcomes without signal.{ends}",
        x_axis=Axis(label=axis_words(label), log=_is_wide(x)),
        y_axis=Axis(label=title, log=wide, low=None if wide else 0.0),
        x=x, bands=bands, series=series, names=[str(one["name"]) for one in limits.points],
        table=band_table(
            f"Upper limits on the {title}", [axis_words(label)], [[number(one)] for one in x],
            observed, expected,
        ),
    )  # fmt: skip


def _excess_plot(points: Sequence[Record], label: str) -> Plot | None:
    p0 = [_positive(one.get("p0")) for one in points]
    known = [one for one in p0 if one is not None]
    if not known:
        return None
    sigmas = (0.1587, 0.02275, 0.00135, 3.167e-5, 2.867e-7)
    lowest = min(known)
    marks = [
        Mark(axis="y", at=value, label=f"{k + 1}σ")
        for k, value in enumerate(sigmas)
        if value > 0.05 * lowest
    ]
    x = [one["values"][0] for one in points]
    return Plot(
        name="p0", title="Local p-value of the background-only hypothesis",
        summary=f"The smallest is {p_number(lowest)}; it is local: how often one this small "
        "appears anywhere is told by the global significance.",
        x_axis=Axis(label=axis_words(label), log=_is_wide(x)),
        y_axis=Axis(label="local p₀", log=True, low=min(0.3 * lowest, 0.01), high=1.0),
        x=x, series=[Series(label="local p₀", values=p0, look="observed", points=True)],
        marks=marks, names=[str(one["name"]) for one in points],
        table=Table(
            title="Local p-values", columns=[axis_words(label), "p₀", "Z"],
            rows=[[number(one["values"][0]), p_number(one.get("p0")),
                   number(one.get("significance"), 3)] for one in points],
        ),
    )  # fmt: skip


def _points_table(points: Sequence[Record], labels: Sequence[str], *, blind: bool) -> Table:
    rows = []
    for one in points:
        shown = [] if blind else [number(one.get("observed"))]
        local = [] if blind else [p_number(one.get("p0"))]
        rows.append(
            [str(one["name"]), *map(number, one["values"]), *shown,
             expected_words(one.get("expected")), *local, str(one.get("status", ""))]
        )  # fmt: skip
    return Table(
        title="All hypotheses", rows=rows, head=1,
        columns=["hypothesis", *map(axis_words, labels), *([] if blind else ["observed"]),
                 "expected", *([] if blind else ["p₀"]), "status"],
    )  # fmt: skip


def _conversions(record: Record) -> list[Table]:
    rows = [
        [str(one.get("symbol") or one.get("name")), str(one.get("name")),
         str(one.get("unit_signal", "")), str(one.get("assumption", ""))]
        for one in record.get("conversions") or ()
    ]  # fmt: skip
    if not rows:
        return []
    columns = ["coupling", "model", "strength 1 is", "assumes"]
    return [Table(title="How cross sections became couplings", columns=columns, rows=rows)]
