"""Signed roots of all windows of a scan on toys of the whole spectrum.

Use :class:`FittedWindows` in general: every window is fitted for every toy, twice, by the batched
kernel. Use :class:`CountingWindows` where each window is one count, or one count and a sideband:
the root is a function of two small integers then, fitted once for each pair and looked up for each
toy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import frozen_indices
from darkstats.errors import OptionError
from darkstats.fit import FitOptions, fit_batch
from darkstats.scan.event_counts import count_windows, roots_of_windows, sort_events
from darkstats.scan.spectrum_toys import auxiliary_normals, noise_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.model import HistFactoryModel, LaneData, Model
    from darkstats.model.parameters import Parameter
    from darkstats.scan.spectrum import WindowFill
    from darkstats.scan.spectrum_toys import Spectrum

__all__ = ["CountingWindows", "FittedWindows", "roots_of_counts"]

_TAIL = 1e-8  # probability of counts beyond the tables, where they are cut
_MOST_BINS = 2
_OPTIONS = FitOptions(threads=1)


def roots_of_counts(
    model: Model, counts: LaneData, auxdata: FloatArray, *, start: FloatArray
) -> FloatArray:
    """Roots of q0 for many data sets of one window; NaN where a fit failed. Shape [toy].

    The signal strength is bounded at zero, so that deficits have a root of zero: a negative
    strength has no meaning where counts are low.

    Parameters
    ----------
    model
        Of the window.
    counts, auxdata
        Shapes [toy, bin], or the events of each toy, and [toy, par].
    start
        Where fits start. Shape [par].
    """
    null = fit_batch(model, counts, auxdata, start=start, poi_values=0.0, options=_OPTIONS)
    free = fit_batch(
        model,
        counts,
        auxdata,
        start=null.ends,
        poi_lower=0.0,
        poi_upper=math.inf,
        options=_OPTIONS,
    )
    ratio = null.twice_nll - free.twice_nll
    # A free fit above the one without signal is no minimum: such a toy counts as failed.
    good = null.converged & free.converged & (ratio > -1e-6)
    # At the bound the two fits are one: what is left of their difference is rounding.
    excess = free.parameters[:, model.require_poi()] > 0.0
    return np.where(good, np.sqrt(np.where(excess, np.maximum(ratio, 0.0), 0.0)), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedWindows:
    """Windows that are fitted for each toy.

    Parameters
    ----------
    names, models, windows
        Of the hypotheses.
    starts
        Background-only points where fits start. Shape of each [par].
    """

    names: tuple[str, ...]
    models: tuple[HistFactoryModel, ...] = field(repr=False)
    windows: tuple[WindowFill, ...] = field(repr=False)
    starts: tuple[FloatArray, ...] = field(repr=False)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        models: Sequence[HistFactoryModel],
        windows: Sequence[WindowFill],
        spectrum: Spectrum,
    ) -> FittedWindows:
        """Fit the expected spectrum in every window: toys start there."""
        starts = []
        for model, window in zip(models, windows, strict=True):
            expected = window.gather(spectrum.expected)
            found = fit_batch(
                model, expected, model.observation.auxdata, poi_values=0.0, options=_OPTIONS
            )
            starts.append(found.ends[0])
        return cls(
            names=tuple(names), models=tuple(models), windows=tuple(windows), starts=tuple(starts)
        )

    def roots(
        self, spectrum: Spectrum, seed: int, block: int, n_toys: int, first: int = 0
    ) -> FloatArray:
        """Roots of toys of one block, from the first one on. Shape [toy, point]."""
        result = np.empty((n_toys, len(self.names)))
        for k, (counts, auxdata) in enumerate(self.draw(spectrum, seed, block, n_toys, first)):
            result[:, k] = roots_of_counts(self.models[k], counts, auxdata, start=self.starts[k])
        return result

    def draw(
        self, spectrum: Spectrum, seed: int, block: int, n_toys: int, first: int = 0
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Counts [toy, bin] and auxiliary data [toy, par] of toys of one block, by window."""
        fine = spectrum.draw(seed, block, first + n_toys)[first:]
        normals: dict[str, FloatArray] = {}
        for name, model, window in zip(self.names, self.models, self.windows, strict=True):
            auxdata = np.repeat(model.observation.auxdata[np.newaxis], n_toys, axis=0)
            for p, parameter in enumerate(model.parameters):
                if parameter.constrained:
                    key = noise_key(parameter, name)
                    if key not in normals:
                        normals[key] = auxiliary_normals(seed, spectrum.digest, block, key)
                    auxdata[:, p] = _fluctuated(parameter, normals[key][first : first + n_toys])
            yield window.gather(fine), auxdata


def _fluctuated(parameter: Parameter, noise: FloatArray) -> FloatArray:
    """Auxiliary data drawn around the observed value; Poisson ones by their normal limit."""
    if parameter.constraint == "gaussian":
        return np.asarray(parameter.auxdata + parameter.width * noise)
    expected = parameter.auxdata
    return np.asarray(np.maximum(np.rint(expected + math.sqrt(expected) * noise), 0.0))


def _largest_count(expected: float) -> int:
    """Count beyond which a Poisson distribution has less than 1e-8."""
    n = int(expected)
    term = math.exp(-expected + n * math.log(max(expected, 1e-300)) - math.lgamma(n + 1.0))
    while term > 0.1 * _TAIL:
        n += 1
        term *= expected / n
    return n


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingWindows:
    """Windows of one or two counts: the root of each pair of counts from a table.

    Auxiliary data are held at their observed values, so that a root depends on counts alone; the
    yields that toys are thrown with fluctuate instead.

    Parameters
    ----------
    names
        Of the hypotheses.
    begin, members
        Windows of each fine bin: ``2 point + region``. Shapes [fine bin + 1], [membership].
    tables, offset, sizes
        Roots by first and second count, all windows one after the other. Shapes [entry], [point],
        [point, 2].
    failed
        Entries whose fit failed.
    """

    names: tuple[str, ...]
    begin: IndexArray = field(repr=False)
    members: IndexArray = field(repr=False)
    tables: FloatArray = field(repr=False)
    offset: IndexArray = field(repr=False)
    sizes: IndexArray = field(repr=False)
    failed: int = 0

    @staticmethod
    def suits(models: Sequence[HistFactoryModel]) -> bool:
        """Whether every window has one or two bins."""
        return all(model.n_bins <= _MOST_BINS for model in models)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        models: Sequence[HistFactoryModel],
        windows: Sequence[WindowFill],
        spectrum: Spectrum,
    ) -> CountingWindows:
        """Fit all pairs of counts of all windows.

        Raises
        ------
        OptionError
            A window has more than two bins.
        """
        if not cls.suits(models):
            raise OptionError("a counting window has one count, or one and a sideband")
        tables, sizes, members = [], [], []
        for k, (model, window) in enumerate(zip(models, windows, strict=True)):
            tables.append(_table(model, window.gather(spectrum.expected)))
            sizes.append((*tables[-1].shape, 1)[:2])
            for region in range(model.n_bins):
                cells = window.bins[window.begin[region] : window.begin[region + 1]]
                members.append(np.stack([cells, np.full(len(cells), 2 * k + region)]))
        pairs = np.concatenate(members, axis=1)
        pairs = pairs[:, np.argsort(pairs[0], kind="stable")]
        counts = np.bincount(pairs[0], minlength=len(spectrum.expected))
        flat = np.concatenate([table.ravel() for table in tables])
        lengths = [table.size for table in tables]
        return cls(
            names=tuple(names),
            begin=frozen_indices(np.concatenate(([0], np.cumsum(counts)))),
            members=frozen_indices(pairs[1]),
            tables=_frozen(flat),
            offset=frozen_indices(np.concatenate(([0], np.cumsum(lengths)[:-1]))),
            sizes=frozen_indices(np.array(sizes), ndim=2),
            failed=int(np.isnan(flat).sum()),
        )

    def roots(
        self, spectrum: Spectrum, seed: int, block: int, n_toys: int, first: int = 0
    ) -> FloatArray:
        """Roots of toys of one block, from the first one on. Shape [toy, point]."""
        if first:  # a look into a table needs no more parts
            return self.roots(spectrum, seed, block, first + n_toys)[first:]
        begin, events = spectrum.draw_events(seed, block, n_toys)
        start = np.empty(len(self.begin), dtype=np.int64)
        toys = np.empty(len(events), dtype=np.int64)
        sort_events(begin, events, start, toys)
        # No window holds more events than the toy has: two bytes are enough for most spectra.
        most = int(np.diff(begin, axis=1).sum(axis=0).max(initial=0))
        kind = np.uint16 if most <= np.iinfo(np.uint16).max else np.int64
        counts = np.zeros((2 * len(self.names), n_toys), dtype=kind)
        count_windows(start, toys, self.begin, self.members, np.empty(n_toys, dtype=kind), counts)
        result = np.empty((n_toys, len(self.names)))
        roots_of_windows(counts, self.tables, self.offset, self.sizes, result)
        return result


def _frozen(values: FloatArray) -> FloatArray:
    values.flags.writeable = False
    return values


def _table(model: HistFactoryModel, expected: FloatArray) -> FloatArray:
    """Roots for all counts up to where the tail is negligible. Shape [first, second] or [first]."""
    edges = [_largest_count(max(float(mean), 1e-3)) + 1 for mean in expected]
    grids = np.meshgrid(*(np.arange(edge) for edge in edges), indexing="ij")
    counts = np.stack([grid.ravel() for grid in grids], axis=1).astype(np.float64)
    auxdata = np.broadcast_to(model.observation.auxdata, (len(counts), model.n_parameters))
    start = model.inits.copy()
    start[model.require_poi()] = 0.0
    return roots_of_counts(model, counts, auxdata, start=start).reshape(edges)
