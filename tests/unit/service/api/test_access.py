"""Who may ask what: names, origins, tokens, scopes, quotas, and headers for browsers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")

from starlette.testclient import TestClient

from darkstats.errors import OptionError, UnknownNameError
from darkstats.service.api import create_app
from darkstats.service.settings import Quotas, Settings
from darkstats.service.tokens import Tokens

if TYPE_CHECKING:
    from darkstats.service.store import Store

Serve = Callable[[Settings], TestClient]
OPEN = Settings(host="0.0.0.0", needs_tokens=True, names=("stats.example.org",))


@pytest.fixture
def serve(store: Store) -> Serve:
    def made(settings: Settings) -> TestClient:
        return TestClient(
            create_app(store, settings), base_url="http://localhost:8000",
            raise_server_exceptions=False,
        )  # fmt: skip

    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_who_others_can_reach_needs_tokens() -> None:
    with pytest.raises(OptionError, match="serve token add"):
        Settings(host="0.0.0.0")
    assert Settings(host="::1").is_local


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil", "[::2]", "10.0.0.1"]
)
def test_a_name_that_is_not_ours_is_refused(client: TestClient, host: str) -> None:
    """Somebody's name server may lead a browser here under a name of its own."""
    told = client.get("/api/v1/jobs", headers={"Host": host})
    assert told.status_code == 421
    assert told.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:9", "LOCALHOST", "[::1]:8000"])
def test_our_names_are_heard(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://["},
    ],
)  # fmt: skip
def test_a_page_of_another_site_changes_nothing(
    client: TestClient, headers: dict[str, str]
) -> None:
    told = client.post("/api/v1/documents", content=b"{}", headers=headers)
    assert told.status_code == 403
    assert client.get("/api/v1/documents").json() == {"documents": []}


def test_our_own_pages_may_ask(client: TestClient) -> None:
    headers = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/v1/documents", content=b"{}", headers=headers).status_code == 201


def test_every_answer_has_headers_for_browsers(client: TestClient) -> None:
    for path in ("/healthz", "/nothing", "/api/v1/jobs"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    told = client.get("/api/v1/jobs", headers={"Host": "evil"})
    assert told.headers["x-frame-options"] == "DENY"


def test_without_a_token_nothing_is_told(serve: Serve, store: Store) -> None:
    """Each route but those for monitors, whatever stands in the header."""
    client = serve(OPEN)
    token = Tokens(store).add("anna")
    for headers in ({}, bearer(""), bearer("x"), bearer(token[:-1]), bearer(token + "x"),
                    {"Authorization": f"Basic {token}"}, bearer("darkstats.nobody.x")):  # fmt: skip
        told = client.get("/api/v1/jobs", headers=headers)
        assert told.status_code == 401, headers
        assert told.headers["www-authenticate"].startswith("Bearer")
    for path in ("/openapi.json", "/metrics", "/api/v1/workspaces", "/nothing"):
        assert client.get(path).status_code == 401, path
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/api/v1/jobs", headers=bearer(token)).status_code == 200


def test_tokens_allow_what_their_scopes_say(serve: Serve, store: Store) -> None:
    client, tokens = serve(OPEN), Tokens(store)
    reader = bearer(tokens.add("reader", owner="anna", scopes=["read"]))
    anna = bearer(tokens.add("anna", scopes=["read", "submit"]))
    ben = bearer(tokens.add("ben", scopes=["read", "submit"]))
    admin = bearer(tokens.add("boss", scopes=["read", "submit", "admin"]))
    body = {"source": {"version": "1.0.0"}}
    assert client.post("/api/v1/digest", json=body, headers=reader).status_code == 403
    job = client.post("/api/v1/digest", json=body, headers=anna).json()["job"]
    assert client.get(job, headers=reader).status_code == 200  # of the same owner
    assert client.delete(job, headers=reader).status_code == 403
    assert client.get(job, headers=ben).status_code == 404
    assert client.get(f"{job}/events", headers=ben).status_code == 404
    assert client.delete(job, headers=ben).status_code == 404
    assert client.get("/api/v1/jobs", headers=ben).json()["jobs"] == []
    assert client.delete(job, headers=admin).json()["state"] == "cancelled"


def test_a_revoked_token_opens_nothing(
    serve: Serve, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkstats.service.tokens._REMEMBERED_S", 0.0)
    client, tokens = serve(OPEN), Tokens(store)
    key = bearer(tokens.add("anna"))
    assert client.get("/api/v1/jobs", headers=key).status_code == 200
    tokens.revoke("anna")
    assert client.get("/api/v1/jobs", headers=key).status_code == 401
    fresh = bearer(tokens.add("anna"))
    assert client.get("/api/v1/jobs", headers=key).status_code == 401
    assert client.get("/api/v1/jobs", headers=fresh).status_code == 200


def test_a_token_is_kept_as_a_hash(store: Store) -> None:
    from darkstats.service.store.schema import TOKEN

    tokens = Tokens(store)
    secret = tokens.add("anna").rpartition(".")[2]
    rows = store.database.read(lambda connection: connection.execute(TOKEN.select()).all())
    assert len(rows) == 1
    assert secret not in repr(rows)
    with pytest.raises(OptionError, match="there is a token"):
        tokens.add("anna")
    for name in ("", "a b", "a.b", "x" * 65, "<b>"):
        with pytest.raises(OptionError, match="letters"):
            tokens.add(name)
    with pytest.raises(UnknownNameError):
        tokens.add("ben", scopes=["root"])
    with pytest.raises(UnknownNameError):
        tokens.revoke("ben")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(serve: Serve) -> None:
    """Also where its length is not said, or is said to be small."""
    client = serve(replace(Settings(), quotas=Quotas(body=1000)))
    assert client.post("/api/v1/documents", content=b"x" * 1001).status_code == 413
    assert client.post("/api/v1/documents", content=iter([b"x" * 600] * 2)).status_code == 413
    form = [("files", ("a.json", b"x" * 1001))]
    assert client.post("/api/v1/documents", files=form).status_code == 413
    assert client.post("/api/v1/documents", content=b"x" * 1000).status_code == 201


def test_quotas_end_with_words_and_without_loss(serve: Serve) -> None:
    quotas = Quotas(queued=1, stored=2_000, files=2, question=300)
    client = serve(replace(Settings(), quotas=quotas))
    form = [("files", (f"{n}.json", b"x")) for n in range(3)]
    assert client.post("/api/v1/documents", files=form).status_code == 400
    kept = client.post("/api/v1/documents", content=b"x" * 1500).json()
    full = client.post("/api/v1/documents", content=b"y" * 1500)
    assert (full.status_code, full.json()["type"]) == (413, "urn:darkstats:problem:quota")
    source = kept["references"]["document.json"]
    assert client.post("/api/v1/digest", json={"source": source}).status_code == 202
    again = client.post("/api/v1/digest", json={"source": source})
    full = client.post("/api/v1/inspect", json={"source": source})
    assert (full.status_code, full.headers["retry-after"]) == (429, "5")
    assert again.status_code in {202, 429}
    long = client.post("/api/v1/inspect", json={"source": source, "measurement": "x" * 300})
    assert long.status_code == 413
