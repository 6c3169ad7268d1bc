"""iminuit without a word: its C++ part writes to standard output, which belongs to the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iminuit import Minuit

__all__ = ["silenced"]

_NOTHING = -1  # below the level of errors, 0


@contextmanager
def silenced(minuit: Minuit) -> Iterator[None]:
    """Let nothing be printed while this lasts.

    The level belongs to all minimisers of the process; it is put back.
    """
    before = minuit.print_level
    minuit.print_level = _NOTHING
    try:
        yield
    finally:
        minuit.print_level = before
