"""What a figure shows, and the record of figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import DocumentError
from darkstats.report.records import SCHEMAS
from darkstats.report.scan_table import SCAN_FILE, Limits, ScanTable
from darkstats.workflows.plot_requests import CATALOGUE, NONE, PlotRequest, Record, name_of

if TYPE_CHECKING:
    from darkstats.report.constraints.curve import Constraint, Statement

__all__ = [
    "Subject",
    "benchmark_words",
    "conversions_of",
    "coupling_kind",
    "coupling_words",
    "plot_record",
    "read_record",
]


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


def coupling_kind(limits: Limits) -> str:
    """Name of the coupling in the catalogue of constraints."""
    own = limits.conversion
    return limits.key if own is None else own.constraints_of or limits.key


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What a figure of a scan shows."""

    table: ScanTable
    limits: Limits
    label: str | None
    note: str
    constraints: tuple[Constraint, ...]
    statements: tuple[Statement, ...]

    @classmethod
    def of(cls, table: ScanTable, request: PlotRequest) -> Subject:
        """What a request asks to see of a scan."""
        limits = table.limits_on(request.coupling)
        label, note = coupling_words(limits)
        constraints, statements = _constraints(request, coupling_kind(limits))
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


def conversions_of(subject: Subject) -> dict[str, str]:
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


def plot_record(
    request: PlotRequest, figures: Mapping[str, object], subject: Subject | None = None
) -> Record:
    """The record of some figures, with what those of scans show."""
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
