"""What a user sees while waiting: nothing for a second, then a bar on standard error."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from darkstats.cli.streams import say

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

__all__ = ["Waiting", "announce"]

_PATIENCE_S = 1.0


def announce(message: str) -> None:
    """Say something at once, on standard error."""
    say(f"darkstats: {message}\n")


def _rate_column() -> ProgressColumn:
    """Finished items a second; nothing before the first ones."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.3g}/s")

    return Rate()


class Waiting:
    """A step that shows itself when it takes longer than a second.

    On a terminal it is a bar with the toys done and the time that went by; elsewhere one line.
    """

    def __init__(self, step: str, total: int | None = None, unit: str = "toys") -> None:
        self.step = step
        self._total, self._unit = total, unit
        self._done = 0
        self._lock = threading.Lock()
        self._timer = threading.Timer(_PATIENCE_S, self._show)
        self._timer.daemon = True
        self._bar: Progress | None = None
        self._over = self._shown = False

    def _show(self) -> None:
        with self._lock:
            if self._over:
                return
            self._shown = True
            if not sys.stderr.isatty():
                announce(f"{self.step} ...")
                return
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                TaskID,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            counted = self._total is not None
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                *([TextColumn(self._counter())] if counted or self._done else []),
                *([_rate_column()] if counted else []),
                TimeElapsedColumn(),
                *([TimeRemainingColumn()] if counted else []),
                console=Console(stderr=True),
                transient=True,
            )
            self._task: TaskID = self._bar.add_task(
                self.step, total=self._total, completed=self._done
            )
            self._bar.start()

    def _counter(self) -> str:
        of = "/{task.total:.0f}" if self._total is not None else ""
        return f"{{task.completed:.0f}}{of} {self._unit}"

    def advance(self, count: int) -> None:
        """Count toys that are done; called from any thread."""
        with self._lock:
            self._done += count
            if self._bar is not None and not self._over:
                self._bar.update(self._task, completed=self._done)

    def now(self, name: str) -> None:
        """Say what the step does from here on, at once where it shows already."""
        with self._lock:
            self.step = name
            if self._bar is not None and not self._over:
                self._bar.update(self._task, description=name)
            elif self._shown and not self._over:
                announce(f"{name} ...")

    def __enter__(self) -> Waiting:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._bar is not None:
                self._bar.stop()
