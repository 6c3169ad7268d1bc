"""Answers, found by what they depend on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from darkstats.service.store.documents import keep_blob
from darkstats.service.store.inserting import insert_once
from darkstats.service.store.rows import Answer, StoredResult
from darkstats.service.store.schema import ARTEFACT, BLOB, RESULT

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from darkstats.service.store.database import Database

__all__ = ["Results", "has_result", "keep_answer"]


def has_result(connection: Connection, key: str) -> bool:
    """Whether an answer is there, in a transaction that goes on."""
    row = connection.execute(sa.select(RESULT.c.key).where(RESULT.c.key == key)).first()
    return row is not None


def keep_answer(
    connection: Connection, *, key: str, verb: str, question: str, answer: Answer
) -> None:
    """Keep an answer, once, in a transaction that goes on."""
    record = answer.record.encode()
    row = {
        "key": key, "verb": verb, "question": question, "exit_status": answer.exit_status,
        "record": record, "digest": hashlib.sha256(record).hexdigest(), "seconds": answer.seconds,
        "created": time.time(),
    }  # fmt: skip
    if not insert_once(connection, RESULT, row):
        return
    for name, body in answer.artefacts.items():
        digest = keep_blob(connection, body)
        connection.execute(
            ARTEFACT.insert().values(key=key, name=name, blob=digest, size=len(body))
        )


class Results:
    """Answers of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> StoredResult | None:
        """The answer with this key; ``None`` if there is none."""

        def run(connection: Connection) -> StoredResult | None:
            found = connection.execute(sa.select(RESULT).where(RESULT.c.key == key)).first()
            if found is None:
                return None
            files = connection.execute(
                sa.select(ARTEFACT.c.name, ARTEFACT.c.size)
                .where(ARTEFACT.c.key == key)
                .order_by(ARTEFACT.c.name)
            )
            return StoredResult(
                key=found.key,
                verb=found.verb,
                question=found.question,
                exit_status=found.exit_status,
                record=bytes(found.record),
                digest=found.digest,
                artefacts={row.name: row.size for row in files},
                seconds=found.seconds,
                created=found.created,
            )

        return self._database.read(run)

    def exit_statuses(self, keys: Iterable[str]) -> Mapping[str, int]:
        """How answers ended, by their keys, without reading them; those that are there."""
        wanted = sorted(set(keys))
        query = sa.select(RESULT.c.key, RESULT.c.exit_status).where(RESULT.c.key.in_(wanted))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {row.key: row.exit_status for row in rows}

    def artefact(self, key: str, name: str) -> bytes | None:
        """A figure or another file of an answer; ``None`` if there is none of this name."""
        query = (
            sa.select(BLOB.c.body)
            .join(ARTEFACT, ARTEFACT.c.blob == BLOB.c.digest)
            .where(ARTEFACT.c.key == key, ARTEFACT.c.name == name)
        )
        found = self._database.read(lambda connection: connection.execute(query).scalar())
        return None if found is None else bytes(found)
