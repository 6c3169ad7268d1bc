"""CSV tables that people bring: rows with their lines, and the numbers in them."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from darkstats.errors import DocumentError

__all__ = ["number_in", "read_rows"]

_MOST_BYTES = 50_000_000
_MOST_ROWS = 500_000

Row = tuple[int, list[str]]


def read_rows(path: Path | str, of: str) -> tuple[list[str], list[Row]]:
    """Return the names of the columns, and each row with its line; cells without blanks around.

    Empty lines and those that begin with ``#`` are left out.

    Parameters
    ----------
    path
        The file.
    of
        What such a table holds, for messages.

    Raises
    ------
    DocumentError
        The file cannot be read, is too large, or no CSV.
    """
    source = str(path)
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", source=source) from error
    if len(raw) > _MOST_BYTES:
        raise DocumentError(f"is larger than 50 MB, no table of {of} is", source=source)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError("is no UTF-8 text", source=source) from None
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: list[Row] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                rows.append((reader.line_num, [cell.strip() for cell in cells]))
            if len(rows) > _MOST_ROWS:
                raise DocumentError(f"has more than {_MOST_ROWS} rows", source=source)
    except csv.Error as error:
        raise DocumentError(
            f"no valid CSV: {error}", source=source, pointer=f"line {reader.line_num}"
        ) from None
    if not rows:
        raise DocumentError("is empty", source=source)
    head = rows[0][1]
    for sign, name in ((";", "semicolons"), ("\t", "tabulators")):
        if len(head) == 1 and sign in head[0]:
            raise DocumentError(
                f"has {name} between its columns", source=source, pointer=f"line {rows[0][0]}",
                remedy="write commas, and points in numbers",
            )  # fmt: skip
    return head, rows[1:]


def number_in(text: str, source: Path | str, place: str | None) -> float:
    """Return the number that a text is.

    Raises
    ------
    DocumentError
        It is none, or not finite; names the place.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DocumentError(f"{text!r} is no number", source=str(source), pointer=place)
    return value
