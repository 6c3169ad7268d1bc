"""Make a Python function of a workflow: its signature is what a user may choose.

Options are declared once, beside the fields of the requests: signatures and the parameters of the
docstrings in :mod:`darkstats.tasks` are made from there.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import time
from collections.abc import Callable
from dataclasses import MISSING
from typing import TYPE_CHECKING, Any, TypeVar

from darkstats import workflows
from darkstats.errors import ArgumentTypeError
from darkstats.logs import logger
from darkstats.options import named_choices, request_from
from darkstats.workflows import Outcome, Shell

if TYPE_CHECKING:
    from darkstats.options import Choice

__all__ = ["task"]

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")

_log = logger("darkstats.workflows")


class _Logged:
    """A step of a workflow, told to the log."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.start = time.monotonic()

    def __enter__(self) -> _Logged:
        _log.info("%s", self.name)
        return self

    def __exit__(self, *error: object) -> None:
        _log.info("%s: %.2f s", self.name, time.monotonic() - self.start)

    def advance(self, count: int) -> None:
        _log.debug("%s: %d more %s", self.name, count, self.unit)

    def now(self, name: str) -> None:
        _log.info("%s", name)


def task(
    run: Callable[[RequestT, Shell], Outcome[ResultT]],
) -> Callable[..., Outcome[ResultT]]:
    """Return the function of the fields of a request, whose signature is what a user may choose.

    A field without a flag is an argument, others are keywords, named after the field. Two fields
    that share a flag share a keyword: a word goes to those that know it.
    """
    name: str = run.__name__
    request: type = getattr(workflows, run.__annotations__["request"].rpartition(".")[2])
    asked = named_choices(request)
    parameters = [_parameter(key, shared) for key, shared in asked.items()]
    signature = inspect.Signature(sorted(parameters, key=lambda one: one.kind))

    @functools.wraps(run)
    def call(*args: Any, **kwargs: Any) -> Outcome[ResultT]:  # noqa: ANN401 -- as declared
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise ArgumentTypeError(
                name, f"{error}; it takes {', '.join(signature.parameters)}"
            ) from None
        made = request_from(
            request, {key: _recorded(value) for key, value in given.items()}, called=name
        )
        shell = Shell(command=_called(name, given), progress=_Logged, announce=_log.info)
        outcome = run(made, shell)
        for path, write in outcome.files.items():
            write(path)
        if outcome.uncertified or outcome.malformed:
            _log.warning("%s: %s", name, outcome.uncertified or outcome.malformed)
        return outcome

    call.__signature__ = signature  # type: ignore[attr-defined]  # as inspect reads it
    call.__doc__ = _documented(run.__doc__ or "", {key: asked[key] for key in signature.parameters})
    return call


def _parameter(name: str, shared: tuple[Choice, ...]) -> inspect.Parameter:
    first = shared[0]
    named, placed = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    kind = named if first.option.flags else placed
    # standard input is for shells: a call that names no document is one that forgot it
    needed = first.default is MISSING or (first.default == "-" and not first.option.flags)
    default = inspect.Parameter.empty if needed else first.default
    return inspect.Parameter(name, kind, default=default, annotation=first.type)


def _called(name: str, given: dict[str, Any]) -> str:
    """The call in words, for the record, as a command line stands there."""
    words = (f"{key}={_named(value)}" for key, value in given.items())
    return f"darkstats.{name}({', '.join(words)})"


def _named(value: Any) -> str:  # noqa: ANN401 -- whatever was passed
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_named, value))}]"
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    text = repr(value)
    return text if isinstance(value, (str, int, float, dict)) else text.partition("(")[0]


def _recorded(value: Any) -> Any:  # noqa: ANN401 -- whatever was passed
    """Outcomes as their records: what is drawn and written of a finished result."""
    if isinstance(value, Outcome):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return tuple(map(_recorded, value))
    return value


def _plain(text: str) -> str:
    """Text without what would be markup in a docstring."""
    return re.sub(r"[*`|]|_(?!\w)", r"\\\g<0>", text)


def _documented(text: str, asked: dict[str, tuple[Choice, ...]]) -> str:
    """The docstring with its parameters, before its examples."""
    lines = ["    Parameters", "    ----------"]
    for name, shared in asked.items():
        words = _plain("; ".join(dict.fromkeys(one.option.text for one in shared)))
        lines += [f"    {name}", f"        {words}"]
    head, mark, examples = text.partition("    Examples\n")
    return "\n".join([head.rstrip(), "", *lines, "", ""]) + mark + examples
