"""Finished results to other formats: export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.report.records import SCHEMAS
from darkstats.report.scan_table import ScanTable, read_scan
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.plot_requests import ExportRequest
from darkstats.workflows.plots import benchmark_words, read_record

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["export"]


def export(request: ExportRequest, shell: Shell | None = None) -> Outcome[ScanTable]:
    """Write a scan as CSV, or as a HEPData submission.

    Raises
    ------
    DocumentError
        The record is none of a scan.
    OptionError
        A file or folder cannot be written.
    """
    from darkstats.report.hepdata import submission, write_submission
    from darkstats.report.scan_exports import scan_csv
    from darkstats.report.scan_sheets import kinds_sheet
    from darkstats.report.writing import write_text
    from darkstats.signals.constants import CM_ENERGY_GEV

    shell = shell or Shell()
    table = read_scan(read_record(request.result), source=request.result)
    written: list[str] = []
    if request.csv is not None:
        write_text(request.csv, scan_csv(table))
        written.append(request.csv)
    if request.hepdata is not None:
        notes = {key: words for key in table.couplings if (words := benchmark_words(key)[1])}
        documents = submission(table, sqrt_s_gev=CM_ENERGY_GEV, notes=notes)
        with shell.step(f"writing {request.hepdata}"):
            write_submission(documents, Path(request.hepdata))
        written += [f"{request.hepdata}/{name}" for name in documents]

    def sheet() -> RenderableType:
        return kinds_sheet(f"Wrote {', '.join(written)}", (), request.result)

    return Outcome(
        result=table,
        record=lambda: {
            "schema": SCHEMAS["export"],
            "result": request.result,
            "simulated": table.simulated,
            "files": written,
        },
        sheet=sheet,
    )
