"""Worker processes of one server: started, watched, and replaced when they die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from darkstats.errors import OptionError, ServiceError
from darkstats.execution.run import dask_cluster_of
from darkstats.logs import logger
from darkstats.service.store import Lane, Store
from darkstats.service.store.maintenance import Keep, remove_old
from darkstats.service.workers.limits import Limits
from darkstats.service.workers.names import is_gone, name_of
from darkstats.service.workers.process import LOST, sweep
from darkstats.workflows import Shell
from darkstats.workflows.scans import first_kernel

if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["Supervisor"]

_log = logger(__name__)

_LOOK_S = 0.1
_LOOK_FOR_GONE_S = 5.0
_REMOVE_OLD_S = 3_600.0
_EARLY_S = 10.0  # who dies sooner is started again after a pause
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 30.0


@dataclass(slots=True)
class _Seat:
    """A place for one worker after another."""

    lanes: tuple[Lane, ...]
    cluster: str = ""
    process: Popen[bytes] | None = None
    name: str = ""
    since: float = 0.0
    busy_since: float | None = None
    too_long: bool = False
    early_deaths: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class _Dead:
    """A worker whose claims are still to be given up."""

    name: str
    reason: str
    blamed: bool = True


@dataclass(slots=True)
class Supervisor:
    """Workers for all jobs, and one more for quick ones, in processes of their own.

    Parameters
    ----------
    store_url
        Of the store that they claim from.
    workers
        Processes that take all jobs and blocks; with 0 there is none for quick ones, either.
    limits
        What each may use.
    cluster
        ``"dask://HOST:PORT"``: one more process has blocks computed there.
    keep
        How long, and how much: what is old is removed once an hour.

    Raises
    ------
    OptionError
        A number of workers below zero, or no address of a cluster.
    """

    store_url: str
    workers: int = 1
    limits: Limits = field(default_factory=Limits)
    keep: Keep = field(default_factory=Keep)
    cluster: str | None = None
    _seats: list[_Seat] = field(default_factory=list)
    _dead: list[_Dead] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _store: Store | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise OptionError(f"--workers {self.workers}: give 0 or more")
        if self.cluster is not None:
            dask_cluster_of(self.cluster)

    def start(self) -> None:
        """Start the workers, and watch them in a thread.

        Raises
        ------
        ServiceError
            The store does not answer.
        """
        self._store = Store(self.store_url)
        self._over.clear()
        both: Sequence[tuple[Lane, ...]] = [(Lane.QUICK, Lane.LONG)] * self.workers
        quick: Sequence[tuple[Lane, ...]] = [(Lane.QUICK,)] if self.workers else []
        self._seats = [_Seat(lanes=lanes) for lanes in (*quick, *both)]
        if self.cluster is not None:
            self._seats.append(_Seat(lanes=(Lane.LONG,), cluster=self.cluster))
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self, *, grace_s: float = 5.0) -> None:
        """End the workers: idle ones at once, others when they are done or after a while.

        What is not done by then is queued again, and is nobody's fault.

        Parameters
        ----------
        grace_s
            Seconds for what is being worked on.
        """
        if self._thread is None:
            return
        self._over.set()
        self._thread.join(grace_s + 1.0)  # it may wait for a compiler, and starts nothing then
        self._thread = None
        running = [(seat, seat.process) for seat in self._seats if seat.process is not None]
        for _, process in running:
            _close(process)
        end = time.monotonic() + grace_s
        for seat, process in running:
            try:
                process.wait(max(end - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._dead.append(_Dead(name=seat.name, reason="", blamed=False))
            seat.process = None
        self._bury()
        sweep()
        if self._store is not None:
            self._store.close()

    def alive(self) -> int:
        """Number of workers that live."""
        running = [seat.process for seat in self._seats]
        return sum(process is not None and process.poll() is None for process in running)

    def pids(self) -> tuple[int, ...]:
        """Process numbers of the workers that live."""
        running = [seat.process for seat in self._seats]
        return tuple(p.pid for p in running if p is not None and p.poll() is None)

    def _watch(self) -> None:
        looked = tidied = -_REMOVE_OLD_S
        first_kernel(Shell())  # once, before several processes do it at a time
        while not self._over.is_set():
            try:
                self._look_at_all()
            except Exception:  # such as no memory for one more process: others still work
                _log.exception("workers were not looked after; that is tried again")
                self._over.wait(_FIRST_PAUSE_S)
            if time.monotonic() - looked >= _LOOK_FOR_GONE_S:
                looked = time.monotonic()
                self._look_for_gone()
            if time.monotonic() - tidied >= _REMOVE_OLD_S:
                tidied = time.monotonic()
                threading.Thread(target=self._remove_old, name="removal", daemon=True).start()
            self._over.wait(_LOOK_S)

    def _look_at_all(self) -> None:
        for seat in self._seats:
            self._look(seat)
        self._bury()

    def _look(self, seat: _Seat) -> None:
        now = time.monotonic()
        if seat.process is None:
            if now >= seat.not_before:
                self._seat(seat)
            return
        _hear(seat, seat.process)
        status = seat.process.poll()
        if status is not None:
            self._died(seat, status)
        elif seat.busy_since is not None and now - seat.busy_since > self.limits.wall_s:
            seat.too_long = True
            seat.process.kill()

    def _seat(self, seat: _Seat) -> None:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "darkstats.service.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.limits.environment(),
        )
        seat.process, seat.name = process, name_of(process.pid)
        seat.since, seat.busy_since, seat.too_long = time.monotonic(), None, False
        if process.stdin is None or process.stdout is None:  # asked for above
            raise AssertionError
        os.set_blocking(process.stdout.fileno(), False)
        settings = {
            "store": self.store_url,
            "lanes": [lane.value for lane in seat.lanes],
            "limits": self.limits.plain(),
            "cluster": seat.cluster,
        }
        with suppress(OSError):  # it is dead already
            process.stdin.write(json.dumps(settings).encode() + b"\n")
            process.stdin.flush()

    def _died(self, seat: _Seat, status: int) -> None:
        now = time.monotonic()
        reason = ""
        if seat.too_long:
            reason = self.limits.too_long
        elif status == -signal.SIGXCPU:
            reason = self.limits.too_much_processor
        if seat.process is not None:
            _close(seat.process)
        self._dead.append(_Dead(name=seat.name, reason=reason, blamed=status not in {0, LOST}))
        seat.process = None
        if status in {0, LOST} or reason or now - seat.since > _EARLY_S:
            seat.early_deaths, seat.not_before = 0, now
        else:
            pause = min(_FIRST_PAUSE_S * 2**seat.early_deaths, _LONGEST_PAUSE_S)
            seat.early_deaths, seat.not_before = seat.early_deaths + 1, now + pause
        if status not in {0, LOST}:
            _log.warning("worker %s died (exit code %d) %s", seat.name, status, reason)

    def _bury(self) -> None:
        """Give up the claims of the dead; later, where the store does not answer."""
        while self._dead and self._store is not None:
            dead = self._dead[0]
            try:
                self._store.queue.release(dead.name, reason=dead.reason, blamed=dead.blamed)
            except ServiceError as error:
                _log.warning("claims of %s are kept for now: %s", dead.name, error)
                return
            self._dead.pop(0)

    def _remove_old(self) -> None:
        if self._store is None:
            return
        try:
            removed = remove_old(self._store, self.keep)
        except ServiceError as error:
            _log.warning("nothing old was removed: %s", error)
        else:
            _log.info("removed what is old: %s", removed)

    def _look_for_gone(self) -> None:
        """Give up the claims of workers of earlier servers on this machine that are gone."""
        if self._store is None:
            return
        sweep()
        with suppress(ServiceError):
            for name in self._store.queue.workers():
                if is_gone(name) and all(name != dead.name for dead in self._dead):
                    self._store.queue.release(name)


def _hear(seat: _Seat, process: Popen[bytes]) -> None:
    if process.stdout is None:
        return
    try:
        said = os.read(process.stdout.fileno(), 4096)
    except (BlockingIOError, ValueError):
        return
    if said:
        seat.busy_since = time.monotonic() if said.endswith(b"+") else None


def _close(process: Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
