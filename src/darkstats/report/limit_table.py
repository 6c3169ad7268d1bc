"""A limit record as the result that it was made from, as far as a figure of it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.report.provenance import Inputs
from darkstats.report.records import SCHEMAS

if TYPE_CHECKING:
    from darkstats.inference.p_values import Calculator
    from darkstats.inference.results import Interval, LimitScan, UpperLimit
    from darkstats.workspace.json_values import JsonObject

__all__ = ["SCHEMA", "inputs_of", "interval_of", "limit_of"]

SCHEMA = SCHEMAS["limit"]
_MOST = 1e300  # beyond it no figure has an axis


def _object(value: object) -> JsonObject:
    """What an object holds; nothing where there is none: labels of a figure, not its numbers."""
    return value if isinstance(value, dict) else {}


def inputs_of(record: Mapping[str, Any]) -> Inputs:
    """What a record says of the files that it was made from."""
    provenance = _object(record.get("provenance"))
    workspace = _object(provenance.get("workspace"))
    simulated = workspace.get("simulated")
    return Inputs(
        source=str(workspace.get("source") or "a record"),
        workspace_sha256=str(workspace.get("sha256") or ""),
        canonical_sha256=str(workspace.get("canonical_sha256") or ""),
        simulated=simulated if isinstance(simulated, bool) else None,
        blind=provenance.get("blind") is True,
    )


_BAND = 5
_REMEDY = "let darkstats limit write the record again"


def _number(where: Mapping[str, Any], key: str, source: str, *, needed: bool = True) -> Any:  # noqa: ANN401 -- float or None
    """A finite number; None where it is absent and not needed."""
    value = where.get(key)
    if value is None and not needed:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not -_MOST <= value <= _MOST
    ):
        raise DocumentError(
            f"is {str(value)[:40]!r}, which is no number", source=source, pointer=f"/{key}",
            remedy=_REMEDY,
        )  # fmt: skip
    return float(value)


def _text(where: Mapping[str, Any], key: str, source: str) -> str:
    value = where.get(key)
    if not isinstance(value, str):
        raise DocumentError(
            f"is {str(value)[:40]!r}, which is no text", source=source, pointer=f"/{key}",
            remedy=_REMEDY,
        )  # fmt: skip
    return value


def _calculator(record: Mapping[str, Any], source: str) -> Calculator:
    found = record.get("calculator")
    if found == "toys":
        return "toys"
    if found == "asymptotic":
        return "asymptotic"
    raise DocumentError(
        f"is {str(found)[:40]!r}, neither asymptotic nor toys", source=source,
        pointer="/calculator", remedy=_REMEDY,
    )  # fmt: skip


def _level(where: Mapping[str, Any], source: str) -> float:
    """The confidence level, inside (0, 1)."""
    found: float = _number(where, "cl", source)
    if not 0.0 < found < 1.0:
        raise DocumentError(
            f"is {found:g}, no confidence level", source=source, pointer="/cl", remedy=_REMEDY
        )
    return found


def _curve(values: object, n: int | None, source: str, pointer: str) -> tuple[float, ...]:
    """Finite numbers, ``n`` of them."""
    good = isinstance(values, list) and all(
        isinstance(x, (int, float)) and not isinstance(x, bool) and -_MOST <= x <= _MOST
        for x in values
    )
    if not isinstance(values, list) or not good or not values or len(values) != (n or len(values)):
        wanted = "numbers" if n is None else f"{n} numbers"
        raise DocumentError(
            f"is no list of {wanted}", source=source, pointer=pointer, remedy=_REMEDY
        )
    return tuple(float(x) for x in values)


def _scan(record: Mapping[str, Any], source: str) -> LimitScan:
    from darkstats.inference.results import LimitScan

    found = record.get("scan")
    if found is None:
        raise OptionError(
            f"{source}: the record keeps no curve, so that its figure cannot be made again: run "
            "darkstats limit with --plot"
        )
    if not isinstance(found, dict) or not isinstance(found.get("expected"), list):
        raise DocumentError("is no curve", source=source, pointer="/scan", remedy=_REMEDY)
    mu = _curve(found.get("mu"), None, source, "/scan/mu")
    rows = found["expected"]
    if len(rows) not in {0, _BAND}:
        raise DocumentError(
            f"has {len(rows)} curves", source=source, pointer="/scan/expected", remedy=_REMEDY
        )
    observed, error = (
        None if found.get(key) is None else _curve(found[key], len(mu), source, f"/scan/{key}")
        for key in ("observed", "observed_error")
    )
    return LimitScan(
        quantity=_text(found, "quantity", source),
        mu=mu,
        observed=observed,
        expected=tuple(
            _curve(row, len(mu), source, f"/scan/expected/{k}") for k, row in enumerate(rows)
        ),
        observed_error=error,
    )


def _fits(record: Mapping[str, Any], source: str) -> Any:  # noqa: ANN401 -- FitCounts, imported when used
    from darkstats.inference.p_values import FitCounts

    fits = record.get("fits") or {}
    if not isinstance(fits, dict):
        raise DocumentError("is no object", source=source, pointer="/fits", remedy=_REMEDY)
    counts = {key: _number(fits, key, source, needed=False) for key in ("attempted", "certified")}
    return FitCounts(**{key: int(value or 0) for key, value in counts.items()})


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
    band = record.get("expected")
    if not isinstance(band, list) or len(band) != _BAND:
        raise DocumentError(
            "is no list of five", source=source, pointer="/expected", remedy=_REMEDY
        )

    def number(key: str) -> float | None:
        found: float | None = _number(record, key, source, needed=False)
        return found

    return UpperLimit(
        poi=_text(record, "poi", source),
        cl=_level(record, source),
        method=_text(record, "method", source),
        test_stat=_text(record, "test_stat", source),
        calculator=_calculator(record, source),
        observed=number("observed"),
        expected=tuple(
            _number({f"expected/{k}": x}, f"expected/{k}", source, needed=False)
            for k, x in enumerate(band)
        ),
        expected_definition=_text(record, "expected_definition", source),
        mu_hat=number("mu_hat"),
        twice_nll=number("twice_nll"),
        sigma=number("sigma"),
        poi_lower=_number(record, "poi_lower", source, needed=False),
        fits=_fits(record, source),
        scan=scan,
    )


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
    found = record.get("interval")
    if not isinstance(found, dict):
        raise DocumentError("is no object", source=source, pointer="/interval", remedy=_REMEDY)
    return Interval(
        poi=_text(found, "poi", source),
        cl=_level(found, source),
        lower=_number(found, "lower", source),
        upper=_number(found, "upper", source, needed=False),
        method=_text(found, "method", source),
        construction=_text(found, "construction", source),
        mu_hat=_number(record, "mu_hat", source, needed=False),
        scan=scan,
    )
