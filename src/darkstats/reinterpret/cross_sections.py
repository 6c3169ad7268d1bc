"""Cross sections of anybody's model: from a signal strength to a cross section and a coupling.

A model says which cross section a coupling gives at a mass, as a table or as an expression, and the
power with which the coupling enters. With the cross section that a signal strength of 1 stands for,

    sigma = mu * sigma_signal,    g = g_ref * (sigma / sigma_ref) ** (1 / power).

That the efficiency of the signal is the same at any coupling is assumed: a likelihood at one
coupling cannot tell.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from darkstats.errors import DocumentError, OptionError
from darkstats.scan.triangulation import Triangulation, exact, triangulate
from darkstats.workspace.hs3.expressions import Call, Name, Node, Number, names_of

__all__ = [
    "ASSUMED",
    "CROSS_SECTION_UNITS",
    "MASS_UNITS",
    "NOTHING_SAID",
    "AtMass",
    "CrossSections",
    "Formula",
    "MassName",
    "PlaneTable",
    "Table",
    "UnitSignal",
    "power_of",
]

#: Sizes of units of mass in GeV, and of cross section in fb, as names end with them.
MASS_UNITS: Mapping[str, float] = {"kev": 1e-6, "mev": 1e-3, "gev": 1.0, "tev": 1e3}
CROSS_SECTION_UNITS: Mapping[str, float] = {"ab": 1e-3, "fb": 1.0, "pb": 1e3, "nb": 1e6}
#: What no likelihood can tell, in words.
NOTHING_SAID = "nothing says what signal strength 1 is"
ASSUMED = "the signal efficiency is assumed not to depend on the coupling, which cannot be known"

_MASS = re.compile(rf"(?P<stem>.+)_(?P<unit>{'|'.join(MASS_UNITS)})")
_SIGNAL = re.compile(
    rf"(?P<value>[^\s=]+?)\s*(?P<unit>{'|'.join(CROSS_SECTION_UNITS)})", re.IGNORECASE
)
_WORDS = {"kev": "keV", "mev": "MeV", "gev": "GeV", "tev": "TeV"}
_ANY = frozenset({"mass", "m"})  # stems that mean the only mass of a hypothesis
_ROUNDING = 1e-12  # relative: 100 MeV are 0.1 GeV
_ON_EDGE = 1e-9  # share of a corner: a place on the edge of a triangle, rounded
_FLAT = 1e-10  # area of a triangle, relative: its corners lie on a line, rounded
_AGREES = 1e-6  # relative: two statements of one cross section
_FUNCTIONS = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
    "erf": math.erf,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MassName:
    """Name of a mass with its unit, such as ``m_a_gev``."""

    text: str
    stem: str
    unit: str

    @classmethod
    def of(cls, text: str) -> MassName | None:
        """Split a name; None where it names no unit of mass."""
        found = _MASS.fullmatch(text.lower())
        if found is None:
            return None
        return cls(text=text, stem=text[: len(found["stem"])], unit=found["unit"])

    @property
    def size_gev(self) -> float:
        """The unit in GeV."""
        return MASS_UNITS[self.unit]

    def find(
        self, hypothesis: Mapping[str, float | str], units: Mapping[str, str | None], source: str
    ) -> float:
        """Return this mass of a hypothesis, in this name's unit.

        ``mass_gev`` stands for the only mass that there is; another name for the label of that
        name, with or without its unit. Where nothing says the unit of a label, it is this name's.

        Parameters
        ----------
        hypothesis
            Values by label.
        units
            Units by label, as far as they are known from elsewhere.
        source
            File name, for messages.

        Raises
        ------
        DocumentError
            No label fits, or its value is no mass.
        """
        split = {label: MassName.of(label) for label in hypothesis}
        found = [
            label for label, one in split.items()
            if self.stem.lower() in {label.lower(), one.stem.lower() if one else None}
        ]  # fmt: skip
        if not found and self.stem.lower() in _ANY:
            with_unit = [label for label, one in split.items() if one or units.get(label)]
            found = with_unit or list(hypothesis)
        if len(found) != 1:
            labels = ", ".join(hypothesis) or "none"
            first = next(iter(hypothesis), "mass")
            one = split.get(first)
            raise DocumentError(
                f"has the mass {self.text!r}, and the hypothesis has the labels: {labels}",
                source=source,
                remedy=f"name the mass after its label, such as {one.stem if one else first}_gev",
            )
        label = found[0]
        value, named = hypothesis[label], split[label]
        unit = named.unit if named else (units.get(label) or self.unit).lower()
        if isinstance(value, str) or not value > 0.0:
            raise DocumentError(
                f"{label} of the hypothesis is {value!r}, which is no mass above zero",
                source=source,
            )
        if unit not in MASS_UNITS:
            raise DocumentError(
                f"{label} of the hypothesis is in {unit!r}, which is no unit of mass",
                source=source,
            )
        return value if unit == self.unit else value * MASS_UNITS[unit] / self.size_gev


def value_of(node: Node, values: Mapping[str, float]) -> float:
    """Value of an expression; ``nan`` where it has none."""
    try:
        return _value(node, values)
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def _value(node: Node, values: Mapping[str, float]) -> float:  # noqa: PLR0911 -- case by case
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return values[node.name]
    if isinstance(node, Call):
        return _FUNCTIONS[node.function](_value(node.argument, values))
    left, right = _value(node.left, values), _value(node.right, values)
    if node.sign == "+":
        return left + right
    if node.sign == "-":
        return left - right
    if node.sign == "*":
        return left * right
    if node.sign == "/":
        return left / right
    found = left**right
    return math.nan if isinstance(found, complex) else found


def power_of(node: Node, name: str) -> float | None:  # noqa: PLR0911 -- case by case
    """Power with which a name enters an expression; None where it is no single power.

    Examples
    --------
    >>> from darkstats.workspace.hs3.expressions import parse_expression
    >>> power_of(parse_expression("12.3 * g**2 / m**2"), "g")
    2.0
    >>> power_of(parse_expression("g**2 + g**4"), "g") is None
    True
    """
    if isinstance(node, Number) or name not in names_of(node):
        return 0.0
    if isinstance(node, Name):
        return 1.0
    if isinstance(node, Call):
        inner = power_of(node.argument, name)
        if node.function == "sqrt" and inner is not None:
            return inner / 2.0
        return 0.0 if inner == 0.0 else None
    left, right = power_of(node.left, name), power_of(node.right, name)
    if left is None or right is None:
        return None
    if node.sign in "+-":
        return left if left == right else None
    if node.sign == "*":
        return left + right
    if node.sign == "/":
        return left - right
    if name in names_of(node.right) or (left != 0.0 and names_of(node.right)):
        return None
    found = left * value_of(node.right, {})
    return found if math.isfinite(found) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cross sections at masses; between them, their logarithm is linear in that of the mass.

    Parameters
    ----------
    masses
        Rising, in the unit of the name. Shape [row].
    cross_sections_fb, couplings
        Cross section in fb at the coupling beside it. Shapes [row].
    signal_fb
        Cross section that the signal was generated with, in fb; None where the table has none.
    """

    masses: tuple[float, ...]
    cross_sections_fb: tuple[float, ...]
    couplings: tuple[float, ...]
    signal_fb: tuple[float, ...] | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest mass."""
        return self.masses[0], self.masses[-1]

    def at(self, mass: float, values: tuple[float, ...]) -> float | None:
        """Value at a mass: that of the row, or between two rows; None outside."""
        low, high = self.ends
        if not low * (1.0 - _ROUNDING) <= mass <= high * (1.0 + _ROUNDING):
            return None
        k = bisect_left(self.masses, mass)
        for near in (k - 1, k):
            if 0 <= near < len(values) and abs(self.masses[near] - mass) <= _ROUNDING * mass:
                return values[near]
        a, b = self.masses[k - 1], self.masses[k]
        part = math.log(mass / a) / math.log(b / a)
        return float(values[k - 1] * (values[k] / values[k - 1]) ** part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneTable:
    """Cross sections at pairs of masses.

    Between them, the logarithm of the cross section is linear in the logarithms of both masses, in
    the triangles of a Delaunay triangulation of these.

    Parameters
    ----------
    masses
        Pairs, in the units of the names, each once. Shape [row].
    cross_sections_fb, couplings, signal_fb
        As for :class:`Table`.
    """

    masses: tuple[tuple[float, float], ...]
    cross_sections_fb: tuple[float, ...]
    couplings: tuple[float, ...]
    signal_fb: tuple[float, ...] | None = None

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest value of each mass."""
        first, second = zip(*self.masses, strict=True)
        return (min(first), max(first)), (min(second), max(second))

    def at(self, masses: tuple[float, float], values: tuple[float, ...]) -> float | None:
        """Value at two masses: that of the row, or within a triangle of rows; None outside."""
        for row, value in zip(self.masses, values, strict=True):
            if all(abs(a - b) <= _ROUNDING * b for a, b in zip(row, masses, strict=True)):
                return value
        found = _triangle(self.masses, masses)
        if found is None:
            return None
        return math.exp(sum(share * math.log(values[row]) for row, share in found))


def _triangle(
    rows: tuple[tuple[float, float], ...], masses: tuple[float, float]
) -> list[tuple[int, float]] | None:
    """Rows at the corners of the triangle about two masses, and their shares; None outside."""
    grid = _triangulated(rows)
    if grid is None:
        return None
    corners = grid.places[grid.triangles]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    to = np.log(masses) - a
    (u, v), (w, x) = (b - a).T, (c - a).T
    area = u * x - v * w
    wide = np.abs(area) > _FLAT * np.maximum(u * u + v * v, w * w + x * x)
    if not wide.any():
        return None
    area = np.where(wide, area, np.inf)
    second = (to[:, 0] * x - to[:, 1] * w) / area
    third = (u * to[:, 1] - v * to[:, 0]) / area
    shares = np.stack([1.0 - second - third, second, third], axis=1)
    best = int(np.argmax(np.where(wide, shares.min(axis=1), -np.inf)))
    if not shares[best].min() >= -_ON_EDGE:
        return None
    points = grid.order[grid.triangles[best]].tolist()
    return list(zip(points, shares[best].tolist(), strict=True))


@lru_cache(maxsize=8)  # one for all hypotheses of a scan
def _triangulated(rows: tuple[tuple[float, float], ...]) -> Triangulation | None:
    """Triangles of the logarithms; None where all rows lie on one line."""
    x, y = ([exact(math.log(row[k])) for row in rows] for k in (0, 1))
    try:
        return triangulate(x, y)
    except OptionError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A cross section as an expression of masses and of the coupling.

    Parameters
    ----------
    text
        As it was written.
    node
        The same, parsed.
    size_fb
        Unit of its value, in fb.
    coupling
        Name of the coupling in it.
    reference
        Coupling that the signal was generated with; None where nothing says it.
    ends_gev
        Masses between which it may be used, in GeV; None for any.
    """

    text: str
    node: Node = field(repr=False)
    size_fb: float
    coupling: str
    reference: float | None = None
    ends_gev: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSignal:
    """What a signal strength of 1 stands for, and who says so.

    Parameters
    ----------
    kind
        ``"reference"``: the cross section of the model at its reference coupling; ``"coupling"``:
        at this one; ``"cross section"``: this one, in fb; ``"column"``: that of the table.
    origin
        For messages.
    value
        Coupling, or cross section in fb.
    """

    kind: str
    origin: str
    value: float | None = None

    @classmethod
    def parse(cls, text: str, *, symbol: str, origin: str) -> UnitSignal:
        """Read ``reference``, ``2.5 fb`` or ``g=0.1``.

        Raises
        ------
        DocumentError
            It is none of them.
        """
        words = text.strip()
        if words == "reference":
            return cls(kind="reference", origin=origin)
        name, sign, number = words.partition("=")
        kind, size = "coupling", 1.0
        if not sign:
            found = _SIGNAL.fullmatch(words)
            kind, number = "cross section", found["value"] if found else ""
            size = CROSS_SECTION_UNITS[found["unit"].lower()] if found else 1.0
        try:
            value = float(number) * size
        except ValueError:
            value = math.nan
        if (sign and name.strip() != symbol) or not 0.0 < value < math.inf:
            raise DocumentError(
                f"{text!r} does not say what signal strength 1 is", source=origin,
                remedy="write reference (the cross section at the reference coupling), a cross "
                f"section with its unit such as '2.5 fb', or the coupling as {symbol}=0.1",
            )  # fmt: skip
        return cls(kind=kind, origin=origin, value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMass:
    """The conversion of one hypothesis.

    Parameters
    ----------
    masses
        By name, in the units that the names say.
    power
        With which the cross section rises with the coupling; above zero.
    reference_coupling, reference_cross_section_fb
        A coupling and the cross section that it gives, in fb.
    signal_cross_section_fb
        Cross section of signal strength 1, in fb.

    Examples
    --------
    >>> at = AtMass(
    ...     masses={}, power=2.0, reference_coupling=0.1, reference_cross_section_fb=5.0,
    ...     signal_cross_section_fb=5.0,
    ... )
    >>> at.cross_section_fb(4.0), at.coupling(4.0)
    (20.0, 0.2)
    """

    masses: Mapping[str, float]
    power: float
    reference_coupling: float
    reference_cross_section_fb: float
    signal_cross_section_fb: float

    def cross_section_fb(self, mu: float) -> float | None:
        """Cross section of a signal strength, fb; None beyond the range of numbers."""
        found = mu * self.signal_cross_section_fb
        return found if math.isfinite(found) else None

    def coupling(self, mu: float) -> float | None:
        """Coupling of a signal strength; None where it has none, or beyond the range of numbers."""
        if not mu >= 0.0:
            return None
        ratio = self.signal_cross_section_fb / self.reference_cross_section_fb
        try:
            found = float(self.reference_coupling * (mu * ratio) ** (1.0 / self.power))
        except OverflowError:
            return None
        lost = not math.isfinite(found) or (found == 0.0) != (mu == 0.0)
        return None if lost else found

    def coupling_error(self, mu: float, error: float) -> float | None:
        """Error of the coupling by its derivative; None where that does not exist, at zero."""
        if error == 0.0:
            return 0.0
        found = self.coupling(mu)
        return None if found is None or mu == 0.0 else found / (self.power * mu) * error

    def signal_strength(self, coupling: float) -> float:
        """Signal strength of a coupling: the inverse of :meth:`coupling`."""
        ratio = self.reference_cross_section_fb / self.signal_cross_section_fb
        return float(ratio * (coupling / self.reference_coupling) ** self.power)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossSections:
    """A model: its coupling, and the cross section that it gives.

    Parameters
    ----------
    name
        Key of its limits: letters, digits and underscores.
    symbol, unit, label
        Of the coupling, in plain characters; no unit where it has no dimension; and for figures,
        in LaTeX, None for the symbol.
    power
        Of the coupling in the cross section, above zero.
    masses
        Names of the masses that the cross section depends on.
    rule
        Table in one mass, or in two; or expression.
    unit_signals
        What the file says of signal strength 1; empty where it says nothing.
    note
        What the conversion rests on, in the words of its author.
    constraints_of
        Benchmark whose earlier constraints are on this coupling; None for none.
    source, sha256
        File name, or the option with the expression; digest of the file or of the text.
    """

    name: str
    symbol: str
    unit: str | None = None
    label: str | None = None
    power: float
    masses: tuple[MassName, ...]
    rule: Table | PlaneTable | Formula
    unit_signals: tuple[UnitSignal, ...] = ()
    note: str = ""
    constraints_of: str | None = None
    source: str
    sha256: str

    @property
    def interpolation(self) -> str:
        """How cross sections between and beyond those of the table come about, in words."""
        if isinstance(self.rule, Formula):
            return "none: the expression is evaluated at each mass" + (
                "" if self.rule.ends_gev is None
                else f", refused outside {_range(*self.rule.ends_gev)} GeV"
            )  # fmt: skip
        unit = _WORDS[self.masses[0].unit]
        if isinstance(self.rule, PlaneTable):
            names = " and ".join(one.text for one in self.masses)
            return (
                f"log(cross section) linear in the logs of {names}, in the triangles of a "
                "Delaunay triangulation, refused outside of them"
            )
        if len(self.rule.masses) == 1:
            return f"none: one mass, {self.rule.masses[0]:g} {unit}"
        return (
            "log(cross section) linear in log(mass), refused outside "
            f"{_range(*self.rule.ends)} {unit}"
        )

    def at(
        self,
        hypothesis: Mapping[str, float | str],
        *,
        units: Mapping[str, str | None] | None = None,
        stated: Sequence[UnitSignal] = (),
    ) -> AtMass:
        """Return the conversion of a hypothesis.

        Parameters
        ----------
        hypothesis
            Values by label. Of none, the mass of a table that has one row.
        units
            Units of labels whose names do not end with one.
        stated
            What others say of signal strength 1: an option, the record of a search.

        Raises
        ------
        DocumentError
            A mass is missing or outside the table, the expression has no value above zero there,
            or nothing, or several things that differ, say what signal strength 1 is.
        """
        if not hypothesis and isinstance(self.rule, Table) and len(self.rule.masses) == 1:
            found = {self.masses[0].text: self.rule.masses[0]}
        else:
            found = {
                one.text: one.find(hypothesis, units or {}, self.source) for one in self.masses
            }
        coupling, reference_fb = self._reference(found)
        signal = self._signal_fb(found, coupling, reference_fb, (*self.unit_signals, *stated))
        return AtMass(
            masses=found,
            power=self.power,
            reference_coupling=coupling,
            reference_cross_section_fb=reference_fb,
            signal_cross_section_fb=signal,
        )

    def _reference(self, masses: Mapping[str, float]) -> tuple[float, float]:
        if isinstance(self.rule, Formula):
            coupling = 1.0 if self.rule.reference is None else self.rule.reference
            return coupling, self._formula_fb(self.rule, masses, coupling)
        coupling_, cross_section = (
            _at_row(self.rule, masses, values)
            for values in (self.rule.couplings, self.rule.cross_sections_fb)
        )
        if coupling_ is None or cross_section is None:
            raise self._no_row(self.rule, masses)
        return coupling_, cross_section

    def _no_row(self, rule: Table | PlaneTable, masses: Mapping[str, float]) -> DocumentError:
        if isinstance(rule, Table):
            return self._outside(self.masses[0].text, next(iter(masses.values())), rule.ends)
        for (name, mass), ends in zip(masses.items(), rule.ends, strict=True):
            if not ends[0] <= mass <= ends[1]:
                return self._outside(name, mass, ends)
        where = ", ".join(f"{name} = {mass:g}" for name, mass in masses.items())
        return DocumentError(
            f"has no cross section at {where}: no triangle of its rows is about it",
            source=self.source,
            remedy="nothing is extrapolated: add masses that surround it, or leave it out",
        )

    def _outside(self, name: str, mass: float, ends: tuple[float, float]) -> DocumentError:
        return DocumentError(
            f"has no cross section at {name} = {mass:g}: it holds for {_range(*ends)}",
            source=self.source,
            remedy="nothing is extrapolated: add masses that reach it, or leave it out",
        )

    def _formula_fb(self, rule: Formula, masses: Mapping[str, float], coupling: float) -> float:
        if rule.ends_gev is not None:
            for one in self.masses:
                mass_gev = masses[one.text] * one.size_gev
                low, high = rule.ends_gev
                if not low * (1.0 - _ROUNDING) <= mass_gev <= high * (1.0 + _ROUNDING):
                    raise self._outside(f"{one.stem}_gev", mass_gev, rule.ends_gev)
        value = rule.size_fb * value_of(rule.node, {**masses, rule.coupling: coupling})
        if not 0.0 < value < math.inf:
            where = ", ".join(f"{key} = {mass:g}" for key, mass in masses.items())
            raise DocumentError(
                f"the expression {rule.text!r} is {value / rule.size_fb:g} at {where or 'any mass'}"
                f" and {rule.coupling} = {coupling:g}, which is no cross section above zero",
                source=self.source, remedy="leave out hypotheses where the signal cannot be made",
            )  # fmt: skip
        return value

    def _signal_fb(
        self,
        masses: Mapping[str, float],
        coupling: float,
        reference_fb: float,
        stated: Sequence[UnitSignal],
    ) -> float:
        if not stated:
            raise DocumentError(
                NOTHING_SAID, source=self.source,
                remedy="write unit_signal, or --unit-signal: 'reference' if the signal was "
                "generated with the cross section at the reference coupling, or its cross section "
                f"such as '2.5 fb', or its coupling as {self.symbol}=0.1",
            )  # fmt: skip
        found = [(self._one_signal_fb(one, masses, coupling, reference_fb), one) for one in stated]
        first, by = found[0]
        for value, other in found[1:]:
            if abs(value - first) > _AGREES * first:
                raise DocumentError(
                    f"signal strength 1 is {first:.6g} fb by {by.origin}, and {value:.6g} fb by "
                    f"{other.origin}", source=self.source, remedy="say it once",
                )  # fmt: skip
        return first

    def _scaled_fb(self, reference_fb: float, ratio: float, origin: str) -> float:
        """The cross section at another coupling, ``ratio`` times the reference."""
        try:
            found = float(reference_fb * ratio**self.power)
        except OverflowError:
            found = math.inf
        if not 0.0 < found < math.inf:
            raise DocumentError(
                f"signal strength 1 is {found:g} fb by {origin}: the coupling is {ratio:g} times "
                f"that of the cross section, to the power {self.power:g}", source=self.source,
                remedy="correct the coupling",
            )  # fmt: skip
        return found

    def _one_signal_fb(
        self, stated: UnitSignal, masses: Mapping[str, float], coupling: float, reference_fb: float
    ) -> float:
        if stated.kind == "cross section" and stated.value is not None:
            return stated.value
        if stated.kind == "coupling" and stated.value is not None:
            return self._scaled_fb(reference_fb, stated.value / coupling, stated.origin)
        rule = self.rule
        if stated.kind == "column" and not isinstance(rule, Formula) and rule.signal_fb:
            found = _at_row(rule, masses, rule.signal_fb)
            if found is not None:
                return found
        if isinstance(rule, Formula) and rule.reference is None:
            raise DocumentError(
                f"{stated.origin} names the reference coupling, and there is none",
                source=self.source,
                remedy=f"write reference_coupling, or --unit-signal {self.symbol}=0.1",
            )
        return reference_fb


def _at_row(
    rule: Table | PlaneTable, masses: Mapping[str, float], values: tuple[float, ...]
) -> float | None:
    if isinstance(rule, Table):
        return rule.at(next(iter(masses.values())), values)
    first, second = masses.values()
    return rule.at((first, second), values)


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
