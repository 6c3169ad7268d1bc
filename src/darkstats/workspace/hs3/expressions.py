"""The arithmetic that an HS3 document may hold: parsed by a grammar of our own, never executed.

``generic_function`` and ``generic_dist`` carry an expression as text. Other readers hand it to an
interpreter; here it becomes a tree of numbers, names, ``+ - * / **`` (or ``^``) and a few smooth
functions, and anything else is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from darkstats.errors import DocumentError

__all__ = [
    "FUNCTIONS",
    "SPLIT",
    "Binary",
    "Call",
    "Name",
    "Node",
    "Number",
    "names_of",
    "parse_expression",
    "size_problem",
]

#: Smooth functions of one argument.
FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "erf")

#: What to do about a tree that is too deep.
SPLIT = "split long sums and products with parentheses into parts of at most a hundred terms"

_LONGEST = 20_000  # characters
_DEEPEST = 60  # parentheses and powers within each other
_DEEPEST_TREE = 200  # operations within each other: a sum of n terms has n - 1
_MOST_OPERATIONS = 20_000
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\*\*|[-+*/^()]))"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter, a function or an observable."""

    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    """``left sign right`` with sign one of ``+ - * / **``."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    """One of :data:`FUNCTIONS` of an argument."""

    function: str
    argument: Node


Node: TypeAlias = Number | Name | Binary | Call


def names_of(node: Node) -> frozenset[str]:
    """Names in a tree."""
    found = set()
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, Name):
            found.add(one.name)
        elif isinstance(one, Binary):
            left += (one.left, one.right)
        elif isinstance(one, Call):
            left.append(one.argument)
    return frozenset(found)


def size_problem(node: Node) -> str:
    """What is wrong with the size of a tree, or nothing: every walk but this one recurses."""
    n = 0
    left = [(node, 0)]
    while left:
        one, depth = left.pop()
        if depth > _DEEPEST_TREE:
            return f"has more than {_DEEPEST_TREE} operations within each other"
        if isinstance(one, Binary):
            left += ((one.right, depth + 1), (one.left, depth + 1))
        elif isinstance(one, Call):
            left.append((one.argument, depth + 1))
        else:
            continue
        n += 1
        if n > _MOST_OPERATIONS:
            return f"has more than {_MOST_OPERATIONS} operations"
    return ""


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, source: str, pointer: str | None) -> None:
        self.text, self.source, self.pointer = text, source, pointer
        if len(text) > _LONGEST:
            raise self.error(f"has {len(text)} characters, more than {_LONGEST}")
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.error(f"cannot be read from {text[at:].strip()[:20]!r} on")
            kind = found.lastgroup or ""
            self.tokens.append((kind, found.group(kind)))
            at = found.end()
        self.at = 0
        self.depth = 0

    def error(self, problem: str) -> DocumentError:
        shown = self.text if len(self.text) <= 60 else f"{self.text[:57]}..."
        return DocumentError(
            f"the expression {shown!r} {problem}",
            source=self.source,
            pointer=self.pointer,
            remedy=f"use numbers, names, + - * / **, parentheses and {', '.join(FUNCTIONS)}",
        )

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise self.error("ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error("nests too deeply")
        node = self.product()
        while self.peek() in ("+", "-"):
            sign = self.take()[1]
            node = Binary(sign, node, self.product())
        self.depth -= 1
        return node

    def product(self) -> Node:
        node = self.signed()
        while self.peek() in ("*", "/"):
            sign = self.take()[1]
            node = Binary(sign, node, self.signed())
        return node

    def signed(self) -> Node:
        negative = False
        while self.peek() in ("+", "-"):
            negative ^= self.take()[1] == "-"
        node = self.power()
        return Binary("*", Number(-1.0), node) if negative else node

    def power(self) -> Node:
        base = self.atom()
        if self.peek() not in ("**", "^"):
            return base
        self.take()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error("nests too deeply")
        exponent = self.signed()  # binds to the right, as everywhere
        self.depth -= 1
        return Binary("**", base, exponent)

    def atom(self) -> Node:
        kind, word = self.take()
        if kind == "number":
            value = float(word)
            if not math.isfinite(value):
                raise self.error(f"has {word!r}, which is out of range")
            return Number(value)
        if kind == "name":
            if self.peek() != "(":
                return Name(word)
            if word not in FUNCTIONS:
                raise self.error(f"calls {word!r}, which is no known function")
            self.take()
            argument = self.sum()
            self.close()
            return Call(word, argument)
        if word != "(":
            raise self.error(f"has {word!r} where a number or a name should be")
        node = self.sum()
        self.close()
        return node

    def close(self) -> None:
        if self.take()[1] != ")":
            raise self.error("has no closing parenthesis where one should be")


def parse_expression(text: str, *, source: str = "", pointer: str | None = None) -> Node:
    """Return the tree of an expression.

    Raises
    ------
    DocumentError
        It is no arithmetic of numbers, names and known functions.

    Examples
    --------
    >>> sorted(names_of(parse_expression("yield_s * exp(0.08 * alpha)")))
    ['alpha', 'yield_s']
    """
    parser = _Parser(text, source, pointer)
    node = parser.sum()
    if parser.at < len(parser.tokens):
        raise parser.error(f"goes on with {parser.peek()!r} after its end")
    problem = size_problem(node)
    if problem:
        raise DocumentError(
            f"the expression {text[:57]!r}... {problem}",
            source=source,
            pointer=pointer,
            remedy=SPLIT,
        )
    return node
