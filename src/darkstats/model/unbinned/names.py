"""What names mean in one analysis of an HS3 document: parameters, constants, functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError
from darkstats.model.unbinned.formulas import Formula, fold
from darkstats.workspace.hs3_expressions import (
    Binary,
    Call,
    Name,
    Node,
    Number,
    parse_expression,
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
        self._trees: dict[str, Node] = {}
        self._open: set[str] = set()

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
            if name in self._open:
                raise self.error(f"function {name!r} depends on itself")
            self._open.add(name)
            self._trees[name] = fold(self._function(self.functions[name]))
            self._open.discard(name)
        return self._trees[name]

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

    def reference(self, value: object) -> Node:
        """Tree of a number or a name."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return Number(float(value))
        if isinstance(value, str):
            return self.tree(value)
        raise self.error(f"{value!r} is neither a number nor a name")

    def formula(self, value: object) -> Formula:
        """Formula of a number or a name."""
        return self.of(self.reference(value))

    def of(self, node: Node) -> Formula:
        """Formula of a tree of parameters."""
        return Formula(fold(node), self.places)
