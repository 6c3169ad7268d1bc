"""Blocks on a Dask cluster, which owns nothing: what it loses is leased again.

Batches of blocks of one job, two for each thread of the cluster, are leased from the store,
computed by the cluster, and committed as they come. A cluster that does not answer, or has no
worker, is given nothing. Where the scheduler is lost the batch is put back, and the next one waits
for another scheduler at the same address; where this process is lost the leases run out. Where
nobody waits for the blocks any more, the rest of the batch is not computed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import DarkstatsError, ServiceError, ShardError
from darkstats.execution.jobs import Task, block_text
from darkstats.logs import logger
from darkstats.service.store.rows import job_of
from darkstats.service.workers.worker import internal_error
from darkstats.workflows.scans import task_of

if TYPE_CHECKING:
    from darkstats.execution.dask_cluster import DaskCluster
    from darkstats.execution.jobs import Prepare, RunBlock
    from darkstats.service.store import BlockClaim, Store

__all__ = ["DaskBlocks"]

_log = logger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_IDLE_S = 0.25
_LOOK_S = 1.0  # between looks whether somebody still waits
_BLOCKS_PER_THREAD, _LARGEST_BATCH = 2, 500


class _UnwantedError(ShardError):
    """The jobs that needed the blocks of a batch were cancelled."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What stands in the place of what blocks share, where that cannot be had; and why."""

    told: Mapping[str, str]


def _told_of(error: Exception) -> dict[str, str]:
    """An error as data: one on purpose would come again, any other may not."""
    if isinstance(error, DarkstatsError):
        return {"failed": str(error)}
    if isinstance(error, MemoryError):
        return {"lost": "its worker on the cluster has not enough memory"}
    return {"lost": internal_error(error)}


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Prepares on a worker of the cluster; an error is data, or the block is tried for ever."""

    prepare: Prepare

    def __call__(self, inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- of the task
        try:
            return self.prepare(inputs, settings)
        except Exception as error:
            return _Refusal(_told_of(error))


@dataclass(frozen=True, slots=True)
class _Told:
    """Runs a block on a worker of the cluster, and tells of an error as data."""

    run: RunBlock

    def __call__(self, context: Any, number: int) -> dict[str, Any]:  # noqa: ANN401 -- of the task
        if isinstance(context, _Refusal):
            return dict(context.told)
        try:
            return {"block": self.run(context, number)}
        except Exception as error:
            return dict(_told_of(error))


class _Leases(threading.Thread):
    """Renews the leases of a batch until it is over, and sees that nobody waits for it."""

    def __init__(self, store: Store, claims: Sequence[BlockClaim], lease_s: float) -> None:
        super().__init__(name="leases", daemon=True)
        self._store, self._lease_s = store, lease_s
        self.open = {claim.number: claim for claim in claims}
        self.unwanted = threading.Event()
        self._over = threading.Event()

    def __enter__(self) -> _Leases:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Renew, every third of a lease; look, every second."""
        queue, renewed = self._store.queue, time.monotonic()
        while not self._over.wait(min(_LOOK_S, self._lease_s / 3.0)):
            claims = list(self.open.values())
            try:
                if claims and not any(queue.holds(claim) for claim in claims):
                    self.unwanted.set()
                if time.monotonic() - renewed >= self._lease_s / 3.0:
                    queue.renew_blocks(claims, lease_s=self._lease_s)
                    renewed = time.monotonic()
            except ServiceError as error:
                _log.warning("leases are not renewed: %s", error)


class DaskBlocks:
    """Leases batches of blocks and has them computed by a Dask cluster.

    Parameters
    ----------
    store
        Where blocks are claimed and kept.
    cluster
        The scheduler.
    name
        Of this worker.
    lease_s
        How long the batch of a process that vanished is given to nobody else, in seconds.
    """

    def __init__(
        self, store: Store, cluster: DaskCluster, *, name: str, lease_s: float = 30.0
    ) -> None:
        self._store, self._name, self._lease_s = store, name, lease_s
        # other names than those of `darkstats scan --cluster`: its blocks are no data about errors
        self._executor = replace(cluster, names="darkstats-service")
        self._pause_s = _FIRST_PAUSE_S

    def run(self, leaving: threading.Event) -> None:
        """Work until told to leave."""
        while not leaving.is_set():
            try:
                if not self.work_once():
                    leaving.wait(_IDLE_S)
                self._pause_s = _FIRST_PAUSE_S
            except (ServiceError, ShardError) as error:
                _log.warning("%s", error)
                leaving.wait(self._pause_s)
                self._pause_s = min(2.0 * self._pause_s, _LONGEST_PAUSE_S)

    def work_once(self) -> bool:
        """Have one batch computed; false if there is none.

        Raises
        ------
        ServiceError
            The store does not answer.
        ShardError
            The cluster does not, or gave up; what it did not finish is queued again.
        """
        queue = self._store.queue
        if not queue.has_blocks():
            return False
        threads = self._executor.threads()  # before anything is claimed: others may do it meanwhile
        if not threads:
            raise ShardError(
                f"the Dask cluster at {self._executor.address} has no worker: start one (dask "
                "worker), or let it keep at least one"
            )
        most = min(_BLOCKS_PER_THREAD * threads, _LARGEST_BATCH)
        claims = queue.claim_blocks(self._name, most=most, lease_s=self._lease_s)
        if not claims:
            return False
        first = claims[0]
        inputs = self._store.documents.body(first.inputs)
        if inputs is None:
            for claim in claims:
                queue.fail_block(
                    claim, "its documents are not in the store any more", seconds=0.0, lost=True
                )
            return True
        task = task_of(first.kind)
        told = Task(prepare=_Prepared(task.prepare), run=_Told(task.run))
        with _Leases(self._store, claims, self._lease_s) as leases:
            last = time.monotonic()

            def on_block(block: int, text: str) -> None:
                nonlocal last
                claim, found = leases.open.pop(block), json.loads(text)
                seconds, last = time.monotonic() - last, time.monotonic()
                if "lost" in found:
                    queue.fail_block(claim, found["lost"], seconds=seconds, lost=True)
                elif "failed" in found:
                    queue.fail_block(claim, found["failed"], seconds=seconds)
                else:
                    queue.finish_block(claim, block_text(found["block"]), seconds=seconds)
                if leases.open and leases.unwanted.is_set():
                    raise _UnwantedError("nobody waits for the rest of the batch")

            numbers = list(leases.open)
            try:
                self._executor.run(told, job_of(first, inputs), numbers, on_block)
            except ShardError as error:
                # a block that ends every worker that takes it is to blame, a lost scheduler is not
                blamed = type(error.__cause__).__name__ == "KilledWorker"
                for claim in leases.open.values():
                    queue.put_back(claim, blamed=blamed)
                if not isinstance(error, _UnwantedError):
                    raise
        return True
