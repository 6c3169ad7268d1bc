"""Limits and local p-values of the hypotheses of a patch set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError, NotCertifiedError
from darkstats.fit import FitOptions
from darkstats.fit.warming import ensure_compiled
from darkstats.inference.asimov import blinded_observation
from darkstats.inference.bayes.warming import ensure_windows_compiled
from darkstats.inference.curve import ProfileCurve
from darkstats.inference.p_values import ToyOptions
from darkstats.inference.test_statistics import test_statistic
from darkstats.inference.upper_limit import limit_of_curve
from darkstats.model import InterpolationCodes, compile_workspace
from darkstats.scan.credible_blocks import credible_points
from darkstats.scan.expected_spectrum import NO_SPECTRUM, ExpectedSpectrum, bias_words
from darkstats.scan.local import local_test
from darkstats.scan.mass_scan import ScanPoint
from darkstats.scan.projection import projected
from darkstats.scan.simulation_share import projection_warnings
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch
from darkstats.workspace.shared_parts import SharedParts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.inference.results import UpperLimit
    from darkstats.model import HistFactoryModel, Model, Observation
    from darkstats.scan.mass_hypotheses import BinnedHypotheses, MassHypothesis
    from darkstats.scan.settings import ScanSettings

__all__ = [
    "BinnedTests",
    "base_of",
    "compile_point",
    "point_of_model",
    "scan_point",
    "scan_points",
    "workspace_of_point",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedTests:
    """Tests of the hypotheses of a patch set, block by block, and what all blocks share."""

    base: Mapping[str, Any] = field(repr=False)
    shared: SharedParts = field(repr=False)
    hypotheses: Sequence[MassHypothesis] = field(repr=False)
    settings: ScanSettings
    expected: ExpectedSpectrum | None = field(repr=False)

    @classmethod
    def of(cls, hypotheses: BinnedHypotheses, settings: ScanSettings) -> BinnedTests:
        """Compile kernels, and find out what hypotheses share."""
        ensure_compiled()  # a worker on another host may be the first there
        if settings.method == "bayes":
            ensure_windows_compiled()
        base = base_of(hypotheses.workspace, hypotheses.members)
        return cls(
            base=base,
            shared=SharedParts(base),
            hypotheses=hypotheses.members,
            settings=settings,
            expected=ExpectedSpectrum.of(hypotheses.workspace, hypotheses.fill),
        )

    def points(self, first: int, stop: int) -> list[ScanPoint]:
        """Test some of the hypotheses."""
        return scan_points(
            self.base,
            self.hypotheses[first:stop],
            self.settings,
            self.expected,
            shared=self.shared,
        )


def _replaces(operation: object) -> bool:
    """Whether a patch, of which nothing has been checked, has an operation that replaces."""
    return isinstance(operation, Mapping) and operation.get("op") == "replace"


def base_of(document: Mapping[str, Any], hypotheses: Sequence[MassHypothesis]) -> Mapping[str, Any]:
    """Return what patches are applied to: a short document where all of them replace the spectrum.

    A patch that begins by replacing channels and observations leaves nothing of them, and a large
    spectrum need not be copied for each hypothesis.
    """
    replaced = {"/channels", "/observations"}
    for one in hypotheses:
        if {op.get("path") for op in one.patch[:2] if _replaces(op)} != replaced:
            return document
    return {**document, "channels": [], "observations": []}


def workspace_of_point(
    document: Mapping[str, Any],
    hypothesis: MassHypothesis,
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
        list(hypothesis.patch),
        source=hypothesis.name,
        size=None if shared is None else shared.size,
    )
    if settings.luminosity_factor != 1.0 or settings.systematics != "same":
        patched = projected(patched, settings.luminosity_factor, systematics=settings.systematics)
    return Workspace.from_document(patched, hypothesis.name, shared=shared)


def compile_point(
    document: Mapping[str, Any], hypothesis: MassHypothesis, settings: ScanSettings
) -> HistFactoryModel:
    """Return the model of one hypothesis.

    Raises
    ------
    InputError
        The patch does not fit, or the result is no workspace.
    """
    return _compiled(workspace_of_point(document, hypothesis, settings), settings)


def _compiled(workspace: Workspace, settings: ScanSettings) -> HistFactoryModel:
    return compile_workspace(
        workspace, interpolation=InterpolationCodes.parse(settings.interpolation)
    )


def scan_point(
    document: Mapping[str, Any],
    hypothesis: MassHypothesis,
    settings: ScanSettings,
    expected: ExpectedSpectrum | None = None,
) -> ScanPoint:
    """Test one hypothesis; what cannot be certified, or used, is a failed point with its reason.

    Parameters
    ----------
    document
        What the patch is applied to: the background-only workspace, or :func:`base_of` it.
    hypothesis
        With its patch.
    settings
        How to test it.
    expected
        What the search expects in its whole spectrum; None where it has none.
    """
    return scan_points(document, [hypothesis], settings, expected)[0]


def scan_points(
    document: Mapping[str, Any],
    hypotheses: Sequence[MassHypothesis],
    settings: ScanSettings,
    expected: ExpectedSpectrum | None = None,
    *,
    shared: SharedParts | None = None,
) -> list[ScanPoint]:
    """Test the hypotheses of one block, as :func:`scan_point` does; Bayesian ones together.

    What the samples of the document give is found out once, if it is ``shared``.
    """
    if settings.method != "bayes":
        return [_tested(document, one, settings, expected, shared) for one in hypotheses]
    points: list[ScanPoint | None] = []
    compiled = []
    for one in hypotheses:
        try:
            workspace = workspace_of_point(document, one, settings, shared)
            model = _compiled(workspace, settings)
        except InputError as error:
            points.append(ScanPoint.lost(one.name, one.values, error))
            continue
        points.append(None)
        compiled.append((one, workspace, model))
    tested = credible_points([(one, model) for one, _, model in compiled], settings)
    found = iter(
        _completed(
            point, _with_errors(document, one, workspace, settings), model, settings, expected
        )
        for point, (one, workspace, model) in zip(tested, compiled, strict=True)
    )
    return [next(found) if point is None else point for point in points]


def _with_errors(
    document: Mapping[str, Any],
    hypothesis: MassHypothesis,
    workspace: Workspace,
    settings: ScanSettings,
) -> Mapping[str, Any]:
    """Document of a workspace; with the errors of simulation that a projection left out."""
    if settings.systematics != "none":
        return workspace.document
    same = replace(settings, systematics="same")
    return workspace_of_point(document, hypothesis, same).document


def _completed(
    point: ScanPoint,
    with_errors: Mapping[str, Any],
    model: HistFactoryModel,
    settings: ScanSettings,
    expected: ExpectedSpectrum | None,
) -> ScanPoint:
    """Add what does not come from the limit: what a projection rests on, and the spectrum."""
    if point.status == "failed":
        return point
    said = projection_warnings(with_errors, model, point.expected[2], settings)
    bias: float | None = None
    reason: str | None = NO_SPECTRUM
    if expected is not None:
        bias, reason = expected.significance(point.name, model, settings.luminosity_factor)
        said += bias_words(bias)
    return replace(
        point,
        expected_spectrum_significance=bias,
        expected_spectrum_significance_reason=reason,
        warnings=(*point.warnings, *said),
    )


def _tested(
    document: Mapping[str, Any],
    hypothesis: MassHypothesis,
    settings: ScanSettings,
    expected: ExpectedSpectrum | None,
    shared: SharedParts | None,
) -> ScanPoint:
    name, values = hypothesis.name, hypothesis.values
    try:
        workspace = workspace_of_point(document, hypothesis, settings, shared)
        model = _compiled(workspace, settings)
        data = blinded_observation(model) if settings.blind else model.observation
        point = point_of_model(name, values, model, data, settings)
        with_errors = _with_errors(document, hypothesis, workspace, settings)
        return _completed(point, with_errors, model, settings, expected)
    except (NotCertifiedError, InputError) as error:
        return ScanPoint.lost(name, values, error)


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
    point = _of_limit(name, values, limit, notes)
    return point if settings.blind else point.with_local(local_test(curve))


def _of_limit(
    name: str, values: tuple[float | str, ...], limit: UpperLimit, said: tuple[str, ...]
) -> ScanPoint:
    unit = limit.at_unit
    quoted = None if unit is None else unit.quoted
    bound = None if quoted is None else quoted.bound
    expected = None if unit is None else unit.quoted_expected
    lowest = None if unit is None or unit.expected is None else unit.expected.bound
    if expected is not None and lowest is not None:
        expected = tuple(None if value == 0.0 else value for value in expected)
    return ScanPoint(
        name=name,
        values=values,
        observed=limit.observed,
        observed_error=limit.observed_error,
        observed_reason=limit.observed_reason,
        expected=limit.expected,
        expected_error=limit.expected_error,
        expected_reason=limit.expected_reason,
        cls_observed=None if quoted is None or bound is not None else quoted.value,
        cls_observed_bound=bound,
        cls_expected=expected,
        cls_expected_bound=lowest,
        low_counts=None if limit.low_counts is None else limit.low_counts.plain(),
        sigma=limit.sigma,
        twice_nll=limit.twice_nll,
        fits=asdict(limit.fits),
        toys=None if limit.toys is None else asdict(limit.toys),
        warnings=(*limit.warnings, *said),
        model_digest=limit.model_digest,
    )
