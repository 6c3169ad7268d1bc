"""Columns of events in chunks: ROOT trees, Parquet, CSV, NumPy. Only what is asked for is read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import DocumentError, MissingExtraError, listed
from darkstats.workspace.hs3.event_files import (
    FORMATS,
    numbers_of,
    read_events,
    tree_of,
    unreadable,
)

__all__ = ["Chunk", "event_chunks"]

_ROWS = 200_000  # of a chunk: some megabytes a column
_MOST_ROWS = 2_000_000_000  # a file that claims more is damaged, or means harm
_TREES = ("TTree", "TNtuple", "ROOT::RNTuple")  # classes in a ROOT file that hold events
_EXACT = 2.0**53  # whole numbers beyond are not all doubles

#: Columns by name, of consecutive events. Shape of each [event].
Chunk = dict[str, FloatArray]


def event_chunks(
    path: Path, tree: str | None, columns: Mapping[str, str], *, rows: int = _ROWS
) -> Iterator[Chunk]:
    """Read columns of a file of events, some at a time.

    Parameters
    ----------
    path
        A ``.root``, ``.parquet``, ``.csv``, ``.npz`` or ``.npy`` file.
    tree
        Name of the tree of a ROOT file; None for the only one.
    columns
        By name, at least one: who asks for it, for messages.
    rows
        Events in a chunk.

    Raises
    ------
    DocumentError
        The file cannot be read, has no such column, or one that holds no numbers.
    MissingExtraError
        ROOT needs uproot, and Parquet pyarrow.
    """
    if not path.is_file():
        raise DocumentError(
            "there is no such file", source=str(path),
            remedy="paths are relative to the folder of the configuration",
        )  # fmt: skip
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DocumentError(
            "is no file of events", source=str(path), remedy=f"give one of {', '.join(FORMATS)}"
        )
    if tree is not None and suffix != ".root":
        raise DocumentError("has no trees", source=str(path), remedy="leave out 'tree'")
    if suffix == ".root":
        return _of_root(path, tree, columns, rows)
    if suffix == ".parquet":
        return _of_parquet(path, columns, rows)
    if suffix == ".csv":
        return _of_csv(path, columns, rows)
    return _of_numpy(path, columns, rows)


def _require(columns: Mapping[str, str], known: Sequence[str], source: str, what: str) -> None:
    for name, place in columns.items():
        if name not in known:
            raise DocumentError(
                f"there is no {what} {name!r}", source=source, pointer=place,
                remedy=f"there are {listed(name, known) or 'none'}",
            )  # fmt: skip


def _require_plausible(n: int, source: str) -> None:
    if n > _MOST_ROWS:
        raise DocumentError(f"claims {n} events, more than {_MOST_ROWS}", source=source)


def _column(values: np.ndarray[Any, Any], name: str, first: int, source: str) -> FloatArray:
    """Numbers of a column; ``first`` is the event that the chunk begins with."""
    found = numbers_of(values)
    if isinstance(found, str):
        raise DocumentError(
            f"column {name!r}, from event {first} on, {found}", source=source,
            remedy="write one number an event",
        )  # fmt: skip
    if values.dtype.kind in "iu" and len(found) and float(np.abs(found).max()) >= _EXACT:
        raise DocumentError(
            f"column {name!r} has whole numbers beyond 2^53, which do not stay exact",
            source=source, remedy="write what is used of them as a column of its own",
        )  # fmt: skip
    return found


def _of_root(
    path: Path, tree: str | None, columns: Mapping[str, str], rows: int
) -> Iterator[Chunk]:
    try:
        import uproot
    except ImportError:
        raise MissingExtraError("uproot", "templates") from None
    try:
        with uproot.open(path) as file:
            kinds = file.classnames(recursive=True)
            trees = [key for key, kind in kinds.items() if kind.startswith(_TREES)]
            name = tree_of(trees, tree, path)
            source = f"{path}: {name}"
            found = file[name]
            known = found.keys(recursive=True)
            _require(columns, known, source, "branch")
            _require_plausible(found.num_entries, source)
            wanted = frozenset(columns)
            first = 0
            for arrays in found.iterate(filter_name=wanted.__contains__, step_size=rows,
                                        library="np"):  # fmt: skip
                chunk = {one: _column(np.asarray(arrays[one]), one, first, source)
                         for one in columns}  # fmt: skip
                yield chunk
                first += len(chunk[next(iter(columns))])
    except DocumentError:
        raise
    except Exception as error:  # a parser of another project may raise anything on hostile bytes
        raise unreadable("ROOT", error, path) from error


def _of_parquet(path: Path, columns: Mapping[str, str], rows: int) -> Iterator[Chunk]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "templates") from None
    source = str(path)
    try:
        with parquet.ParquetFile(path) as file:
            _require(columns, file.schema_arrow.names, source, "column")
            _require_plausible(file.metadata.num_rows, source)
            first = 0
            for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
                yield {
                    one: _column(
                        np.asarray(batch.column(one).to_numpy(zero_copy_only=False)), one, first,
                        source,
                    )
                    for one in columns
                }  # fmt: skip
                first += batch.num_rows
    except DocumentError:
        raise
    except Exception as error:  # a parser of another project may raise anything on hostile bytes
        raise unreadable("Parquet", error, path) from error


def _of_csv(path: Path, columns: Mapping[str, str], rows: int) -> Iterator[Chunk]:
    source = str(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = (row for row in reader if row and not row[0].startswith("#"))
            head = [name.strip() for name in next(lines, [])]
            if len(set(head)) != len(head):
                raise DocumentError("has two columns of one name", source=source)
            if len(head) == 1 and ";" in head[0]:
                raise DocumentError(
                    "has semicolons between its columns", source=source, remedy="write commas"
                )
            _require(columns, head, source, "column")
            places = [head.index(name) for name in columns]
            held: list[list[float]] = []
            for row in lines:
                if len(row) != len(head):
                    raise DocumentError(
                        f"has {len(row)} entries, the header has {len(head)}", source=source,
                        pointer=f"line {reader.line_num}",
                    )  # fmt: skip
                held.append([_cell(row[k], head[k], source, reader.line_num) for k in places])
                if len(held) == rows:
                    yield _turned(held, columns)
                    held = []
            yield _turned(held, columns)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DocumentError(f"is no CSV file: {error}", source=source) from error


def _cell(text: str, name: str, source: str, line: int) -> float:
    """A number; an empty cell is none, which shows where it is used."""
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        raise DocumentError(
            f"column {name!r} has {text!r:.30}, which is no number", source=source,
            pointer=f"line {line}",
        ) from None  # fmt: skip


def _turned(held: list[list[float]], columns: Mapping[str, str]) -> Chunk:
    table = np.array(held, dtype=np.float64).reshape(-1, len(columns))
    return {name: np.ascontiguousarray(table[:, k]) for k, name in enumerate(columns)}


def _of_numpy(path: Path, columns: Mapping[str, str], rows: int) -> Iterator[Chunk]:
    table = read_events(str(path))
    known = (*table.columns, *table.unusable)
    _require(columns, known, str(path), "column")
    for name in columns:
        if name in table.unusable:
            raise DocumentError(f"column {name!r} {table.unusable[name]}", source=str(path))
    n = len(table.columns[next(iter(columns))])
    if any(len(table.columns[name]) != n for name in columns):
        raise DocumentError(f"columns {', '.join(columns)} differ in length", source=str(path))
    for first in range(0, n, rows):
        yield {name: table.columns[name][first : first + rows] for name in columns}
