"""Readers of tables: the numbers and addresses through which Python hands arrays to a kernel.

A kernel entry takes one array of integers. Each named tuple that it unpacks from it says what its
fields are: a number (``int``), or the address of numbers (``Floats``, ``Integers``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from darkstats.kernel import kernel
from darkstats.kernel.simd import Integers, floats_at, integers_at

__all__ = ["reader_of"]

_TupleT = TypeVar("_TupleT", bound=tuple[Any, ...])
_WORDS = {
    "int": "table[at + {place}]",
    "Floats": "floats_at(table[at + {place}])",
    "Integers": "integers_at(table[at + {place}])",
}


def reader_of(kind: type[_TupleT]) -> Callable[[Integers, int], _TupleT]:
    """Compile the reader of a named tuple: ``reader(table, at)`` for use inside kernels.

    Parameters
    ----------
    kind
        The named tuple; its annotations are ``int``, ``Floats`` or ``Integers``, in the order of
        the table.
    """
    said = [getattr(hint, "__forward_arg__", hint) for hint in kind.__annotations__.values()]
    fields = [_WORDS[str(words)].format(place=place) for place, words in enumerate(said)]
    # Compiled code knows no loop over the fields of a tuple: their reader is written out for it.
    text = f"def read(table, at):\n    return kind({', '.join(fields)})\n"
    names: dict[str, Any] = {"kind": kind, "floats_at": floats_at, "integers_at": integers_at}
    exec(text, names)  # field names of our own, when a module is imported
    reader: Callable[[Integers, int], _TupleT] = kernel(names["read"])
    return reader
