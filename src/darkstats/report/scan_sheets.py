"""Tables for a terminal: what was drawn of a scan, and which earlier constraints with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.report.constraints.curve import CERTAINTIES
from darkstats.report.methods import method_name
from darkstats.report.numbers import level_words, number, p_and_error, p_number
from darkstats.report.scan_table import NOT_NARROW, data_words, too_wide_words
from darkstats.report.tables import grid, sheet
from darkstats.report.warning_groups import grouped_warnings
from darkstats.scan.expected_spectrum import LARGEST_BIAS
from darkstats.scan.mass_scan import results_in_words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.constraints.curve import Constraint, Statement
    from darkstats.report.scan_table import ScanTable

__all__ = [
    "constraint_lines",
    "global_sheet",
    "kinds_sheet",
    "projections_sheet",
    "scan_sheet",
]

_FAILURES = 5
_NAMED = 4  # words of a tag that are named


def _range(values: Any) -> str:  # noqa: ANN401 -- an array
    good = values[np.isfinite(values)]
    return f"{number(float(good.min()), 3)} – {number(float(good.max()), 3)}" if good.size else "–"


def constraint_lines(
    constraints: Sequence[Constraint], statements: Sequence[Statement]
) -> list[tuple[str, str]]:
    """Lines on constraints: name; level, method, source, how sure, what was published."""
    listed: list[tuple[Constraint | Statement, str]] = [(one, "") for one in constraints]
    listed += [(one, f"; not drawn: {one.text}") for one in statements]
    lines = []
    for one, words in listed:
        source = one.source
        method = f", {source.method}" if source.method else ""
        arxiv = f", arXiv:{source.arxiv}" if source.arxiv else ""
        said = f"{source.level}{method}; {source.citation}{arxiv} [{source.certainty}]{words}"
        lines.append((one.label, said))
    if lines:
        grades = sorted({one.source.certainty for one, _ in listed})
        lines.append(("how sure", "; ".join(f"{grade}: {CERTAINTIES[grade]}" for grade in grades)))
    return lines


def _failures_first(tables: Sequence[ScanTable]) -> str:
    """How many hypotheses have a result, where some have none: it is said above all numbers."""
    lost = [
        (table.points[k], table.reasons[k])
        for table in tables
        for k, failed in enumerate(table.failed)
        if failed
    ]
    total = sum(len(table.points) for table in tables)
    return results_in_words(total, lost) if lost else ""


def _low_count_lines(table: ScanTable) -> list[tuple[str, str]]:
    """How many asymptotic limits lie below that of no event at all, and what holds there."""
    lines = []
    for limits in table.limits.values():
        held = limits.low_counts
        if held is None:
            continue
        unit = f" {limits.unit}" if limits.unit else ""
        lines.append(
            (f"low counts, {limits.symbol}",
             f"{limits.n_low_counts} hypotheses have an asymptotic limit or band below the limit "
             f"of no event; what holds there: {table.observed_name} {_range(held[0])}{unit}, "
             f"median expected {_range(held[3])}{unit}")
        )  # fmt: skip
    return lines


def scan_sheet(
    table: ScanTable,
    *,
    kinds: Sequence[str],
    constraints: Sequence[Constraint] = (),
    statements: Sequence[Statement] = (),
    notes: Mapping[str, str] | None = None,
) -> RenderableType:
    """Ranges of masses and limits, the largest excess, failures, constraints."""
    rows = []
    for key, limits in table.limits.items():
        unit = f" [{limits.unit}]" if limits.unit else ""
        rows.append([f"{limits.symbol}{unit}", key, _range(limits.observed), _range(limits.median)])
    head = ["upper limit on", "key", table.observed_name, "median expected"]
    tables = [grid(head, rows, left=2)]
    lines = [
        ("method", _method_words(table)),
        *([("prior", table.prior)] if table.prior else []),
        ("hypotheses", f"{len(table.points)}, {int(table.failed.sum())} without a result"),
        *_axis_lines(table),
    ]  # fmt: skip
    if np.isfinite(table.p0).any():
        top = int(np.nanargmin(table.p0))
        z = float(table.significance[top])
        excess = (
            f"{table.points[top]}: p0 = {p_number(float(table.p0[top]))}"
             + (f", {number(z, 3)} σ local" if np.isfinite(z) else "")
             + (" (frequentist)" if table.method == "bayes" else "")
        )  # fmt: skip
        if table.is_asimov:
            excess = "none to judge: Asimov data have no fluctuation"
        lines.append(("largest excess", excess))
    lines += _low_count_lines(table)
    lines += _bias_lines(table)
    lines += [(f"conversion {key}", words) for key, words in (notes or {}).items()]
    lines.append(("figures", ", ".join(kinds)))
    lines += constraint_lines(constraints, statements)
    failed = [k for k, lost in enumerate(table.failed) if lost]
    warnings = [f"{table.points[k]}: {table.reasons[k]}" for k in failed[:_FAILURES]]
    if len(failed) > _FAILURES:
        warnings.append(f"{len(failed) - _FAILURES} more hypotheses failed")
    warnings += _warning_lines(table)
    words = (table.data_words, table.source)
    return sheet(
        table.title or table.name, subtitle=" · ".join(word for word in words if word),
        first=_failures_first([table]), tables=tables, notes=lines, warnings=warnings,
    )  # fmt: skip


def _warning_lines(table: ScanTable) -> list[str]:
    """Each warning of a scan once: where a boson is too wide first, by quantity."""
    told = NOT_NARROW if table.couplings else None  # said by quantity
    return [
        *(
            f"{one.symbol}: {too_wide_words(one)}"
            for one in table.limits.values()
            if one.too_wide.any()
        ),
        *grouped_warnings(
            table.points,
            [
                [text for text in one if told is None or not text.endswith(told)]
                for one in table.warnings
            ],
        ),
    ]


def _axis_lines(table: ScanTable) -> list[tuple[str, str]]:
    """Range of each coordinate, with its unit; how many values each tag has."""
    lines = []
    for k, axis in enumerate(table.axis_words):
        unit = f" {axis.unit}" if axis.unit else ""
        lines.append((axis.label, f"{_range(table.coordinates[:, k])}{unit}"))
    for label, values in table.tags.items():
        found = list(dict.fromkeys(values))
        if any(isinstance(value, str) for value in found):
            named = ", ".join(str(value) for value in found[:_NAMED])
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            lines.append((label, named + more))
    return lines


def _bias_lines(table: ScanTable) -> list[tuple[str, str]]:
    """What the expected spectrum of the search gives in its windows, if anything is known."""
    bias = table.expected_spectrum_significance
    if not np.isfinite(bias).any():
        return []
    worst = int(np.nanargmax(np.abs(bias)))
    beyond = int(np.count_nonzero(np.abs(bias) > LARGEST_BIAS))
    words = f"alone gives {_signed(float(bias[worst]))} σ in {table.points[worst]} at most"
    if beyond:
        words += f", beyond ±{LARGEST_BIAS:g} σ in {beyond} of {len(table.points)} windows"
    lines = [("expected spectrum", words)]
    if np.isfinite(table.p0).any():
        top = int(np.nanargmin(table.p0))
        if np.isfinite(bias[top]) and abs(bias[top]) > LARGEST_BIAS:
            lines.append(
                ("", f"{_signed(float(bias[top]))} σ of the largest excess: its local p is that of "
                 "the window alone; global counts it in toys of the spectrum")
            )  # fmt: skip
    return lines


def _signed(value: float) -> str:
    """Two digits with a sign, which a zero has not.

    Examples
    --------
    >>> _signed(-0.001), _signed(-0.124), _signed(2.0)
    ('0.00', '−0.12', '+2.00')
    """
    words = f"{value:+.2f}"
    return words[1:] if float(words) == 0.0 else words.replace("-", "−")


def _method_words(table: ScanTable) -> str:
    name = method_name(table.method).table
    return f"{name}, {table.calculator}, {level_words(table.method, table.cl)}"


def projections_sheet(
    tables: Sequence[ScanTable], *, coupling: str, kinds: Sequence[str], statement: str = ""
) -> RenderableType:
    """Range of median expected limits at each luminosity, and what the projections rest on."""
    rows, warnings = [], []
    for table in tables:
        lumi = table.luminosity_ipb
        name = "?" if lumi is None else f"{number(lumi / 1e3, 4)}"
        limits = table.limits_on(coupling)
        said = sum(1 for texts in table.warnings if texts)
        rows.append([name, _range(limits.median), str(int(table.failed.sum())), str(said)])
        warnings += [f"{name} fb^-1: {found}" for found in _warning_lines(table)]
    first = tables[0]
    limits = first.limits_on(coupling)
    unit = f" [{limits.unit}]" if limits.unit else ""
    head = ["1/fb", f"median expected {limits.symbol}{unit}", "failed", "with warnings"]
    notes = [
        ("method", _method_words(first)),
        *([("prior", first.prior)] if first.prior else []),
        ("hypotheses", str(len(first.points))),
        *([("systematics", statement)] if statement else []),
        ("figures", ", ".join(kinds) or "none of several luminosities"),
    ]  # fmt: skip
    title = (first.title or first.name).partition("; projected")[0]
    return sheet(
        f"Projections: {title}", subtitle="simulated data, Asimov" if first.simulated else "Asimov",
        first=_failures_first(tables), tables=[grid(head, rows, left=1)], notes=notes,
        warnings=warnings,
    )  # fmt: skip


def scenarios_sheet(
    scenarios: Mapping[str, Sequence[ScanTable]], *, coupling: str
) -> RenderableType:
    """Range of median expected limits at each luminosity, by what becomes of systematic errors."""
    rows = [
        [statement, number((table.luminosity_ipb or 0.0) / 1e3, 4),
         _range(table.limits_on(coupling).median), str(int(table.failed.sum()))]
        for statement, tables in scenarios.items()
        for table in tables
    ]  # fmt: skip
    first = next(iter(scenarios.values()))[0]
    limits = first.limits_on(coupling)
    unit = f" [{limits.unit}]" if limits.unit else ""
    head = ["systematic errors", "1/fb", f"median expected {limits.symbol}{unit}", "failed"]
    title = (first.title or first.name).partition("; projected")[0]
    return sheet(
        f"Projections: {title}", subtitle="simulated data, Asimov" if first.simulated else "Asimov",
        tables=[grid(head, rows, left=1)],
        notes=[("method", _method_words(first)), ("figures", "scenarios")],
    )  # fmt: skip


def kinds_sheet(title: str, kinds: Sequence[str], source: str = "") -> RenderableType:
    """What can be drawn, where there is nothing to tabulate."""
    return sheet(title, subtitle=source, notes=[("figures", ", ".join(kinds))])


def _rarest(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The window whose excess the fewest toys of the spectrum reach."""
    known = [window for window in record["windows"] if window["certified"]]
    return min(known, key=lambda w: w["above"] / w["certified"], default=None)


def _local_lines(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Local p-value in toys of the spectrum, and what the expected spectrum gives there."""
    lines = []
    found = record["local_toys"]
    if found is None:
        words = "no toy has a certified root in this window: no trials factor"
    elif found["p"] is None:
        words = f"p < {p_number(found['p_below'])} (95 %); none of {found['certified']} toys"
    else:
        words = f"p = {p_and_error(found['p'], found['p_error'])}"
        words += f", {number(found['z'], 3)} σ" if found["z"] is not None else ""
        words += f"; {found['above']} of {found['certified']} toys"
    lines.append(("in toys of spectrum", words))
    rare = _rarest(record)
    if rare is not None and rare["name"] != record["point"]["name"]:
        lines.append(
            ("least in toys", f"{rare['name']}: {number(rare['significance'], 3)} σ local, "
             f"{rare['above']} of {rare['certified']} toys")
        )  # fmt: skip
    bias = record["expected_spectrum_significance"]
    if bias is not None:
        lines.append(("expected spectrum", f"alone gives {_signed(bias)} σ in this window"))
    return lines


def _whole_blocks(toys: Mapping[str, int] | None) -> list[tuple[str, str]]:
    """More toys than were asked for; earlier records say nothing of it."""
    if toys is None or toys["asked"] == toys["thrown"]:
        return []
    said = f"{toys['thrown']}, not {toys['asked']}: whole blocks of {toys['per_block']}"
    return [("toys", said)]


def global_sheet(
    record: Mapping[str, Any], rows: Sequence[Sequence[str]], source: str
) -> RenderableType:
    """The methods in one table, what was quoted, and why some are not valid."""
    head, *body = rows
    point = record["point"]
    notes = [
        ("largest excess", f"{point['name']}: {number(record['z_local'], 3)} σ local, "
                           f"p = {p_number(record['p_local'])} by its window alone"),
        *_local_lines(record),
        ("quoted", record["quoted"] if any(one["valid"] for one in record["methods"])
                   else "none: no method is valid here"),
        ("auxiliary data", f"{record['auxiliary_data']} in toys"),
        *_whole_blocks(record.get("toys")),
        *(
            (f"{level['z_global']:g} σ global", f"{number(level['z_local'], 3)} σ local")
            for level in record["levels"]
        ),
    ]  # fmt: skip
    said = str(record.get("statement", "all"))
    warnings = [
        f"{found['method']}, not valid: {reason}"
        for found in record["methods"]
        for reason in found["reasons"]
    ]
    warnings += [f"not computed: {reason}" for reason in record["not_computed"]]
    notes += [
        (found["method"], words)
        for found in record["methods"]
        for words in (*found["notes"], *([found["extrapolation"]] if found["extrapolated"] else ()))
    ]
    words = (data_words(str(record.get("data") or ""), record.get("simulated")), source)
    return sheet(
        str(record.get("title") or record.get("name")),
        subtitle=" · ".join(word for word in words if word),
        first="" if said.startswith("all ") else f"of the scan: {said}",
        tables=[grid(list(head), [list(row) for row in body], left=1)],
        notes=notes,
        warnings=warnings,
    )
