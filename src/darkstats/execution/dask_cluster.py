"""Blocks on a Dask cluster; Dask is imported when it is used.

The scheduler keeps nothing that matters: a finished block is told of at once, and a block whose
worker dies is run again by another. Where the scheduler itself is lost, the same command takes up
the work.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib import import_module
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
        How long to wait for it.
    """

    address: str
    patience_s: float = 20.0

    def run(self, task: Task, job: Job, blocks: Sequence[int], on_block: OnBlock) -> None:
        """Run blocks; tell of each as it is done, in any order.

        Raises
        ------
        MissingExtraError
            Dask is not installed.
        ShardError
            No scheduler answers, the scheduler was lost, or a block failed.
        """
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
        key = f"darkstats-{job.digest[:20]}"
        with client, client.as_current():
            held = client.submit(_hold, task, job, key=key, retries=_RETRIES)
            futures = {
                client.submit(_run, held, block, key=f"{key}-{block}", retries=_RETRIES): block
                for block in blocks
            }
            try:
                for future in distributed.as_completed(futures):
                    on_block(futures[future], future.result())
            except ShardError:
                raise
            except Exception as error:
                raise ShardError(
                    f"the Dask cluster at {self.address} gave up ({type(error).__name__}: "
                    f"{error}); finished blocks are kept, run the command again"
                ) from error
