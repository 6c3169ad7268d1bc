"""Spectra of a bump hunt on their fine grids, and the signal in them, morphed between masses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from darkstats.searches.photon_acceptance import pair_acceptance, recoil_acceptance
from darkstats.searches.windows import (
    Resolution,
    Window,
    fine_edges,
    place_between_simulated,
)
from darkstats.templates.bernstein import bernstein_averages
from darkstats.templates.smoothing import smoothed

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.searches.bump_settings import BumpHunt
    from darkstats.simulation.candidates import Candidates

__all__ = ["SignalPoint", "Spectrum", "signal_in", "signal_point", "spectra_of"]

_NOTHING_LOST = 1e-6
_LEAST_ACCEPTED = 0.05  # grids end where less is accepted
_REDUCED = np.linspace(-40.0, 40.0, 1281)  # edges of the reduced mass, in units of sigma


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """One spectrum: which rows enter, in which variable, on which grid.

    ``acceptance`` is what its smooth background is a polynomial times of, for each fine bin.
    """

    name: str
    column: str
    label: str
    threshold_gev: float
    resolution: Resolution
    edges: FloatArray
    acceptance: FloatArray

    def mask(self, candidates: Candidates, hunt: BumpHunt) -> BoolArray:
        """Rows that enter the spectrum. Shape [row]."""
        total = candidates["total_mass_gev"] / hunt.cm_energy_gev
        low, high = np.radians(hunt.theta_range_deg)
        return np.asarray(
            (candidates["min_energy_gev"] > self.threshold_gev)
            & (total > hunt.total_mass_range[0])
            & (total < hunt.total_mass_range[1])
            & (candidates["min_theta_lab_rad"] > low)
            & (candidates["max_theta_lab_rad"] < high)
        )

    def counts(self, candidates: Candidates, hunt: BumpHunt) -> FloatArray:
        """Expected events in each fine bin."""
        mask = self.mask(candidates, hunt)
        weight = candidates.events(hunt.luminosity_ipb)[mask]
        return np.histogram(candidates[self.column][mask], self.edges, weights=weight)[0]

    def keeps_all(self, fine: slice) -> bool:
        """Whether all is accepted in some fine bins."""
        return bool(np.all(self.acceptance[fine] > 1.0 - _NOTHING_LOST))

    def background_rows(self, window: Window, order: int) -> FloatArray:
        """Templates of the smooth background of a window: Bernstein polynomials, accepted.

        Each row sums to one. Shape [order + 1, bin].
        """
        fine = slice(int(window.first[0]), int(window.first[-1]))
        if self.keeps_all(fine):
            return bernstein_averages(window.edges, order)
        rows = self.acceptance[fine] * bernstein_averages(
            self.edges[fine.start : fine.stop + 1], order
        )
        summed = np.add.reduceat(rows, window.first[:-1] - fine.start, axis=1)
        return np.asarray(summed / summed.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPoint:
    """Signal of one simulated mass in one spectrum."""

    mass_gev: float
    efficiency: float
    efficiency_error: float
    peak: FloatArray  # cumulative distribution of the reduced mass at _REDUCED
    combinatorial: FloatArray  # cumulative rows per event of the reduced position, see below


def spectra_of(hunt: BumpHunt) -> tuple[Spectrum, ...]:
    """Return the three spectra: di-photon with the hard and the soft threshold, and recoil."""
    hard, soft = hunt.hard_threshold_gev, hunt.soft_threshold_gev
    s = hunt.cm_energy_gev**2
    grid = np.linspace(0.0, s, 200001)
    # What passes the harder threshold passes the softer one: both need the same grid.
    first = grid[np.argmax(_accepted_pairs(hunt, grid[:2001], hard) >= _LEAST_ACCEPTED)]
    edges = fine_edges(hunt.diphoton, float(first), min(s, _upper(hunt)))
    last = grid[np.flatnonzero(_accepted_recoils(hunt, grid) >= _LEAST_ACCEPTED)[-1]]
    recoil = fine_edges(hunt.recoil, 0.0, min(float(last), _upper_recoil(hunt)))
    centres, recoil_centres = (0.5 * (e[1:] + e[:-1]) for e in (edges, recoil))
    diphoton = Spectrum(
        name="diphoton_hard",
        column="mgg_squared_gev2",
        label="squared di-photon mass",
        threshold_gev=hard,
        resolution=hunt.diphoton,
        edges=edges,
        acceptance=_accepted_pairs(hunt, centres, hard),
    )
    accepted_soft = _accepted_pairs(hunt, centres, soft)
    return (
        diphoton,
        replace(diphoton, name="diphoton_soft", threshold_gev=soft, acceptance=accepted_soft),
        Spectrum(
            name="recoil",
            column="recoil_mass_squared_gev2",
            label="squared recoil mass",
            threshold_gev=soft,
            resolution=hunt.recoil,
            edges=recoil,
            acceptance=_accepted_recoils(hunt, recoil_centres),
        ),
    )


def _accepted_pairs(hunt: BumpHunt, squared: FloatArray, threshold_gev: float) -> FloatArray:
    """Share of the photon pairs that the selection accepts; 1 where the card does not follow it."""
    if not hunt.follow_acceptance or hunt.merging_rad == 0.0:
        return np.ones(len(squared))
    return pair_acceptance(
        squared,
        cm_energy_gev=hunt.cm_energy_gev,
        threshold_gev=threshold_gev,
        theta_range_deg=hunt.theta_range_deg,
        merging_rad=hunt.merging_rad,
        resolution=hunt.diphoton,
    )


def _accepted_recoils(hunt: BumpHunt, squared: FloatArray) -> FloatArray:
    """The same for the photons that recoil."""
    if not hunt.follow_acceptance:
        return np.ones(len(squared))
    return recoil_acceptance(
        squared,
        cm_energy_gev=hunt.cm_energy_gev,
        threshold_gev=hunt.soft_threshold_gev,
        theta_range_deg=hunt.theta_range_deg,
    )


def _widest(hunt: BumpHunt) -> float:
    """Factor on the ranges of the card that the grid must hold."""
    return 1.0 if hunt.background_choice is None else max(hunt.background_choice.extents)


def _upper(hunt: BumpHunt) -> float:
    sigma = float(hunt.diphoton.squared_gev2(np.array([hunt.switch_gev]))[0])
    return hunt.switch_gev**2 + (_widest(hunt) * hunt.diphoton_window_sigma[1] + 1.0) * sigma


def _upper_recoil(hunt: BumpHunt) -> float:
    sigma = float(hunt.recoil.squared_gev2(np.array([hunt.high_gev]))[0])
    reach = hunt.high_gev**2 + (_widest(hunt) * hunt.recoil_window_sigma[1] + 1.0) * sigma
    return min(reach, hunt.recoil_ceiling_gev**2)


def signal_point(
    mass_gev: float, candidates: Candidates, spectrum: Spectrum, hunt: BumpHunt
) -> SignalPoint:
    """Return the signal of one simulated mass in one spectrum."""
    mask = spectrum.mask(candidates, hunt)
    peaking = mask & (candidates["truth"] > 0.5)
    born = hunt.efficiency_reference == "born"
    weight = candidates.weight_pb / (candidates.n_generated if born else candidates.sum_weight_pb)
    sigma = float(spectrum.resolution.squared_gev2(np.array([mass_gev]))[0])
    efficiency = float(weight[peaking].sum())
    if efficiency <= 0.0:
        return SignalPoint(
            mass_gev=mass_gev,
            efficiency=0.0,
            efficiency_error=0.0,
            peak=np.zeros(len(_REDUCED)),
            combinatorial=np.zeros(len(spectrum.edges)),
        )
    reduced = np.clip((candidates[spectrum.column][peaking] - mass_gev**2) / sigma, -39.9, 39.9)
    content = np.histogram(reduced, _REDUCED, weights=weight[peaking])[0]
    content = smoothed(content, _REDUCED, 2.0)  # an eighth of the resolution
    others = mask & (candidates["truth"] < 0.5)
    rest = np.histogram(candidates[spectrum.column][others], spectrum.edges, weights=weight[others])
    rest_smooth = smoothed(rest[0], spectrum.edges, 16.0, shape=spectrum.acceptance)
    return SignalPoint(
        mass_gev=mass_gev,
        efficiency=efficiency,
        efficiency_error=float(np.sqrt((weight[peaking] ** 2).sum())) / efficiency,
        peak=np.concatenate(([0.0], np.cumsum(content))) / content.sum(),
        combinatorial=np.concatenate(([0.0], np.cumsum(rest_smooth))),
    )


def signal_in(
    window: Window, points: list[SignalPoint], spectrum: Spectrum, *, widened: float = 1.0
) -> tuple[FloatArray, float, float]:
    """Signal per bin for a Born cross section of 1 pb and 1 per pb, by linear morphing.

    Between two simulated masses the distribution of the reduced mass, the efficiency and the
    combinatorial spectrum are interpolated linearly in the mass.
    """
    masses = np.array([point.mass_gev for point in points])
    lower, fraction = place_between_simulated(masses, window.mass_gev)
    below, above = points[lower], points[lower + 1]
    sigma = float(spectrum.resolution.squared_gev2(np.array([window.mass_gev]))[0])
    reduced = (window.edges - window.mass_gev**2) / (sigma * widened)
    total = np.zeros(len(window.edges) - 1)
    for point, share in ((below, 1.0 - fraction), (above, fraction)):
        peak = np.diff(np.interp(reduced, _REDUCED, point.peak))
        rest = np.diff(point.combinatorial[window.first])
        total += share * (point.efficiency * peak + rest)
    efficiency = (1.0 - fraction) * below.efficiency + fraction * above.efficiency
    error = max(below.efficiency_error, above.efficiency_error)
    return np.maximum(total, 0.0), efficiency, error
