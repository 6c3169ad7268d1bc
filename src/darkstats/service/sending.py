"""Which files of this machine a question names, read to be sent to a service.

A file goes with its sidecar, and with the files beside it that it names itself, as a card names its
histograms; a folder goes as a whole. Files outside of the folder of a document never go with it.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError, in_words
from darkstats.service.uploads import checked_name

if TYPE_CHECKING:
    from darkstats.options import Option

__all__ = ["Sending", "gather", "read_path"]

_STANDARD_INPUT, _FROM_THERE = "-", "standard-input.json"
_COMPRESSED = re.compile(r"\.(gz|xz|bz2)$")
#: What may be the name of a file in a document: it has an ending that is no number.
_FILE_NAME = re.compile(r"[\w./+-]+\.[A-Za-z][A-Za-z0-9]{0,7}")
_LONGEST_TEXT = 8 * 2**20  # larger documents hold numbers, and name no files
_MOST_NAMES = 20_000
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class _Named:
    """A file in a value: what stands before its name, and the name in the collection."""

    before: str
    name: str


@dataclass(slots=True)
class Sending:
    """Files to send, and options in which they still have no digest.

    Parameters
    ----------
    files
        Paths by the names that they get.
    bodies
        What was read from standard input, by name.
    options
        Values by name.
    """

    files: dict[str, Path] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def read(self) -> Mapping[str, bytes]:
        """Read all files.

        Raises
        ------
        OptionError
            One cannot be read.
        """
        found = dict(self.bodies)
        for name, path in self.files.items():
            try:
                found[name] = path.read_bytes()
            except OSError as error:
                raise OptionError(f"{path}: cannot be sent: {in_words(error)}") from error
        return found

    def with_digest(self, digest: str) -> dict[str, Any]:
        """Options with references to the collection of this digest."""
        return {name: _referring(value, digest) for name, value in self.options.items()}

    def _take(self, path: Path, name: str, depth: int = 0) -> None:
        """Take a file with what goes with it, or a folder, under a name."""
        if name in self.files:
            if self.files[name].resolve() != path.resolve():
                raise OptionError(f"{path} and {self.files[name]} have one name: rename one")
            return
        if path.is_dir():
            for one in sorted(path.rglob("*")):
                inside = one.relative_to(path).as_posix()
                if one.is_file() and not any(part.startswith(".") for part in Path(inside).parts):
                    self.files[checked_name(f"{name}/{inside}" if name else inside)] = one
            return
        self.files[checked_name(name)] = path
        folder = str(PurePosixPath(name).parent)
        for beside in _beside(path, deep=depth < _DEEPEST):
            inside = beside.relative_to(path.parent).as_posix()
            self._take(beside, inside if folder == "." else f"{folder}/{inside}", depth + 1)


def read_path(path: Path) -> Mapping[str, bytes]:
    """Read a file alone, or a folder but for hidden files, by the names that they are sent under.

    Raises
    ------
    OptionError
        A file cannot be read.
    """
    found = Sending()
    if path.is_dir():
        found._take(path, path.resolve().name)
    else:
        found.files[path.name] = path
    return found.read()


def gather(options: Mapping[str, Any], asked: Mapping[str, Option]) -> Sending:
    """Find the files that options name.

    Parameters
    ----------
    options
        Values by name, as of the command line.
    asked
        Their declarations.

    Raises
    ------
    OptionError
        A file is not there, or its name cannot be sent.
    """
    found = Sending()
    for name, value in options.items():
        option = asked.get(name)
        if option is None or not option.reads:
            found.options[name] = Path(value).name if _is_written(option, value) else value
        else:
            found.options[name] = _found(found, value, surely=option.reads == "file")
    return found


def _is_written(option: Option | None, value: Any) -> bool:  # noqa: ANN401 -- any value
    return option is not None and option.writes and isinstance(value, str)


def _found(sending: Sending, value: Any, *, surely: bool) -> Any:  # noqa: ANN401 -- any value
    if isinstance(value, (tuple, list)):
        return [_found(sending, one, surely=surely) for one in value]
    if not isinstance(value, str):
        return value
    if value == _STANDARD_INPUT and surely:
        sending.bodies[_FROM_THERE] = sys.stdin.buffer.read()
        return _Named("", _FROM_THERE)
    for before, path in _readings(value):
        name = _taken(sending, path, surely=surely)
        if name is not None:
            return _Named(before, name)
    return value


def _readings(value: str) -> Iterator[tuple[str, str]]:
    """Ways to read a value: a path, or a path behind a name."""
    yield "", value
    for sign in "=:":
        before, found, path = value.partition(sign)
        if found and path:
            yield before + sign, path


def _taken(sending: Sending, text: str, *, surely: bool) -> str | None:
    """Take the file, folder, archive with member, or pattern of files; ``None`` if it is none."""
    path, member = Path(text), ""
    if not path.exists() and ":" in text:
        archive, _, member = text.partition(":")
        path = Path(archive)
    if path.is_file() or (path.is_dir() and (surely or "/" in text)):
        name = _name_of(str(path))
        sending._take(path, name)
        return f"{name}:{member}" if member else name
    is_pattern = surely and glob.has_magic(text)
    matches = sorted(glob.glob(text)) if is_pattern else []  # noqa: PTH207 -- absolute ones, too
    for match in matches:
        sending._take(Path(match), _name_of(match))
    return _name_of(text) if matches else None


def _name_of(text: str) -> str:
    """Name in a collection: as it is written, or the last part of one that leads elsewhere."""
    path = PurePosixPath(os.path.normpath(text))
    plain = not path.is_absolute() and ".." not in path.parts and str(path) != "."
    return str(path) if plain else Path(text).resolve().name


def _beside(path: Path, *, deep: bool) -> Iterator[Path]:
    """The sidecar of a document, and the files beside or below it that it names."""
    stem = _COMPRESSED.sub("", path.name).removesuffix(".json")
    sidecar = path.with_name(f"{stem}.meta.json")
    if sidecar != path and sidecar.is_file():
        yield sidecar
    if not deep or path.stat().st_size > _LONGEST_TEXT or path.name.endswith(".meta.json"):
        return
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return  # no text: it names nothing
    names = sorted(set(_FILE_NAME.findall(text)))[:_MOST_NAMES]
    for name in names:
        named = path.parent / name
        inside = ".." not in Path(name).parts and not Path(name).is_absolute()
        if inside and named != path and named.is_file() and _is_below(named, path.parent):
            yield named


def _is_below(path: Path, folder: Path) -> bool:
    """Whether a file is in a folder, links followed."""
    return path.resolve().is_relative_to(folder.resolve())


def _referring(value: Any, digest: str) -> Any:  # noqa: ANN401 -- any value
    if isinstance(value, _Named):
        return f"{value.before}sha256:{digest}/{value.name}"
    return [_referring(one, digest) for one in value] if isinstance(value, list) else value
