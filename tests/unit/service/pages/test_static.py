"""Files of the pages: in the package, of known origin, and nothing but them is handed out."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.testclient import TestClient

STATIC = files("darkstats.service.pages") / "static"


def test_vendored_files_are_those_of_their_packages() -> None:
    """By name, version, licence and digest; nothing else lies among them."""
    table = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"\| `([^`]+)` \| \S+ \| [\d.]+ \| \S+, `([^`]+)` \| `([0-9a-f]{64})` \|", table
    )
    for name, licence, digest in rows:
        body = (STATIC / "vendor" / name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == digest, name
        assert (STATIC / "vendor" / licence).is_file()
    known = {name for name, _, _ in rows} | {licence for _, licence, _ in rows} | {"README.md"}
    assert {one.name for one in (STATIC / "vendor").iterdir()} == known


def test_no_style_or_script_stands_in_a_template() -> None:
    """The content-security policy would drop it."""
    for one in (files("darkstats.service.pages") / "templates").iterdir():
        text = one.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|js:", text), one.name
        for kind in re.findall(r"<script([^>]*)>", text):
            assert 'src="' in kind or 'type="application/json"' in kind, one.name
        assert "|safe" not in text
        assert not re.search(r'(?:src|href)="https?:', text), one.name


def test_files_are_served_with_their_digest(client: TestClient) -> None:
    page = client.get("/").text
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) >= 6
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "name", ["../rendering.py", "%2e%2e/rendering.py", "vendor/README.md", "/etc/passwd", "x.js"]
)
def test_nothing_else_is_handed_out(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404
