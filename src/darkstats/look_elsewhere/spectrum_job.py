"""Toys of the whole spectrum through every window, as a job in blocks, and their tallies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.arrays import frozen_floats, frozen_indices
from darkstats.errors import OptionError
from darkstats.execution.jobs import Job, Task
from darkstats.execution.packing import pack_arrays, unpack_arrays
from darkstats.fit.warming import ensure_compiled
from darkstats.look_elsewhere.excursions import ExcursionTally
from darkstats.look_elsewhere.field import ScanField
from darkstats.look_elsewhere.geometry import ScanGeometry, line, rows
from darkstats.look_elsewhere.local import LocalTally
from darkstats.look_elsewhere.maxima import MaximaTally
from darkstats.provenance import versions
from darkstats.scan.limits import base_of, compile_point
from darkstats.scan.settings import ScanSettings
from darkstats.scan.spectrum import SpectrumMap
from darkstats.scan.spectrum_toys import TOYS_PER_BLOCK, Spectrum
from darkstats.scan.window_roots import CountingWindows, FittedWindows
from darkstats.workspace import pyhf_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.model import HistFactoryModel

__all__ = [
    "TOYS",
    "SpectrumContext",
    "Tallies",
    "arranged",
    "collect_tallies",
    "observed_of",
    "tallied",
    "toys_job",
]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumContext:
    """Spectrum, windows and geometry of a scan.

    Parameters
    ----------
    names
        Hypotheses in the order of the points of the geometry.
    models, fills
        Model of each, and the fine bins of its window.
    windows
        What makes roots of toys.
    """

    names: tuple[str, ...]
    geometry: ScanGeometry = field(repr=False)
    spectrum: Spectrum = field(repr=False)
    models: tuple[HistFactoryModel, ...] = field(repr=False)
    map: SpectrumMap = field(repr=False)
    windows: FittedWindows | CountingWindows = field(repr=False)

    @classmethod
    def of(cls, inputs: Mapping[str, Any], interpolation: str) -> SpectrumContext:
        """Compile all hypotheses of a scan.

        Raises
        ------
        OptionError
            The values of the patch set name no mass in GeV, or more than two.
        InputError
            A patch cannot be used.
        """
        document, patches = inputs["workspace"], inputs["patches"]
        order, geometry = arranged(inputs["labels"], patches)
        chosen = [patches[k] for k in order]
        names = tuple(str(patch["name"]) for patch in chosen)
        if inputs["fill"] is None:
            windows = SpectrumMap.same_bins(document, names)
        else:
            windows = SpectrumMap.of(document, inputs["fill"])
        settings = ScanSettings(interpolation=interpolation)
        base = base_of(document, patches)
        models = tuple(compile_point(base, patch, settings) for patch in chosen)
        windows = windows.aligned(
            {name: model.bins_by_channel for name, model in zip(names, models, strict=True)}
        )
        fills = [windows.window(name) for name in names]
        spectrum = Spectrum.of(document, windows, pyhf_digest(document))
        kind = CountingWindows if _counts(models, spectrum) else FittedWindows
        return cls(
            names=names,
            geometry=geometry,
            spectrum=spectrum,
            models=models,
            map=windows,
            windows=kind.of(names, models, fills, spectrum),
        )

    @property
    def auxiliary(self) -> str:
        """Whether toys draw auxiliary data."""
        return "held" if isinstance(self.windows, CountingWindows) else "drawn"


def _counts(models: Sequence[HistFactoryModel], spectrum: Spectrum) -> bool:
    return CountingWindows.suits(models) and not spectrum.nested


def arranged(
    labels: Sequence[str], patches: Sequence[Mapping[str, Any]]
) -> tuple[IndexArray, ScanGeometry]:
    """Order of the hypotheses and their geometry: a line over one mass, a plane over two.

    Labels that end in ``_gev`` are masses; others (a second set of windows) only tell hypotheses
    apart.
    """
    masses = [k for k, label in enumerate(labels) if label.endswith("_gev")]
    if len(labels) == 1:
        masses = [0]
    if not 1 <= len(masses) <= 2:
        raise OptionError(
            f"the patch set's labels ({', '.join(labels)}) name {len(masses)} masses: a scan needs "
            "one or two whose name ends in _gev"
        )
    try:
        values = np.array([[float(p["values"][k]) for k in masses] for p in patches])
    except (TypeError, ValueError) as error:
        raise OptionError(f"a mass of the patch set is no number: {error}") from None
    if len(masses) == 2:
        return np.arange(len(values)), rows(values[:, 0], values[:, 1])
    order = np.argsort(values[:, 0], kind="stable")
    return frozen_indices(order), line(values[order, 0])


def toys_job(
    inputs: bytes,
    inputs_digest: str,
    *,
    seed: int,
    n_toys: int,
    interpolation: str,
    observed: Mapping[str, float],
) -> Job:
    """Return the job of full-spectrum toys; more toys are more blocks of the same job.

    ``observed``: local significances of the data by name of the window, where they are known. They
    change no toy; how many exceed them is counted while the toys are at hand.
    """
    return Job(
        kind="toys",
        settings={
            "seed": seed,
            "toys_per_block": TOYS_PER_BLOCK,
            "interpolation": interpolation,
            "observed": dict(observed),
            "versions": versions(),
        },
        n_blocks=-(-n_toys // TOYS_PER_BLOCK),
        inputs=inputs,
        inputs_digest=inputs_digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    spectrum: SpectrumContext
    seed: int
    observed: FloatArray = field(repr=False)


def _prepare(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> _Context:
    ensure_compiled()  # a worker on another host may be the first there
    found = SpectrumContext.of(inputs, str(settings["interpolation"]))
    return _Context(
        spectrum=found,
        seed=int(settings["seed"]),
        observed=observed_of(settings["observed"], found.names),
    )


def observed_of(observed: Mapping[str, float], names: Sequence[str]) -> FloatArray:
    """Observed local significances [point], ``nan`` where none is known."""
    return frozen_floats([float(observed.get(name, math.nan)) for name in names])


def _run(context: _Context, block: int) -> dict[str, Any]:
    scan = context.spectrum
    roots = scan.windows.roots(scan.spectrum, context.seed, block, TOYS_PER_BLOCK)
    return tallied(
        scan.geometry,
        roots,
        context.observed,
        auxiliary=scan.auxiliary,
        first_toy=block * TOYS_PER_BLOCK,
    )


#: The task of full-spectrum toys.
TOYS = Task(prepare=_prepare, run=_run)


def tallied(
    geometry: ScanGeometry,
    roots: FloatArray,
    observed: FloatArray,
    *,
    auxiliary: str,
    first_toy: int,
) -> dict[str, Any]:
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
    payload: dict[str, Any] = {
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
