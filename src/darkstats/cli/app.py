"""The parser of the command line. A verb is put together when it is called."""

# No `from __future__ import annotations`: typer reads these annotations.
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from darkstats.workflows.verbs import GROUPS, VERBS

__all__ = ["build"]


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
    known = [verb for verb in VERBS if verb.split()[0] in words[:1]]
    groups: dict[str, typer.Typer] = {}
    for verb in known or VERBS:
        group, _, step = verb.rpartition(" ")
        if group and group not in groups:
            groups[group] = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
            panel, text = GROUPS[group]
            app.add_typer(groups[group], name=group, help=text, rich_help_panel=panel)
        _add(groups.get(group, app), step, verb, in_group=bool(group))
    return typer.main.get_command(app)


def _add(app: typer.Typer, name: str, verb: str, *, in_group: bool) -> None:
    from darkstats.cli.commands import command

    asked = VERBS[verb]
    app.command(name, rich_help_panel=None if in_group else asked.panel)(command(asked))
