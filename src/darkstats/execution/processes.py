"""Blocks on the processors of one machine, in processes that may die.

Each worker has a pipe of its own: a worker that is killed is seen at once, replaced, and its block
given to another; a worker whose parent is killed reads the end of its pipe and leaves.
"""

from __future__ import annotations

import gc
import signal
import traceback
from collections import Counter, deque
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from darkstats.errors import DarkstatsError, ShardError
from darkstats.execution.worker import Worker
from darkstats.logs import logger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from darkstats.execution.jobs import Job, OnBlock, Task

__all__ = ["InProcess", "LocalProcesses"]

_log = logger(__name__)

_MOST_DEATHS = 5  # of workers on one block, before the block is blamed


class InProcess:
    """One block after the other, in this process."""

    def run(self, task: Task, job: Job, blocks: Sequence[int], on_block: OnBlock) -> None:
        """Run blocks; tell of each as it is done."""
        worker = Worker(task, job)
        for block in blocks:
            on_block(block, worker.run(block))


@dataclass(slots=True)
class _Seat:
    """One worker process, the parent's end of its pipe, and what it is working on."""

    process: BaseProcess
    connection: Connection[Any, Any]
    block: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalProcesses:
    """Blocks on several processors.

    Parameters
    ----------
    workers
        Processes at most.
    """

    workers: int

    def run(self, task: Task, job: Job, blocks: Sequence[int], on_block: OnBlock) -> None:
        """Run blocks; tell of each as it is done, in any order.

        Raises
        ------
        ShardError
            A block failed, or its worker died time and again; finished blocks were told of.
        """
        if self.workers <= 1 or len(blocks) <= 1:
            InProcess().run(task, job, blocks, on_block)
            return
        waiting, deaths = deque(blocks), Counter[int]()
        seats = [self._start() for _ in range(min(self.workers, len(blocks)))]
        try:
            for seat in seats:  # they boot side by side, and take the job when they are up
                _send(seat, (task, job))
                _give(seat, waiting)
            left = len(blocks)
            while left:
                ready = wait(
                    [x for seat in seats for x in (seat.connection, seat.process.sentinel)]
                )
                for number, seat in enumerate(seats):
                    if seat.connection in ready:
                        try:
                            block, text, problem = seat.connection.recv()
                        except (EOFError, OSError):  # killed: the sentinel says so, too
                            seats[number] = self._replace(seat, task, job, waiting, deaths)
                            continue
                        if problem:
                            raise ShardError(f"block {block}: {problem}")
                        on_block(block, text)
                        left -= 1
                        seat.block = None
                        _give(seat, waiting)
                    elif seat.process.sentinel in ready:
                        seats[number] = self._replace(seat, task, job, waiting, deaths)
        finally:
            for seat in seats:
                seat.connection.close()
                seat.process.terminate()
            for seat in seats:
                seat.process.join(5.0)

    def _start(self) -> _Seat:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there,), daemon=True)
        process.start()
        there.close()
        return _Seat(process=process, connection=here)

    def _replace(
        self, seat: _Seat, task: Task, job: Job, waiting: deque[int], deaths: Counter[int]
    ) -> _Seat:
        """Give the block of a dead worker to a new one."""
        seat.connection.close()
        seat.process.join(5.0)
        if seat.block is not None:
            deaths[seat.block] += 1
            if deaths[seat.block] >= _MOST_DEATHS:
                raise ShardError(
                    f"block {seat.block}: its worker died {_MOST_DEATHS} times (exit code "
                    f"{seat.process.exitcode}), perhaps for want of memory, or because a script "
                    'works outside of `if __name__ == "__main__":`, which processes that read it '
                    "again need; finished blocks are kept"
                )
            _log.warning(
                "block %d: its worker died (exit code %s); it is given to another one",
                seat.block,
                seat.process.exitcode,
            )
            waiting.appendleft(seat.block)
        fresh = self._start()
        _send(fresh, (task, job))
        _give(fresh, waiting)
        return fresh


def _give(seat: _Seat, waiting: deque[int]) -> None:
    if not waiting:
        return
    seat.block = waiting.popleft()
    _send(seat, seat.block)


def _send(seat: _Seat, message: object) -> None:
    try:
        seat.connection.send(message)
    except OSError:  # it is dead already; its sentinel will say so
        return


def _serve(connection: Connection[Any, Any]) -> None:
    """Take the job, and work on its blocks until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        task, job = connection.recv()
    except (EOFError, OSError):
        return
    worker, fresh = Worker(task, job), True
    while True:
        try:
            block = connection.recv()
        except (EOFError, OSError):
            return
        text, problem = "", ""
        try:
            text = worker.run(block)
            if fresh:
                gc.freeze()  # what all blocks share is no garbage: it need not be looked through
                fresh = False
        except DarkstatsError as error:
            problem = str(error)
        except Exception:
            problem = f"internal error\n{traceback.format_exc()}"
        try:
            connection.send((block, text, problem))
        except OSError:
            return
