"""Read a scan record into a table, or say where it is wrong."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import DocumentError, OptionError
from darkstats.report.scan_table import (
    SCHEMA,
    Axis,
    Collision,
    Conversion,
    Limits,
    ScanTable,
    unit_by_name,
)
from darkstats.signals.benchmarks import efficiency_benchmark

if TYPE_CHECKING:
    from darkstats.signals.searched import Searched
    from darkstats.workspace.json_values import JsonObject

__all__ = ["read_scan"]

_BAND = 5
_IN_PLANE = 2
_LARGEST = sys.float_info.max
_STATUSES = ("ok", "failed")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 40 else f"{text[:36]} ..."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A point of the record, and where it stands in it."""

    point: Mapping[str, Any]
    pointer: str


class _Reader:
    """Takes values out of a record, or says where it is wrong."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, pointer: str, problem: str) -> DocumentError:
        remedy = "let darkstats scan write the record again"
        return DocumentError(problem, source=self.source, pointer=pointer, remedy=remedy)

    def get(self, where: Mapping[str, Any], key: str, kind: Any, pointer: str) -> Any:  # noqa: ANN401 -- of `kind`
        value = where.get(key)
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            raise self.fail(f"{pointer}/{key}", f"is {_shown(value)}, which is no {_KIND[kind]}")
        return value

    def optional(self, where: Mapping[str, Any], key: str, kind: Any, pointer: str) -> Any:  # noqa: ANN401 -- of `kind`
        return None if where.get(key) is None else self.get(where, key, kind, pointer)

    def number(self, value: object, pointer: str) -> float:
        """Return a number, ``nan`` for null: JSON has no not-a-number of its own."""
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(pointer, f"is {_shown(value)}, which is no number")
        if not -_LARGEST <= value <= _LARGEST:
            raise self.fail(pointer, f"is {_shown(value)}; a number that does not exist is null")
        return float(value)

    def band(self, value: object, pointer: str) -> list[float]:
        if not isinstance(value, list) or len(value) != _BAND:
            raise self.fail(pointer, f"is {_shown(value)}, not a list of five")
        return [self.number(item, f"{pointer}/{k}") for k, item in enumerate(value)]


_KIND: dict[Any, str] = {
    str: "text", bool: "truth value", list: "list", dict: "object", float | int: "number",
}  # fmt: skip
_NUMBER = float | int


def _low_counts(
    reader: _Reader, row: _Row, where: Mapping[str, Any], pointer: str, path: tuple[str, ...]
) -> list[float] | None:
    """Observed and expected limits that hold where asymptotic ones are none; None elsewhere."""
    if path == ("cross_section_fb",):
        where, pointer = row.point, row.pointer
    held = reader.optional(where, "low_counts", dict, pointer)
    if held is None:
        return None
    pointer = f"{pointer}/low_counts"
    if path == ("cross_section_fb",):
        held = reader.get(held, "cross_section_fb", dict, pointer)
        pointer = f"{pointer}/cross_section_fb"
    observed = reader.number(held.get("observed"), f"{pointer}/observed")
    return [observed, *reader.band(held.get("expected"), f"{pointer}/expected")]


def _limits(
    reader: _Reader, rows: list[_Row], path: tuple[str, ...], symbol: str, unit: str | None
) -> Limits:
    """Gather the limits that stand at ``path`` in each point."""
    observed = np.full(len(rows), math.nan)
    expected = np.full((_BAND, len(rows)), math.nan)
    held = np.full((1 + _BAND, len(rows)), math.nan)
    width = np.full(len(rows), math.nan)
    for k, row in enumerate(rows):
        where: Any = row.point
        for step in path:
            where = where.get(step) or {}
            if not isinstance(where, dict):
                raise reader.fail("/".join((row.pointer, *path)), "is no object")
        if where:
            pointer = "/".join((row.pointer, *path))
            observed[k] = reader.number(where.get("observed"), f"{pointer}/observed")
            expected[:, k] = reader.band(where.get("expected"), f"{pointer}/expected")
            beside = _low_counts(reader, row, where, pointer, path)
            if beside is not None:
                held[:, k] = beside
            width[k] = reader.number(where.get("width_over_mass"), f"{pointer}/width_over_mass")
    key = path[-1].removesuffix("_fb") if path else "signal_strength"
    return Limits(
        key=key,
        symbol=symbol,
        unit=unit,
        observed=observed,
        expected=expected,
        low_counts=held if np.isfinite(held).any() else None,
        width_over_mass=width if np.isfinite(width).any() else None,
    )


def _cls_band(reader: _Reader, rows: list[_Row]) -> FloatArray:
    """Expected CLs at signal strength 1. Shape [5, point]."""
    none = [math.nan] * _BAND
    bands = []
    for row in rows:
        band = row.point.get("CLs_exp")
        bands.append(none if band is None else reader.band(band, f"{row.pointer}/CLs_exp"))
    return np.array(bands).T


_Column = tuple[float, ...] | tuple[str, ...]


def _label_columns(reader: _Reader, points: list[Any], labels: list[str]) -> dict[str, _Column]:
    """Values by label: numbers, or the words of a label that any hypothesis has a word for."""
    rows = []
    for k, point in enumerate(points):
        row = reader.get(point, "values", list, f"/points/{k}")
        if len(row) != len(labels):
            raise reader.fail(f"/points/{k}/values", f"has {len(row)} of {len(labels)} values")
        rows.append(row)
    columns: dict[str, _Column] = {}
    for j, label in enumerate(labels):
        values = [row[j] for row in rows]
        if any(isinstance(value, str) for value in values):
            columns[label] = tuple(
                value if isinstance(value, str) else f"{_number_of(reader, value, k, j):.10g}"
                for k, value in enumerate(values)
            )
        else:
            columns[label] = tuple(
                _number_of(reader, value, k, j) for k, value in enumerate(values)
            )
    return columns


def _number_of(reader: _Reader, value: object, k: int, j: int) -> float:
    found = reader.number(value, f"/points/{k}/values/{j}")
    if math.isnan(found):
        raise reader.fail(f"/points/{k}/values/{j}", "is null")
    return found


def _distinct(columns: Mapping[str, _Column], labels: Sequence[str]) -> int:
    return len(set(zip(*(columns[label] for label in labels), strict=True))) if labels else 1


def _chosen_axes(columns: Mapping[str, _Column], units: Mapping[str, str | None]) -> list[str]:
    """Labels that make axes: those with a unit if they tell all apart, else all that vary."""
    numbers = [
        label for label, values in columns.items() if not any(isinstance(v, str) for v in values)
    ]
    total = _distinct(columns, list(columns))
    with_unit = [label for label in numbers if units[label] is not None]
    if with_unit and _distinct(columns, with_unit) == total and len(with_unit) <= _IN_PLANE:
        return with_unit
    varying = [label for label in numbers if len(set(columns[label])) > 1]
    return varying or with_unit or numbers[:1]


def _axis_words(reader: _Reader, record: Mapping[str, Any], labels: Sequence[str]) -> list[Axis]:
    """Title and unit of each label: of the record, which has them from the sidecar, or by name."""
    given: JsonObject = reader.optional(record, "label_words", dict, "") or {}
    found = []
    for label in labels:
        words: Any = given.get(label, {})
        pointer = f"/label_words/{label}"
        if not isinstance(words, dict):
            raise reader.fail(pointer, "is no object")
        unit = reader.optional(words, "unit", str, pointer)
        found.append(
            Axis(
                label=label,
                title=reader.optional(words, "title", str, pointer),
                unit=unit_by_name(label) if unit is None else unit or None,
            )
        )
    return found


def _collision(reader: _Reader, record: Mapping[str, Any]) -> Collision:
    found = reader.optional(record, "collision", dict, "") or {}
    place = "/collision"
    energy = reader.optional(found, "sqrt_s_gev", _NUMBER, place)
    words = ("beams", "collaboration", "reaction")
    return Collision(
        sqrt_s_gev=None if energy is None else reader.number(energy, f"{place}/sqrt_s_gev"),
        **{key: reader.optional(found, key, str, place) for key in words},
    )


def _left_out(
    reader: _Reader, record: Mapping[str, Any], labels: Sequence[str], axes: Sequence[str]
) -> FloatArray:
    """Coordinates of hypotheses that the search has left out, where it says them."""
    rows = []
    for k, row in enumerate(reader.optional(record, "without_sensitivity", list, "") or []):
        pointer = f"/without_sensitivity/{k}"
        if not isinstance(row, list) or len(row) != len(labels):
            raise reader.fail(pointer, f"is {_shown(row)}, not a value for each label")
        values = [reader.number(value, f"{pointer}/{j}") for j, value in enumerate(row)]
        if any(math.isnan(value) for value in values):
            raise reader.fail(pointer, "has a null")
        rows.append([values[labels.index(axis)] for axis in axes])
    return np.array(rows).reshape(len(rows), len(axes))


def _labels(reader: _Reader, record: Mapping[str, Any]) -> list[str]:
    labels: list[Any] = reader.get(record, "labels", list, "")
    for k, label in enumerate(labels):
        if not isinstance(label, str) or not label:
            raise reader.fail(f"/labels/{k}", f"is {_shown(label)}, which is no name")
        if label in labels[:k]:
            raise reader.fail(f"/labels/{k}", f"is {_shown(label)} a second time")
    if not labels:
        raise reader.fail("/labels", "is empty")
    return labels


def _with_unit(symbol: str, unit: str | None) -> tuple[str, str | None]:
    """Symbol and unit, which may stand in brackets behind the symbol."""
    head, bracket, rest = symbol.partition(" [")
    if unit is None and bracket and rest.endswith("]"):
        return head, rest[:-1]
    return symbol, unit or None


def _benchmarks(reader: _Reader, record: Mapping[str, Any]) -> list[str]:
    """Keys of the couplings that the record's own search has, in its order."""
    keys = reader.optional(record, "benchmarks", list, "") or []
    for k, key in enumerate(keys):
        if not isinstance(key, str):
            raise reader.fail(f"/benchmarks/{k}", f"is {_shown(key)}, which is no text")
    return keys


def _searched(reader: _Reader, record: Mapping[str, Any]) -> Searched | None:
    """What the search looked for; records from before it was said have nothing of it."""
    if record.get("searched") is None:
        return None
    from darkstats.signals.searched import searched_of

    try:
        return searched_of(record["searched"])
    except OptionError as error:
        raise reader.fail("/searched", str(error)) from None


def _couplings(
    reader: _Reader,
    rows: list[_Row],
    first: Sequence[str],
    conversions: Mapping[str, Conversion],
) -> list[Limits]:
    """Limits on every coupling that a point of the record names: the user's, ``first``, the rest.

    The keys of an object have no order, and the first coupling is the one that figures show.
    """
    known: dict[str, tuple[str, str | None]] = {}
    for row in rows:
        couplings = row.point.get("couplings") or {}
        if not isinstance(couplings, dict):
            raise reader.fail(f"{row.pointer}/couplings", "is no object")
        for key, value in couplings.items():
            pointer = f"{row.pointer}/couplings/{key}"
            if not isinstance(value, dict):
                raise reader.fail(pointer, "is no object")
            if key not in known:
                symbol = reader.get(value, "symbol", str, pointer)
                unit = reader.optional(value, "unit", str, pointer)
                known[key] = _with_unit(symbol, unit)
    first = [*conversions, *first]
    order = [*(key for key in first if key in known), *sorted(known.keys() - set(first))]
    return [
        replace(
            _limits(reader, rows, ("couplings", key), *known[key]), conversion=conversions.get(key)
        )
        for key in order
    ]


def _conversions(reader: _Reader, record: Mapping[str, Any]) -> dict[str, Conversion]:
    """What the record says of models of the user's, by name."""
    found = {}
    for k, one in enumerate(reader.optional(record, "conversions", list, "") or []):
        place = f"/conversions/{k}"
        if not isinstance(one, dict):
            raise reader.fail(place, "is no object")
        text = {
            key: reader.get(one, key, str, place)
            for key in ("name", "source", "kind", "interpolation", "unit_signal", "assumption")
        }
        note = reader.optional(one, "note", str, place) or ""
        expression = reader.optional(one, "expression", str, place)
        file = re.split(r"[/\\]", text["source"])[-1]
        words = [
            expression or f"table {file}", note, f"interpolation {text['interpolation']}",
            f"signal strength 1: {text['unit_signal']}", text["assumption"],
        ]  # fmt: skip
        found[text["name"]] = Conversion(
            label=reader.optional(one, "label", str, place),
            words="; ".join(word for word in words if word),
            note=note or (expression or f"cross sections of {file}"),
            constraints_of=reader.optional(one, "constraints_of", str, place),
        )
    return found


def read_scan(record: Mapping[str, Any], *, source: str = "") -> ScanTable:
    """Return the table of a scan record.

    Labels with a unit, such as ``m_a_gev``, are the axes where one or two of them tell all
    hypotheses apart. Else all labels are axes whose values are numbers and vary. What is left,
    words among it, are tags. Values of a label that has both numbers and words are words.

    Parameters
    ----------
    record
        A record with ``"schema": "darkstats.scan/1"``.
    source
        File name, for messages.

    Raises
    ------
    DocumentError
        The record is none of a scan, or a field is missing, of another kind, or not finite.
    """
    reader = _Reader(source)
    if record.get("schema") != SCHEMA:
        raise DocumentError(
            f"is no scan record: its schema is {_shown(record.get('schema'))}, not {SCHEMA!r}",
            source=source, pointer="/schema", remedy="make one with darkstats scan",
        )  # fmt: skip
    points = reader.get(record, "points", list, "")
    labels = _labels(reader, record)
    if not points:
        raise reader.fail("/points", "is empty")
    for k, point in enumerate(points):
        if not isinstance(point, dict):
            raise reader.fail(f"/points/{k}", "is no object")
    named = _label_columns(reader, points, labels)
    words = {axis.label: axis for axis in _axis_words(reader, record, labels)}
    axes = _chosen_axes(named, {label: axis.unit for label, axis in words.items()})
    where = np.array([named[axis] for axis in axes], dtype=float).reshape(len(axes), len(points)).T
    order = np.lexsort(where.T[::-1]) if axes else np.arange(len(points))
    rows = [_Row(point=points[k], pointer=f"/points/{k}") for k in order]
    statuses = [reader.get(row.point, "status", str, row.pointer) for row in rows]
    for row, status in zip(rows, statuses, strict=True):
        if status not in _STATUSES:
            raise reader.fail(f"{row.pointer}/status", f"is {status!r}, neither ok nor failed")
    certified = [
        row if status == "ok" else _Row(point={}, pointer=row.pointer)
        for row, status in zip(rows, statuses, strict=True)
    ]

    def column(key: str) -> FloatArray:
        values = [reader.number(row.point.get(key), f"{row.pointer}/{key}") for row in certified]
        return np.array(values)

    benchmarks = _benchmarks(reader, record)
    limits = [
        _limits(reader, certified, (), "mu", None),
        *(
            []  # what the record calls a cross section has the efficiency in it: no limit on sigma
            if efficiency_benchmark(benchmarks)
            else [_limits(reader, certified, ("cross_section_fb",), "sigma", "fb")]
        ),
        *_couplings(reader, certified, benchmarks, _conversions(reader, record)),
    ]
    cl = float(reader.get(record, "cl", _NUMBER, ""))
    if not 0.0 < cl < 1.0:
        raise reader.fail("/cl", f"is {cl}, which is no level between 0 and 1")
    simulated = record.get("simulated")
    prior = reader.optional(record, "prior", dict, "")
    return ScanTable(
        name=reader.get(record, "name", str, ""),
        title=reader.get(record, "title", str, ""),
        data=reader.optional(record, "data", str, "") or "",
        simulated=simulated if isinstance(simulated, bool) else None,
        axes=tuple(axes),
        axis_words=tuple(words[axis] for axis in axes),
        coordinates=where[order],
        tags={
            label: tuple(values[k] for k in order)
            for label, values in named.items()
            if label not in axes
        },
        points=tuple(reader.get(row.point, "name", str, row.pointer) for row in rows),
        failed=np.array([status != "ok" for status in statuses]),
        reasons=tuple(
            None if status == "ok" else str(row.point.get("reason") or "no reason given")
            for row, status in zip(rows, statuses, strict=True)
        ),
        warnings=tuple(
            tuple(map(str, reader.optional(row.point, "warnings", list, row.pointer) or ()))
            for row in rows
        ),
        method=reader.get(record, "method", str, ""),
        cl=cl,
        calculator=reader.get(record, "calculator", str, ""),
        luminosity_ipb=reader.optional(record, "luminosity_ipb", _NUMBER, ""),
        reference_cross_section_pb=reader.optional(
            record, "reference_cross_section_pb", _NUMBER, ""
        ),
        poi_label=reader.optional(record, "poi_label", str, ""),
        limits={one.key: one for one in limits if one.key == "signal_strength" or one.exists},
        mu_hat=column("mu_hat"),
        p0=column("p0"),
        significance=column("significance"),
        signed_significance=column("signed_significance"),
        expected_spectrum_significance=column("expected_spectrum_significance"),
        cls_observed=column("CLs_obs"),
        cls_expected=_cls_band(reader, certified),
        label_words=words,
        collision=_collision(reader, record),
        prior=None if prior is None else reader.get(prior, "description", str, "/prior"),
        source=source,
        benchmarks=tuple(benchmarks),
        searched=_searched(reader, record),
        blind=record.get("blind") is True,
        left_out=_left_out(reader, record, labels, axes),
    )
