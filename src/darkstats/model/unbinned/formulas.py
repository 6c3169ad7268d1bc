"""Formulas of parameters: yields, fractions, positions, widths; with exact derivatives."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.model.unbinned import jets
from darkstats.model.unbinned.jets import Jet
from darkstats.workspace.hs3.expressions import Binary, Call, Name, Node, Number, names_of

__all__ = ["ARITHMETIC", "Formula", "array_value", "fold", "number"]

_JET_FUNCTIONS: Mapping[str, Callable[[Jet], Jet]] = {
    "exp": jets.exp,
    "log": jets.log,
    "sqrt": jets.sqrt,
    "sin": jets.sin,
    "cos": jets.cos,
    "erf": jets.erf,
}
#: What the signs do to numbers, arrays, jets and tensors alike; powers are each one's own.
ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_ARRAY_FUNCTIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "erf": jets.erf_of,
}


def array_value(node: Node, values: Mapping[str, FloatArray]) -> FloatArray:
    """Value of a tree whose names stand for arrays that broadcast against each other."""
    if isinstance(node, Number):
        return np.asarray(node.value)
    if isinstance(node, Name):
        return np.asarray(values[node.name])
    if isinstance(node, Call):
        return _ARRAY_FUNCTIONS[node.function](array_value(node.argument, values))
    left, right = array_value(node.left, values), array_value(node.right, values)
    return np.asarray(ARITHMETIC.get(node.sign, operator.pow)(left, right))


def fold(node: Node) -> Node:
    """The same tree with everything computed that depends on no name."""
    if isinstance(node, Call):
        node = Call(node.function, fold(node.argument))
        constant = isinstance(node.argument, Number)
    elif isinstance(node, Binary):
        node = Binary(node.sign, fold(node.left), fold(node.right))
        constant = isinstance(node.left, Number) and isinstance(node.right, Number)
    else:
        return node
    if constant:
        with np.errstate(all="ignore"):
            return Number(float(array_value(node, {})))
    return node


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A tree of parameters, with the place of each parameter in the model."""

    node: Node
    places: Mapping[str, int] = field(repr=False)

    @property
    def variables(self) -> tuple[int, ...]:
        """Places of the parameters that it depends on, rising."""
        return tuple(sorted(self.places[name] for name in names_of(self.node)))

    @property
    def is_constant(self) -> bool:
        """Whether it depends on no parameter."""
        return isinstance(self.node, Number)

    def at(self, points: FloatArray) -> FloatArray:
        """Values. Shapes: [..., par] -> [...]."""
        with np.errstate(all="ignore"):  # a formula that does not exist at a point is not finite
            found = array_value(
                self.node, {name: points[..., self.places[name]] for name in names_of(self.node)}
            )
        return np.broadcast_to(found, points.shape[:-1])

    def jet(self, points: FloatArray, variables: tuple[int, ...]) -> Jet:
        """Jet with respect to the parameters at ``variables``. Shape of the points: [lane, par]."""
        with np.errstate(all="ignore"):
            return self._jet(self.node, points, variables)

    def _jet(self, node: Node, points: FloatArray, variables: tuple[int, ...]) -> Jet:
        if isinstance(node, Number):
            return jets.constant(node.value, len(points), len(variables))
        if isinstance(node, Name):
            place = self.places[node.name]
            return jets.variable(points[:, place], variables.index(place), len(variables))
        if isinstance(node, Call):
            return _JET_FUNCTIONS[node.function](self._jet(node.argument, points, variables))
        if isinstance(node.right, Number) and node.sign != "**":
            value = node.right.value
            left = self._jet(node.left, points, variables)
            if node.sign == "*":
                return left * value
            if node.sign == "/":
                return left * (1.0 / value)
            return left + (value if node.sign == "+" else -value)
        left = self._jet(node.left, points, variables)
        right = self._jet(node.right, points, variables)
        result: Jet = ARITHMETIC.get(node.sign, jets.power)(left, right)
        return result


def number(formula: Formula) -> float:
    """The value of a constant formula."""
    return float(formula.at(np.empty((1, 0)))[0])
