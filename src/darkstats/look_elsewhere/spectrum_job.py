"""Toys of the whole spectrum through every window, as a job in blocks, and their tallies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from darkstats.arrays import frozen_floats
from darkstats.errors import OptionError
from darkstats.execution.jobs import Job, Task
from darkstats.execution.packing import pack_arrays, unpack_arrays
from darkstats.fit.warming import ensure_compiled
from darkstats.look_elsewhere.excursions import ExcursionTally
from darkstats.look_elsewhere.field import ScanField
from darkstats.look_elsewhere.geometry import ScanGeometry
from darkstats.look_elsewhere.local import LocalTally
from darkstats.look_elsewhere.maxima import MaximaTally
from darkstats.look_elsewhere.window_spectrum import SpectrumContext
from darkstats.provenance import versions
from darkstats.scan.block_sizes import spectrum_toys_per_block
from darkstats.scan.job import hypotheses_of
from darkstats.scan.mass_hypotheses import BinnedHypotheses, EventHypotheses
from darkstats.scan.spectrum_toys import TOYS_PER_BLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray
    from darkstats.scan.mass_hypotheses import MassHypotheses
    from darkstats.workspace.json_values import JsonObject

__all__ = ["TOY_TASKS", "Tallies", "collect_tallies", "observed_of", "toys_job"]

#: Blocks in which excursions are counted as well as maxima: more toys add nothing to their law.
EXCURSION_TOYS = 32 * TOYS_PER_BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What full-spectrum toys gave.

    Parameters
    ----------
    maxima, local
        Of all toys: their largest roots, and how many exceed the data in each window.
    excursions
        Of the first toys.
    auxiliary
        ``"drawn"`` with each toy, or ``"held"`` at their observed values while the yields of toys
        fluctuate (prior-predictive toys).
    """

    maxima: MaximaTally
    local: LocalTally
    excursions: ExcursionTally
    auxiliary: str


def toys_job(
    limits: Job,
    *,
    seed: int,
    n_toys: int,
    observed: Mapping[str, float],
    hypotheses: MassHypotheses | None = None,
) -> Job:
    """Return the job of full-spectrum toys of a scan; more toys are more blocks of the same job.

    Toys are rounded up to those that are drawn together; a block has all of these, or a part.

    Parameters
    ----------
    limits
        The job of the scan.
    seed, n_toys
        Of the toys.
    observed
        Local significances of the data by name of the window, where they are known. They change no
        toy; how many exceed them is counted while the toys are at hand.
    hypotheses
        Of the job of the scan, where they have been read already.
    """
    kind, codes = EventHypotheses.toys_kind, {}
    if limits.kind == BinnedHypotheses.limits_kind:
        kind, together = BinnedHypotheses.toys_kind, SpectrumContext.toys_per_block
        codes = {"interpolation": str(limits.settings["interpolation"])}
    else:
        from darkstats.look_elsewhere.event_spectrum import EventContext

        together = EventContext.toys_per_block
    per_block = spectrum_toys_per_block(
        hypotheses_of(limits) if hypotheses is None else hypotheses,
        drawn_together=together,
        interpolation=codes.get("interpolation", ""),
    )
    return Job(
        kind=kind,
        settings={
            "seed": seed,
            "toys_per_block": per_block,
            **codes,
            "observed": dict(observed),
            "versions": versions(),
        },
        n_blocks=-(-n_toys // together) * (together // per_block),
        inputs=limits.inputs,
        inputs_digest=limits.inputs_digest,
    )


class _Spectrum(Protocol):
    """What toys are thrown of: spectrum and windows of a scan."""

    @property
    def toys_per_block(self) -> int: ...  # those that are drawn together

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def geometry(self) -> ScanGeometry: ...

    @property
    def auxiliary(self) -> str: ...

    def roots(self, seed: int, first: int, n_toys: int) -> FloatArray: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    spectrum: _Spectrum
    seed: int
    n_toys: int
    observed: FloatArray = field(repr=False)

    @classmethod
    def of(cls, spectrum: _Spectrum, settings: Mapping[str, Any]) -> _Context:
        return cls(
            spectrum=spectrum,
            seed=int(settings["seed"]),
            n_toys=int(settings["toys_per_block"]),
            observed=observed_of(settings["observed"], spectrum.names),
        )


def _binned(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> _Context:
    ensure_compiled()  # a worker on another host may be the first there
    hypotheses = BinnedHypotheses.of_plain(inputs)
    return _Context.of(SpectrumContext.of(hypotheses, str(settings["interpolation"])), settings)


def _events(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> _Context:
    from darkstats.look_elsewhere.event_spectrum import EventContext

    return _Context.of(EventContext.of(EventHypotheses.of_plain(inputs)), settings)


def observed_of(observed: Mapping[str, float], names: Sequence[str]) -> FloatArray:
    """Observed local significances [point], ``nan`` where none is known."""
    return frozen_floats([float(observed.get(name, math.nan)) for name in names])


def _run(context: _Context, block: int) -> JsonObject:
    scan, first = context.spectrum, block * context.n_toys
    return _tallied(
        scan.geometry,
        scan.roots(context.seed, first, context.n_toys),
        context.observed,
        auxiliary=scan.auxiliary,
        first_toy=first,
    )


#: The tasks of full-spectrum toys, by kind of job.
TOY_TASKS: Mapping[str, Task] = MappingProxyType(
    {
        BinnedHypotheses.toys_kind: Task(prepare=_binned, run=_run),
        EventHypotheses.toys_kind: Task(prepare=_events, run=_run),
    }
)


def _tallied(
    geometry: ScanGeometry,
    roots: FloatArray,
    observed: FloatArray,
    *,
    auxiliary: str,
    first_toy: int,
) -> JsonObject:
    """What is kept of the toys of one block.

    Parameters
    ----------
    geometry, roots
        Hypotheses, and roots of the test statistic. Shape [toy, point].
    observed
        Local significances of the data, ``nan`` where there is none. Shape [point].
    auxiliary
        Whether toys draw auxiliary data: ``"drawn"`` or ``"held"``.
    first_toy
        Number of the first one: excursions are counted in the first toys only.
    """
    field_ = ScanField.of(geometry, roots)
    payload: JsonObject = {
        "auxiliary": auxiliary,
        "maxima": pack_arrays(MaximaTally.of(field_).arrays()),
        "local": pack_arrays(LocalTally.of(field_, observed).arrays()),
    }
    if first_toy < EXCURSION_TOYS:
        payload["excursions"] = pack_arrays(ExcursionTally.of(field_).arrays())
    return payload


def collect_tallies(blocks: Sequence[Mapping[str, Any]]) -> Tallies:
    """Add the tallies of all blocks.

    Raises
    ------
    OptionError
        There is no block.
    """
    if not blocks:
        raise OptionError("no toys were thrown")
    maxima = [MaximaTally.from_arrays(unpack_arrays(block["maxima"])) for block in blocks]
    excursions = [
        ExcursionTally.from_arrays(unpack_arrays(block["excursions"]))
        for block in blocks
        if "excursions" in block
    ]
    local = [LocalTally.from_arrays(unpack_arrays(block["local"])) for block in blocks]
    total, levels, windows = maxima[0], excursions[0], local[0]
    for tally in maxima[1:]:
        total += tally
    for more in excursions[1:]:
        levels += more
    for counted in local[1:]:
        windows += counted
    auxiliary = str(blocks[0]["auxiliary"])
    return Tallies(maxima=total, local=windows, excursions=levels, auxiliary=auxiliary)
