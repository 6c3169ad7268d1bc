"""A user's folder of constraints: files by their format, and an optional index that names them.

``constraints.yaml`` in the folder says of files what they do not say themselves::

    LEP.txt: {label: LEP, cl: 0.95, method: CLs, arxiv: "1509.00476"}
    old.csv: {leave_out: true}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import DocumentError, OptionError
from darkstats.report.constraints.csv_files import coupling_of, read_csv, read_header
from darkstats.report.constraints.curve import Constraint
from darkstats.report.constraints.text_files import read_axion_limits, read_darkcast, read_lines

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["INDEX", "Folder", "read_file", "read_folder"]

INDEX = "constraints.yaml"

_READERS: Mapping[str, Callable[[Path], Constraint]] = {
    ".csv": read_csv, ".lmt": read_darkcast, ".txt": read_axion_limits,
}  # fmt: skip
_IN_SOURCE = {"citation": str, "arxiv": str, "cl": float, "method": str}
_IN_CONSTRAINT = {"label": str, "couplings": list, "projection": bool}
_KEYS = (*_IN_SOURCE, *_IN_CONSTRAINT, "leave_out")
#: Text files that lie beside data and are none.
_NOT_DATA = ("license", "licence", "licenses", "readme", "index", "notice", "authors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What a folder holds for one coupling.

    Parameters
    ----------
    constraints
        By name of file.
    others
        Files about something else, or left out by the index: how many.
    """

    constraints: tuple[Constraint, ...]
    others: int


def read_file(path: Path) -> Constraint:
    """Read one file by its ending: ``.txt`` (AxionLimits), ``.lmt`` (DarkCast) or ``.csv``.

    Raises
    ------
    DocumentError
        The file is of another format, or faulty.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DocumentError(
            f"ends with {path.suffix or 'nothing'}", source=str(path),
            remedy=f"constraints end with one of {', '.join(_READERS)}",
        )  # fmt: skip
    return reader(path)


def _index(folder: Path) -> dict[str, JsonObject]:
    path = folder / INDEX
    if not path.is_file():
        return {}
    import yaml

    try:
        document = yaml.safe_load("\n".join(read_lines(path))) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise DocumentError("is no YAML", source=f"{path}{line}") from error
    if not isinstance(document, dict):
        raise DocumentError("is no mapping of file names", source=str(path))
    for name, entry in document.items():
        if not (folder / str(name)).is_file():
            raise DocumentError(
                f"names {name}, which is not in the folder", source=str(path),
                remedy="correct the name",
            )  # fmt: skip
        _check_entry(str(path), str(name), entry)
    return {str(name): entry for name, entry in document.items()}


def _check_entry(source: str, name: str, entry: object) -> None:
    if not isinstance(entry, dict):
        raise DocumentError("is no mapping", source=source, pointer=f"/{name}")
    for key, value in entry.items():
        if key not in _KEYS:
            raise DocumentError(
                "is no key of a constraint", source=source, pointer=f"/{name}/{key}",
                remedy=f"keys are {', '.join(_KEYS)}",
            )  # fmt: skip
        kind = {**_IN_SOURCE, **_IN_CONSTRAINT}.get(key, bool)
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            remedy = "quote it" if kind is str else ""
            raise DocumentError(
                f"is {value!r}, no {kind.__name__}",
                source=source, pointer=f"/{name}/{key}", remedy=remedy,
            )  # fmt: skip


def _with_index(one: Constraint, entry: JsonObject) -> Constraint:
    source = {key: entry[key] for key in _IN_SOURCE if key in entry}
    changed = {key: entry[key] for key in _IN_CONSTRAINT if key in entry}
    if "couplings" in changed:
        changed["couplings"] = tuple(str(name) for name in changed["couplings"])
    try:
        return replace(one, **changed, source=replace(one.source, **source))
    except OptionError as error:
        raise DocumentError(str(error), source=INDEX, pointer=f"/{one.key}") from error


def _is_for(path: Path, coupling: str, entry: JsonObject) -> bool:
    """Whether a file is about a coupling; told before its numbers are read."""
    if entry.get("leave_out"):
        return False
    if "couplings" in entry:
        return coupling in entry["couplings"]
    if path.suffix.lower() == ".csv":
        known = coupling_of(read_header(path))
        return known is not None and known[0] == coupling
    if path.suffix.lower() == ".txt":
        return coupling == "alp_photon" and path.stem.lower() not in _NOT_DATA
    return coupling in read_darkcast(path).couplings


def read_folder(folder: Path, coupling: str) -> Folder:
    """Read all constraints on one coupling.

    A file that is about this coupling and faulty is an error, never left out silently.

    Parameters
    ----------
    folder
        With files ``.txt``, ``.lmt``, ``.csv`` and perhaps ``constraints.yaml``.
    coupling
        Name of a benchmark.

    Raises
    ------
    DocumentError
        A file, or the index, is faulty.
    OptionError
        There is no such folder, or nothing in it constrains this coupling.
    """
    if not folder.is_dir():
        raise OptionError(f"--constraints {folder}: there is no such folder")
    index = _index(folder)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _READERS)
    chosen = [path for path in paths if _is_for(path, coupling, index.get(path.name, {}))]
    if not chosen:
        raise OptionError(
            f"--constraints {folder}: none of its {len(paths)} files is about {coupling}; "
            f"name the coupling in {INDEX}"
        )
    return Folder(
        constraints=tuple(_with_index(read_file(p), index.get(p.name, {})) for p in chosen),
        others=len(paths) - len(chosen),
    )
