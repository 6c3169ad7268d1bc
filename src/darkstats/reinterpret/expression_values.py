"""Values of expressions, and the power with which a name enters one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from darkstats.workspace.hs3.expressions import Call, Name, Node, Number, names_of

__all__ = ["power_of", "value_of"]

_FUNCTIONS = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
    "erf": math.erf,
}  # fmt: skip


def value_of(node: Node, values: Mapping[str, float]) -> float:
    """Value of an expression; ``nan`` where it has none."""
    try:
        return _value(node, values)
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def _value(node: Node, values: Mapping[str, float]) -> float:  # noqa: PLR0911 -- case by case
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return values[node.name]
    if isinstance(node, Call):
        return _FUNCTIONS[node.function](_value(node.argument, values))
    left, right = _value(node.left, values), _value(node.right, values)
    if node.sign == "+":
        return left + right
    if node.sign == "-":
        return left - right
    if node.sign == "*":
        return left * right
    if node.sign == "/":
        return left / right
    found = left**right
    return math.nan if isinstance(found, complex) else found


def power_of(node: Node, name: str) -> float | None:  # noqa: PLR0911 -- case by case
    """Power with which a name enters an expression; None where it is no single power.

    Examples
    --------
    >>> from darkstats.workspace.hs3.expressions import parse_expression
    >>> power_of(parse_expression("12.3 * g**2 / m**2"), "g")
    2.0
    >>> power_of(parse_expression("g**2 + g**4"), "g") is None
    True
    """
    if isinstance(node, Number) or name not in names_of(node):
        return 0.0
    if isinstance(node, Name):
        return 1.0
    if isinstance(node, Call):
        inner = power_of(node.argument, name)
        if node.function == "sqrt" and inner is not None:
            return inner / 2.0
        return 0.0 if inner == 0.0 else None
    left, right = power_of(node.left, name), power_of(node.right, name)
    if left is None or right is None:
        return None
    if node.sign in "+-":
        return left if left == right else None
    if node.sign == "*":
        return left + right
    if node.sign == "/":
        return left - right
    if name in names_of(node.right) or (left != 0.0 and names_of(node.right)):
        return None
    found = left * value_of(node.right, {})
    return found if math.isfinite(found) else None
