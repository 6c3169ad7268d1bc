"""``simulate``, ``build``."""

# No `from __future__ import annotations`: typer reads these annotations when the verb is called.
from typing import Annotated

import typer

from darkstats import workflows
from darkstats.cli import options as o
from darkstats.cli.output import Output, deliver

__all__ = ["build", "simulate"]

Card = Annotated[
    str, typer.Argument(metavar="CARD", help="Search card, a YAML file such as models/alp.yaml.")
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Simulate the smaller numbers of events of the card.")
]
SimulationSeed = Annotated[int, typer.Option("--seed", help="Seed of simulation and pseudo-data.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", help="Processes; any number gives the same events."),
]
Cache = Annotated[
    str | None,
    typer.Option("--cache", metavar="DIR", help="Folder of simulated blocks, kept between runs."),
]


def simulate(
    context: typer.Context,
    card: Card,
    quick: Quick = False,
    seed: SimulationSeed = 1,
    workers: Workers = None,
    cache: Cache = None,
    json: o.Json = False,
    output: o.OutputFile = None,
) -> None:
    """Simulate the samples of a search card; what is in the cache is not simulated again.

    Example: darkstats simulate models/alp.yaml --quick
    """
    request = workflows.SimulateRequest(
        card=card, quick=quick, seed=seed, workers=workers, cache=cache
    )
    out = Output(json=json, path=output)
    deliver(lambda: workflows.simulate(request, context.obj), out, context.obj)


def build(
    context: typer.Context,
    card: Card,
    folder: Annotated[
        str,
        typer.Option("-o", "--output", metavar="DIR", help="Folder to write; replaces a build."),
    ],
    quick: Quick = False,
    seed: SimulationSeed = 1,
    workers: Workers = None,
    cache: Cache = None,
    events: Annotated[
        str | None,
        typer.Option(
            "--events",
            metavar="FORMAT",
            help="Write the pseudo-data as single events, too: parquet or npz.",
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Build a search from its card: workspace, patch set with one patch a mass, record.

    Example: darkstats build models/alp.yaml -o alp --quick
    """
    request = workflows.BuildRequest(
        card=card,
        output=folder,
        quick=quick,
        seed=seed,
        workers=workers,
        cache=cache,
        events=events,
    )
    deliver(lambda: workflows.build(request, context.obj), Output(json=json), context.obj)
