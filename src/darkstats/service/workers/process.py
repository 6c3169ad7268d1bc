"""A worker as a process of its own: claims until its supervisor is gone.

It reads one line of JSON from its standard input, which is never written to again: its end says
that the supervisor is gone. It writes ``+`` when it begins with a job or a block, ``-`` when it is
done, for the supervisor to see how long that takes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from darkstats.errors import ServiceError
from darkstats.service.store import Store
from darkstats.service.store.rows import Lane
from darkstats.service.workers.guard import Guard, caches
from darkstats.service.workers.limits import Limits
from darkstats.service.workers.names import is_gone, name_of
from darkstats.service.workers.worker import Desk

if TYPE_CHECKING:
    from darkstats.service.store import BlockClaim, JobClaim

__all__ = ["LOST", "main", "sweep"]

T = TypeVar("T")

#: Exit status of a worker whose claim was lost or cancelled.
LOST = 75
_FOLDERS = "darkstats-work"
_SHORTEST_S, _LONGEST_S = 0.02, 0.25  # between looks for something to do
_AGAIN_S = 1.0  # between looks for a store that does not answer


def _make_folder(name: str) -> Path:
    """A temporary folder that says whose it is."""
    prefix = f"{_FOLDERS}~{name.replace('/', '~')}~"
    return Path(tempfile.mkdtemp(prefix=prefix)).resolve()


def sweep() -> int:
    """Remove the folders of workers of this machine that are gone; returns their number."""
    found = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}~*"):
        name = "/".join(folder.name.split("~")[1:4])
        with suppress(OSError):
            if is_gone(name) and folder.lstat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
                found += 1
    return found


def _serve_cluster(settings: dict[str, Any], leaving: threading.Event) -> None:
    """Have blocks computed by a Dask cluster; nothing of the questions is opened here."""
    from darkstats.execution.run import dask_cluster_of
    from darkstats.service.workers.cluster import DaskBlocks

    limits = Limits(**settings["limits"])
    DaskBlocks(
        Store(settings["store"]), dask_cluster_of(settings["cluster"]),
        name=name_of(os.getpid()), lease_s=limits.lease_s,
    ).run(leaving)  # fmt: skip


class _Loop:
    """Claims and works until told to leave."""

    def __init__(self, settings: dict[str, Any], report: int, leaving: threading.Event) -> None:
        self.limits = Limits(**settings["limits"])
        self.lanes = [Lane(lane) for lane in settings["lanes"]]
        self.leaving = leaving
        self._report = report
        self._owed: list[JobClaim | BlockClaim] = []
        self.name = name_of(os.getpid())
        self.folder = _make_folder(self.name)
        tempfile.tempdir = str(self.folder)
        os.chdir(self.folder)
        store = Store(settings["store"])
        self.desk = Desk(
            store,
            name=self.name,
            lanes=self.lanes,
            limits=self.limits,
            folder=self.folder,
            lost=self._lost,
        )
        url = store.database.engine.url
        path = str(url.database) if store.database.is_sqlite else ""
        sys.addaudithook(Guard(self.folder, caches=caches(), database=path))

    def _lost(self) -> None:
        """End at once: nothing that is still done here matters to anyone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(LOST)

    def _say(self, word: bytes) -> None:
        try:
            os.write(self._report, word)
        except OSError:  # the supervisor is gone
            self.leaving.set()

    def run(self) -> None:
        done, pause = 0, _SHORTEST_S
        while not self.leaving.is_set() and done < self.limits.claims:
            try:
                while self._owed:
                    self.desk.store.queue.put_back(self._owed[-1])
                    self._owed.pop()
                claim = self.desk.claim()
            except ServiceError:
                self.leaving.wait(_AGAIN_S)
                continue
            if claim is None:
                self.leaving.wait(pause)
                pause = min(1.5 * pause, _LONGEST_S)
                continue
            done, pause = done + 1, _SHORTEST_S
            self._work(claim)

    def _work(self, claim: JobClaim | BlockClaim) -> None:
        self._say(b"+")
        self.limits.begin()
        try:
            self.desk.work(claim)
        except ServiceError:
            self._owed.append(claim)
        self._say(b"-")


def _leave_with_supervisor(leaving: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    leaving.set()


def _read_settings() -> dict[str, Any]:
    text = b""
    while not text.endswith(b"\n"):
        more = os.read(0, 1)
        if not more:
            sys.exit(0)
        text += more
    found: dict[str, Any] = json.loads(text)
    return found


def main() -> None:
    """Work until the supervisor is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    settings = _read_settings()
    report = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no message
    leaving = threading.Event()
    threading.Thread(target=_leave_with_supervisor, args=(leaving,), daemon=True).start()
    if settings["cluster"]:
        _until_there(leaving, lambda: _serve_cluster(settings, leaving))
        return
    Limits(**settings["limits"]).enter(is_nice=Lane.LONG.value in settings["lanes"])
    loop = _until_there(leaving, lambda: _Loop(settings, report, leaving))
    if loop is None:
        return
    try:
        loop.run()
    finally:
        shutil.rmtree(loop.folder, ignore_errors=True)


def _until_there(leaving: threading.Event, make: Callable[[], T]) -> T | None:
    """What is made, as soon as the store answers."""
    while not leaving.is_set():
        try:
            return make()
        except ServiceError:
            leaving.wait(_AGAIN_S)
    return None
