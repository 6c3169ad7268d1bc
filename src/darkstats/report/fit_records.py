"""Records of fits, impacts and scans."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from darkstats.report.provenance import Inputs, provenance_record
from darkstats.report.records import SCHEMAS, Record
from darkstats.report.writing import plain, whole_file

if TYPE_CHECKING:
    from darkstats.fit import (
        Covariance,
        ErrorBudget,
        FitResult,
        Impact,
        ProfileInterval,
        ProfileScan,
    )
    from darkstats.model import Parameter
    from darkstats.workspace.json_values import JsonObject

__all__ = [
    "certification_record",
    "failed_impacts",
    "fit_record",
    "pull_of",
    "rank_record",
    "scan_record",
    "write_covariance",
]

LARGEST_MATRIX = 500
"""Parameters whose covariance a record holds: a quarter of a million numbers, some megabytes."""
NO_POI = "the measurement names no parameter of interest"


def certification_record(fit: FitResult) -> Record:
    """How a minimum was checked."""
    return {**asdict(fit.certification), "edm": fit.edm, "steps": fit.steps}


def _nominal(parameter: Parameter, auxdata: float) -> float:
    """Value that the auxiliary datum alone prefers."""
    return auxdata / parameter.width if parameter.constraint == "poisson" else auxdata


def pull_of(fit: FitResult, index: int) -> float | None:
    """(best fit - nominal value) / pre-fit error; None without constraint."""
    parameter = fit.model.parameters[index]
    prefit = parameter.prefit_error
    if not prefit:
        return None
    nominal = _nominal(parameter, float(fit.observation.auxdata[index]))
    return float((fit.parameters[index] - nominal) / prefit)


def _parameters(fit: FitResult, errors: tuple[float | None, ...] | None) -> list[Record]:
    rows = []
    fitted = set(fit.free)
    for index, parameter in enumerate(fit.model.parameters):
        free = parameter.name in fitted
        error = None if errors is None else errors[index]
        row: Record = {
            "name": parameter.name,
            "value": float(fit.parameters[index]),
            "error": error if free else 0.0,
            "fixed": not free,
            "at_bound": parameter.name in fit.at_bound,
            "constraint": parameter.constraint,
            "prefit_error": parameter.prefit_error,
            "pull": pull_of(fit, index),
            "range": [parameter.lower, parameter.upper],
        }
        if row["error"] is None:
            row["error_reason"] = (
                "rests at the end of its range" if row["at_bound"] else "not determined by the data"
            )
        if parameter.prefit_error is None:
            row["prefit_error_reason"] = row["pull_reason"] = "no constraint"
        rows.append(row)
    return rows


def _by_set(fit: FitResult) -> dict[str, list[float]]:
    """Best-fit values by parameter set: the ``mle_parameters`` of ``pyhf fit``."""
    found: dict[str, list[float]] = {}
    for index, parameter in enumerate(fit.model.parameters):
        found.setdefault(parameter.set_name, []).append(float(fit.parameters[index]))
    return found


def _poi(record: Record, fit: FitResult) -> None:
    poi = fit.model.poi_index
    record["poi"] = None if poi is None else fit.model.parameters[poi].name
    record["mu_hat"] = None if poi is None else float(fit.parameters[poi])
    if poi is None:
        record["poi_reason"] = record["mu_hat_reason"] = NO_POI


def _density(fit: FitResult) -> Record:
    """-2 log of the density; None with its reason where a rate is held at zero from below."""
    value = fit.minus_two_log_density
    if math.isfinite(value):
        return {"minus_two_log_density": value}
    return {
        "minus_two_log_density": None,
        "minus_two_log_density_reason": "a rate lies below zero, where a count has no probability",
    }


def fit_record(
    fit: FitResult,
    covariance: Covariance | None,
    covariance_reason: str | None,
    intervals: tuple[ProfileInterval, ...],
    inputs: Inputs,
    *,
    covariance_file: str | None = None,
) -> Record:
    """Record of a fit (``darkstats.fit/1``).

    ``twice_nll`` is the deviance relative to the saturated model; ``minus_two_log_density`` is what
    ``pyhf fit --value`` calls ``twice_nll``. ``covariance_file`` is where the matrix stands, too.
    """
    record: Record = {
        "schema": SCHEMAS["fit"],
        "interpolation": dict(inputs.interpolation),
        "mle_parameters": _by_set(fit),
        "parameters": _parameters(fit, None if covariance is None else covariance.errors),
        "twice_nll": fit.twice_nll,
        **_density(fit),
        "at_bound": list(fit.at_bound),
        "fits": certification_record(fit),
        "intervals": [
            {
                name: value
                for name, value in asdict(interval).items()
                if value is not None or not name.endswith("_reason")
            }
            for interval in intervals
        ],
        "warnings": list(fit.warnings),
        "provenance": provenance_record(inputs, certification=certification_record(fit)),
    }
    _poi(record, fit)
    if covariance is None:
        record["covariance"] = None
        record["covariance_reason"] = covariance_reason
    else:
        record["covariance"] = _covariance(covariance, covariance_file)
    result: Record = plain(record)
    return result


def _covariance(covariance: Covariance, path: str | None) -> Record:
    """The matrix with its names; one that is large stands in a file of its own, or nowhere."""
    found: Record = {"names": list(covariance.names), "condition": covariance.condition}
    n = len(covariance.names)
    if path is not None:
        found["file"] = path
    if n <= LARGEST_MATRIX:
        found["matrix"] = covariance.matrix.tolist()
    else:
        found["matrix"] = None
        found["matrix_reason"] = f"{n} parameters, more than {LARGEST_MATRIX}: " + (
            "--covariance FILE.npz writes the matrix" if path is None else f"it stands in {path}"
        )
    return found


def write_covariance(path: str, fit: FitResult, covariance: Covariance) -> None:
    """Write a covariance matrix as an ``.npz`` of NumPy arrays, the same bytes every time.

    ``names`` and ``values`` [name] hold the parameters and their best fit, ``matrix`` [name, name]
    the covariance, ``model_sha256`` the digest of the model.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    import numpy as np

    values = dict(zip(fit.model.parameter_names, fit.parameters, strict=True))
    with whole_file(path) as temporary:
        np.savez(
            temporary,
            names=np.array(covariance.names, dtype=str),
            values=np.array([values[name] for name in covariance.names], dtype=float),
            matrix=covariance.matrix,
            model_sha256=np.array(fit.model.digest),
        )


def rank_record(
    impacts: tuple[Impact, ...],
    fit: FitResult,
    poi_error: float | None,
    inputs: Inputs,
    budget: ErrorBudget | None,
) -> Record:
    """Record of the impacts of nuisance parameters (``darkstats.rank/1``)."""
    rows = []
    for impact in impacts:
        row: Record = asdict(impact)
        for name in ("error", "pull", "constraint"):
            if row[name] is None:
                row[f"{name}_reason"] = "no constraint, or at the end of its range"
        for name in ("prefit_up", "prefit_down", "postfit_up", "postfit_down"):
            if row[name] is None:
                row[f"{name}_reason"] = (
                    "a fit that was not certified, or no such error"
                    if impact.failed
                    else "no such error"
                )
        rows.append(row)
    record: Record = {
        "schema": SCHEMAS["rank"],
        "interpolation": dict(inputs.interpolation),
        "poi_error": poi_error,
        "poi_error_statistical": None if budget is None else budget.statistical,
        "poi_error_systematic": None if budget is None else budget.systematic,
        "groups": [] if budget is None else [asdict(group) for group in budget.groups],
        "impacts": rows,
        "fits": certification_record(fit),
        "twice_nll": fit.twice_nll,
        "warnings": [*fit.warnings, *failed_impacts(impacts)],
        "provenance": provenance_record(inputs, certification=certification_record(fit)),
    }
    _poi(record, fit)
    if poi_error is None:
        record["poi_error_reason"] = "the data do not determine the parameter of interest"
    if budget is None:
        for name in ("statistical", "systematic"):
            record[f"poi_error_{name}_reason"] = "the parameter of interest has no error"
    result: Record = plain(record)
    return result


def failed_impacts(impacts: tuple[Impact, ...]) -> tuple[str, ...]:
    """Words of warning where a fit behind the impacts failed: the order may be another one."""
    lost = [impact for impact in impacts if impact.failed]
    if not lost:
        return ()
    n_fits = sum(impact.failed for impact in lost)
    return (
        f"{n_fits} fit(s) behind the impacts of {len(lost)} parameter(s) could not be certified, "
        f"the first of them {lost[0].name}: these are ranked by what is left",
    )


def scan_record(scan: ProfileScan, inputs: Inputs) -> Record:
    """Record of a profile scan (``darkstats.scan-poi/1``): deviance above the minimum."""
    record: JsonObject = {
        "schema": SCHEMAS["scan-poi"],
        "interpolation": dict(inputs.interpolation),
        "names": list(scan.names),
        "grids": [grid.tolist() for grid in scan.grids],
        "delta_twice_nll": scan.delta.tolist(),
        "certified": scan.certified.tolist(),
        "best": [scan.result.value(name) for name in scan.names],
        "twice_nll": scan.result.twice_nll,
        "fits": certification_record(scan.result),
        "warnings": list(scan.result.warnings),
        "provenance": provenance_record(inputs, certification=certification_record(scan.result)),
    }
    _poi(record, scan.result)
    result: Record = plain(record)
    if not scan.certified.all():
        missing = int((~scan.certified).sum())
        result["delta_twice_nll_reason"] = f"{missing} point(s) were not certified"
    return result
