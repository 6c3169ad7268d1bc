"""How one spectrum fills the windows of all mass hypotheses.

A search holds its spectrum once, in fine bins; the window of a hypothesis is made of whole fine
bins. ``fill.json`` of a built search says which. Because windows overlap, data and toys are made
for the spectrum, and every window takes its counts from there.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.arrays import frozen_indices
from darkstats.errors import DocumentError, UnknownNameError, in_words
from darkstats.garbage import collection_paused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.workspace.json_values import JsonObject

__all__ = ["FILL_SCHEMA", "SpectrumMap", "WindowFill", "read_fill"]

FILL_SCHEMA = "darkstats.fill/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFill:
    """The fine bins of each bin of a window.

    Parameters
    ----------
    begin
        Range of ``bins`` of each bin of the window. Shape [bin + 1].
    bins
        Indices of fine bins, all channels of the spectrum one after the other.
    channels
        Channels of the window with the number of bins of each, in the order of ``begin``.
    """

    begin: IndexArray = field(repr=False)
    bins: IndexArray = field(repr=False)
    channels: tuple[tuple[str, int], ...]

    @property
    def n_bins(self) -> int:
        """Number of bins of the window."""
        return len(self.begin) - 1

    def for_channels(self, channels: Sequence[tuple[str, int]]) -> WindowFill:
        """Return the window with its bins in the order of ``channels``, as a model has them.

        Raises
        ------
        DocumentError
            They are other channels, or have other numbers of bins.
        """
        if tuple(channels) == self.channels:
            return self
        if sorted(channels) != sorted(self.channels):
            wanted, found = (
                ", ".join(f"{n} ({k})" for n, k in x) for x in (channels, self.channels)
            )
            raise DocumentError(
                f"a hypothesis has the channels (bins) {wanted}, its fill {found}",
                remedy="build the search again",
            )
        first = dict(
            zip(
                (name for name, _ in self.channels),
                np.cumsum([0, *(size for _, size in self.channels)]),
                strict=False,
            )
        )
        order = [first[name] + k for name, size in channels for k in range(size)]
        parts = [self.bins[self.begin[k] : self.begin[k + 1]] for k in order]
        return WindowFill(
            begin=frozen_indices(np.cumsum([0, *(len(part) for part in parts)])),
            bins=frozen_indices(np.concatenate(parts)),
            channels=tuple(channels),
        )

    def gather(self, fine: FloatArray) -> FloatArray:
        """Counts of the window. Shapes: [..., fine bin] -> [..., bin]."""
        counts = np.asarray(fine, dtype=np.float64)[..., self.bins]
        filled = np.diff(self.begin) > 0
        result = np.zeros((*counts.shape[:-1], self.n_bins))
        if filled.any():
            result[..., filled] = np.add.reduceat(counts, self.begin[:-1][filled], axis=-1)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumMap:
    """All windows of a search on its spectrum.

    Parameters
    ----------
    channels
        Channels of the background-only workspace, and the first fine bin of each.
    n_fine
        Number of fine bins of all channels.
    contains
        Channels whose events include those of another channel, bin by bin: (outer, inner).
    windows
        By name of the hypothesis; bins in the order of the channels of the fill.
    """

    channels: tuple[tuple[str, int], ...]
    n_fine: int
    contains: tuple[tuple[str, str], ...] = ()
    windows: Mapping[str, WindowFill] = field(repr=False)

    def window(self, name: str) -> WindowFill:
        """Return the window of a hypothesis.

        Raises
        ------
        UnknownNameError
            There is none.
        """
        try:
            return self.windows[name]
        except KeyError:
            raise UnknownNameError("window", name, tuple(self.windows)) from None

    def aligned(self, channels: Mapping[str, Sequence[tuple[str, int]]]) -> SpectrumMap:
        """Return the windows of some hypotheses, each with its bins in the order of its model.

        Parameters
        ----------
        channels
            By name of the hypothesis: channels of its model, with the number of bins of each.

        Raises
        ------
        DocumentError
            A window has other channels than its model.
        UnknownNameError
            A hypothesis has no window.
        """
        windows = {name: self.window(name).for_channels(bins) for name, bins in channels.items()}
        return replace(self, windows=windows)

    @classmethod
    def of(
        cls,
        document: Mapping[str, Any],
        fill: Mapping[str, Any],
        *,
        source: str = "",
    ) -> SpectrumMap:
        """Return the map of a background-only document and the content of a ``fill.json``.

        Raises
        ------
        DocumentError
            A window names fine bins that do not exist.
        """
        sizes = {o["name"]: len(o["data"]) for o in document["observations"]}
        order = [channel["name"] for channel in document["channels"]]
        starts = dict(zip(order, np.cumsum([0, *(sizes[name] for name in order)]), strict=False))
        windows = {}
        for name, channels in fill["windows"].items():
            parts: list[IndexArray] = []
            sizes_here: list[tuple[str, int]] = []
            for channel, rule in channels.items():
                where = f"/windows/{name}/{channel}"
                spectrum = rule.get("spectrum")
                if spectrum not in sizes:
                    raise DocumentError(
                        f"{where}: the workspace has no channel {spectrum!r}",
                        source=source,
                        remedy="build the search again",
                    )
                found = _bins(rule, sizes[spectrum], int(starts[spectrum]), where, source)
                parts += found
                sizes_here.append((channel, len(found)))
            windows[name] = WindowFill(
                begin=frozen_indices(np.cumsum([0, *(len(part) for part in parts)])),
                bins=frozen_indices(np.concatenate(parts) if parts else np.zeros(0, np.int64)),
                channels=tuple(sizes_here),
            )
        return cls(
            channels=tuple((name, int(starts[name])) for name in order),
            n_fine=sum(sizes.values()),
            contains=_nested(fill.get("contains", {}), sizes, source),
            windows=windows,
        )

    @classmethod
    def same_bins(cls, document: Mapping[str, Any], names: Sequence[str]) -> SpectrumMap:
        """Return the map of an ordinary patch set: every hypothesis sees all bins as they are."""
        sizes = {o["name"]: len(o["data"]) for o in document["observations"]}
        order = [channel["name"] for channel in document["channels"]]
        starts = np.cumsum([0, *(sizes[name] for name in order)])
        every = np.arange(int(starts[-1]))
        window = WindowFill(
            begin=frozen_indices(np.arange(len(every) + 1)),
            bins=frozen_indices(every),
            channels=tuple((name, sizes[name]) for name in order),
        )
        return cls(
            channels=tuple((name, int(start)) for name, start in zip(order, starts, strict=False)),
            n_fine=len(every),
            windows=dict.fromkeys(names, window),
        )


def _nested(
    contains: Mapping[str, str], sizes: Mapping[str, int], source: str
) -> tuple[tuple[str, str], ...]:
    for outer, inner in contains.items():
        if sizes.get(outer) is None or sizes.get(outer) != sizes.get(inner):
            raise DocumentError(
                f"/contains/{outer}: {outer!r} and {inner!r} are no channels with the same bins",
                source=source,
                remedy="build the search again",
            )
    return tuple(sorted(contains.items()))


def _bins(
    rule: Mapping[str, Any], size: int, start: int, where: str, source: str
) -> list[IndexArray]:
    """Fine bins of each bin of one channel of a window."""
    found: list[IndexArray] = []
    if "edges" in rule:
        edges, length = rule["edges"], int(rule["row_length"])
        n_rows = size // length
        for top, bottom in pairwise([*rule.get("rows", range(n_rows)), n_rows]):
            begins = range(top * length, bottom * length, length)
            found += [
                np.concatenate([np.arange(begin + low, begin + high) for begin in begins])
                for low, high in pairwise(edges)
            ]
    else:
        for runs in rule["bins"]:
            pairs = np.array(runs, dtype=np.int64).reshape(-1, 2)
            found.append(
                np.concatenate([np.arange(a, a + n) for a, n in pairs])
                if len(pairs)
                else np.zeros(0, dtype=np.int64)
            )
    outside = any(len(part) and not 0 <= part.min() <= part.max() < size for part in found)
    if outside:
        raise DocumentError(
            f"{where}: names fine bins beyond the {size} of its spectrum",
            source=source,
            remedy="build the search again",
        )
    return [part + start for part in found]


def read_fill(path: Path) -> JsonObject:
    """Read a ``fill.json``, compressed or not.

    Raises
    ------
    DocumentError
        It cannot be read, or is something else.
    """
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        with collection_paused():
            document = json.loads(text)
    except (OSError, EOFError, ValueError) as error:
        raise DocumentError(f"cannot be read: {in_words(error)}", source=str(path)) from None
    if not isinstance(document, dict) or document.get("schema") != FILL_SCHEMA:
        raise DocumentError(
            f"is no {FILL_SCHEMA} document", source=str(path), remedy="build the search again"
        )
    return document
