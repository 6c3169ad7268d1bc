"""The outline of an HS3 document: whatever the reader relies on later is checked here, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from darkstats.errors import DocumentError

__all__ = ["HS3_VERSION", "SECTIONS", "check_outline", "is_number", "looks_like_hs3"]

HS3_VERSION = "0.2"
SECTIONS = (
    "metadata",
    "distributions",
    "functions",
    "data",
    "likelihoods",
    "domains",
    "parameter_points",
    "analyses",
    "misc",
)
#: Keys that an item of a section must have.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "distributions": ("type",),
    "functions": ("type",),
    "analyses": ("likelihood",),
    "parameter_points": ("parameters",),
    "domains": ("axes",),
    "likelihoods": ("distributions", "data"),
}
#: Keys that hold one name, or a list of names.
_ONE_NAME: Mapping[str, tuple[str, ...]] = {
    "analyses": ("likelihood", "init", "domain"),
    "distributions": ("type",),
    "functions": ("type",),
    "data": ("type",),
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    "analyses": ("parameters_of_interest", "domains"),
    "likelihoods": ("distributions", "data", "aux_distributions"),
    "distributions": ("summands", "factors"),
}
Item = dict[str, Any]


def looks_like_hs3(document: object) -> bool:
    """Whether a parsed document says that it is HS3."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("metadata"), dict)
        and "hs3_version" in document["metadata"]
    )


def is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_outline(document: object, source: str) -> Item:
    """Return a document whose outline is that of HS3 0.2 with likelihoods.

    Raises
    ------
    DocumentError
        It is none; the message says where and why.
    """
    if not isinstance(document, dict) or not looks_like_hs3(document):
        raise DocumentError(
            "is no HS3 document: it has no metadata.hs3_version",
            source=source,
            remedy='begin with {"metadata": {"hs3_version": "0.2"}, ...}',
        )
    version = str(document["metadata"]["hs3_version"])
    if not version.startswith(HS3_VERSION):
        raise DocumentError(
            f"is HS3 {version}; this program reads {HS3_VERSION}",
            source=source,
            pointer="/metadata/hs3_version",
        )
    for section in document:
        if section not in SECTIONS:
            raise DocumentError(
                f"has an unknown section {section!r}",
                source=source,
                remedy="put private keys under misc",
            )
    check = _Check(source)
    check.numbers(document, "")
    for section in SECTIONS[1:-1]:
        check.section(document.get(section, []), section)
    for section in ("distributions", "data", "likelihoods", "domains", "analyses"):
        if not document.get(section):
            raise DocumentError(f"has no {section}", source=source)
    check.misc(document.get("misc", {}))
    return document


class _Check:
    """Checks of one document; ``pointer`` is where something stands (RFC 6901)."""

    def __init__(self, source: str) -> None:
        self.source = source

    def error(self, problem: str, pointer: str, remedy: str = "") -> DocumentError:
        return DocumentError(problem, source=self.source, pointer=pointer, remedy=remedy)

    def numbers(self, value: object, pointer: str) -> None:
        """Refuse numbers that double precision does not hold."""
        if isinstance(value, dict):
            for key, part in value.items():
                self.numbers(part, f"{pointer}/{_escaped(key)}")
        elif isinstance(value, (list, tuple)):
            for n, part in enumerate(value):
                if type(part) is not float or not math.isfinite(part):
                    self.numbers(part, f"{pointer}/{n}")
        elif isinstance(value, int) and value.bit_length() > 1023 and not _fits(value):
            digits = int(value.bit_length() * math.log10(2.0)) + 1
            raise self.error(
                f"is an integer of {digits} digits", pointer, "write a number below 1e308"
            )
        elif isinstance(value, float) and not math.isfinite(value):
            raise self.error(f"is {value}", pointer, "write a finite number")

    def section(self, entries: object, section: str) -> None:
        if not isinstance(entries, list):
            raise self.error("is no list", f"/{section}", "HS3 0.2 has lists of named items")
        seen = set()
        for n, entry in enumerate(entries):
            pointer = f"/{section}/{n}"
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise self.error("has no name", pointer)
            name = entry["name"]
            for key in _NEEDED.get(section, ()):
                if key not in entry:
                    raise self.error(f"{name!r} has no {key}", pointer)
            if name in seen:
                raise self.error(f"{name!r} is there twice", pointer)
            seen.add(name)
            self.parts(entry, section, pointer)

    def parts(self, entry: Item, section: str, pointer: str) -> None:
        """Check the keys of an item."""
        for key in _ONE_NAME.get(section, ()):
            if not isinstance(entry.get(key, ""), str):
                raise self.error("is no name", f"{pointer}/{key}", "write the name as text")
        for key in _NAMES.get(section, ()):
            self.names(entry.get(key), f"{pointer}/{key}")
        if section in ("domains", "parameter_points", "data"):
            for key in ("parameters", "axes"):
                self.named(entry, key, pointer)
        if section == "distributions":
            self.listed(entry.get("coefficients"), f"{pointer}/coefficients")
        if section == "likelihoods":
            self.pairs(entry, pointer)

    def listed(self, value: object, pointer: str) -> Sequence[Any]:
        """A list, or nothing."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error("is no list", pointer, "write a list in square brackets")
        return value

    def names(self, value: object, pointer: str) -> None:
        for n, name in enumerate(self.listed(value, pointer)):
            if not isinstance(name, str):
                hint = "write the name of an item"
                if pointer.startswith("/likelihoods"):
                    hint = "write constraints as aux_distributions"
                raise self.error("holds something else than names", f"{pointer}/{n}", hint)

    def named(self, entry: Item, key: str, pointer: str) -> None:
        """Parameters or axes, each with a name of its own."""
        seen = set()
        for part in self.listed(entry.get(key), f"{pointer}/{key}"):
            if not isinstance(part, dict) or not isinstance(part.get("name"), str):
                raise self.error(f"has no name in {key}", pointer)
            name = part["name"]
            if key == "parameters" and not is_number(part.get("value")):
                raise self.error(f"{name!r} has no value", pointer)
            if name in seen:
                raise self.error(
                    f"{name!r} stands twice in {key}", pointer, "keep the one that is meant"
                )
            seen.add(name)

    def pairs(self, likelihood: Item, pointer: str) -> None:
        channels, data = likelihood["distributions"], likelihood["data"]
        if not isinstance(channels, list) or not isinstance(data, list):
            raise self.error("distributions and data do not pair up", pointer)
        if len(channels) != len(data):
            raise self.error("distributions and data do not pair up", pointer)
        for names in (channels, data):
            twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
            if twice is not None:
                raise self.error(
                    f"{twice!r} is listed twice: its events would count twice",
                    pointer,
                    "list each channel and each data set once",
                )

    def misc(self, misc: object) -> None:
        """What the document says of hypotheses."""
        own = self.mapping(self.mapping(misc, "/misc").get("darkstats", {}), "/misc/darkstats")
        points = self.mapping(own.get("points", {}), "/misc/darkstats/points")
        for name, values in points.items():
            pointer = f"/misc/darkstats/points/{_escaped(name)}"
            for label, value in self.mapping(values, pointer).items():
                if not is_number(value):
                    raise self.error(
                        f"is {value!r}, no finite number"[:200],
                        f"{pointer}/{_escaped(label)}",
                        "write the mass as a number, in GeV",
                    )
        if "labels" in own:
            self.names(own["labels"], "/misc/darkstats/labels")

    def mapping(self, value: object, pointer: str) -> Item:
        if not isinstance(value, dict):
            raise self.error("is no object", pointer, "write an object in braces")
        return value


def _escaped(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _fits(value: int) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
