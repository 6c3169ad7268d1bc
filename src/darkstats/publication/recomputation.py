"""Compute stated limits again, and compare every number that is stated with what is found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from darkstats.errors import DocumentError
from darkstats.publication.documents import LIMITS
from darkstats.publication.findings import DIFFERS, UNCERTIFIED, Problem
from darkstats.scan.settings import BayesSettings, ScanSettings

__all__ = ["TOLERANCES", "Tolerance", "compare_point", "evenly", "settings_of", "tolerance_words"]


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
#: Parts of a point in other units, with limits inside.
_NESTED = ("cross_section_fb", "couplings", "low_counts")
#: Errors that belong to a value: of toys, or of an integral.
_ERRORS = {"observed": "observed_error", "expected": "expected_error"}
_ERRORS_APART = 5.0


def tolerance_words(*, toys: bool) -> str:
    """The tolerance of limits in words."""
    words = f"limits to {TOLERANCES['observed'].relative:g} relative"
    return words + (f" or {_ERRORS_APART:g} errors of their toys" if toys else "")


def settings_of(record: Mapping[str, Any], *, hypotheses_per_block: int = 16) -> ScanSettings:
    """Return how the limits of a scan record were made.

    Raises
    ------
    DocumentError
        The record does not say it, or says what this version does not know.
    """
    prior = record.get("prior")
    try:
        bayes = None
        if prior is not None:
            bayes = BayesSettings(
                prior=str(prior.get("asked") or prior["name"]),
                engine=str(prior["engine_asked"]),
                expected=str(prior["expected"]),
                efficiency=str(prior["efficiency"]),
                ur_prior=str(prior["ur_prior"]),
                ranges=tuple(
                    (str(one["name"]), float(one["edges"][0]), float(one["edges"][1]))
                    for one in prior["ranges"]
                ),
            )
        return ScanSettings(
            method=str(record["method"]),
            cl=float(record["cl"]),
            test_stat=str(record.get("test_stat") or "qtilde"),
            calculator=str(record["calculator"]),
            band=str(record.get("band") or "root"),
            n_toys=record["toys_per_hypothesis"],
            seed=int(record["seed"] or 0),
            blind=bool(record["blind"]),
            interpolation=str(record["interpolation"]),
            bayes=bayes,
            hypotheses_per_block=hypotheses_per_block,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DocumentError(
            f"does not say how its limits were made ({type(error).__name__}: {error})",
            source=LIMITS, remedy="let darkstats scan write the record again",
        ) from None  # fmt: skip


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
    stated: Mapping[str, Any], found: Mapping[str, Any], index: int
) -> Iterator[Problem]:
    """Yield what differs between a stated point of a scan record and the same computed again.

    Parameters
    ----------
    stated, found
        Points of scan records.
    index
        Position of the stated one in its record, for the place.
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
        errors = found.get(_ERRORS.get(key, ""))
        yield from _values(at.below(key), stated.get(key), found.get(key), tolerance, errors)
    for key in _NESTED:
        yield from _nested(at.below(key), stated.get(key), found.get(key), _relative(found))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the record: hypothesis, and the steps of the pointer."""

    name: str
    steps: tuple[str | int, ...]

    def below(self, step: str | int) -> _Place:
        return _Place(self.name, (*self.steps, step))

    def problem(self, kind: str, text: str) -> Problem:
        pointer = "".join(f"/{step}" for step in self.steps)
        return Problem(kind=kind, place=f"{LIMITS}: {pointer} ({self.name})", text=text)


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
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    if _is_number(value):
        return f"{value:.6g}"
    return "none" if value is None else str(value)[:40]
