"""The manifest of a bundle, and its list of checksums: written, read, compared with the files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from darkstats.characters import spelled
from darkstats.errors import DocumentError
from darkstats.publication.contents import Contents, is_safe_name
from darkstats.publication.findings import MALFORMED, Findings, Problem
from darkstats.workspace.documents import parse_json

__all__ = [
    "CHECKSUMS",
    "MANIFEST",
    "SCHEMA",
    "Manifest",
    "check_files",
    "is_bundle",
    "read_manifest",
    "sealed",
]

SCHEMA = "darkstats.bundle/1"
MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says of itself.

    Parameters
    ----------
    document
        The whole of it.
    files
        Size in bytes and SHA-256 by name.
    """

    document: Mapping[str, Any] = field(repr=False)
    files: Mapping[str, tuple[int, str]] = field(repr=False)


def sealed(files: Mapping[str, bytes], facts: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files with the manifest that names them, and the checksums of both.

    Parameters
    ----------
    files
        Bytes by name.
    facts
        What else the manifest says.
    """
    listed = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    ]
    text = json.dumps(
        {"schema": SCHEMA, **facts, "files": listed}, sort_keys=True, allow_nan=False, indent=2
    )
    complete = {**files, MANIFEST: text.encode() + b"\n"}
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in complete.items())
    sums = "".join(sorted(lines, key=lambda line: line[66:]))
    return {**complete, CHECKSUMS: sums.encode()}


def is_bundle(contents: Contents) -> bool:
    """Whether there is a manifest of ours, whatever it says."""
    return (
        MANIFEST in contents.files
        and SCHEMA.rpartition("/")[0].encode() in (contents.files[MANIFEST])
    )


def read_manifest(data: bytes) -> Manifest:
    """Return a manifest whose names stay within the bundle.

    Raises
    ------
    DocumentError
        It is none; names the place.
    """
    found: Any = parse_json(data, source=MANIFEST)
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise DocumentError(
            f"its schema is {str(schema)[:40]!r}, not {SCHEMA!r}", source=MANIFEST,
            pointer="/schema", remedy="use the darkstats that wrote it, or publish it again",
        )  # fmt: skip
    items = found.get("files")
    if not isinstance(items, list) or not items:
        raise DocumentError("lists no files", source=MANIFEST, pointer="/files")
    files: dict[str, tuple[int, str]] = {}
    for k, item in enumerate(items):
        name, entry = _entry(item, f"/files/{k}")
        if name in files or name in {MANIFEST, CHECKSUMS}:
            raise DocumentError(f"names {name} again", source=MANIFEST, pointer=f"/files/{k}/name")
        files[name] = entry
    return Manifest(document=found, files=files)


def _entry(item: object, pointer: str) -> tuple[str, tuple[int, str]]:
    if not isinstance(item, dict):
        raise DocumentError("is no object", source=MANIFEST, pointer=pointer)
    name, size, digest = (item.get(key) for key in ("name", "size", "sha256"))
    if not isinstance(name, str) or not is_safe_name(name):
        raise DocumentError(
            f"is {str(name)[:60]!r}, which is no name within the bundle", source=MANIFEST,
            pointer=f"{pointer}/name", remedy="nothing was opened under this name",
        )  # fmt: skip
    if type(size) is not int or size < 0:
        raise DocumentError("is no size in bytes", source=MANIFEST, pointer=f"{pointer}/size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise DocumentError("is no SHA-256", source=MANIFEST, pointer=f"{pointer}/sha256")
    return name, (size, digest)


def check_files(contents: Contents, manifest: Manifest, findings: Findings) -> None:
    """Compare the files with the manifest, and the manifest with the list of checksums."""
    problems = list(contents.refused)
    for name, (size, digest) in manifest.files.items():
        data = contents.files.get(name)
        if data is None:
            problems.append(_malformed(name, "is missing"))
        elif len(data) != size:
            problems.append(_malformed(name, f"has {len(data)} bytes, not {size}"))
        elif hashlib.sha256(data).hexdigest() != digest:
            problems.append(_malformed(name, "is not the file of the manifest: SHA-256 differs"))
    known = {*manifest.files, MANIFEST, CHECKSUMS}
    problems += [
        _malformed(spelled(name), "is not in the manifest")
        for name in contents.files
        if name not in known
    ]
    findings.check("files", f"{len(manifest.files)} by size and SHA-256", problems)
    findings.check("checksums", f"{CHECKSUMS} names the same", _sums(contents, manifest))


def _sums(contents: Contents, manifest: Manifest) -> list[Problem]:
    data = contents.files.get(CHECKSUMS)
    if data is None:
        return [_malformed(CHECKSUMS, "is missing")]
    own = hashlib.sha256(contents.files[MANIFEST]).hexdigest()
    wanted = {name: digest for name, (_, digest) in manifest.files.items()} | {MANIFEST: own}
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            problems.append(_malformed(f"{CHECKSUMS}, line {number}", "is no checksum of a file"))
        else:
            found[match[2]] = match[1]
    for name in sorted(wanted.keys() | found.keys()):
        if found.get(name) != wanted.get(name):
            shown = name if is_safe_name(name) else ascii(name)[:60]
            where = "its own" if name == MANIFEST else "that of the manifest"
            problems.append(_malformed(CHECKSUMS, f"{shown}: the checksum is not {where}"))
    return problems


def _malformed(place: str, text: str) -> Problem:
    return Problem(kind=MALFORMED, place=place, text=text)
