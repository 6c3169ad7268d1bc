"""Rows that may be there already, on either database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import Connection

__all__ = ["insert_once"]


def insert_once(connection: Connection, table: sa.Table, values: dict[str, Any]) -> bool:
    """Insert a row unless one with its key is there; whether it was inserted.

    Where another transaction is inserting the same, it waits for the end of that.
    """
    from sqlalchemy.dialects import postgresql, sqlite

    kind: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = kind.insert(table).values(values).on_conflict_do_nothing()
    done = connection.execute(insert.returning(*table.primary_key.columns))
    return done.first() is not None  # not every driver counts the rows of an insertion
