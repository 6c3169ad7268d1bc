"""How a value that a user may choose is declared: once, beside the field of its request.

A field reads ``cl: Annotated[float | None, option("--cl", metavar="LEVEL", help="...")] = None``.
The command line makes its options from these declarations, requests check their values against
them, and the help text, which becomes the reference page, is theirs. Nothing here knows a parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, reduce
from operator import or_
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from darkstats.arguments import converted, words_by_name
from darkstats.errors import ArgumentTypeError, OptionError, UnknownNameError

__all__ = [
    "Choice",
    "Option",
    "argument",
    "check_choices",
    "choices_of",
    "named_choices",
    "option",
    "request_from",
    "request_of",
    "sharing",
    "takers_of",
    "written",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What a user reads and writes of one field.

    Parameters
    ----------
    flags
        As on the command line; an argument without a flag has none.
    metavar, help, panel
        Word for the value, text of the help (``{choices}`` stands for the choices), and the group
        of the help that the option stands in.
    choices, kind
        Words that are allowed, and what they are, for the message.
    least, most
        Ends of a number, both allowed.
    usual
        The default in words, where the value itself would not say it.
    read
        From what a parser hands over, a text or a tuple of texts, to the value; ``None`` where the
        type of the field says it all.
    repeated
        Whether ``read`` takes a tuple of texts.
    reads
        ``"file"`` where the value is a file, folder or record that is read, a name before ``=``
        aside; ``"perhaps"`` where it may be one, or contain one, among other things.
    writes
        Whether the value is a file or folder that is written.
    by_name
        Whether words are ``NAME=1.2,3.4``, so that a mapping of names to numbers stands for them.
    scan_folder
        Whether a finished scan is named by the folder that it was written to, not by its record.
    """

    flags: tuple[str, ...]
    metavar: str | None
    help: str
    panel: str | None
    choices: tuple[str, ...]
    kind: str
    least: int | None
    most: int | None
    usual: str | None
    read: Callable[[Any], Any] | None
    repeated: bool
    reads: str
    writes: bool
    by_name: bool
    scan_folder: bool

    @property
    def name(self) -> str:
        """The longest flag, or the word for the value."""
        return max(self.flags, key=len).partition("/")[0] if self.flags else str(self.metavar)

    @property
    def names_file(self) -> bool:
        """Whether the value is a place on disk, whose name may be any bytes."""
        return self.writes or self.reads == "file"

    @property
    def text(self) -> str:
        """The help, with the choices and the default in words."""
        words = self.help.replace("{choices}", in_words(self.choices))
        return words if self.usual is None else f"{words} [default: {self.usual}]"


def in_words(choices: tuple[str, ...]) -> str:
    """``"a, b or c"``."""
    *most, last = choices or ("",)
    return f"{', '.join(most)} or {last}" if most else last


def option(
    *flags: str,
    help: str,
    metavar: str | None = None,
    panel: str | None = None,
    choices: tuple[str, ...] = (),
    kind: str = "",
    least: int | None = None,
    most: int | None = None,
    usual: str | None = None,
    read: Callable[[Any], Any] | None = None,
    repeated: bool = False,
    reads: str = "",
    writes: bool = False,
    by_name: bool = False,
    scan_folder: bool = False,
) -> Option:
    """Declare an option; see :class:`Option`."""
    return Option(
        flags=flags, metavar=metavar, help=help, panel=panel, choices=choices, kind=kind,
        least=least, most=most, usual=usual, read=read, repeated=repeated, reads=reads,
        writes=writes, by_name=by_name, scan_folder=scan_folder,
    )  # fmt: skip


def argument(metavar: str, help: str, *, reads: str = "", scan_folder: bool = False) -> Option:
    """Declare an argument that has no flag."""
    return option(metavar=metavar, help=help, reads=reads, scan_folder=scan_folder)


def written(kind: Any) -> Any:  # noqa: ANN401 -- a type
    """The type of what a user writes: that of a field without what only Python can hand over."""
    alternatives = get_args(kind) if get_origin(kind) in {Union, UnionType} else ()
    plain = [one for one in alternatives if one in _WRITTEN or get_origin(one) is tuple]
    return kind if len(plain) in {0, len(alternatives)} else reduce(or_, plain)


_WRITTEN = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One field that a user may choose, found in a request or in one that it holds.

    Parameters
    ----------
    path
        Names of the fields that lead to it.
    type
        Of the field.
    option
        Its declaration.
    default
        Of the field; ``dataclasses.MISSING`` where it must be given.
    """

    path: tuple[str, ...]
    type: Any
    option: Option
    default: Any


@cache
def choices_of(request: type) -> tuple[Choice, ...]:
    """All that a user may choose of a request, requests that it holds included, in order."""
    return tuple(_choices(request, ()))


def _choices(request: type, path: tuple[str, ...]) -> Iterator[Choice]:
    hints = get_type_hints(request, include_extras=True)
    # own fields first: what a request shares with others stands after what it is about
    for one in sorted(
        fields(request), key=lambda one: one.name not in vars(request)["__annotations__"]
    ):
        hint = hints[one.name]
        if is_dataclass(hint) and isinstance(hint, type):
            yield from _choices(hint, (*path, one.name))
        elif get_origin(hint) is Annotated:
            kind, *notes = get_args(hint)
            for note in notes:
                if isinstance(note, Option):
                    yield Choice(
                        path=(*path, one.name), type=kind, option=note, default=one.default
                    )


def check_choices(request: object) -> None:
    """Check the words and the numbers of a request against their declarations.

    Raises
    ------
    UnknownNameError
        A word that is none of the choices; it lists them.
    OptionError
        A number beyond its ends.
    """
    kind: Any = type(request)  # a class can be hashed, which mypy does not see
    for choice in choices_of(kind):
        if len(choice.path) > 1:  # requests inside have been checked when they were made
            continue
        value, asked = getattr(request, choice.path[0]), choice.option
        if value is None or value is MISSING:
            continue
        if asked.choices and value not in asked.choices:
            raise UnknownNameError(asked.kind, str(value), asked.choices)
        if (asked.least is not None and value < asked.least) or (
            asked.most is not None and value > asked.most
        ):
            ends = f"at least {asked.least}" + (f", at most {asked.most}" if asked.most else "")
            raise OptionError(f"{asked.name} {value}: give a whole number, {ends}")


def sharing(choices: Iterable[Choice]) -> tuple[tuple[Choice, ...], ...]:
    """The choices by their flags, in order: two fields may share one."""
    found: dict[tuple[str, ...], list[Choice]] = {}
    for choice in choices:
        found.setdefault(choice.option.flags or choice.path, []).append(choice)
    return tuple(map(tuple, found.values()))


@cache
def named_choices(request: type) -> Mapping[str, tuple[Choice, ...]]:
    """The choices of a request by the names that Python and JSON know them by: of their fields.

    Two fields that share a flag share a name, that of the first.
    """
    shared = sharing(choices_of(request))
    return MappingProxyType({choices[0].path[-1]: choices for choices in shared})


def request_from(kind: type, given: Mapping[str, Any], *, called: str) -> Any:  # noqa: ANN401 -- of this kind
    """Return a request made of values by name, as Python and JSON have them.

    Lists stand for tuples, mappings for pairs, paths for text.

    Parameters
    ----------
    kind
        The request.
    given
        Values by the names of :func:`named_choices`; those equal to the default say nothing.
    called
        Name of the function or verb, for messages.

    Raises
    ------
    ArgumentTypeError
        A name that the request does not have, or a value of another type.
    OptionError
        Values that the request refuses.
    """
    asked = named_choices(kind)
    chosen: dict[tuple[str, ...], Any] = {}
    for name, value in given.items():
        if name not in asked:
            raise ArgumentTypeError(called, f"no option {name!r}; it takes {', '.join(asked)}")
        first = asked[name][0]
        if value is first.default:
            continue
        if first.option.by_name and isinstance(value, Mapping):
            found = converted(called, name, words_by_name(called, name, value), first.type)
        else:
            found = converted(called, name, value, first.type)
        for taker in takers_of(asked[name], found):
            chosen[taker.path] = found
    return request_of(kind, chosen)


def takers_of(shared: tuple[Choice, ...], value: object) -> tuple[Choice, ...]:
    """Which of the fields that share a flag a value is for: a word goes to those that know it.

    Raises
    ------
    UnknownNameError
        None knows it.
    """
    if len(shared) == 1:
        return shared
    takers = tuple(one for one in shared if value in one.option.choices)
    if not takers:
        known = dict.fromkeys(word for one in shared for word in one.option.choices)
        raise UnknownNameError(shared[0].option.kind, str(value), tuple(known))
    return takers


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def request_of(
    kind: type, chosen: Mapping[tuple[str, ...], Any], path: tuple[str, ...] = ()
) -> Any:  # noqa: ANN401 -- a request of this kind
    """Return a request with the values chosen by field, and the requests that it holds."""
    hints = _hints(kind)
    values = {}
    for one in fields(kind):
        here = (*path, one.name)
        if is_dataclass(hints[one.name]):
            values[one.name] = request_of(hints[one.name], chosen, here)
        elif here in chosen:
            values[one.name] = chosen[here]
    return kind(**values)
