"""How much of the smooth background of three photons a selection accepts, mass by mass.

Two cuts bend the spectra where no polynomial follows: photons closer than the merging distance are
one cluster, which ends the di-photon spectrum at low mass, and the energy threshold, in the
laboratory, ends the recoil spectrum below the c.m. energy. Both are kinematics at leading order
with soft, central photons; nothing is fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from darkstats.signals.constants import BOOST_BETA

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.searches.windows import Resolution

__all__ = ["pair_acceptance", "recoil_acceptance"]

_GAMMA = 1.0 / np.sqrt(1.0 - BOOST_BETA**2)
_N_ANGLES, _N_NODES = 64, 48


def _logit(share: FloatArray) -> FloatArray:
    return np.asarray(np.log(share / (1.0 - share)))


def _cosines_cm(theta_range_deg: tuple[float, float]) -> FloatArray:
    """Cosines in the c.m. frame of the largest and the smallest polar angle in the laboratory."""
    cosine = np.cos(np.radians(theta_range_deg[::-1]))
    return np.asarray((cosine - BOOST_BETA) / (1.0 - BOOST_BETA * cosine))


def recoil_acceptance(
    squared_masses_gev2: FloatArray,
    *,
    cm_energy_gev: float,
    threshold_gev: float,
    theta_range_deg: tuple[float, float],
) -> FloatArray:
    """Share of photons with a recoil mass whose energy in the laboratory lies above a threshold.

    Parameters
    ----------
    squared_masses_gev2
        Squared recoil masses. Shape [mass].
    cm_energy_gev
        Root of s.
    threshold_gev, theta_range_deg
        Least energy and polar angles (laboratory) of a photon.

    Returns
    -------
    FloatArray
        From 0 to 1, of the photons within the polar angles. Shape [mass].

    Notes
    -----
    A photon of a recoil mass has the energy E* = (s - M^2) / (2 sqrt(s)), and
    gamma E* (1 + beta cos theta*) in the laboratory. Soft photons are emitted with the density
    1 / sin^2 theta* in the cosine, whose integral is the inverse hyperbolic tangent.
    """
    energy = (cm_energy_gev**2 - squared_masses_gev2) / (2.0 * cm_energy_gev)
    low, high = _cosines_cm(theta_range_deg)
    with np.errstate(divide="ignore"):
        least = threshold_gev / (_GAMMA * np.maximum(energy, 0.0))
    least = np.clip((least - 1.0) / BOOST_BETA, low, high)
    return np.asarray((np.arctanh(high) - np.arctanh(least)) / (np.arctanh(high) - np.arctanh(low)))


def pair_acceptance(
    squared_masses_gev2: FloatArray,
    *,
    cm_energy_gev: float,
    threshold_gev: float,
    theta_range_deg: tuple[float, float],
    merging_rad: float,
    resolution: Resolution,
) -> FloatArray:
    """Share of light photon pairs of a measured mass that are further apart than they merge.

    Parameters
    ----------
    squared_masses_gev2
        Squared measured masses. Shape [mass].
    cm_energy_gev
        Root of s.
    threshold_gev, theta_range_deg
        Least energy of each photon and polar angles (laboratory).
    merging_rad
        Least angle between two photons.
    resolution
        Of the mass: what is cut is the true angle, what is measured the smeared mass.

    Returns
    -------
    FloatArray
        From 0 to 1. Shape [mass].

    Notes
    -----
    A light pair has half the c.m. energy, so E = sqrt(s) / (2 gamma (1 - beta cos theta)) in the
    laboratory, and M^2 = z (1 - z) E^2 theta^2 if its photons share the energy as z and 1 - z.
    The density in z of soft photons is 1 / (z (1 - z)), whose integral is the logit; that of the
    pair in the cosine is (1 + cos^2 theta*) / sin^2 theta*, as of two photons.
    """
    low, high = np.cos(np.radians(theta_range_deg[::-1]))
    cosine = low + (high - low) * (np.arange(_N_ANGLES) + 0.5) / _N_ANGLES
    at_cm = (cosine - BOOST_BETA) / (1.0 - BOOST_BETA * cosine)
    weight = (1.0 + at_cm**2) / (1.0 - at_cm**2) / (1.0 - BOOST_BETA * cosine) ** 2
    energy = 0.5 * cm_energy_gev / (_GAMMA * (1.0 - BOOST_BETA * cosine))
    # Share of the pairs at each true mass, averaged over the directions.
    sigma = resolution.squared_gev2(np.sqrt(np.maximum(squared_masses_gev2, 0.0)))
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(_N_NODES)
    true = squared_masses_gev2[:, None] + sigma[:, None] * nodes
    scaled = np.maximum(true, 0.0)[..., None] / (energy * merging_rad) ** 2
    # Both photons are above the threshold for z above this one and below its mirror image.
    softest = np.minimum(threshold_gev / energy, 0.5 - 1e-9)
    # They are far enough apart for z below this one and above its mirror image.
    nearest = 0.5 * (1.0 - np.sqrt(np.maximum(1.0 - 4.0 * scaled, 0.0)))
    share = np.clip(1.0 - _logit(np.maximum(nearest, softest)) / _logit(softest), 0.0, 1.0)
    share = share @ (weight / weight.sum())
    return np.asarray(share @ (node_weights / node_weights.sum()))
