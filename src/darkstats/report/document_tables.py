"""Tables of documents: what a workspace holds, digests, downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.report.numbers import number
from darkstats.report.tables import grid, sheet, short_source
from darkstats.workspace.names import modifier_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.conversion.converted import Conversion
    from darkstats.report.provenance import Inputs
    from darkstats.report.summaries import ParameterSummary, WorkspaceSummary
    from darkstats.workspace import Workspace
    from darkstats.workspace.json_values import JsonObject

__all__ = [
    "conversion_sheet",
    "digest_sheet",
    "download_sheet",
    "events_sheet",
    "hs3_sheet",
    "joined_sheet",
    "patches_sheet",
    "summary_sheet",
    "workspace_sheet",
]

_SHOWN = 40
_LONGEST = 36


def _names(names: tuple[str, ...], total: int, kind: str) -> str:
    """A few names, or how many there are."""
    if total > 1 and len(names) == total:
        return "all"
    text = ", ".join(names)
    return text if len(text) <= _LONGEST else f"{len(names)} {kind}"


def _parameter_row(one: ParameterSummary, n_channels: int, poi: str) -> list[str]:
    role = "parameter of interest" if one.name == poi else ""
    state = "fixed" if one.fixed else "constrained" if one.constrained else "free"
    return [
        one.name,
        ", ".join(one.types),
        role or state,
        _names(one.channels, n_channels, "channels"),
        _names(one.samples, 0, "samples"),
        str(one.size),
    ]


def summary_sheet(summary: WorkspaceSummary, inputs: Inputs) -> RenderableType:
    """Channels with yields, parameters, measurements, and what the linter says."""
    rows = []
    for channel in summary.channels:
        rows.append(
            [channel.name, "", str(channel.n_bins), f"{channel.observed:.10g}",
             number(channel.background, 5)]
        )  # fmt: skip
        rows += [
            ["", s.name + (" (signal)" if s.signal else ""), "", "", number(s.events, 5)]
            for s in channel.samples
        ]
    tables = [grid(["channel", "sample", "bins", "observed", "nominal"], rows, left=2)]
    shown = summary.parameters[:_SHOWN]
    columns = ["parameter", "modifiers", "role", "channels", "samples", "size"]
    poi = modifier_of(summary.poi or "", {one.name for one in summary.parameters})
    listed = [_parameter_row(one, len(summary.channels), poi) for one in shown]
    tables.append(grid(columns, listed, left=5, flexible=(3, 4)))
    notes = []
    if len(summary.parameters) > _SHOWN:
        rest = len(summary.parameters) - _SHOWN
        notes.append(("parameters", f"{rest} more; --json lists all of them"))
    notes += [
        ("measurement", f"{one.name}: parameter of interest {one.poi or '(none)'}")
        for one in summary.measurements
    ]
    notes.append(("size", f"{summary.n_bins} bins, {summary.n_parameters} parameters"))
    notes.append(("digest", f"sha256 {inputs.workspace_sha256}"))
    notes.append(("canonical", f"sha256 {inputs.canonical_sha256}"))
    notes += [("data", said) for said in summary.notes]
    if not summary.findings:
        notes.append(("linter", "nothing to report"))
    return sheet(
        f"Workspace {short_source(summary.source)}",
        subtitle="simulated data; channel rows: sum of the backgrounds"
        if inputs.simulated
        else "channel rows: sum of the backgrounds",
        tables=tables,
        notes=notes,
        warnings=[str(one).removeprefix("warning ") for one in summary.findings],
    )


def patches_sheet(record: JsonObject, shown: int) -> RenderableType:
    """Points of a patch set with their values, and what its patches, or a patch, change."""
    points, targets = record["points"], record["targets"]
    tables = []
    if points:
        rows = [[one["name"], *(str(value) for value in one["values"])] for one in points[:shown]]
        tables.append(grid(["point", *record["labels"]], rows, left=1))
    changes = [[one["op"], one["path"], str(one["count"])] for one in targets[:shown]]
    tables.append(grid(["operation", "place", "patches"], changes, left=2, flexible=(1,)))
    notes = []
    if points:
        more = f", {len(points) - shown} more than shown" if len(points) > shown else ""
        notes.append(("points", f"{len(points)}{more}; --json lists all of them"))
        notes.append(("labels", ", ".join(record["labels"])))
        notes.append(("description", record["description"]))
        notes.append(("HEPData", record["hepdata"]))
        notes += [(f"for {kind}", digest) for kind, digest in record["digests"].items()]
        notes.append(("use", "darkstats scan WORKSPACE --patchset FILE, or limit with --point"))
    else:
        notes.append(("use", "darkstats limit WORKSPACE --patch FILE"))
    if len(targets) > shown:
        notes.append(("places", f"{len(targets)}, {len(targets) - shown} more than shown"))
    kind = "Patch sets" if record["kind"] == "patch sets" else record["kind"].capitalize()
    return sheet(f"{kind} {record['source']}", tables=tables, notes=notes)


def members_sheet(record: JsonObject, shown: int) -> RenderableType:
    """Documents of an archive, workspaces first."""
    order = ("workspace", "pallet", "patch set", "patch")
    found = sorted(
        record["documents"],
        key=lambda one: order.index(one["kind"]) if one["kind"] in order else len(order),
    )
    rows = [[one["name"], one["kind"] or "other", str(one["size_bytes"])] for one in found[:shown]]
    more = f", {len(found) - shown} more than shown" if len(found) > shown else ""
    notes = [
        ("documents", f"{len(found)}{more}; --json lists all of them"),
        ("use", f"darkstats inspect {record['source']}:NAME"),
    ]
    tables = [grid(["document", "kind", "bytes"], rows, left=2, flexible=(0,))]
    return sheet(f"Archive {record['source']}", tables=tables, notes=notes)


def events_sheet(record: JsonObject, shown: int) -> RenderableType:
    """Analyses of an HS3 document, with the channels that each looks at."""
    rows = [
        [
            one["name"],
            ", ".join(one["poi"]),
            str(len(one["parameters"])),
            channel["name"],
            ", ".join(axis["name"] for axis in channel["axes"]),
            channel["kind"],
            "none here" if channel["entries"] is None else str(channel["entries"]),
        ]
        for one in record["analyses"]
        for channel in one["channels"]
    ]
    head = ["analysis", "POI", "parameters", "channel", "observables", "data", "entries"]
    notes = [("analyses", str(len(record["analyses"])))]
    if len(rows) > shown:
        notes.append(("channels", f"{len(rows)}, {len(rows) - shown} more than shown"))
    if record["description"] is not None:
        notes.append(("description", record["description"]))
    said = {True: "yes", False: "no", None: "the document does not say"}
    notes.append(("simulated", said[record["simulated"]]))
    notes.append(("digest", f"sha256 {record['sha256']}"))
    notes.append(("use", "darkstats limit FILE --point ANALYSIS --data EVENTS"))
    title = f"Unbinned likelihoods {record['source']}"
    return sheet(title, tables=[grid(head, rows[:shown], left=2)], notes=notes)


def workspace_sheet(workspace: Workspace, said: tuple[str, ...] = ()) -> RenderableType:
    """A workspace that was written, in one line each, with what was said while it was made."""
    return sheet(
        f"Workspace {short_source(workspace.source)}",
        notes=[
            ("channels", ", ".join(workspace.channel_names)),
            ("samples", ", ".join(workspace.sample_names)),
            ("modifiers", str(len(workspace.modifiers))),
            ("measurements", ", ".join(workspace.measurement_names)),
            ("digest", f"sha256 {workspace.digest}"),
        ],
        warnings=[*said, *(str(one).removeprefix("warning ") for one in workspace.warnings)],
    )


def hs3_sheet(document: JsonObject, source: str) -> RenderableType:
    """An HS3 document that was written, in one line each."""
    channels = [d for d in document["distributions"] if d["type"] == "histfactory_dist"]
    constraints = len(document["distributions"]) - len(channels)
    return sheet(
        f"HS3 {document['metadata']['hs3_version']} of {source}",
        notes=[
            ("analyses", ", ".join(one["name"] for one in document["analyses"])),
            ("channels", ", ".join(one["name"] for one in channels)),
            ("parameters", str(len(document["parameter_points"][0]["parameters"]))),
            ("constraints", f"{constraints} auxiliary distributions, and those of normsys and "
             "histosys"),
        ],
    )  # fmt: skip


def joined_sheet(document: JsonObject, notes: tuple[str, ...]) -> RenderableType:
    """A combined HS3 document, and what its two sides share."""
    (analysis,), (likelihood,) = document["analyses"], document["likelihoods"]
    (point,) = document["parameter_points"]
    floating = [one["name"] for one in point["parameters"] if not one.get("const")]
    return sheet(
        f"Combined likelihood {analysis['name']}",
        subtitle=document["metadata"]["description"],
        notes=[
            ("channels", ", ".join(likelihood["distributions"])),
            ("POI", analysis["parameters_of_interest"][0]),
            ("parameters", f"{len(floating)} floating"),
            *(("note", words) for words in notes),
        ],
    )


def conversion_sheet(
    found: Conversion, folder: str, files: tuple[str, ...], use: str
) -> RenderableType:
    """What was converted, what differs by how much, and how to use it."""
    workspace = found.workspace
    rows = [
        [one.parameter, one.what, percent_of(one.size), percent_of(one.size_default)]
        for one in found.differences
    ]
    head = ["parameter", "carried differently", "size", "default codes"]
    notes = [
        ("channels", ", ".join(workspace.channel_names)),
        ("samples", ", ".join(workspace.sample_names)),
        ("files", ", ".join(files)),
        ("digest", f"sha256 {workspace.digest}"),
    ]
    if found.interpolation is not None:
        notes.append(("codes", f"{found.interpolation}: no workspace can state them, so ask"))
    if found.differences:
        notes.append(("size", "largest change of a yield within one standard deviation"))
    notes.append(("use", use))
    said = [*found.notes, *(str(one).removeprefix("warning ") for one in workspace.warnings)]
    tables = [grid(head, rows, left=2, flexible=(0, 1))] if rows else []
    return sheet(f"Likelihood {folder}", tables=tables, notes=notes, warnings=said)


def percent_of(size: float | None) -> str:
    """A relative size in percent, to two digits; a dash where there is none.

    >>> percent_of(0.0), percent_of(0.0123), percent_of(9.8e-8), percent_of(None)
    ('0', '1.2 %', '9.8e−06 %', '–')
    """
    if size is None or size == 0.0:
        return number(size, 2)
    return f"{number(100.0 * size, 2)} %"


def digest_sheet(source: str, record: JsonObject) -> RenderableType:
    """Digests, each on its line, ready to be copied."""
    return sheet(
        f"Digests of {source}" + (" (sorted)" if record["sorted"] else ""),
        notes=[
            ("sha256", record["sha256"]),
            ("md5", record["md5"]),
            ("canonical sha256", record["canonical_sha256"]),
        ],
    )


def download_sheet(record: JsonObject) -> RenderableType:
    """What was fetched, and how to use the workspaces in it."""
    path = record["path"]
    rows = [
        [f"{path}:{one['member']}" if one["member"] else path, one["sha256"]]
        for one in record["workspaces"]
    ]
    notes = [
        ("from", record["url"]),
        ("size", f"{record['size_bytes']} bytes"),
        ("sha256", record["sha256"]),
    ]
    if not rows:
        notes.append(("workspaces", "none found in it"))
    return sheet(
        f"Downloaded {path}",
        tables=[
            grid(
                ["workspace (as an argument of darkstats)", "sha256"], rows, left=2, flexible=(0, 1)
            )
        ]
        if rows
        else [],
        notes=notes,
    )
