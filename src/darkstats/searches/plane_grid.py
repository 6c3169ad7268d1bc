"""A fine grid for the plane of dimuon mass against recoil mass, in which resolutions are constant.

The recoil mass of a muon pair in e+e- is known from its mass M and energy E. A wrong muon momentum
scales both alike, so M and M_recoil are correlated, while M and E/M are not. In ln M and in the
rapidity zeta = arcosh(E/M) of the pair, c.m. frame, the resolutions are 0.3 to 0.4 % everywhere:
cells of half that size serve every window, and smoothing by a fixed number of cells is smoothing
by a fixed number of resolutions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from darkstats.arrays import frozen_floats
from darkstats.signals.constants import CM_ENERGY_GEV

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray, IndexArray
    from darkstats.simulation.candidates import Candidates

__all__ = ["PlaneGrid", "Smoothed", "rapidity_of", "runs_of"]

_S = CM_ENERGY_GEV**2


def rapidity_of(mass_gev: FloatArray, recoil_squared_gev2: FloatArray) -> FloatArray:
    """Rapidity of a pair of this mass that recoils against this squared mass; 0 beyond threshold.

    Parameters
    ----------
    mass_gev, recoil_squared_gev2
        Shapes [row].
    """
    energy = (_S + mass_gev**2 - recoil_squared_gev2) / (2.0 * CM_ENERGY_GEV)
    return np.asarray(np.arccosh(np.maximum(energy / mass_gev, 1.0)))


def runs_of(indices: IndexArray) -> list[int]:
    """Run-length encoding of ascending indices: start, length, start, length, ..."""
    if len(indices) == 0:
        return []
    breaks = np.flatnonzero(np.diff(indices) > 1) + 1
    starts = np.concatenate(([0], breaks))
    stops = np.concatenate((breaks, [len(indices)]))
    return np.stack([indices[starts], stops - starts], axis=1).ravel().tolist()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneGrid:
    """Cells of equal steps in the logarithm of the dimuon mass and in the rapidity.

    Parameters
    ----------
    mass_edges_gev
        Shape [column + 1].
    rapidity_edges
        From 0, shape [row + 1].
    """

    mass_edges_gev: FloatArray = field(repr=False)
    rapidity_edges: FloatArray = field(repr=False)

    @classmethod
    def over(cls, low_gev: float, high_gev: float, step: float) -> PlaneGrid:
        """Return the grid over a range of dimuon masses, with margins for rings and smoothing.

        Parameters
        ----------
        low_gev, high_gev
            Range of the mass.
        step
            Of ln M and of the rapidity, dimensionless.
        """
        margin = 0.08
        low, high = np.log(low_gev) - margin, np.log(min(high_gev, CM_ENERGY_GEV)) + margin
        columns = int(np.ceil((high - low) / step))
        top = float(rapidity_of(np.array([low_gev]), np.array([0.0]))[0]) + margin
        rows = int(np.ceil(top / step))
        return cls(
            mass_edges_gev=frozen_floats(np.exp(low + step * np.arange(columns + 1))),
            rapidity_edges=frozen_floats(step * np.arange(rows + 1)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of columns and rows."""
        return len(self.mass_edges_gev) - 1, len(self.rapidity_edges) - 1

    @property
    def masses_gev(self) -> FloatArray:
        """Dimuon mass at the centres of columns. Shape [column]."""
        return np.asarray(np.sqrt(self.mass_edges_gev[1:] * self.mass_edges_gev[:-1]))

    @property
    def rapidities(self) -> FloatArray:
        """Rapidity at the centres of rows. Shape [row]."""
        return np.asarray(0.5 * (self.rapidity_edges[1:] + self.rapidity_edges[:-1]))

    def recoil_squared_gev2(self, columns: slice, rows: slice) -> FloatArray:
        """Squared recoil mass at the centres of cells. Shape [column, row]."""
        mass = self.masses_gev[columns, None]
        energy = mass * np.cosh(self.rapidities[None, rows])
        return np.asarray(_S + mass**2 - 2.0 * CM_ENERGY_GEV * energy)

    def box(self, mass: tuple[float, float], rapidity: tuple[float, float]) -> tuple[slice, slice]:
        """Columns and rows that cover a range of masses and rapidities, cut at the grid's ends."""

        def part(edges: FloatArray, low: float, high: float) -> slice:
            first = int(np.searchsorted(edges, low, "right")) - 1
            last = int(np.searchsorted(edges, high, "left"))
            return slice(max(first, 0), min(max(last, first + 1), len(edges) - 1))

        return part(self.mass_edges_gev, *mass), part(self.rapidity_edges, *rapidity)

    def fill(self, candidates: Candidates, weights: FloatArray) -> FloatArray:
        """Sum of weights in each cell. Shape [column, row]."""
        mass = candidates["m_ll_gev"]
        rapidity = rapidity_of(mass, candidates["recoil_mass_squared_gev2"])
        return np.histogram2d(
            mass, rapidity, bins=(self.mass_edges_gev, self.rapidity_edges), weights=weights
        )[0]

    def cells(self, columns: slice, rows: slice, inside: BoolArray) -> IndexArray:
        """Flat indices of cells that are ``inside`` [column, row] of a box, ascending."""
        column, row = np.nonzero(inside)
        return np.asarray((column + columns.start) * self.shape[1] + row + rows.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothed:
    """Simulated events of one process on the grid, smoothed with a Gaussian of a few cells.

    A sum over smoothed cells is a weighted sum over the simulated rows, so its statistical error is
    that of the rows, with correlations between cells kept.

    Parameters
    ----------
    counts, variances
        Sums of weights and of squared weights before smoothing. Shapes [column, row].
    kernels
        For columns and rows: share of cell j that goes to cell i, shape [i, j].
    reach
        Number of cells beyond which the kernel is 0.
    """

    counts: FloatArray = field(repr=False)
    variances: FloatArray = field(repr=False)
    kernels: tuple[FloatArray, FloatArray] = field(repr=False)
    reach: int

    @classmethod
    def of(
        cls, grid: PlaneGrid, candidates: Candidates, events: FloatArray, width: float
    ) -> Smoothed:
        """Fill and smooth.

        Parameters
        ----------
        grid, candidates, events
            Cells, rows, and expected events of each row.
        width
            Standard deviation of the kernel in cells; 0 for none.
        """
        reach = int(np.ceil(3.0 * width))

        def kernel(n: int) -> FloatArray:
            index = np.arange(n)
            distance = index[:, None] - index[None, :]
            share = np.where(
                np.abs(distance) <= reach, np.exp(-0.5 * (distance / max(width, 1e-9)) ** 2), 0.0
            )
            return np.asarray(share / share.sum(axis=0))

        return cls(
            counts=grid.fill(candidates, events),
            variances=grid.fill(candidates, events**2),
            kernels=(kernel(grid.shape[0]), kernel(grid.shape[1])),
            reach=reach,
        )

    def density(self) -> FloatArray:
        """Smoothed contents of all cells. Shape [column, row]."""
        return np.asarray(self.kernels[0] @ self.counts @ self.kernels[1].T)

    def variance_of(self, columns: slice, rows: slice, inside: BoolArray) -> float:
        """Variance of the sum of smoothed cells ``inside`` [column, row] of a box."""
        wide = [
            slice(max(part.start - self.reach, 0), min(part.stop + self.reach, n))
            for part, n in zip((columns, rows), self.counts.shape, strict=True)
        ]
        share = (
            self.kernels[0][columns, wide[0]].T
            @ inside.astype(np.float64)
            @ self.kernels[1][rows, wide[1]]
        )
        return float((share**2 * self.variances[wide[0], wide[1]]).sum())
