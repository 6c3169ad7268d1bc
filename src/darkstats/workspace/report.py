"""Where the lint passes put their findings."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from darkstats.characters import no_name
from darkstats.workspace.findings import ACCEPTABLE_CODES, Finding, join_pointer, shown
from darkstats.workspace.names import same_to_the_eye

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.workspace.json_values import JsonValue

__all__ = ["LARGEST_NUMBER", "MAX_FINDINGS", "Notes", "Place", "Report"]

MAX_FINDINGS = 200
LARGEST_NUMBER = 1e100
"""Beyond this the fifth powers of the interpolation overflow double precision."""

_NUMERIC_TYPES = frozenset({float, int})


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a workspace: its JSON pointer, and the channel and sample around it."""

    pointer: str
    channel: str | None = None
    sample: str | None = None

    def at(self, *tokens: str | int) -> Place:
        """Return the place of a child."""
        return Place(join_pointer(self.pointer, *tokens), self.channel, self.sample)


@dataclass(slots=True)
class Report:
    """A growing list of findings, bounded by :data:`MAX_FINDINGS` errors and as many warnings."""

    accepted: frozenset[str] = frozenset()
    every: bool = False
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    gathered: dict[str, tuple[Place, str, str, int]] = field(default_factory=dict)

    def error(self, code: str, place: Place, message: str, remedy: str) -> None:
        """Add an error, or a warning if its code is accepted."""
        if code in self.accepted and code in ACCEPTABLE_CODES:
            self.warning(code, place, message, remedy)
        elif len(self.errors) < MAX_FINDINGS:
            self.errors.append(
                Finding(
                    severity="error",
                    code=code,
                    pointer=place.pointer,
                    message=message,
                    remedy=remedy,
                    channel=place.channel,
                    sample=place.sample,
                )
            )

    def warning(self, code: str, place: Place, message: str, remedy: str) -> None:
        """Add a warning."""
        if self.every or len(self.warnings) < MAX_FINDINGS:
            self.warnings.append(
                Finding(
                    severity="warning",
                    code=code,
                    pointer=place.pointer,
                    message=message,
                    remedy=remedy,
                    channel=place.channel,
                    sample=place.sample,
                )
            )

    def gather(self, code: str, place: Place, message: str, remedy: str) -> None:
        """Count a frequent warning; :meth:`findings` shows the first one of each code.

        Where ``every`` one is wanted, it is listed like any other.
        """
        if self.every:
            self.warning(code, place, message, remedy)
            return
        known = self.gathered.get(code)
        if known is None:
            self.gathered[code] = (place, message, remedy, 1)
        else:
            self.gathered[code] = (*known[:3], known[3] + 1)

    def findings(self) -> tuple[Finding, ...]:
        """Return all findings, errors first; a cut list says so."""
        for code, (place, message, remedy, count) in self.gathered.items():
            more = f" (the first of {count})" if count > 1 else ""
            self.warning(code, place, message + more, remedy)
        self.gathered.clear()
        found = [*self.errors, *self.warnings]
        cut_warnings = not self.every and len(self.warnings) >= MAX_FINDINGS
        if len(self.errors) >= MAX_FINDINGS or cut_warnings:
            cut = self.errors if len(self.errors) >= MAX_FINDINGS else self.warnings
            found.append(
                Finding(
                    severity=cut[0].severity,
                    code="too-many-findings",
                    pointer="",
                    message=f"only the first {MAX_FINDINGS} of each severity are listed",
                    remedy="mend these and look again",
                )
            )
        return tuple(found)

    # --- values -----------------------------------------------------------------------------

    def is_number(self, value: object, place: Place, *, largest: float = LARGEST_NUMBER) -> bool:
        """Report ``value`` unless it is a finite number of reasonable size."""
        if isinstance(value, float | int) and not isinstance(value, bool):
            if -largest <= value <= largest:
                return True
            if value - value != 0:
                self.error("not-finite", place, f"{value} is not finite", "write a finite number")
            else:
                self.error(
                    "number-too-large",
                    place,
                    f"{shown(value)} is larger than {largest:g}",
                    "write a number that can be computed with",
                )
            return False
        kind = "a boolean" if isinstance(value, bool) else "no number"
        self.error("not-a-number", place, f"{shown(value)} is {kind}", "write a number")
        return False

    def are_numbers(self, values: object, place: Place, *, largest: float = LARGEST_NUMBER) -> bool:
        """Report ``values`` unless it is a non-empty list of finite numbers.

        One finding per list names its first bad item and counts the others.
        """
        if not isinstance(values, list):
            self.error(
                "wrong-type", place, f"{shown(values)} is no list", "write a list of numbers"
            )
            return False
        if not values:
            self.error("empty-list", place, "the list is empty", "write one number per bin")
            return False
        if _NUMERIC_TYPES.issuperset(map(type, values)) and (
            max(values) <= largest and min(values) >= -largest and not _has_nan(values)
        ):
            return True
        probe = Report()
        bad = [i for i, v in enumerate(values) if not probe.is_number(v, place, largest=largest)]
        if not bad:
            return True  # subclasses of float, or a NaN-free list that only looked odd
        again = Report()
        again.is_number(values[bad[0]], place.at(bad[0]), largest=largest)
        first = again.errors[0]
        more = f" (and {len(bad) - 1} more in this list)" if len(bad) > 1 else ""
        self.error(first.code, place.at(bad[0]), first.message + more, first.remedy)
        return False

    def is_name(self, value: object, place: Place, what: str) -> bool:
        """Report ``value`` unless it is usable as a name."""
        if not isinstance(value, str):
            self.error(
                "wrong-type", place, f"{shown(value)} is no {what} name", "write the name as text"
            )
            return False
        if value and not value.isspace() and (value.isprintable() or _can_be_seen(value)):
            return True
        problem = f"{shown(value)} has control characters" if no_name(value) else "is empty"
        self.error("bad-name", place, f"the {what} name {problem}", "give it a printable name")
        return False

    def is_object(
        self,
        value: object,
        place: Place,
        required: frozenset[str],
        optional: frozenset[str] = frozenset(),
    ) -> bool:
        """Report missing and unexpected keys; ``True`` if all the required ones are there."""
        if not isinstance(value, dict):
            self.error(
                "wrong-type",
                place,
                f"{shown(value)} is no object",
                f"write an object with the keys {', '.join(sorted(required))}",
            )
            return False
        keys = value.keys()
        if keys == required:
            return True
        missing = sorted(required - keys)
        for key in missing:
            self.error("missing-key", place, f"the key {key!r} is missing", f"add {key!r}")
        for key in sorted(map(str, keys - required - optional)):
            like = [name for name in missing if key and (key in name or name in key)]
            like = like or get_close_matches(key, missing, 1)
            self.error(
                "unexpected-key",
                place.at(key),
                f"the workspace schema has no key {shown(key)} here",
                f"rename it to {like[0]!r}"
                if like
                else "remove it; notes and units belong in a file beside the workspace",
            )
        return keys >= required

    def is_list(self, value: object, place: Place, what: str, *, empty: bool = False) -> bool:
        """Report ``value`` unless it is a list, and not empty where it must not be."""
        if not isinstance(value, list):
            self.error("wrong-type", place, f"{shown(value)} is no list", f"write a list of {what}")
            return False
        if not value and not empty:
            self.error("empty-list", place, "the list is empty", f"add at least one of {what}")
            return False
        return True


@dataclass(slots=True)
class Notes(Report):
    """What a check says, to be repeated in the reports of several documents."""

    said: list[tuple[str, tuple[str, Place, str, str]]] = field(default_factory=list)

    def error(self, code: str, place: Place, message: str, remedy: str) -> None:
        """Note an error."""
        self.said.append(("error", (code, place, message, remedy)))

    def warning(self, code: str, place: Place, message: str, remedy: str) -> None:
        """Note a warning."""
        self.said.append(("warning", (code, place, message, remedy)))

    def gather(self, code: str, place: Place, message: str, remedy: str) -> None:
        """Note a frequent warning."""
        self.said.append(("gather", (code, place, message, remedy)))

    def repeat(self, report: Report) -> None:
        """Say all of it again."""
        for how, what in self.said:
            getattr(report, how)(*what)


def _has_nan(values: Sequence[JsonValue]) -> bool:
    return math.isnan(sum(values)) and any(map(math.isnan, values))


def _can_be_seen(text: str) -> bool:
    """Whether text has no control characters, and more than marks without width."""
    return bool(same_to_the_eye(text)) and not no_name(text)
