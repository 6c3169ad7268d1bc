"""The running service: one process that speaks HTTP, with its workers, from start to stop."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from darkstats.errors import OptionError
from darkstats.service.api import create_app
from darkstats.service.logs import log_as_json
from darkstats.service.shipped import keep_shipped
from darkstats.service.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from fastapi import FastAPI

    from darkstats.service.settings import Settings
    from darkstats.service.store import Store
    from darkstats.service.workers.limits import Limits
    from darkstats.workflows import Shell

__all__ = ["run"]

_BACKLOG = 2048
_GRACE_S = 5
_IDLE_S = 30


def run(
    store: Store,
    settings: Settings,
    *,
    workers: int,
    limits: Limits,
    shell: Shell,
    cluster: str | None = None,
    opens: bool = False,
    log_level: str = "warning",
) -> dict[str, Any]:
    """Serve until a signal tells to stop; say where, and return what was done.

    Parameters
    ----------
    store, settings
        What is kept, and what the operator decided.
    workers, limits
        Processes that compute, and what each may use.
    shell
        Told of the address.
    cluster
        ``"dask://HOST:PORT"``, the scheduler of a cluster that computes blocks, too.
    opens
        Whether to open the page in a browser.
    log_level
        What is logged.

    Raises
    ------
    OptionError
        The address cannot be listened on, or there is no folder of workspaces, or no such cluster.
    ServiceError
        The store does not answer.
    """
    begun = time.monotonic()
    log_as_json(log_level)
    listening = _listen(settings)
    settings = replace(settings, port=listening.getsockname()[1])
    if settings.workspaces is not None:
        keep_shipped(store, settings.workspaces)
    app = create_app(store, settings)
    supervisor = Supervisor(
        store_url=settings.store, workers=workers, limits=limits, cluster=cluster
    )
    app.state.darkstats.workers = supervisor.alive
    server = _Server(app, settings, on_start=lambda: _say(shell, settings, opens=opens))
    supervisor.start()
    try:
        server.run(sockets=[listening])
    finally:
        supervisor.stop()
        with suppress(OSError):
            listening.close()
    return {
        "url": settings.url,
        "seconds": round(time.monotonic() - begun, 3),
        "unfinished": store.queue.unfinished(),
    }


def _listen(settings: Settings) -> socket.socket:
    """Take the address before anything else is started.

    Raises
    ------
    OptionError
        It is taken, or is none of this machine.
    """
    found: socket.socket | None = None
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen(_BACKLOG)
    except (OSError, UnicodeError, OverflowError) as error:
        if found is not None:
            found.close()
        words = getattr(error, "strerror", None) or error
        raise OptionError(
            f"cannot listen on {settings.host} port {settings.port}: {words}; choose another --port"
        ) from error
    return found


def _say(shell: Shell, settings: Settings, *, opens: bool) -> None:
    shell.announce(f"serving at {settings.url} (Ctrl-C stops)")
    if opens:
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(settings.url,), daemon=True).start()


class _Server(uvicorn.Server):
    """Serves until it is told to stop, and then lets streams of events end first."""

    def __init__(self, app: FastAPI, settings: Settings, *, on_start: Any) -> None:  # noqa: ANN401
        self._app, self._on_start = app, on_start
        super().__init__(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, date_header=True,
                proxy_headers=False, timeout_graceful_shutdown=_GRACE_S,
                timeout_keep_alive=_IDLE_S, backlog=_BACKLOG, lifespan="off",
            )
        )  # fmt: skip

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets=sockets)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop: streams end, then requests, then the server; at the second time at once."""
        self._app.state.darkstats.stopping.set()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals while it serves: a signal to stop is no fault, so it is not raised again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
