"""darkstats: certified limits for dark-sector searches.

The pipeline, each step a function from frozen values to frozen values::

    read_workspace     file, patches           -> Workspace           checked, with a digest
    compile_workspace  Workspace               -> HistFactoryModel    flat arrays, with the data
    fit_model          model, observation      -> FitResult           a certified minimum
    hypotest           model, observation, mu  -> HypoTestResult      CLs, CLs+b, CLb
    upper_limit        model, observation      -> UpperLimit          observed and expected
    credible_limit     model, observation      -> CredibleLimit       Bayesian, with its posterior
    bayes_limits       models, observations    -> CredibleLimit each  thousands of windows at once
    significance       model, observation      -> Significance        p0 and Z
    goodness_of_fit    model, observation      -> GoodnessOfFit       against saturation

and from files to records and figures, what the verbs of the command line do::

    limit              workspace               -> Outcome             with record and figures
    mass_scan          search, or patch set    -> Outcome             at all hypotheses
    global_significance  folder of a scan      -> Outcome             of the largest excess
    project, reinterpret_likelihood            -> Outcome             other luminosity, own signal
    rank, scan_poi     workspace               -> Outcome             impacts, profile
    plot, contour, recast, export, publish, verify  -> Outcome        of finished results
    build_template, convert, simplify,
    combine, prune, rename, download           -> Outcome             workspaces

An :class:`Outcome` has the frozen result of the library, the record, and figures. A
:class:`Client` asks a service the same. Names are loaded when they are first used:
``import darkstats`` itself loads nothing else. ``scan`` and
``reinterpret`` are packages, so that the functions have longer names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkstats.errors import (
        ArgumentTypeError,
        DarkstatsError,
        FitFailedError,
        InputError,
        LimitNotFoundError,
        NotCertifiedError,
        UnknownNameError,
        WorkspaceError,
    )
    from darkstats.fit import (
        FitOptions,
        FitResult,
        covariance,
        fit_batch,
        impacts,
        profile_interval,
        profile_scan,
    )
    from darkstats.fit import fit as fit_model
    from darkstats.inference.asimov import asimov_data
    from darkstats.inference.bayes import (
        CredibleLimit,
        NuisancePriors,
        bayes_limits,
        credible_limit,
        parse_prior,
    )
    from darkstats.inference.feldman_cousins import feldman_cousins
    from darkstats.inference.goodness_of_fit import goodness_of_fit
    from darkstats.inference.hypotest import hypotest
    from darkstats.inference.p_values import ToyOptions
    from darkstats.inference.results import (
        GoodnessOfFit,
        HypoTestResult,
        Interval,
        Significance,
        UpperLimit,
    )
    from darkstats.inference.significance import significance
    from darkstats.inference.upper_limit import upper_limit
    from darkstats.model import (
        HistFactoryModel,
        InterpolationCodes,
        Observation,
        compile_workspace,
    )
    from darkstats.service.client import Client
    from darkstats.tasks import (
        build_template,
        combine,
        contour,
        convert,
        download,
        export,
        global_significance,
        limit,
        mass_scan,
        plot,
        project,
        prune,
        publish,
        rank,
        recast,
        reinterpret_likelihood,
        rename,
        scan_poi,
        simplify,
        verify,
    )
    from darkstats.workflows import Outcome
    from darkstats.workspace import PatchSet, Workspace, lint, read_patchset, read_workspace

__all__ = [
    "ArgumentTypeError",
    "Client",
    "CredibleLimit",
    "DarkstatsError",
    "FitFailedError",
    "FitOptions",
    "FitResult",
    "GoodnessOfFit",
    "HistFactoryModel",
    "HypoTestResult",
    "InputError",
    "InterpolationCodes",
    "Interval",
    "LimitNotFoundError",
    "NotCertifiedError",
    "NuisancePriors",
    "Observation",
    "Outcome",
    "PatchSet",
    "Significance",
    "ToyOptions",
    "UnknownNameError",
    "UpperLimit",
    "Workspace",
    "WorkspaceError",
    "__version__",
    "asimov_data",
    "bayes_limits",
    "build_template",
    "combine",
    "compile_workspace",
    "contour",
    "convert",
    "covariance",
    "credible_limit",
    "download",
    "export",
    "feldman_cousins",
    "fit_batch",
    "fit_model",
    "global_significance",
    "goodness_of_fit",
    "hypotest",
    "impacts",
    "limit",
    "lint",
    "mass_scan",
    "parse_prior",
    "plot",
    "profile_interval",
    "profile_scan",
    "project",
    "prune",
    "publish",
    "rank",
    "read_patchset",
    "read_workspace",
    "recast",
    "reinterpret_likelihood",
    "rename",
    "scan_poi",
    "significance",
    "simplify",
    "upper_limit",
    "verify",
]

_HOMES = {
    "darkstats.errors": (
        "ArgumentTypeError",
        "DarkstatsError",
        "FitFailedError",
        "InputError",
        "LimitNotFoundError",
        "NotCertifiedError",
        "UnknownNameError",
        "WorkspaceError",
    ),
    "darkstats.fit": (
        "FitOptions",
        "FitResult",
        "covariance",
        "fit_batch",
        "impacts",
        "profile_interval",
        "profile_scan",
    ),
    "darkstats.inference.asimov": ("asimov_data",),
    "darkstats.inference.bayes": (
        "CredibleLimit",
        "NuisancePriors",
        "bayes_limits",
        "credible_limit",
        "parse_prior",
    ),
    "darkstats.inference.feldman_cousins": ("feldman_cousins",),
    "darkstats.inference.goodness_of_fit": ("goodness_of_fit",),
    "darkstats.inference.hypotest": ("hypotest",),
    "darkstats.inference.p_values": ("ToyOptions",),
    "darkstats.inference.results": (
        "GoodnessOfFit",
        "HypoTestResult",
        "Interval",
        "Significance",
        "UpperLimit",
    ),
    "darkstats.inference.significance": ("significance",),
    "darkstats.inference.upper_limit": ("upper_limit",),
    "darkstats.model": (
        "HistFactoryModel",
        "InterpolationCodes",
        "Observation",
        "compile_workspace",
    ),
    "darkstats.service.client": ("Client",),
    "darkstats.tasks": (
        "build_template",
        "combine",
        "contour",
        "convert",
        "download",
        "export",
        "global_significance",
        "limit",
        "mass_scan",
        "plot",
        "project",
        "prune",
        "publish",
        "rank",
        "recast",
        "reinterpret_likelihood",
        "rename",
        "scan_poi",
        "simplify",
        "verify",
    ),
    "darkstats.workflows": ("Outcome",),
    "darkstats.workspace": ("PatchSet", "Workspace", "lint", "read_patchset", "read_workspace"),
}
_HOME = {name: (home, name) for home, names in _HOMES.items() for name in names}
_HOME["fit_model"] = ("darkstats.fit", "fit")  # the name fit belongs to the package darkstats.fit


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from darkstats.provenance import package_version

        return package_version("darkstats") or "0+unknown"
    if name not in _HOME:
        raise AttributeError(f"module 'darkstats' has no attribute {name!r}")
    home, attribute = _HOME[name]
    value: object = getattr(import_module(home), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
