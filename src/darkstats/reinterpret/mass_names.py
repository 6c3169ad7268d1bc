"""Names of masses with their units, and the mass of a hypothesis that one stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from darkstats.errors import DocumentError

__all__ = ["MASS_UNITS", "MassName"]

#: Sizes of units of mass in GeV, as names end with them.
MASS_UNITS: Mapping[str, float] = {"kev": 1e-6, "mev": 1e-3, "gev": 1.0, "tev": 1e3}

_MASS = re.compile(rf"(?P<stem>.+)_(?P<unit>{'|'.join(MASS_UNITS)})")
_WORDS = {"kev": "keV", "mev": "MeV", "gev": "GeV", "tev": "TeV"}
_ANY = frozenset({"mass", "m"})  # stems that mean the only mass of a hypothesis


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

    @property
    def unit_in_words(self) -> str:
        """The unit as it is written, such as ``GeV``."""
        return _WORDS[self.unit]

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
