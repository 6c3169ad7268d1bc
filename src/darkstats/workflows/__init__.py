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
    from darkstats.scan.settings import BayesSettings
    from darkstats.workflows.builds import BuildRequest, SimulateRequest, build, simulate
    from darkstats.workflows.contours import contour
    from darkstats.workflows.conversions import ConvertRequest, convert
    from darkstats.workflows.dark_higgs_reading import DarkHiggsRequest, dark_higgs
    from darkstats.workflows.document_requests import (
        CitationRequest,
        CombineRequest,
        DigestRequest,
        DownloadRequest,
        Hs3Request,
        InspectRequest,
        PatchSetRequest,
        PruneRequest,
        RenameRequest,
    )
    from darkstats.workflows.documents import combine, digest, download, hs3, inspect, prune, rename
    from darkstats.workflows.exports import citation, export
    from darkstats.workflows.fit_requests import FitRequest, RankRequest, ScanRequest
    from darkstats.workflows.fits import fit, rank, scan_poi
    from darkstats.workflows.outcome import Outcome, Shell
    from darkstats.workflows.patch_sets import create_patch_set
    from darkstats.workflows.plot_requests import ContourRequest, ExportRequest, PlotRequest
    from darkstats.workflows.plots import plot
    from darkstats.workflows.publication import publish
    from darkstats.workflows.publication_requests import PublishRequest, VerifyRequest
    from darkstats.workflows.recast_requests import RecastRequest
    from darkstats.workflows.recasts import recast
    from darkstats.workflows.reinterpretation import ReinterpretRequest, reinterpret
    from darkstats.workflows.requests import (
        GoodnessRequest,
        HypoTestRequest,
        LimitRequest,
        ModelRequest,
        SignificanceRequest,
        ToyRequest,
        WorkspaceRequest,
    )
    from darkstats.workflows.scan_requests import (
        GlobalRequest,
        MassScanRequest,
        MergeRequest,
        ProjectRequest,
        ShardRequest,
    )
    from darkstats.workflows.scans import merge_shards, plan_shards, project, run_shard, scan
    from darkstats.workflows.search_start import SearchStartRequest, start_search
    from darkstats.workflows.simplification import SimplifyRequest, simplify
    from darkstats.workflows.statistics import gof, hypotest, limit, significance
    from darkstats.workflows.templates import (
        TemplateRequest,
        TemplateStartRequest,
        build_template,
        start_template,
    )
    from darkstats.workflows.trials import global_significance
    from darkstats.workflows.verification import verify

__all__ = [
    "BayesSettings",
    "BuildRequest",
    "CitationRequest",
    "CombineRequest",
    "ContourRequest",
    "ConvertRequest",
    "DarkHiggsRequest",
    "DigestRequest",
    "DownloadRequest",
    "ExportRequest",
    "FitRequest",
    "GlobalRequest",
    "GoodnessRequest",
    "Hs3Request",
    "HypoTestRequest",
    "InspectRequest",
    "LimitRequest",
    "MassScanRequest",
    "MergeRequest",
    "ModelRequest",
    "Outcome",
    "PatchSetRequest",
    "PlotRequest",
    "ProjectRequest",
    "PruneRequest",
    "PublishRequest",
    "RankRequest",
    "RecastRequest",
    "ReinterpretRequest",
    "RenameRequest",
    "ScanRequest",
    "SearchStartRequest",
    "ShardRequest",
    "Shell",
    "SignificanceRequest",
    "SimplifyRequest",
    "SimulateRequest",
    "TemplateRequest",
    "TemplateStartRequest",
    "ToyRequest",
    "VerifyRequest",
    "WorkspaceRequest",
    "build",
    "build_template",
    "citation",
    "combine",
    "contour",
    "convert",
    "create_patch_set",
    "dark_higgs",
    "digest",
    "download",
    "export",
    "fit",
    "global_significance",
    "gof",
    "hs3",
    "hypotest",
    "inspect",
    "limit",
    "merge_shards",
    "plan_shards",
    "plot",
    "project",
    "prune",
    "publish",
    "rank",
    "recast",
    "reinterpret",
    "rename",
    "run_shard",
    "scan",
    "scan_poi",
    "significance",
    "simplify",
    "simulate",
    "start_search",
    "start_template",
    "verify",
]

_HOMES = {
    "builds": ("BuildRequest", "SimulateRequest", "build", "simulate"),
    "contours": ("contour",),
    "conversions": ("ConvertRequest", "convert"),
    "dark_higgs_reading": ("DarkHiggsRequest", "dark_higgs"),
    "document_requests": (
        "CitationRequest",
        "CombineRequest",
        "DigestRequest",
        "DownloadRequest",
        "Hs3Request",
        "InspectRequest",
        "PatchSetRequest",
        "PruneRequest",
        "RenameRequest",
    ),
    "documents": ("combine", "digest", "download", "hs3", "inspect", "prune", "rename"),
    "exports": ("citation", "export"),
    "fit_requests": ("FitRequest", "RankRequest", "ScanRequest"),
    "fits": ("fit", "rank", "scan_poi"),
    "outcome": ("Outcome", "Shell"),
    "patch_sets": ("create_patch_set",),
    "plot_requests": ("ContourRequest", "ExportRequest", "PlotRequest"),
    "plots": ("plot",),
    "publication": ("publish",),
    "publication_requests": ("PublishRequest", "VerifyRequest"),
    "requests": (
        "BayesSettings",
        "GoodnessRequest",
        "HypoTestRequest",
        "LimitRequest",
        "ModelRequest",
        "SignificanceRequest",
        "ToyRequest",
        "WorkspaceRequest",
    ),
    "recast_requests": ("RecastRequest",),
    "recasts": ("recast",),
    "reinterpretation": ("ReinterpretRequest", "reinterpret"),
    "scan_requests": (
        "GlobalRequest",
        "MassScanRequest",
        "MergeRequest",
        "ProjectRequest",
        "ShardRequest",
    ),
    "scans": ("merge_shards", "plan_shards", "project", "run_shard", "scan"),
    "search_start": ("SearchStartRequest", "start_search"),
    "simplification": ("SimplifyRequest", "simplify"),
    "statistics": ("gof", "hypotest", "limit", "significance"),
    "templates": (
        "TemplateRequest",
        "TemplateStartRequest",
        "build_template",
        "start_template",
    ),
    "trials": ("global_significance",),
    "verification": ("verify",),
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
