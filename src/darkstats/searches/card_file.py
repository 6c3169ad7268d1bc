"""Reading a card: YAML values that remember their lines, and checks that name file, line, key."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from darkstats.errors import CardError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import yaml

__all__ = ["LIKE", "Entry", "read_card_file"]

_MOST_BYTES = 1_000_000
_MOST_ENTRIES = 100_000  # a card has some hundred; a few aliases of aliases have millions
_LONGEST = 40  # characters of a value that a message shows

#: What is a number to everybody: YAML 1.1 also takes 2_76, 0o17, 0x1f and 1:30 for numbers.
_NUMBER = re.compile(
    r"[-+]?(?!0\d)(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?\.(inf|nan)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A value of a card with its place.

    Parameters
    ----------
    value
        A scalar, a dict of entries, or a list of entries.
    key, line, source
        Path of keys joined by dots, line in the file, file name.
    """

    value: object
    key: str
    line: int
    source: str = field(repr=False)

    def fail(self, problem: str, remedy: str = "") -> NoReturn:
        """Raise a :class:`~darkstats.errors.CardError` at this place."""
        raise CardError(problem, source=self.source, line=self.line, key=self.key, remedy=remedy)

    def keys(self, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> None:
        """Check the keys of a mapping."""
        mapping = self.mapping()
        known = (*required, *optional)
        for name, entry in mapping.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
                entry.fail(f"unknown key {name!r}", hint)
        for name in required:
            if name not in mapping:
                self.fail(f"the key {name!r} is missing", f"add {name!r}")

    def mapping(self) -> Mapping[str, Entry]:
        """Return the entries of a mapping."""
        if not isinstance(self.value, dict):
            self.fail(f"expected a mapping of keys, found {_kind(self.value)}")
        return self.value

    def items(self) -> tuple[Entry, ...]:
        """Return the entries of a list."""
        if not isinstance(self.value, list):
            self.fail(f"expected a list, found {_kind(self.value)}")
        return tuple(self.value)

    def __getitem__(self, name: str) -> Entry:
        mapping = self.mapping()
        if name not in mapping:
            self.fail(f"the key {name!r} is missing", f"add {name!r}")
        return mapping[name]

    def __contains__(self, name: str) -> bool:
        return name in self.mapping()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.items())

    def text(self, *, choices: tuple[str, ...] = ()) -> str:
        """Return a string, one of ``choices`` if there are any."""
        if not isinstance(self.value, str):
            self.fail(f"expected text, found {_kind(self.value)}", "put it into quotes")
        if choices and self.value not in choices:
            near = difflib.get_close_matches(self.value, choices, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"
            self.fail(f"{self.value!r} is not known here", hint)
        return self.value

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.fail(f"expected true or false, found {_kind(self.value)}")
        return self.value

    def number(
        self, *, above: float | None = None, low: float | None = None, high: float | None = None
    ) -> float:
        """Return a finite number: more than ``above``, and within ``low`` and ``high``."""
        value = self.value
        if isinstance(value, str):  # YAML 1.1 takes 1e-3 for text
            if not _NUMBER.fullmatch(value):
                self.fail(f"expected a number, found {self.value!r}")
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(f"expected a number, found {_kind(value)}")
        if not abs(value) < float("inf"):
            self.fail(f"expected a finite number, found {value}")
        if above is not None and not value > above:
            self.fail(f"{value:g} is not more than {above:g}")
        if low is not None and value < low:
            self.fail(f"{value:g} is less than {low:g}")
        if high is not None and value > high:
            self.fail(f"{value:g} is more than {high:g}")
        return float(value)

    def whole(self, *, low: int = 0) -> int:
        """Return a whole number, at least ``low``."""
        value = self.number(low=low)
        if value != int(value):
            self.fail(f"expected a whole number, found {value:g}")
        return int(value)

    def plain(self) -> object:
        """Return the value without places: what goes into a digest."""
        if isinstance(self.value, dict):
            return {name: entry.plain() for name, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}
    return names.get(type(value), f"{value!r}")


#: Key of a card that is another one but for what it says itself.
LIKE = "like"


def read_card_file(path: Path | str) -> Entry:
    """Read a YAML card without running anything in it.

    A card with the key ``like`` is the card of that name beside it, but for the keys that it has
    itself; of mappings key by key, lists as a whole.

    Raises
    ------
    CardError
        The file cannot be read, is no YAML, or has a key twice; it is like a card elsewhere, or
        like one that is like another.
    """
    card = _read(path)
    if not isinstance(card.value, dict) or LIKE not in card.value:
        return card
    name = card[LIKE].text()
    if Path(name).name != name:
        card[LIKE].fail(f"{name!r} is no file beside this card", "give a name without a folder")
    other = _read(Path(path).parent / name)
    if LIKE in other:
        card[LIKE].fail(f"{name} is like another card itself", "name that one")
    own = {key: entry for key, entry in card.value.items() if key != LIKE}
    return _over(other, Entry(value=own, key="", line=card.line, source=card.source))


def _over(under: Entry, own: Entry) -> Entry:
    """Entries of one card with those of another on top."""
    if not isinstance(under.value, dict) or not isinstance(own.value, dict):
        return own
    value = dict(under.value)
    for key, entry in own.value.items():
        value[key] = _over(value[key], entry) if key in value else entry
    return Entry(value=value, key=own.key, line=own.line, source=own.source)


def _read(path: Path | str) -> Entry:
    """One file."""
    import yaml

    source = str(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CardError(f"cannot be read: {error.strerror}", source=source) from None
    if len(data) > _MOST_BYTES:
        raise CardError("is larger than a megabyte, no card is", source=source)
    try:
        node = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise CardError("is no UTF-8 text", source=source) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise CardError(f"no valid YAML: {problem}", source=source, line=line) from None
    if node is None:
        raise CardError("is empty", source=source)
    return _entry(node, "", source, depth=0, left=[_MOST_ENTRIES])


def _entry(node: yaml.Node, key: str, source: str, *, depth: int, left: list[int]) -> Entry:
    """Entries of a node; ``left`` counts down how many more there may be, aliases unfolded."""
    import yaml

    line = node.start_mark.line + 1
    left[0] -= 1
    if left[0] < 0:
        raise CardError(
            f"has more than {_MOST_ENTRIES} entries, aliases unfolded", source=source, line=line
        )
    if depth > 20:
        raise CardError("is nested too deeply", source=source, line=line, key=key)
    value: object
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Entry] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value)
            path = f"{key}.{name}" if key else name
            if name in found:
                place = name_node.start_mark.line + 1
                raise CardError("is there twice", source=source, line=place, key=path)
            found[name] = _entry(value_node, path, source, depth=depth + 1, left=left)
        value = found
    elif isinstance(node, yaml.SequenceNode):
        value = [
            _entry(item, f"{key}[{i}]", source, depth=depth + 1, left=left)
            for i, item in enumerate(node.value)
        ]
    else:
        try:
            value = yaml.SafeLoader("").construct_object(node)
            if type(value) is int:
                float(value)  # an integer that is no double has no use
        except (yaml.YAMLError, ValueError, OverflowError):
            raise CardError(
                f"{node.value[:_LONGEST]!r} cannot be read", source=source, line=line, key=key
            ) from None
        if type(value) in (int, float) and not _NUMBER.fullmatch(node.value):
            raise CardError(
                f"{node.value!r} is read as {value!r} by YAML",
                source=source,
                line=line,
                key=key,
                remedy="write the number in decimal digits, or put quotes around a text",
            )
    return Entry(value=value, key=key, line=line, source=source)
