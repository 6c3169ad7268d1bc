"""Open sources: files, standard input, gzip, and members of tar and zip archives, in memory.

Nothing is ever extracted to disk, and a member's name is only compared, never used as a path.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from darkstats.errors import DocumentError
from darkstats.workspace.documents import MAX_DOCUMENT_BYTES
from darkstats.workspace.findings import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

__all__ = [
    "MAX_ARCHIVE_BYTES",
    "MAX_MEMBERS",
    "MAX_RATIO",
    "Member",
    "Opener",
    "list_workspaces",
    "looks_like",
    "read_members",
]

MAX_ARCHIVE_BYTES = 256 * 1024 * 1024
"""Largest archive, compressed or not, all members together."""
MAX_MEMBERS = 10_000
MAX_RATIO = 200
"""Largest ratio of decompressed to compressed size, where the former exceeds 1 MiB."""
MAX_NESTING = 3
_FREE_BYTES = 1024 * 1024
_CHUNK = 256 * 1024

_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
_UNSUPPORTED = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd", b"7z\xbc\xaf": "7z"}
_TAR_FAULTS = (
    tarfile.TarError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RecursionError,
    IndexError,
)
_ZIP_FAULTS = (
    zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, NotImplementedError,
    OverflowError, IndexError, zlib.error,
)  # fmt: skip
_ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive."""

    name: str
    read: Callable[[], bytes] = field(repr=False)


@dataclass(slots=True)
class _Budget:
    """How many more bytes may be decompressed."""

    source: str
    left: int = MAX_ARCHIVE_BYTES

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise _too_large(self.source, MAX_ARCHIVE_BYTES)


def _too_large(source: str, limit: int) -> DocumentError:
    return DocumentError(
        f"more than {limit // 1024**2} MiB",
        source=source,
        remedy="unpack it yourself, and name the file that you need",
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


def gunzip(data: bytes, source: str) -> bytes:
    """Return the decompressed bytes, refusing bombs on the way.

    Raises
    ------
    DocumentError
        The data are broken, decompress to more than a JSON text (or a tar archive) may have, or
        by more than a factor :data:`MAX_RATIO`.
    """
    chunks: list[bytes] = []
    size, limit, rest = 0, MAX_DOCUMENT_BYTES, data
    try:
        while rest.startswith(_GZIP):
            stream = zlib.decompressobj(wbits=31)
            while not stream.eof:
                chunk = stream.decompress(rest, _CHUNK)
                rest = stream.unconsumed_tail
                if not chunk and not stream.eof and not rest:
                    raise EOFError("the data end too early")
                if not chunks and _is_tar(chunk):
                    limit = MAX_ARCHIVE_BYTES
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise _too_large(source, limit)
                if size > _FREE_BYTES and size > MAX_RATIO * len(data):
                    raise DocumentError(
                        f"decompresses to more than {MAX_RATIO} times its size",
                        source=source,
                        remedy="unpack it yourself, and look what it is",
                    )
            rest = stream.unused_data
        if rest.strip(b"\0"):
            raise ValueError("something follows the compressed data")
    except (zlib.error, EOFError, ValueError) as error:
        raise _broken(source, "gzip file", error) from None
    return b"".join(chunks)


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
    members: list[Member] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for count, info in enumerate(archive):
                _count(count, source)
                if info.isreg() and not info.issparse():
                    begin, end = info.offset_data, info.offset_data + info.size
                    if end > len(data):
                        raise EOFError("the data end too early")
                    members.append(Member(_clean(info.name), lambda b=begin, e=end: data[b:e]))
    except _TAR_FAULTS as error:
        raise _broken(source, "tar archive", error) from None
    return _unique(members, source)


def _zip_members(data: bytes, source: str) -> list[Member]:
    budget = _Budget(source)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except _ZIP_FAULTS as error:
        raise _broken(source, "zip archive", error) from None
    _count(len(infos) - 1, source)

    def reader(info: zipfile.ZipInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                with archive.open(info) as stream:
                    content = stream.read(min(budget.left, MAX_ARCHIVE_BYTES) + 1)
            except _ZIP_FAULTS as error:
                raise _broken(f"{source}:{_clean(info.filename)}", "zip member", error) from None
            budget.spend(len(content))
            if len(content) > max(_FREE_BYTES, MAX_RATIO * len(data)):
                raise DocumentError(
                    f"decompresses to more than {MAX_RATIO} times its size",
                    source=source,
                    remedy="unpack it yourself, and look what it is",
                )
            return content

        return read

    files = [info for info in infos if not info.is_dir() and (info.external_attr >> 28) != 0xA]
    return _unique([Member(_clean(info.filename), reader(info)) for info in files], source)


def _count(index: int, source: str) -> None:
    if index >= MAX_MEMBERS:
        raise DocumentError(
            f"more than {MAX_MEMBERS} members",
            source=source,
            remedy="unpack it yourself, and name the file that you need",
        )


def _clean(name: str) -> str:
    return name.removeprefix("./")


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
    """Return ``"workspace"``, ``"patch set"`` or ``"patch"``, by a look at JSON text."""
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"["):
        return "patch" if b'"op"' in text else None
    if not text.startswith(b"{"):
        return None
    if b'"patches"' in text and b'"metadata"' in text:
        return "patch set"
    return "workspace" if b'"channels"' in text and b'"measurements"' in text else None


def _walk(
    data: bytes, source: str, prefix: str = "", depth: int = 0, budget: _Budget | None = None
) -> list[tuple[str, Callable[[], bytes]]]:
    """Return (name, reader) of all JSON members, those of archives within archives included."""
    found: list[tuple[str, Callable[[], bytes]]] = []
    budget = budget or _Budget(source)
    for member in read_members(data, source) or []:
        name = prefix + member.name
        lower = member.name.lower()
        if lower.endswith((".json", ".json.gz")):
            found.append((name, member.read))
        elif lower.endswith(_ARCHIVE_ENDINGS) and depth < MAX_NESTING:
            inner = _unpacked(member.read(), f"{source}:{name}")
            budget.spend(len(inner))
            found += _walk(inner, source, f"{name}:", depth + 1, budget)
            _count(len(found) - 1, source)
    return found


def _unpacked(data: bytes, source: str) -> bytes:
    return gunzip(data, source) if data.startswith(_GZIP) else data


def list_workspaces(data: bytes, source: str) -> list[tuple[str, bytes]]:
    """Return (member name, JSON bytes) of all workspaces in an archive, or of a lone workspace.

    The name of a lone workspace is empty.
    """
    data = _unpacked(data, source)
    if read_members(data, source) is None:
        return [("", data)] if looks_like(data) == "workspace" else []
    found = []
    for name, read in _walk(data, source):
        text = _unpacked(read(), f"{source}:{name}")
        if looks_like(text) == "workspace":
            found.append((name, text))
    return found


@dataclass(slots=True)
class Opener:
    """Opens the sources of one command; keeps archives, so that each is read once."""

    stdin: BinaryIO | None = None
    archives: dict[str, bytes] = field(default_factory=dict)

    def read(self, source: str | PathLike[str] | bytes, kind: str) -> tuple[str, bytes]:
        """Return the label and the JSON bytes of a source.

        Parameters
        ----------
        source
            Path, ``"-"``, ``archive:member``, or bytes.
        kind
            ``"workspace"``, ``"patch set"`` or ``"patch"``: what is looked for in an archive.

        Raises
        ------
        DocumentError
            The source cannot be read, or does not hold exactly one such document.
        """
        label, path, member = self._resolve(source)
        data = self._bytes(source, label, path)
        for magic, name in _UNSUPPORTED.items():
            if data.startswith(magic):
                raise DocumentError(
                    f"compressed with {name}",
                    source=label,
                    remedy="use JSON, gzip, tar, tar.gz or zip",
                )
        if read_members(data, label) is not None:
            return self._from_archive(data, label, member, kind)
        if member:
            raise DocumentError(
                "not a tar or zip archive", source=label, remedy=f"leave out :{member[:60]}"
            )
        return label, data

    def _resolve(self, source: str | PathLike[str] | bytes) -> tuple[str, Path | None, str]:
        if isinstance(source, bytes):
            return "(bytes)", None, ""
        text = str(source)
        if text == "-":
            return "-", None, ""
        if _is_file(text):
            return text, Path(text), ""
        position = text.find(":")
        while position > 0:
            if _is_file(text[:position]):
                return text[:position], Path(text[:position]), text[position + 1 :]
            position = text.find(":", position + 1)
        raise DocumentError(
            "there is no such file",
            source=text[:300],
            remedy="check the path; a member of an archive is named archive.tar.gz:member.json",
        )

    def _bytes(self, source: str | PathLike[str] | bytes, label: str, path: Path | None) -> bytes:
        if isinstance(source, bytes):
            raw = source
        elif label in self.archives:
            return self.archives[label]
        else:
            raw = self._load(label, path)
        data = _unpacked(raw, label)
        if path is not None:
            self.archives[label] = data
        return data

    def _load(self, label: str, path: Path | None) -> bytes:
        try:
            if path is not None:
                with path.open("rb") as stream:
                    raw = stream.read(MAX_ARCHIVE_BYTES + 1)
            elif self.stdin is not None:
                raw = self.stdin.read(MAX_ARCHIVE_BYTES + 1)
            else:
                raw = b""
        except OSError as error:
            raise DocumentError(
                f"cannot be read ({error.strerror or error})",
                source=label,
                remedy="check the path and its permissions",
            ) from None
        if len(raw) > MAX_ARCHIVE_BYTES:
            raise _too_large(label, MAX_ARCHIVE_BYTES)
        return raw

    def _from_archive(self, data: bytes, label: str, member: str, kind: str) -> tuple[str, bytes]:
        if member:
            return self._named(data, label, _clean(member))
        found: list[tuple[str, bytes]] = []
        for name, read in _walk(data, label):
            text = _unpacked(read(), f"{label}:{name}")
            if looks_like(text) == kind:
                found.append((name, text))
        if len(found) == 1:
            return f"{label}:{found[0][0]}", found[0][1]
        names = [name for name, _ in found]
        listed = ", ".join(f"{label}:{name}" for name in names[:20])
        raise DocumentError(
            f"the archive holds {len(found)} documents that look like a {kind}, not one",
            source=label,
            remedy=(
                f"name one of them: {listed}{', ...' if len(names) > 20 else ''}"
                if names
                else f"name a member as {label}:member.json"
            ),
        )

    def _named(self, data: bytes, label: str, member: str) -> tuple[str, bytes]:
        where, rest = label, member
        for _ in range(MAX_NESTING + 1):
            members = {m.name: m for m in read_members(data, where) or []}
            if rest in members:
                name, rest = rest, ""
            else:
                cut = next(
                    (i for i, c in enumerate(rest) if c == ":" and rest[:i] in members), None
                )
                if cut is None:
                    break
                name, rest = rest[:cut], rest[cut + 1 :]
            where = f"{where}:{name}"
            data = _unpacked(members[name].read(), where)
            if not rest:
                return where, data
        near = [name for name, _ in _walk(data, where)][:20]
        raise DocumentError(
            f"the archive has no member {shown(rest)}",
            source=where,
            remedy=f"choose one of: {', '.join(near) or '(it holds no JSON)'}",
        )


def _is_file(text: str) -> bool:
    try:
        return bool(text) and (Path(text).is_file() or Path(text).is_fifo())
    except (OSError, ValueError):
        return False
