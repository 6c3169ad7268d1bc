"""A workspace of a datacard: each line as the modifier that states it.

====================  ==============================================================================
``lnN``               ``normsys``; exact with ``normsys=code1`` where one number is given
``shape``             ``histosys`` of templates of the nominal sum, and ``normsys`` of the sums
``gmN``               ``shapesys`` of one bin of one process; else a control channel of N events
``rateParam``         ``normfactor``; a product has one for each of its parameters
``autoMCStats``       ``staterror``, ``shapesys`` where few events are behind a bin
signal processes      ``normfactor`` r
====================  ==============================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.conversion.combine_curves import (
    Distance,
    lognormal_distance,
    vertical_distance,
    vertical_logarithmic,
)
from darkstats.conversion.converted import Conversion, Difference
from darkstats.conversion.datacard import (
    Column,
    Datacard,
    Gamma,
    LogNormal,
    Place,
    RateFactor,
    Shape,
    Systematic,
)
from darkstats.conversion.datacard_statistics import Part, statistical_modifiers
from darkstats.conversion.datacard_templates import DATA, Templates
from darkstats.workspace import Workspace
from darkstats.workspace.modifier_checks import LARGEST_FACTOR, SMALLEST_FACTOR

__all__ = ["convert_datacard"]

_POI = "r"
_POI_RANGE = (0.0, 20.0)  # Combine's own
_SUM_TOLERANCE = 0.01  # of a rate beside its template: as Combine's
_GAMMA_TOLERANCE = 0.05  # of a rate beside N times alpha: as Combine's
_ROUNDED = 1e-4  # differences below come from the digits that were written
_NO_YIELD = 1e-3  # Combine leaves out changes of the sum of templates below
_EXACT_CODES = "normsys=code1,histosys=code4p"

Modifier = dict[str, Any]


@dataclass(slots=True)
class _Worst:
    """The largest difference of one kind, and how many there are."""

    what: str
    number: int = 0
    parameter: str = ""
    place: str = ""
    code1: float = 0.0
    code4: float = 0.0

    def add(self, name: str, place: Place, distance: Distance) -> None:
        self.number += 1
        if self.number == 1 or max(distance.code1, distance.code4) > max(self.code1, self.code4):
            self.parameter, self.place = name, str(place)
            self.code1, self.code4 = distance.code1, distance.code4


@dataclass(slots=True)
class _Building:
    card: Datacard
    templates: Templates
    own_statistics: bool
    channels: list[dict[str, Any]] = field(default_factory=list)
    observations: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: dict[str, tuple[float, ...]] = field(default_factory=dict)
    worst: dict[str, _Worst] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    controls: dict[str, Systematic] = field(default_factory=dict)

    def differ(self, kind: str, what: str, one: Systematic, distance: Distance) -> None:
        self.worst.setdefault(kind, _Worst(what)).add(one.name, one.place, distance)


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
    building = _Building(card, Templates(card, mass), statistics == "own")
    _find_controls(building)
    for name, count in card.bins.items():
        _channel(name, count, building)
    for systematic in building.controls.values():
        _control(systematic, building)
    _measurement(building)
    document = {
        "channels": building.channels,
        "observations": building.observations,
        "measurements": [
            {
                "name": "combine",
                "config": {"poi": _POI, "parameters": list(building.parameters.values())},
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


# ------------------------------------------------------------------------------------- the channels


def _channel(name: str, count: float | None, building: _Building) -> None:
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
            continue
        constraint = _constraint(column, building)
        if constraint is not None and constraint.mean is not None:
            nominal = nominal * constraint.mean
            errors = None if errors is None else errors * constraint.mean
        modifiers = _modifiers(column, nominal, building)
        variations = _variations(modifiers, nominal)
        if constraint is not None:
            modifiers.append(_constraint_modifier(constraint, nominal, building))
        samples.append({"name": column.process, "data": _listed(nominal), "modifiers": modifiers})
        scale = math.prod(
            one.initial for one in _free_factors(column, building) if one.initial is not None
        )
        parts.append(
            Part(
                process=column.process, is_signal=column.is_signal, nominal=nominal,
                errors=errors, scale=scale, responses=_responses(column, building),
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


def _observed(name: str, count: float | None, building: _Building, counting: bool) -> list[float]:
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
    return _listed(data.values)


def _yields(
    column: Column, building: _Building, *, counting: bool
) -> tuple[FloatArray | None, FloatArray | None]:
    """Nominal yields and absolute errors of simulation; None for a process without events."""
    place = building.card.place
    gamma = _gamma(column, building)
    rate = column.rate
    if gamma is not None:
        rate = _gamma_rate(column, gamma, building)
    if rate == 0.0:
        return None, None
    if counting:
        if rate is None:
            place.refuse(f"{_named(column)} has the rate -1 and no template", "write the rate")
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
            f"{_named(column)} has the rate {rate:g}, and {found.place} has {total:g} events",
            "correct one of them, or write -1 for the sum of the histogram",
        )
    if abs(total - rate) > _ROUNDED * rate:
        building.notes.append(
            f"{found.place}: scaled from {total:.6g} events to the rate {rate:.6g}"
        )
    factor = rate / total
    return found.values * factor, None if found.errors is None else found.errors * factor


def _named(column: Column) -> str:
    return f"{column.process} in bin {column.bin}"


def _listed(values: FloatArray) -> list[float]:
    return [float(value) for value in values]


# ---------------------------------------------------------------------------------- gamma functions


def _gamma(column: Column, building: _Building) -> tuple[Systematic, Gamma] | None:
    found = [
        (one, effect)
        for one in building.card.systematics
        if isinstance(effect := one.effects.get(column.key), Gamma)
    ]
    if len(found) > 1:
        found[1][0].place.refuse(
            f"a second gmN on {_named(column)}, after {found[0][0].name}", "keep one of them"
        )
    return found[0] if found else None


def _gamma_rate(column: Column, gamma: tuple[Systematic, Gamma], building: _Building) -> float:
    """Events of a process by its control region; for one event where that has none."""
    one, effect = gamma
    count = one.count or 0
    wanted = count * effect.ratio
    rate = column.rate
    if rate is not None and abs(rate - wanted) > _GAMMA_TOLERANCE * max(
        wanted, effect.ratio * (not count)
    ):
        one.place.refuse(
            f"{_named(column)} has the rate {rate:g}, and {count} events times "
            f"{effect.ratio:g} are {wanted:g}",
            "write the product into the line of rates", key=one.name,
        )  # fmt: skip
    if rate is not None and count and abs(rate - wanted) > _ROUNDED * wanted:
        building.notes.append(
            f"{one.place}: {_named(column)} expects {count} times {effect.ratio:g} = {wanted:g} "
            f"events, not the rate {rate:g}; so does Combine"
        )
    return wanted if count else effect.ratio


def _find_controls(building: _Building) -> None:
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


def _control(one: Systematic, building: _Building) -> None:
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


# ---------------------------------------------------------------------------------------- modifiers


def _modifiers(column: Column, nominal: FloatArray, building: _Building) -> list[Modifier]:
    found: list[Modifier] = []
    if column.is_signal:
        found.append({"name": _POI, "type": "normfactor", "data": None})
    for factor in _free_factors(column, building):
        if any(modifier["name"] == factor.name for modifier in found):
            factor.place.refuse(
                f"{factor.name} acts twice on {_named(column)}",
                "a workspace has no powers: name it once", key=factor.name,
            )  # fmt: skip
        found.append({"name": factor.name, "type": "normfactor", "data": None})
        _factor_parameter(factor, building)
    region = _smooth_region(column, building)
    for one in building.card.systematics:
        effect = one.effects.get(column.key)
        if isinstance(effect, LogNormal):
            found.append(_lognormal(one, effect, building))
        elif isinstance(effect, Shape):
            found += _shape(one, effect, column, nominal, region, building=building)
        elif isinstance(effect, Gamma):
            found.append(_gamma_modifier(one, nominal, building))
    return found


def _gamma_modifier(one: Systematic, nominal: FloatArray, building: _Building) -> Modifier:
    if one.name in building.controls:
        return {"name": one.name, "type": "normfactor", "data": None}
    count = one.count or 0
    building.parameters[one.name] = {"name": one.name, "bounds": [[1e-10, _gamma_range(count)]]}
    data = _listed(nominal / math.sqrt(count))
    return {"name": one.name, "type": "shapesys", "data": data}


def _free_factors(column: Column, building: _Building) -> list[RateFactor]:
    """Free parameters on the rate of a process, those of products included."""
    by_name = {one.name: one for one in building.card.rate_factors}
    here = [
        one for one in building.card.rate_factors if column.key in one.keys and one.mean is None
    ]
    return [by_name[name] for one in here for name in (one.factors if one.factors else (one.name,))]


def _constraint(column: Column, building: _Building) -> RateFactor | None:
    """The rate parameter with a Gaussian constraint on a process: a histosys states one alone."""
    found = [
        one for one in building.card.rate_factors if column.key in one.keys and one.mean is not None
    ]
    if not found:
        return None
    shapes = any(
        isinstance(one.effects.get(column.key), Shape) for one in building.card.systematics
    )
    if len(found) > 1 or shapes:
        what = "a shape uncertainty" if shapes else f"{found[1].name}, which is constrained, too"
        found[0].place.refuse(
            f"the constrained rateParam stands beside {what}, on {_named(column)}: variations of a "
            "workspace add, and do not multiply",
            "write lnN in its place: 1 + error/mean, and the mean into the rate", key=found[0].name,
        )  # fmt: skip
    return found[0]


def _constraint_modifier(factor: RateFactor, nominal: FloatArray, building: _Building) -> Modifier:
    """A factor mean + error theta, theta of a unit Gaussian, as a linear variation."""
    mean, error = factor.mean or 1.0, factor.error or 1.0
    low, high = -min(5.0, mean / error), 5.0  # the yield stays above zero
    if factor.bounds is not None:
        low = max(low, (factor.bounds[0] - mean) / error)
        high = min(high, (factor.bounds[1] - mean) / error)
    if not low < 0.0 < high:
        factor.place.refuse(
            f"the mean {mean:g} is outside the range, or at its end", key=factor.name
        )
    if factor.name not in building.parameters:
        building.parameters[factor.name] = {"name": factor.name, "bounds": [[low, high]]}
        building.notes.append(
            f"{factor.place}: {factor.name} counts errors of {error:g} from {mean:g}, and its mean "
            "is in the rates"
        )
    data = {
        "lo_data": _listed(nominal * (1.0 - error / mean)),
        "hi_data": _listed(nominal * (1.0 + error / mean)),
    }
    return {"name": factor.name, "type": "histosys", "data": data}


def _factor_parameter(factor: RateFactor, building: _Building) -> None:
    if factor.name in building.parameters:
        return
    initial, bounds = factor.initial or 0.0, factor.bounds
    if bounds is None:
        if initial <= 0.0:
            factor.place.refuse(
                f"the initial value {initial:g} without a range", "write [MIN,MAX]", key=factor.name
            )
        bounds = (0.0, 10.0 * max(1.0, initial))
        building.notes.append(
            f"{factor.place}: {factor.name} has no range; it is written from 0 to {bounds[1]:g}"
        )
    if not bounds[0] <= initial <= bounds[1]:
        factor.place.refuse(f"the initial value {initial:g} is outside the range", key=factor.name)
    building.parameters[factor.name] = {
        "name": factor.name, "inits": [initial], "bounds": [list(bounds)],
    }  # fmt: skip


def _lognormal(one: Systematic, effect: LogNormal, building: _Building) -> Modifier:
    if (
        not SMALLEST_FACTOR
        <= min(effect.low, effect.high)
        <= max(effect.low, effect.high)
        <= LARGEST_FACTOR
    ):
        one.place.refuse(
            f"the factors {effect.low:g} and {effect.high:g} are absurdly far from 1",
            "write the ratio of the varied to the nominal yield, such as 0.95/1.05", key=one.name,
        )  # fmt: skip
    symmetric = math.isclose(effect.low * effect.high, 1.0, rel_tol=1e-12)
    distance = lognormal_distance(effect.low, effect.high)
    if symmetric:
        building.differ(
            "lnN", "lnN of one number, kappa**theta, is exact with normsys=code1", one,
            replace(distance, code1=0.0),
        )  # fmt: skip
    else:
        building.differ(
            "asymmetric lnN",
            "lnN of two numbers: Combine smooths it within half a standard deviation, code1 has a "
            "kink at 0, code4 is smooth within one",
            one, distance,
        )  # fmt: skip
    return {
        "name": one.name, "type": "normsys", "data": {"lo": effect.low, "hi": effect.high},
    }  # fmt: skip


def _smooth_region(column: Column, building: _Building) -> float:
    """Smallest scale of the shapes of a process: Combine smooths all of them within it."""
    scales = [
        effect.scale
        for one in building.card.systematics
        if isinstance(effect := one.effects.get(column.key), Shape)
    ]
    return min(scales, default=1.0)


def _shape(
    one: Systematic,
    effect: Shape,
    column: Column,
    nominal: FloatArray,
    region: float,
    *,
    building: _Building,
) -> list[Modifier]:
    """Templates of the nominal sum as a histosys, and their sums as a normsys."""
    pair = (
        None
        if building.templates.is_counting(column.bin)
        else building.templates.varied(column.process, column.bin, effect.template, one.place)
    )
    if pair is None:
        if effect.otherwise is None:
            one.place.refuse(
                f"no templates {effect.template}Down and {effect.template}Up of {_named(column)}",
                "give them, with $SYSTEMATIC in the line of shapes; or write - in this column",
                key=one.name,
            )  # fmt: skip
        return [_lognormal(one, effect.otherwise, building)]
    base = float(building.templates.nominal(column.process, column.bin).values.sum())
    down, up = (template.values * (nominal.sum() / base) for template in pair)
    statistics = building.card.statistics.get(column.bin)
    total = float(nominal.sum())
    sums = [float(varied.sum()) / total for varied in (down, up)]
    for value, template in zip(sums, pair, strict=True):
        if value <= 0.0:
            one.place.refuse(f"{template.place} has no events", "give a template", key=one.name)
    modifiers: list[Modifier] = []
    if statistics is None or not statistics.in_shape:
        if max(abs(value - 1.0) for value in sums) >= _NO_YIELD:
            ratios = LogNormal(sums[0] ** effect.scale, sums[1] ** effect.scale)
            modifiers.append(_lognormal(one, ratios, building))
        down, up = down / sums[0], up / sums[1]
    _shape_difference(one, effect, (nominal, down, up), region, building)
    low, high = (_scaled(nominal, varied, effect) for varied in (down, up))
    if not (np.allclose(low, nominal, rtol=1e-12) and np.allclose(high, nominal, rtol=1e-12)):
        data = {"lo_data": _listed(low), "hi_data": _listed(high)}
        modifiers.insert(0, {"name": one.name, "type": "histosys", "data": data})
    return modifiers


def _scaled(nominal: FloatArray, varied: FloatArray, effect: Shape) -> FloatArray:
    """Template at one standard deviation of a parameter that is scaled first."""
    if effect.scale == 1.0:
        return varied
    if not effect.logarithmic:
        return nominal + effect.scale * (varied - nominal)
    filled = (nominal > 0.0) & (varied > 0.0)
    ratio = np.where(filled, varied, 1.0) / np.where(filled, nominal, 1.0)
    found = np.where(filled, nominal * ratio**effect.scale, nominal)
    return np.asarray(found * (nominal.sum() / found.sum()), dtype=np.float64)


def _shape_difference(
    one: Systematic,
    effect: Shape,
    templates: tuple[FloatArray, FloatArray, FloatArray],
    region: float,
    building: _Building,
) -> None:
    curve = vertical_logarithmic if effect.logarithmic else vertical_distance
    size = curve(*templates, scale=effect.scale, region=region)
    if effect.logarithmic:
        what = "shapeN interpolates logarithms of the fractions; a histosys adds events"
    else:
        what = "shape beside others of a smaller scale is smoothed within that scale by Combine"
    if size > 1e-12 or effect.logarithmic:
        kind = "shapeN" if effect.logarithmic else "scaled shape"
        building.differ(kind, what, one, Distance(size, size))


def _variations(modifiers: Sequence[Modifier], nominal: FloatArray) -> Mapping[str, FloatArray]:
    """Largest change of the yields at one standard deviation of each histosys, by name."""
    return {
        one["name"]: np.maximum(
            *(np.abs(np.array(one["data"][side]) - nominal) for side in ("lo_data", "hi_data"))
        )
        for one in modifiers
        if one["type"] == "histosys"
    }


def _responses(column: Column, building: _Building) -> Mapping[str, tuple[float, float]]:
    """Ratios of the yield at -1 and +1 of each log-normal, by name."""
    return {
        one.name: (effect.low, effect.high)
        for one in building.card.systematics
        if isinstance(effect := one.effects.get(column.key), LogNormal)
    }


# --------------------------------------------------------------------------------- the whole of it


def _measurement(building: _Building) -> None:
    parameters = building.parameters
    parameters[_POI] = {"name": _POI, "inits": [1.0], "bounds": [list(_POI_RANGE)]}
    present = _present(building)
    for name in [name for name in parameters if name not in present]:
        if name != _POI:
            del parameters[name]
    for name in sorted(building.card.frozen & present):
        entry = parameters.setdefault(name, {"name": name})
        entry["fixed"] = True
    unused = [one for one in building.card.systematics if one.name not in present]
    building.notes += [f"{one.place}: {one.name} acts on no process with events" for one in unused]


def _present(building: _Building) -> set[str]:
    """Names of all modifiers of the workspace."""
    return {
        modifier["name"]
        for channel in building.channels
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }


def _settled(building: _Building) -> tuple[str | None, tuple[Difference, ...]]:
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


def _sidecar(building: _Building, mass: str | None, interpolation: str | None) -> dict[str, Any]:
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
        "schema": "darkstats.meta/1", "poi_label": _POI, "channels": channels, "conversion": made,
    }  # fmt: skip
    names = _present(building) - card.frozen  # only free parameters have an impact
    groups = {
        group: [name for name in members if name in names] for group, members in card.groups.items()
    }
    if any(groups.values()):
        sidecar["groups"] = {group: members for group, members in groups.items() if members}
    return sidecar
