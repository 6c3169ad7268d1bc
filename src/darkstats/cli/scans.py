"""``scan``, ``shards plan``, ``shards run``, ``shards merge``, ``global``, ``project``."""

# No `from __future__ import annotations`: typer reads these annotations when the verb is called.
from typing import Annotated

import typer

from darkstats import workflows
from darkstats.cli import options as o
from darkstats.cli.output import Output, deliver
from darkstats.errors import OptionError

__all__ = ["global_", "project", "scan", "shards"]

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Folder of a built search, a background-only workspace with --patchset or --patch, a "
        "pallet, or an HS3 document of unbinned likelihoods.",
        show_default=False,
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        "--method", metavar="NAME", help="cls, clsb, pcl or bayes. \\[default: the card's]"
    ),
]
Level = Annotated[
    float | None,
    typer.Option(
        "--cl",
        metavar="LEVEL",
        help="Confidence level, or credibility. \\[default: the card's; 0.90 for bayes where the "
        "card has another method]",
    ),
]
Calculator = Annotated[
    str | None,
    typer.Option(
        "--calculator", metavar="NAME", help="asymptotic or toys. \\[default: asymptotic]"
    ),
]
ToysPerPoint = Annotated[
    int | None,
    typer.Option(
        "--toys",
        metavar="N",
        help="Toys of each hypothesis, for --calculator toys; with bayes, behind an expected limit "
        "that cannot be enumerated.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="Seed of the toys.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", help="Processes; any number gives the same result."),
]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="URL", help="dask://HOST:PORT of a Dask scheduler."),
]
Blind = Annotated[
    bool | None,
    typer.Option(
        "--blind/--unblind",
        help="Expected limits only: look at no data. Events stay closed unless they are marked as "
        "simulated, or --unblind is given.",
        show_default=False,
    ),
]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Events for an HS3 document, repeatable: one file a spectrum (.parquet, .root, .csv, "
        ".npz), or the folder of a build with --events.",
    ),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="Folder that keeps finished work and the result; run again to resume.",
    ),
]


def scan(
    context: typer.Context,
    source: Source,
    patchset: o.PatchSetFile = None,
    patch: o.LoosePatches = None,
    name_pattern: o.NamePattern = None,
    data: Events = None,
    output: Folder = None,
    method: Method = None,
    cl: Level = None,
    calculator: Calculator = None,
    test_stat: Annotated[
        str, typer.Option("--test-stat", metavar="NAME", help="qtilde or q.")
    ] = "qtilde",
    band: Annotated[
        str, typer.Option("--band", metavar="NAME", help="Expected band: root or fixed-sigma.")
    ] = "root",
    toys: ToysPerPoint = None,
    seed: Seed = 0,
    prior: o.Prior = "flat",
    engine: o.Engine = "auto",
    expected: o.Expected = "conditional-mle",
    efficiency: o.Efficiency = "log-normal",
    ur_prior: o.UrPrior = "1/x",
    prior_range: o.PriorRange = None,
    blind: Blind = None,
    cluster: Cluster = None,
    workers: Workers = None,
    json: o.Json = False,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Limits and local p-values at all mass hypotheses of a search.

    Example: darkstats scan workspaces/alp -o alp-scan --plot alp.pdf
    """
    out = Output(json=json, plots=tuple(plot or ()), csv=csv)
    request = workflows.MassScanRequest(
        source=source,
        patchset=patchset,
        patches=tuple(patch or ()),
        name_pattern=name_pattern,
        data=tuple(data or ()),
        output=output,
        method=method,
        cl=cl,
        calculator=calculator,
        test_stat=test_stat,
        band=band,
        n_toys=toys,
        seed=seed,
        blind=blind,
        bayes=o.bayes_request(prior, engine, expected, efficiency, ur_prior, prior_range),
        cluster=cluster,
        workers=workers,
    )
    deliver(lambda: workflows.scan(request, context.obj), out, context.obj)


def shards(
    context: typer.Context,
    step: Annotated[str, typer.Argument(metavar="STEP", help="plan, run or merge.")],
    where: Annotated[
        list[str],
        typer.Argument(
            metavar="WHERE...",
            help="plan: SOURCE; run: DIR; merge: DIR, and folders that other shards wrote.",
        ),
    ],
    patchset: o.PatchSetFile = None,
    patch: o.LoosePatches = None,
    name_pattern: o.NamePattern = None,
    data: Events = None,
    output: Folder = None,
    shard: Annotated[
        int, typer.Option("--shard", metavar="K", help="run: which shard, from 0.")
    ] = 0,
    of: Annotated[int, typer.Option("--of", metavar="N", help="run: of how many.")] = 1,
    method: Method = None,
    cl: Level = None,
    calculator: Calculator = None,
    toys: ToysPerPoint = None,
    seed: Seed = 0,
    prior: o.Prior = "flat",
    engine: o.Engine = "auto",
    expected: o.Expected = "conditional-mle",
    efficiency: o.Efficiency = "log-normal",
    ur_prior: o.UrPrior = "1/x",
    prior_range: o.PriorRange = None,
    blind: Blind = None,
    json: o.Json = False,
    plot: o.Plot = None,
) -> None:
    """A scan on a batch system: plan it, run each shard as a job of its own, merge.

    Example: darkstats shards plan workspaces/alp -o job; darkstats shards run job --shard 0 --of 8;
    darkstats shards merge job
    """
    out = Output(json=json, plots=tuple(plot or ()))
    if step == "plan":
        if len(where) != 1:
            raise OptionError("shards plan takes one source")
        request = workflows.MassScanRequest(
            source=where[0],
            patchset=patchset,
            patches=tuple(patch or ()),
            name_pattern=name_pattern,
            data=tuple(data or ()),
            output=output,
            method=method,
            cl=cl,
            calculator=calculator,
            n_toys=toys,
            seed=seed,
            blind=blind,
            bayes=o.bayes_request(prior, engine, expected, efficiency, ur_prior, prior_range),
        )
        deliver(lambda: workflows.plan_shards(request, context.obj), out, context.obj)
        return
    work = workflows.ShardsRequest(folder=where[0], shard=shard, of=of, others=tuple(where[1:]))
    if step == "run" and len(where) == 1:
        deliver(lambda: workflows.run_shard(work, context.obj), out, context.obj)
    elif step == "merge":
        deliver(lambda: workflows.merge_shards(work, context.obj), out, context.obj)
    else:
        raise OptionError(f"shards {step}: give plan SOURCE, run DIR, or merge DIR [DIR...]")


def global_(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Folder of a finished scan (scan -o); or a built search, or an HS3 document: they "
            "are scanned first.",
            show_default=False,
        ),
    ],
    data: Events = None,
    output: Folder = None,
    toys: Annotated[
        int, typer.Option("--toys", metavar="N", help="Toys of the whole spectrum.")
    ] = 10_000,
    seed: Seed = 1,
    extrapolate: Annotated[
        bool,
        typer.Option("--extrapolate", help="Follow the tail beyond the toys; it is marked."),
    ] = False,
    blind: Blind = None,
    cluster: Cluster = None,
    workers: Workers = None,
    json: o.Json = False,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Global significance of the largest excess of a scan, by several methods.

    Example: darkstats global alp-scan --toys 100000 --plot methods=methods.pdf
    """
    out = Output(json=json, plots=tuple(plot or ()), csv=csv)
    request = workflows.GlobalRequest(
        source=source,
        data=tuple(data or ()),
        blind=blind,
        output=output,
        n_toys=toys,
        seed=seed,
        extrapolate=extrapolate,
        cluster=cluster,
        workers=workers,
    )
    deliver(lambda: workflows.global_significance(request, context.obj), out, context.obj)


def project(
    context: typer.Context,
    source: Source,
    lumi: Annotated[
        str,
        typer.Option("--lumi", metavar="LIST", help="Luminosities, 1/fb, such as 9,50,200,50000."),
    ],
    patchset: o.PatchSetFile = None,
    method: Method = None,
    cl: Level = None,
    systematics: Annotated[
        str,
        typer.Option(
            "--systematics",
            metavar="HOW",
            help="same (relative errors stay), statistical (they fall with the root of the "
            "luminosity) or none.",
        ),
    ] = "same",
    prior: o.Prior = "flat",
    engine: o.Engine = "auto",
    expected: o.Expected = "conditional-mle",
    efficiency: o.Efficiency = "log-normal",
    ur_prior: o.UrPrior = "1/x",
    prior_range: o.PriorRange = None,
    workers: Workers = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Expected limits at other luminosities, with a statement on the systematic errors.

    Example: darkstats project workspaces/zprime_invisible_2020 --lumi 50,200 --plot reach.pdf
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    try:
        luminosities = tuple(float(word) for word in lumi.split(","))
    except ValueError:
        raise OptionError(f"--lumi {lumi}: give numbers separated by commas") from None
    request = workflows.ProjectRequest(
        source=source,
        luminosities_ifb=luminosities,
        patchset=patchset,
        method=method,
        cl=cl,
        systematics=systematics,
        bayes=o.bayes_request(prior, engine, expected, efficiency, ur_prior, prior_range),
        workers=workers,
    )
    deliver(lambda: workflows.project(request, context.obj), out, context.obj)
