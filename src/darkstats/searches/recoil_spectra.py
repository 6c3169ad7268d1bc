"""Spectra of squared recoil mass and angle: smoothed backgrounds, and signals between masses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from darkstats.searches.windows import place_between_simulated

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.searches.recoil_windows import RecoilWidths
    from darkstats.simulation.candidates import Candidates

__all__ = [
    "ANGLE",
    "REDUCED_EDGES",
    "VARIABLE",
    "SignalPoint",
    "SmoothSpectrum",
    "angles_of",
    "signal_in",
    "signal_point",
    "well_simulated_rows",
]

#: Columns of the candidates that windows are in, and bins in the angle, unless a card says others.
VARIABLE, ANGLE = "recoil_mass_squared_gev2", "recoil_theta_cm_rad"
#: Edges of the reduced variable that signals are kept in, in resolutions.
REDUCED_EDGES = np.linspace(-30.0, 30.0, 1201)

_NEGLIGIBLE_EVENTS = 0.02  # error of the background of one bin


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothSpectrum:
    """A smoothed spectrum that remembers what it was made of.

    Parameters
    ----------
    counts, variances
        Sums of weights and of their squares before smoothing. Shape [theta, fine bin].
    kernel
        Share of fine bin j that goes to fine bin i, shape [i, j]; None for no smoothing.
    """

    counts: FloatArray
    variances: FloatArray
    kernel: FloatArray | None

    @property
    def density(self) -> FloatArray:
        """Smoothed contents. Shape [theta, fine bin]."""
        return self.counts if self.kernel is None else self.counts @ self.kernel.T

    def gather(self, first: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Contents and variances of bins from fine edge to fine edge. Shapes [theta, bin]."""
        share = self._share(first)
        return self.counts @ share.T, self.variances @ (share**2).T

    def effective_share(self) -> float:
        """Events of simulation for one of the data, as rows of the spectrum are weighted.

        Rare events with large weights that cuts leave out do not count, as they do in the
        equivalent luminosity of all that was generated. 0 for an empty spectrum.
        """
        squares = float(self.variances.sum())
        return float(self.counts.sum()) / squares if squares > 0.0 else 0.0

    def covariance(self, first: IndexArray, rows: IndexArray) -> FloatArray:
        """Covariance of the bins of each merged row, events squared; rows are independent.

        Parameters
        ----------
        first
            Fine edges that bound the bins. Shape [bin + 1].
        rows
            Where merged rows in the angle begin. Shape [row].

        Returns
        -------
        FloatArray
            Shape [row, bin, bin].
        """
        share = self._share(first)
        merged = np.add.reduceat(self.variances, rows, axis=0)
        return np.stack([(share * variances) @ share.T for variances in merged])

    def _share(self, first: IndexArray) -> FloatArray:
        """Share of each fine bin that a bin gets. Shape [bin, fine bin]."""
        if self.kernel is not None:
            return np.asarray(np.add.reduceat(self.kernel, first, axis=0)[: len(first) - 1])
        share = np.zeros((len(first) - 1, self.counts.shape[1]))
        for k, (low, high) in enumerate(pairwise(first)):
            share[k, low:high] = 1.0
        return share


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPoint:
    """Signal of one simulated mass: cumulative efficiency in the reduced variable."""

    mass_gev: float
    cumulative: FloatArray  # [theta, reduced]
    relative_error: float

    @property
    def efficiency(self) -> float:
        """Of the whole range."""
        return float(self.cumulative[:, -1].sum())

    def within(self, reduced: FloatArray) -> FloatArray:
        """Efficiency between edges of the reduced variable. Shape [theta, bin]."""
        return np.array(
            [np.diff(np.interp(reduced, REDUCED_EDGES, row)) for row in self.cumulative]
        )


def signal_point(
    mass_gev: float,
    candidates: Candidates,
    *,
    widths: RecoilWidths,
    theta_edges_deg: tuple[float, ...],
    variable: str = VARIABLE,
    angle: str | None = ANGLE,
) -> SignalPoint:
    """Return the signal of one simulated mass in bins of the recoil's angle."""
    weight = candidates.weight_pb / candidates.n_generated
    sigma = widths.at_squared(mass_gev**2)
    reduced = np.clip((candidates[variable] - mass_gev**2) / sigma, -29.99, 29.99)
    content = np.histogram2d(
        angles_of(candidates, angle),
        reduced,
        bins=(np.radians(theta_edges_deg), REDUCED_EDGES),
        weights=weight,
    )[0]
    total, squares = float(weight.sum()), float((weight**2).sum())
    cumulative = np.concatenate([np.zeros((len(content), 1)), np.cumsum(content, axis=1)], axis=1)
    return SignalPoint(
        mass_gev=mass_gev,
        cumulative=cumulative,
        relative_error=float(np.sqrt(squares)) / total if total > 0.0 else 1.0,
    )


def angles_of(candidates: Candidates, angle: str | None) -> FloatArray:
    """Angles of the rows, rad; any one where bins in the angle do not matter. Shape [row]."""
    return np.full(len(candidates), 0.5 * math.pi) if angle is None else candidates[angle]


def signal_in(
    points: tuple[SignalPoint, ...],
    mass_gev: float,
    edges: FloatArray,
    *,
    widths: RecoilWidths,
    widened: float = 1.0,
) -> tuple[FloatArray, float]:
    """Efficiency in each bin, shape [theta, bin], and the relative statistical error.

    Parameters
    ----------
    points
        Simulated masses; between two of them the shape in the reduced variable is interpolated.
    mass_gev, edges
        Mass, and edges in the squared recoil mass, GeV^2.
    widths, widened
        Resolution, and a factor on it.

    Raises
    ------
    OptionError
        The mass lies outside the simulated ones.
    """
    masses = np.array([point.mass_gev for point in points])
    lower, fraction = place_between_simulated(masses, mass_gev)
    below, above = points[lower], points[lower + 1]
    sigma = widths.at_squared(mass_gev**2) * widened
    reduced = (edges - mass_gev**2) / sigma
    total = np.zeros((len(points[0].cumulative), len(edges) - 1))
    for point, share in ((below, 1.0 - fraction), (above, fraction)):
        total += share * point.within(reduced)
    error = max(below.relative_error, above.relative_error)
    return np.maximum(total, 0.0), error


def well_simulated_rows(
    content: FloatArray, variance: FloatArray, largest_error: float
) -> IndexArray:
    """Return where rows of bins in the angle begin that have enough simulated background.

    A bin that simulation hardly reaches has a background nobody knows, and a signal in it would
    count as if it had none: neighbouring rows are merged until the background of every bin has a
    relative error of ``largest_error`` at most, or one below 0.02 events: however little is known
    of so few, no limit of an event or more depends on it, and rows almost without background would
    else be merged with others in some windows and not in the next. One row remains where none is
    enough.

    Parameters
    ----------
    content, variance
        Of the whole background, events and their square. Shapes [theta, bin].
    largest_error
        Infinity merges nothing.
    """
    n_rows = len(content)
    if not math.isfinite(largest_error):
        return np.arange(n_rows)

    def enough(low: int, high: int) -> bool:
        errors = np.sqrt(variance[low:high].sum(axis=0))
        allowed = largest_error * content[low:high].sum(axis=0)
        return bool(np.all(errors <= np.maximum(allowed, _NEGLIGIBLE_EVENTS)))

    starts = [0]
    for row in range(1, n_rows):
        if enough(starts[-1], row):
            starts.append(row)
    while len(starts) > 1 and not enough(starts[-1], n_rows):
        starts.pop()
    return np.array(starts)
