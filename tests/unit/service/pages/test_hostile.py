"""Names of other people's documents: shown as what they are, never obeyed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from darkstats.service.pages.rendering import page, seen

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from darkstats.service.store import Store

Work = Callable[[], None]
SCRIPT = "<script>alert(1)</script>"
QUOTES = "\"'><img src=x onerror=alert(1)>"


def document(examples: Path, channel: str, sample: str, parameter: str) -> bytes:
    """The smallest workspace, with other names."""
    text = (examples / "two_bins.json").read_text(encoding="utf-8")
    found = json.loads(text)
    found["channels"][0]["name"] = found["observations"][0]["name"] = channel
    found["channels"][0]["samples"][1]["name"] = sample
    found["channels"][0]["samples"][1]["modifiers"][0]["name"] = parameter
    return json.dumps(found).encode()


def test_markup_in_names_is_text(
    client: TestClient, work: Work, store: Store, examples: Path
) -> None:
    body = document(examples, SCRIPT, QUOTES, "{{ 7777 * 7 }}")
    kept = store.documents.collect({"a.json": body}, owner="local", title=SCRIPT)
    here = f"/likelihoods/{kept.digest}/a.json"
    yields = f"/parts/yields?source=sha256:{kept.digest}/a.json"
    fit = client.post(
        "/ask/fit", data={"source": f"sha256:{kept.digest}/a.json"}, follow_redirects=False
    )
    for address in (here, yields):
        client.get(address)
    work()
    for address in ("/", here, yields, fit.headers["location"], "/history"):
        text = client.get(address).text
        assert "<script>alert" not in text, address
        assert "<img src=x" not in text, address
        assert "54439" not in text, address
    assert "&lt;script&gt;alert(1)" in client.get(here).text
    block = re.search(r'id="data-yields-0">(.*?)</script>', client.get(yields).text, re.S)[1]
    assert "<" not in block
    assert SCRIPT not in block


def test_what_is_not_seen_is_spelled() -> None:
    """A right-to-left override could make one name look like another."""
    assert seen("a\u202eb\x00c\x1b[31m\u200f") == "a\\u202eb\\x00c\\x1b[31m\\u200f"
    assert seen("μ → γγ é 日本") == "μ → γγ é 日本"
    text = page("message.html", title="\u202etxt", words=["\x07"], remedy="", findings=[],
                back="", back_words="", here="").body.decode()  # fmt: skip
    assert "\u202e" not in text
    assert "\\u202etxt" in text
    assert "\x07" not in text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\u202egnp.json", "." * 300, "..\\x"]
)
def test_names_of_files_that_lead_elsewhere_are_refused(client: TestClient, name: str) -> None:
    answer = client.post("/open", files=[("files", (name, b"{}"))], follow_redirects=False)
    assert answer.status_code in {400, 422}
    assert "\u202e" not in answer.text
    assert "Traceback" not in answer.text


def test_another_site_cannot_ask(client: TestClient, two_bins: str) -> None:
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/ask/limit", data={"source": two_bins}, headers=headers)
    assert answer.status_code == 403


def test_pages_come_under_a_strict_policy(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
