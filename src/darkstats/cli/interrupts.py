"""Ctrl-C: unwind, and if worker threads do not let go, leave all the same."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

__all__ = ["EXIT_INTERRUPTED", "INTERRUPTED", "handle_interrupts"]

EXIT_INTERRUPTED = 130
INTERRUPTED = "darkstats: interrupted; no file was changed"

#: Time to remove temporary files and to restore the terminal.
_PATIENCE_S = 0.5


def _leave() -> None:
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")  # the progress display hides the cursor
        sys.stderr.write(f"\n{INTERRUPTED}\n")
        sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)


def _on_interrupt(signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, lambda *_: _leave())  # a second Ctrl-C does not wait
    timer = threading.Timer(_PATIENCE_S, _leave)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def handle_interrupts() -> None:
    """Let Ctrl-C end the process soon, whatever worker threads are doing."""
    with contextlib.suppress(ValueError):  # not in the main thread: the caller handles signals
        signal.signal(signal.SIGINT, _on_interrupt)
