"""Toys of the whole spectrum: one data set that fills every window of a scan.

Windows overlap, so toys thrown window by window are not one random field. A toy is keyed by (seed,
digest of the background-only workspace, block) and by no mass; every hypothesis sees the same
events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from darkstats.arrays import frozen_floats, frozen_indices
from darkstats.errors import OptionError
from darkstats.streams import keyed_generator, poisson_counts
from darkstats.workspace.simulation_modes import names_a_simulation_mode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.model.parameters import Parameter
    from darkstats.scan.spectrum import SpectrumMap

__all__ = [
    "TOYS_PER_BLOCK",
    "Source",
    "Spectrum",
    "auxiliary_normals",
    "expected_content",
    "noise_key",
]

#: Part of the definition of a toy: changing it changes every toy.
TOYS_PER_BLOCK = 1024

# What is drawn: words of the stream's key, never to be renumbered.
_EVENTS, _AUXILIARY = 0x5BEC01, 0x5BEC02


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Samples whose yields fluctuate together.

    Parameters
    ----------
    expected
        Shape [fine bin].
    yields
        Relative errors of the yield: name, factor at -1 and at +1 standard deviation.
    alias
        Table that turns a uniform number into the fine bin of an event (Walker's alias method): the
        share of each column that stays, and where the rest goes. Shapes [fine bin].
    """

    expected: FloatArray = field(repr=False)
    yields: tuple[tuple[str, float, float], ...]
    alias: tuple[FloatArray, IndexArray] = field(repr=False)

    def factors(self, seed: int, digest: str, block: int) -> FloatArray:
        """Yield of each toy of a block over the nominal one. Shape [toy]."""
        factor = np.ones(TOYS_PER_BLOCK)
        for name, low, high in self.yields:
            theta = auxiliary_normals(seed, digest, block, name)
            factor *= np.where(theta >= 0.0, high**theta, low ** np.abs(theta))
        return factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Expected events in the fine bins of all channels, and how they are drawn.

    Parameters
    ----------
    digest
        Of the background-only workspace, hexadecimal, 64 characters.
    expected
        Shape [fine bin].
    nested
        (outer, inner) ranges of fine bins: the events of the inner channel are among those of the
        outer one.
    sources
        The same by samples that fluctuate together.
    """

    digest: str
    expected: FloatArray = field(repr=False)
    nested: tuple[tuple[slice, slice], ...] = ()
    sources: tuple[Source, ...] = field(repr=False)

    @classmethod
    def of(cls, document: Mapping[str, Any], windows: SpectrumMap, digest: str) -> Spectrum:
        """Return the spectrum that a background-only document expects, all factors at one.

        Raises
        ------
        OptionError
            Nothing is expected.
        """
        starts = dict(windows.channels)
        sizes = {o["name"]: len(o["data"]) for o in document["observations"]}
        groups = _groups(document, windows)
        expected = np.sum(list(groups.values()), axis=0)
        if not expected.sum() > 0.0 or expected.min() < 0.0:
            raise OptionError("the background-only workspace expects no events to throw toys from")

        def part(name: str) -> slice:
            return slice(starts[name], starts[name] + sizes[name])

        return cls(
            digest=digest,
            expected=frozen_floats(expected),
            nested=tuple((part(outer), part(inner)) for outer, inner in windows.contains),
            sources=tuple(
                Source(
                    expected=frozen_floats(content),
                    yields=key,
                    alias=_alias(content / content.sum()),
                )
                for key, content in sorted(groups.items(), key=lambda item: item[0])
                if content.sum() > 0.0
            ),
        )

    def draw(self, seed: int, block: int, n_toys: int = TOYS_PER_BLOCK) -> FloatArray:
        """Counts of the toys of one block, at nominal yields. Shape [toy, fine bin]."""
        rng = keyed_generator(seed, self.digest, _EVENTS, block)
        extra = self.expected.copy()
        for outer, inner in self.nested:
            extra[outer] = np.maximum(self.expected[outer] - self.expected[inner], 0.0)
        counts = poisson_counts(rng, extra, (TOYS_PER_BLOCK, len(extra)))
        for outer, inner in self.nested:
            counts[:, outer] += counts[:, inner]
        return counts[:n_toys]

    def draw_events(
        self, seed: int, block: int, n_toys: int = TOYS_PER_BLOCK
    ) -> tuple[IndexArray, IndexArray]:
        """Events of the toys of one block, yields drawn with each toy.

        The way for spectra with many more fine bins than events. Yields fluctuate by their errors,
        the same for all windows of a toy (prior-predictive toys).

        Returns
        -------
        tuple of IndexArray
            Range of the events of each source and toy [source, toy + 1], and the fine bin of each
            event.

        Raises
        ------
        OptionError
            Channels are nested: use :meth:`draw`.
        """
        if self.nested:
            raise OptionError("nested channels cannot be drawn event by event")
        begins, events, first = [], [], 0
        rng = keyed_generator(seed, self.digest, _EVENTS, block)
        for source in self.sources:
            mean = float(source.expected.sum()) * source.factors(seed, self.digest, block)
            begin = np.concatenate(([0], np.cumsum(rng.poisson(mean)))).astype(np.int64)
            n = len(source.expected)
            scaled = rng.random(int(begin[-1])) * n
            column = np.minimum(scaled.astype(np.int64), n - 1)
            share, other = source.alias
            bins = np.where(scaled - column < share[column], column, other[column])
            kept = int(begin[n_toys])
            begins.append(first + begin[: n_toys + 1])
            events.append(bins[:kept])
            first += kept
        return np.stack(begins), np.concatenate(events)


def expected_content(document: Mapping[str, Any], windows: SpectrumMap) -> FloatArray:
    """Events that a background-only document expects, all factors at one. Shape [fine bin]."""
    groups = _groups(document, windows)
    return frozen_floats(np.sum(list(groups.values()), axis=0))


def _groups(
    document: Mapping[str, Any], windows: SpectrumMap
) -> dict[tuple[tuple[str, float, float], ...], FloatArray]:
    """Expected events [fine bin] of samples whose yields fluctuate together."""
    starts = dict(windows.channels)
    sizes = {o["name"]: len(o["data"]) for o in document["observations"]}
    groups: dict[tuple[tuple[str, float, float], ...], FloatArray] = {}
    for channel in document["channels"]:
        at = slice(starts[channel["name"]], starts[channel["name"]] + sizes[channel["name"]])
        for sample in channel["samples"]:
            key = _yields(sample["modifiers"])
            groups.setdefault(key, np.zeros(windows.n_fine))[at] += sample["data"]
    return groups


def _yields(modifiers: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, float, float], ...]:
    return tuple(
        sorted(
            (str(m["name"]), float(m["data"]["lo"]), float(m["data"]["hi"]))
            for m in modifiers
            if m["type"] == "normsys"
        )
    )


def _alias(probability: FloatArray) -> tuple[FloatArray, IndexArray]:
    """Walker's table: each column keeps a share of its own bin and fills up with one other bin."""
    n = len(probability)
    share, other = probability * n, np.arange(n)
    small = [k for k in range(n) if share[k] < 1.0]
    large = [k for k in range(n) if share[k] >= 1.0]
    while small and large:
        low, high = small.pop(), large[-1]
        other[low] = high
        share[high] -= 1.0 - share[low]
        if share[high] < 1.0:
            small.append(large.pop())
    share[[*small, *large]] = 1.0  # what rounding leaves over
    return frozen_floats(share), frozen_indices(other)


def noise_key(parameter: Parameter, window: str) -> str:
    """Name of the random numbers of a nuisance parameter.

    A parameter that acts bin by bin (staterror, shapesys) belongs to its window, and so does a mode
    of smoothed simulation: windows that share little simulation have its name, too. Any other is
    the same nuisance in all windows that name it, and fluctuates with one number for all of them.
    """
    local = names_a_simulation_mode(parameter.name) or any(
        kind in {"staterror", "shapesys"} for kind in parameter.modifier_types
    )
    return f"{window}/{parameter.name}" if local else parameter.name


def auxiliary_normals(seed: int, digest: str, block: int, key: str) -> FloatArray:
    """Standard normal numbers of one nuisance parameter for the toys of a block. Shape [toy]."""
    rng = keyed_generator(seed, digest, _AUXILIARY, block, crc32(key.encode()))
    return rng.standard_normal(TOYS_PER_BLOCK)
