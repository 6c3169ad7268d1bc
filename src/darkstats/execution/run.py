"""Run a job: on an executor, into a folder or into memory; take up what is finished."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from darkstats.errors import OptionError
from darkstats.execution.dask_cluster import DaskCluster
from darkstats.execution.processes import InProcess, LocalProcesses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from darkstats.execution.jobs import Job, OnBlock, Task
    from darkstats.execution.store import BlockStore
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Executor", "Runner", "dask_cluster_of", "executor_of", "run_job", "shard_blocks"]


class Executor(Protocol):
    """Runs blocks of a job anywhere and tells of each; results never depend on it."""

    def run(self, task: Task, job: Job, blocks: Sequence[int], on_block: OnBlock) -> None:
        """Run ``blocks``; call ``on_block`` in the calling process for each that is done."""


class Runner(Protocol):
    """Has all blocks of a job computed somewhere, keeps them, and returns their contents."""

    def __call__(
        self, task: Task, job: Job, progress: Callable[[int], None]
    ) -> dict[int, JsonObject]:
        """Return the contents of the blocks; tell of those that are done."""


def executor_of(cluster: str | None, workers: int) -> Executor:
    """Return the executor that a user names.

    Parameters
    ----------
    cluster
        ``None`` for this machine, or ``"dask://HOST:PORT"``.
    workers
        Processes on this machine.

    Raises
    ------
    OptionError
        The name of a cluster that is none.
    """
    if cluster is None:
        return LocalProcesses(workers=workers) if workers > 1 else InProcess()
    return dask_cluster_of(cluster)


def dask_cluster_of(cluster: str) -> DaskCluster:
    """Return the cluster of the scheduler at ``"dask://HOST:PORT"``.

    Raises
    ------
    OptionError
        The name of a cluster that is none.
    """
    scheme, sign, address = cluster.partition("://")
    if scheme != "dask" or not sign or not address:
        raise OptionError(
            f"--cluster {cluster}: give dask://HOST:PORT, the address of a Dask scheduler"
        )
    return DaskCluster(address=f"tcp://{address}")


def shard_blocks(n_blocks: int, shard: int, of: int) -> list[int]:
    """Blocks of one of several shards: every ``of``-th, from ``shard`` on.

    Raises
    ------
    OptionError
        There is no such shard.
    """
    if not 0 <= shard < of:
        raise OptionError(f"shard {shard} of {of}: shards are numbered from 0 to {of - 1}")
    return list(range(shard, n_blocks, of))


def run_job(
    task: Task,
    job: Job,
    executor: Executor,
    *,
    store: BlockStore | None = None,
    progress: Callable[[int], None] | None = None,
    blocks: Sequence[int] | None = None,
) -> dict[int, JsonObject]:
    """Run what is not finished, and return the contents of all blocks asked for.

    Parameters
    ----------
    task, job, executor
        What, and where.
    store
        Folder that keeps finished blocks; in memory without one.
    progress
        Called with the number of blocks that are done: at once with those that are there already.
    blocks
        Which blocks; all by default.

    Raises
    ------
    ShardError
        A block failed or could not be kept; what is finished is kept in the store.
    """
    wanted = list(range(job.n_blocks)) if blocks is None else list(blocks)
    missing = wanted if store is None else [b for b in store.unfinished() if b in set(wanted)]
    found: dict[int, JsonObject] = {}
    if progress is not None and len(missing) < len(wanted):
        progress(len(wanted) - len(missing))

    def take(block: int, text: str) -> None:
        if store is None:
            found[block] = json.loads(text)
        else:
            store.write(block, text)
        if progress is not None:
            progress(1)

    if missing:
        executor.run(task, job, missing, take)
    if store is not None:
        found = {block: store.read(block) for block in wanted}
    return {block: found[block] for block in wanted}
