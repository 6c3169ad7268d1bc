"""Events from files: Parquet, ROOT, CSV and NumPy, by column, with a word on whether they are real.

A file says that its events are simulated in its own metadata (Parquet: the key ``darkstats``, npz:
the entry ``darkstats``, both JSON), or in a sidecar ``NAME.meta.json`` beside it. Anything that is
not marked counts as measured, and stays closed until a user asks for it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.errors import DocumentError, MissingExtraError, OptionError, OutputError, in_words
from darkstats.workspace.archives import MAX_RATIO
from darkstats.workspace.documents import parse_json

__all__ = [
    "FORMATS",
    "EventTable",
    "encoded_events",
    "numbers_of",
    "read_events",
    "tree_of",
    "unreadable",
    "write_events",
]

#: Endings of the names of event files.
FORMATS = (".parquet", ".root", ".csv", ".npz", ".npy")

#: Largest table in memory: five columns of 50 million events.
MAX_EVENT_BYTES = 2 * 1024**3

#: Below this size no table is a bomb, however well a column of equal numbers packs.
_FREE_BYTES = 64 * 1024**2

_WEIGHTS = ("weight", "weights", "w")
_CHANNEL = "channel"
_META = "darkstats"
Column = np.ndarray[Any, np.dtype[Any]]
Columns = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """Columns of one file.

    Parameters
    ----------
    source, sha256
        File, and the digest of its bytes.
    columns
        Numbers by name. Shape of each [row]; in an npz file they may differ in length.
    channel
        Name of the channel of each row, where the file has a column of that name.
    simulated
        Whether the file says that its events are simulated; None if it says nothing.
    description, spectrum
        What the file says of itself, and which spectrum of a search it holds.
    unusable
        Columns that hold no numbers, by name: what is wrong with each.
    """

    source: str
    sha256: str
    columns: Mapping[str, FloatArray] = field(repr=False)
    channel: tuple[str, ...] | None = field(default=None, repr=False)
    simulated: bool | None = None
    description: str | None = None
    spectrum: str | None = None
    unusable: Mapping[str, str] = field(default_factory=dict, repr=False)

    def events(self, observables: Sequence[str], channel: str) -> FloatArray:
        """Events of one channel. Shape [dim, event].

        Raises
        ------
        DocumentError
            Columns are missing or differ in length, a value is no finite number, or events have
            weights.
        """
        for name in observables:
            self._refuse_unusable(name)
        missing = [name for name in observables if name not in self.columns]
        if missing:
            raise DocumentError(
                f"has no column {', '.join(missing)}",
                source=self.source,
                remedy=f"it has {', '.join(self.columns) or 'none'}; the columns are named after "
                "the axes of the model",
            )
        rows = [self.columns[name] for name in observables]
        if len({len(row) for row in rows}) != 1:
            raise DocumentError(
                f"columns {', '.join(observables)} differ in length", source=self.source
            )
        table = np.array(rows, dtype=float)
        self._refuse_weights()
        if self.channel is not None and len(self.channel) != table.shape[1]:
            raise DocumentError(
                f"has {len(self.channel)} names of channels for {table.shape[1]} rows of "
                f"{', '.join(observables)}",
                source=self.source,
                remedy=f"give each row its {_CHANNEL!r}, or leave that column out",
            )
        bad = ~np.isfinite(table)
        if bad.any():
            dim, row = (int(k) for k in np.argwhere(bad)[0])
            raise DocumentError(
                f"column {observables[dim]!r} has {table[dim, row]} in row {row}, and "
                f"{int(bad.sum())} such values in all",
                source=self.source,
                remedy="leave these rows out, and say why",
            )
        if self.channel is not None:
            chosen = np.array([name == channel for name in self.channel], dtype=bool)
            table = table[:, chosen]
        return table

    def _refuse_unusable(self, name: str) -> None:
        if name in self.unusable:
            raise DocumentError(
                f"column {name!r} {self.unusable[name]}",
                source=self.source,
                remedy="write one finite number a row",
            )

    def _refuse_weights(self) -> None:
        for name in (*self.columns, *self.unusable):
            if name.lower() not in _WEIGHTS:
                continue
            self._refuse_unusable(name)
            if not (self.columns[name] == 1.0).all():
                raise DocumentError(
                    f"column {name!r} holds weights that are not 1: likelihood ratios of weighted "
                    "events do not follow the distributions that a limit rests on",
                    source=self.source,
                    remedy="draw unweighted events from them (darkstats build --events does), or "
                    "rename the column if it is no weight",
                )


def read_events(source: str) -> EventTable:
    """Read a file of events; ``FILE.root:TREE`` names a tree.

    Raises
    ------
    DocumentError
        It cannot be read, or is none of the formats.
    MissingExtraError
        The package that reads the format is not installed.
    """
    path, tree = _split(source)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DocumentError(
            "is no file of events",
            source=source,
            remedy=f"let its name end with one of {', '.join(FORMATS)}",
        )
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", source=source) from error
    readers = {
        ".parquet": _parquet,
        ".csv": _csv,
        ".npz": _npz,
        ".npy": _npy,
    }
    own: dict[str, Any] = {}
    if suffix == ".root":
        columns = _root(path, tree)
    else:
        columns, own = readers[suffix](path)
    said = {**_sidecar(path), **own}
    channel = None
    if _CHANNEL in columns:
        channel = _names(np.asarray(columns.pop(_CHANNEL)), source)
    numbers: dict[str, FloatArray] = {}
    unusable: dict[str, str] = {}
    for name, values in columns.items():
        found = numbers_of(np.asarray(values))
        if isinstance(found, str):
            unusable[name] = found
        else:
            numbers[name] = found
    simulated, description = said.get("simulated"), said.get("description")
    spectrum = said.get("spectrum")
    return EventTable(
        source=source,
        sha256=sha256,
        columns=numbers,
        channel=channel,
        simulated=simulated if isinstance(simulated, bool) else None,
        description=description if isinstance(description, str) else None,
        spectrum=spectrum if isinstance(spectrum, str) else None,
        unusable=unusable,
    )


def _flat(values: Column) -> Column:
    """A table of one column as that column."""
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def numbers_of(values: Column) -> FloatArray | str:
    """Values of a column as floats, or what is wrong with it."""
    values = _flat(values)
    if values.ndim != 1:
        return f"has the shape {values.shape}: it is no list of numbers"
    if values.dtype.kind in "mM":
        return f"has values of the type {values.dtype}: times are no numbers, give them a unit"
    if values.dtype.kind in "biuf":
        return np.asarray(values, dtype=float)
    found = np.empty(len(values))
    for row, value in enumerate(values):
        if value is None:  # a missing value is no number: it must be seen, not skipped
            found[row] = np.nan
            continue
        if not isinstance(value, (int, float, Decimal, np.integer, np.floating)):
            shown = value.item() if isinstance(value, np.generic) else value
            return f"has {shown!r:.60} in row {row}, which is no number"
        found[row] = float(value)
    return found


def _names(values: Column, source: str) -> tuple[str, ...]:
    """Names of channels, one for each row."""
    values = _flat(values)
    if values.ndim != 1:
        raise DocumentError(
            f"column {_CHANNEL!r} has the shape {values.shape}",
            source=source,
            remedy="give each row the name of one channel",
        )
    found = []
    for row, value in enumerate(values):
        if not isinstance(value, bytes):
            found.append(str(value))
            continue
        try:
            found.append(value.decode("utf-8"))
        except UnicodeDecodeError:
            raise DocumentError(
                f"column {_CHANNEL!r} has {bytes(value)!r:.60} in row {row}, which is no text",
                source=source,
                remedy="write the names of channels as UTF-8",
            ) from None
    return tuple(found)


def _split(source: str) -> tuple[Path, str | None]:
    name, colon, tree = source.rpartition(":")
    if colon and name.lower().endswith(".root"):
        return Path(name), tree
    return Path(source), None


def _sidecar(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".meta.json")
    if not beside.is_file():
        return {}
    try:
        data = beside.read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {in_words(error)}", source=str(beside)) from error
    found = parse_json(data, source=str(beside))
    return found if isinstance(found, dict) else {}


def _json(text: str | bytes, path: Path) -> dict[str, Any]:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    found = parse_json(data, source=f"{path}, its metadata")
    return found if isinstance(found, dict) else {}


def _parquet(path: Path) -> tuple[Columns, dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "templates") from None
    try:
        with parquet.ParquetFile(path) as file:
            said_of = file.metadata
            # Runs of equal numbers take no room in the file: what counts is the table in memory.
            _require_bounded(said_of.num_rows * said_of.num_columns * 8, path)
            table = file.read()
        said = (table.schema.metadata or {}).get(_META.encode(), b"{}")
        columns = {  # text that is no UTF-8 shows only here
            name: np.asarray(table.column(name).to_numpy(zero_copy_only=False))
            for name in table.column_names
        }
    except DocumentError:
        raise
    except Exception as error:  # a parser of another project may raise anything on hostile bytes
        raise unreadable("Parquet", error, path) from error
    return columns, _json(said, path)


def _csv(path: Path) -> tuple[Columns, dict[str, Any]]:
    import csv

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DocumentError(f"is no CSV file: {error}", source=str(path)) from error
    if not lines:
        raise DocumentError("is empty: it has no header", source=str(path))
    header, rows = [name.strip() for name in lines[0]], lines[1:]
    if len(set(header)) != len(header):
        raise DocumentError("has two columns of one name", source=str(path))
    columns: Columns = {}
    for k, name in enumerate(header):
        values = []
        for n, row in enumerate(rows):
            if len(row) != len(header):
                raise DocumentError(
                    f"row {n} has {len(row)} entries, the header has {len(header)}",
                    source=str(path),
                )
            values.append(row[k].strip())
        if name == _CHANNEL:
            columns[name] = np.array(values, dtype=object)
            continue
        columns[name] = np.array([_number_or_text(value) for value in values], dtype=object)
    return columns, {}


def _number_or_text(value: str) -> float | str:
    try:
        return float(value) if value else np.nan
    except ValueError:
        return value


_WHOLE = "check that the file was written whole, by numpy.savez or numpy.save"


def _npz(path: Path) -> tuple[Columns, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            with zipfile.ZipFile(file) as members:
                sizes = [
                    _declared_bytes(members.open(info), info.file_size)
                    for info in members.infolist()
                ]
            _require_bounded(sum(sizes), path)
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            with archive:
                columns = {name: archive[name] for name in archive.files}
    except DocumentError:
        raise
    except Exception as error:  # NumPy reads headers with parsers of Python, which raise much
        raise DocumentError(
            f"is no npz file of plain arrays: {error}", source=str(path), remedy=_WHOLE
        ) from error
    said = columns.pop(_META, None)
    return columns, {} if said is None else _json(str(said), path)


def _npy(path: Path) -> tuple[Columns, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            _require_bounded(_declared_bytes(file, path.stat().st_size), path)
            file.seek(0)
            table = np.load(file, allow_pickle=False)
    except DocumentError:
        raise
    except Exception as error:  # NumPy reads headers with parsers of Python, which raise much
        raise DocumentError(
            f"is no npy file of plain numbers: {error}", source=str(path), remedy=_WHOLE
        ) from error
    names = table.dtype.names
    if not names:
        raise DocumentError(
            "has no names for its columns",
            source=str(path),
            remedy="save a structured array, or an npz file",
        )
    return {name: table[name] for name in names}, {}


def tree_of(keys: Sequence[str], tree: str | None, path: Path) -> str:
    """Name of the tree that is asked for, or of the only one."""
    trees = sorted({key.split(";")[0] for key in keys})
    if not trees:
        raise DocumentError("has no tree", source=str(path), remedy="write the events as a TTree")
    if tree is None and len(trees) != 1:
        raise DocumentError(
            f"has {len(trees)} trees",
            source=str(path),
            remedy=f"name one: {path}:TREE with TREE one of {', '.join(trees)}",
        )
    name = trees[0] if tree is None else tree
    if name not in trees:
        raise DocumentError(
            f"has no tree {name!r}", source=str(path), remedy=f"it has {', '.join(trees)}"
        )
    return name


def _root(path: Path, tree: str | None) -> Columns:
    try:
        import uproot
    except ImportError:
        raise MissingExtraError("uproot", "templates") from None
    try:
        with uproot.open(path) as file:
            found = file[tree_of([k for k in file if hasattr(file[k], "arrays")], tree, path)]
            _require_bounded(found.num_entries * len(found.keys()) * 8, path)
            branches: Columns = dict(found.arrays(library="np"))
    except DocumentError:
        raise
    except Exception as error:  # a parser of another project may raise anything on hostile bytes
        raise unreadable("ROOT", error, path) from error
    return branches


def _declared_bytes(file: IO[bytes], size: int) -> int:
    """Bytes of the array that a npy header declares, which must be those that follow it.

    Raises
    ------
    ValueError
        It is no npy data, or declares more or less than there is.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else (
        np.lib.format.read_array_header_2_0
    )  # fmt: skip
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    declared = math.prod(shape) * dtype.itemsize
    if declared != size - file.tell():
        raise ValueError(f"its header declares {declared} bytes, {size - file.tell()} follow")
    return declared


def _require_bounded(in_memory: int, path: Path) -> None:
    """Refuse a table that is too large, or so much larger than its file that it is a bomb."""
    if in_memory > MAX_EVENT_BYTES:
        raise DocumentError(
            f"holds {in_memory} bytes of numbers, more than {MAX_EVENT_BYTES}",
            source=str(path),
            remedy="keep the columns and the rows that the model needs",
        )
    if in_memory > max(_FREE_BYTES, MAX_RATIO * path.stat().st_size):
        raise DocumentError(
            f"unpacks to {in_memory} bytes of numbers, more than {MAX_RATIO} times its size",
            source=str(path),
            remedy="unpack it yourself, and look what it is",
        )


def unreadable(kind: str, error: Exception, path: Path) -> DocumentError:
    """What a parser of another project said, as an error of ours."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DocumentError(
        f"is no {kind} file that can be read: {reason}",
        source=str(path),
        remedy="check that it was written whole",
    )


def encoded_events(
    columns: Mapping[str, FloatArray], said: Mapping[str, Any], suffix: str
) -> bytes:
    """Bytes of a file of events, ``suffix`` one of ``.parquet`` and ``.npz``, with what is said.

    The same events give the same bytes, as long as the package that writes is the same.

    Raises
    ------
    OptionError
        Another suffix.
    MissingExtraError
        Parquet, and pyarrow is not installed.
    """
    text = json.dumps(dict(said), sort_keys=True, allow_nan=False)
    body = io.BytesIO()
    if suffix == ".npz":
        arrays: dict[str, Any] = {**columns, _META: np.array(text)}
        np.savez(body, **arrays)
        return body.getvalue()
    if suffix != ".parquet":
        raise OptionError(f"events are written as .parquet or .npz, not as {suffix!r}")
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "templates") from None
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    parquet.write_table(table.replace_schema_metadata({_META: text}), body)
    return body.getvalue()


def write_events(path: Path, columns: Mapping[str, FloatArray], said: Mapping[str, Any]) -> None:
    """Write events as Parquet or npz, by the ending of the name; see :func:`encoded_events`.

    Raises
    ------
    OptionError
        Another ending, or the file cannot be written.
    MissingExtraError
        Parquet, and pyarrow is not installed.
    """
    data = encoded_events(columns, said, path.suffix)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
