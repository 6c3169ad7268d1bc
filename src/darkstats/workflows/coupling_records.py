"""Limits of a record on a signal strength, restated on cross sections and couplings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError

if TYPE_CHECKING:
    from darkstats.reinterpret.cross_sections import AtMass, CrossSections, UnitSignal

__all__ = [
    "conversion_record",
    "converted",
    "require_numbers",
    "restated",
    "stated_conversion",
    "symbol_and_unit",
    "with_conversion",
]

Record = dict[str, Any]


_NEGATIVE = "a signal strength below zero has no coupling"
_BEYOND = "beyond the range of numbers"
_NO_ERROR = "no derivative at zero"
_BAND = 5
_MOST = 1e300
_Convert = Callable[[float], float | None]


def _none_words(mu: object, reason: str | None) -> str:
    """Why a converted value is null."""
    if mu is None:
        return reason or "no limit on the signal strength"
    return _NEGATIVE if isinstance(mu, int | float) and mu < 0.0 else _BEYOND


def require_numbers(point: Mapping[str, Any], where: str, pointer: str) -> None:
    """Check what a table of the scan does not: errors, and limits at low counts.

    Raises
    ------
    DocumentError
        They are no numbers, or not as many as the limits.
    """
    held = point.get("low_counts")
    for part, place in ((point, pointer), (held or {}, f"{pointer}/low_counts")):
        lists = {key: part[key] for key in ("expected", "expected_error") if part.get(key)}
        for key, values in lists.items():
            good = isinstance(values, list) and len(values) == _BAND
            if not good or not all(map(_is_number, values)):
                raise DocumentError(
                    "is no list of five numbers", source=where, pointer=f"{place}/{key}",
                    remedy="let darkstats scan write the record again",
                )  # fmt: skip
        for key in ("observed", "observed_error"):
            if not _is_number(part.get(key)):
                raise DocumentError(
                    "is no number", source=where, pointer=f"{place}/{key}",
                    remedy="let darkstats scan write the record again",
                )  # fmt: skip


def _is_number(value: object) -> bool:
    return value is None or (type(value) in {int, float} and abs(value) < _MOST)  # type: ignore[arg-type]  # a number


def converted(point: Mapping[str, Any], value: _Convert, error: Callable[..., Any]) -> Record:
    """Observed and expected limits, with their errors, each null with its reason."""
    found: Record = {}
    for key in ("observed", "observed_low", "observed_high"):
        if key in point:
            mu = point[key]
            found[key] = None if mu is None else value(mu)
            if found[key] is None:
                found[f"{key}_reason"] = _none_words(mu, point.get(f"{key}_reason"))
    strengths = list(point.get("expected") or [None] * _BAND)
    found["expected"] = [None if mu is None else value(mu) for mu in strengths]
    for mu, one in zip(strengths, found["expected"], strict=True):
        if one is None and "expected_reason" not in found:
            found["expected_reason"] = _none_words(mu, point.get("expected_reason"))
    if "observed_error" in point:
        mu, size = point.get("observed"), point["observed_error"]
        found["observed_error"] = _error(mu, size, found.get("observed"), error)
        if found["observed_error"] is None:
            found["observed_error_reason"] = found.get("observed_reason") or _NO_ERROR
    if point.get("expected_error") is not None:
        found["expected_error"] = [
            _error(mu, size, one, error)
            for mu, size, one in zip(
                strengths, point["expected_error"], found["expected"], strict=True
            )
        ]
        if None in found["expected_error"]:
            found["expected_error_reason"] = found.get("expected_reason") or _NO_ERROR
    return found


def _error(mu: float | None, size: float | None, one: float | None, error: Any) -> float | None:  # noqa: ANN401 -- a function
    return None if mu is None or size is None or one is None else error(mu, size)


def with_conversion(point: Record, name: str, symbol: str, at: AtMass) -> Record:
    """Return a point, or a limit record, with its cross sections and couplings."""

    def size_fb(_: float, error: float) -> float:
        return error * at.signal_cross_section_fb

    found = dict(point)
    held = point.get("low_counts")
    entry: Record = {
        "symbol": symbol,
        **converted(point, at.coupling, at.coupling_error),
        "masses": dict(at.masses),
        "reference_coupling": at.reference_coupling,
        "reference_cross_section_fb": at.reference_cross_section_fb,
        "signal_cross_section_fb": at.signal_cross_section_fb,
    }
    if held is not None:
        entry["low_counts"] = converted(held, at.coupling, at.coupling_error)
        if "cross_section_fb" not in held:
            sizes = converted(held, at.cross_section_fb, size_fb)
            found["low_counts"] = {**held, "cross_section_fb": sizes}
    if not point.get("cross_section_fb"):
        found["cross_section_fb"] = converted(point, at.cross_section_fb, size_fb)
    interval = point.get("interval")
    if isinstance(interval, dict) and interval.get("lower") is not None:
        entry["interval_lower"] = at.coupling(interval["lower"])
        if entry["interval_lower"] is None:
            entry["interval_lower_reason"] = _none_words(interval["lower"], None)
    found["couplings"] = {**(point.get("couplings") or {}), name: entry}
    return found


def symbol_and_unit(model: CrossSections) -> str:
    """Symbol of the coupling, with its unit in brackets where it has one."""
    return f"{model.symbol} [{model.unit}]" if model.unit else model.symbol


def conversion_record(model: CrossSections, stated: Sequence[UnitSignal], *, bayes: bool) -> Record:
    """What a record says of the model."""
    from darkstats.reinterpret.cross_sections import ASSUMED, Formula

    expression = model.rule.text if isinstance(model.rule, Formula) else None
    record: Record = {
        "name": model.name,
        "symbol": model.symbol,
        "unit": model.unit,
        "label": model.label,
        "power": model.power,
        "kind": "table" if expression is None else "expression",
        "expression": expression,
        "source": model.source,
        "sha256": model.sha256,
        "interpolation": model.interpolation,
        "unit_signal": "; ".join(dict.fromkeys(_in_words(one, model) for one in stated)),
        "assumption": ASSUMED + (f"; {_PRIOR}" if bayes else ""),
        "note": model.note or None,
        "constraints_of": model.constraints_of,
    }
    why = {
        "unit": "the coupling has no dimension", "label": "not given", "note": "not given",
        "expression": "a table", "constraints_of": "not given",
    }  # fmt: skip
    for key, words in why.items():
        if record[key] is None:
            record[f"{key}_reason"] = words
    return record


_PRIOR = "the prior is that of the signal strength"


def _in_words(stated: UnitSignal, model: CrossSections) -> str:
    if stated.kind == "cross section":
        return f"{stated.value:g} fb ({stated.origin})"
    if stated.kind == "coupling":
        return f"the cross section at {model.symbol} = {stated.value:g} ({stated.origin})"
    if stated.kind == "column":
        return f"the column {stated.origin}"
    return f"the cross section at the reference coupling ({stated.origin})"


def stated_conversion(one: Any, point: Mapping[str, Any], source: str) -> tuple[AtMass, str]:  # noqa: ANN401 -- of a record
    """The conversion that a record states of a limit or of a point; title of the coupling."""
    from darkstats.reinterpret import AtMass

    try:
        entry = point["couplings"][one["name"]]
        numbers = {
            "power": one["power"],
            **{
                key: entry[key]
                for key in (
                    "reference_coupling", "reference_cross_section_fb", "signal_cross_section_fb",
                )
            },
        }  # fmt: skip
        good = all(type(x) in {int, float} and 0.0 < x < math.inf for x in numbers.values())
        masses = dict(entry["masses"])
        good = good and all(type(x) in {int, float} for x in masses.values())
        title = one["label"] or entry["symbol"]
        good = good and isinstance(title, str) and isinstance(one["name"], str)
    except (KeyError, TypeError, ValueError):
        good = False
    if not good:
        raise DocumentError(
            "is no conversion to a coupling", source=source, pointer="/conversions",
            remedy="let darkstats limit write the record again",
        )  # fmt: skip
    return AtMass(masses=masses, **numbers), title


def restated(
    found: Record, stated: Mapping[str, Any], conversions: Sequence[Mapping[str, Any]]
) -> Record:
    """Return a point that was computed again, with the couplings that a record states of it.

    Parameters
    ----------
    found
        The point of a scan record.
    stated
        The same point of the record, whose conversions are taken as they are.
    conversions
        What that record says of models, the latest first.

    Raises
    ------
    DocumentError
        The record says no conversion of the point.
    """
    if found["status"] != "ok" or stated.get("status") != "ok":
        return found
    for one in reversed(conversions):
        at, _ = stated_conversion(one, stated, "limits")
        found = with_conversion(
            found, one["name"], str(stated["couplings"][one["name"]]["symbol"]), at
        )
    return found
