"""Toys of whole spectra of events: one data set that every window of an unbinned scan looks into.

Windows overlap, so toys thrown window by window are not one random field. The spectrum is put
together from the backgrounds of the windows, each where no other window is more central.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import FitFailedError, OptionError
from darkstats.fit import FitOptions, fit_batch
from darkstats.model.unbinned.events import EventLanes
from darkstats.model.unbinned.tables import density_at, lanes_from
from darkstats.scan.spectrum_toys import auxiliary_normals, noise_key
from darkstats.scan.window_roots import roots_of_counts
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray
    from darkstats.model import Observation
    from darkstats.model.unbinned.model import UnbinnedModel

__all__ = ["UNBINNED_TOYS_PER_BLOCK", "EventSpectrum", "EventWindow", "roots_of_spectra"]

#: Part of the definition of a toy: changing it changes every toy.
UNBINNED_TOYS_PER_BLOCK = 64

_EVENTS, _KEPT = 0x5BEC11, 0x5BEC12  # words of the stream's key, never to be renumbered
_OPTIONS = FitOptions(threads=1)


def _range(model: UnbinnedModel) -> tuple[float, float]:
    if len(model.channels) != 1 or len(model.channels[0].observables) != 1:
        raise OptionError(
            f"{model.analysis}: a spectrum of events has one channel and one observable; toys of "
            "several are those of the binned search"
        )
    if model.channels[0].bin_edges is not None:
        raise OptionError(f"{model.analysis}: its channel is binned: scan the binned search")
    low, high = model.channels[0].ranges[0]
    return float(low), float(high)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWindow:
    """A window of a spectrum: its model, its background, and the part that it is thrown in.

    Parameters
    ----------
    model
        With one channel in one observable.
    background
        Point without signal that describes the data. Shape [par].
    low, high
        Part of the spectrum in which this window is the most central.
    """

    model: UnbinnedModel = field(repr=False)
    background: FloatArray = field(repr=False)
    low: float
    high: float

    def density(self, x: FloatArray) -> FloatArray:
        """Expected events per unit of the observable. Shape [event]."""
        channel = self.model.channels[0]
        return np.asarray(density_at(channel, self.background[None, :], x[None, :])[0])

    def throw(self, rng: np.random.Generator, n_toys: int) -> list[FloatArray]:
        """Events of each toy in this part of the spectrum. Shapes [event]."""
        data, _ = self.model.throw(self.background, rng, n_toys)
        assert isinstance(data, EventLanes)
        found = []
        for toy in range(n_toys):
            x = data.channels[0].events_of(toy)[0][0]
            found.append(x[(x >= self.low) & (x < self.high)])
        return found


def _windows(
    models: Sequence[UnbinnedModel], observations: Sequence[Observation]
) -> tuple[EventWindow, ...]:
    """Windows of one spectrum, ascending; parts meet in the middle of where two overlap."""
    ranges = [_range(model) for model in models]
    order = sorted(range(len(models)), key=lambda k: ranges[k])
    ends = [ranges[k] for k in order]
    if any(a[1] > b[1] for a, b in pairwise(ends)):
        raise OptionError("windows lie within each other: there is no spectrum of events to throw")
    meets = [0.5 * (a[1] + b[0]) for a, b in pairwise(ends)]
    found = []
    for n, k in enumerate(order):
        low, high = ends[n]
        found.append(
            EventWindow(
                model=models[k],
                background=_background(models[k], observations[k]),
                low=low if n == 0 else max(low, meets[n - 1]),
                high=high if n == len(order) - 1 else min(high, meets[n]),
            )
        )
    return tuple(found)


def _background(model: UnbinnedModel, observation: Observation) -> FloatArray:
    data, auxdata = model.stack([observation])
    start = np.array(model.inits)
    start[model.require_poi()] = 0.0
    found = fit_batch(model, data, auxdata, start=start, poi_values=0.0, options=_OPTIONS)
    if not found.converged[0]:
        raise FitFailedError(f"{model.analysis}: the fit of the background to the data failed")
    return np.array(found.parameters[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpectrum:
    """Spectra of events of a scan, and how toys of them are drawn.

    Parameters
    ----------
    digest
        Keys the toys, with the seed and the block.
    windows
        By spectrum, ascending.
    contains
        Spectra whose events include those of another one: (outer, inner).
    """

    digest: str
    windows: Mapping[str, tuple[EventWindow, ...]] = field(repr=False)
    contains: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls,
        models: Sequence[UnbinnedModel],
        observations: Sequence[Observation],
        *,
        digest: str,
        contains: Mapping[str, str],
    ) -> EventSpectrum:
        """Put spectra together from the windows of a scan, fitted to their data without signal.

        Raises
        ------
        OptionError
            A window has several observables, or lies within another one.
        FitFailedError
            A background does not fit.
        """
        by_name: dict[str, list[int]] = {}
        for k, model in enumerate(models):
            by_name.setdefault(model.spectrum or "", []).append(k)
        return cls(
            digest=digest,
            windows={
                name: _windows([models[k] for k in own], [observations[k] for k in own])
                for name, own in by_name.items()
            },
            contains=tuple(
                (outer, inner)
                for outer, inner in sorted(contains.items())
                if outer in by_name and inner in by_name
            ),
        )

    def draw(self, seed: int, block: int, n_toys: int) -> dict[str, list[FloatArray]]:
        """Events of the toys of one block, ascending, by spectrum. Shapes [toy][event]."""
        drawn: dict[str, list[FloatArray]] = {}
        for number, (name, windows) in enumerate(self.windows.items()):
            rng = keyed_generator(seed, self.digest, _EVENTS, block, number)
            parts = [window.throw(rng, n_toys) for window in windows]
            drawn[name] = [np.concatenate([part[toy] for part in parts]) for toy in range(n_toys)]
        for outer, inner in self.contains:
            rng = keyed_generator(seed, self.digest, _KEPT, block)
            drawn[inner] = [
                self._shared(outer, inner, drawn[outer][toy], drawn[inner][toy], rng)
                for toy in range(n_toys)
            ]
        return {name: [np.sort(events) for events in toys] for name, toys in drawn.items()}

    def _shared(
        self,
        outer: str,
        inner: str,
        all_events: FloatArray,
        own: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Events of the inner spectrum: where both are known, a share of those of the outer."""
        kept = []
        for window in self.windows[outer]:
            for other in self.windows[inner]:
                low, high = max(window.low, other.low), min(window.high, other.high)
                if low >= high:
                    continue
                x = all_events[(all_events >= low) & (all_events < high)]
                ratio = other.density(x) / np.maximum(window.density(x), 1e-300)
                kept.append(x[rng.random(len(x)) < ratio])
                own = own[(own < low) | (own >= high)]
        return np.concatenate([own, *kept])

    def auxiliary(self, model: UnbinnedModel, seed: int, block: int, n_toys: int) -> FloatArray:
        """Auxiliary data of the toys of one block: a name is one nuisance for all windows.

        Shape [toy, par].
        """
        window = next(w for w in self.windows[model.spectrum or ""] if w.model is model)
        auxdata = np.repeat(model.expected_auxdata(window.background)[None, :], n_toys, axis=0)
        for p, parameter in enumerate(model.parameters):
            if parameter.constrained:
                key = noise_key(parameter, model.analysis)
                normals = auxiliary_normals(seed, self.digest, block, key)[:n_toys]
                auxdata[:, p] += parameter.width * normals
        return auxdata

    def roots(
        self, models: Sequence[UnbinnedModel], seed: int, block: int, n_toys: int
    ) -> FloatArray:
        """Roots of the toys of one block at all masses. Shape [toy, point]."""
        drawn = self.draw(seed, block, n_toys)
        result = np.empty((n_toys, len(models)))
        for k, model in enumerate(models):
            auxdata = self.auxiliary(model, seed, block, n_toys)
            result[:, k] = roots_of_spectra(model, drawn[model.spectrum or ""], auxdata)
        return result


def roots_of_spectra(
    model: UnbinnedModel, spectra: Sequence[FloatArray], auxdata: FloatArray | None = None
) -> FloatArray:
    """Roots of q0 of one window on whole spectra of events; NaN where a fit failed. Shape [toy].

    Parameters
    ----------
    model
        With one channel in one observable.
    spectra
        Events of each data set, ascending: the window takes its part. Shapes [toy][event].
    auxdata
        Shape [toy, par]; those of the model's own observation by default.

    Raises
    ------
    OptionError
        The model has several channels or observables.
    """
    low, high = _range(model)
    ends = [np.searchsorted(events, [low, high], side="left") for events in spectra]
    counts = np.array([b - a for a, b in ends], dtype=np.int64)
    x = np.concatenate([e[a:b] for e, (a, b) in zip(spectra, ends, strict=True)])[None, :]
    channel = model.channels[0]
    data = EventLanes(channels=(lanes_from(channel, x, np.ones(x.shape[1]), counts, None),))
    if auxdata is None:
        auxdata = np.repeat(model.observation.auxdata[None, :], len(spectra), axis=0)
    start = np.array(model.inits)
    start[model.require_poi()] = 0.0
    return roots_of_counts(model, data, auxdata, start=start)
