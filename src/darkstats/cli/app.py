"""The verbs, and how they are put together. A verb's module is loaded when the verb is called."""

from collections.abc import Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer

__all__ = ["VERBS", "build"]

#: Module and function of each verb, in the order of the help.
VERBS = MappingProxyType(
    {
        "limit": ("statistics", "limit"),
        "hypotest": ("statistics", "hypotest"),
        "significance": ("statistics", "significance"),
        "gof": ("statistics", "gof"),
        "fit": ("fits", "fit"),
        "rank": ("fits", "rank"),
        "scan-poi": ("fits", "scan_poi"),
        "simulate": ("builds", "simulate"),
        "build": ("builds", "build"),
        "scan": ("scans", "scan"),
        "global": ("scans", "global_"),
        "project": ("scans", "project"),
        "shards": ("scans", "shards"),
        "plot": ("plots", "plot"),
        "export": ("plots", "export"),
        "inspect": ("documents", "inspect"),
        "patchset": ("documents", "patchset"),
        "combine": ("documents", "combine"),
        "prune": ("documents", "prune"),
        "rename": ("documents", "rename"),
        "digest": ("documents", "digest"),
        "download": ("documents", "download"),
        "citation": ("about", "citation"),
    }
)

_PANELS = MappingProxyType(
    {
        "statistics": "Statistics",
        "fits": "Fits",
        "builds": "Searches",
        "scans": "Scans",
        "plots": "Results",
        "documents": "Workspaces",
        "about": "About",
    }
)


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
    called = next((word for word in arguments if not word.startswith("-")), None)
    verbs = [verb for verb in VERBS if verb == called] or list(VERBS)
    for verb in verbs:
        module, function = VERBS[verb]
        target = getattr(import_module(f"darkstats.cli.{module}"), function)
        app.command(verb, rich_help_panel=_PANELS[module])(target)
    return typer.main.get_command(app)
