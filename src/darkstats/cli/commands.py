"""From declared options to a parser, and from what it read to a request.

This is the only place that knows both: :mod:`darkstats.options` says what a user may choose, typer
parses. Two fields may share a flag (``--engine``): the word goes to those that know it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, replace
from importlib import import_module
from typing import Annotated, Any, get_args, get_origin

import typer

from darkstats.characters import no_text
from darkstats.cli.output import Drawing, Output, deliver
from darkstats.cli.remote import Remote, Submission, ask_service, options_by_name, submit
from darkstats.errors import OptionError, UnknownNameError
from darkstats.options import Choice, Option, choices_of, request_of, sharing, takers_of, written
from darkstats.service.questions import ASKED, asked_of
from darkstats.workflows.verbs import Verb

__all__ = ["command"]

Path = tuple[str, ...]
Shared = tuple[Choice, ...]

_DOCUMENT = "Write the document to this file, whole or not; it is printed otherwise."


def command(name: str, verb: Verb, *, is_submitted: bool = False) -> Callable[..., None]:
    """Return the function that typer makes a command of.

    Parameters
    ----------
    name, verb
        The verb.
    is_submitted
        Whether its question is put to a service, and not waited for.
    """
    home = import_module(verb.home)
    request = getattr(home, verb.request)
    hidden = set(verb.without.split())
    asked = [_said(one, verb.words) for one in choices_of(request) if one.path[-1] not in hidden]
    output: Any = Drawing if verb.draws else Output
    words = {"path": _DOCUMENT} if verb.prints_record else {}
    shown = [_said(one, words) for one in choices_of(output) if _is_offered(verb, one)]
    if is_submitted:
        asked = [one for one in asked if one.path[-1] in asked_of(name)]
        parts = {"request": asked, "remote": choices_of(Submission)}
    else:
        parts = {"request": asked, "output": shown}
        if name in ASKED:
            parts["remote"] = choices_of(Remote)
    parameters = {
        key: value for part, choices in parts.items()
        for key, value in _parameters(part, choices).items()
    }  # fmt: skip

    def run(context: typer.Context, **given: Any) -> None:  # noqa: ANN401 -- as declared
        if context.invoked_subcommand is not None:
            return
        chosen = _chosen(parameters, given)
        if is_submitted:
            options = options_by_name(name, chosen["request"])
            submit(name, options, request_of(Submission, chosen["remote"]), context.obj)
            return
        where = request_of(output, chosen["output"])
        where = where.output() if isinstance(where, Drawing) else where
        _check_figures(verb, where)
        _check_files(asked, chosen["request"], where)
        if verb.prints_record and where.path is None:
            where = Output(json=True)
        what = request_of(request, chosen["request"])
        server = request_of(Remote, chosen["remote"]).url if name in ASKED else None
        if server is not None:
            options = options_by_name(name, chosen["request"])
            status = ask_service(server, name, options, where, context.obj)
            if status:
                raise typer.Exit(status)
            return
        shell = replace(context.obj, kinds=tuple(kind for kind, _ in where.figures))
        deliver(lambda: getattr(home, verb.task)(what, shell), where, shell)

    return _signed(run, verb, parameters)


def _signed(
    run: Callable[..., None], verb: Verb, parameters: Mapping[str, tuple[str, Shared]]
) -> Callable[..., None]:
    """Give a function the signature and the help that typer reads."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = [inspect.Parameter("context", keyword, annotation=typer.Context)]
    for name, (_, choices) in parameters.items():
        kind, default = _as_typer(choices)
        signature.append(inspect.Parameter(name, keyword, default=default, annotation=kind))
    run.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]  # as inspect reads it
    run.__annotations__ = {one.name: one.annotation for one in signature}
    run.__doc__ = verb.help.replace("[", "\\[")
    return run


def _check_figures(verb: Verb, output: Output) -> None:
    """Refuse a figure that the verb never draws, before the work and not after it."""
    known = tuple(verb.kinds.split())
    for kind, _ in output.figures:
        if kind is not None and known and kind not in known:
            raise UnknownNameError("figure", kind, known)


def _check_files(asked: Iterable[Choice], chosen: Mapping[Path, Any], output: Output) -> None:
    """Refuse one file for two things, of which the second would replace the first."""
    written = [(one.option.name, chosen.get(one.path)) for one in asked if one.option.writes]
    written += [("--plot", path) for _, path in output.figures] + [("--output", output.path)]
    seen: dict[str, str] = {}
    for flag, path in written:
        if isinstance(path, str):
            place = os.path.realpath(path)
            if place in seen:
                raise OptionError(f"{seen[place]} and {flag} both write {path}: name two files")
            seen[place] = flag


def _said(choice: Choice, words: Mapping[str, str]) -> Choice:
    """A choice with the verb's own words for it, where it has some."""
    name = choice.path[-1]
    if name not in words:
        return choice
    return replace(choice, option=replace(choice.option, help=words[name]))


def _is_offered(verb: Verb, choice: Choice) -> bool:
    name = choice.path[-1]
    if verb.draws or name == "json":
        return True
    return verb.file if name == "path" else verb.figures


def _parameters(part: str, choices: Iterable[Choice]) -> dict[str, tuple[str, Shared]]:
    """Name each parameter, with the part that it belongs to and the fields that share its flag."""
    return {"_".join((part, *shared[0].path)): (part, shared) for shared in sharing(choices)}


def _as_typer(choices: Shared) -> tuple[Any, Any]:
    """Annotation and default of a parameter, as typer reads them."""
    first = choices[0]
    asked, kind = first.option, written(first.type)
    required = first.default is MISSING
    if get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis:
        kind = list[str] if asked.repeated else list[written(get_args(kind)[0])]  # type: ignore[misc]  # a type at run time
    if asked.read is not None:
        kind = list[str] if asked.repeated else str
    default = None if required or asked.read or get_origin(kind) is list else first.default
    optional = not required and (default is None or get_origin(kind) is list)
    kind = kind | None if optional and type(None) not in get_args(kind) else kind
    text = _joined_help(choices)
    declared: Any
    if not asked.flags:
        declared = typer.Argument(metavar=asked.metavar, help=text, show_default=False)
    else:
        declared = typer.Option(
            *asked.flags, metavar=asked.metavar, help=text, rich_help_panel=asked.panel,
            show_default=asked.usual is None and "/" not in asked.flags[0],
        )  # fmt: skip
    return Annotated[kind, declared], (inspect.Parameter.empty if required else default)


def _joined_help(choices: Shared) -> str:
    """Return one help text of the fields that share a flag; brackets are no markup."""
    if len(choices) == 1:
        return choices[0].option.text.replace("[", "\\[")
    texts = [one.option.text.rstrip(".") for one in choices]
    return "; ".join(reversed(texts)).replace("[", "\\[") + "."


def _chosen(
    parameters: Mapping[str, tuple[str, Shared]], given: Mapping[str, Any]
) -> dict[str, dict[Path, Any]]:
    """Values by part and field: what was not given is not there."""
    chosen: dict[str, dict[Path, Any]] = {"request": {}, "output": {}, "remote": {}}
    for name, (part, choices) in parameters.items():
        value = given[name]
        if value is None or value == []:
            continue
        for taker in takers_of(choices, value):
            chosen[part][taker.path] = _value(taker.option, value)
    return chosen


def _value(asked: Option, value: Any) -> Any:  # noqa: ANN401 -- any type of a field
    value = tuple(value) if isinstance(value, list) else value
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, str) and not asked.names_file and no_text(one):
            raise OptionError(f"{asked.name} {one!a}: is no text in UTF-8; write it anew")
    return value if asked.read is None else asked.read(value)
