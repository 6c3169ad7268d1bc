"""What the verbs of a service are asked and do. Nothing of the web is imported before it is run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.errors import MissingExtraError, OptionError
from darkstats.execution.run import dask_cluster_of
from darkstats.options import argument, check_choices, option
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from darkstats.service.settings import Settings
    from darkstats.service.store import Store
    from darkstats.service.tokens import Tokens
    from darkstats.service.workers.limits import Limits

__all__ = [
    "SCHEMA",
    "ServeRequest",
    "StorePlace",
    "TokenRequest",
    "require_packages",
    "serve",
    "store_url",
    "token",
]

SCHEMA = "darkstats.service/1"
_PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "multipart", "prometheus_client", "jinja2")
_ACTIONS = ("add", "list", "revoke")
_GIB = 2**30

StorePlace = Annotated[
    str | None,
    option(
        "--store", metavar="URL",
        usual="$DARKSTATS_STORE, or a file of the user's",
        help="Where all is kept: a file, or postgresql+psycopg://USER@HOST/NAME.",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRequest:
    """A service to start."""

    host: Annotated[
        str, option("--host", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1"  # fmt: skip
    port: Annotated[
        int, option("--port", metavar="N", help="Port to listen on; 0 for a free one.", least=0)
    ] = 8000
    store: StorePlace = None
    workers: Annotated[
        int | None,
        option(
            "--workers", metavar="N", least=0, most=1_000, usual="one less than the processors",
            help="Processes that compute; one more takes quick questions only.",
        ),
    ] = None  # fmt: skip
    cluster: Annotated[
        str | None,
        option(
            "--cluster", metavar="URL",
            help="dask://HOST:PORT of a Dask scheduler: blocks of scans and toys run there, too.",
        ),
    ] = None  # fmt: skip
    workspaces: Annotated[
        str | None,
        option(
            "--workspaces", metavar="DIR", reads="file", usual="workspaces, if it is there",
            help="Searches to show to everybody.",
        ),
    ] = None  # fmt: skip
    open: Annotated[bool, option("--open", help="Open the page in a browser.")] = False
    names: Annotated[
        tuple[str, ...],
        option(
            "--name", metavar="NAME",
            help="A name that others reach it by, such as that of a proxy; repeatable.",
        ),
    ] = ()  # fmt: skip
    tokens: Annotated[
        bool, option("--tokens", help="Ask for a token on this machine, too: behind a proxy.")
    ] = False
    jobs: Annotated[
        int | None,
        option("--jobs", metavar="N", least=1, usual="1000", help="Unfinished jobs of one owner."),
    ] = None
    storage_gib: Annotated[
        float | None,
        option("--storage", metavar="GIB", usual="4", help="Documents of one owner, in GiB."),
    ] = None
    memory_gib: Annotated[
        float | None,
        option("--memory", metavar="GIB", usual="5.6", help="Memory of a worker; 0 for no limit."),
    ] = None
    time_s: Annotated[
        float | None,
        option("--time", metavar="SECONDS", usual="3600", help="Longest time of one job."),
    ] = None
    log_level: Annotated[
        str,
        option(
            "--log-level", metavar="LEVEL", kind="level", choices=("info", "warning", "error"),
            help="What is logged on standard error, one JSON object a line: {choices}.",
        ),
    ] = "warning"  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)
        if self.cluster is not None:
            dask_cluster_of(self.cluster)
        for name, value in (("--storage", self.storage_gib), ("--time", self.time_s)):
            if value is not None and not 0 < value < float("inf"):
                raise OptionError(f"{name} {value}: give a number above zero")
        if self.memory_gib is not None and not 0 <= self.memory_gib < float("inf"):
            raise OptionError(f"--memory {self.memory_gib}: give a number, or 0 for no limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A key of a service."""

    action: Annotated[str, argument("ACTION", f"One of: {', '.join(_ACTIONS)}.")]
    name: Annotated[str | None, argument("[NAME]", "Name of the token.")] = None
    scopes: Annotated[
        tuple[str, ...],
        option(
            "--scope", metavar="SCOPE", usual="read and submit",
            help="What it allows: read, submit or admin; repeatable.",
        ),
    ] = ()  # fmt: skip
    owner: Annotated[
        str | None,
        option(
            "--owner", metavar="NAME", usual="that of the token",
            help="Whose jobs and documents it sees; several tokens may have one owner.",
        ),
    ] = None  # fmt: skip
    store: StorePlace = None

    def __post_init__(self) -> None:
        if self.action not in _ACTIONS:
            raise OptionError(f"serve token {self.action}: choose one of: {', '.join(_ACTIONS)}")
        if (self.action == "list") != (self.name is None):
            raise OptionError(f"serve token {self.action}: a name goes with add and revoke")


def store_url(given: str | None) -> str:
    """Return the URL of a store: of a file by its path, or of the user's own by default.

    Raises
    ------
    OptionError
        The folder of the file cannot be made.
    """
    place = given or os.environ.get("DARKSTATS_STORE")
    if place is not None and "://" in place:
        return place
    if place is None:
        data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
        place = str(Path(data) / "darkstats" / "service.db")
        try:
            Path(place).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise OptionError(
                f"{place}: cannot be made ({error.strerror}); name a file with --store"
            ) from error
    return f"sqlite:///{Path(place).absolute()}"


def require_packages() -> None:
    """Check that what a service is made of is installed.

    Raises
    ------
    MissingExtraError
        It is not; says how to install it.
    """
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "service")


def serve(request: ServeRequest, shell: Shell | None = None) -> Outcome[Mapping[str, Any]]:
    """Run a service until it is told to stop.

    Raises
    ------
    MissingExtraError
        The packages of the web, or of the cluster, are not installed.
    OptionError
        Others could reach it and there is no token, the port is taken, or the store cannot be used.
    ServiceError
        The store does not answer.
    """
    require_packages()
    if request.cluster is not None and find_spec("distributed") is None:
        raise MissingExtraError("distributed", "cluster")
    from darkstats.service.server import run
    from darkstats.service.store import Store

    shell = shell or Shell()
    store = Store(store_url(request.store))
    try:
        settings = _settings(request, store)
        workers = request.workers
        if workers is None:
            workers = max(1, (os.cpu_count() or 1) - 1)
        told = run(
            store, settings, workers=workers, limits=_limits(request), shell=shell,
            cluster=request.cluster, opens=request.open, log_level=request.log_level,
        )  # fmt: skip
    finally:
        store.close()
    record = {"schema": SCHEMA, "command": shell.command, "did": "serve", **told}
    words = f"stopped after {told['seconds']:.0f} s; unfinished jobs: {told['unfinished']}"
    return Outcome(result=told, record=lambda: record, sheet=lambda: words)


def _settings(request: ServeRequest, store: Store) -> Settings:
    from darkstats.service.settings import LOCAL_HOSTS, Quotas, Settings
    from darkstats.service.tokens import Tokens

    usual = Quotas()
    stored = usual.stored if request.storage_gib is None else int(request.storage_gib * _GIB)
    quotas = Quotas(queued=request.jobs or usual.queued, stored=stored)
    folder = Path(request.workspaces or "workspaces")
    needed = request.tokens or request.host not in LOCAL_HOSTS
    has_tokens = any(one.revoked is None for one in Tokens(store).all())
    if request.tokens and not has_tokens:
        raise OptionError("--tokens: there is none; make one with `darkstats serve token add NAME`")
    return Settings(
        host=request.host, port=request.port, store=store.database.url, quotas=quotas,
        workspaces=folder if request.workspaces or folder.is_dir() else None,
        needs_tokens=needed and has_tokens, names=request.names,
    )  # fmt: skip


def _limits(request: ServeRequest) -> Limits:
    from darkstats.service.workers.limits import Limits

    given: dict[str, Any] = {}
    if request.memory_gib is not None:
        given["memory_bytes"] = int(request.memory_gib * _GIB)
    if request.time_s is not None:
        given |= {"wall_s": request.time_s, "cpu_s": request.time_s}
    return Limits(**given)


def token(request: TokenRequest, shell: Shell | None = None) -> Outcome[Mapping[str, Any]]:
    """Make, list or revoke keys.

    Raises
    ------
    MissingExtraError
        The packages of the service are not installed.
    OptionError
        The name is taken or cannot be used.
    UnknownNameError
        There is no such token or scope.
    ServiceError
        The store does not answer.
    """
    require_packages()
    from darkstats.service.store import Store
    from darkstats.service.tokens import Tokens

    store = Store(store_url(request.store))
    try:
        found, words = _token(Tokens(store), request)
    finally:
        store.close()
    command = shell.command if shell is not None else None
    record = {"schema": SCHEMA, "command": command, "did": f"token {request.action}", **found}
    return Outcome(result=found, record=lambda: record, sheet=lambda: words)


def _token(tokens: Tokens, request: TokenRequest) -> tuple[dict[str, Any], str]:
    if request.name is None:
        every = tokens.all()
        listed = [
            {"name": one.name, "owner": one.owner, "scopes": list(one.scopes),
             "revoked": one.revoked is not None}
            for one in every
        ]  # fmt: skip
        lines = [
            f"{one.name}  owner {one.owner}  {', '.join(one.scopes)}"
            + ("" if one.revoked is None else "  revoked")
            for one in every
        ]
        return {"tokens": listed}, "\n".join(lines) or "there is no token"
    if request.action == "revoke":
        tokens.revoke(request.name)
        return {"name": request.name}, f"{request.name} opens nothing any more"
    scopes = request.scopes or ("read", "submit")
    text = tokens.add(request.name, owner=request.owner or "", scopes=scopes)
    words = f"{text}\n\nThis is shown once; send it as `Authorization: Bearer TOKEN`."
    return {"name": request.name, "token": text, "scopes": list(scopes)}, words
