"""Downloads from a real server on the loopback interface."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from darkstats.errors import DownloadError
from darkstats.workspace import pyhf_digest
from darkstats.workspace.download import DEFAULT_ALLOW_LIST, download
from strategies import random_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOPBACK = ("127.0.0.1",)
WORKSPACE = random_workspace(np.random.default_rng(5))
TEXT = json.dumps(WORKSPACE).encode()


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("RegionA/BkgOnly.json")
        info.size = len(TEXT)
        tar.addfile(info, io.BytesIO(TEXT))
    return buffer.getvalue()


ARCHIVE = archive()


class Handler(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str]]] = []

    def log_message(self, *_args: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Accept"]))
        name, _, rest = self.path.lstrip("/").partition("/")
        getattr(self, f"answer_{name}", self.answer_missing)(rest)

    def send(self, body: bytes, *, length: int | None = None, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_missing(self, _rest: str) -> None:
        self.send_error(404)

    def answer_file(self, _rest: str) -> None:
        self.send(ARCHIVE)

    def answer_json(self, _rest: str) -> None:
        self.send(TEXT, Content_Type="application/json")

    def answer_named(self, _rest: str) -> None:
        self.send(TEXT, Content_Disposition='attachment; filename="../../etc/passwd"')

    def answer_hop(self, rest: str) -> None:
        self.redirect(f"/hop/{int(rest) - 1}" if int(rest) > 1 else "/file/a.tar.gz")

    def answer_away(self, _rest: str) -> None:
        self.redirect("https://example.org/evil.tar.gz")

    def answer_inside(self, _rest: str) -> None:
        self.redirect("https://10.0.0.1/secret")

    def answer_downgrade(self, _rest: str) -> None:
        self.redirect("file:///etc/passwd")

    def answer_short(self, _rest: str) -> None:
        self.send(ARCHIVE[:100], length=len(ARCHIVE))

    def answer_endless(self, _rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(10_000):
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_file_arrives_with_its_digests(server: str, tmp_path: Path) -> None:
    """Path, size, SHA-256 of the bytes, and pyhf's digest of every workspace in the archive."""
    got = download(f"{server}/file/a.tar.gz", tmp_path, allow_hosts=LOOPBACK)
    assert got.path == tmp_path / "a.tar.gz"
    assert got.path.read_bytes() == ARCHIVE
    assert (got.size, got.sha256) == (len(ARCHIVE), hashlib.sha256(ARCHIVE).hexdigest())
    assert [(w.member, w.digest) for w in got.workspaces] == [
        ("RegionA/BkgOnly.json", pyhf_digest(WORKSPACE))
    ]
    assert Handler.seen[-1][1].startswith("application/x-tar, application/zip")


def test_a_lone_workspace_is_named_by_its_type(server: str, tmp_path: Path) -> None:
    """A URL without an ending takes it from the content type."""
    got = download(f"{server}/json", tmp_path, allow_hosts=LOOPBACK)
    assert got.path.name == "json.json"
    assert got.workspaces[0].member == ""


def test_redirects_are_followed_five_times(server: str, tmp_path: Path) -> None:
    """Five redirects are followed, six are refused."""
    assert download(f"{server}/hop/5", tmp_path, allow_hosts=LOOPBACK).path.name == "a.tar.gz"
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        download(f"{server}/hop/6", tmp_path, allow_hosts=LOOPBACK)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("away", "'example.org' is not on the allow-list"),
        ("inside", "'10.0.0.1' is not on the allow-list"),
        ("downgrade", "is no https URL"),
        ("missing", "404"),
        ("short", "bytes|IncompleteRead"),
        ("endless", "more than 100000 bytes"),
    ],
)
def test_a_refused_download_leaves_no_file(
    server: str, tmp_path: Path, path: str, message: str
) -> None:
    """Forbidden redirects, errors, truncated and oversized bodies: an error and an empty folder."""
    with pytest.raises(DownloadError, match=message):
        download(f"{server}/{path}", tmp_path, allow_hosts=LOOPBACK, max_bytes=100_000)
    assert list(tmp_path.iterdir()) == []


def test_an_announced_size_is_checked_before_reading(server: str, tmp_path: Path) -> None:
    """A body whose length is announced as too large is not read."""
    with pytest.raises(DownloadError, match="bytes are more than 10"):
        download(f"{server}/json", tmp_path, allow_hosts=LOOPBACK, max_bytes=10)


def test_a_server_cannot_choose_the_folder(server: str, tmp_path: Path) -> None:
    """A proposed file name loses its folders."""
    got = download(f"{server}/named/", tmp_path, allow_hosts=LOOPBACK)
    assert got.path == tmp_path / "passwd"


def test_loopback_needs_to_be_listed(server: str, tmp_path: Path) -> None:
    """By default no local server is reached, whatever the scheme."""
    for url in (server, server.replace("http:", "https:")):
        with pytest.raises(DownloadError):
            download(url, tmp_path)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0",
     "::ffff:127.0.0.1", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
def test_a_name_must_not_lead_inside(tmp_path: Path, address: str) -> None:
    """An allowed name that resolves to a private address, even among public ones, is refused."""
    with pytest.raises(DownloadError, match="not public"):
        download("10.17182/hepdata.89408.v3/r2", tmp_path, resolve=lambda *_: ["8.8.8.8", address])


@pytest.mark.parametrize(
    "url",
    ["http://hepdata.net/x", "https://evilhepdata.net/x", "https://hepdata.net.evil.org/x",
     "https://u:p@hepdata.net/x", "ftp://hepdata.net/x", "hepdata", "https://", "https://[::1/x",
     "https://hepdata.net:99999/x"],
)  # fmt: skip
def test_only_https_and_listed_hosts(tmp_path: Path, url: str) -> None:
    """Anything but https to a listed host is refused before a name is resolved."""

    def never(*_: object) -> list[str]:
        raise AssertionError("resolved")

    with pytest.raises(DownloadError):
        download(url, tmp_path, resolve=never, allow_hosts=DEFAULT_ALLOW_LIST)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The folder is not made silently."""
    with pytest.raises(DownloadError, match="no folder"):
        download("10.1234/x", tmp_path / "absent")
