"""Names of parameters: those of modifiers, and ``name[i]`` for component i of one with several.

The linter, the model and whatever changes documents resolve names by these rules.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["COMPONENT_TYPES", "component", "modifier_of", "same_to_the_eye"]

#: Modifier types whose parameter has one component for each bin, named ``name[i]``.
COMPONENT_TYPES = frozenset({"shapefactor", "shapesys", "staterror"})
_COMPONENT = re.compile(r"(.*)\[(0|[1-9][0-9]{0,9})\]", re.DOTALL)


def component(name: str) -> tuple[str, int] | None:
    """Split ``"gamma[3]"`` into ``("gamma", 3)``; None for a name that is not of this form."""
    found = _COMPONENT.fullmatch(name)
    return None if found is None else (found[1], int(found[2]))


def modifier_of(parameter: str, modifiers: Collection[str]) -> str:
    """Name of the modifiers that a parameter belongs to; its own name where there are none."""
    if parameter in modifiers:
        return parameter
    found = component(parameter)
    return found[0] if found is not None and found[0] in modifiers else parameter


def same_to_the_eye(name: str) -> str:
    """What names have in common that look the same.

    That is their normal form (NFC) without marks that have no width and with single spaces.
    """
    if name.isascii():
        return " ".join(name.split())
    visible = (c for c in name if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFC", "".join(visible)).split())
