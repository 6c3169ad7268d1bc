"""Spectra of a bump hunt on their fine grids, and the signal in them, morphed between masses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darkstats.searches.windows import (
    Resolution,
    Window,
    fine_edges,
    place_between_simulated,
)
from darkstats.templates.smoothing import smoothed

if TYPE_CHECKING:
    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.searches.bump_hunt import BumpHunt
    from darkstats.simulation.candidates import Candidates

__all__ = ["SignalPoint", "Spectrum", "signal_in", "signal_point", "spectra_of"]

_REDUCED = np.linspace(-40.0, 40.0, 1281)  # edges of the reduced mass, in units of sigma


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """One spectrum: which rows enter, in which variable, on which grid."""

    name: str
    column: str
    label: str
    threshold_gev: float
    resolution: Resolution
    edges: FloatArray

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
    s = hunt.cm_energy_gev**2
    edges = fine_edges(hunt.diphoton, 0.0, min(s, _upper(hunt)))
    recoil = fine_edges(hunt.recoil, 0.0, _upper_recoil(hunt))
    return (
        Spectrum(
            name="diphoton_hard",
            column="mgg_squared_gev2",
            label="squared di-photon mass",
            threshold_gev=hunt.hard_threshold_gev,
            resolution=hunt.diphoton,
            edges=edges,
        ),
        Spectrum(
            name="diphoton_soft",
            column="mgg_squared_gev2",
            label="squared di-photon mass",
            threshold_gev=hunt.soft_threshold_gev,
            resolution=hunt.diphoton,
            edges=edges,
        ),
        Spectrum(
            name="recoil",
            column="recoil_mass_squared_gev2",
            label="squared recoil mass",
            threshold_gev=hunt.soft_threshold_gev,
            resolution=hunt.recoil,
            edges=recoil,
        ),
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
    rest_smooth = smoothed(rest[0], spectrum.edges, 16.0)
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
