"""Fits with uncertainties, impacts of nuisance parameters, profile scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from darkstats.errors import FitFailedError, OptionError
from darkstats.shown import Shown
from darkstats.workflows.answers import answered
from darkstats.workflows.inputs import load
from darkstats.workflows.likelihoods import Likelihood
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.arrays import FloatArray
    from darkstats.fit import (
        Covariance,
        ErrorBudget,
        FitResult,
        Impact,
        ProfileInterval,
        ProfileScan,
    )
    from darkstats.fit.result import Certification
    from darkstats.model import Model
    from darkstats.report.figures.style import Drawing
    from darkstats.workflows.fit_requests import FitRequest, RankRequest, ScanRequest
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Fitted", "Ranking", "fit", "poi_scan", "rank", "scan_poi"]

_POINTS = (41, 31)  # default size of a grid in one and in two parameters
_REACH = 3.0  # standard deviations on each side
_IN_A_LINE = 6  # parameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fitted(Shown):
    """A fit with its uncertainties; ``covariance`` is ``None`` with a reason."""

    in_a_line: ClassVar = "values covariance_reason certification"

    fit: FitResult
    covariance: Covariance | None
    covariance_reason: str | None
    intervals: tuple[ProfileInterval, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """The first parameters with their errors, in words."""
        errors = None if self.covariance is None else self.covariance.errors
        found = []
        for k, name in enumerate(self.fit.model.parameter_names[:_IN_A_LINE]):
            error = None if errors is None else errors[k]
            told = "" if error is None else f" ± {error:.2g}"
            found.append(f"{name} {self.fit.parameters[k]:.4g}{told}")
        return tuple(found)

    @property
    def certification(self) -> Certification:
        """How the minimum was checked."""
        return self.fit.certification


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Ranking(Shown):
    """Impacts of nuisance parameters, the largest first, and the fit that they refer to.

    ``budget`` splits the error of the parameter of interest; None where there is no such error.
    """

    in_a_line: ClassVar = "largest poi_error impacts"

    impacts: tuple[Impact, ...]
    fit: FitResult
    poi_error: float | None
    budget: ErrorBudget | None

    @property
    def largest(self) -> str | None:
        """The nuisance parameter that moves the parameter of interest most, and how far."""
        first = next(iter(self.impacts), None)
        return None if first is None else f"{first.name} by {first.largest:.3g}"


def fit(request: FitRequest, shell: Shell | None = None) -> Outcome[Fitted]:
    """Maximum-likelihood fit with covariance and, where asked for, profile intervals.

    Raises
    ------
    InputError
        The request cannot be met.
    FitFailedError
        A minimum cannot be certified.
    """
    from darkstats.fit import covariance, profile_interval
    from darkstats.fit import fit as minimise

    shell = shell or Shell()
    likelihood = load(request.model, shell, needs_poi=request.mu is not None)
    model = likelihood.model
    _require_possible(request, model)
    with shell.step("fitting"):
        best = minimise(
            model,
            likelihood.observation,
            poi_value=request.mu,
            fixed=dict(request.fixed),
            options=likelihood.options,
        )
        matrix: Covariance | None = None
        reason = None
        try:
            matrix = covariance(best)
        except FitFailedError as error:
            reason = str(error)
        intervals = tuple(
            profile_interval(model, likelihood.observation, name, result=best)
            for name in request.minos
        )
    found = Fitted(fit=best, covariance=matrix, covariance_reason=reason, intervals=intervals)
    verdict = None
    if request.referee is not None:
        from darkstats.referee import not_repeated, referee_fit

        workspace, histfactory = likelihood.histfactory("this referee")
        with shell.step("asking pyhf"):
            verdict = (
                not_repeated("best fit", "blind: nothing but Asimov data was fitted")
                if likelihood.blind
                else referee_fit(workspace, histfactory, best)
            )

    def record() -> JsonObject:
        from darkstats.report.fit_records import fit_record

        return fit_record(
            best, matrix, reason, intervals, likelihood.inputs, covariance_file=request.covariance
        )

    def sheet() -> RenderableType:
        from darkstats.report.fit_tables import fit_sheet

        return fit_sheet(best, matrix, reason, intervals, likelihood.inputs)

    def pulls() -> Drawing:
        from darkstats.report.figures.parameters import pulls_figure

        return pulls_figure(
            best, _known(matrix, reason), likelihood.inputs, bin_gammas=request.bin_gammas
        )

    def correlation() -> Drawing:
        from darkstats.report.figures.parameters import correlation_figure

        return correlation_figure(
            best, _known(matrix, reason), likelihood.inputs, bin_gammas=request.bin_gammas
        )

    def data() -> Drawing:
        from darkstats.report.figures.prediction import prediction_figure

        return prediction_figure(best, matrix, likelihood.inputs, likelihood.sidecar)

    def prefit() -> Drawing:
        from darkstats.report.figures.prediction import prediction_figure

        return prediction_figure(best, None, likelihood.inputs, likelihood.sidecar, prefit=True)

    def matrix_file(path: str) -> None:
        from darkstats.report.fit_records import write_covariance

        write_covariance(path, best, _known(matrix, reason))

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"pulls": pulls, "correlation": correlation, "data": data, "prefit": prefit},
        files={} if request.covariance is None else {request.covariance: matrix_file},
        verdict=verdict,
    )


def _require_possible(request: FitRequest, model: Model) -> None:
    """Check before the fit what is asked for beside it.

    Raises
    ------
    InputError
        A parameter does not exist, a file cannot be written, or options do not go together.
    """
    from darkstats.report.writing import require_writable

    for name in request.minos:
        model.parameter_index(name)
    if request.minos and (request.mu is not None or request.fixed):
        raise OptionError("--minos goes with a free fit: drop --mu and --fix")
    if request.covariance is not None:
        require_writable(request.covariance)


def _known(matrix: Covariance | None, reason: str | None) -> Covariance:
    if matrix is None:
        raise FitFailedError(f"there are no uncertainties: {reason}")
    return matrix


def rank(request: RankRequest, shell: Shell | None = None) -> Outcome[Ranking]:
    """Impacts of nuisance parameters on the parameter of interest.

    Raises
    ------
    InputError
        The request cannot be met.
    FitFailedError
        The free fit cannot be certified.
    """
    import math

    from darkstats.fit import covariance, error_budget, group_members, impacts
    from darkstats.fit import fit as minimise

    shell = shell or Shell()
    likelihood = load(request.model, shell)
    model = likelihood.model
    groups: dict[str, list[str]] = {}
    for name, pattern in request.groups:
        groups.setdefault(name, []).append(pattern)
    if not groups:
        groups = {name: list(patterns) for name, patterns in likelihood.sidecar.groups.items()}
    for name, patterns in groups.items():  # said before the fits
        group_members(model, patterns, group=name)
    poi = model.parameters[model.require_poi()].name
    unbounded = model.with_range(poi, -math.inf, math.inf)
    with shell.step("ranking nuisance parameters"):
        best = minimise(unbounded, likelihood.observation, options=likelihood.options)
        matrix = covariance(best)
        error = matrix.error(poi)
        moved = impacts(
            model,
            likelihood.observation,
            result=best,
            matrix=matrix,
            options=likelihood.options,
        )
        budget = error_budget(best, matrix, groups)
    found = Ranking(impacts=moved, fit=best, poi_error=error, budget=budget)

    def record() -> JsonObject:
        from darkstats.report.fit_records import rank_record

        return rank_record(moved, best, error, likelihood.inputs, budget)

    def sheet() -> RenderableType:
        from darkstats.report.fit_tables import rank_sheet

        return rank_sheet(moved, best, error, likelihood.inputs, top=request.top, budget=budget)

    def ranking() -> Drawing:
        from darkstats.report.figures.parameters import ranking_figure

        return ranking_figure(
            moved, best, error, likelihood.inputs, top=request.top,
            poi_label=likelihood.sidecar.poi_label, budget=budget,
        )  # fmt: skip

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"ranking": ranking},
        refereed=False,
    )


def _grid(
    likelihood: Likelihood, name: str, given: tuple[float, float] | None, points: int
) -> FloatArray:
    """Values to scan: the range given, or three standard deviations around the best fit."""
    import math

    import numpy as np

    from darkstats.fit import covariance
    from darkstats.fit import fit as minimise

    model = likelihood.model
    index = model.parameter_index(name)
    if given is None:
        upper = None if model.poi_index is None else math.inf  # of the POI: it has none
        best = minimise(model, likelihood.observation, poi_upper=upper, options=likelihood.options)
        value = best.value(name)
        parameter = model.parameters[index]
        try:
            error = covariance(best).errors[index]
        except FitFailedError:
            error = None
        sigma = error or parameter.prefit_error or max(abs(value), 1.0)
        low, high = value - _REACH * sigma, value + _REACH * sigma
        low = max(low, parameter.lower)
        high = high if index == model.poi_index else min(high, parameter.upper)
        given = (low, high)
    grid: FloatArray = np.linspace(given[0], given[1], points)
    return grid


def poi_scan(likelihood: Likelihood) -> ProfileScan:
    """Profile scan of the parameter of interest around its best fit, from 0 if that is near."""
    from darkstats.fit import profile_scan

    poi = likelihood.model.parameters[likelihood.model.require_poi()].name
    grid = _grid(likelihood, poi, None, _POINTS[0])
    if grid[0] > 0.0:
        grid = _grid(likelihood, poi, (0.0, float(grid[-1])), _POINTS[0])
    return profile_scan(
        likelihood.model, likelihood.observation, {poi: grid}, options=likelihood.options
    )


def scan_poi(request: ScanRequest, shell: Shell | None = None) -> Outcome[ProfileScan]:
    """Profile-likelihood scan in one or two parameters.

    Raises
    ------
    InputError
        The request cannot be met.
    FitFailedError
        The free fit cannot be certified.
    """
    from darkstats.fit import profile_scan

    shell = shell or Shell()
    likelihood = load(request.model, shell, needs_poi=not request.parameters)
    model = likelihood.model
    names = request.parameters or (model.parameters[model.require_poi()].name,)
    for name in names:
        if model.parameters[model.parameter_index(name)].fixed:
            raise OptionError(f"{name} is fixed in the workspace: there is nothing to scan")
    points = request.points or _POINTS[len(names) - 1]
    ranges = (*request.ranges, *([None] * (len(names) - len(request.ranges))))
    with shell.step(f"scanning {', '.join(names)}"):
        grids = {
            name: _grid(likelihood, name, given, points)
            for name, given in zip(names, ranges, strict=True)
        }
        found = profile_scan(model, likelihood.observation, grids, options=likelihood.options)

    def record() -> JsonObject:
        from darkstats.report.fit_records import scan_record

        return scan_record(found, likelihood.inputs)

    def sheet() -> RenderableType:
        from darkstats.report.fit_tables import scan_sheet

        return scan_sheet(found, likelihood.inputs)

    def scan() -> Drawing:
        from darkstats.report.figures.scans import scan_figure

        return scan_figure(found, likelihood.inputs, poi_label=likelihood.sidecar.poi_label)

    return answered(
        found,
        likelihood,
        record=record,
        sheet=sheet,
        figures={"scan": scan},
        refereed=False,
    )
