"""Open the sources of a command: files, standard input, bytes, members of archives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from darkstats.errors import DocumentError, listed
from darkstats.workspace.archives import (
    MAX_ARCHIVE_BYTES,
    MAX_NESTING,
    clean_name,
    find_documents,
    read_members,
    too_large,
    unpacked,
    walk_members,
)
from darkstats.workspace.findings import shown

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Opener"]

_UNSUPPORTED = {b"(\xb5/\xfd": "zstd", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}


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
                    remedy="unpack it, or use gzip, xz, bzip2, tar or zip",
                )
        if read_members(data, label) is not None:
            return self._from_archive(data, label, member, kind)
        if member:
            raise DocumentError(
                "not a tar or zip archive", source=label, remedy=f"leave out :{member[:60]}"
            )
        return label, data

    def archive(self, path: str) -> bytes:
        """Return the unpacked bytes of a file, read once."""
        return self._bytes(path, path, Path(path))

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
        if _is_folder(text):
            raise DocumentError("this is a folder", source=text, remedy=_remedy_in(Path(text)))
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
        data = unpacked(raw, label)
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
            raise too_large(label, MAX_ARCHIVE_BYTES)
        return raw

    def _from_archive(self, data: bytes, label: str, member: str, kind: str) -> tuple[str, bytes]:
        if member:
            return self._named(data, label, clean_name(member))
        found = _different(find_documents(data, label, kind))
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
            data = unpacked(members[name].read(), where)
            if not rest:
                return where, data
        near = listed(rest, [name for name, _ in walk_members(data, where)])
        raise DocumentError(
            f"the archive has no member {shown(rest)}",
            source=where,
            remedy=f"choose one of: {near or '(it holds no JSON)'}",
        )


def _different(documents: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Documents without their copies in archives within the archive, as in that of a bundle."""
    least: dict[bytes, int] = {}
    for name, data in documents:
        least[data] = min(name.count(":"), least.get(data, MAX_NESTING))
    return [(name, data) for name, data in documents if name.count(":") == least[data]]


def _remedy_in(folder: Path) -> str:
    """What to name of a folder: of a built search, its workspace, patch set and a hypothesis."""
    usual = "name a file in it"
    found = [
        next(
            (str(p) for p in (folder / f"{stem}.json", folder / f"{stem}.json.gz") if p.is_file()),
            "",
        )
        for stem in ("background_only", "patchset")
    ]
    if not all(found):
        return usual
    return (
        f"{usual}: {found[0]} --patchset {found[1]} --point NAME for one "
        "hypothesis of this search, or give the folder to darkstats scan for all"
    )


def _is_folder(text: str) -> bool:
    try:
        return bool(text) and Path(text).is_dir()
    except (OSError, ValueError):
        return False


def _is_file(text: str) -> bool:
    try:
        return bool(text) and (Path(text).is_file() or Path(text).is_fifo())
    except (OSError, ValueError):
        return False
