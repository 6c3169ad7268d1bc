"""Keys to a service: made once, shown once, kept as hashes, compared in constant time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from darkstats.errors import OptionError, UnknownNameError
from darkstats.service.store.schema import TOKEN

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from darkstats.service.store import Store

__all__ = ["SCOPES", "Holder", "Tokens"]

#: What a token may allow: see answers; upload, ask and cancel; see and cancel what others asked.
SCOPES = ("read", "submit", "admin")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PREFIX = "darkstats"
# 16 MiB and tens of milliseconds a try; a secret is 256 random bits, so no more is needed
_COST, _BLOCK, _LANES = 2**14, 8, 1
_REMEMBERED, _REMEMBERED_S = 1_000, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who a token was given to.

    Parameters
    ----------
    name
        Of the token.
    owner
        Whose jobs and documents it sees.
    scopes
        What it allows, of :data:`SCOPES`.
    created, revoked
        Seconds since 1970.
    """

    name: str
    owner: str
    scopes: tuple[str, ...]
    created: float
    revoked: float | None = None


class Tokens:
    """Tokens of one store.

    Parameters
    ----------
    store
        Where their hashes are kept.
    """

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._known: OrderedDict[bytes, tuple[float, Holder | None]] = OrderedDict()
        self._one_at_a_time = asyncio.Semaphore(2)  # a hash takes memory and time, on purpose

    def add(self, name: str, *, owner: str = "", scopes: Sequence[str] = ("read", "submit")) -> str:
        """Make a token and return its text, which is kept nowhere.

        Raises
        ------
        OptionError
            The name cannot be used, or is taken.
        UnknownNameError
            There is no such scope.
        """
        if not _NAME.fullmatch(name):
            raise OptionError(f"token {name[:80]!a}: let its name be letters, digits, - and _")
        for scope in scopes:
            if scope not in SCOPES:
                raise UnknownNameError("scope", scope, SCOPES)
        secret, salt = secrets.token_urlsafe(32), secrets.token_bytes(16)
        row = {
            "name": name, "owner": owner or name, "scopes": ",".join(scopes), "salt": salt.hex(),
            "hash": _hash(secret, salt).hex(), "created": time.time(), "revoked": None,
        }  # fmt: skip

        def run(connection: Connection) -> None:
            connection.execute(sa.delete(TOKEN).where(TOKEN.c.name == name, _is_revoked()))
            try:
                connection.execute(TOKEN.insert().values(**row))
            except IntegrityError:
                raise OptionError(
                    f"there is a token {name!r}; revoke it first, or choose another name"
                ) from None

        self._database.write(run)
        return f"{_PREFIX}.{name}.{secret}"

    def revoke(self, name: str) -> None:
        """Let a token open nothing any more; a running service knows within ten seconds.

        Raises
        ------
        UnknownNameError
            There is none of this name.
        """
        change = sa.update(TOKEN).where(TOKEN.c.name == name).values(revoked=time.time())
        if not self._database.write(lambda connection: connection.execute(change).rowcount):
            raise UnknownNameError("token", name, tuple(one.name for one in self.all()))

    def all(self) -> tuple[Holder, ...]:
        """All tokens, in the order of their names."""
        query = sa.select(TOKEN).order_by(TOKEN.c.name)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(_holder, rows))

    async def holder(self, token: str) -> Holder | None:
        """Who holds a token; ``None`` if nobody does.

        Raises
        ------
        ServiceError
            The store does not answer.
        """
        mark, now = hashlib.sha256(token.encode(errors="replace")).digest(), time.monotonic()
        known = self._known.get(mark)
        if known is not None and now - known[0] < _REMEMBERED_S:
            return known[1]
        if known is not None and known[1] is not None:  # was right before: is it still?
            found = await asyncio.to_thread(self._still, known[1])
        else:
            async with self._one_at_a_time:
                found = await asyncio.to_thread(self.find, token)
        self._known[mark] = (now, found)
        self._known.move_to_end(mark)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _still(self, holder: Holder) -> Holder | None:
        here = (TOKEN.c.name == holder.name, TOKEN.c.created == holder.created, ~_is_revoked())
        query = sa.select(TOKEN).where(*here)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _holder(row)

    def find(self, token: str) -> Holder | None:
        """Who holds a token, without what is remembered; ``None`` if nobody does."""
        prefix, _, rest = token.partition(".")
        name, _, secret = rest.partition(".")
        query = sa.select(TOKEN).where(TOKEN.c.name == name, ~_is_revoked())
        if prefix != _PREFIX or not _NAME.fullmatch(name):
            return None
        row = self._database.read(lambda connection: connection.execute(query).first())
        # a name that nobody has takes as long as one that somebody has
        salt = bytes.fromhex(row.salt) if row is not None else b"\0" * 16
        hashed = bytes.fromhex(row.hash) if row is not None else b"\0" * 32
        same = hmac.compare_digest(_hash(secret, salt), hashed)
        return _holder(row) if same and row is not None else None


def _is_revoked() -> sa.ColumnElement[bool]:
    return TOKEN.c.revoked.is_not(None)


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        secret.encode(errors="replace"), salt=salt, n=_COST, r=_BLOCK, p=_LANES, dklen=32
    )


def _holder(row: Row[Any]) -> Holder:
    return Holder(
        name=row.name,
        owner=row.owner,
        scopes=tuple(row.scopes.split(",")),
        created=row.created,
        revoked=row.revoked,
    )
