"""Pages of a service that asks for tokens: sign in, and what may not be done is said in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from starlette.testclient import TestClient

from darkstats.service.api import create_app
from darkstats.service.settings import Settings
from darkstats.service.tokens import Tokens

if TYPE_CHECKING:
    from darkstats.service.store import Store

HTML = {"Accept": "text/html"}


@pytest.fixture
def guarded(store: Store) -> Iterator[TestClient]:
    app = create_app(
        store, Settings(host="0.0.0.0", needs_tokens=True, names=("darkstats.example",))
    )
    with TestClient(
        app, base_url="https://darkstats.example", raise_server_exceptions=False
    ) as one:
        yield one


@pytest.mark.parametrize(
    ("to", "reached"),
    [
        ("/history", "/history"),
        ("/jobs/0a1b-2", "/jobs/0a1b-2"),
        ("", "/"),
        ("//elsewhere.example/x", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example", "/"),
        ("/history?x=1", "/"),
        ("/" + "a" * 500, "/"),
    ],
)
def test_signing_in_goes_on_to_the_page_that_was_asked_for(
    guarded: TestClient, store: Store, to: str, reached: str
) -> None:
    """To a path of this service alone, whatever the form says."""
    asked = guarded.get("/sign-in", params={"to": to}, headers=HTML)
    assert f'name="to" value="{reached}"' in asked.text
    token = Tokens(store).add("ben")
    answer = guarded.post("/sign-in", data={"token": token, "to": to}, follow_redirects=False)
    assert answer.headers["location"] == reached


def test_a_page_that_needs_a_token_leads_back_to_itself(guarded: TestClient) -> None:
    shut = guarded.get("/history", headers=HTML)
    assert 'href="/sign-in?to=%2Fhistory"' in shut.text


def test_a_token_opens_the_pages(guarded: TestClient, store: Store) -> None:
    shut = guarded.get("/", headers=HTML)
    assert shut.status_code == 401
    assert 'href="/sign-in"' in shut.text
    wrong = guarded.post("/sign-in", data={"token": "darkstats_x_y"}, headers=HTML)
    assert wrong.status_code == 401
    assert "This is no token of this service" in wrong.text
    token = Tokens(store).add("ana")
    answer = guarded.post("/sign-in", data={"token": token}, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    for one in ("HttpOnly", "SameSite=strict", "Secure"):
        assert one in cookie
    assert token not in guarded.get("/", headers=HTML).text
    start = guarded.get("/").text
    assert "What does this likelihood exclude?" in start
    assert "Signed in as <bdi>ana</bdi>" in start
    assert "It stays on this machine" not in start  # the machine of the service may be another
    assert "All that you asked here" in guarded.get("/history").text  # nobody else's
    assert '<form class="who" action="/sign-out" method="post">' in start
    assert "Sign out" in guarded.get("/jobs/none", headers=HTML).text  # pages of faults, too
    out = guarded.post("/sign-out", headers=HTML)
    assert out.url.path == "/sign-in"
    assert "Sign out" not in out.text
    assert guarded.get("/", headers=HTML).status_code == 401


def test_who_sent_a_token_themselves_has_nothing_to_sign_out_of(
    guarded: TestClient, client: TestClient, store: Store
) -> None:
    guarded.headers["Authorization"] = f"Bearer {Tokens(store).add('ana')}"
    assert "Sign out" not in guarded.get("/").text
    client.cookies["darkstats-token"] = "of another service at the same name"
    own = client.get("/").text
    assert "Sign out" not in own  # this one asks for none
    assert "It stays on this machine" in own


def test_who_may_only_read_cannot_ask(guarded: TestClient, store: Store, two_bins: str) -> None:
    guarded.headers["Authorization"] = f"Bearer {Tokens(store).add('eve', scopes=('read',))}"
    assert guarded.get("/history").status_code == 200
    refused = guarded.post("/ask/limit", data={"source": two_bins}, headers=HTML)
    assert refused.status_code == 403
    assert "may not submit" in refused.text


def test_the_jobs_of_others_are_not_there(guarded: TestClient, store: Store, two_bins: str) -> None:
    guarded.headers["Authorization"] = f"Bearer {Tokens(store).add('ana')}"
    mine = guarded.post("/ask/limit", data={"source": two_bins}, follow_redirects=False)
    assert guarded.get(mine.headers["location"]).status_code == 200
    guarded.headers["Authorization"] = f"Bearer {Tokens(store).add('eve')}"
    assert guarded.get(mine.headers["location"]).status_code == 404
    assert guarded.post(f"{mine.headers['location']}/cancel").status_code == 404
