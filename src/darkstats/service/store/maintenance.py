"""What an operator does with a store: back up, restore, upgrade, check, remove what is old."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from darkstats.errors import OptionError, OutputError, in_words
from darkstats.service.store import Store
from darkstats.service.store.database import VERSION
from darkstats.service.store.rows import JobState
from darkstats.service.store.schema import (
    ARTEFACT,
    BLOB,
    BLOCK,
    COLLECTION,
    EVENT,
    JOB,
    NEED,
    OWNER,
    RESULT,
    WORK,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["Keep", "Removed", "backup", "check", "remove_old", "restore", "upgrade"]

_DAY_S = 86_400.0
_UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.WAITING.value)
_FINAL = (JobState.DONE.value, JobState.FAILED.value, JobState.CANCELLED.value)


def backup(store: Store, path: Path) -> int:
    """Copy an SQLite store into one file while it is used; returns the size in bytes.

    The file is there whole or not at all. What is committed while it is copied is not in it.

    Raises
    ------
    OptionError
        It is no SQLite store, or there is such a file already.
    OutputError
        The file cannot be written.
    """
    source = _file_of(store.database.url, "back up PostgreSQL with pg_dump")
    if path.exists():
        raise OptionError(f"{path} is there already: name another file")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as folder:
            part = Path(folder) / "store.db"
            with closing(sqlite3.connect(source)) as connection:
                connection.execute("VACUUM INTO ?", (str(part),))
            part.chmod(0o600)
            _sync(part)
            part.replace(path)
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(f"{path}: cannot be written: {in_words(error)}") from None
    return path.stat().st_size


def restore(path: Path, url: str) -> None:
    """Make an SQLite store of a backup.

    What was running or waiting then goes on; answers and documents that came later are not in it.

    Raises
    ------
    OptionError
        The URL is none of SQLite, there is a store already, or the file is no whole backup.
    OutputError
        The store cannot be written.
    """
    target = _file_of(url, "restore PostgreSQL with pg_restore")
    if target.exists():
        raise OptionError(f"{target} is there already: move it away, or name another store")
    _require_whole(path)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as folder:
            part = Path(folder) / "store.db"
            with (
                closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(part)) as copy,
            ):
                source.backup(copy)
            part.chmod(0o600)
            _sync(part)
            part.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(f"{target}: cannot be written: {in_words(error)}") from None


def upgrade(url: str) -> int:
    """Bring a store to the version of this darkstats; returns the version.

    Raises
    ------
    OptionError
        The URL names no database that is known here.
    ServiceError
        It cannot be reached, or was made by a newer version.
    """
    Store(url, upgrade=True).close()
    return VERSION


def _file_of(url: str, otherwise: str) -> Path:
    if not url.startswith("sqlite"):
        raise OptionError(f"this is no SQLite store: {otherwise}")
    return Path(sa.make_url(url).database or "")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _require_whole(path: Path) -> None:
    """Check that a file is a store, and whole.

    Raises
    ------
    OptionError
        It is not.
    """
    if not path.is_file():
        raise OptionError(f"{path}: there is no such file")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as found:
            said = found.execute("PRAGMA integrity_check").fetchone()[0]
            version = found.execute("SELECT version FROM schema_version").fetchone()[0]
    except (sqlite3.Error, TypeError) as error:
        raise OptionError(f"{path}: is no backup of a store ({error})") from None
    if said != "ok":
        raise OptionError(f"{path}: the file is damaged ({said}); take another backup")
    if version > VERSION:
        raise OptionError(
            f"{path}: the store has version {version}, this darkstats knows {VERSION}: install a "
            "newer one"
        )


def check(store: Store) -> tuple[str, ...]:
    """What is wrong with a store, in words; nothing, where all is well.

    Raises
    ------
    ServiceError
        The store does not answer.
    """

    def run(connection: Connection) -> tuple[str, ...]:
        looks = (_damaged, _bad_digests, _missing_bodies, _wrong_counts, _stuck)
        return tuple(found for look in looks for found in look(connection))

    return store.database.read(run)


def _damaged(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        for (said,) in connection.exec_driver_sql("PRAGMA integrity_check").all():
            if said != "ok":
                yield f"the file is damaged: {said}; restore a backup"


def _bad_digests(connection: Connection) -> Iterator[str]:
    for digest in connection.execute(sa.select(BLOB.c.digest)).scalars().all():
        body = connection.execute(sa.select(BLOB.c.body).where(BLOB.c.digest == digest)).scalar()
        if hashlib.sha256(bytes(body or b"")).hexdigest() != digest:
            yield f"bytes {digest} are not what was kept; restore a backup"
    for key, digest, record in connection.execute(
        sa.select(RESULT.c.key, RESULT.c.digest, RESULT.c.record)
    ):
        if hashlib.sha256(bytes(record)).hexdigest() != digest:
            yield f"answer {key} is not what was kept; restore a backup"


def _missing_bodies(connection: Connection) -> Iterator[str]:
    known = set(connection.execute(sa.select(BLOB.c.digest)).scalars())
    for kind, digests in _references(connection):
        for digest in sorted(digests - known):
            yield f"bytes {digest} of {kind} are missing; restore a backup"


def _references(connection: Connection) -> Iterator[tuple[str, set[str]]]:
    """Digests of all bytes that something refers to."""
    manifests = connection.execute(sa.select(COLLECTION.c.manifest)).scalars()
    yield "documents", {digest for text in manifests for digest in json.loads(text).values()}
    yield "answers", set(connection.execute(sa.select(ARTEFACT.c.blob)).scalars())
    yield "blocks", set(connection.execute(sa.select(WORK.c.inputs)).scalars())


def _wrong_counts(connection: Connection) -> Iterator[str]:
    for lane, column in (("quick", OWNER.c.queued_quick), ("long", OWNER.c.queued_long)):
        queued = (
            sa.select(sa.func.count())
            .where(JOB.c.owner == OWNER.c.name, JOB.c.lane == lane, JOB.c.state == "queued")
            .scalar_subquery()
        )
        for name, said, found in connection.execute(
            sa.select(OWNER.c.name, column, queued).where(column != queued)
        ):
            yield f"{name} has {found} {lane} jobs queued, and {said} are counted"
    queued = (
        sa.select(sa.func.count())
        .where(BLOCK.c.work == WORK.c.digest, BLOCK.c.state == "queued")
        .scalar_subquery()
    )
    for digest, said, found in connection.execute(
        sa.select(WORK.c.digest, WORK.c.queued, queued).where(WORK.c.queued != queued)
    ):
        yield f"work {digest[:12]} has {found} blocks queued, and {said} are counted"


def _stuck(connection: Connection) -> Iterator[str]:
    need = sa.select(NEED.c.job).where(NEED.c.job == JOB.c.id, ~NEED.c.is_met).exists()
    waiting = sa.select(JOB.c.name).where(JOB.c.state == JobState.WAITING.value, ~need)
    for name in connection.execute(waiting).scalars():
        yield f"job {name} waits for nothing; cancel it and ask again"
    done = sa.select(RESULT.c.key).where(RESULT.c.key == JOB.c.key).exists()
    lost = sa.select(sa.func.count()).where(JOB.c.state == JobState.DONE.value, ~done)
    count = connection.execute(lost).scalar()
    if count:
        yield f"{count} jobs are done and their answers were removed; ask again for those wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long what is kept, in seconds, and how much in all.

    Parameters
    ----------
    progress_s
        Events of progress of jobs that are at their end.
    blocks_s, answers_s, documents_s
        Since they came; what an unfinished job needs stays. An answer that was removed is computed
        again when asked for.
    most_bytes
        Of all bodies. Where there is more, what is older than ever shorter times goes, but nothing
        of the last day.
    """

    progress_s: float = 3_600.0
    blocks_s: float = 30 * _DAY_S
    answers_s: float = 365 * _DAY_S
    documents_s: float = 365 * _DAY_S
    most_bytes: int = 20_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was removed: numbers of events, blocks, answers, collections, and bytes in all."""

    events: int
    blocks: int
    answers: int
    collections: int
    size: int


def size_of(store: Store) -> int:
    """Bytes of all bodies in a store; its file is somewhat larger."""
    columns = (BLOB.c.size, sa.func.length(BLOCK.c.body), sa.func.length(RESULT.c.record))
    sums = [sa.select(sa.func.coalesce(sa.func.sum(column), 0)) for column in columns]
    return store.database.read(
        lambda connection: sum(int(connection.execute(one).scalar() or 0) for one in sums)
    )


def remove_old(store: Store, keep: Keep | None = None, *, now: float | None = None) -> Removed:
    """Remove what is old or too much; what an unfinished job needs stays.

    Raises
    ------
    ServiceError
        The store does not answer; what was removed before stays so.
    """
    keep, now = keep or Keep(), time.time() if now is None else now
    before, share = size_of(store), 1.0
    found = {"events": _remove_progress(store, now - keep.progress_s)}
    while True:
        for name, removed in (
            ("blocks", _remove_blocks(store, now - share * keep.blocks_s)),
            ("answers", _remove_answers(store, now - share * keep.answers_s)),
            ("collections", _remove_collections(store, now - share * keep.documents_s)),
        ):
            found[name] = found.get(name, 0) + removed
        _remove_bodies(store, now - 3_600.0)
        share *= 0.5
        if size_of(store) <= keep.most_bytes or share * keep.documents_s < _DAY_S:
            break
    return Removed(**found, size=before - size_of(store))


def _remove_progress(store: Store, before: float) -> int:
    old = sa.select(JOB.c.id).where(JOB.c.state.in_(_FINAL), JOB.c.finished < before)
    change = sa.delete(EVENT).where(EVENT.c.kind.in_(("progress", "blocks")), EVENT.c.job.in_(old))
    return store.database.write(lambda connection: connection.execute(change).rowcount)


def _remove_blocks(store: Store, before: float) -> int:
    needed = sa.select(NEED.c.job).where(NEED.c.work == WORK.c.digest).exists()
    old = sa.select(WORK.c.digest).where(WORK.c.created < before, ~needed)

    def run(connection: Connection) -> int:
        digests = connection.execute(old.with_for_update()).scalars().all()
        count = 0
        for digest in digests:
            need = sa.select(NEED.c.job).where(NEED.c.work == digest)
            if connection.execute(need).first() is not None:  # since the lock was waited for
                continue
            count += connection.execute(sa.delete(BLOCK).where(BLOCK.c.work == digest)).rowcount
            connection.execute(sa.delete(WORK).where(WORK.c.digest == digest))
        return count

    return store.database.write(run)


def _remove_answers(store: Store, before: float) -> int:
    old = sa.select(RESULT.c.key, RESULT.c.created).where(RESULT.c.created < before)

    def run(connection: Connection) -> int:
        needed = set(_named_by_unfinished(connection, "result:"))
        keys = [row.key for row in connection.execute(old) if row.key not in needed]
        for key in keys:
            connection.execute(sa.delete(ARTEFACT).where(ARTEFACT.c.key == key))
            connection.execute(sa.delete(RESULT).where(RESULT.c.key == key))
        return len(keys)

    return store.database.write(run)


def _remove_collections(store: Store, before: float) -> int:
    old = sa.select(COLLECTION.c.digest).where(COLLECTION.c.created < before).distinct()

    def run(connection: Connection) -> int:
        needed = set(_named_by_unfinished(connection, "sha256:"))
        count = 0
        for digest in connection.execute(old).scalars().all():
            if digest not in needed:
                mine = (COLLECTION.c.digest == digest, COLLECTION.c.created < before)
                count += connection.execute(sa.delete(COLLECTION).where(*mine)).rowcount
        return count

    return store.database.write(run)


def _named_by_unfinished(connection: Connection, sign: str) -> Iterator[str]:
    """Digests that questions name which are not at their end."""
    questions = sa.select(JOB.c.question).where(JOB.c.state.in_(_UNFINISHED))
    for text in connection.execute(questions).scalars():
        for part in text.split(sign)[1:]:
            yield part[:64]


def _remove_bodies(store: Store, before: float) -> int:
    """Remove bytes that nothing refers to and that did not come just now."""

    def run(connection: Connection) -> int:
        old: Any = sa.select(BLOB.c.digest).where(BLOB.c.created < before)
        digests = set(connection.execute(old).scalars())
        for _, used in _references(connection):
            digests -= used
        for digest in sorted(digests):
            mine = (BLOB.c.digest == digest, BLOB.c.created < before)
            connection.execute(sa.delete(BLOB).where(*mine))
        return len(digests)

    return store.database.write(run)
