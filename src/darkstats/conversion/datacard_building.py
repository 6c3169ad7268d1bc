"""A workspace of a datacard: each line as the modifier that states it.

====================  ==============================================================================
``lnN``               ``normsys``; exact with ``normsys=code1`` where one number is given
``shape``             ``histosys`` of templates of the nominal sum, and ``normsys`` of the sums
``gmN``               ``shapesys`` of one bin of one process; else a control channel of N events
``rateParam``         ``normfactor``; a product has several; ``histosys`` where ``param`` constrains
``autoMCStats``       ``staterror``, ``shapesys`` where few events are behind a bin
signal processes      ``normfactor`` r
====================  ==============================================================================
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.conversion.converted import Conversion, Difference
from darkstats.conversion.datacard import Column, Datacard, Gamma, LogNormal, Shape
from darkstats.conversion.datacard_draft import POI, ROUNDED, Building, Modifier, listed, named
from darkstats.conversion.datacard_factors import (
    constraint_modifier,
    constraint_of,
    factor_parameter,
    free_factors,
)
from darkstats.conversion.datacard_gammas import (
    control_channel,
    find_controls,
    gamma_modifier,
    gamma_of,
    gamma_rate,
)
from darkstats.conversion.datacard_statistics import Part, statistical_modifiers
from darkstats.conversion.datacard_templates import DATA, Templates
from darkstats.conversion.datacard_variations import (
    lognormal_modifier,
    responses_of,
    shape_modifiers,
    smooth_region,
    variations_of,
)
from darkstats.workspace import Workspace

__all__ = ["convert_datacard"]

_MOST_NAMED = 6  # processes of a note
_POI_RANGE = (0.0, 20.0)  # Combine's own
_SUM_TOLERANCE = 0.01  # of a rate beside its template: as Combine's
_EXACT_CODES = "normsys=code1,histosys=code4p"


def convert_datacard(
    card: Datacard, *, mass: str | None = None, statistics: str = "shared"
) -> Conversion:
    """Return the workspace of a datacard, with the signal strength ``r`` as parameter of interest.

    Parameters
    ----------
    card
        A card, or several that were joined.
    mass
        What ``$MASS`` stands for: a number in GeV, as histograms are named; Combine's ``-m``.
    statistics
        ``"shared"``: backgrounds share the statistical parameter of a bin, and so do signals, with
        the relative error of the nominal yields. ``"own"``: each process has its own, which is
        Combine's profile likelihood whatever the rates do, with more parameters.

    Raises
    ------
    CardError
        Something cannot be stated in a workspace, or templates and rates do not agree.
    WorkspaceError
        The linter refuses the workspace.
    """
    building = Building(card, Templates(card, mass), statistics == "own")
    find_controls(building)
    for name, count in card.bins.items():
        _channel(name, count, building)
    for systematic in building.controls.values():
        control_channel(systematic, building)
    _measurement(building)
    document = {
        "channels": building.channels,
        "observations": building.observations,
        "measurements": [
            {
                "name": "combine",
                "config": {"poi": POI, "parameters": list(building.parameters.values())},
            }
        ],
        "version": "1.0.0",
    }
    interpolation, differences = _settled(building)
    return Conversion(
        workspace=Workspace.from_document(document, card.source),
        sidecar=_sidecar(building, mass, interpolation),
        format="datacard",
        differences=differences,
        interpolation=interpolation,
        notes=(*card.notes, *building.notes),
    )


def _channel(name: str, count: float | None, building: Building) -> None:
    card = building.card
    columns = [column for column in card.columns if column.bin == name]
    counting = building.templates.is_counting(name)
    if counting and name in card.statistics:
        building.notes.append(
            f"{card.statistics[name].place}: bin {name} has no template: autoMCStats adds nothing"
        )
    parts: list[Part] = []
    samples: list[dict[str, Any]] = []
    for column in columns:
        nominal, errors = _yields(column, building, counting=counting)
        if nominal is None:
            building.empty.append(named(column))
            continue
        constraint = constraint_of(column, building)
        if constraint is not None and constraint.mean is not None:
            nominal = nominal * constraint.mean
            errors = None if errors is None else errors * constraint.mean
        modifiers = _modifiers(column, nominal, building)
        variations = variations_of(modifiers, nominal)
        if constraint is not None:
            modifiers.append(constraint_modifier(constraint, nominal, building))
        samples.append({"name": column.process, "data": listed(nominal), "modifiers": modifiers})
        scale = math.prod(
            one.initial for one in free_factors(column, building) if one.initial is not None
        )
        parts.append(
            Part(
                process=column.process, is_signal=column.is_signal, nominal=nominal,
                errors=errors, scale=scale, responses=responses_of(column, building),
                variations=variations,
            )
        )  # fmt: skip
    if not counting and name in card.statistics:
        found = statistical_modifiers(
            name, parts, card.statistics[name], own=building.own_statistics
        )
        for sample in samples:
            sample["modifiers"] += found.modifiers.get(sample["name"], [])
        building.differences += found.differences
        building.notes += found.notes
    building.channels.append({"name": name, "samples": samples})
    building.observations.append({"name": name, "data": _observed(name, count, building, counting)})
    edges = building.templates.edges(name)
    if edges is not None:
        building.edges[name] = edges


def _observed(name: str, count: float | None, building: Building, counting: bool) -> list[float]:
    if counting:
        if count is None:
            building.card.place.refuse(
                f"bin {name} has -1 observed events and no template", "write the number"
            )
        return [count]
    data = building.templates.nominal(DATA, name)
    total = float(data.values.sum())
    if count is not None and abs(total - count) > max(_SUM_TOLERANCE * count, 1e-6):
        building.card.place.refuse(
            f"bin {name} has {count:g} observed events, and {total:g} in {data.place}",
            "correct one of them, or write -1 for those of the histogram",
        )
    return listed(data.values)


def _yields(
    column: Column, building: Building, *, counting: bool
) -> tuple[FloatArray | None, FloatArray | None]:
    """Nominal yields and absolute errors of simulation; None for a process without events."""
    place = building.card.place
    gamma = gamma_of(column, building)
    rate = column.rate
    if gamma is not None:
        rate = gamma_rate(column, gamma, building)
    if rate == 0.0:
        return None, None
    if counting:
        if rate is None:
            place.refuse(f"{named(column)} has the rate -1 and no template", "write the rate")
        return np.array([rate]), None
    found = building.templates.nominal(column.process, column.bin)
    total = float(found.values.sum())
    if np.any(found.values < 0.0):
        worst = int(np.argmin(found.values))
        place.refuse(
            f"{found.place} has {found.values[worst]:g} events in bin {worst}, and Combine cuts "
            "what is below zero",
            "write zero there, and the sum into the rates",
        )
    if total <= 0.0:
        if rate:
            place.refuse(f"{found.place} is empty, and its rate is {rate:g}", "correct one of them")
        return None, None
    if rate is None:
        return found.values, found.errors
    if gamma is None and abs(total - rate) > _SUM_TOLERANCE * max(rate, total):
        place.refuse(
            f"{named(column)} has the rate {rate:g}, and {found.place} has {total:g} events",
            "correct one of them, or write -1 for the sum of the histogram",
        )
    if abs(total - rate) > ROUNDED * rate:
        building.notes.append(
            f"{found.place}: scaled from {total:.6g} events to the rate {rate:.6g}"
        )
    factor = rate / total
    return found.values * factor, None if found.errors is None else found.errors * factor


def _modifiers(column: Column, nominal: FloatArray, building: Building) -> list[Modifier]:
    found: list[Modifier] = []
    if column.is_signal:
        found.append({"name": POI, "type": "normfactor", "data": None})
    for factor in free_factors(column, building):
        if any(modifier["name"] == factor.name for modifier in found):
            factor.place.refuse(
                f"{factor.name} acts twice on {named(column)}",
                "a workspace has no powers: name it once", key=factor.name,
            )  # fmt: skip
        found.append({"name": factor.name, "type": "normfactor", "data": None})
        factor_parameter(factor, building)
    region = smooth_region(column, building)
    for one in building.card.systematics:
        effect = one.effects.get(column.key)
        if isinstance(effect, LogNormal):
            found.append(lognormal_modifier(one, effect, building))
        elif isinstance(effect, Shape):
            found += shape_modifiers(one, effect, column, nominal, region, building=building)
        elif isinstance(effect, Gamma):
            found.append(gamma_modifier(one, nominal, building))
    return found


def _measurement(building: Building) -> None:
    parameters = building.parameters
    parameters[POI] = {"name": POI, "inits": [1.0], "bounds": [list(_POI_RANGE)]}
    present = _present(building)
    for name in [name for name in parameters if name not in present]:
        if name != POI:
            del parameters[name]
    for name in sorted(building.card.frozen & present):
        entry = parameters.setdefault(name, {"name": name})
        entry["fixed"] = True
    if POI not in present:
        building.card.place.refuse(
            f"no signal expects an event: {', '.join(building.empty[:_MOST_NAMED]) or 'none'} "
            "left out, which have the rate 0 or an empty template",
            "give a signal process, one whose number is 0 or less, a rate above 0",
        )
    unused = [one for one in building.card.systematics if one.name not in present]
    building.notes += [
        f"{one.place}: {one.name} "
        + (
            "acts on no process with events"
            if one.effects
            else "changes nothing, since its effect is 1, 0 or - everywhere; it is left out"
        )
        for one in unused
    ]
    if building.empty:
        first, more = ", ".join(building.empty[:_MOST_NAMED]), len(building.empty) - _MOST_NAMED
        tail = f" and {more} more" if more > 0 else ""
        building.notes.append(f"left out, because they expect no event: {first}{tail}")


def _present(building: Building) -> set[str]:
    """Names of all modifiers of the workspace."""
    return {
        modifier["name"]
        for channel in building.channels
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }


def _settled(building: Building) -> tuple[str | None, tuple[Difference, ...]]:
    """Codes nearest to the card, and what differs at them and at those that are used otherwise."""
    curves = [one for kind, one in building.worst.items() if kind in {"lnN", "asymmetric lnN"}]
    exact = max((one.code1 for one in curves), default=0.0)
    usual = max((one.code4 for one in curves), default=0.0)
    interpolation = _EXACT_CODES if curves and exact <= usual else None
    found = [
        Difference(
            what=one.what + (f" ({one.number} in all; the largest)" if one.number > 1 else ""),
            parameter=one.parameter, place=one.place,
            size=one.code4 if interpolation is None else one.code1, size_default=one.code4,
        )
        for one in building.worst.values()
    ]  # fmt: skip
    return interpolation, (*found, *building.differences)


def _sidecar(building: Building, mass: str | None, interpolation: str | None) -> dict[str, Any]:
    card = building.card
    channels: dict[str, Any] = {}
    for channel in building.channels:
        name = channel["name"]
        channels[name] = {"label": name}
        if name in building.edges:
            channels[name]["edges"] = list(building.edges[name])
    made: dict[str, Any] = {"source": card.source, "format": "CMS Combine datacard"}
    if mass is not None:
        made["mass_gev"] = float(mass)
    if interpolation is not None:
        made["interpolation"] = interpolation
    sidecar: dict[str, Any] = {
        "schema": "darkstats.meta/1", "poi_label": POI, "channels": channels, "conversion": made,
    }  # fmt: skip
    names = _present(building) - card.frozen  # only free parameters have an impact
    groups = {
        group: [name for name in members if name in names] for group, members in card.groups.items()
    }
    if any(groups.values()):
        sidecar["groups"] = {group: members for group, members in groups.items() if members}
    return sidecar
