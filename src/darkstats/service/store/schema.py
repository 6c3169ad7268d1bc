"""Tables of the store, for SQLite and PostgreSQL alike."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = [
    "ARTEFACT",
    "BLOB",
    "BLOCK",
    "COLLECTION",
    "EVENT",
    "JOB",
    "METADATA",
    "NEED",
    "OWNER",
    "REQUEST",
    "RESULT",
    "SCHEMA",
    "TOKEN",
    "WORK",
]

METADATA = sa.MetaData()
_DIGEST = sa.String(64)
_TIME = sa.Double  # seconds since 1970

#: One row: the number of the last migration.
SCHEMA = sa.Table(
    "schema_version", METADATA, sa.Column("version", sa.Integer, primary_key=True)
)  # fmt: skip

#: Bytes by their SHA-256.
BLOB = sa.Table(
    "blob", METADATA,
    sa.Column("digest", _DIGEST, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created", _TIME, nullable=False),
)  # fmt: skip

#: Files that belong together: a manifest of names and digests, by its own digest; who has it.
COLLECTION = sa.Table(
    "collection", METADATA,
    sa.Column("digest", _DIGEST, primary_key=True),
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", _TIME, nullable=False),
)  # fmt: skip

#: Questions that somebody asked.
JOB = sa.Table(
    "job", METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True,
              autoincrement=True),
    sa.Column("name", sa.String(32), nullable=False, unique=True),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("key", _DIGEST, nullable=False),
    sa.Column("verb", sa.String(64), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("lane", sa.String(16), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("worker", sa.String(128), nullable=False),
    sa.Column("lease_until", _TIME, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("started", _TIME, nullable=True),
    sa.Column("finished", _TIME, nullable=True),
    sa.Index("job_queue", "state", "owner", "lane", sa.desc("priority"), "id"),
    sa.Index("job_lease", "state", "lease_until"),
    sa.Index("job_owner", "owner", "id"),
    sa.Index("job_key", "key", "owner", "state"),
)  # fmt: skip

#: Jobs of :mod:`darkstats.execution`, by their digest; blocks of them are computed once for all.
WORK = sa.Table(
    "work", METADATA,
    sa.Column("digest", _DIGEST, primary_key=True),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("inputs", _DIGEST, nullable=False),
    sa.Column("inputs_digest", _DIGEST, nullable=False),
    sa.Column("queued", sa.Integer, nullable=False),
    sa.Column("served", sa.Double, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Index("work_queued", "queued"),
)  # fmt: skip

BLOCK = sa.Table(
    "block", METADATA,
    sa.Column("work", _DIGEST, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("worker", sa.String(128), nullable=False),
    sa.Column("lease_until", _TIME, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("block_queue", "work", "state", "number"),
    sa.Index("block_lease", "state", "lease_until"),
)  # fmt: skip

#: Which jobs wait, or have waited, for which work, and for how many of its blocks.
NEED = sa.Table(
    "need", METADATA,
    sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("work", _DIGEST, primary_key=True),
    sa.Column("n_blocks", sa.Integer, nullable=False),
    sa.Column("is_met", sa.Boolean, nullable=False),
    sa.Index("need_work", "work", "is_met"),
)  # fmt: skip

#: What happened to a job, in order; the id is what a stream of events resumes from.
EVENT = sa.Table(
    "event", METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True,
              autoincrement=True),
    sa.Column("job", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Index("event_job", "job", "id"),
)  # fmt: skip

#: Answers, by what they depend on and nothing else.
RESULT = sa.Table(
    "result", METADATA,
    sa.Column("key", _DIGEST, primary_key=True),
    sa.Column("verb", sa.String(64), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("exit_status", sa.Integer, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("digest", _DIGEST, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("created", _TIME, nullable=False),
)  # fmt: skip

#: Figures and other files of an answer.
ARTEFACT = sa.Table(
    "artefact", METADATA,
    sa.Column("key", _DIGEST, primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("blob", _DIGEST, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)  # fmt: skip

#: Who asks: how much is queued, how much of the machine they had, and what they may have.
OWNER = sa.Table(
    "owner", METADATA,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("queued_quick", sa.Integer, nullable=False),
    sa.Column("queued_long", sa.Integer, nullable=False),
    sa.Column("served", sa.Double, nullable=False),
    sa.Column("stored", sa.BigInteger, nullable=False),
)  # fmt: skip

#: Keys to the service, hashed.
TOKEN = sa.Table(
    "token", METADATA,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("scopes", sa.String(128), nullable=False),
    sa.Column("salt", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(128), nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("revoked", _TIME, nullable=True),
)  # fmt: skip

#: Keys of requests that must not be done twice, and the jobs that they named.
REQUEST = sa.Table(
    "request", METADATA,
    sa.Column("owner", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("key", _DIGEST, nullable=False),
    sa.Column("job", sa.String(32), nullable=False),
    sa.Column("created", _TIME, nullable=False),
)  # fmt: skip
