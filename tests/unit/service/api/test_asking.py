"""Upload, ask, watch, read: over HTTP, with the store of the service behind it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")

from darkstats.service.store import Store
from darkstats.service.workers.worker import work_once

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def work(store: Store) -> None:
    """Answer one question that waits."""
    assert work_once(store)


@pytest.fixture
def reference(client: TestClient, repository: Path) -> str:
    body = (repository / "workspaces/examples/two_bins.json").read_bytes()
    sent = client.post("/api/v1/documents", params={"name": "two_bins.json"}, content=body)
    assert sent.status_code == 201, sent.text
    return sent.json()["references"]["two_bins.json"]


def test_the_same_files_are_the_same_collection(client: TestClient) -> None:
    """A form of several files, sent twice."""
    form = [("files", ("a/x.json", b"{}")), ("files", ("a/y.json", b"[]"))]
    first, again = (client.post("/api/v1/documents", files=form).json() for _ in range(2))
    assert first["digest"] == again["digest"]
    assert sorted(first["files"]) == ["a/x.json", "a/y.json"]
    shown = client.get(f"/api/v1/documents/{first['digest']}").json()
    assert shown["references"]["a/x.json"] == f"sha256:{first['digest']}/a/x.json"
    body = client.get(f"/api/v1/documents/{first['digest']}/files/a/y.json")
    assert body.content == b"[]"
    assert len(client.get("/api/v1/documents").json()["documents"]) == 1


def test_a_question_becomes_a_job_and_then_its_record(
    client: TestClient, store: Store, reference: str
) -> None:
    asked = client.post("/api/v1/digest", json={"source": reference})
    assert asked.status_code == 202
    job = asked.json()
    assert asked.headers["location"] == job["job"]
    assert client.get(job["job"]).json()["state"] == "queued"
    work(store)
    told = client.get(job["job"]).json()
    assert told["state"] == "done"
    record = client.get(told["result"])
    assert record.headers["content-type"] == "application/json"
    assert record.json()["schema"] == "darkstats.digest/1"
    known = client.post("/api/v1/digest", json={"source": reference})
    assert known.status_code == 200
    assert known.content == record.content
    etag = record.headers["etag"]
    assert client.get(told["result"], headers={"If-None-Match": etag}).status_code == 304
    assert "attachment" in client.get(f"{told['result']}?download=true").headers[
        "content-disposition"
    ]  # fmt: skip
    assert [one["name"] for one in client.get("/api/v1/jobs").json()["jobs"]] == [job["name"]]


def test_a_document_may_stand_in_the_question(client: TestClient, store: Store) -> None:
    """A workspace as an object, and a patch as its list of operations."""
    workspace = {"channels": [], "measurements": [], "observations": [], "version": "1.0.0"}
    patch = [{"op": "add", "path": "/channels/-", "value": {}}]
    asked = client.post("/api/v1/digest", json={"source": workspace, "patches": patch}).json()
    source, patches = asked["options"]["source"], asked["options"]["patches"]
    assert source.startswith("sha256:")
    assert re.search(r"/workspace-[0-9a-f]{8}\.json$", source)  # another one has another name
    assert len(patches) == 1
    assert re.search(r"/patch-[0-9a-f]{8}\.json$", patches[0])
    other = client.post("/api/v1/digest", json={"source": {**workspace, "version": "2"}}).json()
    assert other["options"]["source"].rpartition("/")[2] != source.rpartition("/")[2]
    work(store)
    refused = client.post("/api/v1/digest", json={"source": workspace, "patches": patch})
    assert refused.status_code == 422
    told = refused.json()
    assert told["type"] == "urn:darkstats:problem:WorkspaceError"
    assert told["findings"][0]["pointer"].startswith("/")
    assert json.loads(client.get(told["result"]).content)["exit_status"] == 2


def test_events_are_told_in_order_and_go_on_where_a_client_stopped(
    client: TestClient, store: Store, reference: str
) -> None:
    job = client.post("/api/v1/digest", json={"source": reference}).json()
    work(store)
    told = client.get(job["events"])
    assert told.headers["content-type"].startswith("text/event-stream")
    ids = [line[4:] for line in told.text.splitlines() if line.startswith("id: ")]
    states = [json.loads(line[6:]) for line in told.text.splitlines() if line.startswith("data: ")]
    assert states == [{"state": "queued"}, {"state": "running"}, {"state": "done"}]
    rest = client.get(job["events"], headers={"Last-Event-ID": ids[1]})
    assert rest.text.count("id: ") == 1
    assert client.get(job["events"], headers={"Last-Event-ID": ids[2]}).status_code == 204


def test_a_job_can_be_stopped(client: TestClient, reference: str) -> None:
    job = client.post("/api/v1/digest", json={"source": reference}).json()
    assert client.delete(job["job"]).json()["state"] == "cancelled"
    assert client.delete(job["job"]).json()["state"] == "cancelled"


def test_a_request_with_a_key_is_done_once(client: TestClient, reference: str) -> None:
    """Whatever became of the job: a client that repeats itself is told of the same one."""
    named = {"Idempotency-Key": "mine"}
    body = {"source": reference}
    job = client.post("/api/v1/digest", json=body, headers=named).json()
    client.delete(job["job"])
    again = client.post("/api/v1/digest", json=body, headers=named).json()
    assert again["name"] == job["name"]
    assert client.post("/api/v1/digest", json=body).json()["name"] != job["name"]
    other = client.post("/api/v1/inspect", json=body, headers=named)
    assert other.status_code == 422
    assert "another question" in other.json()["detail"]


@pytest.mark.parametrize("name", ["a\x1fb", "a\nb", ".a", "a/b", "x" * 101, "\x7f", ".."])
def test_names_of_written_files_are_as_the_description_says(
    client: TestClient, reference: str, name: str
) -> None:
    refused = client.post("/api/v1/export", json={"result": reference, "hepdata": name})
    assert refused.status_code == 422, refused.text
    assert "give the name of a file" in refused.text
    taken = client.post("/api/v1/export", json={"result": reference, "hepdata": "x" * 100})
    assert taken.status_code == 202, taken.text
