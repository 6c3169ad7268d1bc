"""Expressions of the columns of events: variables, weights, selections. Parsed, never executed.

The notation is Python's: numbers, names of columns, ``+ - * / % **``, comparisons, ``and``, ``or``,
``not`` and the functions in :data:`FUNCTIONS`. The parser of Python makes the tree and nothing
runs it: each node that is not listed here is refused. Column names with dots (``jet.pt``) are
written as they are, others in quotes (``'my-branch'``).

A comparison with a value that is no number (NaN) is neither true nor false. It is carried on as
unknown (S. C. Kleene, J. Symb. Log. 3 (1938) 150): ``n_jets > 0 and jet_pt > 30`` is false for an
event without jets, whatever its ``jet_pt``.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from darkstats.arrays import BoolArray, FloatArray
from darkstats.errors import OptionError

__all__ = ["FUNCTIONS", "Expression", "Truth", "all_hold", "parsed"]

#: Functions of numbers, by name, with the number of their arguments.
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int]] = {
    "abs": (np.abs, 1), "sqrt": (np.sqrt, 1), "exp": (np.exp, 1), "log": (np.log, 1),
    "log10": (np.log10, 1), "sin": (np.sin, 1), "cos": (np.cos, 1), "tan": (np.tan, 1),
    "sinh": (np.sinh, 1), "cosh": (np.cosh, 1), "tanh": (np.tanh, 1), "atan2": (np.arctan2, 2),
    "hypot": (np.hypot, 2), "min": (np.minimum, 2), "max": (np.maximum, 2), "where": (np.where, 3),
}  # fmt: skip

_LONGEST = 2_000  # characters
_MOST_NODES = 1_000
_DEEPEST = 60
_ARITHMETIC: Mapping[type, Callable[..., Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power, ast.Mod: np.mod,
}  # fmt: skip
_COMPARISONS: Mapping[type, Callable[..., Any]] = {
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip
_NUMBER, _CONDITION, _COLUMN = "number", "condition", "column"
_REMEDY = (
    "use numbers, columns, + - * / % **, comparisons, and, or, not, parentheses and "
    + ", ".join(FUNCTIONS)
)

Columns = Mapping[str, FloatArray]
Truth = tuple[BoolArray, BoolArray]  # where it holds, where that is unknown


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression.

    Parameters
    ----------
    text
        As it was written.
    names
        Columns that it needs.
    is_condition
        Whether it is true or false rather than a number.
    """

    text: str
    names: frozenset[str] = field(repr=False)
    is_condition: bool = field(repr=False)
    _tree: ast.expr = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, *, condition: bool = False) -> Expression:
        """Read an expression.

        Parameters
        ----------
        text
            The expression.
        condition
            Whether it has to be true or false; a column of zeros and ones will do.

        Raises
        ------
        OptionError
            It is too long, no expression, or uses what is not allowed; says what and where.
        """
        tree = parsed(text)
        names: set[str] = set()
        kind = _Checker(text, names).kind(tree)
        if condition and kind == _NUMBER:
            raise _error(text, "is a number, not a condition", "compare it: ... > 0")
        return cls(
            text=text,
            names=frozenset(names),
            is_condition=kind == _CONDITION or condition,
            _tree=tree,
        )

    def values(self, columns: Columns, n: int) -> FloatArray:
        """Values at ``n`` events, not a number where they do not exist. Shape [event].

        Parameters
        ----------
        columns
            By name, all of ``names``. Shape of each [event].

        Raises
        ------
        OptionError
            A column stands for true or false and holds something else.
        """
        with np.errstate(all="ignore"):
            found = _Evaluation(self.text, columns, n).number(self._tree)
        return np.asarray(np.broadcast_to(found, (n,)), dtype=np.float64)

    def holds(self, columns: Columns, n: int) -> Truth:
        """Where the condition holds, and where that is unknown. Shapes [event].

        Raises
        ------
        OptionError
            A column stands for true or false and holds something else.
        """
        with np.errstate(all="ignore"):
            return _Evaluation(self.text, columns, n).condition(self._tree)


def all_hold(truths: Sequence[Truth], n: int) -> Truth:
    """Where all conditions hold, and where that is unknown: none fails and one is. Shapes [event].

    Parameters
    ----------
    truths
        Of each condition, as :meth:`Expression.holds` gives them.
    n
        Number of events.
    """
    holds, fails = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    for yes, unknown in truths:
        holds &= yes
        fails |= ~yes & ~unknown
    return holds, ~holds & ~fails


def _error(text: str, problem: str, remedy: str = _REMEDY) -> OptionError:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return OptionError(f"the expression {shown!r} {problem}; {remedy}")


def parsed(text: str) -> ast.expr:
    """Tree of an expression, of bounded size and depth; nothing in it has been looked at.

    Raises
    ------
    OptionError
        It is too long, nests too deeply, or is no expression.
    """
    if len(text) > _LONGEST:
        raise _error(text, f"has {len(text)} characters, more than {_LONGEST}")
    if "&&" in text or "||" in text:
        raise _error(text, "has '&&' or '||'", "write 'and', 'or', 'not'")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "1or 2": Python warns, and reads something
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, Warning, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "nests too deeply"
        raise _error(text, f"cannot be read: {reason}") from None
    left = [(tree, 0)]
    n = 0
    while left:  # every later walk recurses: not before it is known to end soon
        node, depth = left.pop()
        n += 1
        if depth > _DEEPEST or n > _MOST_NODES:
            raise _error(text, "is too large or nests too deeply", "split it")
        left += [
            (one, depth + 1) for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)
        ]
    return tree


def _name_of(node: ast.expr) -> str | None:
    """The column that a node names: a name, names joined by dots, or a text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Attribute):
        first = _name_of(node.value)
        if first is not None and not isinstance(node.value, ast.Constant):
            return f"{first}.{node.attr}"
    return None


class _Checker:
    """Finds out what each part is; collects the names of columns."""

    def __init__(self, text: str, names: set[str]) -> None:
        self.text, self.names = text, names

    def kind(self, node: ast.expr) -> str:
        name = _name_of(node)
        if name is not None:
            self.names.add(name)
            return _COLUMN
        match node:
            case ast.Constant(value=value):
                return self.constant(value)
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
                return self.logic((left, right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                self.kind(left)
                self.kind(right)
                return _NUMBER
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return self.logic((operand,))
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
                self.kind(operand)
                return _NUMBER
            case ast.BoolOp(values=values):
                return self.logic(tuple(values))
            case ast.Compare(left=left, ops=ops, comparators=others) if all(
                type(op) in _COMPARISONS for op in ops
            ):
                if any(self.kind(one) == _CONDITION for one in (left, *others)):
                    raise _error(
                        self.text, "compares a condition", "put each comparison in parentheses"
                    )
                return _CONDITION
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self.call(function, arguments)
            case _:
                raise _error(self.text, f"has {_shown(node)!r}, which is not allowed")

    def constant(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _error(self.text, f"has {value!r:.30}, which is no number")
        try:
            finite = math.isfinite(float(value))
        except OverflowError:
            finite = False
        if not finite:
            raise _error(self.text, "has a number that is out of range")
        return _NUMBER

    def logic(self, parts: tuple[ast.expr, ...]) -> str:
        if any(self.kind(one) == _NUMBER for one in parts):
            raise _error(
                self.text,
                "has a number where a condition should be",
                "put each comparison in parentheses: (a > 1) & (b < 2), or write a > 1 and b < 2",
            )
        return _CONDITION

    def call(self, function: str, arguments: list[ast.expr]) -> str:
        if function not in FUNCTIONS:
            raise _error(self.text, f"calls {function!r}, which is no known function")
        wanted = FUNCTIONS[function][1]
        if len(arguments) != wanted:
            raise _error(self.text, f"calls {function} with {len(arguments)} values, not {wanted}")
        kinds = [self.kind(one) for one in arguments]
        if function == "where" and kinds[0] == _NUMBER:
            raise _error(
                self.text, "has a number where a condition should be", "where(a > 1, b, c)"
            )
        return _NUMBER


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 30 else f"{text[:27]}..."


class _Evaluation:
    """Values of a checked tree at the events of one chunk."""

    def __init__(self, text: str, columns: Columns, n: int) -> None:
        self.text, self.columns, self.n = text, columns, n

    def number(self, node: ast.expr) -> Any:  # noqa: ANN401  # an array, or a scalar for all events
        name = _name_of(node)
        if name is not None:
            return self.columns[name]
        match node:
            case ast.Constant(value=value):
                return np.float64(value)  # type: ignore[arg-type]  # checked: a number
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self.number(left), self.number(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.number(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.number(operand)
            case ast.Call(func=ast.Name(id="where"), args=[condition, one, other]):
                yes, unknown = self.condition(condition)
                chosen = np.where(yes, self.number(one), self.number(other))
                return np.where(unknown, np.nan, chosen)
            case ast.Call(func=ast.Name(id=function), args=arguments):
                return FUNCTIONS[function][0](*(self.number(one) for one in arguments))
            case _:
                yes, unknown = self.condition(node)
                return np.where(unknown, np.nan, yes.astype(np.float64))

    def condition(self, node: ast.expr) -> Truth:
        name = _name_of(node)
        if name is not None:
            return self.flag(name)
        match node:
            case ast.UnaryOp(operand=operand):
                yes, unknown = self.condition(operand)
                return ~yes & ~unknown, unknown
            case ast.BoolOp(op=op, values=values):
                return self.joined(isinstance(op, ast.And), values)
            case ast.BinOp(left=left, op=op, right=right):
                return self.joined(isinstance(op, ast.BitAnd), [left, right])
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self.compared([left, *others], ops)
            case _:  # the checker let nothing else through
                raise AssertionError(ast.dump(node))

    def compared(self, nodes: list[ast.expr], ops: list[ast.cmpop]) -> Truth:
        values = [np.broadcast_to(self.number(one), (self.n,)) for one in nodes]
        yes, no = np.ones(self.n, dtype=bool), np.zeros(self.n, dtype=bool)
        for op, left, right in zip(ops, values[:-1], values[1:], strict=True):
            known = ~(np.isnan(left) | np.isnan(right))
            holds = _COMPARISONS[type(op)](left, right)
            yes &= holds & known
            no |= ~holds & known
        return yes, ~yes & ~no

    def joined(self, all_of: bool, nodes: list[ast.expr]) -> Truth:
        truths = [self.condition(one) for one in nodes]
        if all_of:
            return all_hold(truths, self.n)
        # De Morgan: any holds unless none does, and what is unknown stays so
        none_of, unknown = all_hold([(~yes & ~open_, open_) for yes, open_ in truths], self.n)
        return ~none_of & ~unknown, unknown

    def flag(self, name: str) -> Truth:
        values = self.columns[name]
        unknown = np.isnan(values)
        odd = ~unknown & (values != 0.0) & (values != 1.0)
        if odd.any():
            raise _error(
                self.text,
                f"takes column {name!r} for true or false, and it has {values[odd][0]:g}",
                f"compare it: {name} > 0",
            )
        return values == 1.0, unknown
