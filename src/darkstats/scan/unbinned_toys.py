"""Toys of whole spectra of events: one data set that every window of an unbinned scan looks into.

Windows overlap, so toys thrown window by window are not one random field. The spectrum is put
together from the backgrounds of the windows, each where no other window is more central.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import FitFailedError, OptionError
from darkstats.fit import FitOptions, fit_batch
from darkstats.model.event_lanes import EventLanes
from darkstats.model.unbinned.tables import density_at, lanes_from
from darkstats.scan.spectrum_toys import auxiliary_normals, noise_key
from darkstats.scan.window_roots import roots_of_counts
from darkstats.streams import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.model import Observation
    from darkstats.model.unbinned.model import UnbinnedModel

__all__ = ["UNBINNED_TOYS_PER_BLOCK", "EventSpectrum", "StitchedSpectrum", "roots_of_spectra"]

#: Part of the definition of a toy: changing it changes every toy.
UNBINNED_TOYS_PER_BLOCK = 64

_EVENTS, _KEPT = 0x5BEC11, 0x5BEC12  # words of the stream's key, never to be renumbered
_PIECES = 20_001  # of a spectrum, at least
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
class StitchedSpectrum:
    """The background of one spectrum, put together from its windows.

    Parameters
    ----------
    models, backgrounds
        Of the windows: the model, and the point without signal that describes the data [par].
    edges, owner
        Pieces of the spectrum, and the window that is most central there, -1 for none. Shapes
        [piece + 1], [piece].
    """

    models: tuple[UnbinnedModel, ...] = field(repr=False)
    backgrounds: tuple[FloatArray, ...] = field(repr=False)
    edges: FloatArray = field(repr=False)
    owner: IndexArray = field(repr=False)

    @classmethod
    def of(
        cls, models: Sequence[UnbinnedModel], observations: Sequence[Observation]
    ) -> StitchedSpectrum:
        """Fit the backgrounds, and find where each window is the most central."""
        ranges = np.array([_range(model) for model in models])
        low, high = ranges[:, 0], ranges[:, 1]
        edges = np.unique(np.concatenate([low, high, np.linspace(low.min(), high.max(), _PIECES)]))
        x = 0.5 * (edges[1:] + edges[:-1])
        best, owner = np.full(len(x), np.inf), np.full(len(x), -1)
        for k, (a, b) in enumerate(zip(low, high, strict=True)):
            away = np.abs(2.0 * x - a - b) / (b - a)
            closer = (away <= 1.0) & (away < best)
            best[closer], owner[closer] = away[closer], k
        return cls(
            models=tuple(models),
            backgrounds=tuple(
                _background(model, data) for model, data in zip(models, observations, strict=True)
            ),
            edges=edges,
            owner=owner,
        )

    def owner_of(self, x: FloatArray) -> IndexArray:
        """Window that each place belongs to, -1 for none. Shape [event]."""
        piece = np.searchsorted(self.edges, x, side="right") - 1
        inside = (piece >= 0) & (piece < len(self.owner))
        return np.where(inside, self.owner[np.clip(piece, 0, len(self.owner) - 1)], -1)

    def density(self, x: FloatArray) -> FloatArray:
        """Expected events per unit of the observable, 0 outside all windows. Shape [event]."""
        owner, found = self.owner_of(x), np.zeros(len(x))
        for k in np.unique(owner[owner >= 0]):
            own = owner == k
            channel, point = self.models[k].channels[0], self.backgrounds[k]
            found[own] = density_at(channel, point[None, :], x[None, own])[0]
        return found

    def throw(self, rng: np.random.Generator, n_toys: int) -> list[FloatArray]:
        """Events of each toy: every window throws, and keeps what belongs to it. Shapes [event]."""
        parts: list[list[FloatArray]] = [[] for _ in range(n_toys)]
        for k, (model, point) in enumerate(zip(self.models, self.backgrounds, strict=True)):
            data, _ = model.throw(point, rng, n_toys)
            assert isinstance(data, EventLanes)
            for toy, part in enumerate(parts):
                x, weights = data.channels[0].events_of(toy)
                drawn = x[0][weights > 0.0]
                part.append(drawn[self.owner_of(drawn) == k])
        return [np.concatenate(part) for part in parts]


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
    spectra
        By name.
    contains
        Spectra whose events include those of another one: (outer, inner).
    """

    digest: str
    spectra: Mapping[str, StitchedSpectrum] = field(repr=False)
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
            A window has several observables.
        FitFailedError
            A background does not fit.
        """
        by_name: dict[str, list[int]] = {}
        for k, model in enumerate(models):
            by_name.setdefault(model.spectrum or "", []).append(k)
        return cls(
            digest=digest,
            spectra={
                name: StitchedSpectrum.of([models[k] for k in own], [observations[k] for k in own])
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
        for number, (name, spectrum) in enumerate(self.spectra.items()):
            rng = keyed_generator(seed, self.digest, _EVENTS, block, number)
            drawn[name] = spectrum.throw(rng, n_toys)
        for outer, inner in self.contains:
            rng = keyed_generator(seed, self.digest, _KEPT, block)
            wide, narrow = self.spectra[outer], self.spectra[inner]
            for toy, (events, own) in enumerate(zip(drawn[outer], drawn[inner], strict=True)):
                # Where both are known, the inner one keeps its share of the events of the outer.
                share = narrow.density(events) / np.maximum(wide.density(events), 1e-300)
                alone = own[wide.owner_of(own) < 0]
                drawn[inner][toy] = np.concatenate([alone, events[rng.random(len(events)) < share]])
        return {name: [np.sort(events) for events in toys] for name, toys in drawn.items()}

    def auxiliary(self, model: UnbinnedModel, seed: int, block: int, n_toys: int) -> FloatArray:
        """Auxiliary data of the toys of one block: a name is one nuisance for all windows.

        Shape [toy, par].
        """
        spectrum = self.spectra[model.spectrum or ""]
        background = spectrum.backgrounds[spectrum.models.index(model)]
        auxdata = np.repeat(model.expected_auxdata(background)[None, :], n_toys, axis=0)
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
