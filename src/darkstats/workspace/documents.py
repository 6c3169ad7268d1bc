"""Strict, bounded JSON: bytes in, a document of finite numbers and unique keys out.

The common case runs at the speed of the standard library's parser.  Only when that pass stumbles
does :mod:`darkstats.workspace.locating` read the text again, slowly, to name the place.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NoReturn

from darkstats.errors import DocumentError
from darkstats.garbage import collection_paused
from darkstats.workspace.locating import Fault, locate_fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkstats.workspace.json_values import JsonValue

__all__ = ["MAX_DEPTH", "MAX_DOCUMENT_BYTES", "parse_json"]

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
"""Largest JSON text, after decompression."""
MAX_DEPTH = 64
"""Deepest nesting of lists and objects."""
MAX_CONTAINERS = 4_000_000
MAX_ITEMS = 24_000_000
_MOST_BITS = 1023  # of an integer that is a double for certain
LOCATABLE_CHARACTERS = 8 * 1024 * 1024


class _RefusedError(Exception):
    """The fast pass met something that strict JSON does not have."""


def parse_json(data: bytes, *, source: str = "") -> JsonValue:
    """Return the document that ``data`` holds.

    Parameters
    ----------
    data
        UTF-8 text, uncompressed, at most :data:`MAX_DOCUMENT_BYTES` long.
    source
        File name, or whatever names the origin, for the message of an error.

    Returns
    -------
    JsonValue
        Dictionaries, lists, text, booleans, ``None``, and numbers of which every one is finite.

    Raises
    ------
    DocumentError
        The text is too long, no UTF-8, no JSON; nests deeper than :data:`MAX_DEPTH`; has ``NaN``,
        ``Infinity`` or a number that overflows double precision, an integer too; repeats a key in
        an object; or holds half a surrogate pair.

    Notes
    -----
    RFC 8259 allows none of ``NaN``, ``Infinity`` and unpaired surrogates, and leaves the meaning
    of repeated keys open: two readers may take two different numbers from one file.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise DocumentError(
            f"the JSON text has {len(data)} bytes, more than {MAX_DOCUMENT_BYTES}",
            source=source,
            remedy="split the document, or prune what is not needed",
        )
    if not data.strip():
        raise DocumentError(
            "not JSON: it is empty", source=source, remedy="check that it was written whole"
        )
    text = _decode(data, source)
    _check_size(data, source)
    try:
        with collection_paused():
            document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
            _check_values(document, check_text=b"\\u" in data)
    except json.JSONDecodeError as error:
        _refuse_syntax(error, text, source)
    except (_RefusedError, ValueError, OverflowError, RecursionError):
        _refuse_content(text, source)
    return document


def _decode(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"byte {error.start} is not valid UTF-8 ({error.reason})",
            source=source,
            remedy="save the file as UTF-8 text",
        ) from None


def _check_size(data: bytes, source: str) -> None:
    """Refuse texts whose parsed form would need far more memory than the text."""
    containers = data.count(b"[") + data.count(b"{")
    if containers > MAX_CONTAINERS or data.count(b",") > MAX_ITEMS:
        raise DocumentError(
            f"the JSON text has more than {MAX_CONTAINERS} lists and objects, or more than "
            f"{MAX_ITEMS} items",
            source=source,
            remedy="split the document, or prune what is not needed",
        )


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RefusedError
    return found


def _no_constant(_name: str) -> NoReturn:
    raise _RefusedError


def _check_values(document: JsonValue, *, check_text: bool) -> None:
    """Refuse what the parser lets through: overflow, depth, half surrogates, huge integers."""
    level: list[JsonValue] = []
    _check_item(document, level, check_text=check_text)
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _RefusedError
        below: list[JsonValue] = []
        for container in level:
            if type(container) is dict:
                if check_text:
                    for key in container:
                        key.encode()
                items: Iterable[JsonValue] = container.values()
            elif _all_finite(container):
                continue
            else:
                items = container
            for item in items:
                _check_item(item, below, check_text=check_text)
        level = below


def _all_finite(values: list[JsonValue]) -> bool:
    """Whether a list holds finite numbers only; ``False`` also where that cannot be told fast."""
    try:
        total = sum(values, 0.0)  # an integer that is no double overflows when it is added
    except (TypeError, OverflowError):
        return False
    return total - total == 0.0


def _check_item(item: JsonValue, below: list[JsonValue], *, check_text: bool) -> None:
    kind = type(item)
    if kind is dict or kind is list:
        below.append(item)
    elif kind is str:
        if check_text:
            item.encode()
    elif kind is float and not math.isfinite(item):
        raise _RefusedError
    elif kind is int and item.bit_length() > _MOST_BITS:
        float(item)  # an OverflowError where it is no double


def _refuse_syntax(error: json.JSONDecodeError, text: str, source: str) -> NoReturn:
    fault = locate_fault(text[:LOCATABLE_CHARACTERS], max_depth=MAX_DEPTH, stop=error.pos)
    if fault is not None and fault.problem:
        raise _refusal(fault, source) from None
    reason = f"{error.msg[:1].lower()}{error.msg[1:]}"
    raise DocumentError(
        f"not JSON: {reason} (line {error.lineno}, column {error.colno})",
        source=source,
        pointer=fault.pointer if fault is not None else None,
        remedy="check that the file is complete and is the one you meant",
    ) from None


def _refuse_content(text: str, source: str) -> NoReturn:
    fault = locate_fault(text[:LOCATABLE_CHARACTERS], max_depth=MAX_DEPTH)
    if fault is not None:
        raise _refusal(fault, source) from None
    raise DocumentError(
        "the document has NaN, infinity, a number that overflows double precision, a repeated "
        f"key, half a surrogate pair, or nests deeper than {MAX_DEPTH}",
        source=source,
        remedy="write finite numbers and unique keys",
    ) from None


def _refusal(fault: Fault, source: str) -> DocumentError:
    return DocumentError(fault.problem, source=source, pointer=fault.pointer, remedy=fault.remedy)
