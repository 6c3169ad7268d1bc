"""A service with its pages in this process, and a browser that reads HTML and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")
pytest.importorskip("jinja2")

from starlette.testclient import TestClient

from darkstats.service.api import create_app
from darkstats.service.pages import likelihoods, loaded_parts, results
from darkstats.service.settings import Settings
from darkstats.service.store import Store
from darkstats.service.workers.worker import work_once


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path}/service.db")
    yield made
    made.close()


@pytest.fixture
def client(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(likelihoods, "_WAIT_S", 0.0)  # nobody works while a page waits
    monkeypatch.setattr(loaded_parts, "_WAIT_S", 0.0)
    monkeypatch.setattr(results, "_WAIT_S", 0.0)
    app = create_app(store, Settings())
    with TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def work(store: Store) -> Callable[[], None]:
    """Work on all that was asked."""

    def run() -> None:
        while work_once(store):
            pass

    return run


@pytest.fixture
def examples(repository: Path) -> Path:
    return repository / "workspaces/examples"


@pytest.fixture
def two_bins(store: Store, examples: Path) -> str:
    """Reference of a small workspace, with its sidecar."""
    names = ("two_bins.json", "two_bins.meta.json")
    kept = store.documents.collect(
        {name: (examples / name).read_bytes() for name in names}, owner="local", title="two_bins"
    )
    return f"sha256:{kept.digest}/two_bins.json"


@pytest.fixture
def mass_scan(store: Store, examples: Path) -> str:
    """Reference of the folder of a small search."""
    files = {one.name: one.read_bytes() for one in sorted((examples / "mass_scan").iterdir())}
    kept = store.documents.collect(files, owner="local", title="mass_scan")
    return f"sha256:{kept.digest}"
