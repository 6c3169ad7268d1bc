"""The verbs that run and keep a service."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from darkstats.errors import OptionError
from darkstats.service.commands import ServeRequest, TokenRequest, store_url
from darkstats.service.store import Store


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "service.db")


def test_tokens_are_made_listed_and_revoked(call: Any, place: str) -> None:
    made = call("serve", "token", "add", "anna", "--scope", "read", "--store", place)
    assert made.status == 0
    assert made.out.startswith("darkstats.anna.")
    listed = call("serve", "token", "list", "--store", place, "--json")
    assert json.loads(listed.out)["tokens"] == [
        {"name": "anna", "owner": "anna", "revoked": False, "scopes": ["read"]}
    ]
    assert made.out.split()[0].rpartition(".")[2] not in listed.out
    assert call("serve", "token", "add", "anna", "--store", place).status == 2
    assert call("serve", "token", "revoke", "anna", "--store", place).status == 0
    assert call("serve", "token", "revoke", "ben", "--store", place).status == 2


@pytest.mark.parametrize("words", [["add"], ["list", "x"], ["steal", "x"]])
def test_a_token_verb_that_makes_no_sense_is_refused(words: list[str]) -> None:
    action, name = (*words, None)[:2]
    with pytest.raises(OptionError, match="serve token"):
        TokenRequest(action=str(action), name=name)


def test_nobody_else_is_served_without_a_token(call: Any, place: str) -> None:
    for words in (["--host", "0.0.0.0"], ["--tokens"]):
        done = call("serve", *words, "--store", place)
        assert done.status == 2
        assert "serve token add" in done.err


def test_an_address_that_is_taken_is_said_so(call: Any, place: str) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = call("serve", "--port", str(taken.getsockname()[1]), "--store", place)
    assert done.status == 2
    assert "--port" in done.err


@pytest.mark.parametrize(
    "given", [{"storage_gib": 0.0}, {"time_s": -1.0}, {"memory_gib": float("nan")}, {"port": -1}]
)
def test_a_limit_that_allows_nothing_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        ServeRequest(**given)


def test_a_store_is_named_by_path_url_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DARKSTATS_STORE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert store_url(None) == f"sqlite:///{tmp_path}/darkstats/service.db"
    assert (tmp_path / "darkstats").stat().st_mode & 0o077 == 0
    assert store_url("postgresql+psycopg://a/b") == "postgresql+psycopg://a/b"
    monkeypatch.setenv("DARKSTATS_STORE", "/x/y.db")
    assert store_url(None) == "sqlite:////x/y.db"


def test_a_backup_is_restored_and_found_sound(call: Any, place: str, tmp_path: Path) -> None:
    store = Store(f"sqlite:///{place}")
    kept = store.documents.collect({"a.json": b"{}"}, owner="local", title="a")
    store.close()
    copy, back = str(tmp_path / "copy.db"), str(tmp_path / "back.db")
    assert call("serve", "backup", copy, "--store", place).status == 0
    assert call("serve", "backup", copy, "--store", place).status == 2
    assert call("serve", "restore", copy, "--store", back).status == 0
    done = call("serve", "upgrade", "--store", back)
    assert "all is well" in done.out
    store = Store(f"sqlite:///{back}")
    assert store.documents.collection(kept.digest) is not None
    store.close()


def test_no_cluster_is_refused_at_once(
    call: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call("serve", "--store", place, "--cluster", "slurm://head")
    assert done.status == 2
    assert "dask://HOST:PORT" in done.err
    lacks = {"distributed"}
    monkeypatch.setattr(
        "darkstats.service.commands.find_spec",
        lambda name: None if name in lacks else find_spec(name),
    )
    done = call("serve", "--store", place, "--cluster", "dask://head:1")
    assert done.status == 2
    assert "darkstats[cluster]" in done.err
