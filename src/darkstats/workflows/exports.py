"""What others take along: results in other formats, and what to cite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.report.records import SCHEMAS
from darkstats.report.scan_reading import read_scan
from darkstats.report.scan_table import Collision, Limits, ScanTable
from darkstats.workflows.couplings import with_couplings
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.plot_requests import ExportRequest, name_of
from darkstats.workflows.plot_subjects import coupling_words, read_record

#: Options of what a submission says of the collision.
_WORDS = {
    "sqrt_s_gev": "--sqrt-s",
    "beams": "--beams",
    "collaboration": "--collaboration",
    "reaction": "--reaction",
}

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.workflows.document_requests import CitationRequest
    from darkstats.workflows.submission_requests import SubmissionRequest

__all__ = ["citation", "collision_of", "export", "not_said"]


def _words(limits: Limits) -> str:
    """What a conversion rests on, all of it where it is one of the user's."""
    own = limits.conversion
    return coupling_words(limits)[1] if own is None else own.words


def collision_of(asked: SubmissionRequest, known: Collision) -> Collision:
    """What collided: what the request says, or else the record."""
    return Collision(
        sqrt_s_gev=asked.sqrt_s_gev or known.sqrt_s_gev,
        beams=asked.beams or known.beams,
        collaboration=asked.collaboration or known.collaboration,
        reaction=asked.reaction or known.reaction,
    )


def not_said(collision: Collision) -> str:
    """Say which options tell what a submission leaves out; empty where it leaves nothing out."""
    words = ", ".join(_WORDS[name] for name in collision.missing)
    return f"not known: {words}; the record does not say, give options" if words else ""


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
    from darkstats.report.writing import write_text

    shell = shell or Shell()
    record, name = read_record(request.result), name_of(request.result)
    table = read_scan(record, source=name)
    if request.couplings.cross_sections is not None:
        record = with_couplings(record, request.couplings, name)
        table = read_scan(record, source=name)
    written: list[str] = []
    left_out: tuple[str, ...] = ()
    if request.csv is not None:
        write_text(request.csv, scan_csv(table))
        written.append(request.csv)
    folder = request.submission.hepdata
    if folder is not None:
        notes = {key: words for key in table.couplings if (words := _words(table.limits[key]))}
        collision = collision_of(request.submission, table.collision)
        left_out = collision.missing
        documents = submission(table, collision=collision, notes=notes)
        with shell.step(f"writing {folder}"):
            write_submission(documents, Path(folder))
        written += [f"{folder}/{name}" for name in documents]

    def sheet() -> RenderableType:
        from darkstats.report.tables import sheet as table_of

        notes = []
        if left_out:
            notes.append(("left out", not_said(collision)))
        return table_of(f"Wrote {', '.join(written)}", subtitle=name, notes=notes)

    return Outcome(
        result=table,
        record=lambda: {
            "schema": SCHEMAS["export"],
            "result": name,
            "simulated": table.simulated,
            "files": written,
            "left_out": list(left_out),
        },
        sheet=sheet,
    )


def citation(request: CitationRequest, shell: Shell | None = None) -> Outcome[str]:
    """References of darkstats and of the work that it stands on, as BibTeX."""
    from darkstats.report.citations import bibtex, citation_record

    text = bibtex()
    return Outcome(result=text, record=citation_record, sheet=lambda: text)
