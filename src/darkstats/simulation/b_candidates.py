"""Selection of B -> K X and B -> K* X candidates: prompt tracks, and two particles of X."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.simulation.b_to_kaon import LONG_LIVED_ID, M_PION_GEV
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.displaced_pairs import BOOST_COLUMNS
from darkstats.simulation.kinematics import (
    CM_ENERGY_GEV,
    M_E,
    M_MU,
    invariant_mass_squared,
    to_cm,
    to_lab,
)

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray
    from darkstats.simulation.detector import Detector
    from darkstats.simulation.events import EventBlock

__all__ = ["B_COLUMNS", "SLOPE", "BCandidateSelection"]

#: Relative loss of the measured mass for each mm of flight, of photons taken from the beams.
SLOPE = "mass_slope_imm"
B_COLUMNS = (
    "m_bc_gev",
    "delta_e_gev",
    "m_x_gev",
    "m_x_constrained_gev",
    "m_pipi_gev",
    "m_prompt_gev",
    "p_min_gev",
    "theta_lab_min_rad",
    "theta_lab_max_rad",
    "opening_rad",
    SLOPE,
    *BOOST_COLUMNS,
)
_MASSES_GEV = {11: M_E, 13: M_MU, 211: M_PION_GEV, 321: 0.493677, 22: 0.0}
# The calorimeter as a cylinder about the collision point: radius, ends along the electron beam, mm.
_ECL_RADIUS_MM, _ECL_ENDS_MM = 1250.0, (-1020.0, 1960.0)
_STEP_MM = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BCandidateSelection:
    """One candidate an event: a kaon, or kaon and pion, and the two particles of X.

    Parameters
    ----------
    min_momentum_gev
        Of every track, laboratory.
    min_photon_energy_gev
        Of every photon, laboratory.

    Notes
    -----
    Particles of X are measured as those from the collision point are. What a displaced vertex
    changes is a matter of a card: its volumes and efficiencies. Photons, which tell no vertex, are
    taken from the collision point, so that the measured mass falls with the flight: the column
    ``mass_slope_imm`` says how fast, 0 for tracks.

    Columns: beam-constrained mass and energy difference of the B; measured mass of X, as it is and
    scaled to the energy that the kaon leaves to X (one constraint); mass of the pair as pions; mass
    of what is prompt; smallest momentum or energy of the pair, smallest and largest polar angle and
    opening angle of it; and the true ``p_T / m`` and ``p_z / m`` of X, laboratory.
    """

    min_momentum_gev: float = 0.1
    min_photon_energy_gev: float = 0.05

    @property
    def column_names(self) -> tuple[str, ...]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return B_COLUMNS

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return {"kind": "b_candidate", "version": 1, **asdict(self)}

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """See :class:`~darkstats.simulation.selection.Selection`.

        Raises
        ------
        OptionError
            The events are none of the process ``b_to_kaon``.
        """
        n = block.n_events
        size = len(block.pdg_id) // max(n, 1)
        ids = block.pdg_id[:size]
        if size < 4 or ids[-1] != LONG_LIVED_ID or not (block.pdg_id == np.tile(ids, n)).all():
            raise OptionError("the selection b_candidate is for events of the process b_to_kaon")
        lab = to_lab(block.momentum).reshape(n, size, 4)
        measured, weight = [], block.weight_pb * detector.trigger_efficiency
        for k, pdg in enumerate(np.abs(ids[:-1]).tolist()):
            found, kept = self._particle(lab[:, k], pdg, detector, rng)
            measured.append(found)
            weight = weight * kept
        if ids[-2] == 22:
            weight = weight * (_opening(lab[:, -3], lab[:, -2]) > detector.merging_rad)
        good = weight > 0.0
        columns = _columns([p[good] for p in measured], lab[good], is_photon=bool(ids[-2] == 22))
        return Candidates(
            columns=MappingProxyType(columns),
            weight_pb=weight[good],
            n_generated=n,
            sum_weight_pb=float(block.weight_pb.sum()),
            sum_weight_squared_pb2=float((block.weight_pb**2).sum()),
        )

    def _particle(
        self, lab: FloatArray, pdg: int, detector: Detector, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Measured momenta of one particle of all events, and its efficiency; 0 where unseen."""
        theta = _theta(lab)
        if pdg == 22:
            found = detector.smear_photons(lab, rng)
            seen = detector.in_ecl(theta) & (found[:, 0] > self.min_photon_energy_gev)
            return found, seen * detector.found(np.maximum(lab[:, 0], 1e-6))
        found = detector.smear_tracks(lab, np.full(len(lab), _MASSES_GEV[pdg]), rng)
        size = np.linalg.norm(found[:, 1:], axis=1)
        seen = detector.in_cdc(theta) & (size > self.min_momentum_gev)
        return found, seen * detector.lepton_efficiency


def _theta(p: FloatArray) -> FloatArray:
    return np.asarray(np.arctan2(np.hypot(p[..., 1], p[..., 2]), p[..., 3]))


def _mass(p: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(invariant_mass_squared(p), 0.0))


def _opening(one: FloatArray, two: FloatArray) -> FloatArray:
    sizes = np.linalg.norm(one[:, 1:], axis=1) * np.linalg.norm(two[:, 1:], axis=1)
    cosine = (one[:, 1:] * two[:, 1:]).sum(axis=1) / np.maximum(sizes, 1e-12)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _as_pion(p: FloatArray) -> FloatArray:
    energy = np.hypot(np.linalg.norm(p[:, 1:], axis=1), M_PION_GEV)
    return np.concatenate([energy[:, None], p[:, 1:]], axis=1)


def _columns(
    measured: list[FloatArray], lab: FloatArray, *, is_photon: bool
) -> dict[str, FloatArray]:
    one, two = measured[-2:]
    pair, prompt = one + two, np.sum(measured[:-2], axis=0)
    b_cm, pair_cm, prompt_cm = (to_cm(p) for p in (pair + prompt, pair, prompt))
    beam = 0.5 * CM_ENERGY_GEV
    mass, theta = _mass(pair), np.stack([_theta(one), _theta(two)])
    true = _mass(lab[:, -1])
    return {
        "m_bc_gev": np.sqrt(np.maximum(beam**2 - (b_cm[:, 1:] ** 2).sum(axis=1), 0.0)),
        "delta_e_gev": b_cm[:, 0] - beam,
        "m_x_gev": mass,
        "m_x_constrained_gev": mass * (beam - prompt_cm[:, 0]) / np.maximum(pair_cm[:, 0], 1e-9),
        "m_pipi_gev": _mass(_as_pion(one) + _as_pion(two)),
        "m_prompt_gev": _mass(prompt),
        "p_min_gev": np.stack([np.linalg.norm(p[:, 1:], axis=1) for p in (one, two)]).min(axis=0),
        "theta_lab_min_rad": theta.min(axis=0),
        "theta_lab_max_rad": theta.max(axis=0),
        "opening_rad": _opening(one, two),
        SLOPE: _slope_imm(lab) if is_photon else np.zeros(len(lab)),
        "boost_transverse": np.hypot(lab[:, -1, 1], lab[:, -1, 2]) / true,
        "boost_along": lab[:, -1, 3] / true,
    }


def _slope_imm(lab: FloatArray) -> FloatArray:
    """Relative loss of mass over a short flight: showers stay, their directions are wrong.

    Shape [event, particle, 4] -> [event]. To first order the mass is ``M (1 - slope d)``.
    """
    flight = lab[:, -1, 1:] / np.linalg.norm(lab[:, -1, 1:], axis=1)[:, None]
    taken = []
    for photon in (lab[:, -3], lab[:, -2]):
        direction = photon[:, 1:] / photon[:, :1]
        shower = _at_calorimeter_mm(_STEP_MM * flight, direction)
        taken.append(shower / np.linalg.norm(shower, axis=1)[:, None])
    true = (lab[:, -3, 1:] * lab[:, -2, 1:]).sum(axis=1) / (lab[:, -3, 0] * lab[:, -2, 0])
    wrong = (taken[0] * taken[1]).sum(axis=1)
    ratio = np.sqrt(np.maximum(1.0 - wrong, 0.0) / np.maximum(1.0 - true, 1e-15))
    return np.asarray((1.0 - ratio) / _STEP_MM)


def _at_calorimeter_mm(start_mm: FloatArray, direction: FloatArray) -> FloatArray:
    """Where a straight line from within leaves the cylinder. Shapes [n, 3] -> [n, 3]."""
    across = (direction[:, :2] ** 2).sum(axis=1)
    half = (start_mm[:, :2] * direction[:, :2]).sum(axis=1)
    rest = (start_mm[:, :2] ** 2).sum(axis=1) - _ECL_RADIUS_MM**2
    side = (-half + np.sqrt(half**2 - across * rest)) / np.maximum(across, 1e-15)
    end = np.where(direction[:, 2] < 0.0, *_ECL_ENDS_MM) - start_mm[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.where(direction[:, 2] == 0.0, np.inf, end / direction[:, 2])
    return np.asarray(start_mm + np.minimum(side, along)[:, None] * direction)
