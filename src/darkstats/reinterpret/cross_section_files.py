"""Files of cross sections: CSV, YAML, JSON, or an expression; checked, with the place of mistakes.

A table has the columns ``mass_gev``, ``cross_section_fb``, ``reference_coupling`` and ``power``;
the ends of the names are units. What a CSV table has no column for stands in comments before its
names, such as ``# coupling: g_D``. A second column of masses makes a table in two masses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darkstats.errors import DocumentError
from darkstats.reinterpret.cross_section_tables import PlaneTable, Table
from darkstats.reinterpret.cross_sections import (
    CROSS_SECTION_UNITS,
    CrossSections,
    Formula,
    UnitSignal,
)
from darkstats.reinterpret.expression_values import power_of
from darkstats.reinterpret.mass_names import MASS_UNITS, MassName
from darkstats.searches.card_file import Entry, read_card_file
from darkstats.searches.csv_rows import number_in, read_rows
from darkstats.workspace.hs3.expressions import names_of, parse_expression

__all__ = ["read_cross_sections"]

_WORDS = (
    "name", "coupling", "label", "unit_signal", "note", "constraints_of",
    "efficiency_depends_on_coupling",
)  # fmt: skip
_COUPLING_UNITS = {"": None, "_per_gev": "1/GeV", "_per_tev": "1/TeV"}
_COLUMNS = (
    "mass_gev, cross_section_fb (or _ab, _pb, _nb), reference_coupling (or _per_gev, _per_tev), "
    "power, signal_cross_section_fb"
)
_LEFT = re.compile(
    r"\s*(?:sigma|cross_section)(?:_(?P<unit>\w+))?\s*=(?!=)\s*(?P<right>.+)", re.DOTALL
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Keys that limits have anyway.
_TAKEN = frozenset({"signal_strength", "cross_section"})
_COMMENT = re.compile(r"#\s*(?P<key>\w+)\s*:\s*(?P<value>.*\S)\s*")
_EXPRESSION = "expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A word or a number of a file, and where it stands."""

    value: Any
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What a file says, before it means anything: words by key, and columns of equal length."""

    source: str
    sha256: str
    words: Mapping[str, _Said]
    columns: Mapping[str, Sequence[_Said]]

    def fail(self, problem: str, place: str | None = None, remedy: str = "") -> DocumentError:
        return DocumentError(problem, source=self.source, pointer=place, remedy=remedy)

    def word(self, key: str) -> str | None:
        """A text; None where the file has none."""
        said = self.words.get(key)
        if said is None:
            return None
        if not isinstance(said.value, str) or not said.value:
            raise self.fail(f"{key} is {said.value!r}, which is no text", said.place)
        return said.value

    def numbers(self, key: str, *, above_zero: str) -> tuple[float, ...]:
        """A column of numbers above zero; the remedy of others is ``above_zero``."""
        found = []
        for said in self.columns[key]:
            value = said.value
            if isinstance(value, str):
                value = number_in(value, self.source, f"{said.place}, {key}")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0.0 < value < float("inf"):
                raise self.fail(
                    f"{key} is {value!r}, which is no number above zero", said.place, above_zero
                )
            found.append(float(value))
        return tuple(found)


def read_cross_sections(given: str, *, taken: Sequence[str] = ()) -> CrossSections:
    """Read the cross sections of a model.

    Parameters
    ----------
    given
        A file (``.csv``, ``.yaml``, ``.yml`` or ``.json``), or an expression such as
        ``sigma_fb = 12.3*g**2/mass_gev**2``.
    taken
        Names of benchmarks, which the model must not have.

    Raises
    ------
    DocumentError
        The file cannot be read, or something in it cannot be used: it names the place.
    CardError
        A YAML or JSON file that is none.
    """
    if "=" in given and not Path(given).is_file():
        file = _File(
            source="--cross-sections",
            sha256=hashlib.sha256(given.encode()).hexdigest(),
            words={_EXPRESSION: _Said(value=given, place="")},
            columns={},
        )
        name = None
    else:
        file, name = _file(given), Path(given).stem
    found = _formula(file) if _EXPRESSION in file.words else _table(file)
    return _named(file, found, name, taken)


def _file(path: str) -> _File:
    ending = Path(path).suffix.lower()
    if ending not in {".csv", ".yaml", ".yml", ".json"}:
        raise DocumentError(
            "is no table of cross sections", source=path,
            remedy="give a file that ends with .csv, .yaml or .json, or an expression such as "
            "'sigma_fb = 12.3*g**2/mass_gev**2'",
        )  # fmt: skip
    words, columns = _of_csv(path) if ending == ".csv" else _of_card(read_card_file(path))
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return _File(source=path, sha256=digest, words=words, columns=columns)


_Parts = tuple[dict[str, _Said], dict[str, Sequence[_Said]]]


def _of_csv(path: str) -> _Parts:
    head, rows = read_rows(path, "cross sections")
    if len(set(head)) < len(head):
        raise DocumentError("names a column twice", source=path, pointer="line 1")
    columns: dict[str, list[_Said]] = {name: [] for name in head}
    for line, cells in rows:
        if len(cells) != len(head):
            raise DocumentError(
                f"has {len(cells)} cells, and the first line {len(head)}", source=path,
                pointer=f"line {line}",
            )  # fmt: skip
        for name, cell in zip(head, cells, strict=True):
            columns[name].append(_Said(value=cell, place=f"line {line}"))
    if not rows:
        raise DocumentError("has names of columns and no row", source=path)
    words: dict[str, _Said] = {}
    for number, line_ in enumerate(Path(path).read_text("utf-8-sig").splitlines(), 1):
        found = _COMMENT.fullmatch(line_.strip())
        if found is None or found["key"] not in _WORDS:
            continue
        if found["key"] in words:
            raise DocumentError(f"says {found['key']} twice", source=path, pointer=f"line {number}")
        words[found["key"]] = _Said(value=found["value"], place=f"line {number}")
    return words, dict(columns)


def _of_card(whole: Entry) -> _Parts:
    """Words, and columns: keys with lists, or ``table`` with an object for each row."""
    top = dict(whole.mapping())
    words: dict[str, _Said] = {}
    for key in (*_WORDS, _EXPRESSION, "mass_range_gev"):
        if key in top:
            entry = top.pop(key)
            words[key] = _Said(value=entry.plain(), place=_place(entry))
    if _EXPRESSION in words:
        for key in [name for name in top if name.startswith("reference_coupling")]:
            entry = top.pop(key)
            words[key] = _Said(value=entry.plain(), place=_place(entry))
        for key, entry in top.items():
            entry.fail(f"unknown key {key!r} beside an expression", "leave it out")
        return words, {}
    columns: dict[str, Sequence[_Said]] = {}
    if "table" in top:
        rows = top.pop("table").items()
        names = list(rows[0].mapping()) if rows else []
        for row in rows:
            row.keys(required=tuple(names))
        columns = {
            name: [_Said(value=row[name].plain(), place=_place(row[name])) for row in rows]
            for name in names
        }
    lists = {key: entry for key, entry in top.items() if isinstance(entry.value, list)}
    for key, entry in lists.items():
        columns[key] = [_Said(value=one.plain(), place=_place(one)) for one in entry.items()]
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1 or 0 in lengths:
        sizes = ", ".join(f"{key} {len(column)}" for key, column in columns.items())
        raise DocumentError(
            f"has columns of unequal or no length: {sizes}", source=whole.source,
            remedy="give each as many values as there are masses, or one number for all",
        )  # fmt: skip
    rows_ = next(iter(lengths), 1)
    for key, entry in top.items():
        if key not in lists:
            if key in columns:
                entry.fail(f"{key!r} stands in the table, too", "say it once")
            columns[key] = [_Said(value=entry.plain(), place=_place(entry))] * rows_
    return words, columns


def _place(entry: Entry) -> str:
    return f"line {entry.line}, {entry.key}"


def _only(file: _File, prefix: str, units: Mapping[str, Any], what: str) -> str | None:
    """The column that begins with ``prefix`` and ends with a unit; None where there is none."""
    found = [key for key in file.columns if key == prefix or key.startswith(f"{prefix}_")]
    if not found:
        return None
    if len(found) > 1:
        raise file.fail(f"has several columns of {what}: {', '.join(found)}", remedy="keep one")
    end = found[0].removeprefix(prefix)
    if end.removeprefix("_").lower() not in units:
        said = f"names the unit {end[1:]!r}, which is none here" if end else "says no unit"
        names = " or ".join(f"{prefix}_{unit}" for unit in units if unit)
        raise file.fail(f"the column {found[0]!r} {said}", remedy=f"name it {names}")
    return found[0]


def _unit(column: str, prefix: str, units: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- as in `units`
    return units[column.removeprefix(prefix).removeprefix("_").lower()]


def _mass_columns(file: _File) -> tuple[MassName, ...]:
    others = ("cross_section", "signal_cross_section", "reference_coupling", "power")
    left = [key for key in file.columns if not key.startswith(others)]
    masses = [one for key in left if (one := MassName.of(key)) is not None]
    known = {one.text for one in masses}
    for key in left:
        if key in known:
            continue
        if key.lower().startswith(("mass", "m_")) or key == "m":
            raise file.fail(
                f"the column {key!r} says no unit of mass",
                remedy=f"name it {key}_gev, or with {', '.join(MASS_UNITS)} at its end",
            )
        if key.lower().startswith(("sigma", "xsec", "xs")):
            names = " or ".join(f"cross_section_{unit}" for unit in CROSS_SECTION_UNITS if unit)
            raise file.fail(f"unknown column {key!r}", remedy=f"name cross sections {names}")
        raise file.fail(f"unknown column {key!r}", remedy=f"columns: {_COLUMNS}")
    if len(masses) not in {1, 2}:
        raise file.fail(
            f"has {len(masses)} columns of masses"
            + (f": {', '.join(one.text for one in masses)}" if masses else ""),
            remedy="a table is in one mass, such as mass_gev, or in two; give an expression for "
            "more",
        )
    if len({one.stem.lower() for one in masses}) < len(masses):
        raise file.fail(
            f"the columns {' and '.join(one.text for one in masses)} are one mass",
            remedy="keep one of them",
        )
    return tuple(masses)


def _rows(file: _File, names: tuple[MassName, ...]) -> tuple[tuple[float, ...], ...]:
    """Masses of each row: rising where there is one, each pair once where there are two."""
    columns = [file.numbers(one.text, above_zero="give masses above zero") for one in names]
    rows = tuple(zip(*columns, strict=True))
    said = file.columns[names[0].text]
    if len(names) == 1:
        for (a,), (b,), one in zip(rows, rows[1:], said[1:], strict=False):
            if b <= a:
                problem = "is there twice" if a == b else f"comes after {a:g}"
                remedy = "sort rows by rising mass, one each"
                raise file.fail(f"{names[0].text} {b:g} {problem}", one.place, remedy)
        return rows
    seen: set[tuple[float, ...]] = set()
    for row, one in zip(rows, said, strict=True):
        if row in seen:
            words = ", ".join(f"{n.text} {m:g}" for n, m in zip(names, row, strict=True))
            raise file.fail(f"{words} is there twice", one.place, "give each pair of masses once")
        seen.add(row)
    return rows


def _in_full(file: _File) -> _File:
    """The same with ``sigma_fb``, as an expression has it, called ``cross_section_fb``."""
    short = {f"sigma_{unit}": f"cross_section_{unit}" for unit in CROSS_SECTION_UNITS}
    columns: dict[str, Sequence[_Said]] = {}
    for key, said in file.columns.items():
        name = short.get(key.lower(), key)
        if name in columns or (name != key and name in file.columns):
            raise file.fail(
                f"has several columns of cross sections: {key}, {name}", remedy="keep one"
            )
        columns[name] = said
    return replace(file, columns=columns)


def _required(file: _File, column: str | None, name: str, why: str) -> str:
    if column is None:
        raise file.fail(f"has no column {name}", remedy=why)
    return column


def _table(file: _File) -> CrossSections:
    if not file.columns:
        raise file.fail(
            "has no table and no expression", remedy=f"give columns, {_COLUMNS}; or expression"
        )
    file = _in_full(file)
    names = _mass_columns(file)
    coupling_units = {key.removeprefix("_"): value for key, value in _COUPLING_UNITS.items()}
    sigma = _required(
        file, _only(file, "cross_section", CROSS_SECTION_UNITS, "cross sections"),
        "cross_section_fb or cross_section_pb",
        "give the cross section at the reference coupling",
    )  # fmt: skip
    coupling = _required(
        file, _only(file, "reference_coupling", coupling_units, "couplings"), "reference_coupling",
        "give the coupling that the cross section belongs to",
    )  # fmt: skip
    power = _required(
        file, "power" if "power" in file.columns else None, "power",
        "give the power of the coupling in the cross section, such as 2",
    )  # fmt: skip
    signal = _only(file, "signal_cross_section", CROSS_SECTION_UNITS, "cross sections of signals")
    rows = _rows(file, names)
    powers = file.numbers(power, above_zero=_POWER)
    if len(set(powers)) > 1:
        raise file.fail(
            f"power is {powers[0]:g} and {next(p for p in powers if p != powers[0]):g}",
            remedy="a coupling enters a model with one power: make a table of each",
        )
    remedy = "leave out masses at which the signal cannot be made"

    def in_fb(column: str, prefix: str) -> tuple[float, ...]:
        size = _unit(column, prefix, CROSS_SECTION_UNITS)
        return tuple(size * value for value in file.numbers(column, above_zero=remedy))

    column = () if signal is None else (UnitSignal(kind="column", origin=signal),)
    rule: Any = {
        "cross_sections_fb": in_fb(sigma, "cross_section"),
        "couplings": file.numbers(coupling, above_zero="give the coupling above zero"),
        "signal_fb": None if signal is None else in_fb(signal, "signal_cross_section"),
    }
    return CrossSections(
        name="", symbol="g", source=file.source, sha256=file.sha256,
        unit=_unit(coupling, "reference_coupling", coupling_units),
        power=powers[0], masses=names, unit_signals=column,
        rule=Table(masses=tuple(row[0] for row in rows), **rule) if len(names) == 1
        else PlaneTable(masses=tuple((row[0], row[1]) for row in rows), **rule),
    )  # fmt: skip


#: What a program writes where it has no number; as a name of a coupling it would be printed as one.
_NO_NAMES = {"nan", "inf", "infinity"}
_POWER = (
    "with power 0 no cross section limits the coupling, and with a negative one it would be a "
    "lower limit: take the inverse as the coupling"
)


def _formula(file: _File) -> CrossSections:
    said = file.words[_EXPRESSION]
    text = file.word(_EXPRESSION) or ""
    split = _LEFT.fullmatch(text)
    unit = (split["unit"] or "").lower() if split else ""
    if split is None or unit not in CROSS_SECTION_UNITS:
        raise file.fail(
            f"the expression {text!r} does not say the unit of the cross section",
            said.place or None, "write sigma_fb = ... (or sigma_ab, sigma_pb, sigma_nb)",
        )  # fmt: skip
    right = split["right"]
    node = parse_expression(right, source=file.source, pointer=said.place or None)
    names = sorted(names_of(node))
    for name in names:
        if name.lower() in _NO_NAMES:
            raise file.fail(
                f"the expression {text!r} has {name!r} in it, which is no number",
                said.place or None, "write a number, or another name for the coupling",
            )  # fmt: skip
    masses = tuple(one for name in names if (one := MassName.of(name)) is not None)
    others = [name for name in names if name not in {one.text for one in masses}]
    asked = file.word("coupling")
    if asked is not None and others != [asked]:
        raise file.fail(
            f"the expression has the names {', '.join(names) or 'none'}, and the coupling is "
            f"{asked!r}", said.place, "it depends on the coupling, and on masses with their unit, "
            "such as mass_gev; write numbers for all else",
        )  # fmt: skip
    if len(others) != 1:
        raise file.fail(
            f"the expression {text!r} has "
            + (f"the names {', '.join(others)} besides masses" if others else "no coupling in it"),
            said.place or None, "it depends on one coupling, and on masses with their unit, such "
            "as mass_gev; write numbers for all else",
        )  # fmt: skip
    power = power_of(node, others[0])
    if power is None:
        raise file.fail(
            f"the expression {text!r} is no single power of {others[0]}", said.place or None,
            "one coupling enters with one power: without interference",
        )  # fmt: skip
    if not power > 0.0:
        raise file.fail(
            f"the expression {text!r} has power {power:g} of {others[0]}",
            said.place or None,
            _POWER,
        )
    reference, coupling_unit = _reference(file)
    return CrossSections(
        name=others[0], symbol=others[0], source=file.source, sha256=file.sha256,
        unit=coupling_unit, power=power, masses=masses,
        rule=Formula(
            text=text.strip(), node=node, size_fb=CROSS_SECTION_UNITS[unit], coupling=others[0],
            reference=reference, ends_gev=_mass_range(file),
        ),
    )  # fmt: skip


def _reference(file: _File) -> tuple[float | None, str | None]:
    """Reference coupling beside an expression, and its unit."""
    found = [key for key in file.words if key.startswith("reference_coupling")]
    if not found:
        return None, None
    key, said = found[0], file.words[found[0]]
    end = key.removeprefix("reference_coupling")
    if len(found) > 1 or end not in _COUPLING_UNITS:
        raise file.fail(
            f"has {', '.join(found)}", said.place,
            "name it reference_coupling, reference_coupling_per_gev or reference_coupling_per_tev",
        )  # fmt: skip
    value = said.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1e300:
        raise file.fail(f"{key} is {value!r}, which is no number above zero", said.place)
    return float(value), _COUPLING_UNITS[end]


def _mass_range(file: _File) -> tuple[float, float] | None:
    said = file.words.get("mass_range_gev")
    if said is None:
        return None
    ends = said.value
    good = isinstance(ends, list) and len(ends) == 2 and all(type(x) in {int, float} for x in ends)
    if not good or not 0.0 < ends[0] < ends[1]:
        raise file.fail(
            f"mass_range_gev is {ends!r}", said.place, "write two rising masses, such as [0.1, 3]"
        )
    return float(ends[0]), float(ends[1])


def _named(
    file: _File, found: CrossSections, stem: str | None, taken: Sequence[str]
) -> CrossSections:
    """The same with the words that the file says of it."""
    depends = file.words.get("efficiency_depends_on_coupling")
    if depends is not None and str(depends.value).lower() != "false":
        raise file.fail(
            f"efficiency_depends_on_coupling is {depends.value!r}", depends.place,
            "a signal strength scales a signal of one shape: make a patch for each coupling and "
            "scan them",
        )  # fmt: skip
    name = file.word("name")
    if name is None:
        name = re.sub(r"\W", "_", stem, flags=re.ASCII) if stem else found.name
        name = f"m_{name}" if name[:1].isdecimal() else name
        name = f"{name}_model" if name in {*taken, *_TAKEN} else name
    elif not _NAME.fullmatch(name) or name in {*taken, *_TAKEN}:
        used = "is the name of something else" if name in {*taken, *_TAKEN} else "is no name"
        raise file.fail(
            f"name {name!r} {used}", file.words["name"].place, "take letters, digits, underscores"
        )
    benchmark = file.word("constraints_of")
    if benchmark is not None and benchmark not in taken:
        raise file.fail(
            f"constraints_of {benchmark!r} is no benchmark", file.words["constraints_of"].place,
            f"name one of {', '.join(taken)}",
        )  # fmt: skip
    symbol = file.word("coupling") or found.symbol
    words = file.word("unit_signal")
    signals = found.unit_signals
    if words is not None:
        origin = ": ".join(part for part in (file.source, file.words["unit_signal"].place) if part)
        signals = (*signals, UnitSignal.parse(words, symbol=symbol, origin=origin))
    return replace(
        found, name=name, symbol=symbol, label=file.word("label"), note=file.word("note") or "",
        constraints_of=benchmark, unit_signals=signals,
    )  # fmt: skip
