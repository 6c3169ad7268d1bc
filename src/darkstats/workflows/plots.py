"""Finished results to figures: plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.report.global_table import SCHEMA as GLOBAL
from darkstats.report.limit_table import SCHEMA as LIMIT
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import SCHEMA as SCAN
from darkstats.report.scan_table import ScanTable
from darkstats.workflows.couplings import axis_of_record, with_couplings
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.plot_requests import PlotRequest, Record, name_of
from darkstats.workflows.plot_subjects import (
    Subject,
    coupling_kind,
    plot_record,
    read_record,
)
from darkstats.workflows.scan_plots import Figures, anomaly, require_used, scans_outcome
from darkstats.workflows.stated_cross_sections import of_record

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.figures.style import Drawing

__all__ = ["global_outcome", "plot"]

_PROJECTION = "darkstats.projection/1"


def global_outcome(request: PlotRequest, record: Record, source: str) -> Outcome[Any]:
    """Return what can be shown of global significance."""
    from darkstats.report.global_table import read_global

    table = read_global(record, source=source)

    def methods() -> Drawing:
        from darkstats.report.figures.significances import methods_figure

        return methods_figure(table)

    def crossings() -> Drawing:
        from darkstats.report.figures.significances import crossings_figure

        return crossings_figure(table)

    figures: Figures = {}
    if table.methods:
        figures["methods"] = methods
    if table.crossings is not None:
        figures["crossings"] = crossings
    return _simple(request, figures, table.title or table.name, source, table)


def _table(request: PlotRequest, record: object, source: str) -> ScanTable:
    """The table of a scan record, with the couplings of the model that is asked for."""
    if not isinstance(record, dict):
        raise DocumentError("is no record of a scan", source=source)
    table = read_scan(record, source=source)
    if request.couplings.cross_sections is None:
        return table
    if request.couplings.masses:
        raise OptionError("--mass is for the record of a limit: a scan has its masses")
    return read_scan(with_couplings(record, request.couplings, source), source=source)


def _projected(request: PlotRequest, record: Record, source: str) -> tuple[str, list[ScanTable]]:
    """Statement on systematic errors, and scans, of a projection."""
    scans, statement = record.get("scans"), record.get("systematics_statement")
    if not isinstance(scans, list) or not scans or not isinstance(statement, str):
        raise DocumentError(
            "has no scans, or no statement on systematic errors", source=source,
            remedy="make it with darkstats project",
        )  # fmt: skip
    return statement, [
        _table(request, scan, f"{source}, scan {k}") for k, scan in enumerate(scans, 1)
    ]


def _of_projections(request: PlotRequest, records: Sequence[tuple[str, Record]]) -> Outcome[Any]:
    """Projections of one search under several assumptions, side by side."""
    scenarios: dict[str, list[ScanTable]] = {}
    for source, record in records:
        statement, tables = _projected(request, record, source)
        if statement in scenarios:
            raise OptionError(f"{source}: a second projection in which {statement}")
        scenarios[statement] = tables
    everything = [table for tables in scenarios.values() for table in tables]
    require_used(request, everything)
    subject = Subject.of(everything[0], request)

    def drawn() -> Drawing:
        from darkstats.report.figures.scenarios import scenarios_figure

        return scenarios_figure(
            scenarios,
            coupling=subject.limits.key,
            label=subject.label,
            notes=(subject.note,) if subject.note else (),
            constraints=subject.constraints,
            favoured=anomaly(request, coupling_kind(subject.limits), everything),
        )

    def sheet() -> RenderableType:
        from darkstats.report.scan_sheets import scenarios_sheet

        return scenarios_sheet(scenarios, coupling=subject.limits.key)

    figures: Figures = {"scenarios": drawn}
    return Outcome(
        result=subject.table,
        record=lambda: plot_record(request, figures, subject),
        sheet=sheet,
        figures=figures,
    )


def _of_projection(request: PlotRequest, record: Record, source: str) -> Outcome[Any]:
    statement, tables = _projected(request, record, source)
    return scans_outcome(request, tables, statement=statement)


def _of_limit(request: PlotRequest, record: Record, source: str) -> Outcome[Any]:
    from darkstats.report.limit_table import inputs_of, interval_of, limit_of

    inputs = inputs_of(record)
    said = of_record(record, source)
    known = None if said is None else said.signal_fb
    coupling = axis_of_record(request.couplings, record, source, signal_fb=known)
    if coupling is None and said is not None:
        coupling = said.axis()
    if record.get("method") == "fc":
        interval = interval_of(record, source)

        def accepted() -> Drawing:
            from darkstats.report.figures.limits import interval_figure

            return interval_figure(interval, inputs, coupling=coupling)

        return _simple(request, {"interval": accepted}, "Confidence interval", source, interval)
    limit = limit_of(record, source)

    def curve() -> Drawing:
        from darkstats.report.figures.limits import limit_figure

        return limit_figure(limit, inputs, coupling=coupling)

    return _simple(request, {"cls": curve}, "Upper limit", source, limit)


def _simple(
    request: PlotRequest, figures: Figures, title: str, source: str, result: object
) -> Outcome[Any]:
    def sheet() -> RenderableType:
        from darkstats.report.scan_sheets import kinds_sheet

        return kinds_sheet(title, tuple(figures), source)

    return Outcome(
        result=result,
        record=lambda: plot_record(request, figures),
        sheet=sheet,
        figures=figures,
        no_figure=f"{source}: the record holds nothing to draw",
    )


def _regimes(request: PlotRequest) -> Outcome[Any]:
    from darkstats.signals.constants import M_ELECTRON_GEV

    def regimes() -> Drawing:
        from darkstats.report.figures.regimes import regimes_figure

        return regimes_figure(M_ELECTRON_GEV)

    title = "Regimes of a mediator and dark matter"
    return _simple(request, {"regimes": regimes}, title, "", None)


def _no_model(request: PlotRequest, what: str) -> None:
    if request.couplings.cross_sections is not None:
        raise OptionError(f"--cross-sections is for limits, and {what} holds none")


def plot(request: PlotRequest, shell: Shell | None = None) -> Outcome[Any]:
    """Draw finished results: scans, projections, global significance, limits.

    Raises
    ------
    InputError
        A record or a constraint cannot be read, or the request cannot be met.
    """
    if not request.results:
        _no_model(request, "the regimes")
        return _regimes(request)
    shown = _of_records(request)
    source = ", ".join(map(name_of, request.results))
    figures = {kind: _checked(draw, source) for kind, draw in shown.figures.items()}
    return replace(shown, figures=figures)


def _checked(draw: Callable[[], Drawing], source: str) -> Callable[[], Drawing]:
    """A figure of a record that somebody may have changed: numbers that cannot be drawn are said.

    What a record holds is checked number by number; that an error is negative, or an axis ends at
    an overflow, is seen where it is drawn.
    """

    def drawn() -> Drawing:
        try:
            return draw()
        except (ValueError, OverflowError) as error:
            raise DocumentError(
                f"holds numbers of which no figure can be made: {error}",
                source=source, remedy="make the record again, with the command that it names",
            ) from error  # fmt: skip

    return drawn


def _of_records(request: PlotRequest) -> Outcome[Any]:
    """What can be shown of one or several records, by their schemas."""
    records = [(name_of(source), read_record(source)) for source in request.results]
    if all(record.get("schema") == SCAN for _, record in records):
        return scans_outcome(request, [_table(request, record, name) for name, record in records])
    if len(records) > 1 and all(record.get("schema") == _PROJECTION for _, record in records):
        return _of_projections(request, records)
    if len(records) > 1:
        raise OptionError(
            "several results in one figure have to be scans, or projections, of one search"
        )
    from darkstats.workspace.findings import shown as in_words

    name, record = records[0]
    schema = record.get("schema")
    if schema == _PROJECTION:
        return _of_projection(request, record, name)
    if schema == GLOBAL:
        _no_model(request, name)
        return global_outcome(request, record, name)
    if schema == LIMIT:
        return _of_limit(request, record, name)
    raise DocumentError(
        f"has schema {in_words(schema)}, of which no figure can be made again",
        source=name, remedy=f"give a record of {SCAN}, {_PROJECTION}, {GLOBAL} or {LIMIT}",
    )  # fmt: skip
