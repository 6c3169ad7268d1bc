"""The life sign of a worker: renews its lease, tells of progress, sees that it is not wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from darkstats.errors import ServiceError
from darkstats.service.store.rows import JobClaim
from darkstats.workflows.outcome import Step

if TYPE_CHECKING:
    from darkstats.service.store import Claim, Store

__all__ = ["Pulse"]

_BEAT_S = 0.25  # progress is told no more often
_LOOK_S = 1.0  # after a cancellation, the worker goes on no longer


class _Watched:
    """A step that somebody watches."""

    def __init__(self, name: str, total: int | None, unit: str, told: Pulse) -> None:
        self._told, self._lock = told, threading.Lock()
        self._state: dict[str, Any] = {"step": name, "done": 0, "total": total, "unit": unit}

    def __enter__(self) -> Step:
        self._told.show(self._state)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def advance(self, count: int) -> None:
        """Count what is done; called from any thread."""
        with self._lock:
            self._state = {**self._state, "done": self._state["done"] + count}
        self._told.show(self._state)

    def now(self, name: str) -> None:
        """Say what it does from here on."""
        with self._lock:
            self._state = {**self._state, "step": name}
        self._told.show(self._state)


class Pulse:
    """A thread beside one claim, as a context.

    Parameters
    ----------
    store, claim, lease_s
        What is kept for longer, every third of the lease.
    lost
        Called in the thread where the claim was lost, cancelled, or nobody waits for it any more.
    """

    def __init__(
        self, store: Store, claim: Claim, *, lease_s: float, lost: Callable[[], object]
    ) -> None:
        self._store, self._claim, self._lease_s, self._lost = store, claim, lease_s, lost
        self._news: dict[str, Any] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def show(self, news: dict[str, Any]) -> None:
        """Tell of this, soon, unless there is something newer by then."""
        self._news = news

    def step(self, name: str, total: int | None = None, unit: str = "toys") -> Step:
        """A step of a workflow that is told of."""
        return _Watched(name, total, unit, self)

    def announce(self, message: str) -> None:
        """Tell of what a user should know at once."""
        self.show({"said": message})

    def _beat(self) -> None:
        renewed = looked = time.monotonic()
        while not self._over.wait(_BEAT_S):
            now = time.monotonic()
            try:
                if now - renewed >= self._lease_s / 3.0:
                    is_held = self._store.queue.renew(self._claim, lease_s=self._lease_s)
                    renewed = now
                elif now - looked >= _LOOK_S:
                    is_held = self._store.queue.holds(self._claim)
                    looked = now
                else:
                    is_held = True
                self._tell()
            except ServiceError:
                is_held = now - renewed < self._lease_s  # beyond it, others may have the claim
            if not is_held and not self._over.is_set():
                self._lost()
                return

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and isinstance(self._claim, JobClaim):
            self._store.queue.progress(self._claim, news)
