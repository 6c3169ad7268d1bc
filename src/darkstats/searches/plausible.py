"""Values of a card that can be no mass, angle, efficiency or relative error: units mixed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.signals.constants import BEAM_ENERGIES_GEV

if TYPE_CHECKING:
    from darkstats.searches.card_file import Entry

__all__ = ["require_plausible"]

_MOST_GEV = sum(BEAM_ENERGIES_GEV)

#: Ending of a key -> least and largest value, and what a value beyond them probably is.
_BOUNDS = {
    "_gev": (0.0, _MOST_GEV, f"both beams together have {_MOST_GEV:g} GeV; is it in MeV?"),
    "_gev2": (0.0, _MOST_GEV**2, f"the largest is {_MOST_GEV**2:g} GeV^2; is it in MeV^2?"),
    "_deg": (0.0, 180.0, "polar angles go from 0 to 180 degrees"),
    "_rad": (0.0, 3.1416, "is it in degrees or mrad?"),
    "_error": (0.0, 1.0, "a relative error is a fraction: write 0.08 for 8 %"),
    "efficiency": (0.0, 1.0, "an efficiency is a fraction: write 0.95 for 95 %"),
    "_fractions": (0.0, 1.0, "a fraction lies between 0 and 1"),
}

#: Keys of the detector whose tables have rows of an energy and a fraction.
_TABLES = (".veto_inefficiency", ".photon_efficiency", ".klm_inefficiency")


def require_plausible(entry: Entry) -> None:
    """Check every number below an entry by the unit in its key.

    Raises
    ------
    CardError
        With file, line, key, the value and what its unit may be.
    """
    if isinstance(entry.value, dict):
        if entry.key == "selection.columns":  # expressions, by names of the user
            return
        for child in entry.mapping().values():
            require_plausible(child)
        return
    if isinstance(entry.value, list):
        if entry.key.endswith(_TABLES):
            for row in entry.items():
                _require_row(row)
            return
        for item in entry.items():
            require_plausible(item)
        return
    _require_number(entry, entry.key.rpartition(".")[2].partition("[")[0])


def _require_row(row: Entry) -> None:
    """Check an energy and a fraction."""
    if not isinstance(row.value, list) or len(row.items()) != 2:
        row.fail("expected an energy in GeV and a fraction", "write [[0.15, 0.01], [1.0, 0.0003]]")
    for item, name in zip(row.items(), ("energy_gev", "efficiency"), strict=True):
        _require_number(item, name)


def _require_number(entry: Entry, name: str) -> None:
    bounds = next((found for ending, found in _BOUNDS.items() if name.endswith(ending)), None)
    if bounds is None or isinstance(entry.value, bool):
        return
    low, high, hint = bounds
    value = entry.number()
    if not low <= value <= high:
        entry.fail(f"{value:g} lies outside {low:g} to {high:g}", hint)
