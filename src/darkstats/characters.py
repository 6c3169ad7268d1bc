"""Characters that no name should hold: a terminal obeys them, or they are no text.

The one home of what names, records and terminals refuse or spell out. They differ in what they need
themselves: a name has no line break, a table has, and JSON escapes the first controls anyway.
"""

from __future__ import annotations

import re

__all__ = ["as_text", "json_escaped", "no_name", "no_text", "printable", "spelled"]

_TURNING = "\u202a-\u202e\u2066-\u2069"  # the direction of text
_LATER = "\x7f-\x9f"  # controls that JSON leaves as they are
_MARKS = "\u200e\u200f"
_BREAKS = "\u2028\u2029"
#: What a shell makes of bytes that are no UTF-8: half of a surrogate pair.
_HALVES = "\ud800-\udfff"

_NO_NAME = re.compile(f"[\x00-\x1f{_LATER}{_BREAKS}{_TURNING}{_HALVES}]")
_HALF = re.compile(f"[{_HALVES}]")
_STEERING = re.compile(f"[\x00-\x08\x0b-\x1f{_LATER}{_MARKS}{_TURNING}]")
_RAW_IN_JSON = re.compile(f"[{_LATER}{_TURNING}]")


def no_name(text: str) -> bool:
    """Whether text holds controls, line breaks, marks that reorder it, or what is no text."""
    return _NO_NAME.search(text) is not None


def no_text(text: str) -> bool:
    """Whether text cannot be written: half of a surrogate pair, as of bytes that are no UTF-8."""
    return _HALF.search(text) is not None


def as_text(name: str) -> str:
    r"""A name of a file as text that can be written: bytes that are no UTF-8 are spelled.

    Examples
    --------
    >>> as_text("caf\udce9.json")
    'caf\\udce9.json'
    """
    return name.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Text without characters that steer a terminal, spelled instead: names come from files."""
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)


def spelled(name: str) -> str:
    """A name of a file or of a document on one line, all that is not seen spelled."""
    return name if name.isprintable() else ascii(name)[1:-1]


def json_escaped(text: str) -> str:
    """JSON text without characters that a terminal would obey; they stand in strings alone."""
    return _RAW_IN_JSON.sub(lambda one: f"\\u{ord(one[0]):04x}", text)
