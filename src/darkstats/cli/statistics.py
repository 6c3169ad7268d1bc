"""``limit``, ``hypotest``, ``significance``, ``gof``."""

# No `from __future__ import annotations`: typer reads these annotations when the verb is called.
from typing import Annotated

import typer

from darkstats import workflows
from darkstats.cli import options as o
from darkstats.cli.output import Output, deliver

__all__ = ["gof", "hypotest", "limit", "significance"]


def limit(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    poi: o.Poi = None,
    measurement: o.Measurement = None,
    cl: Annotated[
        float | None,
        typer.Option(
            "--cl",
            metavar="LEVEL",
            help="Confidence level, in (0.5, 1); of a posterior, in (0, 1). "
            "\\[default: 0.95; 0.90 with --method bayes]",
        ),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="cls, clsb, pcl, fc or bayes.")
    ] = "cls",
    calculator: o.Calculator = "auto",
    test_stat: Annotated[
        str, typer.Option("--test-stat", metavar="NAME", help="qtilde or q.")
    ] = "qtilde",
    band: Annotated[
        str,
        typer.Option("--band", metavar="NAME", help="Expected band: root or fixed-sigma."),
    ] = "root",
    poi_lower: o.PoiLower = None,
    prior: o.Prior = "flat",
    engine: o.Engine = "auto",
    expected: o.Expected = "conditional-mle",
    efficiency: o.Efficiency = "log-normal",
    ur_prior: o.UrPrior = "1/x",
    prior_range: o.PriorRange = None,
    interpolation: o.Interpolation = None,
    mask: o.Mask = None,
    data: o.Data = None,
    blind: o.Blind = None,
    simulated: o.Simulated = None,
    toys: o.Toys = None,
    seed: o.Seed = None,
    add_toys: o.AddToys = None,
    threads: o.Threads = None,
    referee: o.Referee = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Upper limit on the signal strength, observed and expected.

    Example: darkstats limit workspace.json --cl 0.90 --plot limit.pdf
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    evaluated_by, engine = o.likelihood_engine(engine)
    request = workflows.LimitRequest(
        model=workflows.ModelRequest(
            workspace=workflows.WorkspaceRequest(
                source=workspace, patches=tuple(patch or ()), patchset=patchset, point=point
            ),
            measurement=measurement,
            poi=poi,
            interpolation=interpolation,
            masked=tuple(mask or ()),
            data=data,
            blind=blind,
            simulated=simulated,
            threads=threads,
            engine=evaluated_by,
        ),
        cl=cl,
        method=method,
        test_stat=test_stat,
        calculator=calculator,
        band=band,
        toys=workflows.ToyRequest(n_toys=toys, seed=seed, add_to=add_toys),
        poi_lower=poi_lower,
        bayes=o.bayes_request(prior, engine, expected, efficiency, ur_prior, prior_range),
        referee=referee,
    )
    deliver(lambda: workflows.limit(request, context.obj), out, context.obj)


def hypotest(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    poi: o.Poi = None,
    measurement: o.Measurement = None,
    mu: Annotated[
        float | None,
        typer.Option(
            "--mu", metavar="VALUE", help="Tested signal strength. \\[default: 1; 0 for q0]"
        ),
    ] = None,
    calculator: o.Calculator = "asymptotic",
    test_stat: Annotated[
        str, typer.Option("--test-stat", metavar="NAME", help="qtilde, q, q0, t or ttilde.")
    ] = "qtilde",
    poi_lower: o.PoiLower = None,
    interpolation: o.Interpolation = None,
    mask: o.Mask = None,
    data: o.Data = None,
    blind: o.Blind = None,
    simulated: o.Simulated = None,
    toys: o.Toys = None,
    seed: o.Seed = None,
    add_toys: o.AddToys = None,
    threads: o.Threads = None,
    referee: o.Referee = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Test one signal strength: CLs, CLs+b and CLb, observed and expected.

    Example: darkstats hypotest workspace.json --mu 1.0 --json
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    tested = mu if mu is not None else 0.0 if test_stat == "q0" else 1.0
    request = workflows.HypoTestRequest(
        model=workflows.ModelRequest(
            workspace=workflows.WorkspaceRequest(
                source=workspace, patches=tuple(patch or ()), patchset=patchset, point=point
            ),
            measurement=measurement,
            poi=poi,
            interpolation=interpolation,
            masked=tuple(mask or ()),
            data=data,
            blind=blind,
            simulated=simulated,
            threads=threads,
        ),
        mu=tested,
        test_stat=test_stat,
        calculator=calculator,
        toys=workflows.ToyRequest(n_toys=toys, seed=seed, add_to=add_toys),
        poi_lower=poi_lower,
        referee=referee,
    )
    deliver(lambda: workflows.hypotest(request, context.obj), out, context.obj)


def significance(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    poi: o.Poi = None,
    measurement: o.Measurement = None,
    calculator: o.Calculator = "asymptotic",
    uncapped: Annotated[
        bool,
        typer.Option("--uncapped", help="Let the signal strength be negative; sign Z by it."),
    ] = False,
    interpolation: o.Interpolation = None,
    mask: o.Mask = None,
    data: o.Data = None,
    blind: o.Blind = None,
    simulated: o.Simulated = None,
    toys: o.Toys = None,
    seed: o.Seed = None,
    add_toys: o.AddToys = None,
    threads: o.Threads = None,
    referee: o.Referee = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Significance of an excess, observed and expected for signal strength 1.

    Example: darkstats significance workspace.json --calculator toys --toys 100000
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    request = workflows.SignificanceRequest(
        model=workflows.ModelRequest(
            workspace=workflows.WorkspaceRequest(
                source=workspace, patches=tuple(patch or ()), patchset=patchset, point=point
            ),
            measurement=measurement,
            poi=poi,
            interpolation=interpolation,
            masked=tuple(mask or ()),
            data=data,
            blind=blind,
            simulated=simulated,
            threads=threads,
        ),
        calculator=calculator,
        uncapped=uncapped,
        toys=workflows.ToyRequest(n_toys=toys, seed=seed, add_to=add_toys),
        referee=referee,
    )
    deliver(lambda: workflows.significance(request, context.obj), out, context.obj)


def gof(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    poi: o.Poi = None,
    measurement: o.Measurement = None,
    calculator: o.Calculator = "asymptotic",
    interpolation: o.Interpolation = None,
    mask: o.Mask = None,
    data: o.Data = None,
    simulated: o.Simulated = None,
    toys: o.Toys = None,
    seed: o.Seed = None,
    add_toys: o.AddToys = None,
    threads: o.Threads = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Goodness of fit against the saturated model.

    Example: darkstats gof workspace.json --calculator toys --toys 5000 --plot gof.pdf
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    request = workflows.GoodnessRequest(
        model=workflows.ModelRequest(
            workspace=workflows.WorkspaceRequest(
                source=workspace, patches=tuple(patch or ()), patchset=patchset, point=point
            ),
            measurement=measurement,
            poi=poi,
            interpolation=interpolation,
            masked=tuple(mask or ()),
            data=data,
            simulated=simulated,
            threads=threads,
        ),
        calculator=calculator,
        toys=workflows.ToyRequest(n_toys=toys, seed=seed, add_to=add_toys),
    )
    deliver(lambda: workflows.gof(request, context.obj), out, context.obj)
