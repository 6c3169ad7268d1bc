"""Records of scans (``darkstats.scan/1``) and of global significance (``darkstats.global/1``)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from darkstats.gaussian import quantile, survival
from darkstats.report.bayes_records import NO_TEST, prior_record
from darkstats.report.records import below_bound
from darkstats.report.scan_table import NOT_NARROW
from darkstats.report.writing import plain
from darkstats.scan.expected_spectrum import LARGEST_BIAS
from darkstats.signals.constants import is_too_wide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.look_elsewhere import Comparison, GlobalSignificance, LocalPValue
    from darkstats.look_elsewhere.spectrum_job import Tallies
    from darkstats.scan.mass_scan import MassScan, ScanPoint
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Converted", "Coupling", "global_record", "scan_record", "width_warnings"]

#: What a limit on the signal strength is in other units: (values of a hypothesis, strength) -> it.
Converted = Callable[["Sequence[float | str]", float], "float | None"]


@dataclass(frozen=True, slots=True)
class Coupling:
    """The coupling of a benchmark.

    Parameters
    ----------
    symbol
        With the unit in brackets.
    at
        Its size at a signal strength.
    width
        Least width over the mass at this size of it; None where it is not known.
    """

    symbol: str
    at: Converted
    width: Converted | None = None


_LEVELS = (1.0, 2.0, 3.0)


def _missing(record: JsonObject, key: str, reason: str | None) -> None:
    if record[key] is None:
        record[f"{key}_reason"] = reason or "not computed"


def _scaled(value: Any, factor: float) -> Any:  # noqa: ANN401 -- a number, a list, or null
    """Numbers times a factor, nulls as they are."""
    if isinstance(value, (list, tuple)):
        return [_scaled(item, factor) for item in value]
    return None if value is None else factor * value


def _point(
    point: ScanPoint,
    reference_pb: float | None,
    couplings: Mapping[str, Coupling],
    *,
    bayes: bool,
) -> JsonObject:
    record = point.plain()
    record["CLs_obs"], record["CLs_exp"] = record.pop("cls_observed"), record.pop("cls_expected")
    bounds = {"CLs_obs": "cls_observed_bound", "CLs_exp": "cls_expected_bound"}
    for key, bound in ((key, record.pop(name)) for key, name in bounds.items()):
        value = record[key]
        if bound is not None and (value is None or (key == "CLs_exp" and None in value)):
            record[f"{key}_reason"] = below_bound(bound)
    lost = record.pop("local_reason")
    if not bayes:
        del record["engine"]
    if point.low_counts is None:
        del record["low_counts"]
    why = point.reason if point.status != "ok" else None
    for key in (
        "observed",
        "mu_hat",
        "p0",
        "significance",
        "signed_significance",
        "expected_spectrum_significance",
    ):
        _missing(record, key, getattr(point, f"{key}_reason", None) or why or lost)
    for key in ("sigma", "CLs_obs", "CLs_exp") if bayes else ("sigma",):
        _missing(record, key, NO_TEST if bayes else why)
    if point.status != "ok" or reference_pb is None:
        return record
    bands = (point.observed, *point.expected)

    def converted(convert: Converted) -> JsonObject:
        found = [None if mu is None else convert(point.values, mu) for mu in bands]
        return {"observed": found[0], "expected": found[1:]}

    record["cross_section_fb"] = converted(lambda _, mu: 1e3 * reference_pb * mu)
    if point.low_counts is not None:
        held = point.low_counts
        record["low_counts"] = {
            **held,
            "cross_section_fb": {
                name: _scaled(held[name], 1e3 * reference_pb) for name in ("observed", "expected")
            },
        }
    record["couplings"] = {
        name: _with_width({"symbol": one.symbol, **converted(one.at)}, one, point.values)
        for name, one in couplings.items()
    }
    record["warnings"] = [*record["warnings"], *width_warnings(record["couplings"])]
    if point.low_counts is not None:
        held = point.low_counts
        for name, one in couplings.items():
            strengths = (held["observed"], *held["expected"])
            found = [None if mu is None else one.at(point.values, mu) for mu in strengths]
            record["couplings"][name]["low_counts"] = {"observed": found[0], "expected": found[1:]}
    return record


def _with_width(entry: JsonObject, coupling: Coupling, values: Sequence[float | str]) -> JsonObject:
    """Say how wide the boson is at the limit, observed or else expected."""
    limit: Any = entry["observed"]
    if limit is None:
        limit = cast("Any", entry["expected"])[2]
    width = None
    if coupling.width is not None and limit is not None:
        width = coupling.width(values, limit)
    entry["width_over_mass"] = width
    if width is None:
        why = "no limit on this coupling" if coupling.width else "not known for this coupling"
        entry["width_over_mass_reason"] = why
    return entry


def width_warnings(couplings: JsonObject) -> list[str]:
    """Couplings of a point at whose limits the boson is no longer narrow, in words."""
    entries = cast("Mapping[str, Any]", couplings).items()
    return [
        f"{name}: at its limit the width is at least {entry['width_over_mass']:.2g} of the mass, "
        f"and {NOT_NARROW}"
        for name, entry in entries
        if is_too_wide(entry.get("width_over_mass") or 0.0)
    ]


def _bias(scan: MassScan) -> JsonObject | None:
    """How far the expected spectrum biases the windows of a scan; null where none is known."""
    worst = scan.most_biased
    if worst is None:
        return None
    return {
        "largest": worst.expected_spectrum_significance,
        "name": worst.name,
        "limit": LARGEST_BIAS,
        "beyond": sum(
            abs(point.expected_spectrum_significance or 0.0) > LARGEST_BIAS for point in scan.points
        ),
    }


def scan_record(
    scan: MassScan,
    *,
    facts: Mapping[str, Any],
    couplings: Mapping[str, Coupling],
    job_digest: str,
    versions: Mapping[str, str],
) -> JsonObject:
    """Record of a scan: the same bytes however it was run.

    Parameters
    ----------
    scan
        What was found.
    facts
        Of the search: ``name``, ``title``, ``simulated``, ``data``, ``luminosity_ipb``,
        ``reference_cross_section_pb``, ``poi_label``.
    couplings
        By benchmark.
    job_digest, versions
        For the provenance.
    """
    settings = scan.settings
    bayes = settings.method == "bayes"
    reference = facts.get("reference_cross_section_pb")
    top = scan.largest
    largest = None
    if top is not None:
        largest = {
            "name": top.name, "values": list(top.values), "p0": top.p0,
            "significance": top.significance,
            "expected_spectrum_significance": top.expected_spectrum_significance,
        }  # fmt: skip
    record = {
        "schema": "darkstats.scan/1",
        "summary": {
            "statement": scan.statement,
            "points": len(scan.points),
            "failed": len(scan.failed),
            "largest_excess": largest,
            "expected_spectrum": _bias(scan),
        },
        **dict(facts),
        "labels": list(scan.labels),
        "benchmarks": list(couplings),
        "method": settings.method,
        "cl": settings.cl,
        "calculator": settings.calculator,
        "test_stat": settings.test_stat,
        "band": settings.band,
        "prior": None if settings.bayes is None else prior_record(settings.bayes),
        "interpolation": settings.interpolation,
        "blind": settings.blind,
        "toys_per_hypothesis": settings.n_toys,
        "seed": settings.seed if settings.calculator in {"toys", "posterior"} else None,
        "points": [_point(p, reference, couplings, bayes=bayes) for p in scan.points],
        "provenance": {
            "inputs_sha256": scan.inputs_digest,
            "job_sha256": job_digest,
            "versions": dict(versions),
        },
    }
    if bayes:
        for key in ("test_stat", "band"):
            record[key] = None
            record[f"{key}_reason"] = NO_TEST
    found: JsonObject = plain(record)
    return found


def _significance(found: GlobalSignificance) -> JsonObject:
    """Global significance; none where the p-value is 0 or 1 as it is written."""
    from darkstats.look_elsewhere.result import BEYOND

    if abs(found.z_global) < BEYOND:
        return {"z_global": found.z_global}
    return {"z_global": None, "z_global_reason": "no significance belongs to a p-value of 0 or 1"}


def _method(found: GlobalSignificance) -> JsonObject:
    p = found.p_global
    return {
        "method": found.method,
        "p_global": None if p is None else p.value,
        "p_global_error": None if p is None else p.error,
        "p_global_low": None if p is None else p.low,
        "p_global_high": None if p is None else p.high,
        "p_global_below": found.p_global_below,
        **_significance(found),
        "z_global_error": found.z_global_error,
        "trials_factor": found.trials_factor,
        "trials_factor_error": found.trials_factor_error,
        "trials_factor_below": found.trials_factor_below,
        "trials_factor_above": found.trials_factor_above,
        "effective_trials": found.effective_trials,
        "valid": found.valid,
        "reasons": list(found.reasons),
        "notes": list(found.notes),
        "extrapolated": found.extrapolated,
        "extrapolation": found.extrapolation,
        "toys": None
        if found.toys is None
        else {"asked": found.toys.asked, "ok": found.toys.ok, "failed": found.toys.failed},
        "references": list(found.references),
    }


def _crossings(comparison: Comparison, z_local: float) -> JsonObject | None:
    law = next((r.law for r in comparison.results if r.law is not None), None)
    if law is None:
        return None
    top = max(z_local**2, 16.0) + 1.0
    levels = [top * k / 60 for k in range(61)]
    curve = [law.mean_at(math.sqrt(u)) for u in levels]
    errors = [law.error_at(math.sqrt(u)) for u in levels]
    return {
        "quantity": "up-crossings" if law.dimension == 1 else "Euler characteristic",
        "levels_u": [z * z for z in law.levels],
        "means": list(law.means),
        "errors": list(law.errors),
        "used": list(law.used),
        "curve_u": levels,
        "curve": curve,
        "curve_low": [max(c - e, 0.0) for c, e in zip(curve, errors, strict=True)],
        "curve_high": [c + e for c, e in zip(curve, errors, strict=True)],
        "observed_u": z_local**2,
        "chi2": law.chi2,
        "degrees_of_freedom": law.degrees_of_freedom,
    }


def _local(found: LocalPValue) -> JsonObject:
    """Local p-value of toys of the spectrum, or its bound; Z of either."""
    p = found.value
    known = p.value if p is not None else found.below
    return {
        "above": found.above,
        "certified": found.certified,
        "asked": found.asked,
        "p": None if p is None else p.value,
        "p_error": None if p is None else p.error,
        "p_low": None if p is None else p.low,
        "p_high": None if p is None else p.high,
        "p_below": found.below,
        "z": None if known is None or not 0.0 < known < 1.0 else -quantile(known),
    }


def _windows(tallies: Tallies, names: Sequence[str]) -> list[JsonObject]:
    """How many toys exceed each window's excess; windows without one are left out."""
    found = tallies.local
    return [
        {
            "name": name,
            "significance": float(found.observed[k]),
            "above": int(found.above[k]),
            "certified": int(found.certified[k]),
        }
        for k, name in enumerate(names)
        if found.observed[k] > 0.0
    ]


def global_record(
    comparison: Comparison,
    tallies: Tallies,
    *,
    statement: str,
    facts: Mapping[str, Any],
    point: Mapping[str, Any],
    bias: float | None,
    local: LocalPValue | None,
    names: Sequence[str],
    not_computed: Sequence[str],
    toys: Mapping[str, int],
    provenance: Mapping[str, Any],
) -> JsonObject:
    """Record of global significance.

    Parameters
    ----------
    comparison
        The methods.
    tallies
        Of the toys.
    statement
        How many hypotheses of the scan have a certified result.
    facts
        Of the search: name, title, whether simulated.
    point
        The hypothesis of the largest excess.
    bias
        Asimov significance of the expected spectrum in its window, where it is known.
    local
        Its local p-value in toys of the spectrum.
    names
        Hypotheses in the order of the tallies.
    not_computed
        Methods that were left out, and why.
    toys
        How many of the spectrum were asked for and thrown, and how many a block has.
    provenance
        Digests, seed, versions.
    """
    first = comparison.results[0]
    quoted = comparison.quoted
    levels = []
    for z in _LEVELS:
        at = tallies.maxima.threshold(survival(z))
        if at is not None:
            levels.append({"z_global": z, "z_local": at, "p_local": survival(at)})
    record = {
        "schema": "darkstats.global/1",
        "statement": statement,
        **dict(facts),
        "point": dict(point),
        "z_local": first.z_local,
        "p_local": first.p_local,
        "expected_spectrum_significance": bias,
        "local_toys": None if local is None else _local(local),
        "quoted": quoted.method,
        "p_global": None if quoted.p_global is None else quoted.p_global.value,
        "p_global_error": None if quoted.p_global is None else quoted.p_global.error,
        "p_global_below": quoted.p_global_below,
        **_significance(quoted),
        "levels": levels,
        "methods": [_method(found) for found in comparison.results],
        "not_computed": list(not_computed),
        "up_crossings": _crossings(comparison, first.z_local),
        "auxiliary_data": tallies.auxiliary,
        "toys": dict(toys),
        "windows": _windows(tallies, names),
        "provenance": dict(provenance),
    }
    found: JsonObject = plain(record)
    return found
