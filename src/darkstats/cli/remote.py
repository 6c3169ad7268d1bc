"""A verb that a service answers: send what it reads, watch, and show what comes as ever."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.characters import printable
from darkstats.cli.output import Output
from darkstats.errors import OptionError
from darkstats.options import named_choices, option
from darkstats.service.questions import asked_of, request_type

if TYPE_CHECKING:
    from darkstats.options import Choice
    from darkstats.service.client import Client, Job, JobEvent, Result
    from darkstats.workflows import Shell
    from darkstats.workflows.outcome import Step

__all__ = ["Remote", "Submission", "ask_service", "options_by_name", "submit"]

_SERVER, _TOKEN = "DARKSTATS_SERVER", "DARKSTATS_TOKEN"
_PANEL = "Service"
Server = Annotated[
    str | None,
    option(
        "--server", metavar="URL", panel=_PANEL, usual=f"${_SERVER}",
        help=f"Let a service compute; its token, if it needs one, is read from ${_TOKEN}.",
    ),
]  # fmt: skip
#: What a verb without a file for its record keeps it as, in its folder.
_RECORDS = {"scan": "scan.json", "global": "global.json", "project": "projection.json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Who computes."""

    server: Server = None

    @property
    def url(self) -> str | None:
        """Address of the service; ``None`` for this machine."""
        return self.server or os.environ.get(_SERVER) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How a question is put to a service."""

    server: Server = None
    figures: Annotated[
        tuple[str, ...],
        option(
            "--figure", metavar="[KIND.]FORMAT", panel=_PANEL,
            help="A figure to draw with the answer: svg, png or pdf; repeatable.",
        ),
    ] = ()  # fmt: skip
    priority: Annotated[
        int,
        option(
            "--priority", metavar="N", panel=_PANEL, least=-100, most=100,
            help="Which of your own questions go first.",
        ),
    ] = 0  # fmt: skip
    json: Annotated[
        bool, option("--json", help="Print one JSON record, not a table.", panel=_PANEL)
    ] = False

    @property
    def url(self) -> str:
        """Address of the service.

        Raises
        ------
        OptionError
            None is given.
        """
        found = self.server or os.environ.get(_SERVER)
        if not found:
            raise OptionError(f"submit: name a service with --server, or in ${_SERVER}")
        return found


def options_by_name(verb: str, chosen: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Values of a request by the names that a question has for them."""
    found: dict[str, Any] = {}
    shared: tuple[Choice, ...]
    for name, shared in named_choices(request_type(verb)).items():
        for one in shared:
            if one.path in chosen:
                found[name] = chosen[one.path]
    return found


def submit(verb: str, options: Mapping[str, Any], how: Submission, shell: Shell) -> None:
    """Put a question to a service and print its job."""
    from darkstats.cli.output import print_record
    from darkstats.service.client import Client

    with Client(how.url) as service:
        asked = {name: value for name, value in options.items() if name in asked_of(verb)}
        job = _ask(service, verb, asked, how.figures, shell, priority=how.priority)
        if how.json:
            print_record(
                {"schema": "darkstats.job/1", "command": shell.command, "name": job.name,
                 "verb": job.verb, "title": job.title, "state": job.state, "key": job.key,
                 "url": job.url}
            )  # fmt: skip
        else:
            sys.stdout.write(printable(f"{job.name}  {job.state}  {job.title}\n{job.url}\n"))


def ask_service(
    url: str, verb: str, options: Mapping[str, Any], output: Output, shell: Shell
) -> int:
    """Ask a service, wait, and show and write what came as if it had been computed here.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    OptionError
        A file cannot be read or written.
    RefusedError
        The service refused the question, or the job failed.
    ServiceError
        The service does not answer.
    """
    from darkstats.service.client import Client

    asked = {name: value for name, value in options.items() if name in asked_of(verb)}
    figures = tuple(dict.fromkeys(name for name, _ in _drawn(output)))
    with Client(url) as service:
        job = _ask(service, verb, asked, figures, shell)
        if not job.is_final:
            _follow(service, job, shell)
        result = service.result(service.job(job))
        if result.record.get("schema") == "darkstats.error/1":
            return _refused(result, output)
        return _shown(service, result, verb, options, output)


def _ask(
    service: Client, verb: str, asked: Mapping[str, Any], figures: tuple[str, ...], shell: Shell,
    priority: int = 0,
) -> Job:  # fmt: skip
    """Send the files that a question names, and the question."""
    from darkstats.service.sending import gather

    sending = gather(asked, asked_of(verb))
    files = sending.read()
    digest = ""
    if files:
        size = sum(map(len, files.values()))
        with shell.step(f"sending {len(files)} file(s), {size} bytes"):
            reference = next(iter(service.upload(files).values()))
        digest = reference.removeprefix("sha256:").partition("/")[0]
    sent = sending.with_digest(digest)
    return service.ask(verb, figures=figures, priority=priority, **sent)


def _drawn(output: Output) -> Iterator[tuple[str, str]]:
    """Figures, and their numbers where they are asked for: as questions name them, and paths."""
    for kind, path in output.figures:
        paths = [path, str(Path(path).with_suffix(".csv"))] if output.csv else [path]
        for one in paths:
            form = one.rpartition(".")[2].lower()
            yield (f"{kind}.{form}" if kind else form), one


class _Progress:
    """Steps of a job elsewhere, shown as those of one here."""

    def __init__(self, shell: Shell) -> None:
        self._shell, self._open = shell, ExitStack()
        self._step: Step | None = None
        self._name, self._done = "", 0

    def show(self, event: JobEvent) -> None:
        """Show what an event tells."""
        body = event.body
        if event.kind == "blocks":
            each, unit = int(body.get("each", 1)), str(body.get("unit", "blocks"))
            of = None if body.get("of") is None else int(body["of"]) * each
            self._at("computing", of, unit, int(body.get("done", 0)) * each)
        elif event.kind == "progress" and "said" in body:
            self._shell.announce(str(body["said"]))
        elif event.kind == "progress" and "step" in body:
            self._at(
                str(body["step"]), body.get("total"), str(body.get("unit", "")),
                int(body.get("done", 0)),
            )  # fmt: skip

    def _at(self, name: str, total: int | None, unit: str, done: int) -> None:
        if self._step is None or name != self._name or done < self._done:
            self.close()
            self._step = self._open.enter_context(self._shell.step(name, total, unit))
            self._name, self._done = name, 0
        self._step.advance(done - self._done)
        self._done = done

    def close(self) -> None:
        """End the step that is shown."""
        self._open.close()
        self._step = None


def _follow(service: Client, job: Job, shell: Shell) -> None:
    progress = _Progress(shell)
    try:
        for event in service.events(job):
            progress.show(event)
    except KeyboardInterrupt:
        shell.announce(f"the job goes on: {job.url}")
        raise
    finally:
        progress.close()


def _refused(result: Result, output: Output) -> int:
    """Say what a refusal says, as it is said of one here."""
    sys.stderr.write(f"darkstats: error: {printable(result.record['message'])}\n")
    if output.json:
        _print(result.text)
    return result.exit_status


def _shown(
    service: Client, result: Result, verb: str, options: Mapping[str, Any], output: Output
) -> int:
    """Write files first, then print; as :func:`darkstats.cli.output.deliver`."""
    from darkstats.report.writing import write_text

    if result.exit_status:
        undrawn = "; no figure is drawn" if output.plots else ""
        wrong = printable(service.file(result, ".wrong.txt").decode())
        sys.stderr.write(f"darkstats: error: {wrong}{undrawn}\n")
    else:
        for name, path in _drawn(output):
            _write(path, service.file(result, name if "." in name else f"figure.{name}"))
    _fetch(service, result, verb, options)
    if output.path is not None:
        write_text(output.path, result.text)
    _print(result.text if output.json else service.file(result, ".table.txt").decode())
    return result.exit_status


def _fetch(service: Client, result: Result, verb: str, options: Mapping[str, Any]) -> None:
    """Write the files that options ask for, and the folder of a verb that has one."""
    from darkstats.report.writing import write_text

    names = service.files(result)
    targets = {
        Path(options[name]).name: Path(options[name])
        for name, one in asked_of(verb).items()
        if one.writes and isinstance(options.get(name), str)
    }
    folder = options.get("output")
    if isinstance(folder, str) and verb in _RECORDS:
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_text(Path(folder) / _RECORDS[verb], result.text)
    for name in names:
        first, _, rest = name.partition("/")
        if first in targets:
            target = targets[first] / rest if rest else targets[first]
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(str(target), service.file(result, name))


def _write(path: str, body: bytes) -> None:
    from darkstats.report.writing import whole_file

    with whole_file(path) as part:
        part.write_bytes(body)


def _print(text: str) -> None:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = text.encode("ascii", "backslashreplace").decode() if text[:1] == "{" else text
    sys.stdout.write(text)
    sys.stdout.flush()
