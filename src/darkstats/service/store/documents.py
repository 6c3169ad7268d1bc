"""Files that users brought: bytes by digest, and collections of named files."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from darkstats.errors import OptionError
from darkstats.provenance import digest_of
from darkstats.service.store.inserting import insert_once
from darkstats.service.store.rows import Collection
from darkstats.service.store.schema import BLOB, COLLECTION

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from darkstats.service.store.database import Database

__all__ = ["Documents", "keep_blob"]

_FRESH_S = 600.0


def keep_blob(connection: Connection, body: bytes) -> str:
    """Keep bytes, once, in a transaction that goes on; return their SHA-256."""
    digest, now = hashlib.sha256(body).hexdigest(), time.time()
    known = sa.select(BLOB.c.created).where(BLOB.c.digest == digest)
    created = connection.execute(known).scalar()
    if created is None:
        insert_once(
            connection, BLOB, {"digest": digest, "size": len(body), "body": body, "created": now}
        )
    elif not 0.0 <= now - created < _FRESH_S:  # or it might be removed as old at this moment
        connection.execute(sa.update(BLOB).where(BLOB.c.digest == digest).values(created=now))
    return digest


class Documents:
    """Files of all users in one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, body: bytes) -> str:
        """Keep bytes and return their SHA-256; the same bytes are kept once."""
        return self._database.write(lambda connection: keep_blob(connection, body))

    def body(self, digest: str) -> bytes | None:
        """Bytes by their SHA-256; ``None`` if they are not here."""
        query = sa.select(BLOB.c.body).where(BLOB.c.digest == digest)
        found = self._database.read(lambda connection: connection.execute(query).scalar())
        return None if found is None else bytes(found)

    def collect(self, files: Mapping[str, bytes], *, owner: str, title: str) -> Collection:
        """Keep files that belong together; again and again the same collection.

        Parameters
        ----------
        files
            Bytes by relative name.
        owner, title
            Whose they are, and what to call them.

        Raises
        ------
        OptionError
            There is no file.
        """
        if not files:
            raise OptionError("a collection without a file: send at least one")

        def run(connection: Connection) -> Collection:
            manifest = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
            bodies = {digest: files[name] for name, digest in manifest.items()}
            for one in sorted(bodies):  # in one order, or two that bring the same would deadlock
                keep_blob(connection, bodies[one])
            digest, created = digest_of(manifest), time.time()
            size = sum(map(len, files.values()))
            row = {
                "digest": digest, "owner": owner, "title": title, "size": size,
                "manifest": json.dumps(manifest), "created": created,
            }  # fmt: skip
            if not insert_once(connection, COLLECTION, row):
                mine = (COLLECTION.c.digest == digest, COLLECTION.c.owner == owner)
                connection.execute(sa.update(COLLECTION).where(*mine).values(created=created))
            return Collection(
                digest=digest, title=title, manifest=manifest, size=size, created=created
            )

        return self._database.write(run)

    def collection(self, digest: str) -> Collection | None:
        """The collection with this digest, whoever brought it; ``None`` if nobody did."""
        query = sa.select(COLLECTION).where(COLLECTION.c.digest == digest).limit(1)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _collection(row)

    def collections(self, owner: str, *, limit: int = 100) -> Sequence[Collection]:
        """Collections of a user, the newest first."""
        query = (
            sa.select(COLLECTION)
            .where(COLLECTION.c.owner == owner)
            .order_by(COLLECTION.c.created.desc())
            .limit(limit)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(_collection, rows))

    def stored(self, owner: str) -> int:
        """Bytes of all collections of a user."""
        query = sa.select(sa.func.coalesce(sa.func.sum(COLLECTION.c.size), 0)).where(
            COLLECTION.c.owner == owner
        )
        return int(self._database.read(lambda connection: connection.execute(query).scalar()) or 0)


def _collection(row: Row[Any]) -> Collection:
    return Collection(
        digest=row.digest,
        title=row.title,
        manifest=json.loads(row.manifest),
        size=row.size,
        created=row.created,
    )
