"""How records become text, and how text and figures become files: whole, or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darkstats.errors import OutputError

__all__ = ["csv_text", "json_text", "plain", "whole_file", "write_text"]

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # as OWASP lists them
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
        found = [plain(item) for item in value]
    elif isinstance(value, (bool, int, str)):
        found = value
    elif hasattr(value, "tolist"):  # NumPy arrays and integers
        found = plain(value.tolist())
    else:
        raise TypeError(f"{type(value).__name__} cannot stand in a record")
    return found


def _why_missing(item: object) -> str | None:
    if isinstance(item, float) and not math.isfinite(item):
        return "not a number" if math.isnan(item) else f"unbounded ({item:+})"
    if hasattr(item, "tolist"):
        item = item.tolist()
        if isinstance(item, float):
            return _why_missing(item)
    if isinstance(item, (list, tuple)):
        reasons = (_why_missing(part) for part in item if type(part) not in _WHOLE)
        return next((reason for reason in reasons if reason is not None), None)
    return None


def json_text(record: Mapping[str, Any]) -> str:
    """Return a record as JSON with sorted keys and a final newline, the same bytes every time."""
    found = plain(record)
    text = json.dumps(found, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a name of a file that is no text
        text = json.dumps(found, indent=2, sort_keys=True, allow_nan=False)
    return text + "\n"


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole, or not at all.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
