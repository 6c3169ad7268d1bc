"""Warnings of many hypotheses in few lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["grouped_warnings"]

#: Numbers in a warning; digits of a name are none.
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(\.\d+)?(e[-+−]?\d+)?(?!\w)")


def grouped_warnings(names: Sequence[str], warnings: Sequence[Sequence[str]]) -> list[str]:
    """Each warning once, in the words of its first hypothesis, with the number of hypotheses.

    Warnings that differ in their numbers alone are one.

    Parameters
    ----------
    names, warnings
        Of the hypotheses, in the same order.

    Examples
    --------
    >>> grouped_warnings(["a", "b"], [["expects 3.2 events"], ["expects 1.9 events"]])
    ['2 hypotheses, the first one a: expects 3.2 events']
    """
    said: dict[str, list[tuple[str, str]]] = {}
    for name, texts in zip(names, warnings, strict=False):
        for text in texts:
            said.setdefault(_NUMBER.sub("#", text), []).append((name, text))
    found = []
    for one in said.values():
        name, text = one[0]
        which = name if len(one) == 1 else f"{len(one)} hypotheses, the first one {name}"
        found.append(f"{which}: {text}")
    return found
