"""From generated events to candidates: acceptance, resolution, vetoes, and what is measured.

Selections here are loose; a card cuts on the columns that they leave.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from darkstats.simulation.candidates import Candidates
from darkstats.simulation.kinematics import (
    CM_ENERGY_GEV,
    M_E,
    M_MU,
    invariant_mass_squared,
    to_cm,
    to_lab,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.arrays import BoolArray, FloatArray
    from darkstats.simulation.detector import Detector
    from darkstats.simulation.events import EventBlock

__all__ = [
    "DILEPTON_COLUMNS",
    "HELICITY",
    "PHOTON_COLUMNS",
    "DileptonRecoilSelection",
    "Selection",
    "ThreePhotonSelection",
]

PHOTON_COLUMNS = (
    "mgg_squared_gev2",
    "recoil_mass_squared_gev2",
    "total_mass_gev",
    "min_energy_gev",
    "min_theta_lab_rad",
    "max_theta_lab_rad",
    "truth",
)
DILEPTON_COLUMNS = (
    "m_ll_gev",
    "recoil_mass_squared_gev2",
    "recoil_theta_lab_rad",
    "recoil_theta_cm_rad",
    "recoil_pt_gev",
    "recoil_pt_lmax_gev",
    "recoil_pt_lmin_gev",
    "opening_transverse_rad",
    "p_min_gev",
    "theta_lab_min_rad",
    "theta_lab_max_rad",
)
#: Column of the dilepton candidates that a card asks for.
HELICITY = "helicity_sine"


class Selection(Protocol):
    """A selection; a frozen value that can be pickled."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns of its candidates."""

    def settings(self) -> Mapping[str, object]:
        """All that the candidates depend on, for the key of the cache."""

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """Return the candidates of a block."""


def _candidates(
    block: EventBlock, columns: Mapping[str, FloatArray], weight: FloatArray
) -> Candidates:
    return Candidates(
        columns=MappingProxyType(dict(columns)),
        weight_pb=weight,
        n_generated=block.n_events,
        sum_weight_pb=float(block.weight_pb.sum()),
        sum_weight_squared_pb2=float((block.weight_pb**2).sum()),
    )


def _theta(p: FloatArray) -> FloatArray:
    return np.asarray(np.arctan2(np.hypot(p[..., 1], p[..., 2]), p[..., 3]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreePhotonSelection:
    """Three photons and nothing else, three rows an event: one per pair of photons.

    Parameters
    ----------
    min_energy_gev, theta_range_deg
        Loosest threshold and polar angles (lab) of each photon.
    total_mass_range
        Loosest range of the three-photon mass over the c.m. energy.
    conversion_rad
        Differences in polar angle and azimuth, rad: an event with a pair of photons closer than
        both is rejected, as photons that convert behind the tracker look so. (0, 0): no such cut.

    Notes
    -----
    An electron is taken for a photon with the ``track_loss`` of the detector, in the direction of
    its shower.

    Columns: squared mass of the pair; squared mass that recoils against the third photon,
    ``s - 2 sqrt(s) E*``; three-photon mass; lowest photon energy; smallest and largest polar
    angle; ``truth`` is 1 where the third photon is the first generated one (the recoil photon of
    a signal), 0 otherwise.
    """

    min_energy_gev: float = 0.65
    theta_range_deg: tuple[float, float] = (37.3, 123.7)
    total_mass_range: tuple[float, float] = (0.85, 1.06)
    conversion_rad: tuple[float, float] = (0.0, 0.0)

    @property
    def column_names(self) -> tuple[str, ...]:
        """See :class:`Selection`."""
        return PHOTON_COLUMNS

    def settings(self) -> dict[str, object]:
        """See :class:`Selection`."""
        found = {"kind": "three_photons", "version": 1, **asdict(self)}
        if self.conversion_rad == (0.0, 0.0):  # events without the cut stay what they were
            del found["conversion_rad"]
        return found

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """See :class:`Selection`. All particles of the block are photons or electrons."""
        index = block.event[::3]
        lab = detector.at_calorimeter(to_lab(block.momentum), block.pdg_id)
        measured = detector.smear_photons(lab, rng).reshape(-1, 3, 4)
        theta = _theta(measured)
        low, high = np.radians(self.theta_range_deg)
        good: BoolArray = (
            (measured[..., 0] > self.min_energy_gev) & (theta > low) & (theta < high)
        ).all(axis=1)
        directions = lab.reshape(-1, 3, 4)[..., 1:]
        directions = directions / np.maximum(np.linalg.norm(directions, axis=2), 1e-12)[..., None]
        for a, b in ((0, 1), (0, 2), (1, 2)):
            cosine = (directions[:, a] * directions[:, b]).sum(axis=1)
            good &= cosine < np.cos(detector.merging_rad)
        good &= ~self._converted(measured, theta)
        total = np.sqrt(np.maximum(invariant_mass_squared(measured.sum(axis=1)), 0.0))
        fraction = total / CM_ENERGY_GEV
        good &= (fraction > self.total_mass_range[0]) & (fraction < self.total_mass_range[1])
        measured, theta, total = measured[good], theta[good], total[good]
        energy_cm = to_cm(measured)[..., 0]
        # Row k of an event leaves photon k out of the pair.
        pairs = measured.sum(axis=1)[:, None, :] - measured
        each = detector.found(np.maximum(lab[:, 0], 1e-6))
        if (electron := np.abs(block.pdg_id) == 11).any():
            each = each * np.where(electron, detector.track_loss, 1.0)
        weight = block.weight_pb[index[good]]
        weight = weight * (each.reshape(-1, 3).prod(axis=1)[good] * detector.trigger_efficiency)
        truth = np.zeros(energy_cm.shape)
        truth[:, 0] = 1.0
        columns = {
            "mgg_squared_gev2": invariant_mass_squared(pairs),
            "recoil_mass_squared_gev2": CM_ENERGY_GEV**2 - 2.0 * CM_ENERGY_GEV * energy_cm,
            "total_mass_gev": np.repeat(total[:, None], 3, axis=1),
            "min_energy_gev": np.repeat(measured[..., 0].min(axis=1)[:, None], 3, axis=1),
            "min_theta_lab_rad": np.repeat(theta.min(axis=1)[:, None], 3, axis=1),
            "max_theta_lab_rad": np.repeat(theta.max(axis=1)[:, None], 3, axis=1),
            "truth": truth,
        }
        return _candidates(
            block, {name: column.ravel() for name, column in columns.items()}, np.repeat(weight, 3)
        )

    def _converted(self, measured: FloatArray, theta: FloatArray) -> BoolArray:
        """Events with a pair that looks like a conversion. Shapes [event, 3, 4], [event, 3]."""
        most_theta, most_phi = self.conversion_rad
        found = np.zeros(len(measured), dtype=bool)
        if most_theta == 0.0:
            return found
        phi = np.arctan2(measured[..., 2], measured[..., 1])
        for a, b in ((0, 1), (0, 2), (1, 2)):
            apart = np.abs(np.remainder(phi[:, a] - phi[:, b] + np.pi, 2.0 * np.pi) - np.pi)
            found |= (np.abs(theta[:, a] - theta[:, b]) < most_theta) & (apart < most_phi)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DileptonRecoilSelection:
    """Two oppositely charged leptons and nothing else, one row an event.

    Parameters
    ----------
    flavours
        ``"mumu"`` or ``"emu"``.
    min_momentum_gev, theta_range_deg
        Momentum (lab) and polar angles of both leptons.
    max_recoil_mass_squared_gev2
        Upper edge of what is kept.
    helicity
        Whether the column ``helicity_sine`` is measured, too.

    Notes
    -----
    Photons, and electrons beside the tracker, above threshold in the calorimeter veto an event,
    and so do further charged particles in the tracker; each shower is missed with the
    detector's veto inefficiency at its energy (and that of the K_L and muon detector, where one is
    given), which enters as a weight. Columns: dilepton
    mass; squared recoil mass; polar angle of the recoil momentum in lab and c.m. frame; recoil
    momentum transverse to the beam, to the faster and to the slower lepton in the c.m. frame;
    opening angle of the leptons transverse to the beam; smaller momentum; smaller and larger
    polar angle; and, if asked for, the sine of the angle between the leptons and the line of
    flight of the pair, in the rest frame of the pair.
    """

    flavours: str = "mumu"
    min_momentum_gev: float = 0.7
    theta_range_deg: tuple[float, float] = (45.0, 125.0)
    max_recoil_mass_squared_gev2: float = 112.0
    helicity: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """See :class:`Selection`."""
        return (*DILEPTON_COLUMNS, HELICITY) if self.helicity else DILEPTON_COLUMNS

    def settings(self) -> dict[str, object]:
        """See :class:`Selection`."""
        found = {"kind": "dilepton_recoil", "version": 2, **asdict(self)}
        if not self.helicity:  # as before there was one: the same events
            del found["helicity"]
        return found

    def apply(self, block: EventBlock, detector: Detector, rng: np.random.Generator) -> Candidates:
        """See :class:`Selection`."""
        n = block.n_events
        kind = np.abs(block.pdg_id)
        lab = to_lab(block.momentum)
        theta = _theta(lab)
        momentum = np.linalg.norm(lab[:, 1:], axis=1)
        photon = kind == 22
        charged = np.isin(kind, (11, 13, 211, 321, 2212))
        tracked = charged & detector.in_cdc(theta) & (momentum > 0.05)
        shower = photon | ((kind == 11) & ~tracked)  # an electron beside the tracker showers, too
        missed = np.ones(n)
        chance = detector.unseen(lab[shower, 0], theta[shower])
        np.multiply.at(missed, block.event[shower], chance)
        n_tracks = np.bincount(block.event[tracked], minlength=n)
        first, second = (13, 13) if self.flavours == "mumu" else (11, 13)
        low, high = np.radians(self.theta_range_deg)
        lepton = tracked & (theta > low) & (theta < high) & (momentum > self.min_momentum_gev)
        positive = _only(block, lepton & (block.pdg_id < 0), n)
        negative = _only(block, lepton & (block.pdg_id > 0), n)
        event = np.flatnonzero((n_tracks == 2) & (positive >= 0) & (negative >= 0))
        plus, minus = positive[event], negative[event]
        kinds = np.sort(np.stack([kind[plus], kind[minus]]), axis=0)
        right = (kinds[0] == first) & (kinds[1] == second)
        event, plus, minus = event[right], plus[right], minus[right]
        masses = [np.where(kind[i] == 13, M_MU, M_E) for i in (plus, minus)]
        one = detector.smear_tracks(lab[plus], masses[0], rng)
        two = detector.smear_tracks(lab[minus], masses[1], rng)
        weight = (
            block.weight_pb[event]
            * missed[event]
            * (detector.lepton_efficiency**2 * detector.trigger_efficiency)
            * detector.extra_energy_efficiency
        )
        columns = _recoil_columns(one, two)
        if self.helicity:
            columns[HELICITY] = _helicity_sine(one, two)
        keep = columns["recoil_mass_squared_gev2"] < self.max_recoil_mass_squared_gev2
        keep &= weight > 0.0
        return _candidates(
            block, {name: column[keep] for name, column in columns.items()}, weight[keep]
        )


def _only(block: EventBlock, mask: BoolArray, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Index of the particle of each event that passes, -1 where there is none or more than one."""
    index = np.flatnonzero(mask)
    event = block.event[index]
    found = np.full(n, -1, dtype=np.int64)
    found[event] = index
    found[np.bincount(event, minlength=n) != 1] = -1
    return found


def _recoil_columns(one: FloatArray, two: FloatArray) -> dict[str, FloatArray]:
    beams = np.array([11.0, 0.0, 0.0, 3.0])
    pair = one + two
    recoil = beams - pair
    recoil_cm = to_cm(recoil)
    leptons = np.stack([to_cm(one), to_cm(two)])
    size = np.linalg.norm(leptons[..., 1:], axis=2)
    faster = size[0] >= size[1]
    directions = leptons[..., 1:] / np.maximum(size, 1e-12)[..., None]
    across = np.linalg.norm(np.cross(recoil_cm[None, :, 1:], directions), axis=2)
    transverse = [
        p[:, 1:3] / np.maximum(np.linalg.norm(p[:, 1:3], axis=1), 1e-12)[:, None]
        for p in (one, two)
    ]
    opening = np.arccos(np.clip((transverse[0] * transverse[1]).sum(axis=1), -1.0, 1.0))
    momenta = np.stack([np.linalg.norm(p[:, 1:], axis=1) for p in (one, two)])
    theta = np.stack([_theta(one), _theta(two)])
    return {
        "m_ll_gev": np.sqrt(np.maximum(invariant_mass_squared(pair), 0.0)),
        "recoil_mass_squared_gev2": invariant_mass_squared(recoil),
        "recoil_theta_lab_rad": _theta(recoil),
        "recoil_theta_cm_rad": _theta(recoil_cm),
        "recoil_pt_gev": np.hypot(recoil_cm[:, 1], recoil_cm[:, 2]),
        "recoil_pt_lmax_gev": np.where(faster, across[0], across[1]),
        "recoil_pt_lmin_gev": np.where(faster, across[1], across[0]),
        "opening_transverse_rad": opening,
        "p_min_gev": momenta.min(axis=0),
        "theta_lab_min_rad": theta.min(axis=0),
        "theta_lab_max_rad": theta.max(axis=0),
    }


def _helicity_sine(one: FloatArray, two: FloatArray) -> FloatArray:
    """Sine of the angle of the leptons to the flight of the pair, in the rest frame of the pair.

    The momentum transverse to the flight is the same in every frame along it, and the whole
    momentum in the rest frame follows from the invariants.
    """
    first, second = to_cm(one), to_cm(two)
    flight = (first + second)[:, 1:]
    across = np.linalg.norm(np.cross(first[:, 1:], flight), axis=1)
    across /= np.maximum(np.linalg.norm(flight, axis=1), 1e-12)
    pair = invariant_mass_squared(one + two)
    masses = [np.maximum(invariant_mass_squared(p), 0.0) for p in (one, two)]
    kaellen = (pair - masses[0] - masses[1]) ** 2 - 4.0 * masses[0] * masses[1]
    momentum = np.sqrt(np.maximum(kaellen, 0.0) / np.maximum(4.0 * pair, 1e-12))
    return np.asarray(np.minimum(across / np.maximum(momentum, 1e-12), 1.0))
