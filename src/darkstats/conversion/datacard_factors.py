"""``rateParam`` of a datacard: free factors, products, and factors with a Gaussian constraint."""

from __future__ import annotations

from darkstats.arrays import FloatArray
from darkstats.conversion.datacard import Column, RateFactor, Shape
from darkstats.conversion.datacard_draft import Building, Modifier, listed, named

__all__ = ["constraint_modifier", "constraint_of", "factor_parameter", "free_factors"]


def free_factors(column: Column, building: Building) -> list[RateFactor]:
    """Free parameters on the rate of a process, those of products included."""
    by_name = {one.name: one for one in building.card.rate_factors}
    here = [
        one for one in building.card.rate_factors if column.key in one.keys and one.mean is None
    ]
    return [by_name[name] for one in here for name in (one.factors if one.factors else (one.name,))]


def factor_parameter(factor: RateFactor, building: Building) -> None:
    """Declare a free factor with its initial value and its range.

    Raises
    ------
    CardError
        The value is outside the range, or needs one.
    """
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


def constraint_of(column: Column, building: Building) -> RateFactor | None:
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
            f"the constrained rateParam stands beside {what}, on {named(column)}: variations of a "
            "workspace add, and do not multiply",
            "write lnN in its place: 1 + error/mean, and the mean into the rate", key=found[0].name,
        )  # fmt: skip
    return found[0]


def constraint_modifier(factor: RateFactor, nominal: FloatArray, building: Building) -> Modifier:
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
        "lo_data": listed(nominal * (1.0 - error / mean)),
        "hi_data": listed(nominal * (1.0 + error / mean)),
    }
    return {"name": factor.name, "type": "histosys", "data": data}
