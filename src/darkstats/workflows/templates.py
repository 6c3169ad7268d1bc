"""Histograms of one's own to a workspace: template init, template build."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from darkstats.errors import OptionError
from darkstats.options import argument, option
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from darkstats.report.figures.style import Drawing
    from darkstats.searches.histogram_card import BuiltTemplates

__all__ = ["TemplateRequest", "TemplateStartRequest", "build_template", "start_template"]

_START = """\
# Own histograms to a likelihood:  darkstats template build template.yaml -o my-search
name: my_search
title: "My search, 50 fb^-1"
simulated: false            # true: figures say so
poi: mu                     # the signal strength: 1 is the signal as it stands here
file: histograms.root       # or .csv (histogram,low,high,value,error), .npz; beside this file
luminosity: {value_ifb: 50, relative_error: 0.01}
collision: {sqrt_s_gev: 10.58, beams: "e+ e-"}

channels:
  signal_region:
    label: Signal region
    axis: "m (GeV)"
    data: data_sr           # name of a histogram; or counts: [12, 9, 3]; without it: the background
    samples:
      signal:
        histogram: signal_sr
        free: mu            # a free factor; that of the signal is the parameter of interest
        lumi: true          # scales with the luminosity, with the error given above
        yields:
          trigger: 0.02     # 2 %; or [0.98, 1.03] as factors at -1 and +1 standard deviation
      background:
        histogram: background_sr
        stat: shared        # errors of simulation: shared by the samples of a bin, own, or none
        free: mu_background # constrained by the control region below
        variations:
          energy_scale: {up: background_sr_up, down: background_sr_down}
          # one side alone:  {up: background_sr_up, mirror: true}
  control_region:
    data: {counts: [210]}
    samples:
      background:
        counts: [200]
        free: mu_background

# Events instead of histograms: a channel with a variable is filled from .root, .parquet, .csv, .npz
#   signal_region:
#     variable: m
#     edges: {bins: 20, low: 0, high: 10}
#     selection: "n_photons == 3 and e_miss < 0.5"
#     data: {file: data.root, tree: events}
#     samples:
#       background:
#         file: background.root
#         tree: events
#         weight: w
#         variations:
#           pileup: {up: {weight: w_up}, down: {weight: w_down}}

# Several signals instead of one:  darkstats scan my-search
# labels: [mass_gev]
# signals:
#   m_1p0:
#     values: [1.0]
#     channels:
#       signal_region: {histogram: signal_1p0, lumi: true}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateStartRequest:
    """A card to start from."""

    output: Annotated[
        str,
        option(
            "-o", "--output", metavar="FILE", writes=True, help="Card to write; not overwritten."
        ),
    ] = "template.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRequest:
    """A likelihood out of the histograms that a card names."""

    card: Annotated[
        str,
        argument(
            "CARD",
            "Card of histograms (darkstats template init), or a cabinetry config.",
            reads="file",
        ),
    ]
    output: Annotated[
        str,
        option(
            "-o", "--output", metavar="DIR", writes=True, help="Folder to write; made if missing."
        ),
    ]


def start_template(request: TemplateStartRequest, shell: Shell | None = None) -> Outcome[str]:
    """Write a commented card to start from.

    Raises
    ------
    OptionError
        The file is there already.
    """
    from darkstats.report.records import SCHEMAS
    from darkstats.report.writing import write_text

    if Path(request.output).exists():
        raise OptionError(f"{request.output} is there already: name another file with -o")
    write_text(request.output, _START)

    def sheet() -> RenderableType:
        from darkstats.report.tables import sheet as table

        use = f"edit it, then: darkstats template build {request.output} -o DIR"
        return table(f"Card {request.output}", notes=[("use", use)])

    return Outcome(
        result=request.output,
        record=lambda: {"schema": SCHEMAS["template"], "files": [request.output], "notes": []},
        sheet=sheet,
    )


def build_template(request: TemplateRequest, shell: Shell | None = None) -> Outcome[Any]:
    """Make workspace, patch set and sidecar of one's own histograms, and write them.

    Raises
    ------
    InputError
        The card, a file or a histogram cannot be used; or what they make is no valid workspace.
    OptionError
        The folder holds a likelihood that was not made so.
    """
    from darkstats.folders import require_own
    from darkstats.report.records import SCHEMAS
    from darkstats.report.writing import write_text
    from darkstats.searches.card_file import read_card_file
    from darkstats.searches.histogram_card import MADE_OF, build_templates, is_cabinetry

    shell = shell or Shell()
    card = Path(request.card)
    folder = Path(request.output)
    documents: dict[str, Any]
    found: BuiltTemplates | None = None
    with shell.step(f"building {request.card}"):
        if is_cabinetry(read_card_file(card)):
            from darkstats.templates.users import workspace_from_cabinetry
            from darkstats.workspace import Workspace

            made = Workspace.from_document(workspace_from_cabinetry(card), request.card)
            sidecar = {"schema": "darkstats.meta/1", MADE_OF: {"card": card.name}}
            documents = {"workspace.json": made.document, "workspace.meta.json": sidecar}
            warnings = made.warnings
        else:
            found = build_templates(card)
            documents = _documents(found)
            made, warnings = found.workspace, found.warnings
    sidecar_name = next(name for name in documents if name.endswith(".meta.json"))
    require_own(folder, documents, mark=(sidecar_name, MADE_OF), verb="template build")
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        write_text(folder / name, json.dumps(document, indent=1) + "\n")
    first = f"{request.output}/{next(iter(documents))}"
    use = f"darkstats limit {first}"
    if "patchset.json" in documents:
        use = f"darkstats scan {request.output}"

    notes = () if found is None else found.notes

    def record() -> dict[str, Any]:
        made: dict[str, Any] = {
            "schema": SCHEMAS["template"],
            "files": [f"{request.output}/{name}" for name in documents],
            "notes": list(notes),
        }
        if found is not None:
            made |= {"events": list(found.events), "steps": list(found.steps)}
            made["interpolation"] = found.interpolation
        return made

    def sheet() -> RenderableType:
        from darkstats.report.tables import sheet as table

        lines = [
            ("channels", ", ".join(made.channel_names)),
            ("samples", ", ".join(made.sample_names)),
            ("files", ", ".join(documents)),
            ("use", use),
        ]
        said = [*notes, *(str(one).removeprefix("warning ") for one in warnings)]
        return table(f"Likelihood {request.output}", notes=lines, warnings=said)

    return Outcome(
        result=made,
        record=record,
        sheet=sheet,
        figures={} if found is None else _figures(found),
        no_figure="nothing was interpolated, smoothed or symmetrised; for all variations: "
        f"darkstats inspect {first} --plot variations=FILE",
    )


def _figures(found: BuiltTemplates) -> dict[str, Callable[[], Drawing]]:
    """What declared steps did, where there are some."""
    measurements = found.workspace.document["measurements"]
    name = found.sidecar.get("title") or measurements[0]["name"]
    simulated = bool(found.sidecar.get("simulated"))
    figures: dict[str, Callable[[], Drawing]] = {}
    if found.interpolation is not None:
        interpolation = found.interpolation

        def of_interpolation() -> Drawing:
            from darkstats.report.figures.template_steps import interpolation_figure

            return interpolation_figure(
                interpolation, found.sidecar, name=name, simulated=simulated
            )

        figures["interpolation"] = of_interpolation
    if any("before" in one for one in found.steps):

        def of_steps() -> Drawing:
            from darkstats.report.figures.template_steps import steps_figure

            return steps_figure(found.steps, name=name, simulated=simulated)

        figures["steps"] = of_steps
    return figures


def _documents(found: BuiltTemplates) -> dict[str, Any]:
    name = "workspace" if found.patchset is None else "background_only"
    documents = {f"{name}.json": found.workspace.document, f"{name}.meta.json": found.sidecar}
    return documents if found.patchset is None else {**documents, "patchset.json": found.patchset}
