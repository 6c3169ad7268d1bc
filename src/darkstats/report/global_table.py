"""A record of global significance as values: what its figures are made from.

The record (``darkstats.global/1``) holds, besides name, title and ``simulated``:

``levels``
    ``[{"z_global": 1.0, "p_local": 0.004}, ...]``: the local p-value whose global significance this
    is.
``up_crossings``
    ``{"quantity": "up-crossings", "levels_u": [...], "means": [...], "errors": [...],
    "used": [...], "curve_u": [...], "curve": [...], "curve_low": [...], "curve_high": [...],
    "observed_u": ...}`` with u = z^2; null where none were counted.
``windows``
    ``[{"name": "m_1p0", "above": 24, "certified": 1000}, ...]``: toys above the observed local
    significance of a window.
``methods``
    ``[{"method": "toys", "p_global": ..., "p_global_error": ..., "p_global_below": ...,
    "z_global": ..., "valid": true, "extrapolated": false, "reasons": [...]}, ...]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["SCHEMA", "Crossings", "GlobalTable", "MethodResult", "WindowToys", "read_global"]

SCHEMA = "darkstats.global/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """Mean number of up-crossings against the level, and the law fitted to it.

    Parameters
    ----------
    quantity
        ``"up-crossings"`` on a line, ``"Euler characteristic"`` in a plane.
    levels_u, means, errors
        Levels u = z^2, means over toys, standard errors. Shape [level].
    used
        Which levels the law was fitted to. Shape [level].
    curve_u, curve, curve_low, curve_high
        The law and its error band. Shape [point]; no band where it is empty.
    observed_u
        Level of the largest excess; None where there is none.
    """

    levels_u: tuple[float, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]
    used: tuple[bool, ...]
    curve_u: tuple[float, ...]
    curve: tuple[float, ...]
    curve_low: tuple[float, ...] = ()
    curve_high: tuple[float, ...] = ()
    observed_u: float | None = None
    quantity: str = "up-crossings"


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResult:
    """Global p-value by one method.

    Parameters
    ----------
    method
        Name.
    p_global, error
        Value and standard error; None where no toy was as extreme.
    below
        Upper bound at 95 % where there is no value.
    z_global
        Significance of the value, or of the bound.
    valid, extrapolated
        Whether the conditions of the method hold; whether the value lies beyond the toys.
    """

    method: str
    p_global: float | None
    error: float | None
    below: float | None
    z_global: float | None
    valid: bool
    extrapolated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowToys:
    """Local p-value of one window in toys of the spectrum.

    Parameters
    ----------
    above, certified
        Toys that exceed the observed significance, and toys with a certified root.
    """

    above: int
    certified: int

    @property
    def p(self) -> float:
        """Share of the toys above; 0 where there is none."""
        return self.above / self.certified if self.certified else math.nan

    @property
    def error(self) -> float:
        """Binomial error of the share."""
        return math.sqrt(self.p * (1.0 - self.p) / self.certified) if self.certified else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalTable:
    """Global significance of a scan.

    Parameters
    ----------
    name, title, simulated
        Of the search.
    data
        What its counts are, in words; empty where the record does not say.
    z_local, p_local
        Of the largest excess, from its window alone.
    point
        Name of its hypothesis.
    windows
        Local p-values in toys of the spectrum, by name, of windows with an excess.
    levels
        Local p-value by global significance.
    crossings
        Up-crossings, where they were counted.
    methods
        One result for each method.
    """

    name: str
    title: str
    simulated: bool | None
    z_local: float
    p_local: float
    point: str = ""
    data: str = ""
    windows: Mapping[str, WindowToys] = field(default_factory=dict, repr=False)
    levels: Mapping[float, float] = field(default_factory=dict)
    crossings: Crossings | None = None
    methods: tuple[MethodResult, ...] = ()


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, pointer: str, problem: str) -> DocumentError:
        return DocumentError(
            problem, source=self.source, pointer=pointer,
            remedy="let darkstats global write the record again",
        )  # fmt: skip

    def number(self, where: Mapping[str, Any], key: str, pointer: str) -> float:
        value = where.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(f"{pointer}/{key}", f"is {value!r}, which is no number")
        if not math.isfinite(value):
            raise self.fail(f"{pointer}/{key}", f"is {value}")
        return float(value)

    def optional(self, where: Mapping[str, Any], key: str, pointer: str) -> float | None:
        return None if where.get(key) is None else self.number(where, key, pointer)

    def numbers(self, where: Mapping[str, Any], key: str, pointer: str) -> tuple[float, ...]:
        values = where.get(key) or []
        if not isinstance(values, list):
            raise self.fail(f"{pointer}/{key}", "is no list")
        return tuple(
            self.number({str(k): value}, str(k), f"{pointer}/{key}")
            for k, value in enumerate(values)
        )

    def objects(self, where: Mapping[str, Any], key: str) -> list[tuple[JsonObject, str]]:
        values = where.get(key) or []
        if not isinstance(values, list) or not all(isinstance(item, dict) for item in values):
            raise self.fail(f"/{key}", "is no list of objects")
        return [(item, f"/{key}/{k}") for k, item in enumerate(values)]


def _crossings(reader: _Reader, record: Mapping[str, Any]) -> Crossings | None:
    found = record.get("up_crossings")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise reader.fail("/up_crossings", "is no object")
    at = "/up_crossings"
    levels = reader.numbers(found, "levels_u", at)
    used = found.get("used") or [True] * len(levels)
    crossings = Crossings(
        levels_u=levels,
        means=reader.numbers(found, "means", at),
        errors=reader.numbers(found, "errors", at),
        used=tuple(bool(one) for one in used),
        curve_u=reader.numbers(found, "curve_u", at),
        curve=reader.numbers(found, "curve", at),
        curve_low=reader.numbers(found, "curve_low", at),
        curve_high=reader.numbers(found, "curve_high", at),
        observed_u=reader.optional(found, "observed_u", at),
        quantity=str(found.get("quantity") or "up-crossings"),
    )
    lengths = {len(c) for c in (levels, crossings.means, crossings.errors, crossings.used)}
    if len(lengths) > 1 or not levels:
        raise reader.fail(at, "has levels, means, errors and used of different or no length")
    if len(crossings.curve) != len(crossings.curve_u):
        raise reader.fail(f"{at}/curve", "has another length than curve_u")
    return crossings


def read_global(record: Mapping[str, Any], *, source: str = "") -> GlobalTable:
    """Return the values of a record of global significance.

    Raises
    ------
    DocumentError
        The record is of another kind, or a field is missing or not finite.
    """
    reader = _Reader(source)
    if record.get("schema") != SCHEMA:
        raise DocumentError(
            f"is no record of global significance: its schema is {record.get('schema')!r}",
            source=source, pointer="/schema", remedy="make one with darkstats global",
        )  # fmt: skip
    simulated = record.get("simulated")
    return GlobalTable(
        name=str(record.get("name") or ""),
        title=str(record.get("title") or ""),
        simulated=simulated if isinstance(simulated, bool) else None,
        z_local=reader.number(record, "z_local", ""),
        p_local=reader.number(record, "p_local", ""),
        point=str((record.get("point") or {}).get("name") or ""),
        data=str(record.get("data") or ""),
        windows={
            str(item.get("name")): WindowToys(
                above=int(reader.number(item, "above", at)),
                certified=int(reader.number(item, "certified", at)),
            )
            for item, at in reader.objects(record, "windows")
        },
        levels={
            reader.number(item, "z_global", at): reader.number(item, "p_local", at)
            for item, at in reader.objects(record, "levels")
        },
        crossings=_crossings(reader, record),
        methods=tuple(
            MethodResult(
                method=str(item.get("method") or ""),
                p_global=reader.optional(item, "p_global", at),
                error=reader.optional(item, "p_global_error", at),
                below=reader.optional(item, "p_global_below", at),
                z_global=reader.optional(item, "z_global", at),
                valid=item.get("valid") is True,
                extrapolated=item.get("extrapolated") is True,
            )
            for item, at in reader.objects(record, "methods")
        ),
    )
