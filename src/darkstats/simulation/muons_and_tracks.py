"""Events with four tracks of no charge in all, two of which are taken for muons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import OptionError
from darkstats.signals.constants import BEAM_ENERGIES_GEV
from darkstats.signals.hadronic_ratio import M_PION_GEV
from darkstats.simulation.candidates import Candidates
from darkstats.simulation.kinematics import (
    M_MU,
    invariant_mass_squared,
    to_cm,
    to_lab,
)

if TYPE_CHECKING:
    from darkstats.arrays import FloatArray, IndexArray
    from darkstats.simulation.detector import Detector
    from darkstats.simulation.events import EventBlock

__all__ = ["MUONS_AND_TRACKS_COLUMNS", "MuonsAndTracksSelection"]

MUONS_AND_TRACKS_COLUMNS = (
    "recoil_mass_squared_gev2",
    "recoil_theta_cm_rad",
    "m_mumu_gev",
    "four_track_mass_gev",
    "least_three_track_mass_gev",
    "track_pair_mass_gev",
    "missing_mass_squared_gev2",
    "missing_pt_gev",
    "recoil_pt_lmax_gev",
    "recoil_pt_lmin_gev",
)
_CHARGED = (11, 13, 211, 321, 2212)


@dataclass(frozen=True, slots=True, kw_only=True)
class MuonsAndTracksSelection:
    """Two muons and two further tracks.

    Parameters
    ----------
    min_momentum_gev, theta_range_deg
        Of both muons, laboratory.
    min_track_pt_gev
        Least transverse momentum of a track; tracks below do not count.
    pion_misidentification
        Chance that a pion or a kaon is taken for a muon, relative to the efficiency for a muon.

    Raises
    ------
    OptionError
        A chance that is none.

    Notes
    -----
    An event has a row for each pair of opposite charge that may be the muons; the further two are
    of any kind and count as pions, and photons are not looked at. Columns: squared recoil mass
    against the muons and the polar angle of the recoil; masses of the muons, of all four tracks,
    of the lightest three, and of the further two; what is missing of the beams, squared mass and
    transverse momentum, c.m. frame; and the momentum of the recoil transverse to the faster and the
    slower muon, there.
    """

    min_momentum_gev: float = 0.7
    theta_range_deg: tuple[float, float] = (25.0, 150.0)
    min_track_pt_gev: float = 0.1
    pion_misidentification: float = 0.0

    def __post_init__(self) -> None:
        """See :class:`MuonsAndTracksSelection`."""
        if not 0.0 <= self.pion_misidentification <= 1.0:
            raise OptionError(
                f"pion_misidentification = {self.pion_misidentification} lies outside [0, 1]"
            )

    @property
    def column_names(self) -> tuple[str, ...]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return MUONS_AND_TRACKS_COLUMNS

    def settings(self) -> dict[str, object]:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        return {"kind": "muons_and_tracks", "version": 1, **asdict(self)}

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """See :class:`~darkstats.simulation.selection.Selection`."""
        lab = to_lab(block.momentum)
        theta = np.arctan2(np.hypot(lab[:, 1], lab[:, 2]), lab[:, 3])
        kind = np.abs(block.pdg_id)
        tracked = np.isin(kind, _CHARGED) & detector.in_cdc(theta)
        tracked &= np.hypot(lab[:, 1], lab[:, 2]) > self.min_track_pt_gev
        charge = np.sign(block.pdg_id) * np.where(np.isin(kind, (11, 13)), -1, 1)
        plus, minus = (_pairs(block, tracked & (charge == sign)) for sign in (1, -1))
        event = np.flatnonzero((plus[:, 0] >= 0) & (minus[:, 0] >= 0))
        index = np.concatenate([plus[event], minus[event]], axis=1)  # [event, 4]
        flat = index.ravel()
        mass = np.where(kind[flat] == 13, M_MU, M_PION_GEV)
        measured = detector.smear_tracks(lab[flat], mass, rng).reshape(-1, 4, 4)
        size = np.linalg.norm(lab[:, 1:], axis=1)
        low, high = np.radians(self.theta_range_deg)
        hadron = np.isin(kind, (211, 321))
        chance = np.select([kind == 13, hadron], [1.0, self.pion_misidentification], 0.0)
        chance *= (theta > low) & (theta < high) & (size > self.min_momentum_gev)
        chance *= detector.lepton_efficiency
        weights: list[FloatArray] = []
        rows: list[dict[str, FloatArray]] = []
        usual = block.weight_pb[event] * detector.trigger_efficiency
        for one in (0, 1):
            for two in (2, 3):
                weight = usual * chance[index[:, one]] * chance[index[:, two]]
                kept = weight > 0.0
                weights.append(weight[kept])
                rest = (1 - one, 5 - two)
                rows.append(_columns(*(measured[kept, k] for k in (one, two, *rest))))
        return Candidates(
            columns=MappingProxyType(
                {
                    name: np.concatenate([row[name] for row in rows])
                    for name in MUONS_AND_TRACKS_COLUMNS
                }
            ),
            weight_pb=np.concatenate(weights),
            n_generated=block.n_events,
            sum_weight_pb=float(block.weight_pb.sum()),
            sum_weight_squared_pb2=float((block.weight_pb**2).sum()),
        )


def _pairs(block: EventBlock, chosen: FloatArray) -> IndexArray:
    """Places of two particles of each event; -1 where there are not two. Shape [event, 2]."""
    place = np.flatnonzero(chosen)
    event = block.event[place]
    two = np.bincount(event, minlength=block.n_events) == 2
    place = place[two[event]]
    found = np.full((block.n_events, 2), -1, dtype=np.int64)
    found[block.event[place[::2]]] = place.reshape(-1, 2)
    return found


def _of_mass(p: FloatArray, mass_gev: float) -> FloatArray:
    """The same momenta with the energies of a mass."""
    changed = p.copy()
    changed[:, 0] = np.sqrt((p[:, 1:] ** 2).sum(axis=1) + mass_gev**2)
    return changed


def _columns(
    plus: FloatArray, minus: FloatArray, one: FloatArray, two: FloatArray
) -> dict[str, FloatArray]:
    """Columns of muons of either charge and of two tracks, laboratory."""
    low, high = BEAM_ENERGIES_GEV
    beams = np.array([low + high, 0.0, 0.0, low - high])
    plus, minus = _of_mass(plus, M_MU), _of_mass(minus, M_MU)
    one, two = _of_mass(one, M_PION_GEV), _of_mass(two, M_PION_GEV)
    recoil, everything = beams - plus - minus, plus + minus + one + two
    missing = to_cm(beams - everything)
    recoil_cm = to_cm(recoil)
    muons = np.stack([to_cm(plus), to_cm(minus)])
    sizes = np.linalg.norm(muons[..., 1:], axis=2)
    across = np.linalg.norm(np.cross(recoil_cm[None, :, 1:], muons[..., 1:]), axis=2) / sizes
    faster = sizes[0] >= sizes[1]
    threes = [_mass(everything - left) for left in (plus, minus, one, two)]
    return {
        "recoil_mass_squared_gev2": invariant_mass_squared(recoil),
        "recoil_theta_cm_rad": np.arctan2(
            np.hypot(recoil_cm[:, 1], recoil_cm[:, 2]), recoil_cm[:, 3]
        ),
        "m_mumu_gev": _mass(plus + minus),
        "four_track_mass_gev": _mass(everything),
        "least_three_track_mass_gev": np.min(threes, axis=0),
        "track_pair_mass_gev": _mass(one + two),
        "missing_mass_squared_gev2": invariant_mass_squared(missing),
        "missing_pt_gev": np.hypot(missing[:, 1], missing[:, 2]),
        "recoil_pt_lmax_gev": np.where(faster, across[0], across[1]),
        "recoil_pt_lmin_gev": np.where(faster, across[1], across[0]),
    }


def _mass(p: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.maximum(invariant_mass_squared(p), 0.0)))
