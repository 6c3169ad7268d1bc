"""Densities that cannot be normalised are refused: those that vanish, or are negative, in total."""

from __future__ import annotations

import math

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.model.unbinned import jets
from darkstats.model.unbinned.fixed import Fixed, nodes_on
from darkstats.model.unbinned.formulas import Formula, number
from darkstats.model.unbinned.names import Names
from darkstats.model.unbinned.shapes import LogFactor, integral_jet

__all__ = ["check_integral", "check_shape"]

Axes = tuple[tuple[str, float, float], ...]  # name, lower and upper end
Factor = tuple[tuple[Formula, Fixed], ...]


def check_integral(names: Names, axes: Axes, name: str, factor: Factor) -> None:
    """A factor that no parameter changes needs a positive integral to be normalised by."""
    if not all(coefficient.is_constant for coefficient, _ in factor):
        return
    x, weights = _mesh(axes)
    values, total = np.zeros(len(weights)), 0.0
    with np.errstate(all="ignore"):
        for coefficient, function in factor:
            values += number(coefficient) * function.values(x)
            total += number(coefficient) * function.integral
    size = float((weights * np.abs(values)).sum()) / float(weights.sum())
    for dim, (_, low, high) in enumerate(axes):
        if any(dim in function.dims for _, function in factor):
            size *= high - low
    _refuse(names, axes, name, total, size)


def check_shape(names: Names, axes: Axes, name: str, shape: LogFactor) -> None:
    """A shape that floats needs a density in the range where a fit begins."""
    point = np.array([[parameter.value for parameter in names.floating]])
    with np.errstate(all="ignore"):
        slots = [jets.constant(float(slot.at(point)[0]), 1, 0) for slot in shape.slots]
        total = float(integral_jet(shape.op, slots, shape.low, shape.high).value[0])
    _refuse(names, axes, f"{name} (at the starting values)", total, 0.0)


def _refuse(names: Names, axes: Axes, name: str, total: float, size: float) -> None:
    ranges = " and ".join(f"{low:g} <= {o} <= {high:g}" for o, low, high in axes)
    if total > max(1e-13 * size, 1e-300) and math.isfinite(total):
        return
    if abs(total) <= max(1e-13 * size, 1e-300) and size <= 1e-300:
        problem, remedy = "vanishes", "check its position, its width and the units"
    else:
        problem = f"has the integral {total:.3g}"
        remedy = "a density is positive: write one that is"
    raise names.error(f"distribution {name!r} {problem} in {ranges}", remedy)


def _mesh(axes: Axes) -> tuple[FloatArray, FloatArray]:
    """Points [dim, node] and weights [node] that cover the ranges."""
    nodes = [nodes_on(np.linspace(low, high, 9)) for _, low, high in axes]
    mesh = np.meshgrid(*(x for x, _ in nodes), indexing="ij")
    weights = np.ones(())
    for _, w in nodes:
        weights = np.multiply.outer(weights, w)
    return np.stack([part.ravel() for part in mesh]), weights.ravel()
