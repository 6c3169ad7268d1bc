"""The lines of a datacard, and what has been read of them so far."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from darkstats.conversion.datacard import (
    AutoStatistics,
    Column,
    Key,
    Place,
    RateFactor,
    ShapeRule,
    Systematic,
)
from darkstats.conversion.datacard_edits import Edit
from darkstats.errors import CardError, in_words

__all__ = ["EVERY", "Draft", "Line", "lines_of", "number_in", "unread"]

_MOST_BYTES = 20_000_000
#: Stands for all bins, all processes, or a number that follows from the card.
EVERY = "*"


@dataclass(frozen=True, slots=True)
class Line:
    """Words of a line, without remarks."""

    place: Place
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """The line, with single blanks."""
        return " ".join(self.words)


@dataclass(slots=True)
class Draft:
    """What has been read so far."""

    source: Path
    declared: dict[str, tuple[Place, int | None]] = field(default_factory=dict)
    shapes: dict[Key, ShapeRule] = field(default_factory=dict)
    bins: list[str] = field(default_factory=list)
    pending: tuple[Place, tuple[str, ...]] | None = None
    observed: tuple[Place, tuple[float | None, ...]] | None = None
    processes: list[tuple[Place, tuple[str, ...]]] = field(default_factory=list)
    columns: tuple[Column, ...] = ()
    rates: Place | None = None
    systematics: dict[str, Systematic] = field(default_factory=dict)
    n_systematics: int = 0
    factors: dict[str, RateFactor] = field(default_factory=dict)
    params: dict[str, Line] = field(default_factory=dict)
    groups: dict[str, tuple[Place, list[str]]] = field(default_factory=dict)
    statistics: dict[str, AutoStatistics] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Bin and process of each column."""
        return tuple(column.key for column in self.columns)


def lines_of(path: Path, keywords: Mapping[str, str], used: set[str]) -> Iterator[Line]:
    """Lines that say something, keywords replaced; those that were found are added to ``used``.

    Raises
    ------
    CardError
        The file cannot be read, is too large, or no text.
    """
    source = str(path)
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                data = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise CardError(f"cannot be read: {in_words(error)}", source=source) from error
    if len(data) > _MOST_BYTES:
        raise CardError("is larger than 20 MB: no datacard is", source=source)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CardError(
            "is no UTF-8 text", source=source,
            remedy="give a datacard, not the ROOT file that Combine makes of it",
        ) from None  # fmt: skip
    for word in sorted(keywords, key=len, reverse=True):
        if f"${word}" in text:
            used.add(word)
        text = text.replace(f"${word}", keywords[word])
    for number, raw in enumerate(text.splitlines(), 1):
        words = re.sub(r"(^|\s)#.*", "", raw).split()
        if words and not words[0].startswith("--"):
            yield Line(Place(source, number), tuple(words))


def number_in(word: str, place: Place, what: str) -> float:
    """Return the number that a word is.

    Raises
    ------
    CardError
        It is none, or not finite; ``what`` says what it should be.
    """
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        place.refuse(f"{word!r} is no number", f"write {what} as a number")
    return value


def unread(line: Line, draft: Draft) -> None:
    """Note a line that Combine passes over, too."""
    draft.notes.append(f"{line.place}: {line.text[:60]!r} is a remark, no line of a datacard")
