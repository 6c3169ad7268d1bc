"""Observed counts that nobody can have counted: legal, as Asimov data are, and worth a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from darkstats.workspace.findings import shown

__all__ = ["fractional_counts"]

_WHOLE = 1e-9  # relative: a whole number that was written in few digits, or as a product


def _fractional(document: Mapping[str, Any]) -> Iterator[tuple[str, int, float]]:
    for one in document["observations"]:
        for index, count in enumerate(one["data"]):
            if abs(count - round(count)) > _WHOLE * max(1.0, abs(count)):
                yield one["name"], index, float(count)


def fractional_counts(document: Mapping[str, Any]) -> str | None:
    """Return a sentence on observed counts that are no whole numbers; None where all are.

    Examples
    --------
    >>> fractional_counts({"observations": [{"name": "SR", "data": [12, 13.4]}]}).partition(":")[0]
    "13.4 events in bin 1 of channel 'SR' are no whole number"
    >>> fractional_counts({"observations": [{"name": "SR", "data": [12.0, 13]}]}) is None
    True
    """
    found = list(_fractional(document))
    if not found:
        return None
    channel, index, count = found[0]
    more = f" (nor are those of {len(found) - 1} more bins)" if len(found) > 1 else ""
    return (
        f"{count:g} events in bin {index} of channel {shown(channel)} are no whole number{more}: "
        "taken as Asimov data; counted data are whole numbers, so check weights and scale factors "
        "if these were counted"
    )
