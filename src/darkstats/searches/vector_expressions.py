"""Quantities of four-vectors, as a card writes them. Parsed, never executed.

``mass(mu_plus + mu_minus)``, ``mass_squared(beams - mu_plus - mu_minus)``,
``cos_angle(rest(mu_minus, mu_plus + mu_minus), mu_plus + mu_minus)``: names of objects, sums and
differences of them, functions of vectors (:data:`VECTORS`) and of numbers (:data:`NUMBERS`), and
arithmetic with numbers. Python's parser makes the tree and nothing runs it.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import OptionError
from darkstats.simulation.kinematics import boost_to, invariant_mass_squared, to_cm
from darkstats.templates.expressions import FUNCTIONS, parsed

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray

__all__ = ["NUMBERS", "VECTORS", "Quantity"]

_TINY = 1e-12


def _size(p: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(p[..., 1:], axis=-1))


def _mass(p: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.maximum(invariant_mass_squared(p), 0.0)))


def _theta(p: FloatArray) -> FloatArray:
    return np.asarray(np.arctan2(np.hypot(p[..., 1], p[..., 2]), p[..., 3]))


def _cos_angle(p: FloatArray, q: FloatArray) -> FloatArray:
    product = (p[..., 1:] * q[..., 1:]).sum(axis=-1)
    return np.asarray(np.clip(product / np.maximum(_size(p) * _size(q), _TINY), -1.0, 1.0))


def _opening_transverse(p: FloatArray, q: FloatArray) -> FloatArray:
    sizes = np.hypot(p[..., 1], p[..., 2]) * np.hypot(q[..., 1], q[..., 2])
    product = p[..., 1] * q[..., 1] + p[..., 2] * q[..., 2]
    return np.asarray(np.arccos(np.clip(product / np.maximum(sizes, _TINY), -1.0, 1.0)))


def _transverse_to(p: FloatArray, q: FloatArray) -> FloatArray:
    axis = q[..., 1:] / np.maximum(_size(q), _TINY)[..., None]
    return np.asarray(np.linalg.norm(np.cross(p[..., 1:], axis), axis=-1))


def _rest(p: FloatArray, frame: FloatArray) -> FloatArray:
    back = frame * np.array([1.0, -1.0, -1.0, -1.0])
    return boost_to(p, back)


#: Numbers of vectors, by name, with what they mean; GeV and radians, laboratory unless ``cm`` or
#: ``rest`` say otherwise.
NUMBERS: Mapping[str, tuple[Callable[..., Any], int, str]] = {
    "mass": (_mass, 1, "invariant mass, GeV; 0 where its square is negative"),
    "mass_squared": (invariant_mass_squared, 1, "its square, GeV^2"),
    "energy": (lambda p: p[..., 0], 1, "energy, GeV"),
    "p": (_size, 1, "momentum, GeV"),
    "pt": (lambda p: np.hypot(p[..., 1], p[..., 2]), 1, "momentum transverse to the beam, GeV"),
    "pz": (lambda p: p[..., 3], 1, "momentum along the electron beam, GeV"),
    "theta": (_theta, 1, "polar angle, rad"),
    "phi": (lambda p: np.arctan2(p[..., 2], p[..., 1]), 1, "azimuth, rad"),
    "angle": (lambda p, q: np.arccos(_cos_angle(p, q)), 2, "angle between two, rad"),
    "cos_angle": (_cos_angle, 2, "its cosine"),
    "opening_transverse": (
        _opening_transverse,
        2,
        "angle between two, transverse to the beam, rad",
    ),
    "pt_to": (_transverse_to, 2, "momentum of the first transverse to the second, GeV"),
}

#: Vectors of vectors.
VECTORS: Mapping[str, tuple[Callable[..., Any], int, str]] = {
    "cm": (to_cm, 1, "in the centre-of-mass frame of the beams"),
    "rest": (_rest, 2, "the first in the rest frame of the second"),
}

_VECTOR, _NUMBER = "vector", "number"
#: Numbers in powers of GeV; those that are not named here have no unit, or an angle's.
_POWERS_OF_GEV = {"mass": 1, "mass_squared": 2, "energy": 1, "p": 1, "pt": 1, "pz": 1, "pt_to": 1}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A checked quantity of four-vectors.

    Parameters
    ----------
    text
        As it was written.
    names
        Objects that it needs.
    """

    text: str
    names: frozenset[str] = field(repr=False)

    @classmethod
    def parse(cls, text: str, known: tuple[str, ...]) -> Quantity:
        """Read a quantity.

        Parameters
        ----------
        text
            The expression.
        known
            Names of objects that there are.

        Raises
        ------
        OptionError
            It is no number, names an object that there is not, or uses what is not allowed.

        Examples
        --------
        >>> sorted(Quantity.parse("mass(a + b)", ("a", "b", "beams")).names)
        ['a', 'b']
        """
        names: set[str] = set()
        kind = _Checker(text, known, names).kind(parsed(text))
        if kind == _VECTOR:
            raise OptionError(
                f"the quantity {text!r} is a vector, not a number; take its mass(...), pt(...), "
                f"{', '.join(f'{name}(...)' for name in list(NUMBERS)[2:6])}"
            )
        return cls(text, frozenset(names))

    @property
    def power_of_gev(self) -> float | None:
        """Power of GeV that it is in, 0 for an angle or a ratio; None where units are mixed.

        Examples
        --------
        >>> Quantity.parse("mass(a) ** 2", ("a",)).power_of_gev
        2.0
        """
        power = _power_of_gev(parsed(self.text))
        return None if math.isnan(power) else power

    def values(self, objects: Mapping[str, FloatArray]) -> FloatArray:
        """Values at all events.

        Parameters
        ----------
        objects
            Momenta (E, px, py, pz), laboratory, by name. Shapes [..., 4].

        Returns
        -------
        FloatArray
            Not a number where a quantity does not exist. Shape [...].
        """
        with np.errstate(all="ignore"):
            found = _evaluated(parsed(self.text), objects)
        some = next(iter(objects.values()))
        return np.asarray(np.broadcast_to(found, some.shape[:-1]), dtype=np.float64)


class _Checker:
    """Finds out what each part is, a vector or a number; collects the objects."""

    def __init__(self, text: str, known: tuple[str, ...], names: set[str]) -> None:
        self.text, self.known, self.names = text, known, names

    def kind(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return self.object(name)
            case ast.Constant(value=value) if type(value) in (int, float):
                return _NUMBER
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
                return self.kind(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self.joined(self.kind(left), op, self.kind(right))
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self.call(function, arguments)
            case _:
                raise self.error(f"has {ast.unparse(node):.40}, which is not allowed")

    def error(self, problem: str, remedy: str = "") -> OptionError:
        usual = (
            f"use objects ({', '.join(self.known)}), + - * / **, and {', '.join(NUMBERS)}, cm, rest"
        )
        return OptionError(f"the quantity {self.text!r} {problem}; {remedy or usual}")

    def object(self, name: str) -> str:
        if name not in self.known:
            near = difflib.get_close_matches(name, self.known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise self.error(f"names {name!r}, which is no object", hint)
        self.names.add(name)
        return _VECTOR

    def joined(self, left: str, op: ast.operator, right: str) -> str:
        if type(op) not in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow):
            raise self.error("has an operator that is not allowed")
        if left == right == _NUMBER:
            return _NUMBER
        if left == right == _VECTOR and isinstance(op, (ast.Add, ast.Sub)):
            return _VECTOR
        raise self.error("joins a vector and a number", "take a number of the vector first")

    def call(self, function: str, arguments: list[ast.expr]) -> str:
        if function in NUMBERS:
            wanted, needs, found = NUMBERS[function][1], _VECTOR, _NUMBER
        elif function in VECTORS:
            wanted, needs, found = VECTORS[function][1], _VECTOR, _VECTOR
        elif function in FUNCTIONS and function != "where":
            wanted, needs, found = FUNCTIONS[function][1], _NUMBER, _NUMBER
        else:
            raise self.error(f"calls {function!r}, which is no known function")
        if len(arguments) != wanted:
            raise self.error(f"calls {function} with {len(arguments)} values, not {wanted}")
        if any(self.kind(one) != needs for one in arguments):
            raise self.error(f"calls {function} with what is no {needs}")
        return found


def _power_of_gev(node: ast.expr) -> float:
    """Power of GeV of a number, nan where units are mixed; a constant has none, or any in a sum."""
    match node:
        case ast.UnaryOp(operand=operand):
            return _power_of_gev(operand)
        case ast.BinOp(left=left, op=op, right=right):
            return _power_of_joined(left, op, right)
        case ast.Call(func=ast.Name(id="min" | "max" | "hypot"), args=arguments):
            return _common_power(*arguments)
        case ast.Call(func=ast.Name(id="sqrt" | "abs" as function), args=[argument]):
            return _power_of_gev(argument) * (0.5 if function == "sqrt" else 1.0)
        case ast.Call(func=ast.Name(id=function)):
            return float(_POWERS_OF_GEV.get(function, 0))
        case _:
            return 0.0


def _power_of_joined(left: ast.expr, op: ast.operator, right: ast.expr) -> float:
    """The same of a sum, a product, a ratio or a power."""
    if isinstance(op, (ast.Add, ast.Sub)):
        return _common_power(left, right)
    first, second = _power_of_gev(left), _power_of_gev(right)
    if isinstance(op, ast.Pow):
        return first * _constant(right)
    return first + second if isinstance(op, ast.Mult) else first - second


def _constant(node: ast.expr) -> float:
    """Value of a number that is written as such; nan of others."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case _:
            return math.nan


def _common_power(*parts: ast.expr) -> float:
    """The power that all have, but for constants."""
    powers = {_power_of_gev(one) for one in parts if math.isnan(_constant(one))}
    return powers.pop() if len(powers) == 1 else math.nan if powers else 0.0


_ACTS: Mapping[str, Callable[..., Any]] = {
    **{name: one[0] for name, one in FUNCTIONS.items()},
    **{name: one[0] for name, one in (*NUMBERS.items(), *VECTORS.items())},
}
_OPERATORS: Mapping[type, Callable[..., Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power,
}  # fmt: skip


def _evaluated(node: ast.expr, objects: Mapping[str, FloatArray]) -> Any:  # noqa: ANN401 -- a vector or a number
    match node:
        case ast.Name(id=name):
            return objects[name]
        case ast.Constant(value=value):
            return np.float64(value)  # type: ignore[arg-type]  # checked: a number
        case ast.UnaryOp(op=op, operand=operand):
            found = _evaluated(operand, objects)
            return -found if isinstance(op, ast.USub) else found
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_evaluated(left, objects), _evaluated(right, objects))
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return _ACTS[function](*(_evaluated(one, objects) for one in arguments))
        case _:  # the checker let nothing else through
            raise AssertionError(ast.dump(node))
