"""The catalogue that comes with darkstats: a few published values of each constraint."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from darkstats.report.constraints.curve import Constraint, Source, Statement

if TYPE_CHECKING:
    from darkstats.workspace.json_values import JsonObject

__all__ = ["catalogue", "statements"]


def _source(entry: JsonObject) -> Source:
    return Source(
        citation=entry["citation"],
        arxiv=entry.get("arxiv"),
        cl=entry.get("cl"),
        method=entry.get("method"),
        read=entry["read"],
        certainty=entry["certainty"],
    )


@cache
def _entries() -> tuple[JsonObject, ...]:
    import yaml

    text = files("darkstats.report.constraints").joinpath("catalogue.yaml").read_text("utf-8")
    return tuple(yaml.safe_load(text))


def catalogue(coupling: str | None = None) -> tuple[Constraint, ...]:
    """Curves of the catalogue, all or those for one coupling."""
    return tuple(
        Constraint(
            key=entry["key"],
            label=entry["label"],
            couplings=tuple(entry["couplings"]),
            unit=entry.get("unit"),
            shape="outline" if entry.get("outline") else "curve",
            mass_gev=tuple(float(mass) for mass, _ in entry["points"]),
            lower=tuple(float(value) for _, value in entry["points"]),
            source=_source(entry),
        )
        for entry in _entries()
        if "points" in entry and (coupling is None or coupling in entry["couplings"])
    )


def statements(coupling: str | None = None) -> tuple[Statement, ...]:
    """Entries of the catalogue of which only a range is known, all or those for one coupling."""
    return tuple(
        Statement(
            key=entry["key"],
            label=entry["label"],
            couplings=tuple(entry["couplings"]),
            text=entry["text"],
            source=_source(entry),
        )
        for entry in _entries()
        if "text" in entry and (coupling is None or coupling in entry["couplings"])
    )
