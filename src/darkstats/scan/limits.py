"""Limits and local p-values of all hypotheses of a patch set, as a job in blocks."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.errors import FitFailedError, InputError, NotCertifiedError
from darkstats.execution.jobs import Job, Task, inputs_bytes
from darkstats.fit import FitOptions, fit
from darkstats.fit.warming import ensure_compiled
from darkstats.gaussian import survival
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.curve import NLL_TOLERANCE, ProfileCurve
from darkstats.inference.results import ToyOptions
from darkstats.inference.test_statistics import test_statistic
from darkstats.inference.upper_limit import limit_of_curve
from darkstats.model import InterpolationCodes, compile_workspace
from darkstats.provenance import versions
from darkstats.scan.projection import projected
from darkstats.scan.results import MassScan, ScanPoint, ScanSettings
from darkstats.scan.simulation_share import LARGEST_ERROR, uncertain_share
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.inference.results import UpperLimit
    from darkstats.model import HistFactoryModel
    from darkstats.workspace import PatchSet

__all__ = [
    "LIMITS",
    "base_of",
    "collect_scan",
    "compile_point",
    "limits_job",
    "scan_inputs",
    "scan_point",
    "workspace_of_point",
]

_SHARE = 0.2  # of the sensitivity, from which on a projection says what it rests on


def scan_inputs(
    document: Mapping[str, Any], patch_set: PatchSet, fill: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the documents that a scan works on.

    Raises
    ------
    DigestMismatchError
        The patch set belongs to another workspace.
    """
    patch_set.verify(dict(document))
    return {
        "workspace": dict(document),
        "labels": list(patch_set.labels),
        "patches": [
            {"name": p.name, "values": list(p.values), "patch": list(p.operations)}
            for p in patch_set
        ],
        "fill": None if fill is None else dict(fill),
    }


def limits_job(inputs: Mapping[str, Any], settings: ScanSettings) -> Job:
    """Return the job of a scan: what its numbers depend on, versions included."""
    data, digest = inputs_bytes(inputs)
    n_blocks = -(-len(inputs["patches"]) // settings.hypotheses_per_block)
    return Job(
        kind="limits",
        settings={**settings.plain(), "versions": versions()},
        n_blocks=n_blocks,
        inputs=data,
        inputs_digest=digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What all blocks of a scan share."""

    base: Mapping[str, Any] = field(repr=False)
    patches: Sequence[Mapping[str, Any]] = field(repr=False)
    settings: ScanSettings


def _prepare(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> _Context:
    chosen = {key: value for key, value in settings.items() if key != "versions"}
    ensure_compiled()  # a worker on another host may be the first there
    patches = inputs["patches"]
    base = base_of(inputs["workspace"], patches)
    return _Context(base=base, patches=patches, settings=ScanSettings(**chosen))


def _run(context: _Context, block: int) -> dict[str, Any]:
    size = context.settings.hypotheses_per_block
    points = [
        scan_point(context.base, patch, context.settings).plain()
        for patch in context.patches[block * size : (block + 1) * size]
    ]
    return {"points": points}


#: The task of a scan.
LIMITS = Task(prepare=_prepare, run=_run)


def collect_scan(
    inputs: Mapping[str, Any], job: Job, settings: ScanSettings, blocks: Sequence[Mapping[str, Any]]
) -> MassScan:
    """Put the blocks of a finished job together."""
    return MassScan(
        labels=tuple(inputs["labels"]),
        settings=settings,
        points=tuple(ScanPoint.from_plain(p) for block in blocks for p in block["points"]),
        inputs_digest=job.inputs_digest,
    )


def base_of(document: Mapping[str, Any], patches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what patches are applied to: a short document where all of them replace the spectrum.

    A patch that begins by replacing channels and observations leaves nothing of them, and a large
    spectrum need not be copied for each hypothesis.
    """
    replaced = {"/channels", "/observations"}
    for patch in patches:
        first = patch["patch"][:2]
        if {op.get("path") for op in first if op.get("op") == "replace"} != replaced:
            return dict(document)
    return {**document, "channels": [], "observations": []}


def workspace_of_point(
    document: Mapping[str, Any], patch: Mapping[str, Any], settings: ScanSettings
) -> Workspace:
    """Return the workspace of one hypothesis, at the luminosity of the settings.

    Raises
    ------
    InputError
        The patch does not fit, or the result is no workspace.
    """
    patched = apply_patch(dict(document), list(patch["patch"]), source=str(patch["name"]))
    if settings.luminosity_factor != 1.0 or settings.systematics != "same":
        patched = projected(patched, settings.luminosity_factor, systematics=settings.systematics)
    return Workspace.from_document(patched, str(patch["name"]))


def compile_point(
    document: Mapping[str, Any], patch: Mapping[str, Any], settings: ScanSettings
) -> HistFactoryModel:
    """Return the model of one hypothesis.

    Raises
    ------
    InputError
        The patch does not fit, or the result is no workspace.
    """
    return _compiled(workspace_of_point(document, patch, settings), settings)


def _compiled(workspace: Workspace, settings: ScanSettings) -> HistFactoryModel:
    return compile_workspace(
        workspace, interpolation=InterpolationCodes.parse(settings.interpolation)
    )


def scan_point(
    document: Mapping[str, Any], patch: Mapping[str, Any], settings: ScanSettings
) -> ScanPoint:
    """Test one hypothesis; what cannot be certified, or used, is a failed point with its reason.

    Parameters
    ----------
    document
        What the patch is applied to: the background-only workspace, or :func:`base_of` it.
    patch
        Name, values and operations of the hypothesis.
    settings
        How to test it.
    """
    name, values = str(patch["name"]), tuple(patch["values"])
    try:
        workspace = workspace_of_point(document, patch, settings)
        model = _compiled(workspace, settings)
        data = blinded_observation(model) if settings.blind else model.observation
        curve = ProfileCurve(
            model, data, test_statistic(settings.test_stat), options=FitOptions(threads=1)
        )
        toys = None
        if settings.calculator == "toys":
            toys = ToyOptions(n_toys=settings.n_toys or 10_000, seed=settings.seed, threads=1)
        limit = limit_of_curve(
            curve,
            cl=settings.cl,
            method=settings.method,
            calculator="toys" if toys else "asymptotic",
            band=settings.band,
            toys=toys,
            scan_points=0,
            blind=settings.blind,
            probe=False,
        )
        found = {} if settings.blind else _local(curve)
        said = _projection_warnings(workspace, model, limit, settings)
    except (NotCertifiedError, InputError) as error:
        return ScanPoint(name=name, values=values, status="failed", reason=str(error))
    return ScanPoint(name=name, values=values, **_fields(limit, said), **found)


def _projection_warnings(
    workspace: Workspace, model: HistFactoryModel, limit: UpperLimit, settings: ScanSettings
) -> tuple[str, ...]:
    """Say where a projection rests on backgrounds that were not simulated."""
    median = limit.expected[2]
    if settings.luminosity_factor == 1.0 or median is None:
        return ()
    poi = model.parameters[model.require_poi()].name
    share = uncertain_share(workspace.document, poi, median)
    if share < _SHARE:
        return ()
    return (
        f"{100.0 * share:.0f} % of the sensitivity comes from bins whose background has a "
        f"simulation error above {100.0 * LARGEST_ERROR:.0f} %: simulate more for this luminosity",
    )


def _fields(limit: UpperLimit, said: tuple[str, ...]) -> dict[str, Any]:
    unit = limit.at_unit
    quoted = None if unit is None or unit.quoted is None else unit.quoted.value
    return {
        "observed": limit.observed,
        "observed_error": limit.observed_error,
        "observed_reason": limit.observed_reason,
        "expected": limit.expected,
        "expected_error": limit.expected_error,
        "expected_reason": limit.expected_reason,
        "cls_observed": quoted,
        "cls_expected": None if unit is None else tuple(unit.quoted_expected),
        "sigma": limit.sigma,
        "twice_nll": limit.twice_nll,
        "fits": asdict(limit.fits),
        "toys": None if limit.toys is None else asdict(limit.toys),
        "warnings": (*limit.warnings, *said),
        "model_digest": limit.model_digest,
    }


def _local(curve: ProfileCurve) -> dict[str, Any]:
    """Best fit and local significance: the excess by q0, a deficit by the signed root."""
    null, free, mu_hat = curve.reference, curve.free, curve.mu_hat
    reason = None
    signed: float | None = None
    best: float | None = mu_hat
    if mu_hat <= 0.0:
        try:
            free = fit(
                curve.model,
                curve.observation,
                poi_lower=-math.inf,
                poi_upper=math.inf,
                start=curve.free.parameters,
                options=curve.options,
            )
            best = free.poi
        except FitFailedError as error:
            best, reason = None, f"no minimum at negative signal strength: {error}"
    ratio = null.twice_nll - free.twice_nll
    if ratio < -NLL_TOLERANCE:
        raise FitFailedError(
            f"the free fit lies above that without signal, by {-ratio:.3g} in deviance"
        )
    root = math.sqrt(max(ratio, 0.0))
    if best is not None:
        signed = math.copysign(root, best) if root > 0.0 else 0.0
    significance = root if mu_hat > 0.0 else 0.0
    return {
        "mu_hat": best,
        "mu_hat_reason": reason,
        "p0": survival(significance),
        "significance": significance,
        "signed_significance": signed,
    }
