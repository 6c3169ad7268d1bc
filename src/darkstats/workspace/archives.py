"""Open sources: files, standard input, gzip, xz, bzip2, members of tar and zip archives, in memory.

Nothing is ever extracted to disk, and a member's name is only compared, never used as a path.
"""

from __future__ import annotations

import io
import itertools
import zlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from darkstats.characters import spelled
from darkstats.errors import DocumentError
from darkstats.workspace.documents import MAX_DOCUMENT_BYTES
from darkstats.workspace.findings import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "MAX_ARCHIVE_BYTES",
    "MAX_MEMBERS",
    "MAX_RATIO",
    "Member",
    "find_documents",
    "list_workspaces",
    "looks_like",
    "read_members",
    "unpacked",
]

MAX_ARCHIVE_BYTES = 256 * 1024 * 1024
"""Largest archive, compressed or not, all members together."""
MAX_MEMBERS = 10_000
MAX_RATIO = 200
"""Largest ratio of decompressed to compressed size, where the former exceeds 1 MiB."""
MAX_NESTING = 3
_ZIP_ENTRY = b"PK\x01\x02"
_FREE_BYTES = 1024 * 1024
_CHUNK = 256 * 1024

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_PACKINGS = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
_PORTION = 64 * 1024
_XZ_MEMORY = 128 * 1024 * 1024  # the strongest preset needs 65 MiB
# What the standard library raises on a broken archive; NotImplementedError: unknown compression.
_FAULTS = (
    EOFError, OSError, ValueError, OverflowError, RecursionError, IndexError, RuntimeError,
    NotImplementedError, zlib.error,
)  # fmt: skip
_ARCHIVE_ENDINGS = (
    ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".zip",
)  # fmt: skip
_JSON_ENDINGS = (".json", ".json.gz", ".json.xz", ".json.bz2")


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive."""

    name: str
    read: Callable[[], bytes] = field(repr=False)


class _Decompressor(Protocol):
    """What the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@dataclass(slots=True)
class _Budget:
    """How many more bytes may be decompressed."""

    source: str
    left: int = MAX_ARCHIVE_BYTES

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise too_large(self.source, MAX_ARCHIVE_BYTES)


def too_large(source: str, limit: int) -> DocumentError:
    return DocumentError(
        f"more than {limit // 1024**2} MiB",
        source=source,
        remedy="unpack it yourself, and name the file that you need",
    )


def _too_dense(source: str) -> DocumentError:
    return DocumentError(
        f"decompresses to more than {MAX_RATIO} times its size",
        source=source,
        remedy="unpack it yourself, and look what it is",
    )


def _broken(source: str, kind: str, error: BaseException) -> DocumentError:
    reason = str(error).split("\n", maxsplit=1)[0][:120]
    return DocumentError(
        f"a broken {kind}" + (f" ({reason})" if reason else ""),
        source=source,
        remedy="fetch the file again",
    )


# --- decompression --------------------------------------------------------------------------


def _is_tar(head: bytes) -> bool:
    return len(head) >= 512 and head[257:262] == b"ustar"


def unpacked(data: bytes, source: str) -> bytes:
    """Return the bytes of a file that may be compressed by gzip, xz or bzip2.

    Bombs are refused on the way.

    Raises
    ------
    DocumentError
        The data are broken, decompress to more than a JSON text (or a tar archive) may have, or
        by more than a factor :data:`MAX_RATIO`.
    """
    packing = next((name for magic, name in _PACKINGS.items() if data.startswith(magic)), None)
    if packing is None:
        return data
    chunks: list[bytes] = []
    size, limit = 0, MAX_DOCUMENT_BYTES
    for chunk in _sound(_inflated(data, packing, source), f"{packing} file", source):
        if not chunks and _is_tar(chunk):
            limit = MAX_ARCHIVE_BYTES
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise too_large(source, limit)
        if size > max(_FREE_BYTES, MAX_RATIO * len(data)):
            raise _too_dense(source)
    return b"".join(chunks)


def _sound(chunks: Iterator[bytes], kind: str, source: str) -> Iterator[bytes]:
    """Pass pieces on; what a library says of broken data becomes a typed error."""
    try:
        yield from chunks
    except DocumentError:
        raise
    except Exception as error:  # each library has errors of its own, and some have none
        raise _broken(source, kind, error) from None


def _decompressor(packing: str) -> _Decompressor:
    """One stream of a packing; libraries that few commands need are loaded here."""
    if packing == "gzip":
        return zlib.decompressobj(wbits=31)
    if packing == "bzip2":
        import bz2

        return bz2.BZ2Decompressor()
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _inflated(data: bytes, packing: str, source: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of all streams in pieces of at most 256 KiB, none empty."""
    magic = next(magic for magic, name in _PACKINGS.items() if name == packing)
    at = 0
    for index in itertools.count():
        if not data.startswith(magic, at):
            break
        _count(index, source)
        stream, held = _decompressor(packing), b""
        while not stream.eof:
            # Fed in small portions, because what follows a stream is copied at its end.
            if not held and getattr(stream, "needs_input", True):
                held = data[at : at + _PORTION]
                at += len(held)
                if not held:
                    raise EOFError("the data end too early")
            chunk = stream.decompress(held, _CHUNK)
            held = getattr(stream, "unconsumed_tail", b"")
            if chunk:
                yield chunk
        at -= len(stream.unused_data)
        if packing == "xz":  # streams are padded to multiples of four bytes
            at = len(data) - len(data[at:].lstrip(b"\0")) if data[at : at + 1] == b"\0" else at
    if data[at:].strip(b"\0"):
        raise ValueError("something follows the compressed data")


def read_members(data: bytes, source: str) -> list[Member] | None:
    """Return the regular files of a tar or zip archive; ``None`` if ``data`` is neither.

    Raises
    ------
    DocumentError
        The archive is broken, too large, has too many members or two of one name.
    """
    if data.startswith(_ZIP):
        return _zip_members(data, source)
    return _tar_members(data, source) if _is_tar(data[:512]) else None


def _tar_members(data: bytes, source: str) -> list[Member]:
    import tarfile  # here, because few commands read an archive

    members: list[Member] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for count, info in enumerate(archive):
                _count(count, source)
                if info.isreg() and not info.issparse():
                    begin, end = info.offset_data, info.offset_data + info.size
                    if end > len(data):
                        raise EOFError("the data end too early")
                    members.append(Member(clean_name(info.name), partial(_part, data, begin, end)))
    except (tarfile.TarError, *_FAULTS) as error:
        raise _broken(source, "tar archive", error) from None
    return _unique(members, source)


def _part(data: bytes, begin: int, end: int) -> bytes:
    return data[begin:end]


def _zip_members(data: bytes, source: str) -> list[Member]:
    import zipfile  # here, because few commands read an archive

    # Each member has an entry in the directory; the library takes seconds for a hundred thousand.
    _count(data.count(_ZIP_ENTRY) - 1, source)
    faults = (zipfile.BadZipFile, *_FAULTS)
    budget = _Budget(source)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except faults as error:
        raise _broken(source, "zip archive", error) from None
    _count(len(infos) - 1, source)

    def reader(info: zipfile.ZipInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                with archive.open(info) as stream:
                    content = stream.read(min(budget.left, MAX_ARCHIVE_BYTES) + 1)
            except faults as error:
                raise _broken(
                    f"{source}:{clean_name(info.filename)}", "zip member", error
                ) from None
            budget.spend(len(content))
            if len(content) > max(_FREE_BYTES, MAX_RATIO * len(data)):
                raise _too_dense(source)
            return content

        return read

    files = [info for info in infos if not info.is_dir() and (info.external_attr >> 28) != 0xA]
    return _unique([Member(clean_name(info.filename), reader(info)) for info in files], source)


def _count(index: int, source: str) -> None:
    if index >= MAX_MEMBERS:
        raise DocumentError(
            f"more than {MAX_MEMBERS} members",
            source=source,
            remedy="unpack it yourself, and name the file that you need",
        )


def clean_name(name: str) -> str:
    """Return a member's name without a leading ``./``, printable in any case."""
    return spelled(name.removeprefix("./"))


def _unique(members: list[Member], source: str) -> list[Member]:
    seen: set[str] = set()
    for member in members:
        if member.name in seen:
            raise DocumentError(
                f"two members are named {shown(member.name)}",
                source=source,
                remedy="fetch the archive again, or unpack it yourself",
            )
        seen.add(member.name)
    return members


# --- what a member is -----------------------------------------------------------------------


def looks_like(data: bytes) -> str | None:
    """Return what JSON text is, by a look at it: a kind of document.

    Kinds are ``"workspace"``, ``"patch set"`` (or a list of them), ``"patch"``, and ``"pallet"``: a
    workspace with its patch sets.
    """
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    has_patches = b'"patches"' in text and b'"metadata"' in text
    if text.startswith(b"["):
        return "patch set" if has_patches else "patch" if b'"op"' in text else None
    if not text.startswith(b"{"):
        return None
    if b'"workspace"' in text and b'"patchset' in text and b'"channels"' in text:
        return "pallet"
    if has_patches:
        return "patch set"
    return "workspace" if b'"channels"' in text and b'"measurements"' in text else None


#: Kinds of documents in which a kind is found.
_HOLDS = {"workspace": ("workspace", "pallet"), "patch set": ("patch set", "pallet")}


def walk_members(
    data: bytes, source: str, prefix: str = "", depth: int = 0, budget: _Budget | None = None
) -> list[tuple[str, Callable[[], bytes]]]:
    """Return (name, reader) of all JSON members, those of archives within archives included."""
    found: list[tuple[str, Callable[[], bytes]]] = []
    budget = budget or _Budget(source)
    for member in read_members(data, source) or []:
        name = prefix + member.name
        lower = member.name.lower()
        if lower.endswith(_JSON_ENDINGS):
            found.append((name, member.read))
        elif lower.endswith(_ARCHIVE_ENDINGS) and depth < MAX_NESTING:
            inner = unpacked(member.read(), f"{source}:{name}")
            budget.spend(len(inner))
            found += walk_members(inner, source, f"{name}:", depth + 1, budget)
            _count(len(found) - 1, source)
    return found


def find_documents(data: bytes, source: str, kind: str) -> list[tuple[str, bytes]]:
    """Return (member name, JSON bytes) of all documents of a kind in an unpacked archive."""
    found = []
    for name, read in walk_members(data, source):
        text = unpacked(read(), f"{source}:{name}")
        if looks_like(text) in _HOLDS.get(kind, (kind,)):
            found.append((name, text))
    return found


def list_workspaces(data: bytes, source: str) -> list[tuple[str, bytes]]:
    """Return (member name, JSON bytes) of all workspaces in an archive, or of a lone workspace.

    The name of a lone workspace is empty.
    """
    data = unpacked(data, source)
    if read_members(data, source) is None:
        return [("", data)] if looks_like(data) in _HOLDS["workspace"] else []
    return find_documents(data, source, "workspace")
