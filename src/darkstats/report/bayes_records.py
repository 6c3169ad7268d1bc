"""Records and tables of Bayesian limits."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from darkstats.report.numbers import (
    BAND_LABELS,
    number,
    p_number,
    p_with_error,
    percent,
    with_error,
)
from darkstats.report.records import SCHEMAS, fits_record, p_record
from darkstats.report.tables import fits_note, grid, sheet, subtitle_of, toys_note
from darkstats.report.writing import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.inference.bayes.answers import CredibleLimit
    from darkstats.inference.results import Significance
    from darkstats.report.provenance import Inputs
    from darkstats.scan.settings import BayesSettings

__all__ = ["NO_TEST", "credible_record", "credible_sheet", "prior_record"]

Record = dict[str, Any]

#: Why a field of a frequentist limit is null.
NO_TEST = "a Bayesian limit makes no test"
_SHOWN = 6  # nuisance parameters in the table


def _set(record: Record, key: str, value: object, reason: str | None) -> None:
    """Set a field that may be missing; the reason stands beside it."""
    record[key] = value
    if value is None:
        record[f"{key}_reason"] = reason or "not computed"


def credible_record(
    limit: CredibleLimit,
    inputs: Inputs,
    *,
    calculator_asked: str,
    discovery: Significance | None,
    discovery_reason: str | None,
) -> Record:
    """Record of a credible limit (``darkstats.limit/1``).

    Parameters
    ----------
    limit, inputs
        Result, and what it was computed from.
    calculator_asked
        What was asked for.
    discovery, discovery_reason
        The frequentist p0 beside it, or why there is none.
    """
    from darkstats.report.provenance import provenance_record

    record: Record = {
        "schema": SCHEMAS["limit"],
        "poi": limit.poi,
        "cl": limit.cl,
        "method": limit.method,
        "calculator": "posterior",
        "calculator_asked": calculator_asked,
        "interpolation": dict(inputs.interpolation),
        "engine": limit.engine,
        "engine_asked": limit.engine_asked,
        "engines": [_engine_fields(answer) for answer in limit.answers],
        "observed_error": limit.observed_error,
        "expected": list(limit.expected),
        "expected_error": list(limit.expected_error),
        "expected_definition": limit.expected_definition,
        "prior": _prior_fields(limit),
        "warnings": list(limit.warnings),
        "seed": limit.seed,
    }
    if limit.expected_reason is not None:
        record["expected_reason"] = record["expected_error_reason"] = limit.expected_reason
    _set(record, "observed", limit.observed, limit.observed_reason)
    for name in ("test_stat", "CLs_obs", "CLs_exp", "sigma", "poi_lower", "scan"):
        _set(record, name, None, NO_TEST)
    for name in ("power_threshold", "power_constrained"):
        _set(record, name, None, "not a power-constrained limit")
    for name in ("observed_low", "observed_high"):
        _set(record, name, None, "no toys stand behind the observed limit")
    _set(record, "probe", None, "nothing asymptotic to be probed")
    _set(record, "mu_hat", None if discovery is None else discovery.mu_hat, discovery_reason)
    _set(record, "twice_nll", None if discovery is None else discovery.twice_nll, discovery_reason)
    _set(record, "interval", _interval(limit), limit.summary_reason or limit.observed_reason)
    _set(record, "posterior", _posterior(limit), limit.summary_reason or limit.observed_reason)
    nuisances = None if limit.nuisances is None else [asdict(one) for one in limit.nuisances]
    _set(record, "nuisances", nuisances, limit.nuisances_reason)
    correlation = None
    if limit.correlation is not None and limit.nuisances is not None:
        names = [limit.poi, *(one.name for one in limit.nuisances)]
        correlation = {"names": names, "matrix": limit.correlation}
    _set(record, "correlation", correlation, limit.nuisances_reason)
    check = None if limit.predictive is None else asdict(limit.predictive)
    _set(record, "predictive", check, limit.predictive_reason)
    _set(record, "log_bayes_factor", limit.log_bayes_factor, limit.bayes_factor_reason)
    p0 = None if discovery is None or discovery.p0 is None else p_record(discovery.p0)
    _set(record, "p0", p0, discovery_reason)
    _set(
        record,
        "significance",
        None if discovery is None else discovery.observed,
        discovery_reason,
    )
    checked = fits_record(limit.fits)
    _set(record, "fits", checked, "no fit was needed")
    toys = None if limit.toys is None else asdict(limit.toys)
    _set(record, "toys", toys, "no toys were needed")
    record["provenance"] = provenance_record(
        inputs,
        certification=checked,
        references=list(limit.references),
        seed=limit.seed,
        toys=toys,
    )
    result: Record = plain(record)
    return result


def _engine_fields(answer: Any) -> Record:  # noqa: ANN401 -- asdict knows the class
    record = asdict(answer)
    reason = record.pop("reason")
    record["diagnostics"] = dict(answer.diagnostics)
    if record["limit"] is None:
        record["limit_reason"] = reason or "not asked"
    return record


def _prior_fields(limit: CredibleLimit) -> Record:
    from darkstats.inference.bayes.priors import FlatInCoupling

    prior = limit.prior
    record: Record = {
        "name": prior.name,
        "description": prior.describe(),
        "efficiency": limit.nuisance_priors.efficiency,
        "ur_prior": limit.nuisance_priors.ur_prior,
        "rules": list(limit.nuisance_priors.describe()),
        "nuisances": [{"name": name, "prior": words} for name, words in limit.model_priors],
    }
    coupling = None
    if isinstance(prior, FlatInCoupling):
        observed = None if limit.observed is None else prior.coupling(limit.observed)
        coupling = {
            "power": prior.power,
            "reference": prior.reference,
            "expected": [None if x is None else prior.coupling(x) for x in limit.expected],
        }
        if limit.expected_reason is not None:
            coupling["expected_reason"] = limit.expected_reason
        _set(coupling, "observed", observed, limit.observed_reason)
    _set(record, "coupling", coupling, "the prior is not in a coupling")
    return record


def prior_record(asked: BayesSettings) -> Record:
    """What all hypotheses of a scan have in common: priors, engine, and how outcomes are thrown."""
    from darkstats.inference.bayes.credible import DEFINITIONS
    from darkstats.inference.bayes.nuisances import NuisancePriors
    from darkstats.inference.bayes.prior_text import parse_prior

    prior = parse_prior(asked.prior)
    nuisances = NuisancePriors(
        efficiency=asked.efficiency,
        ur_prior=asked.ur_prior,
        ranges={name: (low, high) for name, low, high in asked.ranges},
    )
    return {
        "name": prior.name,
        "asked": asked.prior,
        "description": prior.describe(),
        "efficiency": nuisances.efficiency,
        "ur_prior": nuisances.ur_prior,
        "rules": list(nuisances.describe()),
        "ranges": [{"name": name, "edges": [low, high]} for name, low, high in asked.ranges],
        "engine_asked": asked.engine,
        "expected": asked.expected,
        "expected_definition": DEFINITIONS[asked.expected, True],
    }


def _interval(limit: CredibleLimit) -> Record | None:
    if limit.summary is None:
        return None
    low, high = limit.summary.highest_density
    return {
        "poi": limit.poi,
        "cl": limit.cl,
        "method": limit.method,
        "construction": "highest posterior density",
        "raised": False,
        "lower": low,
        "upper": high,
        "lower_error": 0.0,
        "upper_error": limit.observed_error,
    }


def _posterior(limit: CredibleLimit) -> Record | None:
    if limit.summary is None:
        return None
    record: Record = {
        "mean": limit.summary.mean,
        "standard_deviation": limit.summary.standard_deviation,
        "median": limit.summary.median,
    }
    mu = density = None
    if limit.posterior is not None:
        points, heights = limit.posterior.curve(101)
        mu, density = points.tolist(), heights.tolist()
    _set(record, "mu", mu, "drawn, not computed: see the engine")
    _set(record, "density", density, "drawn, not computed: see the engine")
    return record


def credible_sheet(
    limit: CredibleLimit,
    inputs: Inputs,
    *,
    discovery: Significance | None = None,
    discovery_reason: str | None = None,
) -> RenderableType:
    """Observed and expected credible limits, the prior, and how the number was made."""
    from darkstats.inference.bayes.priors import FlatInCoupling

    rows = [
        [
            f"{limit.poi} <",
            with_error(limit.observed, limit.observed_error if _visible(limit) else 0.0),
            *(number(value) for value in limit.expected),
        ]
    ]
    prior = limit.prior
    if isinstance(prior, FlatInCoupling):
        values = [limit.observed, *limit.expected]
        rows.append(
            ["coupling <", *(number(None if x is None else prior.coupling(x)) for x in values)]
        )
    if limit.toys is not None and any(limit.expected_error):
        rows.append(["± toys", "", *(number(error, 2) for error in limit.expected_error)])
    notes = [("prior", prior.describe())]
    notes += [("nuisances", words) for words in limit.nuisance_priors.describe()[1:3]]
    if limit.observed is None and limit.observed_reason:
        notes.append(("observed", limit.observed_reason))
    notes.append(("expected", limit.expected_reason or limit.expected_definition))
    for answer in limit.answers:
        said = f"{number(answer.limit, 6)} ± {number(answer.error, 2)}"
        notes.append((answer.engine, said if answer.limit is not None else str(answer.reason)))
    if limit.summary is not None:
        low, high = limit.summary.highest_density
        notes.append(
            (
                "posterior",
                f"mean {number(limit.summary.mean)}, median {number(limit.summary.median)}, "
                f"highest density [{number(low)}, {number(high)}]",
            )
        )
    if limit.log_bayes_factor is not None:
        notes.append(("Bayes factor", f"ln B = {number(limit.log_bayes_factor, 3)} for signal"))
    if discovery is not None and discovery.p0 is not None:
        notes.append(("p₀", f"{p_with_error(discovery.p0)} (frequentist, {discovery.calculator})"))
    elif discovery_reason:
        notes.append(("p₀", discovery_reason))
    if limit.predictive is not None:
        notes.append(("predictive", f"p = {p_number(limit.predictive.p_value)} (posterior)"))
    notes += fits_note(limit.fits, inputs) + toys_note(limit.toys, limit.seed)
    tables: list[RenderableType] = [grid(["", "observed", *BAND_LABELS], rows)]
    if limit.nuisances:
        tables.append(_nuisance_table(limit))
    return sheet(
        f"Upper limit on {limit.poi} at {percent(limit.cl)} credibility",
        subtitle=subtitle_of(inputs, "Bayes", limit.engine),
        tables=tables,
        notes=notes,
        warnings=limit.warnings,
    )


def _visible(limit: CredibleLimit) -> bool:
    """Whether the numerical error would show in four digits."""
    return limit.observed is not None and limit.observed_error > 5e-4 * abs(limit.observed)


def _nuisance_table(limit: CredibleLimit) -> RenderableType:
    """The nuisance parameters that go most with the signal strength."""
    found = sorted(limit.nuisances or (), key=lambda one: -abs(one.correlation_with_poi))
    rows = [
        [
            one.name,
            one.prior,
            f"{number(one.mean, 3)} ± {number(one.standard_deviation, 2)}",
            f"{one.correlation_with_poi:+.2f}".replace("-", "−"),
        ]
        for one in found[:_SHOWN]
    ]
    title = "nuisance parameter" if len(found) <= _SHOWN else f"nuisance (of {len(found)})"
    return grid([title, "prior", "posterior", f"corr. {limit.poi}"], rows, left=2)
