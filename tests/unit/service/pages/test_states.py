"""What a page says when something is missing, wrong, refused, waiting or lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from darkstats.service.pages.shown import job_view
from darkstats.service.store.rows import Answer, Event, JobState, Lane

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from darkstats.service.store import Store

Work = Callable[[], None]
HTML = {"Accept": "text/html,application/xhtml+xml"}


def test_findings_stand_beside_the_place_in_the_document(
    client: TestClient, work: Work, store: Store, examples: Path
) -> None:
    found = json.loads((examples / "two_bins.json").read_text(encoding="utf-8"))
    found["channels"][0]["samples"][1]["data"] = [50.0, 33.0, 1.0]
    body = json.dumps(found).encode()
    kept = store.documents.collect({"a.json": body}, owner="local", title="a")
    here = f"/likelihoods/{kept.digest}/a.json"
    client.get(here)
    work()
    text = client.get(here).text
    assert "This cannot be answered." in text
    assert "/channels/0/samples/1/data" in text


def test_a_signal_for_wrong_channels_names_those_there_are(
    client: TestClient, work: Work, two_bins: str
) -> None:
    sent = client.post(
        "/ask/reinterpret", data={"source": two_bins, "channel": "SR", "yields": "1, 2"},
        follow_redirects=False,
    )  # fmt: skip
    work()
    text = client.get(sent.headers["location"]).text
    assert "signal_region" in text
    assert "This cannot be answered." in text
    again = re.search(r'href="(/ask/reinterpret[^"]*)"', text)[1].replace("&amp;", "&")
    assert client.get(again).status_code == 200


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ({"cl": "95"}, "cl", "did you mean 0.95?"),
        ({"cl": "high"}, "cl", "give a number"),
        ({"n_toys": "-3", "calculator": "toys"}, "n_toys", "at least 1"),
        ({"method": "magic"}, "method", "choose one of"),
    ],
)
def test_what_is_wrong_stands_beside_its_control(
    client: TestClient, two_bins: str, given: dict[str, str], place: str, words: str
) -> None:
    answer = client.post("/ask/limit", data={"source": two_bins, **given})
    assert answer.status_code == 422
    assert f'href="#f-{place}"' in answer.text
    assert words in answer.text
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.parametrize(
    "address",
    ["/likelihoods/" + 64 * "0", "/likelihoods/x/y", "/results/" + 64 * "0", "/results/abc",
     "/jobs/nothing", "/ask/nothing", "/nowhere", "/parts/yields?source=x", "/history?before=x",
     "/compare?a=zz"],
)  # fmt: skip
def test_what_is_not_there_is_a_page(client: TestClient, address: str) -> None:
    answer = client.get(address, headers=HTML)
    assert answer.status_code == 404
    assert "<h1>" in answer.text
    assert "There is nothing here" in answer.text
    assert "Traceback" not in answer.text


def test_the_api_keeps_its_problem_documents(client: TestClient) -> None:
    answer = client.get("/api/v1/results/" + 64 * "0", headers=HTML)
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/nowhere").headers["content-type"] == "application/problem+json"


def submit(store: Store, key: str = "a") -> str:
    return store.queue.submit(
        owner="local", key=key * 64, verb="limit", lane=Lane.QUICK, title="limit source=a.json",
        question=json.dumps({"verb": "limit", "options": {}, "figures": []}),
    ).name  # fmt: skip


def test_a_job_waits_is_cancelled_and_says_so(client: TestClient, store: Store) -> None:
    name = submit(store)
    page = client.get(f"/jobs/{name}").text
    assert "Waiting" in page
    assert 'http-equiv="refresh"' in page  # without script
    assert f'data-events="/api/v1/jobs/{name}/events"' in page
    after = client.post(f"/jobs/{name}/cancel").text
    assert "Cancelled" in after
    assert 'data-events=""' in after


def test_a_job_that_failed_says_why(client: TestClient, store: Store) -> None:
    name = submit(store)
    claim = store.queue.claim("w", lanes=(Lane.QUICK,), lease_s=10.0)
    store.queue.fail_job(claim, "it needs more than <b>4 GiB</b>; ask for less")
    page = client.get(f"/jobs/{name}").text
    assert "It ended without an answer." in page
    assert "&lt;b&gt;4 GiB" in page
    assert "<progress" not in page


def test_progress_is_told_with_its_rate(client: TestClient, store: Store) -> None:
    name = submit(store)
    claim = store.queue.claim("w", lanes=(Lane.QUICK,), lease_s=10.0)
    for done in (0, 500):
        body = {"step": "throwing toys", "done": done, "total": 1000, "unit": "toys"}
        store.queue.progress(claim, body)
    page = client.get(f"/jobs/{name}/panel").text
    assert "throwing toys: 500 of 1,000 toys" in page
    assert 'max="1000" value="500"' in page
    assert "Toys a second" in page


def test_others_do_not_see_a_job(client: TestClient, store: Store) -> None:
    name = store.queue.submit(
        owner="ana", key="b" * 64, verb="limit", lane=Lane.QUICK, title="limit",
        question=json.dumps({"verb": "limit", "options": {}, "figures": []}),
    ).name  # fmt: skip
    assert "Nothing has been asked yet" in client.get("/history").text
    assert client.get(f"/jobs/{name}").status_code == 200  # who sits at the machine is its admin


def test_a_full_queue_says_so(
    client: TestClient, store: Store, two_bins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(store.queue), "unfinished", lambda *_: 1_000_000)
    answer = client.post("/ask/limit", data={"source": two_bins})
    assert answer.status_code == 429
    assert "The queue is full" in answer.text


def test_no_file_is_no_fault(client: TestClient) -> None:
    answer = client.post("/open", files=[("files", ("", b""))])
    assert answer.status_code == 422
    assert "Choose a file first." in answer.text


def test_an_answer_that_is_not_certified_shows_no_number(client: TestClient, store: Store) -> None:
    """It ends as such: with the reason, and what may help."""
    name = submit(store, "c")
    claim = store.queue.claim("w", lanes=(Lane.QUICK,), lease_s=10.0)
    record = {
        "schema": "darkstats.error/1", "error": "FitFailedError", "kind": "uncertified",
        "exit_status": 1, "message": "competing minima <none> of them certified",
        "hint": "try toys",
    }  # fmt: skip
    store.queue.finish_job(claim, Answer(exit_status=1, record=json.dumps(record)))
    page = client.get(f"/jobs/{name}").text
    assert "The answer cannot be certified." in page
    assert "competing minima &lt;none&gt;" in page
    assert "try toys" in page
    assert '<dl class="headlines">' not in page
    assert "Change the question" in page
    assert "Not certified" in client.get("/history").text


def told(bodies: list[tuple[float, str, dict[str, object]]]) -> list[Event]:
    return [
        Event(id=k, job=1, kind=kind, body=json.dumps(body), created=at)
        for k, (at, kind, body) in enumerate(bodies)
    ]


@pytest.mark.parametrize(
    ("each", "label", "value"),
    [
        ({"each": 256, "unit": "toys"}, "Toys a second", "1,024"),
        ({"each": 1, "unit": "hypotheses"}, "Hypotheses a second", "4"),
        ({}, "Blocks a second", "4"),
    ],
)
def test_blocks_are_told_of_as_what_they_have(
    store: Store, each: dict[str, object], label: str, value: str
) -> None:
    """Forty blocks in ten seconds, of a hundred."""
    job = store.queue.submit(
        owner="local", key="a" * 64, verb="global", question="{}", title="t", lane=Lane.LONG
    )
    waiting = replace(job, state=JobState.WAITING, started=job.created)
    events = told(
        [(100.0 + t, "blocks", {"done": 4 * t, "of": 100, **each}) for t in range(11)]
        + [(110.0, "progress", {"said": "compiling fit kernels (once)"})]
    )
    shown = job_view(waiting, events, now=job.created + 10.0)
    facts = {one.label: one.value for one in shown.facts}
    assert facts[label] == value
    assert facts["Left, about"] == "15 s"
    assert shown.saying == "compiling fit kernels (once)"


def test_what_goes_slowly_is_told_by_the_minute(store: Store) -> None:
    job = store.queue.submit(
        owner="local", key="a" * 64, verb="scan", question="{}", title="t", lane=Lane.LONG
    )
    waiting = replace(job, state=JobState.WAITING, started=job.created)
    body = {"of": 9, "each": 1, "unit": "hypotheses"}
    events = told([(100.0 + 20 * k, "blocks", {"done": k, **body}) for k in range(2)])
    facts = {one.label: one.value for one in job_view(waiting, events).facts}
    assert facts["Hypotheses a minute"] == "3.0"


def test_a_job_of_hours_shows_how_far_it_is_now(client: TestClient, store: Store) -> None:
    """Whatever number of events it has: the last ones count."""
    job = store.queue.submit(
        owner="local", key="a" * 64, verb="limit", question="{}", title="t", lane=Lane.LONG
    )
    claim = store.queue.claim("w", lanes=(Lane.LONG,), lease_s=900.0)
    for done in range(600):
        body = {"step": "throwing toys", "done": done, "total": 1_000, "unit": "toys"}
        store.queue.progress(claim, body)
    text = client.get(f"/jobs/{job.name}/panel").text
    assert "throwing toys: 599 of 1,000 toys" in text
