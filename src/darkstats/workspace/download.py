"""Fetch a published likelihood: the only module that uses the network, and only when asked.

A request goes to hosts of an allow-list only.  Each name is resolved first, every address is
checked to be a public one, and the connection is made to that very address, so that a name
cannot be pointed elsewhere in between.  Every redirect is checked afresh.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import os
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from darkstats.errors import DarkstatsError, DownloadError
from darkstats.workspace.archives import MAX_ARCHIVE_BYTES, list_workspaces
from darkstats.workspace.documents import parse_json
from darkstats.workspace.spec import pyhf_digest

__all__ = ["DEFAULT_ALLOW_LIST", "Download", "WorkspaceDigest", "download", "resolve_addresses"]

DEFAULT_ALLOW_LIST = ("hepdata.net", "zenodo.org", "doi.org")
"""Hosts, with their subdomains, that :func:`download` may talk to."""
MAX_REDIRECTS = 5
ACCEPT = "application/x-tar, application/zip, application/gzip, application/json"
TIMEOUT_SECONDS = 30.0
MAX_SECONDS = 1800.0
_CHUNK = 1024 * 1024
_DOI = re.compile(r"(?:doi:)?(10\.[0-9]{4,9}/[^\s?#]+)", re.IGNORECASE)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ENDINGS = {
    "application/json": ".json",
    "application/zip": ".zip",
    "application/x-tar": ".tar.gz",
    "application/gzip": ".gz",
}

Resolver = Callable[[str, int], Collection[str]]
"""From host and port to the numeric addresses of the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceDigest:
    """A workspace found in a download: its member name (empty if alone) and pyhf's SHA-256."""

    member: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that was fetched.

    Parameters
    ----------
    path
        Where it was written.
    url
        Where it came from in the end, after all redirects.
    size
        Number of bytes.
    sha256
        Digest of the bytes, hexadecimal.
    workspaces
        The workspaces in it, with the digests that patch sets carry.
    """

    path: Path
    url: str
    size: int
    sha256: str
    workspaces: tuple[WorkspaceDigest, ...]


def resolve_addresses(host: str, port: int) -> tuple[str, ...]:
    """Return the numeric addresses of a host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def download(
    source: str,
    destination_dir: str | os.PathLike[str],
    *,
    allow_hosts: Collection[str] = DEFAULT_ALLOW_LIST,
    max_bytes: int = MAX_ARCHIVE_BYTES,
    resolve: Resolver = resolve_addresses,
) -> Download:
    """Fetch a DOI or URL into a folder.

    Parameters
    ----------
    source
        A DOI (``10.17182/hepdata.89408.v3/r2``) or an https URL.
    destination_dir
        An existing folder. The file appears there only when it is complete; a file of the same name
        stays as it is, and is an error unless it has the same content.
    allow_hosts
        Host names that may be reached, each with its subdomains. A loopback address or
        ``localhost`` listed here may be reached as well, over http, too.
    max_bytes
        Largest size of the file.
    resolve
        The resolver.

    Returns
    -------
    Download
        Path, size and digests.

    Raises
    ------
    DownloadError
        The host is not allowed, or has no public address; more than :data:`MAX_REDIRECTS`
        redirects; the server refuses; the file is too large or comes incomplete; another file of
        its name is there.
    """
    folder = Path(destination_dir)
    if not folder.is_dir():
        raise DownloadError(f"{folder} is no folder; make it first")
    url = _as_url(source)
    try:
        for _ in range(MAX_REDIRECTS + 1):
            with _open(url, frozenset(h.lower() for h in allow_hosts), resolve) as response:
                if response.status not in _REDIRECTS:
                    return _store(response, url, folder, max_bytes)
                target = response.headers.get("Location")
                if not target:
                    raise DownloadError(f"{url} redirects to nowhere")
                url = urljoin(url, target)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise DownloadError(f"{url}: {reason}; check the network, then try again") from error
    raise DownloadError(f"{source}: more than {MAX_REDIRECTS} redirects")


def _as_url(source: str) -> str:
    doi = _DOI.fullmatch(source.strip())
    return f"https://doi.org/{quote(doi[1], safe='/')}" if doi else source.strip()


@contextlib.contextmanager
def _open(
    url: str, allowed: frozenset[str], resolve: Resolver
) -> Iterator[http.client.HTTPResponse]:
    """Check a URL, connect to a checked address of its host, and send the request."""
    parts = urlsplit(url)
    host, loopback = _checked_host(parts, allowed)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _checked_address(host, port, resolve, loopback=loopback)
    connection = _connection(parts.scheme, host, port, address)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(
            "GET",
            quote(target, safe="/%:@!$&'()*+,;=~?"),
            headers={"Accept": ACCEPT, "User-Agent": "darkstats", "Accept-Encoding": "identity"},
        )
        yield connection.getresponse()
    finally:
        connection.close()


def _checked_host(parts: SplitResult, allowed: frozenset[str]) -> tuple[str, bool]:
    host = (parts.hostname or "").rstrip(".").lower()
    loopback = host in allowed and (host == "localhost" or _is_loopback(host))
    if parts.username is not None or parts.password is not None:
        raise DownloadError("a URL with a user name or password is refused")
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise DownloadError(f"{parts.geturl()[:200]!r} is no https URL and no DOI")
    if not any(host == name or host.endswith(f".{name}") for name in allowed):
        raise DownloadError(
            f"the host {host!r} is not on the allow-list ({', '.join(sorted(allowed))}); "
            "fetch the file yourself, or allow the host (--allow-host)"
        )
    return host, loopback


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def _checked_address(host: str, port: int, resolve: Resolver, *, loopback: bool) -> str:
    """Return an address of a host, all of whose addresses are public (or loopback, if allowed)."""
    addresses = list(resolve(host, port))
    for text in addresses:
        address = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
        inner = getattr(address, "ipv4_mapped", None) or address
        public = inner.is_global and not inner.is_multicast
        if not (inner.is_loopback if loopback else public):
            raise DownloadError(f"the host {host!r} has the address {text}, which is not public")
    if not addresses:
        raise DownloadError(f"the host {host!r} has no address")
    return addresses[0]


def _connection(scheme: str, host: str, port: int, address: str) -> http.client.HTTPConnection:
    """Return a connection for ``host`` whose socket already leads to ``address``."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    plain = socket.create_connection((address, port), timeout=TIMEOUT_SECONDS)
    if scheme != "https":
        connection.sock = plain
        return connection
    try:
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return connection


def _store(response: http.client.HTTPResponse, url: str, folder: Path, max_bytes: int) -> Download:
    if response.status != http.HTTPStatus.OK:
        raise DownloadError(f"{url}: the server answers {response.status} {response.reason}")
    announced = response.headers.get("Content-Length")
    length = int(announced) if announced and announced.isdigit() else None
    if length is not None and length > max_bytes:
        raise DownloadError(f"{url}: {length} bytes are more than {max_bytes}")
    path = folder / _file_name(response, url)
    temporary = folder / f".download-{secrets.token_hex(8)}"
    try:
        sha256, size = _receive(response, temporary, url, max_bytes)
        _require_complete(size, length, url)
        found = _digests(temporary.read_bytes(), path.name)
        _require_free(path, sha256)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Download(path=path, url=url, size=size, sha256=sha256, workspaces=found)


def _require_free(path: Path, sha256: str) -> None:
    """Raise if a file with other content has the name."""
    same = path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    if path.exists() and not same:
        raise DownloadError(
            f"{path} exists and has other content: name another folder, or move it away"
        )


def _receive(
    response: http.client.HTTPResponse, path: Path, url: str, max_bytes: int
) -> tuple[str, int]:
    """Write the body to a file; return its SHA-256 and its size."""
    hasher, size, end = hashlib.sha256(), 0, time.monotonic() + MAX_SECONDS
    with path.open("xb") as stream:
        while chunk := response.read1(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise DownloadError(f"{url}: more than {max_bytes} bytes")
            if time.monotonic() > end:
                raise DownloadError(f"{url}: took more than {MAX_SECONDS:g} s; try again")
            hasher.update(chunk)
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return hasher.hexdigest(), size


def _require_complete(size: int, length: int | None, url: str) -> None:
    if length is not None and size != length:
        raise DownloadError(f"{url}: {size} of {length} bytes arrived; try again")


def _digests(data: bytes, source: str) -> tuple[WorkspaceDigest, ...]:
    """Return the workspaces of what was fetched; none if it is no archive that can be read."""
    try:
        return tuple(
            WorkspaceDigest(member=name, digest=pyhf_digest(parse_json(text, source=name)))
            for name, text in list_workspaces(data, source)
        )
    except DarkstatsError:
        return ()


def _file_name(response: http.client.HTTPResponse, url: str) -> str:
    """Return a plain file name: as the server proposes, or the end of the URL's path."""
    proposed = response.headers.get_filename() or ""
    name = proposed or unquote(urlsplit(url).path.rstrip("/").rsplit("/", maxsplit=1)[-1])
    name = re.sub(r"[^A-Za-z0-9._+-]", "_", name.replace("\\", "/").rsplit("/", maxsplit=1)[-1])
    name = name.lstrip(".-")[:120] or "likelihood"
    if "." not in name:
        name += _ENDINGS.get(response.headers.get_content_type(), "")
    return name
