"""Pause the garbage collector where millions of objects are made that all stay.

Each new object may set off a search for cycles through all that live; a large JSON document, which
has none, takes four times as long to parse with it.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["collection_paused"]


@contextmanager
def collection_paused() -> Iterator[None]:
    """Leave garbage alone inside the block, or the decorated function."""
    if not gc.isenabled():  # somebody outside pauses it already, or never wants it
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
