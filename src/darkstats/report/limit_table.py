"""A limit record as the result that it was made from, as far as a figure of it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.report.provenance import Inputs
from darkstats.report.records import SCHEMAS

if TYPE_CHECKING:
    from darkstats.inference.results import Interval, LimitScan, UpperLimit

__all__ = ["SCHEMA", "inputs_of", "interval_of", "limit_of"]

SCHEMA = SCHEMAS["limit"]


def inputs_of(record: Mapping[str, Any]) -> Inputs:
    """What a record says of the files that it was made from."""
    provenance = record.get("provenance") or {}
    workspace = provenance.get("workspace") or {}
    simulated = workspace.get("simulated")
    return Inputs(
        source=str(workspace.get("source") or "a record"),
        workspace_sha256=str(workspace.get("sha256") or ""),
        canonical_sha256=str(workspace.get("canonical_sha256") or ""),
        simulated=simulated if isinstance(simulated, bool) else None,
        blind=provenance.get("blind") is True,
    )


def _scan(record: Mapping[str, Any], source: str) -> LimitScan:
    from darkstats.inference.results import LimitScan

    found = record.get("scan")
    if found is None:
        raise OptionError(
            f"{source}: the record keeps no curve, so that its figure cannot be made again: run "
            "darkstats limit with --plot"
        )
    try:
        observed, error = found["observed"], found["observed_error"]
        return LimitScan(
            quantity=found["quantity"],
            mu=tuple(found["mu"]),
            observed=None if observed is None else tuple(observed),
            expected=tuple(tuple(row) for row in found["expected"]),
            observed_error=None if error is None else tuple(error),
        )
    except (KeyError, TypeError) as error_:
        raise DocumentError("is no curve", source=source, pointer="/scan") from error_


def _fits(record: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- FitCounts, imported when used
    from darkstats.inference.results import FitCounts

    fits = record.get("fits") or {}
    return FitCounts(attempted=fits.get("attempted", 0), certified=fits.get("certified", 0))


def limit_of(record: Mapping[str, Any], source: str = "") -> UpperLimit:
    """Return the upper limit of a record, with its curve.

    Raises
    ------
    OptionError
        The record keeps no curve.
    DocumentError
        A field is missing or of another kind.
    """
    from darkstats.inference.results import UpperLimit

    scan = _scan(record, source)
    try:
        return UpperLimit(
            poi=record["poi"],
            cl=record["cl"],
            method=record["method"],
            test_stat=record["test_stat"],
            calculator=record["calculator"],
            observed=record["observed"],
            expected=tuple(record["expected"]),
            expected_definition=record["expected_definition"],
            mu_hat=record["mu_hat"],
            twice_nll=record["twice_nll"],
            sigma=record["sigma"],
            poi_lower=record["poi_lower"],
            fits=_fits(record),
            scan=scan,
        )
    except (KeyError, TypeError) as error:
        raise DocumentError(f"has no field {error}", source=source) from error


def interval_of(record: Mapping[str, Any], source: str = "") -> Interval:
    """Return the Feldman-Cousins interval of a record, with its p-values.

    Raises
    ------
    OptionError
        The record keeps no curve.
    DocumentError
        A field is missing or of another kind.
    """
    from darkstats.inference.results import Interval

    scan = _scan(record, source)
    try:
        found = record["interval"]
        return Interval(
            poi=found["poi"],
            cl=found["cl"],
            lower=found["lower"],
            upper=found["upper"],
            method=found["method"],
            construction=found["construction"],
            mu_hat=record["mu_hat"],
            scan=scan,
        )
    except (KeyError, TypeError) as error:
        raise DocumentError(f"has no field {error}", source=source) from error
