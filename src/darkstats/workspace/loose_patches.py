"""Patches in files of their own, one for each signal: from file names to a patch set.

A naming rule such as ``patch.sbottom_{m_sb}_{m_n2}_{m_n1}`` says where the values of a signal
stand in the name of its file. Folders and endings (``.json``, ``.json.gz``, ...) are no part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import DocumentError, OptionError, PatchError
from darkstats.workspace.archives import read_members, unpacked, walk_members
from darkstats.workspace.containers import kind_of
from darkstats.workspace.findings import shown
from darkstats.workspace.patch import parse_patch
from darkstats.workspace.spec import pyhf_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.workspace.json_values import JsonValue
    from darkstats.workspace.sources import Opener

__all__ = ["LoosePatch", "NamingRule", "find_patches", "make_patch_set"]

MAX_PATCHES = 20_000
PLACEHOLDER = "ins0000000"
_ENDING = re.compile(r"\.json(\.(gz|xz|bz2))?$")
_LABEL = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[a-zA-Z0-9_]+")
_INTEGER, _POINT = re.compile(r"-?\d{1,15}"), re.compile(r"-?\d+p\d+")
_WILD = "*?["


@dataclass(frozen=True, slots=True)
class LoosePatch:
    """A patch in a file of its own: where it is, its file name without ending, its operations."""

    source: str
    stem: str
    operations: JsonValue = field(repr=False)


@dataclass(frozen=True, slots=True)
class NamingRule:
    """Where the values of a signal stand in the name of its file.

    Parameters
    ----------
    text
        The name without folder and ending, with ``{label}`` in the place of each value. A number
        may have ``p`` for its decimal point, as in ``1p65``.

    Raises
    ------
    OptionError
        It names no label, one that is no name, or one twice; or two labels touch.
    """

    text: str

    def __post_init__(self) -> None:
        labels = self.labels
        example = "write one like patch.sbottom_{m_sb}_{m_n1}"
        if not labels:
            raise OptionError(f"the naming rule {self.text!r} has no {{label}}: {example}")
        for label in labels:
            if not _NAME.fullmatch(label) or label[0].isdigit():
                raise OptionError(
                    f"the naming rule has {{{label}}}: letters, digits and _ only, a letter first"
                )
        if len(set(labels)) < len(labels):
            raise OptionError(f"the naming rule {self.text!r} names a label twice")
        if "}{" in self.text:
            raise OptionError(f"two labels touch in {self.text!r}: nothing tells where one ends")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels, in their order."""
        return tuple(_LABEL.findall(self.text))

    def values(self, stem: str, source: str = "") -> list[float | int | str]:
        """Return the values in a name.

        Raises
        ------
        DocumentError
            The name does not follow the rule.
        """
        parts = _LABEL.split(_ENDING.sub("", self.text))
        pattern = "".join("(.+?)" if k % 2 else re.escape(part) for k, part in enumerate(parts))
        found = re.fullmatch(pattern, stem)
        if found is None:
            raise DocumentError(
                f"the name {shown(stem)} does not follow the naming rule {shown(self.text)}",
                source=source,
                remedy="correct the rule, or let the pattern of files leave this one out",
            )
        return [_value(text) for text in found.groups()]


def _value(text: str) -> float | int | str:
    if _INTEGER.fullmatch(text):
        return int(text)
    number = text.replace("p", ".") if _POINT.fullmatch(text) else text
    try:
        found = float(number)
    except ValueError:
        return text
    return found if abs(found) < float("inf") else text


def find_patches(patterns: Sequence[str], opener: Opener) -> list[LoosePatch]:
    """Return the patches that file names and patterns name, sorted by name within each.

    Parameters
    ----------
    patterns
        Files; patterns such as ``patches/patch.*.json``; members of archives, or patterns of them,
        such as ``record.tar.gz:RegionA/patch.*.json``.
    opener
        Reads the files.

    Raises
    ------
    DocumentError
        Nothing has this name, or a file cannot be read.
    PatchError
        A file is no patch.
    """
    found: dict[str, LoosePatch] = {}
    for pattern in patterns:
        for source, data in _expanded(pattern, opener):
            if source not in found:
                found[source] = _patch(source, data)
            if len(found) > MAX_PATCHES:
                raise OptionError(f"more than {MAX_PATCHES} patches: scan them in several parts")
    return list(found.values())


def _patch(source: str, data: bytes) -> LoosePatch:
    operations = parse_patch(data, source=source)
    if kind_of(operations) != "patch":
        raise PatchError(
            f"this is no patch but a {kind_of(operations)}", source=source,
            remedy="a patch is a list of operations; name a patch set with --patchset",
        )  # fmt: skip
    name = source.replace("\\", "/").rpartition("/")[2].rpartition(":")[2]
    return LoosePatch(source, _ENDING.sub("", name), operations)


def _expanded(pattern: str, opener: Opener) -> list[tuple[str, bytes]]:
    if not any(sign in pattern for sign in _WILD) or Path(pattern).is_file():
        return [opener.read(pattern, "patch")]
    archive, member = _archive_of(pattern)
    if archive:
        data = opener.archive(archive)
        if read_members(data, archive) is None:
            raise DocumentError(
                "not a tar or zip archive", source=archive, remedy=f"leave out :{member[:60]}"
            )
        members = sorted(
            (name, read) for name, read in walk_members(data, archive) if fnmatchcase(name, member)
        )
        if members:
            return [(f"{archive}:{n}", unpacked(read(), f"{archive}:{n}")) for n, read in members]
        raise DocumentError(
            f"no JSON member is named like {shown(member)}", source=archive,
            remedy="list the members with tar tf or unzip -l, and correct the pattern",
        )  # fmt: skip
    names = sorted(name for name in glob(pattern) if Path(name).is_file())  # noqa: PTH207 -- keeps how the user writes paths
    if not names:
        raise DocumentError(
            "no file is named like this", source=pattern[:300],
            remedy="check the pattern, and write it in quotes; members of an archive are named "
            "archive.tar.gz:patch.*.json",
        )  # fmt: skip
    return [opener.read(name, "patch") for name in names]


def _archive_of(pattern: str) -> tuple[str, str]:
    position = pattern.find(":")
    while position > 0:
        if Path(pattern[:position]).is_file():
            return pattern[:position], pattern[position + 1 :]
        position = pattern.find(":", position + 1)
    return "", ""


def make_patch_set(
    workspace: JsonValue,
    patches: Sequence[LoosePatch],
    rule: NamingRule | None = None,
    *,
    description: str = "",
    hepdata: str = PLACEHOLDER,
) -> dict[str, JsonValue]:
    """Return a patch set (pyhf schema 1.0.0) of loose patches, tied to its workspace.

    Parameters
    ----------
    workspace
        The background-only document; the patch set carries its digests.
    patches
        What :func:`find_patches` returned.
    rule
        Naming rule; without one the only label is ``name``, with the names of the files.
    description, hepdata
        For the metadata.

    Raises
    ------
    DocumentError
        A name does not follow the rule.
    """
    labels = ["name"] if rule is None else list(rule.labels)
    points = []
    for one in patches:
        values: list[JsonValue] = (
            [one.stem] if rule is None else list(rule.values(one.stem, one.source))
        )
        name = re.sub("[^a-zA-Z0-9_]+", "_", one.stem.removeprefix("patch.")) or "patch"
        points.append({"metadata": {"name": name, "values": values}, "patch": one.operations})
    return {
        "version": "1.0.0",
        "metadata": {
            "references": {"hepdata": hepdata},
            "digests": {"sha256": pyhf_digest(workspace), "md5": pyhf_digest(workspace, "md5")},
            "labels": labels,
            "description": description or "signal points",
        },
        "patches": points,
    }
