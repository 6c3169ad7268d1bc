"""From a file to a limit and away with it, with pages alone: nothing here runs a script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")


from typing import TYPE_CHECKING

from darkstats.service.store import Store

if TYPE_CHECKING:
    from starlette.testclient import TestClient

Work = Callable[[], None]


def ask(client: TestClient, work: Work, verb: str, **given: str) -> str:
    """Ask by the form, have it answered, and return the page of the answer."""
    sent = client.post(f"/ask/{verb}", data=given, follow_redirects=False)
    assert sent.status_code == 303, sent.text
    work()
    page = client.get(sent.headers["location"])
    assert page.status_code == 200
    return page.text


def test_a_file_leads_to_its_limit_and_away(client: TestClient, work: Work, examples: Path) -> None:
    start = client.get("/").text
    assert 'action="/open"' in start
    assert "Nothing has been asked yet" in start
    body = (examples / "two_bins.json").read_bytes()
    sent = client.post("/open", files=[("files", ("two_bins.json", body))], follow_redirects=False)
    here = sent.headers["location"]
    assert re.fullmatch(r"/likelihoods/[0-9a-f]{64}/two_bins\.json", here)
    assert "Reading the document" in client.get(here).text
    work()
    page = client.get(here).text
    assert "signal_region" in page
    assert "Nothing: no error, no warning." in page
    form = re.search(r'href="(/ask/limit[^"]*)"', page)[1].replace("&amp;", "&")
    assert "Ask for an upper limit" in client.get(form).text
    source = f"sha256:{here.removeprefix('/likelihoods/')}"
    answer = ask(client, work, "limit", source=source)
    assert "1.965" in answer
    assert "not excluded" in answer
    assert "1.514 (+0.62 −0.43)" in answer
    record = re.search(r'href="(/api/v1/results/[0-9a-f]{64}\?download=true)"', answer)[1]
    assert client.get(record).json()["schema"] == "darkstats.limit/1"
    assert "limit" in client.get("/history").text


def test_numbers_of_a_plot_are_those_of_the_record(
    client: TestClient, work: Work, two_bins: str
) -> None:
    page = ask(client, work, "limit", source=two_bins)
    block = re.search(r'<script type="application/json" id="data-cls">(.*?)</script>', page)[1]
    drawn = json.loads(block)
    key = re.search(r"/api/v1/results/([0-9a-f]{64})", page)[1]
    scan = client.get(f"/api/v1/results/{key}").json()["scan"]
    assert len(drawn["x"]) > 10
    assert drawn["x"] == scan["mu"][: len(drawn["x"])]
    assert drawn["series"][1]["values"] == scan["observed"][: len(drawn["x"])]


def test_a_figure_is_drawn_once_and_offered_as_a_file(
    client: TestClient, work: Work, two_bins: str
) -> None:
    page = ask(client, work, "limit", source=two_bins)
    address = re.search(r'href="(/results/[0-9a-f]{64}/figures/cls\.csv)"', page)[1]
    first = client.get(address, follow_redirects=False)
    waiting = first.headers["location"]
    assert waiting.startswith("/jobs/")
    assert waiting.endswith("?file=cls.csv")
    assert "See the answer" not in client.get(waiting).text
    work()
    assert "Take the file" in client.get(waiting).text
    again = client.get(address)
    assert again.status_code == 200
    assert "attachment" in again.headers["content-disposition"]
    assert again.text.splitlines()[0].startswith("mu")


def test_yields_come_with_what_they_are(client: TestClient, work: Work, two_bins: str) -> None:
    address = f"/parts/yields?source={two_bins}"
    assert "Drawing" in client.get(address).text
    work()
    page = client.get(address).text
    drawn = json.loads(re.search(r'id="data-yields-0">(.*?)</script>', page)[1])
    assert [band["label"] for band in drawn["bands"]] == ["background", "signal", "uncertainty ±"]
    assert drawn["bands"][0]["look"] == "c0"
    assert drawn["bands"][1]["look"] == "signal"
    assert drawn["series"][0]["label"] == "simulated data"
    assert sum(drawn["series"][0]["values"]) == 93.0


def test_who_asks_twice_gets_the_answer_at_once(
    client: TestClient, work: Work, two_bins: str, store: Store
) -> None:
    ask(client, work, "limit", source=two_bins)
    again = client.post("/ask/limit", data={"source": two_bins}, follow_redirects=False)
    assert again.headers["location"].startswith("/results/")
    assert store.queue.unfinished() == 0
