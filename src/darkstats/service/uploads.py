"""Files that a user sends: their names, which must be harmless before they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from darkstats.characters import no_name
from darkstats.errors import OptionError

if TYPE_CHECKING:
    from darkstats.service.store import Collection

__all__ = ["checked_name", "checked_names", "references_of"]

_LONGEST_PART = 200  # bytes; file systems take 255
_LONGEST_NAME = 1_000


def checked_name(name: str) -> str:
    """Return the name of a file in a collection: relative, of plain parts.

    Raises
    ------
    OptionError
        It is absolute, leads out of its folder, hides control characters, or is too long.
    """
    shown = f"name of a file {name[:80]!a}"
    if not name or len(name) > _LONGEST_NAME:
        raise OptionError(f"{shown}: give 1 to {_LONGEST_NAME} characters")
    if no_name(name):
        raise OptionError(f"{shown}: holds a control character, or no text; leave it out")
    parts = name.split("/")
    if "\\" in name or any(part in {"", ".", ".."} for part in parts):
        raise OptionError(f"{shown}: give a relative name with / between its parts, without ..")
    if parts[0].startswith(".") or any(len(part.encode()) > _LONGEST_PART for part in parts):
        raise OptionError(
            f"{shown}: let no part be longer than {_LONGEST_PART} bytes, and the first not begin "
            "with a dot"
        )
    return name


def checked_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all files of a collection.

    Raises
    ------
    OptionError
        One cannot be used, two are the same, or one is a folder of another.
    """
    found = tuple(map(checked_name, names))
    seen = set(found)
    if len(seen) != len(found):
        raise OptionError("two files have the same name: give each its own")
    for name in found:
        above = {str(one) for one in PurePosixPath(name).parents} & seen
        if above:
            raise OptionError(f"{above.pop()!a} is a file and the folder of {name!a}: rename one")
    return found


def references_of(collection: Collection) -> Mapping[str, str]:
    """What questions name the files of a collection by, by their names."""
    return {name: f"sha256:{collection.digest}/{name}" for name in collection.manifest}
