"""Find the first place where a JSON text breaks the strict rules.

Slow and iterative; it runs only after the fast parser has refused a text, to name the place by
its JSON pointer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from darkstats.workspace.findings import join_pointer, shown

__all__ = ["Fault", "locate_fault"]

_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
        (?P<mark>[\[\]{},:])
      | (?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?![A-Za-z0-9])
      | (?P<word>-?[A-Za-z]+)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """The first fault of a text: its JSON pointer, what is wrong and what to do."""

    pointer: str
    problem: str
    remedy: str


@dataclass(slots=True)
class _Open:
    """A list or an object that is being read."""

    pointer: str
    keys: set[str] | None  # None for a list
    key: str = ""
    index: int = 0
    at_key: bool = True

    def child(self) -> str:
        if self.keys is not None and self.at_key:
            return self.pointer
        return join_pointer(self.pointer, self.index if self.keys is None else self.key)


def locate_fault(text: str, *, max_depth: int, stop: int | None = None) -> Fault | None:
    """Return the first fault of ``text``, or ``None`` if this reader finds nothing wrong.

    Parameters
    ----------
    text
        The JSON text.
    max_depth
        Deepest nesting.
    stop
        Offset at which the fast parser stopped. Reached without an earlier fault, it gives a
        fault without a problem at the innermost value that was being read there.
    """
    stack: list[_Open] = []
    position = 0
    while True:
        place = stack[-1].child() if stack else ""
        if stop is not None and position >= stop:
            return Fault(place, "", "")
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:].strip()
            if not rest and not stack:
                return None
            return Fault(place, "the text is not JSON here", "complete or correct the file")
        position = match.end()
        fault = _step(match, stack, place, max_depth)
        if fault is not None:
            return fault


def _step(match: re.Match[str], stack: list[_Open], place: str, max_depth: int) -> Fault | None:
    kind, token = match.lastgroup, match.group().strip()
    inside = stack[-1] if stack else None
    if kind == "mark":
        return _mark(token, stack, place, max_depth)
    if kind == "text":
        return _text(token, inside, place)
    return _number(token, place) if kind == "number" else _word(token, place)


def _mark(token: str, stack: list[_Open], place: str, max_depth: int) -> Fault | None:
    if token in "[{":
        if len(stack) >= max_depth:
            return Fault(
                place, f"nested deeper than {max_depth} levels", "a workspace needs 9 levels"
            )
        stack.append(_Open(place, set() if token == "{" else None))
    elif token in "]}":
        if stack:
            stack.pop()
    elif stack and token == ",":
        stack[-1].index += 1
        stack[-1].at_key = True
    elif stack and token == ":":
        stack[-1].at_key = False
    return None


def _text(token: str, inside: _Open | None, place: str) -> Fault | None:
    try:
        value = json.loads(token)
    except ValueError:
        return Fault(place, "text with a bad escape sequence", "correct the escape sequence")
    is_key = inside is not None and inside.keys is not None and inside.at_key
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return Fault(
                place, "text with half a surrogate pair", "write the character as UTF-8 text"
            )
    if inside is not None and inside.keys is not None and is_key:
        if value in inside.keys:
            return Fault(
                join_pointer(inside.pointer, value),
                f"the key {shown(value)} appears twice in one object",
                "keep one of them: readers differ in which one they take",
            )
        inside.keys.add(value)
        inside.key = value
    return None


def _number(token: str, place: str) -> Fault | None:
    value = float(token)
    if value - value != 0:
        return Fault(
            place,
            f"the number {token[:40]} overflows double precision",
            "write a finite number",
        )
    return None


def _word(token: str, place: str) -> Fault | None:
    if token in {"true", "false", "null"}:
        return None
    if token.lstrip("-") in {"NaN", "Infinity"}:
        return Fault(place, f"{token} is not a number in JSON", "write a finite number")
    return Fault(place, f"{shown(token)} is not JSON", "quote text, and write finite numbers")
