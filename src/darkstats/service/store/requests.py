"""Requests that must not be done twice: which job the first one of a key named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from darkstats.errors import OptionError
from darkstats.service.store.schema import REQUEST

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from darkstats.service.store.database import Database

__all__ = ["Requests"]


class Requests:
    """Keys of requests in one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def job(self, owner: str, name: str, *, key: str) -> str | None:
        """Name of the job that the first request with this name was told; ``None`` for a new one.

        Parameters
        ----------
        owner, name
            Who asks, and how they call their request.
        key
            Digest of what they ask.

        Raises
        ------
        OptionError
            They asked something else by this name.
        """
        query = sa.select(REQUEST).where(REQUEST.c.owner == owner, REQUEST.c.name == name)
        found = self._database.read(lambda connection: connection.execute(query).first())
        if found is None:
            return None
        if found.key != key:
            raise OptionError(f"Idempotency-Key {name!r}: stands for another question; take a new")
        return str(found.job)

    def keep(self, owner: str, name: str, *, key: str, job: str) -> None:
        """Keep which job a request named; a request that is known stays as it is."""
        values = {"owner": owner, "name": name, "key": key, "job": job, "created": time.time()}
        known = sa.select(REQUEST.c.job).where(REQUEST.c.owner == owner, REQUEST.c.name == name)

        def run(connection: Connection) -> None:
            if connection.execute(known).first() is None:
                connection.execute(REQUEST.insert().values(**values))

        self._database.write(run)
