"""What a Python user hands over: of the right type, or refused with a word on what to pass.

Annotations are the declaration: :func:`checked` reads those of a function as text, and checks the
types that it knows. Classes are told by their names, so that nothing is imported to look at a
value.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import operator
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from types import UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

from darkstats.errors import ArgumentTypeError

__all__ = ["checked", "converted", "words_by_name"]

P = ParamSpec("P")
T = TypeVar("T")

#: What to pass, by the name of a class.
_HOW = {
    "Model": "a model, as darkstats.compile_workspace(workspace) returns it",
    "HistFactoryModel": "a model, as darkstats.compile_workspace(workspace) returns it",
    "Observation": "data, such as model.observation",
    "Workspace": "a workspace, as darkstats.read_workspace(path) returns it",
    "PatchSet": "a patch set, as darkstats.read_patchset(path) returns it",
    "FitResult": "a fit, as darkstats.fit_model(model, observation) returns it",
    "PoiPrior": "a prior, as darkstats.parse_prior(text) returns it",
    "Source": "a path, or the bytes of the document",
    "FitOptions": "darkstats.FitOptions(...)",
    "ToyOptions": "darkstats.ToyOptions(n_toys=..., seed=...)",
    "InterpolationCodes": "darkstats.InterpolationCodes(...)",
    "NuisancePriors": "darkstats.NuisancePriors(...)",
    "str": "text",
    "float": "a number",
    "int": "a whole number",
    "bool": "True or False",
}

#: What every object of a protocol has.
_PARTS = {"Model": ("parameters", "poi_index", "digest"), "PoiPrior": ("bind",)}


def _is_a(value: object, name: str) -> bool:
    """Whether a value is of the class with this name, or stands for one."""
    if name == "float":
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    if name == "int":
        return hasattr(type(value), "__index__") and not isinstance(value, bool)
    if name == "Source":
        return isinstance(value, (str, bytes, os.PathLike))
    if name in _PARTS:
        return all(hasattr(value, part) for part in _PARTS[name])
    if name == "bool":
        return type(value).__name__ in {"bool", "bool_"}
    return any(one.__name__ == name for one in type(value).__mro__)


def _refused(function: str, name: str, value: object, expected: str) -> ArgumentTypeError:
    return ArgumentTypeError(function, name, expected=expected, value=value)


def _known(annotation: object) -> tuple[str, ...]:
    """Names of the classes of an annotation; none where it names one that is not known here."""
    names = tuple(part.strip() for part in str(annotation).split("|"))
    inside = {name.removeprefix(_MANY).removesuffix("]") for name in names}
    return names if inside - {"None"} <= _HOW.keys() else ()


_MANY = "Sequence["


def _fits(value: object, name: str) -> bool:
    """Whether a value is what an annotation says, each part of a sequence included."""
    if not name.startswith(_MANY):
        return _is_a(value, name)
    each = name.removeprefix(_MANY).removesuffix("]")
    return isinstance(value, Sequence) and all(_is_a(one, each) for one in value)


def _asked_for(name: str) -> str:
    if not name.startswith(_MANY):
        return _HOW[name]
    return f"a list of these: {_HOW[name.removeprefix(_MANY).removesuffix(']')]}"


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function, whose arguments are looked at before anything else.

    Raises
    ------
    ArgumentTypeError
        When it is called: an argument is of another type than annotated.
    """
    signature = inspect.signature(function)
    order = tuple(signature.parameters)
    expected = {
        name: tuple(one for one in names if one != "None")
        for name, parameter in signature.parameters.items()
        if (names := _known(parameter.annotation))
    }
    optional = {name for name in expected if "None" in str(signature.parameters[name].annotation)}

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for name, value in (*zip(order, args, strict=False), *kwargs.items()):
            classes = expected.get(name)
            if classes is None or (value is None and name in optional):
                continue
            if not any(_fits(value, one) for one in classes):
                words = " or ".join(map(_asked_for, classes))
                raise _refused(function.__name__, name, value, words)
        try:
            return function(*args, **kwargs)
        except TypeError:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise ArgumentTypeError(function.__name__, str(error)) from None
            raise

    return run


def converted(function: str, name: str, value: object, kind: Any) -> Any:  # noqa: ANN401 -- as ``kind`` says
    """Return a value of a type that is annotated: paths as text, sequences as tuples.

    A mapping stands for pairs, and a single value for a tuple of one.

    Parameters
    ----------
    function, name
        For the message.
    value
        What was passed.
    kind
        The annotation: ``str``, ``float``, ``int``, ``bool``, a class, tuples of them, ``None``.

    Raises
    ------
    ArgumentTypeError
        The value is none of these.

    Examples
    --------
    >>> converted("limit", "masses", {"m": 2}, tuple[tuple[str, float], ...])
    (('m', 2.0),)
    >>> converted("limit", "patches", "one.json", tuple[str, ...])
    ('one.json',)
    """
    choices = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    for choice in choices:
        found = _as(value, choice)
        if found is not _NO:
            return found
    raise _refused(function, name, value, " or ".join(dict.fromkeys(map(_in_words, choices))))


def words_by_name(function: str, name: str, value: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return a mapping of names to numbers as the words that stand for it.

    Raises
    ------
    ArgumentTypeError
        A name is no text or has ``=``, or its value is no list of numbers.

    Examples
    --------
    >>> words_by_name("reinterpret_likelihood", "signal", {"SR": [1, 2.5]})
    ('SR=1.0,2.5',)
    """
    words = []
    for key, items in value.items():
        several = isinstance(items, Collection) and not isinstance(items, (str, bytes, Mapping))
        numbers = [_as(one, float) for one in (items if several else (items,))]
        if not isinstance(key, str) or "=" in key or not numbers or any(n is _NO for n in numbers):
            expected = "names with lists of numbers, such as {'SR': [1.2, 3.4]}"
            raise _refused(function, name, {key: items}, expected)
        words.append(f"{key}={','.join(map(repr, numbers))}")
    return tuple(words)


_NO: Any = object()
_PLAIN: dict[type, Callable[[Any], Any]] = {
    str: str, float: float, int: operator.index, bool: bool,
}  # fmt: skip


def _as(value: Any, kind: Any) -> Any:  # noqa: ANN401 -- any type of a field
    """The value as of this type; ``_NO`` where it is none."""
    if get_origin(kind) is tuple:
        return _as_tuple(value, get_args(kind))
    if kind is str and isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if kind in _PLAIN:
        try:
            return _PLAIN[kind](value) if _is_a(value, kind.__name__) else _NO
        except OverflowError:  # a whole number beyond all numbers with a point
            return _NO
    return value if isinstance(value, get_origin(kind) or kind) else _NO


def _as_tuple(value: Any, kinds: tuple[Any, ...]) -> Any:  # noqa: ANN401
    many = kinds[-1] is Ellipsis
    if isinstance(value, Mapping) and many and get_origin(kinds[0]) is tuple:
        value = tuple(value.items())
    alone = isinstance(value, (str, bytes, os.PathLike)) or not isinstance(
        value, (Sequence, Collection)
    )
    if many and (alone or isinstance(value, Mapping)):
        value = (value,)
    if not isinstance(value, Collection) or isinstance(value, (str, bytes, Mapping)):
        return _NO
    if not many and len(value) != len(kinds):
        return _NO
    each = [kinds[0]] * len(value) if many else kinds
    found = tuple(_as_one_of(one, kind) for one, kind in zip(value, each, strict=True))
    return _NO if any(one is _NO for one in found) else found


def _as_one_of(value: Any, kind: Any) -> Any:  # noqa: ANN401
    choices = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    return next((found for one in choices if (found := _as(value, one)) is not _NO), _NO)


def _in_words(kind: Any) -> str:  # noqa: ANN401
    if kind is type(None):
        return "None"
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        inside = [_in_words(one) for one in (first, *others) if one is not Ellipsis]
        return f"a list of {inside[0]}" if Ellipsis in others else f"({', '.join(inside)})"
    if get_origin(kind) in {Union, UnionType}:
        return " or ".join(map(_in_words, get_args(kind)))
    if kind is str:
        return "text or a path"
    name = getattr(get_origin(kind) or kind, "__name__", str(kind))
    return _HOW.get(name, f"a {name}")
