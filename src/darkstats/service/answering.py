"""From a question to its answer: documents into a folder, one workflow, a record and files.

The workflow is the one that the command line calls, with the same request: the record is the same,
byte for byte, but for the command that it names.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from darkstats import workflows
from darkstats.errors import (
    DarkstatsError,
    InputError,
    OptionError,
    OutputError,
    ServiceError,
    UnknownNameError,
)
from darkstats.options import named_choices, request_from
from darkstats.report.scan_table import SCAN_FILE
from darkstats.service.questions import (
    ASKED,
    FOLDERS,
    Question,
    asked_of,
    references,
    request_type,
    required_of,
    takes_scan_folder,
)
from darkstats.service.store.rows import Answer
from darkstats.workflows import Outcome, Shell

if TYPE_CHECKING:
    from darkstats.service.questions import Reference
    from darkstats.service.store import Store, StoredResult

__all__ = ["TABLE", "WRONG", "answer", "check", "lay_out"]

#: Folder of figures, in that of its documents, of which none has such a name.
OUT = ".out"
#: Files of an answer that no question can name: the table that the command line prints, and what
#: it says where nothing is certified or a document is malformed.
TABLE, WRONG = ".table.txt", ".wrong.txt"
_STATUS = {True: 2, False: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the documents of a question lie, by their references."""

    names: Mapping[str, str]

    def put(self, value: Any) -> Any:  # noqa: ANN401 -- any JSON value
        """The value with the names of files for references."""
        if isinstance(value, str):
            for one in references(value):
                value = value.replace(one.text, self.names[one.text])
            return value
        if isinstance(value, Mapping):
            return {key: self.put(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.put(item) for item in value]
        return value


def answer(
    question: Question,
    store: Store,
    folder: Path,
    *,
    progress: workflows.outcome.Progress = workflows.outcome.quiet,
    announce: Callable[[str], object] = workflows.outcome.silent,
    runner: Any = None,  # noqa: ANN401 -- a Runner of darkstats.execution
) -> Answer:
    """Answer a question in an empty folder of its own.

    Parameters
    ----------
    question
        What is asked.
    store
        Where its documents are; nothing is written to it.
    folder
        Where documents are laid and files are written; the caller removes it.
    progress, announce, runner
        As of :class:`darkstats.workflows.Shell`.

    Raises
    ------
    ServiceError
        The store does not answer.
    OutputError
        The folder cannot be written: that is no answer to the question.
    """
    begun = time.monotonic()
    command = f"darkstats service: {question.title}"
    shell = Shell(
        command=command, progress=progress, announce=announce, runner=runner,
        kinds=tuple(figure.rpartition(".")[0] or None for figure in question.figures),
    )  # fmt: skip
    try:
        places = lay_out(question, store, folder)
        with chdir(folder):
            outcome = _outcome(question, places, shell)
            return _told(question, outcome, begun)
    except (ServiceError, OutputError):
        raise
    except DarkstatsError as error:
        from darkstats.report.records import error_record
        from darkstats.report.writing import json_text

        status = _STATUS[isinstance(error, InputError)]
        record = error_record(error, exit_status=status, command=command)
        return Answer(
            exit_status=status, record=json_text(record), seconds=time.monotonic() - begun
        )


def lay_out(question: Question, store: Store, folder: Path) -> _Places:
    """Write the documents of a question into a folder, under their own names.

    Collections share the folder; one that has another file of the same name gets a folder of its
    own, named by its digest.

    Raises
    ------
    UnknownNameError
        A document is not in the store.
    """
    (folder / OUT).mkdir()
    laid: dict[str, str] = {}
    bases: dict[str, str] = {}
    names: dict[str, str] = {}
    for one in question.references:
        if one.key:
            lay = _lay_scan if takes_scan_folder(question.verb) else _lay_answer
            names[one.text] = lay(one, store, folder)
            continue
        if one.digest not in bases:
            bases[one.digest] = _lay_collection(one, store, folder, laid)
        names[one.text] = str(PurePosixPath(bases[one.digest]) / one.name) or "."
    return _Places(names=names)


def _found(one: Reference, store: Store) -> StoredResult:
    found = store.results.get(one.key)
    if found is None:
        raise UnknownNameError("result", one.key, ())
    return found


def _lay_answer(one: Reference, store: Store, folder: Path) -> str:
    found = _found(one, store)
    name = f"{found.verb.replace(' ', '-')}-{one.key[:12]}.json"
    (folder / name).write_bytes(found.record)
    return name


def _lay_scan(one: Reference, store: Store, folder: Path) -> str:
    """The folder that ``scan -o`` leaves, without its blocks: the record, and the job planned anew.

    Raises
    ------
    OptionError
        The answer is not one of a finished scan, or of one that would be another job today.
    """
    from darkstats.workflows.coupling_requests import NO_MODEL

    found = _found(one, store)
    if found.verb != "scan" or found.exit_status:
        raise OptionError(f"{one.text}: not the answer of a finished scan; ask for a scan first")
    name, asked = f"scan-{one.key[:12]}", Question.from_text(found.question)
    beside = folder / f"{name}-documents"
    beside.mkdir()
    places = lay_out(asked, store, beside)
    with chdir(beside):
        request: workflows.MassScanRequest = _request(asked, places)
        plan = replace(request, output=str(folder / name), couplings=NO_MODEL)
        planned = workflows.plan_shards(plan).result
    record = json.loads(found.record)
    if record["provenance"]["job_sha256"] != planned.job.digest:
        raise OptionError(
            f"{one.text}: this scan was made by another version of darkstats; scan again"
        )
    (folder / name / SCAN_FILE).write_bytes(found.record)
    return name


def _lay_collection(one: Reference, store: Store, folder: Path, laid: dict[str, str]) -> str:
    collection = store.documents.collection(one.digest)
    if collection is None:
        raise UnknownNameError("document", one.text, ())
    base = one.digest[:12] if _clash(collection.manifest, laid) else ""
    for name, digest in collection.manifest.items():
        path = folder / base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        body = store.documents.body(digest)
        if body is None:
            raise UnknownNameError("document", f"{one.text} ({name})", ())
        path.write_bytes(body)
        if not base:
            laid[name] = digest
    return base


def _clash(manifest: Mapping[str, str], laid: Mapping[str, str]) -> bool:
    """Whether a file is there with another content, or as a folder, or below a file."""
    folders = {str(one) for name in laid for one in PurePosixPath(name).parents}
    return any(
        laid.get(name, digest) != digest
        or name in folders
        or any(str(one) in laid for one in PurePosixPath(name).parents)
        for name, digest in manifest.items()
    )


def check(question: Question) -> None:
    """Refuse a question that would be refused whatever its documents hold.

    Raises
    ------
    ArgumentTypeError
        A value is of another type than its option takes.
    OptionError
        An option is missing, is beyond its range, or contradicts another.
    UnknownNameError
        A word is none of the choices.
    """
    for name in required_of(question.verb):
        if question.options.get(name) is None:
            raise OptionError(f"{name}: is required by {question.verb}")
    _request(question, _Places(names={one.text: "document" for one in question.references}))


def _outcome(question: Question, places: _Places, shell: Shell) -> Outcome[Any]:
    request = _request(question, places)
    found: Outcome[Any] = getattr(workflows, ASKED[question.verb].task)(request, shell)
    return found


def _request(question: Question, places: _Places) -> Any:  # noqa: ANN401 -- a request of the verb
    options = {}
    for name, asked in asked_of(question.verb).items():
        if name not in question.options:
            continue
        value = question.options[name]
        options[name] = places.put(value) if asked.reads else value
    if question.verb in FOLDERS:
        options.setdefault("output", FOLDERS[question.verb])
    known = named_choices(request_type(question.verb))
    options |= {name: 1 for name in ("threads", "workers") if name in known}
    return request_from(request_type(question.verb), options, called=question.verb)


def _told(question: Question, outcome: Outcome[Any], begun: float) -> Answer:
    from darkstats.report.tables import table_text
    from darkstats.report.writing import csv_text, json_text, write_text

    wrong = outcome.malformed or outcome.uncertified
    if not wrong:
        for figure in question.figures:
            kind, _, form = figure.rpartition(".")
            drawing = outcome.figure(kind or None)
            place = f"{OUT}/{figure if kind else f'figure.{form}'}"
            if form == "csv":
                write_text(place, csv_text(drawing.columns))
            else:
                drawing.save(place)
    for path, write in outcome.files.items():
        write(path)
    files = _written(question)
    files[TABLE] = table_text(outcome.sheet()).encode(errors="backslashreplace")
    if wrong:
        files[WRONG] = wrong.encode(errors="backslashreplace")
    status = 0 if not wrong else _STATUS[bool(outcome.malformed)]
    record = json_text(outcome.record())
    return Answer(
        exit_status=status, record=record, artefacts=files, seconds=time.monotonic() - begun
    )


def _written(question: Question) -> dict[str, bytes]:
    """Figures, and what options say is written, by name."""
    found = {path.name: path for path in sorted(Path(OUT).iterdir())}
    asked = asked_of(question.verb)
    names = [value for name, value in question.options.items() if asked[name].writes]
    for name in (*names, FOLDERS.get(question.verb, OUT)):
        place = Path(str(name))
        inside = sorted(place.rglob("*")) if place != Path(OUT) else []
        found |= {path.as_posix(): path for path in (place, *inside)}
    return {name: path.read_bytes() for name, path in found.items() if path.is_file()}
