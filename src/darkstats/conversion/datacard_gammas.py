"""``gmN`` of a datacard: a Poisson term of one process, or a channel of its own."""

from __future__ import annotations

import math

from darkstats.arrays import FloatArray
from darkstats.conversion.datacard import Column, Gamma, Systematic
from darkstats.conversion.datacard_draft import ROUNDED, Building, Modifier, listed, named

__all__ = ["control_channel", "find_controls", "gamma_modifier", "gamma_of", "gamma_rate"]

_GAMMA_TOLERANCE = 0.05  # of a rate beside N times alpha: as Combine's


def gamma_of(column: Column, building: Building) -> tuple[Systematic, Gamma] | None:
    """The gamma function of a process, if any.

    Raises
    ------
    CardError
        There are two.
    """
    found = [
        (one, effect)
        for one in building.card.systematics
        if isinstance(effect := one.effects.get(column.key), Gamma)
    ]
    if len(found) > 1:
        found[1][0].place.refuse(
            f"a second gmN on {named(column)}, after {found[0][0].name}", "keep one of them"
        )
    return found[0] if found else None


def gamma_rate(column: Column, gamma: tuple[Systematic, Gamma], building: Building) -> float:
    """Events of a process by its control region; for one event where that has none."""
    one, effect = gamma
    count = one.count or 0
    wanted = count * effect.ratio
    rate = column.rate
    if rate is not None and abs(rate - wanted) > _GAMMA_TOLERANCE * max(
        wanted, effect.ratio * (not count)
    ):
        one.place.refuse(
            f"{named(column)} has the rate {rate:g}, and {count} events times "
            f"{effect.ratio:g} are {wanted:g}",
            "write the product into the line of rates", key=one.name,
        )  # fmt: skip
    if rate is not None and count and abs(rate - wanted) > ROUNDED * wanted:
        building.notes.append(
            f"{one.place}: {named(column)} expects {count} times {effect.ratio:g} = {wanted:g} "
            f"events, not the rate {rate:g}; so does Combine"
        )
    return wanted if count else effect.ratio


def find_controls(building: Building) -> None:
    """Find gmN that a shapesys cannot state: of several bins or processes, or without an event."""
    for one in building.card.systematics:
        if one.count is None or not one.effects:
            continue
        bins = {name for name, _ in one.effects}
        alone = len(one.effects) == 1 and all(map(building.templates.is_counting, bins))
        if not alone or one.count == 0:
            building.controls[one.name] = one


def _gamma_range(count: int) -> float:
    """Upper end of a factor on a control region of ``count`` events: far beyond what it allows."""
    return (count + 10.0 * math.sqrt(count) + 30.0) / max(count, 1)


def control_channel(one: Systematic, building: Building) -> None:
    """A channel that counts the events of a control region, and the factor that it constrains."""
    count = one.count or 0
    name = f"{one.name}_events"
    if name in building.card.bins:
        one.place.refuse(f"there is a bin {name}, too", "rename the parameter or the bin")
    modifier = {"name": one.name, "type": "normfactor", "data": None}
    sample = {"name": one.name, "data": [float(max(count, 1))], "modifiers": [modifier]}
    building.channels.append({"name": name, "samples": [sample]})
    building.observations.append({"name": name, "data": [float(count)]})
    building.parameters[one.name] = {
        "name": one.name, "inits": [1.0], "bounds": [[0.0, _gamma_range(count)]],
    }  # fmt: skip
    building.notes.append(
        f"{one.place}: the {count} events of gmN {one.name} are a channel {name} of their own"
        + ("" if count else "; its processes are written for one event, and the factor may be 0")
    )


def gamma_modifier(one: Systematic, nominal: FloatArray, building: Building) -> Modifier:
    """A shapesys whose Poisson term has as many events; a factor where a channel counts them."""
    if one.name in building.controls:
        return {"name": one.name, "type": "normfactor", "data": None}
    count = one.count or 0
    building.parameters[one.name] = {"name": one.name, "bounds": [[1e-10, _gamma_range(count)]]}
    data = listed(nominal / math.sqrt(count))
    return {"name": one.name, "type": "shapesys", "data": data}
