"""How records become text, and how text and figures become files: whole, or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from darkstats.characters import as_text, json_escaped
from darkstats.errors import OptionError, OutputError

__all__ = ["csv_text", "json_text", "plain", "require_writable", "whole_file", "write_text"]

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # as OWASP lists them
_FLOATS = frozenset({float})
_WORDS = frozenset({str, int, bool, type(None)})
_WHOLE = _WORDS | {dict}  # no number is missing in these themselves


def plain(value: Any) -> Any:  # noqa: ANN401 -- any JSON-like value
    """Return a value as JSON data: no tuples, no infinities, no not-a-number.

    A number that is not finite becomes null, and beside it stands ``<field>_reason``; within a
    list, the reason stands beside the list.
    """
    kind = type(value)
    if kind in _WORDS:  # most of a long record
        found = value
    elif isinstance(value, float):  # numpy.float64 is one
        found = float(value) if math.isfinite(value) else None
    elif isinstance(value, Mapping):
        found = {}
        for key, item in value.items():
            found[str(key)] = plain(item)
            reason = None if type(item) in _WHOLE else _why_missing(item)
            if reason is not None:
                found.setdefault(f"{key}_reason", reason)
    elif isinstance(value, (list, tuple)):
        found = list(value) if _all_finite(value) else [plain(item) for item in value]
    elif isinstance(value, (bool, int, str)):
        found = value
    elif hasattr(value, "tolist"):  # NumPy arrays and integers
        found = plain(value.tolist())
    else:
        raise TypeError(f"{type(value).__name__} cannot stand in a record")
    return found


def _all_finite(values: Sequence[Any]) -> bool:
    """Whether a list holds finite floats only, such as a row of a matrix."""
    return _FLOATS.issuperset(map(type, values)) and all(map(math.isfinite, values))


def _why_missing(item: object) -> str | None:
    if isinstance(item, float) and not math.isfinite(item):
        return "not a number" if math.isnan(item) else f"unbounded ({item:+})"
    if hasattr(item, "tolist"):
        item = item.tolist()
        if isinstance(item, float):
            return _why_missing(item)
    if isinstance(item, (list, tuple)):
        if _all_finite(item):
            return None
        reasons = (_why_missing(part) for part in item if type(part) not in _WHOLE)
        return next((reason for reason in reasons if reason is not None), None)
    return None


def json_text(record: Mapping[str, Any]) -> str:
    """Return a record as JSON with sorted keys and a final newline, the same bytes every time.

    Characters that steer a terminal or turn the direction of text are written as escapes.
    """
    found = plain(record)
    text = _written(found, "\n", encode_basestring)
    try:
        text.encode()
    except UnicodeEncodeError:  # a name of a file that is no text, and would be none when read
        text = _written(found, "\n", lambda name: encode_basestring(as_text(name)))
    return json_escaped(text) + "\n"


def _written(value: Any, line: str, quoted: Callable[[str], str]) -> str:  # noqa: ANN401
    """Plain JSON data as ``json.dumps`` writes it with an indent of 2 and sorted keys.

    The library leaves its compiled encoder where there is an indent, and walks through every
    number of a long list in Python.
    """
    below = line + "  "
    if type(value) is dict:
        parts = [f"{quoted(key)}: {_written(value[key], below, quoted)}" for key in sorted(value)]
        return f"{{{below}{f',{below}'.join(parts)}{line}}}" if parts else "{}"
    if type(value) is list:
        if _FLOATS.issuperset(map(type, value)):
            parts = list(map(float.__repr__, value))
        else:
            parts = [_written(item, below, quoted) for item in value]
        return f"[{below}{f',{below}'.join(parts)}{line}]" if parts else "[]"
    if isinstance(value, str):
        return quoted(value)
    return float.__repr__(value) if type(value) is float else json.dumps(value)


def csv_text(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return columns of equal or different length as CSV, with one line of names.

    A text that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-`` or ``@``)
    gets an apostrophe before it: names come from other people's files.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_no_formula(name) for name in columns])
    for row in range(max((len(column) for column in columns.values()), default=0)):
        cells = (column[row] if row < len(column) else "" for column in columns.values())
        writer.writerow(["" if cell is None else _no_formula(plain(cell)) for cell in cells])
    return out.getvalue()


def _no_formula(cell: Any) -> Any:  # noqa: ANN401 -- numbers stay what they are
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the path of a temporary file that replaces ``path`` when the block ends well.

    If the block raises, also by Ctrl-C, ``path`` stays as it was and nothing is left behind.

    Raises
    ------
    OutputError
        The folder does not exist, or cannot be written.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent
        )
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: str | os.PathLike[str]) -> None:
    """Check that a file can be written, before the work whose result it shall hold.

    Raises
    ------
    OptionError
        It cannot; the message says what to do.
    """
    path = Path(path)
    if path.is_dir():
        raise OptionError(f"cannot write {path}: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise OptionError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise OptionError(f"cannot write {path}: no permission to write in {path.parent.resolve()}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole, or not at all. Names of files that are no text are spelled in it.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(as_text(text), encoding="utf-8")
