"""Blocks of scans and toys, kept in the store and computed by whoever claims them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from darkstats.errors import ShardError
from darkstats.execution.worker import Worker
from darkstats.service.store.rows import job_of
from darkstats.workflows.scans import task_of

if TYPE_CHECKING:
    from darkstats.execution.jobs import Job, Task
    from darkstats.service.store import BlockClaim, JobClaim, Store
    from darkstats.workspace.json_values import JsonObject

__all__ = ["BlocksLost", "BlocksPending", "Contexts", "StoredBlocks"]


class BlocksPending(BaseException):
    """A workflow needs blocks that are not there yet: it is run again when they are.

    No error: nothing on the way may take it for one.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"{job.n_blocks} blocks of {job.digest}")


class BlocksLost(BaseException):
    """Blocks could not be computed for a reason that is none of the question's.

    Parameters
    ----------
    reason
        What happened, and what may help.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StoredBlocks:
    """The runner of workflows in a service: gives the blocks that are there.

    Parameters
    ----------
    store
        Where blocks are kept.
    claim
        The job that asks for them.
    """

    def __init__(self, store: Store, claim: JobClaim) -> None:
        self._store, self._claim = store, claim

    def __call__(
        self, task: Task, job: Job, progress: Callable[[int], None]
    ) -> dict[int, JsonObject]:
        """Return the contents of all blocks of a job.

        Raises
        ------
        BlocksPending
            Some are missing, or failed before this question was asked.
        BlocksLost
            One ended its workers, or met a limit, since this question was asked.
        ShardError
            One cannot be computed, and says why.
        """
        found = self._store.queue.blocks(job)
        ended = found.failed or found.lost
        if found.missing or (ended and not self._store.queue.has_waited(self._claim, job)):
            raise BlocksPending(job)
        if found.lost:
            number, words = min(found.lost.items())
            raise BlocksLost(f"block {number}: {words}")
        if found.failed:
            number, words = min(found.failed.items())
            raise ShardError(f"block {number}: {words}")
        progress(job.n_blocks)
        return {number: json.loads(found.done[number]) for number in range(job.n_blocks)}


class Contexts:
    """What the blocks of a job share, kept in one process for the last few jobs.

    Parameters
    ----------
    store
        Where the documents of jobs are.
    most
        Jobs to keep.
    """

    def __init__(self, store: Store, *, most: int = 4) -> None:
        self._store, self._most = store, most
        self._workers: OrderedDict[str, Worker] = OrderedDict()

    def run(self, claim: BlockClaim) -> str:
        """Compute a block; return its canonical JSON text.

        Raises
        ------
        DarkstatsError
            It cannot be computed.
        ShardError
            Its documents are not in the store.
        """
        worker = self._workers.pop(claim.work, None) or self._made(claim)
        text = worker.run(claim.number)
        self._workers[claim.work] = worker
        while len(self._workers) > self._most:
            self._workers.popitem(last=False)
        return text

    def _made(self, claim: BlockClaim) -> Worker:
        inputs = self._store.documents.body(claim.inputs)
        if inputs is None:
            raise ShardError(f"the documents {claim.inputs[:12]} are not in the store any more")
        return Worker(task_of(claim.kind), job_of(claim, inputs))
