"""Blocks on a Dask cluster; Dask is imported when it is used.

The scheduler keeps nothing that matters: a finished block is told of at once, and a block whose
worker dies is run again by another. Where the scheduler itself is lost, the same command takes up
the work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from darkstats.errors import MissingExtraError, ShardError
from darkstats.execution.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.execution.jobs import Job, OnBlock, Task

__all__ = ["DaskCluster"]

_RETRIES = 10


class _Held:
    """A job on a Dask worker: blocks that run in threads of one process share what is prepared."""

    def __init__(self, task: Task, job: Job) -> None:
        self._task, self._job = task, job
        self._local = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Held, (self._task, self._job)

    def run(self, block: int) -> str:
        worker = getattr(self._local, "worker", None)
        if worker is None:
            worker = self._local.worker = Worker(self._task, self._job)
        return worker.run(block)


def _hold(task: Task, job: Job) -> _Held:
    return _Held(task, job)


def _run(held: _Held, block: int) -> str:
    return held.run(block)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskCluster:
    """Blocks on the workers of a Dask scheduler.

    Parameters
    ----------
    address
        Of the scheduler: ``"tcp://host:8786"``.
    patience_s
        How long to wait for it, and for other workers where all are gone.
    names
        What the names of blocks on the cluster begin with. Who runs blocks of the same job by
        another task needs other names, or is given what the first one made of them.
    """

    address: str
    patience_s: float = 20.0
    names: str = "darkstats"

    def threads(self) -> int:
        """Number of blocks that the cluster runs at a time: threads of its workers, maybe none.

        Raises
        ------
        MissingExtraError
            Dask is not installed.
        ShardError
            No scheduler answers.
        """
        with self._connected() as client:
            return sum(client.nthreads().values())

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            distributed: Any = import_module("distributed")
        except ImportError:
            raise MissingExtraError("distributed", "cluster") from None
        try:
            client = distributed.Client(self.address, timeout=self.patience_s, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ShardError(
                f"no Dask scheduler answers at {self.address} ({type(error).__name__}: {error}); "
                "start one (dask scheduler) or give another address"
            ) from None
        with client, client.as_current():
            yield client

    def run(self, task: Task, job: Job, blocks: Sequence[int], on_block: OnBlock) -> None:
        """Run blocks; tell of each as it is done, in any order.

        Raises
        ------
        MissingExtraError
            Dask is not installed.
        ShardError
            No scheduler answers, it was lost, all workers that it had are gone, or a block failed.
        """
        key = f"{self.names}-{job.digest[:20]}"
        with self._connected() as client:
            held = client.submit(_hold, task, job, key=key, retries=_RETRIES)
            futures = {
                client.submit(_run, held, block, key=f"{key}-{block}", retries=_RETRIES): block
                for block in blocks
            }
            try:
                for future in self._as_they_end(client, futures):
                    on_block(futures[future], future.result())
            except ShardError:
                raise
            except Exception as error:
                raise ShardError(
                    f"the Dask cluster at {self.address} gave up ({type(error).__name__}: "
                    f"{error}); finished blocks are kept, run the command again"
                ) from error

    def _as_they_end(self, client: Any, futures: Iterable[Any]) -> Iterator[Any]:  # noqa: ANN401 -- of Dask
        """Futures in the order of their ends; looks after the workers where none ends for long."""
        ended: SimpleQueue[Any] = SimpleQueue()
        n_left = 0
        for future in futures:
            future.add_done_callback(ended.put)
            n_left += 1
        had_workers, n_without = bool(client.nthreads()), 0
        while n_left:
            try:
                yield ended.get(timeout=self.patience_s)
            except Empty:
                has_workers = bool(client.nthreads())
                had_workers, n_without = had_workers or has_workers, n_without + 1
                if has_workers:
                    n_without = 0
                elif had_workers and n_without > 1:  # once: perhaps they are being replaced
                    raise ShardError(
                        f"the Dask cluster at {self.address} has no worker any more; finished "
                        "blocks are kept, start workers and run the command again"
                    ) from None
            else:
                n_left, n_without = n_left - 1, 0
