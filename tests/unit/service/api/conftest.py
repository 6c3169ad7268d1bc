"""A service in this process: a store of its own, and a client that speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from starlette.testclient import TestClient

from darkstats.service.api import create_app
from darkstats.service.settings import Settings
from darkstats.service.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/service.db")
    yield store
    store.close()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def client(store: Store, settings: Settings) -> Iterator[TestClient]:
    app = create_app(store, settings)
    with TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        yield client
