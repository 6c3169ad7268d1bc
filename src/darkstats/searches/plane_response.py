"""What simulation says of the signal in the plane: resolutions, and its shape on any grid.

Dark Higgsstrahlung is simulated on a grid of (A' mass, fraction of the highest h' mass). Between
its points resolutions and shapes are interpolated bilinearly; shapes are cumulative distributions
of ln(M/m) and of the rapidity's deviation, which hardly change with the masses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.searches.cuts import passing
from darkstats.searches.plane_grid import rapidity_of
from darkstats.searches.windows import place_between
from darkstats.signals.constants import CM_ENERGY_GEV

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from darkstats.arrays import FloatArray
    from darkstats.searches.cuts import AnyCut
    from darkstats.simulation.candidates import Candidates

__all__ = ["Ellipse", "Response", "highest_higgs", "measure_response"]

_LEAST_ROWS = 50
_DEVIATION = np.linspace(-0.06, 0.06, 241)  # edges of the deviations, an eighth of a resolution


def highest_higgs(mass_gev: float) -> float:
    """Largest mass of the invisible boson: lighter than A', and kinematically open."""
    return min(mass_gev, CM_ENERGY_GEV - mass_gev)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """Resolutions of one hypothesis; x is the dimuon mass, y the squared recoil mass."""

    centre: tuple[float, float]
    sigma: tuple[float, float]
    correlation: float

    def distance(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Squared distance in units of the resolutions; 1 is the ellipse of one sigma."""
        u = (x - self.centre[0]) / self.sigma[0]
        v = (y - self.centre[1]) / self.sigma[1]
        rho = self.correlation
        return np.asarray((u**2 + v**2 - 2.0 * rho * u * v) / (1.0 - rho**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Response to the signal on a grid of (mass, fraction of the highest h' mass).

    Parameters
    ----------
    masses_gev, fractions
        Axes of the grid.
    values
        sigma_x [GeV], sigma_y [GeV^2], correlation, relative statistical error. Shape [mass,
        fraction, 4].
    shapes
        Efficiency below each deviation of ln M and of the rapidity. Shape [mass, fraction,
        deviation, deviation].
    """

    masses_gev: FloatArray
    fractions: FloatArray
    values: FloatArray = field(repr=False)
    shapes: FloatArray = field(repr=False)

    def _corners(self, mass_gev: float, higgs_gev: float) -> Iterator[tuple[float, int, int]]:
        i, s = place_between(self.masses_gev, mass_gev)
        j, t = place_between(self.fractions, higgs_gev / highest_higgs(mass_gev))
        for share, a, b in (
            ((1.0 - s) * (1.0 - t), i, j),
            ((1.0 - s) * t, i, j + 1),
            (s * (1.0 - t), i + 1, j),
            (s * t, i + 1, j + 1),
        ):
            if share > 0.0:
                yield share, a, b

    def at(self, mass_gev: float, higgs_gev: float) -> FloatArray:
        """Resolutions, correlation and error of a hypothesis. Shape [4]."""
        parts = [s * self.values[a, b] for s, a, b in self._corners(mass_gev, higgs_gev)]
        return np.asarray(np.sum(parts, axis=0))

    def efficiency(
        self,
        mass_gev: float,
        higgs_gev: float,
        *,
        mass_edges_gev: FloatArray,
        rapidity_edges: FloatArray,
    ) -> FloatArray:
        """Efficiency in each cell of a box. Shape [column, row].

        Parameters
        ----------
        mass_gev, higgs_gev
            Hypothesis.
        mass_edges_gev, rapidity_edges
            Edges of the box. Shapes [column + 1], [row + 1].
        """
        centre = float(rapidity_of(np.array([mass_gev]), np.array([higgs_gev**2]))[0])
        u = _position(np.log(mass_edges_gev / mass_gev))
        t = _position(rapidity_edges - centre)
        total = np.zeros((len(u), len(t)))
        for share, a, b in self._corners(mass_gev, higgs_gev):
            total += share * _bilinear(self.shapes[a, b], u, t)
        cells: FloatArray = np.maximum(np.diff(np.diff(total, axis=0), axis=1), 0.0)
        return cells


def _position(deviation: FloatArray) -> FloatArray:
    """Fractional index among the edges of the deviations."""
    step = _DEVIATION[1] - _DEVIATION[0]
    return np.asarray(np.clip((deviation - _DEVIATION[0]) / step, 0.0, len(_DEVIATION) - 1.0))


def _bilinear(table: FloatArray, u: FloatArray, t: FloatArray) -> FloatArray:
    """Interpolate a table [deviation, deviation] at all pairs of positions."""
    i = np.minimum(u.astype(np.int64), len(_DEVIATION) - 2)
    j = np.minimum(t.astype(np.int64), len(_DEVIATION) - 2)
    a, b = (u - i)[:, None], (t - j)[None, :]
    rows, columns = i[:, None], j[None, :]
    return np.asarray(
        (1.0 - a) * ((1.0 - b) * table[rows, columns] + b * table[rows, columns + 1])
        + a * ((1.0 - b) * table[rows + 1, columns] + b * table[rows + 1, columns + 1])
    )


def _half_width(deviation: FloatArray, weight: FloatArray) -> float:
    """Root mean square of the negative deviations: radiation only adds to the recoil mass."""
    below = deviation < 0.0
    if below.sum() < 20:
        return 0.0
    width = float(np.quantile(-deviation[below], 0.6827))
    for _ in range(10):
        kept = below & (deviation > -3.0 * width)
        width = float(np.sqrt((weight[kept] * deviation[kept] ** 2).sum() / weight[kept].sum()))
        width *= 1.014  # of a Gaussian cut at three standard deviations
    return width


def _measure(
    key: tuple[float, ...], candidates: Candidates
) -> tuple[tuple[float, ...], FloatArray] | None:
    """Resolutions, correlation and error, and the cumulative shape, of one simulated point."""
    weight = candidates.weight_pb / candidates.n_generated
    if len(weight) < _LEAST_ROWS:
        return None
    mass, recoil = candidates["m_ll_gev"], candidates["recoil_mass_squared_gev2"]
    x, y = mass - key[0], recoil - key[1] ** 2
    sigma = (_half_width(x, weight), _half_width(y, weight))
    if min(sigma) <= 0.0:
        return None
    core = (np.abs(x) < 3.0 * sigma[0]) & (np.abs(y) < 3.0 * sigma[1])
    correlation = float(np.clip(np.corrcoef(x[core], y[core])[0, 1], -0.995, 0.995))
    total = float(weight[core].sum())
    if not total > 0.0:
        return None
    error = float(np.sqrt((weight[core] ** 2).sum())) / total
    centre = float(rapidity_of(np.array([key[0]]), np.array([key[1] ** 2]))[0])
    content = np.histogram2d(
        np.log(mass / key[0]),
        rapidity_of(mass, recoil) - centre,
        bins=(_DEVIATION, _DEVIATION),
        weights=weight,
    )[0]
    shape = np.zeros((len(_DEVIATION), len(_DEVIATION)))
    shape[1:, 1:] = np.cumsum(np.cumsum(content, axis=0), axis=1)
    return (*sigma, correlation, error), shape


def measure_response(
    signals: Mapping[tuple[float, ...], Candidates], cuts: Sequence[AnyCut]
) -> Response:
    """Measure all simulated points, which form a grid in (mass, fraction).

    Raises
    ------
    OptionError
        They form no grid, or none passes the cuts.
    """
    keys = sorted(signals)
    masses = np.array(sorted({key[0] for key in keys}))
    fractions = np.array(sorted({round(key[1] / highest_higgs(key[0]), 3) for key in keys}))
    if len(masses) * len(fractions) != len(keys) or min(len(masses), len(fractions)) < 2:
        raise OptionError(
            "the simulated signals form no grid in the mass of A' and the fraction of the highest "
            "h' mass"
        )
    size = len(_DEVIATION)
    values = np.full((len(masses), len(fractions), 4), np.nan)
    shapes = np.zeros((len(masses), len(fractions), size, size))
    for n, key in enumerate(keys):
        sample = signals[key]
        measured = _measure(key, sample.select(passing(sample, cuts)))
        if measured is not None:
            at = n // len(fractions), n % len(fractions)
            values[at], shapes[at] = measured
    # A point without acceptance has no resolution: take that of the nearest with some.
    known = ~np.isnan(values[..., 0])
    if not known.any():
        raise OptionError("no simulated signal passes the cuts")
    where = np.argwhere(known)
    for i, j in np.argwhere(~known):
        nearest = where[np.argmin(((where - (i, j)) ** 2 * (1.0, 0.1)).sum(axis=1))]
        values[i, j] = values[tuple(nearest)]
    return Response(masses_gev=masses, fractions=fractions, values=values, shapes=shapes)
