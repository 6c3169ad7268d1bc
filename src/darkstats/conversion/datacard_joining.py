"""Several datacards as one, by the rules of Combine's ``combineCards.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from darkstats.conversion.datacard import (
    AutoStatistics,
    Column,
    Datacard,
    RateFactor,
    ShapeRule,
    Systematic,
)
from darkstats.conversion.datacard_parameters import add_systematic

__all__ = ["join"]


def join(cards: Sequence[tuple[str, Datacard]]) -> Datacard:
    """Join cards; nuisance parameters of one name are one parameter.

    Parameters
    ----------
    cards
        Label and card. The bin of a card with one bin takes the label as its name; bins of others
        take the label and an underscore before theirs.

    Raises
    ------
    CardError
        Two bins get one name, or two cards use a name for different things.
    """
    if len(cards) == 1 and not cards[0][0]:
        return cards[0][1]
    renamed = [_renamed(label, card) for label, card in cards]
    bins: dict[str, float | None] = {}
    systematics: dict[str, Systematic] = {}
    factors: dict[str, RateFactor] = {}
    roles: dict[str, tuple[bool, Datacard]] = {}
    groups: dict[str, tuple[str, ...]] = {}
    statistics: dict[str, AutoStatistics] = {}
    shapes: list[ShapeRule] = []
    for card in renamed:
        for name, count in card.bins.items():
            if name in bins:
                card.place.refuse(f"a second bin {name}", "give the cards labels of their own")
            bins[name] = count
        for column in card.columns:
            is_signal, first = roles.setdefault(column.process, (column.is_signal, card))
            if is_signal != column.is_signal:
                card.place.refuse(
                    f"process {column.process} is signal in one card and background in another: "
                    f"see {first.place}",
                    "rename it in one of them",
                )
        for systematic in card.systematics:
            add_systematic(systematic, systematics)
        for factor in card.rate_factors:
            _add_factor(factor, factors)
        for name, members in card.groups.items():
            groups[name] = tuple(dict.fromkeys((*groups.get(name, ()), *members)))
        statistics.update(card.statistics)
        shapes.extend(card.shapes)
    for name in systematics.keys() & factors.keys():
        factors[name].place.refuse(
            f"{name} is a rateParam here, and another parameter at {systematics[name].place}",
            "rename it in one of the cards",
        )
    return Datacard(
        source=", ".join(card.source for card in renamed),
        bins=bins,
        columns=tuple(column for card in renamed for column in card.columns),
        systematics=tuple(systematics.values()),
        rate_factors=tuple(factors.values()),
        place=renamed[0].place,
        groups=groups,
        frozen=frozenset().union(*(card.frozen for card in renamed)),
        statistics=statistics,
        shapes=tuple(shapes),
        notes=tuple(note for card in renamed for note in card.notes),
    )


def _add_factor(new: RateFactor, factors: dict[str, RateFactor]) -> None:
    old = factors.get(new.name)
    if old is None:
        factors[new.name] = new
        return
    if replace(old, place=new.place, keys=new.keys) != new:
        new.place.refuse(
            f"the rateParam {new.name} has another value or range than at {old.place}",
            "write the same in both cards, its param as well, or rename it in one",
        )
    factors[new.name] = replace(old, keys=(*old.keys, *new.keys))


def _renamed(label: str, card: Datacard) -> Datacard:
    names = {
        name: (label if len(card.bins) == 1 else f"{label}_{name}") if label else name
        for name in card.bins
    }
    return replace(
        card,
        bins={names[name]: count for name, count in card.bins.items()},
        columns=tuple(_column(column, names) for column in card.columns),
        systematics=tuple(
            replace(
                one, effects={(names[b], process): e for (b, process), e in one.effects.items()}
            )
            for one in card.systematics
        ),
        rate_factors=tuple(
            replace(one, keys=tuple((names[b], process) for b, process in one.keys))
            for one in card.rate_factors
        ),
        statistics={names[name]: one for name, one in card.statistics.items()},
        shapes=tuple(
            replace(rule, bin=names[name], channel=name)
            for rule in card.shapes
            for name in (names if rule.bin == "*" else [rule.bin])
            if name in names and (rule.bin != "*" or not _has_own(card, rule.process, name))
        ),
    )


def _has_own(card: Datacard, process: str, name: str) -> bool:
    """Whether a rule of the bin itself goes before that of all bins."""
    return any(rule.process in {process, "*"} and rule.bin == name for rule in card.shapes)


def _column(column: Column, names: Mapping[str, str]) -> Column:
    return replace(column, bin=names[column.bin])
