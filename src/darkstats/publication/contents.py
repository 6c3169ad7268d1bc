"""Read a folder or an archive into memory: regular files within it, and nothing else.

Links are not followed, special files are not opened, and no name out of a file is ever used as a
path: files are looked up among those that were found.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from darkstats.characters import spelled
from darkstats.errors import DocumentError
from darkstats.publication.findings import MALFORMED, Problem
from darkstats.workspace.archives import MAX_ARCHIVE_BYTES, MAX_MEMBERS, read_members, unpacked

__all__ = ["Contents", "is_safe_name", "read_contents"]

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Files by name, ``/`` between folders; and what was found and not read.

    Parameters
    ----------
    source
        Folder or archive.
    files
        Bytes by name.
    refused
        Links, special files, names that lead elsewhere.
    """

    source: str
    files: Mapping[str, bytes] = field(repr=False)
    refused: tuple[Problem, ...] = ()


def is_safe_name(name: str) -> bool:
    """Whether a name stays within its folder on any system: letters, digits, ``_.-`` and ``/``."""
    return len(name) <= 255 and _SAFE.fullmatch(name) is not None


def read_contents(source: str) -> Contents:
    """Return the files of a folder, or of a tar or zip archive.

    Raises
    ------
    DocumentError
        It cannot be read, is neither, or is too large.
    """
    path = Path(source)
    try:
        if path.is_dir():
            return _folder(path, source)
        if not path.is_file():
            raise DocumentError(
                "there is no such folder or file", source=source, remedy="check the path"
            )
        with path.open("rb") as stream:
            raw = stream.read(MAX_ARCHIVE_BYTES + 1)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise DocumentError(f"cannot be read: {words}", source=source) from None
    if len(raw) > MAX_ARCHIVE_BYTES:
        raise _too_large(source)
    return _archive(raw, source)


def _too_large(source: str) -> DocumentError:
    return DocumentError(
        f"holds more than {MAX_ARCHIVE_BYTES // 1024**2} MiB, or more than {MAX_MEMBERS} files",
        source=source,
        remedy="name the folder of one bundle",
    )


def _folder(root: Path, source: str) -> Contents:
    files: dict[str, bytes] = {}
    refused: list[Problem] = []
    left = MAX_ARCHIVE_BYTES
    for count, (name, path, mode) in enumerate(_entries(root, "", 0, refused)):
        if count >= MAX_MEMBERS:
            raise _too_large(source)
        if not stat.S_ISREG(mode):
            what = "a symbolic link, which is not followed" if stat.S_ISLNK(mode) else "no file"
            refused.append(Problem(kind=MALFORMED, place=spelled(name), text=f"is {what}"))
            continue
        data = _read(path, left)
        left -= len(data)
        if left < 0:
            raise _too_large(source)
        files[name] = data
    return Contents(source=source, files=files, refused=tuple(refused))


def _read(path: str, most: int) -> bytes:
    """Bytes of a regular file, which must not have become a link since it was listed."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(handle, "rb") as stream:
        return stream.read(most + 1)


def _entries(
    folder: Path | str, prefix: str, depth: int, refused: list[Problem]
) -> Iterator[tuple[str, str, int]]:
    """Name, path and mode of all that is no folder, in the order of the names."""
    if depth > _MAX_DEPTH:
        refused.append(Problem(kind=MALFORMED, place=spelled(prefix), text="nests too deep"))
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, f"{name}/", depth + 1, refused)
        else:
            yield name, entry.path, entry.stat(follow_symlinks=False).st_mode


def _archive(raw: bytes, source: str) -> Contents:
    data = unpacked(raw, source)
    members = read_members(data, source)
    if members is None:
        return Contents(source=source, files={Path(source).name: data})
    refused = [
        Problem(
            kind=MALFORMED,
            place=spelled(member.name),
            text="is a name that leads out of the archive",
        )
        for member in members
        if _leads_out(member.name)
    ]
    kept = [member for member in members if not _leads_out(member.name)]
    top = _common_folder([member.name for member in kept])
    files = {member.name.removeprefix(top): member.read() for member in kept}
    return Contents(source=source, files=files, refused=tuple(refused))


def _leads_out(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name[:2]


def _common_folder(names: list[str]) -> str:
    """The one folder that holds all members, as ``tar czf`` of a folder makes it."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    if len(tops) == 1 and all("/" in name for name in names):
        return f"{tops.pop()}/"
    return ""
