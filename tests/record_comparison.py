"""A record of a disturbed command against that of an undisturbed one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What counts or describes fits, or lists points of a curve that is drawn.
_APART = {"fits", "toys", "provenance", "warnings", "scan", "engines", "certified", "failed"}
_P_VALUE = {"value", "low", "high", "error"}
_ROUNDING = 1e-6  # of numbers near zero


def _by_name(items: Any) -> Any:
    """A table by the names of its rows: failed rows may stand in another place."""
    if (
        isinstance(items, list)
        and items
        and all(isinstance(x, dict) and "name" in x for x in items)
    ):
        return {item["name"]: item for item in items}
    return items


def missing(expected: Any, found: Any, *, allowed: set[str]) -> Iterator[str]:
    """Fields with a number that are empty in ``found``, other than those ``allowed``."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() - allowed - _APART):
            if expected[key] is not None and found.get(key) is None:
                yield key
            yield from missing(expected[key], found.get(key), allowed=allowed)


def differences(
    expected: Any, found: Any, *, relative: float, errors: bool = True, where: str = ""
) -> Iterator[str]:
    """Numbers of ``found`` that are neither those of ``expected`` nor absent.

    A p-value of toys agrees where its range, if all failed toys went one way, holds the expected
    one. ``errors``: whether standard errors are compared, too.
    """
    if found is None or isinstance(expected, str) or (expected is None and isinstance(found, str)):
        return  # texts, and reasons for what is missing
    expected, found = _by_name(expected), _by_name(found)
    if isinstance(expected, dict) and set(expected) >= _P_VALUE:
        if found["value"] is None:
            return
        if not found["low"] - _ROUNDING <= expected["value"] <= found["high"] + _ROUNDING:
            yield f"{where}: {expected['value']} outside {found['low']} to {found['high']}"
    elif isinstance(expected, dict):
        for key in sorted(expected.keys() - _APART):
            if errors or not key.endswith("error"):
                yield from differences(
                    expected[key], found.get(key), relative=relative, errors=errors,
                    where=f"{where}/{key}",
                )  # fmt: skip
    elif isinstance(expected, list):
        if len(expected) != len(found):
            yield f"{where}: {len(found)} items for {len(expected)}"
        for k, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from differences(
                one, other, relative=relative, errors=errors, where=f"{where}/{k}"
            )
    elif not _same(expected, found, relative):
        yield f"{where}: {found!r} for {expected!r}"


def _same(expected: Any, found: Any, relative: float) -> bool:
    if isinstance(expected, bool) or expected is None:
        return found is expected
    if not isinstance(found, (int, float)):
        return False
    return abs(found - expected) <= relative * abs(expected) + _ROUNDING


def failures_of(record: dict[str, Any]) -> int:
    """Failed fits, toys and points that a record counts; the record of an error is one."""
    found = int("error" in record)
    for key in ("fits", "toys"):
        found += int((record.get(key) or {}).get("failed", 0))
    found += sum(not good for good in record.get("certified", ()))
    found += sum(impact["failed"] for impact in record.get("impacts", ()))
    return found + sum(point.get("status") == "failed" for point in record.get("points", ()))
