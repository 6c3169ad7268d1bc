"""Expressions as sums of (coefficient of parameters) times (function of observables)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from darkstats.model.unbinned.formulas import fold
from darkstats.workspace.hs3.expressions import Binary, Node, Number, names_of

__all__ = [
    "MOST_TERMS",
    "NotLinearError",
    "Terms",
    "TooManyTermsError",
    "collected_terms",
    "linear_terms",
    "polynomial_node",
]

#: Terms of an expression that is multiplied out.
MOST_TERMS = 1000

Terms = list[tuple[Node, Node]]  # (coefficient of parameters, function of observables)


class NotLinearError(Exception):
    """An expression in which parameters and observables do not separate."""


class TooManyTermsError(Exception):
    """An expression that has more than :data:`MOST_TERMS` terms when it is multiplied out."""


def linear_terms(node: Node, observables: frozenset[str]) -> Terms:
    """The tree as a sum of (coefficient of parameters) times (function of observables)."""
    names = names_of(node)
    if not names & observables:
        return [(node, Number(1.0))]
    if names <= observables:
        return [(Number(1.0), node)]
    if not isinstance(node, Binary):
        raise NotLinearError
    if node.sign in "+-":
        right = linear_terms(node.right, observables)
        if node.sign == "-":
            right = [(Binary("*", Number(-1.0), c), f) for c, f in right]
        return _bounded(linear_terms(node.left, observables) + right)
    if node.sign == "*":
        first, second = (linear_terms(one, observables) for one in (node.left, node.right))
        if len(first) * len(second) > MOST_TERMS:
            raise TooManyTermsError
        return [
            (fold(Binary("*", c, d)), fold(Binary("*", f, g))) for c, f in first for d, g in second
        ]
    if node.sign == "/":
        below = linear_terms(node.right, observables)
        if len(below) == 1:
            d, g = below[0]
            return [
                (fold(Binary("/", c, d)), fold(Binary("/", f, g)))
                for c, f in linear_terms(node.left, observables)
            ]
    if node.sign == "**" and isinstance(node.right, Number) and node.right.value in (2.0, 3.0, 4.0):
        rest = Binary("**", node.left, Number(node.right.value - 1.0))
        if node.right.value == 2.0:
            return linear_terms(Binary("*", node.left, node.left), observables)
        return linear_terms(Binary("*", node.left, rest), observables)
    raise NotLinearError


def _bounded(terms: Terms) -> Terms:
    if len(terms) > MOST_TERMS:
        raise TooManyTermsError
    return terms


def collected_terms(terms: Terms) -> Terms:
    """Terms with the same coefficient put together."""
    found: dict[Node, Node] = {}
    for coefficient, function in terms:
        key = fold(coefficient)
        found[key] = Binary("+", found[key], function) if key in found else function
    numbers = [key for key in found if isinstance(key, Number)]
    if len(numbers) > 1:
        total: Node | None = None
        for key in numbers:
            part = Binary("*", key, found.pop(key))
            total = part if total is None else Binary("+", total, part)
        assert total is not None
        found[Number(1.0)] = total
    return list(found.items())


def polynomial_node(kind: str, x: Node, coefficients: Sequence[Node]) -> Node:
    """Tree of a polynomial, or of a sum of Bernstein polynomials, with these coefficients."""
    n = len(coefficients) - 1
    total: Node | None = None
    for k, coefficient in enumerate(coefficients):
        power: Node = Binary("**", x, Number(float(k)))
        if kind == "bernstein_poly_dist":
            rest = Binary("**", Binary("-", Number(1.0), x), Number(float(n - k)))
            binomial = float(np.prod([(n - k + i) / i for i in range(1, k + 1)]))
            power = Binary("*", Number(round(binomial)), Binary("*", power, rest))
        part = Binary("*", coefficient, power)
        total = part if total is None else Binary("+", total, part)
    assert total is not None
    return total
