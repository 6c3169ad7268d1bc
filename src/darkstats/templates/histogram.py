"""Histograms of simulation: contents, sums of squared weights, and what fell outside.

They come in from any library that follows the Unified Histogram Interface (hist, boost-histogram,
uproot) and go out as ``hist.Hist``.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from darkstats.arrays import frozen_floats
from darkstats.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkstats.arrays import FloatArray

__all__ = ["Histogram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Binned events in one or more dimensions.

    Parameters
    ----------
    edges
        Edges of each axis, ascending. Shape of each [bin + 1].
    values
        Sum of weights in each bin.
    variances
        Sum of squared weights in each bin.
    outside
        Sum of weights beyond the axes; counted, never folded in.
    """

    edges: tuple[FloatArray, ...] = field(repr=False)
    values: FloatArray = field(repr=False)
    variances: FloatArray = field(repr=False)
    outside: float = 0.0

    def __post_init__(self) -> None:
        """Check shapes and numbers.

        Raises
        ------
        OptionError
            Edges do not ascend, shapes do not match, or a content is no number.
        """
        shape = tuple(len(axis) - 1 for axis in self.edges)
        for axis in self.edges:
            if len(axis) < 2 or not np.all(np.diff(axis) > 0.0):
                raise OptionError("the edges of a histogram must ascend")
        for name in ("values", "variances"):
            content = getattr(self, name)
            if content.shape != shape:
                raise OptionError(f"histogram: {name} of shape {content.shape}, edges say {shape}")
            if not np.all(np.isfinite(content)):
                raise OptionError(f"histogram: {name} hold something that is no number")
        if np.any(self.variances < 0.0):
            raise OptionError("histogram: a sum of squared weights is negative")

    @classmethod
    def fill(
        cls,
        columns: Sequence[FloatArray],
        edges: Sequence[FloatArray],
        weights: FloatArray | None = None,
    ) -> Histogram:
        """Fill from one column per axis.

        Parameters
        ----------
        columns
            Shape of each [row].
        edges
            Of each axis.
        weights
            Shape [row]; None for ones.

        Raises
        ------
        OptionError
            A value or weight is no number.
        """
        table = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=-1)
        weight = np.ones(len(table)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not (np.all(np.isfinite(table)) and np.all(np.isfinite(weight))):
            raise OptionError("a row to be filled holds something that is no number")
        bins = [np.asarray(axis, dtype=np.float64) for axis in edges]
        values = np.histogramdd(table, bins, weights=weight)[0]
        return cls(
            edges=tuple(frozen_floats(axis) for axis in bins),
            values=frozen_floats(values),
            variances=frozen_floats(np.histogramdd(table, bins, weights=weight**2)[0]),
            outside=float(weight.sum() - values.sum()),
        )

    @classmethod
    def from_uhi(cls, histogram: Any) -> Histogram:  # noqa: ANN401  # a protocol of others
        """Take over a histogram of another library; flow bins are counted as outside.

        Raises
        ------
        OptionError
            It is no histogram, or its axes are not numeric.
        """
        try:
            edges = tuple(
                frozen_floats([*(low for low, _ in axis), axis[len(axis) - 1][1]])
                for axis in histogram.axes
            )
            values = np.asarray(histogram.values(), dtype=np.float64)
            variances = histogram.variances()
        except (AttributeError, TypeError, ValueError) as error:
            raise OptionError(
                f"{type(histogram).__name__} is no numeric histogram: {error}"
            ) from None
        if variances is None:
            raise OptionError(
                "the histogram has no variances: fill it with weighted storage, "
                "hist.storage.Weight()"
            )
        outside = 0.0
        with suppress(TypeError):  # libraries without flow bins do not know the argument
            outside = float(np.sum(histogram.values(flow=True))) - float(values.sum())
        return cls(
            edges=edges,
            values=frozen_floats(values),
            variances=frozen_floats(variances),
            outside=outside,
        )

    def to_hist(self) -> Any:  # noqa: ANN401  # hist is an optional extra
        """Return a ``hist.Hist`` with weighted storage; what was outside is lost.

        Raises
        ------
        MissingExtraError
            hist is not installed.
        """
        try:
            import hist
        except ImportError:
            raise MissingExtraError("hist", "templates") from None
        axes = [hist.axis.Variable(axis, flow=False) for axis in self.edges]
        result = hist.Hist(*axes, storage=hist.storage.Weight())
        result[...] = np.stack([self.values, self.variances], axis=-1)
        return result

    def scaled(self, factor: float) -> Histogram:
        """Multiply contents by ``factor``, variances by its square."""
        return Histogram(
            edges=self.edges,
            values=self.values * factor,
            variances=self.variances * factor**2,
            outside=self.outside * factor,
        )

    def added(self, other: Histogram) -> Histogram:
        """Add a histogram on the same axes.

        Raises
        ------
        OptionError
            The axes differ.
        """
        same = len(self.edges) == len(other.edges) and all(
            np.array_equal(one, two) for one, two in zip(self.edges, other.edges, strict=True)
        )
        if not same:
            raise OptionError("histograms on different axes cannot be added")
        return Histogram(
            edges=self.edges,
            values=self.values + other.values,
            variances=self.variances + other.variances,
            outside=self.outside + other.outside,
        )

    def merged(self, groups: int) -> Histogram:
        """Merge ``groups`` neighbouring bins of a one-dimensional histogram.

        Raises
        ------
        OptionError
            More than one dimension, or the number of bins is no multiple.
        """
        n = self.values.size
        if len(self.edges) != 1 or groups < 1 or n % groups:
            raise OptionError(f"{n} bins cannot be merged in groups of {groups}")
        return Histogram(
            edges=(self.edges[0][::groups],),
            values=self.values.reshape(-1, groups).sum(axis=1),
            variances=self.variances.reshape(-1, groups).sum(axis=1),
            outside=self.outside,
        )

    @property
    def equivalent_entries(self) -> float:
        """Unweighted events with the same relative error, ``(sum w)^2 / sum w^2``."""
        variance = float(self.variances.sum())
        return float(self.values.sum()) ** 2 / variance if variance > 0.0 else 0.0
