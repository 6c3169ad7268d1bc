"""Exclusion contours of finished scans over two masses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.report.contour_results import Contours
from darkstats.report.contours import exclusion_contours
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import ScanTable
from darkstats.workflows.exports import collision_of, not_said
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.plot_requests import name_of
from darkstats.workflows.plot_subjects import read_record

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.figures.style import Drawing
    from darkstats.workflows.plot_requests import ContourRequest

__all__ = ["contour"]


def _scans(request: ContourRequest) -> tuple[list[ScanTable], list[str], list[str | None]]:
    """Tables, names and digests of the scans; a name stands before the file, or is found."""
    tables, digests, given = [], [], []
    for text in request.results:
        name, sign, file = text.partition("=") if isinstance(text, str) else ("", "", "")
        named = bool(sign and name and file and "/" not in name and not Path(str(text)).exists())
        source = file if named else text
        record = read_record(source)
        tables.append(read_scan(record, source=name_of(source)))
        provenance = record.get("provenance")
        digest = provenance.get("inputs_sha256") if isinstance(provenance, dict) else None
        digests.append(digest if isinstance(digest, str) else None)
        given.append(name if named else None)
    own = [table.name for table in tables]
    found = [
        name if name is not None else table.name if own.count(table.name) == 1 else table.source
        for name, table in zip(given, tables, strict=True)
    ]
    return tables, found, digests


def contour(request: ContourRequest, shell: Shell | None = None) -> Outcome[Contours]:
    """Find observed and expected exclusion contours in the plane of two masses.

    Raises
    ------
    DocumentError
        A record is none of a scan.
    OptionError
        The scans do not belong together, or their hypotheses make no plane; a file or a folder
        cannot be written.
    UnknownNameError
        A label does not exist.
    """
    from darkstats.report.contour_exports import contour_csv, contour_record, contour_submission
    from darkstats.report.hepdata import write_submission
    from darkstats.report.writing import require_writable, write_text

    shell = shell or Shell()
    if request.curves is not None:
        require_writable(request.curves)
    tables, names, digests = _scans(request)
    with shell.step("triangulating"):
        found = exclusion_contours(
            tables,
            names,
            quantity=request.interpolate,
            axes=(request.x, request.y),
            where=request.where,
            ignored=request.ignored,
            failed=request.failed,
            predicted=request.predicted,
            digests=digests,
        )
    unsaid = ""
    files: dict[str, Callable[[str], None]] = {}
    if request.curves is not None:
        files[request.curves] = lambda path: write_text(path, contour_csv(found))
    folder = request.submission.hepdata
    if folder is not None:
        collision = collision_of(request.submission, found.table.collision)
        unsaid = not_said(collision)
        documents = contour_submission(found, collision)
        files[folder] = lambda path: write_submission(documents, Path(path))

    def drawn() -> Drawing:
        from darkstats.report.figures.contours import contours_figure

        return contours_figure(found)

    def sheet() -> RenderableType:
        from darkstats.report.contour_sheets import contour_sheet

        return contour_sheet(found, left_out=unsaid)

    return Outcome(
        result=found,
        record=lambda: contour_record(found),
        sheet=sheet,
        figures={"contours": drawn},
        files=files,
    )
