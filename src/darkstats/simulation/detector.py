"""Parametric response of the Belle II detector: resolutions, acceptance, efficiencies.

Defaults are design values of the Belle II Physics Book (arXiv:1808.10567) and plausible constants,
all of them configurable; none is taken from real data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import BoolArray, FloatArray, IndexArray

__all__ = ["Detector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Parameters of the response; angles in the laboratory.

    Parameters
    ----------
    energy_terms
        a, b, c of sigma_E/E = a/E + b/E^(1/4) + c in quadrature, E in GeV.
    position_rad
        Photon angle resolution at 1 GeV; it falls with 1/sqrt(E).
    energy_tail
        Fraction of the photons that lose energy before or behind the crystals, and the mean of the
        exponential relative loss. The resolution comes on top. (0, 0): Gaussian.
    photon_efficiency
        Efficiency of each wanted photon: one number, or rows of energy in GeV (lab) and efficiency,
        linear in the logarithm of the energy between them, constant beyond.
    merging_rad
        Photons closer than this are not separated.
    track_loss
        Probability that the track of an electron is not found, so that its shower counts as a
        photon.
    electron_bend_gev
        Azimuth of a shower against the direction of its electron, rad, times the transverse
        momentum in GeV: 0.2998 x 1.5 T x 1.25 m / 2.
    ecl_ranges_deg, cdc_range_deg
        Polar angles of calorimeter and tracking.
    track_terms
        a, b of sigma(pT)/pT = a pT + b/beta in quadrature, pT in GeV.
    track_angle_rad
        Resolution of track angles.
    track_smearing
        Common factor on track resolutions.
    veto_threshold_gev, veto_inefficiency
        Photons above the threshold veto an event, but for this fraction of them, which enters as
        a weight: one number, or rows of energy in GeV and fraction, between which the logarithms
        are linear, constant beyond. What passes through gaps is no part of it.
    klm_range_deg, klm_inefficiency
        Polar angles of the K_L and muon detector, gaps of the calorimeter included, and the
        fraction of photons there that it does not see, as above: these veto an event that the
        calorimeter does not. 1, the default: there is no such veto.
    lepton_efficiency
        Identification efficiency per lepton.
    extra_energy_efficiency
        Fraction of events that pass the vetoes on photons although photons of beam background, or
        extra energy of another event, lie in the same time window.
    trigger_efficiency
        Common factor: trigger, and losses that are not modelled (see the card).
    """

    energy_terms: tuple[float, float, float] = (0.002, 0.016, 0.012)
    position_rad: float = 0.004
    energy_tail: tuple[float, float] = (0.0, 0.0)
    photon_efficiency: float | tuple[tuple[float, float], ...] = 0.95
    merging_rad: float = 0.07
    track_loss: float = 0.0
    electron_bend_gev: float = 0.281
    ecl_ranges_deg: tuple[tuple[float, float], ...] = (
        (12.4, 31.4),
        (32.2, 128.7),
        (130.7, 155.1),
    )
    cdc_range_deg: tuple[float, float] = (17.0, 150.0)
    track_terms: tuple[float, float] = (0.001, 0.003)
    track_angle_rad: float = 0.001
    track_smearing: float = 1.15
    veto_threshold_gev: float = 0.15
    veto_inefficiency: float | tuple[tuple[float, float], ...] = 3e-3
    klm_range_deg: tuple[float, float] = (18.0, 155.0)
    klm_inefficiency: float | tuple[tuple[float, float], ...] = 1.0
    lepton_efficiency: float = 0.95
    trigger_efficiency: float = 1.0
    extra_energy_efficiency: float = 1.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises
        ------
        OptionError
            An efficiency is outside [0, 1], or a resolution is negative.
        """
        for name in (
            "track_loss",
            "lepton_efficiency",
            "trigger_efficiency",
            "extra_energy_efficiency",
        ):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise OptionError(f"detector: {name} = {value} lies outside [0, 1]")
        _check_fractions("veto_inefficiency", self.veto_inefficiency)
        _check_fractions("photon_efficiency", self.photon_efficiency)
        _check_fractions("klm_inefficiency", self.klm_inefficiency)
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0.0:
                raise OptionError(f"detector: {name} is negative")
        tail: tuple[object, ...] = self.energy_tail
        if len(tail) != 2 or not all(0.0 <= value < 1.0 for value in self.energy_tail):
            raise OptionError(
                "detector: energy_tail is the fraction of photons that lose energy and their mean "
                "relative loss, both from 0 to below 1: [0.3, 0.04]"
            )

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Detector:
        """Return the default detector with some parameters replaced.

        Raises
        ------
        UnknownNameError
            There is no such parameter.
        """
        known = tuple(f.name for f in fields(cls))
        for name in settings:
            if name not in known:
                raise UnknownNameError("detector parameter", name, known)
        return cls(**{name: _frozen(value) for name, value in settings.items()})  # type: ignore[arg-type]  # checked by name

    def settings(self) -> dict[str, object]:
        """All parameters, for the key of the cache; effects that are off are not named.

        So the events of detectors without them stay what they were.
        """
        off = [name for name, value in _OFF.items() if getattr(self, name) == value]
        return {"version": 1, **{n: v for n, v in asdict(self).items() if n not in off}}

    def energy_resolution(self, energy_gev: FloatArray) -> FloatArray:
        """Relative photon energy resolution, dimensionless: 2.0 % at 1 GeV."""
        a, b, c = self.energy_terms
        variance = (a / energy_gev) ** 2 + (b / energy_gev**0.25) ** 2 + c**2
        return np.asarray(np.sqrt(variance))

    def missed(self, energy_gev: FloatArray) -> FloatArray:
        """Fraction of photons of these energies, lab, that do not veto. Shape of the energies.

        Examples
        --------
        >>> detector = Detector(veto_inefficiency=((0.1, 1e-2), (1.0, 1e-4)))
        >>> detector.missed(np.array([0.1, 1.0, 5.0])).round(6).tolist()
        [0.01, 0.0001, 0.0001]
        """
        return _in_logarithms(self.veto_inefficiency, energy_gev)

    def unseen(self, energy_gev: FloatArray, theta_rad: FloatArray) -> FloatArray:
        """Chance that photons of these energies and polar angles, lab, do not veto an event.

        Shape of the energies. Below the threshold, and beside all detectors, it is 1.

        Examples
        --------
        >>> detector = Detector(veto_inefficiency=1e-3, klm_inefficiency=0.1)
        >>> gap, barrel = np.radians(31.8), np.radians(90.0)
        >>> found = detector.unseen(np.array([2.0, 2.0, 0.1]), np.array([gap, barrel, barrel]))
        >>> found.round(6).tolist()
        [0.1, 0.0001, 1.0]
        """
        hard = energy_gev > self.veto_threshold_gev
        chance = np.where(hard & self.in_ecl(theta_rad), self.missed(energy_gev), 1.0)
        if self.klm_inefficiency != 1.0:
            low, high = np.radians(self.klm_range_deg)
            reached = hard & (theta_rad > low) & (theta_rad < high)
            chance *= np.where(reached, _in_logarithms(self.klm_inefficiency, energy_gev), 1.0)
        return np.asarray(chance)

    def found(self, energy_gev: FloatArray) -> FloatArray:
        """Efficiency of wanted photons of these energies, lab. Shape of the energies.

        Examples
        --------
        >>> detector = Detector(photon_efficiency=((0.5, 0.9), (2.0, 0.96)))
        >>> detector.found(np.array([0.1, 1.0, 5.0])).round(6).tolist()
        [0.9, 0.93, 0.96]
        """
        energy = np.asarray(energy_gev, dtype=np.float64)
        if isinstance(self.photon_efficiency, tuple):
            places, values = np.array(self.photon_efficiency).T
            return np.asarray(np.interp(np.log(energy), np.log(places), values))
        return np.full(energy.shape, self.photon_efficiency)

    def at_calorimeter(self, lab: FloatArray, pdg_id: IndexArray) -> FloatArray:
        """Momenta in the direction of the shower: the field turns those of electrons.

        Shapes [particle, 4], [particle]. A track reaches the calorimeter at the azimuth of its
        direction, plus its charge times the arcsine of ``electron_bend_gev`` over its pT; one that
        curls up before is turned by a right angle, and is never selected.
        """
        bent = np.abs(pdg_id) == 11
        if not bent.any():
            return lab
        turned = lab.copy()
        p = lab[bent]
        sine = self.electron_bend_gev / np.maximum(np.hypot(p[:, 1], p[:, 2]), 1e-9)
        # In a field along z positive charges turn clockwise, electrons (11) the other way.
        angle = np.sign(pdg_id[bent]) * np.arcsin(np.minimum(sine, 1.0))
        turned[bent, 1] = np.cos(angle) * p[:, 1] - np.sin(angle) * p[:, 2]
        turned[bent, 2] = np.sin(angle) * p[:, 1] + np.cos(angle) * p[:, 2]
        return turned

    def in_ecl(self, theta_rad: FloatArray) -> BoolArray:
        """Whether a direction hits the calorimeter, gaps left out."""
        degrees = np.degrees(theta_rad)
        inside = np.zeros(degrees.shape, dtype=bool)
        for low, high in self.ecl_ranges_deg:
            inside |= (degrees > low) & (degrees < high)
        return inside

    def in_cdc(self, theta_rad: FloatArray) -> BoolArray:
        """Whether a direction is covered by tracking."""
        low, high = self.cdc_range_deg
        degrees = np.degrees(theta_rad)
        return np.asarray((degrees > low) & (degrees < high))

    def smear_photons(self, lab: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return measured photon momenta. Shape [photon, 4]."""
        energy = np.maximum(lab[:, 0], 1e-6)
        noise = rng.standard_normal((3, len(lab)))
        measured = energy * np.maximum(1.0 + self.energy_resolution(energy) * noise[0], 1e-3)
        fraction, mean = self.energy_tail
        if fraction > 0.0 and mean > 0.0:
            lost = rng.exponential(mean, len(lab)) * (rng.random(len(lab)) < fraction)
            measured = measured * np.maximum(1.0 - lost, 1e-3)
        angle = self.position_rad / np.sqrt(energy)
        theta = np.arccos(np.clip(lab[:, 3] / energy, -1.0, 1.0)) + angle * noise[1]
        sine = np.maximum(np.abs(np.sin(theta)), 1e-9)
        phi = np.arctan2(lab[:, 2], lab[:, 1]) + angle * noise[2] / sine
        return _from_polar(measured, theta, phi, mass=None)

    def smear_tracks(
        self, lab: FloatArray, mass_gev: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Return measured track momenta. Shape [track, 4]."""
        transverse = np.hypot(lab[:, 1], lab[:, 2])
        momentum = np.sqrt((lab[:, 1:] ** 2).sum(axis=1))
        beta = momentum / np.maximum(lab[:, 0], 1e-9)
        a, b = self.track_terms
        relative = self.track_smearing * np.hypot(a * transverse, b / np.maximum(beta, 0.05))
        noise = rng.standard_normal((3, len(lab)))
        new_transverse = transverse * np.maximum(1.0 + relative * noise[0], 1e-3)
        angle = self.track_smearing * self.track_angle_rad
        theta = np.arctan2(transverse, lab[:, 3]) + angle * noise[1]
        phi = np.arctan2(lab[:, 2], lab[:, 1]) + angle * noise[2]
        sine = np.maximum(np.sin(theta), 1e-6)
        return _from_polar(new_transverse / sine, theta, phi, mass=mass_gev)


#: Effects that came later: a detector without them has the key of the cache that it had.
_OFF: Mapping[str, object] = MappingProxyType(
    {
        "energy_tail": (0.0, 0.0),
        "track_loss": 0.0,
        "electron_bend_gev": 0.281,
        "extra_energy_efficiency": 1.0,
        "klm_range_deg": (18.0, 155.0),
        "klm_inefficiency": 1.0,
    }
)
_NOT_NEGATIVE = (
    "position_rad",
    "merging_rad",
    "electron_bend_gev",
    "track_angle_rad",
    "track_smearing",
)


def _in_logarithms(
    rows: float | tuple[tuple[float, float], ...], energy_gev: FloatArray
) -> FloatArray:
    """A fraction at each energy: one number, or a table whose logarithms are linear."""
    energy = np.asarray(energy_gev, dtype=np.float64)
    if not isinstance(rows, tuple):
        return np.full(energy.shape, rows)
    places, fractions = np.log(np.array(rows)).T
    return np.asarray(np.exp(np.interp(np.log(energy), places, fractions)))


def _check_fractions(name: str, rows: float | tuple[tuple[float, float], ...]) -> None:
    """Check a fraction, or a table of fractions by energy.

    Raises
    ------
    OptionError
        A fraction is outside [0, 1], or energies of a table do not rise.
    """
    if not isinstance(rows, tuple):
        if not 0.0 <= rows <= 1.0:
            raise OptionError(f"detector: {name} = {rows} lies outside [0, 1]")
        return
    written: tuple[object, ...] = rows
    if not rows or not all(isinstance(row, tuple) and len(row) == 2 for row in written):
        raise OptionError(
            f"detector: {name} is a number, or rows of energy in GeV and fraction: "
            "[[0.15, 0.01], [1.0, 0.0003]]"
        )
    energies, fractions = zip(*rows, strict=True)
    if not all(0.0 < fraction <= 1.0 for fraction in fractions):
        raise OptionError(f"detector: a fraction of {name} lies outside (0, 1]")
    if energies[0] <= 0.0 or any(a >= b for a, b in pairwise(energies)):
        raise OptionError(f"detector: energies of {name} do not rise from above 0 GeV")


def _from_polar(
    momentum: FloatArray, theta: FloatArray, phi: FloatArray, *, mass: FloatArray | None
) -> FloatArray:
    energy = momentum if mass is None else np.hypot(momentum, mass)
    sine = np.sin(theta)
    return np.stack(
        [
            energy,
            momentum * sine * np.cos(phi),
            momentum * sine * np.sin(phi),
            momentum * np.cos(theta),
        ],
        axis=-1,
    )


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value
