"""What a patch says of a signal that was put in the place of that of the search.

A sidecar speaks of the search and of its own signal. A patch with another signal says so at the
operation that adds it, in the key ``reference_cross_section_pb``: the cross section of signal
strength 1, or null where nothing says it. RFC 6902 has other programs ignore such a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkstats.errors import PatchError

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonValue

__all__ = ["KEY", "OwnSignal", "of_operations"]

KEY = "reference_cross_section_pb"
_LARGEST_PB = 1e15  # as in a sidecar


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSignal:
    """A signal that is not that of the search.

    Parameters
    ----------
    reference_cross_section_pb
        Cross section of signal strength 1, pb; None where nothing says it.
    """

    reference_cross_section_pb: float | None = None


def of_operations(operations: JsonValue, source: str = "") -> OwnSignal | None:
    """Return what a JSON patch says of its signal; None where it says nothing.

    Raises
    ------
    PatchError
        It says no cross section above zero.

    Examples
    --------
    >>> of_operations([{"op": "add", "path": "/a", "value": 1, "reference_cross_section_pb": 0.5}])
    OwnSignal(reference_cross_section_pb=0.5)
    """
    found = None
    for index, one in enumerate(operations if isinstance(operations, Iterable) else ()):
        if not isinstance(one, Mapping) or KEY not in one:
            continue
        value = one[KEY]
        number = type(value) in {int, float} and 0.0 < value <= _LARGEST_PB
        if value is not None and not number:
            raise PatchError(
                f"{KEY} is {str(value)[:40]!r}, which is no cross section above zero",
                source=source, pointer=f"/{index}/{KEY}",
                remedy="write it as a number, in pb, or as null",
            )  # fmt: skip
        found = OwnSignal(reference_cross_section_pb=value)
    return found
