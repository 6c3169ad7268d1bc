"""Cards to folders: simulate, build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError, UnknownNameError
from darkstats.workflows.outcome import Outcome, Shell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.report.figures.style import Drawing
    from darkstats.searches.build import BuiltSearch
    from darkstats.simulation.candidates import Candidates

__all__ = ["BuildRequest", "SimulateRequest", "build", "inspect_build", "simulate"]


EVENT_FORMATS = ("parquet", "npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateRequest:
    """The samples of a card, into the cache."""

    card: str
    quick: bool = False
    seed: int = 1
    workers: int | None = None
    cache: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the card.

        Raises
        ------
        OptionError
            A seed or a number of workers that cannot be.
        """
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"--seed {self.seed}: choose a whole number from 0 to 2^63 - 1")
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"--workers {self.workers}: ask for at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest(SimulateRequest):
    """A search from its card; ``events`` names the format of single events, or is None."""

    output: str = ""
    events: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the card.

        Raises
        ------
        UnknownNameError
            A format that events are not written in.
        OptionError
            A seed or a number of workers that cannot be.
        """
        SimulateRequest.__post_init__(self)
        if self.events not in {None, *EVENT_FORMATS}:
            raise UnknownNameError("format of events", str(self.events), EVENT_FORMATS)


def _settings(request: SimulateRequest) -> dict[str, Any]:
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

    shell = shell or Shell()
    card = read_card(request.card)
    wanted = sample_requests(card, quick=request.quick, seed=request.seed)
    total = sum(sample.n_blocks * sample.events_per_block for sample in wanted)
    with shell.step(f"simulating {card.name}", total) as step:
        samples = simulate_card(card, progress=step.advance, **_settings(request))
    table = sample_table(samples)
    record = {
        "schema": "darkstats.simulate/1",
        "name": card.name,
        "simulated": True,
        "card": {"name": card.name, "digest": card.digest},
        "quick": request.quick,
        "seed": request.seed,
        "samples": table,
        "versions": versions(),
    }

    def sheet() -> RenderableType:
        return samples_sheet(card.title, table)

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
            **_settings(request),
        )

    def sheet() -> RenderableType:
        return build_sheet(str(built.output), built.record)

    return Outcome(result=built, record=lambda: dict(built.record), sheet=sheet)


def inspect_build(folder: Path) -> Outcome[dict[str, Any]]:
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
