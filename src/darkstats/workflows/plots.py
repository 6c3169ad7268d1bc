"""Finished results to figures: plot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.report.global_table import SCHEMA as GLOBAL
from darkstats.report.limit_table import SCHEMA as LIMIT
from darkstats.report.records import SCHEMAS
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import SCAN_FILE, Limits, ScanTable
from darkstats.report.scan_table import SCHEMA as SCAN
from darkstats.workflows.couplings import axis_of_record, with_couplings
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.plot_requests import CATALOGUE, NONE, PlotRequest, Record, name_of
from darkstats.workflows.stated_cross_sections import of_record

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.constraints.curve import Constraint, Statement
    from darkstats.report.figures.coupling_limits import Favoured
    from darkstats.report.figures.style import Drawing

__all__ = ["coupling_words", "global_outcome", "plot", "read_record", "scans_outcome"]

Figures = dict[str, Callable[[], "Drawing"]]

_PROJECTION = "darkstats.projection/1"
_ON_MUONS = (
    "lmu_ltau", "lmu_ltau_dressed", "lmu_ltau_invisible", "lmu_ltau_invisible_dressed",
)  # fmt: skip
_ANOMALY_POINTS = 60
_IN_PLANE = 2


def read_record(source: str | Record) -> Record:
    """Return the record that a file holds, as JSON or compressed; one at hand as it is.

    Of a folder it is that of the scan in it.

    Raises
    ------
    DocumentError
        It cannot be read, or is no record.
    """
    from darkstats.workspace.documents import parse_json
    from darkstats.workspace.sources import Opener

    if not isinstance(source, str):
        return source
    folder = Path(source)
    label, data = Opener().read(str(folder / SCAN_FILE) if folder.is_dir() else source, "record")
    record = parse_json(data, source=label)
    if not isinstance(record, dict):
        raise DocumentError("is no record", source=label, remedy="name a file made by -o")
    return record


def benchmark_words(key: str) -> tuple[str | None, str]:
    """Axis title of a coupling, and what its conversion rests on."""
    from darkstats.signals.benchmarks import BENCHMARKS

    found = BENCHMARKS.get(key)
    return (None, "") if found is None else (found.label, found.assumption)


def coupling_words(limits: Limits) -> tuple[str | None, str]:
    """The same of limits on any coupling, that of a model of the user's included."""
    if limits.conversion is None:
        return benchmark_words(limits.key)
    return limits.conversion.label, limits.conversion.note


def _kind(limits: Limits) -> str:
    """Name of the coupling in the catalogue of constraints."""
    own = limits.conversion
    return limits.key if own is None else own.constraints_of or limits.key


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Subject:
    """What a figure of a scan shows."""

    table: ScanTable
    limits: Limits
    label: str | None
    note: str
    constraints: tuple[Constraint, ...]
    statements: tuple[Statement, ...]

    @classmethod
    def of(cls, table: ScanTable, request: PlotRequest) -> _Subject:
        limits = table.limits_on(request.coupling)
        label, note = coupling_words(limits)
        constraints, statements = _constraints(request, _kind(limits))
        return cls(
            table=table,
            limits=limits,
            label=label,
            note=note if request.note is None else request.note,
            constraints=constraints,
            statements=statements,
        )


def _constraints(
    request: PlotRequest, coupling: str
) -> tuple[tuple[Constraint, ...], tuple[Statement, ...]]:
    from darkstats.report.constraints.catalogue import catalogue, statements
    from darkstats.report.constraints.folder import read_folder

    found: list[Constraint] = []
    said: tuple[Statement, ...] = ()
    for name in request.constraints:
        if name == CATALOGUE:
            found += catalogue(coupling)
            said = statements(coupling)
        elif name != NONE:
            found += read_folder(Path(name), coupling).constraints
    return tuple(found), said


def _anomaly(request: PlotRequest, key: str, tables: Sequence[ScanTable]) -> list[Favoured]:
    """Couplings that the muon's anomaly favours, over the masses of the figure."""
    if key not in _ON_MUONS:
        return []
    import numpy as np

    from darkstats.report.figures.coupling_limits import Favoured
    from darkstats.signals.muon_anomaly import coupling_band

    mass = np.concatenate([table.first_coordinate for table in tables])
    ends = request.mass_range_gev or (0.7 * float(mass.min()), 1.4 * float(mass.max()))
    grid = np.geomspace(*ends, _ANOMALY_POINTS)
    found = []
    for year in request.anomaly_years:
        edges = np.array(
            [[np.nan if e is None else e for e in coupling_band(float(m), year)] for m in grid]
        )
        found.append(
            Favoured(
                label=rf"$(g-2)_{{\mu}}$ {year}, 2 σ",
                mass_gev=grid,
                low=edges[:, 0],
                high=edges[:, 1],
            )
        )
    return found


def _on_one_mass(request: PlotRequest, subject: _Subject) -> Figures:
    def limits() -> Drawing:
        from darkstats.report.figures.coupling_limits import mass_limits_figure

        return mass_limits_figure(
            subject.table,
            subject.limits,
            label=subject.label,
            note=subject.note,
            constraints=subject.constraints,
            favoured=_anomaly(request, _kind(subject.limits), [subject.table]),
            mass_range=request.mass_range_gev,
            value_range=request.value_range,
        )

    def p_values() -> Drawing:
        from darkstats.report.figures.significances import local_p_figure
        from darkstats.report.global_table import read_global

        if request.levels is None:
            return local_p_figure(subject.table)
        found = read_global(read_record(request.levels), source=name_of(request.levels))
        return local_p_figure(subject.table, found.levels, found.windows)

    return {"limits": limits, "p_values": p_values}


def _of_one_scan(request: PlotRequest, subject: _Subject) -> Figures:
    """A curve for one coordinate, maps for a plane, else hypotheses side by side."""
    table = subject.table
    if table.dimension == 1 and table.is_told_apart and len(table.points) > 1:
        return _on_one_mass(request, subject)
    if table.dimension == _IN_PLANE:
        from darkstats.report.figures.planes import is_plane

        if is_plane(table):
            return _on_two_masses(request, subject)
    return _side_by_side(subject)


def _side_by_side(subject: _Subject) -> Figures:
    def limits() -> Drawing:
        from darkstats.report.figures.point_limits import point_limits_figure

        return point_limits_figure(
            subject.table, subject.limits, label=subject.label, note=subject.note
        )

    def p_values() -> Drawing:
        from darkstats.report.figures.point_limits import point_p_figure

        return point_p_figure(subject.table)

    return {"limits": limits, "p_values": p_values}


def _on_two_masses(request: PlotRequest, subject: _Subject) -> Figures:
    def slices(fixed: int) -> Drawing:
        from darkstats.report.figures.planes import slice_masses, slices_figure

        return slices_figure(
            subject.table,
            subject.limits,
            fixed=fixed,
            at=request.slices_gev or slice_masses(subject.table, fixed),
            label=subject.label,
            note=subject.note,
        )

    def in_plane(what: str) -> Drawing:
        from darkstats.report.figures.planes import map_figure

        return map_figure(
            subject.table, subject.limits, what, label=subject.label, note=subject.note
        )

    return {
        "against_first": lambda: slices(1),
        "against_second": lambda: slices(0),
        "expected": lambda: in_plane("expected"),
        "observed": lambda: in_plane("observed"),
        "significance": lambda: in_plane("significance"),
    }


def scans_outcome(
    request: PlotRequest, tables: list[ScanTable], *, statement: str = ""
) -> Outcome[Any]:
    """Return what can be shown of scans: several of one search make projections."""
    subject = _Subject.of(tables[0], request)
    if len(tables) > 1:

        def projections() -> Drawing:
            from darkstats.report.figures.comparisons import projections_figure

            return projections_figure(
                tables,
                coupling=subject.limits.key,
                label=subject.label,
                notes=tuple(words for words in (subject.note, statement) if words),
                constraints=subject.constraints,
                favoured=_anomaly(request, _kind(subject.limits), tables),
            )

        figures: Figures = {"projections": projections}
    else:
        figures = _of_one_scan(request, subject)

    def sheet() -> RenderableType:
        from darkstats.report.scan_sheets import projections_sheet, scan_sheet

        if len(tables) > 1:
            return projections_sheet(
                tables, coupling=subject.limits.key, kinds=tuple(figures), statement=statement
            )
        return scan_sheet(
            subject.table,
            kinds=tuple(figures),
            constraints=subject.constraints,
            statements=subject.statements,
            notes=_conversions(subject),
        )

    return Outcome(
        result=subject.table,
        record=lambda: _plot_record(request, figures, subject),
        sheet=sheet,
        figures=figures,
    )


def _conversions(subject: _Subject) -> dict[str, str]:
    """What the conversion of the shown quantity, and of any model of the user's, rests on."""
    found = {subject.limits.key: subject.note} if subject.note else {}
    own = {key: one.conversion for key, one in subject.table.limits.items()}
    return found | {key: one.words for key, one in own.items() if one is not None}


def _source(one: Constraint | Statement) -> Record:
    source = one.source
    record: Record = {
        "name": one.label,
        "citation": source.citation,
        "certainty": source.certainty,
        "read": source.read,
    }
    for name, why in (
        ("arxiv", "no preprint"), ("cl", "not stated by the source"),
        ("method", "not stated by the source"), ("file", "from the catalogue"),
    ):  # fmt: skip
        record[name] = getattr(source, name) or None
        if record[name] is None:
            record[f"{name}_reason"] = why
    return record


def _plot_record(
    request: PlotRequest, figures: Mapping[str, object], subject: _Subject | None = None
) -> Record:
    record: Record = {
        "schema": SCHEMAS["plot"],
        "results": [name_of(one) for one in request.results],
        "figures": list(figures),
    }
    if subject is not None:
        record |= {
            "name": subject.table.name,
            "simulated": subject.table.simulated,
            "quantity": subject.limits.key,
            "conversion": subject.note
            if subject.limits.conversion is None
            else subject.limits.conversion.words,
            "hypotheses": len(subject.table.points),
            "failed": int(subject.table.failed.sum()),
            "constraints": [_source(one) for one in subject.constraints],
            "not_drawn": [_source(s) | {"text": s.text} for s in subject.statements],
        }
    return record


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
    subject = _Subject.of(everything[0], request)

    def drawn() -> Drawing:
        from darkstats.report.figures.scenarios import scenarios_figure

        return scenarios_figure(
            scenarios,
            coupling=subject.limits.key,
            label=subject.label,
            notes=(subject.note,) if subject.note else (),
            constraints=subject.constraints,
            favoured=_anomaly(request, _kind(subject.limits), everything),
        )

    def sheet() -> RenderableType:
        from darkstats.report.scan_sheets import scenarios_sheet

        return scenarios_sheet(scenarios, coupling=subject.limits.key)

    figures: Figures = {"scenarios": drawn}
    return Outcome(
        result=subject.table,
        record=lambda: _plot_record(request, figures, subject),
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
        record=lambda: _plot_record(request, figures),
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
