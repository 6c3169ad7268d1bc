"""Plain columns of numbers: the formats of AxionLimits and DarkCast.

AxionLimits (``NAME.txt``): ``#`` comments, then mass in **eV** and coupling in GeV^-1; the excluded
region lies above, vertices in drawing order.

DarkCast (``NAME.lmt``): ``#`` comments, then mass in GeV, lower end of the excluded couplings and,
in two-sided limits, their upper end. Beside it may lie ``NAME.py`` with ``notes``, ``bibtex`` and
``model``, which is parsed and never run, or ``NAME.bibtex``.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from pathlib import Path

from darkstats.errors import DocumentError
from darkstats.report.constraints.curve import LARGEST_MASS_GEV, Constraint, Source

__all__ = ["Columns", "read_axion_limits", "read_darkcast", "read_lines", "read_number"]

_EV_PER_GEV = 1e9
_LARGEST = 16 * 1024 * 1024
_ARXIV = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(?!\d)")
_LEVEL = re.compile(
    r"(?<![\d.])(9\d(?:\.\d+)?)\s*%\s*(?:CL|C\.L\.|confidence|credib)", re.IGNORECASE
)
_UPPER = re.compile(r"upper", re.IGNORECASE)

#: Coupling of the models that DarkCast names.
_MODELS = {"dark_photon": "dark_photon"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Numbers of a file, with the lines that they stand on, and its comments."""

    path: Path
    comments: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[tuple[float, ...], ...]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file.

    Raises
    ------
    DocumentError
        It cannot be read as text, or is too large for a curve.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DocumentError("is too large for a curve", source=str(path))
        return path.read_text("utf-8").splitlines()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", source=str(path)) from error
    except UnicodeDecodeError as error:
        raise DocumentError("is no text in UTF-8", source=str(path)) from error


def place(path: Path, line: int) -> str:
    """File and line, as they stand in messages."""
    return f"{path}, line {line}"


def read_number(
    text: str, path: Path, line: int, what: str, *, zero_allowed: bool = False
) -> float:
    """Return a positive, finite number; zero where a region may begin at mass zero.

    Raises
    ------
    DocumentError
        It is none; file and line are named.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and (value > 0.0 or (zero_allowed and value == 0.0))):
        raise DocumentError(
            f"{what} is {text!r}, which is no positive number",
            source=place(path, line), remedy="correct the line, or take it out",
        )  # fmt: skip
    return value


def check_mass(mass_gev: float, path: Path, line: int) -> None:
    """Refuse a mass that cannot be in the unit that the file claims.

    Raises
    ------
    DocumentError
        The mass lies beyond any collider.
    """
    if mass_gev > LARGEST_MASS_GEV:
        raise DocumentError(
            f"a mass of {mass_gev:g} GeV is beyond any collider",
            source=place(path, line), remedy="look at the unit of the masses: are they in eV?",
        )  # fmt: skip


def _columns(path: Path, names: tuple[str, ...], needed: int) -> Columns:
    """Rows of ``needed`` to ``len(names)`` numbers."""
    comments: list[str] = []
    lines: list[int] = []
    rows: list[tuple[float, ...]] = []
    for number, line in enumerate(read_lines(path), 1):
        text, _, comment = line.partition("#")
        if comment:
            comments.append(comment.strip())
        words = text.replace(",", " ").split()
        if not words:
            continue
        if not needed <= len(words) <= len(names) or (rows and len(words) != len(rows[0])):
            expected = len(rows[0]) if rows else f"{needed} to {len(names)}"
            raise DocumentError(
                f"has {len(words)} columns, not {expected}",
                source=place(path, number), remedy=f"the columns are {', '.join(names)}",
            )  # fmt: skip
        rows.append(
            tuple(
                read_number(word, path, number, name, zero_allowed=k == 0)
                for k, (word, name) in enumerate(zip(words, names, strict=False))
            )
        )
        lines.append(number)
    if len(rows) < 2:
        raise DocumentError(
            f"has {len(rows)} points, too few for a curve",
            source=str(path), remedy=f"the columns are {', '.join(names)}",
        )  # fmt: skip
    return Columns(path=path, comments=tuple(comments), lines=tuple(lines), rows=tuple(rows))


def level_in(text: str) -> float | None:
    """Confidence level that a comment names, if it does."""
    found = _LEVEL.search(text)
    return float(found[1]) / 100.0 if found else None


def arxiv_in(text: str) -> str | None:
    """First preprint number in a text."""
    found = _ARXIV.search(text)
    return found[1] if found else None


def read_axion_limits(path: Path) -> Constraint:
    """Read a limit on the photon coupling in the text format of AxionLimits.

    Raises
    ------
    DocumentError
        A line is no pair of positive numbers; file, line and remedy are named.
    """
    columns = _columns(path, ("mass in eV", "coupling in 1/GeV"), 2)
    masses = tuple(row[0] / _EV_PER_GEV for row in columns.rows)
    for mass, line in zip(masses, columns.lines, strict=True):
        check_mass(mass, path, line)
    words = " ".join(columns.comments)
    return Constraint(
        key=path.name,
        label=path.stem.replace("_", " "),
        couplings=("alp_photon",),
        unit="1/GeV",
        shape="curve",
        mass_gev=masses,
        lower=tuple(row[1] for row in columns.rows),
        source=Source(
            citation=columns.comments[0] if columns.comments else path.stem,
            arxiv=arxiv_in(words),
            cl=level_in(words),
            read="AxionLimits text, masses converted from eV to GeV",
            file=path.name,
        ),
    )


def _assigned(path: Path) -> dict[str, str]:
    """Texts that a DarkCast module assigns, and the name of its model; nothing is run."""
    try:
        tree = ast.parse("\n".join(read_lines(path)))
    except SyntaxError as error:
        raise DocumentError(
            f"is no Python: {error.msg}", source=place(path, error.lineno or 1),
            remedy="take the file away, or correct it",
        ) from error  # fmt: skip
    found: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        value: ast.expr | None = node.value
        if isinstance(value, ast.Call):  # Model("dark_photon")
            value = value.args[0] if value.args else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found[node.targets[0].id] = value.value
    return found


def _bibtex(text: str, field: str) -> str | None:
    found = re.search(rf'\b{field}\s*=\s*(?:"([^"]*)"|\{{([^}}]*)\}}|(\w+))', text)
    return next((part for part in found.groups() if part), None) if found else None


def _citation(text: str, fallback: str) -> str:
    """Authors or collaboration, journal, volume, year of a BibTeX entry."""
    who = _bibtex(text, "collaboration") or _bibtex(text, "author")
    if not who:
        return fallback
    who = who.partition(" and ")[0].partition(",")[0]
    journal = " ".join(filter(None, (_bibtex(text, "journal"), _bibtex(text, "volume"))))
    year = _bibtex(text, "year")
    return ", ".join(filter(None, (who, journal))) + (f" ({year})" if year else "")


def read_darkcast(path: Path) -> Constraint:
    """Read a limit in the format of DarkCast, with the notes and the BibTeX entry beside it.

    Raises
    ------
    DocumentError
        A line is no row of two or three positive numbers, the upper end is not above the lower
        one, or the file is a table of lifetimes.
    """
    names = ("mass in GeV", "lower end", "upper end")
    columns = _columns(path, names, 2)
    header = " ".join(columns.comments)
    two_sided = len(columns.rows[0]) == 3
    if two_sided and columns.comments and not _UPPER.search(header):
        raise DocumentError(
            f"its third column is not called upper, but {columns.comments[-1]!r}",
            source=str(path), remedy="only one-sided and two-sided limits can be drawn",
        )  # fmt: skip
    for row, line in zip(columns.rows, columns.lines, strict=True):
        check_mass(row[0], path, line)
        if two_sided and row[2] < row[1]:
            raise DocumentError(
                f"the upper end {row[2]:g} lies below the lower end {row[1]:g}",
                source=place(path, line), remedy="the columns are mass, lower, upper",
            )  # fmt: skip
    module, entry = path.with_suffix(".py"), path.with_suffix(".bibtex")
    said = _assigned(module) if module.is_file() else {}
    bibtex = said.get("bibtex", "")
    if entry.is_file():
        bibtex = "\n".join(read_lines(entry))
    notes = " ".join(said.get("notes", "").split())
    model = said.get("model", "dark_photon")
    return Constraint(
        key=path.name,
        label=path.stem.partition("_")[0],
        couplings=(_MODELS.get(model, model),),
        unit=None,
        shape="curve",
        mass_gev=tuple(row[0] for row in columns.rows),
        lower=tuple(row[1] for row in columns.rows),
        upper=tuple(row[2] for row in columns.rows) if two_sided else None,
        projection="projection" in notes.lower(),
        source=Source(
            citation=_citation(bibtex, path.stem),
            arxiv=_bibtex(bibtex, "eprint") or arxiv_in(bibtex),
            cl=level_in(f"{header} {notes}"),
            read=notes or "DarkCast text",
            file=path.name,
        ),
    )
