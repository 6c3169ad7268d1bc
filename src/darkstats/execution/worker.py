"""What a worker does with a block, wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.execution.jobs import block_text, read_inputs

if TYPE_CHECKING:
    from darkstats.execution.jobs import Job, Task

__all__ = ["Worker"]


class Worker:
    """Computes blocks of one job in this process; what they share is prepared once."""

    def __init__(self, task: Task, job: Job) -> None:
        self._task, self._job = task, job
        self._context: Any = None
        self._prepared = False

    def run(self, block: int) -> str:
        """Return the canonical JSON text of a block."""
        if not self._prepared:
            self._context = self._task.prepare(read_inputs(self._job.inputs), self._job.settings)
            self._prepared = True
        return block_text(self._task.run(self._context, block))
