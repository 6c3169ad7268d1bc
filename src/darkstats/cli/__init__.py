"""The command line: argv -> request -> workflow -> table or record. It computes nothing.

Use :func:`run` to call it from Python (it returns the exit status); the console script calls
:func:`main`. Exit status: 0 done, 1 not certified, 2 bad input or usage, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status; nothing that goes wrong leaves as an exception.

    Parameters
    ----------
    arguments
        What follows ``darkstats`` on the command line.
    """
    from darkstats.cli.running import run as run_command

    return run_command(list(arguments))


def main() -> NoReturn:
    """Entry point of the console script."""
    import gc

    # A short process makes little garbage, and looking for it takes a tenth of the start-up.
    gc.set_threshold(200_000, 20, 20)
    from darkstats.cli.interrupts import EXIT_INTERRUPTED, Interruption
    from darkstats.cli.running import run as run_command
    from darkstats.cli.streams import prepare

    prepare()
    interruption = Interruption(sys.argv[1:])
    interruption.watch()
    status = run_command(sys.argv[1:], owns_process=True)
    if status == EXIT_INTERRUPTED:
        interruption.leave()
    sys.exit(status)
