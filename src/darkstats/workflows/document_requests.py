"""What a user asks of a document: one frozen request for each task."""

from __future__ import annotations

from dataclasses import dataclass

from darkstats.workflows.requests import WorkspaceRequest

__all__ = [
    "CombineRequest",
    "DigestRequest",
    "DownloadRequest",
    "InspectRequest",
    "PruneRequest",
    "RenameRequest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectRequest:
    """What a workspace holds."""

    workspace: WorkspaceRequest
    measurement: str | None = None


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
