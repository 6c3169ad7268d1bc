"""One function for each task that a user can name: request -> outcome. The only door for shells.

A request is frozen and checked when it is made; an outcome holds the library's result and makes the
record, the table and the figures on demand. Nothing heavy is imported before a task needs it:
``inspect`` and ``digest`` never load the compiler, and no task loads what draws until a figure is
asked for.
"""

from __future__ import annotations

from darkstats.workflows.documents import (
    combine,
    digest,
    download,
    inspect,
    prune,
    rename,
)
from darkstats.workflows.fits import fit, rank, scan_poi
from darkstats.workflows.outcome import Outcome, Progress, Shell
from darkstats.workflows.requests import (
    CombineRequest,
    DigestRequest,
    DownloadRequest,
    FitRequest,
    GoodnessRequest,
    HypoTestRequest,
    InspectRequest,
    LimitRequest,
    ModelRequest,
    PruneRequest,
    RankRequest,
    RenameRequest,
    ScanRequest,
    SignificanceRequest,
    ToyRequest,
    WorkspaceRequest,
)
from darkstats.workflows.statistics import gof, hypotest, limit, significance

__all__ = [
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
    "Progress",
    "PruneRequest",
    "RankRequest",
    "RenameRequest",
    "ScanRequest",
    "Shell",
    "SignificanceRequest",
    "ToyRequest",
    "WorkspaceRequest",
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
]
