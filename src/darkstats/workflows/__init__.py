"""One function for each task that a user can name: request -> outcome. The only door for shells.

A request is frozen and checked when it is made; an outcome holds the library's result and makes the
record, the table and the figures on demand. Nothing heavy is imported before a task needs it:
``inspect`` and ``digest`` never load the compiler, and no task loads what draws until a figure is
asked for. Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkstats.workflows.builds import BuildRequest, SimulateRequest, build, simulate
    from darkstats.workflows.document_requests import (
        CombineRequest,
        DigestRequest,
        DownloadRequest,
        InspectRequest,
        PruneRequest,
        RenameRequest,
    )
    from darkstats.workflows.documents import combine, digest, download, inspect, prune, rename
    from darkstats.workflows.fits import fit, rank, scan_poi
    from darkstats.workflows.outcome import Outcome, Shell
    from darkstats.workflows.requests import (
        BayesRequest,
        FitRequest,
        GoodnessRequest,
        HypoTestRequest,
        LimitRequest,
        ModelRequest,
        RankRequest,
        ScanRequest,
        SignificanceRequest,
        ToyRequest,
        WorkspaceRequest,
    )
    from darkstats.workflows.statistics import gof, hypotest, limit, significance

__all__ = [
    "BayesRequest",
    "BuildRequest",
    "CombineRequest",
    "DigestRequest",
    "DownloadRequest",
    "FitRequest",
    "GoodnessRequest",
    "HypoTestRequest",
    "InspectRequest",
    "LimitRequest",
    "ModelRequest",
    "Outcome",
    "PruneRequest",
    "RankRequest",
    "RenameRequest",
    "ScanRequest",
    "Shell",
    "SignificanceRequest",
    "SimulateRequest",
    "ToyRequest",
    "WorkspaceRequest",
    "build",
    "combine",
    "digest",
    "download",
    "fit",
    "gof",
    "hypotest",
    "inspect",
    "limit",
    "prune",
    "rank",
    "rename",
    "scan_poi",
    "significance",
    "simulate",
]

_HOMES = {
    "builds": ("BuildRequest", "SimulateRequest", "build", "simulate"),
    "document_requests": (
        "CombineRequest",
        "DigestRequest",
        "DownloadRequest",
        "InspectRequest",
        "PruneRequest",
        "RenameRequest",
    ),
    "documents": ("combine", "digest", "download", "inspect", "prune", "rename"),
    "fits": ("fit", "rank", "scan_poi"),
    "outcome": ("Outcome", "Shell"),
    "requests": (
        "BayesRequest",
        "FitRequest",
        "GoodnessRequest",
        "HypoTestRequest",
        "LimitRequest",
        "ModelRequest",
        "RankRequest",
        "ScanRequest",
        "SignificanceRequest",
        "ToyRequest",
        "WorkspaceRequest",
    ),
    "statistics": ("gof", "hypotest", "limit", "significance"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'darkstats.workflows' has no attribute {name!r}")
    value: object = getattr(import_module(f"darkstats.workflows.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
