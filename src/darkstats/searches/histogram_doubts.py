"""What looks like a mistake in histograms of one's own, and can be right: notes, no errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from darkstats.arrays import FloatArray
    from darkstats.searches.card_file import Entry
    from darkstats.searches.histogram_files import OwnHistogram

__all__ = ["doubted_errors", "doubted_units", "outside_words"]

_ENERGIES = {"kev": "keV", "mev": "MeV", "gev": "GeV", "tev": "TeV"}
_SAME = 1e-9  # relative: of errors that are one number
_LEAST_BINS = 3
_SPREAD = 1.5  # of contents whose errors cannot be the same
_LISTED = 3


def doubted_errors(found: OwnHistogram) -> str | None:
    """Say that errors look relative; None where they do not.

    Errors of simulation are absolute and grow with the contents of a bin. One number below 1 for
    bins of different contents is a relative error, or no error of simulation.
    """
    if found.errors is None:
        return None
    some = found.values > 0.0
    errors, values = found.errors[some], found.values[some]
    if len(errors) < _LEAST_BINS or not 0.0 < errors[0] < 1.0:
        return None
    if np.ptp(errors) > _SAME * errors[0] or values.max() < _SPREAD * values.min():
        return None
    return (
        f"{found.place}: its error is {errors[0]:g} in all bins, of {values.min():g} to "
        f"{values.max():g} events; errors are absolute, in events: if a relative one is meant, "
        "multiply it with the contents"
    )


def outside_words(outside: Mapping[str, float]) -> list[str]:
    """Say which histograms have events outside their bins, by place: many of them in one line."""
    if len(outside) <= _LISTED:
        return [
            f"{place}: {events:.6g} events lie outside its bins; not used"
            for place, events in outside.items()
        ]
    most = sorted(outside.items(), key=lambda item: -abs(item[1]))[:_LISTED]
    listed = ", ".join(f"{events:.6g} of {place}" for place, events in most)
    return [f"events outside the bins of {len(outside)} histograms are not used; most: {listed}"]


def doubted_units(card: Entry, edges: Mapping[str, FloatArray | None]) -> list[str]:
    """Say which labels are in another unit than an axis that has their values within its edges."""
    if "labels" not in card or "signals" not in card:
        return []
    found = []
    for place, label in enumerate(_texts(card["labels"])):
        ending = label.rpartition("_")[2].lower()
        if ending not in _ENERGIES:
            continue
        values = list(_numbers(card["signals"], place))
        for name, entry in card["channels"].mapping().items():
            axis = entry["axis"].value if "axis" in entry else None
            said = re.search(r"[(\[]\s*([kMGT]eV)\s*[)\]]", str(axis))
            known = edges.get(name)
            if said is None or known is None or said[1].lower() == ending or not values:
                continue
            if known[0] <= min(values) and max(values) <= known[-1]:
                found.append(
                    f"the label {label!r} says {_ENERGIES[ending]}, and its values lie on "
                    f"the axis of {name}, in {said[1]}: rename the label, or convert its values"
                )
                break
    return found


def _texts(entry: Entry) -> Iterable[str]:
    return [str(one.value) for one in entry] if isinstance(entry.value, list) else []


def _numbers(signals: Entry, place: int) -> Iterable[float]:
    for entry in signals.mapping().values():
        values = entry["values"].items() if "values" in entry else ()
        if place < len(values) and isinstance(values[place].value, (int, float)):
            yield values[place].number()
