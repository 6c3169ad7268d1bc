"""Cards to folders: simulate, build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

from darkstats.options import argument, check_choices, option
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.requests import LARGEST_SEED

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.figures.style import Drawing
    from darkstats.searches.build import BuiltSearch
    from darkstats.simulation.candidates import Candidates
    from darkstats.workspace.json_values import JsonObject

__all__ = ["BuildRequest", "SimulateRequest", "build", "inspect_build", "simulate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateRequest:
    """The samples of a card, into the cache."""

    card: Annotated[
        str, argument("CARD", "Search card, a YAML file such as models/alp.yaml.", reads="file")
    ]
    quick: Annotated[
        bool, option("--quick", help="Simulate the smaller numbers of events of the card.")
    ] = False
    seed: Annotated[
        int,
        option(
            "--seed", metavar="S", help="Seed of simulation and pseudo-data.", least=0,
            most=LARGEST_SEED,
        ),
    ] = 1  # fmt: skip
    workers: Annotated[
        int | None,
        option(
            "--workers", metavar="N", help="Processes; any number gives the same events.", least=1
        ),
    ] = None  # fmt: skip
    cache: Annotated[
        str | None,
        option(
            "--cache", metavar="DIR", help="Folder of simulated blocks, kept between runs."
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest(SimulateRequest):
    """A search from its card."""

    output: Annotated[
        str,
        option(
            "-o", "--output", metavar="DIR", writes=True, help="Folder to write; replaces a build."
        ),
    ]
    events: Annotated[
        str | None,
        option(
            "--events", metavar="FORMAT", kind="format of events", choices=("parquet", "npz"),
            help="Write the pseudo-data as single events, too: {choices}.",
        ),
    ] = None  # fmt: skip


class _Effort(TypedDict):
    """How events are made, and where they are kept."""

    cache: Path
    quick: bool
    seed: int
    workers: int


def _effort(request: SimulateRequest) -> _Effort:
    from darkstats.simulation.production import default_cache

    return {
        "cache": Path(request.cache) if request.cache else default_cache(),
        "quick": request.quick,
        "seed": request.seed,
        "workers": request.workers or _processors(),
    }


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def simulate(
    request: SimulateRequest, shell: Shell | None = None
) -> Outcome[dict[str, Candidates]]:
    """Simulate all samples of a card.

    Raises
    ------
    CardError
        The card cannot be used.
    ProductionError
        A sample could not be made.
    """
    from darkstats.provenance import versions
    from darkstats.report.build_tables import samples_sheet
    from darkstats.searches.build import sample_requests, sample_table
    from darkstats.searches.build import simulate as simulate_card
    from darkstats.searches.card import read_card
    from darkstats.searches.simulation_size import whole_blocks

    shell = shell or Shell()
    card = read_card(request.card)
    wanted = sample_requests(card, quick=request.quick, seed=request.seed)
    total = sum(sample.n_blocks * sample.events_per_block for sample in wanted)
    with shell.step(f"simulating {card.name}", total) as step:
        samples = simulate_card(card, progress=step.advance, **_effort(request))
    table, warnings = sample_table(samples), whole_blocks(wanted)
    record = {
        "schema": "darkstats.simulate/1",
        "name": card.name,
        "simulated": True,
        "card": {"name": card.name, "digest": card.digest},
        "quick": request.quick,
        "seed": request.seed,
        "samples": table,
        "warnings": warnings,
        "versions": versions(),
    }

    def sheet() -> RenderableType:
        return samples_sheet(card.title, table, warnings)

    return Outcome(result=samples, record=lambda: record, sheet=sheet)


def build(request: BuildRequest, shell: Shell | None = None) -> Outcome[BuiltSearch]:
    """Build a search: workspace, patch set, sidecar and record.

    Raises
    ------
    CardError
        The card cannot be used.
    OptionError
        The folder holds something else.
    ProductionError
        A sample could not be made.
    """
    from darkstats.report.build_tables import build_sheet
    from darkstats.searches.build import build as build_card
    from darkstats.searches.build import sample_requests
    from darkstats.searches.card import read_card

    shell = shell or Shell()
    card = read_card(request.card)
    wanted = sample_requests(card, quick=request.quick, seed=request.seed)
    total = sum(sample.n_blocks * sample.events_per_block for sample in wanted)
    with shell.step(f"building {card.name}", total) as step:
        built = build_card(
            card,
            Path(request.output),
            progress=step.advance,
            events=request.events,
            **_effort(request),
        )

    def sheet() -> RenderableType:
        return build_sheet(str(built.output), built.record)

    return Outcome(result=built, record=lambda: dict(built.record), sheet=sheet)


def inspect_build(folder: Path) -> Outcome[JsonObject]:
    """Show what a build wrote: yields by process and window, spectra.

    Raises
    ------
    InputError
        The folder holds no build.
    """
    from darkstats.report.build_tables import inspection_sheet
    from darkstats.searches.output import read_build

    found = read_build(folder)

    def spectra() -> Drawing:
        from darkstats.report.figures.templates import plane_figure, spectra_figure

        plane = any("m_mumu_edges_gev" in c for c in found.sidecar["channels"].values())
        draw = plane_figure if plane else spectra_figure
        return draw(found.workspace, found.sidecar, name=found.record["name"])

    return Outcome(
        result=dict(found.record),
        record=lambda: dict(found.record),
        sheet=lambda: inspection_sheet(str(folder), found.record, found.sidecar["windows"]),
        figures={"spectra": spectra},
    )
