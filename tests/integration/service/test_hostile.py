"""Files that mean harm, sent to a real service: each ends in words, none beyond its folder."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")

MARK = "escaped-from-the-service"
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000

ENTITIES = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


def tar(*names: str, body: bytes = b"{}", link: str = "") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name in names:
            one = tarfile.TarInfo(name)
            one.size = len(body)
            archive.addfile(one, io.BytesIO(body))
        if link:
            one = tarfile.TarInfo("link.json")
            one.type, one.linkname = tarfile.SYMTYPE, link
            archive.addfile(one)
    return target.getvalue()


def zip_of(name: str, body: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return target.getvalue()


@cache
def hostile() -> dict[str, tuple[str, bytes, str]]:
    """Name of a file, its bytes, and the member that is asked for."""
    zeros = gzip.compress(b"0" * 100_000_000, 1)
    elsewhere = f"{tempfile.gettempdir()}/{MARK}"
    out = f"../../../../../..{elsewhere}"
    return {
        "gzip bomb": ("bomb.json.gz", zeros, ""),
        "nested bomb": ("bomb.json.gz", gzip.compress(zeros), ""),
        "zip bomb": ("bomb.zip", zip_of("a.json", b" " * 100_000_000), ":a.json"),
        "traversal": ("a.tar.gz", tar(out, elsewhere), f":{out}"),
        "link": ("a.tar.gz", tar("x.json", link="/etc/passwd"), ":link.json"),
        "many members": ("a.tar.gz", tar(*(f"{n}.json" for n in range(12_000))), ":0.json"),
        "deep": ("deep.json", DEEP, ""),
        "not a number": ("nan.json", b'{"channels": [NaN]}', ""),
        "twice": ("twice.json", b'{"channels": [], "channels": []}', ""),
        "half an archive": ("half.tar.gz", tar("x.json")[:40], ":x.json"),
        "no text": ("bytes.json", bytes(range(256)) * 100, ""),
        "huge integer": ("digits.json", b'{"version": ' + b"9" * 100_000 + b"}", ""),
        "markup": ("<script>alert(1)</script>.json".replace("/", ""), b"{}", ""),
        "pickle": ("a.npz", b"\x80\x04cos\nsystem\n(S'true'\ntR.", ""),
        "entities": ("a.xml", ENTITIES, ""),
    }  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Any]:
    store = tmp_path_factory.mktemp("store") / "service.db"
    with (
        serve(store, "--port", "0", "--workers", "1") as (url, _),
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", hostile())
def test_a_hostile_file_ends_in_words(service: Any, kind: str) -> None:
    name, body, member = hostile()[kind]
    sent = service.post("/api/v1/documents", files=[("files", (name, body))])
    assert sent.status_code == 201, sent.text
    reference = sent.json()["references"][name] + member
    for _ in range(4):
        told = service.post("/api/v1/inspect?wait=30", json={"source": reference})
        if told.status_code != 202:
            break
    assert told.status_code in {200, 422}, told.text
    assert "root:" not in told.text  # of /etc/passwd
    if told.status_code == 422:
        assert told.headers["content-type"] == "application/problem+json"
        assert told.json()["detail"]
    else:
        assert json.loads(told.content)["schema"]
    assert not list(Path(tempfile.gettempdir()).glob(f"{MARK}*"))
    assert service.get("/readyz").status_code == 200
