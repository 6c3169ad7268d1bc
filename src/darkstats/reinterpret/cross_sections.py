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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from darkstats.errors import DocumentError
from darkstats.reinterpret.cross_section_tables import ROUNDING, PlaneTable, Table, at_row
from darkstats.reinterpret.expression_values import value_of
from darkstats.reinterpret.mass_names import MassName
from darkstats.workspace.hs3.expressions import Node

__all__ = [
    "ASSUMED",
    "CROSS_SECTION_UNITS",
    "NOTHING_SAID",
    "AtMass",
    "CrossSections",
    "Formula",
    "UnitSignal",
]

#: Sizes of units of cross section in fb, as names end with them.
CROSS_SECTION_UNITS: Mapping[str, float] = {"ab": 1e-3, "fb": 1.0, "pb": 1e3, "nb": 1e6}
#: What no likelihood can tell, in words.
NOTHING_SAID = "nothing says what signal strength 1 is"
ASSUMED = "the signal efficiency is assumed not to depend on the coupling, which cannot be known"

_SIGNAL = re.compile(
    rf"(?P<value>[^\s=]+?)\s*(?P<unit>{'|'.join(CROSS_SECTION_UNITS)})", re.IGNORECASE
)
_AGREES = 1e-6  # relative: two statements of one cross section


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
        unit = self.masses[0].unit_in_words
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
            at_row(self.rule, masses, values)
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
                if not low * (1.0 - ROUNDING) <= mass_gev <= high * (1.0 + ROUNDING):
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
            found = at_row(rule, masses, rule.signal_fb)
            if found is not None:
                return found
        if isinstance(rule, Formula) and rule.reference is None:
            raise DocumentError(
                f"{stated.origin} names the reference coupling, and there is none",
                source=self.source,
                remedy=f"write reference_coupling, or --unit-signal {self.symbol}=0.1",
            )
        return reference_fb


def _range(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
