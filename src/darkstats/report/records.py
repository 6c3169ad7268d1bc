"""Versioned JSON records, one function for each kind of result.

A record is a promise: names and meanings of its fields change only with the number in its
``schema``. A number that does not exist is null, with ``<field>_reason`` beside it. The same
request gives the same bytes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from darkstats.report.provenance import Inputs, provenance_record
from darkstats.report.writing import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkstats.errors import DarkstatsError
    from darkstats.inference.p_values import FitCounts, PValue, ToyCounts
    from darkstats.inference.results import (
        GoodnessOfFit,
        HypoTestResult,
        Interval,
        LimitScan,
        Probe,
        Significance,
        UpperLimit,
    )
    from darkstats.referee import Verdict

__all__ = [
    "SCHEMAS",
    "Record",
    "error_record",
    "goodness_record",
    "hypotest_record",
    "interval_record",
    "limit_record",
    "p_record",
    "significance_record",
    "verdict_record",
]

Record = dict[str, Any]

#: Name and version of every kind of record.
SCHEMAS = {
    "combine": "darkstats.workspace/1",
    "contour": "darkstats.contour/1",
    "convert": "darkstats.convert/1",
    "dark-higgs": "darkstats.dark-higgs/1",
    "digest": "darkstats.digest/1",
    "download": "darkstats.download/1",
    "error": "darkstats.error/1",
    "events": "darkstats.events/1",
    "export": "darkstats.export/1",
    "fit": "darkstats.fit/1",
    "gof": "darkstats.gof/1",
    "hypotest": "darkstats.hypotest/1",
    "inspect": "darkstats.inspect/1",
    "patches": "darkstats.patches/1",
    "members": "darkstats.members/1",
    "limit": "darkstats.limit/1",
    "plot": "darkstats.plot/1",
    "prune": "darkstats.prune/1",
    "publish": "darkstats.publish/1",
    "rank": "darkstats.rank/1",
    "recast": "darkstats.recast/1",
    "reinterpret": "darkstats.reinterpret/1",
    "scan-poi": "darkstats.scan-poi/1",
    "significance": "darkstats.significance/1",
    "simplify": "darkstats.simplify/1",
    "template": "darkstats.template/1",
    "verify": "darkstats.verify/1",
}

NO_TOYS = "no toys were asked for"
NO_PRIOR = "a frequentist method has no prior"


def fits_record(fits: FitCounts | None) -> Record | None:
    """Fits behind a number, and how they were certified."""
    if fits is None:
        return None
    return {
        "attempted": fits.attempted,
        "certified": fits.certified,
        "failed": fits.failed,
        "second_start": fits.second_start,
        "certification_level": fits.level,
    }


def _with_toys(record: Record, toys: ToyCounts | None, seed: int | None) -> None:
    record["toys"] = None if toys is None else asdict(toys)
    record["seed"] = seed
    if toys is None:
        record["toys_reason"] = record["seed_reason"] = NO_TOYS


def _with(record: Record, key: str, value: object, reason: str | None) -> None:
    """Set a field that may be missing; the reason stands beside it."""
    record[key] = value
    if value is None:
        record[f"{key}_reason"] = reason or "not computed"


#: Why a p-value of 0 is not quoted as a value.
BEYOND = "beyond what can be told: it lies below the bound"


def below_bound(bound: float) -> str:
    """Why a p-value of 0 is not quoted, where its bound has no place of its own."""
    return f"beyond what can be told: it lies below {bound:.3g}"


#: Why there is no bound.
KNOWN = "the value is known"


def p_record(value: PValue | None) -> Record | None:
    """A p-value; null with its bound where it is only known to lie below that."""
    if value is None:
        return None
    record = asdict(value)
    _with(record, "value", None if value.bound is not None else value.value, BEYOND)
    _with(record, "bound", value.bound, KNOWN)
    return record


def _bounded(values: Iterable[float | None], bound: float | None) -> list[float | None]:
    """Expected p-values by toys: null in the place of 0, which only means below the bound."""
    return [None if value == 0.0 and bound is not None else value for value in values]


def _finished(
    kind: str,
    record: Record,
    inputs: Inputs,
    *,
    fits: FitCounts | None,
    warnings: tuple[str, ...],
    references: tuple[str, ...],
) -> Record:
    checked = fits_record(fits)
    record["schema"] = SCHEMAS[kind]
    _with(record, "fits", checked, "exact: no fit was needed")
    record["warnings"] = list(warnings)
    record["provenance"] = provenance_record(
        inputs,
        certification=checked,
        references=list(references),
        seed=record.get("seed"),
        toys=record.get("toys"),
    )
    result: Record = plain(record)
    return result


def _scan(scan: LimitScan | None) -> Record | None:
    if scan is None:
        return None
    record: Record = {"quantity": scan.quantity, "mu": scan.mu, "expected": scan.expected}
    _with(record, "observed", scan.observed, "blinded")
    _with(record, "observed_error", scan.observed_error, "asymptotic values have no error")
    return record


def _probe(probe: Probe | None) -> Record | None:
    return None if probe is None else {**asdict(probe), "toys_value": p_record(probe.toys_value)}


#: Why there is nothing in the place of an asymptotic limit.
NOT_BELOW = "no limit lies below that of no event at all"


def limit_record(limit: UpperLimit, inputs: Inputs, *, calculator_asked: str) -> Record:
    """Record of an upper limit (``darkstats.limit/1``)."""
    blind = limit.observed_reason
    record: Record = {
        "poi": limit.poi,
        "cl": limit.cl,
        "method": limit.method,
        "calculator": limit.calculator,
        "calculator_asked": calculator_asked,
        "test_stat": limit.test_stat,
        "interpolation": dict(inputs.interpolation),
        "observed_error": limit.observed_error,
        "expected": list(limit.expected),
        "expected_error": list(limit.expected_error),
        "expected_definition": limit.expected_definition,
        "power_threshold": limit.power_threshold,
        "power_constrained": limit.power_constrained,
        "poi_lower": limit.poi_lower,
        "prior": None,
        "prior_reason": NO_PRIOR,
    }
    _with(record, "scan", _scan(limit.scan), "no curve was kept")
    if limit.power_threshold is None:
        record["power_threshold_reason"] = "not a power-constrained limit"
    if limit.power_constrained is None:
        record["power_constrained_reason"] = (
            "not a power-constrained limit" if limit.method != "pcl" else blind
        )
    if limit.expected_reason is not None:
        record["expected_reason"] = limit.expected_reason
    for name in ("observed", "observed_low", "observed_high"):
        _with(record, name, getattr(limit, name), blind or "no crossing")
    _with(record, "mu_hat", limit.mu_hat, blind)
    _with(record, "twice_nll", limit.twice_nll, blind)
    _with(record, "sigma", limit.sigma, "no sensitivity")
    _with(record, "probe", _probe(limit.probe), _no_probe(limit, calculator_asked))
    _with(
        record,
        "low_counts",
        None if limit.low_counts is None else limit.low_counts.plain(),
        NOT_BELOW,
    )
    interval = None if limit.interval is None else _interval_fields(limit.interval)
    _with(record, "interval", interval, f"method {limit.method} gives an upper limit only")
    _at_unit(record, limit.at_unit, limit.at_unit_reason)
    _with_toys(record, limit.toys, limit.seed)
    return _finished(
        "limit",
        record,
        inputs,
        fits=limit.fits,
        warnings=limit.warnings,
        references=limit.references,
    )


def _no_probe(limit: UpperLimit, asked: str) -> str:
    if limit.probe_reason is not None:
        return limit.probe_reason
    if asked != "auto":
        return f"calculator {asked}: the probe belongs to auto"
    if limit.observed_reason is not None:
        return limit.observed_reason
    return "no bin that drives the limit expects few events"


def _at_unit(record: Record, test: HypoTestResult | None, reason: str | None) -> None:
    if test is None:
        record["CLs_obs"] = record["CLs_exp"] = None
        record["CLs_obs_reason"] = record["CLs_exp_reason"] = reason or "not computed"
        return
    quoted = test.quoted
    bound = None if quoted is None else quoted.bound
    _with(
        record,
        "CLs_obs",
        None if quoted is None or bound is not None else quoted.value,
        test.observed_reason if bound is None else below_bound(bound),
    )
    lowest = None if test.expected is None else test.expected.bound
    record["CLs_exp"] = _bounded(test.quoted_expected, lowest)
    if test.expected is None:
        record["CLs_exp_reason"] = test.expected_reason
    elif lowest is not None and None in record["CLs_exp"]:
        record["CLs_exp_reason"] = below_bound(lowest)
    record["CLs_calculator"] = test.calculator


def _interval_fields(interval: Interval) -> Record:
    record: Record = {
        name: getattr(interval, name)
        for name in (
            "cl", "construction", "lower", "lower_error", "method", "poi", "raised", "upper_error",
        )
    }  # fmt: skip
    _with(record, "upper", interval.upper, interval.upper_reason)
    return record


def interval_record(
    interval: Interval, inputs: Inputs, *, calculator_asked: str, test_stat: str
) -> Record:
    """Record of a Feldman-Cousins interval: a limit record whose limit is the upper end."""
    none = "the method gives no expected band here"
    record: Record = {
        "poi": interval.poi,
        "cl": interval.cl,
        "method": interval.method,
        "calculator": "toys" if interval.toys is not None else "exact",
        "calculator_asked": calculator_asked,
        "test_stat": test_stat,
        "interpolation": dict(inputs.interpolation),
        "observed_error": interval.upper_error,
        "expected": [None] * 5,
        "expected_reason": none,
        "expected_error": [None] * 5,
        "expected_error_reason": none,
        "expected_definition": none,
        "interval": _interval_fields(interval),
        "prior": None,
        "prior_reason": NO_PRIOR,
    }
    _with(record, "scan", _scan(interval.scan), "no curve was kept")
    _with(record, "observed", interval.upper, interval.upper_reason)
    lost = interval.toys is not None and interval.toys.failed > 0
    for name in ("observed_low", "observed_high"):
        why = "the ends do not bound what failed toys could change" if lost else None
        _with(record, name, None if lost else interval.upper, why or interval.upper_reason)
    for name in (
        "CLs_obs", "CLs_exp", "sigma", "power_threshold", "power_constrained", "probe",
        "low_counts",
    ):  # fmt: skip
        _with(record, name, None, "not defined for a Feldman-Cousins interval")
    _with(record, "poi_lower", None, "a Feldman-Cousins interval starts at its lower end")
    _with(record, "mu_hat", interval.mu_hat, "not needed by the construction")
    _with(record, "twice_nll", interval.twice_nll, "not needed by the construction")
    _with_toys(record, interval.toys, interval.seed)
    return _finished(
        "limit",
        record,
        inputs,
        fits=interval.fits,
        warnings=interval.warnings,
        references=interval.references,
    )


def hypotest_record(test: HypoTestResult, inputs: Inputs) -> Record:
    """Record of a test of one signal strength (``darkstats.hypotest/1``).

    ``CLs_obs`` and ``CLs_exp`` mean what they mean to pyhf; for ``q0`` both hold p0.
    """
    quoted = test.quoted
    record: Record = {
        "poi": test.poi,
        "mu": test.mu,
        "test_stat": test.test_stat,
        "calculator": test.calculator,
        "interpolation": dict(inputs.interpolation),
        "poi_lower": test.poi_lower,
    }
    why = test.observed_reason or f"not defined for {test.test_stat}"
    beyond = quoted is not None and quoted.bound is not None
    _with(
        record,
        "CLs_obs",
        None if quoted is None or beyond else quoted.value,
        BEYOND if beyond else why,
    )
    bound = quoted.bound if beyond and quoted is not None else None
    _with(record, "CLs_obs_bound", bound, KNOWN if quoted is not None else why)
    _expected_p_values(record, test)
    for name in ("cls", "clsb", "clb"):
        _with(record, name, p_record(getattr(test, name)), why)
    for name in ("statistic", "mu_hat", "twice_nll"):
        _with(record, name, getattr(test, name), test.observed_reason)
    _with(record, "sigma", test.sigma, "no sensitivity")
    _with_toys(record, test.toys, test.seed)
    return _finished(
        "hypotest",
        record,
        inputs,
        fits=test.fits,
        warnings=test.warnings,
        references=test.references,
    )


def _expected_p_values(record: Record, test: HypoTestResult) -> None:
    """Expected p-values, and why some are missing."""
    expected = test.expected
    _with(record, "statistic_asimov", test.statistic_asimov, test.expected_reason)
    if expected is None:
        _with(record, "expected", None, test.expected_reason)
        _with(record, "CLs_exp", None, test.expected_reason)
        return
    bound = expected.bound
    part: Record = {}
    bands = {
        "CLs_exp": (record, test.quoted_expected),
        **{name: (part, getattr(expected, name)) for name in ("cls", "clsb", "clb")},
    }
    for name, (place, values) in bands.items():
        place[name] = _bounded(values, bound)
        if None in place[name]:
            place[f"{name}_reason"] = BEYOND
    _with(part, "bound", bound, "asymptotic values are all known")
    record["expected"] = part


def significance_record(found: Significance, inputs: Inputs) -> Record:
    """Record of a discovery significance (``darkstats.significance/1``)."""
    record: Record = {
        "poi": found.poi,
        "calculator": found.calculator,
        "test_stat": "q0",
        "uncapped": found.uncapped,
        "interpolation": dict(inputs.interpolation),
        "observed_error": found.observed_error,
        "expected": list(found.expected),
        "expected_p0": _bounded(found.expected_p0, found.expected_p0_bound),
        "expected_mu": found.expected_mu,
    }
    _with(record, "expected_p0_bound", found.expected_p0_bound, "asymptotic: no toys bound it")
    for key in ("expected", "expected_p0"):
        if None in record[key]:
            record[f"{key}_reason"] = found.expected_reason or BEYOND
    _with(record, "observed", found.observed, found.observed_reason)
    for name in ("statistic", "mu_hat", "twice_nll"):
        _with(record, name, getattr(found, name), found.observed_reason)
    _with(record, "p0", p_record(found.p0), found.observed_reason)
    _with_toys(record, found.toys, found.seed)
    return _finished(
        "significance",
        record,
        inputs,
        fits=found.fits,
        warnings=found.warnings,
        references=found.references,
    )


def goodness_record(found: GoodnessOfFit, inputs: Inputs) -> Record:
    """Record of a goodness of fit (``darkstats.gof/1``)."""
    record: Record = {
        "calculator": found.calculator,
        "interpolation": dict(inputs.interpolation),
        "degrees_of_freedom": found.degrees_of_freedom,
        "n_bins": found.n_bins,
        "n_free": found.n_free,
    }
    _with(record, "statistic", found.statistic, found.p_value_reason)
    _with(record, "p_value", p_record(found.p_value), found.p_value_reason)
    no_fit = found.p_value_reason if found.statistic is None else None
    _with(
        record, "mu_hat", found.mu_hat,
        no_fit or "the measurement names no parameter of interest",
    )  # fmt: skip
    _with_toys(record, found.toys, found.seed)
    return _finished(
        "gof",
        record,
        inputs,
        fits=found.fits,
        warnings=found.warnings,
        references=found.references,
    )


def error_record(error: BaseException, *, exit_status: int, command: str | None = None) -> Record:
    """Record of what went wrong (``darkstats.error/1``): kind, message, and the error's fields."""
    fields: Record = {
        "what" if name == "kind" else name: value
        for name, value in vars(error).items()
        if not name.startswith("_") and (value is None or isinstance(value, (str, int, float)))
    }
    if hasattr(error, "findings"):
        fields["findings"] = [asdict(finding) for finding in error.findings]
    if hasattr(error, "known"):
        fields["known"] = list(error.known)
    record = {
        **fields,
        "schema": SCHEMAS["error"],
        "error": type(error).__name__,
        "kind": _kind(error),
        "message": str(error),
        "exit_status": exit_status,
        "command": command,
    }
    result: Record = plain(record)
    return result


def verdict_record(verdict: Verdict | None) -> Record | None:
    """What the referee says, with both numbers and their difference."""
    if verdict is None:
        return None
    record: Record = {
        "program": verdict.program,
        "version": verdict.version,
        "status": verdict.status,
        "what": verdict.what,
        "comparisons": [
            {
                "quantity": one.quantity,
                "darkstats": one.darkstats,
                "referee": one.referee,
                "difference": one.difference,
                "relative_difference": one.relative_difference,
            }
            for one in verdict.comparisons
        ],
        "reason": verdict.reason,
    }
    result: Record = plain(record)
    return result


def _kind(error: BaseException | DarkstatsError) -> str:
    """Class of an error in the words of the exit status."""
    from darkstats.errors import InputError, NotCertifiedError

    if isinstance(error, InputError):
        return "input"
    if isinstance(error, NotCertifiedError):
        return "not-certified"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "usage" if hasattr(error, "exit_code") else "internal"
