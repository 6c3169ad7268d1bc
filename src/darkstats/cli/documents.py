"""``inspect``, ``combine``, ``prune``, ``rename``, ``digest``, ``download``."""

# No `from __future__ import annotations`: typer reads these annotations when the verb is called.
from typing import Annotated

import typer

from darkstats import workflows
from darkstats.cli import options as o
from darkstats.cli.output import Output, deliver
from darkstats.errors import OptionError

__all__ = ["combine", "digest", "download", "inspect", "patchset", "prune", "rename"]


Channels = Annotated[
    list[str] | None, typer.Option("-c", "--channel", metavar="NAME", help="Channel; repeatable.")
]
Samples = Annotated[
    list[str] | None, typer.Option("-s", "--sample", metavar="NAME", help="Sample; repeatable.")
]
Modifiers = Annotated[
    list[str] | None, typer.Option("-m", "--modifier", metavar="NAME", help="Modifier; repeatable.")
]
ModifierTypes = Annotated[
    list[str] | None,
    typer.Option("-t", "--modifier-type", metavar="TYPE", help="All of this type; repeatable."),
]
Measurements = Annotated[
    list[str] | None, typer.Option("--measurement", metavar="NAME", help="Measurement; repeatable.")
]


def _pairs(option: str, given: list[str] | None) -> tuple[tuple[str, str], ...]:
    found = []
    for text in given or ():
        old, sign, new = text.partition("=")
        if not (sign and old and new):
            raise OptionError(f"{option} {text!r}: write OLD=NEW")
        found.append((old, new))
    return tuple(found)


def inspect(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    measurement: o.Measurement = None,
    findings: Annotated[
        str,
        typer.Option(
            "--findings",
            metavar="HOW",
            help="summary counts what the linter finds often, all lists every place.",
        ),
    ] = "summary",
    json: o.Json = False,
    output: o.OutputFile = None,
    plot: o.Plot = None,
    csv: o.Csv = False,
) -> None:
    """Show what a workspace holds, and what the linter says of it; a patch set; or a build.

    Example: darkstats inspect record.tar.gz:RegionA/BkgOnly.json
    """
    request = workflows.InspectRequest(
        workspace=workflows.WorkspaceRequest(
            source=workspace, patches=tuple(patch or ()), patchset=patchset, point=point
        ),
        measurement=measurement,
        findings=findings,
    )
    out = Output(json=json, path=output, plots=tuple(plot or ()), csv=csv)
    deliver(lambda: workflows.inspect(request, context.obj), out, context.obj)


def patchset(
    context: typer.Context,
    step: Annotated[str, typer.Argument(metavar="STEP", help="create.")],
    workspace: Annotated[
        str,
        typer.Argument(
            metavar="WORKSPACE", help="The background-only workspace.", show_default=False
        ),
    ],
    patch: o.LoosePatches = None,
    name_pattern: o.NamePattern = None,
    description: Annotated[
        str, typer.Option("--description", metavar="WORDS", help="What the signals are.")
    ] = "",
    hepdata: Annotated[
        str | None,
        typer.Option("--hepdata", metavar="INS", help="HEPData record, such as ins1234567."),
    ] = None,
    json: o.Json = False,
    output: o.OutputFile = None,
) -> None:
    """Make a patch set out of patches in files of their own, with the digests of the workspace.

    Example: darkstats patchset create BkgOnly.json -p 'patch.*.json' -o patchset.json
    """
    if step != "create":
        raise OptionError(f"patchset {step}: the one step is create; inspect shows a patch set")
    request = workflows.PatchSetRequest(
        workspace=workspace,
        patches=tuple(patch or ()),
        name_pattern=name_pattern,
        description=description,
        hepdata=hepdata,
    )
    out = Output(json=json or output is None, path=output)
    deliver(lambda: workflows.create_patch_set(request, context.obj), out, context.obj)


def combine(
    context: typer.Context,
    left: Annotated[str, typer.Argument(metavar="LEFT", help="First workspace; - for stdin.")],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="Second workspace; - for stdin.")],
    join: Annotated[
        str,
        typer.Option("--join", metavar="NAME", help="none, outer, 'left outer' or 'right outer'."),
    ] = "none",
    merge_channels: Annotated[
        bool, typer.Option("--merge-channels", help="Merge the samples of common channels.")
    ] = False,
    json: o.Json = False,
    output: o.OutputFile = None,
) -> None:
    """Combine two workspaces; modifiers of one name share their parameter.

    Example: darkstats combine one.json two.json -o both.json
    """
    request = workflows.CombineRequest(
        left=left, right=right, join=join, merge_channels=merge_channels
    )
    out = Output(json=json or output is None, path=output)
    deliver(lambda: workflows.combine(request, context.obj), out, context.obj)


def prune(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    channel: Channels = None,
    sample: Samples = None,
    modifier: Modifiers = None,
    modifier_type: ModifierTypes = None,
    measurement: Measurements = None,
    json: o.Json = False,
    output: o.OutputFile = None,
) -> None:
    """Remove channels, samples, modifiers or measurements.

    Example: darkstats prune workspace.json -c control_region -o pruned.json
    """
    request = workflows.PruneRequest(
        workspace=workflows.WorkspaceRequest(source=workspace),
        channels=tuple(channel or ()),
        samples=tuple(sample or ()),
        modifiers=tuple(modifier or ()),
        modifier_types=tuple(modifier_type or ()),
        measurements=tuple(measurement or ()),
    )
    out = Output(json=json or output is None, path=output)
    deliver(lambda: workflows.prune(request, context.obj), out, context.obj)


def rename(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    channel: Annotated[
        list[str] | None, typer.Option("-c", "--channel", metavar="OLD=NEW", help="Channel.")
    ] = None,
    sample: Annotated[
        list[str] | None, typer.Option("-s", "--sample", metavar="OLD=NEW", help="Sample.")
    ] = None,
    modifier: Annotated[
        list[str] | None, typer.Option("-m", "--modifier", metavar="OLD=NEW", help="Modifier.")
    ] = None,
    measurement: Annotated[
        list[str] | None, typer.Option("--measurement", metavar="OLD=NEW", help="Measurement.")
    ] = None,
    json: o.Json = False,
    output: o.OutputFile = None,
) -> None:
    """Rename channels, samples, modifiers or measurements; all options are repeatable.

    Example: darkstats rename workspace.json -m mu=mu_sig -o renamed.json
    """
    request = workflows.RenameRequest(
        workspace=workflows.WorkspaceRequest(source=workspace),
        channels=_pairs("--channel", channel),
        samples=_pairs("--sample", sample),
        modifiers=_pairs("--modifier", modifier),
        measurements=_pairs("--measurement", measurement),
    )
    out = Output(json=json or output is None, path=output)
    deliver(lambda: workflows.rename(request, context.obj), out, context.obj)


def digest(
    context: typer.Context,
    workspace: o.WorkspaceFile = "-",
    patch: o.Patch = None,
    patchset: o.PatchSetFile = None,
    point: o.Point = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Of the workspace with all its lists sorted.")
    ] = False,
    json: o.Json = False,
    output: o.OutputFile = None,
) -> None:
    """Print the digests of a workspace: by pyhf's rule, and canonical.

    Example: darkstats digest BkgOnly.json
    """
    request = workflows.DigestRequest(
        workspace=workflows.WorkspaceRequest(
            source=workspace, patches=tuple(patch or ()), patchset=patchset, point=point
        ),
        sort=sort,
    )
    out = Output(json=json, path=output)
    deliver(lambda: workflows.digest(request, context.obj), out, context.obj)


def download(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="DOI|URL", help="DOI or https URL of a published likelihood.")
    ],
    folder: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR", help="Folder; made if it is missing.")
    ] = ".",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", metavar="HOST", help="Host beyond the allow-list; repeatable."
        ),
    ] = None,
    json: o.Json = False,
) -> None:
    """Fetch a published likelihood and show its digests. The only verb that uses the network.

    Example: darkstats download 10.17182/hepdata.89408.v3/r2 -o sbottom
    """
    request = workflows.DownloadRequest(
        source=source, folder=folder, allowed_hosts=tuple(allow_host or ())
    )
    deliver(lambda: workflows.download(request, context.obj), Output(json=json), context.obj)
