"""Windows in the squared recoil mass: resolution by a table, adjacent, shifted and sliding ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.simulation.candidates import Candidates

__all__ = [
    "RecoilWidths",
    "adjacent_centres",
    "measured_widths",
    "require_countable",
    "sliding_centres",
]

_LEAST_ROWS = 100
_MOST_BINS = 20_000  # a kernel of the smoothing is a matrix of them: 3.2 GB
_MOST_WINDOWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoilWidths:
    """Resolution of the squared recoil mass, from a table with linear interpolation.

    Parameters
    ----------
    points
        (mass in GeV, standard deviation of the squared mass in GeV^2), masses ascending; constant
        outside. Without any, the build measures it (:func:`measured_widths`).
    """

    points: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Check the table.

        Raises
        ------
        OptionError
            It is too short, does not ascend, or a width is not positive.
        """
        if not self.points:
            return
        masses = [mass for mass, _ in self.points]
        if len(masses) < 2 or masses != sorted(set(masses)):
            raise OptionError("a table of widths needs at least two masses, ascending")
        if min(width for _, width in self.points) <= 0.0:
            raise OptionError("a table of widths holds one that is not positive")

    def squared_gev2(self, mass_gev: FloatArray) -> FloatArray:
        """See :class:`~darkstats.searches.windows.Resolution`."""
        masses, widths = np.array(self.points).T
        return np.asarray(np.interp(mass_gev, masses, widths))

    def mass_gev(self, mass_gev: FloatArray) -> FloatArray:
        """See :class:`~darkstats.searches.windows.Resolution`; formal where M < sigma(M^2) / M."""
        return np.asarray(self.squared_gev2(mass_gev) / (2.0 * np.maximum(mass_gev, 1e-3)))

    def at_squared(self, squared_gev2: float) -> float:
        """Width at a squared mass, GeV^2; the lowest mass stands for negative ones."""
        return float(self.squared_gev2(np.array([np.sqrt(max(squared_gev2, 0.0))]))[0])


def measured_widths(signals: Mapping[tuple[float, ...], Candidates], variable: str) -> RecoilWidths:
    """Resolution of simulated signals: half of the central interval with 68.27 % of the rows.

    Raises
    ------
    OptionError
        There are fewer than two simulated masses with rows.
    """
    points = []
    for (mass, *_), sample in sorted(signals.items()):
        if len(sample) < _LEAST_ROWS:
            continue
        order = np.argsort(sample[variable])
        share = np.cumsum(sample.weight_pb[order])
        low, high = np.interp((0.15865, 0.84135), share / share[-1], sample[variable][order])
        points.append((mass, 0.5 * float(high - low)))
    if len(points) < 2:
        raise OptionError(
            f"widths: simulated needs two masses or more whose signals leave {_LEAST_ROWS} rows; "
            f"{len(points)} of {len(signals)} do; rows left, of events generated: "
            + ", ".join(
                f"{mass:g} GeV {len(sample)} of {sample.n_generated}"
                for (mass, *_), sample in sorted(signals.items())
            )
            + ". If it is few or none, check that the events hold the objects of the card, in GeV"
        )
    return RecoilWidths(points=tuple(points))


def require_countable(
    widths: RecoilWidths,
    first_gev: float,
    high_gev: float,
    *,
    step_sigma: float,
    bins_per_sigma: int,
    variable: str,
) -> None:
    """Refuse a range that would be cut into too many windows or bins, before any is made.

    Parameters
    ----------
    widths
        Resolution.
    first_gev, high_gev
        Range of the hypotheses.
    step_sigma
        Distance of two windows, in resolutions.
    bins_per_sigma
        Fine bins in a resolution.
    variable
        Column of the squared mass, for the message.

    Raises
    ------
    OptionError
        There would be more than 20,000 windows, or fine bins.
    """
    x = np.linspace(first_gev**2, max(high_gev, first_gev) ** 2, 20001)
    wide = widths.squared_gev2(np.sqrt(x))
    # As a sum: the range in resolutions. The range that a step cannot cross is one window.
    sigmas = float(np.sum(0.5 * (1.0 / wide[1:] + 1.0 / wide[:-1]) * np.diff(x)))
    n_windows, n_bins = sigmas / step_sigma, sigmas * bins_per_sigma
    if n_windows <= _MOST_WINDOWS and n_bins <= _MOST_BINS:
        return
    raise OptionError(
        f"column {variable}: its widths of {wide.min():.3g} to {wide.max():.3g} GeV^2 cut "
        f"{x[0]:.4g} to {x[-1]:.4g} GeV^2 (first_gev {first_gev:g} to high_gev {high_gev:g}) into "
        f"{n_windows:.3g} windows and {n_bins:.3g} fine bins, more than {_MOST_WINDOWS:,} and "
        f"{_MOST_BINS:,}: the column must be a squared mass, mass_squared(...) and not mass(...); "
        "if it is, check widths, shorten the range or take larger steps"
    )


def adjacent_centres(
    widths: RecoilWidths, first_gev: float, high_gev: float, half_width_sigma: float
) -> tuple[FloatArray, FloatArray]:
    """Centres of windows that touch, and of the set between them, as squared masses in GeV^2.

    Parameters
    ----------
    widths
        Resolution.
    first_gev
        Mass at the centre of the first window.
    high_gev
        No centre lies above.
    half_width_sigma
        Half width of a window in units of the resolution at its centre.

    Returns
    -------
    tuple of FloatArray
        Adjacent windows, and the same shifted by half a window. Shapes [window].
    """
    centres = [first_gev**2]
    edge = centres[0] + half_width_sigma * widths.at_squared(centres[0])
    shifted = [edge]
    while True:
        centre = edge
        for _ in range(50):  # centre - half width = edge, by iteration
            centre = edge + half_width_sigma * widths.at_squared(centre)
        if centre > high_gev**2:
            break
        centres.append(centre)
        edge = centre + half_width_sigma * widths.at_squared(centre)
        if edge < high_gev**2:
            shifted.append(edge)
    return np.array(centres), np.array(shifted)


def sliding_centres(
    widths: RecoilWidths, first_gev: float, high_gev: float, step_sigma: float
) -> FloatArray:
    """Centres in steps of the resolution, as squared masses in GeV^2. Shape [window]."""
    centres = [first_gev**2]
    while True:
        centre = centres[-1] + step_sigma * widths.at_squared(centres[-1])
        if centre > high_gev**2:
            return np.array(centres)
        centres.append(centre)
