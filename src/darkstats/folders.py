"""Folders that appear whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from darkstats.errors import OptionError, OutputError

__all__ = ["require_own", "write_folder"]


def require_own(output: Path, names: Iterable[str], *, mark: tuple[str, str], verb: str) -> None:
    """Check that files can be written into a folder without loss of somebody else's.

    Parameters
    ----------
    output
        Folder, perhaps one that is still to be made; what it holds under other names may stay.
    names
        Names of the files to write.
    mark
        A JSON file among them, and the key that it has where ``verb`` wrote it.
    verb
        The command that writes, for the message.

    Raises
    ------
    OptionError
        It is no folder, or holds one of the files, and the command did not write it.
    """
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output} is no folder: name one with -o")
    there = [name for name in names if (output / name).exists()]
    if not there:
        return
    file, key = mark
    try:
        found = json.loads((output / file).read_bytes())
    except (OSError, ValueError):
        found = None
    made = isinstance(found, dict) and key in found
    if not made:
        raise OptionError(
            f"{output / there[0]} is there, and {verb} did not write it: name another folder"
        )


def write_folder(output: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder with these files, by name within it, in place of one that is there.

    Whatever ends this, also an interrupt or a full disk, the earlier folder or the new one is
    there, whole. Whether the earlier one may go is the caller's to know.

    Raises
    ------
    OutputError
        It cannot be written; what was there stays.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}-"))
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
    try:
        new = beside / "new"
        new.mkdir()
        for name, data in files.items():
            _write(new / name, data)
        _put(new, output, beside / "old")
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put(new: Path, output: Path, old: Path) -> None:
    """Give a folder its name; what has the name comes back if that fails."""
    if not output.exists():
        new.rename(output)
        return
    try:
        output.rename(old)
        new.rename(output)
    except BaseException:  # also an interrupt: the earlier folder must not go with the rest
        if old.exists() and not output.exists():
            old.rename(output)
        raise
