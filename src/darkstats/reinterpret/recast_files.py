"""Tables that recasts rest on: limits on rates, efficiencies, decays, R; checked, with places.

All are CSV with ``#`` comments and a line of names; the ends of names are units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from darkstats.errors import DocumentError, OptionError
from darkstats.reinterpret.cross_sections import CROSS_SECTION_UNITS
from darkstats.reinterpret.lifetimes import LifetimeTable, Momenta
from darkstats.reinterpret.mass_names import MassName
from darkstats.reinterpret.recast_searches import Limit
from darkstats.searches.csv_rows import number_in, read_rows
from darkstats.signals.constants import HBAR_C_GEV_MM
from darkstats.signals.hadronic_ratio import HadronicRatio
from darkstats.signals.mediators import FINAL_STATES, Decays

__all__ = [
    "RateLimits",
    "is_rates",
    "read_decays",
    "read_efficiency",
    "read_momenta",
    "read_rates",
    "read_ratio",
]

_LENGTHS_MM: Mapping[str, float] = {"mm": 1.0, "cm": 10.0, "m": 1e3}
_CTAU = re.compile(r"ctau_(?P<unit>mm|cm|m)(?:_|$)")
_LEVEL = re.compile(r"_?UL(?P<level>9\d)(?=_|$)")
_LIFETIME = re.compile(r"UL(?P<level>9\d)_(?:.*_)?ctau_(?P<value>[\d.]+)(?P<unit>mm|cm|m)")
_PARTS = ("isovector", "isoscalar", "strange", "charm", "bottom")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Published upper limits on a rate.

    Parameters
    ----------
    cl
        Level, by the name of the column; None where the file does not say it.
    unit
        ``"pb"``, or ``"1"`` for branching fractions.
    limits
        Mass in GeV and limit, or limits against c tau, in the order of the file; None where it
        has none.
    words
        First comment of the file.
    is_credible
        Whether the level is one of credibility, as far as the file says.
    simulated
        Whether the counts behind it are simulated; None where the file does not say.
    """

    cl: float | None
    unit: str
    limits: tuple[tuple[float, Limit | None], ...] = field(repr=False)
    words: str
    is_credible: bool = False
    simulated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    source: str
    names: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]

    def fail(self, problem: str, place: str | None = None, remedy: str = "") -> DocumentError:
        return DocumentError(problem, source=self.source, pointer=place, remedy=remedy)

    def numbers(
        self, name: str, *, least: float = -math.inf, missing: bool = False
    ) -> tuple[float, ...]:
        """A column of numbers, none below ``least``; with ``missing``, some may be ``nan``."""
        k = self.names.index(name)
        found = []
        for line, row in zip(self.lines, self.rows, strict=True):
            if missing and row[k].lower() == "nan":
                found.append(math.nan)
                continue
            value = number_in(row[k], self.source, f"line {line}, {name}")
            if value < least:
                raise self.fail(f"{name} is {value:g}, below {least:g}", f"line {line}")
            found.append(value)
        return tuple(found)

    def sorted_by(self, name: str) -> _Columns:
        """The same with its rows in the order of a column."""
        order = np.argsort(self.numbers(name), kind="stable").tolist()
        return replace(
            self, lines=tuple(self.lines[k] for k in order), rows=tuple(self.rows[k] for k in order)
        )

    def masses_gev(self, name: str, *, steps: bool = False) -> tuple[float, ...]:
        """The column of masses, rising; with ``steps`` from 0 on, at most two rows of a mass."""
        size = _mass(self, name).size_gev
        found = tuple(size * value for value in self.numbers(name))
        for k, (line, mass) in enumerate(zip(self.lines, found, strict=True)):
            last = found[k - 1] if k else 0.0
            step = mass == last and (k in {0, 1} or found[k - 2] < mass)
            if not mass > last and not (steps and step):
                raise self.fail(
                    f"{name} {mass / size:g} comes after {last / size:g}", f"line {line}",
                    "sort rows by rising mass above zero",
                )  # fmt: skip
        return found


def _mass(file: _Columns, name: str) -> MassName:
    found = MassName.of(name)
    if found is None:
        raise file.fail(f"the column {name!r} is no mass", remedy="begin with mass_gev")
    return found


def _read(path: Path | str, of: str) -> _Columns:
    names, rows = read_rows(path, of)
    for line, cells in rows:
        if len(cells) != len(names):
            raise DocumentError(
                f"has {len(cells)} cells, and the first line {len(names)}", source=str(path),
                pointer=f"line {line}",
            )  # fmt: skip
    if len(set(names)) < len(names):
        raise DocumentError("names a column twice", source=str(path))
    if not rows:
        raise DocumentError("has names of columns and no row", source=str(path))
    return _Columns(
        source=str(path), names=tuple(names), lines=tuple(line for line, _ in rows),
        rows=tuple(tuple(cells) for _, cells in rows),
    )  # fmt: skip


def is_rates(path: Path | str) -> bool:
    """Whether a CSV file holds limits on a rate: branching fractions, cross sections."""
    if not str(path).lower().endswith(".csv"):
        return False
    names, _ = read_rows(path, "limits")
    return any(_LIFETIME.fullmatch(name) for name in names) or _rate_unit(names[-1]) is not None


def _rate_unit(name: str) -> str | None:
    """Unit that the name of a column of rates says; None where it is none."""
    rest = _LEVEL.sub("", name)
    if rest == "BR":
        return "1"
    head, _, unit = rest.rpartition("_")
    return unit if head in {"sigma", "cross_section"} and unit in CROSS_SECTION_UNITS else None


def _first_comment(path: Path | str) -> str:
    for line in Path(path).read_text("utf-8-sig").splitlines():
        if line.startswith("#"):
            return line.lstrip("# ").strip()
    return Path(path).name


def read_rates(path: Path | str) -> RateLimits:
    """Read limits on a rate.

    Columns: a mass, or ``mass_lo_GeV`` and ``mass_hi_GeV`` between which a limit holds (it stands
    at their middle); then one of ``BR_UL90`` and ``sigma_UL95_pb``, or several such as
    ``UL95_ctau_0.1cm``, of branching fractions at one c tau each, rising. ``nan`` means that there
    is no limit; against c tau, a mass with fewer than two has none.

    Raises
    ------
    DocumentError
        The columns are others, or a value is no limit; names the place.
    """
    file = _read(path, "limits")
    lifetimes = [(name, found) for name in file.names if (found := _LIFETIME.fullmatch(name))]
    if lifetimes:
        return _against_lifetime(file, [name for name, _ in lifetimes], [m for _, m in lifetimes])
    name = file.names[-1]
    unit, level = _rate_unit(name), _LEVEL.search(name)
    if unit is None or level is None:
        raise file.fail(
            f"the column {name!r} is no limit on a rate",
            remedy="name it BR_UL90 or sigma_UL95_pb, or columns UL95_ctau_0.1cm, ...",
        )
    size = 1.0 if unit == "1" else CROSS_SECTION_UNITS[unit] / CROSS_SECTION_UNITS["pb"]
    masses = file.names[:-1]
    if masses == ("mass_lo_GeV", "mass_hi_GeV"):
        low, high = (file.numbers(one, least=0.0) for one in masses)
        places = tuple(0.5 * (a + b) for a, b in zip(low, high, strict=True))
    elif len(masses) == 1:
        places = file.masses_gev(masses[0])
    else:
        raise file.fail(f"has the columns {', '.join(file.names)}", remedy="a mass and a limit")
    values = file.numbers(name, least=5e-324, missing=True)
    return RateLimits(
        cl=int(level["level"]) / 100.0, unit="1" if unit == "1" else "pb",
        words=_first_comment(path),
        limits=tuple(
            (m, None if math.isnan(value) else size * value)
            for m, value in zip(places, values, strict=True)
        ),
    )  # fmt: skip


def _against_lifetime(
    file: _Columns, names: Sequence[str], matches: Sequence[re.Match[str]]
) -> RateLimits:
    others = [name for name in file.names if name not in names]
    levels = {match["level"] for match in matches}
    if len(others) != 1 or len(levels) != 1:
        raise file.fail(
            f"has the columns {', '.join(others)} and levels {', '.join(sorted(levels))}",
            remedy="a mass, and limits of one level by lifetime",
        )
    ctau = [float(match["value"]) * _LENGTHS_MM[match["unit"]] for match in matches]
    places = [file.names.index(name) for name in names]
    limits: list[tuple[float, Limit | None]] = []
    for line, mass, row in zip(file.lines, file.masses_gev(others[0]), file.rows, strict=True):
        known = [
            (t, number_in(row[k], file.source, f"line {line}, {file.names[k]}"))
            for t, k in zip(ctau, places, strict=True)
            if row[k].lower() != "nan"
        ]
        if len(known) < 2:
            limits.append((mass, None))
            continue
        try:
            table = LifetimeTable(
                ctau_mm=tuple(t for t, _ in known), values=tuple(v for _, v in known), is_log=True
            )
        except OptionError as error:
            raise file.fail(str(error), f"line {line}") from None
        limits.append((mass, table))
    if all(limit is None for _, limit in limits):
        raise file.fail("has no mass with limits at two lifetimes")
    return RateLimits(
        cl=int(levels.pop()) / 100.0, unit="1", limits=tuple(limits),
        words=_first_comment(file.source),
    )  # fmt: skip


def read_efficiency(path: Path | str) -> LifetimeTable:
    """Read ``ctau_mm`` (or ``_cm``, ``_m``) and ``efficiency``, relative to prompt decays.

    Raises
    ------
    DocumentError
        The columns are others, or a value cannot be; names the place.
    """
    file = _read(path, "efficiencies")
    unit = _CTAU.fullmatch(file.names[0])
    if unit is None or file.names[1:] != ("efficiency",):
        raise file.fail(
            f"has the columns {', '.join(file.names)}", remedy="name them ctau_mm, efficiency"
        )
    size = _LENGTHS_MM[unit["unit"]]
    try:
        return LifetimeTable(
            ctau_mm=tuple(size * value for value in file.numbers(file.names[0])),
            values=file.numbers("efficiency", least=0.0),
        )
    except OptionError as error:
        raise file.fail(str(error)) from None


def read_momenta(path: Path | str) -> Momenta:
    """Read ``momentum_gev`` and ``weight``, with ``mass_gev`` before them where they differ by it.

    Raises
    ------
    DocumentError
        The columns are others, or a value cannot be; names the place.
    """
    file = _read(path, "momenta")
    own = ("momentum_gev", "weight")
    if file.names not in {own, ("mass_gev", *own)}:
        raise file.fail(
            f"has the columns {', '.join(file.names)}",
            remedy="name them momentum_gev, weight; or mass_gev, momentum_gev, weight",
        )
    by_mass: dict[float, list[tuple[float, float]]] = {}
    masses = file.numbers("mass_gev") if "mass_gev" in file.names else (0.0,) * len(file.rows)
    for mass, *row in zip(masses, *(file.numbers(name) for name in own), strict=True):
        by_mass.setdefault(mass, []).append((row[0], row[1]))
    order = sorted(by_mass)
    try:
        return Momenta(
            masses_gev=tuple(order) if "mass_gev" in file.names else (),
            momenta_gev=tuple(tuple(p for p, _ in by_mass[mass]) for mass in order),
            weights=tuple(tuple(w for _, w in by_mass[mass]) for mass in order),
        )
    except OptionError as error:
        raise file.fail(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    """Values at masses in GeV; never beyond them."""

    source: str
    masses_gev: tuple[float, ...]
    values: tuple[float, ...]
    is_log: bool = False

    def at(self, mass_gev: float) -> float:
        low, high = self.masses_gev[0], self.masses_gev[-1]
        if not low <= mass_gev <= high:
            raise OptionError(
                f"{mass_gev:g} GeV lies beyond {self.source}, from {low:g} to {high:g} GeV"
            )
        if self.is_log:
            found = np.interp(math.log(mass_gev), np.log(self.masses_gev), np.log(self.values))
            return math.exp(float(found))
        return float(np.interp(mass_gev, self.masses_gev, self.values))


def read_decays(files: Mapping[str, str]) -> Callable[[float], Decays]:
    """Read lifetime and branching fractions of a mediator, and return its decays at a mass.

    Each file has a mass and one more column, rows in any order. Between two masses the logarithm of
    the lifetime is linear in that of the mass, and a branching fraction linear in the mass; nothing
    is extrapolated. Two rows of one mass are a step of a branching fraction: there, and above, the
    second one holds.

    Parameters
    ----------
    files
        By quantity: ``ctau``, at coupling 1, whose column says its unit (``ctau_m``), and
        channels such as ``mumu``. What the channels leave is never seen.

    Raises
    ------
    OptionError
        There is no lifetime, or no such channel.
    DocumentError
        A file cannot be used; names the place.
    """
    channels = {one for state in FINAL_STATES.values() for one in state} - {"dark"}
    for key in files:
        if key != "ctau" and key not in channels:
            raise OptionError(
                f"--decays {key}=...: choose one of ctau, {', '.join(sorted(channels))}"
            )
    if "ctau" not in files:
        raise OptionError("--decays needs a lifetime: ctau=FILE, at coupling 1")
    curves = {key: _curve(path, key) for key, path in files.items()}

    def at(mass_gev: float) -> Decays:
        total = HBAR_C_GEV_MM / curves["ctau"].at(mass_gev)
        fractions = {key: one.at(mass_gev) for key, one in curves.items() if key != "ctau"}
        seen = sum(fractions.values())
        if seen > 1.0 + 1e-3:
            raise OptionError(f"branching fractions at {mass_gev:g} GeV add up to {seen:.4g}")
        widths = {key: total * value for key, value in fractions.items()}
        widths["other"] = total * max(1.0 - seen, 0.0)
        return Decays(mass_gev=mass_gev, widths_gev=widths)

    return at


def _curve(path: str, key: str) -> _Curve:
    file = _read(path, "decays")
    if len(file.names) != 2:
        raise file.fail(
            f"has the columns {', '.join(file.names)}", remedy="give a mass and one value"
        )
    mass, name = file.names
    file = file.sorted_by(mass)
    masses = file.masses_gev(mass, steps=key != "ctau")
    if len(masses) < 2:
        raise file.fail("has one row", remedy="nothing is extrapolated: give two or more")
    if key == "ctau":
        unit = _CTAU.match(name)
        if unit is None:
            raise file.fail(f"the column {name!r} is no lifetime", remedy="name it ctau_mm")
        size = _LENGTHS_MM[unit["unit"]]
        values = tuple(size * value for value in file.numbers(name, least=5e-324))
    else:
        values = file.numbers(name, least=0.0)
        for line, value in zip(file.lines, values, strict=True):
            if value > 1.0:
                raise file.fail(f"{name} is {value:g}, above 1", f"line {line}")
    return _Curve(source=path, masses_gev=masses, values=values, is_log=key == "ctau")


def read_ratio(path: Path | str) -> Callable[[float], HadronicRatio]:
    """Read R of the photon, and return it as a function of the energy.

    Columns ``mass_gev``, then ``R``; or ``isovector``, ``isoscalar``, ``strange``, and perhaps
    ``charm`` and ``bottom``; and perhaps ``relative_error``. With ``R`` alone, only mediators that
    couple to quarks as the photon does have a width to hadrons.

    Raises
    ------
    DocumentError
        The columns are others, or a value cannot be; names the place.
    """
    file = _read(path, "R")
    masses = file.masses_gev(file.names[0])
    rest = file.names[1:]
    known = {"R", "relative_error", *_PARTS}
    has_parts = {"isovector", "isoscalar", "strange"} <= set(rest)
    if not set(rest) <= known or ("R" in rest) == has_parts or len(masses) < 2:
        raise file.fail(
            f"has the columns {', '.join(file.names)} and {len(masses)} rows",
            remedy="name them mass_gev, and R or isovector, isoscalar, strange; two rows or more",
        )
    curves = {
        name: _Curve(
            source=str(path), masses_gev=masses, values=file.numbers(name, least=0.0)
        )
        for name in rest
    }  # fmt: skip

    def at(mass_gev: float) -> HadronicRatio:
        found = {name: curve.at(mass_gev) for name, curve in curves.items()}
        error = found.pop("relative_error", 0.0)
        if not has_parts:
            return HadronicRatio.of_photon(found["R"], relative_error=error)
        return HadronicRatio(
            **{name: found.get(name, 0.0) for name in _PARTS}, relative_error=error,
            part_error=error,
        )  # fmt: skip

    return at
