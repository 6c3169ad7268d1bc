"""What a worker refuses to open: files that are none of the question's, and the network.

A question cannot name a path, but a document might: a card that includes another file, an archive
with links, a field that some library takes for an address. The hook of the interpreter sees what
Python code opens, whatever library it belongs to. It is a second line behind the checks of each
reader, not a jail: machine code can pass it, so the operator runs the service as a user of its own.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = ["ForbiddenError", "Guard", "caches"]

_READ_ONLY_SYSTEM = (
    "/dev/null", "/dev/urandom", "/dev/random", "/dev/zero", "/etc/localtime", "/etc/ld.so.cache",
    "/etc/fonts", "/etc/mime.types", "/etc/os-release", "/usr/lib/os-release", "/proc/cpuinfo",
    "/proc/meminfo", "/proc/mounts", "/proc/stat", "/proc/sys/kernel", "/proc/sys/vm",
    "/sys/devices/system", "/sys/fs/cgroup", "/usr/share/fonts", "/usr/share/zoneinfo",
    "/usr/local/share/fonts", "/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/System/Library",
    "/Library/Fonts",
)  # fmt: skip
_OF_THIS_PROCESS = (
    "stat", "status", "statm", "maps", "cgroup", "mountinfo", "task", "limits", "fd",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class ForbiddenError(PermissionError):
    """Something that a worker of the service does not open.

    It is an error of the system to whoever tried, and is told as any file that cannot be read.
    """

    def __init__(self, what: str) -> None:
        super().__init__(13, f"the service opens nothing but the documents of a question: {what}")


class Guard:
    """Hook of the interpreter (``sys.addaudithook``); it cannot be removed again.

    Parameters
    ----------
    folder
        Where the worker works: it may do anything there.
    caches
        Where compiled kernels and fonts are kept: it may write there, too.
    database
        Path of an SQLite database; nothing else may be opened as one.
    """

    def __init__(self, folder: Path, *, caches: Iterable[Path] = (), database: str = "") -> None:
        self._writable = _roots([folder, *caches, Path(os.devnull)])
        here = Path(__file__).resolve().parents[2]
        installed = [here, *map(Path, {sys.prefix, sys.base_prefix, sys.exec_prefix})]
        installed += [Path(p) for p in sysconfig.get_paths().values()]
        own = [Path(f"/proc/{os.getpid()}/{name}") for name in _OF_THIS_PROCESS]
        paths = [Path(p) for p in sys.path if p]
        system = map(Path, _READ_ONLY_SYSTEM)
        self._readable = self._writable + _roots([*installed, *own, *paths, *system])
        self._database = str(Path(database).resolve()) if database else ""
        self._events: Mapping[str, Callable[..., None]] = MappingProxyType(
            {
                "open": self._open,
                "os.listdir": self._read,
                "os.scandir": self._read,
                "os.remove": self._change,
                "os.rmdir": self._change,
                "os.mkdir": self._change,
                "os.chmod": self._change,
                "os.chown": self._change,
                "os.utime": self._change,
                "os.truncate": self._change,
                "os.rename": self._change_both,
                "os.link": self._link,
                "os.symlink": self._link,
                "sqlite3.connect": self._sqlite,
                "subprocess.Popen": self._program,
                "socket.connect": self._network,
                "socket.bind": self._network,
                "socket.sendto": self._network,
                "socket.getaddrinfo": self._network,
                "socket.gethostbyname": self._network,
                "os.system": self._program,
                "os.exec": self._program,
                "os.posix_spawn": self._program,
                "os.forkpty": self._program,
            }
        )

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse what is not allowed.

        Raises
        ------
        ForbiddenError
            It is not.
        """
        check = self._events.get(event)
        if check is not None:
            check(*arguments)

    def _open(self, path: object, mode: object, flags: object) -> None:
        writes = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        if not isinstance(mode, str):
            writes = isinstance(flags, int) and bool(flags & _WRITES)
        _require(path, self._writable if writes else self._readable)

    def _read(self, path: object) -> None:
        _require("." if path is None else path, self._readable)

    def _change(self, path: object, *more: object) -> None:
        # a name relative to an open folder: that one was allowed when it was opened
        dir_fd = more[-1] if more else -1
        if isinstance(dir_fd, int) and dir_fd > 2 and not os.path.isabs(_text(path)):  # noqa: PTH117
            return
        _require(path, self._writable)

    def _change_both(self, old: object, new: object, *_: object) -> None:
        _require(old, self._writable)
        _require(new, self._writable)

    def _link(self, old: object, new: object, *_: object) -> None:
        _require(old, self._readable)
        _require(new, self._writable)

    def _sqlite(self, database: object) -> None:
        path = _text(database).removeprefix("file:").partition("?")[0]
        if path != ":memory:" and os.path.realpath(path) != self._database:
            raise ForbiddenError(path)

    @staticmethod
    def _program(program: object, *_: object) -> None:
        if _text(program) != sys.executable:  # which compiles kernels
            raise ForbiddenError(f"the program {_text(program)}")

    @staticmethod
    def _network(*arguments: object) -> None:
        raise ForbiddenError(f"the network ({arguments[-1]!r})")


def caches() -> tuple[Path, ...]:
    """Folders that libraries keep between runs: compiled kernels, and lists of fonts.

    Those of Matplotlib are made where they are missing: a worker may not make what they lie in.
    """
    from darkstats.kernel.cache import find_folder

    kernels = find_folder(".").path  # the folder of all versions
    home = Path(os.environ.get("HOME", tempfile.gettempdir()))
    cached = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    settled = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = os.environ.get("MPLCONFIGDIR")
    drawing = [Path(named)] if named else [cached / "matplotlib", settled / "matplotlib"]
    for path in drawing:
        with suppress(OSError):  # then it takes a temporary one, and says so
            path.mkdir(parents=True, exist_ok=True)
    kept = [*drawing, cached / "fontconfig"]
    return (*kept, Path(kernels)) if kernels else tuple(kept)


def _text(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else str(path)


def _roots(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths))


def _require(path: object, roots: tuple[str, ...]) -> None:
    if isinstance(path, int):  # a file that is open already
        return
    real = os.path.realpath(_text(path))
    if not any(real == root or real.startswith(root.rstrip("/") + "/") for root in roots):
        raise ForbiddenError(_text(path))
