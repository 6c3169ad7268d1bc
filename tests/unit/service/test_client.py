"""The client speaks to a service as the command line speaks to a workflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import httpx
from starlette.testclient import TestClient

import darkstats
from darkstats.errors import OptionError, RefusedError, ServiceError
from darkstats.service.api import create_app
from darkstats.service.client import Client
from darkstats.service.settings import Settings
from darkstats.service.store import Store
from darkstats.service.workers.worker import work_once


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/service.db")
    yield store
    store.close()


@pytest.fixture
def service(store: Store) -> Iterator[Client]:
    """A client whose network is the application itself."""
    inside = TestClient(create_app(store, Settings()), base_url="http://localhost:8000")
    with Client("http://localhost:8000", transport=inside._transport) as client:
        yield client


@pytest.fixture
def workspace(repository: Path) -> Path:
    return repository / "workspaces/examples/two_bins.json"


def test_it_is_a_public_name() -> None:
    assert darkstats.Client is Client


def test_a_folder_is_sent_as_a_whole(
    service: Client, store: Store, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = repository / "workspaces/examples/mass_scan"
    sent = service.upload(search)
    assert {"mass_scan", "mass_scan/patchset.json"} <= set(sent)
    monkeypatch.chdir(search)
    job = service.ask("scan", source=Path())
    while work_once(store):
        pass
    assert service.wait(job).record["summary"]["points"] == 6
    with pytest.raises(OptionError, match=r"nowhere: cannot be sent"):
        service.upload(search / "nowhere")


def test_a_path_is_sent_and_its_answer_read(service: Client, store: Store, workspace: Path) -> None:
    job = service.ask("digest", source=workspace)
    assert job.state == "queued"
    assert work_once(store)
    result = service.wait(job)
    assert result.exit_status == 0
    assert result.record["schema"] == "darkstats.digest/1"
    assert service.ask("digest", source=workspace).is_final
    assert [event.kind for event in service.events(job)][-1] == "state"
    assert service.jobs()[0].name == job.name
    assert ".table.txt" in service.files(result)
    assert b"sha256" in service.file(result, ".table.txt")


def test_a_refusal_is_an_answer_with_its_exit_status(service: Client, store: Store) -> None:
    question = {"source": {"channels": []}}
    job = service.ask("digest", **question)
    assert work_once(store)
    result = service.wait(job)
    assert result.exit_status == 2
    assert result.record["findings"]
    assert service.ask("digest", **question).name == job.name


def test_what_is_wrong_is_said_in_the_words_of_the_service(service: Client) -> None:
    with pytest.raises(RefusedError, match="upload") as refused:
        service.ask("limit", source="/etc/passwd")
    assert refused.value.problem["status"] == 422
    with pytest.raises(RefusedError, match="unknown job"):
        service.job("nobody")
    with pytest.raises(OptionError, match="cannot be sent"):
        service.ask("limit", source=Path("nowhere.json"))


def test_a_job_that_was_stopped_has_no_answer(service: Client, workspace: Path) -> None:
    job = service.ask("digest", source=workspace, priority=3)
    assert service.cancel(job).state == "cancelled"
    with pytest.raises(RefusedError, match="cancelled"):
        service.wait(job)
    assert [event.body["state"] for event in service.events(job)] == ["queued", "cancelled"]


def test_events_go_on_after_a_lost_connection(
    service: Client, store: Store, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks after each event; none comes twice, none is missing."""
    job = service.ask("digest", source=workspace)
    assert work_once(store)
    whole = service._stream

    def broken(path: str, after: int) -> Iterator[object]:
        yield next(whole(path, after))
        raise httpx.ReadError("gone")

    monkeypatch.setattr(service, "_stream", broken)
    monkeypatch.setattr("darkstats.service.client._PAUSE_S", 0.0)
    found = list(service.events(job))
    assert [event.body["state"] for event in found] == ["queued", "running", "done"]
    assert len({event.id for event in found}) == len(found)


def test_a_service_that_is_not_there_is_said_so() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    with (
        Client("http://localhost:1", transport=httpx.MockTransport(refuse)) as client,
        pytest.raises(ServiceError, match="darkstats serve"),
    ):
        client.jobs()
    with pytest.raises(OptionError, match="address"):
        Client("localhost:8000")


def test_a_token_goes_with_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"jobs": []})

    for token in ("a", None):
        monkeypatch.setenv("DARKSTATS_TOKEN", "of the environment")
        with Client("http://x", token=token, transport=httpx.MockTransport(note)) as client:
            client.jobs()
    assert seen == ["Bearer a", "Bearer of the environment"]
