"""From a card to a folder: simulate, select, fill, write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.errors import CardError, OptionError
from darkstats.provenance import versions
from darkstats.searches.bump_hunt import build_bump_hunt
from darkstats.searches.bump_settings import BumpHunt
from darkstats.searches.counting import Counting, build_counting
from darkstats.searches.cuts import CutFlow
from darkstats.searches.declared_selection import DeclaredSelection
from darkstats.searches.output import patch_set_document, require_free, write_build
from darkstats.searches.plane import PlaneScan, build_plane_scan
from darkstats.searches.products import SearchProduct, SimulatedSamples
from darkstats.searches.pseudo_events import pseudo_events
from darkstats.searches.recoil_hunt import RecoilHunt, build_recoil_hunt
from darkstats.searches.simulation_size import (
    background_shares,
    simulation_warnings,
    whole_blocks,
)
from darkstats.signals.benchmarks import efficiency_benchmark
from darkstats.simulation.production import SampleRequest, generated_block, produce
from darkstats.streams import keyed_generator
from darkstats.workspace.hs3.event_files import encoded_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from darkstats.arrays import BoolArray
    from darkstats.searches.card import SearchCard
    from darkstats.simulation.candidates import Candidates

__all__ = ["BuiltSearch", "build", "sample_requests", "simulate"]

_PSEUDO_DATA = 7  # word of the stream key


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltSearch:
    """What a build wrote.

    Parameters
    ----------
    output
        The folder.
    record
        Content of its ``record.json``.
    """

    output: Path
    record: Mapping[str, Any] = field(repr=False)


def sample_requests(card: SearchCard, *, quick: bool, seed: int) -> tuple[SampleRequest, ...]:
    """Return all samples that a card needs: backgrounds by name, signals as ``signal_MASS``."""
    requests = [
        SampleRequest(
            name=background.name,
            process=background.process,
            detector=card.detector,
            selection=card.selection,
            n_events=background.events.quick if quick else background.events.full,
            events_per_block=background.events_per_block,
            seed=seed,
        )
        for background in card.backgrounds
    ]
    if card.signal is not None:
        events = card.signal.events.quick if quick else card.signal.events.full
        requests += [
            SampleRequest(
                name=_signal_name(masses),
                process=process,
                detector=card.detector,
                selection=card.selection,
                n_events=events,
                events_per_block=card.signal.events_per_block,
                seed=seed,
            )
            for masses, process in zip(card.signal.masses_gev, card.signal.processes, strict=True)
        ]
    return tuple(requests)


def _signal_name(masses_gev: tuple[float, ...]) -> str:
    return "_".join(["signal", *(f"{mass:g}" for mass in masses_gev)])


def _product(
    settings: BumpHunt | RecoilHunt | PlaneScan | Counting,
    samples: SimulatedSamples,
    *,
    rng: np.random.Generator,
) -> SearchProduct:
    """Build the kind of search that the settings are of."""
    if isinstance(settings, BumpHunt):
        return build_bump_hunt(settings, samples, rng=rng)
    if isinstance(settings, RecoilHunt):
        return build_recoil_hunt(settings, samples, rng=rng)
    if isinstance(settings, Counting):
        return build_counting(settings, samples, rng=rng)
    return build_plane_scan(settings, samples, rng=rng)


def simulate(
    card: SearchCard,
    *,
    cache: Path,
    quick: bool = False,
    seed: int = 1,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Candidates]:
    """Return the simulated candidates of a card that pass its cuts, by name of the sample.

    Raises
    ------
    ProductionError
        A sample could not be made.
    CardError
        No row of any sample passes the cuts; the message names the last one that is reached, or
        the object that the events do not have.
    """
    requests = sample_requests(card, quick=quick, seed=seed)
    # The spectra of a bump hunt differ in their cuts: its rows are only counted here.
    search = card.settings
    all_rows = isinstance(search, BumpHunt)
    flow = CutFlow(search.loosest_cuts if isinstance(search, BumpHunt) else search.cuts)

    def kept(rows: Candidates) -> BoolArray:
        passed = flow(rows)
        return np.ones(len(rows), dtype=bool) if all_rows else passed

    samples = produce(requests, cache=cache, workers=workers, progress=progress, keep=kept)
    if not flow.left[0]:
        raise _empty_selection(card, requests)
    if problem := flow.nothing_left():
        raise CardError(
            problem, source=card.source, remedy="loosen this cut, or the ones before it"
        )
    _require_weight(card, samples)
    for background in card.backgrounds:
        if background.cross_section_pb is not None:
            sample = samples[background.name]
            factor = background.cross_section_pb / sample.cross_section_pb
            samples[background.name] = sample.scaled(factor)
    return samples


#: Efficiencies of the detector without which no event is left, or counts.
_NEEDED = ("lepton_efficiency", "trigger_efficiency", "extra_energy_efficiency")


def _zero_efficiencies(card: SearchCard) -> list[str]:
    return [name for name in _NEEDED if getattr(card.detector, name) == 0.0]


def _require_weight(card: SearchCard, samples: Mapping[str, Candidates]) -> None:
    """Refuse samples whose rows pass all cuts and count for nothing."""
    lost = [name for name, rows in samples.items() if len(rows) and not float(rows.weight_pb.sum())]
    if not lost:
        return
    zero = _zero_efficiencies(card)
    more = f" and of {len(lost) - 1} further samples" if len(lost) > 1 else ""
    raise CardError(
        f"the events of {lost[0]}{more} pass the cuts with a weight of zero: "
        + (f"{' and '.join(zero)} is zero" if zero else "an efficiency by angle or energy is zero"),
        source=card.source,
        key=f"detector.{zero[0]}" if zero else "detector",
        remedy="give an efficiency above zero",
    )


def _empty_selection(card: SearchCard, requests: tuple[SampleRequest, ...]) -> CardError:
    """Say which object the events of the last sample, a signal if there is one, do not have."""
    zero = _zero_efficiencies(card)
    if zero:
        return CardError(
            f"no simulated event of any sample is left: {' and '.join(zero)} is zero",
            source=card.source, key=f"detector.{zero[0]}", remedy="give an efficiency above zero",
        )  # fmt: skip
    request, key, counts = requests[-1], "selection", ""
    if isinstance(card.selection, DeclaredSelection):
        events = generated_block(request, 0)
        found = card.selection.counts_as_asked(events, card.detector)
        counts = f" Of {events.n_events} events of {request.name}, before vetoes, " + ", ".join(
            f"{found[one.name]} have {one.count} {one.name}" for one in card.selection.objects
        )
        rarest = min(found, key=lambda name: found[name])
        if not found[rarest]:
            key = f"selection.objects.{rarest}"
    return CardError(
        f"no simulated event of any sample passes the selection of the detector.{counts}",
        source=card.source,
        key=key,
        remedy="check particles, count, theta_range_deg (in degrees, not radians), least momenta "
        "and energies, and the vetoes on further tracks and photons",
    )


def sample_table(samples: Mapping[str, Candidates]) -> dict[str, dict[str, float]]:
    """Numbers of each sample, for records and tables."""
    return {
        name: {
            "generated_events": sample.n_generated,
            "rows_kept": len(sample),
            "cross_section_pb": float(f"{sample.cross_section_pb:.6g}"),
            "equivalent_luminosity_ipb": float(f"{sample.equivalent_luminosity_ipb:.6g}"),
        }
        for name, sample in samples.items()
    }


def build(
    card: SearchCard,
    output: Path,
    *,
    cache: Path,
    quick: bool = False,
    seed: int = 1,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
    events: str | None = None,
) -> BuiltSearch:
    """Build a search: the same bytes for any number of workers, and after any interruption.

    Parameters
    ----------
    card
        A checked card.
    output
        Folder to write; an earlier build there is replaced.
    cache
        Folder of simulated blocks.
    quick
        Simulate the smaller numbers of events of the card.
    seed
        Of simulation and pseudo-data.
    workers, progress
        Processes; told of events that are done.
    events
        Write the pseudo-data as single events, too: ``"parquet"`` or ``"npz"``, one file for each
        spectrum.

    Raises
    ------
    OptionError
        ``output`` holds something else, the card and the simulation do not fit, or events are
        asked for of Asimov data.
    ProductionError
        A sample could not be made; what is finished stays in the cache.
    """
    require_free(output)
    if events is not None and card.asimov:
        raise OptionError("Asimov data are no events: a card with data: pseudo has some")
    samples = simulate(
        card, cache=cache, quick=quick, seed=seed, workers=workers, progress=progress
    )
    signals: dict[tuple[float, ...], Candidates] = {}
    if card.signal is not None:
        signals = {masses: samples[_signal_name(masses)] for masses in card.signal.masses_gev}
    product = _product(
        card.settings,
        SimulatedSamples(
            backgrounds={b.name: samples[b.name] for b in card.backgrounds}, signals=signals
        ),
        rng=keyed_generator(seed, card.digest, _PSEUDO_DATA),
    )
    searched = {} if card.searched is None else {"searched": card.searched.plain()}
    product = replace(product, sidecar={**product.sidecar, **searched})
    if efficiency_benchmark(card.benchmarks):  # no cross section: the likelihood alone says it, too
        sidecar = {**product.sidecar, "benchmarks": list(card.benchmarks)}
        product = replace(product, sidecar=sidecar)
    patch_set = patch_set_document(
        product, description=f"SIMULATED. {card.title}", hepdata=card.hepdata
    )
    record = {
        "schema": "darkstats.build/1",
        "name": card.name,
        "title": card.title,
        "simulated": True,
        "data": product.sidecar["data"],
        "card": {"name": card.name, "digest": card.digest},
        "quick": quick,
        "seed": seed,
        "luminosity_ipb": card.luminosity_ipb,
        "statistics": {"method": card.method, "cl": card.cl},
        "benchmarks": list(card.benchmarks),
        **searched,
        "n_patches": len(product.patches),
        "samples": sample_table(samples),
        "summary": product.summary,
        "warnings": [
            *simulation_warnings(
                background_shares(product.summary["yields"], product.sidecar["windows"]),
                _equivalent_luminosities(product, samples),
                card.luminosity_ipb,
            ),
            *whole_blocks(sample_requests(card, quick=quick, seed=seed)),
        ],
        "versions": versions(),
    }
    files = {} if events is None else _event_files(product, card, seed=seed, suffix=f".{events}")
    return BuiltSearch(
        output=output, record=write_build(output, product, patch_set, record, events=files)
    )


def _equivalent_luminosities(
    product: SearchProduct, samples: Mapping[str, Candidates]
) -> dict[str, float]:
    """In 1/pb by sample: of the part of it that made templates, where the product says it."""
    found = {name: float(one.equivalent_luminosity_ipb) for name, one in samples.items()}
    return found | dict(product.summary["equivalent_luminosity_ipb"])


def _event_files(
    product: SearchProduct, card: SearchCard, *, seed: int, suffix: str
) -> dict[str, bytes]:
    """Pseudo-data as single events, marked as simulated, by name of the file."""
    found = pseudo_events(product.workspace, product.sidecar, seed=seed, digest=card.digest)
    said = {
        "simulated": True,
        "description": f"SIMULATED pseudo-data. {card.title}",
        "card": card.digest,
        "seed": seed,
    }
    return {
        f"events_{spectrum}{suffix}": encoded_events(
            columns, {**said, "spectrum": spectrum}, suffix
        )
        for spectrum, columns in found.items()
    }
