"""How results show themselves: a line, a small table for notebooks, plain data."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

__all__ = ["Shown", "plain"]

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
    """A result that shows itself in one line; a base of frozen dataclasses with ``repr=False``."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON data.

        Numbers have all their digits. A number that does not exist is ``None``; a ``..._reason``
        beside it says why.
        """
        found: dict[str, Any] = plain(self)
        return found

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={text}" for name, text in self._shown())
        return f"{type(self).__name__}({shown})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._shown()
        )
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>"

    def _shown(self) -> Iterator[tuple[str, str]]:
        """Fields that say something, in few characters."""
        for one in fields(self):  # type: ignore[arg-type]  # every heir is a dataclass
            value = getattr(self, one.name)
            empty = value is None or (isinstance(value, tuple) and not value)
            if one.repr and not empty and one.name not in _APART:
                yield one.name, _short(value)


def _short(value: Any) -> str:  # noqa: ANN401 -- whatever a result holds
    if isinstance(value, np.ndarray):
        entries = tuple(value.tolist()) if value.ndim == 1 else ()
        return _short(entries) if 0 < len(entries) <= _LONGEST else f"<array {value.shape}>"
    if isinstance(value, tuple):
        if len(value) > _LONGEST or any(is_dataclass(one) for one in value):
            return f"<{len(value)}>"
        inside = ", ".join("None" if one is None else _short(one) for one in value)
        return f"({inside})"
    if is_dataclass(value):
        return f"<{type(value).__name__}>"
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    text = repr(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
