"""What the routes share: the store, and words on what they answer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 -- the framework reads annotations

from darkstats.service.api.access import Guest, require_scope
from darkstats.service.api.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from darkstats.service.settings import Settings
    from darkstats.service.store import Store, StoredResult

__all__ = ["PROBLEMS", "Parts", "Reader", "Submitter", "parts_of"]

_PROBLEM = {
    "description": "What is wrong, and what to do about it (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
#: Answers of every route beside its own.
PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": _PROBLEM, "503": _PROBLEM}
_KEPT_BYTES, _LARGEST_KEPT = 64 * 2**20, 2**20


class KnownResults:
    """Answers that were asked for lately: they never change, so they need not be read again."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock, self._size = store, threading.Lock(), 0
        self._kept: OrderedDict[str, StoredResult] = OrderedDict()

    def at_hand(self, key: str) -> StoredResult | None:
        """The answer, if it need not be read."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def get(self, key: str) -> StoredResult | None:
        """The answer; ``None`` if there is none."""
        found = self.at_hand(key)
        if found is not None:
            return found
        found = self._store.results.get(key)
        if found is not None and len(found.record) <= _LARGEST_KEPT:
            self._keep(found)
        return found

    def _keep(self, result: StoredResult) -> None:
        with self._lock:
            if result.key in self._kept:
                return
            self._kept[result.key] = result
            self._size += len(result.record)
            while self._size > _KEPT_BYTES:
                _, gone = self._kept.popitem(last=False)
                self._size -= len(gone.record)


@dataclass(slots=True, kw_only=True, eq=False)
class Parts:
    """What a running application holds.

    Parameters
    ----------
    store, settings
        As handed to :func:`darkstats.service.api.create_app`.
    results
        Answers at hand.
    begun
        When it began, by the monotonic clock.
    stopping
        Set when the service shuts down, so that streams end.
    streams
        Streams of events that are open.
    workers
        Counts the workers that are alive; ``None`` where they are elsewhere.
    """

    store: Store
    settings: Settings
    results: KnownResults
    begun: float = field(default_factory=time.monotonic)
    stopping: threading.Event = field(default_factory=threading.Event)
    streams: int = 0
    workers: Callable[[], int] | None = None


def parts_of(request: Request) -> Parts:
    """Parts of the application that a request is for."""
    found: Parts = request.app.state.darkstats
    return found


async def _reader(request: Request) -> Guest:
    return require_scope(request, "read")


async def _submitter(request: Request) -> Guest:
    return require_scope(request, "submit")


Reader = Annotated[Guest, Depends(_reader)]
Submitter = Annotated[Guest, Depends(_submitter)]
