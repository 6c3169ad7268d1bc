"""What is known of the parts of a document that many patched documents share.

A patch leaves the samples that it does not touch as they are: the patched document holds the very
objects of the one it was applied to. What follows from such a sample alone is found out once.  A
sample is recognised by being the same object, never by its name or its place, so that whatever a
patch writes is looked at afresh.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from darkstats.workspace.patch import size_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from darkstats.workspace.json_values import JsonValue

__all__ = ["SharedParts"]

T = TypeVar("T")


class SharedParts:
    """Facts about the samples of one document, kept for documents made of it by patches.

    Parameters
    ----------
    document
        Any JSON value; its parts are never changed.

    Notes
    -----
    What is kept must follow from the sample, and from what its key names, and from nothing else.
    """

    def __init__(self, document: JsonValue) -> None:
        self._document = document
        self._samples = {id(sample): sample for sample in _samples(document)}
        self._facts: dict[tuple[int, Hashable], object] = {}

    @cached_property
    def size(self) -> int:
        """Size of the document, as the bounds of a patch count it."""
        return size_of(self._document)

    def holds(self, sample: JsonValue) -> bool:
        """Whether this is one of the samples of the document, the object itself."""
        return id(sample) in self._samples and self._samples[id(sample)] is sample

    def once(self, sample: JsonValue, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns; of a sample of the document the value of an earlier call."""
        if not self.holds(sample):
            return make()
        place = (id(sample), key)
        if place not in self._facts:
            self._facts[place] = make()
        found: T = self._facts[place]  # type: ignore[assignment]  # a key stands for one type
        return found


def _samples(document: JsonValue) -> Iterator[JsonValue]:
    channels = document.get("channels") if isinstance(document, dict) else None
    for channel in channels if isinstance(channels, list) else ():
        samples = channel.get("samples") if isinstance(channel, dict) else None
        for sample in samples if isinstance(samples, list) else ():
            if isinstance(sample, dict):
                yield sample
