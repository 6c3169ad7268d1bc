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
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.model.parameters import Parameter
    from darkstats.scan.spectrum import SpectrumMap

__all__ = ["TOYS_PER_BLOCK", "Spectrum", "auxiliary_normals", "noise_key"]

#: Part of the definition of a toy: changing it changes every toy.
TOYS_PER_BLOCK = 1024

# What is drawn: words of the stream's key, never to be renumbered.
_EVENTS, _AUXILIARY = 0x5BEC01, 0x5BEC02


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
    alias
        Table that turns a uniform number into the fine bin of an event (Walker's alias method): the
        share of each column that stays, and where the rest goes. Shapes [fine bin].
    """

    digest: str
    expected: FloatArray = field(repr=False)
    nested: tuple[tuple[slice, slice], ...] = ()
    alias: tuple[FloatArray, IndexArray] = field(repr=False)

    @classmethod
    def of(cls, document: Mapping[str, Any], windows: SpectrumMap, digest: str) -> Spectrum:
        """Return the spectrum that a background-only document expects, all factors at one.

        Raises
        ------
        OptionError
            Nothing is expected, or a nested channel expects more than the outer one.
        """
        expected = np.concatenate(
            [
                np.sum([sample["data"] for sample in channel["samples"]], axis=0)
                for channel in document["channels"]
            ]
        )
        if not expected.sum() > 0.0 or expected.min() < 0.0:
            raise OptionError("the background-only workspace expects no events to throw toys from")
        starts = dict(windows.channels)
        sizes = {o["name"]: len(o["data"]) for o in document["observations"]}

        def part(name: str) -> slice:
            return slice(starts[name], starts[name] + sizes[name])

        nested = tuple((part(outer), part(inner)) for outer, inner in windows.contains)
        return cls(
            digest=digest,
            expected=frozen_floats(expected),
            nested=nested,
            alias=_alias(expected / expected.sum()),
        )

    def draw(self, seed: int, block: int, n_toys: int = TOYS_PER_BLOCK) -> FloatArray:
        """Counts of the toys of one block. Shape [toy, fine bin]."""
        rng = keyed_generator(seed, self.digest, _EVENTS, block)
        extra = self.expected.copy()
        for outer, inner in self.nested:
            extra[outer] = np.maximum(self.expected[outer] - self.expected[inner], 0.0)
        counts = rng.poisson(extra, size=(TOYS_PER_BLOCK, len(extra))).astype(np.float64)
        for outer, inner in self.nested:
            counts[:, outer] += counts[:, inner]
        return counts[:n_toys]

    def draw_events(
        self, seed: int, block: int, n_toys: int = TOYS_PER_BLOCK
    ) -> tuple[IndexArray, IndexArray]:
        """The same as events, for spectra with many more fine bins than events.

        Returns
        -------
        tuple of IndexArray
            First event of each toy [toy + 1], and the fine bin of each event.

        Raises
        ------
        OptionError
            Channels are nested: use :meth:`draw`.
        """
        if self.nested:
            raise OptionError("nested channels cannot be drawn event by event")
        rng = keyed_generator(seed, self.digest, _EVENTS, block)
        total = float(self.expected.sum())
        numbers = rng.poisson(total, size=TOYS_PER_BLOCK)
        begin = np.concatenate(([0], np.cumsum(numbers)))
        scaled = rng.random(int(begin[-1])) * len(self.expected)
        column = np.minimum(scaled.astype(np.int64), len(self.expected) - 1)
        share, other = self.alias
        bins = np.where(scaled - column < share[column], column, other[column])
        return begin[: n_toys + 1].astype(np.int64), bins[: begin[n_toys]]


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

    A parameter that acts bin by bin (staterror, shapesys) belongs to its window; any other is the
    same nuisance in all windows that name it, and fluctuates with one number for all of them.
    """
    local = any(kind in {"staterror", "shapesys"} for kind in parameter.modifier_types)
    return f"{window}/{parameter.name}" if local else parameter.name


def auxiliary_normals(seed: int, digest: str, block: int, key: str) -> FloatArray:
    """Standard normal numbers of one nuisance parameter for the toys of a block. Shape [toy]."""
    rng = keyed_generator(seed, digest, _AUXILIARY, block, crc32(key.encode()))
    return rng.standard_normal(TOYS_PER_BLOCK)
