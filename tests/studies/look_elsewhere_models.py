"""Scans whose global p-value is found by brute force, to hold the other methods against.

Three have counts large enough for the asymptotic methods, one has not. All data are toys.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from darkstats.arrays import FloatArray
from darkstats.fit import FitOptions, fit_batch
from darkstats.inference.toys import TOYS_PER_BLOCK, Hypothesis, stream, throw
from darkstats.look_elsewhere.field import signed_roots
from darkstats.look_elsewhere.geometry import ScanGeometry, grid, line, rows
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.provenance import digest_of
from darkstats.streams import keyed_generator
from darkstats.workspace import read_workspace

__all__ = ["BumpHunt", "OnOffScan", "ScanModel", "SmoothedPlane", "validation_models"]


class ScanModel(Protocol):
    """A scan that can be thrown many times, and its first-order description."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def description(self) -> str:
        """What is thrown and fitted, in a sentence or two."""

    @property
    def asymptotic(self) -> bool:
        """Whether the asymptotic methods are meant to hold."""

    @property
    def geometry(self) -> ScanGeometry:
        """Where the hypotheses lie."""

    @property
    def toys_per_block(self) -> int:
        """Toys of one block of random numbers."""

    def responses(self) -> tuple[FloatArray, FloatArray]:
        """Responses [bin, point] to fluctuations of one standard deviation; expected counts."""

    def roots(self, block: int, *, seed: int, threads: int) -> FloatArray:
        """Signed roots of one block. Shape [toy, point]."""


def _peaks(n_bins: int, centres: FloatArray, width: float) -> FloatArray:
    """Gaussian peaks with unit sum, bin by bin. Shape [bin, point]."""
    edges = np.arange(n_bins + 1) - 0.5
    z = (edges[:, np.newaxis] - centres) / (width * math.sqrt(2.0))
    cumulative = np.vectorize(math.erf, otypes=[np.float64])(z)
    content = 0.5 * np.diff(cumulative, axis=0)
    return np.asarray(content / content.sum(axis=0))


@dataclass(frozen=True, kw_only=True)
class BumpHunt:
    """A bump on a falling spectrum, fitted at each mass with the profile-likelihood kernel.

    Parameters
    ----------
    name, asymptotic
        Name; whether counts are large enough for the asymptotic methods.
    n_bins, events, slope
        The spectrum: ``events`` in all, falling as exp(-slope x) over x in [0, 1].
    width, margin, step
        Standard deviation of the signal, distance of the first and last mass from the ends, step
        between masses: in bins.
    order
        Of the Bernstein polynomial that is fitted as background; 0: the true shape with a free
        normalisation.
    capped
        Keep the signal strength at or above zero.
    """

    name: str
    asymptotic: bool
    n_bins: int
    events: float
    slope: float
    width: float
    margin: float
    step: float
    order: int
    capped: bool

    @property
    def description(self) -> str:
        """What is thrown and fitted."""
        background = (
            f"Bernstein polynomial of order {self.order}" if self.order else "shape of known form"
        )
        return (
            f"HistFactory bump hunt: {self.events:g} events in {self.n_bins} bins, Gaussian signal "
            f"of width {self.width:g} bins at {self.geometry.n_points} masses, {background} with "
            f"free normalisation, signal strength {'not negative' if self.capped else 'free'}, "
            "every mass fitted in every toy"
        )

    @cached_property
    def geometry(self) -> ScanGeometry:
        """Masses in units of bins."""
        return line(np.arange(self.margin, self.n_bins - 1 - self.margin + 1e-9, self.step))

    @property
    def toys_per_block(self) -> int:
        """Eight blocks of toys of the model."""
        return 8 * TOYS_PER_BLOCK

    @cached_property
    def expected(self) -> FloatArray:
        """Background counts. Shape [bin]."""
        x = (np.arange(self.n_bins) + 0.5) / self.n_bins
        if not self.order:
            shape = np.exp(-self.slope * x)
            return np.asarray(self.events * shape / shape.sum())
        # The conditional fit of the polynomial to the falling spectrum: toys are thrown from it.
        shape = np.exp(-self.slope * x)
        basis = self._background_samples()
        factors = np.linalg.lstsq(basis.T, self.events * shape / shape.sum(), rcond=None)[0]
        return np.asarray(factors @ basis)

    def _background_samples(self) -> FloatArray:
        x = (np.arange(self.n_bins) + 0.5) / self.n_bins
        n = self.order
        basis = np.stack([math.comb(n, k) * x**k * (1.0 - x) ** (n - k) for k in range(n + 1)])
        return np.asarray(self.events * basis / basis.sum())

    def _document(self, mass: float) -> dict[str, Any]:
        def sample(name: str, data: FloatArray, factor: str) -> dict[str, Any]:
            modifier = {"name": factor, "type": "normfactor", "data": None}
            return {"name": name, "data": data.tolist(), "modifiers": [modifier]}

        backgrounds = self._background_samples() if self.order else self.expected[np.newaxis]
        peak = _peaks(self.n_bins, np.array([mass]), self.width)[:, 0]
        under = float(np.sqrt((peak * self.expected).sum() / (peak**2).sum()))
        reach = 20.0 * max(under, 5.0)
        samples = [sample("signal", peak, "mu")]
        parameters = [{"name": "mu", "inits": [0.0], "bounds": [[-reach, reach]]}]
        for k, data in enumerate(backgrounds):
            samples.append(sample(f"background{k}", data, f"norm{k}"))
            parameters.append({"name": f"norm{k}", "inits": [1.0], "bounds": [[0.0, 20.0]]})
        return {
            "version": "1.0.0",
            "channels": [{"name": "spectrum", "samples": samples}],
            "observations": [{"name": "spectrum", "data": np.round(self.expected).tolist()}],
            "measurements": [{"name": "scan", "config": {"poi": "mu", "parameters": parameters}}],
        }

    @cached_property
    def models(self) -> tuple[HistFactoryModel, ...]:
        """One model for each mass."""
        return tuple(
            compile_workspace(read_workspace(json.dumps(self._document(float(mass))).encode()))
            for mass in self.geometry.coordinates[:, 0]
        )

    def scan(self, counts: FloatArray, auxdata: FloatArray, *, threads: int) -> FloatArray:
        """Fit all masses to each row of counts. Signed roots [toy, point]."""
        options = FitOptions(threads=threads)
        background = fit_batch(self.models[0], counts, auxdata, poi_values=0.0, options=options)
        roots = np.empty((len(counts), len(self.models)))
        for k, model in enumerate(self.models):
            free = fit_batch(
                model,
                counts,
                auxdata,
                start=background.ends,
                poi_lower=0.0 if self.capped else None,
                options=options,
            )
            roots[:, k] = signed_roots(
                free.parameters[:, model.require_poi()],
                background.twice_nll,
                free.twice_nll,
                free.converged & background.converged,
            )
        return roots

    def responses(self) -> tuple[FloatArray, FloatArray]:
        """Scans of Asimov data, each with one bin raised by its standard deviation."""
        counts = self.expected + np.diag(np.sqrt(self.expected))
        auxdata = np.zeros((len(counts), self.models[0].n_parameters))
        return self.scan(counts, auxdata, threads=1), self.expected

    def roots(self, block: int, *, seed: int, threads: int) -> FloatArray:
        """Toys of the background, fitted at every mass."""
        model = self.models[0]
        point = model.inits.copy()
        point[model.require_poi()] = 0.0
        if self.order:
            basis = self._background_samples()
            factors = np.linalg.lstsq(basis.T, self.expected, rcond=None)[0]
            for k, factor in enumerate(factors):
                point[model.parameter_index(f"norm{k}")] = factor
        parts = [
            throw(
                model,
                point,
                stream(seed, digest=model.digest, what=Hypothesis.BACKGROUND, block=8 * block + k),
            )
            for k in range(8)
        ]
        counts, auxdata = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return self.scan(counts, auxdata, threads=threads)


@dataclass(frozen=True, kw_only=True)
class OnOffScan:
    """On and off counts in many bins, and a linear (matched) filter at each mass.

    Parameters
    ----------
    n_bins, mean
        Bins, and expected counts in each, on and off alike.
    width, margin, step
        Of the signal and the masses, in bins.
    """

    n_bins: int
    mean: float
    width: float
    margin: float
    step: float
    name: str = "on/off scan"
    asymptotic: bool = True

    @property
    def description(self) -> str:
        """What is thrown and computed."""
        return (
            f"on/off counts in {self.n_bins} bins, {self.mean:g} expected in each, a Gaussian "
            f"matched filter of width {self.width:g} bins at {self.geometry.n_points} masses on "
            "their differences: the field is linear in the counts"
        )

    @cached_property
    def geometry(self) -> ScanGeometry:
        """Masses in units of bins."""
        return line(np.arange(self.margin, self.n_bins - 1 - self.margin + 1e-9, self.step))

    @property
    def toys_per_block(self) -> int:
        """Toys of one block."""
        return 20_000

    @cached_property
    def _filter(self) -> FloatArray:
        peaks = _peaks(self.n_bins, self.geometry.coordinates[:, 0], self.width)
        return np.asarray(peaks / np.sqrt((peaks**2).sum(axis=0) * 2.0 * self.mean))

    def responses(self) -> tuple[FloatArray, FloatArray]:
        """Exact: the filter is linear."""
        rows_on = self._filter * math.sqrt(self.mean)
        return np.concatenate([rows_on, -rows_on]), np.full(2 * self.n_bins, self.mean)

    def roots(self, block: int, *, seed: int, threads: int) -> FloatArray:
        """Filtered differences of Poisson counts; ``threads`` is not used."""
        del threads
        digest = digest_of([self.name, self.n_bins, self.mean, self.width, self.margin, self.step])
        rng = keyed_generator(seed, digest, Hypothesis.BACKGROUND, block)
        shape = (self.toys_per_block, self.n_bins)
        difference = rng.poisson(self.mean, shape) - rng.poisson(self.mean, shape)
        return np.asarray(difference.astype(np.float64) @ self._filter)


@dataclass(frozen=True, kw_only=True)
class SmoothedPlane:
    """Poisson counts on a plane with a known background, and a matched filter at each point.

    Parameters
    ----------
    name
        Name.
    n_bins, mean
        Bins in each direction, expected counts in each bin.
    width, margin
        Of the signal, and distance of the hypotheses from the ends, in bins.
    spacings
        Step along the rows, from the first row to the last; equal ends give a rectangular grid.
    """

    name: str
    n_bins: int
    mean: float
    width: float
    margin: float
    spacings: tuple[float, float]
    asymptotic: bool = True

    @property
    def description(self) -> str:
        """What is thrown and computed."""
        first, last = self.spacings
        step = f"step {first:g}" if first == last else f"steps of {first:g} to {last:g}"
        return (
            f"Poisson counts in {self.n_bins} x {self.n_bins} bins, {self.mean:g} expected in each "
            f"and known, Gaussian matched filter of width {self.width:g} bins at "
            f"{self.geometry.n_points} points, {step} along rows one bin apart "
            f"({'cubical complex' if self.geometry.kind == 'grid' else 'triangles'})"
        )

    @cached_property
    def _rows(self) -> tuple[FloatArray, tuple[FloatArray, ...]]:
        low, high = self.margin, self.n_bins - 1 - self.margin
        x = np.arange(low, high + 1e-9, 1.0)
        steps = np.linspace(*self.spacings, len(x))
        return x, tuple(np.arange(low, high + 1e-9, step) for step in steps)

    @cached_property
    def geometry(self) -> ScanGeometry:
        """A grid, or rows of different spacing."""
        x, columns = self._rows
        if self.spacings[0] == self.spacings[1]:
            return grid(x, columns[0])
        return rows(np.repeat(x, [len(y) for y in columns]), np.concatenate(columns))

    @property
    def toys_per_block(self) -> int:
        """Toys of one block."""
        return 4000

    @cached_property
    def _filters(self) -> tuple[FloatArray, tuple[FloatArray, ...]]:
        def unit(centres: FloatArray) -> FloatArray:
            peaks = _peaks(self.n_bins, centres, self.width)
            return np.asarray(peaks / np.sqrt((peaks**2).sum(axis=0)))

        x, columns = self._rows
        return unit(x), tuple(unit(y) for y in columns)

    def responses(self) -> tuple[FloatArray, FloatArray]:
        """Exact: the filter is linear."""
        along_x, along_y = self._filters
        parts = [
            (along_x[:, np.newaxis, [i]] * filters[np.newaxis]).reshape(self.n_bins**2, -1)
            for i, filters in enumerate(along_y)
        ]
        return np.concatenate(parts, axis=1), np.full(self.n_bins**2, self.mean)

    def roots(self, block: int, *, seed: int, threads: int) -> FloatArray:
        """Filtered fluctuations; ``threads`` is not used. The same counts for equal planes."""
        del threads
        digest = digest_of(["smoothed plane", self.n_bins, self.mean])
        rng = keyed_generator(seed, digest, Hypothesis.BACKGROUND, block)
        counts = rng.poisson(self.mean, (self.toys_per_block, self.n_bins, self.n_bins))
        excess = (counts - self.mean) / math.sqrt(self.mean)
        along_x, along_y = self._filters
        smoothed = np.tensordot(excess, along_x, axes=([1], [0]))  # [toy, bin y, row]
        return np.concatenate(
            [smoothed[:, :, i] @ filters for i, filters in enumerate(along_y)], axis=1
        )


def validation_models() -> tuple[tuple[ScanModel, int], ...]:
    """Return the models of the study, each with the number of its brute-force toys."""
    bump = BumpHunt(
        name="bump hunt",
        asymptotic=True,
        n_bins=100,
        events=100_000.0,
        slope=1.5,
        width=2.5,
        margin=6.0,
        step=1.0,
        order=2,
        capped=False,
    )
    few = BumpHunt(
        name="bump hunt with few events",
        asymptotic=False,
        n_bins=60,
        events=20.0,
        slope=1.0,
        width=1.2,
        margin=4.0,
        step=0.5,
        order=0,
        capped=True,
    )

    def plane(name: str, spacings: tuple[float, float]) -> SmoothedPlane:
        return SmoothedPlane(
            name=name, n_bins=44, mean=2500.0, width=2.5, margin=6.0, spacings=spacings
        )

    return (
        (bump, 1_000_000),
        (OnOffScan(n_bins=80, mean=1000.0, width=2.5, margin=6.0, step=1.0), 10_000_000),
        (plane("plane, rectangular grid", (1.0, 1.0)), 400_000),
        (plane("plane, changing spacing", (0.8, 1.4)), 400_000),
        (few, 200_000),
    )
