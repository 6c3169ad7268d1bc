"""Ctrl-C: unwind, and if worker threads do not let go, leave all the same."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

__all__ = ["EXIT_INTERRUPTED", "INTERRUPTED", "Interruption"]

EXIT_INTERRUPTED = 130
INTERRUPTED = "interrupted; no file is half written, and finished blocks of a folder are kept"

#: Time to remove temporary files and to restore the terminal.
_PATIENCE_S = 0.5


class Interruption:
    """Ends the process after Ctrl-C, and says so once.

    The first Ctrl-C unwinds the main thread, which removes temporary files; worker threads may
    hold that up, so that after half a second, or at the second Ctrl-C, the process ends as it is.

    Parameters
    ----------
    arguments
        The command line: with ``--json`` the interruption is a record, like any other error.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = list(arguments)
        self._first = threading.Lock()

    def watch(self) -> None:
        """Take over the signal of Ctrl-C."""
        with contextlib.suppress(ValueError):  # not in the main thread: the caller handles signals
            signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, lambda *_: self.leave())
        timer = threading.Timer(_PATIENCE_S, self.leave)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    def leave(self) -> NoReturn:
        """Say that the command was interrupted, unless that is said, and end the process."""
        if self._first.acquire(blocking=False):
            with contextlib.suppress(OSError, ValueError):
                self._say()
        else:  # another thread is saying it
            threading.Event().wait(_PATIENCE_S)
        os._exit(EXIT_INTERRUPTED)

    def _say(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")  # the progress display hides the cursor
        sys.stderr.write(f"\ndarkstats: {INTERRUPTED}\n")
        sys.stderr.flush()
        if "--json" in self._arguments:
            record = {
                "command": shlex.join(["darkstats", *self._arguments]),
                "error": "KeyboardInterrupt",
                "exit_status": EXIT_INTERRUPTED,
                "kind": "interrupted",
                "message": INTERRUPTED,
                "schema": "darkstats.error/1",
            }
            sys.stdout.write(json.dumps(record, indent=2, sort_keys=True) + "\n")
            sys.stdout.flush()
