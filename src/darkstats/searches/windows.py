"""Mass hypotheses, fine grids and fit windows of a bump hunt, from a resolution model.

Windows overlap, and every window is made of whole bins of one fine grid: a toy of the full
spectrum fills them all. The variable is the squared mass, as in the published search
(arXiv:2007.13071): it stays regular where a recoil mass squared is negative.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray

__all__ = [
    "DiphotonResolution",
    "RecoilResolution",
    "Resolution",
    "Window",
    "fine_edges",
    "mass_hypotheses",
    "nearest_edges",
    "place_between",
    "place_between_simulated",
    "window_of",
]


class Resolution(Protocol):
    """Mass resolution as a function of the mass."""

    def mass_gev(self, mass_gev: FloatArray) -> FloatArray:
        """Standard deviation of the measured mass, GeV. Same shape as ``mass_gev``."""

    def squared_gev2(self, mass_gev: FloatArray) -> FloatArray:
        """Standard deviation of the measured squared mass, GeV^2: ``2 m sigma_M``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiphotonResolution:
    """``sigma_M = constant + slope m``; below ``floor_gev`` that of the squared mass is constant.

    The defaults are a consistency model: with half-sigma steps they give the 378 hypotheses that
    the published search quotes between 0.2 and 6.85 GeV.
    """

    constant_gev: float = 0.009
    slope: float = 0.0105
    floor_gev: float = 0.2

    def mass_gev(self, mass_gev: FloatArray) -> FloatArray:
        """See :class:`Resolution`."""
        return self.constant_gev + self.slope * mass_gev

    def squared_gev2(self, mass_gev: FloatArray) -> FloatArray:
        """See :class:`Resolution`."""
        floored = np.maximum(mass_gev, self.floor_gev)
        return np.asarray(2.0 * floored * self.mass_gev(floored))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoilResolution:
    """Resolution of the mass that recoils against a photon, ``M^2 = s - 2 sqrt(s) E*``.

    Parameters
    ----------
    relative_energy
        Photon energy resolution over the energy, dimensionless. 0.021 (0.02085) gives 123 (124)
        half-sigma steps from 6.85 to 9.7 GeV.
    cm_energy_gev
        Centre-of-mass energy.
    """

    relative_energy: float = 0.021
    cm_energy_gev: float = 10.583005244258363

    def mass_gev(self, mass_gev: FloatArray) -> FloatArray:
        """See :class:`Resolution`."""
        return np.asarray(self.squared_gev2(mass_gev) / (2.0 * mass_gev))

    def squared_gev2(self, mass_gev: FloatArray) -> FloatArray:
        """See :class:`Resolution`."""
        energy = (self.cm_energy_gev**2 - mass_gev**2) / (2.0 * self.cm_energy_gev)
        return np.asarray(2.0 * self.cm_energy_gev * self.relative_energy * energy)


def _steps(
    resolution: Resolution, low_gev: float, high_gev: float
) -> tuple[FloatArray, FloatArray]:
    """Masses on a dense grid, and the number of standard deviations from the lowest to each."""
    mass = np.linspace(low_gev, high_gev, 20001)
    inverse = 1.0 / resolution.mass_gev(mass)
    count = np.concatenate(([0.0], np.cumsum(0.5 * (inverse[1:] + inverse[:-1]) * np.diff(mass))))
    return mass, count


def mass_hypotheses(
    resolution: Resolution,
    low_gev: float,
    high_gev: float,
    *,
    step_sigma: float = 0.5,
    closed: bool = False,
) -> FloatArray:
    """Return masses in steps of ``step_sigma`` local mass resolutions, starting at ``low_gev``.

    Parameters
    ----------
    resolution
        Gives the local resolution.
    low_gev, high_gev
        Range, GeV. ``high_gev`` is a hypothesis only if ``closed``.
    step_sigma
        Step in units of the resolution; it is stretched so that a whole number of them fits.

    Returns
    -------
    FloatArray
        Ascending, rounded to 0.1 MeV. Shape [mass].

    Raises
    ------
    OptionError
        The range is empty or the step is not positive.
    """
    if not (0.0 < low_gev < high_gev and step_sigma > 0.0):
        raise OptionError(f"no mass grid from {low_gev} to {high_gev} GeV in {step_sigma} sigma")
    mass, count = _steps(resolution, low_gev, high_gev)
    n_steps = max(1, round(float(count[-1]) / step_sigma))
    wanted = np.arange(n_steps + closed) * (count[-1] / n_steps)
    return np.asarray(np.round(np.interp(wanted, count, mass), 4))


def fine_edges(
    resolution: Resolution, low_gev2: float, high_gev2: float, *, bins_per_sigma: int = 8
) -> FloatArray:
    """Edges of a grid in squared mass whose bins are a fixed fraction of the local resolution.

    Returns
    -------
    FloatArray
        Ascending, rounded to 1e-6 GeV^2, the ends included. Shape [bin + 1].
    """
    x = np.linspace(low_gev2, high_gev2, 200001)
    density = bins_per_sigma / resolution.squared_gev2(np.sqrt(np.maximum(x, 0.0)))
    count = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(x))))
    n_bins = round(float(count[-1]))
    edges = np.interp(np.linspace(0.0, count[-1], n_bins + 1), count, x)
    return np.asarray(np.round(edges, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A fit window: bins that are groups of whole fine bins.

    Parameters
    ----------
    mass_gev
        Mass hypothesis.
    first
        Index of the first fine edge of each bin, and of the last edge. Shape [bin + 1].
    edges
        The edges themselves, GeV^2. Shape [bin + 1].
    """

    mass_gev: float
    first: IndexArray = field(repr=False)
    edges: FloatArray = field(repr=False)

    def gather(self, fine: FloatArray) -> FloatArray:
        """Sum the contents of fine bins in each bin of the window. [fine bin] -> [bin]."""
        total = np.concatenate(([0.0], np.cumsum(fine)))
        return np.asarray(total[self.first[1:]] - total[self.first[:-1]])


def window_of(
    mass_gev: float,
    resolution: Resolution,
    edges: FloatArray,
    *,
    below_sigma: float,
    above_sigma: float,
    n_bins: int = 100,
) -> Window:
    """Return the window around a mass hypothesis, snapped to the fine grid and cut at its ends.

    Parameters
    ----------
    mass_gev, resolution
        Hypothesis, and the resolution that gives the unit of the next two.
    edges
        Fine grid, GeV^2. Shape [fine bin + 1].
    below_sigma, above_sigma
        Extent below and above the squared mass, both positive.
    n_bins
        Number of bins; fewer where the window is cut, so that bins keep their width.

    Raises
    ------
    OptionError
        The mass lies outside the grid.
    """
    centre = mass_gev**2
    if not edges[0] < centre < edges[-1]:
        raise OptionError(
            f"mass {mass_gev} GeV: its square lies outside the grid "
            f"[{edges[0]:g}, {edges[-1]:g}] GeV^2"
        )
    sigma = float(resolution.squared_gev2(np.array([mass_gev]))[0])
    targets = centre + sigma * np.linspace(-below_sigma, above_sigma, n_bins + 1)
    targets = targets[(targets > edges[0] - 1e-9) & (targets < edges[-1] + 1e-9)]
    first = np.unique(nearest_edges(edges, targets))
    return Window(mass_gev=mass_gev, first=first, edges=edges[first])


def nearest_edges(edges: FloatArray, targets: FloatArray) -> IndexArray:
    """Index of the rising edge next to each target; the upper one halfway. Shape of the targets.

    Examples
    --------
    >>> nearest_edges(np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.4, 2.5, 9.0])).tolist()
    [0, 0, 2, 2]
    """
    right = np.clip(np.searchsorted(edges, targets), 1, len(edges) - 1)
    nearest = np.where(targets - edges[right - 1] < edges[right] - targets, right - 1, right)
    return np.asarray(nearest, dtype=np.int64)


def place_between(axis: FloatArray, value: float) -> tuple[int, float]:
    """Interval of a rising axis that holds a value, and where in it.

    Returns
    -------
    tuple
        Index of the lower end, and the fraction of the way to the upper end, from 0 to 1; the
        nearest end of the axis for a value outside of it.

    Examples
    --------
    >>> place_between(np.array([1.0, 2.0, 4.0]), 3.5)
    (1, 0.75)
    """
    lower = int(np.clip(np.searchsorted(axis, value) - 1, 0, len(axis) - 2))
    fraction = (value - axis[lower]) / (axis[lower + 1] - axis[lower])
    return lower, float(np.clip(fraction, 0.0, 1.0))


def place_between_simulated(masses_gev: FloatArray, mass_gev: float) -> tuple[int, float]:
    """:func:`place_between` of a mass among those of simulated signals, GeV, rising.

    Raises
    ------
    OptionError
        The mass lies outside the simulated ones: nothing is extrapolated.
    """
    if not masses_gev[0] - 1e-9 <= mass_gev <= masses_gev[-1] + 1e-9:
        raise OptionError(
            f"no signal was simulated around {mass_gev:.4g} GeV (simulated: {masses_gev[0]:g} to "
            f"{masses_gev[-1]:g} GeV); add masses to the card"
        )
    return place_between(masses_gev, mass_gev)
