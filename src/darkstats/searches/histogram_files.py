"""Histograms of one's own from files: ROOT, CSV, NumPy; contents, errors and edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.arrays import frozen_floats
from darkstats.errors import (
    DocumentError,
    MissingExtraError,
    OptionError,
    UnknownNameError,
    in_words,
)
from darkstats.searches.csv_rows import number_in, read_rows
from darkstats.templates.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from darkstats.arrays import FloatArray

__all__ = ["OwnHistogram", "read_histogram", "root_names"]

_COLUMNS = ("histogram", "value")
_NPZ = ("values", "errors", "edges")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHistogram:
    """A histogram that somebody brings.

    Parameters
    ----------
    values
        Events in each bin. Shape [bin].
    errors
        Absolute standard errors of simulation; None where the file has none. Shape [bin].
    edges
        Edges of the bins; None where the file has none. Shape [bin + 1].
    place
        File and histogram, for messages.
    outside
        Events in the underflow and the overflow; counted, never folded in.
    """

    values: FloatArray = field(repr=False)
    errors: FloatArray | None = field(repr=False)
    edges: FloatArray | None = field(repr=False)
    place: str
    outside: float = 0.0


def read_histogram(path: Path, name: str) -> OwnHistogram:
    """Read a histogram by name from a ``.root``, ``.csv`` or ``.npz`` file.

    Raises
    ------
    DocumentError
        The file cannot be read, or what is in it is no histogram: with line or key.
    UnknownNameError
        It has no histogram of that name.
    MissingExtraError
        ROOT files need the extra ``templates``.
    """
    if not path.is_file():
        raise DocumentError(
            "there is no such file", source=str(path),
            remedy="paths are relative to the folder of the configuration",
        )  # fmt: skip
    if path.suffix not in _READERS:
        raise DocumentError(
            "is of no kind that histograms are read from", source=str(path),
            remedy=f"give a file that ends with {', '.join(_READERS)}",
        )  # fmt: skip
    found = _READERS[path.suffix](path, name)
    for what, numbers in (("contents", found.values), ("errors", found.errors)):
        if numbers is not None and not np.all(np.isfinite(numbers)):
            worst = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise DocumentError(f"its {what} hold no number in bin {worst}", source=found.place)
    if found.edges is not None and not np.all(np.diff(found.edges) > 0.0):
        worst = int(np.flatnonzero(~(np.diff(found.edges) > 0.0))[0])
        low, high = found.edges[worst : worst + 2]
        raise DocumentError(
            f"its edges do not rise: bin {worst} goes from {low:g} to {high:g}",
            source=found.place, remedy="give the edges, or the bins, in rising order",
        )  # fmt: skip
    if found.errors is not None and np.any(found.errors < 0.0):
        raise DocumentError("has a negative standard error", source=found.place)
    return found


# ------------------------------------------------------------------------------------------- CSV


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    low: float | None
    high: float | None
    value: float
    error: float | None


@lru_cache(maxsize=4)
def _csv_tables(path: Path, modified_ns: int) -> Mapping[str, tuple[_Row, ...]]:
    """Rows of each histogram of a CSV file, read once for as long as it stays the same."""
    head, rows = read_rows(path, "histograms")
    if not set(_COLUMNS) <= set(head):
        raise DocumentError(
            f"has the columns {', '.join(head)}", source=str(path),
            remedy="the first line names them: histogram,low,high,value,error; low, high and error "
            "may be left out",
        )  # fmt: skip
    found: dict[str, list[_Row]] = {}
    for line, cells in rows:
        place = f"line {line}"
        if len(cells) != len(head):
            raise DocumentError(
                "has another number of cells than the first line", source=str(path), pointer=place
            )
        row = dict(zip(head, cells, strict=True))
        numbers = {
            key: number_in(row[key], path, place)
            for key in ("low", "high", "value", "error")
            if key in head
        }
        found.setdefault(row["histogram"], []).append(
            _Row(
                line, numbers.get("low"), numbers.get("high"), numbers["value"],
                numbers.get("error"),
            )
        )  # fmt: skip
    return {name: tuple(rows) for name, rows in found.items()}


def _of_csv(path: Path, name: str) -> OwnHistogram:
    tables = _csv_tables(path, path.stat().st_mtime_ns)
    if name not in tables:
        raise UnknownNameError(f"histogram (of {path})", name, tuple(tables))
    rows = tables[name]
    lows = [row.low for row in rows if row.low is not None]
    highs = [row.high for row in rows if row.high is not None]
    errors = [row.error for row in rows if row.error is not None]
    if lows and highs:
        for row, high, low in zip(rows[1:], highs[:-1], lows[1:], strict=True):
            if low != high:
                raise DocumentError(
                    f"starts at {low}, and the bin before ends at {high}", source=str(path),
                    pointer=f"line {row.line}",
                    remedy="give the bins in order, none left out",
                )  # fmt: skip
    return OwnHistogram(
        values=frozen_floats([row.value for row in rows]),
        errors=frozen_floats(errors) if errors else None,
        edges=frozen_floats([*lows, highs[-1]]) if lows and highs else None,
        place=f"{path}: {name}",
    )


# ------------------------------------------------------------------------------------ NumPy, ROOT


def _of_npz(path: Path, name: str) -> OwnHistogram:
    """``NAME_values``, ``NAME_errors``, ``NAME_edges`` of an archive of arrays."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = {part: f"{name}_{part}" for part in _NPZ}
            if keys["values"] not in archive:
                known = [key.removesuffix("_values") for key in archive if key.endswith("_values")]
                raise UnknownNameError(f"histogram (of {path})", name, known)
            arrays = {
                part: np.asarray(archive[key], dtype=np.float64)
                for part, key in keys.items()
                if key in archive
            }
    except (OSError, ValueError, TypeError, EOFError, KeyError) as error:
        raise DocumentError(f"cannot be read: {in_words(error)}", source=str(path)) from error
    for part, array in arrays.items():
        if array.ndim != 1 or array.size != arrays["values"].size + (part == "edges"):
            raise DocumentError(
                f"{keys[part]} has the shape {array.shape}", source=str(path),
                remedy="one dimension; one edge more than values",
            )  # fmt: skip
    return OwnHistogram(
        values=frozen_floats(arrays["values"]),
        errors=frozen_floats(arrays["errors"]) if "errors" in arrays else None,
        edges=frozen_floats(arrays["edges"]) if "edges" in arrays else None,
        place=f"{path}: {name}",
    )


@lru_cache(maxsize=2)
def _root_file(path: Path, modified_ns: int) -> tuple[Any, dict[str, None]]:
    """An open ROOT file and the names in it: opening takes as long as many histograms."""
    try:
        import uproot
    except ImportError:
        raise MissingExtraError("uproot", "templates") from None
    file = uproot.open(path)
    return file, dict.fromkeys(key.rpartition(";")[0] for key in file.keys(recursive=True))


def root_names(path: Path) -> tuple[str, ...]:
    """Names of all that a ROOT file holds, folders joined by slashes.

    Raises
    ------
    DocumentError
        The file cannot be read.
    MissingExtraError
        uproot is not installed.
    """
    try:
        return tuple(_root_file(path, path.stat().st_mtime_ns)[1])
    except MissingExtraError:
        raise
    except Exception as error:  # uproot has many of its own
        raise DocumentError(f"cannot be read: {in_words(error)}", source=str(path)) from error


def _histograms(names: Iterable[str]) -> tuple[str, ...]:
    """Names without those of folders."""
    listed = tuple(names)
    folders = {"/".join(one.split("/")[:k]) for one in listed for k in range(1, one.count("/") + 1)}
    return tuple(one for one in listed if one not in folders)


def _of_root(path: Path, name: str) -> OwnHistogram:
    place = f"{path}: {name}"
    theirs: Any = None
    try:
        file, known = _root_file(path, path.stat().st_mtime_ns)
        if name in known:
            theirs = file[name]
    except MissingExtraError:
        raise
    except Exception as error:  # uproot has many of its own
        raise DocumentError(f"cannot be read: {in_words(error)}", source=place) from error
    if theirs is None:
        raise UnknownNameError(f"histogram (of {path})", name, _histograms(known))
    try:
        found = Histogram.from_uhi(theirs)
    except OptionError as error:
        raise DocumentError(str(error), source=place) from error
    if len(found.edges) != 1:
        raise DocumentError(f"has {len(found.edges)} dimensions; give one", source=place)
    return OwnHistogram(
        values=found.values,
        errors=frozen_floats(np.sqrt(found.variances)),
        edges=found.edges[0],
        place=place,
        outside=found.outside,
    )


_READERS = {".csv": _of_csv, ".npz": _of_npz, ".root": _of_root}
