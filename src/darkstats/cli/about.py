"""``citation``."""

# No `from __future__ import annotations`: typer reads these annotations when the verb is called.
import typer

from darkstats.cli import options as o
from darkstats.cli.output import print_record

__all__ = ["citation"]


def citation(json: o.Json = False) -> None:
    """Print what to cite: darkstats, and the work that it stands on.

    Example: darkstats citation > darkstats.bib
    """
    from darkstats.report.citations import bibtex, citation_record

    if json:
        print_record(citation_record())
    else:
        typer.echo(bibtex())
