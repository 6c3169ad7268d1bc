"""Published limits on rates as HEPData keeps them: one YAML table, by mass and perhaps lifetime.

A table has independent variables, the mass and perhaps a lifetime, and dependent ones, of which
one is the observed limit. Names and units are those of its headers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from darkstats.errors import DocumentError, OptionError
from darkstats.reinterpret.cross_sections import CROSS_SECTION_UNITS
from darkstats.reinterpret.lifetimes import tables_by_mass
from darkstats.reinterpret.recast_files import RateLimits
from darkstats.reinterpret.recast_searches import Limit

__all__ = ["read_rate_table"]

_MOST_BYTES = 50_000_000
_MASS_GEV = MappingProxyType({"mev": 1e-3, "gev": 1.0, "tev": 1e3})
_PS_MM = 0.299792458  # c times 1 ps
_CTAU_MM = MappingProxyType(
    {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3, "fs": 1e-3 * _PS_MM, "ps": _PS_MM,
     "ns": 1e3 * _PS_MM}
)  # fmt: skip
_LEVEL = re.compile(r"(9\d)(?:\.0*)?\s*(?:\\?%|per ?cent)")
#: How names of branching fractions say it: BR, BF, branching, B(...), and so in LaTeX.
_BRANCHING = re.compile(
    r"branching|\\(?:mathcal|mathrm|mathit|cal|text|rm)\W*(?:BR|BF|B)\b|\b(?:BR|BF)\b|\bB\s*\(",
    re.IGNORECASE,
)
#: Words of a name that say no quantity: what is left of it does.
_OF_ANY_LIMIT = re.compile(
    r"observed|obs\.?|upper|limits?|\bCLs?\b|C\.L\.|confidence|credib\w*|level|\b(?:at|on|the|of)\b"
    r"|per ?cent|[\d.,:;%$\\(){}\[\]_\s-]",
    re.IGNORECASE,
)
_NO_LIMIT = {"-", "", "nan"}


def _variables(document: object, kind: str, source: str) -> list[Mapping[str, Any]]:
    found = document.get(kind) if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DocumentError(
            f"has no list of {kind}", source=source,
            remedy="give one data table of HEPData, as YAML, not its submission.yaml",
        )  # fmt: skip
    return found


def _header(variable: Mapping[str, Any]) -> tuple[str, str]:
    header = variable.get("header")
    header = header if isinstance(header, dict) else {}
    return str(header.get("name") or ""), str(header.get("units") or "")


def _unit(text: str) -> str:
    """A unit in lower case, without what divides it (the c of GeV/c^2) and signs of LaTeX."""
    plain = re.sub(r"\\(?:text|mathrm|rm)\b|[\\{}$\s]", "", text.partition("/")[0])
    return plain.lower().replace("µ", "u")


def _numbers(variable: Mapping[str, Any], place: str, source: str) -> list[float]:
    """Values of a variable; the middle of a bin; ``nan`` where there is none."""
    rows = variable.get("values")
    if not isinstance(rows, list):
        raise DocumentError("has no list of values", source=source, pointer=place)
    found = []
    for k, given in enumerate(rows):
        here = f"{place}/values/{k}"
        row = given if isinstance(given, dict) else {}
        ends: list[Any] = [row["value"]] if "value" in row else [row.get("low"), row.get("high")]
        if str(ends[0]).strip().lower() in _NO_LIMIT:
            found.append(math.nan)
            continue
        try:
            numbers = [float(end) for end in ends]
        except (TypeError, ValueError):
            raise DocumentError(f"has no number: {row}", source=source, pointer=here) from None
        if not all(map(math.isfinite, numbers)):
            raise DocumentError(f"is not finite: {row}", source=source, pointer=here)
        found.append(sum(numbers) / len(numbers))
    return found


def _limit_variable(
    found: list[Mapping[str, Any]], source: str
) -> tuple[str, Mapping[str, Any], str, float]:
    """Place, variable, unit and size of the observed limit among dependent variables."""
    named = [(k, one, " ".join(_header(one)).lower()) for k, one in enumerate(found)]
    observed = [(k, one) for k, one, name in named if "obs" in name]
    # as exports name the limit of Asimov data, which is not observed
    asimov = [(k, one) for k, one, name in named if "asimov data" in name and "exp" not in name]
    chosen = observed or asimov or [(k, one) for k, one, _ in named]
    if len(chosen) != 1:
        names = ", ".join(repr(_header(one)[0]) for _, one in chosen)
        raise DocumentError(
            f"has {len(chosen)} columns that may be the limit: {names}", source=source,
            pointer="/dependent_variables",
            remedy="keep one, or name one of them observed",
        )  # fmt: skip
    (k, one) = chosen[0]
    name, unit = _header(one)[0], _unit(_header(one)[1])
    place = f"/dependent_variables/{k}"
    if re.search(r"\blower\b", name, re.IGNORECASE):
        raise DocumentError(
            f"{name!r} is a lower limit, and rates have upper ones", source=source,
            pointer=f"{place}/header/name",
        )  # fmt: skip
    by_name = {name.lower(): name for name in CROSS_SECTION_UNITS}
    if unit in by_name:
        size = CROSS_SECTION_UNITS[by_name[unit]] / CROSS_SECTION_UNITS["pb"]
        return place, one, "pb", size
    if unit not in {"", "1", "-"}:
        raise DocumentError(
            f"a limit in {_header(one)[1]!r} is neither a cross section nor a branching fraction",
            source=source, pointer=f"{place}/header/units",
        )  # fmt: skip
    if _OF_ANY_LIMIT.sub("", name) and not _BRANCHING.search(name):
        raise DocumentError(
            f"{name!r} has no unit, and is none of a branching fraction by its name",
            source=source, pointer=f"{place}/header",
            remedy="say BR, BF or branching in the name if it is one; recast a coupling as CSV "
            "with --from, such as mass_GeV,epsilon_UL90; and of darkstats the record of the scan",
        )  # fmt: skip
    return place, one, "1", 1.0


def _said(variable: Mapping[str, Any]) -> list[str]:
    """The name and the qualifiers of a variable, in words."""
    words = [_header(variable)[0]]
    qualifiers = variable.get("qualifiers")
    words += [
        f"{one.get('name')} {one.get('value')} {one.get('units') or ''}"
        for one in (qualifiers if isinstance(qualifiers, list) else [])
        if isinstance(one, dict)
    ]
    return words


def _simulated(words: list[str]) -> bool | None:
    """What a qualifier says of the data, as tables of darkstats do."""
    data = [one.lower() for one in words if one.upper().startswith("DATA ")]
    return True if any("simulated" in one for one in data) else None


def _level(words: list[str]) -> float | None:
    """Level that the name or a qualifier of the limit says, such as ``95% CL``."""
    levels = {match[1] for match in map(_LEVEL.search, words) if match is not None}
    return int(levels.pop()) / 100.0 if len(levels) == 1 else None


def _axes(found: list[Mapping[str, Any]], source: str) -> tuple[list[float], list[float] | None]:
    """Masses in GeV and lifetimes in mm of the rows."""
    masses: list[float] | None = None
    ctau: list[float] | None = None
    for k, one in enumerate(found):
        place, unit = f"/independent_variables/{k}", _unit(_header(one)[1])
        if unit in _MASS_GEV and masses is None:
            masses = [_MASS_GEV[unit] * value for value in _numbers(one, place, source)]
        elif unit in _CTAU_MM and ctau is None:
            ctau = [_CTAU_MM[unit] * value for value in _numbers(one, place, source)]
        else:
            raise DocumentError(
                f"{_header(one)[0]!r} in {_header(one)[1]!r} is neither the mass nor the lifetime",
                source=source, pointer=place,
                remedy=f"units are {', '.join((*_MASS_GEV, *_CTAU_MM))}, one of each kind",
            )  # fmt: skip
    if masses is None or not all(mass > 0.0 for mass in masses):
        raise DocumentError(
            "has no masses above zero", source=source, pointer="/independent_variables"
        )
    return masses, ctau


def _rows(path: Path | str) -> object:
    source = str(path)
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", source=source) from error
    if len(raw) > _MOST_BYTES:
        raise DocumentError("is larger than 50 MB, no table of limits is", source=source)
    import yaml

    try:
        loaded: object = yaml.load(raw, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else f"line {mark.line + 1}"
        raise DocumentError("is no valid YAML", source=source, pointer=line) from None
    return loaded


def read_rate_table(path: Path | str) -> RateLimits:
    """Read limits on a rate from a data table of HEPData.

    Units tell the variables: GeV the mass, a length c tau and a time the lifetime; a limit without
    unit is one on branching fractions, unless its name says another quantity. Of several dependent
    variables the one named observed is read. ``-`` and ``nan`` mean that there is no limit; a mass
    with fewer than two lifetimes has none.

    Raises
    ------
    DocumentError
        It is no such table, or a value is no limit; names the place.
    """
    source, document = str(path), _rows(path)
    place, variable, unit, size = _limit_variable(
        _variables(document, "dependent_variables", source), source
    )
    masses, ctau = _axes(_variables(document, "independent_variables", source), source)
    values = [size * value for value in _numbers(variable, place, source)]
    for name, column in (("limits", values), ("lifetimes", ctau)):
        if column is not None and len(column) != len(masses):
            raise DocumentError(
                f"has {len(masses)} masses and {len(column)} {name}", source=source, pointer=place
            )
    for k, value in enumerate(values):
        if value <= 0.0:
            raise DocumentError(
                f"a limit of {value:g} is not above zero", source=source,
                pointer=f"{place}/values/{k}",
            )  # fmt: skip
    said = _said(variable)
    facts: dict[str, Any] = {
        "cl": _level(said),
        "is_credible": any("credib" in one.lower() for one in said),
        "simulated": _simulated(said),
        "unit": unit,
        "words": f"{_header(variable)[0]} ({Path(path).name})".strip(),
    }
    limits: list[tuple[float, Limit | None]] = []
    if ctau is None:
        limits = [
            (mass, None if math.isnan(value) else value)
            for mass, value in sorted(zip(masses, values, strict=True))
        ]
        if len(set(masses)) < len(masses):
            raise DocumentError("has a mass twice", source=source, pointer="/independent_variables")
        return RateLimits(limits=tuple(limits), **facts)
    known = [None if math.isnan(value) else value for value in values]
    try:
        limits.extend(tables_by_mass(masses, ctau, known))
    except OptionError as error:
        raise DocumentError(str(error), source=source) from None
    if all(limit is None for _, limit in limits):
        raise DocumentError("has no mass with limits at two lifetimes", source=source)
    return RateLimits(limits=tuple(limits), **facts)
