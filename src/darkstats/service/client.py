"""A service, from Python: send documents, ask, watch, read answers.

::

    with darkstats.Client("http://127.0.0.1:8000") as service:
        job = service.ask("limit", source=Path("workspace.json"), cl=0.9)
        print(service.wait(job).record["observed"])
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from darkstats.errors import MissingExtraError, OptionError, RefusedError, ServiceError
from darkstats.service.sending import read_path

if TYPE_CHECKING:
    import httpx

__all__ = ["Client", "Job", "JobEvent", "Result"]

_ROOT = "/api/v1"
_FINAL = {"done", "failed", "cancelled"}
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_PATIENCE_S = 60.0  # of a service that does not answer, before that is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A question that was asked.

    Parameters
    ----------
    name
        What the service calls it.
    verb, title
        What was asked.
    state, reason
        ``queued``, ``running``, ``waiting``, ``done``, ``failed`` or ``cancelled``, and why it
        failed.
    key
        What its answer is found by.
    url
        Where it is told of.
    """

    name: str
    verb: str
    title: str
    state: str
    reason: str
    key: str
    url: str

    @property
    def is_final(self) -> bool:
        """Whether nothing changes any more."""
        return self.state in _FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job: ``state``, ``progress`` or ``blocks``, with its fields."""

    id: int
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An answer.

    Parameters
    ----------
    key
        What it is found by.
    text
        The record, byte for byte as the command line prints it.
    exit_status
        That of the command line: 0 done, 1 not certified, 2 refused.
    url
        Where it lies.
    """

    key: str
    text: str = field(repr=False)
    exit_status: int
    url: str

    @property
    def record(self) -> dict[str, Any]:
        """The record as JSON data."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class Client:
    """A service that is spoken to.

    Parameters
    ----------
    url
        Its address, such as ``http://127.0.0.1:8000``.
    token
        Key to it; that of the environment variable ``DARKSTATS_TOKEN`` by default.
    timeout
        Seconds for one answer of the service, uploads included.
    transport
        How to reach it, in place of the network; for tests.

    Raises
    ------
    MissingExtraError
        httpx is not installed.
    OptionError
        The address is none.

    Examples
    --------
    >>> import darkstats
    >>> with darkstats.Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     sent = client.upload("workspace.json")
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            import httpx
        except ImportError:
            raise MissingExtraError("httpx", "service") from None
        if not url.startswith(("http://", "https://")):
            raise OptionError(f"server {url!r}: give an address such as http://127.0.0.1:8000")
        token = os.environ.get("DARKSTATS_TOKEN") if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        try:
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=timeout, transport=transport
            )
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise OptionError(f"server {url!r}: is no address: {error}") from None
        self._failed = httpx.HTTPError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def upload(
        self,
        files: str | os.PathLike[str] | Mapping[str, bytes],
        *,
        title: str = "",
    ) -> Mapping[str, str]:
        """Send a file, a folder, or several files; return what questions name them by.

        Parameters
        ----------
        files
            Path of a file, or of a folder, which goes as a whole but for hidden files; or bytes by
            name. A folder has a name, too.
        title
            What to call them.

        Raises
        ------
        OptionError
            The file cannot be read.
        RefusedError
            The service takes none of it, and says why.
        ServiceError
            The service does not answer.
        """
        folder = ""
        if not isinstance(files, Mapping):
            path = Path(files)
            files, folder = read_path(path), path.resolve().name if path.is_dir() else ""
        parts = [("files", (name, body)) for name, body in files.items()]
        found = self._json("POST", f"{_ROOT}/documents", files=parts, params={"title": title})
        references: dict[str, str] = dict(found["references"])
        if folder:
            references[folder] = f"sha256:{found['digest']}/{folder}"
        return references

    def ask(
        self,
        verb: str,
        /,
        *,
        figures: Sequence[str] = (),
        priority: int = 0,
        idempotency_key: str | None = None,
        **options: Any,  # noqa: ANN401 -- any JSON value
    ) -> Job:
        """Ask what the command line is asked, with the same options by their names in Python.

        Parameters
        ----------
        verb
            ``"limit"``, ``"scan"``, ...
        figures
            Figures to draw with the answer: ``"svg"``, or ``"cls.pdf"`` with their kind.
        priority
            Which of your own questions go first.
        idempotency_key
            The same key with the same question names the same job, whatever its end.
        **options
            Values by name. Documents are named by what :meth:`upload` returns; a path is sent
            first; a document may stand there itself, as JSON data.

        Raises
        ------
        OptionError
            A file cannot be read.
        RefusedError
            The question cannot be asked; says why, with the place of each fault.
        ServiceError
            The service does not answer.
        """
        named = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        body = {**self._sent(options), "figures": list(figures), "priority": priority}
        path = f"{_ROOT}/{verb.replace(' ', '-')}"
        told = self._answer("POST", path, json=body, headers=named)
        if "darkstats-job" in told.headers:  # the answer is known
            return self._job(self._json("GET", told.headers["darkstats-job"]))
        return self._job(_checked(told).json())

    def _sent(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options whose paths have become references to what was sent."""
        sent: dict[str, Any] = {}
        for name, value in options.items():
            if isinstance(value, os.PathLike):
                path = Path(value)
                sent[name] = self.upload(path)[path.resolve().name if path.is_dir() else path.name]
            elif isinstance(value, (list, tuple)):
                sent[name] = [self._sent({"one": one})["one"] for one in value]
            else:
                sent[name] = value
        return sent

    def job(self, job: Job | str) -> Job:
        """Where a job stands now; by its name, too.

        Raises
        ------
        RefusedError
            There is no such job of yours.
        ServiceError
            The service does not answer.
        """
        name = job if isinstance(job, str) else job.name
        return self._job(self._json("GET", f"{_ROOT}/jobs/{name}"))

    def jobs(self, *, limit: int = 100) -> tuple[Job, ...]:
        """Your jobs, the newest first.

        Raises
        ------
        RefusedError
            The service says why it does not tell.
        ServiceError
            The service does not answer.
        """
        found = self._json("GET", f"{_ROOT}/jobs", params={"limit": limit})
        return tuple(self._job(one) for one in found["jobs"])

    def cancel(self, job: Job | str) -> Job:
        """Stop a job; one that is at its end stays as it is.

        Raises
        ------
        RefusedError
            There is no such job of yours.
        ServiceError
            The service does not answer.
        """
        name = job if isinstance(job, str) else job.name
        return self._job(self._json("DELETE", f"{_ROOT}/jobs/{name}"))

    def events(self, job: Job | str, *, after: int = 0) -> Iterator[JobEvent]:
        """What happens to a job, as it happens, to its end; a lost connection is taken up again.

        Parameters
        ----------
        job
            The job, or its name.
        after
            Number of the last event that was seen.

        Raises
        ------
        RefusedError
            There is no such job of yours.
        ServiceError
            The service has not answered for a minute.
        """
        name = job if isinstance(job, str) else job.name
        heard, pause = time.monotonic(), _PAUSE_S
        while True:
            try:
                for event in self._stream(f"{_ROOT}/jobs/{name}/events", after):
                    after, heard, pause = event.id, time.monotonic(), _PAUSE_S
                    yield event
                    if event.kind == "state" and event.body.get("state") in _FINAL:
                        return
                if self.job(name).is_final:
                    return
                heard = time.monotonic()
            except (ServiceError, self._failed) as error:
                if time.monotonic() - heard > _PATIENCE_S:
                    raise ServiceError(f"{self.url} does not answer any more: {error}") from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _stream(self, path: str, after: int) -> Iterator[JobEvent]:
        headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
        with self._http.stream("GET", path, headers=headers) as told:
            if told.status_code != 200:
                told.read()
                _checked(told)
                return
            fields: dict[str, str] = {}
            for line in told.iter_lines():
                name, _, value = line.partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                elif "data" in fields:
                    yield JobEvent(
                        id=int(fields.get("id", after)), kind=fields.get("event", "message"),
                        body=json.loads(fields["data"]),
                    )  # fmt: skip
                    fields = {}

    def wait(self, job: Job | str, *, timeout: float | None = None) -> Result:
        """Wait for the answer of a job.

        Parameters
        ----------
        job
            The job, or its name.
        timeout
            Seconds to wait at most.

        Raises
        ------
        RefusedError
            The job failed or was cancelled; says why. Or there is no such job of yours.
        ServiceError
            The service does not answer, or the time is over.
        """
        over = None if timeout is None else time.monotonic() + timeout
        pause, now = _PAUSE_S / 4, self.job(job)
        while not now.is_final:
            if over is not None and time.monotonic() > over:
                raise ServiceError(f"job {now.name} is {now.state} after {timeout} s: wait longer")
            time.sleep(pause)
            pause = min(1.5 * pause, 1.0)
            now = self.job(now.name)
        return self.result(now)

    def result(self, job: Job | str) -> Result:
        """The answer of a job that is done, or the one with a key.

        Raises
        ------
        RefusedError
            There is none, and why.
        ServiceError
            The service does not answer.
        """
        if isinstance(job, Job) and job.state != "done":
            raise RefusedError(f"job {job.name} is {job.state}: {job.reason or 'not at its end'}")
        key = job if isinstance(job, str) else job.key
        path = f"{_ROOT}/results/{key}"
        told = _checked(self._answer("GET", path))
        return Result(
            key=key, text=told.content.decode(), url=self.url + path,
            exit_status=int(told.headers.get("darkstats-exit-status", 0)),
        )  # fmt: skip

    def files(self, result: Result) -> Mapping[str, int]:
        """Sizes of the files that were written with an answer, by name.

        Raises
        ------
        RefusedError
            There is no such answer.
        ServiceError
            The service does not answer.
        """
        found = self._json("GET", f"{_ROOT}/results/{result.key}/files")["files"]
        return {name: one["size"] for name, one in found.items()}

    def file(self, result: Result, name: str) -> bytes:
        """A figure or another file that was written with an answer.

        Raises
        ------
        RefusedError
            There is none of this name.
        ServiceError
            The service does not answer.
        """
        from urllib.parse import quote

        path = f"{_ROOT}/results/{result.key}/files/{quote(name)}"
        return _checked(self._answer("GET", path)).content

    def workspaces(self) -> Mapping[str, Mapping[str, str]]:
        """Searches that come with the service: what questions name their files by, by title.

        Raises
        ------
        RefusedError
            The service says why it does not tell.
        ServiceError
            The service does not answer.
        """
        found = self._json("GET", f"{_ROOT}/workspaces")["documents"]
        return {one["title"]: one["references"] for one in found}

    def _job(self, told: Mapping[str, Any]) -> Job:
        return Job(
            name=told["name"], verb=told["verb"], title=told["title"], state=told["state"],
            reason=told["reason"], key=told["key"], url=self.url + told["job"],
        )  # fmt: skip

    def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        found: dict[str, Any] = _checked(self._answer(method, path, **more)).json()
        return found

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        try:
            return self._http.request(method, path, **more)
        except self._failed as error:
            raise ServiceError(
                f"{self.url} does not answer ({error}); is it running? Start one with "
                "`darkstats serve`"
            ) from error


def _checked(told: httpx.Response) -> httpx.Response:
    """The response, if it is no problem.

    Raises
    ------
    RefusedError
        The service refused the request.
    ServiceError
        The service cannot answer it at the moment.
    """
    if told.is_success:
        return told
    try:
        problem = told.json()
    except ValueError:
        problem = {}
    detail = problem.get("detail") or f"it answered {told.status_code} {told.reason_phrase}"
    if told.is_server_error:
        raise ServiceError(f"{told.url}: {detail}")
    raise RefusedError(detail, problem=problem)
