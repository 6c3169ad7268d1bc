"""The command line that makes a request, for whoever wants to repeat an answer."""

from __future__ import annotations

import shlex
from functools import reduce
from typing import TYPE_CHECKING, Any

from darkstats.options import choices_of
from darkstats.workspace.patchset import PatchSet
from darkstats.workspace.spec import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkstats.options import Option

__all__ = ["command_of"]


def command_of(verb: str, request: object) -> str:
    """Return the command line that makes a request, quoted for a shell.

    Examples
    --------
    >>> from darkstats.workflows import LimitRequest, ModelRequest, WorkspaceRequest
    >>> model = ModelRequest(workspace=WorkspaceRequest(source="w.json"), masked=("A", "B"))
    >>> command_of("limit", LimitRequest(model=model, cl=0.9))
    'darkstats limit w.json --mask A --mask B --cl 0.9'
    """
    places: list[str] = []
    flags: list[str] = []
    kind: Any = type(request)  # a class can be hashed, which mypy does not see
    for choice in choices_of(kind):
        value = reduce(getattr, choice.path, request)
        if not choice.option.flags:
            places += _words(choice.option, value)
        elif value != choice.default:
            flags += _words(choice.option, value)
    return shlex.join(["darkstats", *verb.split(), *places, *flags])


def _words(option: Option, value: object) -> Iterator[str]:
    flag = max(option.flags, key=len) if option.flags else ""
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, bool):
            on, _, off = flag.partition("/")
            yield on if one else off or on
            continue
        yield from [flag] if flag else []
        yield _text(one)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "=".join(_text(one) for one in value if one != "")
    if isinstance(value, (Workspace, PatchSet)):
        return value.source
    return value if isinstance(value, str) else repr(value)
