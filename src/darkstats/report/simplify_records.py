"""Records of smaller likelihoods: what is in them, and what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.report.provenance import Inputs, provenance_record
from darkstats.report.records import SCHEMAS, Record
from darkstats.report.writing import plain

if TYPE_CHECKING:
    from darkstats.inference.pruning import Pruned
    from darkstats.inference.results import UpperLimit
    from darkstats.inference.simplified import LimitComparison, SimplifiedLikelihood

__all__ = ["CARRIED", "comparison_record", "pruned_record", "simplify_record"]

#: What a document carries, by response.
CARRIED = {
    "linear": "means and covariance of the background; its third moments only where single bins "
    "have Poisson constraints",
    "quadratic": "means, covariance, and for each eigen-nuisance the events at one standard "
    "deviation up and down; terms of two eigen-nuisances are not carried, and between and "
    "beyond these points the interpolation code decides: code4p of pyhf is no parabola, code2 is",
}
_BACKGROUND_SHOWN = 500


def _limits(limit: UpperLimit) -> Record:
    found: Record = {"observed": limit.observed, "expected": list(limit.expected)}
    if limit.observed is None:
        found["observed_reason"] = limit.observed_reason or "no limit was found"
    if None in limit.expected:
        found["expected_reason"] = limit.expected_reason or "no limit was found"
    return found


def comparison_record(comparison: LimitComparison, first: str, second: str) -> Record:
    """Two limits with their changes, under names of their own."""
    changes = comparison.changes
    record: Record = {
        "cl": comparison.first.cl,
        first: _limits(comparison.first),
        second: _limits(comparison.second),
        "change_observed": changes[0],
        "change_expected": list(changes[1:]),
        "largest_change": comparison.largest,
    }
    for key, value in (("change_observed", changes[0]), ("largest_change", comparison.largest)):
        if value is None:
            record[f"{key}_reason"] = "one of the two limits does not exist"
    if None in changes[1:]:
        record["change_expected_reason"] = "one of the two limits does not exist"
    return record


def simplify_record(
    found: SimplifiedLikelihood, fidelity: LimitComparison, inputs: Inputs, *, tolerance: float
) -> Record:
    """Record of a simplified likelihood (``darkstats.simplify/1``)."""
    n = len(found.places)
    small = n <= _BACKGROUND_SHOWN
    skew = None
    if found.third_moment is not None and found.carried_third_moment is not None:
        skew = {
            "full": found.third_moment.tolist(),
            "carried": found.carried_third_moment.tolist(),
        }
    record: Record = {
        "schema": SCHEMAS["simplify"],
        "simplified_sha256": found.workspace.digest,
        "response": found.response,
        "carried": CARRIED[found.response],
        "moments": found.moments,
        "kept": list(found.kept),
        "left_out": list(found.left_out),
        "parameters": {
            "full": found.parameters_before,
            "simplified": found.parameters_after,
            "background_eigen": found.eigen,
            "background_free": found.free,
            "signal_eigen": found.signal_only,
            "single_bins": found.bin_errors,
        },
        "lost_sigma": found.lost,
        "bins": [{"channel": channel, "bin": b} for channel, b in found.places] if small else None,
        "background": found.background.tolist() if small else None,
        "background_error": np.sqrt(np.diag(found.covariance)).tolist() if small else None,
        "covariance": found.covariance.tolist() if small else None,
        "third_moment": skew,
        "fidelity": comparison_record(fidelity, "full", "simplified"),
        "tolerance": tolerance,
        "seconds": {"full": fidelity.first_seconds, "simplified": fidelity.second_seconds},
        "time_ratio": fidelity.second_seconds / fidelity.first_seconds,
        "toys_drawn": found.n_toys,
        "seed": found.seed,
        "warnings": list(found.warnings),
        "provenance": provenance_record(inputs),
    }
    if not small:
        for key in ("bins", "background", "background_error", "covariance"):
            record[f"{key}_reason"] = f"{n} bins, more than {_BACKGROUND_SHOWN}"
    if skew is None:
        record["third_moment_reason"] = found.third_moment_reason
    if found.n_toys is None:
        record["toys_drawn_reason"] = record["seed_reason"] = "nothing was drawn"
    result: Record = plain(record)
    return result


def pruned_record(found: Pruned, inputs: Inputs) -> Record:
    """Record of what was pruned by a threshold (``darkstats.prune/1``)."""
    record: Record = {
        "schema": SCHEMAS["prune"],
        "pruned_sha256": found.workspace.digest,
        "threshold": found.threshold,
        "dropped": [{"name": name, "expected_change": size} for name, size in found.dropped],
        "kept": [{"name": name, "expected_change": size} for name, size in found.kept],
        "parameters": {"full": found.parameters_before, "pruned": found.parameters_after},
        "change": comparison_record(found.change, "full", "pruned"),
        "provenance": provenance_record(inputs),
    }
    result: Record = plain(record)
    return result
