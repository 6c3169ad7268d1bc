"""Names of workers, by which others on the same machine can tell whether they live."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

__all__ = ["is_gone", "name_of"]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""


@cache
def _place() -> str:
    """Name of this machine since it was started, and the space of its process numbers."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 -- no path of a file
    except OSError:
        space = ""
    words = (socket.gethostname(), _read("/proc/sys/kernel/random/boot_id"), space)
    return f"{words[0][:40]}-{hashlib.sha256('/'.join(words).encode()).hexdigest()[:12]}"


def _begun(pid: int) -> str:
    """When a process began, in the ticks of its machine; empty if there is none."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if not fields or fields[0] in {"Z", "X"}:
        return ""
    return fields[19]


def name_of(pid: int) -> str:
    """Name of the worker that is process ``pid`` of this machine."""
    return f"{_place()}/{pid}/{_begun(pid)}"


def is_gone(name: str) -> bool:
    """Whether a worker of this machine has ended; of other machines nothing is known."""
    place, _, rest = name.partition("/")
    pid, _, begun = rest.partition("/")
    if place != _place() or not pid.isdigit():
        return False
    if not Path("/proc/self").exists():
        return not _answers(int(pid))
    return _begun(int(pid)) != begun


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
