"""Events with one photon and nothing else that is seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.simulation.candidates import Candidates
from darkstats.simulation.kinematics import CM_ENERGY_GEV, to_cm, to_lab

if TYPE_CHECKING:
    from darkstats.simulation.detector import Detector
    from darkstats.simulation.events import EventBlock

__all__ = ["SINGLE_PHOTON_COLUMNS", "SinglePhotonSelection"]

SINGLE_PHOTON_COLUMNS = (
    "recoil_mass_squared_gev2",
    "photon_energy_cm_gev",
    "photon_theta_cm_rad",
    "photon_theta_lab_rad",
)
_CHARGED = (11, 13, 211, 321, 2212)
_LEAST_TRACK_GEV = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonSelection:
    """One photon, no track, and no further shower that is seen.

    Parameters
    ----------
    min_energy_gev, theta_range_deg
        Energy and polar angles of the photon, laboratory.

    Notes
    -----
    An event has a row for each photon in the acceptance: that one is seen, and all other showers
    are not (:meth:`~darkstats.simulation.detector.Detector.unseen`), in the calorimeter or beyond,
    which enters as a weight. Columns: ``s - 2 sqrt(s) E*`` of the photon, its energy and polar
    angle in the c.m. frame, and its polar angle in the laboratory.
    """

    min_energy_gev: float = 1.0
    theta_range_deg: tuple[float, float] = (37.3, 123.7)

    @property
    def column_names(self) -> tuple[str, ...]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return SINGLE_PHOTON_COLUMNS

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return {"kind": "single_photon", "version": 1, **asdict(self)}

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        lab = to_lab(block.momentum)
        size = np.linalg.norm(lab[:, 1:], axis=1)
        theta = np.arctan2(np.hypot(lab[:, 1], lab[:, 2]), lab[:, 3])
        kind = np.abs(block.pdg_id)
        tracked = np.isin(kind, _CHARGED) & detector.in_cdc(theta) & (size > _LEAST_TRACK_GEV)
        quiet = np.ones(block.n_events, dtype=bool)
        quiet[block.event[tracked]] = False
        showering = (kind == 22) | ((kind == 11) & ~tracked)
        chance = np.ones(len(kind))
        chance[showering] = detector.unseen(lab[showering, 0], theta[showering])
        low, high = np.radians(self.theta_range_deg)
        seen = np.flatnonzero(
            (kind == 22)
            & quiet[block.event]
            & detector.in_ecl(theta)
            & (theta > low)
            & (theta < high)
            & (lab[:, 0] > self.min_energy_gev)
        )
        others = np.ones(len(seen))
        for step in _steps(block):  # neighbours in the list of particles that are of one event
            place = seen + step
            inside = (place >= 0) & (place < len(kind))
            place = np.clip(place, 0, len(kind) - 1)
            same = inside & (block.event[place] == block.event[seen])
            others *= np.where(same, chance[place], 1.0)
        weight = block.weight_pb[block.event[seen]] * others * detector.found(lab[seen, 0])
        weight *= detector.trigger_efficiency * detector.extra_energy_efficiency
        found = to_cm(detector.smear_photons(lab[seen], rng))
        measured = to_lab(found)
        columns = {
            "recoil_mass_squared_gev2": CM_ENERGY_GEV * (CM_ENERGY_GEV - 2.0 * found[:, 0]),
            "photon_energy_cm_gev": found[:, 0],
            "photon_theta_cm_rad": np.arctan2(np.hypot(found[:, 1], found[:, 2]), found[:, 3]),
            "photon_theta_lab_rad": np.arctan2(
                np.hypot(measured[:, 1], measured[:, 2]), measured[:, 3]
            ),
        }
        keep = weight > 0.0
        return Candidates(
            columns=MappingProxyType({name: values[keep] for name, values in columns.items()}),
            weight_pb=weight[keep],
            n_generated=block.n_events,
            sum_weight_pb=float(block.weight_pb.sum()),
            sum_weight_squared_pb2=float((block.weight_pb**2).sum()),
        )


def _steps(block: EventBlock) -> tuple[int, ...]:
    """Distances in the list of particles between two of one event."""
    most = int(np.bincount(block.event).max()) if len(block.event) else 1
    return tuple(step for step in range(1 - most, most) if step)
