"""Searches that a service shows to everybody: those of a folder, kept as documents."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from darkstats.service.store import Collection, Store

__all__ = ["SHIPPED", "keep_shipped"]

#: Owner of documents that came with the service.
SHIPPED = "shipped"
_MOST_BYTES = 256 * 2**20


def keep_shipped(store: Store, folder: Path) -> tuple[Collection, ...]:
    """Keep the searches of a folder: each folder with files is one, and so is each lone workspace.

    Names begin in the folder: ``alp/background_only.json``.

    Raises
    ------
    OptionError
        There is no such folder.
    ServiceError
        The store does not answer.
    """
    if not folder.is_dir():
        raise OptionError(f"--workspaces {folder}: there is no such folder")
    return tuple(
        store.documents.collect(files, owner=SHIPPED, title=title)
        for title, files in _searches(folder)
    )


def _searches(folder: Path) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        files = sorted(Path(here) / name for name in names if _is_document(name))
        main = [one for one in files if not one.name.endswith(".meta.json")]
        if not main or sum(one.stat().st_size for one in files) > _MOST_BYTES:
            continue
        if any(one.name.startswith("patchset.") for one in main):
            yield _name(Path(here), folder), _read(files, folder)
        else:  # workspaces that stand alone, each with its sidecar
            for one in main:
                sidecar = one.with_name(f"{one.name.partition('.')[0]}.meta.json")
                both = [one, sidecar] if sidecar in files else [one]
                yield _name(one, folder), _read(both, folder)


def _is_document(name: str) -> bool:
    return not name.startswith(".") and name.endswith((".json", ".json.gz", ".csv"))


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _read(files: list[Path], folder: Path) -> Mapping[str, bytes]:
    return {_name(one, folder): one.read_bytes() for one in files}
