"""What one may ask: a verb of the command line, its options by name, and documents by digest.

A document is named ``sha256:DIGEST/NAME``: a file, or a folder, of a collection that was uploaded;
a finished answer is named ``result:KEY``. Nothing else is a file: a question cannot name a path of
the machine that answers it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_args, get_origin

from darkstats import workflows
from darkstats.characters import no_text
from darkstats.errors import OptionError, UnknownNameError
from darkstats.options import named_choices
from darkstats.provenance import digest_of, versions
from darkstats.workflows.verbs import VERBS, Verb

if TYPE_CHECKING:
    from darkstats.options import Option

__all__ = [
    "ASKED",
    "FOLDERS",
    "WRITTEN",
    "Question",
    "Reference",
    "numerics_version",
    "references",
    "request_type",
    "takes_scan_folder",
]

#: Verbs that make no sense on a machine elsewhere: they are about its folders, or its network.
_ELSEWHERE = {
    "new-search",
    "template init",
    "shards plan",
    "shards run",
    "shards merge",
    "download",
}

#: Verbs that may be asked.
ASKED: Mapping[str, Verb] = {verb: said for verb, said in VERBS.items() if verb not in _ELSEWHERE}

#: Options that only the machine that answers decides.
_OURS = {"cluster", "workers", "threads", "cache", "output"}

#: Verbs that write a folder, and what it is called where a question does not say.
FOLDERS: Mapping[str, str] = {
    "template build": "search", "build": "search", "publish": "bundle", "convert": "converted",
}  # fmt: skip

_STANDARD_INPUT = "-"
_NO_DEFAULT = (MISSING, _STANDARD_INPUT)

_REFERENCE = re.compile(
    r"sha256:(?P<digest>[0-9a-f]{64})(?:/(?P<name>[^\x00-\x1f]{1,1024}))?|result:(?P<key>[0-9a-f]{64})"
)
#: Names that files of an answer may have.
WRITTEN = r"[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]{0,99}"
_LONGEST_WRITTEN = 250  # bytes; file systems take 255
_FIGURE = re.compile(r"(?:[a-z][a-z0-9_]{0,39}\.)?(?:csv|pdf|png|svg)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A document that a question names.

    Parameters
    ----------
    text
        As it stands in the question.
    digest, name
        Collection, and the file or folder in it; empty for an answer.
    key
        Key of an answer; empty for a document.
    """

    text: str
    digest: str = ""
    name: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that has been checked as far as that is possible without its documents.

    Parameters
    ----------
    verb
        ``"limit"``, ``"scan"``, ...
    options
        JSON values by the names of :func:`darkstats.options.named_choices`.
    figures
        Figures to draw with the answer: ``"svg"``, or ``"cls.pdf"`` with their kind; ``"cls.csv"``
        are the numbers that one shows.

    Raises
    ------
    UnknownNameError
        There is no such verb, or it has no such option.
    OptionError
        An option cannot be asked, or names a file that is no document of the service.
    """

    verb: str
    options: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.verb not in ASKED:
            raise UnknownNameError("verb", self.verb, tuple(ASKED))
        known = asked_of(self.verb)
        for name, value in self.options.items():
            if name not in known:
                raise UnknownNameError("option", name, tuple(known))
            for text, is_file in _parts(value, request_type(self.verb), name):
                _check_text(name, text, known[name], is_file=is_file)
        for figure in self.figures:
            if not _FIGURE.fullmatch(figure):
                raise OptionError(
                    f"figure {figure!r}: name KIND.FORMAT or FORMAT: csv, pdf, png or svg"
                )

    @property
    def references(self) -> tuple[Reference, ...]:
        """The documents that are named, each once."""
        found = {
            one.text: one
            for name, value in self.options.items()
            if asked_of(self.verb)[name].reads
            for text in _texts(value)
            for one in references(text)
        }
        return tuple(found.values())

    @property
    def text(self) -> str:
        """Canonical JSON."""
        return json.dumps(self.plain(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def plain(self) -> dict[str, Any]:
        """As JSON data, without options that have their usual values."""
        known = named_choices(request_type(self.verb))
        defaults = {name: shared[0].default for name, shared in known.items()}
        options = {
            name: value
            for name, value in self.options.items()
            if value is not None and not (value == defaults[name] and value is not True)
        }
        return {"verb": self.verb, "options": options, "figures": list(self.figures)}

    @classmethod
    def from_text(cls, text: str) -> Question:
        """Inverse of :attr:`text`."""
        found = json.loads(text)
        return cls(verb=found["verb"], options=found["options"], figures=tuple(found["figures"]))

    @property
    def key(self) -> str:
        """SHA-256 of all that the answer depends on: the question, its documents, the numerics."""
        return digest_of({"question": self.plain(), "numerics": numerics_version()})

    @property
    def title(self) -> str:
        """The question in one line."""
        shown = (f"{name}={_short(value)}" for name, value in self.plain()["options"].items())
        return " ".join((self.verb, *shown))


def request_type(verb: str) -> type:
    """Type of the request of a verb."""
    found: type = getattr(workflows, VERBS[verb].request)
    return found


@cache
def asked_of(verb: str) -> Mapping[str, Option]:
    """Options of a verb that a question may set, by name."""
    ours = _OURS - {"output"} if verb in FOLDERS else _OURS
    hidden = set(VERBS[verb].without.split()) | ours
    return {
        name: shared[0].option
        for name, shared in named_choices(request_type(verb)).items()
        if name not in hidden
    }


@cache
def takes_scan_folder(verb: str) -> bool:
    """Whether a verb takes a finished scan as the folder that it was written to."""
    return any(option.scan_folder for option in asked_of(verb).values())


@cache
def required_of(verb: str) -> tuple[str, ...]:
    """Options that a question must set: those without a default, or read from standard input."""
    known = named_choices(request_type(verb))
    found = [name for name in asked_of(verb) if known[name][0].default in _NO_DEFAULT]
    return tuple(name for name in found if name != "output")


@cache
def numerics_version() -> str:
    """Digest of the sources and the versions that a number may depend on."""
    import hashlib

    import darkstats

    root = Path(darkstats.__file__).parent
    seen = hashlib.sha256(json.dumps(versions(), sort_keys=True).encode())
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] in {"service", "cli"}:
            continue
        seen.update(str(place).encode())
        seen.update(path.read_bytes())
    return seen.hexdigest()


def references(text: str) -> tuple[Reference, ...]:
    """Documents that a text names."""
    return tuple(
        Reference(
            text=found.group(0),
            digest=found["digest"] or "",
            name=found["name"] or "",
            key=found["key"] or "",
        )
        for found in _REFERENCE.finditer(text)
    )


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 -- any JSON value
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _parts(value: Any, request: type, name: str) -> Iterator[tuple[str, bool]]:  # noqa: ANN401
    """Texts of a value, and whether each may name a file: of pairs, the second does."""
    kind = named_choices(request)[name][0].type
    pairs = get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is tuple
    items = list(value.items()) if isinstance(value, Mapping) else value
    if not pairs or not isinstance(items, (list, tuple)):
        yield from ((text, True) for text in _texts(value))
        return
    for item in items:
        first, rest = (item[:1], item[1:]) if isinstance(item, (list, tuple)) else ([], item)
        yield from ((text, False) for text in _texts(list(first)))
        yield from ((text, True) for text in _texts(rest))


def _check_text(name: str, text: str, asked: Option, *, is_file: bool) -> None:
    if no_text(text):
        raise OptionError(f"{name} {text!a}: is no text in UTF-8; write it anew")
    if asked.writes:
        if re.fullmatch(WRITTEN, text) is None or len(text.encode()) > _LONGEST_WRITTEN:
            raise OptionError(
                f"{name} {text!r}: give the name of a file, without a folder, of at most 100 "
                "characters that can be seen, the first no dot"
            )
        return
    named = references(text)
    for one in named:
        place = PurePosixPath(one.name)
        if place.is_absolute() or ".." in place.parts:
            raise OptionError(f"{name} {text!r}: names no file of its collection")
    if asked.reads != "file" or not is_file:
        return
    rest = text.partition("=")[2] if "=" in text.partition("sha256:")[0] else text
    if len(named) != 1 or named[0].text != rest:
        raise OptionError(
            f"{name} {text!r}: name a document of the service, sha256:DIGEST/NAME, or an answer, "
            "result:KEY; upload files first"
        )


def _short(value: Any) -> str:  # noqa: ANN401 -- any JSON value
    if isinstance(value, str):
        found = re.sub(r"sha256:[0-9a-f]{64}/?", "", value) or "."
        return re.sub(r"result:([0-9a-f]{12})[0-9a-f]*", r"result:\1", found)
    if isinstance(value, list):
        return ",".join(map(_short, value))
    return json.dumps(value)
