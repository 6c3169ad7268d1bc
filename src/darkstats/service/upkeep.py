"""What an operator does with the store of a service: back up, restore, bring up to date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from darkstats.options import argument
from darkstats.service.commands import SCHEMA, StorePlace, require_packages, store_url
from darkstats.workflows.outcome import Outcome, Shell

__all__ = [
    "BackupRequest",
    "RestoreRequest",
    "UpgradeRequest",
    "backup",
    "restore",
    "upgrade",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """A backup of a store."""

    file: Annotated[str, argument("FILE", "File to write; there must be none.")]
    store: StorePlace = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """A store made of a backup."""

    file: Annotated[str, argument("FILE", "Backup to read.", reads="file")]
    store: StorePlace = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRequest:
    """A store to bring up to date."""

    store: StorePlace = None


def backup(request: BackupRequest, shell: Shell | None = None) -> Outcome[Mapping[str, Any]]:
    """Write all that a service keeps to one file, while it runs.

    Raises
    ------
    OptionError
        The store is none of SQLite, or the file is there already.
    OutputError
        The file cannot be written.
    ServiceError
        The store does not answer.
    """
    require_packages()
    from darkstats.service.store import Store
    from darkstats.service.store.maintenance import backup as write_backup

    store = Store(store_url(request.store))
    try:
        size = write_backup(store, Path(request.file))
    finally:
        store.close()
    words = f"{request.file}: {size} bytes"
    return _outcome("backup", words, shell, file=request.file, size=size)


def restore(request: RestoreRequest, shell: Shell | None = None) -> Outcome[Mapping[str, Any]]:
    """Make a store of a backup.

    Raises
    ------
    OptionError
        There is a store already, or the file is no whole backup.
    OutputError
        The store cannot be written.
    """
    require_packages()
    from darkstats.service.store.maintenance import restore as read_backup

    url = store_url(request.store)
    read_backup(Path(request.file), url)
    words = f"{url} holds what {request.file} holds"
    return _outcome("restore", words, shell, file=request.file)


def upgrade(request: UpgradeRequest, shell: Shell | None = None) -> Outcome[Mapping[str, Any]]:
    """Bring a store up to date, and look whether it is sound.

    Raises
    ------
    OptionError
        The store is no database that is known here.
    ServiceError
        It does not answer, or was made by a newer version.
    """
    require_packages()
    from darkstats.service.store import Store
    from darkstats.service.store.maintenance import check
    from darkstats.service.store.maintenance import upgrade as bring_up

    url = store_url(request.store)
    version = bring_up(url)
    store = Store(url)
    try:
        faults = check(store)
    finally:
        store.close()
    words = "\n".join((f"version {version}", *(faults or ("all is well",))))
    return _outcome("upgrade", words, shell, version=version, faults=list(faults))


def _outcome(
    did: str,
    words: str,
    shell: Shell | None,
    **told: Any,  # noqa: ANN401 -- any JSON values
) -> Outcome[Mapping[str, Any]]:
    command = shell.command if shell is not None else None
    record = {"schema": SCHEMA, "command": command, "did": did, **told}
    return Outcome(result=told, record=lambda: record, sheet=lambda: words)
