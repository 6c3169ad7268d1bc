"""What a workspace of a datacard is made of, while it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from darkstats.arrays import FloatArray
from darkstats.conversion.combine_curves import Distance
from darkstats.conversion.converted import Difference
from darkstats.conversion.datacard import Column, Datacard, Place, Systematic
from darkstats.conversion.datacard_templates import Templates

__all__ = ["Building", "Worst", "listed", "named"]

#: The parameter of interest.
POI = "r"
#: Relative differences below come from the digits that were written.
ROUNDED = 1e-4

Modifier = dict[str, Any]


@dataclass(slots=True)
class Worst:
    """The largest difference of one kind, and how many there are."""

    what: str
    number: int = 0
    parameter: str = ""
    place: str = ""
    code1: float = 0.0
    code4: float = 0.0

    def add(self, name: str, place: Place, distance: Distance) -> None:
        """Count a difference, and keep it where it is the largest."""
        self.number += 1
        if self.number == 1 or max(distance.code1, distance.code4) > max(self.code1, self.code4):
            self.parameter, self.place = name, str(place)
            self.code1, self.code4 = distance.code1, distance.code4


@dataclass(slots=True)
class Building:
    """A workspace in the making: its parts, and what is to be said of them.

    Parameters
    ----------
    card, templates
        What is converted.
    own_statistics
        Whether each process has statistical parameters of its own.
    channels, observations, parameters, edges
        Parts of the workspace, and edges of the bins by channel.
    worst, differences, notes
        What is carried in another way, by kind and else; what was left out or assumed.
    controls
        Gamma functions that get a channel of their own, by name.
    empty
        Processes without events, and their bins.
    """

    card: Datacard
    templates: Templates
    own_statistics: bool
    channels: list[dict[str, Any]] = field(default_factory=list)
    observations: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: dict[str, tuple[float, ...]] = field(default_factory=dict)
    worst: dict[str, Worst] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    controls: dict[str, Systematic] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)

    def differ(self, kind: str, what: str, one: Systematic, distance: Distance) -> None:
        """Say that a parameter is carried in another way."""
        self.worst.setdefault(kind, Worst(what)).add(one.name, one.place, distance)


def named(column: Column) -> str:
    """Process and bin, for messages."""
    return f"{column.process} in bin {column.bin}"


def listed(values: FloatArray) -> list[float]:
    """Numbers as JSON has them."""
    return [float(value) for value in values]
