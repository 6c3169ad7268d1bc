"""CSV files: ``#`` comments, a line of column names, then rows.

The first column is ``mass_GeV``; or ``mass_lo_GeV`` and ``mass_hi_GeV``, between which a value
holds. The name of the next one tells quantity, level and unit: ``g_agg_UL95_GeV^-1`` is a limit on
the photon coupling at 95 %. Files of other quantities are told from faulty ones: see
:func:`coupling_of`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from darkstats.errors import DocumentError
from darkstats.report.constraints.curve import Constraint, Shape, Source
from darkstats.report.constraints.text_files import (
    arxiv_in,
    check_mass,
    level_in,
    place,
    read_lines,
    read_number,
)

__all__ = ["Header", "coupling_of", "read_csv", "read_header"]

#: Benchmark and unit by the beginning of a column's name.
_QUANTITIES = {
    "g_agg": ("alp_photon", "1/GeV", "GeV^-1"),
    "g_aW": ("alp_w", "1/GeV", "GeV^-1"),
    "sin_theta": ("dark_higgs_mixing", None, ""),
    "epsilon": ("dark_photon", None, ""),
    "gprime": ("lmu_ltau", None, ""),
    "g_BL": ("b_minus_l", None, ""),
    "g_B": ("baryon", None, ""),
    "g_p": ("protophobic", None, ""),
    "g_aB": ("alp_hypercharge", "1/GeV", "GeV^-1"),
    "eps2_alphaD": ("dark_higgsstrahlung", None, ""),
}
_ONE_MASS, _TWO_MASSES = ("mass_GeV",), ("mass_lo_GeV", "mass_hi_GeV")
_LEVEL = re.compile(r"_UL(9\d)(?=_|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says of itself before its first number."""

    comments: tuple[str, ...]
    columns: tuple[str, ...]
    line: int


def read_header(path: Path) -> Header:
    """Return comments and column names of a CSV file.

    Raises
    ------
    DocumentError
        It has no line of column names.
    """
    comments = []
    for number, line in enumerate(read_lines(path), 1):
        if line.startswith("#"):
            comments.append(line.lstrip("# ").strip())
        elif line.strip():
            columns = tuple(word.strip() for word in line.split(","))
            return Header(comments=tuple(comments), columns=columns, line=number)
    raise DocumentError(
        "has no line of column names", source=str(path), remedy="begin with mass_GeV,g_agg_GeV^-1"
    )


def coupling_of(header: Header) -> tuple[str, str | None] | None:
    """Benchmark and unit that a file constrains; None where it is about something else."""
    masses = _mass_columns(header)
    if masses is None or len(header.columns) != len(masses) + 1:
        return None
    name = header.columns[-1]  # whose case tells g_B from g_b
    for start, (coupling, unit, suffix) in _QUANTITIES.items():
        rest = _LEVEL.sub("", name.removeprefix(start))
        if name.startswith(start) and rest == (f"_{suffix}" if suffix else ""):
            return coupling, unit
    return None


def _mass_columns(header: Header) -> tuple[str, ...] | None:
    for masses in (_ONE_MASS, _TWO_MASSES):
        named = tuple(column.casefold() for column in header.columns[: len(masses)])
        if named == tuple(mass.casefold() for mass in masses):  # mass_gev, as tables here write it
            return masses
    return None


def _outline_or_curve(words: str) -> Shape:
    return "outline" if "polygon" in words.lower() else "curve"


def read_csv(path: Path) -> Constraint:
    """Read a limit on a coupling from a CSV file.

    Raises
    ------
    DocumentError
        The columns are no masses and a coupling, or a value is no positive number.
    """
    header = read_header(path)
    known = coupling_of(header)
    if known is None:
        raise DocumentError(
            f"its columns are {', '.join(header.columns[:3])}: no mass and coupling",
            source=place(path, header.line),
            remedy=f"name the columns mass_GeV and one of {', '.join(_QUANTITIES)}, with its unit",
        )
    coupling, unit = known
    masses: list[float] = []
    values: list[float] = []
    for number, line in enumerate(read_lines(path)[header.line :], header.line + 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = [word.strip() for word in line.split(",")]
        if len(words) != len(header.columns):
            raise DocumentError(
                f"has {len(words)} of {len(header.columns)} columns",
                source=place(path, number), remedy=f"they are {', '.join(header.columns)}",
            )  # fmt: skip
        row = [
            read_number(word, path, number, name, zero_allowed=name.startswith("mass_"))
            for word, name in zip(words, header.columns, strict=True)
        ]
        for mass in row[:-1]:
            check_mass(mass, path, number)
            masses.append(mass)
            values.append(row[-1])
    if len(values) < 2:
        raise DocumentError(f"has {len(values)} points, too few for a curve", source=str(path))
    words_of_file = " ".join(header.comments)
    level = _LEVEL.search(header.columns[-1])
    return Constraint(
        key=path.name,
        label=path.stem.replace("_", " "),
        couplings=(coupling,),
        unit=unit,
        shape=_outline_or_curve(words_of_file),
        mass_gev=tuple(masses),
        lower=tuple(values),
        projection="projection" in words_of_file.lower(),
        source=Source(
            citation=header.comments[0] if header.comments else path.stem,
            arxiv=arxiv_in(words_of_file),
            cl=float(level[1]) / 100.0 if level else level_in(words_of_file),
            read=header.comments[-1] if len(header.comments) > 1 else "CSV",
            file=path.name,
        ),
    )
