"""One database, SQLite or PostgreSQL: transactions that happen as a whole, and are tried again."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from darkstats.errors import OptionError, ServiceError
from darkstats.service.store.schema import METADATA, SCHEMA

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

__all__ = ["STEPS", "VERSION", "Database"]

T = TypeVar("T")

#: Number of the newest migration.
VERSION = 1
#: What brings a store to a version from the one before, by that version.
STEPS: Mapping[int, Callable[[Connection], None]] = MappingProxyType({})
_TRIES = 8
_PAUSE_S = 0.05
_BUSY_MS = 10_000
_PATIENCE_S = 15.0
_PASSING = (
    "locked", "busy", "deadlock", "serialize", "could not connect", "refused", "starting up",
    "shutting down", "terminating connection", "closed the connection",
)  # fmt: skip
_MIGRATION_LOCK = 0x6461726B  # any number that nobody else takes
_NETWORK_FILE_SYSTEMS = ("nfs", "afs", "fuse.eos", "cifs", "smb", "lustre", "gpfs", "ceph")


class Database:
    """Connections to one database.

    Parameters
    ----------
    url
        As SQLAlchemy writes it: ``sqlite:////path/darkstats.db`` or
        ``postgresql+psycopg://user@host/name``.
    upgrade
        Whether tables of an older version may be changed to those of this one.

    Raises
    ------
    OptionError
        The URL names no database that is known here, or SQLite on a network file system.
    ServiceError
        It cannot be reached, or was made by a newer version; or by an older one, without
        ``upgrade``.
    """

    def __init__(self, url: str, *, upgrade: bool = False) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if not self.is_sqlite and not url.startswith("postgresql"):
            raise OptionError(
                f"--store {url}: give sqlite:////PATH, or postgresql+psycopg://USER@HOST/NAME"
            )
        if self.is_sqlite:
            place = Path(sa.make_url(url).database or "")
            _require_local(place)
            _make_private(place)
            self.engine = _sqlite(url)
        else:
            self.engine = sa.create_engine(
                url, pool_pre_ping=True, pool_size=8, max_overflow=16, pool_timeout=_PATIENCE_S,
                connect_args={"connect_timeout": 5},
            )  # fmt: skip
        self.write(lambda connection: _migrate(connection, upgrade=upgrade))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def read(self, run: Callable[[Connection], T]) -> T:
        """Run in a transaction that writes nothing.

        Raises
        ------
        ServiceError
            The database does not answer.
        """
        return self._tried(run, "darkstats_read")

    def write(self, run: Callable[[Connection], T]) -> T:
        """Run in a transaction that happens as a whole or not at all; tried again when refused.

        Raises
        ------
        ServiceError
            The database does not answer, or its disk is full; nothing was changed.
        """
        return self._tried(run, "darkstats_write")

    def _tried(self, run: Callable[[Connection], T], kind: str) -> T:
        end = time.monotonic() + _PATIENCE_S
        for attempt in range(_TRIES):
            try:
                with (
                    self.engine.connect().execution_options(**{kind: True}) as connection,
                    connection.begin(),
                ):
                    return run(connection)
            except (DBAPIError, sa.exc.TimeoutError) as error:
                is_last = attempt == _TRIES - 1 or time.monotonic() >= end
                if is_last or not _passes(error):
                    raise ServiceError(
                        f"the store cannot be used ({_words(error)}); nothing was changed"
                    ) from error
                time.sleep(_PAUSE_S * 2**attempt * random.uniform(0.5, 1.0))
        raise AssertionError  # the loop returns or raises


def _words(error: DBAPIError | sa.exc.TimeoutError) -> str:
    if isinstance(error, sa.exc.TimeoutError):
        return "too many connections at a time"
    lines = str(error.orig or "").strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _passes(error: DBAPIError | sa.exc.TimeoutError) -> bool:
    """Whether what is wrong may be gone in a moment."""
    if isinstance(error, sa.exc.TimeoutError):
        return False  # it was waited for
    text = str(error.orig or error).lower()
    return error.connection_invalidated or any(word in text for word in _PASSING)


def _sqlite(url: str) -> Engine:
    engine = sa.create_engine(
        url, connect_args={"timeout": _BUSY_MS / 1e3, "check_same_thread": False}, pool_size=8,
        max_overflow=24, poolclass=sa.pool.QueuePool, pool_timeout=_PATIENCE_S,
    )  # fmt: skip

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:  # noqa: ANN401 -- a driver's connection
        connection.isolation_level = None  # transactions begin as told below
        cursor = connection.cursor()
        for setting in (
            "journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MS}", "foreign_keys=ON",
        ):  # fmt: skip
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # a transaction that reads first and writes later may be refused where no wait would help
        immediate = connection.get_execution_options().get("darkstats_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _make_private(path: Path) -> None:
    """Make a file that only its user reads, where there is none; SQLite's others take after it."""
    with suppress(OSError):  # it is there, or SQLite says what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _require_local(path: Path) -> None:
    """Refuse SQLite where locks of files are not kept.

    Raises
    ------
    OptionError
        The folder lies on a network file system, or is none.
    """
    folder = path.parent
    if not folder.is_dir():
        raise OptionError(f"--store {path}: there is no folder {folder}; make it first")
    try:
        mounts = Path("/proc/mounts").read_text("utf-8").splitlines()
    except OSError:
        return
    kinds = {line.split()[1]: line.split()[2] for line in mounts if len(line.split()) > 2}
    here = folder.resolve()
    kind = next((kinds[str(p)] for p in (here, *here.parents) if str(p) in kinds), "")
    if kind.startswith(_NETWORK_FILE_SYSTEMS):
        raise OptionError(
            f"--store {path}: SQLite loses data on {kind}; name a local disk, or PostgreSQL"
        )


def _migrate(connection: Connection, *, upgrade: bool) -> None:
    """Make the tables, or bring them up to date.

    Raises
    ------
    ServiceError
        They were made by a newer version of darkstats; or by an older one, and nobody said that
        they may be changed.
    """
    if connection.dialect.name == "postgresql":  # one at a time; SQLite has one writer anyway
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    SCHEMA.create(connection, checkfirst=True)
    found = connection.execute(sa.select(SCHEMA.c.version)).scalar()
    if found is None:
        METADATA.create_all(connection, checkfirst=True)
        connection.execute(SCHEMA.insert().values(version=VERSION))
        return
    if found > VERSION:
        raise ServiceError(
            f"the store has version {found}, this darkstats knows {VERSION}: install a newer one"
        )
    if found < VERSION and not upgrade:
        raise ServiceError(
            f"the store has version {found}, this darkstats needs {VERSION}: back it up, then run "
            "darkstats serve upgrade"
        )
    for version in range(found + 1, VERSION + 1):
        STEPS[version](connection)
        connection.execute(sa.update(SCHEMA).values(version=version))
