"""Back up, restore, upgrade, check, remove: what is needed stays."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa

from darkstats.errors import OptionError, ServiceError
from darkstats.execution.jobs import Job, inputs_bytes
from darkstats.service.store import Answer, BlockClaim, JobClaim, JobState, Lane, Store, database
from darkstats.service.store.maintenance import (
    Keep,
    backup,
    check,
    remove_old,
    restore,
    size_of,
    upgrade,
)
from darkstats.service.store.queue import Queue
from darkstats.service.store.schema import BLOB, OWNER

BOTH = (Lane.QUICK, Lane.LONG)
YEARS_S = 3e8


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url)
    yield made
    made.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/own.db")
    yield made
    made.close()


def work(n_blocks: int) -> Job:
    inputs, digest = inputs_bytes({"seed": 1})
    return Job(kind="limits", settings={}, n_blocks=n_blocks, inputs_digest=digest, inputs=inputs)


def ask(store: Store, key: str, question: str = "{}"):
    return store.queue.submit(
        owner="ana", key=key.ljust(64, "0"), verb="scan", question=question, title=key,
        lane=Lane.LONG,
    )  # fmt: skip


def answer(store: Store, key: str, body: bytes = b"<svg/>") -> None:
    """A scan of two blocks from its question to its answer."""
    ask(store, key)
    claim = store.queue.claim("w", lanes=BOTH, lease_s=60.0)
    assert isinstance(claim, JobClaim)
    store.queue.progress(claim, {"done": 1})
    store.queue.wait(claim, work(2))
    while isinstance(claim := store.queue.claim("w", lanes=BOTH, lease_s=60.0), BlockClaim):
        store.queue.finish_block(claim, "{}", seconds=0.1)
    store.queue.finish_job(claim, Answer(exit_status=0, record="{}", artefacts={"f.svg": body}))


def test_a_backup_is_a_store_with_all_that_was_committed(sqlite: Store, tmp_path: Path) -> None:
    answer(sqlite, "a")
    waiting = ask(sqlite, "b")
    assert backup(sqlite, tmp_path / "copy.db") > 0
    later = ask(sqlite, "c")
    url = f"sqlite:///{tmp_path}/again.db"
    restore(tmp_path / "copy.db", url)
    found = Store(url)
    assert found.results.artefact("a".ljust(64, "0"), "f.svg") == b"<svg/>"
    assert found.queue.job(waiting.name).state is JobState.QUEUED
    assert found.queue.job(later.name) is None
    assert check(found) == ()
    found.close()


def test_a_backup_is_whole_while_others_write(sqlite: Store, tmp_path: Path) -> None:
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            sqlite.documents.collect({"a": b"%d" % number}, owner="ana", title="t")
            ask(sqlite, f"{number:x}")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(5):
            backup(sqlite, tmp_path / f"{number}.db")
    finally:
        over.set()
        thread.join()
    for number in range(5):
        found = Store(f"sqlite:///{tmp_path}/{number}.db")
        assert check(found) == ()
        found.close()


def test_nothing_is_overwritten_and_nothing_else_restored(sqlite: Store, tmp_path: Path) -> None:
    backup(sqlite, tmp_path / "copy.db")
    with pytest.raises(OptionError, match="there already"):
        backup(sqlite, tmp_path / "copy.db")
    with pytest.raises(OptionError, match="there already"):
        restore(tmp_path / "copy.db", sqlite.database.url)
    new = f"sqlite:///{tmp_path}/new.db"
    (tmp_path / "text.db").write_text("no store", "utf-8")
    for name in ("text.db", "none.db"):
        with pytest.raises(OptionError, match=name):
            restore(tmp_path / name, new)
    sqlite3.connect(tmp_path / "other.db").execute("create table t (x)").connection.close()
    with pytest.raises(OptionError, match="no backup of a store"):
        restore(tmp_path / "other.db", new)
    assert not (tmp_path / "new.db").exists()


def test_a_damaged_backup_is_told(sqlite: Store, tmp_path: Path) -> None:
    answer(sqlite, "a", b"x" * 300_000)
    backup(sqlite, tmp_path / "copy.db")
    data = bytearray((tmp_path / "copy.db").read_bytes())
    data[len(data) // 4 : len(data) // 2] = b"\xff" * (len(data) // 2 - len(data) // 4)
    (tmp_path / "copy.db").write_bytes(data)
    with pytest.raises(OptionError, match=r"damaged|no backup"):
        restore(tmp_path / "copy.db", f"sqlite:///{tmp_path}/new.db")


def test_an_older_store_is_upgraded_only_when_told(
    sqlite: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, step = sqlite.database.url, "ALTER TABLE job ADD COLUMN note TEXT"
    monkeypatch.setattr(database, "VERSION", 2)
    steps = {2: lambda connection: connection.exec_driver_sql(step)}
    monkeypatch.setattr(database, "STEPS", MappingProxyType(steps))
    with pytest.raises(ServiceError, match="darkstats serve upgrade"):
        Store(url)
    upgrade(url)
    upgrade(url)
    found = Store(url)
    with found.database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT note FROM job")
    found.close()
    monkeypatch.setattr(database, "VERSION", 1)
    with pytest.raises(ServiceError, match="install a newer one"):
        Store(url)


def test_a_sound_store_has_no_findings(store: Store) -> None:
    answer(store, "a")
    ask(store, "b")
    store.documents.collect({"x": b"1"}, owner="ana", title="t")
    assert check(store) == ()


def test_what_is_wrong_is_told(store: Store) -> None:
    kept = store.documents.collect({"x": b"1", "y": b"2"}, owner="ana", title="t")
    ask(store, "b")
    with store.database.engine.begin() as connection:
        connection.execute(sa.update(OWNER).values(queued_long=5))
        connection.execute(sa.delete(BLOB).where(BLOB.c.digest == kept.manifest["x"]))
        connection.execute(
            sa.update(BLOB).where(BLOB.c.digest == kept.manifest["y"]).values(body=b"3")
        )
    found = "\n".join(check(store))
    assert "1 long jobs queued, and 5 are counted" in found
    assert f"{kept.manifest['x']} of documents are missing" in found
    assert f"{kept.manifest['y']} are not what was kept" in found


def test_progress_of_finished_jobs_goes_and_their_states_stay(store: Store) -> None:
    answer(store, "a")
    job = store.queue.jobs("ana")[0]
    before = [json.loads(e.body) for e in store.queue.events(job.id) if e.kind == "state"]
    now = job.finished
    assert remove_old(store, now=now + 60.0).events == 0
    assert remove_old(store, now=now + 7_200.0).events >= 2
    assert [json.loads(e.body) for e in store.queue.events(job.id)] == before


def test_what_is_old_goes_and_what_is_needed_stays(store: Store) -> None:
    answer(store, "a")
    old = store.documents.collect({"x": b"1"}, owner="ana", title="t")
    needed = store.documents.collect({"y": b"2"}, owner="ana", title="t")
    store.queue = Queue(store.database)
    job = ask(store, "b", question=f'{{"source": "sha256:{needed.digest}/y"}}')
    claim = store.queue.claim("w", lanes=BOTH, lease_s=60.0)
    store.queue.wait(claim, work(3))  # its first two blocks are those of the finished job
    removed = remove_old(store, now=job.created + YEARS_S)
    assert (removed.answers, removed.blocks, removed.collections) == (1, 0, 1)
    assert store.documents.collection(old.digest) is None
    assert store.documents.body(old.manifest["x"]) is None
    assert store.documents.body(needed.manifest["y"]) == b"2"
    assert len(store.queue.blocks(work(3)).done) == 2
    assert [found for found in check(store) if "answers were removed" not in found] == []
    store.queue.cancel(job.name)
    assert remove_old(store, now=job.created + YEARS_S).blocks == 3
    assert size_of(store) == 0


def test_too_much_goes_though_it_is_not_old(store: Store) -> None:
    answer(store, "a", b"x" * 100_000)
    now = store.queue.jobs("ana")[0].finished + 10 * 86_400.0
    assert remove_old(store, now=now).answers == 0
    assert remove_old(store, Keep(most_bytes=50_000), now=now).answers == 1
    assert size_of(store) < 50_000
    assert ask(store, "a").state is JobState.QUEUED  # it is computed again


def test_documents_that_are_brought_again_are_young_again(store: Store) -> None:
    kept = store.documents.collect({"x": b"1"}, owner="ana", title="t")
    with store.database.engine.begin() as connection:
        for table in ("collection", "blob"):
            connection.exec_driver_sql(f"UPDATE {table} SET created = 5.0")
    store.documents.collect({"x": b"1"}, owner="ana", title="t")
    assert remove_old(store).collections == 0
    assert store.documents.body(kept.manifest["x"]) == b"1"


def test_only_its_user_reads_a_store(sqlite: Store, tmp_path: Path) -> None:
    """Whatever the system usually gives to others; copies of it, too."""
    ask(sqlite, "a")
    backup(sqlite, tmp_path / "kept.db")
    restore(tmp_path / "kept.db", f"sqlite:///{tmp_path}/restored.db")
    found = sorted(tmp_path.glob("*.db*"))
    assert {path.name for path in found} >= {"own.db", "own.db-wal", "kept.db", "restored.db"}
    assert [path.name for path in found if path.stat().st_mode & 0o077] == []
