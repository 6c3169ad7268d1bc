"""Tables of fits, impacts and scans."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from darkstats.report.fit_records import failed_impacts, pull_of
from darkstats.report.numbers import number, percent, with_error
from darkstats.report.tables import grid, sheet, subtitle_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from darkstats.fit import (
        Covariance,
        ErrorBudget,
        FitResult,
        Impact,
        ProfileInterval,
        ProfileScan,
    )
    from darkstats.report.provenance import Inputs

__all__ = ["fit_sheet", "rank_sheet", "scan_sheet"]

_SHOWN = 60
_SCAN_ROWS = 21
_ROUNDING = 1e-9  # of a difference of deviances of order one


def _density_words(value: float) -> str:
    if math.isfinite(value):
        return f"{value:.6f} with all constants, as pyhf has it"
    return "none: a rate lies below zero, where a count has no probability"


def _checks(fit: FitResult) -> list[tuple[str, str]]:
    found = fit.certification
    return [
        (
            "fit",
            f"certified at level {found.level} from {found.starts} starts, EDM {fit.edm:.1e}, "
            f"{fit.steps} steps, {found.rung}",
        ),
        ("model", f"sha256 {fit.model.digest[:16]}…"),
    ]


def fit_sheet(
    fit: FitResult,
    covariance: Covariance | None,
    covariance_reason: str | None,
    intervals: tuple[ProfileInterval, ...],
    inputs: Inputs,
) -> RenderableType:
    """Best-fit values with errors, pulls, and the deviance."""
    rows = []
    profiled = {interval.name: interval for interval in intervals}
    for index, parameter in enumerate(fit.model.parameters[:_SHOWN]):
        error = None if covariance is None else covariance.errors[index]
        free = parameter.name in fit.free
        note = "fixed" if not free else "at bound" if parameter.name in fit.at_bound else ""
        ratio = error / parameter.prefit_error if error and parameter.prefit_error else None
        if free and not parameter.constrained:
            note = note or "no constraint"
        rows.append(
            [
                parameter.name,
                with_error(float(fit.parameters[index]), error if free else None),
                _pull(pull_of(fit, index)) if parameter.constrained and free else "",
                number(ratio, 3) if ratio is not None and free else "",
                note,
            ]
        )
    rest = len(fit.model.parameters) - len(rows)
    notes = [
        ("deviance", f"{number(fit.twice_nll, 6)} relative to the saturated model"),
        ("−2 ln L", _density_words(fit.minus_two_log_density)),
    ]
    if rest > 0:
        notes.insert(0, ("parameters", f"{rest} more; --json lists all of them"))
    for name, interval in profiled.items():
        ends = f"{number(interval.lower, 6)} … {number(interval.upper, 6)}"
        why = interval.lower_reason or interval.upper_reason
        text = f"{name}: {ends} at {percent(round(interval.cl, 6))} CL" + (
            f" ({why})" if why else ""
        )
        notes.append(("interval", text))
    notes += _checks(fit)
    warnings = list(fit.warnings)
    if covariance is None and covariance_reason:
        warnings.append(f"no uncertainties: {covariance_reason}")
    poi = fit.model.poi_index
    title = "Maximum-likelihood fit"
    if poi is not None and fit.model.parameters[poi].name not in fit.free:
        title += f" at {fit.model.parameters[poi].name} = {number(float(fit.parameters[poi]))}"
    return sheet(
        title,
        subtitle=subtitle_of(inputs, "Asimov data" if inputs.blind else ""),
        tables=[grid(["parameter", "value", "pull (σ)", "post-fit / pre-fit", ""], rows)],
        notes=notes,
        warnings=warnings,
    )


def rank_sheet(
    impacts: tuple[Impact, ...],
    fit: FitResult,
    poi_error: float | None,
    inputs: Inputs,
    *,
    top: int,
    budget: ErrorBudget | None,
) -> RenderableType:
    """Nuisance parameters, and groups of them, by their impact on the parameter of interest."""
    rows = [
        [
            str(place),
            impact.name,
            _impact(impact.postfit_up, poi_error),
            _impact(impact.postfit_down, poi_error),
            _impact(impact.prefit_up, poi_error),
            _impact(impact.prefit_down, poi_error),
            _pull(impact.pull),
            number(impact.constraint, 3),
        ]
        for place, impact in enumerate(impacts[:top], start=1)
    ]
    poi = fit.model.poi_name or ""
    columns = ["", "parameter", "post-fit +σ", "−σ", "pre-fit +σ", "−σ", "pull", "constraint"]
    notes = [("best fit", f"{poi} = {with_error(fit.poi, poi_error)} (may be negative here)")]
    if len(impacts) > top:
        notes.append(("parameters", f"{len(impacts) - top} more; --top shows more of them"))
    tables = [grid(columns, rows, left=2)]
    if budget is not None:
        notes.insert(
            1,
            (
                "error",
                f"{number(budget.total, 3)} = {number(budget.statistical, 3)} (statistical) ⊕ "
                f"{number(budget.systematic, 3)} (systematic)",
            ),
        )
        if budget.groups:
            tables.append(_groups_table(budget))
    return sheet(
        f"Impacts on {poi}",
        subtitle=subtitle_of(inputs, "Asimov data" if inputs.blind else ""),
        tables=tables,
        notes=[*notes, *_checks(fit)],
        warnings=(*fit.warnings, *failed_impacts(impacts)),
    )


def _groups_table(budget: ErrorBudget) -> Table:
    """Groups by their contribution to the error."""
    rows = [
        [
            group.name,
            str(len(group.parameters)),
            _impact(group.impact, budget.total).removeprefix("+"),
            percent(round((group.impact / budget.total) ** 2, 4)),
            number(group.frozen_error, 3),
        ]
        for group in budget.groups
    ]
    columns = ["group", "parameters", "impact", "of the variance", "error without it"]
    return grid(columns, rows)


def _impact(value: float | None, scale: float | None) -> str:
    """Impact with its sign; what is far below the error of the parameter of interest is nothing."""
    if value is None:
        return number(None)
    if abs(value) <= 1e-8 * (scale or 1.0):
        return "0"
    return ("+" if value > 0.0 else "") + number(value, 3)


def _pull(value: float | None) -> str:
    """Pull in standard deviations, two decimals."""
    if value is None:
        return number(None)
    return f"{value + 0.0:+.2f}".replace("-0.00", "+0.00").replace("-", "−")


def scan_sheet(scan: ProfileScan, inputs: Inputs) -> RenderableType:
    """Deviance above the minimum along the scan; a scan in two parameters shows its minimum."""
    best = ", ".join(f"{name} = {number(scan.result.value(name))}" for name in scan.names)
    notes = [("best fit", best)]
    failed = int((~scan.certified).sum())
    notes.append(("points", f"{scan.certified.sum()} of {scan.certified.size} certified"))
    tables = []
    if len(scan.names) == 1:
        step = max(1, -(-len(scan.grids[0]) // _SCAN_ROWS))
        rows = [
            [
                number(float(value)),
                number(None if not good else 0.0 if delta < _ROUNDING else float(delta)),
            ]
            for value, delta, good in zip(
                scan.grids[0][::step], scan.delta[::step], scan.certified[::step], strict=True
            )
        ]
        if step > 1:
            notes.append(("shown", f"one point in {step}; --json has all of them"))
        tables.append(grid([scan.names[0], "Δ(−2 ln L)"], rows, left=0))
    else:
        notes.append(("grid", " × ".join(str(len(grid_)) for grid_ in scan.grids)))
    warnings = list(scan.result.warnings)
    if failed:
        warnings.append(f"{failed} point(s) could not be certified; they carry no value")
    return sheet(
        f"Profile scan of {' and '.join(scan.names)}",
        subtitle=subtitle_of(inputs, "Asimov data" if inputs.blind else ""),
        tables=tables,
        notes=[*notes, *_checks(scan.result)],
        warnings=warnings,
    )
