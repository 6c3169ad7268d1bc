"""Selection of a photon, two electrons from a displaced vertex, and missing energy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.simulation.candidates import Candidates
from darkstats.simulation.inelastic_dark_matter import LONG_LIVED_ID
from darkstats.simulation.kinematics import M_E, invariant_mass_squared, to_cm, to_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import FloatArray
    from darkstats.simulation.detector import Detector
    from darkstats.simulation.events import EventBlock

__all__ = ["BOOST_COLUMNS", "DISPLACED_COLUMNS", "DisplacedPairSelection"]

#: Momentum over mass of what decays, laboratory, true: transverse to and along the electron beam.
BOOST_COLUMNS = ("boost_transverse", "boost_along")
DISPLACED_COLUMNS = (
    "photon_energy_gev",
    "photon_energy_cm_gev",
    "photon_theta_lab_rad",
    "p_min_gev",
    "theta_lab_min_rad",
    "theta_lab_max_rad",
    "opening_rad",
    "m_ee_gev",
    *BOOST_COLUMNS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplacedPairSelection:
    """A photon in the calorimeter and an electron pair in the tracker, one row an event.

    Parameters
    ----------
    min_photon_energy_gev, min_momentum_gev
        Loosest thresholds, laboratory.

    Notes
    -----
    The pair is measured as one from the collision point is; what a displaced vertex changes is the
    efficiency of a card, and where decays are seen are its volumes. Columns: energy of the photon,
    laboratory and centre of mass, and its polar angle; smaller momentum of the pair, smaller and
    larger polar angle; opening angle and mass of the pair; and the true ``p_T / m`` and ``p_z / m``
    of the particle that decays, laboratory.
    """

    min_photon_energy_gev: float = 0.3
    min_momentum_gev: float = 0.05

    @property
    def column_names(self) -> tuple[str, ...]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return DISPLACED_COLUMNS

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return {"kind": "displaced_pair", "version": 1, **asdict(self)}

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        lab = to_lab(block.momentum)
        by_id = {n: np.flatnonzero(block.pdg_id == n) for n in (22, 11, -11, LONG_LIVED_ID)}
        event = block.event[by_id[LONG_LIVED_ID]]
        photon, minus, plus, mother = (
            lab[by_id[n][np.isin(block.event[by_id[n]], event)]] for n in by_id
        )
        theta = {key: _theta(p) for key, p in (("y", photon), ("m", minus), ("p", plus))}
        good = detector.in_ecl(theta["y"]) & detector.in_cdc(theta["m"])
        good &= detector.in_cdc(theta["p"])
        photon, minus, plus, mother = (p[good] for p in (photon, minus, plus, mother))
        weight = block.weight_pb[event[good]] * detector.found(np.maximum(photon[:, 0], 1e-6))
        weight = weight * detector.lepton_efficiency**2 * detector.trigger_efficiency
        seen = detector.smear_photons(photon, rng)
        mass = np.full(len(minus), M_E)
        one, two = (detector.smear_tracks(p, mass, rng) for p in (minus, plus))
        columns = _columns(seen, one, two, mother)
        keep = (columns["photon_energy_gev"] > self.min_photon_energy_gev) & (weight > 0.0)
        keep &= columns["p_min_gev"] > self.min_momentum_gev
        return Candidates(
            columns=MappingProxyType({name: column[keep] for name, column in columns.items()}),
            weight_pb=weight[keep],
            n_generated=block.n_events,
            sum_weight_pb=float(block.weight_pb.sum()),
            sum_weight_squared_pb2=float((block.weight_pb**2).sum()),
        )


def _theta(p: FloatArray) -> FloatArray:
    return np.asarray(np.arctan2(np.hypot(p[:, 1], p[:, 2]), p[:, 3]))


def _columns(
    photon: FloatArray, one: FloatArray, two: FloatArray, mother: FloatArray
) -> Mapping[str, FloatArray]:
    sizes = np.stack([np.linalg.norm(p[:, 1:], axis=1) for p in (one, two)])
    angles = np.stack([_theta(one), _theta(two)])
    cosine = (one[:, 1:] * two[:, 1:]).sum(axis=1) / np.maximum(sizes.prod(axis=0), 1e-12)
    mass = np.sqrt(invariant_mass_squared(mother))
    return {
        "photon_energy_gev": photon[:, 0],
        "photon_energy_cm_gev": to_cm(photon)[:, 0],
        "photon_theta_lab_rad": _theta(photon),
        "p_min_gev": sizes.min(axis=0),
        "theta_lab_min_rad": angles.min(axis=0),
        "theta_lab_max_rad": angles.max(axis=0),
        "opening_rad": np.arccos(np.clip(cosine, -1.0, 1.0)),
        "m_ee_gev": np.sqrt(np.maximum(invariant_mass_squared(one + two), 0.0)),
        "boost_transverse": np.hypot(mother[:, 1], mother[:, 2]) / mass,
        "boost_along": mother[:, 3] / mass,
    }
