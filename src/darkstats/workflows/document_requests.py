"""What a user asks of a document: one frozen request for each task."""

from __future__ import annotations

from dataclasses import dataclass

from darkstats.errors import OptionError
from darkstats.workflows.requests import WorkspaceRequest

__all__ = [
    "CombineRequest",
    "DigestRequest",
    "DownloadRequest",
    "InspectRequest",
    "PatchSetRequest",
    "PruneRequest",
    "RenameRequest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectRequest:
    """What a workspace holds, or a patch set, or a patch.

    Parameters
    ----------
    workspace, measurement
        Which.
    findings
        ``"summary"`` counts what the linter finds often and shows the first; ``"all"`` lists all.
    """

    workspace: WorkspaceRequest
    measurement: str | None = None
    findings: str = "summary"

    def __post_init__(self) -> None:
        """Check the words.

        Raises
        ------
        OptionError
            Findings are to be shown in another way than ``summary`` or ``all``.
        """
        if self.findings not in {"summary", "all"}:
            raise OptionError(f"--findings {self.findings}: choose summary or all")


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchSetRequest:
    """A patch set out of patches in files of their own.

    Parameters
    ----------
    workspace
        The background-only workspace.
    patches
        Files, patterns and members of archives.
    name_pattern
        Where values stand in the names of the files; None makes the names the values.
    description, hepdata
        For the metadata; a reference is ``ins`` and seven digits.
    """

    workspace: str
    patches: tuple[str, ...]
    name_pattern: str | None = None
    description: str = ""
    hepdata: str | None = None

    def __post_init__(self) -> None:
        """Check that there are patches.

        Raises
        ------
        OptionError
            No patch is named.
        """
        if not self.patches:
            raise OptionError("name the patches with --patch: files, or a pattern in quotes")


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineRequest:
    """One workspace out of two."""

    left: str
    right: str
    join: str = "none"
    merge_channels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """A workspace without some of its parts."""

    workspace: WorkspaceRequest
    channels: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    modifier_types: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameRequest:
    """A workspace with other names: pairs (old, new)."""

    workspace: WorkspaceRequest
    channels: tuple[tuple[str, str], ...] = ()
    samples: tuple[tuple[str, str], ...] = ()
    modifiers: tuple[tuple[str, str], ...] = ()
    measurements: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRequest:
    """Digests of a workspace."""

    workspace: WorkspaceRequest
    sort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRequest:
    """A published likelihood by DOI or URL, into a folder."""

    source: str
    folder: str = "."
    allowed_hosts: tuple[str, ...] = ()
