"""Compute stated limits again, and compare every number that is stated with what is found."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from darkstats.errors import DocumentError
from darkstats.provenance import versions
from darkstats.publication.documents import LIMITS
from darkstats.publication.findings import DIFFERS, UNCERTIFIED, Problem
from darkstats.report.scan_records import width_warnings
from darkstats.scan.settings import BayesSettings, ScanSettings
from darkstats.workspace.findings import shown

__all__ = [
    "TOLERANCES",
    "Tolerance",
    "check_points",
    "compare_point",
    "compare_summary",
    "compare_units",
    "evenly",
    "same_arithmetic",
    "settings_of",
    "tolerance_words",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far two values may lie apart: relative to the stated one, or absolutely."""

    relative: float = 0.0
    absolute: float = 0.0


#: By the field of a point of a scan record. Limits are roots found to 1e-6, and minima certified to
#: 1e-9 in the deviance, which moves a fitted strength by less than 1e-4 of its error.
TOLERANCES: Mapping[str, Tolerance] = {
    "observed": Tolerance(relative=1e-4),
    "expected": Tolerance(relative=1e-4),
    "CLs_obs": Tolerance(relative=1e-3, absolute=1e-9),
    "CLs_exp": Tolerance(relative=1e-3, absolute=1e-9),
    "mu_hat": Tolerance(relative=1e-3, absolute=1e-3),
    "sigma": Tolerance(relative=1e-3),
    "p0": Tolerance(relative=1e-3, absolute=1e-9),
    "significance": Tolerance(absolute=1e-3),
    "signed_significance": Tolerance(absolute=1e-3),
    "twice_nll": Tolerance(absolute=1e-4),
    "expected_spectrum_significance": Tolerance(absolute=1e-3),
}
#: Of a conversion: that of the arithmetic of another machine.
_CONVERSION = Tolerance(relative=1e-9)
#: Parts of a point in other units, with limits inside.
_NESTED = ("cross_section_fb", "couplings", "low_counts")
#: Errors that belong to a value: of toys, or of an integral.
_ERRORS = {"observed": "observed_error", "expected": "expected_error"}
_ERRORS_APART = 5.0
_OF_ERRORS = Tolerance(relative=1e-2)  # the spread of the same toys
_OF_OTHER_ERRORS = Tolerance(relative=0.75)  # of other toys: two digits at most
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def same_arithmetic(record: Mapping[str, Any]) -> bool:
    """Whether the versions of a record are those that compute now: one seed, the same toys."""
    provenance = record.get("provenance")
    stated = provenance.get("versions") if isinstance(provenance, dict) else None
    here = versions()
    return isinstance(stated, dict) and all(
        stated.get(name) == here.get(name) for name in ("darkstats", "numpy")
    )


def tolerance_words(*, toys: bool, same: bool) -> str:
    """The tolerance of limits in words; ``same`` where the versions are those of the record."""
    words = f"limits to {TOLERANCES['observed'].relative:g} relative"
    if toys and same:
        return words + ", with the toys of the same seed"
    if toys:
        words += (
            f" or {_ERRORS_APART:g} errors of their toys, as the record is of other versions of "
            "darkstats or NumPy"
        )
    return words


def settings_of(record: Mapping[str, Any], *, hypotheses_per_block: int = 16) -> ScanSettings:
    """Return how the limits of a scan record were made.

    Raises
    ------
    DocumentError
        The record does not say it, or says what this version does not know.
    """
    take = _Taker(record, "")
    prior = record.get("prior")
    return ScanSettings(
        method=take.text("method"),
        cl=take.number("cl"),
        test_stat=take.optional_text("test_stat") or "qtilde",
        calculator=take.text("calculator"),
        band=take.optional_text("band") or "root",
        n_toys=take.optional_whole("toys_per_hypothesis"),
        seed=take.optional_whole("seed") or 0,
        blind=take.of("blind", bool),
        interpolation=take.text("interpolation"),
        bayes=None if prior is None else _bayes(take.of("prior", dict)),
        hypotheses_per_block=hypotheses_per_block,
    )


def _bayes(prior: Mapping[str, Any]) -> BayesSettings:
    take = _Taker(prior, "/prior")
    ranges = []
    for k, item in enumerate(take.of("ranges", list)):
        edges = item.get("edges") if isinstance(item, dict) else None
        if not isinstance(edges, list) or len(edges) != 2 or not all(map(_is_number, edges)):
            raise take.fault(f"ranges/{k}", "is no range")
        ranges.append((str(item.get("name")), float(edges[0]), float(edges[1])))
    return BayesSettings(
        prior=take.optional_text("asked") or take.text("name"),
        engine=take.text("engine_asked"),
        expected=take.text("expected"),
        efficiency=take.text("efficiency"),
        ur_prior=take.text("ur_prior"),
        ranges=tuple(ranges),
    )


#: Fields of a point: numbers, lists of five of them, and the others, each of which may be null.
_NUMBERS = (
    "observed", "observed_error", "mu_hat", "sigma", "p0", "significance", "signed_significance",
    "expected_spectrum_significance", "twice_nll", "CLs_obs",
)  # fmt: skip
_BANDS = ("expected", "expected_error", "CLs_exp")
_OTHERS: Mapping[str, type] = {
    "reason": str, "model_digest": str, "engine": str, "warnings": list, "fits": dict,
    "toys": dict, "low_counts": dict, "cross_section_fb": dict, "couplings": dict,
}  # fmt: skip


def check_points(record: Mapping[str, Any]) -> None:
    """Check the fields of all points of a scan record, whether they are computed again or not.

    Raises
    ------
    DocumentError
        A field is of another kind; names the first one.
    """
    for index, point in enumerate(record["points"]):
        take = _Taker(point, f"/points/{index}")
        for key in _NUMBERS:
            if point.get(key) is not None:
                take.number(key)
        for key in _BANDS:
            band = point.get(key)
            if band is None and key == "CLs_exp":
                continue
            good = isinstance(band, list) and len(band) == 5
            if not good or not all(value is None or _is_number(value) for value in band):
                raise take.fault(key, "is no list of five numbers")
        for key, kind in _OTHERS.items():
            if point.get(key) is not None:
                take.of(key, kind)
        for key, value in point.items():
            if key.endswith("_reason") and value is not None:
                take.text(key)


@dataclass(frozen=True, slots=True)
class _Taker:
    """Takes values out of a part of the record, or says where it is wrong."""

    part: Mapping[str, Any]
    pointer: str

    def fault(self, key: str, problem: str) -> DocumentError:
        return DocumentError(
            problem, source=LIMITS, pointer=f"{self.pointer}/{key}",
            remedy="let darkstats scan write the record again",
        )  # fmt: skip

    def of(self, key: str, kind: type) -> Any:  # noqa: ANN401 -- of `kind`
        value = self.part.get(key)
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            raise self.fault(key, f"is {_shown(value)}, no {_KINDS[kind]}")
        return value

    def text(self, key: str) -> str:
        return str(self.of(key, str))

    def optional_text(self, key: str) -> str | None:
        return None if self.part.get(key) is None else self.text(key)

    def optional_whole(self, key: str) -> int | None:
        return None if self.part.get(key) is None else int(self.of(key, int))

    def number(self, key: str) -> float:
        value = self.part.get(key)
        if not _is_number(value):
            raise self.fault(key, f"is {_shown(value)}, no number")
        return float(value)


_KINDS: Mapping[type, str] = {
    str: "text", int: "whole number", bool: "truth value", list: "list", dict: "object",
}  # fmt: skip


def evenly(total: int, wanted: int) -> list[int]:
    """Indices of ``wanted`` of ``total`` items, evenly spread, the first and the last among them.

    Examples
    --------
    >>> evenly(10, 4), evenly(3, 9), evenly(10, 1)
    ([0, 3, 6, 9], [0, 1, 2], [5])
    """
    if wanted >= total:
        return list(range(total))
    if wanted == 1:
        return [total // 2]
    return sorted({round(k * (total - 1) / (wanted - 1)) for k in range(wanted)})


def compare_point(
    stated: Mapping[str, Any], found: Mapping[str, Any], index: int, *, same: bool
) -> Iterator[Problem]:
    """Yield what differs between a stated point of a scan record and the same computed again.

    Parameters
    ----------
    stated, found
        Points of scan records.
    index
        Position of the stated one in its record, for the place.
    same
        Whether both are of the same versions, which draw the same toys: they agree to rounding.
        Otherwise limits may be some errors of their toys apart.
    """
    at = _Place(str(stated.get("name")), ("points", index))
    if found["status"] != "ok":
        if stated.get("status") == "ok":
            reason = found.get("reason") or "no reason is known"
            yield at.problem(UNCERTIFIED, f"is stated, and now fails: {reason}")
        return
    if stated.get("status") != "ok":
        yield at.below("status").problem(DIFFERS, "is stated as failed, and has a result")
        return
    if list(stated.get("values") or ()) != list(found["values"]):
        yield at.below("values").problem(DIFFERS, "are not those of the patch set")
    for key, tolerance in TOLERANCES.items():
        errors = None if same else found.get(_ERRORS.get(key, ""))
        yield from _values(at.below(key), stated.get(key), found.get(key), tolerance, errors)
    for key in _ERRORS.values():
        tolerance = _OF_ERRORS if same else _OF_OTHER_ERRORS
        yield from _values(at.below(key), stated.get(key), found.get(key), tolerance, None)
    relative = TOLERANCES["observed"] if same else _relative(found)
    found = _as_stated(found, stated)
    for key in _NESTED:
        yield from _nested(at.below(key), stated.get(key), found.get(key), relative)
    yield from _warnings(at.below("warnings"), stated.get("warnings"), found.get("warnings"))


def _as_stated(found: Mapping[str, Any], stated: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was found, without widths of bosons where the record is from before they were told."""
    told = stated.get("couplings")
    if not isinstance(told, Mapping):
        return found
    if any(isinstance(one, Mapping) and "width_over_mass" in one for one in told.values()):
        return found
    couplings = {
        name: {key: value for key, value in one.items() if not key.startswith("width_over_mass")}
        for name, one in (found.get("couplings") or {}).items()
    }
    widths = set(width_warnings(found.get("couplings") or {}))
    kept = [text for text in found.get("warnings") or () if text not in widths]
    return {**found, "couplings": couplings, "warnings": kept}


def _warnings(at: _Place, stated: object, found: object) -> Iterator[Problem]:
    """Yield warnings that are stated and not found, or found and not stated."""
    ours = {_rounded(text): str(text) for text in stated} if isinstance(stated, list) else {}
    theirs = {_rounded(text): str(text) for text in found} if isinstance(found, list) else {}
    for key in sorted(set(ours) - set(theirs)):
        yield at.problem(DIFFERS, f"states {shown(ours[key], limit=70)}, which is not found")
    for key in sorted(set(theirs) - set(ours)):
        yield at.problem(DIFFERS, f"lacks {shown(theirs[key], limit=70)}")


def _rounded(text: object) -> str:
    """A warning with its numbers rounded, as another machine may round the last digit."""
    return _NUMBER.sub(lambda match: f"{float(match[0]):.2g}", str(text))


def compare_units(
    stated: Mapping[str, Any], found: Mapping[str, Any], index: int
) -> Iterator[Problem]:
    """Yield where stated limits in other units do not follow from the stated strengths.

    Parameters
    ----------
    stated
        Point of a scan record.
    found
        The same point, converted again; its values are those of the patch set.
    index
        Position in the record, for the place.
    """
    at = _Place(str(stated.get("name")), ("points", index))
    if list(stated.get("values") or ()) != list(found["values"]):
        yield at.below("values").problem(DIFFERS, "are not those of the patch set")
    found = _as_stated(found, stated)
    for key in _NESTED:
        yield from _nested(at.below(key), stated.get(key), found.get(key), _CONVERSION)


def compare_summary(
    stated: Mapping[str, Any], found: Mapping[str, Any], *, same: bool
) -> Iterator[Problem]:
    """Yield where the summary of a scan record says another thing than its points.

    ``same`` says that this version of darkstats wrote it, and would choose the same words.
    """
    at = _Place("", ("summary",))
    for key in ("points", "failed", "largest_excess", *(("statement",) if same else ())):
        yield from _nested(at.below(key), stated.get(key), found[key], _CONVERSION)
    if "expected_spectrum" in stated:  # added later
        there, here = stated["expected_spectrum"], found["expected_spectrum"]
        yield from _nested(at.below("expected_spectrum"), there, here, _CONVERSION)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the record: hypothesis, and the steps of the pointer."""

    name: str
    steps: tuple[str | int, ...]

    def below(self, step: str | int) -> _Place:
        return _Place(self.name, (*self.steps, step))

    def problem(self, kind: str, text: str) -> Problem:
        pointer = "".join(f"/{step}" for step in self.steps)
        point = f" ({self.name})" if self.name else ""
        return Problem(kind=kind, place=f"{LIMITS}: {pointer}{point}", text=text)


def _relative(found: Mapping[str, Any]) -> Tolerance:
    """Tolerance of what is computed from limits: theirs, with their own errors."""
    pairs = [(found["observed"], found.get("observed_error"))]
    pairs += zip(found["expected"], found.get("expected_error") or [None] * 5, strict=True)
    worst = max((error / abs(value) for value, error in pairs if value and error), default=0.0)
    return Tolerance(relative=TOLERANCES["observed"].relative + _ERRORS_APART * worst)


def _nested(at: _Place, stated: object, found: object, tolerance: Tolerance) -> Iterator[Problem]:
    if isinstance(found, Mapping) and isinstance(stated, Mapping):
        for key in sorted({*found, *stated}):
            yield from _nested(at.below(key), stated.get(key), found.get(key), tolerance)
    elif _is_number(found) or isinstance(found, list):
        yield from _values(at, stated, found, tolerance, None)
    elif stated != found:
        yield at.problem(DIFFERS, _both(stated, found))


def _values(
    at: _Place, stated: object, found: object, tolerance: Tolerance, errors: object
) -> Iterator[Problem]:
    """Compare a number, or a list of them; null is a number that does not exist."""
    if isinstance(found, list | tuple) and isinstance(stated, list) and len(stated) == len(found):
        beside = errors if isinstance(errors, list | tuple) else [None] * len(found)
        for k, (one, other, error) in enumerate(zip(stated, found, beside, strict=True)):
            yield from _values(at.below(k), one, other, tolerance, error)
    elif _is_number(stated) and _is_number(found):
        allowed = max(tolerance.absolute, tolerance.relative * abs(found))
        if _is_number(errors):
            allowed += _ERRORS_APART * abs(errors)
        if not abs(stated - found) <= allowed:
            apart = f": {abs(stated - found) / abs(found):.2g} apart, relative" if found else ""
            yield at.problem(DIFFERS, _both(stated, found) + apart)
    elif _is_number(stated) and found is None:
        text = f"states {_shown(stated)}, and now has no certified value"
        yield at.problem(UNCERTIFIED, text)
    elif stated != found:
        yield at.problem(DIFFERS, _both(stated, found))


def _both(stated: object, found: object) -> str:
    return f"states {_shown(stated)}; found {_shown(found)}"


def _is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that a float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max


def _shown(value: object) -> str:
    if _is_number(value):
        return f"{value:.6g}"
    return "none" if value is None else shown(value, limit=40)
