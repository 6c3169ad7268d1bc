"""How results show themselves: a line, a small table for notebooks, plain data."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np

__all__ = ["Shown", "line_of", "plain", "said", "table_of"]

_DIGITS = 4  # of a number in a line; ``to_dict`` has all of them
_LONGEST = 6  # entries of a tuple that are shown: a band has five
_WIDEST = 60  # characters of a text
_APART = frozenset({"model_digest", "references"})  # of ``to_dict``, not of a line


def plain(value: Any) -> Any:  # noqa: ANN401 -- whatever a result holds
    """Return JSON data: arrays as lists, results as objects, what is no number as ``None``."""
    value = value.value if isinstance(value, Enum) else value
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value) if one.repr}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list, frozenset, set)):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else repr(value)


class Shown:
    """A result that shows itself in one line; a base of frozen dataclasses with ``repr=False``.

    ``in_a_line`` names the fields or properties of the line: what it is about, numbers with their
    errors (``observed`` with ``observed_error``), why there is none, how sure it is. All fields
    that say something are in the line where it names none, and in the table of a notebook always.
    """

    __slots__ = ()

    in_a_line: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON data.

        Numbers have all their digits. A number that does not exist is ``None``; a ``..._reason``
        beside it says why.
        """
        found: dict[str, Any] = plain(self)
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({line_of(self)})"

    def _repr_html_(self) -> str:
        return table_of(type(self).__name__, self)


def said(result: object) -> str:
    """A result in one line, of whatever type it is; of several, one after the other."""
    if isinstance(result, Shown):
        return repr(result)
    if isinstance(result, list):
        return f"[{', '.join(map(said, result))}]"
    return _short(result)


def line_of(result: object) -> str:
    """Fields of a result that its line shows, with errors beside their numbers."""
    names = getattr(result, "in_a_line", "").split() or _telling(result)
    shown = []
    for name in names:
        value = getattr(result, name)
        if not _is_empty(value):
            error = getattr(result, f"{name}_error", None)
            has_error = isinstance(value, float) and isinstance(error, float) and error > 0.0
            text = _short(value)
            shown.append(f"{name}={text} ± {error:.2g}" if has_error else f"{name}={text}")
    return ", ".join(shown)


def table_of(title: str, result: object) -> str:
    """HTML of the fields of a result that say something."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(_short(getattr(result, name)))}</td></tr>"
        for name in _telling(result)
    )
    return f"<table><caption>{html.escape(title)}</caption>{rows}</table>"


def _telling(result: Any) -> Iterator[str]:  # noqa: ANN401 -- any dataclass
    """Names of the fields that say something."""
    for one in fields(result) if is_dataclass(result) else ():
        if one.repr and one.name not in _APART and not _is_empty(getattr(result, one.name)):
            yield one.name


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, tuple) and not value)


def _short(value: Any) -> str:  # noqa: ANN401 -- whatever a result holds
    if isinstance(value, np.ndarray):
        entries = tuple(value.tolist()) if value.ndim == 1 else ()
        return _short(entries) if 0 < len(entries) <= _LONGEST else f"<array {value.shape}>"
    if isinstance(value, tuple):
        if len(value) > _LONGEST or any(is_dataclass(one) for one in value):
            return f"<{len(value)}>"
        inside = ", ".join("None" if one is None else _short(one) for one in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if is_dataclass(value):
        said = str(value)  # a part that has words of its own: a p-value, counts
        return f"<{type(value).__name__}>" if said == repr(value) else said.partition("\n")[0]
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    text = repr(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
