"""``lnN`` and ``shape`` of a datacard, and how far the workspace is from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.conversion.combine_curves import (
    Distance,
    lognormal_distance,
    vertical_distance,
    vertical_logarithmic,
)
from darkstats.conversion.datacard import Column, LogNormal, Shape, Systematic
from darkstats.conversion.datacard_draft import Building, Modifier, listed, named
from darkstats.workspace.modifier_checks import LARGEST_FACTOR, SMALLEST_FACTOR

__all__ = [
    "lognormal_modifier",
    "responses_of",
    "shape_modifiers",
    "smooth_region",
    "variations_of",
]

_ROUNDING = 1e-9  # of a yield
_NO_YIELD = 1e-3  # Combine leaves out changes of the sum of templates below


def lognormal_modifier(one: Systematic, effect: LogNormal, building: Building) -> Modifier:
    """A normsys of the same two factors.

    Raises
    ------
    CardError
        They are absurdly far from 1.
    """
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


def smooth_region(column: Column, building: Building) -> float:
    """Smallest scale of the shapes of a process, at most 1: Combine smooths all within it."""
    scales = [
        effect.scale
        for one in building.card.systematics
        if isinstance(effect := one.effects.get(column.key), Shape)
    ]
    return min([1.0, *scales])


def shape_modifiers(
    one: Systematic,
    effect: Shape,
    column: Column,
    nominal: FloatArray,
    region: float,
    *,
    building: Building,
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
                f"no templates {effect.template}Down and {effect.template}Up of {named(column)}",
                "give them, with $SYSTEMATIC in the line of shapes; or write - in this column",
                key=one.name,
            )  # fmt: skip
        return [lognormal_modifier(one, effect.otherwise, building)]
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
            modifiers.append(lognormal_modifier(one, ratios, building))
        down, up = down / sums[0], up / sums[1]
    _shape_difference(one, effect, (nominal, down, up), region, building)
    low, high = (_scaled(nominal, varied, effect) for varied in (down, up))
    if not (np.allclose(low, nominal, rtol=1e-12) and np.allclose(high, nominal, rtol=1e-12)):
        data = {"lo_data": listed(low), "hi_data": listed(high)}
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
    building: Building,
) -> None:
    curve = vertical_logarithmic if effect.logarithmic else vertical_distance
    size = curve(*templates, scale=effect.scale, region=region)
    if effect.logarithmic:
        what = "shapeN interpolates logarithms of the fractions; a histosys adds events"
    else:
        what = (
            "shape of a scale that is not the smallest, or above 1: Combine smooths it within the "
            "smallest scale, and cuts what falls below zero"
        )
    if size > _ROUNDING or effect.logarithmic:
        kind = "shapeN" if effect.logarithmic else "scaled shape"
        building.differ(kind, what, one, Distance(size, size))


def variations_of(modifiers: Sequence[Modifier], nominal: FloatArray) -> Mapping[str, FloatArray]:
    """Largest change of the yields at one standard deviation of each histosys, by name."""
    return {
        one["name"]: np.maximum(
            *(np.abs(np.array(one["data"][side]) - nominal) for side in ("lo_data", "hi_data"))
        )
        for one in modifiers
        if one["type"] == "histosys"
    }


def responses_of(column: Column, building: Building) -> Mapping[str, tuple[float, float]]:
    """Ratios of the yield at -1 and +1 of each log-normal, by name."""
    return {
        one.name: (effect.low, effect.high)
        for one in building.card.systematics
        if isinstance(effect := one.effects.get(column.key), LogNormal)
    }
