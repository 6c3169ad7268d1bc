"""The parser of the command line. A verb is put together when it is called."""

# No `from __future__ import annotations`: typer reads these annotations.
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from darkstats.service.questions import ASKED
from darkstats.service.verbs import GROUPS as SERVICE_GROUPS
from darkstats.service.verbs import VERBS as SERVICE_VERBS
from darkstats.workflows.verbs import GROUPS, VERBS

__all__ = ["build"]

#: Stands before a verb that is put to a service, and not waited for.
_SUBMIT = "submit"
_SUBMIT_HELP = (
    "Put a question to a service and print its job.\n\n"
    "Example: darkstats submit limit workspace.json --server http://127.0.0.1:8000"
)
_PANEL = "Service"
_ALL = {**VERBS, **SERVICE_VERBS}


def _print_version(asked: bool) -> None:
    if asked:
        from darkstats import __version__

        typer.echo(f"darkstats {__version__}")
        raise typer.Exit


def darkstats(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an internal error.")
    ] = False,
) -> None:
    """Certified limits for particle physics, from a HistFactory workspace to a record.

    WORKSPACE is a JSON file as pyhf reads it, gzipped or not, a member of a HEPData archive
    (record.tar.gz:RegionA/BkgOnly.json), or - for standard input.

    Exit status: 0 done; 1 the answer cannot be certified; 2 bad input or usage; 130 interrupted.
    """


def build(arguments: Sequence[str]) -> Any:  # noqa: ANN401 -- a command of typer's parser
    """Return the command: with the verb that is called, or with all of them to choose from."""
    app = typer.Typer(
        name="darkstats",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(darkstats)
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] == [_SUBMIT]:
        submitted = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
        app.add_typer(submitted, name=_SUBMIT, help=_SUBMIT_HELP, rich_help_panel=_PANEL)
        known = [verb for verb in ASKED if verb.split()[0] in words[1:2]]
        _fill(submitted, known or list(ASKED), is_submitted=True)
        return typer.main.get_command(app)
    known = [verb for verb in _ALL if verb.split()[0] in words[:1]]
    _fill(app, known or list(_ALL))
    if not known:
        _offer_submit(app)
    return typer.main.get_command(app)


def _offer_submit(app: typer.Typer) -> None:
    """Show in the help of all verbs that there is one, without putting its verbs together."""

    def submit() -> None:
        raise AssertionError  # who calls it gets its own parser

    app.command(_SUBMIT, help=_SUBMIT_HELP, rich_help_panel=_PANEL)(submit)


def _fill(app: typer.Typer, verbs: Sequence[str], *, is_submitted: bool = False) -> None:
    groups: dict[str, typer.Typer] = {}
    for verb in verbs:
        group, _, step = verb.rpartition(" ")
        own = verb if verb in SERVICE_GROUPS else group
        if own and own not in groups:
            groups[own] = typer.Typer(no_args_is_help=own != verb, rich_markup_mode="rich")
            panel, text = {**GROUPS, **SERVICE_GROUPS}[own]
            app.add_typer(groups[own], name=own, help=text, rich_help_panel=panel)
        made = _command(verb, is_submitted=is_submitted)
        if own == verb:  # does something itself, and has further steps
            groups[own].callback(invoke_without_command=True)(made)
        else:
            panel_ = None if group else _ALL[verb].panel
            groups.get(group, app).command(step, rich_help_panel=panel_)(made)


def _command(verb: str, *, is_submitted: bool) -> Callable[..., None]:
    from darkstats.cli.commands import command

    return command(verb, _ALL[verb], is_submitted=is_submitted)
