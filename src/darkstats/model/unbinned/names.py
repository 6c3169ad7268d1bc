"""What names mean in one analysis of an HS3 document: parameters, constants, functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError
from darkstats.model.unbinned.formulas import Formula, fold
from darkstats.workspace.hs3.expressions import (
    SPLIT,
    Binary,
    Call,
    Name,
    Node,
    Number,
    names_of,
    parse_expression,
    size_problem,
)

if TYPE_CHECKING:
    from darkstats.workspace.hs3 import Hs3Analysis, Hs3Document

__all__ = ["Names"]

Item = dict[str, Any]


class Names:
    """What names mean in one analysis: parameters, constants, functions.

    Parameters
    ----------
    document, analysis
        Where functions and parameters are looked up.
    constants
        Values that replace those of the document, for parameters that are constant there.
    """

    def __init__(
        self, document: Hs3Document, analysis: Hs3Analysis, constants: Mapping[str, float]
    ) -> None:
        self.source = document.source
        self.constants = {p.name: p.value for p in analysis.parameters if p.constant}
        self.constants.update(constants)
        self.floating = tuple(
            p for p in analysis.parameters if not p.constant and p.name not in constants
        )
        self.places = {p.name: n for n, p in enumerate(self.floating)}
        self.functions = {item["name"]: item for item in document.document.get("functions", [])}
        known = {p.name for p in analysis.parameters}
        for name in self.functions:
            if name in known:
                raise self.error(
                    f"{name!r} is a parameter and a function", "give one of them another name"
                )
        self._trees: dict[str, Node] = {}

    def error(self, problem: str, remedy: str = "") -> DocumentError:
        """An error about this document."""
        return DocumentError(problem, source=self.source, remedy=remedy)

    def tree(self, name: str, observables: Sequence[str] = ()) -> Node:
        """Tree of a name: parameters stay, constants and functions are put in."""
        if name in observables or name in self.places:
            return Name(name)
        if name in self.constants:
            return Number(self.constants[name])
        if name not in self.functions:
            raise self.error(
                f"{name!r} is no parameter, function or observable",
                "add it to the parameter points, or to the functions",
            )
        if name not in self._trees:
            self._resolve(name)
        return self._trees[name]

    def _resolve(self, name: str) -> None:
        """Make the trees of a function and of all that it needs, the innermost first."""
        waiting, opened = [name], set()
        while waiting:
            current = waiting[-1]
            if current in self._trees:
                waiting.pop()
                continue
            opened.add(current)
            inner = [one for one in self._needs(current) if one not in self._trees]
            for one in inner:
                if one in opened:
                    raise self.error(f"function {one!r} depends on itself")
            if inner:
                waiting.append(inner[0])
                continue
            label = f"function {current!r}"
            self._trees[current] = self.folded(self._function(self.functions[current]), label)
            opened.discard(current)
            waiting.pop()

    def _needs(self, name: str) -> list[str]:
        """Functions that a function names."""
        item = self.functions[name]
        if item["type"] == "generic_function":
            named = sorted(names_of(self.parsed(item)))
        else:
            parts = item.get("summands" if item["type"] == "sum" else "factors")
            named = [p for p in parts if isinstance(p, str)] if isinstance(parts, list) else []
        return [
            one
            for one in named
            if one in self.functions and one not in self.places and one not in self.constants
        ]

    def folded(self, node: Node, label: str) -> Node:
        """A tree with its constants computed, if it has a bearable size and all are finite."""
        problem = size_problem(node)
        if problem:
            raise self.error(f"{label} {problem}, with the functions in it put in", SPLIT)
        found = fold(node)
        left = [found]
        while left:
            one = left.pop()
            if isinstance(one, Number) and not math.isfinite(one.value):
                raise self.error(
                    f"{label} has a constant part that is not finite: {one.value}",
                    "look for divisions by zero, logarithms and roots of negative numbers, and "
                    "powers that overflow",
                )
            if isinstance(one, Binary):
                left += (one.right, one.left)
            elif isinstance(one, Call):
                left.append(one.argument)
        return found

    def _function(self, item: Item) -> Node:
        kind, name = item["type"], item["name"]
        if kind == "generic_function":
            return self.inlined(self.parsed(item), ())
        if kind in ("sum", "product"):
            parts = item.get("summands" if kind == "sum" else "factors")
            if not isinstance(parts, list) or not parts:
                raise self.error(f"function {name!r} has no parts")
            node = self.reference(parts[0])
            for part in parts[1:]:
                node = Binary("+" if kind == "sum" else "*", node, self.reference(part))
            return node
        raise self.error(
            f"function {name!r} is of type {kind!r}, which the unbinned layer does not read",
            "write it as generic_function, sum or product",
        )

    def parsed(self, item: Item) -> Node:
        """Tree of the expression of an item."""
        text = item.get("expression")
        if not isinstance(text, str):
            raise self.error(f"{item['name']!r} has no expression")
        return parse_expression(text, source=self.source, pointer=item["name"])

    def inlined(self, node: Node, observables: Sequence[str]) -> Node:
        """A parsed tree with constants and functions put in."""
        if isinstance(node, Name):
            return self.tree(node.name, observables)
        if isinstance(node, Call):
            return Call(node.function, self.inlined(node.argument, observables))
        if isinstance(node, Binary):
            return Binary(
                node.sign,
                self.inlined(node.left, observables),
                self.inlined(node.right, observables),
            )
        return node

    def reference(self, value: object, label: str = "a coefficient") -> Node:
        """Tree of a number or a name."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return Number(float(value))
            except OverflowError:
                raise self.error("an integer is too large for double precision") from None
        if isinstance(value, str):
            return self.tree(value)
        raise self.error(f"{label} is {value!r:.60}, neither a number nor a name")

    def formula(self, value: object, label: str = "a value") -> Formula:
        """Formula of a number or a name."""
        return self.of(self.reference(value, label), label)

    def of(self, node: Node, label: str = "a coefficient") -> Formula:
        """Formula of a tree of parameters."""
        return Formula(self.folded(node, label), self.places)
