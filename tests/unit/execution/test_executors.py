"""Blocks in processes and on a Dask cluster: killed workers, failing blocks, equal results."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from block_tasks import (
    ALWAYS_DIES,
    BREAKS,
    FAILS,
    KILLS_ITSELF,
    SLOW,
    SLOW_NEGATIVES,
    SQUARES,
    job,
)
from darkstats.errors import MissingExtraError, OptionError, ShardError
from darkstats.execution.dask_cluster import DaskCluster
from darkstats.execution.processes import InProcess, LocalProcesses
from darkstats.execution.run import executor_of, run_job, shard_blocks
from darkstats.execution.store import BlockStore

WANTED = {b: {"block": b, "value": (0.1 * b) ** 2 + 1.0} for b in range(8)}


@pytest.mark.parametrize(
    "executor", [InProcess(), LocalProcesses(workers=2)], ids=lambda one: type(one).__name__
)
def test_executors_give_the_same(executor, tmp_path):
    work = job()
    assert run_job(SQUARES, work, executor) == WANTED
    store = BlockStore.create(tmp_path / "job", work)
    assert run_job(SQUARES, work, executor, store=store) == WANTED
    assert store.unfinished() == []


def test_finished_blocks_are_not_run_again(tmp_path):
    """What is there is taken as it is, and progress counts it at once."""
    store = BlockStore.create(tmp_path / "job", job())
    store.write(3, '{"block":3,"value":-1}')
    seen = []
    found = run_job(SQUARES, job(), InProcess(), store=store, progress=seen.append)
    assert found[3] == {"block": 3, "value": -1}
    assert seen == [1] * 8


def test_killed_workers_are_replaced(tmp_path):
    work = job(folder=str(tmp_path), deadly=[0, 3, 4, 7])
    found = run_job(KILLS_ITSELF, work, LocalProcesses(workers=2))
    assert found == WANTED
    assert len(list(tmp_path.iterdir())) == 4


def test_a_block_that_kills_every_worker_is_blamed():
    with pytest.raises(ShardError, match=r"block \d: its worker died 5 times \(exit code -9\)"):
        run_job(ALWAYS_DIES, job(), LocalProcesses(workers=2))


@pytest.mark.parametrize("task", [FAILS, BREAKS], ids=["typed", "internal"])
def test_a_failing_block_ends_the_job_and_keeps_the_rest(tmp_path, task):
    store = BlockStore.create(tmp_path / "job", job())
    says = "block two cannot be had" if task is FAILS else "division by zero"
    with pytest.raises(ShardError, match=rf"(?s)block 2: .*{says}"):
        run_job(task, job(), LocalProcesses(workers=2), store=store)
    assert 2 in store.unfinished()
    assert len(store.unfinished()) < 8


def test_workers_leave_when_their_parent_is_killed(tmp_path):
    """SIGKILL of the parent leaves no process behind."""
    code = (
        "import sys, os; sys.path.insert(0, sys.argv[1])\n"
        "from block_tasks import SLOW, job\n"
        "from darkstats.execution.processes import LocalProcesses\n"
        "from darkstats.execution.run import run_job\n"
        "if __name__ == '__main__':\n"
        "    run_job(SLOW, job(pause_s=0.2), LocalProcesses(workers=2), progress=print)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code, "utf-8")
    tests = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-u", str(script), tests],
        stdout=subprocess.PIPE, start_new_session=True, text=True,
    )  # fmt: skip
    assert process.stdout.readline().strip() == "1"
    group = process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 15.0
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    pytest.fail("workers outlived their parent")


def test_shards_share_the_blocks_out():
    shards = [shard_blocks(10, k, 3) for k in range(3)]
    assert sorted(block for shard in shards for block in shard) == list(range(10))
    for shard, of in ((3, 3), (-1, 2), (0, 0)):
        with pytest.raises(OptionError, match="shards are numbered"):
            shard_blocks(10, shard, of)


def test_executors_by_name():
    assert isinstance(executor_of(None, 1), InProcess)
    assert executor_of(None, 3) == LocalProcesses(workers=3)
    assert executor_of("dask://somewhere:8786", 3) == DaskCluster(address="tcp://somewhere:8786")
    for name in ("somewhere:8786", "ray://x", "dask://"):
        with pytest.raises(OptionError, match="dask://HOST:PORT"):
            executor_of(name, 1)


def test_a_missing_dask_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"darkstats\[cluster\]"):
        run_job(SQUARES, job(), DaskCluster(address="tcp://127.0.0.1:1"))


@pytest.mark.filterwarnings("ignore")
def test_dask_gives_the_same(dask_cluster):
    address = dask_cluster.scheduler_address.replace("tcp://", "dask://")
    assert run_job(SQUARES, job(), executor_of(address, 1)) == WANTED


@pytest.mark.filterwarnings("ignore")
def test_two_tasks_of_one_job_at_the_same_time_need_other_names(dask_cluster):
    """A service makes data of errors, the command line does not: neither gets the other's."""
    work, found = job(pause_s=0.1), {}
    cluster = DaskCluster(address=dask_cluster.scheduler_address)
    other = replace(cluster, names="other")
    thread = threading.Thread(target=lambda: found.update(run_job(SLOW_NEGATIVES, work, other)))
    thread.start()
    assert run_job(SLOW, work, cluster) == WANTED
    thread.join()
    assert [found[b]["value"] for b in range(8)] == [-0.1 * b for b in range(8)]
    assert cluster.threads() == 2


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_lost_all_its_workers_is_said_so():
    distributed = pytest.importorskip("distributed", reason="Dask is an optional extra")
    told = []
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as local:
        cluster = DaskCluster(address=local.scheduler_address, patience_s=0.3)

        def leave(count):
            told.append(count)
            if len(told) == 1:
                local.scale(0)

        with pytest.raises(ShardError, match="no worker any more"):
            run_job(SLOW, job(pause_s=0.05), cluster, progress=leave)
    assert 0 < len(told) < 8


@pytest.mark.filterwarnings("ignore")
def test_dask_workers_may_be_killed(dask_cluster, tmp_path):
    """Both workers are killed while blocks run; every block comes back, once."""
    work = job(n_blocks=12, pause_s=0.4)
    store = BlockStore.create(tmp_path / "job", work)
    killed, told = [], []

    def kill():
        for _ in range(2):
            time.sleep(0.8)
            for worker in list(dask_cluster.workers.values()):
                pid = worker.pid
                if pid and pid not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    break

    thread = threading.Thread(target=kill)
    thread.start()
    address = dask_cluster.scheduler_address.replace("tcp://", "dask://")
    found = run_job(SLOW, work, executor_of(address, 1), store=store, progress=told.append)
    thread.join()
    assert len(killed) == 2
    assert told == [1] * 12
    assert [found[b]["block"] for b in range(12)] == list(range(12))
    assert store.result_digest() == BlockStore.open(store.folder).result_digest()


@pytest.mark.filterwarnings("ignore")
def test_an_unreachable_scheduler_is_named():
    pytest.importorskip("distributed", reason="Dask is an optional extra")
    lonely = DaskCluster(address="tcp://127.0.0.1:9", patience_s=0.5)
    with pytest.raises(ShardError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_job(SQUARES, job(), lonely)
