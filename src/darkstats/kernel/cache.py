"""Compiled kernels on disk: where they are kept, and a seal on each file.

Numba keeps an index and numbered files without a check: a file that is cut off or has a flipped
bit ends the process, and two processors that share a home folder can take each other's machine
code. Here each file is named by all that its content depends on, and begins with its digest; one
that does not fit is removed, and the kernel is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.serialize import dumps

__all__ = ["CacheFolder", "SealedFiles", "find_folder"]

_DUMPS: Any = dumps  # numba is untyped
_SEAL = b"darkstats-kernel/1\n"
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFolder:
    """Where compiled kernels are kept.

    Parameters
    ----------
    path
        A folder that can be written; None if there is none: kernels are compiled in memory.
    prepared
        A folder that can only be read, such as one of a container image, looked into as well
        where there is another one to write to.
    note
        What a user has to know of the choice, and the remedy; None where nothing is odd.
    """

    path: Path | None
    prepared: Path | None = None
    note: str | None = None


def find_folder(name: str) -> CacheFolder:
    """Find a folder ``name`` for compiled kernels.

    ``NUMBA_CACHE_DIR``, else ``XDG_CACHE_HOME/darkstats``, else the user's own cache folder; an
    empty setting counts as none, and so does a relative ``XDG_CACHE_HOME`` (XDG Base Directory
    Specification 0.8). Where that cannot be written, a private folder of the user among the
    temporary ones; never the working directory.
    """
    try:
        wanted = _base_directory() / name
    except RuntimeError:  # no home directory
        wanted = None
    if wanted is not None and _writable(wanted):
        return CacheFolder(path=wanted)
    place = "the cache folder" if wanted is None else str(wanted.parent)
    remedy = "set XDG_CACHE_HOME or NUMBA_CACHE_DIR to a folder that can be written"
    prepared = wanted if wanted is not None and os.access(wanted, os.R_OK | os.X_OK) else None
    private = _private_directory()
    if private is None or not _writable(private / name):
        note = f"{place} cannot be written, so every command compiles its kernels: {remedy}"
        return CacheFolder(path=None, note=note)
    note = f"{place} cannot be written: compiled kernels are kept in {private}; {remedy}"
    return CacheFolder(path=private / name, prepared=prepared, note=note)


def _base_directory() -> Path:
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"]).absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "darkstats"
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "darkstats"


def _writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _private_directory() -> Path | None:
    """A temporary folder that nobody else can write to, the same for all commands of a user.

    What is loaded from it is run: a folder of somebody else's, or one that others may write to,
    is not taken.
    """
    user = os.getuid() if hasattr(os, "getuid") else None
    try:
        directory = Path(tempfile.gettempdir()) / f"darkstats-{'user' if user is None else user}"
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        found = directory.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or (user is not None and found.st_uid != user):
        return None
    return None if stat.S_IMODE(found.st_mode) & 0o077 else directory


class SealedFiles:
    """Files of the machine code of one function, as numba's dispatcher asks for them.

    Parameters
    ----------
    folder
        Where they are.
    function
        Module and name of the function, for the names of the files.
    """

    def __init__(self, folder: CacheFolder, function: str) -> None:
        self._folder, self._function = folder, function

    def _names(self, key: object) -> list[Path]:
        """Paths of the file for a signature and a processor: the writable one first."""
        versions = (numba.__version__, llvmlite.__version__, sys.version_info[:2])
        digest = hashlib.sha256(repr((versions, key)).encode()).hexdigest()[:24]
        places = (self._folder.path, self._folder.prepared)
        return [place / f"{self._function}.{digest}.nbc" for place in places if place is not None]

    def load(self, key: object) -> Any:
        """Return the machine code for a key; None if there is none that is whole."""
        for path in self._names(key):
            try:
                data = path.read_bytes()
            except OSError:
                continue
            begin = len(_SEAL) + _DIGEST_BYTES
            seal = _SEAL + hashlib.sha256(data[begin:]).digest()
            if data[:begin] == seal:
                return pickle.loads(data[begin:])
            with suppress(OSError):
                path.unlink()
        return None

    def save(self, key: object, data: object) -> None:
        """Keep machine code, whole or not at all.

        Raises
        ------
        OSError
            It cannot be written.
        """
        payload: bytes = _DUMPS(data)
        path = self._names(key)[0]
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_SEAL + hashlib.sha256(payload).digest() + payload)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def flush(self) -> None:
        """Forget nothing: files are named by what they depend on."""

    def any(self) -> bool:
        """Whether there is machine code for some signature."""
        places = (self._folder.path, self._folder.prepared)
        found = (place.glob(f"{self._function}.*.nbc") for place in places if place is not None)
        return any(True for files in found for _ in files)
