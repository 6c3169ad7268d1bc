"""Toys of spectra of events through every window of an unbinned scan, as a job in blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.execution.jobs import Job, Task
from darkstats.look_elsewhere.geometry import ScanGeometry
from darkstats.look_elsewhere.spectrum_job import arranged, observed_of, tallied
from darkstats.model.unbinned.model import UnbinnedModel, compile_hs3
from darkstats.model.unbinned.observed import observed_events
from darkstats.provenance import versions
from darkstats.scan.unbinned import EventsOfScan
from darkstats.scan.unbinned_toys import UNBINNED_TOYS_PER_BLOCK, EventSpectrum
from darkstats.workspace.hs3 import Hs3Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray

__all__ = ["UNBINNED_TOYS", "UNBINNED_TOYS_KIND", "unbinned_toys_job"]

#: Kind of the job.
UNBINNED_TOYS_KIND = "unbinned-toys"


def unbinned_toys_job(
    inputs: bytes, inputs_digest: str, *, seed: int, n_toys: int, observed: Mapping[str, float]
) -> Job:
    """Return the job of toys of spectra of events; more toys are more blocks of the same job.

    ``observed`` as of :func:`~darkstats.look_elsewhere.spectrum_job.toys_job`.
    """
    return Job(
        kind=UNBINNED_TOYS_KIND,
        settings={
            "seed": seed,
            "toys_per_block": UNBINNED_TOYS_PER_BLOCK,
            "observed": dict(observed),
            "versions": versions(),
        },
        n_blocks=-(-n_toys // UNBINNED_TOYS_PER_BLOCK),
        inputs=inputs,
        inputs_digest=inputs_digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    geometry: ScanGeometry = field(repr=False)
    models: tuple[UnbinnedModel, ...] = field(repr=False)
    spectrum: EventSpectrum = field(repr=False)
    seed: int
    observed: FloatArray = field(repr=False)


def _prepare(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> _Context:
    order, geometry = arranged(inputs["labels"], inputs["patches"])
    document = Hs3Document.from_document(inputs["hs3"])
    events = EventsOfScan.unpacked(inputs["events"])
    if not events:
        raise OptionError("the scan looked at no events: there is no spectrum to throw toys of")
    names = [str(inputs["patches"][k]["name"]) for k in order]
    models = tuple(compile_hs3(document, name) for name in names)
    observations = [
        observed_events(model, events.table_of(document, name), empty=True)[0]
        for name, model in zip(names, models, strict=True)
    ]
    spectrum = EventSpectrum.of(
        models,
        observations,
        digest=document.digest,
        contains=document.search.get("contains", {}),
    )
    return _Context(
        geometry=geometry,
        models=models,
        spectrum=spectrum,
        seed=int(settings["seed"]),
        observed=observed_of(settings["observed"], names),
    )


def _run(context: _Context, block: int) -> dict[str, Any]:
    roots = context.spectrum.roots(context.models, context.seed, block, UNBINNED_TOYS_PER_BLOCK)
    first_toy = block * UNBINNED_TOYS_PER_BLOCK
    return tallied(
        context.geometry, roots, context.observed, auxiliary="drawn", first_toy=first_toy
    )


#: The task of toys of spectra of events.
UNBINNED_TOYS = Task(prepare=_prepare, run=_run)
