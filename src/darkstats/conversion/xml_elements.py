"""HistFactory's XML as elements that know their lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from darkstats.conversion.datacard import Place
from darkstats.errors import CardError, in_words

__all__ = ["Element", "read_elements"]

_MOST_BYTES = 5_000_000


@dataclass(slots=True)
class Element:
    """An element: its tag, attributes, children, text and place."""

    tag: str
    attributes: dict[str, str]
    place: Place
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> Iterator[Element]:
        """Children of this tag."""
        return (child for child in self.children if child.tag == tag)

    def get(self, name: str) -> str:
        """Return an attribute that must be there.

        Raises
        ------
        CardError
            It is missing, or empty.
        """
        value = self.attributes.get(name, "")
        if not value:
            self.place.refuse(f"<{self.tag}> has no {name}", f'add {name}="..."')
        return value

    def number(self, name: str) -> float:
        """Return an attribute that is a number.

        Raises
        ------
        CardError
            It is missing, or no number.
        """
        from darkstats.conversion.datacard_lines import number_in

        return number_in(self.get(name), self.place, f"{name} of <{self.tag}>")

    def is_true(self, name: str) -> bool:
        """Whether an attribute is ``True``; other spellings mean different things to readers.

        Raises
        ------
        CardError
            It is neither ``True`` nor ``False``.
        """
        value = self.attributes.get(name, "False")
        if value not in {"True", "False"}:
            self.place.refuse(f"{name} of <{self.tag}> is {value!r}", "write True or False")
        return value == "True"


def read_elements(path: Path, root: str) -> Element:
    """Return the root element of a file.

    Parameters
    ----------
    path
        The file.
    root
        Tag that the root must have.

    Raises
    ------
    CardError
        The file cannot be read, is no XML, declares entities, or has another root.
    """
    source = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CardError(f"cannot be read: {in_words(error)}", source=source) from error
    if len(data) > _MOST_BYTES:
        raise CardError("is larger than 5 MB: no such file is", source=source)
    parser = expat.ParserCreate()
    open_elements: list[Element] = []
    roots: list[Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        made = Element(tag, attributes, Place(source, parser.CurrentLineNumber))
        (open_elements[-1].children if open_elements else roots).append(made)
        open_elements.append(made)

    def end(_tag: str) -> None:
        open_elements.pop()

    def text(words: str) -> None:
        if open_elements:
            open_elements[-1].text += words

    def entity(*_declaration: object) -> None:
        Place(source, parser.CurrentLineNumber).refuse(
            "declares an entity, which could stand for anything", "write its text in its place"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise CardError(
            f"no XML: {expat.errors.messages[error.code]}", source=source, line=error.lineno
        ) from None
    if roots[0].tag != root:
        roots[0].place.refuse(
            f"begins with <{roots[0].tag}>, not with <{root}>",
            "give the file of the combination, which names those of the channels",
        )
    return roots[0]
