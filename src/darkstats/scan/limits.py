"""Limits and local p-values of all hypotheses of a patch set, as a job in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError, NotCertifiedError
from darkstats.execution.jobs import Job, Task, inputs_bytes
from darkstats.fit import FitOptions
from darkstats.fit.warming import ensure_compiled
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.bayes.warming import ensure_windows_compiled
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.results import ToyOptions
from darkstats.inference.test_statistics import test_statistic
from darkstats.inference.upper_limit import limit_of_curve
from darkstats.model import InterpolationCodes, compile_workspace
from darkstats.provenance import versions
from darkstats.scan.credible_blocks import credible_fields
from darkstats.scan.expected_spectrum import NO_SPECTRUM, ExpectedSpectrum, bias_words
from darkstats.scan.local import local_fields
from darkstats.scan.mass_scan import MassScan, ScanPoint
from darkstats.scan.projection import projected
from darkstats.scan.settings import ScanSettings
from darkstats.scan.simulation_share import projection_warnings
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch
from darkstats.workspace.shared_parts import SharedParts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.inference.results import UpperLimit
    from darkstats.model import HistFactoryModel, Model, Observation
    from darkstats.workspace import PatchSet

__all__ = [
    "LIMITS",
    "base_of",
    "collect_scan",
    "compile_point",
    "limits_job",
    "point_of_model",
    "scan_inputs",
    "scan_point",
    "scan_points",
    "workspace_of_point",
]


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
    shared: SharedParts = field(repr=False)
    patches: Sequence[Mapping[str, Any]] = field(repr=False)
    settings: ScanSettings
    expected: ExpectedSpectrum | None = field(repr=False)


def _prepare(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> _Context:
    chosen = ScanSettings.from_plain(settings)
    ensure_compiled()  # a worker on another host may be the first there
    if chosen.method == "bayes":
        ensure_windows_compiled()
    patches = inputs["patches"]
    base = base_of(inputs["workspace"], patches)
    expected = ExpectedSpectrum.of(inputs["workspace"], inputs["fill"])
    shared = SharedParts(base)
    return _Context(base=base, shared=shared, patches=patches, settings=chosen, expected=expected)


def _run(context: _Context, block: int) -> dict[str, Any]:
    size = context.settings.hypotheses_per_block
    patches = context.patches[block * size : (block + 1) * size]
    points = scan_points(
        context.base, patches, context.settings, context.expected, shared=context.shared
    )
    return {"points": [point.plain() for point in points]}


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


def _replaces(operation: object) -> bool:
    """Whether a patch, of which nothing has been checked, has an operation that replaces."""
    return isinstance(operation, Mapping) and operation.get("op") == "replace"


def base_of(document: Mapping[str, Any], patches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what patches are applied to: a short document where all of them replace the spectrum.

    A patch that begins by replacing channels and observations leaves nothing of them, and a large
    spectrum need not be copied for each hypothesis.
    """
    replaced = {"/channels", "/observations"}
    for patch in patches:
        first = patch["patch"][:2]
        if {op.get("path") for op in first if _replaces(op)} != replaced:
            return dict(document)
    return {**document, "channels": [], "observations": []}


def workspace_of_point(
    document: Mapping[str, Any],
    patch: Mapping[str, Any],
    settings: ScanSettings,
    shared: SharedParts | None = None,
) -> Workspace:
    """Return the workspace of one hypothesis, at the luminosity of the settings.

    What the samples of the document give is found out once, if it is ``shared``.

    Raises
    ------
    InputError
        The patch does not fit, or the result is no workspace.
    """
    patched = apply_patch(
        dict(document),
        list(patch["patch"]),
        source=str(patch["name"]),
        size=None if shared is None else shared.size,
    )
    if settings.luminosity_factor != 1.0 or settings.systematics != "same":
        patched = projected(patched, settings.luminosity_factor, systematics=settings.systematics)
    return Workspace.from_document(patched, str(patch["name"]), shared=shared)


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
    document: Mapping[str, Any],
    patch: Mapping[str, Any],
    settings: ScanSettings,
    expected: ExpectedSpectrum | None = None,
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
    expected
        What the search expects in its whole spectrum; None where it has none.
    """
    return scan_points(document, [patch], settings, expected)[0]


def scan_points(
    document: Mapping[str, Any],
    patches: Sequence[Mapping[str, Any]],
    settings: ScanSettings,
    expected: ExpectedSpectrum | None = None,
    *,
    shared: SharedParts | None = None,
) -> list[ScanPoint]:
    """Test the hypotheses of one block, as :func:`scan_point` does; Bayesian ones together.

    What the samples of the document give is found out once, if it is ``shared``.
    """
    if settings.method != "bayes":
        return [_tested(document, patch, settings, expected, shared) for patch in patches]
    points: list[ScanPoint | None] = []
    compiled = []
    for patch in patches:
        name, values = str(patch["name"]), tuple(patch["values"])
        try:
            workspace = workspace_of_point(document, patch, settings, shared)
            model = compile_workspace(
                workspace, interpolation=InterpolationCodes.parse(settings.interpolation)
            )
        except InputError as error:
            points.append(ScanPoint(name=name, values=values, status="failed", reason=str(error)))
            continue
        points.append(None)
        compiled.append((name, values, workspace, model))
    fields = iter(credible_fields([model for *_, model in compiled], settings))
    found = iter(
        _completed(
            ScanPoint(name=name, values=values, **next(fields)),
            workspace,
            model,
            settings,
            expected,
        )
        for name, values, workspace, model in compiled
    )
    return [next(found) if point is None else point for point in points]


def _completed(
    point: ScanPoint,
    workspace: Workspace,
    model: HistFactoryModel,
    settings: ScanSettings,
    expected: ExpectedSpectrum | None,
) -> ScanPoint:
    """Add what does not come from the limit: what a projection rests on, and the spectrum."""
    if point.status == "failed":
        return point
    said = projection_warnings(workspace.document, model, point.expected[2], settings)
    fields: dict[str, Any] = {"expected_spectrum_significance_reason": NO_SPECTRUM}
    if expected is not None:
        fields = expected.fields(point.name, model, settings.luminosity_factor)
        said += bias_words(fields.get("expected_spectrum_significance"))
    return replace(point, **fields, warnings=(*point.warnings, *said))


def _tested(
    document: Mapping[str, Any],
    patch: Mapping[str, Any],
    settings: ScanSettings,
    expected: ExpectedSpectrum | None,
    shared: SharedParts | None,
) -> ScanPoint:
    name, values = str(patch["name"]), tuple(patch["values"])
    try:
        workspace = workspace_of_point(document, patch, settings, shared)
        model = _compiled(workspace, settings)
        data = blinded_observation(model) if settings.blind else model.observation
        point = point_of_model(name, values, model, data, settings)
        return _completed(point, workspace, model, settings, expected)
    except (NotCertifiedError, InputError) as error:
        return ScanPoint(name=name, values=values, status="failed", reason=str(error))


def point_of_model(
    name: str,
    values: tuple[float | str, ...],
    model: Model,
    data: Observation,
    settings: ScanSettings,
    *,
    notes: tuple[str, ...] = (),
) -> ScanPoint:
    """Test one compiled hypothesis, binned or unbinned.

    Parameters
    ----------
    name, values
        Of the hypothesis.
    model, data
        Its likelihood; the data are Asimov data of the background where the settings are blind.
    settings
        How to test it.
    notes
        What to know of the data.

    Raises
    ------
    NotCertifiedError
        A number cannot be certified.
    """
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
    found = {} if settings.blind else local_fields(curve)
    return ScanPoint(name=name, values=values, **_fields(limit, notes), **found)


def _fields(limit: UpperLimit, said: tuple[str, ...]) -> dict[str, Any]:
    unit = limit.at_unit
    quoted = None if unit is None else unit.quoted
    bound = None if quoted is None else quoted.bound
    expected = None if unit is None else unit.quoted_expected
    lowest = None if unit is None or unit.expected is None else unit.expected.bound
    if expected is not None and lowest is not None:
        expected = tuple(None if value == 0.0 else value for value in expected)
    return {
        "observed": limit.observed,
        "observed_error": limit.observed_error,
        "observed_reason": limit.observed_reason,
        "expected": limit.expected,
        "expected_error": limit.expected_error,
        "expected_reason": limit.expected_reason,
        "cls_observed": None if quoted is None or bound is not None else quoted.value,
        "cls_observed_bound": bound,
        "cls_expected": expected,
        "cls_expected_bound": lowest,
        "low_counts": None if limit.low_counts is None else limit.low_counts.plain(),
        "sigma": limit.sigma,
        "twice_nll": limit.twice_nll,
        "fits": asdict(limit.fits),
        "toys": None if limit.toys is None else asdict(limit.toys),
        "warnings": (*limit.warnings, *said),
        "model_digest": limit.model_digest,
    }
