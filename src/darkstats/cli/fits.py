"""``fit``, ``rank``, ``scan-poi``."""

# No `from __future__ import annotations`: typer reads these annotations when the verb is called.
from typing import Annotated

import typer

from darkstats import workflows
from darkstats.cli import options as o
from darkstats.cli.output import Output, deliver
from darkstats.errors import OptionError

__all__ = ["fit", "rank", "scan_poi"]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _value(option: str, text: str) -> tuple[str, float]:
    name, _, written = text.rpartition("=")
    value = _number(written)
    if not name or value is None:
        raise OptionError(f"{option} {text!r}: write NAME=VALUE")
    return name, value


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    ends = _number(low), _number(high)
    if ends[0] is None or ends[1] is None:
        raise OptionError(f"--range {text!r}: write LOW:HIGH, for example 0:5")
    return ends[0], ends[1]


def fit(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    poi: o.Poi = None,
    measurement: o.Measurement = None,
    mu: Annotated[
        float | None,
        typer.Option("--mu", metavar="VALUE", help="Fix the parameter of interest."),
    ] = None,
    fix: Annotated[
        list[str] | None,
        typer.Option("--fix", metavar="NAME=VALUE", help="Fix a parameter; repeatable."),
    ] = None,
    minos: Annotated[
        list[str] | None,
        typer.Option(
            "--minos", metavar="NAME", help="Profile-likelihood interval of this one; repeatable."
        ),
    ] = None,
    interpolation: o.Interpolation = None,
    mask: o.Mask = None,
    data: o.Data = None,
    blind: o.Blind = None,
    simulated: o.Simulated = None,
    threads: o.Threads = None,
    referee: o.Referee = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    bin_gammas: o.BinGammas = False,
    csv: o.Csv = False,
) -> None:
    """Maximum-likelihood fit: values, errors, pulls. Figures: pulls, correlation, data, prefit.

    Example: darkstats fit workspace.json --plot pulls.pdf --plot data=data.pdf
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    request = workflows.FitRequest(
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
        mu=mu,
        fixed=tuple(_value("--fix", text) for text in fix or ()),
        minos=tuple(minos or ()),
        referee=referee,
        bin_gammas=bin_gammas,
    )
    deliver(lambda: workflows.fit(request, context.obj), out, context.obj)


def rank(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    poi: o.Poi = None,
    measurement: o.Measurement = None,
    top: Annotated[int, typer.Option("--top", metavar="N", help="Show this many parameters.")] = 20,
    interpolation: o.Interpolation = None,
    mask: o.Mask = None,
    data: o.Data = None,
    blind: o.Blind = None,
    simulated: o.Simulated = None,
    threads: o.Threads = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Rank nuisance parameters by their impact on the parameter of interest.

    Example: darkstats rank workspace.json --plot ranking.pdf
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    request = workflows.RankRequest(
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
        top=top,
    )
    deliver(lambda: workflows.rank(request, context.obj), out, context.obj)


def scan_poi(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    poi: o.Poi = None,
    measurement: o.Measurement = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", metavar="NAME",
            help="Scan this one instead of the parameter of interest; twice for two dimensions.",
        ),
    ] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option(
            "--range", metavar="LOW:HIGH",
            help="Range of the scan, once for each parameter. \\[default: best fit ± 3 σ]",
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(
            "--points", metavar="N", help="Points on each axis. \\[default: 41; 31 in 2D]"
        ),
    ] = None,
    interpolation: o.Interpolation = None,
    mask: o.Mask = None,
    data: o.Data = None,
    blind: o.Blind = None,
    simulated: o.Simulated = None,
    threads: o.Threads = None,
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:  # fmt: skip
    """Scan the profile likelihood along one parameter, or two.

    Example: darkstats scan-poi workspace.json --range 0:5 --plot scan.pdf
    """
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    request = workflows.ScanRequest(
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
        parameters=tuple(parameter or ()),
        ranges=tuple(_range(text) for text in range_ or ()),
        points=points,
    )
    deliver(lambda: workflows.scan_poi(request, context.obj), out, context.obj)
