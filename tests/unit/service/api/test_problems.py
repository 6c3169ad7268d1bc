"""What a client is told when something is wrong: a problem document, never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("fastapi")

from darkstats.errors import ServiceError
from darkstats.service.api.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from darkstats.service.store import Store


def checked(told: Any, status: int) -> dict[str, Any]:
    assert told.status_code == status, told.text
    assert told.headers["content-type"] == MEDIA_TYPE
    problem = told.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:darkstats:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in told.text
    return problem


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404), ("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/jobs", 405),
        ("GET", "/api/v1/limit", 405), ("GET", "/api/v1/jobs/nobody", 404),
        ("DELETE", "/api/v1/jobs/nobody", 404), ("GET", "/api/v1/jobs/nobody/events", 404),
        ("GET", f"/api/v1/results/{'0' * 64}", 404), ("GET", "/api/v1/results/x", 422),
        ("GET", f"/api/v1/documents/{'0' * 64}", 404), ("GET", "/api/v1/documents/x", 404),
        ("GET", "/api/v1/jobs?limit=0", 422), ("GET", "/api/v1/jobs?limit=x", 422),
        ("POST", "/api/v1/limit?wait=31", 422), ("GET", "/api/v1/jobs?before=1e3", 422),
        ("GET", f"/api/v1/results/{'0' * 64}/figures/x.exe", 422),
        ("GET", f"/api/v1/results/{'0' * 64}/table.csv", 404),
    ],
)  # fmt: skip
def test_every_fault_is_a_problem_document(
    client: TestClient, method: str, path: str, status: int
) -> None:
    told = client.request(method, path)
    checked(told, status)
    if status == 405:
        assert told.headers["allow"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON"), (b"[]", "object"), (b"{", "JSON"), (b'{"source": NaN}', "NaN"),
        (b'{"source": 1, "source": 2}', "source"), (b"\xff", "UTF-8"),
        (b"[" * 100_000, "deep"), (b'{"cl": 1e999}', "cl"), (b'{"cl": ' + b"9" * 5000 + b"}", ""),
        (b"{}", "source: is required"), (b'{"source": null}', "source: is required"),
        (b'{"source": 3}', "source"), (b'{"source": "/etc/passwd"}', "upload"),
        (b'{"source": "-"}', "upload"), (b'{"output": "x"}', "output"),
        (b'{"source": "sha256:0/x"}', "upload"), (b'{"nonsense": 1}', "nonsense"),
        (b'{"source": "\\ud800"}', ""), (b'{"priority": true}', "priority"),
        (b'{"priority": 101}', "priority"), (b'{"figures": "svg"}', "figures"),
        (b'{"figures": [1]}', "figures"), (b'{"figures": ["../x.svg"]}', "figure"),
        (b'{"figures": [' + b'"svg", ' * 20 + b'"svg"]}', "at most 20"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_a_question_is_refused_with_the_place(
    client: TestClient, body: bytes, words: str
) -> None:
    problem = checked(client.post("/api/v1/limit", content=body), 422)
    assert words in problem["detail"]


def test_values_are_checked_before_they_are_queued(client: TestClient, store: Store) -> None:
    """Types, words, ranges, and options that contradict each other: as on the command line."""
    source = client.post("/api/v1/documents", content=b"{}").json()["references"]["document.json"]
    for more, words in (
        ({"cl": "0.9"}, "cl"), ({"cl": 95}, "--cl"), ({"calculator": "dice"}, "toys"),
        ({"n_toys": -1}, "toys"), ({"seed": 1.5}, "seed"), ({"patches": "x"}, "upload"),
        ({"point": ["a"]}, "point"),
    ):  # fmt: skip
        told = client.post("/api/v1/limit", json={"source": source, **more})
        assert words in checked(told, 422)["detail"], more
    assert store.queue.unfinished() == 0


@pytest.mark.parametrize(
    "name",
    [
        "a\x00b.csv",
        "a\nb.csv",
        "a\x1b[2Jb.csv",
        127 * "é" + ".csv",
        "../a.csv",
        ".a.csv",
        99 * "\U0001d49c",
    ],
)
def test_a_file_to_write_has_a_name_that_can_be_written(client: TestClient, name: str) -> None:
    """Or a worker would find out, and blame the disk of the service."""
    source = f"sha256:{'0' * 64}/a.json"
    told = client.post("/api/v1/inspect", json={"source": source, "yields": name})
    assert told.status_code == 422
    assert told.json()["detail"].startswith("yields")


def test_a_document_that_is_not_here_is_said_so(client: TestClient, store: Store) -> None:
    for reference in (f"sha256:{'0' * 64}/x.json", f"result:{'0' * 64}"):
        told = client.post("/api/v1/inspect", json={"source": reference})
        assert "there is no such" in checked(told, 422)["detail"]
    assert store.queue.unfinished() == 0


def test_a_store_that_does_not_answer_is_the_services_fault(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ServiceError("the disk is at /secret/place")

    monkeypatch.setattr(store.database, "read", fails)
    monkeypatch.setattr(store.database, "write", fails)
    for path in ("/readyz", "/api/v1/jobs", "/metrics"):
        told = client.get(path)
        assert "secret" not in checked(told, 503)["detail"]
        assert told.headers["retry-after"]
    assert client.get("/healthz").status_code == 200


def test_what_nobody_expected_tells_no_traceback(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(store.queue, "jobs", fails)
    problem = checked(client.get("/api/v1/jobs"), 500)
    assert "secret" not in str(problem)
