"""Standard streams that fail: closed, full, or without the letters of a table."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from types import MappingProxyType

from darkstats.characters import printable
from darkstats.errors import OutputError

__all__ = ["output_failed", "prepare", "say", "silence_output"]

_SPELLED = (
    "−:- –:- —:- ±:+- ×:x ·:* …:... →:-> ′:' ’:' “:' ”:' ≤:<= ≥:>= ²:^2 σ:sigma μ:mu µ:mu χ:chi"
)
_SPELLED += " τ:tau γ:gamma Φ:Phi \u0303:~"  # the last is a combining tilde, of q̃
_PLAIN_LETTERS = MappingProxyType(dict(pair.split(":") for pair in _SPELLED.split()))

#: What writing to a full disk, a closed descriptor or a lost device ends with.
_FAILED_WRITES = frozenset({errno.ENOSPC, errno.EBADF, errno.EIO, errno.EDQUOT, errno.EFBIG})


class _Closed(io.TextIOBase):
    """Standard output that was closed by whoever started the process."""

    encoding = "utf-8"  # rich asks for it

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "it is closed")


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Error handler of a codec: plain letters for what an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    text = "".join(
        _PLAIN_LETTERS.get(letter) or letter.encode("ascii", "backslashreplace").decode("ascii")
        for letter in missing
    )
    return text, error.end


def prepare() -> None:
    """Make standard streams usable, whatever the process was started with.

    The numbers of closed streams go to the null device, so that no file that is opened later
    takes their place. Letters that an encoding lacks are spelled in plain ones.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- for good
    codecs.register_error("darkstats-spell", _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="darkstats-spell")


def say(text: str) -> None:
    """Write to standard error; if that fails there is nobody left to tell."""
    text = printable(text)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def silence_output() -> None:
    """Send what is left in standard output to the null device, so that the end is quiet."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def output_failed(error: BaseException) -> OutputError | None:
    """What to say if ``error`` comes from standard output; None if it is about something else."""
    if not isinstance(error, OSError) or error.filename is not None:
        return None
    if error.errno not in _FAILED_WRITES:
        return None
    return OutputError(
        f"cannot write the result to standard output: {error.strerror or error}; send it to a "
        "place that takes it, or write a file with -o"
    )
