"""``plot``, ``export``."""

# No `from __future__ import annotations`: typer reads these annotations when the verb is called.
from typing import Annotated

import typer

from darkstats import workflows
from darkstats.cli import options as o
from darkstats.cli.output import Output, deliver
from darkstats.errors import OptionError

__all__ = ["export", "plot"]

_FIGURE = "Figure"


def _numbers(words: list[str] | None, name: str) -> tuple[float, ...]:
    """Numbers of a repeatable option whose values may be joined by commas."""
    found = []
    for word in words or ():
        for part in word.split(","):
            try:
                found.append(float(part))
            except ValueError:
                raise OptionError(f"{name} {word}: {part!r} is no number") from None
    return tuple(found)


def _years(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise OptionError(f"--anomaly {text}: give years such as 2021,2025, or none") from None


def plot(
    context: typer.Context,
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RESULT]...",
            help="Records of darkstats scan, global or limit; several scans make projections.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", metavar="KIND", help="Figure; the table lists those there are."),
    ] = None,
    figure: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Figure (.pdf, .png, .svg); repeatable."
        ),
    ] = None,
    constraints: Annotated[
        list[str] | None,
        typer.Option(
            "--constraints",
            metavar="DIR",
            help="Earlier constraints: a folder, catalogue, or none; repeatable. "
            "\\[default: catalogue]",
            rich_help_panel=_FIGURE,
        ),
    ] = None,
    coupling: Annotated[
        str | None,
        typer.Option(
            "--coupling",
            metavar="NAME",
            help="Quantity: a benchmark, cross_section or signal_strength.",
            rich_help_panel=_FIGURE,
        ),
    ] = None,
    slice_: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="MASS",
            help="Fixed mass of a slice, GeV; repeatable, or 1,2,4.",
            rich_help_panel=_FIGURE,
        ),
    ] = None,
    mass_range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--mass-range",
            metavar="LOW HIGH",
            help="Ends of the axis of masses, GeV.",
            rich_help_panel=_FIGURE,
        ),
    ] = None,
    value_range: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--value-range",
            metavar="LOW HIGH",
            help="Ends of the other axis.",
            rich_help_panel=_FIGURE,
        ),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            "--levels",
            metavar="RESULT",
            help="Record of darkstats global, for its levels among local p-values.",
            rich_help_panel=_FIGURE,
        ),
    ] = None,
    anomaly: Annotated[
        str,
        typer.Option(
            "--anomaly",
            metavar="YEARS",
            help="Inputs to the muon's anomaly beside a coupling to muons, or none.",
            rich_help_panel=_FIGURE,
        ),
    ] = "2021,2023,2025",
    note: Annotated[
        str | None,
        typer.Option(
            "--note", metavar="WORDS", help="A line of the legend.", rich_help_panel=_FIGURE
        ),
    ] = None,
    csv: o.Csv = False,
    json: o.Json = False,
) -> None:
    """Draw a finished result again, or several in one figure.

    Without RESULT: the regimes of mediator and dark-matter masses.

    Example: darkstats plot scan.json -o limits.pdf --constraints ~/AxionLimits/AxionPhoton
    """
    out = Output(
        json=json,
        plots=tuple(f"{kind}={path}" if kind else path for path in figure or ()),
        csv=csv,
    )
    request = workflows.PlotRequest(
        results=tuple(results or ()),
        coupling=coupling,
        constraints=tuple(constraints or ("catalogue",)),
        slices_gev=_numbers(slice_, "--slice"),
        mass_range_gev=mass_range,
        value_range=value_range,
        levels=levels,
        anomaly_years=_years(anomaly),
        note=note,
    )
    deliver(lambda: workflows.plot(request, context.obj), out, context.obj)


def export(
    context: typer.Context,
    result: Annotated[
        str,
        typer.Argument(metavar="RESULT", help="Record of darkstats scan.", show_default=False),
    ],
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write one row a hypothesis.")
    ] = None,
    hepdata: Annotated[
        str | None,
        typer.Option("--hepdata", metavar="DIR", help="Write a HEPData submission to a folder."),
    ] = None,
    sqrt_s: Annotated[
        float | None,
        typer.Option("--sqrt-s", metavar="GEV", help="Energy in the centre of mass, for HEPData."),
    ] = None,
    beams: Annotated[
        str | None, typer.Option("--beams", metavar="WORDS", help="Beams, for HEPData.")
    ] = None,
    collaboration: Annotated[
        str | None,
        typer.Option("--collaboration", metavar="NAME", help="Collaboration, for HEPData."),
    ] = None,
    reaction: Annotated[
        str | None,
        typer.Option("--reaction", metavar="WORDS", help="Reaction by HEPData's rules."),
    ] = None,
    json: o.Json = False,
) -> None:
    """Write a scan as CSV or as HEPData tables.

    Example: darkstats export scan.json --csv scan.csv --hepdata submission
    """
    request = workflows.ExportRequest(
        result=result,
        csv=csv,
        hepdata=hepdata,
        sqrt_s_gev=sqrt_s,
        beams=beams,
        collaboration=collaboration,
        reaction=reaction,
    )
    deliver(lambda: workflows.export(request, context.obj), Output(json=json), context.obj)
